// How a node comes to its place in a cluster, and whom it lets in: founding, joining, membership of the directory. Says
// and hears what goes over connections where one end has no place yet (PeerLink's outsiders). No socket, clock or
// thread of its own; the loop's thread only. What it decides is acted on by serve.cpp, between two turns of the
// service.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "server/admission_rules.hpp"
#include "server/cluster_settings.hpp"
#include "server/peer_link.hpp"
#include "storage/file_system.hpp"

namespace cleat::server {

// The part of net::Peers that is needed here; a fake in tests.
class PeerPort {
 public:
  virtual ~PeerPort() = default;
  virtual void set_hello(const net::PeerHello&) = 0;  // and ends all connections, which said another one
  virtual void dial(uint64_t key, const net::Address&) = 0;
  virtual void drop(uint64_t key) = 0;
  virtual void send(uint64_t key, std::string_view message) = 0;
  virtual std::string trouble(uint64_t key) const = 0;  // why it is not up; empty: it is, or not known
  // Who was let in before is asked about again.
  virtual void admit_again() = 0;
};

class Cluster final : public Admission {
 public:
  enum class Phase { kFounding, kJoining, kMember, kStopped };
  struct Options {
    ClusterSettings settings;
    std::string dir;
    std::string own_address;  // where others reach this node; empty: it has no port for members
    storage::FileSystem* files = nullptr;
    FoundingNonce fresh{};                 // random; becomes the directory's, if it has none
    bool holds_a_group = false;            // a directory of an older version: state, but no file that says whose
    uint32_t level = lock::known_level();  // told to others
  };

  // Told by turn().
  struct Events {
    std::function<void()> on_member;                          // identity() is known: open the replica, then serve()
    std::function<void()> on_stop;                            // see stop_reason()
    std::function<void(const std::string& text)> on_waiting;  // waiting() has changed
  };

  explicit Cluster(Events events = {}) : events_(std::move(events)) {}

  // Reads who the directory is, or begins to become somebody. kInvalid, kCorrupt, kIo: what to do. Until it was called
  // nobody is let in.
  base::Status start(Options options);
  // Where others reach this node, if that is only known once it listens.
  void set_own_address(std::string address) { options_.own_address = std::move(address); }
  const std::string& own_address() const { return options_.own_address; }
  // For kFounding and kJoining: begins to dial. A member lets nobody in before serve().
  void attach(PeerPort&);

  Phase phase() const { return phase_; }
  const ClusterIdentity& identity() const { return identity_; }  // kMember
  // One line: "waits for b (10.0.0.2:7421)"; empty in other phases.
  const std::string& waiting() const { return waiting_; }
  // Why members are not reached, by id; those that are, are not among them.
  std::map<uint32_t, std::string> troubles() const;
  // kStopped: for the operator, may have several lines.
  const std::string& stop_reason() const { return stop_reason_; }

  // The replica of identity() is open and `link` serves it: says so to the others.
  void serve(replica::Replica*, const replica::Members&);
  // The membership in force was told by the replica. May be called within its step().
  void set_members(const replica::Members&);
  const replica::Members& members() const { return members_; }

  // What must be waited for is logged, at once and then every 10 s.
  void turn(int64_t now_us) override;
  std::optional<int64_t> next_wake_us() const override;

  base::Status admit(net::PeerEnd, uint64_t key, const net::PeerHello& theirs) override;
  void on_outsider_up(uint64_t key, const net::PeerHello& theirs) override;
  void on_outsider_down(uint64_t key) override;
  void on_outsider_message(const net::PeerHello& theirs, std::string_view message) override;

 private:
  base::Status begin_alone();
  base::Status begin_restored(const PendingRestore&);
  void note_newer_incarnation(const Statement&);
  base::Status check_settings() const;
  std::string name_behind(uint64_t key) const;
  OwnPlace own_place() const;
  void hear(const Statement&);
  void hear_welcome(const net::PeerHello& theirs, std::string_view message);
  void become(ClusterIdentity);
  void stop(std::string why);
  void wait_for(std::string text);
  void look_at_troubles();
  void hear_final_word(const std::string& from, const std::string& trouble);
  void welcome_learners();
  void keep_own_address();
  void keep_boots();
  void tell_events();
  void greet(uint64_t key, const net::PeerHello& theirs);

  Events events_;
  Options options_;
  PeerPort* port_ = nullptr;
  Phase phase_ = Phase::kStopped;
  FoundingNonce nonce_{};
  ClusterIdentity identity_;
  std::optional<Founding> founding_;
  std::string waiting_, stop_reason_;

  replica::Replica* replica_ = nullptr;
  replica::Members members_;
  bool table_is_old_ = true;
  SeenBoots boots_, stored_boots_;
  std::map<uint64_t, net::PeerHello> outsiders_;  // that are up, by key
  std::set<uint64_t> welcomed_, noticed_keys_;
  std::set<std::string> noted_;         // who was restored as a newer incarnation: told to the log once
  uint32_t level_ = lock::kFirstLevel;  // in force when connections were judged last
  bool told_member_ = false, told_stop_ = false, somebody_went_ = false, asked_address_ = false;
  int64_t said_us_ = -1'000'000'000, looked_us_ = -1'000'000'000;
  std::string said_, told_waiting_;
};

}  // namespace cleat::server
