#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cleat::auditor {

namespace {

// One line a thing, so that a difference is two texts and their first unequal line.
using Lines = std::vector<std::string>;

std::string first_difference(const char* what, const Lines& machine, const Lines& model) {
  const size_t n = std::max(machine.size(), model.size());
  for (size_t i = 0; i < n; ++i) {
    const std::string a = i < machine.size() ? machine[i] : "nothing";
    const std::string b = i < model.size() ? model[i] : "nothing";
    if (a != b) return fmt::format("{} {}\n    machine: {}\n    model:   {}", what, i, a, b);
  }
  return "";
}

template <class T>
std::string maybe(const std::optional<T>& v) {
  return v ? fmt::format("{}", *v) : "none";
}

std::string line(const lock::HoldView& h) {
  return fmt::format(
      "{} fence {} session {} owner '{}' label '{}' depth {} priority {} data {} wall {} held {} left {} delay {}",
      lock::short_name(h.mode), h.fence.value, h.session.value, h.owner, h.label, h.depth, h.priority, maybe(h.data),
      h.granted_wall_ms, h.held_ms, maybe(h.ms_left), h.delay_left_ms);
}

std::string line(const lock::WaiterView& w) {
  return fmt::format("{} session {} owner '{}' label '{}' priority {} waiting {} left {}", lock::short_name(w.mode),
                     w.session.value, w.owner, w.label, w.priority, w.waiting_ms, maybe(w.ms_left));
}

Lines lines(const lock::NameView& v) {
  Lines out{fmt::format("revision {} holders {} waiters {} delayed {}", v.revision.value, v.holders_total,
                        v.waiters_total, v.delayed_total)};
  for (const auto& h : v.holders) out.push_back("holder " + line(h));
  for (const auto& w : v.waiters) out.push_back("waiter " + line(w));
  for (const auto& g : v.delayed) out.push_back("delayed " + line(g));
  return out;
}

Lines lines(const std::vector<lock::HistoryView>& history) {
  Lines out;
  for (const auto& h : history) {
    out.push_back(fmt::format("{} {} {} {} fence {} session {} owner '{}' label '{}' wall {}", h.revision.value,
                              event_name(h.kind), why_name(h.why), lock::short_name(h.mode), h.fence.value,
                              h.session.value, h.owner, h.label, h.wall_ms));
  }
  return out;
}

Lines lines(const std::vector<lock::LockSummary>& locks) {
  Lines out;
  for (const auto& s : locks) {
    out.push_back(fmt::format("{} holders {} waiters {} delayed {} {} fence {}", s.name, s.holders, s.waiters,
                              s.delayed, lock::short_name(s.mode), s.fence.value));
  }
  return out;
}

Lines lines(const lock::SessionView& s) {
  Lines out{fmt::format("{} {} ttl {} label '{}' holds {} waiters {} losses {} connection {}.{}.{}", s.id.value,
                        static_cast<int>(s.kind), s.ttl_ms, s.label, s.holds, s.waiters, s.losses, s.connection.member,
                        s.connection.boot, s.connection.connection)};
  for (const auto& l : s.last_losses) {
    out.push_back(
        fmt::format("loss {} fence {} {} revision {}", l.name, l.fence.value, why_name(l.why), l.revision.value));
  }
  return out;
}

std::string line(const lock::Blocker& b) {
  return fmt::format("kind {} session {} owner '{}' label '{}' {} fence {} granted {} held {} retry {}",
                     static_cast<int>(b.kind), b.session.value, b.owner, b.label, lock::short_name(b.mode),
                     b.fence.value, b.granted_wall_ms, b.held_ms, b.retry_ms);
}

std::string line(const lock::Totals& t) {
  return fmt::format("names {} holds {} waiters {} ghosts {} sessions {} implicit {} req-results {} history {}",
                     t.names, t.holds, t.waiters, t.ghosts, t.sessions, t.implicit_sessions, t.req_results,
                     t.history_entries);
}

// SHOW in pages of two must give what one page gives.
std::string show_in_pages(const lock::Machine& machine, const std::string& name, const lock::NameView& whole) {
  lock::NameView all;
  lock::Page page{2, 0};
  for (int guard = 0; guard < 200; ++guard) {
    const auto part = machine.show(name, page);
    all.holders.insert(all.holders.end(), part.holders.begin(), part.holders.end());
    all.waiters.insert(all.waiters.end(), part.waiters.begin(), part.waiters.end());
    all.delayed.insert(all.delayed.end(), part.delayed.begin(), part.delayed.end());
    all.revision = part.revision;
    all.holders_total = part.holders_total;
    all.waiters_total = part.waiters_total;
    all.delayed_total = part.delayed_total;
    if (part.next_cursor == 0) break;
    page.cursor = part.next_cursor;
  }
  return first_difference("SHOW in pages, line", lines(all), lines(whole));
}

std::string compare_name(const lock::Machine& machine, const Model& model, const std::string& name) {
  const auto whole = machine.show(name, {1000, 0});
  if (auto d = first_difference("SHOW line", lines(whole), lines(model.show(name))); !d.empty()) return d;
  if (auto d = show_in_pages(machine, name, whole); !d.empty()) return d;
  const auto past = model.history(name);
  if (auto d = first_difference("HISTORY line", lines(machine.history(name, 1000)), lines(past)); !d.empty()) return d;
  const Lines last(lines(past));
  const Lines two(last.end() - static_cast<ptrdiff_t>(std::min<size_t>(2, last.size())), last.end());
  if (auto d = first_difference("HISTORY COUNT 2 line", lines(machine.history(name, 2)), two); !d.empty()) return d;
  for (int m = 0; m < lock::kModes; ++m) {
    const auto mode = static_cast<lock::Mode>(m);
    const auto a = line(machine.blocker(name, mode)), b = line(model.blocker(name, mode));
    if (a != b) return fmt::format("blocker of {}\n    machine: {}\n    model:   {}", lock::short_name(mode), a, b);
  }
  for (uint64_t f = model.last_fence() > 8 ? model.last_fence() - 8 : 0; f <= model.last_fence() + 1; ++f) {
    if (machine.check(name, {f}) != model.check(name, f)) return fmt::format("CHECK of fence {} differs", f);
  }
  return "";
}

std::string compare_locks(const lock::Machine& machine, const Model& model) {
  for (const auto state :
       {lock::LockState::kAny, lock::LockState::kHeld, lock::LockState::kWaited, lock::LockState::kDelayed}) {
    std::vector<lock::LockSummary> all;
    lock::Cursor cursor;
    for (int guard = 0; guard < 100'000; ++guard) {
      auto page = machine.locks("", state, cursor, 2);
      all.insert(all.end(), page.locks.begin(), page.locks.end());
      if (!page.next) break;
      cursor = *page.next;
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    if (auto d = first_difference("LOCKS line", lines(all), lines(model.locks("", state))); !d.empty()) return d;
  }
  return "";
}

std::string compare_sessions(const lock::Machine& machine, const Model& model) {
  std::vector<uint64_t> ids;
  base::SessionId after;
  for (int guard = 0; guard < 10'000; ++guard) {
    const auto page = machine.sessions(after, 2);
    for (const auto& s : page.sessions) {
      ids.push_back(s.id.value);
      auto expected = model.session(s.id.value);
      if (!expected) return fmt::format("SESSION LIST: session {} is not the model's", s.id.value);
      expected->last_losses.clear();
      if (auto d = first_difference("SESSION LIST line", lines(s), lines(*expected)); !d.empty()) return d;
    }
    if (!page.next_after) break;
    after = page.next_after;
  }
  std::vector<uint64_t> expected;
  for (const auto& [id, s] : model.sessions()) expected.push_back(id);
  if (ids != expected) return fmt::format("SESSION LIST: {} sessions, the model has {}", ids.size(), expected.size());
  for (const auto& [id, s] : model.sessions()) {
    const auto view = machine.session({id});
    if (!view) return fmt::format("session {} is not there", id);
    if (auto d = first_difference("SESSION SHOW line", lines(*view), lines(*model.session(id))); !d.empty()) return d;
    const auto state = machine.session_state({id});
    if (!state || state->marked != s.marked || (s.marked && state->mark_ms != s.mark_ms) || state->epoch != s.epoch ||
        state->key != s.key || state->losses != s.losses || state->ttl_ms != s.ttl_ms || state->kind != s.kind) {
      return fmt::format(
          "session_state of {}: marked {} at {}, epoch {}, losses {}; model: marked {} at {}, epoch {}, losses {}", id,
          state && state->marked, state ? state->mark_ms : 0, state ? state->epoch : 0, state ? state->losses : 0,
          s.marked, s.mark_ms, s.epoch, s.losses);
    }
  }
  return machine.session({model.last_session() + 1}) ? "a session that was never opened" : "";
}

}  // namespace

std::string compare_said(const std::vector<Said>& machine, const std::vector<Said>& model) {
  const size_t n = std::max(machine.size(), model.size());
  for (size_t i = 0; i < n; ++i) {
    if (i < machine.size() && i < model.size() && same(machine[i], model[i])) continue;
    return fmt::format("said {}\n    machine: {}\n    model:   {}", i,
                       i < machine.size() ? text(machine[i]) : "nothing",
                       i < model.size() ? text(model[i]) : "nothing");
  }
  return "";
}

std::string compare_state(const lock::Machine& machine, const Model& model) {
  const auto difference = [](const char* what, auto a, auto b) {
    return fmt::format("{}\n    machine: {}\n    model:   {}", what, a, b);
  };
  if (machine.revision().value != model.revision()) {
    return difference("revision", machine.revision().value, model.revision());
  }
  if (machine.last_fence().value != model.last_fence()) {
    return difference("last fence", machine.last_fence().value, model.last_fence());
  }
  if (machine.next_due_ms() != model.next_due_ms()) {
    return difference("next due", maybe(machine.next_due_ms()), maybe(model.next_due_ms()));
  }
  if (machine.log_ms() != model.log_ms()) return difference("log time", machine.log_ms(), model.log_ms());
  const auto a = line(machine.totals()), b = line(model.totals());
  return a == b ? "" : difference("totals", a, b);
}

std::string compare_queries(const lock::Machine& machine, const Model& model) {
  if (!(machine.settings() == model.settings())) return "settings differ";
  for (const std::string name : {"a", "b", "c", "d", "nobody"}) {
    if (auto d = compare_name(machine, model, name); !d.empty()) return fmt::format("name {}: {}", name, d);
  }
  if (auto d = compare_locks(machine, model); !d.empty()) return d;
  return compare_sessions(machine, model);
}

}  // namespace cleat::auditor
