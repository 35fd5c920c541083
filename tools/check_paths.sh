#!/usr/bin/env bash
# Fails when a file of the repository holds an absolute path of somebody's own machine.
set -euo pipefail
cd "$(dirname "$0")/.."
pattern='(^|[^[:alnum:]_.~$}/-])/(home|Users|work|root|mnt/c)/[[:alnum:]._-]'
if git grep -nIE "$pattern" -- . ':!tools/check_paths.sh'; then
  echo "These lines hold a path that exists on one machine only." >&2
  exit 1
fi
