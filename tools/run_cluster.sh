#!/usr/bin/env bash
# Three members on loopback for `make cluster`, and a live view of who leads:  tools/run_cluster.sh DIR PORT
# Member a serves clients at PORT and members at PORT + 1, b at PORT + 10 and + 11, c at PORT + 20 and + 21. Their data and
# logs lie in DIR and are there again at the next start. Ctrl-C stops all three.
set -euo pipefail
dir=$1
port=$2
names=(a b c)
pids=()

for i in 0 1 2; do
  for p in $((port + 10 * i)) $((port + 10 * i + 1)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
      echo "Something listens on 127.0.0.1:$p already. Stop it, or take other ports: make cluster PORT=17420" >&2
      exit 1
    fi
  done
done

stop_all() {
  trap - EXIT INT TERM
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait
  echo
  echo "All three are stopped; their data and logs are in $dir."
}
trap stop_all EXIT
trap 'exit 0' INT TERM

mkdir -p "$dir"
list='' servers=''
for i in 0 1 2; do
  list+=${list:+,}${names[i]}=127.0.0.1:$((port + 10 * i + 1))
  servers+=${servers:+,}127.0.0.1:$((port + 10 * i))
done
for i in 0 1 2; do
  # In a session of its own: Ctrl-C reaches this script, which stops them in order.
  setsid build/cleat serve --name "${names[i]}" --cluster "$list" --listen "127.0.0.1:$((port + 10 * i))" \
    --data "$dir/${names[i]}" >>"$dir/${names[i]}.log" 2>&1 &
  pids+=($!)
done

until build/cleat status --server "$servers" >/dev/null 2>&1; do
  for i in 0 1 2; do
    kill -0 "${pids[i]}" 2>/dev/null || { echo "Member ${names[i]} has stopped:" >&2; tail -n 5 "$dir/${names[i]}.log" >&2; exit 1; }
  done
  sleep 0.2
done
text="Three members run; any of them serves. In another shell:

  export CLEAT_SERVER=$servers
  build/cleat run backup -- sleep 5       runs a command while it holds the lock \"backup\"
  build/cleat cluster transfer            lets another member lead
  kill -9 ${pids[0]}                          kills member a (it is there again after the next make cluster)

Ctrl-C stops all three.
"
if [ ! -t 1 ]; then
  echo "$text"
  # Waited for, so that a signal to this script is heard at once.
  build/cleat cluster status --watch --server "$servers" &
  pids+=($!)
  wait $!
  exit
fi
while :; do # as --watch does, below the text
  view=$(build/cleat cluster status --server "$servers" 2>&1) || true
  printf '\e[H\e[2J%s\n%s\n' "$text" "$view"
  sleep 1
done
