// Asks one thing after another of a cluster and waits for each answer: one connection at a time, to whichever member
// answers. For what is done without a session: reads, and changes by token. Blocking, one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "client/connection.hpp"
#include "client/members.hpp"

namespace cleat::client {

struct AskerOptions {
  std::vector<Endpoint> servers{Endpoint{}};
  Credentials credentials;
  milliseconds patience{5'000};  // for one try of each server: several share it, so that each gets its turn
  uint64_t seed = 0;
};

struct Outcome {
  // The answer, which may be an error reply: a refusal, or NOQUORUM or UNKNOWN if no member told more. Or the failure
  // of the last try: a code of Connection::open or of Connection::call.
  base::Result<Reply> answer;
  // A sending of it before this answer was lost or answered UNKNOWN: it may have been done then, or may still be.
  bool maybe_done = false;
};

class Asker {
 public:
  explicit Asker(AskerOptions options);

  // A read. Each member is asked at most once.
  Outcome read(const Words& words, TimePoint deadline);
  // What may safely be said twice. While no connection can be made at all: as a read. From then on it is repeated, at
  // one member after the other, until it is decided or the deadline has passed.
  Outcome change(const Words& words, TimePoint deadline);
  // The same for a LOCK by token that may wait; it must carry ASYNC and REQ `req`. `words` is called for each sending,
  // for what is left of the wait changes. A decision that was pushed is answered as the map of FULL. While it waits,
  // the member is asked now and then whether it is still there and has a quorum.
  Outcome wait(const std::function<Words()>& words, const std::string& req, TimePoint deadline);
  // For whoever stays for long. Learns the other members from the one that answers.
  void learn(TimePoint deadline);
  // The connection is of no use any more: the next question goes to another member.
  void leave();

  // The member that was asked last, and the connection to it, which may be closed.
  const Endpoint& server() const { return server_; }
  Connection& connection() { return connection_; }

 private:
  enum class Effort { kOneRound, kUntilDeadline };
  using Try = std::function<base::Result<Reply>(TimePoint limit)>;
  Outcome ask(const Try& one_try, Effort effort, TimePoint deadline);
  base::Status connect(TimePoint limit);
  base::Result<Reply> wait_for_push(const std::string& req, TimePoint deadline);
  TimePoint limit_of_a_try(TimePoint deadline, bool greeted) const;

  AskerOptions options_;
  Members members_;
  Endpoint server_;
  Connection connection_;
};

}  // namespace cleat::client
