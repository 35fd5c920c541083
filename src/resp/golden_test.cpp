// Golden bytes: every reply, push and error line, in both protocols. A change of a file in golden/ is a change of the
// wire: docs/wire.md changes with it. CLEAT_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "resp/command_reply.hpp"
#include "resp/connection_reply.hpp"
#include "resp/errors.hpp"
#include "resp/members_reply.hpp"
#include "resp/outcome_reply.hpp"
#include "resp/view_reply.hpp"

namespace cleat::resp {
namespace {

using lock::Result;
using lock::Verb;
using lock::Why;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void compare(const std::string& path, const std::string& expected) {
  if (std::getenv("CLEAT_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << expected;
  EXPECT_EQ(read_file(path), expected) << path << " is not current; if the change is meant: CLEAT_UPDATE_GOLDEN=1 "
                                       << "build/resp_test";
}

// Printable, one line break after each CRLF of the wire.
std::string shown(const std::string& bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<uint8_t>(bytes[i]);
    char hex[8];
    snprintf(hex, sizeof hex, "\\x%02x", c);
    if (c == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n') {
      out += "\\r\\n\n", ++i;
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c < 0x20 || c >= 0x7f ? std::string(hex) : std::string(1, bytes[i]);
    }
  }
  return out;
}

class Golden {
 public:
  explicit Golden(std::string file) : path_(std::string(CLEAT_SOURCE_DIR) + "/src/resp/golden/" + file) {}
  void add(const std::string& title, const std::function<void(ReplyWriter&)>& write) {
    std::string two, three;
    ReplyWriter w2(two, Protocol::kResp2), w3(three, Protocol::kResp3);
    write(w2), write(w3);
    text_ += "== " + title + "\n";
    text_ +=
        two == three ? "-- RESP2 and RESP3\n" + shown(two) : "-- RESP2\n" + shown(two) + "-- RESP3\n" + shown(three);
  }
  ~Golden() { compare(path_, text_); }

 private:
  std::string path_, text_;
};

lock::Outcome outcome(Verb verb, Result result) {
  lock::Outcome o;
  o.verb = verb;
  o.result = result;
  o.name = "orders/7";
  o.revision = base::Revision{41};
  return o;
}

lock::Outcome granted() {
  auto o = outcome(Verb::kLock, Result::kGranted);
  o.fence = base::Fence{17};
  o.ms_left = 29'703;
  o.waited_ms = 12;
  o.depth = 1;
  return o;
}

lock::Blocker held_by() {
  lock::Blocker b;
  b.kind = lock::Blocker::Kind::kHeld;
  b.session = base::SessionId{3};
  b.owner = "w1", b.label = "billing", b.fence = base::Fence{16}, b.retry_ms = 900;
  b.granted_wall_ms = 1'700'000'000'123, b.held_ms = 4'100;
  return b;
}

TEST(GoldenReplies, Outcomes) {
  Golden g("outcomes.txt");
  const auto add = [&g](const std::string& title, const lock::Outcome& o, bool full = false,
                        const lock::Blocker* b = nullptr) {
    g.add(title, [&](ReplyWriter& w) { write_outcome(w, o, full, b); });
  };
  auto refused = outcome(Verb::kLock, Result::kNotGranted);
  refused.why = Why::kBusy;
  auto no_ttl = granted();
  no_ttl.ms_left = 0, no_ttl.waited_ms = 0;
  add("LOCK granted", granted());
  add("LOCK not granted", refused);
  add("LOCK ASYNC that must wait", outcome(Verb::kLock, Result::kQueued));
  add("LOCK FULL granted", granted(), true);
  add("LOCK FULL granted, no end but the session's", no_ttl, true);
  lock::Blocker b = held_by();
  add("LOCK FULL not granted: held", refused, true, &b);
  b.session = {}, b.owner.clear(), b.label.clear();
  add("LOCK FULL not granted: held by a token", refused, true, &b);
  b = {};
  b.kind = lock::Blocker::Kind::kQueued, b.retry_ms = 5;
  add("LOCK FULL not granted: queued", refused, true, &b);
  b.kind = lock::Blocker::Kind::kDelayed;
  add("LOCK FULL not granted: delayed", refused, true, &b);
  b = {};
  refused.why = Why::kTimedOut, refused.waited_ms = 100;
  add("LOCK FULL timed out, free by now", refused, true, &b);
  refused.why = Why::kCancelled;
  add("LOCK FULL cancelled", refused, true, nullptr);
  auto done = outcome(Verb::kUnlock, Result::kDone);
  add("UNLOCK", done);
  done.depth = 2;
  add("UNLOCK of a deeper hold", done);
  add("UNLOCK by a token that holds nothing", outcome(Verb::kUnlock, Result::kNil));
  done = outcome(Verb::kRenew, Result::kDone);
  done.ms_left = 59'405;
  add("RENEW", done);
  add("PUT", outcome(Verb::kPut, Result::kDone));
  done = outcome(Verb::kCancel, Result::kDone);
  add("CANCEL of nothing", done);
  done.count = 1;
  add("CANCEL", done);
  auto opened = outcome(Verb::kOpenSession, Result::kOpened);
  opened.session = base::SessionId{5}, opened.key = "0123456789abcdef", opened.ttl_ms = 10'000;
  add("SESSION OPEN", opened);
  opened.verb = Verb::kAttachSession, opened.result = Result::kAttached, opened.takeover_ms = 9'900;
  add("SESSION ATTACH", opened);
  add("SESSION CLOSE", outcome(Verb::kCloseSession, Result::kDone));
}

TEST(GoldenReplies, Refusals) {
  Golden g("errors.txt");
  const auto add = [&g](const std::string& title, const lock::Outcome& o) {
    g.add(title, [&](ReplyWriter& w) { write_outcome(w, o, true); });
  };
  add("NOTHELD", outcome(Verb::kUnlock, Result::kNotHeld));
  auto o = outcome(Verb::kRenew, Result::kNotHeld);
  o.owner = "w'1\n";
  add("NOTHELD with an owner", o);
  o = outcome(Verb::kPut, Result::kNotHeld);
  o.token = "secret";
  add("NOTHELD: PUT by a token", o);
  o = outcome(Verb::kUnlock, Result::kStale);
  o.fence = base::Fence{9}, o.held_fence = base::Fence{17};
  add("STALE", o);
  o = outcome(Verb::kRenew, Result::kExpired);
  o.fence = base::Fence{9}, o.why = Why::kTtl;
  add("EXPIRED", o);
  o.result = Result::kRevoked, o.why = Why::kRevoked;
  add("REVOKED", o);
  o = outcome(Verb::kLock, Result::kNoSession);
  o.why = Why::kSessionExpired;
  add("NOSESSION", o);
  o = outcome(Verb::kAttachSession, Result::kNoSession);
  o.session = base::SessionId{5};
  add("NOSESSION of ATTACH", o);
  o.result = Result::kWrongKey;
  add("DENIED", o);
  o = outcome(Verb::kLock, Result::kDeadlock);
  o.held_fence = base::Fence{17};
  add("DEADLOCK by NOREENTRY", o);
  o = outcome(Verb::kLock, Result::kMode);
  o.held_mode = lock::Mode::kShared;
  add("MODE", o);
  for (int i = 1; i <= static_cast<int>(lock::Limit::kFences); ++i) {
    o = outcome(Verb::kLock, Result::kLimit);
    o.limit = static_cast<lock::Limit>(i), o.limit_value = 10'000;
    add("LIMIT " + std::string(lock::limit_name(o.limit)), o);
  }
  o = outcome(Verb::kLock, Result::kReqReused);
  o.req = "r1";
  add("ERR: REQ used again", o);
  for (const auto line : {kNoAuthError, kWrongPassError, kNoPasswordError, kDiskFullError, kNoQuorumError,
                          kUnknownError, kUnknownReadError, kNoSessionError, kImplicitBusyError, kHungUpError,
                          kOutputLimitError, kConnectionsError, kDeniedError}) {
    g.add("by the server", [&](ReplyWriter& w) { w.error(line); });
  }
  g.add("subscribed in RESP2", [](ReplyWriter& w) { w.error(subscribed_error(*find_command("lock"))); });
}

lock::Event event() {
  lock::Event e;
  e.revision = base::Revision{42};
  e.fence = base::Fence{17};
  e.session = base::SessionId{3};
  e.name = "orders/7", e.owner = "w1", e.label = "billing", e.req = "r1", e.data = "10.0.0.1";
  e.depth = 1;
  e.wall_ms = 1'767'225'600'000;
  return e;
}

TEST(GoldenReplies, Pushes) {
  Golden g("pushes.txt");
  auto o = granted();
  o.req = "r1", o.owner = "w1", o.pushed = true;
  g.add("granted", [&](ReplyWriter& w) { write_outcome_push(w, o); });
  o.result = Result::kNotGranted, o.why = Why::kTimedOut;
  g.add("refused: timed out", [&](ReplyWriter& w) { write_outcome_push(w, o); });
  const lock::Blocker b = held_by();
  g.add("refused: timed out, held", [&](ReplyWriter& w) { write_outcome_push(w, o, &b); });
  o.result = Result::kNoSession, o.why = Why::kSessionExpired;
  g.add("refused with an error", [&](ReplyWriter& w) { write_outcome_push(w, o); });
  auto e = event();
  e.kind = lock::EventKind::kExpired, e.why = Why::kMaxHold, e.delay_ms = 500, e.forced = true;
  g.add("lost", [&](ReplyWriter& w) { write_lost_push(w, e, 1); });
  g.add("event: expired", [&](ReplyWriter& w) { write_event_push(w, e, 1); });
  g.add("event: granted", [](ReplyWriter& w) { write_event_push(w, event(), 1); });
  g.add("gap", [](ReplyWriter& w) { write_gap_push(w, base::Revision{7}, base::Revision{90}, 1); });
  g.add("gap, end unknown", [](ReplyWriter& w) { write_gap_push(w, base::Revision{7}, {}, 1); });
  g.add("message of SUBSCRIBE", [](ReplyWriter& w) {
    auto bytes = event();
    bytes.data = "\xff";
    std::string json;
    append_event_json(json, bytes, 1);
    write_message(w, "cleat:orders/7", json);
  });
  g.add("message of PSUBSCRIBE", [](ReplyWriter& w) {
    std::string json;
    append_gap_json(json, base::Revision{7}, base::Revision{90}, 1);
    write_pattern_message(w, "cleat:*", "cleat:orders/7", json);
  });
  g.add("SUBSCRIBE", [](ReplyWriter& w) { write_subscription(w, "subscribe", "cleat:orders/7", 1); });
  g.add("UNSUBSCRIBE of nothing", [](ReplyWriter& w) { write_no_subscription(w, "unsubscribe", 0); });
  g.add("EVENTS", [](ReplyWriter& w) { write_events_started(w, 1, base::Revision{41}); });
}

lock::HoldView hold() {
  lock::HoldView h;
  h.fence = base::Fence{17}, h.session = base::SessionId{3}, h.owner = "w1", h.label = "billing";
  h.depth = 2, h.priority = 5, h.data = "10.0.0.1", h.granted_wall_ms = 1'767'225'600'000, h.held_ms = 12;
  h.ms_left = 900;
  return h;
}

TEST(GoldenReplies, Views) {
  Golden g("views.txt");
  lock::NameView v;
  v.revision = base::Revision{42};
  g.add("SHOW of an idle name", [&](ReplyWriter& w) { write_show(w, "orders/7", v); });
  v.holders = {hold(), lock::HoldView{}};
  v.holders[1].fence = base::Fence{18}, v.holders[1].depth = 1;
  v.holders_total = 2, v.waiters_total = 500, v.delayed_total = 1;
  v.waiters.push_back({lock::Mode::kShared, base::SessionId{4}, "w2", "web", 3, 120, 4'000});
  v.waiters.push_back({lock::Mode::kUpdate, {}, "", "", 0, 1, std::nullopt});
  v.delayed = {hold()};
  v.delayed[0].delay_left_ms = 250;
  v.next_cursor = 77;
  g.add("SHOW", [&](ReplyWriter& w) { write_show(w, "orders/7", v); });
  lock::LocksPage page;
  page.revision = base::Revision{42};
  g.add("LOCKS of nothing", [&](ReplyWriter& w) { write_locks(w, page); });
  page.locks.push_back({"orders/7", 1, 2, 0, lock::Mode::kExclusive, base::Fence{17}});
  page.locks.push_back({"orders/8", 0, 0, 1, lock::Mode::kExclusive, base::Fence{9}});
  page.next = lock::Cursor{7, "orders/8"};
  g.add("LOCKS", [&](ReplyWriter& w) { write_locks(w, page); });
  lock::HistoryView h;
  h.revision = base::Revision{40}, h.fence = base::Fence{17}, h.session = base::SessionId{3}, h.owner = "w1";
  h.label = "billing", h.wall_ms = 1'767'225'600'000;
  lock::HistoryView lost = h;
  lost.revision = base::Revision{41}, lost.kind = lock::EventKind::kExpired, lost.why = Why::kTtl, lost.session = {};
  g.add("HISTORY", [&](ReplyWriter& w) { write_history(w, {h, lost}); });
  g.add("SESSION SHOW of a dead one", [&](ReplyWriter& w) { write_session(w, std::nullopt); });
  lock::SessionView s;
  s.id = base::SessionId{3}, s.ttl_ms = 10'000, s.label = "billing", s.holds = 2, s.waiters = 1, s.losses = 1;
  s.revision = base::Revision{42};
  s.last_losses.push_back({"orders/6", base::Fence{12}, Why::kTtl, base::Revision{30}});
  g.add("SESSION SHOW", [&](ReplyWriter& w) { write_session(w, s); });
  lock::SessionsPage list;
  list.revision = base::Revision{42};
  list.sessions = {s};
  list.sessions[0].kind = lock::By::kImplicit;
  list.next_after = base::SessionId{3};
  g.add("SESSION LIST", [&](ReplyWriter& w) { write_sessions(w, list); });
  g.add("SESSION KEEPALIVE", [](ReplyWriter& w) { write_keep_alive(w, true, 10'000, 2, 86'400'000'000, 7); });
  g.add("SESSION KEEPALIVE of an implicit one", [](ReplyWriter& w) { write_keep_alive(w, true, 10'000, 2); });
  g.add("SESSION KEEPALIVE of a dead one", [](ReplyWriter& w) { write_keep_alive(w, false, 0, 0); });
}

TEST(GoldenReplies, Connections) {
  Golden g("connection.txt");
  g.add("HELLO", [](ReplyWriter& w) { write_hello(w, 9); });
  g.add("CLIENT LIST", [](ReplyWriter& w) {
    ClientLine c;
    c.id = 9, c.address = "127.0.0.1:5000", c.local_address = "127.0.0.1:7420", c.fd = 12, c.name = "web";
    c.command = "lock", c.lib_name = "redis-py", c.lib_version = "8.1.0", c.waiting = true;
    c.session = base::SessionId{3};
    std::string text;
    append_client_line(text, c);
    append_client_line(text, ClientLine{});
    w.verbatim(text);
  });
  g.add("INFO", [](ReplyWriter& w) {
    InfoText info({});
    if (info.section("Server")) info.line("redis_version", kRedisVersion), info.line("loading", 0);
    if (info.section("Locks")) info.line("holds", 3);
    w.verbatim(info.text());
  });
  g.add("INFO of one section", [](ReplyWriter& w) {
    const std::string_view asked[] = {"LOCKS"};
    InfoText info(asked);
    if (info.section("Server")) info.line("redis_version", kRedisVersion);
    if (info.section("Locks")) info.line("holds", 3);
    w.verbatim(info.text());
  });
  const std::pair<std::string, std::string> kSettings[] = {{"save", ""}, {"appendonly", "yes"}};
  g.add("CONFIG GET", [&](ReplyWriter& w) { write_config(w, kSettings); });
  g.add("CONFIG GET of nothing", [](ReplyWriter& w) { write_config(w, {}); });
  g.add("TIME", [](ReplyWriter& w) { write_time(w, 1'767'225'600'000'042); });
  g.add("PING", [](ReplyWriter& w) { write_pong(w, false, "", false); });
  g.add("PING message", [](ReplyWriter& w) { write_pong(w, false, "hi", true); });
  g.add("PING while subscribed", [](ReplyWriter& w) { write_pong(w, true, "", false); });
}

TEST(GoldenReplies, Members) {
  Golden g("members.txt");
  MembersReply waits;
  waits.name = "c";
  waits.waiting = "this node waits for b (127.0.0.1:7431)";
  g.add("MEMBERS STATUS of a node that is no member yet", [&](ReplyWriter& w) { write_members(w, waits); });
  MembersReply r;
  r.cluster = "e8812740f7f0ebaf95cf02d0b7e41927", r.incarnation = 1, r.term = 7, r.leader = "a", r.name = "a";
  r.commit = 1'200, r.applied = 1'199, r.level = 1;
  r.members.push_back(
      {1, "a", "leader", true, "127.0.0.1:7421", "127.0.0.1:7420", true, 1'200, 0, -1, -1, "0.1.0", 1, 3, -1});
  r.members.push_back(
      {2, "b", "follower", true, "127.0.0.1:7431", "127.0.0.1:7430", true, 1'190, 10, 140, 12, "", 1, 5, -1});
  r.members.push_back({4, "d", "learner", false, "127.0.0.1:7451", "", true, 0, 1'200, -1, 3, "", 1, 1, 40});
  r.members.push_back({5, "e", "unknown", true, "127.0.0.1:7461", "", false, std::nullopt, std::nullopt, -1, -1, "", 0,
                       0, -1, "Connection refused"});
  g.add("MEMBERS STATUS", [&](ReplyWriter& w) { write_members(w, r); });
}

TEST(GoldenReplies, Commands) {
  Golden g("command.txt");
  const auto query = [&g](const std::string& title, const char* sub, std::vector<std::string_view> words) {
    g.add(title, [=](ReplyWriter& w) { write_command_query(w, {sub, words}); });
  };
  query("COMMAND COUNT", "count", {});
  query("COMMAND INFO lock nosuch", "info", {"lock", "nosuch"});
  query("COMMAND INFO config", "info", {"config"});
  query("COMMAND DOCS trylock cancel nosuch", "docs", {"trylock", "cancel", "nosuch"});
  query("COMMAND DOCS config", "docs", {"config"});
  query("COMMAND LIST", "list", {});
  query("COMMAND LIST FILTERBY PATTERN *lock*", "list", {"filterby", "pattern", "*LOCK*"});
  query("COMMAND LIST FILTERBY ACLCAT admin", "list", {"FILTERBY", "ACLCAT", "admin"});
  query("COMMAND LIST FILTERBY MODULE x", "list", {"FILTERBY", "MODULE", "x"});
  query("COMMAND LIST FILTERBY what x", "list", {"FILTERBY", "what", "x"});
  query("COMMAND GETKEYS lock a WAIT 5", "getkeys", {"lock", "a", "WAIT", "5"});
  query("COMMAND GETKEYS ping", "getkeys", {"ping", "x"});
  query("COMMAND GETKEYS check a", "getkeys", {"check", "a"});
  query("COMMAND GETKEYS nosuch a", "getkeys", {"nosuch", "a"});
  g.add("SESSION HELP", [](ReplyWriter& w) { write_help(w, {find_command("session")}); });
}

TEST(GoldenReplies, WholeCommandAnswersAreWellFormed) {
  // Every announced element is there and nothing is left over, for all rows.
  const std::function<size_t(std::string_view, size_t)> skip = [&](std::string_view s, size_t i) -> size_t {
    const size_t end = s.find("\r\n", i);
    EXPECT_NE(end, std::string_view::npos);
    const char type = s[i];
    if (std::string_view("+-:_#").find(type) != std::string_view::npos) return end + 2;
    const long n = std::strtol(s.data() + i + 1, nullptr, 10);
    if (type == '$') return n < 0 ? end + 2 : end + 2 + static_cast<size_t>(n) + 2;
    i = end + 2;
    for (long k = 0; k < (type == '%' ? 2 * n : n); ++k) i = skip(s, i);
    return i;
  };
  for (const Protocol protocol : {Protocol::kResp2, Protocol::kResp3}) {
    for (const char* sub : {"", "docs", "info", "list", "count"}) {
      std::string out;
      ReplyWriter w(out, protocol);
      write_command_query(w, {sub, {}});
      EXPECT_EQ(skip(out, 0), out.size()) << sub;
    }
  }
}

TEST(Documents, CommandsAreCurrent) {
  compare(std::string(CLEAT_SOURCE_DIR) + "/docs/commands.md", commands_markdown());
}

}  // namespace
}  // namespace cleat::resp
