#include "fenced_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "client/socket.hpp"

namespace cleat::tests {

FencedFile::FencedFile(const std::string& path) {
  constexpr size_t kSize = kNames * sizeof(Register);
  static_assert(std::atomic<uint64_t>::is_always_lock_free, "a killed process must not leave a lock behind");
  const client::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  void* memory = MAP_FAILED;
  if (fd && ::ftruncate(fd.get(), kSize) == 0) {
    memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  }
  if (memory == MAP_FAILED) throw std::runtime_error("can't map " + path);
  registers_ = static_cast<Register*>(memory);  // a file of zeros is a fresh one
}

FencedFile::~FencedFile() {
  ::munmap(registers_, kNames * sizeof(Register));
}

// Puts its own fence first and looks at the other kind's after: of two at once at least one sees the other.
bool FencedFile::offer(size_t name, uint64_t fence, bool shared) {
  Register& r = registers_[name];
  std::atomic<uint64_t>& mine = shared ? r.reader : r.writer;
  const std::atomic<uint64_t>& other = shared ? r.writer : r.reader;
  uint64_t seen = mine;
  while (seen < fence && !mine.compare_exchange_weak(seen, fence)) {
  }
  return other <= fence && (shared || seen <= fence);
}

uint64_t FencedFile::seen(size_t name) const {
  return std::max<uint64_t>(registers_[name].writer, registers_[name].reader);
}

}  // namespace cleat::tests
