#include "client/session.hpp"

#include <algorithm>
#include <vector>

namespace cleat::client {

using base::Code;
using base::Status;

namespace {

// Not decided by the log: the same request may be sent again.
bool may_be_repeated(std::string_view code) {
  return code == "NOQUORUM" || code == "UNKNOWN";
}

}  // namespace

Session::Session(SessionOptions options, TimePoint now)
    : options_(std::move(options)),
      belief_(options_.ttl),
      connect_at_(now),
      phase_since_(now),
      random_(options_.seed) {}

milliseconds Session::step() const {
  return std::max(std::chrono::duration_cast<milliseconds>(belief_.ttl() / 3), milliseconds(1));
}

void Session::request(std::string req, Words words, TimePoint now) {
  words.insert(words.end(), {"REQ", req});
  requests_[std::move(req)] = {.words = std::move(words), .order = next_order_++};
  if (phase_ == Phase::kReady) send_requests(now);
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
  for (auto& [req, request] : requests_) request.outstanding = false;
  if (over()) return;
  phase_ = Phase::kIdle;
  // Doubling from 50 ms up to TTL/6 (a second at most), each time between half and the whole of it: the clients of a
  // server that comes back do not all come at once, and a session has several tries left before it ends.
  const auto most = std::clamp<milliseconds>(step() / 2, milliseconds(50), milliseconds(1'000));
  const auto base = std::min<milliseconds>(most, milliseconds(50) * (1 << std::min(failures_++, 10)));
  connect_at_ = now + base / 2 + milliseconds(random() % static_cast<uint64_t>(base.count() / 2 + 1));
  notices_.push_back({.kind = Notice::Kind::kDisconnected, .status = told});
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
  if (parser_.failed() && !over()) drop(parser_.error());
}

void Session::tick(TimePoint now) {
  const bool opened = !id_.empty();
  if (phase_ == Phase::kConnecting && now >= phase_since_ + (opened ? step() : options_.first_contact)) {
    return drop("no answer in time");
  }
  if (!in_flight_.empty() && now >= in_flight_.front().sent + (opened ? step() : options_.first_contact)) {
    return drop("no answer in time");
  }
  if (phase_ != Phase::kReady || now < last_keep_alive_ + step()) return;
  send(Kind::kKeepAlive, {"SESSION", "KEEPALIVE"}, now);
  send_requests(now);
}

std::optional<TimePoint> Session::next_wake() const {
  const milliseconds patience = id_.empty() ? options_.first_contact : step();
  switch (phase_) {
    case Phase::kIdle:
      return connect_at_;
    case Phase::kConnecting:
      return phase_since_ + patience;
    case Phase::kOver:
      return std::nullopt;
    default:
      break;
  }
  std::optional<TimePoint> wake;
  if (!in_flight_.empty()) wake = in_flight_.front().sent + patience;
  if (phase_ == Phase::kReady) wake = std::min(wake.value_or(TimePoint::max()), last_keep_alive_ + step());
  return wake;
}

void Session::send(Kind kind, const Words& words, TimePoint now, std::string req) {
  if (kind == Kind::kKeepAlive) last_keep_alive_ = now;
  in_flight_.push_back({kind, now, std::move(req)});
  output_ += encode_request(words);
}

// In the order in which they were made.
void Session::send_requests(TimePoint now) {
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (auto& [req, request] : requests_) {
    if (!request.outstanding) order.emplace_back(request.order, &req);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [place, req] : order) {
    Request& request = requests_.at(*req);
    request.outstanding = true;
    ++request.sendings;
    if (!request.first_sent) request.first_sent = now;
    send(Kind::kRequest, request.words, now, *req);
  }
}

void Session::on_reply(Reply reply, TimePoint now) {
  if (in_flight_.empty()) return drop(reply.is_error() ? reply.text : "the server answered what was not asked");
  const InFlight asked = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (asked.kind != Kind::kHello && asked.kind != Kind::kOpen && reply.error_code() == "NOSESSION") {
    if (closing_) return end(Notice::Kind::kClosed);
    return end(Notice::Kind::kSessionLost, {Code::kNotFound, reply.text});
  }
  switch (asked.kind) {
    case Kind::kHello:
      return on_hello(reply, now);
    case Kind::kOpen:
      return on_open(reply, asked, now);
    case Kind::kAttach:
      return on_attach(reply, now);
    case Kind::kKeepAlive:
      return on_keep_alive(reply, asked, now);
    case Kind::kShow:
      if (reply.is_map()) notices_.push_back({.kind = Notice::Kind::kLosses, .reply = std::move(reply)});
      return;
    case Kind::kRequest:
      return on_request(std::move(reply), asked);
    case Kind::kClose:
      if (may_be_repeated(reply.error_code())) return drop(reply.text);
      return end(Notice::Kind::kClosed);
  }
}

void Session::on_hello(const Reply& reply, TimePoint now) {
  if (Status s = check_hello(reply); !s.ok()) {
    // Once there is a session, what was confirmed stays believed until its deadline, whoever answers now.
    return id_.empty() ? end(Notice::Kind::kRefused, s) : drop(s.message());
  }
  phase_ = Phase::kJoining;
  phase_since_ = now;
  if (!id_.empty()) return send(Kind::kAttach, {"SESSION", "ATTACH", id_, key_}, now);
  Words open = {"SESSION", "OPEN", "TTL", std::to_string(options_.ttl.count())};
  if (!options_.label.empty()) open.insert(open.end(), {"LABEL", options_.label});
  send(Kind::kOpen, open, now);
}

void Session::on_open(const Reply& reply, const InFlight& asked, TimePoint now) {
  if (may_be_repeated(reply.error_code())) return drop(reply.text);
  if (reply.is_error()) return end(Notice::Kind::kRefused, {Code::kInvalid, reply.text});
  const Reply* id = reply.find("id");
  const std::string_view key = reply.text_at("key");
  const int64_t ttl = reply.integer_at("ttl");
  if (id == nullptr || key.empty() || ttl <= 0) {
    return end(Notice::Kind::kRefused, {Code::kCorrupt, "SESSION OPEN was not answered with id, key and ttl"});
  }
  id_ = id->is_integer() ? std::to_string(id->integer) : id->text;
  key_ = key;
  belief_ = SessionBelief(milliseconds(ttl));
  if (closing_) belief_.end();
  belief_.confirmed(asked.sent);
  last_keep_alive_ = asked.sent;
  notices_.push_back({.kind = Notice::Kind::kOpened});
  ready(now);
}

void Session::on_attach(const Reply& reply, TimePoint now) {
  if (may_be_repeated(reply.error_code())) return drop(reply.text);
  if (reply.is_error()) return end(Notice::Kind::kSessionLost, {Code::kNotFound, reply.text});
  // ATTACH itself proves nothing: the keep-alive does, and it brings the losses that were told while we were away.
  if (!closing_) send(Kind::kKeepAlive, {"SESSION", "KEEPALIVE"}, now);
  ready(now);
}

void Session::ready(TimePoint now) {
  phase_ = Phase::kReady;
  failures_ = 0;
  send_requests(now);
  if (closing_) send(Kind::kClose, {"SESSION", "CLOSE"}, now);
}

void Session::on_keep_alive(const Reply& reply, const InFlight& asked, TimePoint now) {
  if (reply.is_error()) return;  // NOQUORUM and the like: not confirmed, asked again in time
  if (!reply.is_array() || reply.items.size() < 2 || !reply.items[1].is_integer()) {
    return drop("SESSION KEEPALIVE was not answered with ttl and losses");
  }
  belief_.confirmed(asked.sent);
  if (reply.items[1].integer <= losses_) return;
  losses_ = reply.items[1].integer;
  send(Kind::kShow, {"SESSION", "SHOW"}, now);
}

void Session::on_request(Reply reply, const InFlight& asked) {
  const auto it = requests_.find(asked.req);
  if (it == requests_.end()) return;
  if (may_be_repeated(reply.error_code())) {
    it->second.outstanding = false;  // goes out again with the next keep-alive
    return;
  }
  // An answer out of memory proves nothing about now, and after a second sending it may be one.
  if (!reply.is_error() && it->second.sendings == 1) belief_.confirmed(asked.sent);
  if (reply.is_text() && reply.text == "QUEUED") return;
  decide(asked.req, std::move(reply));
}

// ["cleat", kind, name, req or "", map]
void Session::on_push(Reply push) {
  if (push.items.size() < 5 || push.items[0].text != "cleat") return;
  const std::string& kind = push.items[1].text;
  const std::string req = push.items[3].text;
  if ((kind == "granted" || kind == "refused") && requests_.contains(req)) return decide(req, std::move(push));
  notices_.push_back({.kind = Notice::Kind::kPush, .reply = std::move(push)});
}

void Session::decide(const std::string& req, Reply reply) {
  const auto it = requests_.find(req);
  notices_.push_back({.kind = Notice::Kind::kAnswered,
                      .req = req,
                      .reply = std::move(reply),
                      .first_sent = it->second.first_sent.value_or(TimePoint{})});
  requests_.erase(it);
}

void Session::drop(std::string why) {
  drop_ = true;
  drop_why_ = std::move(why);
}

void Session::end(Notice::Kind kind, Status status) {
  belief_.end();
  phase_ = Phase::kOver;
  notices_.push_back({.kind = kind, .status = std::move(status)});
}

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
uint64_t Session::random() {
  uint64_t z = random_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace cleat::client
