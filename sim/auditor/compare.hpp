// Puts the machine's answers to queries beside the model's.
#pragma once

#include <string>

#include "lock/machine.hpp"
#include "model.hpp"

namespace cleat::auditor {

// The first difference in what one pair of applies said; empty: none.
std::string compare_said(const std::vector<Said>& machine, const std::vector<Said>& model);
// Cheap, after each entry: counters and the next due.
std::string compare_state(const lock::Machine&, const Model&);
// All queries over all names and sessions.
std::string compare_queries(const lock::Machine&, const Model&);

}  // namespace cleat::auditor
