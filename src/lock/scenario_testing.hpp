// What the machine says and shows, in the words of tests/scenarios.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lock/machine.hpp"
#include "lock/result_text.hpp"
#include "lock/snapshot_fields.hpp"
#include "lock/tagged.hpp"

namespace cleat::lock {

class Scribe : public Sink {
 public:
  void on_outcome(const Outcome& o) override {
    std::ostringstream line;
    line << "c" << o.to.connection << (o.pushed ? " push: " : ": ") << result_text(o.result);
    if (o.why != Why::kNone) line << ", " << why_text(o.why);
    if (o.fence) line << " fence " << o.fence.value;
    if (o.held_fence) line << " held fence " << o.held_fence.value;
    if (o.result == Result::kMode) line << " held in " << short_name(o.held_mode);
    if (o.depth) line << " depth " << o.depth;
    if (o.verb == Verb::kUnlock && o.result == Result::kDone && !o.depth) line << " depth 0";
    if (o.verb == Verb::kCancel) line << " count " << o.count;
    if (o.ms_left) line << " left " << o.ms_left;
    if (o.waited_ms) line << " waited " << o.waited_ms;
    // Every outcome of a session's command tells the session; here only those that are about it.
    const bool about_session = o.session_epoch || o.result == Result::kNoSession || o.result == Result::kWrongKey;
    if (o.session && about_session) line << " session " << o.session.value;
    if (o.session_epoch) line << " epoch " << o.session_epoch;
    if (o.takeover_ms) line << " takeover " << o.takeover_ms;
    if (o.result == Result::kLimit) line << " " << limit_name(o.limit) << " " << o.limit_value;
    if (!o.req.empty()) line << " req " << o.req;
    if (o.repeated) line << " (again)";
    out << "  " << line.str() << "\n";
  }
  void on_event(const Event& e) override {
    out << "  [" << e.revision.value << "] " << e.name << " " << event_text(e.kind);
    if (e.why != Why::kNone && why_text(e.why) != event_text(e.kind)) out << ", " << why_text(e.why);
    out << " " << short_name(e.mode);
    if (e.fence) out << " fence " << e.fence.value;
    if (e.delay_ms) out << " delay " << e.delay_ms;
    if (!e.req.empty()) out << " req " << e.req;
    if (e.forced) out << " (lost)";
    out << "\n";
  }
  void on_session_opened(base::SessionId id, int64_t, By kind, int64_t) override {
    out << "  session " << id.value << " begins" << (kind == By::kImplicit ? ", implicit" : "") << "\n";
  }
  void on_session_ended(base::SessionId id, Why why) override {
    out << "  session " << id.value << " ends, " << why_text(why) << "\n";
  }
  std::ostringstream out;
};

inline std::string text_of(const NameView& v) {
  std::ostringstream out;
  for (const auto& h : v.holders) {
    out << "  held " << short_name(h.mode) << " fence " << h.fence.value << " session " << h.session.value << " depth "
        << h.depth;
    if (h.data) out << " data '" << *h.data << "'";
    if (h.ms_left) out << " left " << *h.ms_left;
    out << "\n";
  }
  for (const auto& w : v.waiters) {
    out << "  waits " << short_name(w.mode) << " session " << w.session.value;
    if (w.ms_left) out << " left " << *w.ms_left;
    out << "\n";
  }
  for (const auto& g : v.delayed)
    out << "  delayed " << short_name(g.mode) << " fence " << g.fence.value << " left " << g.delay_left_ms << "\n";
  return out.str();
}

inline std::string text_of(const LocksPage& page) {
  std::ostringstream out;
  for (const auto& l : page.locks) {
    out << "  " << l.name << " holders " << l.holders << " waiters " << l.waiters << " delayed " << l.delayed;
    if (l.fence) out << " " << short_name(l.mode) << " fence " << l.fence.value;
    out << "\n";
  }
  return out.str();
}

inline std::string text_of(const Blocker& b) {
  std::ostringstream out;
  static constexpr std::string_view kKinds[] = {"nothing", "held", "queued", "delayed"};
  out << "  " << kKinds[static_cast<int>(b.kind)];
  if (b.kind != Blocker::Kind::kNone) out << " " << short_name(b.mode) << " session " << b.session.value;
  if (b.fence) out << " fence " << b.fence.value;
  if (b.retry_ms) out << " retry " << b.retry_ms;
  out << "\n";
  return out.str();
}

// The same machine after a restart from its image, its last fence moved to `last_fence` where that is not 0: nobody
// grants 2^53 holds.
inline std::unique_ptr<Machine> restarted(Machine& from, uint64_t last_fence) {
  std::vector<std::string> blocks;
  from.begin_snapshot();
  while (!from.write_some(1 << 20, [&](std::string_view block) { blocks.emplace_back(block); })) {
  }
  if (last_fence != 0) {
    std::string head(1, blocks[0][0]);
    base::Reader in(std::string_view(blocks[0]).substr(1));
    FieldReader fields(in);
    FieldWriter out(head);
    bool written = false;
    for (Field f; fields.next(f);) {
      if (f.number >= snapshot::head::kLastFence && !std::exchange(written, true))
        out.number(snapshot::head::kLastFence, last_fence);
      if (f.number == snapshot::head::kLastFence) continue;
      if (f.is_bytes)
        out.bytes(f.number, f.bytes);
      else
        out.number(f.number, f.value);
    }
    out.end();
    blocks[0] = head;
  }
  auto loaded = std::make_unique<Machine>();
  for (const std::string& block : blocks) EXPECT_TRUE(loaded->load_block(block).ok());
  EXPECT_TRUE(loaded->finish_load().ok());
  return loaded;
}

}  // namespace cleat::lock
