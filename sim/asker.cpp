#include "asker.hpp"

namespace cleat::sim {

using lock::Verb;

namespace {
constexpr const char* kKey = "0123456789abcdef";
}

bool Asker::connect(Server& server) {
  if (server_ != nullptr && connection_ != 0) server_->disconnect(connection_);
  server_ = &server;
  connection_ = server.connect(this);
  return connection_ != 0;
}

uint64_t Asker::ask(Request r) {
  r.number = ++number_;
  if (r.c.by == lock::By::kNone && r.kind == Kind::kCommand && r.c.verb >= Verb::kLock) r.c.by = by();
  c_.world.after(200, [this, r, to = connection_] { server_->send(to, r); });
  return number_;
}

uint64_t Asker::open(int64_t ttl_ms) {
  Request r;
  r.c.verb = Verb::kOpenSession;
  r.c.ttl_ms = ttl_ms;
  r.key = kKey;
  return ask(r);
}

uint64_t Asker::attach(bool takeover) {
  Request r;
  r.c.verb = Verb::kAttachSession;
  r.c.session = {session_};
  r.c.takeover = takeover;
  r.key = kKey;
  return ask(r);
}

uint64_t Asker::attach(uint64_t session, const std::string& key) {
  Request r;
  r.c.verb = Verb::kAttachSession;
  r.c.session = {session};
  r.key = key;
  return ask(r);
}

uint64_t Asker::lock(const std::string& name, const std::string& req, int64_t ttl_ms) {
  Request r;
  r.c.verb = Verb::kLock;
  r.name = name;
  r.req = req;
  r.c.ttl_ms = ttl_ms;
  return ask(r);
}

uint64_t Asker::unlock(const std::string& name, uint64_t fence, const std::string& req) {
  Request r;
  r.c.verb = Verb::kUnlock;
  r.name = name;
  r.c.fence = {fence};
  r.req = req;
  return ask(r);
}

uint64_t Asker::keep_alive() {
  Request r;
  r.kind = Kind::kKeepAlive;
  r.key = kKey;
  return ask(r);
}

uint64_t Asker::check(const std::string& name, uint64_t fence) {
  Request r;
  r.kind = Kind::kCheck;
  r.name = name;
  r.c.fence = {fence};
  return ask(r);
}

const Reply* Asker::reply(uint64_t number) const {
  const auto r = replies_.find(number);
  return r == replies_.end() ? nullptr : &r->second;
}

bool Asker::granted(uint64_t number) const {
  const Reply* r = reply(number);
  return r != nullptr && r->trouble == replica::Trouble::kNone && r->result == lock::Result::kGranted;
}

void Asker::on_reply(uint64_t connection, const Reply& r) {
  if (connection != connection_ || r.lost) return;
  ++answers_;
  replies_[r.number] = r;
  if (r.result == lock::Result::kOpened) session_ = r.session;
}

void Asker::on_disconnected(uint64_t connection) {
  if (connection == connection_) connection_ = 0;
}

}  // namespace cleat::sim
