// The one hash of the machine: XXH3 with its fixed default secret, so that bucket order (and with it LOCKS cursors and
// snapshot blocks) is the same on every member. Being fixed, it can be aimed at: names that share a bucket are easy to
// find, which costs nothing (its table grows alone); names that also share a slot cost some 2^30 hashes each, and then
// only lengthen one probe run, whose tags are compared before any name is read.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"

namespace cleat::lock {

inline uint64_t hash_bytes(std::string_view v) {
  return XXH3_64bits(v.data(), v.size());
}

// splitmix64's finalizer (Steele et al., "Fast splittable pseudorandom number generators", 2014).
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

inline uint64_t hash_session(base::SessionId id) {
  return mix(id.value);
}

inline uint64_t hash_connection(const base::ConnectionRef& c) {
  return mix(c.connection ^ mix(uint64_t{c.member} << 32 | c.boot));
}

}  // namespace cleat::lock
