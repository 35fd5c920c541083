#include "shrink.hpp"

#include <algorithm>

namespace cleat::auditor {

namespace {

using Fails = std::function<bool(const Plan&)>;

bool drop_steps(Plan& plan, const Fails& fails) {
  bool changed = false;
  for (size_t chunk = std::max<size_t>(1, plan.steps.size() / 2); chunk >= 1; chunk /= 2) {
    for (size_t at = 0; at < plan.steps.size();) {
      Plan less = plan;
      const auto from = less.steps.begin() + static_cast<ptrdiff_t>(at);
      less.steps.erase(from, from + static_cast<ptrdiff_t>(std::min(chunk, less.steps.size() - at)));
      if (fails(less)) {
        plan = std::move(less);
        changed = true;
      } else {
        at += chunk;
      }
    }
    if (chunk == 1) break;
  }
  return changed;
}

bool try_each(Plan& plan, const Fails& fails, const std::function<bool(Plan&, size_t step)>& make_less) {
  bool changed = false;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    Plan less = plan;
    if (make_less(less, i) && fails(less)) plan = std::move(less), changed = true;
  }
  return changed;
}

bool drop_runs_and_ops(Plan& plan, const Fails& fails) {
  bool changed = try_each(plan, fails, [](Plan& p, size_t i) { return std::exchange(p.steps[i].restore, false); });
  for (size_t nth = 0; nth < 4; ++nth) {
    changed |= try_each(plan, fails, [&](Plan& p, size_t i) {
      auto& runs = p.steps[i].runs;
      if (nth >= runs.size()) return false;
      runs.erase(runs.begin() + static_cast<ptrdiff_t>(nth));
      return true;
    });
    for (size_t op = 0; op < 4; ++op) {
      changed |= try_each(plan, fails, [&](Plan& p, size_t i) {
        auto& runs = p.steps[i].runs;
        if (nth >= runs.size() || op >= runs[nth].ops.size()) return false;
        runs[nth].ops.erase(runs[nth].ops.begin() + static_cast<ptrdiff_t>(op));
        return true;
      });
    }
  }
  return changed;
}

// Options back to their defaults, one at a time.
bool simplify(Plan& plan, const Fails& fails) {
  const std::function<void(Op&)> kSimpler[] = {
      [](Op& o) { o.again = false; },
      [](Op& o) { o.aim = false; },
      [](Op& o) { o.priority = 0; },
      [](Op& o) { o.no_reentry = false; },
      [](Op& o) { o.async = false; },
      [](Op& o) { o.data = std::min<uint8_t>(o.data, o.verb == lock::Verb::kPut ? 1 : 0); },
      [](Op& o) { o.max_hold_ms = 0; },
      [](Op& o) { o.delay_ms = 0; },
      [](Op& o) { o.ttl_ms = o.token != 0 ? o.ttl_ms : 0; },
      [](Op& o) { o.req = 0, o.async = false; },
      [](Op& o) { o.owner = 0; },
      [](Op& o) { o.fence = FencePick::kNone; },
      [](Op& o) { o.takeover = false; },
      [](Op& o) { o.mode = lock::Mode::kExclusive; },
      [](Op& o) { o.name = 0; },
  };
  bool changed = try_each(plan, fails, [](Plan& p, size_t i) {
    return p.steps[i].jump == Jump::kBy && std::exchange(p.steps[i].ms, 0) != 0;
  });
  for (const auto& simpler : kSimpler) {
    changed |= try_each(plan, fails, [&](Plan& p, size_t i) {
      bool any = false;
      for (auto& run : p.steps[i].runs) {
        for (auto& op : run.ops) {
          const Op before = op;
          if (op.verb != lock::Verb::kCancel && op.verb != lock::Verb::kRenew) simpler(op);
          any |= !(op == before);
        }
      }
      return any;
    });
  }
  return changed;
}

}  // namespace

Plan shrink(Plan plan, const std::function<bool(const Plan&)>& fails) {
  Plan calm = plan;
  calm.settings = {};
  if (fails(calm)) plan = calm;
  for (int round = 0; round < 8; ++round) {
    bool changed = drop_steps(plan, fails);
    changed |= drop_runs_and_ops(plan, fails);
    changed |= simplify(plan, fails);
    if (!changed) break;
  }
  return plan;
}

}  // namespace cleat::auditor
