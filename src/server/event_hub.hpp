// Who hears of changes: EVENTS watchers (RESP3, by prefix, resumable out of the ring) and subscribers of cleat:<name>
// (messages of one line of JSON, by channel or pattern). A reader that is too slow gets one gap in place of what it
// missed; nobody else notices.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lock/outcome.hpp"
#include "resp/request.hpp"
#include "server/connection.hpp"
#include "server/event_ring.hpp"
#include "server/settings.hpp"

namespace cleat::server {

class EventHub {
 public:
  // Told each connection that got something into its output.
  using Wrote = std::function<void(Connection&, bool gap)>;

  // event_buffer, and event_pause_bytes, which may change: `config` is kept.
  explicit EventHub(const Config& config) : config_(config), ring_(static_cast<size_t>(config.event_buffer)) {}

  EventRing& ring() { return ring_; }
  // Of the cluster: told with each event, since a restore begins a new one.
  void set_incarnation(uint64_t incarnation) { incarnation_ = incarnation; }
  uint64_t incarnation() const { return incarnation_; }
  bool anyone() const { return !watchers_.empty() || !by_channel_.empty() || !by_pattern_.empty(); }

  void watch(Connection&, std::string_view prefix, base::Revision from);
  void unwatch(Connection&);
  // One confirmation each. False: `limit`, subscriptions of one connection, is reached.
  bool subscribe(Connection&, bool pattern, resp::Words channels, size_t limit);
  void unsubscribe(Connection&, bool pattern, resp::Words channels);
  void forget(Connection&);  // its end, or RESET: no confirmations

  // The events up to this revision were not told to this member: each watcher gets a gap.
  void restart_after(base::Revision);
  // A new event: into the ring, and to subscribers.
  void add(const lock::Event&, const Wrote&);
  // To watchers, as far as their output has room; also tells subscribers that had to miss something of it. So much at
  // once that nobody else waits long: when that was not all, left() is true and the rest is for the next turn.
  void deliver(const Wrote&);
  bool left() const { return left_ && !watchers_.empty(); }

 private:
  void send_message(Connection&, std::string_view pattern, const lock::Event&, const Wrote&);
  static void write_message(Connection&, std::string_view pattern, std::string_view channel, std::string_view text);
  // Looks at `most` events of the ring at most; tells at how many it did.
  size_t deliver_to(Connection&, size_t most, const Wrote&);
  void erase_channel(const std::string& channel, Connection&);
  static Watching& watching(Connection&);

  // Events of a connection that has not read so much are kept back.
  bool behind(const Connection& c) const { return c.unsent() > static_cast<size_t>(config_.event_pause_bytes); }

  const Config& config_;
  EventRing ring_;
  std::vector<Connection*> watchers_, by_pattern_, missed_;
  size_t next_watcher_ = 0;  // to be delivered to first
  bool left_ = false;
  std::unordered_map<std::string, std::vector<Connection*>> by_channel_;
  std::string channel_, json_;  // of the event under way
  uint64_t incarnation_ = 1;
};

}  // namespace cleat::server
