#include "server/recover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "net/hmac.hpp"
#include "server/founding.hpp"
#include "server/survivor.hpp"

namespace cleat::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using storage::FileSystem;

// What is made lies in DIR/recovered until all of it is on disk. Then the old files go aside, each of these in its
// turn, and the new ones take their places. As long as DIR/recovered is there no node starts.
constexpr const char* kMade = "recovered";
constexpr const char* kReady = "ready";  // the last file of it
constexpr const char* kOldOnly[] = {"log", "bound", "boots", "restored", "backup"};
constexpr const char* kReplaced[] = {"snapshots", "nonce", "cluster"};

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Status move(FileSystem& files, const std::string& from, const std::string& to_dir, const std::string& name) {
  if (Status s = files.rename(from + "/" + name, to_dir + "/" + name); !s.ok()) return s;
  if (Status s = files.sync_dir(to_dir); !s.ok()) return s;
  return files.sync_dir(from);
}

std::string own_address(const ClusterIdentity& identity) {
  for (const replica::Member& m : identity.members) {
    if (m.id == identity.member) return m.address;
  }
  return {};
}

Status make(FileSystem& files, const std::string& dir, const ClusterIdentity& identity, lock::Machine& machine) {
  const std::string made = dir + "/" + kMade;
  std::error_code failed;
  std::filesystem::remove_all(made, failed);  // of an attempt that did not come to its end
  if (Status s = begin_image(files, made, identity, machine); !s.ok()) return s;
  if (auto nonce = load_or_make_nonce(files, made, identity.nonces[0]); !nonce.ok()) return nonce.status();
  if (Status s = store_identity(files, made, identity); !s.ok()) return s;
  auto ready = files.create(made + "/" + kReady);
  if (!ready.ok()) return ready.status();
  if (Status s = (*ready)->sync(); !s.ok()) return s;
  if (Status s = files.sync_dir(made); !s.ok()) return s;
  return files.sync_dir(dir);
}

Status put_in_place(FileSystem& files, const std::string& dir, const std::string& kept_in) {
  const std::string made = dir + "/" + kMade;
  if (Status s = files.make_dir(kept_in); !s.ok()) return s;
  for (const char* name : kOldOnly) {
    if (!is_there(dir + "/" + name)) continue;
    if (Status s = move(files, dir, kept_in, name); !s.ok()) return s;
  }
  for (const char* name : kReplaced) {
    if (!is_there(made + "/" + name)) continue;  // it was, before a crash
    if (is_there(dir + "/" + name)) {
      if (Status s = move(files, dir, kept_in, name); !s.ok()) return s;
    }
    if (Status s = move(files, made, dir, name); !s.ok()) return s;
  }
  std::error_code failed;
  std::filesystem::remove_all(made, failed);
  return failed ? Status(Code::kIo, "cannot remove " + made + ": " + failed.message()) : files.sync_dir(dir);
}

std::string kept_in(const std::string& dir, uint32_t incarnation) {
  return fmt::format("{}/before-incarnation-{}", dir, incarnation);
}

// What was made before a crash is whole: only its places are left to be taken.
Result<std::optional<Recovered>> go_on(FileSystem& files, const std::string& dir) {
  const std::string made = dir + "/" + kMade;
  // All is in its place, and only the end of the empty folder was cut off. Before that there would be the old log.
  std::error_code ignored;
  const bool left_empty = std::filesystem::is_empty(made, ignored) && !is_there(dir + "/log");
  if (!is_there(made + "/" + kReady) && !left_empty) return std::optional<Recovered>();
  auto identity = load_identity(files, is_there(made + "/cluster") ? made : dir);
  if (!identity.ok()) return identity.status();
  if (!*identity || !(*identity)->restored) return Status(Code::kCorrupt, made + " is not what it was: remove it");
  Recovered out;
  out.origin = *(*identity)->restored;
  out.name = (*identity)->name;
  out.address = own_address(**identity);
  out.fence = out.origin.above;
  out.kept_in = kept_in(dir, out.origin.incarnation);
  if (Status s = put_in_place(files, dir, out.kept_in); !s.ok()) return s;
  return std::optional<Recovered>(std::move(out));
}

}  // namespace

Status check_recovered(FileSystem&, const std::string& dir) {
  if (!is_there(dir + "/" + kMade)) return {};
  return {Code::kInvalid,
          fmt::format("{} was recovered half-way: say `cleat cluster recover --unsafe --data {}` again", dir, dir)};
}

Result<Recovered> recover(FileSystem& files, const std::string& dir, int64_t now_ms, uint64_t fence_above) {
  if (auto names = files.list(dir); !names.ok()) return names.status();
  auto before = go_on(files, dir);
  if (!before.ok()) return before.status();
  if (*before) return **std::move(before);
  auto survivor = load_survivor(files, dir);
  if (!survivor.ok()) return survivor.status();
  const ClusterIdentity& old = survivor->identity;
  auto origin = next_incarnation(*survivor->machine, old.incarnation, now_ms, fence_above);
  if (!origin.ok()) return origin.status();
  Recovered out;
  out.origin = *origin;
  out.origin.cluster = old.cluster;
  out.name = old.name;
  out.address = own_address(old);
  out.older_incarnation = old.incarnation;
  out.index = survivor->index;
  out.undecided = survivor->undecided;
  out.before = survivor->machine->totals();
  out.kept_in = kept_in(dir, out.origin.incarnation);
  FoundingNonce nonce;
  net::fill_random(nonce);
  ClusterIdentity identity = found_alone(old.name, out.address, nonce);
  identity.cluster = old.cluster;
  identity.incarnation = out.origin.incarnation;
  identity.restored = out.origin;
  if (Status s = make(files, dir, identity, *survivor->machine); !s.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(dir + "/" + kMade, ignored);
    return s;
  }
  out.after = survivor->machine->totals();
  out.fence = survivor->machine->last_fence().value;
  if (Status s = put_in_place(files, dir, out.kept_in); !s.ok()) return s;
  return out;
}

}  // namespace cleat::server
