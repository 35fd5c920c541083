#!/usr/bin/env bash
# A short slice of every fuzzer:  tools/fuzz.sh [SECONDS in all, 60]
set -euo pipefail
exec "$(dirname "$0")/../fuzz/run" --seconds "${1:-60}"
