#include "heritage.hpp"

#include <fmt/format.h>

#include "cluster.hpp"
#include "replica/image.hpp"
#include "server/founding.hpp"
#include "server/survivor.hpp"

namespace cleat::sim {
namespace {

constexpr int64_t kWallAtStartMs = 1'700'000'000'000;
constexpr const char* kBackup = "/backup";

// Fences of sessions end with them; a token's hold stays.
std::map<std::pair<std::string, uint64_t>, uint32_t> holds_of_tokens(const lock::Machine& m) {
  std::map<std::pair<std::string, uint64_t>, uint32_t> out;
  for (const lock::LockSummary& lock : m.locks("", lock::LockState::kHeld, {}, 10'000).locks)
    for (const lock::HoldView& h : m.show(lock.name, {.count = 10'000}).holders)
      if (!h.session) out[{lock.name, h.fence.value}] = h.depth;
  return out;
}

std::unique_ptr<lock::Machine> read(const std::string& backup, server::Origin* of) {
  storage::FakeFileSystem files;
  files.put(kBackup, backup);
  auto machine = std::make_unique<lock::Machine>();
  auto read = replica::read_backup(files, kBackup, *machine);
  if (!read.ok()) return nullptr;
  if (of != nullptr) {
    of->backup = read->id;
    of->cluster = read->head.cluster;
    of->incarnation = read->head.incarnation;
  }
  return machine;
}

// `next.origin` and `next.state` are those of the group that is over.
std::optional<Heritage> follow(Cluster& over, Heritage next) {
  if (!over.running()) return std::nullopt;  // what was wrong is told of the group that is over, and nothing follows
  const auto state = next.state();
  const int64_t wall_ms = kWallAtStartMs + over.world.now_us / 1000;
  const auto origin = server::next_incarnation(*state, next.origin.incarnation, wall_ms, 0);
  if (!origin.ok()) {
    over.world.fail("restore", "restore: " + origin.status().message());
    return std::nullopt;
  }
  next.origin.incarnation = origin->incarnation;
  next.origin.above = origin->above;
  next.now_us = over.world.now_us;
  next.fence = over.checks.machine().last_fence().value;
  next.revision = over.checks.machine().revision().value;
  next.session = over.checks.last_session();
  for (const auto& client : over.clients)
    if (const auto s = client->session(); s.id != 0) next.sessions.push_back(s);
  return next;
}

}  // namespace

std::optional<std::string> make_backup(Server& server, uint64_t index) {
  if (!server.up()) return std::nullopt;
  const replica::Status status = server.replica().status();
  if (status.snapshot_index < index) return std::nullopt;
  const auto file = server.replica().open_snapshot();
  if (!file.ok()) return std::nullopt;
  replica::BackupHead head;
  head.incarnation = server.incarnation();
  head.index = status.snapshot_index;
  head.member = fmt::format("m{}", server.member());
  head.version = "simulated";
  head.image_bytes = (*file)->size();
  std::string image(head.image_bytes, '\0');
  for (size_t at = 0; at < image.size();) {
    const auto n = (*file)->read_at(at, image.data() + at, image.size() - at);
    if (!n.ok() || *n == 0) return std::nullopt;
    at += *n;
  }
  return replica::encode(head) + image;
}

std::optional<Heritage> restored_from(Cluster& over, const std::string& backup) {
  Heritage next;
  if (!read(backup, &next.origin)) {
    over.world.fail("restore", "restore: a backup can't be read");
    return std::nullopt;
  }
  for (uint32_t id = 1; id <= static_cast<uint32_t>(over.plan.members); ++id)
    next.founders.push_back({id, fmt::format("m{}", id), fmt::format("host{}:1", id)});
  next.state = [backup] { return read(backup, nullptr); };
  return follow(over, std::move(next));
}

std::optional<Heritage> recovered_from(Cluster& over, Server& survivor) {
  auto left = survivor.remains();
  if (!left.ok()) {
    over.world.fail("recover", "recover: " + left.status().message());
    return std::nullopt;
  }
  over.world.cover(kLostUndecided, left->undecided > 0);
  over.group.survived(survivor.member(), left->index, left->undecided, *left->machine);
  Heritage next;
  next.origin.incarnation = survivor.incarnation();
  next.founders = {{1, "m1", "host1:1"}};
  if (!survivor.is_locked())
    over.world.fail("recover", "recover: a node could start on the directory that is being read");
  left->lock.reset();
  next.state = [&survivor] { return std::move((*survivor.remains()).machine); };
  return follow(over, std::move(next));
}

base::Status furnish(const Heritage& h, uint32_t member, storage::FileSystem& files, const std::string& dir) {
  server::ClusterIdentity identity;
  identity.incarnation = h.origin.incarnation;
  identity.member = member;
  identity.members = h.founders;
  identity.nonces.resize(h.founders.size());
  identity.restored = h.origin;
  return server::begin_image(files, dir, identity, *h.state());
}

std::unique_ptr<lock::Machine> first_state(storage::FileSystem& files, const std::string& dir) {
  const auto found = storage::list_snapshots(files, dir + "/snapshots");
  if (!found.ok() || found->size() != 1) return nullptr;
  auto reader = storage::SnapshotReader::open(files, found->front().path);
  if (!reader.ok()) return nullptr;
  auto machine = std::make_unique<lock::Machine>();
  return replica::read_image(**reader, found->front().path, *machine).ok() ? std::move(machine) : nullptr;
}

std::string compare(const lock::Machine& left, const lock::Machine& begun, const Heritage& h) {
  const lock::Totals t = begun.totals();
  if (t.sessions + t.implicit_sessions + t.waiters + t.req_results > 0)
    return fmt::format("{} sessions, {} waiters and {} REQ results outlive a new incarnation",
                       t.sessions + t.implicit_sessions, t.waiters, t.req_results);
  if (holds_of_tokens(left) != holds_of_tokens(begun)) return "the holds of tokens are others in a new incarnation";
  if (t.holds != holds_of_tokens(begun).size()) return "a session's hold outlives a new incarnation";
  if (begun.last_fence().value < h.fence)
    return fmt::format("fences go on after {}, but {} was given out", begun.last_fence().value, h.fence);
  if (begun.revision().value < h.revision)
    return fmt::format("revisions go on after {}, but {} was told", begun.revision().value, h.revision);
  return begun.check_invariants();
}

}  // namespace cleat::sim
