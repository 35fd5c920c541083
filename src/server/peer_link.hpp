// Ties the connections between members (net/peers.hpp) to the pump (replica/) and to who decides about membership.
// The loop's thread only.
//
// Connections between two members of the group (both have an id) carry the pump's messages; the key of a dialed member
// is its id. All others (founding, joining: one end has no id yet) carry what Admission says and hears. Their keys are
// kOutsider and above, except for a member that is about to join: it is dialed by the id that it is to get.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/peers.hpp"
#include "replica/members.hpp"
#include "replica/outbox.hpp"
#include "replica/replica.hpp"

namespace cleat::server {

inline constexpr uint64_t kOutsider = uint64_t{1} << 32;

// Who is let in, and what is said before there is a group. Called as PeerHandler says.
class Admission {
 public:
  virtual ~Admission() = default;
  virtual base::Status admit(net::PeerEnd, uint64_t key, const net::PeerHello& theirs) = 0;
  // Of connections that are not between two members of the group: at least one end has no id. `key`: of dialed ones.
  virtual void on_outsider_up(uint64_t key, const net::PeerHello& theirs) { (void)key, (void)theirs; }
  virtual void on_outsider_down(uint64_t key) { (void)key; }
  virtual void on_outsider_message(const net::PeerHello& theirs, std::string_view message) {
    (void)theirs, (void)message;
  }
  // Once a turn of the loop, before anything is read; and when it wants one without input (us of the clock).
  virtual void turn(int64_t now_us) { (void)now_us; }
  virtual std::optional<int64_t> next_wake_us() const { return std::nullopt; }
};

// Implements the pump's outbox over Peers. Order of life: PeerLink, Peers (with it as handler), attach(),
// EventLoop::drive(), [founding or joining], Replica (with it as Options::outbox), serve().
class PeerLink final : public net::PeerHandler, public replica::Outbox {
 public:
  explicit PeerLink(Admission& admission) : admission_(admission) {}

  void attach(net::Peers&);
  // From now on this node is `own` member of the group, and messages of other members go to the replica. Before it
  // nothing does. Null at the end of the replica's life.
  void serve(replica::Replica*, uint32_t own);
  // Dials the members that are new or have moved, drops those that are gone; leaves keys from kOutsider on alone. Call
  // it with Replica::members() at the start and at each Listener::on_members().
  void set_members(const replica::Members&);

  // For the loop: begin_turn(), take() for each ready socket of a member, finish_turn(). True: the replica has
  // something new to work on.
  void begin_turn(int64_t now_us) { admission_.turn(now_us); }
  void take(const net::Ready& ready) { peers_->take(ready); }
  bool finish_turn(int64_t now_us);
  bool input_left() const { return peers_->input_left(); }
  std::optional<int64_t> next_wake_us() const;

  void send(uint32_t member, std::string_view message) override;
  void flush() override;

  base::Status admit(net::PeerEnd, uint64_t key, const net::PeerHello& theirs) override;
  void on_up(uint64_t key, const net::PeerHello& theirs) override;
  void on_down(uint64_t key) override;
  void on_message(const net::PeerHello& theirs, std::string_view message) override;
  void on_log(int level, std::string_view line) override;

 private:
  bool of_group(const net::PeerHello& theirs) const;

  Admission& admission_;
  net::Peers* peers_ = nullptr;
  replica::Replica* replica_ = nullptr;
  uint32_t own_ = 0;
  replica::Members dialed_;
  bool heard_ = false;
  std::vector<uint64_t> outsiders_;  // keys of dialed ones that are up and not of the group
};

}  // namespace cleat::server
