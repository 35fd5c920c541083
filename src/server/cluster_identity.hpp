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
#include "replica/backup.hpp"
#include "replica/members.hpp"
#include "storage/file_system.hpp"

namespace cleat::server {

using FoundingNonce = std::array<uint8_t, 16>;

// A state that was restored from a backup, as one member would begin with it, or as all did: then each number is the
// highest that one of them gave.
struct Origin {
  net::ClusterId cluster{};    // that was backed up, and goes on
  replica::BackupId backup{};  // the file
  uint32_t incarnation = 0;
  uint64_t above = 0;  // fences, session ids and revisions begin above it
  bool operator==(const Origin&) const = default;
};

struct ClusterIdentity {
  net::ClusterId cluster{};
  uint32_t incarnation = 1;  // higher after each restore
  uint32_t member = 0;       // this directory's
  std::string name;
  // Founders: the founding list, ids 1..n by name. A member that joined later: whom it was told of then; it reaches the
  // group through them until it has the group's own table.
  std::vector<replica::Member> members;
  std::vector<FoundingNonce> nonces;  // of the founders, in their order; empty for a member that joined later

  std::optional<Origin> restored;  // founders: the group did not begin empty

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

// The latest start of each other member that was seen: its number, and its id. A disk without that start is an older
// one (engine.md rule 11). None there yet: empty.
struct SeenStart {
  uint32_t boot = 0;
  uint64_t id = 0;  // 0: not known
  bool operator==(const SeenStart&) const = default;
};
using SeenBoots = std::map<uint32_t, SeenStart>;
base::Result<SeenBoots> load_boots(storage::FileSystem&, const std::string& dir);
base::Status store_boots(storage::FileSystem&, const std::string& dir, const SeenBoots&);

// A directory that waits to found a restored group, until it has: file `restored`, beside it the backup itself, file
// `backup`.
struct ListedMember {
  std::string name, address;
  bool operator==(const ListedMember&) const = default;
};
struct PendingRestore {
  Origin origin;
  std::string name;                // of this member
  std::vector<ListedMember> list;  // of all, by name
  bool operator==(const PendingRestore&) const = default;
};
std::string encode(const PendingRestore&);
base::Result<PendingRestore> decode_pending_restore(std::string_view bytes, const std::string& path);
base::Result<std::optional<PendingRestore>> load_pending_restore(storage::FileSystem&, const std::string& dir);
base::Status store_pending_restore(storage::FileSystem&, const std::string& dir, const PendingRestore&);

// "1f2e3d4c5b6a79880123456789abcdef"
std::string cluster_text(const net::ClusterId&);
inline bool is_none(const net::ClusterId& id) {
  return id == net::ClusterId{};
}

}  // namespace cleat::server
