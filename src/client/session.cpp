#include "client/session.hpp"

#include <algorithm>

namespace cleat::client {

using base::Code;
using base::Status;

namespace {

constexpr milliseconds kLeastPause{50}, kMostPause{1'000};
constexpr milliseconds kLeastPatience{250};
constexpr milliseconds kQuorumPatience{2'500};  // a member that greeted finds out in 2 s that it has no quorum
constexpr milliseconds kAskMembersEvery{60'000};

// Up to TTL/6, so that a session has several rounds left before it ends.
BackOff back_off_for(milliseconds ttl) {
  return {.least = kLeastPause, .most = std::clamp(ttl / 6, kLeastPause, kMostPause)};
}

}  // namespace

Session::Session(SessionOptions options, TimePoint now)
    : options_(std::move(options)),
      belief_(options_.ttl),
      random_(options_.seed),
      members_(options_.servers, Random(random_.next()), back_off_for(options_.ttl)),
      connect_at_(now),
      phase_since_(now) {}

milliseconds Session::step() const {
  return std::max(std::chrono::duration_cast<milliseconds>(belief_.ttl() / 3), milliseconds(1));
}

// With another member to go to, a silent one must not cost so much of the TTL that the others can't be asked in time:
// TTL/3 to the next keep-alive, TTL/6 for its answer, TTL/12 to greet another one, and a holder that lets go in good
// order wants the last TTL/3 for it. Whoever is alone waits for longer: a new connection leads to the same server.
milliseconds Session::patience(bool greeting) const {
  if (id_.empty()) {
    const auto share = std::max(options_.first_contact / static_cast<int64_t>(members_.size()), milliseconds(1));
    return greeting ? share : std::max(share, std::min(kQuorumPatience, options_.first_contact / 2));
  }
  if (!members_.several()) return step();
  return std::max(belief_.ttl() / (greeting ? 12 : 6), std::min(step(), kLeastPatience));
}

std::optional<TimePoint> Session::impatient_at() const {
  if (phase_ == Phase::kConnecting) return phase_since_ + patience(true);
  if (phase_ == Phase::kOver || in_flight_.empty()) return std::nullopt;
  return in_flight_.front().sent + patience(in_flight_.front().kind == Kind::kHello);
}

void Session::close(TimePoint now) {
  belief_.end();
  if (over() || closing_) return;
  closing_ = true;
  if (id_.empty()) return end(Notice::Kind::kClosed);
  if (phase_ == Phase::kReady) send(Kind::kClose, {"SESSION", "CLOSE"}, now);
}

std::optional<Notice> Session::next_notice() {
  if (notices_.empty()) return std::nullopt;
  Notice n = std::move(notices_.front());
  notices_.pop_front();
  return n;
}

void Session::connecting(TimePoint now) {
  phase_ = Phase::kConnecting;
  phase_since_ = now;
}

void Session::connected(TimePoint now) {
  phase_ = Phase::kGreeting;
  phase_since_ = now;
  parser_ = ReplyParser();
  send(Kind::kHello, hello_words(options_.credentials), now);
}

void Session::disconnected(const Status& why, TimePoint now) {
  const Status told = drop_ ? Status(Code::kIo, drop_why_) : why;
  drop_ = false;
  output_.clear();
  in_flight_.clear();
  unanswered_ = 0;
  no_quorum_since_.reset();
  retry_at_.reset();
  if (over()) return;
  phase_ = Phase::kIdle;
  notices_.push_back({.kind = Notice::Kind::kDisconnected, .status = told, .server = server().text()});
  members_.failed(now);
  connect_at_ = members_.next_attempt();
}

void Session::received(std::string_view bytes, TimePoint now) {
  parser_.feed(bytes);
  while (!over() && !drop_) {
    auto reply = parser_.next();
    if (!reply) break;
    if (reply->type == Reply::Type::kPush) {
      on_push(std::move(*reply));
    } else {
      on_reply(std::move(*reply), now);
    }
  }
  if (!parser_.failed() || over()) return;
  if (phase_ == Phase::kGreeting)
    return refused({Code::kCorrupt, "what answers there is no Cleat server: " + parser_.error()});
  drop(parser_.error());
}

void Session::tick(TimePoint now) {
  give_up_requests(now);
  if (const auto at = impatient_at(); at && now >= *at) return drop("no answer in time");
  if (phase_ != Phase::kReady) return;
  // An alarm rings some percent early (socket.hpp) so that it is not late: then is as good as when it is due.
  if (now < last_keep_alive_ + step() * 9 / 10 && (!retry_at_ || now < *retry_at_)) return;
  retry_at_.reset();
  send(Kind::kKeepAlive, {"SESSION", "KEEPALIVE"}, now);
  send_requests(now);
  if (now >= asked_members_ + kAskMembersEvery) send(Kind::kMembers, {"MEMBERS", "STATUS"}, now);
}

std::optional<TimePoint> Session::next_wake() const {
  std::optional<TimePoint> wake = impatient_at();
  const auto also = [&wake](TimePoint at) { wake = std::min(wake.value_or(TimePoint::max()), at); };
  if (phase_ == Phase::kOver) return std::nullopt;
  if (phase_ == Phase::kIdle) also(connect_at_);
  if (phase_ == Phase::kReady) also(std::min(last_keep_alive_ + step(), retry_at_.value_or(TimePoint::max())));
  if (deadlines_ == 0) return wake;
  for (const auto& [req, request] : requests_) {
    if (request.deadline) also(*request.deadline);
  }
  return wake;
}

void Session::send(Kind kind, const Words& words, TimePoint now, std::string req) {
  if (kind == Kind::kKeepAlive) last_keep_alive_ = now;
  if (kind == Kind::kMembers) asked_members_ = now;
  in_flight_.push_back({kind, now, std::move(req)});
  output_ += encode_request(words);
}

// With TAKEOVER, so that nothing that a connection of before may still deliver is done: a member that was stopped reads
// it late, when this session has long said it again elsewhere, got its answer, and gone on.
void Session::attach(TimePoint now) {
  phase_ = Phase::kJoining;
  phase_since_ = now;
  for (auto& [req, request] : requests_) {
    request.maybe_done |= request.outstanding;
    request.outstanding = false;
    unsent_.emplace(request.order, req);
  }
  send(Kind::kAttach, {"SESSION", "ATTACH", id_, key_, "TAKEOVER"}, now);
}

// The session is gone, or an ATTACH that this one gave up came late and took it over: another ATTACH tells which.
void Session::shut_out(const Reply& reply, TimePoint now) {
  if (phase_ == Phase::kJoining) return;  // asked already
  if (std::exchange(shut_out_, true)) return drop(reply.text);
  attach(now);
}

// NOQUORUM and UNKNOWN tell of no refusal: the same is said again after a pause that doubles, and elsewhere if this
// member does not find its quorum for as long as another one would be waited for.
void Session::on_no_quorum(TimePoint sent, TimePoint now) {
  if (!no_quorum_since_) no_quorum_since_ = sent;
  if (members_.several() && now >= *no_quorum_since_ + patience(false)) return drop("it has no quorum");
  const milliseconds most = std::min(kMostPause, kLeastPause * (1 << std::min(retries_++, 10)));
  const milliseconds pause = most / 2 + milliseconds(random_.below(static_cast<uint64_t>(most.count() / 2) + 1));
  retry_at_ = std::min(retry_at_.value_or(TimePoint::max()), now + pause);
}

void Session::drop(std::string why) {
  drop_ = true;
  drop_why_ = std::move(why);
}

void Session::end(Notice::Kind kind, Status status) {
  belief_.end();
  phase_ = Phase::kOver;
  notices_.push_back({.kind = kind, .status = std::move(status), .server = server().text()});
}

}  // namespace cleat::client
