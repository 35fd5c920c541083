#include "server/restore.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "net/hmac.hpp"
#include "replica/image.hpp"
#include "server/founding.hpp"

namespace cleat::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using storage::FileSystem;

constexpr int kFencesASecond = 20;  // bits
// A group begins with the state of entry 1 of term 1 (src/raft/engine/src/record.rs).
constexpr uint64_t kGroup = 1, kFirstIndex = 1, kFirstTerm = 1;

std::string backup_in(const std::string& dir) {
  return dir + "/backup";
}

Status check_empty(FileSystem& files, const std::string& dir) {
  auto names = files.list(dir);
  if (names.status().code() == Code::kNotFound) return {};
  if (!names.ok()) return names.status();
  std::erase(*names, "lost+found");
  if (names->empty()) return {};
  return {Code::kInvalid,
          fmt::format("{} is not empty (it has {}): a restore begins in an empty directory. Give another one, or stop "
                      "the node and move this one away: mv {} {}.old",
                      dir, names->front(), dir, dir)};
}

Status copy(FileSystem& files, const std::string& from, const std::string& dir) {
  constexpr size_t kPieceBytes = 1 << 20;
  auto source = files.open(from);
  if (!source.ok()) return source.status();
  const std::string to = backup_in(dir), aside = to + ".aside";
  auto target = files.create(aside);
  if (!target.ok()) return target.status();
  std::string piece(kPieceBytes, '\0');
  for (uint64_t at = 0; at < (*source)->size();) {
    const auto n = (*source)->read_at(at, piece.data(), piece.size());
    if (!n.ok()) return n.status();
    if (*n == 0) return {Code::kIo, from + " became shorter while it was read"};
    if (Status s = (*target)->append(std::string_view(piece).substr(0, *n)); !s.ok()) return s;
    at += *n;
  }
  if (Status s = (*target)->sync(); !s.ok()) return s;
  if (Status s = files.rename(aside, to); !s.ok()) return s;
  return files.sync_dir(dir);
}

Status fill(FileSystem& files, const RestoreRequest& asked, const Origin& origin) {
  FoundingNonce fresh;
  net::fill_random(fresh);
  if (Status s = files.make_dir(asked.dir); !s.ok()) return s;
  if (Status s = copy(files, asked.file, asked.dir); !s.ok()) return s;
  auto nonce = load_or_make_nonce(files, asked.dir, fresh);
  if (!nonce.ok()) return nonce.status();
  const std::vector<ListedMember> list = asked.list.empty() ? std::vector<ListedMember>{{asked.name, ""}} : asked.list;
  if (list.size() > 1) return store_pending_restore(files, asked.dir, {origin, asked.name, list});
  ClusterIdentity identity = found_alone(list[0].name, list[0].address, *nonce);
  identity.cluster = origin.cluster;
  identity.incarnation = origin.incarnation;
  identity.restored = origin;
  return finish_restore(files, asked.dir, identity);
}

// The directory was empty, or not there.
void undo(const std::string& dir, bool was_there) {
  std::error_code ignored;
  for (const char* name : {"backup", "backup.aside", "nonce", "nonce.aside", "restored", "restored.aside", "cluster",
                           "cluster.aside", "snapshots"}) {
    std::filesystem::remove_all(dir + "/" + name, ignored);
  }
  if (!was_there) std::filesystem::remove(dir, ignored);
}

}  // namespace

Result<Origin> next_incarnation(const lock::Machine& machine, uint32_t incarnation, int64_t now_ms,
                                uint64_t fence_above) {
  const uint64_t by_clock = static_cast<uint64_t>(std::max<int64_t>(now_ms, 0) / 1000) << kFencesASecond;
  constexpr const char* kGive =
      "Give a number above every fence that was ever seen: --fence-above N (what the fenced resources remember, the "
      "logs and the clients tell)";
  if (fence_above == 0 && now_ms < machine.wall_ms()) {
    return Status(Code::kInvalid,
                  fmt::format("this machine's clock is {} s behind the time of the state: set it, since fences are "
                              "numbered by it. {}",
                              (machine.wall_ms() - now_ms + 999) / 1000, kGive));
  }
  if (fence_above == 0 && by_clock <= machine.last_fence().value) {
    return Status(Code::kInvalid,
                  fmt::format("the fences of this state ({}) are above what this machine's clock gives ({}), so that "
                              "fences granted since then could come again. {}",
                              machine.last_fence().value, by_clock, kGive));
  }
  Origin out;
  out.above = std::min(std::max(by_clock, fence_above), kMostFenceAbove);
  const uint64_t steps = (out.above + (uint64_t{1} << kFencesASecond) - 1) >> kFencesASecond;
  out.incarnation = std::max(incarnation + 1, static_cast<uint32_t>(steps));
  return out;
}

Status begin_image(FileSystem& files, const std::string& dir, const ClusterIdentity& identity, lock::Machine& machine) {
  const Origin& origin = *identity.restored;
  machine.begin_incarnation({{origin.above}, origin.above, int64_t{origin.incarnation} * 1000});
  storage::SnapshotHeader header;
  header.group = kGroup;
  header.incarnation = origin.incarnation;
  header.index = kFirstIndex;
  header.term = kFirstTerm;
  header.members = replica::Members(identity.members).encode(replica::conf_state_of(identity.members));
  if (Status s = files.make_dir(dir); !s.ok()) return s;
  return replica::write_image(files, dir + "/snapshots", header, machine);
}

Status finish_restore(FileSystem& files, const std::string& dir, const ClusterIdentity& identity) {
  auto machine = std::make_unique<lock::Machine>();
  auto backup = replica::read_backup(files, backup_in(dir), *machine);
  if (!backup.ok()) return backup.status();
  if (backup->id != identity.restored->backup) {
    return Status(Code::kCorrupt, backup_in(dir) +
                                      " is another file than was restored: empty the directory and "
                                      "restore again");
  }
  if (Status s = begin_image(files, dir, identity, *machine); !s.ok()) return s;
  if (Status s = store_identity(files, dir, identity); !s.ok()) return s;
  forget_restore(files, dir);
  return {};
}

// What can't be removed now is removed at the next start.
void forget_restore(FileSystem& files, const std::string& dir) {
  (void)files.remove(backup_in(dir));
  (void)files.remove(dir + "/restored");
  (void)files.sync_dir(dir);
}

Result<Restored> restore(FileSystem& files, const RestoreRequest& asked) {
  if (Status s = check_empty(files, asked.dir); !s.ok()) return s;
  Restored out;
  const auto machine = std::make_unique<lock::Machine>();
  auto backup = replica::read_backup(files, asked.file, *machine);
  if (!backup.ok()) return backup.status();
  out.backup = *std::move(backup);
  auto origin = next_incarnation(*machine, out.backup.head.incarnation, asked.now_ms, asked.fence_above);
  if (!origin.ok()) return origin.status();
  out.origin = *origin;
  out.origin.cluster = out.backup.head.cluster;
  out.origin.backup = out.backup.id;
  out.before = machine->totals();
  const bool was_there = files.list(asked.dir).ok();
  if (Status s = fill(files, asked, out.origin); !s.ok()) {
    undo(asked.dir, was_there);
    return s;
  }
  // Only to tell of it: each member makes its own.
  machine->begin_incarnation({{out.origin.above}, out.origin.above, asked.now_ms});
  out.after = machine->totals();
  out.fence = machine->last_fence().value;
  out.waits = asked.list.size() > 1;
  return out;
}

}  // namespace cleat::server
