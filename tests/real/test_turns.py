"""The main job on real input: shells and programs in several languages take turns under one lock of a durable node.

Each writer reads a number from a file, adds one and writes it back, in separate steps, and appends its fence to a log. Any
two at once would lose a count or bring the fences out of order.
"""
import os
import shutil
import subprocess
import sys
import threading

from node import CLEAT, ROOT, wait_until

TURNS = 15
NODE = ROOT / "build" / "real" / "node"

# What is done under the lock, in sh: FENCE is set by the caller.
STEP = 'n=$(cat count); echo $((n + 1)) > count.new; mv count.new count; echo "$FENCE" >> fences'

WRITERS = {
    "sh with cleat run": ["sh", "-c", f"""
        for i in $(seq {TURNS}); do
          {CLEAT} run turns --wait 60s -- sh -c 'FENCE=$CLEAT_FENCE; {STEP}' || exit 1
        done"""],
    "bash with cleat lock and unlock": ["bash", "-c", f"""
        set -eu
        for i in $(seq {TURNS}); do
          until {CLEAT} lock turns --ttl 30s --token bash-$$ --json > mine.$$; do :; done
          FENCE=$(sed -nE 's/.*"fence": ?([0-9]+).*/\\1/p' mine.$$)
          {STEP}
          {CLEAT} unlock turns --token bash-$$ > /dev/null
        done"""],
    "sh with redis-cli": ["sh", "-c", f"""
        set -eu
        for i in $(seq {TURNS}); do
          FENCE=$(redis-cli -h $CLEAT_HOST -p $CLEAT_PORT LOCK turns TOKEN sh-$$ TTL 30000 WAIT 60000)
          {STEP}
          test "$(redis-cli -h $CLEAT_HOST -p $CLEAT_PORT UNLOCK turns TOKEN sh-$$ FENCE $FENCE)" = 0
        done"""],
    "python with redis-py": [sys.executable, "-c", f"""
import os, redis
one = redis.Redis(os.environ['CLEAT_HOST'], int(os.environ['CLEAT_PORT']), single_connection_client=True)
for turn in range({TURNS}):
    fence = one.execute_command('LOCK', 'turns', 'WAIT', 60000)
    count = int(open('count').read())
    open('count', 'w').write(str(count + 1) + chr(10))
    open('fences', 'a').write(str(fence) + chr(10))
    assert one.execute_command('UNLOCK', 'turns', 'FENCE', fence) == 0
"""],
    "node with node-redis": [str(NODE / "node"), "-e", f"""
const {{ createClient }} = require('{NODE}/node_modules/redis');
const fs = require('fs');
(async () => {{
  const one = createClient({{ socket: {{ host: process.env.CLEAT_HOST, port: Number(process.env.CLEAT_PORT) }} }});
  await one.connect();
  for (let turn = 0; turn < {TURNS}; turn++) {{
    const fence = await one.sendCommand(['LOCK', 'turns', 'WAIT', '60000']);
    const count = Number(fs.readFileSync('count', 'utf8'));
    fs.writeFileSync('count', (count + 1) + '\\n');
    fs.appendFileSync('fences', fence + '\\n');
    if (await one.sendCommand(['UNLOCK', 'turns', 'FENCE', String(fence)]) !== 0) process.exit(1);
  }}
  await one.close();
}})();
"""],
    "node with ioredis": [str(NODE / "node"), "-e", f"""
const {{ Redis }} = require('{NODE}/node_modules/ioredis');
const fs = require('fs');
(async () => {{
  const one = new Redis(Number(process.env.CLEAT_PORT), process.env.CLEAT_HOST);
  for (let turn = 0; turn < {TURNS}; turn++) {{
    const fence = await one.call('LOCK', 'turns', 'WAIT', 60000);
    const count = Number(fs.readFileSync('count', 'utf8'));
    fs.writeFileSync('count', (count + 1) + '\\n');
    fs.appendFileSync('fences', fence + '\\n');
    if (await one.call('UNLOCK', 'turns', 'FENCE', fence) !== 0) process.exit(1);
  }}
  one.disconnect();
}})();
"""],
    "perl by hand": ["perl", "-e", f"""
use strict; use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ENV{{CLEAT_HOST}}, PeerPort => $ENV{{CLEAT_PORT}}) or die;
sub ask {{ print $s '*' . @_ . "\\r\\n" . join('', map {{ '$' . length($_) . "\\r\\n$_\\r\\n" }} @_); my $l = <$s>; $l =~ s/\\r\\n//; $l }}
for (1 .. {TURNS}) {{
  my ($fence) = ask('LOCK', 'turns', 'WAIT', 60000) =~ /^:(\\d+)$/ or die;
  open(my $f, '<', 'count') or die; my $n = <$f>; close $f;
  open($f, '>', 'count') or die; print $f $n + 1, "\\n"; close $f;
  open($f, '>>', 'fences') or die; print $f "$fence\\n"; close $f;
  ask('UNLOCK', 'turns', 'FENCE', $fence) eq ':0' or die;
}}
"""],
}


def test_all_take_turns(node, tmp_path):
    place = tmp_path / "shared"
    place.mkdir()
    (place / "count").write_text("0\n")
    (place / "fences").write_text("")
    chosen = {name: command for name, command in WRITERS.items() if shutil.which(command[0])}
    environment = dict(os.environ, CLEAT_SERVER=node.url, CLEAT_HOST=node.address[0], CLEAT_PORT=str(node.port))
    results = {}

    def write(name, command):
        results[name] = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=100,
                                       stdin=subprocess.DEVNULL)

    threads = [threading.Thread(target=write, args=item) for item in chosen.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=110)
    for name in chosen:
        assert name in results, f"{name} did not end"
        assert results[name].returncode == 0, f"{name}: {results[name].stdout}{results[name].stderr}"
    assert int((place / "count").read_text()) == TURNS * len(chosen)
    fences = [int(line) for line in (place / "fences").read_text().split()]
    assert len(fences) == TURNS * len(chosen)
    assert fences == sorted(set(fences)), "fences must grow strictly with each turn"
    assert len(chosen) >= 6, f"only {sorted(chosen)} took part"


def test_turns_survive_a_killed_server(make_node, tmp_path):
    """Writers with tokens go on where they were when the server is killed and started again on the same port."""
    node = make_node()
    place = tmp_path / "shared"
    place.mkdir()
    (place / "count").write_text("0\n")
    (place / "fences").write_text("")
    # After a crash UNLOCK answers 0, or nil if it was applied and the answer lost: both mean that it is done.
    script = f"""
        set -u
        for i in $(seq {TURNS}); do
          FENCE=
          while ! expr "$FENCE" : '[0-9][0-9]*$' > /dev/null; do
            FENCE=$(redis-cli {' '.join(node.for_redis)} LOCK turns TOKEN sh-$$ TTL 60000 WAIT 5000 2> /dev/null)
          done
          {STEP}
          until redis-cli -e {' '.join(node.for_redis)} UNLOCK turns TOKEN sh-$$ FENCE $FENCE > /dev/null 2>&1; do :; done
        done"""
    writers = [subprocess.Popen(["sh", "-c", script], cwd=place, stdin=subprocess.DEVNULL) for _ in range(3)]
    try:
        for _ in range(4):
            before = len((place / "fences").read_text().split())
            wait_until(lambda: len((place / "fences").read_text().split()) > before + 3, what="some turns")
            node.kill()
            node.start()
        for writer in writers:
            assert writer.wait(timeout=60) == 0
    finally:
        for writer in writers:
            writer.kill()
    assert int((place / "count").read_text()) == TURNS * len(writers)
    fences = [int(line) for line in (place / "fences").read_text().split()]
    assert fences == sorted(set(fences))

