// The settings about members, read together: name, cluster, join, peer-listen, cluster-secret-file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "net/address.hpp"
#include "server/founding.hpp"
#include "server/settings.hpp"

namespace cleat::server {

inline constexpr std::string_view kLoneName = "node";  // of a node that was given no name
inline constexpr size_t kMostMemberName = 64;

struct ClusterSettings {
  std::string name;                         // empty: not given
  std::vector<ListedMember> founders;       // --cluster, by name; empty: not given
  std::vector<net::Address> join;           // --join; empty: not given
  std::optional<net::Address> peer_listen;  // given, or the own entry of --cluster; none: no port for members
};

// kInvalid: one line that begins with the setting and says what to do.
base::Result<ClusterSettings> cluster_settings(const Config&);
// What is allowed but unwise, for the log; empty: nothing.
std::string cluster_warning(const ClusterSettings&);

// 1 to 64 letters, digits, '.', '_' and '-'. Empty: it is fine; else what is wrong with it.
std::string member_name_error(std::string_view name);
// Where members reach one another: as net::parse_address(), or a host's name with a port from 1 to 65535.
base::Result<net::Address> parse_member_address(std::string_view);
// "a=HOST:PORT" of a command or a list; kInvalid without a place in front.
base::Result<ListedMember> parse_listed_member(std::string_view);
// "a=HOST:PORT,b=HOST:PORT", by name.
base::Result<std::vector<ListedMember>> parse_founders(std::string_view);

}  // namespace cleat::server
