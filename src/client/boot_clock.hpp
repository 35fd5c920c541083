// The public clock (cleat/boot_clock.hpp) as the parts of the client use it.
#pragma once

#include "cleat/boot_clock.hpp"

namespace cleat {
namespace client {

using TimePoint = boot_clock::time_point;
using std::chrono::milliseconds;

// Where a part takes its time from, so that tests can hand in their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return boot_clock::now(); }
};

}  // namespace client
}  // namespace cleat
