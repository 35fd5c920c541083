#include "server.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/mutant.hpp"
#include "replica/level_watch.hpp"
#include "storage/snapshot.hpp"

namespace cleat::sim {

namespace {
constexpr uint64_t kNever = INT64_MAX;
}

Server::Server(World& world, Checks& checks, const Plan& plan, std::string dir, Membership self)
    : world_(world),
      checks_(checks),
      plan_(plan),
      dir_(std::move(dir)),
      disk_(std::make_unique<raft::VirtualDisk>()),
      files_(std::make_unique<storage::FakeFileSystem>()),
      self_(std::move(self)),
      dice_(world.dice(Stream::kServer, self_.member)),
      rate_(plan.rates[(self_.member - 1) % plan.rates.size()]) {
  if (!alone()) self_.network->attach(self_.member, this);
  for (const replica::Member& m : self_.founders) known_.insert(m.id);
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);  // of an earlier process of the same number that died
  if (base::mutant("skip_sync")) disk_->ignore_syncs(true);
  if (self_.heritage == nullptr) return;
  if (base::Status status = furnish(*self_.heritage, self_.member, *files_, dir_); !status.ok())
    world_.fail("restore", "restore: " + status.message());
}

Server::~Server() {
  replica_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

int64_t Server::mono_us() {
  return mono_base_us_ +
         static_cast<int64_t>(rate_ * static_cast<double>(world_.now_us + elapsed_in_turn_us() - rate_since_us_)) +
         static_cast<int64_t>(life_ + self_.member) * 7'000'000;
}

void Server::drift(double rate) {
  // Its turn has read the clock as of its end already.
  if (world_.now_us < busy_until_us_) return world_.at(busy_until_us_, [this, rate] { drift(rate); });
  world_.cover(kDrifts);
  if (world_.telling())
    world_.say(fmt::format("the clock of member {} runs {:.4f} times as fast as time", self_.member, rate));
  mono_base_us_ += static_cast<int64_t>(rate_ * static_cast<double>(world_.now_us - rate_since_us_));
  rate_since_us_ = world_.now_us;
  rate_ = rate;
}

bool Server::happens(double chance) {
  return dice_.chance(chance) && world_.happens(Stream::kTrouble, self_.member, ++troubles_);
}

replica::Options Server::options() {
  replica::Options o;
  o.dir = dir_;
  o.member = self_.member;
  o.founders = self_.founders;
  o.incarnation = self_.incarnation;
  o.began_restored = self_.heritage != nullptr;
  if (!alone()) o.outbox = this;
  o.tick_us = plan_.tick_us;
  o.settings.margin_ppm = static_cast<uint32_t>(plan_.margin * 1e6);
  o.settings.implicit_ttl_ms = 1500;
  o.settings.req_results_per_session = plan_.req_results;
  o.level = level_;
  o.seed = life_ + (uint64_t{self_.member} << 32) + (alone() ? 0 : plan_.seed << 40);
  o.start_id = Rng::mixed(o.seed);
  o.disk = disk_.get();
  o.files = files_.get();
  o.min_free_bytes = 1u << 20;
  o.snapshot_turn_us = 0;
  o.snapshot_slice_bytes = 256;
  o.snapshot_log_bytes = 1u << 30;
  return o;
}

void Server::start() {
  if (up() || retired_ || lost_) return;
  // An operator upgrades it, or goes back to the build of before.
  Rng dice = world_.dice(Stream::kUpgrade, self_.member, life_);
  if (plan_.upgrades && dice.chance(0.5) && world_.happens(Stream::kUpgrade, self_.member, life_)) {
    level_ = dice.chance(0.7) ? lock::known_level() : lock::kFirstLevel;
    world_.say(fmt::format("the build of member {} knows feature level {}", self_.member, level_));
  }
  // It died in a turn that ends only now.
  if (world_.now_us < busy_until_us_) return world_.at(busy_until_us_, [this] { start(); });
  std::filesystem::create_directories(dir_);
  disk_->fail_syncs(false);
  failing_ = false;
  open();
}

void Server::open() {
  ++life_;
  connection_ = seq_ = 0;
  serving_ = checked_ = stuck_ = false;
  dying_ = false;
  in_turn_us_ = 0;
  if (!alone()) self_.group->starts(self_.member);
  if (plan_.crashes && happens(0.1)) disk_->stop_after(static_cast<uint64_t>(dice_.in(0, 12)));
  auto opened = replica::Replica::open(options(), *this, *this);
  if (disk_->stopped()) {
    if (opened.ok()) replica_ = *std::move(opened);
    return die_in_start();
  }
  disk_->stop_after(kNever);
  if (opened.status().code() == base::Code::kNoSpace) {
    world_.say("no room to start: " + opened.status().message());
    return world_.after(500'000, [this] {
      if (!up()) start();
    });
  }
  if (!opened.ok() && level_ < lock::known_level() &&
      opened.status().message().find(replica::kTooOld) != std::string::npos) {
    world_.cover(kTooOld);
    world_.say(opened.status().message());
    level_ = lock::known_level();
    return open();
  }
  if (!opened.ok()) return world_.fail("recovery", "the node does not start again: " + opened.status().message());
  replica_ = *std::move(opened);
  read_boots();
  snapshots_seen_ = replica_->status().snapshot_index;
  if (snapshots_seen_ > 0) world_.cover(kSnapshotLoads);
  last_reading_us_ = world_.now_us;
  busy_until_us_ = world_.now_us;
  scheduled_us_ = INT64_MAX;
  sync_us_ = 0;
  held_seen_ = forwards_again_seen_ = 0;
  disk_->take_sync_us();
  world_.say(fmt::format("member {} starts for the {}. time", self_.member, replica_->boot()));
  if (!alone()) self_.network->started(self_.member, replica_->boot(), level_);
  schedule(world_.now_us);
}

void Server::die_in_start() {
  world_.cover(kCrashesInStart);
  world_.say(fmt::format("member {} loses power while it starts", self_.member));
  lose_power();
  world_.after(dice_.in(1'000, 200'000), [this] {
    if (!up()) open();
  });
}

void Server::lose_power() {
  const uint64_t seed = dice_.next();
  disk_->crash(seed);
  files_->crash(seed + 1);
  disk_->fail_syncs(false);
  files_->fail_syncs(false);
  replica_.reset();
}

// The power goes. What clients had asked is lost to them; they notice after a while.
void Server::crash(bool in_a_write) {
  if (!up() || dies_later([this] { crash(false); })) return;
  world_.cover(in_a_write ? kCrashesInWrite : kCrashes);
  failing_ = false;
  world_.say(fmt::format("member {} loses power{}", self_.member, in_a_write ? " in a write" : ""));
  const uint64_t before = disk_->used_bytes();
  lose_power();
  if (disk_->used_bytes() != before || in_a_write) world_.cover(kCutTails);
  stop();
  if (!alone()) self_.network->stopped(self_.member, false);
}

// A turn is one event here although it takes time: nothing befalls the node before the end of what it did in it.
bool Server::dies_later(std::function<void()> die) {
  if (world_.now_us >= busy_until_us_ || disk_->stopped()) return false;
  dying_ = true;
  world_.at(busy_until_us_, [die = std::move(die), life = life_, this] {
    if (life == life_ && dying_) die();
  });
  return true;
}

// The process is gone, the machine runs on: all that was written is there. Rot is met only here: after a power cut the
// lower bound may be lost with the rest of what was not synced, and a torn tail can't be told from rot.
void Server::kill() {
  if (!up() || dies_later([this] { kill(); })) return;
  if (failing_) return crash(false);
  world_.cover(kKills);
  world_.say(fmt::format("member {} is killed", self_.member));
  replica_.reset();
  stop();
  if (!alone()) self_.network->stopped(self_.member, true);
  if (plan_.flips && !world_.failed()) refuse_damaged_snapshot();
}

bool Server::meets_rot() {
  busy_until_us_ = world_.now_us;
  kill();
  for (int i = 0; i < 4 && !world_.failed(); ++i) {
    if (try_open_with_rot()) return world_.over = true;
    world_.cover(kFlipsHarmless);
  }
  start();
  return false;
}

void Server::restart_cleanly() {
  if (!up()) return;
  if (!replica_->close().ok()) world_.fail("recovery", "close failed");
  replica_.reset();
  stop();
  if (!alone()) self_.network->stopped(self_.member, true);
  start();
}

void Server::stop() {
  serving_ = dying_ = false;
  mailbox_.clear();
  cookies_.clear();
  undelivered_.clear();
  peer_inputs_.clear();
  auto connections = std::move(connections_);
  connections_.clear();
  for (auto& [id, c] : connections) {
    if (c.client == nullptr || c.vanished) continue;
    world_.after(dice_.in(1'000, 20'000), [client = c.client, id = id] { client->on_disconnected(id); });
  }
}

// Rot: a byte of the stored files is another. The node refuses to start, or nothing that was told is missing.
bool Server::try_open_with_rot() {
  const auto files = disk_->files();
  if (files.empty()) return false;
  const std::string& path = files[dice_.next() % files.size()];
  const auto bytes = disk_->read(path);
  if (bytes.empty()) return false;
  const uint64_t offset = dice_.next() % bytes.size();
  const auto mask = static_cast<uint8_t>(1u << dice_.in(0, 7));
  disk_->flip(path, offset, mask);
  ++life_;
  auto opened = replica::Replica::open(options(), *this, *this);
  world_.say(fmt::format("rot in {} at {}: {}", path, offset, opened.ok() ? "not met" : opened.status().message()));
  if (!opened.ok()) {
    // Never silently wrong. An operator would restore a backup.
    world_.cover(kFlipsRefused);
    return true;
  }
  replica_ = *std::move(opened);
  for (int i = 0; i < 3; ++i) replica_->step();
  if (serving_) checks_.recovered(replica_->status().applied, replica_->machine());
  serving_ = false;
  replica_.reset();
  if (disk_->read(path).size() > offset && disk_->read(path)[offset] == static_cast<uint8_t>(bytes[offset] ^ mask))
    disk_->flip(path, offset, mask);
  return false;
}

// Every byte of the snapshot that a start needs is guarded: with any of them changed the node does not start, and says
// which file is damaged. With the byte put right it starts as if nothing had been.
void Server::refuse_damaged_snapshot() {
  const auto snapshots = storage::list_snapshots(*files_, dir_ + "/snapshots");
  if (!snapshots.ok() || snapshots->empty()) return;
  const std::string& path = snapshots->front().path;
  const uint64_t offset = dice_.next() % files_->content(path).size();
  const auto mask = static_cast<uint8_t>(1u << dice_.in(0, 7));
  files_->flip(path, offset, mask);
  auto opened = replica::Replica::open(options(), *this, *this);
  const std::string said = opened.ok() ? "it starts" : opened.status().message();
  world_.say(fmt::format("rot in {} at {}: {}", path, offset, said));
  if (opened.ok() || opened.status().code() != base::Code::kCorrupt || said.find(path) == std::string::npos ||
      said.find("is damaged at byte") == std::string::npos)
    world_.fail("rot", fmt::format("rot: byte {} of the snapshot is another, and the node says: {}", offset, said));
  world_.cover(kSnapshotRot);
  if (opened.ok()) (*std::move(opened)).reset();
  files_->flip(path, offset, mask);
}

uint64_t Server::connect(Receiver* client) {
  if (!up() || unreachable_) return 0;
  // As of a process: its numbers begin anew, and only the boot tells its connections from those before.
  const uint64_t handle = handle_of(++connection_);
  Connection& c = connections_[handle];
  c.client = client;
  c.heard_us = world_.now_us;
  return handle;
}

void Server::send(uint64_t connection, const Request& r) {
  const auto c = connections_.find(connection);
  if (!up() || c == connections_.end() || !c->second.open || c->second.vanished) return;
  if (unreachable_) return vanish(connection);  // what is lost on it leaves a hole: it will not be heard again
  if (c->second.session != 0) heard(c->second.session, awake_now());
  mailbox_.emplace_back(connection, r);
  schedule(world_.now_us + dice_.in(0, 100));
}

// The end of a connection is read after all that was sent on it.
void Server::disconnect(uint64_t connection) {
  const auto c = connections_.find(connection);
  if (c == connections_.end()) return;
  Request gone;
  gone.kind = Kind::kGone;
  mailbox_.emplace_back(connection, gone);
  schedule(world_.now_us);
}

void Server::vanish(uint64_t connection) {
  if (const auto c = connections_.find(connection); c != connections_.end()) {
    c->second.vanished = true;
    c->second.heard_us = world_.now_us;
  }
}

// While the log is stuck an Expire may be on its way already: what comes then is not held against the service.
void Server::heard(uint64_t session, int64_t awake_us) {
  if (stuck_) return;
  alone() ? checks_.arrived(session, awake_us) : self_.group->arrived(self_.member, session, awake_us);
}

void Server::schedule(int64_t us) {
  us = std::max({us, stalled_until_us_, busy_until_us_, world_.now_us});
  if (!up() || us >= scheduled_us_) return;
  scheduled_us_ = us;
  world_.at(us, [this, us, life = life_] {
    if (life != life_ || us != scheduled_us_ || !up()) return;
    scheduled_us_ = INT64_MAX;
    if (world_.now_us < std::max(stalled_until_us_, busy_until_us_)) return schedule(busy_until_us_);
    turn();
  });
}

// Time on its own clock in which the server could listen, at most as much a turn as log time counts.
int64_t Server::awake_now() const {
  return static_cast<int64_t>(awake_us_ + listened_us(world_.now_us - last_reading_us_));
}

double Server::listened_us(int64_t real_us) const {
  return std::clamp(rate_ * static_cast<double>(real_us), 0.0, 100'000.0);
}

void Server::turn() {
  if (plan_.stalls && in_turn_us_ == 0) in_turn_us_ = happens(0.002) ? dice_.in(1000, 90'000) : 0;
  const int64_t reading_us = world_.now_us + in_turn_us_;
  awake_us_ += listened_us(reading_us - last_reading_us_);
  last_reading_us_ = reading_us;
  if (alone())
    checks_.awake(awake_now());
  else
    self_.group->turn(self_.member, {world_.now_us, reading_us, static_cast<int64_t>(awake_us_)});
  drain();
  vouch();
  if (!alone()) give_up_old_runs();
  for (auto& [id, c] : connections_) c.open ? feed(id, c) : feed_closed(id, c);
  if (alone()) std::erase_if(connections_, [](const auto& c) { return c.second.told_closed; });
  feed_undelivered();
  replica_->step();
  after_step();
}

void Server::after_step() {
  // The turn lasted as long as its syncs took; what it said left at its end.
  busy_until_us_ = world_.now_us + elapsed_in_turn_us() + 1;
  if (sync_us_ > 10'000) world_.cover(kSlowWrites);
  sync_us_ = 0;
  if (disk_->stopped()) return crash(true);
  const replica::Status s = replica_->status();
  if (s.snapshot_index > snapshots_seen_) world_.cover(kSnapshots);
  snapshots_seen_ = s.snapshot_index;
  world_.cover(kHeldProposals, s.proposals_held - std::exchange(held_seen_, s.proposals_held));
  world_.cover(kForwardsAgain, s.forwards_again - std::exchange(forwards_again_seen_, s.forwards_again));
  if (!checked_ && serving_) {
    checked_ = true;
    if (alone()) {
      checks_.recovered(s.applied, replica_->machine());
      checks_.leads(static_cast<int64_t>(awake_us_), replica_->machine());
    }
  }
  in_turn_us_ = 0;
  int64_t wake_us = world_.now_us + 200'000;
  if (const auto wake = replica_->next_wake_us())
    wake_us = world_.now_us + static_cast<int64_t>(static_cast<double>(*wake - mono_us()) / rate_) + 1;
  // What was left unread, or waits for a leader, is looked at again; a spinning loop would show nothing more.
  const int64_t soon_us = world_.now_us + (alone() ? 50 : 700), later_us = world_.now_us + (alone() ? 50 : 5'000);
  schedule(mailbox_.empty() && peer_inputs_.empty() ? std::max(wake_us, world_.now_us + 50) : soon_us);
  for (const auto& [id, c] : connections_)
    if (c.open && !c.queue.empty() && c.run.empty() && c.waiting == 0 && !c.busy) return schedule(later_us);
}

void Server::fill_disk(bool log_too, int64_t log_room_bytes) {
  files_->set_capacity(1u << 19);
  world_.cover(kFullDisks);
  if (log_too) disk_->set_capacity(disk_->used_bytes() + static_cast<uint64_t>(log_room_bytes));
  world_.say(
      fmt::format("the disk of member {} is {}", self_.member, log_too ? "full, for the log too" : "nearly full"));
}

void Server::empty_disk() {
  files_->set_capacity(UINT64_MAX);
  disk_->set_capacity(raft::VirtualDisk::kUnlimited);
  world_.say(fmt::format("there is room on the disk of member {} again", self_.member));
}

void Server::slow_disk(int64_t sync_us) {
  world_.cover(kSlowDisks, sync_us > 0);
  if (world_.telling()) world_.say(fmt::format("a sync of member {}'s disk takes {} us", self_.member, sync_us));
  disk_->set_sync_cost(static_cast<uint64_t>(sync_us), 0);
}

void Server::die_in_next_write(Rng& dice) {
  failing_ = true;
  if (dice.chance(0.5)) {
    world_.cover(kFailedSyncs);
    world_.say(fmt::format("the next sync of member {} is to fail", self_.member));
    return disk_->fail_syncs(true);
  }
  world_.say(fmt::format("member {} is to lose power within its next writes", self_.member));
  disk_->stop_after(static_cast<uint64_t>(dice.in(0, 8)));
}

bool Server::is_locked() {
  self_.group->starts(self_.member);
  replica::Options o = options();
  o.level = lock::known_level();  // a build that is too old is refused before it comes to the lock
  const auto opened = replica::Replica::open(o, *this, *this);
  return opened.status().code() == base::Code::kBusy;
}

base::Result<server::Survivor> Server::remains() {
  empty_disk();
  disk_->fail_syncs(false);
  disk_->stop_after(kNever);
  server::ClusterIdentity identity;
  identity.cluster = {1};
  identity.incarnation = self_.incarnation;
  identity.member = self_.member;
  identity.name = fmt::format("m{}", self_.member);
  identity.members = self_.founders;
  identity.nonces.resize(self_.founders.size());
  if (identity.members.empty()) identity.members = {{1, "m1", "host1:1"}};  // it was told whom to dial
  if (base::Status status = server::store_identity(*files_, dir_, identity); !status.ok()) return status;
  return server::load_survivor(*files_, dir_, disk_.get());
}

void Server::snapshot() {
  if (up()) replica_->begin_snapshot();
}

void Server::end_faults() {
  empty_disk();
  disk_->set_sync_cost(0, 0);
  unreachable_ = false;
  stalled_until_us_ = 0;
  undrained_until_us_ = -1;
  disk_->fail_syncs(false);
  disk_->stop_after(kNever);
  failing_ = dying_ = false;
  start();
}

}  // namespace cleat::sim
