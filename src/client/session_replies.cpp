// What the server says to a session: replies, in the order in which they were asked for, and pushes.
#include <cstdlib>
#include <utility>

#include "client/session.hpp"

namespace cleat::client {

using base::Code;
using base::Status;

namespace {

// Of an answer to SESSION OPEN: a Redis server says HELLO too.
Code refusal_code(const Reply& error) {
  if (error.text.starts_with("ERR unknown command")) return Code::kCorrupt;
  return error.error_code() == "DENIED" ? Code::kInvalid : Code::kUnavailable;
}

}  // namespace

void Session::on_reply(Reply reply, TimePoint now) {
  if (in_flight_.empty()) return drop(reply.is_error() ? reply.text : "the server answered what was not asked");
  const InFlight asked = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (asked.kind == Kind::kRequest) --unanswered_;
  if (asked.kind != Kind::kHello && asked.kind != Kind::kOpen && reply.error_code() == "NOSESSION") {
    if (asked.kind != Kind::kAttach) return shut_out(reply, now);
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
    case Kind::kMembers:
      return on_members(reply);
    case Kind::kRequest:
      on_request(std::move(reply), asked, now);
      if (phase_ == Phase::kReady && !retry_at_) send_requests(now);  // those that the bound held back
      return;
    case Kind::kCancel:
      // Not done: with a new connection the request and its CANCEL are said again.
      if (may_be_repeated(reply)) drop(reply.text);
      return;
    case Kind::kClose:
      if (may_be_repeated(reply)) return drop(reply.text);
      return end(Notice::Kind::kClosed);
  }
}

void Session::on_hello(const Reply& reply, TimePoint now) {
  if (Status s = check_hello(reply); !s.ok()) {
    return refused(s);
  }
  if (!id_.empty()) return attach(now);
  phase_ = Phase::kJoining;
  phase_since_ = now;
  Words open = {"SESSION", "OPEN", "TTL", std::to_string(options_.ttl.count())};
  if (!options_.label.empty()) open.insert(open.end(), {"LABEL", options_.label});
  send(Kind::kOpen, open, now);
}

// Once there is a session, what was confirmed stays believed until its deadline, whoever answers now. Before, a refusal
// is final when every member refuses.
void Session::refused(Status status) {
  const bool final = status.code() != Code::kIo;
  if (id_.empty() && final && ++refusals_ >= members_.size()) return end(Notice::Kind::kRefused, std::move(status));
  drop(status.message());
}

void Session::on_open(const Reply& reply, const InFlight& asked, TimePoint now) {
  if (may_be_repeated(reply)) return drop(reply.text);
  if (reply.is_error()) return end(Notice::Kind::kRefused, {refusal_code(reply), reply.text});
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
  if (reply.is_error()) return drop(reply.text);  // NOSESSION does not come here
  // ATTACH itself proves nothing: the keep-alive does, and it brings the losses that were told while we were away.
  if (!closing_) send(Kind::kKeepAlive, {"SESSION", "KEEPALIVE"}, now);
  ready(now);
}

void Session::ready(TimePoint now) {
  phase_ = Phase::kReady;
  members_.reached(now);
  send_requests(now);
  send(closing_ ? Kind::kClose : Kind::kMembers, closing_ ? Words{"SESSION", "CLOSE"} : Words{"MEMBERS", "STATUS"},
       now);
}

void Session::on_keep_alive(const Reply& reply, const InFlight& asked, TimePoint now) {
  if (may_be_repeated(reply)) return on_no_quorum(asked.sent, now);
  if (reply.is_error()) return;  // not confirmed, asked again in time
  if (!reply.is_array() || reply.items.size() < 2 || !reply.items[1].is_integer()) {
    return drop("SESSION KEEPALIVE was not answered with ttl and losses");
  }
  confirmed(asked.sent);
  watch_rate(reply, asked.sent, now);
  if (reply.items[1].integer <= losses_) return;
  losses_ = reply.items[1].integer;
  send(Kind::kShow, {"SESSION", "SHOW"}, now);
}

void Session::confirmed(TimePoint sent) {
  belief_.confirmed(sent);
  no_quorum_since_.reset();
  retries_ = 0;
  shut_out_ = false;
}

// Deadlines count on a server clock that runs at most 1% faster than this one; half of it is worth a word.
void Session::watch_rate(const Reply& reply, TimePoint sent, TimePoint now) {
  constexpr int64_t kWorthAWordPpm = 5'000;
  if (reply.items.size() < 4 || !reply.items[2].is_integer() || !reply.items[3].is_integer()) return;
  const auto us = [](auto d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); };
  const int64_t term = reply.items[3].integer;
  if (std::exchange(rates_term_, term) != term) rates_ = {};
  rates_.sample(us(now.time_since_epoch()), reply.items[2].integer, us(now - sent));
  if (rates_told_ || std::llabs(rates_.ppm()) <= kWorthAWordPpm) return;
  rates_told_ = true;
  const std::string line = "the leader's clock runs " + std::to_string(std::llabs(rates_.ppm())) + " millionths " +
                           (rates_.ppm() > 0 ? "faster" : "slower") +
                           " than this machine's; deadlines are safe up to 10000 (margin-ppm): one of the two machines "
                           "has a bad clock";
  notices_.push_back({.kind = Notice::Kind::kClockRate, .status = {Code::kInvalid, line}});
}

// What is no answer to this is "there are no others": a server that does not know of members is the only one.
void Session::on_members(const Reply& reply) {
  if (may_be_repeated(reply)) return;
  members_.learn(client_addresses(reply));
}

// ["cleat", kind, name, req or "", map]
void Session::on_push(Reply push) {
  if (push.items.size() < 5 || push.items[0].text != "cleat") return;
  const std::string& kind = push.items[1].text;
  const std::string req = push.items[3].text;
  if ((kind == "granted" || kind == "refused") && requests_.contains(req)) return decide(req, std::move(push));
  notices_.push_back({.kind = Notice::Kind::kPush, .reply = std::move(push)});
}

}  // namespace cleat::client
