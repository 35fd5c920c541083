#include "server/cluster_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace cleat::server {
namespace {

using base::Result;
using base::Status;

Status invalid(std::string line) {
  return {base::Code::kInvalid, std::move(line)};
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.push_back(part);
  }
  return out;
}

Status check_names(const Config& config, const ClusterSettings& out) {
  if (!out.founders.empty() && !out.join.empty()) {
    return invalid("join: --cluster founds a cluster and --join joins one that is there: give one of them");
  }
  if (!out.join.empty() && out.name.empty()) return invalid("join: give this node a name, too: --name NAME");
  if (!out.join.empty() && config.peer_listen.empty()) {
    return invalid(
        "join: say where the other members reach this node: --peer-listen HOST:PORT (the address that `cleat cluster "
        "add` is given)");
  }
  if (out.founders.empty()) return {};
  std::string names;
  for (const ListedMember& m : out.founders) names += (names.empty() ? "" : ", ") + m.name;
  if (out.name.empty()) return invalid(fmt::format("name: say which of {} this node is: --name NAME", names));
  const bool listed =
      std::any_of(out.founders.begin(), out.founders.end(), [&](const auto& m) { return m.name == out.name; });
  if (!listed) return invalid(fmt::format("name: {} is not in --cluster, which lists {}", out.name, names));
  return {};
}

Status read_peer_listen(const Config& config, ClusterSettings& out) {
  if (!config.peer_listen.empty()) {
    auto address = net::parse_address(config.peer_listen);
    if (!address.ok()) return invalid("peer-listen: " + address.status().message());
    out.peer_listen = *std::move(address);
    return {};
  }
  for (const ListedMember& m : out.founders) {
    if (m.name != out.name) continue;
    auto address = net::parse_address(m.address);
    if (!address.ok()) {
      return invalid(
          fmt::format("peer-listen: {} is known to the others by a name, {}: say where to listen, for all "
                      "interfaces --peer-listen 0.0.0.0:{}",
                      m.name, m.address, parse_member_address(m.address)->port));
    }
    out.peer_listen = *std::move(address);
  }
  return {};
}

Status check_secret(const Config& config, const ClusterSettings& out) {
  if (!config.cluster_secret_file.empty()) return {};
  std::string beyond;
  for (const ListedMember& m : out.founders) {
    if (!net::is_loopback(*parse_member_address(m.address))) beyond = m.address;
  }
  for (const net::Address& a : out.join) {
    if (!net::is_loopback(a)) beyond = a.text();
  }
  if (out.peer_listen && !net::is_loopback(*out.peer_listen)) beyond = out.peer_listen->text();
  if (beyond.empty()) return {};
  return invalid(
      fmt::format("cluster-secret-file: {} is not on this machine's loopback, so members must prove who they are: "
                  "give all of them the same secret with --cluster-secret-file FILE (make one: openssl rand -hex 32)",
                  beyond));
}

}  // namespace

std::string member_name_error(std::string_view name) {
  const bool fits =
      !name.empty() && name.size() <= kMostMemberName && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
      });
  return fits ? "" : "the name of a member has 1 to 64 letters, digits, '.', '_' and '-'";
}

Result<net::Address> parse_member_address(std::string_view text) {
  auto address = net::parse_address(text);
  if (!address.ok()) {
    const size_t colon = text.rfind(':');
    net::Address named;
    named.host = text.substr(0, colon);
    const bool is_name = colon != std::string_view::npos && !named.host.empty() && named.host.size() <= 253 &&
                         named.host.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             ".-_") == std::string::npos &&
                         named.host.find_first_not_of("0123456789.") != std::string::npos;
    if (!is_name) return address.status();
    const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), named.port);
    if (error != std::errc() || end != text.data() + text.size()) return address.status();
    address = named;
  }
  if (address->port == 0) {
    return invalid(fmt::format("\"{}\" has port 0: other members need to know the port", text));
  }
  return address;
}

Result<ListedMember> parse_listed_member(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return invalid(fmt::format("\"{}\" is not NAME=HOST:PORT", text));
  ListedMember out{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (const std::string wrong = member_name_error(out.name); !wrong.empty()) {
    return invalid(fmt::format("\"{}\": {}", out.name, wrong));
  }
  if (auto address = parse_member_address(out.address); !address.ok()) return address.status();
  return out;
}

Result<std::vector<ListedMember>> parse_founders(std::string_view text) {
  std::vector<ListedMember> list;
  for (const std::string_view part : split(text)) {
    auto member = parse_listed_member(part);
    if (!member.ok()) return member.status();
    for (const ListedMember& other : list) {
      if (other.name == member->name) return invalid(fmt::format("{} is listed twice", other.name));
      if (other.address == member->address) {
        return invalid(fmt::format("{} and {} have the same address, {}", other.name, member->name, other.address));
      }
    }
    list.push_back(*std::move(member));
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

Result<ClusterSettings> cluster_settings(const Config& config) {
  ClusterSettings out;
  out.name = config.name;
  if (!out.name.empty() && !member_name_error(out.name).empty()) {
    return invalid(fmt::format("name: \"{}\": {}", out.name, member_name_error(out.name)));
  }
  auto list = parse_founders(config.cluster);
  if (!list.ok()) return invalid("cluster: " + list.status().message());
  out.founders = *std::move(list);
  for (const std::string_view part : split(config.join)) {
    auto address = parse_member_address(part);
    if (!address.ok()) return invalid("join: " + address.status().message());
    out.join.push_back(*std::move(address));
  }
  if (Status s = check_names(config, out); !s.ok()) return s;
  if (Status s = read_peer_listen(config, out); !s.ok()) return s;
  if (Status s = check_secret(config, out); !s.ok()) return s;
  return out;
}

std::string cluster_warning(const ClusterSettings& settings) {
  const size_t n = settings.founders.size();
  if (n == 0 || n % 2 == 1) return {};
  return fmt::format(
      "{} members stand the loss of {}, as {} would: one more costs little and stands the loss of one more", n,
      (n - 1) / 2, n - 1);
}

}  // namespace cleat::server
