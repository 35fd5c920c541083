// What a leader has still to tell the others of the commit index. Raft itself would tell each advance at once, by an
// empty append to every member, each of which answers: under load as many messages again as the entries need. So the
// engine keeps quiet (raft::Options::quiet_commits). Appends and heartbeats carry the index; whoever waits for it is
// told by a message of its own that needs no answer: at once if a client of that member waits for an entry, and a
// millisecond later if no append came first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace cleat::replica {

class CommitNews {
 public:
  static constexpr int64_t kLateUs = 1'000;

  // A message left for it after which it knows of the commit index up to `index`.
  void told(uint32_t member, uint64_t index);
  // It cannot answer a client of its own before it knows that `index` is committed.
  void wanted(uint32_t member, uint64_t index);
  // What it was told may be lost.
  void forget(uint32_t member) { peers_.erase(member); }
  void clear() { peers_.clear(); }

  // It lacks some of it, so due() is worth asking.
  bool lacks(uint32_t member, uint64_t commit);
  // What to tell it now; 0: nothing. `match`: the entries that it has for sure.
  uint64_t due(uint32_t member, uint64_t commit, uint64_t match, int64_t now_us);
  // When due() may have something without input.
  std::optional<int64_t> next_wake_us() const;

 private:
  struct Peer {
    uint64_t told = 0, wanted = 0;
    int64_t late_us = 0;  // when what it may be told is to be told; 0: there is nothing
  };
  std::map<uint32_t, Peer> peers_;
};

}  // namespace cleat::replica
