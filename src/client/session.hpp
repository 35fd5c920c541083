// One explicit session over one connection at a time: opens it, keeps it alive every TTL/3, goes on to another member
// when one does not answer or has no quorum, attaches there, which shuts out what the connection before may still
// deliver, and repeats what is not yet decided under the same REQ. No I/O and no clock in here: whoever drives it owns
// the socket, connects to server(), hands in bytes and times of boot_clock, and sends what output() holds. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rate_watch.hpp"
#include "base/status.hpp"
#include "client/belief.hpp"
#include "client/connection.hpp"
#include "client/members.hpp"
#include "client/reply_parser.hpp"
#include "client/request.hpp"

namespace cleat::client {

struct SessionOptions {
  std::vector<Endpoint> servers{Endpoint{}};
  milliseconds ttl{10'000};
  std::string label;
  Credentials credentials;
  milliseconds first_contact{5'000};  // for one try of each server before the session is open
  uint64_t seed = 0;                  // of the jitter, and of the order in which the servers are tried
};

// What a session tells its user, in order.
struct Notice {
  enum class Kind {
    kOpened,        // id() is known
    kAnswered,      // req, reply, first_sent: a request is decided (reply may be an error)
    kUndecided,     // req: its deadline passed; maybe_done tells whether it may have been done, or may still be
    kPush,          // reply: name, kind and so on of a push that answers no request of ours
    kLosses,        // reply: SESSION SHOW, since KEEPALIVE counted holds that others ended
    kDisconnected,  // server, status: why; it will connect to the next one by itself
    // server, status: no server will have us; over. kInvalid: the password; kCorrupt: it is no Cleat server;
    // kUnavailable: a refusal of the service's, as it says it
    kRefused,
    kSessionLost,  // status: the service ended the session; over
    kClosed,       // CLOSE was answered; over
    kClockRate,    // status: the leader's clock and this one differ by more than deadlines are safe with, told once
  };
  Kind kind = Kind::kOpened;
  std::string req{};
  Reply reply{};
  TimePoint first_sent{};
  base::Status status{};
  bool maybe_done = false;
  std::string server{};
};

class Session {
 public:
  Session(SessionOptions options, TimePoint now);

  // For the user. A request is sent as soon as there is a connection, with REQ `req` behind its words, and again after
  // a reconnect, UNKNOWN or NOQUORUM, until it is decided or `deadline` (none: for ever) has passed; `req` must not be
  // used twice. QUEUED is no decision: the push is. A refusal is one, and never retried.
  void request(std::string req, Words words, TimePoint now, std::optional<TimePoint> deadline = std::nullopt);
  // Nobody wants it any more. True: it was never sent and is forgotten. False: it is decided, and a notice of that may
  // be on its way to the user; or it is repeated until then, as ever, but with a CANCEL behind it, so that it does not
  // go on waiting.
  bool give_up(const std::string& req, TimePoint now);
  // The session's belief ends now, its CLOSE goes out behind the requests that are still open.
  void close(TimePoint now);
  std::optional<Notice> next_notice();
  const SessionBelief& belief() const { return belief_; }
  const std::string& id() const { return id_; }  // empty: not open yet
  bool over() const { return phase_ == Phase::kOver; }
  bool connected() const { return phase_ == Phase::kReady; }

  // For the driver. server(): where to connect to, and from connecting() to disconnected() where it is connected to.
  const Endpoint& server() const { return members_.current(); }
  bool wants_connect(TimePoint now) const { return phase_ == Phase::kIdle && now >= connect_at_; }
  bool wants_disconnect() const { return drop_; }  // answer it with disconnected()
  void connecting(TimePoint now);
  void connected(TimePoint now);
  void disconnected(const base::Status& why, TimePoint now);
  void received(std::string_view bytes, TimePoint now);
  void tick(TimePoint now);
  std::optional<TimePoint> next_wake() const;
  std::string& output() { return output_; }
  const std::string& output() const { return output_; }

 private:
  enum class Phase { kIdle, kConnecting, kGreeting, kJoining, kReady, kOver };
  enum class Kind { kHello, kOpen, kAttach, kKeepAlive, kShow, kMembers, kRequest, kCancel, kClose };
  struct InFlight {
    Kind kind;
    TimePoint sent;
    std::string req;
  };
  struct Request {
    Words words;
    uint64_t order = 0;
    std::optional<TimePoint> first_sent = std::nullopt;
    std::optional<TimePoint> deadline = std::nullopt;
    int sendings = 0;
    bool outstanding = false;  // sent on this connection, and not to be sent again on it for now
    bool given_up = false;
    bool maybe_done = false;  // a sending of it went unanswered, or was answered UNKNOWN
  };

  // Not decided by the log: the same request may be sent again.
  static bool may_be_repeated(const Reply& reply);

  void send(Kind kind, const Words& words, TimePoint now, std::string req = {});
  void send_requests(TimePoint now);
  void attach(TimePoint now);
  void shut_out(const Reply& reply, TimePoint now);
  void confirmed(TimePoint sent);
  void on_reply(Reply reply, TimePoint now);
  void on_push(Reply push);
  void on_hello(const Reply& reply, TimePoint now);
  void on_open(const Reply& reply, const InFlight& asked, TimePoint now);
  void on_attach(const Reply& reply, TimePoint now);
  void on_keep_alive(const Reply& reply, const InFlight& asked, TimePoint now);
  void watch_rate(const Reply&, TimePoint sent, TimePoint now);
  void on_members(const Reply& reply);
  void on_request(Reply reply, const InFlight& asked, TimePoint now);
  void send_cancel(const std::string& req, TimePoint now);
  void on_no_quorum(TimePoint sent, TimePoint now);
  void give_up_requests(TimePoint now);
  void refused(base::Status status);
  void ready(TimePoint now);
  void forget(std::map<std::string, Request>::iterator it);
  void decide(const std::string& req, Reply reply);
  void drop(std::string why);
  void end(Notice::Kind kind, base::Status status = {});
  // Keep-alives are sent this often.
  milliseconds step() const;
  // How long a connection may take to be made, to answer HELLO, and to answer anything else, before it is given up.
  milliseconds patience(bool greeting) const;
  std::optional<TimePoint> impatient_at() const;

  SessionOptions options_;
  SessionBelief belief_;
  Random random_;
  Members members_;
  Phase phase_ = Phase::kIdle;
  std::string id_, key_;
  int64_t losses_ = 0;
  base::RateWatch rates_;  // of the leader's clock in this term
  int64_t rates_term_ = 0;
  bool rates_told_ = false;
  bool closing_ = false;
  bool shut_out_ = false;  // of the session, and attached again; nothing was confirmed since
  bool drop_ = false;
  std::string drop_why_;
  TimePoint connect_at_;
  TimePoint phase_since_;
  TimePoint last_keep_alive_;
  TimePoint asked_members_{};
  size_t refusals_ = 0;
  std::optional<TimePoint> no_quorum_since_;  // sending of the first of those that were answered so, without a success
  std::optional<TimePoint> retry_at_;
  int retries_ = 0;
  uint64_t next_order_ = 0;
  std::string output_;
  ReplyParser parser_;
  std::deque<InFlight> in_flight_;
  size_t unanswered_ = 0;  // requests among them
  std::map<std::string, Request> requests_;
  std::map<uint64_t, std::string> unsent_;  // those of requests_ that are not outstanding, by their order
  size_t deadlines_ = 0;                    // of requests_
  std::deque<Notice> notices_;
};

}  // namespace cleat::client
