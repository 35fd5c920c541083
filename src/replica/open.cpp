// Start and end of a replica: data directory, snapshot, log.
#include <algorithm>

#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {
namespace {
constexpr std::string_view kFormat = "cleat data 1\n";
}

base::Result<std::unique_ptr<Replica>> Replica::open(const Options& options, Clock& clock, Listener& listener) {
  auto pump = std::make_unique<Pump>(options, clock, listener);
  if (base::Status s = pump->start(); !s.ok()) return s;
  return std::unique_ptr<Replica>(std::move(pump));
}

base::Status Pump::start() {
  if (base::Status s = check_format(); !s.ok()) return s;
  if (base::Status s = restore(); !s.ok()) return s;
  if (base::Status s = open_group(); !s.ok()) return s;
  if (base::Status s = write_format(); !s.ok()) return s;
  snapshots_.clean(loaded_ ? loaded_->index : 0);
  now_us_ = clock_.mono_us();
  ticked_us_ = now_us_;
  space_checked_us_ = INT64_MIN / 2;
  check_space();
  drive();
  if (!unfit_.empty()) return {base::Code::kInvalid, options_.dir + ": " + unfit_};
  return {};
}

// A directory says in a file of its own what it is, so that an older build refuses it in plain words.
base::Status Pump::check_format() {
  auto file = files_.open(options_.dir + "/format");
  if (file.status().code() == base::Code::kNotFound) return {};
  if (!file.ok()) return file.status();
  char text[64];
  auto n = (*file)->read_at(0, text, sizeof text);
  if (!n.ok()) return n.status();
  if (std::string_view(text, *n) == kFormat) return {};
  return {base::Code::kInvalid, options_.dir + "/format does not say '" +
                                    std::string(kFormat.substr(0, kFormat.size() - 1)) +
                                    "': the directory was written by another version of cleat; start that one"};
}

base::Status Pump::write_format() {
  const std::string path = options_.dir + "/format";
  if (files_.open(path).ok()) return {};
  auto file = files_.create(path + ".aside");
  if (!file.ok()) return file.status();
  if (base::Status s = (*file)->append(kFormat); !s.ok()) return s;
  if (base::Status s = (*file)->sync(); !s.ok()) return s;
  if (base::Status s = files_.rename(path + ".aside", path); !s.ok()) return s;
  return files_.sync_dir(options_.dir);
}

base::Status Pump::restore() {
  auto loaded = snapshots_.load(*machine_);
  if (!loaded.ok()) return loaded.status();
  if (!*loaded && options_.began_restored)
    return {base::Code::kCorrupt, options_.dir +
                                      "/snapshots is empty, but this directory began with a restored state: restore it "
                                      "again, or let this member join anew with an empty directory"};
  if (!*loaded) return {};
  loaded_ = (*loaded)->mark;
  members_ = std::move((*loaded)->members);
  applied_ = loaded_->index;
  applied_term_ = loaded_->term;
  machine_->each_session(
      [&](base::SessionId id, lock::By, int64_t ttl_ms) { liveness_.opened(id, ttl_ms, machine_->log_ms()); });
  return {};
}

base::Status Pump::open_group() {
  raft::Options o;
  o.dir = options_.dir;
  o.group_id = options_.group;
  o.node_id = options_.member;
  o.seed = options_.seed;
  o.start_id = options_.start_id;
  for (const Member& m : options_.founders) o.bootstrap_voters.push_back(m.id);
  o.election_ticks = options_.election_ticks;
  o.disk = options_.disk;
  o.snapshot = loaded_;
  o.quiet_commits = !alone();
  o.prefill = options_.disk == nullptr;
  auto group = raft::Group::open(o);
  if (!group.ok()) return group.status();
  group_ = *std::move(group);
  const raft::GroupStatus s = group_->status();
  boot_ = base::mutant("boot_not_counted") ? 1 : static_cast<uint32_t>(s.boot);
  found_ = {s.term, s.last};
  forwards_.begin(boot_);
  proofs_.begin(first_number(boot_));
  last_asked_ = first_number(boot_);
  applied_ = std::max(applied_, s.applied);
  ids_ = group_->member_ids();
  // A lone voter's log is all decided; of several the end may still be overwritten, or be new to this member's clients.
  replay_end_ = ids_.voters.size() == 1 && ids_.is_voter(options_.member) ? s.last : s.commit;
  return {};
}

Status Pump::status() const {
  Status out = status_;
  const raft::GroupStatus s = group_->status();
  out.leads = phase_ == Phase::kServing;
  out.leader = out.leads ? options_.member : leader_;
  out.level = machine_->level();
  out.known_level = options_.level;
  out.voter = ids_.is_voter(options_.member);
  out.joint = !ids_.outgoing.empty();
  out.worst_clock_ppm = peers_.worst_clock_ppm();
  out.durable = s.durable;
  out.term = s.term;
  out.commit = s.commit;
  out.applied = applied_;
  out.log_bytes = s.log_bytes;
  out.snapshot_index = s.snapshot_index;
  out.disk_full = space_.is_short() || log_full_;
  out.free_bytes = space_.free_bytes();
  out.snapshotting = snapshots_.busy();
  return out;
}

void Pump::begin_snapshot() {
  snapshot_asked_ = true;
}

base::Result<std::unique_ptr<storage::ReadableFile>> Pump::open_snapshot() const {
  return files_.open(storage::snapshot_path(options_.dir + "/snapshots", group_->status().snapshot_index));
}

base::Status Pump::close() {
  finish_writes();
  unwritten_.clear();
  group_.reset();
  return {};
}

}  // namespace cleat::replica
