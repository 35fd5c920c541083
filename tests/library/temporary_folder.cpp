#include "temporary_folder.hpp"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

namespace cleat::tests {

TemporaryFolder::TemporaryFolder(const std::string& name) : path_("/tmp/" + name + "-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no folder " + path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace cleat::tests
