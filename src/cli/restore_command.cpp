// cleat cluster restore and recover: work on data directories of stopped nodes, and say what was made and what is next.
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <memory>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/talk.hpp"
#include "server/cluster_settings.hpp"
#include "server/founding.hpp"
#include "server/recover.hpp"
#include "server/restore.hpp"

namespace cleat::cli {
namespace {

int64_t wall_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

// Fences and incarnations are numbered by the second: no two of them may begin in the same one on this machine.
void sit_out_second(int64_t began_ms) {
  for (int64_t now = wall_ms(); now >= began_ms && now / 1000 == began_ms / 1000; now = wall_ms()) {
    ::poll(nullptr, 0, static_cast<int>(1000 - now % 1000));
  }
}

std::string field(std::string what, const std::string& value) {
  what.resize(13, ' ');
  return "  " + what + value + "\n";
}

std::string holds_text(const lock::Totals& before, const lock::Totals& after) {
  const auto count = [](uint64_t n, const std::string& what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
  };
  return count(after.holds, "hold") + " by token kept; " + count(before.holds - after.holds, "hold") + " of " +
         count(before.sessions, "session") + " and " + count(before.waiters, "waiter") + " dropped";
}

std::string incarnation_text(uint32_t now, uint32_t before) {
  return std::to_string(now) + " (before: " + std::to_string(before) + ")";
}

void add_numbers(Json& json, const server::Origin& origin, uint32_t before, uint64_t fence) {
  json.bytes("cluster", server::cluster_text(origin.cluster)).field("incarnation", int64_t{origin.incarnation});
  json.field("older_incarnation", int64_t{before}).field("fence", static_cast<int64_t>(fence));
}

std::string text_of(const RestoreCommand& command, const server::Restored& done) {
  const std::string data = escaped(command.data);
  std::string out = "restored " + escaped(command.file) + " into " + data + "\n";
  out += field("cluster", server::cluster_text(done.origin.cluster));
  out += field("incarnation", incarnation_text(done.origin.incarnation, done.backup.head.incarnation));
  out += field("entry", std::to_string(done.backup.head.index));
  out += field("locks", holds_text(done.before, done.after));
  out += field("fences", "above " + std::to_string(done.fence));
  std::string serve = "cleat serve --name " + (command.name.empty() ? std::string(server::kLoneName) : command.name) +
                      " --data " + data;
  if (!done.waits) return out + field("next", serve + "   (with its other settings)");
  serve += " --cluster " + server::list_text(command.members) + "   (with its other settings)";
  out += field("next", "restore the same file with the same --cluster on the other members, then start all of them:");
  return out + field("", serve) +
         "They begin when all are there, with the highest numbers that one of them has given.\n";
}

std::string text_of(const RecoverCommand& command, const server::Recovered& done) {
  const std::string data = escaped(command.data), own = escaped(done.name);
  std::string out = data + " is that of a cluster of one now: member " + own + "\n";
  out += field("cluster", server::cluster_text(done.origin.cluster));
  out += field("incarnation", incarnation_text(done.origin.incarnation, done.older_incarnation));
  std::string entry = std::to_string(done.index) + ", the last that it has";
  if (done.undecided != 0) {
    entry += "; it did not know that the last " + std::to_string(done.undecided) + " were decided, and they count";
  }
  out += field("entry", entry);
  out += field("locks", holds_text(done.before, done.after));
  out += field("fences", "above " + std::to_string(done.fence));
  out += field("as it was", escaped(done.kept_in));
  out += field("next", "cleat serve --name " + own + " --data " + data + "   (with its other settings)");
  out += field("", "then on each other machine, with an empty directory: cleat serve --name NAME --join " +
                       (done.address.empty() ? std::string("HOST:PORT") : escaped(done.address)) +
                       " --peer-listen HOST:PORT");
  return out + field("", "and: cleat cluster add NAME=HOST:PORT");
}

int give_up(const Common& common, const base::Status& status) {
  complain(common, escaped_line(status.message()));
  return kRefused;
}

constexpr const char* kUnsafe =
    "this gives up what only the members have that are lost: locks, unlocks and expiries that this one never heard of "
    "are forgotten, so that two clients may hold one lock until the longest TTL is over (their fences differ). If the "
    "others, or their disks, can come back, start them instead: nothing is lost then. If a backup is newer than this "
    "directory, restore that. Else stop all members and clients, choose the survivor that has the most entries, and "
    "say "
    "it again with --unsafe";

}  // namespace

int execute(const Common& common, const RestoreCommand& command) {
  const bool listed = std::any_of(command.members.begin(), command.members.end(),
                                  [&](const server::ListedMember& m) { return m.name == command.name; });
  if (!command.members.empty() && !listed) {
    complain(common, "--name " + command.name + " is not in --cluster " + server::list_text(command.members));
    return kUsage;
  }
  server::RestoreRequest asked;
  asked.file = command.file;
  asked.dir = command.data;
  asked.name = command.name.empty() ? std::string(server::kLoneName) : command.name;
  asked.list = command.members;
  asked.fence_above = command.fence_above;
  asked.now_ms = wall_ms();
  const auto done = server::restore(storage::FileSystem::real(), asked);
  if (!done.ok()) return give_up(common, done.status());
  sit_out_second(asked.now_ms);
  if (!common.json) return print(common, text_of(command, *done));
  Json json;
  json.open_object();
  add_numbers(json, done->origin, done->backup.head.incarnation, done->fence);
  json.field("index", static_cast<int64_t>(done->backup.head.index));
  json.field("holds", static_cast<int64_t>(done->after.holds)).field("waits", done->waits);
  return print(common, json.close_object().text() + "\n");
}

int execute(const Common& common, const RecoverCommand& command) {
  if (!command.unsafe) {
    complain(common, kUnsafe);
    return kRefused;
  }
  const int64_t now_ms = wall_ms();
  const auto done = server::recover(storage::FileSystem::real(), command.data, now_ms, command.fence_above);
  if (!done.ok()) return give_up(common, done.status());
  sit_out_second(now_ms);
  if (!common.json) return print(common, text_of(command, *done));
  Json json;
  json.open_object();
  add_numbers(json, done->origin, done->older_incarnation, done->fence);
  json.field("index", static_cast<int64_t>(done->index)).field("undecided", static_cast<int64_t>(done->undecided));
  json.field("holds", static_cast<int64_t>(done->after.holds)).bytes("name", done->name);
  json.bytes("kept_in", done->kept_in);
  return print(common, json.close_object().text() + "\n");
}

}  // namespace cleat::cli
