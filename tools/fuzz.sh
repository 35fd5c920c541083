#!/usr/bin/env bash
# A short slice of every fuzzer, the same inputs each time:  tools/fuzz.sh [SECONDS in all, 60]
set -euo pipefail
exec "$(dirname "$0")/../fuzz/run" --seconds "${1:-60}" --seed 1
