#include "storage/free_space.hpp"

namespace cleat::storage {

void FreeSpace::look() {
  const auto free = fs_.free_bytes(dir_);
  if (!free.ok()) return;
  free_bytes_ = *free;
  const uint64_t enough = short_ ? min_bytes_ + min_bytes_ / 8 : min_bytes_;
  short_ = free_bytes_ < enough;
}

}  // namespace cleat::storage
