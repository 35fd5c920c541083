#!/usr/bin/env bash
# Checks (or with --fix: makes) the format of all C++ sources as .clang-format has it.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' '*.h' '*.c' '*.cc')
existing=()
for file in "${files[@]}"; do [ ! -e "$file" ] || existing+=("$file"); done
[ ${#existing[@]} -gt 0 ] || exit 0
if [ "${1:-}" = --fix ]; then
  exec clang-format-14 -i "${existing[@]}"
fi
if ! printf '%s\0' "${existing[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-14 --dry-run --Werror; then
  echo "Not formatted as .clang-format has it. Mend it with: make fmt" >&2
  exit 1
fi
