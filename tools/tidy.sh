#!/usr/bin/env bash
# clang-tidy over our C++ sources, by the compile commands of a build folder:  tools/tidy.sh BUILD_FOLDER [FILE...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  # Tests are left out: gtest's macros make them slow and noisy.
  mapfile -t files < <(git ls-files --cached --others --exclude-standard -- 'src/*.cpp' 'sim/*.cpp' | grep -v '_test\.cpp$')
fi
# One line a finding; gcc's own flags in the compile commands mean nothing to clang.
failed=0
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "${JOBS:-$(nproc)}" clang-tidy-14 --quiet -p "$folder" --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-const-variable 2>/dev/null |
  grep -E '(error|warning): ' | sed "s|$PWD/||" | sort -u || failed=${PIPESTATUS[1]}
exit "$failed"
