#include "server/cluster_messages.hpp"

namespace cleat::server {
namespace {
constexpr char kStatement = 'S', kWelcome = 'W', kNotice = 'N';
}

std::string encode_message(const ClusterMessage& message) {
  if (const auto* statement = std::get_if<Statement>(&message)) return kStatement + encode(*statement);
  if (const auto* welcome = std::get_if<Welcome>(&message)) return kWelcome + encode(welcome->identity);
  return kNotice + std::get<Notice>(message).text;
}

base::Result<ClusterMessage> decode_message(std::string_view bytes) {
  const char kind = bytes.empty() ? '\0' : bytes[0];
  const std::string_view rest = bytes.substr(bytes.empty() ? 0 : 1);
  if (kind == kStatement) {
    auto statement = decode_statement(rest);
    if (!statement.ok()) return statement.status();
    return ClusterMessage(*std::move(statement));
  }
  if (kind == kWelcome) {
    auto identity = decode_cluster_identity(rest, "a welcome");
    if (!identity.ok()) return identity.status();
    return ClusterMessage(Welcome{*std::move(identity)});
  }
  if (kind == kNotice) return ClusterMessage(Notice{std::string(rest.substr(0, 1'000))});
  return base::Status(base::Code::kInvalid, "a message of another version of cleat");
}

}  // namespace cleat::server
