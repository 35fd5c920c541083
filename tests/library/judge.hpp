// Judges what the holders of locks told, each on the boot clock of the one machine that they share: nobody else was
// granted what somebody still believed to hold.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cleat::tests {

// One thing that a thread of a worker tells, in the order in which it happens. Goes through a pipe that all share,
// whose order is therefore one that may have been: who was granted later than another let go comes after that in it.
struct Event {
  enum class Kind : uint8_t {
    kGranted,    // at: when the call returned; deadline: what was believed first
    kBelieved,   // deadline: nobody else before it, as it believes now
    kReleasing,  // at: from here on nothing is believed; the call of unlock() follows
    kLost,       // what it held is lost, and it has noticed
    kRefused,    // the register refused it, and it is lost: what fences are for
    kWrong,      // text: the worker itself found what must not be
  };
  Kind kind = Kind::kGranted;
  bool shared = false;
  uint16_t name = 0;
  uint32_t worker = 0;
  uint32_t thread = 0;
  uint64_t fence = 0;
  int64_t at_ns = 0;
  int64_t deadline_ns = INT64_MIN;
  char text[160] = "";
};

class Judge {
 public:
  // What is wrong, once something is.
  const std::optional<std::string>& verdict() const { return verdict_; }
  void see(const Event& event);

  struct Counts {
    uint64_t grants = 0;
    uint64_t losses = 0;
    uint64_t refusals = 0;
    uint64_t most_at_once = 0;  // the most readers that believed to hold at the same time
  };
  const Counts& counts() const { return counts_; }
  // Of the name; 0: none.
  uint64_t greatest_fence(uint16_t name) const;

 private:
  static constexpr size_t kKept = 128;  // grants of a name
  struct Grant {
    uint32_t worker, thread;
    bool shared;
    uint64_t fence;
    int64_t granted_ns;
    int64_t believed_ns;  // the latest deadline that was told
    int64_t released_ns = INT64_MAX;
    int64_t end_ns() const;  // until then nobody else
  };
  using Grants = std::map<uint64_t, Grant>;  // by fence

  void on_granted(const Event& event);
  void check(uint16_t name, const Grant& grant);
  void check_pair(uint16_t name, const Grant& earlier, const Grant& later);
  void wrong(std::string text);

  std::map<uint16_t, Grants> names_;
  std::optional<std::string> verdict_;
  Counts counts_;
};

}  // namespace cleat::tests
