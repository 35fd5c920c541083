#include "base/mutant.hpp"

#ifdef CLEAT_MUTANTS
#include <cstdlib>
#include <cstring>

namespace cleat::base {
namespace {
const char* chosen = std::getenv("CLEAT_MUTANT");  // so for test binaries; set before any thread starts
}

bool mutant(const char* name) {
  return chosen != nullptr && std::strcmp(chosen, name) == 0;
}
void set_mutant(const char* name) {
  chosen = name;
}

}  // namespace cleat::base
#endif
