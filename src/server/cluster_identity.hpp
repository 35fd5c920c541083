// Who a data directory is: the files that say so. `nonce` is made at the first start, before anything is said to
// anybody; `cluster` when the directory becomes a member of a group; `boots` is what it saw of the others. All are
// written aside, synced and renamed, so a power cut leaves the old state or the new one. docs/formats.md has their
// bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "net/peer_hello.hpp"
#include "replica/members.hpp"
#include "storage/file_system.hpp"

namespace cleat::server {

using FoundingNonce = std::array<uint8_t, 16>;

struct ClusterIdentity {
  net::ClusterId cluster{};
  uint32_t incarnation = 1;  // one more after each restore
  uint32_t member = 0;       // this directory's
  std::string name;
  // Founders: the founding list, ids 1..n by name. A member that joined later: whom it was told of then; it reaches the
  // group through them until it has the group's own table.
  std::vector<replica::Member> members;
  std::vector<FoundingNonce> nonces;  // of the founders, in their order; empty for a member that joined later

  bool founder() const { return !nonces.empty(); }
  bool operator==(const ClusterIdentity&) const = default;
};

std::string encode(const ClusterIdentity&);
// `path` is for messages. kCorrupt: damaged. kInvalid: of another version.
base::Result<ClusterIdentity> decode_cluster_identity(std::string_view bytes, const std::string& path);

// None: the directory is no member yet (or is not there).
base::Result<std::optional<ClusterIdentity>> load_identity(storage::FileSystem&, const std::string& dir);
base::Status store_identity(storage::FileSystem&, const std::string& dir, const ClusterIdentity&);

// The directory's nonce; the first time `fresh` becomes it, and is on disk when this returns.
base::Result<FoundingNonce> load_or_make_nonce(storage::FileSystem&, const std::string& dir,
                                               const FoundingNonce& fresh);

// How often each other member was started, as far as was seen (engine.md rule 11): one that comes back with less has an
// older disk. None there yet: empty.
using SeenBoots = std::map<uint32_t, uint32_t>;
base::Result<SeenBoots> load_boots(storage::FileSystem&, const std::string& dir);
base::Status store_boots(storage::FileSystem&, const std::string& dir, const SeenBoots&);

// "1f2e3d4c5b6a79880123456789abcdef"
std::string cluster_text(const net::ClusterId&);
inline bool is_none(const net::ClusterId& id) {
  return id == net::ClusterId{};
}

}  // namespace cleat::server
