#include "server/service.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "resp/errors.hpp"
#include "server/output_limits.hpp"

namespace cleat::server {
namespace {

constexpr int64_t kVouchesATtl = 5;              // the replica asks for four
constexpr size_t kVouchSlice = 2'000;            // connections looked at in one turn; probing costs a system call each
constexpr int64_t kVouchSliceEveryUs = 20'000;   // until all were
constexpr int64_t kHeardRecentlyUs = 2'000'000;  // no probing of who sent something since
constexpr uint64_t kMostEndingAtOnce = 10'000;   // locks of connections that close: a million held all up for seconds

}  // namespace

Service::Service(Config& config, std::string password, replica::Clock& clock, Surroundings surroundings)
    : config_(config),
      password_(std::move(password)),
      clock_(clock),
      around_(std::move(surroundings)),
      events_(config),
      input_pool_(config),
      reader_(config.limits),
      started_us_(clock.mono_us()) {
  now_us_ = started_us_;
}

Service::~Service() = default;

void Service::serve(replica::Replica& replica, uint32_t member, uint32_t incarnation) {
  replica_ = &replica;
  member_ = member;
  events_.set_incarnation(incarnation);
  for (auto& [id, c] : connections_) c->ref = {member, replica.boot(), id};
  events_.ring().begin_after(replica.machine().revision());
}

Connection* Service::connect(std::string peer, std::string local, std::string& refusal) {
  if (connections_.size() >= static_cast<size_t>(config_.max_connections)) {
    ++metrics_.connections_refused;
    refusal = fmt::format("-{}\r\n", resp::kConnectionsError);
    return nullptr;
  }
  ++metrics_.connections_accepted;
  const base::ConnectionRef ref = {member_, replica_->boot(), ++last_connection_};
  auto connection = std::make_unique<Connection>(ref, input_pool_);
  connection->peer = std::move(peer);
  connection->local = std::move(local);
  connection->opened_us = connection->heard_us = now_us_;
  connection->authenticated = password_.empty();
  return connections_.emplace(ref.connection, std::move(connection)).first->second.get();
}

void Service::set_waiting(const std::string& why) {
  waiting_ = why.empty() ? std::string() : "NOQUORUM " + why;
}

Connection* Service::find(uint64_t id) const {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : it->second.get();
}

void Service::touch(Connection& c) {
  if (c.touched) return;
  c.touched = true;
  touched_.push_back(&c);
}

void Service::resume(Connection& c) {
  if (c.resumed || c.gone) return;
  c.resumed = true;
  resumed_.push_back(c.ref.connection);
}

void Service::begin_turn() {
  now_us_ = clock_.mono_us();
  for (Connection* c : touched_) c->touched = false;
  touched_.clear();
  owed_left_ = false;
  pay_owed();
  leader_came_ = false;
  if (stopping_) {
    for (auto& [id, c] : connections_) touch(*c);
  }
  // Both lists may be added to meanwhile.
  for (const uint64_t id : std::exchange(held_, {})) {
    if (Connection* c = find(id)) {
      c->held = false;
      process(*c);
    }
  }
  for (const uint64_t id : std::exchange(resumed_, {})) {
    if (Connection* c = find(id)) {
      c->resumed = false;
      process(*c);
    }
  }
}

void Service::received(Connection& c, size_t bytes) {
  if (c.gone) return;
  metrics_.bytes_in += bytes;
  c.input.received(bytes);
  c.heard_us = now_us_;
  c.has_pending() ? c.input.look_ahead() : process(c);
  if (input_pool_.bytes_kept() > static_cast<size_t>(config_.max_input_total_bytes) && c.input.large()) {
    c.writer().error(kInputLimitError);
    c.closing = true;
  }
  touch(c);
}

void Service::disconnected(Connection& c) {
  if (!c.gone) close(c, c.clean_end);
}

void Service::finish_turn(bool input_left) {
  pay_owed();
  if (!read_batch_.empty()) {
    replica_->read(++last_read_cookie_);
    read_batches_[last_read_cookie_] = std::exchange(read_batch_, {});
    fed_ = true;
  }
  if (now_us_ >= next_vouch_us_ && !vouched_.empty()) vouch_all();
  if (now_us_ >= next_waiting_vouch_us_) vouch_for_waiting();
  const auto wake = replica_->next_wake_us();
  if (std::exchange(heard_members_, false) || fed_ || (wake && *wake <= now_us_)) {
    const bool work = std::exchange(fed_, false);
    const int64_t before = clock_.mono_us();
    run_of_ = nullptr;
    if (input_left) replica_->input_left();
    replica_->step() ? note_undecided() : handed_over_.clear();
    if (work) metrics_.commit_us.add(clock_.mono_us() - before);
    const replica::Status status = replica_->status();
    synced_us_ = status.syncs != last_syncs_ ? status.last_sync_us : 0;
    if (status.syncs != last_syncs_) metrics_.fsync_us.add(status.last_sync_us);
    last_syncs_ = status.syncs;
  }
  answer_undecided();
  if (events_.anyone()) deliver_events();
  enforce_output_limits();
}

void Service::deliver_events() {
  events_.deliver([this](Connection& c, bool gap) {
    gap ? ++metrics_.gaps : ++metrics_.pushes;
    touch(c);
  });
}

void Service::sent(Connection& c, size_t bytes) {
  metrics_.bytes_out += bytes;
  c.sent += bytes;
  if (c.sent == c.out.size()) {
    c.out.clear();
    c.sent = 0;
    c.unsent_grants.clear();
    if (c.out.capacity() > kOutputKept) std::string().swap(c.out);
    if (c.closing) close(c, c.clean_end);
  }
  total_unsent_ += c.unsent() - c.counted_unsent;
  c.counted_unsent = c.unsent();
  // What it asked meanwhile was left until it would read its answers.
  if (!c.gone && !c.has_pending() && !c.input.unread().empty() && output_has_room(c)) resume(c);
}

void Service::enforce_output_limits() {
  for (Connection* c : touched_) {
    if (c->gone) continue;
    total_unsent_ += c->unsent() - c->counted_unsent;
    c->counted_unsent = c->unsent();
    if (c->unsent() <= static_cast<size_t>(config_.max_output_bytes)) continue;
    spdlog::warn("connection {} ({}) is closed: {} bytes wait for it, more than max-output-bytes", c->ref.connection,
                 c->peer, c->unsent());
    ++metrics_.connections_dropped_slow;
    close(*c, false);
  }
  while (total_unsent_ > static_cast<uint64_t>(config_.max_output_total_bytes)) {
    const auto most = std::max_element(connections_.begin(), connections_.end(), [](const auto& a, const auto& b) {
      return a.second->counted_unsent < b.second->counted_unsent;
    });
    if (most == connections_.end() || most->second->counted_unsent == 0) break;
    Connection& c = *most->second;
    spdlog::warn(
        "connection {} ({}) is closed: it has the most of all unsent answers, which passed "
        "max-output-total-bytes",
        c.ref.connection, c.peer);
    ++metrics_.connections_dropped_slow;
    close(c, false);
  }
}

void Service::close(Connection& c, bool clean) {
  if (c.gone) return;
  c.gone = true;
  gone_.push_back(&c);
  total_unsent_ -= c.counted_unsent;
  c.counted_unsent = 0;
  events_.forget(c);
  backups_.erase(c.ref.connection);
  for (const UnsentGrant& grant : c.unsent_grants) {
    if (grant.end > c.sent) owe_undeliver(c.ref, grant.name, grant.fence);
  }
  const base::SessionId own = c.speaks == Speaks::kImplicit ? c.session : base::SessionId{};
  stop_speaking(c, Speaks::kNone);
  if (c.proposed) {
    lock::Command command;
    command.verb = lock::Verb::kConnectionClosed;
    command.clean = clean;
    owe(c.ref, command);
    if (const auto session = replica_->machine().session(own)) {
      owed_.back().session = own;
      owed_.back().ends = session->holds;
    }
  }
  if (around_.close_socket) around_.close_socket(c);
}

void Service::destroy_gone() {
  if (gone_.empty()) return;
  const auto is_gone = [](const Connection* c) { return c->gone; };
  std::erase_if(touched_, is_gone);
  std::erase_if(vouched_, is_gone);
  std::erase_if(waiting_vouched_, is_gone);
  if (run_of_ && run_of_->gone) run_of_ = nullptr;
  for (Connection* c : std::exchange(gone_, {})) connections_.erase(c->ref.connection);
}

void Service::turn_ended() {
  const int64_t turn_us = clock_.mono_us() - now_us_;
  metrics_.longest_turn_us = std::max(metrics_.longest_turn_us, turn_us);
  metrics_.longest_turn_unsynced_us =
      std::max(metrics_.longest_turn_unsynced_us, turn_us - std::exchange(synced_us_, 0));
}

void Service::owe(const base::ConnectionRef& ref, lock::Command command) {
  owed_.push_back({ref, command, std::string(command.name)});
}

void Service::owe_undeliver(const base::ConnectionRef& ref, std::string_view name, base::Fence fence) {
  lock::Command command;
  command.verb = lock::Verb::kUndeliver;
  command.name = name;
  command.fence = fence;
  owe(ref, command);
}

// What ends is applied by all members in turns that nobody else gets a word in: so little of it at once, and more when
// that is done.
bool Service::may_end(uint64_t locks) {
  if (ending_ > 0 && !replica_->machine().session_state(last_ending_)) ending_ = 0;
  return stopping_ || ending_ == 0 || ending_ + locks <= kMostEndingAtOnce;
}

void Service::pay_owed(bool all) {
  size_t paid = 0;
  for (; paid < owed_.size(); ++paid) {
    Owed& o = owed_[paid];
    if (!all && o.ends > 0 && !may_end(o.ends)) break;
    o.command.name = o.name;
    run_of_ = nullptr;
    if (replica_->begin_run(o.ref) != replica::Trouble::kNone || replica_->add(o.command) != replica::Trouble::kNone) {
      break;  // no leader now: again in the next turn
    }
    fed_ = true;
    if (o.ends > 0) {
      ending_ += o.ends;
      last_ending_ = o.session;
    }
    o.term = replica_->term();
    o.order = ++last_order_;
    handed_over_.push_back(std::move(o));
  }
  owed_.erase(owed_.begin(), owed_.begin() + static_cast<ptrdiff_t>(paid));
}

void Service::start_vouching(Connection& c) {
  if (c.vouched) return;
  c.vouched = true;
  vouched_.push_back(&c);
}

void Service::vouch_while_waiting(Connection& c) {
  if (c.waiting_vouched) return;
  c.waiting_vouched = true;
  waiting_vouched_.push_back(&c);
  waiting_vouch_period_us_ = std::min(waiting_vouch_period_us_, c.session_ttl_ms * 1000 / kVouchesATtl);
  next_waiting_vouch_us_ = std::min(next_waiting_vouch_us_, now_us_ + waiting_vouch_period_us_);
}

// corners.md: a KEEPALIVE can't pass a LOCK that waits on its connection, so the server speaks for the session
// meanwhile.
void Service::vouch_for_waiting() {
  std::erase_if(waiting_vouched_, [](Connection* c) {
    if (!c->gone && c->waiting && c->speaks == Speaks::kExplicit) return false;
    c->waiting_vouched = false;
    return true;
  });
  for (const Connection* c : waiting_vouched_) replica_->vouch(c->session, 0);
  const bool none = waiting_vouched_.empty();
  fed_ |= !none;
  if (none) waiting_vouch_period_us_ = INT64_MAX;
  next_waiting_vouch_us_ = none ? INT64_MAX : now_us_ + waiting_vouch_period_us_;
}

// time.md rule 6: a connection's own session lives as long as its other end is heard, by bytes or by answered probes.
void Service::vouch_all() {
  const auto vouches = [](const Connection& c) { return !c.gone && c.speaks == Speaks::kImplicit; };
  const size_t last = std::min(vouched_.size(), vouch_from_ + kVouchSlice);
  for (size_t i = vouch_from_; i < last; ++i) {
    Connection& c = *vouched_[i];
    if (!vouches(c)) continue;
    int64_t silent_us = now_us_ - c.heard_us;
    if (silent_us > kHeardRecentlyUs && around_.silent_ms) {
      const int64_t probed_ms = around_.silent_ms(c);
      if (probed_ms >= 0) silent_us = std::min(silent_us, probed_ms * 1000);
    }
    replica_->vouch(c.session, silent_us / 1000);
    fed_ = true;
  }
  vouch_from_ = last == vouched_.size() ? 0 : last;
  const int64_t period_us = config_.implicit_ttl_ms * 1000 / kVouchesATtl;
  next_vouch_us_ = now_us_ + (vouch_from_ == 0 ? period_us : kVouchSliceEveryUs);
  if (vouch_from_ != 0) return;
  std::erase_if(vouched_, [&](Connection* c) { return !vouches(*c) && (c->vouched = false, true); });
}

std::optional<int64_t> Service::next_wake_us() const {
  std::optional<int64_t> wake = replica_->next_wake_us();
  const auto no_later_than = [&wake](int64_t us) { wake = wake ? std::min(*wake, us) : us; };
  if (!vouched_.empty()) no_later_than(next_vouch_us_);
  if (!waiting_vouched_.empty()) no_later_than(next_waiting_vouch_us_);
  if (!undecided_.empty()) no_later_than(undecided_.top().due_us);
  // No leader: looked at again when the replica wakes, and at the latest when the request is to be refused.
  for (const uint64_t id : held_) {
    if (const Connection* c = find(id)) no_later_than(c->held_since_us + config_.leaderless_wait_ms * 1000);
  }
  return wake;
}

bool Service::wants_input(const Connection& c) const {
  const auto most = static_cast<size_t>(config_.max_pipeline);
  return !c.gone && !c.closing && output_has_room(c) && c.pending_count() < most &&
         c.input.ahead() < most - c.pending_count() && c.input.has_space();
}

bool Service::hand_over() {
  return replica_->status().leads && replica_->transfer(0).ok();
}

bool Service::handed_over() const {
  const replica::Status status = replica_->status();
  return !status.leads && status.leader != 0;
}

void Service::begin_stop() {
  stopping_ = true;
  for (auto& [id, c] : connections_) c->closing = true;
}

void Service::end_stop() {
  for (auto& [id, c] : connections_) close(*c, c->clean_end);
}

}  // namespace cleat::server
