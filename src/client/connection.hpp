// A blocking connection for programs that ask one thing after another: connect, HELLO 3, call. Every call has its
// deadline. Not thread-safe.
#pragma once

#include <deque>
#include <string>

#include "base/status.hpp"
#include "client/boot_clock.hpp"
#include "client/endpoint.hpp"
#include "client/reply_parser.hpp"
#include "client/request.hpp"
#include "client/socket.hpp"

namespace cleat::client {

struct Credentials {
  std::string password;  // empty: none is sent
};

// HELLO 3, with AUTH where there is a password.
Words hello_words(const Credentials& credentials);
// What is wrong with an answer to HELLO. kInvalid: the password is missing or wrong; kCorrupt: it is no Cleat server;
// kIo: it has no room for us now.
base::Status check_hello(const Reply& answer);

class Connection {
 public:
  // kNotFound: not reachable. kIo: no answer to HELLO by the deadline. kInvalid: the password is missing or wrong.
  // kCorrupt: it does not speak our protocol.
  base::Status open(const Endpoint& endpoint, const Credentials& credentials, TimePoint deadline);
  void close() { socket_.close(); }
  bool is_open() const { return socket_.phase() == Socket::Phase::kOpen; }

  // Sends a command and waits for its reply, which may be an error reply. After a failure the connection is closed, and
  // whether the command was done is not known.
  base::Result<Reply> call(const Words& words, TimePoint deadline);
  // Waits for the next push. `wake_fd` (or -1): returns kNotFound when it is readable; none by the deadline: kNotFound
  // too.
  base::Result<Reply> next_push(TimePoint deadline, int wake_fd = -1);

 private:
  enum class Wanted { kReply, kPush };
  base::Result<Reply> wait(Wanted wanted, TimePoint deadline, int wake_fd);
  base::Status connect(const Endpoint& endpoint, TimePoint deadline);
  // Polls until something happens. kNotFound: the deadline passed or wake_fd is readable.
  base::Status poll_once(TimePoint deadline, int wake_fd);
  base::Status broken(const base::Status& why);

  Endpoint endpoint_;
  Socket socket_;
  Alarm alarm_;
  ReplyParser parser_;
  std::string output_;
  std::deque<Reply> pushes_;
};

}  // namespace cleat::client
