// One connection of `cleat bench`: what it asks and what the answers mean. Pure: bytes and times come in and go out.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "cli/bench_tally.hpp"
#include "client/random.hpp"
#include "client/reply_parser.hpp"
#include "client/request.hpp"

namespace cleat::cli {

struct BenchNames {
  std::string prefix;
  std::string own;      // of this connection, among all
  int64_t contend = 0;  // names that all share; 0: each lane has its own
};

// Pairs run in lanes: each asks for its lock, then for its release, then is free for the next pair. Locks belong to the
// connection's own (implicit) session, so nothing stays behind when the connection closes.
class BenchTalk {
 public:
  BenchTalk(BenchNames names, int64_t lanes, uint64_t seed, BenchTally& tally);

  // A new connection is there: what it begins with.
  void connected(const client::Words& hello);
  bool greeted() const { return greeted_; }
  bool idle() const { return free_.size() == lanes_.size(); }
  // A pair can be begun at `now`.
  bool ready(client::TimePoint now) const { return greeted_ && !free_.empty() && now >= not_before_; }
  client::TimePoint not_before() const { return not_before_; }
  // ready(): begins the pair that was due at `due`.
  void begin(client::TimePoint due, client::TimePoint now);
  // Since when the oldest request is without an answer (QUEUED is one); max: none is.
  client::TimePoint unanswered_since() const {
    return expected_.empty() ? client::TimePoint::max() : expected_.front().asked;
  }

  std::string& output() { return output_; }
  // kInvalid, kCorrupt: as client::check_hello says. kIo: this connection is of no use any more.
  base::Status received(std::string_view bytes, client::TimePoint now);
  // It is gone: what was under way is counted as errors of that kind.
  void lost(std::string_view kind);

 private:
  enum class State { kFree, kLocking, kUnlocking };
  struct Lane {
    std::string owner, name;  // of the pair under way
    uint64_t req = 0;
    State state = State::kFree;
    client::TimePoint due{}, granted{};
  };

  base::Status answer(const client::Reply& reply, client::TimePoint now);
  base::Status push(const client::Reply& push, client::TimePoint now);
  base::Status error(Lane& lane, const client::Reply& reply, client::TimePoint now);
  void granted(Lane& lane, client::TimePoint now);
  void release(Lane& lane);
  std::string req_of(const Lane& lane) const { return lane.owner + "." + std::to_string(lane.req); }

  const BenchNames names_;
  BenchTally& tally_;
  client::Random random_;
  std::vector<Lane> lanes_;
  std::vector<size_t> free_;  // lanes
  struct Expected {
    size_t lane;
    client::TimePoint asked;
  };
  std::deque<Expected> expected_;  // in the order of the answers to come
  bool greeted_ = false;
  int64_t connections_ = 0;  // so far
  client::TimePoint not_before_{};
  client::ReplyParser parser_;
  std::string output_;
};

}  // namespace cleat::cli
