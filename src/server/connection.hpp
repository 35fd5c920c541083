// One client connection as the service sees it: what it speaks for, what it asked and was not answered, what it will be
// sent. The socket belongs to the driver, which reads into `input` and sends from `out`. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "lock/command.hpp"
#include "resp/reply_writer.hpp"
#include "server/input_buffer.hpp"

namespace cleat::server {

// A request that was read and not answered. Those of one connection are answered in order, from the front.
struct Pending {
  enum class Kind : uint8_t {
    kChange,     // in the log
    kRefused,    // a change that was not taken: the disk is full
    kRead,       // waits for the proof that the state is fresh; read again from the input then
    kKeepAlive,  // waits for the same
    kMembers,    // a change of the membership, under way
  };
  Kind kind = Kind::kChange;
  bool full = false, async = false;
  lock::Verb verb = lock::Verb::kTick;
  uint64_t seq = 0;
  size_t begin = 0, end = 0;  // positions in the input
};

// A grant whose answer is not sent yet: undone when its connection turns out to be gone.
struct UnsentGrant {
  std::string name;
  base::Fence fence;
  size_t end;  // of its answer in Connection::out; was that sent, the grant stands
};

// What lock commands without a TOKEN act for.
enum class Speaks : uint8_t {
  kNone,      // nothing yet; the first lock makes an implicit session
  kImplicit,  // the connection's own session
  kExplicit,  // an opened or attached one
  kLost,      // it had one: NOSESSION until OPEN, ATTACH or RESET (never back to an implicit one)
};

// SUBSCRIBE and EVENTS; most connections have none.
struct Watching {
  std::vector<std::string> channels, patterns;
  bool events = false;
  std::string prefix;          // of EVENTS
  uint64_t next_position = 0;  // of EVENTS, in the ring
  base::Revision gap_after;    // of EVENTS: the last one it got, or was past
  bool has_gap = false;        // of EVENTS: some behind it are gone
  // The first message that found no room: a gap goes there instead. Empty channel: none was missed.
  std::string missed_channel, missed_pattern;
  base::Revision missed_after;
  size_t subscriptions() const { return channels.size() + patterns.size(); }
};

struct Connection {
  Connection(base::ConnectionRef ref_, InputPool& pool) : ref(ref_), input(pool) {}

  base::ConnectionRef ref;  // changes only when its node becomes a member: see Service::serve()
  int fd = -1;
  std::string peer, local;  // addresses
  int64_t opened_us = 0, heard_us = 0;

  resp::Protocol protocol = resp::Protocol::kResp2;
  bool authenticated = false;
  bool hung_up = false;  // the other end has closed; what it said before may still be unread
  bool closing = false;  // send what is there, then close
  bool gone = false;     // closed; destroyed at the end of the turn
  bool clean_end = false;
  bool proposed = false;  // something of it is in the log: its end must be told there
  std::string name, library, library_version;
  std::string_view last_command = "NULL";

  Speaks speaks = Speaks::kNone;
  base::SessionId session;
  uint32_t epoch = 0;
  int64_t session_ttl_ms = 0;
  std::string key, offered_key;  // offered_key: of the ATTACH under way

  InputBuffer input;
  std::vector<Pending> pending;
  size_t answered = 0;   // at the front of `pending`: gone with the rest of it
  bool waiting = false;  // the front is a LOCK that must wait
  uint64_t seq = 0;
  uint64_t run = 0;            // number of the pending run: all that is pending was taken at once
  int64_t run_since_us = 0;    // when that was
  int64_t asked_since_us = 0;  // of a run that is to be read again for a new leader; 0: none
  uint64_t run_term = 0;       // in which it was handed to the replica
  uint64_t run_order = 0;      // among all that was
  int64_t held_since_us = 0;   // there was no leader for its next request since then; 0: not so

  std::vector<UnsentGrant> unsent_grants;  // of an explicit session, without REQ; re-entries too
  std::string out;
  size_t sent = 0;  // of `out`
  size_t counted_unsent = 0;
  bool touched = false, resumed = false, held = false, undecided = false;  // in the service's lists
  bool reads = true, writes = false;                                       // what the driver watches for now
  bool vouched = false, waiting_vouched = false;  // in the lists of those whose session the server keeps alive
  std::unique_ptr<Watching> watching;

  bool has_pending() const { return answered < pending.size(); }
  size_t pending_count() const { return pending.size() - answered; }
  Pending& front() { return pending[answered]; }
  void pop_front() {
    if (++answered == pending.size()) {
      if (pending.capacity() > 64) {
        pending = {};
      } else {
        pending.clear();
      }
      answered = 0;
    }
  }
  size_t unsent() const { return out.size() - sent; }
  resp::ReplyWriter writer() { return {out, protocol}; }
  bool resp3() const { return protocol == resp::Protocol::kResp3; }
  size_t subscriptions() const { return watching ? watching->subscriptions() : 0; }
};

}  // namespace cleat::server
