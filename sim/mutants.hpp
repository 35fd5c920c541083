// The broken variants: each must be caught by a checker within the seeds given.
#pragma once

#include <cstdint>
#include <string>

namespace cleat::sim {

int hunt_mutants(uint64_t seeds, int64_t ops, const std::string& only);  // exit status: 1 when one survives
void choose_mutant(const std::string& name);

}  // namespace cleat::sim
