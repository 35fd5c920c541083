#include "said.hpp"

#include <fmt/format.h>

#include "lock/result_text.hpp"

namespace cleat::auditor {

using lock::EventKind;
using lock::Why;

OutcomeSaid own(const lock::Outcome& o) {
  OutcomeSaid s{
      o, std::string(o.name), std::string(o.req), std::string(o.owner), std::string(o.token), std::string(o.key)};
  s.o.name = s.o.req = s.o.owner = s.o.token = s.o.key = {};
  return s;
}

EventSaid own(const lock::Event& e) {
  EventSaid s{
      e, std::string(e.name), std::string(e.owner), std::string(e.label), std::string(e.req), std::string(e.data)};
  s.e.name = s.e.owner = s.e.label = s.e.req = s.e.data = {};
  return s;
}

namespace {

bool same_outcome(const OutcomeSaid& a, const OutcomeSaid& b) {
  const auto &x = a.o, &y = b.o;
  return x.to == y.to && x.seq == y.seq && x.verb == y.verb && x.result == y.result && x.why == y.why &&
         x.held_mode == y.held_mode && x.mode == y.mode && x.pushed == y.pushed && x.repeated == y.repeated &&
         x.revision == y.revision && x.fence == y.fence && x.held_fence == y.held_fence && x.depth == y.depth &&
         x.count == y.count && x.ms_left == y.ms_left && x.waited_ms == y.waited_ms && x.ttl_ms == y.ttl_ms &&
         x.takeover_ms == y.takeover_ms && x.session == y.session && x.session_epoch == y.session_epoch &&
         x.limit == y.limit && x.limit_value == y.limit_value && a.name == b.name && a.req == b.req &&
         a.owner == b.owner && a.token == b.token && a.key == b.key;
}

bool same_event(const EventSaid& a, const EventSaid& b) {
  const auto &x = a.e, &y = b.e;
  return x.revision == y.revision && x.kind == y.kind && x.why == y.why && x.mode == y.mode && x.forced == y.forced &&
         x.depth == y.depth && x.fence == y.fence && x.session == y.session && x.holder == y.holder &&
         x.log_ms == y.log_ms && x.wall_ms == y.wall_ms && x.delay_ms == y.delay_ms && x.held_ms == y.held_ms &&
         a.name == b.name && a.owner == b.owner && a.label == b.label && a.req == b.req && a.data == b.data;
}

// "key=value" for what is not the default, so that a line stays readable.
class Line {
 public:
  explicit Line(std::string start) : out_(std::move(start)) {}
  template <class T>
  Line& number(const char* key, T value) {
    if (value != 0) out_ += fmt::format(" {}={}", key, value);
    return *this;
  }
  Line& word(const char* key, std::string_view value) {
    if (!value.empty()) out_ += fmt::format(" {}={}", key, value);
    return *this;
  }
  Line& flag(const char* key, bool value) {
    if (value) out_ += fmt::format(" {}", key);
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string connection_text(const base::ConnectionRef& c) {
  return fmt::format("{}.{}.{}", c.member, c.boot, c.connection);
}

std::string outcome_text(const OutcomeSaid& s) {
  const auto& o = s.o;
  Line line(fmt::format("outcome to {} #{} verb {}: {}", connection_text(o.to), o.seq, static_cast<int>(o.verb),
                        result_text(o.result)));
  line.word("why", o.why == Why::kNone ? "" : why_name(o.why))
      .word("name", s.name)
      .word("mode", lock::short_name(o.mode))
      .word("held_mode", lock::short_name(o.held_mode))
      .flag("pushed", o.pushed)
      .flag("repeated", o.repeated)
      .number("fence", o.fence.value)
      .number("held_fence", o.held_fence.value)
      .number("depth", o.depth)
      .number("count", o.count)
      .number("ms_left", o.ms_left)
      .number("waited_ms", o.waited_ms)
      .number("ttl_ms", o.ttl_ms)
      .number("takeover_ms", o.takeover_ms)
      .number("session", o.session.value)
      .number("epoch", o.session_epoch)
      .number("limit", static_cast<int>(o.limit))
      .number("limit_value", o.limit_value)
      .word("req", s.req)
      .word("owner", s.owner)
      .word("token", s.token)
      .word("key", s.key)
      .number("revision", o.revision.value);
  return line.take();
}

std::string event_line(const EventSaid& s) {
  const auto& e = s.e;
  Line line(fmt::format("event {} {}", event_name(e.kind), s.name));
  line.word("why", e.why == Why::kNone ? "" : why_name(e.why))
      .word("mode", lock::short_name(e.mode))
      .flag("forced", e.forced)
      .number("depth", e.depth)
      .number("fence", e.fence.value)
      .number("session", e.session.value)
      .word("holder", connection_text(e.holder))
      .number("log_ms", e.log_ms)
      .number("wall_ms", e.wall_ms)
      .number("delay_ms", e.delay_ms)
      .number("held_ms", e.held_ms)
      .word("owner", s.owner)
      .word("label", s.label)
      .word("req", s.req)
      .word("data", s.data)
      .number("revision", e.revision.value);
  return line.take();
}

}  // namespace

bool same(const Said& a, const Said& b) {
  if (a.index() != b.index()) return false;
  if (const auto* o = std::get_if<OutcomeSaid>(&a)) return same_outcome(*o, std::get<OutcomeSaid>(b));
  if (const auto* e = std::get_if<EventSaid>(&a)) return same_event(*e, std::get<EventSaid>(b));
  if (const auto* s = std::get_if<SessionOpened>(&a)) return *s == std::get<SessionOpened>(b);
  return std::get<SessionEnded>(a) == std::get<SessionEnded>(b);
}

std::string text(const Said& s) {
  if (const auto* o = std::get_if<OutcomeSaid>(&s)) return outcome_text(*o);
  if (const auto* e = std::get_if<EventSaid>(&s)) return event_line(*e);
  if (const auto* o = std::get_if<SessionOpened>(&s))
    return fmt::format("session {} opened, ttl {} ms, {}, at {}", o->id, o->ttl_ms,
                       o->kind == lock::By::kImplicit ? "implicit" : "explicit", o->log_ms);
  const auto& e = std::get<SessionEnded>(s);
  return fmt::format("session {} ended, {}", e.id, why_name(e.why));
}

std::string_view event_name(EventKind k) {
  switch (k) {
    case EventKind::kGranted:
      return "granted";
    case EventKind::kReleased:
      return "released";
    case EventKind::kExpired:
      return "expired";
    case EventKind::kRevoked:
      return "revoked";
    case EventKind::kTimedOut:
      return "timed out";
    case EventKind::kCancelled:
      return "cancelled";
    case EventKind::kDeadlock:
      return "deadlock";
    case EventKind::kUndelivered:
      return "undelivered";
    case EventKind::kData:
      return "data";
    case EventKind::kDelayOver:
      return "delay over";
    case EventKind::kSessionEnded:
      return "waiter's session ended";
  }
  return "?";
}

std::string_view why_name(Why w) {
  constexpr std::string_view kNames[] = {
      "none",        "busy",     "timed-out",       "cancelled",      "released",
      "ttl",         "max-hold", "session-expired", "session-closed", "connection-lost",
      "undelivered", "revoked",  "reentry",         "taken-over",     "queue-full"};
  const auto i = static_cast<size_t>(w);
  return i < std::size(kNames) ? kNames[i] : "?";
}

}  // namespace cleat::auditor
