// A session and the socket that it speaks over: what the owner of a poll loop calls. One thread; nothing blocks.
#pragma once

#include "client/session.hpp"
#include "client/socket.hpp"

namespace cleat::client {

class SessionIo {
 public:
  SessionIo(SessionOptions options, TimePoint now) : session_(std::move(options), now) {}

  Session& session() { return session_; }
  const Session& session() const { return session_; }

  // Before each poll: connects, disconnects, sends, as the session wants it at `now`.
  void drive(TimePoint now);
  // What to poll for: -1 as fd while there is no connection. Wake up at session().next_wake() at the latest.
  int fd() const { return socket_.fd(); }
  short wanted() { return socket_.wanted(!session_.output().empty()); }
  // After a poll that found `events` on fd().
  void ready(short events, TimePoint now);

 private:
  void break_connection(const base::Status& why, TimePoint now);

  Session session_;
  Socket socket_;
};

}  // namespace cleat::client
