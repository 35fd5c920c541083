// A virtual client: it asks, waits, reconnects, repeats, believes by the rules of time.md, and sometimes dies. Its kind
// is fixed: with an explicit session, with the implicit one of its connection, or with tokens.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "beliefs.hpp"
#include "checks.hpp"
#include "server.hpp"
#include "wire.hpp"
#include "world.hpp"

namespace cleat::sim {

class Client : public Receiver {
 public:
  enum class Sort : uint8_t { kExplicit, kImplicit, kToken };
  // `servers` may grow and shrink under it: members join and leave.
  Client(World&, const std::vector<Server*>& servers, Checks&, Beliefs&, const Plan&, int id, Sort);

  void begin();
  void finish();      // from now on: only let go
  bool done() const;  // nothing asked, nothing held
  bool dead() const { return dead_; }
  std::string state() const;
  Heritage::Session session() const { return {session_, key_}; }

  void on_reply(uint64_t connection, const Reply&) override;
  void on_disconnected(uint64_t connection) override;
  bool speaks_on(uint64_t connection) const override { return connection == connection_; }

 private:
  struct Pending {
    Request request;
    int64_t first_us = 0;  // sending, on its own clock
    int64_t sent_us = 0;   // the last one
    bool moved = false;    // asked again of another member
    bool queued = false;   // an ASYNC wait that was acknowledged: a push will tell its end
  };
  // Its end of a connection: in order, and at times so slow that it has long gone elsewhere when its bytes arrive.
  struct Line {
    Server* server = nullptr;
    int64_t last_us = 0, extra_us = 0;
  };
  struct Held {
    std::string name, token;
    uint64_t fence = 0;
    uint32_t depth = 1;
    bool unlocking = false;
  };

  void turn();
  void take_turn();
  bool misbehaves(double chance);
  bool waits_in_vain();
  void leave(bool politely);
  void arrive_later(std::function<void(Server&)>);
  void move();
  void on_trouble(const Pending&, const Reply&);
  void connect();
  void act();
  int64_t a_ttl_ms();
  void lock_something();
  Request about(const Held&, lock::Verb);
  void let_go(Held&);
  void renew(Held&);
  void put(Held&);
  void check(const Held&);
  void cancel_something();
  void look_at_something();
  void close_session();
  bool tired() const;
  void check_told();
  void give_up();
  void drop_connection();
  void keep_alive();
  void die();
  void be_reborn();
  void fill_by(Request&) const;
  uint64_t ask(Request);
  void send(Pending&);
  void lost_session();
  void attach_again();
  void on_command(const Pending&, const Reply&);
  void on_lock(const Pending&, const Reply&);
  void on_taken_over(const Pending&);
  void on_unlock(const Pending&, const Reply&);
  void on_session(const Pending&, const Reply&);
  void on_lost(uint64_t fence);
  void session_confirmed(int64_t sent_us);
  bool blocking_wait() const;
  bool waits_unnamed() const;
  int64_t now_us() const { return beliefs_.clocks[static_cast<size_t>(id_)].at(world_.now_us); }

  World& world_;
  const std::vector<Server*>& servers_;
  size_t at_ = 0;  // which of them it tries now
  Line line_;      // that of connection_
  Checks& checks_;
  Beliefs& beliefs_;
  const Plan& plan_;
  const int id_;
  const Sort sort_;
  Rng dice_;          // of its present turn
  const bool quiet_;  // it asks seldom: its session lives by keep-alives
  uint64_t turn_ = 0;
  uint64_t connection_ = 0, session_ = 0, number_ = 0, implicit_ = 0;
  std::string key_;
  int64_t ttl_ms_ = 0, next_keep_alive_us_ = 0, away_until_us_ = 0, attached_us_ = 0, finishing_us_ = 0;
  bool did_something_ = false;  // in this turn
  bool attached_ = false, dead_ = false, finishing_ = false, leaving_ = false, giving_up_ = false;
  std::map<uint64_t, Pending> pending_;
  std::map<uint64_t, Held> held_;  // by fence
  std::map<uint64_t, std::string> held_owner_;
  std::map<uint64_t, int64_t> ttl_ends_, max_ends_;  // on its own clock; INT64_MAX: none
};

}  // namespace cleat::sim
