// Reading requests in order and handing them on: changes into the log as one run a connection and turn, reads behind a
// proof that the state is fresh, all others at once. What comes first is answered first.
#include <sys/random.h>

#include <array>

#include "base/mutant.hpp"
#include "resp/connection_reply.hpp"
#include "resp/errors.hpp"
#include "resp/view_reply.hpp"
#include "server/local_answers.hpp"
#include "server/output_limits.hpp"
#include "server/service.hpp"

namespace cleat::server {
namespace {

using replica::Trouble;

constexpr int kKeepAliveIndexBits = 17;  // a cookie is batch and index; no KEEPALIVE has as many pairs

template <class T, class... Ts>
constexpr bool is_one_of(const std::variant<Ts...>& v) {
  return std::holds_alternative<T>(v);
}

bool needs_proof(const resp::RequestBody& body) {
  if (const auto* show = std::get_if<resp::Show>(&body)) return !show->local;
  if (const auto* locks = std::get_if<resp::Locks>(&body)) return !locks->local;
  if (const auto* history = std::get_if<resp::History>(&body)) return !history->local;
  // The revision may be one that another member told, and this one is still to reach.
  if (const auto* events = std::get_if<resp::EventsFrom>(&body)) return events->from.has_value();
  if (const auto* backup = std::get_if<resp::MembersBackup>(&body)) return !backup->local && !backup->offset;
  return is_one_of<resp::Check>(body) || is_one_of<resp::SessionShow>(body) || is_one_of<resp::SessionList>(body);
}

// What would leave something behind for a client that is gone. It came while this member was stopped or stalled, say,
// and the client asked elsewhere long ago. What lets go is done.
bool takes_something(lock::Verb verb) {
  return verb == lock::Verb::kLock || verb == lock::Verb::kOpenSession;
}

using SessionKey = std::array<char, 16>;

void make_key(SessionKey& key) {
  CLEAT_CHECK(getrandom(key.data(), key.size(), 0) == ssize_t{16}, "the kernel gives random bytes");
  resp::make_printable_key(key);
}

}  // namespace

void Service::process(Connection& c) {
  using Step = resp::RequestParser::Step;
  if (c.has_pending() || c.closing || c.gone) return;
  c.input.look_back();
  ++c.run;
  const int64_t asked_us = std::exchange(c.asked_since_us, 0);
  c.run_since_us = asked_us != 0 ? asked_us : now_us_;
  while (output_has_room(c) && c.pending_count() < static_cast<size_t>(config_.max_pipeline)) {
    resp::RequestParser& parser = c.input.parser();
    const Step step = parser.next(c.input.unread());
    if (step == Step::kNeedMore) break;
    if (step == Step::kSkip) {
      c.input.advance(parser.consumed());
      continue;
    }
    if (step == Step::kProtocolError) {
      if (c.has_pending()) break;  // found again when all before it is answered
      ++metrics_.protocol_errors;
      c.writer().error(parser.error());
      c.closing = true;
      break;
    }
    const size_t begin = c.input.read_position(), end = begin + parser.consumed();
    resp::parse_request({parser.arguments(), config_.limits, c.protocol}, request_);
    const Taken taken = take(c, begin, end);
    if (taken == Taken::kLater) break;
    ++metrics_.commands;
    c.input.advance(end - begin);
    if (taken == Taken::kYesAndStop || c.closing || c.gone) break;
  }
  if (!c.has_pending()) {
    c.input.settle();
  } else if (!c.input.has_space()) {
    c.input.look_ahead();
  }
  touch(c);
}

Service::Taken Service::take(Connection& c, size_t begin, size_t end) {
  const uint32_t flags = request_.row ? request_.row->flags : 0;
  if (!c.authenticated && (flags & resp::kNoAuth) == 0) {
    request_.refuse(std::string(resp::kNoAuthError));
  } else if (!c.resp3() && c.subscriptions() > 0 && request_.row && (flags & resp::kSubscribed) == 0) {
    request_.refuse(resp::subscribed_error(*request_.row));
  }
  if (request_.row) c.last_command = request_.row->name;
  if (auto* change = std::get_if<resp::Change>(&request_.body)) return take_change(c, *change, begin, end);
  if (needs_proof(request_.body)) return take_read(c, begin, end);
  if (c.has_pending()) return Taken::kLater;
  if (auto* keep_alive = std::get_if<resp::KeepAlive>(&request_.body)) {
    return take_keep_alive(c, *keep_alive, begin, end);
  }
  if (auto* members = std::get_if<resp::MembersChange>(&request_.body)) return take_members(c, *members, begin, end);
  LocalAnswers(*this, c).answer(request_);
  return Taken::kYes;
}

// Fills in who asks. A value is the error to answer instead.
std::optional<std::string_view> Service::identify(Connection& c, lock::Command& command) {
  using lock::Verb;
  if (command.verb == Verb::kOpenSession || command.verb == Verb::kAttachSession) {
    if (c.speaks == Speaks::kImplicit) {
      const auto view = replica_->machine().session(c.session);
      if (view && view->holds + view->waiters > 0) return resp::kImplicitBusyError;
      end_implicit_session(c);
    }
    return std::nullopt;
  }
  if (!command.token.empty()) return std::nullopt;
  if (c.speaks == Speaks::kLost) return resp::kNoSessionError;
  if (c.speaks == Speaks::kExplicit) {
    command.by = lock::By::kExplicit;
    command.session = c.session;
    command.session_epoch = c.epoch;
  } else {
    if (command.verb == Verb::kCloseSession && c.speaks == Speaks::kNone) return kNothingToCloseError;
    command.by = lock::By::kImplicit;
  }
  return std::nullopt;
}

Service::Taken Service::take_change(Connection& c, resp::Change& change, size_t begin, size_t end) {
  const bool barrier = (request_.row->flags & resp::kEndsRun) != 0;
  if (c.has_pending() && (barrier || c.front().kind != Pending::Kind::kChange)) return Taken::kLater;
  lock::Command& command = change.command;
  if (!(c.speaks != Speaks::kLost && !barrier) && c.has_pending()) return Taken::kLater;
  if (c.hung_up && takes_something(command.verb) && !base::mutant("hung_up_ignored")) {
    if (c.has_pending()) return Taken::kLater;
    c.writer().error(resp::kHungUpError);
    return Taken::kYes;
  }
  if (const uint32_t needed = lock::required_level(command); needed > replica_->machine().level()) {
    if (c.has_pending()) return Taken::kLater;
    c.writer().error(resp::level_error(*request_.row, needed, replica_->machine().level()));
    return Taken::kYes;
  }
  if (const auto error = identify(c, command)) {
    if (c.has_pending()) return Taken::kLater;
    c.writer().error(*error);
    return Taken::kYes;
  }
  SessionKey key;
  if (command.verb == lock::Verb::kOpenSession) {
    make_key(key);
    command.key = {key.data(), key.size()};
  }
  command.seq = c.seq + 1;
  Trouble trouble = Trouble::kNone;
  Pending pending{Pending::Kind::kChange, change.full, command.async, command.verb, command.seq, begin, end};
  if (!propose(c, command, trouble)) {
    if (trouble != Trouble::kDiskFull) return refuse_change(c, trouble);
    if (!c.has_pending()) {
      ++metrics_.refused_disk_full;
      c.writer().error(resp::kDiskFullError);
      return Taken::kYes;
    }
    pending.kind = Pending::Kind::kRefused;
  }
  c.held_since_us = 0;
  ++c.seq;
  c.pending.push_back(pending);
  if (command.verb == lock::Verb::kAttachSession) c.offered_key = command.key;
  return barrier ? Taken::kYesAndStop : Taken::kYes;
}

bool Service::propose(Connection& c, lock::Command& command, Trouble& trouble) {
  if (run_of_ != &c) {
    trouble = replica_->begin_run(c.ref);
    if (trouble != Trouble::kNone) return false;
    run_of_ = &c;
    c.run_term = replica_->term();
    c.run_order = ++last_order_;
  }
  trouble = replica_->add(command);
  if (trouble != Trouble::kNone) return false;
  fed_ = true;
  c.proposed = true;
  return true;
}

// Not taken by the replica now: kept for a while, since a leader or room in its queue may come.
Service::Taken Service::refuse_change(Connection& c, Trouble trouble) {
  if (trouble == Trouble::kBusy) {  // this turn's entry is full
    resume(c);
    return Taken::kLater;
  }
  if (c.held_since_us == 0) c.held_since_us = now_us_;
  const bool patient = now_us_ - c.held_since_us < config_.leaderless_wait_ms * 1000;
  if (patient || c.has_pending()) {
    if (!c.has_pending() && !std::exchange(c.held, true)) held_.push_back(c.ref.connection);
    return Taken::kLater;
  }
  c.held_since_us = 0;
  c.writer().error(no_quorum_error());
  return Taken::kYes;
}

Service::Taken Service::take_read(Connection& c, size_t begin, size_t end) {
  if (c.has_pending() && c.front().kind != Pending::Kind::kRead) return Taken::kLater;
  if (!c.has_pending()) read_batch_.push_back({c.ref.connection, c.run});
  c.pending.push_back({Pending::Kind::kRead, false, false, lock::Verb::kTick, 0, begin, end});
  return Taken::kYes;
}

void Service::on_read(uint64_t cookie, Trouble trouble) {
  const auto batch = read_batches_.extract(cookie);
  if (batch.empty()) return;
  for (const RunRef& reads : batch.mapped()) {
    if (Connection* c = find(reads)) answer_pending_reads(*c, trouble);
  }
}

void Service::answer_pending_reads(Connection& c, Trouble trouble) {
  while (c.has_pending() && c.front().kind == Pending::Kind::kRead) {
    if (trouble != Trouble::kNone) {
      c.writer().error(no_quorum_error());
    } else {
      const Pending& p = c.front();
      reader_.next(c.input.between(p.begin, p.end));
      resp::parse_request({reader_.arguments(), config_.limits, c.protocol}, request_);
      LocalAnswers(*this, c).answer(request_);
    }
    c.pop_front();
  }
  touch(c);
  resume(c);
}

Service::Taken Service::take_keep_alive(Connection& c, const resp::KeepAlive& body, size_t begin, size_t end) {
  auto writer = c.writer();
  const bool own = body.pairs.empty();
  if (own && c.speaks != Speaks::kExplicit) {
    // An implicit session needs no keep-alive: the server sees its connection.
    const auto state = c.session ? replica_->machine().session_state(c.session) : std::nullopt;
    if (state) {
      resp::write_keep_alive(writer, true, state->ttl_ms, state->losses);
    } else {
      writer.error(c.speaks == Speaks::kNone ? kNoOwnSessionError : resp::kNoSessionError);
    }
    return Taken::kYes;
  }
  const size_t n = own ? 1 : body.pairs.size();
  const uint64_t number = ++last_keep_alive_batch_;
  KeepAliveBatch& batch = keep_alive_batches_[number];
  batch.from = {c.ref.connection, c.run};
  batch.own = own;
  batch.left = n;
  batch.answers.resize(n);
  c.pending.push_back({Pending::Kind::kKeepAlive, false, false, lock::Verb::kTick, 0, begin, end});
  for (size_t i = 0; i < n; ++i) {
    const uint64_t cookie = number << kKeepAliveIndexBits | i;
    replica_->keep_alive(own ? replica::KeepAlive{cookie, c.session, c.key, c.epoch}
                             : replica::KeepAlive{cookie, body.pairs[i].id, body.pairs[i].key, replica::kAnyEpoch});
  }
  fed_ = true;
  return Taken::kYesAndStop;
}

void Service::on_keep_alive(uint64_t cookie, const replica::KeepAliveAnswer& answer, Trouble trouble) {
  const auto it = keep_alive_batches_.find(cookie >> kKeepAliveIndexBits);
  if (it == keep_alive_batches_.end()) return;
  KeepAliveBatch& batch = it->second;
  batch.failed |= trouble != Trouble::kNone;
  if (answer.alive) batch.answers[cookie & ((uint64_t{1} << kKeepAliveIndexBits) - 1)] = answer;
  if (--batch.left > 0) return;
  if (Connection* c = find(batch.from)) {
    auto writer = c->writer();
    if (batch.failed) {
      writer.error(no_quorum_error());
    } else if (!batch.own) {
      writer.array(batch.answers.size());
      for (const auto& a : batch.answers) {
        const auto kept = a.value_or(replica::KeepAliveAnswer{});
        resp::write_keep_alive(writer, a.has_value(), kept.ttl_ms, kept.losses, kept.clock_us, kept.term);
      }
    } else if (batch.answers[0]) {
      const replica::KeepAliveAnswer& kept = *batch.answers[0];
      resp::write_keep_alive(writer, true, kept.ttl_ms, kept.losses, kept.clock_us, kept.term);
    } else {
      writer.error(resp::kNoSessionError);
      stop_speaking(*c, Speaks::kLost);
    }
    c->pop_front();
    touch(*c);
    resume(*c);
  }
  keep_alive_batches_.erase(it);
}

}  // namespace cleat::server
