// The password of a node: read once from its file, compared without telling by time how much of it was right.
#pragma once

#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::server {

// First line of the file, without its line end. kInvalid: unreadable,
// empty, or open to others than owner and group; the line begins with `setting` and says what to do.
base::Result<std::string> read_password(const std::string& path, std::string_view setting = "password-file");

// The same for cluster-secret-file. Whoever records how two members meet can try secrets on it, so short ones are
// refused.
inline constexpr size_t kLeastSecret = 16;
base::Result<std::string> read_cluster_secret(const std::string& path);

// Takes as long for any two texts of their lengths.
bool same_secret(std::string_view given, std::string_view secret);

}  // namespace cleat::server
