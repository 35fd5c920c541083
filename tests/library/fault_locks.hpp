// Every kind of lock that the library has, taken at random, in the same way for the fault runs.
#pragma once

#include <cleat/cleat.hpp>

#include <chrono>
#include <memory>
#include <random>
#include <stop_token>
#include <string>

namespace cleat::tests {

using Random = std::mt19937_64;
inline size_t below(Random& random, size_t n) {
  return std::uniform_int_distribution<size_t>(0, n - 1)(random);
}

// One grant. One thread.
class Taken {
 public:
  virtual ~Taken() = default;
  virtual uint64_t fence() const = 0;
  virtual boot_clock::time_point deadline() const = 0;  // min: it is not held
  virtual std::stop_token stop_token() const { return {}; }
  // What its holder may do with it: enter again, or renew it.
  virtual void more(Random&) {}
  virtual void let_go() = 0;
};

// All locks of a program. All threads may call.
class Taker {
 public:
  virtual ~Taker() = default;
  // Null: not granted, or no server answers. shared is set to how it was taken.
  virtual std::unique_ptr<Taken> take(size_t name, bool& shared, Random& random) = 0;
};

// mutex, recursive, shared, task (a Grant of a LockCall), token; or mixed: each turn another. Throws for others.
std::unique_ptr<Taker> make_taker(const std::string& primitive, const Options& options, size_t names);

}  // namespace cleat::tests
