// Heads of backup files, as if their checksum were right, and the file that a restored directory waits with: read or
// refused, and what was read comes back the same from its own bytes.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.hpp"
#include "fuzzing.hpp"
#include "replica/backup.hpp"
#include "server/cluster_identity.hpp"

namespace {

using namespace cleat;

std::string sealed(std::string bytes) {
  base::Writer(bytes).fixed64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  size_t length = 0;
  (void)replica::decode_backup_head(bytes, "backup", length);
  std::string head = "CLEATBA1";
  base::Writer(head).fixed32(static_cast<uint32_t>(bytes.size()));
  head += bytes;
  if (const auto read = replica::decode_backup_head(sealed(head), "backup", length); read.ok()) {
    const auto again = replica::decode_backup_head(replica::encode(*read), "backup", length);
    MUST_HOLD(again.ok() && *again == *read);
  }
  const auto pending = server::decode_pending_restore(sealed("CLEATRE1" + std::string(bytes)), "restored");
  if (!pending.ok()) return 0;
  const auto again = server::decode_pending_restore(server::encode(*pending), "restored");
  MUST_HOLD(again.ok() && *again == *pending);
  return 0;
}
