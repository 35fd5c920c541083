// The requests of a session's user: from their first sending to what decides them.
#include "client/session.hpp"

namespace cleat::client {
namespace {

// Requests without any answer. Of a session's results the service keeps 256 (REQ): what is said again after a
// reconnect must be among them, or it would be done again.
constexpr size_t kMostUnanswered = 128;

}  // namespace

bool Session::may_be_repeated(const Reply& reply) {
  return reply.error_code() == "NOQUORUM" || reply.error_code() == "UNKNOWN";
}

void Session::request(std::string req, Words words, TimePoint now, std::optional<TimePoint> deadline) {
  words.insert(words.end(), {"REQ", req});
  deadlines_ += deadline ? 1 : 0;
  unsent_.emplace(next_order_, req);
  requests_[std::move(req)] = {.words = std::move(words), .order = next_order_++, .deadline = deadline};
  if (phase_ == Phase::kReady) send_requests(now);
}

bool Session::give_up(const std::string& req, TimePoint now) {
  const auto it = requests_.find(req);
  if (it == requests_.end()) return false;  // decided: a notice tells
  if (!it->second.first_sent) {
    forget(it);
    return true;
  }
  it->second.given_up = true;
  if (phase_ == Phase::kReady && it->second.outstanding) send_cancel(req, now);
  return false;
}

void Session::forget(std::map<std::string, Request>::iterator it) {
  deadlines_ -= it->second.deadline ? 1 : 0;
  unsent_.erase(it->second.order);
  requests_.erase(it);
}

// In the order in which they were made.
void Session::send_requests(TimePoint now) {
  while (!unsent_.empty() && unanswered_ < kMostUnanswered) {
    const std::string req = std::move(unsent_.extract(unsent_.begin()).mapped());
    Request& request = requests_.at(req);
    request.outstanding = true;
    ++request.sendings;
    ++unanswered_;
    if (!request.first_sent) request.first_sent = now;
    send(Kind::kRequest, request.words, now, req);
    if (request.given_up) send_cancel(req, now);
  }
}

void Session::send_cancel(const std::string& req, TimePoint now) {
  send(Kind::kCancel, {"CANCEL", req}, now, req);
}

void Session::on_request(Reply reply, const InFlight& asked, TimePoint now) {
  const auto it = requests_.find(asked.req);
  if (it == requests_.end()) return;
  // No room for this sending tells nothing of one before.
  if (may_be_repeated(reply) || (it->second.maybe_done && reply.error_code() == "DISKFULL")) {
    it->second.outstanding = false;
    unsent_.emplace(it->second.order, asked.req);
    it->second.maybe_done |= reply.error_code() == "UNKNOWN";
    return on_no_quorum(asked.sent, now);
  }
  // An answer out of memory proves nothing about now, and after a second sending it may be one.
  if (!reply.is_error() && it->second.sendings == 1) {
    confirmed(asked.sent);
  }
  if (reply.is_text() && reply.text == "QUEUED") return;
  decide(asked.req, std::move(reply));
}

void Session::decide(const std::string& req, Reply reply) {
  const auto it = requests_.find(req);
  notices_.push_back({.kind = Notice::Kind::kAnswered,
                      .req = req,
                      .reply = std::move(reply),
                      .first_sent = it->second.first_sent.value_or(TimePoint{})});
  forget(it);
}

void Session::give_up_requests(TimePoint now) {
  if (deadlines_ == 0) return;
  for (auto it = requests_.begin(); it != requests_.end();) {
    const Request& request = it->second;
    if (!request.deadline || now < *request.deadline) {
      ++it;
      continue;
    }
    notices_.push_back({.kind = Notice::Kind::kUndecided,
                        .req = it->first,
                        .first_sent = request.first_sent.value_or(TimePoint{}),
                        .maybe_done = request.maybe_done || request.outstanding});
    forget(it++);
  }
}

}  // namespace cleat::client
