// A whole group in one world: members on their own disks, wires, clients, checkers. Random runs (cluster_run.cpp) and
// directed cases (directed.cpp) drive it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checks.hpp"
#include "client.hpp"
#include "group_checks.hpp"
#include "network.hpp"
#include "run.hpp"
#include "server.hpp"

namespace cleat::sim {

class Cluster {
 public:
  // `adjust` may change the plan that the seed made, before anything is built by it. `heritage`, which must outlive
  // this one: of the group that was before.
  explicit Cluster(const RunOptions&, const std::function<void(Plan&)>& adjust = {},
                   const Heritage* heritage = nullptr);

  void start();
  void add_clients();
  Client& add_client(Client::Sort);
  // One more process with an empty directory and the next id, that knows whom to dial; it may then be added.
  Server& add_joiner();
  // It is no member any more: its process ends for good.
  void retire(Server&);

  Server& member(uint32_t id) { return *servers_.at(id - 1); }
  size_t size() const { return reachable_.size(); }
  uint32_t next_id() const { return static_cast<uint32_t>(servers_.size() + 1); }
  const std::vector<Server*>& servers() const { return reachable_; }  // without those that are retired
  Server* leader();                                                   // of the highest term; null: nobody serves as one

  bool running() const { return !world.failed() && !world.over; }
  void spin(int64_t us);                                             // lets so much time pass
  bool until(const std::function<bool()>& holds, int64_t bound_us);  // false: it never held within the bound
  void require(const std::function<bool()>& holds, int64_t bound_us, const std::string& what);

  void restart_later(Server&, int64_t us);
  // All its processes are gone for good; the disks stay.
  void end();
  void end_faults();
  // Everybody is at the last entry, with the same state, and one leads.
  bool at_rest();
  std::string standing();  // who is where, for a failure
  RunResult result(int64_t load_us = 0);

  const RunOptions options;
  const uint64_t seed;
  World world;
  Plan plan;
  Beliefs beliefs;
  Checks checks;
  GroupChecks group;
  Network network;
  std::vector<std::unique_ptr<Client>> clients;

 private:
  std::unique_ptr<Server> make(uint32_t id, const std::vector<replica::Member>& founders);
  bool is_retired(const Server&) const;
  void inherit();

  const Heritage* heritage_;
  Rng client_dice_;
  std::string dir_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<Server*> reachable_;
};

}  // namespace cleat::sim
