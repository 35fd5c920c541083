// Private to src/raft: the C view that lies inside a Ready.
#pragma once

#include <new>

#include "raft/engine/cleat_engine.h"
#include "raft/ready.hpp"

namespace cleat::raft {

struct ReadyAccess {
  static ce_ready_view& place(Ready& r) {
    static_assert(sizeof(ce_ready_view) <= sizeof r.view_);
    return *new (r.view_) ce_ready_view{};
  }
  static const ce_ready_view& view(const Ready& r) {
    return *std::launder(reinterpret_cast<const ce_ready_view*>(r.view_));
  }
};

}  // namespace cleat::raft
