// One entry: decoded whole before anything changes, then what is due, then its runs.
#include <algorithm>

#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {
namespace {
constexpr size_t kAhead = 16;  // commands looked at together; about what a core can have under way to memory
}

// With many locks what a command needs lies in memory that no cache holds, each piece found only through the one
// before. So the pieces of several commands are asked for side by side before the first of them runs.
void Core::look_ahead(size_t step, size_t n) const {
  uint64_t hashes[kAhead];
  Handle found[kAhead];
  for (size_t i = 0; i < n; ++i) {
    hashes[i] = hash_bytes(steps[step + i].command.name);
    __builtin_prefetch(&name_tables[name_bucket(hashes[i])]);
  }
  for (size_t i = 0; i < n; ++i) name_tables[name_bucket(hashes[i])].prefetch(static_cast<uint32_t>(hashes[i]));
  for (size_t i = 0; i < n; ++i) {
    found[i] = name_tables[name_bucket(hashes[i])].guess(static_cast<uint32_t>(hashes[i]));
    if (found[i]) names.prefetch(found[i]);
  }
  for (size_t i = 0; i < n; ++i) {
    if (!found[i]) continue;
    const NameRecord& name = names[found[i]];
    name.name.prefetch();
    if (name.extra) extras.prefetch(name.extra);
    if (name.first_hold) holds.prefetch(name.first_hold);
  }
}

base::Status Core::apply(std::string_view entry, Sink& to) {
  EntryReader reader(entry);
  size_t count = 0;
  base::ConnectionRef from;
  while (reader.next_run(from)) {
    for (bool begins = true;; begins = false, ++count) {
      if (count == steps.size()) steps.emplace_back();
      Step& step = steps[count];
      if (!reader.next_command(step.command)) break;
      if (step.command.verb == Verb::kConfigure && !decode_settings(step.command.data).ok())
        return {base::Code::kCorrupt, "a log entry carries settings that cannot be read"};
      step.from = from;
      step.run_begins = begins;
    }
  }
  if (!reader.ok()) return {base::Code::kCorrupt, "a log entry is malformed"};
  if (reader.stamp().log_ms < log_ms)
    return {base::Code::kCorrupt, "a log entry's time lies before that of the one before"};

  sink = &to;
  log_ms = reader.stamp().log_ms;
  wall_ms = reader.stamp().wall_ms;
  run_due();
  bool stopped = false;
  for (size_t i = 0; i < count; ++i) {
    if (i % kAhead == 0) look_ahead(i, std::min(kAhead, count - i));
    const Step& s = steps[i];
    if (s.run_begins) stopped = false;
    if (stopped) continue;
    stopped = !run_command(s.from, s.command);
    settle_all();
  }
  sink = nullptr;
  return {};
}

bool Core::run_command(const base::ConnectionRef& from, const Command& c) {
  switch (c.verb) {
    case Verb::kLock:
      return lock(from, c);
    case Verb::kUnlock:
      unlock(from, c);
      break;
    case Verb::kRenew:
      renew(from, c);
      break;
    case Verb::kPut:
      put(from, c);
      break;
    case Verb::kCancel:
      cancel(from, c);
      break;
    case Verb::kOpenSession:
      open_session(from, c);
      break;
    case Verb::kAttachSession:
      attach_session(from, c);
      break;
    case Verb::kCloseSession:
      close_session(from, c);
      break;
    default:
      run_housekeeping(from, c);
      break;
  }
  return true;
}

// What the service itself proposes; nobody waits for an answer.
void Core::run_housekeeping(const base::ConnectionRef& from, const Command& c) {
  const Handle session = c.session ? find_session(c.session) : 0;
  switch (c.verb) {
    case Verb::kConfigure:
      configure(c);
      break;
    case Verb::kRaiseLevel:
      level = std::max(level, c.level);
      break;
    case Verb::kBootEnded:
      boot_ended(from);
      break;
    case Verb::kConnectionClosed:
      connection_closed(from, c.clean);
      break;
    case Verb::kMark:
      if (!session) break;
      touch_session(session);
      sessions[session].marked = true;
      sessions[session].mark_ms = c.heard_ms;
      break;
    case Verb::kHeard:
      if (session) clear_mark(session);
      break;
    case Verb::kExpire:
      if (session) end_session(session, Why::kSessionExpired, true);
      break;
    case Verb::kUndeliver:
      undeliver(c);
      break;
    default:
      break;
  }
}

void Core::configure(const Command& c) {
  settings = *decode_settings(c.data);
  trim_history();
  for (const auto& [id, session] : session_order)
    while (sessions[session].counted_reqs > settings.req_results_per_session) drop_req(sessions[session].first_req);
  while (req_order.size() > settings.req_results) drop_req(req_order.top().ref);
}

}  // namespace cleat::lock
