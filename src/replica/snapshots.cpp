#include "replica/snapshots.hpp"

#include <chrono>
#include <utility>

#include "base/mutant.hpp"
#include "replica/image.hpp"

namespace cleat::replica {

Snapshots::Snapshots(storage::FileSystem& files, const Options& options, Log log)
    : files_(files),
      dir_(options.dir + "/snapshots"),
      group_(options.group),
      incarnation_(options.incarnation),
      level_(options.level),
      turn_us_(options.snapshot_turn_us),
      slice_bytes_(options.snapshot_slice_bytes),
      launch_(options.files == nullptr ? std::launch::async : std::launch::deferred),
      log_(std::move(log)) {}

Snapshots::~Snapshots() {
  if (purged_.valid()) purged_.wait();
}

base::Result<std::optional<Snapshots::Loaded>> Snapshots::load(lock::Machine& machine) {
  auto found = storage::list_snapshots(files_, dir_);
  if (!found.ok()) return found.status();
  if (found->empty()) return std::optional<Loaded>();
  auto loaded = load_file(found->front().path, machine);
  if (!loaded.ok()) return loaded.status();
  return std::optional(*std::move(loaded));
}

base::Result<Snapshots::Loaded> Snapshots::load_file(const std::string& path, lock::Machine& machine) const {
  auto reader = storage::SnapshotReader::open(files_, path);
  if (!reader.ok()) return reader.status();
  const storage::SnapshotHeader header = (*reader)->header();
  if (header.group != group_)
    return base::Status(base::Code::kInvalid, path + " is of another group; is this directory that of another node?");
  // Those of the first incarnation once said 0.
  if (header.incarnation != incarnation_ && !(header.incarnation == 0 && incarnation_ == 1))
    return base::Status(base::Code::kInvalid, path + " is of incarnation " + std::to_string(header.incarnation) +
                                                  " of the cluster, and this directory of incarnation " +
                                                  std::to_string(incarnation_) +
                                                  ": files of two directories are mixed");
  auto members = read_image(**reader, path, machine, level_);
  if (!members.ok()) return members.status();
  return Loaded{{header.index, header.term, std::move(members->conf_state)}, std::move(members->members)};
}

void Snapshots::clean(uint64_t keep_from) {
  if (base::Status s = storage::clean_snapshots(files_, dir_, keep_from); !s.ok())
    log_(3, "old snapshots stay: " + s.message());
}

void Snapshots::begin(lock::Machine& machine, const raft::SnapshotMark& mark, const Members& members,
                      uint64_t first_kept) {
  if (busy()) return;
  trouble_.clear();
  mark_ = mark;
  first_kept_ = first_kept;
  if (base::mutant("snapshot_of_wrong_index")) ++mark_.index;
  if (base::Status s = files_.make_dir(dir_); !s.ok()) return fail(nullptr, s);
  auto writer = storage::SnapshotWriter::begin(files_, dir_,
                                               {.group = group_,
                                                .incarnation = incarnation_,
                                                .index = mark_.index,
                                                .term = mark_.term,
                                                .members = members.encode(mark_.members)});
  if (!writer.ok()) return fail(nullptr, writer.status());
  writer_ = *std::move(writer);
  machine.begin_snapshot();
  state_ = State::kWriting;
}

void Snapshots::turn(lock::Machine& machine, raft::Group& group, Clock& clock) {
  if (state_ == State::kWriting) write_slice(machine, clock);
  if (state_ == State::kSyncing) {
    if (synced_.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return;
    const base::Result<std::string> done = synced_.get();
    writer_.reset();
    if (!done.ok()) return fail(nullptr, done.status());
    state_ = State::kCutting;
  }
  if (state_ == State::kCutting) cut_log(group);
}

void Snapshots::write_slice(lock::Machine& machine, Clock& clock) {
  const int64_t begun_us = clock.mono_us();
  base::Status status;
  bool complete = false;
  do {
    complete = machine.write_some(slice_bytes_, [&](std::string_view block) {
      if (status.ok()) status = writer_->add(block);
    });
  } while (status.ok() && !complete && clock.mono_us() - begun_us < turn_us_);
  if (!status.ok()) return fail(&machine, status);
  if (!complete) return;
  synced_ = std::async(launch_, [writer = writer_.get()] { return writer->finish(); });
  state_ = State::kSyncing;
}

// The snapshot survives a crash now, and the log before it is not needed. A full disk: again in the next turn.
void Snapshots::cut_log(raft::Group& group) {
  if (mark_.index > group.status().applied) return fail(nullptr, {base::Code::kInvalid, "of an entry not applied"});
  const base::Status s = group.compact(mark_, first_kept_);
  if (s.code() == base::Code::kNoSpace) return;
  if (!s.ok()) return fail(nullptr, s);
  ++finished_;
  state_ = State::kIdle;
  if (purged_.valid()) purged_.wait();
  purged_ = std::async(launch_, [this, keep = mark_.index, purge = std::make_shared<raft::Purge>(group.purge())] {
    purge->run();
    clean(keep);
  });
  if (launch_ == std::launch::deferred) purged_.get();
}

void Snapshots::abandon(lock::Machine& machine) {
  if (synced_.valid()) synced_.wait();
  synced_ = {};
  if (state_ == State::kWriting) machine.abandon_snapshot();
  writer_.reset();
  state_ = State::kIdle;
}

void Snapshots::fail(lock::Machine* machine, const base::Status& s) {
  if (machine != nullptr) machine->abandon_snapshot();
  writer_.reset();
  state_ = State::kIdle;
  trouble_ = s.message();
  log_(3, "no snapshot was written, the log grows on: " + trouble_);
}

}  // namespace cleat::replica
