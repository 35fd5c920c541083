#include "server/cluster.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "replica/level_watch.hpp"
#include "server/cluster_messages.hpp"
#include "server/recover.hpp"
#include "server/restore.hpp"

namespace cleat::server {
namespace {

using base::Status;

constexpr int64_t kSayAgainUs = 10'000'000, kLookUs = 500'000;

Status invalid(std::string line) {
  return {base::Code::kInvalid, std::move(line)};
}

}  // namespace

Status Cluster::start(Options options) {
  options_ = std::move(options);
  storage::FileSystem& files = *options_.files;
  if (Status s = files.make_dir(options_.dir); !s.ok()) return s;
  if (Status s = check_recovered(files, options_.dir); !s.ok()) return s;
  auto identity = load_identity(files, options_.dir);
  if (!identity.ok()) return identity.status();
  auto pending = load_pending_restore(files, options_.dir);
  if (!pending.ok()) return pending.status();
  if (*identity) {
    if (*pending) forget_restore(files, options_.dir);  // it ended just before
    identity_ = **std::move(identity);
    members_ = replica::Members(identity_.members);
    auto boots = load_boots(files, options_.dir);
    if (!boots.ok()) return boots.status();
    boots_ = stored_boots_ = *std::move(boots);
    phase_ = Phase::kMember;
    return check_settings();
  }
  auto nonce = load_or_make_nonce(files, options_.dir, options_.fresh);
  if (!nonce.ok()) return nonce.status();
  nonce_ = *nonce;
  if (*pending) return begin_restored(**pending);
  const ClusterSettings& set = options_.settings;
  const bool alone = set.join.empty() && set.founders.size() <= 1;
  if (options_.holds_a_group && !alone) {
    return invalid(fmt::format(
        "{} holds the state of a node alone: start it without --cluster and --join, with --peer-listen HOST:PORT, and "
        "let the other members join it (cleat cluster add); or give this node an empty directory",
        options_.dir));
  }
  if (alone) return begin_alone();
  if (set.join.empty()) {
    founding_.emplace(set.name, set.founders, nonce_);
    phase_ = Phase::kFounding;
  } else {
    phase_ = Phase::kJoining;
  }
  return {};
}

Status Cluster::begin_restored(const PendingRestore& pending) {
  const ClusterSettings& set = options_.settings;
  const std::string right = fmt::format("--name {} --cluster {}", pending.name, list_text(pending.list));
  const std::string difference = list_difference(pending.list, set.founders);
  if (set.name != pending.name || !difference.empty() || !set.join.empty()) {
    return invalid(
        fmt::format("cluster: {} was restored as one of several members: start it with {} (the settings differ{})",
                    options_.dir, right, difference.empty() ? "" : ": " + difference));
  }
  founding_.emplace(pending.name, pending.list, nonce_, pending.origin);
  phase_ = Phase::kFounding;
  return {};
}

// An older directory becomes that of a cluster of one in the same way: nobody else can have part in it.
Status Cluster::begin_alone() {
  const std::string& given = options_.settings.name;
  identity_ = found_alone(given.empty() ? std::string(kLoneName) : given, options_.own_address, nonce_);
  members_ = replica::Members(identity_.members);
  if (Status s = store_identity(*options_.files, options_.dir, identity_); !s.ok()) return s;
  phase_ = Phase::kMember;
  return {};
}

Status Cluster::check_settings() const {
  const std::string& given = options_.settings.name;
  if (given.empty() || given == identity_.name) return {};
  return invalid(fmt::format("name: {} is the directory of member {} and not of {}: correct --name or --data",
                             options_.dir, identity_.name, given));
}

void Cluster::attach(PeerPort& port) {
  port_ = &port;
  if (phase_ == Phase::kMember) return;
  net::PeerHello hello;
  hello.name = options_.settings.name;
  hello.level = options_.level;
  port.set_hello(hello);
  uint64_t key = kOutsider;
  if (phase_ == Phase::kFounding) {
    for (const ListedMember& m : founding_->list()) {
      if (m.name != hello.name) port.dial(key, *parse_member_address(m.address));
      ++key;
    }
    hear({});  // a list of one is complete
  } else {
    for (const net::Address& address : options_.settings.join) port.dial(key++, address);
    wait_for(fmt::format("waits to be added: run `cleat cluster add {}={}` against a member of the cluster", hello.name,
                         options_.own_address.empty() ? "HOST:PORT" : options_.own_address));
  }
}

std::string Cluster::name_behind(uint64_t key) const {
  if (key >= kOutsider && founding_) return founding_->list()[key - kOutsider].name;
  const replica::Member* m = key < kOutsider ? members_.find(static_cast<uint32_t>(key)) : nullptr;
  return m ? m->name : "";
}

OwnPlace Cluster::own_place() const {
  OwnPlace own;
  own.name = phase_ == Phase::kMember ? identity_.name : options_.settings.name;
  own.founders = founding_ ? &founding_->list() : nullptr;
  own.kind = phase_ == Phase::kFounding  ? OwnPlace::Kind::kFounding
             : phase_ == Phase::kJoining ? OwnPlace::Kind::kJoining
                                         : OwnPlace::Kind::kMember;
  own.cluster = identity_.cluster;
  own.incarnation = identity_.incarnation;
  own.member = identity_.member;
  own.members = &members_;
  own.table_is_old = table_is_old_;
  own.boots = &boots_;
  if (replica_) own.level = replica_->status().level;
  return own;
}

Status Cluster::admit(net::PeerEnd end, uint64_t key, const net::PeerHello& theirs) {
  if (phase_ == Phase::kStopped || (phase_ == Phase::kMember && !replica_)) {
    return invalid("this node is not ready yet, or stops: try again");
  }
  OwnPlace own = own_place();
  if (replica_) know_match(*replica_, theirs.member, own);
  const Status status = server::admit(own, end, end == net::PeerEnd::kDialed ? name_behind(key) : "", theirs);
  if (status.ok() && phase_ == Phase::kMember && theirs.member != 0) {
    SeenStart& seen = boots_[theirs.member];
    seen = seen_start(seen, theirs);
  }
  return status;
}

void Cluster::on_outsider_up(uint64_t key, const net::PeerHello& theirs) {
  outsiders_[key] = theirs;
  if (phase_ == Phase::kFounding) port_->send(key, encode_message(founding_->own_statement()));
  if (phase_ == Phase::kMember && theirs.member == 0) greet(key, theirs);
}

void Cluster::on_outsider_down(uint64_t key) {
  outsiders_.erase(key);
  welcomed_.erase(key);
  noticed_keys_.erase(key);
}

// One that has no place stands at the address of a member of ours: it founds still, joins, or was emptied.
void Cluster::greet(uint64_t key, const net::PeerHello& theirs) {
  Statement s;
  s.name = identity_.name;
  s.group = identity_.cluster;
  s.nonces = identity_.nonces;
  s.origin = identity_.restored;
  s.incarnation = identity_.incarnation;
  s.knows_you = members_.find(theirs.name) != nullptr;
  for (size_t i = 0; i < identity_.members.size() && identity_.founder(); ++i) {
    const replica::Member& m = identity_.members[i];
    s.list.push_back({m.name, m.address});
    if (m.id == identity_.member) s.nonce = identity_.nonces[i];
  }
  port_->send(key, encode_message(s));
}

void Cluster::on_outsider_message(const net::PeerHello& theirs, std::string_view bytes) {
  auto message = decode_message(bytes);
  if (!message.ok()) return spdlog::warn("from {}: {}", theirs.name, message.status().message());
  if (auto* statement = std::get_if<Statement>(&*message); statement && phase_ == Phase::kFounding) {
    if (statement->name == theirs.name && statement->group == theirs.cluster) hear(*statement);
  } else if (statement && phase_ == Phase::kMember) {
    note_newer_incarnation(*statement);
  } else if (auto* welcome = std::get_if<Welcome>(&*message); welcome && phase_ == Phase::kJoining) {
    const ClusterIdentity& mine = welcome->identity;
    const bool meant = mine.name == options_.settings.name && mine.cluster == theirs.cluster && !mine.founder();
    if (meant && theirs.member != 0) become(mine);
  } else if (auto* notice = std::get_if<Notice>(&*message); notice && phase_ == Phase::kJoining) {
    wait_for(fmt::format("is not taken in; {} says: {}", theirs.name, notice->text));
  }
}

void Cluster::note_newer_incarnation(const Statement& s) {
  if (!s.origin || s.origin->cluster != identity_.cluster || s.origin->incarnation <= identity_.incarnation) return;
  if (!noted_.insert(s.name).second) return;
  spdlog::warn(
      "{} was restored from a backup of this cluster, as incarnation {}, and counts on this member, which is of "
      "incarnation {}: if that is meant, stop this one, empty {} and run `cleat cluster restore` here, too; else "
      "correct the --cluster that was restored there",
      s.name, s.origin->incarnation, identity_.incarnation, options_.dir);
}

void Cluster::hear(const Statement& statement) {
  founding_->heard(statement);
  FoundingVerdict verdict = founding_->verdict();
  switch (verdict.kind) {
    case FoundingVerdict::Kind::kFound:
      return become(std::move(verdict.identity));
    case FoundingVerdict::Kind::kRefuse:
      return stop(std::move(verdict.text));
    case FoundingVerdict::Kind::kWait:
      return wait_for("is " + verdict.text);
  }
}

// Stored before anything else is said: this directory will never take another place.
void Cluster::become(ClusterIdentity identity) {
  if (identity.restored) {
    if (Status s = finish_restore(*options_.files, options_.dir, identity); !s.ok()) return stop(s.message());
  } else if (Status s = store_identity(*options_.files, options_.dir, identity); !s.ok())
    return stop(s.message());
  identity_ = std::move(identity);
  members_ = replica::Members(identity_.members);
  phase_ = Phase::kMember;
  waiting_.clear();
  if (identity_.restored) {
    spdlog::info("restored from a backup: incarnation {}, fences above {}", identity_.incarnation,
                 identity_.restored->above);
  }
  spdlog::info("{} {} cluster {} as member {} ({} members known)", identity_.name,
               identity_.founder() ? "founded" : "joined", cluster_text(identity_.cluster), identity_.member,
               identity_.members.size());
}

void Cluster::serve(replica::Replica* replica, const replica::Members& members) {
  replica_ = replica;
  set_members(members);
  if (!port_ || !replica) return;
  const uint64_t dialed = founding_ ? founding_->list().size() : options_.settings.join.size();
  for (uint64_t i = 0; i < dialed; ++i) port_->drop(kOutsider + i);
  founding_.reset();
  outsiders_.clear();
  net::PeerHello hello;
  hello.cluster = identity_.cluster;
  hello.incarnation = identity_.incarnation;
  hello.member = identity_.member;
  hello.name = identity_.name;
  hello.boot = replica->boot();
  hello.starts = replica->starts();
  hello.found_term = replica->found().term;
  hello.found_next = replica->found().last + 1;
  hello.level = options_.level;
  port_->set_hello(hello);
}

void Cluster::set_members(const replica::Members& members) {
  if (members.all().empty()) return;  // one that joins has no table before its first snapshot
  const bool has_own = members.find(identity_.member) != nullptr;
  if (!has_own && identity_.member >= members.next_id()) return;  // of a time before it was added
  for (const replica::Member& old : members_.all()) somebody_went_ |= members.find(old.id) == nullptr;
  members_ = members;
  table_is_old_ = false;
  if (has_own) return;
  stop(fmt::format(
      "{} (id {}). It does no harm to stop it. To let this machine take part again, empty {}, start it with "
      "--join and run `cleat cluster add {}=HOST:PORT` against a member",
      kRemovedRefusal, identity_.member, options_.dir, identity_.name));
}

void Cluster::stop(std::string why) {
  if (phase_ == Phase::kStopped) return;
  phase_ = Phase::kStopped;
  stop_reason_ = std::move(why);
}

void Cluster::wait_for(std::string text) {
  waiting_ = "this node " + std::move(text);
}

std::map<uint32_t, std::string> Cluster::troubles() const {
  std::map<uint32_t, std::string> out;
  if (!port_ || phase_ != Phase::kMember) return out;
  for (const replica::Member& m : members_.all()) {
    if (std::string trouble = port_->trouble(m.id); m.id != identity_.member && !trouble.empty()) {
      out[m.id] = std::move(trouble);
    }
  }
  return out;
}

void Cluster::look_at_troubles() {
  if (phase_ == Phase::kFounding) {
    for (size_t i = 0; i < founding_->list().size(); ++i) {
      founding_->unheard(founding_->list()[i].name, port_->trouble(kOutsider + i));
    }
    hear({});
    return;
  }
  if (phase_ == Phase::kJoining) {
    for (size_t i = 0; i < options_.settings.join.size(); ++i) {
      hear_final_word(options_.settings.join[i].text(), port_->trouble(kOutsider + i));
    }
  }
  if (phase_ != Phase::kMember) return;
  for (const replica::Member& m : members_.all()) hear_final_word(m.name, port_->trouble(m.id));
}

// What is said in these words will not change by waiting. What this node says itself in the same words is meant for the
// other one.
void Cluster::hear_final_word(const std::string& from, const std::string& trouble) {
  if (!trouble.starts_with(net::kRefusedByThem)) return;
  for (const std::string_view final_word : {kRemovedRefusal, kPutBackRefusal, replica::kTooOld}) {
    if (trouble.find(final_word) != std::string::npos) return stop(from + " says: " + trouble);
  }
}

// Only the leader, and only a learner that it has never met with a place: were it emptied since, the leader would count
// what it had before. Who had a vote is never taken in twice (rule 11).
void Cluster::welcome_learners() {
  if (outsiders_.empty() || !replica_) return;
  if (!replica_->status().leads) return;
  const std::vector<replica::PeerStatus> peers = replica_->peers();
  for (const auto& [key, hello] : outsiders_) {
    const replica::Member* m = key < kOutsider ? members_.find(static_cast<uint32_t>(key)) : nullptr;
    if (!m || hello.member != 0 || welcomed_.contains(key) || noticed_keys_.contains(key)) continue;
    const auto peer = std::find_if(peers.begin(), peers.end(), [&](const auto& p) { return p.id == m->id; });
    if (peer == peers.end()) continue;
    if (peer->voter || boots_.contains(m->id)) {
      noticed_keys_.insert(key);
      port_->send(key, encode_message(Notice{fmt::format(
                           "member {} (id {}) was another directory than this one: it was emptied or replaced. Run "
                           "`cleat cluster remove {}`, then `cleat cluster add {}={}`",
                           m->name, m->id, m->name, m->name, m->address)}));
      continue;
    }
    welcomed_.insert(key);
    ClusterIdentity theirs;
    theirs.cluster = identity_.cluster;
    theirs.incarnation = identity_.incarnation;
    theirs.member = m->id;
    theirs.name = m->name;
    theirs.members = members_.all();
    port_->send(key, encode_message(Welcome{theirs}));
  }
}

// A node that was founded alone without an address gets one when it is to grow; and the directory remembers where it
// listens for members, so that it need not be told at each start.
void Cluster::keep_own_address() {
  const replica::Member* own = members_.find(identity_.member);
  if (!own || !replica_) return;
  for (replica::Member& m : identity_.members) {
    if (m.id != own->id || m.address == own->address) continue;
    m.address = own->address;
    if (Status s = store_identity(*options_.files, options_.dir, identity_); !s.ok()) spdlog::error("{}", s.message());
  }
  const std::string& given = options_.own_address;
  if (asked_address_ || given.empty() || given == own->address || members_.all().size() != 1) return;
  if (!replica_->status().leads) return;
  asked_address_ = true;
  replica_->change_members(0, {replica::MemberChange::Kind::kAddress, {own->id, own->name, given}});
}

void Cluster::keep_boots() {
  std::erase_if(boots_, [&](const auto& seen) { return !table_is_old_ && !members_.find(seen.first); });
  if (boots_ == stored_boots_) return;
  stored_boots_ = boots_;
  if (Status s = store_boots(*options_.files, options_.dir, boots_); !s.ok()) spdlog::error("{}", s.message());
}

void Cluster::tell_events() {
  if (waiting_ != told_waiting_) {
    told_waiting_ = waiting_;
    if (events_.on_waiting) events_.on_waiting(waiting_);
  }
  if (phase_ == Phase::kMember && !replica_ && !std::exchange(told_member_, true) && events_.on_member) {
    events_.on_member();
  }
  if (phase_ == Phase::kStopped && !std::exchange(told_stop_, true) && events_.on_stop) events_.on_stop();
}

std::optional<int64_t> Cluster::next_wake_us() const {
  return looked_us_ + kLookUs;
}

void Cluster::turn(int64_t now_us) {
  if (port_ && now_us - kLookUs >= looked_us_) {
    looked_us_ = now_us;
    look_at_troubles();
    if (phase_ == Phase::kMember) keep_own_address(), keep_boots();
  }
  if (phase_ == Phase::kMember && port_) welcome_learners();
  // A removed member may not have heard of it: when it knocks again it is told.
  const uint32_t level = replica_ ? replica_->status().level : level_;
  const bool rose = std::exchange(level_, level) != level;
  if ((std::exchange(somebody_went_, false) || rose) && port_) port_->admit_again();
  tell_events();
  if (waiting_.empty() || phase_ == Phase::kMember) return;
  const bool again = now_us - kSayAgainUs >= said_us_;
  if (said_ == waiting_ && !again) return;
  said_ = waiting_;
  said_us_ = now_us;
  spdlog::info("{}", waiting_);
}

}  // namespace cleat::server
