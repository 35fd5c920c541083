#include "server/event_hub.hpp"

#include <algorithm>

#include "resp/connection_reply.hpp"
#include "resp/outcome_reply.hpp"
#include "resp/words.hpp"

namespace cleat::server {
namespace {

constexpr size_t kMostBytesATurn = 4 << 20;  // of all watchers: some ms
constexpr size_t kMostLooksATurn = 20'000;   // at events, whose name may be none of the watcher's: some ms

}  // namespace

Watching& EventHub::watching(Connection& c) {
  if (!c.watching) c.watching = std::make_unique<Watching>();
  return *c.watching;
}

void EventHub::watch(Connection& c, std::string_view prefix, base::Revision from) {
  Watching& w = watching(c);
  if (!w.events) watchers_.push_back(&c);
  w.events = true;
  w.prefix = prefix;
  // What is gone already is told as a gap by deliver(): it begins before the ring does.
  w.gap_after = from;
  w.has_gap = from < ring_.dropped_through();
  w.next_position = ring_.position_after(from);
}

void EventHub::restart_after(base::Revision revision) {
  ring_.restart_after(revision);
  for (Connection* c : watchers_) {
    c->watching->has_gap = true;
    c->watching->next_position = ring_.end();
  }
}

void EventHub::unwatch(Connection& c) {
  if (!c.watching || !c.watching->events) return;
  c.watching->events = false;
  std::erase(watchers_, &c);
}

bool EventHub::subscribe(Connection& c, bool pattern, resp::Words channels, size_t limit) {
  Watching& w = watching(c);
  auto writer = c.writer();
  for (const std::string_view channel : channels) {
    auto& own = pattern ? w.patterns : w.channels;
    if (std::find(own.begin(), own.end(), channel) == own.end()) {
      if (w.subscriptions() >= limit) return false;
      own.emplace_back(channel);
      if (!pattern) {
        by_channel_[std::string(channel)].push_back(&c);
      } else if (w.patterns.size() == 1) {
        by_pattern_.push_back(&c);
      }
    }
    resp::write_subscription(writer, pattern ? "psubscribe" : "subscribe", channel, w.subscriptions());
  }
  return true;
}

void EventHub::erase_channel(const std::string& channel, Connection& c) {
  const auto it = by_channel_.find(channel);
  if (it == by_channel_.end()) return;
  std::erase(it->second, &c);
  if (it->second.empty()) by_channel_.erase(it);
}

void EventHub::unsubscribe(Connection& c, bool pattern, resp::Words channels) {
  Watching& w = watching(c);
  auto& own = pattern ? w.patterns : w.channels;
  const std::string_view kind = pattern ? "punsubscribe" : "unsubscribe";
  auto writer = c.writer();
  const std::vector<std::string> all =
      channels.empty() ? own : std::vector<std::string>(channels.begin(), channels.end());
  if (all.empty()) resp::write_no_subscription(writer, kind, w.subscriptions());
  for (const std::string& channel : all) {
    if (std::erase(own, channel) > 0 && !pattern) erase_channel(channel, c);
    resp::write_subscription(writer, kind, channel, w.subscriptions());
  }
  if (pattern && own.empty()) std::erase(by_pattern_, &c);
}

void EventHub::forget(Connection& c) {
  if (!c.watching) return;
  unwatch(c);
  for (const std::string& channel : c.watching->channels) erase_channel(channel, c);
  if (!c.watching->patterns.empty()) std::erase(by_pattern_, &c);
  if (!c.watching->missed_channel.empty()) std::erase(missed_, &c);
  c.watching.reset();
}

void EventHub::add(const lock::Event& e, const Wrote& wrote) {
  ring_.add(e);
  if (by_channel_.empty() && by_pattern_.empty()) return;
  channel_.assign(resp::kChannelPrefix).append(e.name);
  json_.clear();
  if (const auto it = by_channel_.find(channel_); it != by_channel_.end()) {
    for (Connection* c : it->second) send_message(*c, {}, e, wrote);
  }
  for (Connection* c : by_pattern_) {
    for (const std::string& pattern : c->watching->patterns) {
      if (resp::glob_match(pattern, channel_)) send_message(*c, pattern, e, wrote);
    }
  }
}

void EventHub::send_message(Connection& c, std::string_view pattern, const lock::Event& e, const Wrote& wrote) {
  Watching& w = *c.watching;
  if (c.gone || c.closing || !w.missed_channel.empty()) return;
  if (behind(c)) {
    w.missed_channel = channel_;
    w.missed_pattern = pattern;
    w.missed_after = base::Revision{e.revision.value - 1};
    missed_.push_back(&c);
    return;
  }
  if (json_.empty()) resp::append_event_json(json_, e, incarnation_);
  write_message(c, pattern, channel_, json_);
  wrote(c, false);
}

void EventHub::write_message(Connection& c, std::string_view pattern, std::string_view channel, std::string_view text) {
  auto writer = c.writer();
  if (pattern.empty()) {
    resp::write_message(writer, channel, text);
  } else {
    resp::write_pattern_message(writer, pattern, channel, text);
  }
}

void EventHub::deliver(const Wrote& wrote) {
  const size_t watchers = watchers_.size();
  size_t bytes = 0, looks = 0;
  for (size_t i = 0; i < watchers && bytes < kMostBytesATurn && looks < kMostLooksATurn; ++i) {
    Connection& c = *watchers_[next_watcher_++ % watchers];
    const size_t before = c.out.size();
    looks += deliver_to(c, kMostLooksATurn - looks, wrote);
    bytes += c.out.size() - before;
  }
  left_ = bytes >= kMostBytesATurn || looks >= kMostLooksATurn;
  for (size_t i = 0; i < missed_.size();) {
    Connection& c = *missed_[i];
    if (behind(c)) {
      ++i;
      continue;
    }
    Watching& w = *c.watching;
    std::string text;
    resp::append_gap_json(text, w.missed_after, {}, incarnation_);
    write_message(c, w.missed_pattern, w.missed_channel, text);
    w.missed_channel.clear();
    missed_[i] = missed_.back();
    missed_.pop_back();
    wrote(c, true);
  }
}

size_t EventHub::deliver_to(Connection& c, size_t most, const Wrote& wrote) {
  Watching& w = *c.watching;
  if (c.gone || c.closing || behind(c)) return 0;
  auto writer = c.writer();
  if (w.next_position < ring_.begin()) {
    w.next_position = ring_.begin();
    w.has_gap = true;
  }
  if (w.has_gap) {
    const bool any = ring_.begin() < ring_.end();
    resp::write_gap_push(writer, w.gap_after, any ? ring_.at(ring_.begin()).revision : base::Revision{}, incarnation_);
    w.has_gap = false;
    wrote(c, true);
  }
  bool written = false;
  size_t looks = 0;
  for (; looks < most && w.next_position < ring_.end() && !behind(c); ++w.next_position, ++looks) {
    const lock::Event e = ring_.at(w.next_position);
    w.gap_after = e.revision;
    if (!e.name.starts_with(w.prefix)) continue;
    resp::write_event_push(writer, e, incarnation_);
    written = true;
  }
  if (written) wrote(c, false);
  return looks;
}

}  // namespace cleat::server
