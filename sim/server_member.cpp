// A server as one member of several: what it hears from the others, and what becomes of requests when the leader
// changes.
#include <fmt/format.h>

#include <algorithm>

#include "lock/entry.hpp"
#include "server.hpp"

namespace cleat::sim {

using replica::Trouble;

namespace {
constexpr int64_t kLeaderlessWaitUs = 2'000'000;  // a request is held as long when there is no leader
constexpr int64_t kUndecidedUs = 5'000'000;       // then its outcome is called unknown
}  // namespace

int64_t Server::elapsed_in_turn_us() {
  sync_us_ += static_cast<int64_t>(disk_->take_sync_us());
  return in_turn_us_ + sync_us_;
}

void Server::send(uint32_t member, std::string_view message) {
  self_.network->send(self_.member, member, message, world_.now_us + elapsed_in_turn_us());
}

void Server::arrive(uint32_t from, std::string bytes) {
  if (!up()) return;
  peer_inputs_.push_back({PeerInput::Kind::kMessage, from, 0, 0, std::move(bytes)});
  schedule(world_.now_us + dice_.in(0, 60));
}

void Server::peer_up(uint32_t member, uint32_t boot, uint32_t level) {
  if (!up()) return;
  peer_inputs_.push_back({PeerInput::Kind::kUp, member, boot, level, {}});
  schedule(world_.now_us);
}

void Server::peer_down(uint32_t member) {
  if (!up()) return;
  peer_inputs_.push_back({PeerInput::Kind::kDown, member, 0, 0, {}});
  schedule(world_.now_us);
}

bool Server::knows(uint32_t member) const {
  return known_.count(member) != 0;
}

void Server::take_peer_input() {
  size_t take = peer_inputs_.size();
  // After a stall all is ready at once, and what clients sent may be read before what members sent.
  const bool stalled = world_.now_us - stalled_until_us_ < 1'000 && stalled_until_us_ > 0;
  if (take > 0 && stalled && happens(0.5)) {
    take = 0;
    replica_->input_left();
  } else if (take > 1 && plan_.stalls && happens(0.02)) {
    take = static_cast<size_t>(dice_.in(0, static_cast<int64_t>(take) - 1));
    replica_->input_left();
  }
  for (; take > 0; --take) {
    const PeerInput in = std::move(peer_inputs_.front());
    peer_inputs_.pop_front();
    switch (in.kind) {
      case PeerInput::Kind::kMessage:
        replica_->receive(in.member, in.bytes);
        break;
      case PeerInput::Kind::kUp:
        replica_->peer_up(in.member, in.boot, in.level);
        break;
      case PeerInput::Kind::kDown:
        replica_->peer_down(in.member);
        break;
    }
  }
}

bool Server::has_requests_open() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& c) {
    return !c.second.run.empty() || !c.second.asynchronous.empty() || c.second.waiting != 0;
  });
}

// No leader: for a while one may come.
void Server::hold_or_refuse(uint64_t id, Connection& c) {
  if (alone()) return;
  if (c.held_since_us < 0) c.held_since_us = world_.now_us;
  if (world_.now_us - c.held_since_us < kLeaderlessWaitUs) return;
  c.held_since_us = -1;
  const Request r = c.queue.front();
  c.queue.pop_front();
  world_.cover(kNoQuorum);
  reply(id, {.number = r.number, .trouble = Trouble::kNoQuorum, .verb = r.c.verb, .key = {}});
}

// What was taken and is not decided for long may still happen: its outcome is unknown.
void Server::give_up_old_runs() {
  for (auto& [id, c] : connections_)
    if (!c.run.empty() && c.waiting == 0 && world_.now_us - c.run_since_us > kUndecidedUs)
      refuse_run(id, c, Trouble::kUnknown);
}

void Server::refuse_run(uint64_t id, Connection& c, Trouble trouble) {
  for (const Request& r : c.run) {
    world_.cover(kUnknown);
    c.asynchronous.erase(r.c.seq);
    reply(id, {.number = r.number, .trouble = trouble, .verb = r.c.verb, .key = {}});
  }
  c.run.clear();
  c.waiting = 0;
}

void Server::on_leadership(bool leads, uint64_t term) {
  if (leads && !alone()) self_.group->leads(self_.member, term, replica_->status().applied, replica_->machine());
  if (!alone() && (leads || serving_)) {
    world_.say(fmt::format("member {} {} in term {}", self_.member, leads ? "leads" : "ceases to lead", term));
    if (!leads) world_.cover(kLeadersLost);
    if (has_requests_open()) world_.cover(kChangesUnderLoad);
  }
  serving_ = leads;
}

// Whatever was taken in an older term and did not come by now never will: it is asked again, in its place.
void Server::on_term(uint64_t term) {
  if (alone()) return;
  self_.group->term_begins(self_.member);
  for (auto& [id, c] : connections_) {
    if (c.open && !c.run.empty() && c.waiting == 0 && c.run_term < term) {
      for (; !c.run.empty(); c.run.pop_back()) {
        world_.cover(kAskedAgain);
        checks_.withdrawn({self_.member, replica_->boot(), number_of(id)}, c.run.back().c.seq);
        c.asynchronous.erase(c.run.back().c.seq);
        c.queue.push_front(c.run.back());
      }
    }
    if (c.told_closed && c.told_term < term) c.told_closed = false;
  }
  for (Undelivered& u : undelivered_)
    if (u.told && u.told_term < term) u.told = false;
}

// Outcomes may have been missed: whoever has something open asks again on another connection.
void Server::on_state_replaced() {
  self_.group->state_replaced(self_.member, replica_->status().applied, replica_->machine());
  for (auto& [id, c] : connections_) {
    if (!c.open || c.client == nullptr) continue;
    if (c.run.empty() && c.asynchronous.empty() && c.waiting == 0 && c.implicit == 0) continue;
    refuse_run(id, c, Trouble::kUnknown);
    if (!c.vanished) world_.after(300, [client = c.client, id = id] { client->on_disconnected(id); });
    c.client = nullptr;
    c.open = false;
  }
}

void Server::retire() {
  retired_ = true;
  if (!up()) return;
  world_.say(fmt::format("member {} leaves for good", self_.member));
  replica_.reset();
  stop();
  self_.network->stopped(self_.member, true);
}

void Server::on_members(const replica::Members& members) {
  if (members.all().empty()) return;  // not told yet
  known_.clear();
  for (const replica::Member& m : members.all()) known_.insert(m.id);
}

// Its build is too old since the group moved on: the process ends, and a newer one takes its place.
void Server::on_unfit(const std::string& why) {
  if (!up()) return;  // open() says so too
  world_.cover(kTooOld);
  world_.say(fmt::format("member {} ends: {}", self_.member, why));
  level_ = lock::known_level();
  world_.after(dice_.in(100'000, 1'000'000), [this, life = life_] {
    if (life != life_ || !up()) return;
    kill();
    world_.after(200'000, [this] { start(); });
  });
}

void Server::on_members_changed(uint64_t, const base::Status& status) {
  world_.cover(kMemberChanges, status.ok());
  world_.say(fmt::format("membership: {}", status.ok() ? "changed" : status.message()));
}

void Server::on_log(int level, std::string_view line) {
  if (level == 4) world_.cover(kLogFull);
  stuck_ = level == 4 || (stuck_ && level != 2);
  world_.say(fmt::format("member {} says: {}", self_.member, line));
}

void Server::on_entry(uint64_t index, uint64_t term, std::string_view bytes, bool replayed) {
  const int64_t earliest_us = world_.now_us + in_turn_us_;
  if (replica_ && replica_->machine().level() > level_)
    world_.fail("levels",
                fmt::format("levels: member {} applies entry {} by rules that it does not know", self_.member, index));
  if (alone()) return checks_.entry(index, bytes, replayed, earliest_us);
  self_.group->entry(self_.member, {index, term, replayed, earliest_us, world_.now_us + elapsed_in_turn_us()}, bytes,
                     replica_ ? &replica_->machine() : nullptr);
  if (replica_) note_met(bytes);
}

// What has no outcome is known to have happened when it is met in the log.
void Server::note_met(std::string_view entry) {
  lock::EntryReader reader(entry);
  base::ConnectionRef from;
  lock::Command c;
  while (reader.next_run(from))
    while (reader.next_command(c)) {
      if (from.member != self_.member || from.boot != replica_->boot()) continue;
      if (c.verb == lock::Verb::kConnectionClosed) connections_.erase(handle_of(from.connection));
      if (c.verb == lock::Verb::kUndeliver)
        std::erase_if(undelivered_, [&](const Undelivered& u) { return u.name == c.name && u.fence == c.fence; });
    }
}

}  // namespace cleat::sim
