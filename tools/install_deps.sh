#!/usr/bin/env bash
# Installs what a bare machine lacks:  tools/install_deps.sh [build|test|bench|fuzz|races ...]   (default: build)
# Prints nothing and changes nothing when all is there. On Debian 12 it installs (through sudo where not root); on any
# other system it only says what is missing and what Debian calls it, and exits with 1.
#
# A row: group, Debian package, and how to see that it is there: a command on PATH (cmd:), a header (hdr:), a Python
# module (py:), the Rust toolchain (rust:) or, where neither tells enough, the package itself (deb:).
set -euo pipefail

rows() {
  cat <<'ROWS'
build ca-certificates       deb:ca-certificates
build g++                   cmd:g++
build make                  cmd:make
build git                   cmd:git
build cmake                 cmd:cmake
build ninja-build           cmd:ninja
build mold                  cmd:mold
build python3               cmd:python3
build libasio-dev           hdr:asio.hpp
build libspdlog-dev         hdr:spdlog/spdlog.h
build libfmt-dev            hdr:fmt/core.h
build libcli11-dev          hdr:CLI/CLI.hpp
build libxxhash-dev         hdr:xxhash.h
build libssl-dev            hdr:openssl/hmac.h
build cargo-web             rust:
build rustc-web             rust:
test  ccache                cmd:ccache
test  libgtest-dev          hdr:gtest/gtest.h
test  libgmock-dev          hdr:gmock/gmock.h
test  clang-format-14       cmd:clang-format-14
test  clang-tidy-14         cmd:clang-tidy-14
test  redis-tools           cmd:redis-cli
test  python3-venv          py:ensurepip
test  e2fsprogs             cmd:mkfs.ext4
test  mount                 cmd:mount
test  iproute2              cmd:ip
test  nftables              cmd:nft
test  procps                cmd:ps
test  gcc                   cmd:gcc
test  curl                  cmd:curl
test  pkgconf               cmd:pkg-config
test  zsh                   cmd:zsh
test  groff                 deb:groff
test  binutils              cmd:nm
test  openjdk-17-jdk-headless cmd:javac
test  maven                 cmd:mvn
fuzz  clang-14              cmd:clang++-14
fuzz  libclang-rt-14-dev    deb:libclang-rt-14-dev
races rustc-web             deb:rustc-web
races cargo-web             deb:cargo-web
races rust-web-src          deb:rust-web-src
bench redis-server          cmd:redis-server
bench redis-tools           cmd:redis-cli
ROWS
}

rust_is_there() { # 1.80 is the least that the crates of the engine build with
  local version PATH=$PATH:$HOME/.cargo/bin
  version=$(rustc --version 2>/dev/null | sed -nE 's/^rustc 1\.([0-9]+)\..*/\1/p')
  [ -n "$version" ] && [ "$version" -ge 80 ] && command -v cargo >/dev/null
}

is_there() {
  local what=${1#*:} folder
  case $1 in
    cmd:*) command -v "$what" >/dev/null || [ -x "/usr/sbin/$what" ] || [ -x "/sbin/$what" ] ;;
    hdr:*)
      for folder in /usr/include /usr/local/include $(tr : ' ' <<<"${CPATH:-}"); do
        [ -e "$folder/$what" ] && return 0
      done
      return 1 ;;
    py:*) python3 -c "import $what" 2>/dev/null ;;
    rust:*) rust_is_there ;;
    deb:*) [ ! -e /etc/debian_version ] || [ "$(dpkg-query -W -f='${db:Status-Status}' "$what" 2>/dev/null)" = installed ] ;;
  esac
}

missing_packages() { # of the groups given
  local group package probe
  while read -r group package probe; do
    [[ " $* " == *" $group "* ]] || continue
    is_there "$probe" || echo "$package"
  done < <(rows) | sort -u
}

install_on_debian() {
  local -a as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing: $*" >&2
      echo "Neither root nor sudo is here. As root: apt-get update && apt-get install -y $*" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing from Debian: $*"
  local log
  log=$(mktemp)
  if ! "${as_root[@]}" apt-get update -q >"$log" 2>&1 ||
    ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    echo "apt-get could not install them; its whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

main() {
  local -a groups=("$@")
  [ $# -gt 0 ] || groups=(build)
  # Whoever tests, benches or fuzzes also builds.
  [[ " ${groups[*]} " == *" build "* ]] || groups=(build "${groups[@]}")
  local -a missing
  mapfile -t missing < <(missing_packages "${groups[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0

  local ID='' VERSION_ID=''
  [ ! -r /etc/os-release ] || . /etc/os-release
  if [ "$ID" = debian ] && [ "${VERSION_ID:-99}" -ge 12 ] && command -v apt-get >/dev/null; then
    install_on_debian "${missing[@]}"
    mapfile -t missing < <(missing_packages "${groups[@]}")
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "Installed, yet still not found on PATH or among the headers: ${missing[*]}" >&2
    return 1
  fi
  {
    echo "This is not Debian 12, so nothing was installed. Missing (by the names Debian gives them):"
    printf '  %s\n' "${missing[@]}"
    echo "cargo-web and rustc-web stand for any cargo and rustc of 1.80 or newer on PATH (https://rustup.rs)."
    echo "Install their like, then run this again."
  } >&2
  return 1
}

main "$@"
