#include "server/password.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace cleat::server {

base::Result<std::string> read_password(const std::string& path, std::string_view setting) {
  const auto fail = [&](std::string_view what) {
    return base::Status(base::Code::kInvalid, fmt::format("{}: {} {}", setting, path, what));
  };
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fail(fmt::format("cannot be read: {}", std::strerror(errno)));
  if ((info.st_mode & S_IRWXO) != 0) {
    return fail(fmt::format("can be read or written by everybody: chmod 600 {}", path));
  }
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line) && !in.eof()) return fail(fmt::format("cannot be read: {}", std::strerror(errno)));
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return fail("is empty: write it into the first line");
  return line;
}

base::Result<std::string> read_cluster_secret(const std::string& path) {
  auto secret = read_password(path, "cluster-secret-file");
  if (!secret.ok() || secret->size() >= kLeastSecret) return secret;
  return base::Status(
      base::Code::kInvalid,
      fmt::format(
          "cluster-secret-file: {} holds a secret of {} characters, and one of at least {} is needed: (umask 077; "
          "openssl rand -hex 32 > {}), then copy it to every member",
          path, secret->size(), kLeastSecret, path));
}

bool same_secret(std::string_view given, std::string_view secret) {
  if (secret.empty()) return false;
  unsigned different = given.size() != secret.size();
  for (size_t i = 0; i < given.size(); ++i) {
    different |= static_cast<unsigned char>(given[i] ^ secret[i % secret.size()]);
  }
  return different == 0;
}

}  // namespace cleat::server
