#include "client/members.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace cleat::client {

Members::Members(std::vector<Endpoint> given, Random random, BackOff back_off) : random_(random), back_off_(back_off) {
  for (Endpoint& endpoint : given) {
    if (!has(endpoint)) list_.push_back({std::move(endpoint), true});
  }
  CLEAT_CHECK(!list_.empty(), "a client has at least one address");
  for (size_t left = list_.size(); left > 1; --left) std::swap(list_[left - 1], list_[random_.below(left)]);
}

bool Members::has(const Endpoint& endpoint) const {
  return std::any_of(list_.begin(), list_.end(), [&](const Entry& e) { return e.endpoint == endpoint; });
}

void Members::reached(TimePoint now) {
  reached_ = true;
  reached_at_ = now;
}

void Members::failed(TimePoint now) {
  if (reached_ && now - reached_at_ >= back_off_.settled) {
    failed_in_round_ = 0;
    rounds_ = 0;
  }
  reached_ = false;
  if (list_[at_].gone) {
    list_.erase(list_.begin() + static_cast<long>(at_));
    at_ %= list_.size();
  } else {
    at_ = (at_ + 1) % list_.size();
  }
  if (++failed_in_round_ < list_.size()) {
    next_attempt_ = now + milliseconds(random_.below(static_cast<uint64_t>(back_off_.least.count() / 2) + 1));
    return;
  }
  failed_in_round_ = 0;
  const milliseconds longest = std::min(back_off_.most, back_off_.least * (1 << std::min(rounds_++, 10)));
  const milliseconds least = longest / 2;
  next_attempt_ = now + least + milliseconds(random_.below(static_cast<uint64_t>((longest - least).count()) + 1));
}

void Members::learn(std::span<const Endpoint> told) {
  told = told.first(std::min(told.size(), kMostLearned));
  for (size_t i = list_.size(); i-- > 0;) {
    list_[i].gone = !list_[i].given && std::find(told.begin(), told.end(), list_[i].endpoint) == told.end();
    if (!list_[i].gone || i == at_) continue;
    list_.erase(list_.begin() + static_cast<long>(i));
    if (i < at_) --at_;
  }
  for (const Endpoint& endpoint : told) {
    if (has(endpoint)) continue;
    const size_t place = random_.below(list_.size() + 1);
    list_.insert(list_.begin() + static_cast<long>(place), {endpoint, false});
    if (place <= at_) ++at_;
  }
}

std::vector<Endpoint> client_addresses(const Reply& members_status) {
  std::vector<Endpoint> out;
  const Reply* members = members_status.find("members");
  if (members == nullptr) return out;
  for (const Reply& member : members->items) {
    const auto endpoint = parse_endpoint(member.text_at("client"));
    // A member that listens on every interface does not say where it is.
    if (endpoint.ok() && endpoint->host != "0.0.0.0" && endpoint->host != "::") out.push_back(*endpoint);
  }
  return out;
}

}  // namespace cleat::client
