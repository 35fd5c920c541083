// A folder in /tmp that goes with what it holds.
#pragma once

#include <string>

namespace cleat::tests {

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name);  // the beginning of its name; throws std::runtime_error
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace cleat::tests
