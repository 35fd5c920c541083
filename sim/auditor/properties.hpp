// Promises of spec.md checked on what the machine says, without the model: they need no second opinion about details.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "lock/machine.hpp"
#include "said.hpp"

namespace cleat::auditor {

class Properties : public lock::Sink {
 public:
  // `machine` is asked for the queue at the moment of each grant.
  void begin(const lock::Machine& machine, std::string_view entry);
  void on_outcome(const lock::Outcome&) override;
  void on_event(const lock::Event&) override;
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override {}
  void on_session_ended(base::SessionId, lock::Why) override;
  void end();                                            // after the apply
  const std::string& broken() const { return broken_; }  // the first promise broken; empty: none

 private:
  using Place = std::tuple<uint32_t, uint32_t, uint64_t, uint64_t>;  // connection and seq
  using Req = std::pair<uint64_t, std::string>;                      // of an explicit session

  using Cancelled = std::tuple<uint64_t, std::string, std::string>;  // session or token, and REQ

  struct Held {
    lock::Mode mode;
    uint64_t session;
    std::string owner;
  };
  struct Request {
    lock::Mode mode;
    int64_t arrival_ms, stand_ms, wait_ms, ttl_ms;
    Req req;
    bool first_waits;  // it stands in a queue under this very place
  };

  struct Belief {             // what the holder was told
    int64_t until_ms = 0;     // by his clock at the latest
    int64_t entitled_ms = 0;  // by the TTL of the request
    bool has_ttl = false;
  };

  static Place place(const lock::Outcome&);
  void fail(std::string why);
  void nobody_waits_for_nothing();
  void granted(const lock::Event&);
  void nobody_overtaken(const lock::Event&);
  void believes(const lock::Outcome&, const Request&);
  void cancelled(const lock::Outcome&);
  void answered_again(const lock::Outcome&, const Req&);

  const lock::Machine* machine_ = nullptr;
  std::map<std::string, std::map<uint64_t, Held>> holds_, ghosts_;  // name, fence
  std::map<Place, Request> requests_;
  std::map<Place, bool> queued_;
  std::map<Req, OutcomeSaid> first_answers_;
  std::map<uint64_t, Belief> beliefs_;  // by fence
  const Request* granted_request_ = nullptr;
  std::set<Cancelled> cancels_;    // answered in this apply, waiter not yet told
  std::set<std::string> touched_;  // names in this apply
  uint64_t waiters_ = 0, most_results_ = 0, last_fence_ = 0, last_revision_ = 0;
  uint32_t ageing_ms_ = 0;
  bool configured_ = false, reconfigured_ = false;  // with other settings than its first, some checks rest
  int64_t now_ms_ = 0;
  std::string broken_;
};

}  // namespace cleat::auditor
