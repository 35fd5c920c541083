#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cleat::auditor {

using lock::By;
using lock::Verb;

namespace {

constexpr std::string_view kNames[] = {"a", "b", "c", "d"};
constexpr std::string_view kOwners[] = {"", "o1", "o2"};
constexpr std::string_view kTokens[] = {"", "t1", "t2", "t3"};
constexpr std::string_view kReqs[] = {"", "r1", "r2", "r3", "r4", "r5"};
constexpr std::string_view kData[] = {"", "", "data-1", "data-2"};
constexpr int64_t kWallStart = 1'700'000'000'000;

bool of_server_verb(Verb v) {
  switch (v) {
    case Verb::kTick:
    case Verb::kConfigure:
    case Verb::kBootEnded:
    case Verb::kConnectionClosed:
    case Verb::kMark:
    case Verb::kHeard:
    case Verb::kExpire:
    case Verb::kUndeliver:
    case Verb::kRaiseLevel:
      return true;
    default:
      return false;
  }
}

}  // namespace

World::World() {
  for (int i = 0; i < kSlots; ++i) {
    slots_[i].connection.member = i < kSlots / 2 ? 1 : 2;
    reconnect(slots_[i]);
  }
}

void World::reconnect(Slot& s) {
  const uint32_t member = s.connection.member;
  s = Slot{};
  s.connection = {member, boots_[member], ++last_connection_};
}

std::string World::configure(const lock::Settings& settings) {
  lock::EntryBuilder builder;
  builder.begin_run({1, boots_[1], 0});
  lock::Command c;
  c.verb = Verb::kConfigure;
  settings_bytes_.clear();
  lock::encode(settings, settings_bytes_);
  c.data = settings_bytes_;
  builder.add(c);
  return std::string(builder.finish(1'000, kWallStart));
}

std::string World::entry(const Plan& plan, const Step& step, const Model& model, std::vector<std::string>* story) {
  int64_t at = model.log_ms() + step.ms;
  if (step.jump == Jump::kToNextDue) at = model.next_due_ms().value_or(model.log_ms()) + step.ms;
  at = std::max(at, model.log_ms());
  if (story) story->push_back(fmt::format("at {} ms (+{})", at, at - model.log_ms()));
  lock::EntryBuilder builder;
  for (const auto& run : step.runs) add(builder, plan, run, model, story);
  // Display time, deliberately unsteady: nothing may be decided by it.
  return std::string(builder.finish(at, kWallStart + at * 3 % 1'000'003));
}

bool World::add(lock::EntryBuilder& builder, const Plan& plan, const Run& run, const Model& model,
                std::vector<std::string>* story) {
  Slot& slot = slots_[run.slot];
  if (!run.ops.empty() && of_server_verb(run.ops.front().verb)) {
    add_of_server(builder, plan, slot, run.ops.front(), model, story);
    return true;
  }
  if (slot.waits_seq != 0) return false;
  std::vector<Op> ops = run.ops;
  if (run.revive && !ops.empty() && session_is_gone(slot, model)) {
    Op open;
    open.verb = Verb::kOpenSession;
    open.ttl_ms = 10'000;
    ops = {open};
  }
  bool begun = false;
  for (const auto& op : ops) {
    if (!begun) builder.begin_run(slot.connection);
    begun = true;
    const lock::Command c = command(slot, aimed(slot, op, model), model);
    builder.add(c);
    if (story) {
      story->push_back(fmt::format(
          "  connection {}.{}.{} #{} {}: {}", slot.connection.member, slot.connection.boot, slot.connection.connection,
          c.seq, c.by == By::kExplicit ? fmt::format("(session {} epoch {})", c.session.value, c.session_epoch) : "",
          text(c)));
    }
    // These end a run: what follows them is proposed after their answer.
    if (op.verb == Verb::kOpenSession || op.verb == Verb::kAttachSession || op.verb == Verb::kCloseSession) break;
  }
  return begun;
}

void World::add_of_server(lock::EntryBuilder& builder, const Plan& plan, Slot& slot, const Op& op, const Model& model,
                          std::vector<std::string>* story) {
  lock::Command c;
  c.verb = op.verb;
  base::ConnectionRef from{1, boots_[1], 0};
  std::string more;
  switch (op.verb) {
    case Verb::kConfigure:
      settings_bytes_.clear();
      lock::encode(plan.later[op.target % plan.later.size()], settings_bytes_);
      c.data = settings_bytes_;
      more = text(plan.later[op.target % plan.later.size()]);
      break;
    case Verb::kConnectionClosed:
      from = slot.connection;
      c.clean = op.clean;
      reconnect(slot);
      more = fmt::format("{}.{}.{}{}", from.member, from.boot, from.connection, c.clean ? " cleanly" : "");
      break;
    case Verb::kBootEnded: {
      const uint32_t member = slot.connection.member;
      from = {member, boots_[member]++, 0};
      for (auto& s : slots_) {
        if (s.connection.member == member) reconnect(s);
      }
      more = fmt::format("member {} boot {}", from.member, from.boot);
      break;
    }
    case Verb::kUndeliver:
      c.name = kNames[op.name];
      c.fence = {fence(slot, op, model)};
      more = fmt::format("{} fence {}", c.name, c.fence.value);
      break;
    case Verb::kMark:
      c.heard_ms = std::max<int64_t>(0, model.log_ms() - op.back_ms);
      [[fallthrough]];
    case Verb::kHeard:
    case Verb::kExpire:
      c.session = {target(op, model)};
      more = fmt::format("session {}", c.session.value);
      break;
    default:
      break;
  }
  builder.begin_run(from);
  builder.add(c);
  if (story) story->push_back(fmt::format("  server: {} {}", text(c), more));
}

bool World::session_is_gone(const Slot& slot, const Model& model) const {
  if (slot.by == By::kImplicit) return false;
  const auto it = model.sessions().find(slot.session);
  return it == model.sessions().end() || it->second.epoch > slot.epoch;
}

// Points the op at a hold or waiter of the asker, if there is one.
Op World::aimed(const Slot& slot, Op op, const Model& model) {
  if (!op.aim) return op;
  const Session* own_session = model.implicit_session(slot.connection);
  const uint64_t session = slot.by == By::kExplicit ? slot.session : own_session ? own_session->id : UINT64_MAX;
  std::vector<Op> choices;
  const auto consider = [&](const std::string& name, const Who& who, const std::string& req) {
    if (op.token == 0 ? who.session != session : who.session != 0) return;
    Op choice = op;
    choice.name = static_cast<uint8_t>(std::find(std::begin(kNames), std::end(kNames), name) - std::begin(kNames));
    choice.owner =
        static_cast<uint8_t>(std::find(std::begin(kOwners), std::end(kOwners), who.owner) - std::begin(kOwners));
    choice.token =
        static_cast<uint8_t>(std::find(std::begin(kTokens), std::end(kTokens), who.token) - std::begin(kTokens));
    if (op.verb == Verb::kCancel) req_ = req;
    choices.push_back(choice);
  };
  for (const auto& [name, n] : model.names()) {
    if (op.verb == Verb::kCancel) {
      for (const auto& w : n.queue) {
        if (!w.ask.req.empty() && choices.empty()) consider(name, w.who, w.ask.req);
      }
    } else {
      for (const auto& h : n.holds) consider(name, h.who, "");
    }
  }
  if (choices.empty()) {
    op.aim = false;
    // Without anything to aim at: mostly get something first.
    if (op.verb != Verb::kCancel && op.target % 4 != 0) {
      op.verb = Verb::kLock;
      op.fence = FencePick::kNone;
      op.wait_ms = op.target % 2 == 0 ? 0 : 500;
      if (op.token != 0) op.ttl_ms = 750;
    }
    return op;
  }
  return choices[op.target % choices.size()];
}

bool World::sent_before(const Slot& slot, const Op& op, Ask& out) const {
  std::vector<const Sent*> choices;
  for (const auto& s : sent_) {
    if (slot.by == By::kExplicit ? s.session == slot.session : s.connection == slot.connection) choices.push_back(&s);
  }
  if (choices.empty()) return false;
  // Mostly late ones.
  out = choices[choices.size() - 1 - op.target % choices.size()]->ask;
  return true;
}

lock::Command World::of_session(Slot& slot, const Op& op, const Model& model) {
  lock::Command c;
  c.verb = op.verb;
  c.seq = ++slot.seq;
  if (op.verb == Verb::kCloseSession) {
    c.by = slot.by;
    c.session = {slot.session};
    c.session_epoch = slot.epoch;
  } else if (op.verb == Verb::kOpenSession) {
    c.ttl_ms = std::max<int64_t>(500, op.ttl_ms);
    c.label = op.target % 2 == 0 ? "" : "label";
    key_ = fmt::format("key-{:012}", ++last_key_);
    c.key = key_;
  } else {
    c.session = {target(op, model)};
    c.takeover = op.takeover;
    const auto it =
        std::find_if(opened_.begin(), opened_.end(), [&](const Opened& o) { return o.id == c.session.value; });
    key_ = it == opened_.end() || op.wrong_key ? "key-wrong-------" : it->key;
    c.key = key_;
  }
  return c;
}

lock::Command World::command(Slot& slot, const Op& op, const Model& model) {
  if (op.verb == Verb::kOpenSession || op.verb == Verb::kAttachSession || op.verb == Verb::kCloseSession) {
    return of_session(slot, op, model);
  }
  lock::Command c;
  const bool again = op.again && sent_before(slot, op, repeated_);
  if (again) {
    c = repeated_.c;
    c.name = repeated_.name;
    c.owner = repeated_.owner;
    c.req = repeated_.req;
    c.data = repeated_.data;
  } else {
    c.verb = op.verb;
    if (op.verb != Verb::kCancel || op.token != 0) c.name = kNames[op.name];
    if (op.verb != Verb::kCancel) c.owner = kOwners[op.owner];
    c.token = kTokens[op.token];
    if (op.req == kFreshReq) req_ = fmt::format("q{}", ++fresh_reqs_);
    c.req = op.req == kFreshReq || (op.verb == Verb::kCancel && op.aim) ? req_ : kReqs[op.req];
  }
  c.seq = ++slot.seq;
  if (c.token.empty()) {
    c.by = slot.by;
    c.session = {slot.session};
    c.session_epoch = slot.epoch;
  }
  if (op.verb == Verb::kLock && !op.async) slot.blocking.push_back(c.seq);
  if (again) return c.async = op.async, c;
  if (op.verb == Verb::kCancel) return c;
  c.data = kData[op.data];
  c.has_data = op.data != 0;
  c.fence = {fence(slot, op, model)};
  c.ttl_ms = op.ttl_ms;
  if (op.verb == Verb::kLock) {
    c.mode = op.mode;
    c.priority = op.priority;
    c.no_reentry = op.no_reentry;
    c.async = op.async;
    c.wait_ms = op.wait_ms;
    c.max_hold_ms = op.max_hold_ms;
    c.delay_ms = op.delay_ms;
  }
  if (!c.req.empty() && c.token.empty()) {
    sent_.push_back({c.session.value, slot.connection, own(c)});
    if (sent_.size() > 64) sent_.erase(sent_.begin());
  }
  return c;
}

uint64_t World::fence(const Slot& slot, const Op& op, const Model& model) const {
  if (op.fence == FencePick::kNone) return 0;
  const auto it = model.names().find(std::string(kNames[op.name]));
  const uint64_t bogus = model.last_fence() + 1000;
  if (op.fence == FencePick::kBogus || it == model.names().end()) return bogus;
  const auto& holds = it->second.holds;
  if (op.fence == FencePick::kLost) {
    for (const auto& [id, s] : model.sessions()) {
      for (const auto& loss : s.last_losses) {
        if (loss.name == it->first && (id == slot.session || s.connection == slot.connection)) return loss.fence.value;
      }
    }
    return bogus;
  }
  if (holds.empty()) return bogus;
  if (op.fence == FencePick::kOlder) return std::max<uint64_t>(1, holds.back().fence - 1);
  if (op.fence == FencePick::kMine) {
    for (const auto& h : holds) {
      const bool mine =
          op.token != 0 ? h.who.token == kTokens[op.token] : h.who.session != 0 && h.who.owner == kOwners[op.owner];
      if (mine) return h.fence;
    }
  }
  return holds.back().fence;
}

uint64_t World::target(const Op& op, const Model& model) const {
  std::vector<uint64_t> choices;
  for (const auto& [id, session] : model.sessions()) {
    if (op.verb != Verb::kAttachSession || session.kind == By::kExplicit) choices.push_back(id);
  }
  if (op.target == kNobody || choices.empty()) return model.last_session() + (op.clean ? 50 : 0);
  return choices[op.target % choices.size()];
}

void World::learn(const std::vector<Said>& said) {
  for (const auto& s : said) {
    const auto* out = std::get_if<OutcomeSaid>(&s);
    if (out == nullptr) continue;
    for (auto& slot : slots_) {
      if (!(slot.connection == out->o.to)) continue;
      if (out->o.result == lock::Result::kOpened) opened_.push_back({out->o.session.value, out->key});
      if (out->o.result == lock::Result::kOpened || out->o.result == lock::Result::kAttached) {
        slot.by = By::kExplicit;
        slot.session = out->o.session.value;
        slot.epoch = out->o.session_epoch;
      }
      const bool queued = out->o.result == lock::Result::kQueued;
      if (queued && std::count(slot.blocking.begin(), slot.blocking.end(), out->o.seq) != 0) {
        slot.waits_seq = out->o.seq;
      } else if (!queued && out->o.seq == slot.waits_seq) {
        slot.waits_seq = 0;
      }
    }
  }
  for (auto& slot : slots_) slot.blocking.clear();
}

}  // namespace cleat::auditor
