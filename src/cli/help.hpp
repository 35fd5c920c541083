// The texts of --help that teach: what a command is for, and examples that work as they stand.
#pragma once

namespace cleat::cli::help {

inline constexpr const char* kProgram = R"(Examples:
  cleat serve                                     a durable node on 127.0.0.1:7420, data in ./cleat-data
  cleat run backup -- ./backup.sh                 run a command while holding a lock
  cleat lock orders --ttl 30s                     take a lock for a script: prints its token and fence
  cleat show orders                               who holds it, who waits

Each command explains itself: cleat run --help

Exit status: 0 ok, 1 refused or not held, 2 wrong usage, 69 no server, 74 not known whether it was done, 75 lock not
acquired, 76 not a Cleat server, 77 password missing or wrong. `run` gives back its command's own.)";

inline constexpr const char* kServe =
    R"(Runs a durable node until SIGTERM or SIGINT. Every setting can also stand in a TOML file (--config) or in a variable
CLEAT_NAME; the later of file, environment and flags wins. See docs/configuration.md.

Examples:
  cleat serve                                     on 127.0.0.1:7420, data in ./cleat-data
  cleat serve --data /var/lib/cleat --listen 127.0.0.1:7500
  cleat serve --config /etc/cleat.toml --log-level debug

Exit status: 0 clean end, 2 wrong settings, 1 anything else.)";

inline constexpr const char* kRun =
    R"(Takes the lock, runs the command, lets the lock go when the command ends, and exits with the command's
status. The command finds CLEAT_NAME, CLEAT_FENCE and CLEAT_SESSION in its environment: hand the fence to
whatever it writes to, so that this can refuse an older one.

If the lock is lost, or its end comes near and the server can't be reached, the command and all it started
gets SIGTERM, then SIGKILL, before the service may give the lock to anyone else (--on-loss).

Examples:
  cleat run backup -- ./backup.sh                 one at a time; waits as long as it takes
  cleat run backup --no-wait -- ./backup.sh       skip it if another one runs (exit status 75)
  cleat run backup --wait 10s -E 0 -- ./backup.sh give up after 10 s, and call that success
  cleat run report --shared -- ./read.sh          many readers, no writer
  cleat run db -- sh -c 'psql -v fence=$CLEAT_FENCE -f write.sql'

Exit status: the command's; 128 + n if signal n ended it; 75 (or -E) if the lock was not acquired;
69 if the server can't be reached; 126 or 127 if the command can't be run.)";

inline constexpr const char* kLock =
    R"(Takes a lock for its TTL and prints a token and the fence. Whoever knows the token may renew and unlock it,
from any machine. The same token again is the same hold: repeating the command is safe.

Examples:
  cleat lock orders --ttl 30s
  cleat lock orders --ttl 30s --wait 10s          wait up to 10 s for it (default: don't wait)
  token=$(cleat lock orders --ttl 30s | sed -n 's/^token //p')
  cleat lock orders --ttl 30s --token job-17 --json

Exit status: 0 held, 75 not acquired, 74 not known: contact was lost, say it again with the same --token.)";

inline constexpr const char* kUnlock = R"(Lets go what `cleat lock` took.

Example:
  cleat unlock orders --token "$token"

Exit status: 0 let go, 1 that token held nothing (any more), 74 not known: contact was lost, say it again.)";

inline constexpr const char* kRenew =
    R"(Moves the end of what `cleat lock` took to now + TTL; never to an earlier time. Prints the time left.

Example:
  cleat renew orders --token "$token" --ttl 30s

Exit status: 0 renewed, 1 that token holds nothing (any more): stop what the lock protects, 74 not known: contact was lost,
say it again.)";

inline constexpr const char* kShow =
    R"(Who holds a name, who waits for it and in which order, what is left behind by lost holds (delayed).

Examples:
  cleat show orders
  cleat show orders --json | jq '.holders[0].fence'
  cleat show orders --local --server b:7420       what b knows by itself, also without a leader
)";

inline constexpr const char* kLs = R"(Names that are held, waited for or delayed, in no order.

Examples:
  cleat ls
  cleat ls db/                                    names that begin with db/
  cleat ls --state waited --json                  names that somebody waits for
)";

inline constexpr const char* kHistory =
    R"(The last changes of a name, oldest first: granted, released, expired and so on, by whom and why. The time is
for people; the order is that of the revisions.

Examples:
  cleat history orders
  cleat history orders --count 5 --json
)";

inline constexpr const char* kEvents =
    R"(Follows changes as they happen, one line each, until interrupted. A GAP line says that some were missed.
When contact is lost it comes back by itself and goes on behind the last change that it printed.

Examples:
  cleat events
  cleat events db/ --json
  cleat events orders --from 1200                 what came behind revision 1200, then what comes
)";

inline constexpr const char* kSessions =
    R"(Sessions: whose they are, how long they live without a sign, what they hold. With an ID, that one and what it lost.

Examples:
  cleat sessions
  cleat sessions 42 --json
)";

inline constexpr const char* kStatus = R"(Asks whether the server is ready to grant locks.

Examples:
  cleat status && echo ready
  until cleat status > /dev/null 2>&1; do sleep 1; done

Exit status: 0 ready, 1 there but not ready, 69 not reachable.)";

inline constexpr const char* kCluster =
    R"(The members of the cluster, as they are and as they shall be. Every command asks
whichever member answers and goes on to the leader by itself.

Examples:
  cleat cluster status
  cleat cluster add d=10.0.0.4:7421               after: cleat serve --name d --join 10.0.0.1:7421 --peer-listen ...
  cleat cluster remove d)";

inline constexpr const char* kClusterStatus =
    R"(Who the members are, who leads and how far each is, as one of them sees it. LAG is how many entries it is behind.

Examples:
  cleat cluster status
  cleat cluster status --watch
  cleat cluster status --json | jq -r .leader

Exit status: 0 a leader and a majority are there, 1 not so, 69 not reachable.)";

inline constexpr const char* kClusterAdd =
    R"(Adds a member: first as a learner, which gets all data and has no vote, then, once it has caught up, as a voter.
Start it first, on an empty directory; it waits to be added. Interrupted, the same command goes on.

Examples:
  cleat serve --name d --join 10.0.0.1:7421 --peer-listen 10.0.0.4:7421     on the new machine
  cleat cluster add d=10.0.0.4:7421
  cleat cluster add d=10.0.0.4:7421 --learner     it only follows

Exit status: 0 it is a voter (a learner), 1 refused, 74 it has not caught up in time.)";

inline constexpr const char* kClusterRemove =
    R"(Removes a member for good: it stops by itself if it runs. If it leads, another member leads first. Refused where the
members that are up would be no majority without it.

Example:
  cleat cluster remove d

Exit status: 0 removed, 1 refused.)";

inline constexpr const char* kClusterPromote = R"(Gives a learner a vote, as soon as it has caught up.

Example:
  cleat cluster promote d

Exit status: 0 it is a voter, 1 refused, 74 it has not caught up in time.)";

inline constexpr const char* kClusterTransfer =
    R"(Lets another member lead, without a pause that clients would notice: before its machine is restarted, say.

Examples:
  cleat cluster transfer
  cleat cluster transfer b

Exit status: 0 it leads, 1 refused, 74 it was not seen to lead in time.)";

inline constexpr const char* kClusterBackup =
    R"(Writes the state of one moment to FILE: locks, sessions, queues, history, counters. Any member can be asked, a node alone
too; it serves meanwhile. FILE appears when it is whole, synced and was read back. It holds keys of sessions and tokens:
keep it where only you can read it.

Examples:
  cleat cluster backup /backups/cleat-$(date +%F)
  cleat cluster backup --check /backups/cleat-2026-01-31
  cleat cluster backup rescue --server 10.0.0.2:7420 --local     there is no leader any more

Exit status: 0 written (whole), 1 refused (damaged, no backup), 69 not reachable, or contact was lost.)";

inline constexpr const char* kClusterRestore =
    R"(Makes a data directory from a backup, as a new incarnation of the cluster: sessions with their locks and queues are
gone, locks by token stay, fences go on above all that were granted. Nothing of the older incarnation is let in. Stop it
first, and let clients wait for the longest TTL (or rely on fences): what was granted after the backup is not known.

For several members run it on each, with the same FILE and --cluster; they begin when all of them have been started.
Run it as the user of the service.

Examples:
  cleat cluster restore /backups/cleat-2026-01-31 --data /var/lib/cleat
  cleat cluster restore /backups/cleat-2026-01-31 --data /var/lib/cleat \
        --name a --cluster a=10.0.0.1:7421,b=10.0.0.2:7421,c=10.0.0.3:7421       (--name b, --name c on the others)

Exit status: 0 restored, 1 refused: nothing was changed.)";

inline constexpr const char* kClusterRecover =
    R"(For when a majority of the members is lost for good and the others can't go on without it: makes the directory of one
that survived into that of a cluster of one, a new incarnation with what this member has. Add members to it afterwards.
Choose the survivor with the most entries (cleat cluster status). If lost members may come back, wait for them.

Examples:
  cleat cluster recover --unsafe --data /var/lib/cleat

Exit status: 0 recovered, 1 refused: nothing was changed.)";

inline constexpr const char* kBench =
    R"(Takes and releases locks over many connections, for --warm-up and then for --duration, and tells how many pairs a second
and how long they took. Nothing stays behind: the locks end with the connections.

Without --rate each connection asks for the next pair when the one before is done (closed loop): the most that goes with so
many clients. With --rate pairs are due at fixed times and their latency is counted from then, so that those which had to
wait behind a slow one are in the percentiles too (no coordinated omission): what clients see at that load.

A connection that is lost is made anew, at another one of several servers; what was under way counts as errors.
Ctrl-C ends it early and prints what was measured until then.

Examples:
  cleat bench                                     50 connections, one pair at a time each
  cleat bench --rate 2000 --duration 1m           latencies at 2,000 pairs a second
  cleat bench --connections 4 --pipeline 16       programs that send ahead
  cleat bench --contend 1                         all after the same lock: hand-offs
  cleat bench --server a:7420,b:7420,c:7420 --json | jq .lock.p99_us

Exit status: 0 measured without an error, 1 some pairs failed or were not sent in time, 69 no server, or contact was lost and
not found again.)";

inline constexpr const char* kCompletion =
    R"(Prints a script for the shell: commands, options, their values and files are completed. `make install` puts both
scripts where shells look for them.

Examples:
  source <(cleat completion bash)                 in ~/.bashrc
  source <(cleat completion zsh)                  in ~/.zshrc, behind compinit
  cleat completion bash > /usr/share/bash-completion/completions/cleat)";

}  // namespace cleat::cli::help
