// What clients believe, each by its own clock (time.md "What the client may believe"). The checkers read it together
// with the hidden real time; nobody else does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lock/mode.hpp"

namespace cleat::sim {

struct ClientClock {
  double rate = 1;
  int64_t offset_us = 0;
  int64_t at(int64_t real_us) const { return offset_us + static_cast<int64_t>(rate * static_cast<double>(real_us)); }
};

struct HoldBelief {
  int client = 0;
  std::string name;
  lock::Mode mode = lock::Mode::kExclusive;
  uint64_t fence = 0;
  uint64_t session = 0;            // 0: a token's
  int64_t own_end_us = INT64_MAX;  // by TTL and MAXHOLD, on the client's clock
};

struct SessionBelief {
  int client = 0;
  int64_t deadline_us = 0;
};

class Beliefs {
 public:
  std::vector<ClientClock> clocks;
  std::map<uint64_t, HoldBelief> holds;  // by fence
  std::map<uint64_t, SessionBelief> sessions;

  // How long, in the client's us, it still believes; not positive: it does not.
  int64_t left_us(const HoldBelief& h, int64_t real_us) const {
    int64_t end_us = h.own_end_us;
    if (h.session != 0) {
      const auto s = sessions.find(h.session);
      end_us = s == sessions.end() ? 0 : std::min(end_us, s->second.deadline_us);
    }
    if (end_us == INT64_MAX) return INT64_MAX;
    return end_us == 0 ? 0 : end_us - clocks[static_cast<size_t>(h.client)].at(real_us);
  }
  int64_t left_us(const SessionBelief& s, int64_t real_us) const {
    return s.deadline_us == 0 ? 0 : s.deadline_us - clocks[static_cast<size_t>(s.client)].at(real_us);
  }
  void drop_session(uint64_t session) {
    sessions.erase(session);
    std::erase_if(holds, [&](const auto& h) { return h.second.session == session; });
  }
};

}  // namespace cleat::sim
