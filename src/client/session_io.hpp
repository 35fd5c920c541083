// A session and the wire that it speaks over: what the owner of a poll loop calls. One thread; nothing blocks.
#pragma once

#include "client/session.hpp"
#include "client/wire.hpp"

namespace cleat::client {

class SessionIo {
 public:
  // The wire: closed, and used by nobody else until this is gone.
  SessionIo(SessionOptions options, Wire& wire, TimePoint now) : session_(std::move(options), now), wire_(wire) {}
  ~SessionIo() { wire_.close(); }
  SessionIo(const SessionIo&) = delete;
  SessionIo& operator=(const SessionIo&) = delete;

  Session& session() { return session_; }
  const Session& session() const { return session_; }

  // Before each poll: connects, disconnects, sends, as the session wants it at `now`.
  void drive(TimePoint now);
  // Then poll the wire, if it is open for writing too while this is true, until session().next_wake() at the latest.
  bool has_output() const { return !session_.output().empty(); }
  // Only sends.
  void flush(TimePoint now);
  // Reads what is there without a poll.
  void receive(TimePoint now);
  // After a poll that found these events (of poll(2)) on the wire.
  void ready(short events, TimePoint now);

 private:
  void break_connection(const base::Status& why, TimePoint now);

  Session session_;
  Wire& wire_;
};

}  // namespace cleat::client
