// What a node without a place hears from others, and the files that say who a directory is: read or refused, and what
// was read comes back the same from its own bytes. A statement is also given to a node that founds: it never founds on
// the word of one.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.hpp"
#include "fuzzing.hpp"
#include "server/cluster_messages.hpp"

namespace {

using namespace cleat;

server::FoundingNonce nonce(uint8_t n) {
  server::FoundingNonce out;
  out.fill(n);
  return out;
}

void hear(const server::Statement& statement) {
  server::Founding founding("a", {{"a", "h:1"}, {"b", "h:2"}, {"c", "h:3"}}, nonce(1));
  founding.heard(statement);
  MUST_HOLD(founding.verdict().kind != server::FoundingVerdict::Kind::kFound);
  MUST_HOLD(!founding.verdict().text.empty());
}

void check(const server::ClusterMessage& message) {
  const auto again = server::decode_message(server::encode_message(message));
  MUST_HOLD(again.ok());
  if (const auto* statement = std::get_if<server::Statement>(&message)) {
    MUST_HOLD(std::get<server::Statement>(*again) == *statement);
    hear(*statement);
  } else if (const auto* welcome = std::get_if<server::Welcome>(&message)) {
    MUST_HOLD(std::get<server::Welcome>(*again).identity == welcome->identity);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  if (const auto message = server::decode_message(bytes); message.ok()) check(*message);
  std::string file = "CLEATCL1" + std::string(bytes);  // as if its checksum were right
  base::Writer(file).fixed64(XXH3_64bits(file.data(), file.size()));
  const auto identity = server::decode_cluster_identity(file, "cluster");
  if (!identity.ok()) return 0;
  const auto again = server::decode_cluster_identity(server::encode(*identity), "cluster");
  MUST_HOLD(again.ok() && *again == *identity);
  return 0;
}
