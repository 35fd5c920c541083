// The clients' side of a run: connections, what each of them speaks for, and how an op of the plan becomes a command
// against the present state. It obeys what the server guarantees the machine: one run of a connection in flight,
// nothing from a connection that waits, nothing from one that is gone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "lock/entry.hpp"
#include "model.hpp"
#include "plan.hpp"

namespace cleat::auditor {

class World {
 public:
  World();

  // The entry of a step, stamped; `story` gets a line for each command.
  std::string entry(const Plan&, const Step&, const Model&, std::vector<std::string>* story);
  std::string configure(const lock::Settings&);  // the first entry
  // What was answered, so that connections know what they speak for and which of them wait.
  void learn(const std::vector<Said>&);

 private:
  struct Slot {
    base::ConnectionRef connection;
    uint64_t seq = 0;
    lock::By by = lock::By::kImplicit;
    uint64_t session = 0;
    uint32_t epoch = 0;
    uint64_t waits_seq = 0;          // a command that holds back what follows; 0: none
    std::vector<uint64_t> blocking;  // of the last entry: requests that hold back what follows if they must wait
  };
  struct Sent {  // a request with REQ, to be repeated
    uint64_t session;
    base::ConnectionRef connection;  // of an implicit session
    Ask ask;
  };
  struct Opened {
    uint64_t id;
    std::string key;
  };

  bool add(lock::EntryBuilder&, const Plan&, const Run&, const Model&, std::vector<std::string>*);
  void add_of_server(lock::EntryBuilder&, const Plan&, Slot&, const Op&, const Model&, std::vector<std::string>*);
  bool may(const Slot&, const Op&, const Model&) const;
  lock::Command command(Slot&, const Op&, const Model&);
  lock::Command of_session(Slot&, const Op&, const Model&);
  Op aimed(const Slot&, Op, const Model&);
  bool sent_before(const Slot&, const Op&, Ask&) const;
  bool session_is_gone(const Slot&, const Model&) const;
  uint64_t fence(const Slot&, const Op&, const Model&) const;
  uint64_t target(const Op&, const Model&) const;
  void reconnect(Slot&);

  std::array<Slot, kSlots> slots_;
  std::vector<Opened> opened_;
  std::array<uint32_t, 3> boots_{0, 1, 1};  // of members 1 and 2
  uint64_t last_connection_ = 0;
  uint64_t last_key_ = 0;
  uint64_t fresh_reqs_ = 0;
  std::vector<Sent> sent_;
  std::string key_, req_, settings_bytes_;  // what the command in hand points to
  Ask repeated_;
};

}  // namespace cleat::auditor
