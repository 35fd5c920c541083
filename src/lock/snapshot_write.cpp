// The image of the machine, bucket by bucket. A name or session that is about to change before its bucket's turn is
// encoded first (Core::touch_name), so what is written is the state at begin_snapshot() however long the writing takes,
// and a change costs the encoding of what it changes, not of the hundred others in the bucket.
#include <algorithm>

#include "lock/core.hpp"
#include "lock/hash.hpp"
#include "lock/snapshot_fields.hpp"
#include "lock/tagged.hpp"

namespace cleat::lock {
namespace {

namespace s = snapshot;

template <class E>
constexpr uint64_t number(E e) {
  return static_cast<uint64_t>(e);
}

void write(const base::ConnectionRef& c, uint32_t member, uint32_t boot, uint32_t connection, FieldWriter& w) {
  w.number(member, c.member);
  w.number(boot, c.boot);
  w.number(connection, c.connection);
}

void write(const GhostRecord& g, std::string& out) {
  FieldWriter w(out);
  w.number(s::ghost::kFence, g.fence.value);
  w.number(s::ghost::kSession, g.session.value);
  w.bytes(s::ghost::kWho, g.who.view());
  w.bytes(s::ghost::kLabel, g.label.view());
  w.number(s::ghost::kGrantedMs, number(g.granted_ms));
  w.number(s::ghost::kGrantedWallMs, number(g.granted_wall_ms));
  w.number(s::ghost::kEndMs, number(g.end_ms));
  w.number(s::ghost::kDepth, g.depth, 1);
  w.number(s::ghost::kMode, number(g.mode), number(Mode::kExclusive));
  w.number(s::ghost::kPriority, g.priority);
  w.number(s::ghost::kMember, g.connection.member);
  w.number(s::ghost::kBoot, g.connection.boot);
  w.number(s::ghost::kConnection, g.connection.connection);
  w.bytes(s::ghost::kData, g.data.view());
  w.number(s::ghost::kHasData, g.has_data);
  w.end();
}

void write(const HistoryRecord& h, std::string& out) {
  FieldWriter w(out);
  w.number(s::history::kRevision, h.revision.value);
  w.number(s::history::kFence, h.fence.value);
  w.number(s::history::kSession, h.session.value);
  w.number(s::history::kWallMs, number(h.wall_ms));
  w.bytes(s::history::kOwner, h.owner.view());
  w.bytes(s::history::kLabel, h.label.view());
  w.number(s::history::kKind, number(h.kind));
  w.number(s::history::kWhy, number(h.why));
  w.number(s::history::kMode, number(h.mode), number(Mode::kExclusive));
  w.end();
}

void write(const LossRecord& l, std::string& out) {
  FieldWriter w(out);
  w.bytes(s::loss::kName, l.name.view());
  w.number(s::loss::kFence, l.fence.value);
  w.number(s::loss::kRevision, l.revision.value);
  w.number(s::loss::kWhy, number(l.why));
  w.end();
}

void write(const ReqRecord& r, std::string& out) {
  FieldWriter w(out);
  w.bytes(s::req::kReq, r.req.view());
  w.number(s::req::kArguments, r.arguments);
  w.number(s::req::kDecision, r.decision);
  w.number(s::req::kState, number(r.state));
  w.number(s::req::kVerb, number(r.verb));
  w.number(s::req::kResult, number(r.result));
  w.number(s::req::kWhy, number(r.why));
  w.number(s::req::kHeldMode, number(r.held_mode), number(Mode::kExclusive));
  w.number(s::req::kMode, number(r.mode), number(Mode::kExclusive));
  w.number(s::req::kDepth, r.depth);
  w.number(s::req::kRevision, r.revision.value);
  w.number(s::req::kFence, r.fence.value);
  w.number(s::req::kHeldFence, r.held_fence.value);
  w.number(s::req::kMsLeft, number(r.ms_left));
  w.number(s::req::kWaitedMs, number(r.waited_ms));
  w.number(s::req::kTtlMs, number(r.ttl_ms));
  w.end();
}

void write(const Core& core, const HoldRecord& h, std::string& out) {
  FieldWriter w(out);
  w.number(s::hold::kFence, h.fence.value);
  w.number(s::hold::kSession, core.session_id(h.session).value);
  w.bytes(s::hold::kWho, h.who());
  w.bytes(s::hold::kData, h.data());
  w.number(s::hold::kHasData, h.has_data);
  w.bytes(s::hold::kReq, h.req_result ? core.reqs[h.req_result].req.view() : h.token_req());
  write(h.connection, s::hold::kMember, s::hold::kBoot, s::hold::kConnection, w);
  w.number(s::hold::kGrantedMs, number(h.granted_ms));
  w.number(s::hold::kGrantedWallMs, number(h.granted_wall_ms));
  w.number(s::hold::kTtlEndMs, number(h.ttl_end_ms), number(kNever));
  w.number(s::hold::kMaxKeptMs, h.max_kept_ms);
  w.number(s::hold::kDelayMs, h.delay_ms);
  w.number(s::hold::kDepth, h.depth, 1);
  w.number(s::hold::kMode, number(h.mode), number(Mode::kExclusive));
  w.number(s::hold::kPriority, h.priority);
  w.end();
}

void write(const Core& core, const WaiterRecord& r, std::string& out) {
  FieldWriter w(out);
  w.number(s::waiter::kArrival, r.arrival);
  w.number(s::waiter::kKeyMs, s::fold(r.key_ms));
  w.number(s::waiter::kAskedMs, number(r.asked_ms));
  w.number(s::waiter::kDeadlineMs, number(r.deadline_ms), number(kNever));
  w.bytes(s::waiter::kWho, r.who.view());
  w.bytes(s::waiter::kData, r.data.view());
  w.number(s::waiter::kHasData, r.has_data);
  w.number(s::waiter::kSession, core.session_id(r.session).value);
  write(r.connection, s::waiter::kMember, s::waiter::kBoot, s::waiter::kConnection, w);
  w.number(s::waiter::kSeq, r.seq);
  w.number(s::waiter::kTtlMs, r.ttl_ms);
  w.number(s::waiter::kMaxHoldMs, r.max_hold_ms);
  w.number(s::waiter::kDelayMs, r.delay_ms);
  w.number(s::waiter::kMode, number(r.mode), number(Mode::kExclusive));
  w.number(s::waiter::kPriority, r.priority);
  w.number(s::waiter::kNoReentry, r.no_reentry);
  w.number(s::waiter::kAsync, r.async);
  w.bytes(s::waiter::kReq, r.req_result ? core.reqs[r.req_result].req.view() : r.token_req.view());
  w.end();
}

void write_name(const Core& core, const NameRecord& n, std::string& out) {
  const NameExtra* x = core.extra(n);
  out.push_back(static_cast<char>(s::kName));
  FieldWriter w(out);
  w.bytes(s::name::kBytes, n.name.view());
  w.number(s::name::kHolds, x ? x->holders : n.first_hold != 0);
  w.number(s::name::kGhosts, x ? x->ghosts : 0);
  w.number(s::name::kWaiters, x ? x->waiters : 0);
  w.number(s::name::kHistory, x ? x->history : 0);
  w.end();
  for (Handle h = n.first_hold; h; h = core.holds[h].name_next) write(core, core.holds[h], out);
  if (!x) return;
  for (Handle g = x->first_ghost; g; g = core.ghosts[g].next) write(core.ghosts[g], out);
  auto add = [&](Handle waiter) { return write(core, core.waiters[waiter], out), true; };
  core.queue.walk(x->queue, 0, add);
  for (Handle h = x->first_history; h; h = core.history[h].name_next) write(core.history[h], out);
}

std::vector<Handle> sorted_reqs(const Core& core, const SessionRecord& r) {
  std::vector<Handle> all;
  if (r.reqs) r.reqs->each([&](Handle h) { all.push_back(h); });
  std::sort(all.begin(), all.end(),
            [&](Handle a, Handle b) { return core.reqs[a].req.view() < core.reqs[b].req.view(); });
  return all;
}

void write_session(const Core& core, const SessionRecord& r, std::string& out) {
  const std::vector<Handle> reqs = sorted_reqs(core, r);
  out.push_back(static_cast<char>(s::kSession));
  FieldWriter w(out);
  w.number(s::session::kId, r.id.value);
  w.number(s::session::kTtlMs, number(r.ttl_ms));
  w.number(s::session::kMarkMs, number(r.mark_ms));
  w.number(s::session::kMarked, r.marked);
  w.bytes(s::session::kKey, r.key.view());
  w.bytes(s::session::kLabel, r.label.view());
  w.number(s::session::kEpoch, r.epoch);
  w.number(s::session::kImplicit, r.implicit);
  w.number(s::session::kLosses, r.losses);
  if (r.connection)
    write(core.connections[r.connection].ref, s::session::kMember, s::session::kBoot, s::session::kConnection, w);
  w.number(s::session::kLastLosses, r.last_losses ? r.last_losses->size() : 0);
  w.number(s::session::kReqs, reqs.size());
  w.end();
  if (r.last_losses)
    for (const LossRecord& l : *r.last_losses) write(l, out);
  for (const Handle h : reqs) write(core.reqs[h], out);
}

}  // namespace

std::vector<Handle> Core::sorted_names(uint32_t bucket) const {
  std::vector<Handle> all;
  all.reserve(name_tables[bucket].size());
  name_tables[bucket].each([&](Handle h) { all.push_back(h); });
  std::sort(all.begin(), all.end(), [&](Handle a, Handle b) { return names[a].name.view() < names[b].name.view(); });
  return all;
}

void Core::encode_head(std::string& out) const {
  std::string encoded_settings;
  encode(settings, encoded_settings);
  out.push_back(static_cast<char>(s::kHeadBlock));
  FieldWriter w(out);
  w.number(s::head::kVersion, s::kVersion);
  w.number(s::head::kLogMs, number(log_ms));
  w.number(s::head::kWallMs, number(wall_ms));
  w.number(s::head::kRevision, revision.value);
  w.number(s::head::kLastFence, last_fence.value);
  w.number(s::head::kLastSession, last_session);
  w.number(s::head::kLastArrival, last_arrival);
  w.number(s::head::kLastDecision, last_decision);
  w.bytes(s::head::kSettings, encoded_settings);
  w.number(s::head::kNames, names.size());
  w.number(s::head::kHolds, holds.size());
  w.number(s::head::kGhosts, ghosts.size());
  w.number(s::head::kWaiters, waiters.size());
  w.number(s::head::kSessions, sessions.size());
  w.number(s::head::kReqs, reqs.size());
  w.number(s::head::kHistory, history.size());
  w.number(s::head::kLevel, level, kFirstLevel);
  w.end();
}

void Core::encode_bucket(uint32_t bucket, std::string& out, bool of_image) const {
  struct Part {
    std::string_view name;
    base::SessionId session;
    Handle live;                // or
    const std::string* record;  // as it was saved
  };
  std::vector<Part> parts;
  parts.reserve(name_tables[bucket].size() + session_tables[bucket].size());
  name_tables[bucket].each([&](Handle h) {
    if (!of_image || names[h].aside != snapshot_number) parts.push_back({names[h].name.view(), {}, h, nullptr});
  });
  session_tables[bucket].each([&](Handle h) {
    if (!of_image || sessions[h].aside != snapshot_number) parts.push_back({{}, sessions[h].id, h, nullptr});
  });
  if (of_image)
    for (const auto& saved : snapshot.saved[bucket]) parts.push_back({saved.name, saved.session, 0, &saved.record});
  if (parts.empty()) return;
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {  // names first
    return a.session != b.session ? a.session < b.session : a.name < b.name;
  });
  out.push_back(static_cast<char>(s::kBucketBlock));
  base::Writer(out).varint(bucket);
  for (const Part& part : parts) {
    if (part.record) {
      out.append(*part.record);
    } else if (part.session) {
      write_session(*this, sessions[part.live], out);
    } else {
      write_name(*this, names[part.live], out);
    }
  }
  out.push_back(static_cast<char>(s::kEnd));
}

void Core::save_name(NameRecord& n) {
  n.aside = snapshot_number;
  auto& saved = snapshot.saved[n.bucket].emplace_back();
  saved.name = n.name.view();
  write_name(*this, n, saved.record);
}

void Core::save_session(SessionRecord& r) {
  r.aside = snapshot_number;
  auto& saved = snapshot.saved[r.bucket].emplace_back();
  saved.session = r.id;
  write_session(*this, r, saved.record);
}

// Their numbers begin anew: none of an old snapshot may pass for one of a new one.
void Core::forget_asides() {
  for (const HandleTable& table : name_tables) table.each([&](Handle h) { names[h].aside = 0; });
  for (const HandleTable& table : session_tables) table.each([&](Handle h) { sessions[h].aside = 0; });
}

void Machine::begin_snapshot() {
  Core& c = *state_;
  CLEAT_CHECK(!c.snapshot.running, "a snapshot is under way already");
  c.snapshot = {};
  c.snapshot.running = true;
  c.snapshot.saved.resize(kBuckets);
  if (++c.snapshot_number == 0) {
    c.forget_asides();
    c.snapshot_number = 1;
  }
  c.encode_head(c.snapshot.head);
}

bool Machine::write_some(size_t budget_bytes, const std::function<void(std::string_view block)>& out) {
  Core& c = *state_;
  CLEAT_CHECK(c.snapshot.running, "write_some without begin_snapshot");
  size_t written = 0;
  auto give = [&](std::string_view block) {
    written += block.size();
    out(block);
  };
  if (!c.snapshot.head.empty()) give(c.snapshot.head);
  c.snapshot.head.clear();
  std::string block;
  for (; c.snapshot.next < kBuckets && written < budget_bytes; ++c.snapshot.next) {
    block.clear();
    c.encode_bucket(c.snapshot.next, block, true);
    std::vector<Core::Snapshot::Saved>().swap(c.snapshot.saved[c.snapshot.next]);
    if (!block.empty()) give(block);
  }
  if (c.snapshot.next < kBuckets) return false;
  c.snapshot = {};
  return true;
}

void Machine::abandon_snapshot() {
  state_->snapshot = {};
}

uint64_t Machine::digest() const {
  std::string all;
  state_->encode_head(all);
  uint64_t hash = hash_bytes(all);
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    all.clear();
    state_->encode_bucket(bucket, all);
    if (!all.empty()) hash = mix(hash ^ hash_bytes(all));
  }
  return hash;
}

}  // namespace cleat::lock
