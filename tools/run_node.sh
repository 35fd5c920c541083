#!/usr/bin/env bash
# Starts the durable node of `make run` and says what to do with it:  tools/run_node.sh DATA HOST:PORT
set -euo pipefail
data=$1
host=${2%:*}
port=${2##*:}

if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
  echo "Something listens on $2 already (another node?). Stop it, or choose another port: make run LISTEN=$host:7421" >&2
  exit 1
fi
server=''
[ "$2" = 127.0.0.1:7420 ] || server="--server $2 "
cat <<TEXT

Starting a durable node on $2; its data is kept in $data. Ctrl-C stops it. In another shell:

  build/cleat run ${server}backup -- sleep 5       runs a command while it holds the lock "backup"
  build/cleat lock ${server}orders --ttl 30s       takes a lock for 30 s and prints its token and fence
  build/cleat show ${server}orders                 tells who holds it
  redis-cli -p $port LOCK orders WAIT 0      any Redis client will do (held as long as it stays connected)

TEXT
exec build/cleat serve --data "$data" --listen "$2"
