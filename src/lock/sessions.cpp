// Sessions and the connections that matter to them.
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {
namespace {

uint32_t session_bucket(base::SessionId id) {
  return static_cast<uint32_t>(hash_session(id) >> 51);
}

// Not shorter for a key that is wrong early.
bool same_key(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (size_t i = 0; i < a.size(); ++i) differs |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differs == 0;
}

}  // namespace

Handle Core::find_session(base::SessionId id) const {
  const uint64_t hash = hash_session(id);
  return session_tables[hash >> 51].find(static_cast<uint32_t>(hash), [&](Handle h) { return sessions[h].id == id; });
}

Handle Core::adopt_session(SessionRecord&& r) {
  const base::SessionId id = r.id;
  const uint32_t bucket = session_bucket(id);
  const Handle h = sessions.take();
  sessions[h] = std::move(r);
  sessions[h].bucket = static_cast<uint16_t>(bucket);
  sessions[h].aside = snapshot_number;
  session_tables[bucket].insert(static_cast<uint32_t>(hash_session(id)), h);
  session_order.emplace_hint(session_order.end(), id.value, h);
  implicit_sessions += sessions[h].implicit;
  return h;
}

Handle Core::make_session(By kind, int64_t ttl_ms, std::string_view label, std::string_view key) {
  SessionRecord s;
  s.id = {++last_session};
  s.ttl_ms = ttl_ms;
  s.label = Blob(label);
  s.key = Blob(key);
  s.implicit = kind == By::kImplicit;
  if (s.implicit) s.epoch = 0;  // nobody can attach to it
  return adopt_session(std::move(s));
}

Handle Core::find_connection(const base::ConnectionRef& ref) const {
  return connection_table.find(static_cast<uint32_t>(hash_connection(ref)),
                               [&](Handle h) { return connections[h].ref == ref; });
}

Handle Core::make_connection(const base::ConnectionRef& ref) {
  if (const Handle h = find_connection(ref)) return h;
  const Handle h = connections.take();
  connections[h].ref = ref;
  connection_table.insert(static_cast<uint32_t>(hash_connection(ref)), h);
  return h;
}

void Core::drop_connection_if_unused(Handle connection) {
  const ConnectionRecord& c = connections[connection];
  if (c.session || c.first_waiter) return;
  connection_table.erase(static_cast<uint32_t>(hash_connection(c.ref)), connection);
  connections.give(connection);
}

Handle Core::speaker(const base::ConnectionRef& from, const Command& c, bool& refused, Why& why) {
  Handle session = 0;
  if (c.by == By::kExplicit) {
    session = find_session(c.session);
    refused = !session || sessions[session].implicit || sessions[session].epoch != c.session_epoch;
    if (refused) {
      if (session && !sessions[session].implicit) why = Why::kTakenOver;
      return 0;
    }
  } else if (c.by == By::kImplicit) {
    const Handle connection = find_connection(from);
    session = connection ? connections[connection].session : 0;
  } else {
    refused = true;
    return 0;
  }
  if (session) clear_mark(session);
  return session;
}

void Core::clear_mark(Handle session) {
  if (!sessions[session].marked) return;
  touch_session(session);
  sessions[session].marked = false;
  sessions[session].mark_ms = 0;
}

// False: answered, the connection's own session is in use. An unused one ends.
bool Core::leave_implicit(const base::ConnectionRef& from, const Command& c) {
  const Handle connection = find_connection(from);
  const Handle session = connection ? connections[connection].session : 0;
  if (!session) return true;
  if (sessions[session].holds || sessions[session].waiters) {
    Outcome o = outcome_of(from, c);
    o.session = session_id(session);
    o.result = Result::kImplicitBusy;
    return tell(o), false;
  }
  end_session(session, Why::kSessionClosed, false);
  return true;
}

void Core::open_session(const base::ConnectionRef& from, const Command& c) {
  if (!leave_implicit(from, c)) return;
  Outcome o = outcome_of(from, c);
  if (sessions.size() >= settings.sessions) {
    o.result = Result::kLimit;
    o.limit = Limit::kSessions;
    o.limit_value = settings.sessions;
    return tell(o);
  }
  const Handle session = make_session(By::kExplicit, c.ttl_ms, c.label, c.key);
  o.result = Result::kOpened;
  o.session = sessions[session].id;
  o.session_epoch = sessions[session].epoch;
  o.ttl_ms = c.ttl_ms;
  o.key = c.key;
  sink->on_session_opened(o.session, c.ttl_ms, By::kExplicit, log_ms);
  tell(o);
}

void Core::attach_session(const base::ConnectionRef& from, const Command& c) {
  Outcome o = outcome_of(from, c);
  o.session = c.session;
  const Handle session = find_session(c.session);
  if (!session || sessions[session].implicit) {
    o.result = Result::kNoSession;
    return tell(o);
  }
  SessionRecord& s = sessions[session];
  if (!same_key(s.key.view(), c.key)) {
    o.result = Result::kWrongKey;
    return tell(o);
  }
  if (!leave_implicit(from, c)) return;
  clear_mark(session);
  if (c.takeover) {
    touch_session(session);
    if (!base::mutant("takeover_ignored")) ++s.epoch;
    // The others were told at most its TTL, on clocks that may run slower by the margin.
    o.takeover_ms = kept_ms(s.ttl_ms, settings.margin_ppm);
  }
  o.result = Result::kAttached;
  o.session_epoch = s.epoch;
  o.ttl_ms = s.ttl_ms;
  tell(o);
}

void Core::close_session(const base::ConnectionRef& from, const Command& c) {
  Outcome o = outcome_of(from, c);
  bool refused = false;
  const Handle session = speaker(from, c, refused, o.why);
  o.session = session ? session_id(session) : c.session;
  o.result = session ? Result::kDone : Result::kNoSession;
  tell(o);
  if (session) end_session(session, Why::kSessionClosed, false);
}

// Its waiters first, then its holds by fence, and only then the queues of the names: none of its own waiters may be
// granted what its holds let go.
void Core::end_session(Handle session, Why why, bool unclean) {
  std::vector<Handle> names_to_serve;
  end_session(session, why, unclean, names_to_serve);
  serve_all(names_to_serve);
}

void Core::end_session(Handle session, Why why, bool unclean, std::vector<Handle>& names_to_serve) {
  touch_session(session);
  sessions[session].ending = true;
  while (const Handle w = sessions[session].first_waiter) {
    mark_pending(waiters[w].name, names_to_serve);
    end_waiter(w, Result::kNoSession, why, EventKind::kSessionEnded, why);
  }
  while (const Handle h = sessions[session].first_hold) {
    mark_pending(holds[h].name, names_to_serve);
    end_hold(h, unclean ? EventKind::kExpired : EventKind::kReleased, why, unclean);
  }
  SessionRecord& s = sessions[session];
  std::vector<Handle> kept;
  if (s.reqs) s.reqs->each([&](Handle h) { kept.push_back(h); });
  for (const Handle h : kept) drop_req(h);
  if (s.connection) {
    connections[s.connection].session = 0;
    drop_connection_if_unused(s.connection);
  }
  implicit_sessions -= s.implicit;
  const base::SessionId id = s.id;
  session_tables[s.bucket].erase(static_cast<uint32_t>(hash_session(id)), session);
  session_order.erase(id.value);
  sessions.give(session);
  sink->on_session_ended(id, why);
}

// Those without REQ.
void Core::end_waiters_of_connection(Handle connection, std::vector<Handle>& names_to_serve) {
  std::vector<Handle> ending;
  for (Handle w = connections[connection].first_waiter; w; w = waiters[w].connection_next) ending.push_back(w);
  end_waiters(ending, names_to_serve);
}

void Core::end_waiters(const std::vector<Handle>& ending, std::vector<Handle>& names_to_serve) {
  for (const Handle w : ending) {
    mark_pending(waiters[w].name, names_to_serve);
    end_waiter(w, Result::kNotGranted, Why::kCancelled, EventKind::kCancelled, Why::kCancelled);
  }
}

void Core::connection_closed(const base::ConnectionRef& ref, bool clean) {
  std::vector<Handle> names_to_serve;
  Handle connection = find_connection(ref);
  const Handle session = connection ? connections[connection].session : 0;
  if (session) end_session(session, clean ? Why::kSessionClosed : Why::kConnectionLost, !clean, names_to_serve);
  connection = find_connection(ref);  // there still, if another session waits through it
  if (connection) end_waiters_of_connection(connection, names_to_serve);
  serve_all(names_to_serve);
}

// A member's run is over: its connections are gone, those of its earlier runs too. Implicit sessions live by their TTL.
void Core::boot_ended(const base::ConnectionRef& ref) {
  std::vector<Handle> ending;
  connection_table.each([&](Handle c) {
    const ConnectionRecord& r = connections[c];
    if (r.ref.member != ref.member || r.ref.boot > ref.boot) return;
    for (Handle w = r.first_waiter; w; w = waiters[w].connection_next) ending.push_back(w);
  });
  std::sort(ending.begin(), ending.end(), [&](Handle a, Handle b) { return waiters[a].arrival < waiters[b].arrival; });
  std::vector<Handle> names_to_serve;
  end_waiters(ending, names_to_serve);
  serve_all(names_to_serve);
}

}  // namespace cleat::lock
