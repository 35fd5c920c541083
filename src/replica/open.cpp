// Start and end of a replica: data directory, snapshot, log.
#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {

base::Result<std::unique_ptr<Replica>> Replica::open(const Options& options, Clock& clock, Listener& listener) {
  auto pump = std::make_unique<Pump>(options, clock, listener);
  if (base::Status s = pump->start(); !s.ok()) return s;
  return std::unique_ptr<Replica>(std::move(pump));
}

base::Status Pump::start() {
  if (base::Status s = restore(); !s.ok()) return s;
  if (base::Status s = open_group(); !s.ok()) return s;
  now_us_ = clock_.mono_us();
  ticked_us_ = now_us_;
  drive();
  return {};
}

base::Status Pump::restore() {
  return {};
}

base::Status Pump::open_group() {
  raft::Options o;
  o.dir = options_.dir;
  o.group_id = options_.group;
  o.node_id = options_.member;
  o.seed = options_.seed;
  o.bootstrap_voters = {options_.member};
  o.disk = options_.disk;
  o.prefill = options_.disk == nullptr;
  auto group = raft::Group::open(o);
  if (!group.ok()) return group.status();
  group_ = *std::move(group);
  const raft::GroupStatus s = group_->status();
  boot_ = base::mutant("boot_not_counted") ? 1 : static_cast<uint32_t>(s.boot);
  applied_ = s.applied;
  replay_end_ = s.last;
  return {};
}

Status Pump::status() const {
  Status out = status_;
  const raft::GroupStatus s = group_->status();
  out.leads = phase_ == Phase::kServing;
  out.term = s.term;
  out.commit = s.commit;
  out.applied = applied_;
  out.log_bytes = s.log_bytes;
  out.snapshot_index = s.snapshot_index;
  out.disk_full = low_space_ || log_full_;
  out.snapshotting = snapshots_.busy();
  return out;
}

void Pump::begin_snapshot() {}

void Pump::check_space() {}

base::Status Pump::close() {
  ready_.reset();
  group_.reset();
  return {};
}

}  // namespace cleat::replica
