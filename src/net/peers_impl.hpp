// The inside of Peers. peers.cpp: timers and what both kinds of connection share; peers_dialed.cpp and
// peers_accepted.cpp: the two kinds; peers_ends.cpp: how they end, and what is told of it.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/listener.hpp"
#include "net/peer_channel.hpp"
#include "net/peer_output.hpp"
#include "net/peers.hpp"
#include "net/resolver.hpp"

namespace cleat::net {

class Peers::Impl {
 public:
  static constexpr std::string_view kClosed = "the other end closed the connection";
  static constexpr const char* kUp = "up";  // of log()

  Impl(Poller&, PeersOptions, PeerHandler&);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void set_hello(PeerHello mine) { mine_ = std::move(mine); }
  void reconnect();
  void admit_again() { ask_again_ = true; }
  base::Status listen(const Address&);
  const Address& address() const;
  void dial(uint64_t key, const Address&, uint32_t to_member);
  void drop(uint64_t key);
  bool send(uint64_t key, std::string_view message);
  void flush();
  void hold_input(bool held);
  bool input_left() const { return left_before_ || held_; }
  void take(const Ready&);
  void turn(int64_t now_us);
  std::optional<int64_t> next_wake_us() const;
  std::optional<PeerState> state(uint64_t key) const;
  size_t count(bool admitted) const;

 private:
  struct Dialed;

  // One socket. Lives until reap(), so that whoever stands in one of its calls may go on after a callback.
  struct Link {
    int fd = -1;
    Dialed* dialed = nullptr;  // null: accepted, or dropped
    PeerEnd end = PeerEnd::kAccepted;
    std::string where;                   // for people
    std::optional<PeerChannel> channel;  // none: still connecting
    PeerOutput out;
    Interest watched;
    int64_t deadline_us = 0;  // to be admitted; 0: counts from the next turn
    bool admitted = false;
    bool lost = false;  // to be reaped
    bool dirty = false;
  };

  struct Dialed {
    uint64_t key = 0;
    Address address;
    uint32_t to_member = 0;
    Link* link = nullptr;
    uint64_t question = 0;  // to the resolver; 0: none is open
    size_t attempts = 0;
    int64_t next_try_us = 0;  // 0: at the next turn; meaningless with a link or a question
    int64_t retry_us = 0;
    int64_t up_since_us = 0;
    PeerState state;
  };

  // Shared by both kinds.
  // Objects lie at even addresses, so an odd one tells the loop whose it is.
  static void* tag_of(void* object) { return static_cast<char*>(object) + 1; }
  Link* add_link(int fd, PeerEnd, std::string where, Interest);
  void read(Link&);
  bool pump(Link&);  // what has arrived; false: nothing more is to be read now
  void ask(Link&);
  void ask_again(Link&);
  bool hand_over(Link&);
  void write(Link&);
  void watch(Link&);
  void lose(Link&, std::string why);
  void lose_by(Link&, int error);
  void lose_ended(Link&);
  void part(Link&);
  void lose_quietly(Link&);
  std::string who_is(const Link&) const;
  std::string key_of(const Link&) const;
  void read_held();
  void end_late_ones();
  void reap();
  void close_link(Link&);
  void log(int level, const std::string& who, const std::string& what, const std::string& line);

  // Dialed ones.
  void try_dial(Dialed&);
  void connect(Dialed&, const Address&);
  void connected(Link&);
  void take_answers();
  void admitted_dialed(Link&);
  void fail_dial(Dialed&, std::string why);
  void retry_later(Dialed&);
  Dialed* find(uint64_t key);

  // Accepted ones.
  void accept_all();
  void admitted_accepted(Link&);
  void make_room_for_unproven();

  Poller& poller_;
  const PeersOptions options_;
  PeerHandler& handler_;
  PeerHello mine_;
  std::optional<Listener> listener_;
  std::optional<Resolver> resolver_;  // made when the first name is dialed
  std::map<uint64_t, std::unique_ptr<Dialed>> dialed_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Link*> dirty_;
  std::map<std::pair<std::string, std::string>, int64_t> said_;  // when it was logged last: about whom, and what
  std::set<std::string> troubled_;                               // of whom a trouble was told last
  std::mt19937_64 random_;
  uint64_t last_question_ = 0;
  int64_t now_us_ = 0;
  bool held_ = false, unheld_ = false, ask_again_ = false, any_lost_ = false, left_ = false, left_before_ = false;
};

}  // namespace cleat::net
