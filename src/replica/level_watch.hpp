// When the group's feature level may rise (lock/level.hpp): once every member, voter or learner, is there and has said
// that it knows the next one, and that has been so for a while: who has just begun an upgrade may still go back.
#pragma once

#include <cstdint>
#include <string>

namespace cleat::replica {

class LevelWatch {
 public:
  static constexpr int64_t kSteadyUs = 2'000'000;

  // Each turn of a leader. `common`: what all know, 0 while one is not there to say. `fresh`: nothing was done in this
  // group yet, so there is nothing to go back to. The level to propose now, or 0.
  uint32_t look(uint32_t common, uint32_t in_force, bool fresh, int64_t now_us) {
    if (common <= in_force || common != common_) {
      common_ = common;
      since_us_ = now_us;
    }
    if (common <= in_force || asked_ == common) return 0;
    return fresh || now_us - since_us_ >= kSteadyUs ? common : 0;
  }
  void asked(uint32_t level) { asked_ = level; }
  void not_asked() { asked_ = 0; }  // the proposal was not made, or this member does not lead any more

 private:
  uint32_t common_ = 0, asked_ = 0;
  int64_t since_us_ = 0;
};

// For the operator of a member, or of a directory, that is too old for its group. Begins with kTooOld.
inline constexpr std::string_view kTooOld = "this cleat is too old for its cluster";
inline std::string too_old_error(uint32_t in_force, uint32_t known) {
  return std::string(kTooOld) + ": all members have moved to feature level " + std::to_string(in_force) +
         ", and this one knows " + std::to_string(known) +
         " at most. Nothing is lost: start the version that ran here before, or a newer one";
}

}  // namespace cleat::replica
