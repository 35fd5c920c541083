#include "crowd_client.hpp"

#include <unistd.h>

#include <utility>

namespace cleat::bench {

// Not that of a client of another crowd.
std::string CrowdClient::own() const {
  return "own/" + std::to_string(getpid()) + '/' + std::to_string(number_);
}

int64_t CrowdClient::delay_us(int64_t about_us) {
  return about_us / 2 + static_cast<int64_t>(random_() % static_cast<uint64_t>(about_us + 1));
}

void CrowdClient::ask(Asked what, std::vector<std::string> words, int64_t now_us) {
  output_ += '*' + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) output_ += '$' + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  asked_ = what;
  asked_us_ = now_us;
  if (since_us_ == 0) since_us_ = now_us;
  wake_at_us_ = INT64_MAX;
}

void CrowdClient::connected(int64_t now_us) {
  if (id_.empty()) return open(now_us);
  ask(Asked::kAttach, {"SESSION", "ATTACH", id_, key_, "TAKEOVER"}, now_us);
}

void CrowdClient::broke(int64_t now_us) {
  if (served_) broke_us_ = now_us, ++tally_.breaks;
  served_ = false;
  parser_ = client::ReplyParser();
  output_.clear();
  asked_ = Asked::kNothing;
  asked_us_ = 0;
  wake_at_us_ = INT64_MAX;
}

void CrowdClient::open(int64_t now_us) {
  ask(Asked::kOpen, {"SESSION", "OPEN", "TTL", std::to_string(plan_.ttl_ms), "LABEL", "c" + std::to_string(number_)},
      now_us);
}

void CrowdClient::ask_for_own(int64_t now_us) {
  if (own_fence_ != 0) return ask(Asked::kOwnCheck, {"CHECK", own(), "FENCE", std::to_string(own_fence_)}, now_us);
  ask(Asked::kOwnLock, {"LOCK", own(), "REQ", "own", "WAIT", "0"}, now_us);
}

void CrowdClient::think(int64_t now_us) {
  work_ = Work::kThink;
  since_us_ = 0;
  wake_at_us_ = now_us + delay_us(plan_.think_us);
}

void CrowdClient::take(int64_t now_us) {
  work_ = Work::kTake;
  const std::string turn = std::to_string(turn_);
  ask(Asked::kTake, {"LOCK", shared(), "WAIT", std::to_string(plan_.wait_ms), "OWNER", turn, "REQ", "t" + turn},
      now_us);
}

// What it holds counts as held by others once this was sent.
void CrowdClient::release(int64_t now_us) {
  if (work_ == Work::kHold) names_.taken[name_] = false;
  work_ = Work::kRelease;
  const std::string turn = std::to_string(turn_);
  ask(Asked::kRelease, {"UNLOCK", shared(), "OWNER", turn, "FENCE", std::to_string(fence_), "REQ", "u" + turn}, now_us);
}

void CrowdClient::go_on(int64_t now_us) {
  switch (work_) {
    case Work::kThink:
      return think(now_us);
    case Work::kTake:
      return take(now_us);
    case Work::kHold:
      since_us_ = 0;
      wake_at_us_ = hold_until_us_;
      return;
    case Work::kRelease:
      return release(now_us);
  }
}

void CrowdClient::wake(int64_t now_us) {
  wake_at_us_ = INT64_MAX;
  if (work_ == Work::kHold) return release(now_us);
  if (plan_.names == 0) return ask(Asked::kKeepAlive, {"SESSION", "KEEPALIVE"}, now_us);
  name_ = random_() % plan_.names;
  ++turn_;
  take(now_us);
}

// Something that needs the leader was answered on this connection.
void CrowdClient::serve(int64_t now_us) {
  ++tally_.answers;
  if (std::exchange(served_, true)) return;
  histogram_add(&tally_.back, static_cast<uint64_t>(now_us - std::exchange(broke_us_, 0)) * 1000);
}

bool CrowdClient::received(std::string_view bytes, int64_t now_us) {
  parser_.feed(bytes);
  while (const auto reply = parser_.next()) {
    if (asked_ == Asked::kNothing) {  // told before it is closed: max-connections
      ++tally_.refused;
      tally_.refusal = reply->text;
      return false;
    }
    asked_us_ = 0;
    if (!(reply->is_error() ? on_error(*reply, now_us) : on_reply(*reply, now_us))) return false;
  }
  return !parser_.failed();
}

bool CrowdClient::on_error(const client::Reply& reply, int64_t now_us) {
  const std::string_view code = reply.error_code();
  const bool taken_over = reply.text.find("taken over") != std::string::npos;
  if (code == "NOSESSION" && asked_ == Asked::kAttach) {
    ++tally_.sessions_lost;
    if (work_ == Work::kHold) names_.taken[name_] = false;
    id_.clear();
    own_fence_ = 0;
    work_ = Work::kThink;
    open(now_us);
    return true;
  }
  if (code == "NOQUORUM") {
    ++tally_.no_quorum;
  } else if (code == "UNKNOWN") {
    ++tally_.unknown;
  } else if (!taken_over) {
    if (tally_.refused++ == 0) tally_.refusal = reply.text;
  }
  return false;
}

void CrowdClient::on_granted(const client::Reply& reply, int64_t now_us) {
  histogram_add(&tally_.wait, static_cast<uint64_t>(now_us - std::exchange(since_us_, 0)) * 1000);
  ++tally_.grants;
  ++grants_;
  fence_ = reply.integer;
  if (names_.taken[name_] || fence_ <= names_.last_fence[name_]) ++tally_.broken;
  names_.taken[name_] = true;
  names_.last_fence[name_] = fence_;
  work_ = Work::kHold;
  hold_until_us_ = now_us + plan_.hold_us;
  plan_.hold_us == 0 ? release(now_us) : go_on(now_us);
}

bool CrowdClient::on_reply(const client::Reply& reply, int64_t now_us) {
  const Asked asked = std::exchange(asked_, Asked::kNothing);
  if (asked != Asked::kOpen && asked != Asked::kAttach) serve(now_us);
  switch (asked) {
    case Asked::kOpen:
      if (reply.items.size() < 4) return false;
      id_ = std::to_string(reply.items[1].integer);
      key_ = reply.items[3].text;
      [[fallthrough]];
    case Asked::kAttach:
      ask_for_own(now_us);
      return true;
    case Asked::kOwnCheck:
      if (reply.integer == 0) ++tally_.holds_lost, own_fence_ = 0;
      reply.integer == 0 ? ask_for_own(now_us) : go_on(now_us);
      return true;
    case Asked::kOwnLock:
      if (reply.is_nil()) ++tally_.holds_lost;  // somebody else has what nobody else asks for
      own_fence_ = reply.integer;
      go_on(now_us);
      return true;
    case Asked::kTake:
      if (!reply.is_nil()) return on_granted(reply, now_us), true;
      ++tally_.timed_out;
      think(now_us);
      return true;
    case Asked::kRelease:
      if (reply.integer != 0) ++tally_.holds_lost;
      [[fallthrough]];
    case Asked::kKeepAlive:
      histogram_add(&tally_.other, static_cast<uint64_t>(now_us - since_us_) * 1000);
      think(now_us);
      return true;
    case Asked::kNothing:
      return false;
  }
  return false;
}

}  // namespace cleat::bench
