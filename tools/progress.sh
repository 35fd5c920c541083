#!/usr/bin/env bash
# Runs something that takes long, with one line that tells how far it is:  tools/progress.sh "Building" CMD ARG...
# The command's output goes to a log; when it fails the end of the log is shown and its exit status is ours. On a
# terminal the line is rewritten every second, elsewhere a new one is printed every 30 seconds.
set -uo pipefail
what=$1
shift
mkdir -p build/logs
log=build/logs/$(tr -cs 'A-Za-z0-9' '-' <<<"$what" | sed 's/-$//' | tr 'A-Z' 'a-z').log
every=30
[ -t 1 ] && every=1

"$@" >"$log" 2>&1 </dev/null &
child=$!
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 130' INT TERM
start=$SECONDS
said=$SECONDS
while kill -0 "$child" 2>/dev/null; do
  sleep 0.2
  if [ $((SECONDS - said)) -ge $every ]; then
    said=$SECONDS
    last=$(tail -n 1 "$log" | tr -d '\r' | cut -c 1-70)
    if [ -t 1 ]; then
      printf '\r\033[K%s ... %d s  %s' "$what" $((SECONDS - start)) "$last"
    else
      printf '%s ... %d s  %s\n' "$what" $((SECONDS - start)) "$last"
    fi
  fi
done
wait "$child"
status=$?
[ -t 1 ] && printf '\r\033[K'
if [ $status -ne 0 ]; then
  tail -n "${CLEAT_LOG_LINES:-60}" "$log"
  echo "$what: failed after $((SECONDS - start)) s (exit status $status); the whole output is in $log"
else
  echo "$what: done in $((SECONDS - start)) s"
fi
exit $status
