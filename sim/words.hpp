// A run told so that a person can follow it.
#pragma once

#include <string>

#include "wire.hpp"

namespace cleat::sim {

std::string in_words(const Request&);
std::string in_words(const Reply&);

}  // namespace cleat::sim
