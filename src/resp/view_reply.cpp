#include "resp/view_reply.hpp"

#include "resp/cursor.hpp"

namespace cleat::resp {
namespace {

int64_t number(uint64_t v) {
  return static_cast<int64_t>(v);
}

void id_or_nil(ReplyWriter& w, std::string_view key, uint64_t v) {
  w.bulk(key);
  v == 0 ? w.nil() : w.integer(number(v));
}

void maybe(ReplyWriter& w, std::string_view key, const std::optional<int64_t>& v) {
  w.bulk(key);
  v ? w.integer(*v) : w.nil();
}

void write_hold(ReplyWriter& w, const lock::HoldView& h) {
  w.map(12);
  w.field("mode", lock::long_name(h.mode));
  w.field_integer("fence", number(h.fence.value));
  w.bulk("slot"), w.nil();
  id_or_nil(w, "session", h.session.value);
  w.field("owner", h.owner);
  w.field("label", h.label);
  w.field_integer("depth", h.depth);
  w.field_integer("priority", h.priority);
  w.bulk("data"), h.data ? w.bulk(*h.data) : w.nil();
  w.field_integer("granted_at", h.granted_wall_ms);
  w.field_integer("held_ms", h.held_ms);
  maybe(w, "ms_left", h.ms_left);
}

void write_ghost(ReplyWriter& w, const lock::HoldView& h) {
  w.map(6);
  w.field("mode", lock::long_name(h.mode));
  w.field_integer("fence", number(h.fence.value));
  id_or_nil(w, "session", h.session.value);
  w.field("owner", h.owner);
  w.field("label", h.label);
  w.field_integer("ms_left", h.delay_left_ms);
}

void write_waiter(ReplyWriter& w, const lock::WaiterView& v) {
  w.map(7);
  w.field("mode", lock::long_name(v.mode));
  id_or_nil(w, "session", v.session.value);
  w.field("owner", v.owner);
  w.field("label", v.label);
  w.field_integer("priority", v.priority);
  w.field_integer("waiting_ms", v.waiting_ms);
  maybe(w, "ms_left", v.ms_left);
}

void cursor_field(ReplyWriter& w, const std::string& word) {
  w.bulk("cursor");
  word.empty() ? w.nil() : w.bulk(word);
}

void session_head(ReplyWriter& w, const lock::SessionView& s) {
  w.field_integer("id", number(s.id.value));
  w.field("kind", s.kind == lock::By::kImplicit ? "implicit" : "explicit");
  w.field_integer("ttl", s.ttl_ms);
  w.field("label", s.label);
  w.field_integer("holds", number(s.holds));
  w.field_integer("waiters", number(s.waiters));
  w.field_integer("losses", number(s.losses));
}

}  // namespace

void write_show(ReplyWriter& w, std::string_view name, const lock::NameView& v, bool local) {
  w.map(10);
  w.field("name", name);
  w.field_integer("revision", number(v.revision.value));
  w.bulk("holders"), w.array(v.holders.size());
  for (const auto& hold : v.holders) write_hold(w, hold);
  w.field_integer("holders_total", number(v.holders_total));
  w.bulk("waiters"), w.array(v.waiters.size());
  for (const auto& waiter : v.waiters) write_waiter(w, waiter);
  w.field_integer("waiters_total", number(v.waiters_total));
  w.bulk("delayed"), w.array(v.delayed.size());
  for (const auto& ghost : v.delayed) write_ghost(w, ghost);
  w.field_integer("delayed_total", number(v.delayed_total));
  cursor_field(w, v.next_cursor == 0 ? std::string{} : encode_number_cursor(v.next_cursor));
  w.bulk("local"), w.boolean(local);
}

void write_locks(ReplyWriter& w, const lock::LocksPage& page, bool local) {
  w.map(4);
  w.field_integer("revision", number(page.revision.value));
  cursor_field(w, page.next ? encode_cursor(*page.next) : std::string{});
  w.bulk("locks"), w.array(page.locks.size());
  for (const auto& l : page.locks) {
    w.map(6);
    w.field("name", l.name);
    w.field_integer("holders", number(l.holders));
    w.field_integer("waiters", number(l.waiters));
    w.field_integer("delayed", number(l.delayed));
    w.bulk("mode"), l.holders == 0 ? w.nil() : w.bulk(lock::long_name(l.mode));
    id_or_nil(w, "fence", l.holders == 0 ? 0 : l.fence.value);
  }
  w.bulk("local"), w.boolean(local);
}

void write_history(ReplyWriter& w, const std::vector<lock::HistoryView>& entries) {
  w.array(entries.size());
  for (const auto& h : entries) {
    w.map(9);
    w.field_integer("revision", number(h.revision.value));
    w.field("event", lock::event_text(h.kind));
    w.bulk("why"), h.why == lock::Why::kNone ? w.nil() : w.bulk(lock::why_text(h.why));
    w.field("mode", lock::long_name(h.mode));
    id_or_nil(w, "fence", h.fence.value);
    id_or_nil(w, "session", h.session.value);
    w.field("owner", h.owner);
    w.field("label", h.label);
    w.field_integer("time", h.wall_ms);
  }
}

void write_session(ReplyWriter& w, const std::optional<lock::SessionView>& s) {
  if (!s) return w.nil();
  w.map(9);
  session_head(w, *s);
  w.bulk("last_losses"), w.array(s->last_losses.size());
  for (const auto& loss : s->last_losses) {
    w.map(4);
    w.field("name", loss.name);
    w.field_integer("fence", number(loss.fence.value));
    w.field("why", lock::why_text(loss.why));
    w.field_integer("revision", number(loss.revision.value));
  }
  w.field_integer("revision", number(s->revision.value));
}

void write_sessions(ReplyWriter& w, const lock::SessionsPage& page) {
  w.map(3);
  w.field_integer("revision", number(page.revision.value));
  cursor_field(w, page.next_after ? encode_number_cursor(page.next_after.value) : std::string{});
  w.bulk("sessions"), w.array(page.sessions.size());
  for (const auto& s : page.sessions) {
    w.map(7);
    session_head(w, s);
  }
}

void write_keep_alive(ReplyWriter& w, bool alive, int64_t ttl_ms, uint64_t losses, int64_t clock_us, uint64_t term) {
  if (!alive) return w.nil();
  w.array(term == 0 ? 2 : 4);
  w.integer(ttl_ms);
  w.integer(number(losses));
  if (term == 0) return;
  w.integer(clock_us);
  w.integer(number(term));
}

}  // namespace cleat::resp
