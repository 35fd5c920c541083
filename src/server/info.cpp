#include "server/info.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "resp/connection_reply.hpp"

namespace cleat::server {
namespace {

using resp::InfoText;

int64_t number(uint64_t v) {
  return static_cast<int64_t>(v);
}

uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void percentiles(InfoText& text, std::string_view name, const base::Histogram<4>& h) {
  text.line(fmt::format("{}_p50", name), number(h.percentile(0.5)));
  text.line(fmt::format("{}_p99", name), number(h.percentile(0.99)));
  text.line(fmt::format("{}_p999", name), number(h.percentile(0.999)));
  text.line(fmt::format("{}_max", name), number(h.max()));
  text.line(fmt::format("{}_count", name), number(h.count()));
}

void server_section(InfoText& text, const InfoSource& s) {
  text.line("redis_version", resp::kRedisVersion);
  text.line("cleat_version", kCleatVersion);
  text.line("redis_mode", "standalone");
  text.line("loading", 0);
  text.line("process_id", getpid());
  text.line("boot", s.replica.boot());
  text.line("listen", s.config.listen);
  text.line("data", s.config.data);
  text.line("uptime_in_seconds", s.uptime_s);
}

void clients_section(InfoText& text, const InfoSource& s) {
  const Metrics& m = s.metrics;
  text.line("connected_clients", number(s.connections));
  text.line("maxclients", s.config.max_connections);
  text.line("total_connections_received", number(m.connections_accepted));
  text.line("rejected_connections", number(m.connections_refused));
  text.line("killed_connections", number(m.connections_killed));
  text.line("slow_connections_closed", number(m.connections_dropped_slow));
  text.line("protocol_errors", number(m.protocol_errors));
  text.line("input_buffer_bytes", number(s.input_bytes));
  text.line("output_buffer_bytes", number(s.output_bytes));
}

// Where clients reach the leader; empty: none is known.
std::string leader_address(const InfoSource& s, const replica::Status& status) {
  if (status.leads) return s.config.listen;
  for (const replica::PeerStatus& peer : s.replica.peers()) {
    if (status.leader != 0 && peer.id == status.leader) return peer.client_address;
  }
  return {};
}

// In the shape of Redis' slave0 lines: one line a member, fields separated by commas.
void member_line(InfoText& text, const InfoSource& s, const replica::PeerStatus& p, const replica::Status& status) {
  const replica::Member* m = s.replica.members().find(p.id);
  const uint64_t has = status.leads ? p.match : p.applied;
  text.line(
      fmt::format("member_{}", p.id),
      fmt::format("name={},voter={:d},up={:d},applied={},lag={},round_trip_us={},heard_ms_ago={},snapshot_percent={},"
                  "clock_ppm={},client={},level={}",
                  m == nullptr ? "" : m->name, p.voter, p.up, has, status.commit > has ? status.commit - has : 0,
                  p.round_trip_us, p.heard_us_ago < 0 ? -1 : p.heard_us_ago / 1000, p.snapshot_percent, p.clock_ppm,
                  p.client_address, p.level));
}

void replication_section(InfoText& text, const InfoSource& s, const replica::Status& status) {
  text.line("role", status.leads ? "leader" : status.voter ? "follower" : "learner");
  text.line("leader", leader_address(s, status));
  text.line("connected_slaves", 0);
  for (const replica::PeerStatus& p : s.replica.peers()) member_line(text, s, p, status);
  text.line("feature_level", status.level);
  text.line("feature_level_known", status.known_level);
  text.line("elections", number(status.elections));
  text.line("leadership_lost", number(status.stepped_down));
  text.line("forwards", number(status.forwards));
  text.line("forwards_again", number(status.forwards_again));
  text.line("snapshots_installed", number(status.snapshots_installed));
  text.line("term", number(status.term));
  text.line("commit", number(status.commit));
  text.line("applied", number(status.applied));
  text.line("clock_rate_difference_ppm", status.worst_clock_ppm);
  text.line("clock_rate_warning", status.clock_warning);
}

void locks_section(InfoText& text, const InfoSource& s, const lock::Totals& t) {
  const Metrics& m = s.metrics;
  text.line("names", number(t.names));
  text.line("holds", number(t.holds));
  text.line("waiters", number(t.waiters));
  text.line("delayed", number(t.ghosts));
  text.line("revision", number(s.replica.machine().revision().value));
  text.line("last_fence", number(s.replica.machine().last_fence().value));
  text.line("lock_requests", number(m.lock_requests));
  text.line("lock_requests_repeated", number(m.lock_repeats));
  text.line("acquired_at_once", number(m.granted_at_once));
  text.line("acquired_after_wait", number(m.granted_after_wait));
  text.line("not_acquired_busy", number(m.busy));
  text.line("not_acquired_timed_out", number(m.timed_out));
  text.line("not_acquired_cancelled", number(m.cancelled));
  text.line("refused_mode", number(m.refused_mode));
  text.line("refused_limit", number(m.refused_limit));
  text.line("refused_no_session", number(m.refused_session));
  text.line("refused_disk_full", number(m.refused_disk_full));
  text.line("refused_other", number(m.refused_other));
  text.line("answered_unknown", number(m.unknown));
  text.line("deadlocks", number(m.refused_deadlock));
  text.line("contention_rate", fmt::format("{:.4f}", m.contention()));
  text.line("unlocks", number(m.unlocks));
  text.line("renewals", number(m.renewals));
  text.line("expired_ttl", number(m.holds_ended_by_ttl));
  text.line("expired_max_hold", number(m.holds_ended_by_max_hold));
  text.line("expired_with_session", number(m.holds_ended_with_session));
  text.line("revocations", number(m.revocations));
  text.line("undelivered", number(m.undelivered));
  percentiles(text, "wait_ms", m.wait_ms);
  percentiles(text, "hold_ms", m.hold_ms);
}

void sessions_section(InfoText& text, const InfoSource& s, const lock::Totals& t, const replica::Status& status) {
  text.line("sessions", number(t.sessions));
  text.line("implicit_sessions", number(t.implicit_sessions));
  text.line("sessions_opened", number(s.metrics.sessions_opened));
  text.line("sessions_expired", number(s.metrics.sessions_expired));
  text.line("keep_alives_answered", number(status.keep_alives_answered));
  text.line("keep_alives_missed", number(status.keep_alives_missed));
  text.line("req_results", number(t.req_results));
}

void disk_section(InfoText& text, const InfoSource& s, const replica::Status& status) {
  text.line("log_bytes", number(status.log_bytes));
  text.line("snapshot_index", number(status.snapshot_index));
  text.line("snapshot_under_way", status.snapshotting);
  text.line("free_bytes", number(status.free_bytes));
  text.line("disk_full", status.disk_full);
  text.line("fsyncs", number(status.syncs));
  text.line("entries", number(status.entries));
  percentiles(text, "fsync_us", s.metrics.fsync_us);
  percentiles(text, "commit_us", s.metrics.commit_us);
}

void stats_section(InfoText& text, const InfoSource& s, const replica::Status& status) {
  text.line("total_commands_processed", number(s.metrics.commands));
  text.line("total_net_input_bytes", number(s.metrics.bytes_in));
  text.line("total_net_output_bytes", number(s.metrics.bytes_out));
  text.line("turns", number(status.turns));
  text.line("longest_turn_us", s.metrics.longest_turn_us);
  text.line("longest_turn_unsynced_us", s.metrics.longest_turn_unsynced_us);
  text.line("events", number(s.metrics.events));
  text.line("pushes", number(s.metrics.pushes));
  text.line("gaps", number(s.metrics.gaps));
}

void process_section(InfoText& text) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return fmt::format("{}.{:06}", t.tv_sec, t.tv_usec); };
  text.line("used_memory_rss", number(resident_bytes()));
  text.line("used_cpu_sys", seconds(usage.ru_stime));
  text.line("used_cpu_user", seconds(usage.ru_utime));
}

// Walks the whole state, so that it is told only when it is asked for. Members that have applied the same entries have
// the same.
void digest_section(InfoText& text, const InfoSource& s, const replica::Status& status) {
  text.line("digest_applied", number(status.applied));
  text.line("digest", fmt::format("{:016x}", s.replica.machine().digest()));
}

}  // namespace

std::string info_text(const InfoSource& s, resp::Words sections) {
  const replica::Status status = s.replica.status();
  const lock::Totals totals = s.replica.machine().totals();
  InfoText text(sections);
  if (text.section("Server")) server_section(text, s);
  if (text.section("Clients")) clients_section(text, s);
  if (text.section("Replication")) replication_section(text, s, status);
  if (text.section("Locks")) locks_section(text, s, totals);
  if (text.section("Sessions")) sessions_section(text, s, totals, status);
  if (text.section("Disk")) disk_section(text, s, status);
  if (text.section("Stats")) stats_section(text, s, status);
  if (text.section("Process")) process_section(text);
  if (text.named_section("Digest")) digest_section(text, s, status);
  return text.text();
}

}  // namespace cleat::server
