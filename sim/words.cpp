#include "words.hpp"

#include <fmt/format.h>

#include "lock/result_text.hpp"

namespace cleat::sim {
namespace {

using lock::Result;
using lock::Verb;

std::string_view word(Verb v) {
  switch (v) {
    case Verb::kOpenSession:
      return "SESSION OPEN";
    case Verb::kAttachSession:
      return "SESSION ATTACH TAKEOVER";
    case Verb::kCloseSession:
      return "SESSION CLOSE";
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
    default:
      return "?";
  }
}

std::string_view word(replica::Trouble t) {
  switch (t) {
    case replica::Trouble::kDiskFull:
      return "DISKFULL";
    case replica::Trouble::kNoQuorum:
      return "NOQUORUM";
    case replica::Trouble::kBusy:
      return "not understood yet";
    default:
      return "UNKNOWN: it may or may not have been done";
  }
}

}  // namespace

std::string in_words(const Request& r) {
  if (r.kind == Kind::kKeepAlive) return "KEEPALIVE";
  if (r.kind == Kind::kQuit) return "QUIT";
  if (r.kind == Kind::kGone) return "the end of its connection";
  if (r.kind == Kind::kCheck) return fmt::format("CHECK {} {}", r.name, r.c.fence.value);
  std::string out(word(r.c.verb));
  if (!r.name.empty()) out += " " + r.name;
  if (r.c.verb == Verb::kLock) {
    out += fmt::format(" {} WAIT {}", lock::short_name(r.c.mode),
                       r.c.wait_ms == lock::kForever ? "forever" : std::to_string(r.c.wait_ms));
    if (r.c.max_hold_ms > 0) out += fmt::format(" MAXHOLD {}", r.c.max_hold_ms);
    if (r.c.delay_ms > 0) out += fmt::format(" DELAY {}", r.c.delay_ms);
    if (r.c.priority > 0) out += fmt::format(" PRIORITY {}", r.c.priority);
    if (r.c.async) out += " ASYNC";
  }
  if (r.c.session) out += fmt::format(" {}", r.c.session.value);
  if (r.c.ttl_ms > 0) out += fmt::format(" TTL {}", r.c.ttl_ms);
  if (r.c.fence && r.c.verb != Verb::kLock) out += fmt::format(" FENCE {}", r.c.fence.value);
  if (!r.owner.empty()) out += " OWNER " + r.owner;
  if (!r.token.empty()) out += " TOKEN " + r.token;
  if (!r.req.empty()) out += " REQ " + r.req;
  return out;
}

std::string in_words(const Reply& r) {
  if (r.trouble != replica::Trouble::kNone) return std::string(word(r.trouble));
  if (r.kind == Kind::kKeepAlive) return r.alive ? "OK" : "NOSESSION";
  if (r.kind == Kind::kCheck) return std::to_string(r.count);
  std::string out(lock::result_text(r.result));
  if (r.why != lock::Why::kNone) out += fmt::format(", {}", lock::why_text(r.why));
  if (r.result == Result::kOpened || r.result == Result::kAttached) out += fmt::format(", session {}", r.session);
  if (r.result == Result::kGranted) out += fmt::format(", fence {}", r.fence);
  if (r.depth > 1) out += fmt::format(", depth {}", r.depth);
  if (r.repeated) out += " (the first answer again)";
  return out;
}

}  // namespace cleat::sim
