// The ways in which a C++ program takes a lock, each the same to the campaign. Every request is noted.
#pragma once

#include <cleat/cleat.hpp>

#include <chrono>
#include <memory>
#include <random>
#include <string>

#include "history.hpp"

namespace cleat::campaign {

using Random = std::mt19937_64;
inline uint64_t below(Random& random, uint64_t n) {
  return std::uniform_int_distribution<uint64_t>(0, n - 1)(random);
}
inline bool chance(Random& random, double share) {
  return std::uniform_real_distribution<double>(0, 1)(random) < share;
}

// One grant. One thread.
class Taken {
 public:
  Taken(History& history, std::string name, bool shared, uint64_t fence)
      : history_(history), name_(std::move(name)), shared_(shared), fence_(fence) {}
  virtual ~Taken() = default;
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  const std::string& name() const { return name_; }
  bool shared() const { return shared_; }
  uint64_t fence() const { return fence_; }
  // The latest that was told, also behind a loss.
  int64_t deadline_ns();
  bool believed() { return boot_clock::now() < deadline(); }
  // Fields of what is noted about it.
  Fields about() {
    return Fields().set("fence", static_cast<int64_t>(fence_)).set("mode", mode()).set("deadline_ns", deadline_ns());
  }

  virtual bool by_token() const { return false; }
  virtual void renew() {}
  // Notes a loss that the service told, and lets go.
  void let_go();

 protected:
  const char* mode() const { return shared_ ? "S" : "X"; }
  virtual boot_clock::time_point deadline() = 0;  // min: nothing is believed any more
  virtual std::string why_lost() { return {}; }
  virtual const char* unlock() = 0;  // the result

  History& history_;

 private:
  const std::string name_;
  const bool shared_;
  const uint64_t fence_;
  boot_clock::time_point latest_ = boot_clock::time_point::min();
};

struct Wish {
  std::string name;
  bool shared = false;
  std::chrono::milliseconds wait{0};  // 0: only try
  LockOptions options{};
};

// By one way or another, drawn from random; null: not granted.
std::unique_ptr<Taken> take(Client& client, const Options& options, const Wish& wish, History& history, Random& random);

}  // namespace cleat::campaign
