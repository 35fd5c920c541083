// A new incarnation of the state: what a restore or a recovery makes of it, before anybody is served.
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {

// The queues first: what the sessions let go is granted to nobody of before.
void Core::begin_incarnation(const Incarnation& next) {
  NullSink nobody;
  sink = &nobody;
  wall_ms = std::max(wall_ms, next.wall_ms);
  if (!base::mutant("restored_fences_low")) last_fence.value = std::max(last_fence.value, next.above.value);
  revision.value = std::max(revision.value, next.numbers);
  last_session = std::max(last_session, next.numbers);
  end_queues();
  std::vector<Handle> ending;
  ending.reserve(session_order.size());
  for (const auto& [id, session] : session_order)
    if (!base::mutant("restored_sessions_stay")) ending.push_back(session);
  for (const Handle session : ending) {
    end_session(session, Why::kRestored, true);
    settle_all();
  }
  forget_connections();
  sink = nullptr;
}

void Core::end_queues() {
  std::vector<Handle> ending;
  const auto note = [&](Handle waiter) { return ending.push_back(waiter), true; };
  for (const HandleTable& table : name_tables) {
    table.each([&](Handle name) {
      if (const NameExtra* x = extra(names[name])) queue.walk(x->queue, 0, note);
    });
  }
  std::sort(ending.begin(), ending.end(), [&](Handle a, Handle b) { return waiters[a].arrival < waiters[b].arrival; });
  for (const Handle w : ending) {
    end_waiter(w, Result::kNotGranted, Why::kRestored, EventKind::kCancelled, Why::kRestored);
  }
  settle_all();
}

// Members count their connections and starts anew: an old connection's number would be that of a stranger.
void Core::forget_connections() {
  for (const HandleTable& table : name_tables) {
    table.each([&](Handle name) {
      for (Handle h = names[name].first_hold; h; h = holds[h].name_next) holds[h].connection = {};
      if (const NameExtra* x = extra(names[name])) {
        for (Handle g = x->first_ghost; g; g = ghosts[g].next) ghosts[g].connection = {};
      }
    });
  }
}

void Machine::begin_incarnation(const Incarnation& next) {
  CLEAT_CHECK(!state_->snapshot.running, "an incarnation begins before anything else is done with the state");
  state_->begin_incarnation(next);
}

}  // namespace cleat::lock
