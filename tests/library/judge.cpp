#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cleat::tests {

int64_t Judge::Grant::end_ns() const {
  return std::min(believed_ns, released_ns);
}

uint64_t Judge::greatest_fence(uint16_t name) const {
  const auto at = names_.find(name);
  return at == names_.end() || at->second.empty() ? 0 : at->second.rbegin()->first;
}

void Judge::see(const Event& event) {
  if (event.kind == Event::Kind::kWrong) {
    return wrong(fmt::format("worker {} thread {}: {}", event.worker, event.thread, event.text));
  }
  if (event.kind == Event::Kind::kGranted) return on_granted(event);
  counts_.losses += event.kind == Event::Kind::kLost ? 1 : 0;
  counts_.refusals += event.kind == Event::Kind::kRefused ? 1 : 0;
  Grants& grants = names_[event.name];
  const auto at = grants.find(event.fence);
  if (at == grants.end()) return;  // told by one that stood still for long: it is not kept any more
  if (event.kind == Event::Kind::kReleasing) at->second.released_ns = event.at_ns;
  if (event.kind == Event::Kind::kBelieved) {
    at->second.believed_ns = std::max(at->second.believed_ns, event.deadline_ns);
    check(event.name, at->second);
  }
}

void Judge::on_granted(const Event& e) {
  ++counts_.grants;
  for (const auto& [name, grants] : names_) {
    const auto at = grants.find(e.fence);
    if (at == grants.end()) continue;
    return wrong(
        fmt::format("fence {} was granted twice: name {} to worker {} thread {}, name {} to worker {} thread {}",
                    e.fence, name, at->second.worker, at->second.thread, e.name, e.worker, e.thread));
  }
  Grants& grants = names_[e.name];
  const Grant grant{.worker = e.worker,
                    .thread = e.thread,
                    .shared = e.shared,
                    .fence = e.fence,
                    .granted_ns = e.at_ns,
                    .believed_ns = e.deadline_ns};
  const auto at = grants.emplace(e.fence, grant).first;
  check(e.name, at->second);
  const auto here = std::count_if(grants.begin(), grants.end(), [&e](const auto& g) {
    return g.second.granted_ns <= e.at_ns && e.at_ns < g.second.end_ns();
  });
  counts_.most_at_once = std::max(counts_.most_at_once, static_cast<uint64_t>(here));
  if (grants.size() > kKept) grants.erase(grants.begin());
}

// The service grants in the order of fences, so of two that exclude each other the smaller must be over first.
void Judge::check(uint16_t name, const Grant& grant) {
  for (const auto& [fence, other] : names_[name]) {
    if (fence == grant.fence || (other.shared && grant.shared)) continue;
    if (fence < grant.fence) check_pair(name, other, grant);
    if (fence > grant.fence) check_pair(name, grant, other);
  }
}

void Judge::check_pair(uint16_t name, const Grant& earlier, const Grant& later) {
  if (later.granted_ns >= earlier.end_ns()) return;
  const bool released = earlier.released_ns < earlier.believed_ns;
  wrong(fmt::format(
      "name {}: worker {} thread {} was granted fence {} {} us before {} by worker {} thread {} with fence {}", name,
      later.worker, later.thread, later.fence, (earlier.end_ns() - later.granted_ns) / 1'000,
      released ? "it was let go" : "the deadline that was believed", earlier.worker, earlier.thread, earlier.fence));
}

void Judge::wrong(std::string text) {
  if (!verdict_) verdict_ = std::move(text);
}

}  // namespace cleat::tests
