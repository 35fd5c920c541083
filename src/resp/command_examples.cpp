// Errors and examples of the commands, for docs/commands.md. Long because it is data. The examples are done by
// tests/real/test_commands_page.py, one connection each, on one fresh node: numbers may be others, `...` stands for
// anything.
#include "resp/command_examples.hpp"

namespace cleat::resp {
namespace {

constexpr CommandExample kExamples[] = {
    {"lock",
     "BADNAME, MODE (held in a mode that does not cover this one), DEADLOCK (with NOREENTRY: you hold it), LIMIT, "
     "DISKFULL, NOSESSION, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/1 WAIT 1000
1
> LOCK orders/2 TOKEN t1 TTL 30000
2
> LOCK orders/2 TOKEN t2 TTL 30000 FULL
{granted: false, fence: nil, slot: nil, ttl: nil, waited_ms: 0, why: held, retry_ms: 29996, holder: {session: nil,
owner: , label: , mode: EXCLUSIVE, fence: 2, granted_at: 1795274950312, held_ms: 4}}
)"},
    {"trylock", "as LOCK",
     R"(
> LOCK orders/3 TOKEN t1 TTL 30000
3
> TRYLOCK orders/3
nil
> TRYLOCK orders/4 SHARED
4
)"},
    {"unlock",
     "NOTHELD, STALE (FENCE of an older hold), EXPIRED and REVOKED (FENCE of a hold that ended so), NOSESSION, "
     "NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/5 TOKEN t1 TTL 30000
5
> UNLOCK orders/5 TOKEN t1
0
> UNLOCK orders/5 TOKEN t1
nil
> UNLOCK orders/6
NOTHELD you do not hold 'orders/6': see SHOW, and give the OWNER or TOKEN it was locked with
)"},
    {"renew", "NOTHELD, STALE, EXPIRED, REVOKED, NOSESSION, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/7 TOKEN t1 TTL 30000
6
> RENEW orders/7 TTL 60000 TOKEN t1
60000
> RENEW orders/8 TTL 60000 TOKEN t1
nil
)"},
    {"put", "NOTHELD, STALE, EXPIRED, REVOKED, NOSESSION, DISKFULL, NOQUORUM, UNKNOWN",
     R"(
> LOCK leader/eu TOKEN t1 TTL 30000 DATA 10.0.0.5:80
7
> PUT leader/eu TOKEN t1 DATA 10.0.0.6:80
OK
)"},
    {"cancel", "NOSESSION, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/9 TOKEN t1 TTL 30000
8
> LOCK orders/9 REQ r1 ASYNC
QUEUED
> CANCEL r1
1
> CANCEL r1
0
)"},
    {"check", "BADNAME, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/10
9
> CHECK orders/10 FENCE 9
1
)"},
    {"show", "BADNAME, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/11 TOKEN t1 TTL 30000
10
> SHOW orders/11
{name: orders/11, revision: 16, holders: [{mode: EXCLUSIVE, fence: 10, slot: nil, session: nil, owner: , label: , depth:
1, priority: 0, data: nil, granted_at: 1795274950379, held_ms: 0, ms_left: 30000}], holders_total: 1, waiters: [],
waiters_total: 0, delayed: [], delayed_total: 0, cursor: nil, local: false}
)"},
    {"locks", "NOQUORUM, UNKNOWN",
     R"(
> LOCK tree/oak
11
> LOCKS PREFIX tree/
{revision: 17, cursor: ..., locks: [{name: tree/oak, holders: 1, waiters: 0, delayed: 0, mode: EXCLUSIVE, fence: 11}],
local: false}
)"},
    {"history", "BADNAME, NOQUORUM, UNKNOWN",
     R"(
> LOCK orders/12
12
> HISTORY orders/12
[{revision: 19, event: granted, why: nil, mode: EXCLUSIVE, fence: 12, session: 6, owner: , label: , time:
1795274950380}]
)"},
    {"session|open",
     "ERR (this connection's implicit session holds or waits for something), LIMIT, DISKFULL, NOQUORUM, UNKNOWN",
     R"(
> SESSION OPEN TTL 10000 LABEL web-1
{id: 7, key: ..., ttl: 10000}
)"},
    {"session|attach", "NOSESSION (it is gone), DENIED (wrong key), NOQUORUM, UNKNOWN",
     R"(
> SESSION ATTACH 424242 not-the-key
NOSESSION there is no session 424242 any more: SESSION OPEN a new one
)"},
    {"session|keepalive", "NOSESSION, NOQUORUM, UNKNOWN. None of them is a sign of life",
     R"(
> SESSION OPEN TTL 10000
{id: 8, key: ..., ttl: 10000}
> SESSION KEEPALIVE
[10000, 0, 43492372258, 2]
> SESSION KEEPALIVE 424242 not-the-key
[nil]
)"},
    {"session|close", "NOSESSION, NOQUORUM, UNKNOWN",
     R"(
> SESSION OPEN
{id: 9, key: ..., ttl: 10000}
> SESSION CLOSE
OK
)"},
    {"session|show", "NOSESSION, NOQUORUM, UNKNOWN",
     R"(
> SESSION OPEN TTL 10000 LABEL web-1
{id: 10, key: ..., ttl: 10000}
> SESSION SHOW
{id: 10, kind: explicit, ttl: 10000, label: web-1, holds: 0, waiters: 0, losses: 0, last_losses: [], revision: 20}
)"},
    {"session|list", "NOQUORUM, UNKNOWN",
     R"(
> SESSION OPEN TTL 10000 LABEL web-1
{id: 11, key: ..., ttl: 10000}
> SESSION LIST
{revision: 20, cursor: nil, sessions: [...]}
)"},
    {"events", "ERR (RESP2: SUBSCRIBE instead), LIMIT",
     R"(
> EVENTS PREFIX orders/
{incarnation: 1, revision: 20}
> LOCK orders/13
13
)"},
    {"noevents", "none of its own",
     R"(
> NOEVENTS
OK
)"},
    {"subscribe", "LIMIT",
     R"(
> SUBSCRIBE cleat:orders/14
push [subscribe, cleat:orders/14, 1]
)"},
    {"unsubscribe", "none of its own",
     R"(
> UNSUBSCRIBE cleat:orders/14
push [unsubscribe, cleat:orders/14, 0]
)"},
    {"psubscribe", "LIMIT",
     R"(
> PSUBSCRIBE cleat:orders/*
push [psubscribe, cleat:orders/*, 1]
)"},
    {"punsubscribe", "none of its own",
     R"(
> PUNSUBSCRIBE cleat:orders/*
push [punsubscribe, cleat:orders/*, 0]
)"},
    {"hello", "NOPROTO (neither 2 nor 3), WRONGPASS, NOAUTH",
     R"(
> HELLO 3
{server: redis, version: 7.2.0, proto: 3, id: 23, mode: standalone, role: master, modules: []}
)"},
    {"auth", "WRONGPASS, ERR (no password is set)",
     R"(
> AUTH secret
ERR no password is set
)"},
    {"ping", "NOAUTH",
     R"(
> PING
PONG
)"},
    {"echo", "NOAUTH",
     R"(
> ECHO hello
hello
)"},
    {"quit", "none of its own",
     R"(
> QUIT
OK
)"},
    {"reset", "none of its own",
     R"(
> RESET
RESET
)"},
    {"select", "ERR (any other than 0)",
     R"(
> SELECT 0
OK
> SELECT 1
ERR DB index is out of range
)"},
    {"client|id", "none of its own",
     R"(
> CLIENT ID
30
)"},
    {"client|getname", "none of its own",
     R"(
> CLIENT SETNAME billing
OK
> CLIENT GETNAME
billing
)"},
    {"client|setname", "ERR (blanks or control characters in it)",
     R"(
> CLIENT SETNAME billing
OK
)"},
    {"client|setinfo", "ERR (another attribute)",
     R"(
> CLIENT SETINFO LIB-NAME mine
OK
)"},
    {"client|info", "none of its own",
     R"(
> CLIENT INFO
id=34 addr=... laddr=... fd=23 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 ...
)"},
    {"client|list", "ERR (a filter that is not known)",
     R"(
> CLIENT LIST
id=... addr=... laddr=... fd=... name= age=... cmd=client|list ...
)"},
    {"client|kill", "ERR (no such client, in the old form)",
     R"(
> CLIENT KILL ID 4242
0
> CLIENT KILL 127.0.0.1:1
ERR No such client
)"},
    {"command", "none of its own",
     R"(
> COMMAND INFO renew
[[renew, -4, [write, fast], 1, 1, 1, [@write, @fast], [], [{flags: [RW, access], begin_search: {type: index, spec: ...
)"},
    {"command|count", "none of its own",
     R"(
> COMMAND COUNT
30
)"},
    {"command|docs", "none of its own",
     R"(
> COMMAND DOCS echo
{echo: {summary: Answers the message., since: 0.1.0, group: connection, arguments: [{name: message, type: string}]}}
)"},
    {"command|getkeys", "ERR (a command without names)",
     R"(
> COMMAND GETKEYS LOCK orders/15 WAIT 0
[orders/15]
)"},
    {"command|info", "none of its own: nil for what is not known",
     R"(
> COMMAND INFO set
[nil]
)"},
    {"command|list", "ERR (a filter that is not known)",
     R"(
> COMMAND LIST FILTERBY PATTERN *lock
[lock, trylock, unlock]
)"},
    {"config|get", "none of its own",
     R"(
> CONFIG GET max-wait-ms
{max-wait-ms: 8760h}
)"},
    {"config|set", "ERR (not known, or not while the server runs)",
     R"(
> CONFIG SET log-level info
OK
)"},
    {"info", "none of its own",
     R"(
> INFO server
# Server redis_version:7.2.0 cleat_version:0.1.0 redis_mode:standalone loading:0 ...
)"},
    {"time", "none of its own",
     R"(
> TIME
[1795274950, 411000]
)"},
    {"members|status", "none of its own",
     R"(
> MEMBERS STATUS
{cluster: ..., incarnation: 1, term: 2, leader: node, commit: 50, applied: 50, members:
[{id: 1, name: node, role: leader, peer: nil, client: ...
)"},
    {"members|add", "NOTLEADER, TRYAGAIN (another change is under way), ERR, NOQUORUM, UNKNOWN",
     R"(
> MEMBERS ADD b=127.0.0.1:7422
ERR the other members could not reach node: it has no address for members. Restart it with --peer-listen HOST:PORT, then
add b again; no lock is lost
)"},
    {"members|remove", "NOTLEADER, TRYAGAIN, ERR (it would lose the majority, or is no member), NOQUORUM, UNKNOWN",
     R"(
> MEMBERS REMOVE z
ERR there is no member 'z': there are node
)"},
    {"members|promote", "NOTLEADER, TRYAGAIN (it has not caught up yet), ERR, NOQUORUM, UNKNOWN",
     R"(
> MEMBERS PROMOTE z
ERR there is no member 'z': there are node
)"},
    {"members|transfer", "NOTLEADER, TRYAGAIN, ERR (there is nobody to lead)",
     R"(
> MEMBERS TRANSFER
ERR no other voter is up that could lead
)"},
    {"members|backup", "LIMIT (4 of a member), TRYAGAIN (the image is being written), DISKFULL, NOQUORUM",
     R"(
> MEMBERS BACKUP
{index: 50}
)"},
};

}  // namespace

const CommandExample* find_example(std::string_view command) {
  for (const CommandExample& each : kExamples) {
    if (each.command == command) return &each;
  }
  return nullptr;
}

}  // namespace cleat::resp
