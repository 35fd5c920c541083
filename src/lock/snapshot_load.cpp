// Reads an image back. Nothing is believed: a field out of range, a count that does not fit, a reference to nobody is
// kCorrupt with a line that names it. Records are decoded as they come and linked together in finish_load().
#include <algorithm>
#include <unordered_set>

#include "lock/core.hpp"
#include "lock/hash.hpp"
#include "lock/snapshot_fields.hpp"
#include "lock/tagged.hpp"

namespace cleat::lock {
namespace {

namespace s = snapshot;

base::Status corrupt(const std::string& what) {
  return {base::Code::kCorrupt, "snapshot: " + what + ". The file is damaged or not one of this service."};
}

// One record's fields by number; `bad` once something can't be.
class Fields {
 public:
  explicit Fields(base::Reader& in) {
    FieldReader reader(in);
    for (Field f; reader.next(f);) {
      if (f.number >= kFields) continue;
      if (f.is_bytes) {
        bytes_[f.number] = f.bytes;
        seen_bytes_ |= 1u << f.number;
      } else {
        values_[f.number] = f.value;
        seen_ |= 1u << f.number;
      }
    }
    bad_ = !reader.ok();
  }

  uint64_t number(uint32_t field, uint64_t max, uint64_t absent = 0) {
    const uint64_t v = seen_ >> field & 1 ? values_[field] : absent;
    if (v > max) bad_ = true;
    return v;
  }
  int64_t stamp(uint32_t field, int64_t absent = 0) {
    return static_cast<int64_t>(number(field, static_cast<uint64_t>(kNever), static_cast<uint64_t>(absent)));
  }
  uint32_t small(uint32_t field, uint32_t absent = 0) {
    return static_cast<uint32_t>(number(field, UINT32_MAX, absent));
  }
  bool flag(uint32_t field) { return number(field, 1) != 0; }
  Mode mode(uint32_t field) {
    return static_cast<Mode>(number(field, kModes - 1, static_cast<uint64_t>(Mode::kExclusive)) % kModes);
  }
  Blob blob(uint32_t field) {
    const std::string_view v = bytes(field);
    return Blob(v);
  }
  std::string_view bytes(uint32_t field) {
    std::string_view v = seen_bytes_ >> field & 1 ? bytes_[field] : std::string_view{};
    if (v.size() > Blob::kMaxSize) bad_ = true, v = {};
    return v;
  }
  base::ConnectionRef connection(uint32_t member, uint32_t boot, uint32_t number_field) {
    return {small(member), small(boot), number(number_field, UINT64_MAX)};
  }
  bool bad() const { return bad_; }

 private:
  static constexpr uint32_t kFields = 32;
  uint64_t values_[kFields] = {};
  std::string_view bytes_[kFields];
  uint32_t seen_ = 0, seen_bytes_ = 0;
  bool bad_ = false;
};

}  // namespace

base::Status Core::load_head(base::Reader& in) {
  Fields f(in);
  if (!f.bad() && f.number(s::head::kVersion, UINT64_MAX) != s::kVersion)
    return corrupt("version " + std::to_string(f.number(s::head::kVersion, UINT64_MAX)) +
                   " is not known to this build; it was written by a newer one");
  auto loaded = decode_settings(f.bytes(s::head::kSettings));
  if (!loaded.ok()) return loaded.status();
  settings = *loaded;
  level = static_cast<uint32_t>(f.number(s::head::kLevel, kMaxLevel, kFirstLevel));
  log_ms = f.stamp(s::head::kLogMs);
  wall_ms = f.stamp(s::head::kWallMs);
  revision = {f.number(s::head::kRevision, UINT64_MAX)};
  last_fence = {f.number(s::head::kLastFence, kMaxFence)};
  last_session = f.number(s::head::kLastSession, UINT64_MAX);
  last_arrival = f.number(s::head::kLastArrival, UINT64_MAX);
  last_decision = f.number(s::head::kLastDecision, UINT64_MAX);
  loading->names = f.number(s::head::kNames, UINT32_MAX);
  loading->holds = f.number(s::head::kHolds, UINT32_MAX);
  loading->ghosts = f.number(s::head::kGhosts, UINT32_MAX);
  loading->waiters = f.number(s::head::kWaiters, UINT32_MAX);
  loading->sessions = f.number(s::head::kSessions, UINT32_MAX);
  loading->reqs = f.number(s::head::kReqs, UINT32_MAX);
  loading->history = f.number(s::head::kHistory, UINT32_MAX);
  loading->head = true;
  if (f.bad() || !in.at_end() || log_ms > kMaxStampMs) return corrupt("its head is malformed");
  return {};
}

bool Core::load_hold(base::Reader& in, Handle name) {
  Fields f(in);
  HoldRecord h;
  h.fence = {f.number(s::hold::kFence, last_fence.value)};
  h.has_data = f.flag(s::hold::kHasData);
  h.connection = f.connection(s::hold::kMember, s::hold::kBoot, s::hold::kConnection);
  h.granted_ms = f.stamp(s::hold::kGrantedMs);
  h.granted_wall_ms = f.stamp(s::hold::kGrantedWallMs);
  h.ttl_end_ms = f.stamp(s::hold::kTtlEndMs, kNever);
  h.max_kept_ms = f.small(s::hold::kMaxKeptMs);
  h.delay_ms = f.small(s::hold::kDelayMs);
  h.depth = f.small(s::hold::kDepth, 1);
  h.mode = f.mode(s::hold::kMode);
  h.priority = static_cast<uint8_t>(f.number(s::hold::kPriority, kMaxPriority));
  h.name = name;
  const base::SessionId session{f.number(s::hold::kSession, last_session)};
  const std::string_view req = f.bytes(s::hold::kReq);
  h.bytes = Blobs3(f.bytes(s::hold::kWho), f.bytes(s::hold::kData), session ? std::string_view{} : req);
  if (f.bad() || h.end_ms() <= log_ms || !h.fence || h.depth == 0 || h.granted_ms > log_ms ||
      (!session && h.who().empty()))
    return false;
  const Handle hold = holds.take();
  holds[hold] = std::move(h);
  loading->linked_holds.push_back({hold, session, std::string(req)});
  return true;
}

bool Core::load_ghost(base::Reader& in, Handle name) {
  Fields f(in);
  GhostRecord g;
  g.fence = {f.number(s::ghost::kFence, last_fence.value)};
  g.session = {f.number(s::ghost::kSession, last_session)};
  g.who = f.blob(s::ghost::kWho);
  g.label = f.blob(s::ghost::kLabel);
  g.granted_ms = f.stamp(s::ghost::kGrantedMs);
  g.granted_wall_ms = f.stamp(s::ghost::kGrantedWallMs);
  g.end_ms = f.stamp(s::ghost::kEndMs);
  g.depth = f.small(s::ghost::kDepth, 1);
  g.mode = f.mode(s::ghost::kMode);
  g.priority = static_cast<uint8_t>(f.number(s::ghost::kPriority, kMaxPriority));
  g.data = f.blob(s::ghost::kData);
  g.has_data = f.flag(s::ghost::kHasData);
  g.connection = f.connection(s::ghost::kMember, s::ghost::kBoot, s::ghost::kConnection);
  g.name = name;
  if (f.bad() || !g.fence || g.end_ms <= log_ms) return false;  // what was due is gone
  const Handle ghost = ghosts.take();
  ghosts[ghost] = std::move(g);
  loading->all_ghosts.push_back(ghost);
  return true;
}

bool Core::load_waiter(base::Reader& in, Handle name) {
  Fields f(in);
  WaiterRecord w;
  w.arrival = f.number(s::waiter::kArrival, last_arrival);
  w.key_ms = s::unfold(f.number(s::waiter::kKeyMs, UINT64_MAX));
  w.asked_ms = f.stamp(s::waiter::kAskedMs);
  w.deadline_ms = f.stamp(s::waiter::kDeadlineMs, kNever);
  w.who = f.blob(s::waiter::kWho);
  w.data = f.blob(s::waiter::kData);
  w.has_data = f.flag(s::waiter::kHasData);
  w.connection = f.connection(s::waiter::kMember, s::waiter::kBoot, s::waiter::kConnection);
  w.seq = f.number(s::waiter::kSeq, UINT64_MAX);
  w.ttl_ms = f.small(s::waiter::kTtlMs);
  w.max_hold_ms = f.small(s::waiter::kMaxHoldMs);
  w.delay_ms = f.small(s::waiter::kDelayMs);
  w.mode = f.mode(s::waiter::kMode);
  w.priority = static_cast<uint8_t>(f.number(s::waiter::kPriority, kMaxPriority));
  w.no_reentry = f.flag(s::waiter::kNoReentry);
  w.async = f.flag(s::waiter::kAsync);
  w.name = name;
  const base::SessionId session{f.number(s::waiter::kSession, last_session)};
  const std::string_view req = f.bytes(s::waiter::kReq);
  if (!session) w.token_req = Blob(req);
  if (f.bad() || w.deadline_ms <= log_ms || !w.arrival || w.asked_ms > log_ms || (!session && w.who.empty()))
    return false;
  const Handle waiter = waiters.take();
  waiters[waiter] = std::move(w);
  loading->linked_waiters.push_back({waiter, session, std::string(req)});
  return true;
}

bool Core::load_history(base::Reader& in, Handle name) {
  Fields f(in);
  HistoryRecord h;
  h.revision = {f.number(s::history::kRevision, revision.value)};
  h.fence = {f.number(s::history::kFence, last_fence.value)};
  h.session = {f.number(s::history::kSession, last_session)};
  h.wall_ms = f.stamp(s::history::kWallMs);
  h.owner = f.blob(s::history::kOwner);
  h.label = f.blob(s::history::kLabel);
  h.kind = static_cast<EventKind>(f.number(s::history::kKind, static_cast<uint64_t>(EventKind::kSessionEnded)));
  h.why = static_cast<Why>(f.number(s::history::kWhy, static_cast<uint64_t>(kLastWhy)));
  h.mode = f.mode(s::history::kMode);
  h.name = name;
  if (f.bad() || !h.revision || h.kind == EventKind{}) return false;
  const Handle record = history.take();
  history[record] = std::move(h);
  loading->all_history.push_back(record);
  return true;
}

base::Status Core::load_name(base::Reader& in, uint32_t bucket) {
  Fields f(in);
  const std::string_view bytes = f.bytes(s::name::kBytes);
  const uint64_t counts[] = {f.number(s::name::kHolds, in.left()), f.number(s::name::kGhosts, in.left()),
                             f.number(s::name::kWaiters, in.left()), f.number(s::name::kHistory, in.left())};
  if (f.bad() || bytes.empty()) return corrupt("a name is malformed");
  if (find_name(bytes)) return corrupt("a name stands in it twice");
  const Handle name = make_name(bytes);
  if (names[name].bucket != bucket) return corrupt("a name stands in a bucket that is not its own");
  loading->all_names.push_back(name);
  for (uint64_t i = 0; i < counts[0]; ++i)
    if (!load_hold(in, name)) return corrupt("a hold is malformed");
  for (uint64_t i = 0; i < counts[1]; ++i)
    if (!load_ghost(in, name)) return corrupt("a ghost is malformed");
  for (uint64_t i = 0; i < counts[2]; ++i)
    if (!load_waiter(in, name)) return corrupt("a waiter is malformed");
  for (uint64_t i = 0; i < counts[3]; ++i)
    if (!load_history(in, name)) return corrupt("a history entry is malformed");
  return {};
}

bool Core::load_req(base::Reader& in, Handle session) {
  Fields f(in);
  const std::string_view id = f.bytes(s::req::kReq);
  const uint64_t arguments = f.number(s::req::kArguments, UINT64_MAX);
  ReqRecord r;
  r.decision = f.number(s::req::kDecision, last_decision);
  r.state = static_cast<ReqRecord::State>(f.number(s::req::kState, static_cast<uint64_t>(ReqRecord::State::kCounted)));
  r.verb = static_cast<Verb>(f.number(s::req::kVerb, static_cast<uint64_t>(Verb::kUndeliver)));
  r.result = static_cast<Result>(f.number(s::req::kResult, static_cast<uint64_t>(Result::kImplicitBusy)));
  r.why = static_cast<Why>(f.number(s::req::kWhy, static_cast<uint64_t>(kLastWhy)));
  r.held_mode = f.mode(s::req::kHeldMode);
  r.mode = f.mode(s::req::kMode);
  r.depth = f.small(s::req::kDepth);
  r.revision = {f.number(s::req::kRevision, revision.value)};
  r.fence = {f.number(s::req::kFence, kMaxFence)};
  r.held_fence = {f.number(s::req::kHeldFence, kMaxFence)};
  r.ms_left = f.stamp(s::req::kMsLeft);
  r.waited_ms = f.stamp(s::req::kWaitedMs);
  r.ttl_ms = f.stamp(s::req::kTtlMs);
  if (f.bad() || id.empty() || find_req(sessions[session], id)) return false;
  const Handle req = make_req(session, id, arguments);
  ReqRecord& made = reqs[req];
  r.arguments = made.arguments;
  r.req = std::move(made.req);
  r.session = made.session;
  made = std::move(r);
  if (made.state != ReqRecord::State::kWaiting) --undecided_reqs;
  loading->all_reqs.push_back(req);
  return true;
}

base::Status Core::load_session(base::Reader& in, uint32_t bucket) {
  Fields f(in);
  SessionRecord r;
  r.id = {f.number(s::session::kId, last_session)};
  r.ttl_ms = f.stamp(s::session::kTtlMs);
  r.mark_ms = f.stamp(s::session::kMarkMs);
  r.marked = f.flag(s::session::kMarked);
  r.key = f.blob(s::session::kKey);
  r.label = f.blob(s::session::kLabel);
  r.epoch = f.small(s::session::kEpoch);
  r.implicit = f.flag(s::session::kImplicit);
  r.losses = f.number(s::session::kLosses, UINT64_MAX);
  r.bucket = static_cast<uint16_t>(bucket);
  const base::ConnectionRef connection = f.connection(s::session::kMember, s::session::kBoot, s::session::kConnection);
  const uint64_t losses = f.number(s::session::kLastLosses, in.left());
  const uint64_t req_count = f.number(s::session::kReqs, in.left());
  if (f.bad() || !r.id || r.ttl_ms <= 0 || r.ttl_ms > kMaxDurationMs) return corrupt("a session is malformed");
  if (find_session(r.id)) return corrupt("a session stands in it twice");
  if (r.implicit && find_connection(connection)) return corrupt("two sessions claim one connection");
  const bool implicit = r.implicit;
  const Handle session = adopt_session(std::move(r));
  if (sessions[session].bucket != bucket) return corrupt("a session stands in a bucket that is not its own");
  if (implicit) {
    const Handle c = make_connection(connection);
    connections[c].session = session;
    sessions[session].connection = c;
  }
  loading->all_sessions.push_back(session);
  for (uint64_t i = 0; i < losses; ++i) {
    Fields l(in);
    LossRecord loss{l.blob(s::loss::kName),
                    {l.number(s::loss::kFence, last_fence.value)},
                    {l.number(s::loss::kRevision, revision.value)},
                    static_cast<Why>(l.number(s::loss::kWhy, static_cast<uint64_t>(kLastWhy)))};
    if (l.bad()) return corrupt("a loss is malformed");
    auto& list = sessions[session].last_losses;
    if (!list) list = std::make_unique<std::vector<LossRecord>>();
    list->push_back(std::move(loss));
  }
  for (uint64_t i = 0; i < req_count; ++i)
    if (!load_req(in, session)) return corrupt("a REQ result is malformed");
  return {};
}

base::Status Core::load_bucket(base::Reader& in) {
  const uint64_t bucket = in.varint();
  if (!in.ok() || bucket >= kBuckets) return corrupt("a block has no bucket");
  if (loading->seen_buckets[bucket]) return corrupt("a bucket stands in it twice");
  loading->seen_buckets[bucket] = true;
  while (true) {
    base::Status status;
    switch (in.u8()) {
      case s::kName:
        status = load_name(in, static_cast<uint32_t>(bucket));
        break;
      case s::kSession:
        status = load_session(in, static_cast<uint32_t>(bucket));
        break;
      case s::kEnd:
        return in.ok() && in.at_end() ? base::Status{} : corrupt("a block does not end as it should");
      default:
        return corrupt("a record of unknown kind");
    }
    if (!status.ok()) return status;
  }
}

// Gives a session's record its session and its REQ; false: they are not there.
bool Core::relink(const base::SessionId& id, const std::string& req, ReqRecord::State state, Handle subject,
                  Handle& session, Handle& req_result) {
  if (!id) return true;
  session = find_session(id);
  if (!session) return false;
  if (req.empty()) return true;
  req_result = find_req(sessions[session], req);
  if (!req_result || reqs[req_result].state != state || reqs[req_result].subject) return false;
  reqs[req_result].subject = subject;
  return true;
}

base::Status Core::link_holds() {
  auto& list = loading->linked_holds;
  std::sort(list.begin(), list.end(),
            [&](const auto& a, const auto& b) { return holds[a.record].fence < holds[b.record].fence; });
  base::Fence last;
  for (const auto& l : list) {
    HoldRecord& h = holds[l.record];
    if (h.fence == last) return corrupt("two holds have one fence");
    last = h.fence;
    if (!relink(l.session, l.req, ReqRecord::State::kPinned, l.record, h.session, h.req_result))
      return corrupt("a hold belongs to a session or request that is not there");
    const NameRecord& n = names[h.name];
    if (!holders_allow(n, h.mode)) return corrupt("two holds of a name are not compatible");
    if (find_hold(n, identity(h))) return corrupt("one identity holds a name twice");
    link_hold(l.record);
    time_hold(l.record);
  }
  return {};
}

base::Status Core::link_waiters() {
  auto& list = loading->linked_waiters;
  std::sort(list.begin(), list.end(),
            [&](const auto& a, const auto& b) { return waiters[a.record].arrival < waiters[b.record].arrival; });
  uint64_t last = 0;
  for (const auto& l : list) {
    WaiterRecord& w = waiters[l.record];
    if (w.arrival == last) return corrupt("two waiters have one arrival");
    last = w.arrival;
    if (!relink(l.session, l.req, ReqRecord::State::kWaiting, l.record, w.session, w.req_result))
      return corrupt("a waiter belongs to a session or request that is not there");
    enqueue(l.record);
    if (w.deadline_ms != kNever) set_timer(TimerKind::kWaiter, l.record, w.timer, w.deadline_ms, w.arrival);
  }
  return {};
}

void Core::link_ghosts() {
  for (const Handle ghost : loading->all_ghosts) link_ghost(ghost);  // a name's stand in their order
}

base::Status Core::link_history() {
  auto& list = loading->all_history;
  if (list.size() > settings.history_entries) return corrupt("it has more history than its own settings allow");
  std::sort(list.begin(), list.end(), [&](Handle a, Handle b) { return history[a].revision < history[b].revision; });
  base::Revision last;
  for (const Handle h : list) {
    HistoryRecord& r = history[h];
    if (r.revision == last) return corrupt("two history entries have one revision");
    last = r.revision;
    NameExtra& x = extra_of(names[r.name]);
    (x.last_history ? history[x.last_history].name_next : x.first_history) = h;
    x.last_history = h;
    if (++x.history > settings.history_per_name) return corrupt("a name has more history than its own settings allow");
    r.prev = last_history;
    (last_history ? history[last_history].next : first_history) = h;
    last_history = h;
  }
  return {};
}

base::Status Core::link_reqs() {
  auto& list = loading->all_reqs;
  std::sort(list.begin(), list.end(), [&](Handle a, Handle b) { return reqs[a].decision < reqs[b].decision; });
  for (const Handle h : list) {
    const bool counted = reqs[h].state == ReqRecord::State::kCounted;
    if (counted == (reqs[h].subject != 0)) return corrupt("a REQ result belongs to a hold or waiter that is not there");
    if (counted) count_req(h);
  }
  return {};
}

base::Status Core::finish_load() {
  const Loading& l = *loading;
  if (!l.head) return corrupt("it has no head");
  if (l.all_names.size() != l.names || holds.size() != l.holds || ghosts.size() != l.ghosts ||
      waiters.size() != l.waiters || sessions.size() != l.sessions || reqs.size() != l.reqs ||
      history.size() != l.history)
    return corrupt("blocks are missing: it holds less than its head says");
  std::sort(loading->all_sessions.begin(), loading->all_sessions.end(),
            [&](Handle a, Handle b) { return sessions[a].id < sessions[b].id; });
  for (auto link : {&Core::link_holds, &Core::link_waiters, &Core::link_history, &Core::link_reqs})
    if (base::Status status = (this->*link)(); !status.ok()) return status;
  link_ghosts();
  settle_all();
  if (names.size() != l.names) return corrupt("a name has neither hold, waiter nor history");
  loading.reset();
  return {};
}

base::Status Machine::load_block(std::string_view block) {
  Core& c = *state_;
  if (!c.loading) c.loading = std::make_unique<Core::Loading>();
  base::Reader in(block);
  switch (in.u8()) {
    case s::kHeadBlock:
      return c.loading->head ? corrupt("it has two heads") : c.load_head(in);
    case s::kBucketBlock:
      return c.loading->head ? c.load_bucket(in) : corrupt("it does not begin with its head");
    default:
      return corrupt("a block of unknown kind");
  }
}

base::Status Machine::finish_load() {
  return state_->loading ? state_->finish_load() : corrupt("it is empty");
}

}  // namespace cleat::lock
