// For tests of the service: a replica that applies each turn's entry to a real lock machine at once, on a clock that
// the test moves, and clients without sockets.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "lock/entry.hpp"
#include "server/service.hpp"

namespace cleat::server {

class TestClock final : public replica::Clock {
 public:
  int64_t mono_us() override { return now_us; }
  int64_t wall_ms() override { return 1'700'000'000'000 + now_us / 1000; }
  int64_t now_us = 1'000'000;
};

class DirectReplica final : public replica::Replica {
 public:
  DirectReplica(replica::Clock& clock, replica::Listener& listener) : clock_(clock), listener_(listener) {}

  uint32_t boot() const override { return 7; }
  replica::Trouble begin_run(const base::ConnectionRef& ref) override {
    if (trouble == replica::Trouble::kNone) builder_.begin_run(ref);
    return trouble;
  }
  replica::Trouble add(const lock::Command& command) override {
    if (disk_full && (command.verb == lock::Verb::kLock || command.verb == lock::Verb::kOpenSession)) {
      return replica::Trouble::kDiskFull;
    }
    if (builder_.commands() >= most_commands) return replica::Trouble::kBusy;
    builder_.add(command);
    return replica::Trouble::kNone;
  }
  void read(uint64_t cookie) override { reads_.push_back(cookie); }
  void keep_alive(const replica::KeepAlive& k) override {
    replica::KeepAliveAnswer answer;
    const auto state = machine_.session_state(k.session);
    if (state && state->key == k.key && (k.epoch == replica::kAnyEpoch || k.epoch == state->epoch)) {
      answer = {true, state->ttl_ms, state->losses};
    }
    keep_alives_.emplace_back(k.cookie, answer);
  }
  void vouch(base::SessionId id, int64_t silent_ms) override { vouched[id.value] = silent_ms; }
  void input_left() override {}

  bool step() override {
    ++steps;
    if (trouble != replica::Trouble::kNone) return false;
    if (stuck) return true;
    // A tick even without commands: so that what is due happens.
    const std::string entry(builder_.finish(clock_.mono_us() / 1000, clock_.wall_ms()));
    commands_in_last_entry = builder_.commands();
    builder_.clear();
    EXPECT_TRUE(machine_.apply(entry, listener_).ok());
    for (const uint64_t cookie : std::exchange(reads_, {})) listener_.on_read(cookie, replica::Trouble::kNone);
    for (const auto& [cookie, answer] : std::exchange(keep_alives_, {})) {
      listener_.on_keep_alive(cookie, answer, replica::Trouble::kNone);
    }
    return true;
  }
  std::optional<int64_t> next_wake_us() const override { return wake_us; }
  const lock::Machine& machine() const override { return machine_; }
  replica::Status status() const override {
    replica::Status status;
    status.leads = trouble == replica::Trouble::kNone;
    status.leader = leader;
    status.worst_clock_ppm = worst_clock_ppm;
    return status;
  }
  std::vector<replica::PeerStatus> peers() const override { return members; }
  void begin_snapshot() override {}
  base::Status close() override { return {}; }
  void expire(base::SessionId id) {
    lock::Command command;
    command.verb = lock::Verb::kExpire;
    command.session = id;
    builder_.begin_run({});
    builder_.add(command);
  }
  bool has_input() const { return !builder_.empty(); }
  uint64_t term() const override { return term_now; }
  // What was taken is lost with its leader; the next one's first entry is applied.
  void lose_and_elect() {
    builder_.clear();
    listener_.on_term(++term_now);
  }
  size_t taken() const { return builder_.commands(); }

  replica::Trouble trouble = replica::Trouble::kNone;
  bool disk_full = false;
  uint64_t term_now = 1;
  uint32_t leader = 0;  // of `peers`, when this one does not lead
  int64_t worst_clock_ppm = 0;
  std::vector<replica::PeerStatus> members;
  bool stuck = false;  // what is asked stays undecided
  size_t most_commands = SIZE_MAX, commands_in_last_entry = 0;
  int steps = 0;
  std::optional<int64_t> wake_us;
  std::map<uint64_t, int64_t> vouched;

 private:
  replica::Clock& clock_;
  replica::Listener& listener_;
  lock::Machine machine_;
  lock::EntryBuilder builder_;
  std::vector<uint64_t> reads_;
  std::vector<std::pair<uint64_t, replica::KeepAliveAnswer>> keep_alives_;
};

class ServiceTest : public ::testing::Test {
 protected:
  struct Client {
    Connection* connection = nullptr;  // null once it was closed
    std::string coming;                // bytes on their way to the server
    std::string got;                   // all that came back and was not taken
    bool reads = true;                 // false: takes nothing from the server
  };

  ServiceTest() { start(); }

  void start(std::string password = {}) {
    clients_.clear();
    by_connection_.clear();
    Surroundings around;
    around.close_socket = [this](Connection& c) {
      by_connection_.at(&c)->connection = nullptr;
      by_connection_.erase(&c);
    };
    around.silent_ms = [this](const Connection&) { return silent_ms_; };
    around.set_log_level = [](const std::string&) { return base::Status(); };
    service_ = std::make_unique<Service>(config_, std::move(password), clock_, around);
    replica_ = std::make_unique<DirectReplica>(clock_, *service_);
    service_->serve(*replica_);
  }

  Client& connect(int protocol = 2) {
    std::string refusal;
    Client& client = clients_.emplace_back();
    client.connection =
        service_->connect("127.0.0.1:" + std::to_string(40'000 + clients_.size()), "127.0.0.1:7420", refusal);
    if (!client.connection) {
      client.got = refusal;
      return client;
    }
    by_connection_[client.connection] = &client;
    if (protocol == 3) {
      ask(client, "HELLO 3");
    }
    return client;
  }

  void send(Client& client, std::string_view line) { client.coming.append(line).append("\r\n"); }
  void send_bytes(Client& client, std::string_view bytes) { client.coming.append(bytes); }

  // One turn, as the event loop makes it.
  void turn() {
    service_->begin_turn();
    for (Client& client : clients_) {
      if (!client.connection || client.coming.empty() || !service_->wants_input(*client.connection)) continue;
      const auto space = client.connection->input.space();
      const size_t n = std::min(space.size(), client.coming.size());
      std::copy_n(client.coming.data(), n, space.data());
      client.coming.erase(0, n);
      service_->received(*client.connection, n);
    }
    for (Client& client : clients_) {
      if (client.connection && client.reads && client.connection->unsent() > 0) service_->touch(*client.connection);
    }
    service_->finish_turn();
    for (Connection* c : service_->touched()) {
      if (c->gone) continue;
      Client& client = *by_connection_.at(c);
      const size_t n = client.reads ? c->unsent() : 0;
      client.got.append(c->out, c->sent, n);
      service_->sent(*c, n);
    }
    service_->destroy_gone();
  }
  bool input_comes() const {
    for (const Client& client : clients_) {
      if (client.connection && !client.coming.empty() && service_->wants_input(*client.connection)) return true;
    }
    return replica_->has_input();
  }
  void run() {  // until nothing more happens
    turn();
    for (int i = 0; i < 10'000 && (service_->has_more() || input_comes()); ++i) turn();
    turn();
  }
  // Time passes, and what is due happens.
  void pass(int64_t ms) {
    clock_.now_us += ms * 1000;
    replica_->wake_us = clock_.now_us;
    run();
    replica_->wake_us.reset();
  }

  std::string take(Client& client) { return std::exchange(client.got, {}); }
  // Everything that comes back until nothing more happens.
  std::string ask(Client& client, std::string_view line) {
    send(client, line);
    run();
    return take(client);
  }
  void drop(Client& client) {  // the client goes without a word
    service_->begin_turn();
    service_->disconnected(*client.connection);
    service_->finish_turn();
    service_->destroy_gone();
    run();
  }

  // It goes in the very turn in which what it sends is decided.
  void cut(Client& client, std::string_view line) {
    send(client, line);
    service_->begin_turn();
    std::copy(client.coming.begin(), client.coming.end(), client.connection->input.space().data());
    service_->received(*client.connection, std::exchange(client.coming, {}).size());
    service_->disconnected(*client.connection);
    service_->finish_turn();
    service_->destroy_gone();
    run();
  }

  Config config_;
  TestClock clock_;
  int64_t silent_ms_ = -1;
  std::unique_ptr<Service> service_;
  std::unique_ptr<DirectReplica> replica_;
  std::deque<Client> clients_;
  std::map<Connection*, Client*> by_connection_;
};

}  // namespace cleat::server
