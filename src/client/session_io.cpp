#include "client/session_io.hpp"

#include <poll.h>

namespace cleat::client {

using base::Status;

void SessionIo::drive(TimePoint now) {
  session_.tick(now);
  if (session_.wants_disconnect() || (session_.over() && socket_.phase() != Socket::Phase::kClosed)) {
    break_connection({base::Code::kIo, "closed"}, now);
  }
  if (session_.wants_connect(now)) {
    session_.connecting(now);
    if (Status s = socket_.start(session_.server()); !s.ok()) break_connection(s, now);
  }
  if (socket_.phase() == Socket::Phase::kOpen && !session_.output().empty()) {
    if (Status s = socket_.write(session_.output()); !s.ok()) break_connection(s, now);
  }
}

void SessionIo::ready(short events, TimePoint now) {
  if (socket_.phase() == Socket::Phase::kConnecting) {
    if (Status s = socket_.finish_connect(); !s.ok()) return break_connection(s, now);
    if (socket_.phase() == Socket::Phase::kOpen) session_.connected(now);
    return;
  }
  if ((events & ~POLLOUT) == 0) return;
  std::string bytes;
  const Status s = socket_.read(bytes);
  if (!bytes.empty()) session_.received(bytes, now);
  if (!s.ok()) break_connection(s, now);
}

void SessionIo::break_connection(const Status& why, TimePoint now) {
  socket_.close();
  session_.disconnected(why, now);
}

}  // namespace cleat::client
