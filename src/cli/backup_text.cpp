#include "cli/backup_text.hpp"

#include "cli/escape.hpp"
#include "cli/json.hpp"
#include "cli/wall_time.hpp"
#include "server/cluster_identity.hpp"

namespace cleat::cli {
namespace {

// "1 lock", "2 locks"
std::string count(uint64_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string names_of(const replica::Members& members) {
  std::string out;
  for (const replica::Member& m : members.all()) out += (out.empty() ? "" : ",") + escaped(m.name);
  return out;
}

}  // namespace

std::string backup_text(const std::string& headline, const replica::Backup& backup, const lock::Machine& machine) {
  const replica::BackupHead& head = backup.head;
  const lock::Totals totals = machine.totals();
  std::string out = escaped(headline) + "\n";
  const auto line = [&](std::string what, const std::string& value) {
    what.resize(10, ' ');
    out += "  " + what + value + "\n";
  };
  line("cluster", server::cluster_text(head.cluster) + ", incarnation " + std::to_string(head.incarnation));
  line("members", names_of(backup.members));
  line("made", wall_time(head.made_ms) + " by " + escaped(head.member) + ", version " + escaped(head.version));
  line("entry", std::to_string(head.index));
  line("size", std::to_string(backup.bytes) + " bytes");
  line("locks", count(totals.holds, "hold") + " on " + count(totals.names, "name") + ", " +
                    count(totals.waiters, "waiter") + ", " + count(totals.sessions, "session"));
  line("fences", "up to " + std::to_string(machine.last_fence().value));
  return out;
}

std::string backup_json(const std::string& file, const replica::Backup& backup, const lock::Machine& machine) {
  const replica::BackupHead& head = backup.head;
  const lock::Totals totals = machine.totals();
  Json json;
  json.open_object().bytes("file", file).bytes("cluster", server::cluster_text(head.cluster));
  json.field("incarnation", int64_t{head.incarnation}).field("index", static_cast<int64_t>(head.index));
  json.bytes("member", head.member).field("made", head.made_ms).bytes("version", head.version);
  json.field("bytes", static_cast<int64_t>(backup.bytes)).field("holds", static_cast<int64_t>(totals.holds));
  json.field("names", static_cast<int64_t>(totals.names)).field("waiters", static_cast<int64_t>(totals.waiters));
  json.field("sessions", static_cast<int64_t>(totals.sessions));
  json.field("fence", static_cast<int64_t>(machine.last_fence().value));
  return json.close_object().text() + "\n";
}

}  // namespace cleat::cli
