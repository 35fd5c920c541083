// Snapshots without standing still (engine.md): each turn gives a slice of time to writing buckets; waiting for the
// disk and removing old files happen on a thread of their own, in the simulator inline; then the log is cut.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "lock/machine.hpp"
#include "raft/group.hpp"
#include "replica/replica.hpp"
#include "storage/snapshot.hpp"

namespace cleat::replica {

class Snapshots {
 public:
  using Log = std::function<void(int level, std::string_view line)>;
  Snapshots(storage::FileSystem&, const Options&, Log);
  ~Snapshots();  // waits for the thread

  struct Loaded {
    raft::SnapshotMark mark;
    Members members;
  };
  // Loads the newest snapshot into an empty machine. None: there is none. kCorrupt names the file.
  base::Result<std::optional<Loaded>> load(lock::Machine&);
  // On any thread, also while another writes a snapshot.
  base::Result<Loaded> load_file(const std::string& path, lock::Machine&) const;
  // Once the directory is ours: removes what a crash left behind.
  void clean(uint64_t keep_from);

  bool busy() const { return state_ != State::kIdle; }
  // There is something to do in each turn; not while the disk is waited for.
  bool has_work() const { return state_ == State::kWriting || state_ == State::kCutting; }
  // Fixes the image of now, which is that of entry `index`. Entries before `first_kept` leave the log when it is done.
  void begin(lock::Machine&, const raft::SnapshotMark&, const Members&, uint64_t first_kept);
  void abandon(lock::Machine&);  // the machine's state is about to be replaced
  void turn(lock::Machine&, raft::Group&, Clock&);
  uint64_t finished() const { return finished_; }
  const std::string& trouble() const { return trouble_; }

 private:
  enum class State : uint8_t { kIdle, kWriting, kSyncing, kCutting };
  void write_slice(lock::Machine&, Clock&);
  void cut_log(raft::Group&);
  void fail(lock::Machine*, const base::Status&);

  storage::FileSystem& files_;
  std::string dir_;
  uint64_t group_;
  uint32_t incarnation_;
  uint32_t level_;  // known here
  int64_t turn_us_;
  size_t slice_bytes_;
  std::launch launch_;
  Log log_;
  State state_ = State::kIdle;
  raft::SnapshotMark mark_;
  uint64_t first_kept_ = 0;
  std::unique_ptr<storage::SnapshotWriter> writer_;
  std::future<base::Result<std::string>> synced_;
  std::future<void> purged_;
  uint64_t finished_ = 0;
  std::string trouble_;  // of the last one, until the next begins
};

}  // namespace cleat::replica
