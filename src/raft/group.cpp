#include "raft/group.hpp"

#include <algorithm>

#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "base/mutant.hpp"
#include "raft/engine/cleat_engine.h"
#include "raft/ready.hpp"
#include "raft/ready_view.hpp"
#include "raft/virtual_disk.hpp"

namespace cleat::raft {
namespace {

ce_bytes to_c(Bytes b) {
  return {reinterpret_cast<const uint8_t*>(b.data()), b.size()};
}
ce_bytes to_c(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}
std::string to_string(ce_bytes b) {
  return std::string(reinterpret_cast<const char*>(b.data), b.len);
}

base::Status to_status(ce_code code, const ce_error& error) {
  switch (code) {
    case CE_OK:
      return {};
    case CE_NO_SPACE:
      return {base::Code::kNoSpace, error.text};
    case CE_LOCKED:
      return {base::Code::kBusy, error.text};
    case CE_DAMAGED:
      return {base::Code::kCorrupt, error.text};
    case CE_INVALID:
      return {base::Code::kInvalid, error.text};
    case CE_STOPPED:
    case CE_IO:
      break;
  }
  return {base::Code::kIo, error.text};
}

ce_options to_c(const Options& o) {
  ce_options c{};
  c.dir = o.dir.c_str();
  c.group = o.group_id;
  c.id = o.node_id;
  c.seed = o.seed;
  c.start_id = o.start_id;
  c.voters = o.bootstrap_voters.data();
  c.voter_count = o.bootstrap_voters.size();
  if (o.snapshot) {
    c.has_snapshot = true;
    c.snapshot_index = o.snapshot->index;
    c.snapshot_term = o.snapshot->term;
    c.snapshot_conf = to_c(o.snapshot->members);
  }
  c.file_bytes = o.log_file_bytes;
  c.purge_bytes = o.log_keep_bytes;
  c.prefill = o.prefill && !o.disk;
  c.keep_bytes = o.memory_keep_bytes;
  c.max_message_bytes = o.max_message_bytes;
  c.max_uncommitted_bytes = o.max_uncommitted_bytes;
  c.max_apply_bytes = o.max_apply_bytes;
  c.election_ticks = o.election_ticks;
  c.quiet_commits = o.quiet_commits;
  c.ignore_bound = base::mutant("lower_bound_ignored");
  c.eager = base::mutant("stands_while_installing");
  c.lease_reads = base::mutant("lease_reads");
  c.forget_votes = base::mutant("vote_not_written");
  c.disk = o.disk ? o.disk->handle() : nullptr;
  return c;
}

}  // namespace

bool Purge::run() {
  void* handle = std::exchange(handle_, nullptr);
  return handle && ce_purge(static_cast<ce_purge_handle*>(handle));
}

base::Result<std::unique_ptr<Group>> Group::open(const Options& options) {
  const ce_options c = to_c(options);
  ce_group* group = nullptr;
  ce_error error{};
  if (ce_code code = ce_open(&c, &group, &error); code != CE_OK) return to_status(code, error);
  return std::unique_ptr<Group>(new Group(group));
}

base::Result<LogRead> read_log(const Options& options, const std::function<bool(const EntryView&)>& visit) {
  const ce_options c = to_c(options);
  ce_log* handle = nullptr;
  ce_log_view view{};
  ce_error error{};
  if (ce_code code = ce_read_log(&c, &handle, &view, &error); code != CE_OK) return to_status(code, error);
  LogRead out;
  out.lock = std::shared_ptr<ce_log>(handle, ce_free_log);
  out.commit = view.commit;
  for (size_t i = 0; i < view.entry_count; ++i) {
    const ce_entry& e = view.entries[i];
    out.last = e.index;
    const Bytes data(reinterpret_cast<const std::byte*>(e.data.data), e.data.len);
    if (!visit({e.index, e.term, data, static_cast<EntryKind>(e.kind)})) break;
  }
  return out;
}

Group::~Group() {
  ce_close(group_);
}

bool Group::propose(Bytes payload) {
  const ce_bytes c = to_c(payload);
  return ce_propose(group_, &c, 1);
}

bool Group::propose(std::span<const Bytes> payloads) {
  std::vector<ce_bytes> c;
  c.reserve(payloads.size());
  for (Bytes b : payloads) c.push_back(to_c(b));
  return ce_propose(group_, c.data(), c.size());
}

void Group::tick() {
  ce_tick(group_);
}
void Group::campaign() {
  ce_campaign(group_);
}

Dropped Group::step(uint64_t peer, Bytes message, uint64_t snapshot_index) {
  return static_cast<Dropped>(ce_step(group_, peer, to_c(message), snapshot_index));
}

Dropped Group::learn_commit(uint64_t peer, uint64_t term, uint64_t index) {
  return static_cast<Dropped>(ce_learn_commit(group_, peer, term, index));
}

std::optional<ReadContext> Group::read_index() {
  ReadContext context;
  if (!ce_read_index(group_, context.data())) return std::nullopt;
  return context;
}

bool Group::has_ready() const {
  return ce_has_ready(group_);
}

Ready Group::ready() {
  Ready r;
  r.ready_ = ce_take_ready(group_, &ReadyAccess::place(r));
  return r;
}

Persisted Group::persist(Ready& ready) {
  const Persisted result = ready.write();
  if (result == Persisted::kDone) written(ready);
  return result;
}

void Group::written(Ready& ready) {
  ce_persisted(group_, ready.ready_);
  ready.persisted_ = !base::mutant("written_before_sync");
}

void Group::applied(uint64_t index) {
  ce_applied(group_, index);
}

base::Status Group::compact(const SnapshotMark& mark, uint64_t first_kept) {
  ce_error error{};
  const ce_code code = ce_compact(group_, mark.index, to_c(mark.members), first_kept, &error);
  return to_status(code, error);
}

Purge Group::purge() const {
  return Purge(ce_purger(group_));
}

GroupStatus Group::status() const {
  ce_status_view c{};
  ce_status(group_, &c);
  GroupStatus s;
  s.role = static_cast<Role>(c.role);
  s.term = c.term;
  s.leader = c.leader;
  s.commit = c.commit;
  s.applied = c.applied;
  s.first = c.first;
  s.last = c.last;
  s.durable = c.durable;
  s.snapshot_index = c.snap_index;
  s.snapshot_term = c.snap_term;
  s.log_bytes = c.log_bytes;
  s.disk_bytes = c.disk_bytes;
  s.boot = c.boot;
  s.voters = c.voters;
  s.snapshot_wanted = c.snap_wanted;
  s.handing_over = c.handing_over;
  return s;
}

std::vector<uint64_t> Group::starts() const {
  std::vector<uint64_t> ids(ce_starts(group_, nullptr, 0));
  ce_starts(group_, ids.data(), ids.size());
  return ids;
}

std::string Group::members() const {
  return to_string(ce_conf(group_));
}
std::string Group::make_change(std::span<const MemberEdit> edits, Bytes context) {
  std::vector<ce_change> c;
  for (const MemberEdit& e : edits) c.push_back({static_cast<uint32_t>(e.kind), e.id});
  return to_string(ce_make_change(group_, c.data(), c.size(), to_c(context)));
}
std::string Group::change_context(Bytes change) const {
  return to_string(ce_change_context(group_, to_c(change)));
}

MemberIds Group::member_ids() const {
  const auto ids = [&](uint32_t which) {
    std::vector<uint64_t> out(ce_member_ids(group_, which, nullptr, 0));
    ce_member_ids(group_, which, out.data(), out.size());
    return out;
  };
  return {ids(0), ids(1), ids(2)};
}

bool MemberIds::is_voter(uint64_t id) const {
  return std::binary_search(voters.begin(), voters.end(), id) ||
         std::binary_search(outgoing.begin(), outgoing.end(), id);
}

bool MemberIds::contains(uint64_t id) const {
  return is_voter(id) || std::binary_search(learners.begin(), learners.end(), id);
}

std::optional<Progress> Group::progress(uint64_t member) const {
  ce_progress_view p{};
  if (!ce_progress(group_, member, &p)) return std::nullopt;
  return Progress{p.matched, p.active, p.in_snapshot};
}

bool Group::propose_members(Bytes change) {
  return ce_propose_conf_change(group_, to_c(change));
}
std::string Group::apply_members(Bytes change) {
  return to_string(ce_apply_conf_change(group_, to_c(change)));
}
void Group::transfer(uint64_t to) {
  ce_transfer(group_, to);
}
void Group::report_unreachable(uint64_t peer) {
  ce_report_unreachable(group_, peer);
}
void Group::report_snapshot(uint64_t peer, bool arrived) {
  ce_report_snapshot(group_, peer, arrived);
}

}  // namespace cleat::raft
