// The name table, and who holds or waits at a name.
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {
namespace {

constexpr Handle kWaiterBit = 1u << 31;
// From this many holders and waiters on a name keeps indexes; below, a walk over its list is cheaper.
constexpr uint32_t kCrowded = 16;

uint32_t identity_hash(const Identity& id) {
  return static_cast<uint32_t>(mix(hash_bytes(id.who) ^ mix(id.session)));
}
uint32_t fence_hash(base::Fence f) {
  return static_cast<uint32_t>(mix(f.value));
}

}  // namespace

Handle Core::find_name(std::string_view name) const {
  const uint64_t hash = hash_bytes(name);
  return name_tables[name_bucket(hash)].find(static_cast<uint32_t>(hash),
                                             [&](Handle h) { return names[h].name.view() == name; });
}

Handle Core::make_name(std::string_view name) {
  const uint64_t hash = hash_bytes(name);
  const Handle h = names.take();
  names[h].name = Blob(name);
  names[h].bucket = static_cast<uint16_t>(name_bucket(hash));
  names[h].aside = snapshot_number;
  name_tables[name_bucket(hash)].insert(static_cast<uint32_t>(hash), h);
  touch_name(h);
  return h;
}

NameExtra& Core::extra_of(NameRecord& n) {
  if (!n.extra) {
    n.extra = extras.take();
    if (n.first_hold) {  // without extra there is at most one
      extras[n.extra].holders = 1;
      extras[n.extra].held[static_cast<int>(holds[n.first_hold].mode)] = 1;
      extras[n.extra].last_hold = n.first_hold;
    }
  }
  return extras[n.extra];
}

void Core::settle_all() {
  for (const Handle name : unsettled) {
    names[name].unsettled = false;
    settle(name);
  }
  unsettled.clear();
}

void Core::settle(Handle name) {
  NameRecord& n = names[name];
  const NameExtra* x = extra(n);
  const bool active = n.first_hold || (x && (x->waiters || x->ghosts));
  active_names += active;
  active_names -= n.active;
  n.active = active;
  if (x && !x->waiters && !x->ghosts && !x->history && x->holders <= 1) {
    extras.give(n.extra);
    n.extra = 0;
  }
  if (active || n.extra) return;
  const uint64_t hash = hash_bytes(n.name.view());
  name_tables[n.bucket].erase(static_cast<uint32_t>(hash), name);
  names.give(name);
}

void Core::link_hold(Handle hold) {
  HoldRecord& h = holds[hold];
  NameRecord& n = names[h.name];
  if (n.first_hold) extra_of(n);
  h.name_prev = last_hold(n);
  (h.name_prev ? holds[h.name_prev].name_next : n.first_hold) = hold;
  if (n.extra) {
    NameExtra& x = extras[n.extra];
    x.last_hold = hold;
    ++x.holders;
    ++x.held[static_cast<int>(h.mode)];
    if (x.indexes) {
      x.indexes->by_identity.insert(identity_hash(identity(h)), hold);
      x.indexes->by_fence.insert(fence_hash(h.fence), hold);
    } else {
      index_all(n, x);
    }
  }
  if (!h.session) return;
  SessionRecord& s = sessions[h.session];
  h.session_prev = s.last_hold;
  (s.last_hold ? holds[s.last_hold].session_next : s.first_hold) = hold;
  s.last_hold = hold;
  ++s.holds;
}

void Core::unlink_hold(Handle hold) {
  HoldRecord& h = holds[hold];
  NameRecord& n = names[h.name];
  (h.name_prev ? holds[h.name_prev].name_next : n.first_hold) = h.name_next;
  if (h.name_next) holds[h.name_next].name_prev = h.name_prev;
  if (n.extra) {
    NameExtra& x = extras[n.extra];
    if (!h.name_next) x.last_hold = h.name_prev;
    --x.holders;
    --x.held[static_cast<int>(h.mode)];
    if (x.indexes) {
      x.indexes->by_identity.erase(identity_hash(identity(h)), hold);
      x.indexes->by_fence.erase(fence_hash(h.fence), hold);
      if (x.holders + x.waiters == 0) x.indexes.reset();
    }
  }
  if (!h.session) return;
  SessionRecord& s = sessions[h.session];
  (h.session_prev ? holds[h.session_prev].session_next : s.first_hold) = h.session_next;
  (h.session_next ? holds[h.session_next].session_prev : s.last_hold) = h.session_prev;
  --s.holds;
}

bool Core::is_identity(Handle tagged, const Identity& id) const {
  const Identity other = tagged & kWaiterBit ? identity(waiters[tagged & ~kWaiterBit]) : identity(holds[tagged]);
  return other.session == id.session && other.who == id.who;
}

// Builds the indexes once the name is crowded; they live until nobody holds or waits there.
void Core::index_all(NameRecord& n, NameExtra& x) {
  if (x.indexes || x.holders + x.waiters < kCrowded) return;
  x.indexes = std::make_unique<NameIndexes>();
  for (Handle h = n.first_hold; h; h = holds[h].name_next) {
    x.indexes->by_identity.insert(identity_hash(identity(holds[h])), h);
    x.indexes->by_fence.insert(fence_hash(holds[h].fence), h);
  }
  auto add = [&](Handle w) {
    x.indexes->by_identity.insert(identity_hash(identity(waiters[w])), w | kWaiterBit);
    return true;
  };
  queue.walk(x.queue, 0, add);
}

Handle Core::find_hold(const NameRecord& n, const Identity& id) const {
  const NameExtra* x = extra(n);
  if (x && x->indexes)
    return x->indexes->by_identity.find(identity_hash(id),
                                        [&](Handle t) { return !(t & kWaiterBit) && is_identity(t, id); });
  for (Handle h = n.first_hold; h; h = holds[h].name_next)
    if (is_identity(h, id)) return h;
  return 0;
}

Handle Core::find_fence(const NameRecord& n, base::Fence fence) const {
  const NameExtra* x = extra(n);
  if (x && x->indexes && base::mutant("crowd_hides_fences")) return 0;
  if (x && x->indexes)
    return x->indexes->by_fence.find(fence_hash(fence), [&](Handle h) { return holds[h].fence == fence; });
  for (Handle h = n.first_hold; h; h = holds[h].name_next)
    if (holds[h].fence == fence) return h;
  return 0;
}

void Core::waiters_of(const NameRecord& n, const Identity& id, std::vector<Handle>& out) const {
  const NameExtra* x = extra(n);
  if (!x || !x->waiters) return;
  if (x->indexes && base::mutant("crowd_hides_waiters")) return;
  if (x->indexes) {
    x->indexes->by_identity.find(identity_hash(id), [&](Handle t) {
      if ((t & kWaiterBit) && is_identity(t, id)) out.push_back(t & ~kWaiterBit);
      return false;
    });
  } else {
    auto add = [&](Handle w) {
      if (is_identity(w | kWaiterBit, id)) out.push_back(w);
      return true;
    };
    queue.walk(x->queue, 0, add);
  }
  std::sort(out.begin(), out.end(), [&](Handle a, Handle b) { return waiters[a].arrival < waiters[b].arrival; });
}

void Core::enqueue(Handle waiter) {
  WaiterRecord& w = waiters[waiter];
  NameRecord& n = names[w.name];
  NameExtra& x = extra_of(n);
  queue.insert(x.queue, waiter);
  ++x.waiters;
  if (x.indexes)
    x.indexes->by_identity.insert(identity_hash(identity(w)), waiter | kWaiterBit);
  else
    index_all(n, x);
  if (!w.session) return;
  SessionRecord& s = sessions[w.session];
  w.session_prev = s.last_waiter;
  (s.last_waiter ? waiters[s.last_waiter].session_next : s.first_waiter) = waiter;
  s.last_waiter = waiter;
  ++s.waiters;
  if (w.req_result) return;
  w.connection_record = make_connection(w.connection);
  ConnectionRecord& c = connections[w.connection_record];
  w.connection_prev = c.last_waiter;
  (c.last_waiter ? waiters[c.last_waiter].connection_next : c.first_waiter) = waiter;
  c.last_waiter = waiter;
}

void Core::dequeue(Handle waiter) {
  WaiterRecord& w = waiters[waiter];
  NameExtra& x = extras[names[w.name].extra];
  queue.erase(x.queue, waiter);
  --x.waiters;
  if (x.indexes) {
    x.indexes->by_identity.erase(identity_hash(identity(w)), waiter | kWaiterBit);
    if (x.holders + x.waiters == 0) x.indexes.reset();
  }
  if (!w.session) return;
  SessionRecord& s = sessions[w.session];
  (w.session_prev ? waiters[w.session_prev].session_next : s.first_waiter) = w.session_next;
  (w.session_next ? waiters[w.session_next].session_prev : s.last_waiter) = w.session_prev;
  --s.waiters;
  if (!w.connection_record) return;
  ConnectionRecord& c = connections[w.connection_record];
  (w.connection_prev ? waiters[w.connection_prev].connection_next : c.first_waiter) = w.connection_next;
  (w.connection_next ? waiters[w.connection_next].connection_prev : c.last_waiter) = w.connection_prev;
  drop_connection_if_unused(w.connection_record);
  w.connection_record = 0;
}

}  // namespace cleat::lock
