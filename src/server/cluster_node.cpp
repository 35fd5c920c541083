#include "server/cluster_node.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "net/hmac.hpp"
#include "server/info.hpp"

namespace cleat::server {
namespace {

using base::Status;

bool is_wildcard(const net::Address& a) {
  return a.host == "0.0.0.0" || a.host == "::";
}

uint64_t random_seed() {
  std::array<uint8_t, 8> bytes;
  net::fill_random(bytes);
  uint64_t seed = 0;
  for (const uint8_t b : bytes) seed = seed << 8 | b;
  return seed;
}

}  // namespace

class ClusterNode::Port final : public PeerPort {
 public:
  explicit Port(net::Peers& peers) : peers_(peers) {}
  void set_hello(const net::PeerHello& hello) override {
    peers_.set_hello(hello);
    peers_.reconnect();
  }
  void dial(uint64_t key, const net::Address& address) override { peers_.dial(key, address); }
  void admit_again() override { peers_.admit_again(); }
  void drop(uint64_t key) override { peers_.drop(key); }
  void send(uint64_t key, std::string_view message) override { peers_.send(key, message); }
  std::string trouble(uint64_t key) const override {
    const auto state = peers_.state(key);
    return state && !state->up ? state->trouble : std::string();
  }

 private:
  net::Peers& peers_;
};

ClusterNode::ClusterNode(const Config& config, std::string secret, replica::Clock& clock)
    : config_(config),
      secret_(std::move(secret)),
      clock_(clock),
      cluster_({.on_member = [this] { become_member(); },
                .on_stop = [this] { stop(cluster_.stop_reason()); },
                .on_waiting = [this](const std::string& text) { service_->set_waiting(text); }}),
      link_(cluster_) {}

ClusterNode::~ClusterNode() = default;

// Where to listen for members: as set, or where the directory remembers that it did.
base::Result<std::optional<net::Address>> ClusterNode::member_address() const {
  if (settings_.peer_listen) return settings_.peer_listen;
  auto identity = load_identity(storage::FileSystem::real(), config_.data);
  if (!identity.ok()) return identity.status();
  std::string known;
  for (const replica::Member& m : *identity ? (*identity)->members : std::vector<replica::Member>()) {
    if (m.id == (*identity)->member) known = m.address;
  }
  if (known.empty()) return std::optional<net::Address>();
  auto address = net::parse_address(known);
  if (address.ok()) return std::optional<net::Address>(*address);
  return Status(base::Code::kInvalid,
                fmt::format("peer-listen: this member is known to the others as {}: say where to listen, for all "
                            "interfaces --peer-listen 0.0.0.0:PORT",
                            known));
}

Cluster::Options ClusterNode::cluster_options() const {
  Cluster::Options options;
  options.settings = settings_;
  options.dir = config_.data;
  options.files = &storage::FileSystem::real();
  net::fill_random(options.fresh);
  options.holds_a_group = options.files->open(config_.data + "/format").ok();
  for (const ListedMember& m : settings_.founders) {
    if (m.name == settings_.name) options.own_address = m.address;
  }
  if (options.own_address.empty() && listen_ && listen_->port != 0 && !is_wildcard(*listen_))
    options.own_address = listen_->text();
  return options;
}

replica::Options ClusterNode::replica_options() {
  const ClusterIdentity& identity = cluster_.identity();
  replica::Options options;
  options.dir = config_.data;
  options.settings = config_.lock_settings();
  options.snapshot_log_bytes = static_cast<uint64_t>(config_.snapshot_log_bytes);
  options.min_free_bytes = static_cast<uint64_t>(config_.min_free_bytes);
  options.tick_us = config_.heartbeat_ms * 1000;
  options.election_ticks = static_cast<uint32_t>(config_.election_heartbeats);
  options.slow_sync_us = config_.slow_sync_ms * 1000;
  // What is on a connection by then may stay there for as long as members wait for each other's acknowledgement.
  options.forward_patience_us = std::max(config_.undecided_wait_ms / 2, config_.undecided_wait_ms - 2'000) * 1000;
  options.seed = random_seed();
  options.start_id = random_seed();
  options.member = identity.member;
  options.incarnation = identity.incarnation;
  options.founders = identity.founder() ? identity.members : std::vector<replica::Member>();
  options.began_restored = identity.restored.has_value();
  options.outbox = listen_ ? &link_ : nullptr;
  options.wake = [this] { waker_.wake(); };
  options.client_address = config_.listen;
  options.version = kCleatVersion;
  return options;
}

Status ClusterNode::start(Service& service) {
  service_ = &service;
  auto settings = cluster_settings(config_);
  if (!settings.ok()) return settings.status();
  settings_ = *std::move(settings);
  auto listen = member_address();
  if (!listen.ok()) return listen.status();
  listen_ = *std::move(listen);
  if (Status s = cluster_.start(cluster_options()); !s.ok()) return s;
  if (cluster_.phase() == Cluster::Phase::kMember) return open_replica();
  waiting_ = std::make_unique<WaitingReplica>(service);
  service.serve(*waiting_);
  return {};
}

Status ClusterNode::open_replica() {
  link_.serve(nullptr, cluster_.identity().member);
  auto replica = replica::Replica::open(replica_options(), clock_, *service_);
  if (!replica.ok()) return replica.status();
  replica_ = *std::move(replica);
  service_->set_waiting("");
  service_->serve(*replica_, cluster_.identity().member, cluster_.identity().incarnation);
  return {};
}

Status ClusterNode::connect(EventLoop& loop) {
  loop_ = &loop;
  if (Status s = loop.poller().add(waker_); !s.ok()) return s;
  if (!listen_) {
    serve();
    return {};
  }
  net::PeersOptions options;
  options.secret = secret_;
  options.seed = random_seed();
  peers_.emplace(loop.poller(), options, link_);
  link_.attach(*peers_);
  port_ = std::make_unique<Port>(*peers_);
  cluster_.attach(*port_);
  if (replica_) serve();
  if (Status s = peers_->listen(*listen_); !s.ok()) return {s.code(), "peer-listen: " + s.message()};
  if (listen_->port == 0 && !is_wildcard(*listen_)) cluster_.set_own_address(peers_->address().text());
  spdlog::info("listening for members on {}", peers_->address().text());
  loop.drive(&link_);
  return {};
}

// The replica is open: from now on this node speaks as a member.
void ClusterNode::serve() {
  link_.serve(replica_.get(), cluster_.identity().member);
  served_ = true;
  cluster_.serve(replica_.get(), replica_->members());
  if (peers_) link_.set_members(cluster_.members());
}

void ClusterNode::become_member() {
  if (Status s = open_replica(); !s.ok()) return stop(s.message());
  waiting_.reset();
  serve();
}

void ClusterNode::set_members(const replica::Members& members) {
  if (!served_) return;  // while it is opened
  cluster_.set_members(members);
  if (peers_ && cluster_.phase() == Cluster::Phase::kMember) link_.set_members(cluster_.members());
}

void ClusterNode::stop(const std::string& why) {
  trouble_ = why;
  spdlog::error("this node stops, since it can't be a member of the cluster (told below)");
  if (loop_) loop_->stop();
}

void ClusterNode::disconnect() {
  if (loop_) loop_->drive(nullptr);
  link_.serve(nullptr, 0);
  served_ = false;
  port_.reset();
  peers_.reset();
}

Status ClusterNode::close() {
  return replica_ ? replica_->close() : Status();
}

ClusterFacts ClusterNode::facts() const {
  ClusterFacts facts;
  facts.client_address = config_.listen;
  facts.peer_address = cluster_.own_address();
  facts.has_secret = !secret_.empty();
  facts.waiting = cluster_.waiting();
  facts.name = settings_.name;
  if (!replica_) return facts;
  const ClusterIdentity& identity = cluster_.identity();
  facts.cluster = cluster_text(identity.cluster);
  facts.cluster_id = identity.cluster;
  facts.troubles = cluster_.troubles();
  facts.incarnation = identity.incarnation;
  facts.name = identity.name;
  return facts;
}

}  // namespace cleat::server
