#include "lock/queue.hpp"

#include "lock/hash.hpp"

namespace cleat::lock {

void Queue::update(Handle t) {
  WaiterRecord& w = pool_[t];
  w.below = 1;
  w.modes = static_cast<uint8_t>(1u << static_cast<int>(w.mode));
  for (const Handle child : {w.left, w.right})
    if (child) {
      w.below += pool_[child].below;
      w.modes |= pool_[child].modes;
    }
}

void Queue::split(Handle t, const WaiterRecord& at, Handle& left, Handle& right) {
  if (!t) {
    left = right = 0;
  } else if (before(pool_[t], at)) {
    split(pool_[t].right, at, pool_[t].right, right);
    left = t;
    update(t);
  } else {
    split(pool_[t].left, at, left, pool_[t].left);
    right = t;
    update(t);
  }
}

Handle Queue::merge(Handle a, Handle b) {
  if (!a || !b) return a ? a : b;
  if (mix(pool_[a].arrival) > mix(pool_[b].arrival)) {
    pool_[a].right = merge(pool_[a].right, b);
    update(a);
    return a;
  }
  pool_[b].left = merge(a, pool_[b].left);
  update(b);
  return b;
}

void Queue::insert(Handle& root, Handle waiter) {
  if (!root || mix(pool_[waiter].arrival) > mix(pool_[root].arrival)) {
    Handle left = 0, right = 0;
    split(root, pool_[waiter], left, right);
    pool_[waiter].left = left;
    pool_[waiter].right = right;
    root = waiter;
  } else {
    insert(before(pool_[waiter], pool_[root]) ? pool_[root].left : pool_[root].right, waiter);
  }
  update(root);
}

void Queue::erase(Handle& root, Handle waiter) {
  CLEAT_CHECK(root != 0, "a waiter that its queue does not hold");
  if (root == waiter) {
    root = merge(pool_[waiter].left, pool_[waiter].right);
    pool_[waiter].left = pool_[waiter].right = 0;
    return;
  }
  erase(before(pool_[waiter], pool_[root]) ? pool_[root].left : pool_[root].right, waiter);
  update(root);
}

Handle Queue::first_of(Handle root, uint8_t modes) const {
  if (!root || (pool_[root].modes & modes) == 0) return 0;
  for (Handle t = root;;) {
    const WaiterRecord& w = pool_[t];
    if (w.left && (pool_[w.left].modes & modes)) {
      t = w.left;
    } else if (modes >> static_cast<int>(w.mode) & 1) {
      return t;
    } else {
      t = w.right;
    }
  }
}

}  // namespace cleat::lock
