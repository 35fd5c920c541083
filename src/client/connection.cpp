#include "client/connection.hpp"

#include <poll.h>

#include <cerrno>

namespace cleat::client {

using base::Code;
using base::Result;
using base::Status;

Words hello_words(const Credentials& credentials) {
  Words words = {"HELLO", "3"};
  if (!credentials.password.empty()) words.insert(words.end(), {"AUTH", "default", credentials.password});
  return words;
}

Status check_hello(const Reply& answer) {
  const std::string_view code = answer.error_code();
  if (code == "NOAUTH") return {Code::kInvalid, "the server wants a password"};
  if (code == "WRONGPASS") return {Code::kInvalid, "the server refused the password"};
  if (answer.text == "ERR no password is set")
    return {Code::kInvalid, "a password was given, but the server has none: leave it out"};
  if (code == "LIMIT") return {Code::kIo, "the server refused the connection: " + answer.text};
  if (answer.is_error()) return {Code::kCorrupt, "the server refused HELLO 3: " + answer.text};
  if (!answer.is_map()) return {Code::kCorrupt, "what answers there is no Cleat server: check the address"};
  return {};
}

Status Connection::open(const Endpoint& endpoint, const Credentials& credentials, TimePoint deadline) {
  endpoint_ = endpoint;
  parser_ = ReplyParser();
  output_.clear();
  pushes_.clear();
  if (Status s = connect(endpoint, deadline); !s.ok()) {
    socket_.close();
    const std::string why = s.code() == Code::kNotFound ? "no answer in time" : s.message();
    return {Code::kNotFound, "can't reach a server at " + endpoint.text() + ": " + why};
  }
  Result<Reply> answer = call(hello_words(credentials), deadline);
  if (!answer.ok()) return answer.status();
  const Status hello = check_hello(*answer);
  if (!hello.ok()) socket_.close();
  return hello.ok() ? hello : Status(hello.code(), endpoint.text() + ": " + hello.message());
}

Status Connection::connect(const Endpoint& endpoint, TimePoint deadline) {
  if (Status s = socket_.start(endpoint); !s.ok()) return s;
  while (socket_.phase() == Socket::Phase::kConnecting) {
    if (Status s = poll_once(deadline, -1); !s.ok()) return s;
  }
  return {};
}

Result<Reply> Connection::call(const Words& words, TimePoint deadline) {
  output_ += encode_request(words);
  return wait(Wanted::kReply, deadline, -1);
}

Result<Reply> Connection::next_push(TimePoint deadline, int wake_fd) {
  if (!pushes_.empty()) {
    Reply push = std::move(pushes_.front());
    pushes_.pop_front();
    return push;
  }
  return wait(Wanted::kPush, deadline, wake_fd);
}

Result<Reply> Connection::wait(Wanted wanted, TimePoint deadline, int wake_fd) {
  for (;;) {
    while (auto reply = parser_.next()) {
      const bool is_push = reply->type == Reply::Type::kPush;
      if (is_push == (wanted == Wanted::kPush)) return std::move(*reply);
      if (is_push) pushes_.push_back(std::move(*reply));
      // A reply that nobody asked for: a server shutting down says why before it closes.
      else
        return broken({Code::kIo, reply->is_error() ? reply->text : "it sent a reply to nothing"});
    }
    if (parser_.failed()) {
      socket_.close();
      return Status(Code::kCorrupt,
                    endpoint_.text() + " does not speak the protocol (" + parser_.error() + "): check the address");
    }
    if (Status s = poll_once(deadline, wake_fd); !s.ok()) {
      if (s.code() == Code::kNotFound && wanted == Wanted::kPush) return s;
      return broken(s.code() == Code::kNotFound ? Status(Code::kIo, "no answer in time") : s);
    }
  }
}

Status Connection::broken(const Status& why) {
  socket_.close();
  return {Code::kIo, "lost the server at " + endpoint_.text() + ": " + why.message()};
}

Status Connection::poll_once(TimePoint deadline, int wake_fd) {
  const TimePoint now = boot_clock::now();
  if (now >= deadline) return {Code::kNotFound, "the time is over"};
  alarm_.set(deadline == TimePoint::max() ? std::nullopt : std::optional(deadline), now);
  pollfd fds[] = {{socket_.fd(), socket_.wanted(!output_.empty()), 0}, {alarm_.fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}};
  if (::poll(fds, 3, -1) < 0) return errno == EINTR ? Status() : Status(Code::kIo, "poll failed");
  if (fds[1].revents != 0) alarm_.drain();
  if (fds[0].revents != 0) {
    if (socket_.phase() == Socket::Phase::kConnecting) return socket_.finish_connect();
    if ((fds[0].revents & POLLOUT) != 0) {
      if (Status s = socket_.write(output_); !s.ok()) return s;
    }
    if ((fds[0].revents & ~POLLOUT) != 0) {
      std::string bytes;
      const Status s = socket_.read(bytes);
      parser_.feed(bytes);
      if (bytes.empty()) return s;  // what came before the end is worth reading first
    }
  }
  if (fds[2].revents != 0) return {Code::kNotFound, "woken"};
  return {};
}

}  // namespace cleat::client
