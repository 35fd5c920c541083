// One of the many clients of crowd_driver: has a session and a lock of its own, and does something now and then. When
// its connection breaks it attaches to its session, wherever it is connected next, looks whether its lock is still
// held, and repeats what was not answered, under the same REQ. No socket and no clock in here. Times are microseconds.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "client/reply_parser.hpp"
#include "histogram.h"

namespace cleat::bench {

struct CrowdPlan {
  size_t names = 0;  // which all clients want and wait for in turn; 0: they only keep their sessions alive
  int64_t ttl_ms = 60'000, wait_ms = 120'000;
  int64_t think_us = 1'000'000;  // between two requests, half of it to one and a half
  int64_t hold_us = 0;
};

// What became of the requests of all clients since mark().
struct CrowdTally {
  uint64_t answers = 0, grants = 0, breaks = 0;
  uint64_t no_quorum = 0, unknown = 0;  // told to ask again, which they did
  uint64_t timed_out = 0, sessions_lost = 0, holds_lost = 0,
           broken = 0;   // must not be; broken: two inside, or an old fence
  uint64_t refused = 0;  // other errors; the first:
  std::string refusal;
  histogram wait{};  // from the first asking for a shared name until it was granted
  histogram other{};
  histogram back{};  // from the break of a connection until something was answered on the next
};

// The shared names as their clients see them.
struct SharedNames {
  explicit SharedNames(size_t count) : last_fence(count), taken(count) {}
  std::vector<int64_t> last_fence;
  std::vector<bool> taken;
};

class CrowdClient {
 public:
  CrowdClient(size_t number, const CrowdPlan& plan, CrowdTally& tally, SharedNames& names, int64_t now_us)
      : number_(number), plan_(plan), tally_(tally), names_(names), random_(number + 1), broke_us_(now_us) {}

  void connected(int64_t now_us);
  void broke(int64_t now_us);
  // False: the connection is to be given up for one to another server.
  bool received(std::string_view bytes, int64_t now_us);
  void wake(int64_t now_us);
  // When wake() has something to do; INT64_MAX: it waits for an answer.
  int64_t wake_at_us() const { return wake_at_us_; }
  std::string& output() { return output_; }

  bool served() const { return served_; }  // on this connection
  // Since when it has waited for what it wants now, whatever became of its connections; 0: it waits for nothing.
  int64_t since_us() const { return since_us_; }
  // Since when the request under way on this connection has been waiting; 0: there is none.
  int64_t asked_us() const { return asked_us_; }
  uint64_t grants() const { return grants_; }
  int64_t delay_us(int64_t about_us);  // a random one around it

 private:
  enum class Asked { kNothing, kOpen, kAttach, kOwnLock, kOwnCheck, kKeepAlive, kTake, kRelease };
  enum class Work { kThink, kTake, kHold, kRelease };

  bool on_reply(const client::Reply&, int64_t now_us);
  bool on_error(const client::Reply&, int64_t now_us);
  void on_granted(const client::Reply&, int64_t now_us);
  void ask(Asked, std::vector<std::string> words, int64_t now_us);
  void open(int64_t now_us);
  void ask_for_own(int64_t now_us);
  void go_on(int64_t now_us);
  void take(int64_t now_us);
  void release(int64_t now_us);
  void think(int64_t now_us);
  void serve(int64_t now_us);
  std::string shared() const { return "shared/" + std::to_string(name_); }
  std::string own() const;

  size_t number_;
  const CrowdPlan& plan_;
  CrowdTally& tally_;
  SharedNames& names_;
  std::minstd_rand random_;
  int64_t broke_us_;  // when it was served last on a connection before this one; at first: when it began
  client::ReplyParser parser_;
  std::string output_, id_, key_;
  Asked asked_ = Asked::kNothing;
  Work work_ = Work::kThink;
  size_t name_ = 0;
  uint64_t turn_ = 0;  // of the shared names it has asked for; names owner and REQ
  int64_t own_fence_ = 0, fence_ = 0;
  uint64_t grants_ = 0;
  bool served_ = false;
  int64_t since_us_ = 0, asked_us_ = 0, hold_until_us_ = 0;
  int64_t wake_at_us_ = INT64_MAX;
};

}  // namespace cleat::bench
