// Makes a failing plan short: steps, then runs, then ops, then the options of ops (delta debugging, Zeller and
// Hildebrandt 2002).
#pragma once

#include <functional>

#include "plan.hpp"

namespace cleat::auditor {
// `fails` says whether a plan still fails. Gives a plan that fails and from which no single piece can be taken.
Plan shrink(Plan, const std::function<bool(const Plan&)>& fails);
}  // namespace cleat::auditor
