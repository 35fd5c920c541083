// The resource that the locks of these tests guard: a register for each name, in a file that processes share. It takes
// what carries a fence and refuses smaller ones than it has seen, as every resource should.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cleat::tests {

class FencedFile {
 public:
  static constexpr size_t kNames = 64;

  // The same file for all that share it; made when it is not there.
  explicit FencedFile(const std::string& path);
  ~FencedFile();
  FencedFile(const FencedFile&) = delete;
  FencedFile& operator=(const FencedFile&) = delete;

  // False: one that excludes this one and was granted later has been here. Readers exclude no readers.
  bool offer(size_t name, uint64_t fence, bool shared);
  // The greatest that was here.
  uint64_t seen(size_t name) const;

 private:
  struct Register {
    std::atomic<uint64_t> writer;
    std::atomic<uint64_t> reader;
  };
  Register* registers_;
};

}  // namespace cleat::tests
