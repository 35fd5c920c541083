// Which session a connection speaks for. corners.md: whoever lost a session never falls back to an implicit one.
#include <algorithm>

#include "server/service.hpp"

namespace cleat::server {

void Service::speak_for(Connection& c, Speaks speaks, base::SessionId id, uint32_t epoch, std::string_view key) {
  stop_speaking(c, speaks);
  c.session = id;
  c.epoch = epoch;
  c.key = key;
  speakers_[id.value].push_back(&c);
  if (speaks == Speaks::kImplicit) start_vouching(c);
}

void Service::stop_speaking(Connection& c, Speaks now) {
  if (c.session) {
    const auto it = speakers_.find(c.session.value);
    if (it != speakers_.end()) {
      std::erase(it->second, &c);
      if (it->second.empty()) speakers_.erase(it);
    }
  }
  c.session = {};
  c.epoch = 0;
  c.key.clear();
  c.speaks = now;
}

bool Service::end_implicit_session(Connection& c) {
  if (c.speaks != Speaks::kImplicit) return false;
  stop_speaking(c, Speaks::kNone);
  lock::Command command;
  command.verb = lock::Verb::kConnectionClosed;
  command.clean = true;
  owe(c.ref, command);
  pay_owed(true);
  return true;
}

void Service::on_session_opened(base::SessionId id, int64_t, lock::By kind, int64_t) {
  if (!replica_ || kind != lock::By::kImplicit) return;
  const auto view = replica_->machine().session(id);
  if (!view || view->connection.member != member_ || view->connection.boot != replica_->boot()) return;
  Connection* c = find(view->connection.connection);
  if (c && !c->gone) speak_for(*c, Speaks::kImplicit, id, 0, {});
}

void Service::on_session_ended(base::SessionId id, lock::Why why) {
  if (!replica_) return;
  if (why == lock::Why::kSessionExpired) ++metrics_.sessions_expired;
  if (id == last_ending_) owed_left_ = !owed_.empty();
  const auto it = speakers_.find(id.value);
  if (it == speakers_.end()) return;
  for (Connection* c : std::vector<Connection*>(it->second)) {
    const bool own_word = c->has_pending() && c->front().verb == lock::Verb::kCloseSession;
    stop_speaking(*c, own_word ? Speaks::kNone : Speaks::kLost);
  }
}

void Service::apply_session_change(Connection& c, const lock::Outcome& o) {
  using lock::Result;
  switch (o.verb) {
    case lock::Verb::kOpenSession:
      if (o.result == Result::kOpened) {
        speak_for(c, Speaks::kExplicit, o.session, o.session_epoch, o.key);
        c.session_ttl_ms = o.ttl_ms;
      } else {
        stop_speaking(c, Speaks::kLost);
      }
      return;
    case lock::Verb::kAttachSession:
      if (o.result == Result::kAttached) {
        speak_for(c, Speaks::kExplicit, o.session, o.session_epoch, c.offered_key);
        c.session_ttl_ms = o.ttl_ms;
      } else {
        stop_speaking(c, Speaks::kLost);
      }
      return;
    case lock::Verb::kCloseSession:
      if (o.result == Result::kDone) stop_speaking(c, Speaks::kNone);
      [[fallthrough]];
    default:
      if (o.result == Result::kNoSession && c.session) stop_speaking(c, Speaks::kLost);
  }
}

}  // namespace cleat::server
