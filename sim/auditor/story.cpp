// Ops and settings in words, for the story of a failing case.
#include <fmt/format.h>

#include "plan.hpp"

namespace cleat::auditor {

using lock::Verb;

namespace {

const char* word(Verb v) {
  switch (v) {
    case Verb::kTick:
      return "tick";
    case Verb::kConfigure:
      return "configure";
    case Verb::kBootEnded:
      return "boot ended";
    case Verb::kConnectionClosed:
      return "connection closed";
    case Verb::kOpenSession:
      return "SESSION OPEN";
    case Verb::kAttachSession:
      return "SESSION ATTACH";
    case Verb::kCloseSession:
      return "SESSION CLOSE";
    case Verb::kMark:
      return "mark";
    case Verb::kHeard:
      return "heard";
    case Verb::kExpire:
      return "expire";
    case Verb::kLock:
      return "LOCK";
    case Verb::kUnlock:
      return "UNLOCK";
    case Verb::kRenew:
      return "RENEW";
    case Verb::kPut:
      return "PUT";
    case Verb::kCancel:
      return "CANCEL";
    case Verb::kUndeliver:
      return "undeliver";
    case Verb::kRaiseLevel:
      return "raise the level";
  }
  return "?";
}

}  // namespace

std::string text(const lock::Command& c) {
  std::string s = word(c.verb);
  const auto add = [&](bool there, const char* pattern, const auto&... more) {
    if (there) s += fmt::format(fmt::runtime(pattern), more...);
  };
  const bool locks = c.verb == Verb::kLock;
  add(!c.name.empty(), " {}", c.name);
  add(locks, " {}", lock::short_name(c.mode));
  add(locks && c.wait_ms != lock::kForever, " WAIT {}", c.wait_ms);
  add(c.ttl_ms != 0, " TTL {}", c.ttl_ms);
  add(!c.token.empty(), " TOKEN {}", c.token);
  add(!c.owner.empty(), " OWNER {}", c.owner);
  add(c.priority != 0, " PRIORITY {}", int{c.priority});
  add(c.no_reentry, " NOREENTRY");
  add(c.max_hold_ms != 0, " MAXHOLD {}", c.max_hold_ms);
  add(c.delay_ms != 0, " DELAY {}", c.delay_ms);
  add(c.has_data, " DATA '{}'", c.data);
  add(bool{c.fence}, " FENCE {}", c.fence.value);
  add(!c.req.empty(), " REQ {}", c.req);
  add(c.async, " ASYNC");
  add(c.verb == Verb::kAttachSession, " {} {}", c.session.value, c.key);
  add(c.takeover, " TAKEOVER");
  return s;
}

std::string text(const lock::Settings& s) {
  return fmt::format(
      "margin-ppm {} ageing-ms {} implicit-ttl-ms {} waiters-per-name {} holds-per-session {} sessions {} holds {} "
      "waiters {} req-results {} req-results-per-session {} losses-per-session {} history-entries {} history-per-name "
      "{}",
      s.margin_ppm, s.ageing_ms, s.implicit_ttl_ms, s.waiters_per_name, s.holds_per_session, s.sessions, s.holds,
      s.waiters, s.req_results, s.req_results_per_session, s.losses_per_session, s.history_entries, s.history_per_name);
}

}  // namespace cleat::auditor
