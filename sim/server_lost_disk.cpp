// A member that loses its disk: it is put back to an older copy, and the others send the member away by the rules of
// admission (engine.md rule 11); or it rots.
#include <fmt/format.h>

#include "server.hpp"

namespace cleat::sim {
namespace {

net::ClusterId any_cluster() {
  net::ClusterId id;
  id.fill(1);
  return id;
}

}  // namespace

void Server::keep_copy() {
  world_.say(fmt::format("somebody makes a copy of the disk of member {}", self_.member));
  disk_->keep_copy();
  files_->keep_copy();
  copied_boot_ = replica_->boot();
  copied_last_ = replica_->status().durable;
}

bool Server::put_copy_back(std::function<bool(uint32_t member)> meets) {
  if (!up() || failing_ || world_.now_us < busy_until_us_) return false;
  crash(false);
  world_.say(
      fmt::format("the disk of member {} is put back to the copy of its start number {}", self_.member, copied_boot_));
  world_.cover(meets ? kPutBackWithinStart : kPutBack);
  meets_ = std::move(meets);
  put_back_ = true;
  if (!disk_->put_copy_back()) world_.fail("put back", "put back: the directory can't be changed");
  files_->put_copy_back();
  world_.after(dice_.in(1'000, 1'000'000), [this] { start(); });
  return true;
}

// After a kill, not a power cut: see kill().
bool Server::rot() {
  if (!up() || failing_ || world_.now_us < busy_until_us_) return false;
  kill();
  self_.group->starts(self_.member);
  if (dice_.chance(0.3)) {
    refuse_damaged_snapshot();
  } else if (try_open_with_rot()) {
    lost_ = true;
    return true;
  } else {
    world_.cover(kFlipsHarmless);
  }
  world_.after(dice_.in(1'000, 500'000), [this] { start(); });
  return true;
}

void Server::read_boots() {
  if (!plan_.put_backs) return;
  auto boots = server::load_boots(*files_, dir_);
  if (!boots.ok()) return world_.fail("put back", "put back: " + boots.status().message());
  boots_ = *std::move(boots);
}

bool Server::has_met(const Server& other) const {
  const auto boots = server::load_boots(*files_, dir_);
  const auto seen = boots.ok() ? boots->find(other.member()) : boots->end();
  return boots.ok() && seen != boots->end() && seen->second.boot == other.replica_->boot();
}

net::PeerHello Server::hello() const {
  net::PeerHello hello;
  hello.cluster = any_cluster();
  hello.incarnation = self_.incarnation;
  hello.member = self_.member;
  hello.name = fmt::format("m{}", self_.member);
  hello.boot = replica_->boot();
  hello.starts = replica_->starts();
  hello.found_term = replica_->found().term;
  hello.found_next = replica_->found().last + 1;
  hello.level = level_;
  return hello;
}

// The rules themselves; but who is a member is known here by other means (knows()), and levels are on_unfit()'s.
base::Status Server::admit(const net::PeerHello& theirs) {
  if (!plan_.put_backs) return {};
  if (meets_ && !meets_(theirs.member)) return {base::Code::kUnavailable, "not reached"};
  server::OwnPlace own;
  own.name = fmt::format("m{}", self_.member);
  own.cluster = any_cluster();
  own.incarnation = self_.incarnation;
  own.member = self_.member;
  own.members = &replica_->members();
  own.table_is_old = true;
  own.boots = &boots_;
  server::know_match(*replica_, theirs.member, own);
  if (base::Status status = server::admit(own, net::PeerEnd::kAccepted, "", theirs); !status.ok()) return status;
  const server::SeenStart seen = server::seen_start(boots_[theirs.member], theirs);
  if (seen == std::exchange(boots_[theirs.member], seen)) return {};
  // A node does so within half a second. Where there is no room for it now, it knows until it stops.
  (void)server::store_boots(*files_, dir_, boots_);
  return {};
}

void Server::refused(const std::string& why) {
  if (lost_ || why.find(server::kPutBackRefusal) == std::string::npos)
    return world_.say(fmt::format("member {} is refused: {}", self_.member, why));
  if (!put_back_) return world_.fail("put back", "put back: a member is sent away with its own disk: " + why);
  world_.cover(kSentAway);
  lose("is sent away: " + why);
}

void Server::lose(const std::string& why) {
  lost_ = true;
  world_.say(fmt::format("member {} {}", self_.member, why));
  if (up()) kill();
}

}  // namespace cleat::sim
