#include "client/session_io.hpp"

#include <poll.h>

namespace cleat::client {

using base::Status;

void SessionIo::drive(TimePoint now) {
  session_.tick(now);
  if (session_.wants_disconnect() || (session_.over() && wire_.phase() != Wire::Phase::kClosed)) {
    break_connection({base::Code::kIo, "closed"}, now);
  }
  if (session_.wants_connect(now)) {
    session_.connecting(now);
    if (Status s = wire_.start(session_.server()); !s.ok()) break_connection(s, now);
  }
  flush(now);
}

void SessionIo::flush(TimePoint now) {
  if (wire_.phase() != Wire::Phase::kOpen || session_.output().empty()) return;
  if (Status s = wire_.write(session_.output()); !s.ok()) break_connection(s, now);
}

void SessionIo::ready(short events, TimePoint now) {
  if (wire_.phase() == Wire::Phase::kConnecting) {
    if (Status s = wire_.finish_connect(); !s.ok()) return break_connection(s, now);
    if (wire_.phase() == Wire::Phase::kOpen) session_.connected(now);
    return;
  }
  if ((events & ~POLLOUT) != 0) receive(now);
}

void SessionIo::receive(TimePoint now) {
  if (wire_.phase() != Wire::Phase::kOpen) return;
  std::string bytes;
  const Status s = wire_.read(bytes);
  if (!bytes.empty()) session_.received(bytes, now);
  if (!s.ok()) break_connection(s, now);
}

void SessionIo::break_connection(const Status& why, TimePoint now) {
  wire_.close();
  session_.disconnected(why, now);
}

}  // namespace cleat::client
