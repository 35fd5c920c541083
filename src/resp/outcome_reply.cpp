#include "resp/outcome_reply.hpp"

#include "resp/errors.hpp"
#include "resp/fields.hpp"

namespace cleat::resp {
namespace {

using lock::Outcome;
using lock::Result;
using lock::Verb;

int64_t number(base::Fence f) {
  return static_cast<int64_t>(f.value);
}
int64_t number(base::SessionId s) {
  return static_cast<int64_t>(s.value);
}
int64_t number(base::Revision r) {
  return static_cast<int64_t>(r.value);
}

std::string_view blocker_text(lock::Blocker::Kind kind) {
  constexpr std::string_view kTexts[] = {"", "held", "queued", "delayed"};
  return kTexts[static_cast<size_t>(kind)];
}

void integer_or_nil(ReplyWriter& w, std::string_view key, int64_t v) {
  w.bulk(key);
  v == 0 ? w.nil() : w.integer(v);
}

void write_holder(ReplyWriter& w, const lock::Blocker* blocker) {
  w.bulk("holder");
  if (blocker == nullptr || blocker->kind != lock::Blocker::Kind::kHeld) return w.nil();
  w.map(7);
  integer_or_nil(w, "session", number(blocker->session));
  w.field("owner", blocker->owner);
  w.field("label", blocker->label);
  w.field("mode", lock::long_name(blocker->mode));
  w.field_integer("fence", number(blocker->fence));
  w.field_integer("granted_at", blocker->granted_wall_ms);
  w.field_integer("held_ms", blocker->held_ms);
}

void text_or_nil(ReplyWriter& w, std::string_view key, std::string_view text) {
  w.bulk(key);
  text.empty() ? w.nil() : w.bulk(text);
}

void write_full_lock(ReplyWriter& w, const Outcome& o, const lock::Blocker* blocker) {
  const bool granted = o.result == Result::kGranted;
  if (!wants_blocker(o, true)) blocker = nullptr;
  std::string_view why;
  if (!granted) why = blocker != nullptr ? blocker_text(blocker->kind) : std::string_view{};
  if (!granted && why.empty()) why = lock::why_text(o.why);
  w.map(8);
  w.bulk("granted"), w.boolean(granted);
  integer_or_nil(w, "fence", granted ? number(o.fence) : 0);
  w.bulk("slot"), w.nil();
  integer_or_nil(w, "ttl", granted ? o.ms_left : 0);
  w.field_integer("waited_ms", o.waited_ms);
  text_or_nil(w, "why", why);
  integer_or_nil(w, "retry_ms", blocker != nullptr ? blocker->retry_ms : 0);
  write_holder(w, blocker);
}

void write_opened(ReplyWriter& w, const Outcome& o) {
  w.map(3);
  w.field_integer("id", number(o.session));
  if (o.result == Result::kOpened) {
    w.field("key", o.key);
    w.field_integer("ttl", o.ttl_ms);
  } else {
    w.field_integer("ttl", o.ttl_ms);
    w.field_integer("takeover_ms", o.takeover_ms);
  }
}

void write_done(ReplyWriter& w, const Outcome& o) {
  switch (o.verb) {
    case Verb::kUnlock:
      return w.integer(o.depth);
    case Verb::kRenew:
      return w.integer(o.ms_left);
    case Verb::kCancel:
      return w.integer(static_cast<int64_t>(o.count));
    default:
      return w.ok();
  }
}

// The head of every push: ["cleat", kind, name, req or "", map]; the map follows.
void begin_push(ReplyWriter& w, std::string_view kind, std::string_view name, std::string_view req) {
  w.push(5);
  w.bulk("cleat");
  w.bulk(kind);
  w.bulk(name);
  w.bulk(req);
}

Fields event_fields(const lock::Event& e, uint64_t incarnation) {
  Fields f;
  f.text("event", lock::event_text(e.kind));
  f.integer_or_nil("fence", number(e.fence));
  f.nil("slot");
  f.text("mode", lock::long_name(e.mode));
  f.integer("revision", number(e.revision));
  f.integer("incarnation", static_cast<int64_t>(incarnation));
  f.text_or_nil("why", lock::why_text(e.why));
  f.nil("ms_left");
  f.integer("delay_ms", e.delay_ms);
  f.integer_or_nil("session", number(e.session));
  f.text("owner", e.owner);
  f.text("label", e.label);
  f.integer("depth", e.depth);
  f.text("data", e.data);
  f.integer("time", e.wall_ms);
  return f;
}

Fields gap_fields(base::Revision after, base::Revision next, uint64_t incarnation) {
  Fields f;
  f.integer("after", number(after));
  f.integer_or_nil("next", number(next));
  f.integer("incarnation", static_cast<int64_t>(incarnation));
  return f;
}

void append_json(std::string& out, std::string_view kind, std::string_view name, std::string_view req,
                 const Fields& f) {
  Fields head;
  head.text("kind", kind);
  head.text("name", name);
  head.text("req", req);
  out.push_back('{');
  head.write_json(out);
  out.push_back(',');
  f.write_json(out);
  out.push_back('}');
}

}  // namespace

bool wants_blocker(const Outcome& o, bool full) {
  return full && o.verb == Verb::kLock && o.result == Result::kNotGranted &&
         (o.why == lock::Why::kBusy || o.why == lock::Why::kTimedOut);
}

void write_outcome(ReplyWriter& w, const Outcome& o, bool full, const lock::Blocker* blocker) {
  if (is_refusal(o.result)) return w.error(refusal_line(o));
  switch (o.result) {
    case Result::kQueued:
      return w.simple("QUEUED");
    case Result::kGranted:
      return full ? write_full_lock(w, o, blocker) : w.integer(number(o.fence));
    case Result::kNotGranted:
      return full ? write_full_lock(w, o, blocker) : w.nil();
    case Result::kNil:
      return w.nil();
    case Result::kOpened:
    case Result::kAttached:
      return write_opened(w, o);
    default:
      return write_done(w, o);
  }
}

void write_outcome_push(ReplyWriter& w, const Outcome& o, const lock::Blocker* blocker) {
  const bool granted = o.result == Result::kGranted;
  const std::string error = is_refusal(o.result) ? refusal_line(o) : std::string{};
  if (!wants_blocker(o, true)) blocker = nullptr;
  begin_push(w, granted ? "granted" : "refused", o.name, o.req);
  w.map(11);
  integer_or_nil(w, "fence", granted ? number(o.fence) : 0);
  w.bulk("slot"), w.nil();
  w.field("mode", lock::long_name(o.mode));
  w.field_integer("revision", number(o.revision));
  text_or_nil(w, "why", granted ? std::string_view{} : lock::why_text(o.why));
  integer_or_nil(w, "ms_left", granted ? o.ms_left : 0);
  w.field_integer("waited_ms", o.waited_ms);
  w.field("owner", o.owner);
  text_or_nil(w, "error", error);
  integer_or_nil(w, "retry_ms", blocker != nullptr ? blocker->retry_ms : 0);
  write_holder(w, blocker);
}

void write_lost_push(ReplyWriter& w, const lock::Event& e, uint64_t incarnation) {
  begin_push(w, "lost", e.name, e.req);
  Fields f;
  f.integer_or_nil("fence", number(e.fence));
  f.nil("slot");
  f.text("mode", lock::long_name(e.mode));
  f.integer("revision", number(e.revision));
  f.integer("incarnation", static_cast<int64_t>(incarnation));
  f.text_or_nil("why", lock::why_text(e.why));
  f.integer("ms_left", 0);
  f.integer("delay_ms", e.delay_ms);
  f.text("owner", e.owner);
  f.write(w);
}

void write_event_push(ReplyWriter& w, const lock::Event& e, uint64_t incarnation) {
  begin_push(w, "event", e.name, e.req);
  event_fields(e, incarnation).write(w);
}

void append_event_json(std::string& out, const lock::Event& e, uint64_t incarnation) {
  append_json(out, "event", e.name, e.req, event_fields(e, incarnation));
}

void write_gap_push(ReplyWriter& w, base::Revision after, base::Revision next, uint64_t incarnation) {
  begin_push(w, "gap", "", "");
  gap_fields(after, next, incarnation).write(w);
}

void append_gap_json(std::string& out, base::Revision after, base::Revision next, uint64_t incarnation) {
  append_json(out, "gap", "", "", gap_fields(after, next, incarnation));
}

}  // namespace cleat::resp
