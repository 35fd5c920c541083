// The connections between the members of a cluster. Each member dials every other; what it sends goes over the
// connection that it dialed, what it receives comes over those that it accepted. Messages are opaque: whole, in order,
// at most once; a connection that is lost loses what was under way. Each connection begins with a handshake by which
// both ends prove that they know the cluster's secret (peer_channel.hpp).
//
// One thread: that of the poller's owner, who does, in each of its turns:
//
//   for each ready socket whose tag is_peer_tag(): take(it)
//   turn(now)                 timers, reconnections; tells what was lost meanwhile
//   ... send() as often as needed, flush() once          (both may also be called within callbacks)
//   and waits no longer than until next_wake_us()
//
// Callbacks (but on_log) come during take() and turn() only; within them everything may be called but take(), turn()
// and the destructor. Names are resolved by a thread of their own (resolver.hpp); nothing here blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.hpp"
#include "net/address.hpp"
#include "net/peer_hello.hpp"
#include "net/poller.hpp"

namespace cleat::net {

struct PeersOptions {
  std::string secret;                    // empty: allowed on loopback only
  uint64_t seed = 1;                     // of the jitter between attempts to reconnect
  size_t send_buffer_bytes = 64u << 20;  // unsent bytes to one member; what would exceed it is dropped
  size_t input_a_turn_bytes = 4u << 20;  // read from one member before the others have their turn
  size_t most_unproven = 64;             // accepted, handshake not done; one more closes the oldest
  size_t most_accepted = 256;            // proven ones; one more is refused
  int64_t handshake_us = 2'000'000;      // to connect and prove; then the connection is closed
  int64_t first_retry_us = 50'000, last_retry_us = 1'000'000;  // doubles from attempt to attempt, jittered by half
  int64_t silent_us = 2'000'000;      // unacknowledged or silent for longer (kernel's probes): it is lost
  int64_t same_line_us = 60'000'000;  // the same trouble with the same member is not logged again before
};

class PeerHandler {
 public:
  virtual ~PeerHandler() = default;
  // The other end has proven that it knows the secret, and that this is what it says of itself. Not ok: the connection
  // is closed, and the message (one line for its operator) is told to the other end and logged on both. `key`: of the
  // dialed one; 0 for accepted ones. Both ends are asked, the accepting one first.
  virtual base::Status admit(PeerEnd, uint64_t key, const PeerHello& theirs) = 0;
  // A dialed connection may be used by send() from now on; it was lost. Not told after drop().
  virtual void on_up(uint64_t key, const PeerHello& theirs) = 0;
  virtual void on_down(uint64_t key) = 0;
  // An accepted connection was admitted; a message came over it; it ended. A new one of the same member (id and name)
  // ends the older one first, so that messages of one member never come over two.
  virtual void on_accepted(const PeerHello& theirs) { (void)theirs; }
  virtual void on_message(const PeerHello& theirs, std::string_view message) = 0;
  virtual void on_accepted_down(const PeerHello& theirs) { (void)theirs; }
  // 0 debug .. 4 critical, one line for the operator; already limited to one a minute for the same trouble. May come
  // from any call; calls nothing here.
  virtual void on_log(int level, std::string_view line) = 0;
};

// Begins a trouble that is the other end's refusal; what follows are its own words.
inline constexpr std::string_view kRefusedByThem = "it refused: ";

// Of a dialed member, for INFO and people.
struct PeerState {
  bool up = false;
  std::string address;  // as dialed
  std::string trouble;  // why it is not up, once known; in plain words
  size_t unsent_bytes = 0;
  uint64_t connects = 0;  // how often it came up
  uint64_t messages_sent = 0, bytes_sent = 0, messages_dropped = 0;
};

class Peers {
 public:
  Peers(Poller&, PeersOptions, PeerHandler&);
  ~Peers();  // takes leave of the other ends; calls nothing back
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // What connections made from now on say. Call it before listen() and dial(). Those that stand keep what was said over
  // them: reconnect() ends them.
  void set_hello(PeerHello mine);
  // Ends every connection, after what the sockets take at once of what was sent; the dialed ones are made anew. Told by
  // on_down() and on_accepted_down() in the next turn().
  void reconnect();

  // The rules have changed: asks admit() anew, in the next turn(), for every connection that stands, and ends those
  // that are refused now, with the reason.
  void admit_again();

  // kInvalid: an address beyond loopback without a secret; kBusy, kIo: as Listener. Once.
  base::Status listen(const Address&);
  const Address& address() const;  // where it listens, with the port really used

  // Connects to that address, and again whenever the connection is lost, until drop(). `key` is the caller's, not 0.
  // Dialing a key again with another address or to_member drops the old connection.
  void dial(uint64_t key, const Address&, uint32_t to_member = 0);
  // No on_down() for it any more.
  void drop(uint64_t key);

  // Copied. false: dropped, since the connection is not up, its buffer is full, or the message is over
  // kMostPeerMessage. Leaves at flush(), or when the socket takes more.
  bool send(uint64_t key, std::string_view message);
  void flush();

  // While held no message is handed over and soon nothing is read, so that the senders' buffers fill up. A connection
  // held for more than silent_us with a full window is lost by its sender's kernel.
  void hold_input(bool held);
  // Something that arrived was left unread in the turn before turn(): by hold_input() or input_a_turn_bytes.
  bool input_left() const;

  static bool is_peer_tag(const void* tag) { return (reinterpret_cast<uintptr_t>(tag) & 1) != 0; }
  void take(const Ready&);
  void turn(int64_t now_us);
  // When turn() has something to do without input; none: only when something comes in.
  std::optional<int64_t> next_wake_us() const;

  std::optional<PeerState> state(uint64_t key) const;  // none: not dialed
  size_t accepted() const;                             // admitted ones that stand
  size_t unproven() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cleat::net
