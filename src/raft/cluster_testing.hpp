// Three members in one process, on virtual disks; messages are carried by hand, so a test decides what arrives.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>

#include "raft/testing.hpp"

namespace cleat::raft::testing {

class Cluster {
 public:
  struct Letter {
    uint64_t from, to;
    std::string wire;
    uint8_t kind;
    bool snapshot;
  };
  struct Member {
    Options options;
    VirtualDisk disk;
    std::unique_ptr<Group> group;
    Applied applied;
    size_t snapshots = 0;
    std::vector<ReadView> reads;
    bool dead = false;  // a sync failed
  };

  explicit Cluster(uint64_t seed = 1, uint64_t count = 3) {
    for (uint64_t id = 1; id <= count; ++id) {
      Member& m = members_[id];
      m.options.dir = dir_.path() + "/" + std::to_string(id);
      m.options.node_id = id;
      m.options.seed = seed;
      for (uint64_t v = 1; v <= count; ++v) m.options.bootstrap_voters.push_back(v);
      m.options.prefill = false;
      m.options.log_file_bytes = 1u << 20;
      m.options.log_keep_bytes = 4u << 20;
      m.options.disk = &m.disk;
      m.group = open(m.options);
    }
  }

  // An empty member that waits to be told the group.
  void join(uint64_t id) {
    Member& m = members_[id];
    m.options.dir = dir_.path() + "/" + std::to_string(id);
    m.options.node_id = id;
    m.options.prefill = false;
    m.options.disk = &m.disk;
    m.group = open(m.options);
  }

  Member& at(uint64_t id) { return members_.at(id); }
  std::set<uint64_t> cut_off;                    // their messages are lost, both ways
  std::function<void(const Letter&)> on_letter;  // sees all that are sent
  std::function<bool(const Letter&)> lose;       // true: this one is lost

  // Everything that can happen without time passing.
  void settle() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (auto& [id, m] : members_) moved |= m.group && !m.dead && pump(id, m);
      moved |= deliver();
    }
  }

  // What it has to say leaves, and nothing arrives yet.
  void speak(uint64_t id) { (void)pump(id, at(id)); }

  void ticks(int n) {
    for (int i = 0; i < n; ++i) {
      for (auto& [id, m] : members_) {
        if (m.group && !m.dead) m.group->tick();
      }
      settle();
    }
  }

  // The member that leads with the highest term, not cut off; ticks until there is one.
  uint64_t leader() {
    for (int i = 0; i < 500; ++i) {
      uint64_t best = 0, term = 0;
      for (auto& [id, m] : members_) {
        if (!m.group || cut_off.contains(id)) continue;
        const GroupStatus s = m.group->status();
        if (s.role == Role::kLeader && s.term > term) best = id, term = s.term;
      }
      if (best) return best;
      ticks(1);
    }
    ADD_FAILURE() << "nobody leads";
    std::abort();
  }

  void crash(uint64_t id, uint64_t seed) {
    Member& m = at(id);
    m.disk.crash(seed);
    m.group.reset();
    m.dead = false;
  }

  void restart(uint64_t id) {
    Member& m = at(id);
    m.applied = Applied();
    m.group = open(m.options);
  }

  bool propose(uint64_t id, std::string_view payload) { return at(id).group->propose(bytes(payload)); }

 private:
  void post(uint64_t from, const MessageView& v) {
    Letter letter{from, v.to, text(v.wire), v.kind, v.snapshot};
    if (on_letter) on_letter(letter);
    if (lose && lose(letter)) return;
    letters_.push_back(std::move(letter));
  }

  bool pump(uint64_t id, Member& m) {
    bool moved = false;
    while (m.group->has_ready()) {
      moved = true;
      Ready ready = m.group->ready();
      for (size_t i = 0; i < ready.message_count(); ++i) post(id, ready.message(i));
      if (m.dead = m.group->persist(ready) != Persisted::kDone; m.dead) return true;
      for (size_t i = 0; i < ready.late_message_count(); ++i) post(id, ready.late_message(i));
      if (ready.has_snapshot()) {
        ++m.snapshots;
        m.options.snapshot = ready.snapshot();
        m.group->applied(ready.snapshot().index);
      }
      for (size_t i = 0; i < ready.read_count(); ++i) m.reads.push_back(ready.read(i));
      for (size_t i = 0; i < ready.committed_count(); ++i) {
        if (ready.committed(i).kind == EntryKind::kMembers) {
          EXPECT_NE(m.group->apply_members(ready.committed(i).data), "");
        }
        m.applied.add(ready.committed(i));
        m.group->applied(ready.committed(i).index);
      }
    }
    return moved;
  }

  bool deliver() {
    if (letters_.empty()) return false;
    const Letter l = std::move(letters_.front());
    letters_.pop_front();
    const auto to = members_.find(l.to);
    const bool lost = to == members_.end() || !to->second.group || to->second.dead || cut_off.contains(l.from) ||
                      cut_off.contains(l.to);
    if (!lost) (void)to->second.group->step(l.from, bytes(l.wire), Group::kAnySnapshot);
    Group* sender = at(l.from).group.get();
    if (l.snapshot && sender) sender->report_snapshot(l.to, !lost);
    return true;
  }

  TempDir dir_{"/dev/shm"};
  std::map<uint64_t, Member> members_;
  std::deque<Letter> letters_;
};

}  // namespace cleat::raft::testing
