// What is said over connections where one end has no place in a cluster yet: a kind, then its fields. docs/formats.md.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "server/founding.hpp"

namespace cleat::server {

// The leader takes a learner in: what it needs for its `cluster` file.
struct Welcome {
  ClusterIdentity identity;  // of the one that is welcomed
};
// Why a node is not taken in, for its operator.
struct Notice {
  std::string text;
};

using ClusterMessage = std::variant<Statement, Welcome, Notice>;

std::string encode_message(const ClusterMessage&);
base::Result<ClusterMessage> decode_message(std::string_view);

}  // namespace cleat::server
