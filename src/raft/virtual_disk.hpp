// A disk in memory for one simulated member: un-synced data is lost at a crash, in whole, in part or by sectors as the
// seed says; it can be full, slow, fail a sync, rot. Any thread.
//
// The engine lists and locks directories on the real file system, so Options::dir must exist on tmpfs; each file also
// stands there, empty. Creation, renaming and deletion are durable at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct ce_disk;

namespace cleat::raft {

class VirtualDisk {
 public:
  VirtualDisk();
  ~VirtualDisk();
  VirtualDisk(const VirtualDisk&) = delete;
  VirtualDisk& operator=(const VirtualDisk&) = delete;

  // The power goes. The open Group lives on without effect on the disk: destroy it, then open a new one.
  void crash(uint64_t seed);

  void keep_copy();      // of what is durable, in place of an earlier copy
  bool put_copy_back();  // the Group is closed: all is as it was when the copy was made. False: the directory failed

  static constexpr uint64_t kUnlimited = UINT64_MAX;
  void set_capacity(uint64_t bytes);
  void set_sync_cost(uint64_t us, uint64_t us_per_kib);
  void fail_syncs(bool fail);
  void ignore_syncs(bool ignore);     // they succeed and make nothing durable: a broken node, for make mutants
  void stop_after(uint64_t changes);  // the member dies before the change (write, sync, rename ...) after these
  bool stopped() const;     // a sync failed or the changes ran out since the last crash: the member counts as dead
  uint64_t take_sync_us();  // what the syncs since the last call would have taken
  uint64_t syncs() const;
  uint64_t used_bytes() const;

  // Behind the member's back.
  std::vector<std::string> files() const;  // full paths
  std::vector<uint8_t> read(const std::string& path) const;
  bool flip(const std::string& path, uint64_t offset, uint8_t mask);
  bool cut(const std::string& path, uint64_t size);

  const ce_disk* handle() const { return disk_; }  // for Group

 private:
  ce_disk* disk_;
};

}  // namespace cleat::raft
