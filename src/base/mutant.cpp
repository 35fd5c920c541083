#include "base/mutant.hpp"

#ifdef CLEAT_MUTANTS
#include <cstring>

namespace cleat::base {
namespace {
const char* chosen = nullptr;  // set before any thread starts
}

bool mutant(const char* name) {
  return chosen != nullptr && std::strcmp(chosen, name) == 0;
}
void set_mutant(const char* name) {
  chosen = name;
}

}  // namespace cleat::base
#endif
