#include "server/event_ring.hpp"

namespace cleat::server {

void EventRing::add(const lock::Event& event) {
  if (end_ - begin_ == capacity_) drop_oldest();
  if (slots_.size() < capacity_) slots_.emplace_back();
  Slot& s = slots_[static_cast<size_t>(end_++ % capacity_)];
  s.facts = static_cast<const lock::EventFacts&>(event);
  s.name = static_cast<uint16_t>(event.name.size());
  s.owner = static_cast<uint16_t>(event.owner.size());
  s.label = static_cast<uint16_t>(event.label.size());
  s.req = static_cast<uint16_t>(event.req.size());
  s.bytes.assign(event.name);
  for (const std::string_view part : {event.owner, event.label, event.req, event.data})
    if (!part.empty()) s.bytes.append(part);
  bytes_ += s.bytes.size();
  while (bytes_ > max_bytes_) drop_oldest();
}

void EventRing::restart_after(base::Revision revision) {
  while (begin_ != end_) drop_oldest();
  dropped_through_ = revision;
}

void EventRing::drop_oldest() {
  Slot& s = slots_[static_cast<size_t>(begin_++ % capacity_)];
  dropped_through_ = s.facts.revision;
  bytes_ -= s.bytes.size();
  if (s.bytes.capacity() > 512) std::string().swap(s.bytes);
}

lock::Event EventRing::at(uint64_t position) const {
  const Slot& s = slot(position);
  lock::Event event;
  static_cast<lock::EventFacts&>(event) = s.facts;
  std::string_view bytes = s.bytes;
  const auto take = [&bytes](size_t n) {
    const auto part = bytes.substr(0, n);
    bytes.remove_prefix(n);
    return part;
  };
  event.name = take(s.name);
  event.owner = take(s.owner);
  event.label = take(s.label);
  event.req = take(s.req);
  event.data = bytes;
  return event;
}

uint64_t EventRing::position_after(base::Revision revision) const {
  uint64_t low = begin(), high = end();
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (slot(middle).facts.revision > revision) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace cleat::server
