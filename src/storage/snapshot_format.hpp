// Private to src/storage: what writer and reader of snapshots must agree on.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace cleat::storage {

inline constexpr std::string_view kSnapshotMagic = "CLEATSN1";
inline constexpr uint8_t kHeaderFrame = 1, kBlockFrame = 2, kFooterFrame = 3;
inline constexpr size_t kFrameHead = 5, kFrameSum = 8;  // kind and length before the payload, checksum after it

// Of a frame without its checksum.
inline uint64_t frame_sum(std::string_view frame, uint64_t number) {
  return XXH3_64bits_withSeed(frame.data(), frame.size(), number);
}

}  // namespace cleat::storage
