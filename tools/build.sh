#!/usr/bin/env bash
# Configures (when needed) and builds:  tools/build.sh FOLDER TARGET... [-- -DOPTION=VALUE ...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  targets+=("$1")
  shift
done
[ $# -eq 0 ] || shift

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
mkdir -p build/logs
# Configuring again costs a second and finds what was installed since the last time.
# All build folders share what cargo builds.
if ! cmake -S . -B "$folder" -G Ninja -DCLEAT_CARGO_TARGET_DIR="$PWD/build/cargo" "$@" >build/logs/configure.log 2>&1; then
  tail -n 30 build/logs/configure.log
  echo "cmake could not configure $folder; the whole output is in build/logs/configure.log" >&2
  exit 1
fi
exec tools/progress.sh "Building $folder (${targets[*]})" nice ninja -C "$folder" -j "${JOBS:-$(nproc)}" "${targets[@]}"
