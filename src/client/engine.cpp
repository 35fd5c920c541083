#include "client/engine.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "client/servers.hpp"

namespace cleat::client {
namespace {

constexpr size_t kMostLabel = 64;
constexpr auto kForked = "a cleat::Client is of no use in a child of fork(): make a new one there";
constexpr auto kDestroyed = "the cleat::Client was destroyed";

std::string default_label() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const std::string pid = " " + std::to_string(::getpid());
  return std::string(host).substr(0, kMostLabel - pid.size()) + pid;
}

SessionOptions session_options(const Options& options) {
  SessionOptions out{.servers = servers_of(options),
                     .ttl = options.ttl,
                     .label = options.label.empty() ? default_label() : options.label,
                     .credentials = {.password = options.password},
                     .first_contact = options.connect_timeout};
  if (options.ttl < milliseconds(500) || options.ttl > std::chrono::hours(24)) {
    throw Error(errc::invalid, "the ttl of a session must be between 500 ms and 24 h");
  }
  if (options.connect_timeout <= milliseconds(0)) throw Error(errc::invalid, "connect_timeout must be positive");
  return out;
}

}  // namespace

Engine::Engine(const Options& options, std::unique_ptr<Runner> runner)
    : options_(options),
      session_options_(session_options(options)),
      process_(::getpid()),
      runner_(std::move(runner)),
      clock_(runner_->clock()),
      random_(runner_->seed()),
      table_(options.connect_timeout, clock_) {
  new_session(now());
  runner_->begin(*this);
}

Engine::~Engine() {
  CLEAT_CHECK(ended_, "stop() was called");
}

bool Engine::forked() const {
  return ::getpid() != process_;
}

std::string Engine::session_id() const {
  if (forked()) return {};
  const std::lock_guard guard(mutex_);
  return session_id_;
}

bool Engine::has_jobs() const {
  const std::lock_guard guard(mutex_);
  return !jobs_.empty() || (stopping_ && !close_by_);
}

Engine::Posted Engine::post(Job& job) {
  const std::lock_guard guard(mutex_);
  if (stopping_) return Posted::kNo;
  jobs_.push_back(std::move(job));
  return jobs_.size() == 1 ? Posted::kFirst : Posted::kBehind;
}

bool Engine::post_and_wake(Job& job) {
  const Posted posted = post(job);
  if (posted == Posted::kFirst) runner_->wake();
  return posted != Posted::kNo;
}

void Engine::check_process() const {
  if (forked()) throw Error(errc::forked, kForked);
}

void Engine::acquire(const AttemptPtr& attempt) {
  check_process();
  if (runner_->in_turn()) {
    throw Error(errc::deadlock,
                "a callback must not lock anything of its Client: it runs on the thread that would answer");
  }
  Job job{.attempt = attempt};
  const Posted posted = post(job);
  if (posted == Posted::kNo) throw Error(errc::closed, kDestroyed);
  runner_->await(*attempt, posted == Posted::kFirst);
}

void Engine::start(const AttemptPtr& attempt) {
  if (forked()) return attempt->fail(errc::forked, kForked);
  Job job{.attempt = attempt};
  if (!post_and_wake(job)) attempt->fail(errc::closed, kDestroyed);
}

void Engine::cancel(const AttemptPtr& attempt) noexcept {
  Job job{.attempt = attempt, .cancel = true};
  if (!forked()) post_and_wake(job);
}

void Engine::release(std::shared_ptr<HoldState> hold, LockTable::OnConfirmed confirmed) noexcept {
  if (forked()) return;
  const bool waited_for = confirmed != nullptr;
  Job job{.release = std::move(hold), .confirmed = std::move(confirmed)};
  if (waited_for) {
    if (!post_and_wake(job)) job.confirmed(make_error_code(errc::closed));
  } else if (post(job) == Posted::kFirst) {
    runner_->send();
  }
}

void Engine::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  runner_->end();
  ended_ = true;
}

// ---- turns

void Engine::new_session(TimePoint now) {
  session_options_.seed = random_.next();
  io_.reset();  // it uses the wire
  io_ = std::make_unique<SessionIo>(session_options_, runner_->wire(), now);
  table_.begin(io_->session(), now);
}

void Engine::turn() {
  const TimePoint now = clock_->now();
  take_jobs(now);
  io_->drive(now);
  Session& session = io_->session();
  while (const auto notice = session.next_notice()) {
    table_.on_notice(session, *notice, now);
    tell(*notice);
    if (notice->kind == Notice::Kind::kDisconnected) connected_ = false;
    if (notice->kind == Notice::Kind::kOpened || session.over()) {
      const std::lock_guard guard(mutex_);
      session_id_ = session.over() ? std::string() : session.id();
    }
  }
  if (!std::exchange(connected_, session.connected()) && connected_) {
    tell(ClientEvent::Kind::connected, session.server().text(), {});
  }
  table_.tick(session, now);
  if (close_by_) {
    over_ = session.over() || now >= *close_by_;
    if (over_) return;
  } else if (table_.wants_session()) {
    new_session(now);
  }
  io_->drive(now);
}

void Engine::tell(const Notice& notice) const {
  switch (notice.kind) {
    case Notice::Kind::kDisconnected:
      return tell(ClientEvent::Kind::disconnected, notice.server, notice.status.message());
    case Notice::Kind::kSessionLost:
      return tell(ClientEvent::Kind::session_lost, notice.server, notice.status.message());
    case Notice::Kind::kRefused:
      return tell(ClientEvent::Kind::refused, notice.server, notice.status.message());
    case Notice::Kind::kClockRate:
      return tell(ClientEvent::Kind::clock_rate, io_->session().server().text(), notice.status.message());
    default:
      return;
  }
}

void Engine::tell(ClientEvent::Kind kind, const std::string& server, const std::string& message) const {
  if (options_.on_event) options_.on_event({.kind = kind, .server = server, .message = message});
}

void Engine::send_releases() {
  std::vector<Job> jobs;
  {
    const auto is_plain = [](const Job& job) { return job.release && !job.confirmed; };
    const std::lock_guard guard(mutex_);
    if (stopping_ || !std::all_of(jobs_.begin(), jobs_.end(), is_plain)) return;
    jobs.swap(jobs_);
  }
  const TimePoint now = clock_->now();
  for (const Job& job : jobs) table_.release(io_->session(), job.release, {}, now);
  io_->flush(now);
}

bool Engine::quiet() const {
  return io_->session().connected() && !io_->has_output() && !table_.waited_for() && !close_by_;
}

void Engine::take_jobs(TimePoint now) {
  std::vector<Job> jobs;
  bool stopping;
  {
    const std::lock_guard guard(mutex_);
    jobs.swap(jobs_);
    stopping = stopping_;
  }
  for (Job& job : jobs) {
    if (job.release) {
      table_.release(io_->session(), job.release, std::move(job.confirmed), now);
    } else if (job.cancel) {
      table_.cancel(io_->session(), job.attempt, now);
    } else {
      table_.acquire(io_->session(), std::move(job.attempt), now);
    }
  }
  if (!stopping || close_by_) return;
  table_.close();
  io_->session().close(now);
  close_by_ = now + options_.close_timeout;
}

std::optional<TimePoint> Engine::next_wake() const {
  std::optional<TimePoint> wake_at = io_->session().next_wake();
  for (const auto& other : {table_.next_wake(), close_by_}) {
    if (other) wake_at = std::min(wake_at.value_or(TimePoint::max()), *other);
  }
  return wake_at;
}

}  // namespace cleat::client
