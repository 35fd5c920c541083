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

}  // namespace cleat::cli::help
