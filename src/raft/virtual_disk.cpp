#include "raft/virtual_disk.hpp"

#include "raft/engine/cleat_engine.h"

namespace cleat::raft {

VirtualDisk::VirtualDisk() : disk_(ce_disk_new()) {}
VirtualDisk::~VirtualDisk() {
  ce_disk_free(disk_);
}

void VirtualDisk::crash(uint64_t seed) {
  ce_disk_crash(disk_, seed);
}
void VirtualDisk::keep_copy() {
  ce_disk_keep_copy(disk_);
}
bool VirtualDisk::put_copy_back() {
  return ce_disk_put_copy_back(disk_);
}
void VirtualDisk::set_capacity(uint64_t bytes) {
  ce_disk_set_capacity(disk_, bytes);
}
void VirtualDisk::set_sync_cost(uint64_t us, uint64_t us_per_kib) {
  ce_disk_set_sync_cost(disk_, us, us_per_kib);
}
void VirtualDisk::ignore_syncs(bool ignore) {
  ce_disk_ignore_syncs(disk_, ignore);
}
void VirtualDisk::fail_syncs(bool fail) {
  ce_disk_fail_syncs(disk_, fail);
}
void VirtualDisk::stop_after(uint64_t changes) {
  ce_disk_stop_after(disk_, changes);
}
bool VirtualDisk::stopped() const {
  return ce_disk_stopped(disk_);
}
uint64_t VirtualDisk::take_sync_us() {
  return ce_disk_take_sync_us(disk_);
}
uint64_t VirtualDisk::syncs() const {
  return ce_disk_syncs(disk_);
}
uint64_t VirtualDisk::used_bytes() const {
  return ce_disk_used(disk_);
}

std::vector<std::string> VirtualDisk::files() const {
  std::vector<std::string> names;
  char name[4096];
  while (size_t n = ce_disk_file_name(disk_, names.size(), name, sizeof name)) names.emplace_back(name, n);
  return names;
}

std::vector<uint8_t> VirtualDisk::read(const std::string& path) const {
  const int64_t size = ce_disk_read(disk_, path.c_str(), nullptr, 0);
  std::vector<uint8_t> data(size > 0 ? static_cast<size_t>(size) : 0);
  ce_disk_read(disk_, path.c_str(), data.data(), data.size());
  return data;
}

bool VirtualDisk::flip(const std::string& path, uint64_t offset, uint8_t mask) {
  return ce_disk_flip(disk_, path.c_str(), offset, mask);
}

bool VirtualDisk::cut(const std::string& path, uint64_t size) {
  return ce_disk_cut(disk_, path.c_str(), size);
}

}  // namespace cleat::raft
