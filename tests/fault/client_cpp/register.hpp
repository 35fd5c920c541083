// The register that the locks of the campaign guard (tests/fault/register.py), as its clients see it.
#pragma once

#include <optional>
#include <string>

#include "client/socket.hpp"

namespace cleat::campaign {

// One thread's connection.
class Register {
 public:
  // HOST:PORT, the host an IPv4 address.
  explicit Register(std::string address) : address_(std::move(address)) {}

  // Its answer, a line; none where it is not known whether it was done.
  std::optional<std::string> ask(const std::string& request);

 private:
  bool connect();
  std::optional<std::string> exchange(const std::string& line);

  const std::string address_;
  client::Fd socket_;
};

}  // namespace cleat::campaign
