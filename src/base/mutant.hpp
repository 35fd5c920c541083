// Broken variants of this code, which `make mutants` must catch. They exist only in a build with -DCLEAT_MUTANTS=ON,
// each behind its name and at most one switched on at a time; in every other build mutant() is constant false.
#pragma once

namespace cleat::base {

#ifdef CLEAT_MUTANTS
bool mutant(const char* name);
void set_mutant(const char* name);  // nullptr: none; `name` must stay valid
#else
constexpr bool mutant(const char*) {
  return false;
}
#endif

}  // namespace cleat::base
