#include "cli/cluster_status.hpp"

#include <algorithm>

#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/table.hpp"

namespace cleat::cli {
namespace {

using client::Reply;

const std::vector<Reply>& members_of(const Reply& status) {
  static const std::vector<Reply> kNone;
  const Reply* members = status.find("members");
  return members ? members->items : kNone;
}

std::string number(const Reply& map, std::string_view key, const char* unit = "") {
  const Reply* v = map.find(key);
  return v && v->is_integer() ? std::to_string(v->integer) + unit : "";
}

// "1.2ms", "140us": as it was measured, not rounded to a whole millisecond.
std::string micros(const Reply& map, std::string_view key) {
  const Reply* v = map.find(key);
  if (!v || !v->is_integer()) return "";
  const int64_t us = v->integer;
  if (us < 1'000) return std::to_string(us) + "us";
  if (us < 100'000) return std::to_string(us / 1'000) + "." + std::to_string(us % 1'000 / 100) + "ms";
  return rough_duration(std::chrono::milliseconds(us / 1'000));
}

std::string version(const Reply& member) {
  const std::string text = escaped(member.text_at("version")), level = number(member, "level");
  if (level.empty()) return text;
  return (text.empty() ? "" : text + " ") + "level " + level;
}

// "feature level 1", and what keeps it from rising.
std::string level(const Reply& status) {
  const int64_t in_force = status.integer_at("level");
  if (in_force == 0) return "";
  int64_t known = in_force;
  for (const Reply& m : members_of(status)) known = std::max(known, m.integer_at("level"));
  std::string out = ", feature level " + std::to_string(in_force), missing;
  if (known == in_force) return out;
  for (const Reply& m : members_of(status)) {
    const bool knows = m.integer_at("up") && m.integer_at("level") >= known;
    if (!knows) missing += (missing.empty() ? "" : ", ") + escaped(m.text_at("name"));
  }
  out += " (" + std::to_string(known);
  return out + (missing.empty() ? " in a moment)" : " once it is known to " + missing + ")");
}

std::string headline(const Reply& status) {
  const std::string cluster = escaped(status.text_at("cluster")), leader = escaped(status.text_at("leader"));
  if (const std::string waiting = escaped(status.text_at("waiting")); !waiting.empty()) {
    return escaped(status.text_at("name")) + " is no member yet: " + waiting + "\n";
  }
  std::string out = "cluster " + (cluster.empty() ? "-" : cluster) + ", term " + number(status, "term") + ", ";
  const int64_t incarnation = status.integer_at("incarnation", 1);
  if (incarnation > 1) out += "incarnation " + std::to_string(incarnation) + ", ";
  out += leader.empty() ? "no leader" : leader + " leads";
  return out + ", commit " + number(status, "commit") + level(status) + " (as " + escaped(status.text_at("name")) +
         " sees it)\n";
}

}  // namespace

std::string cluster_status_text(const Reply& status) {
  Table table({"NAME", "ID", "ROLE", "VOTE", "UP", "LAG", "ROUND TRIP", "HEARD", "SNAPSHOT", "MEMBERS AT", "CLIENTS AT",
               "VERSION", "STARTS"});
  for (const Reply& m : members_of(status)) {
    const Reply* heard = m.find("heard_ms");
    table.add({one_word(m.text_at("name")), number(m, "id"), escaped(m.text_at("role")),
               m.integer_at("voter") ? "yes" : "no", m.integer_at("up") ? "yes" : "no", number(m, "lag"),
               micros(m, "rtt_us"),
               heard && heard->is_integer() ? rough_duration(std::chrono::milliseconds(heard->integer)) + " ago" : "",
               number(m, "snapshot", "%"), escaped(m.text_at("peer")), escaped(m.text_at("client")), version(m),
               number(m, "boot")});
  }
  std::string troubles;
  for (const Reply& m : members_of(status)) {
    const std::string trouble = escaped(m.text_at("trouble"));
    if (!trouble.empty()) troubles += one_word(m.text_at("name")) + " is not reached: " + trouble + "\n";
  }
  return headline(status) + (table.empty() ? "" : table.text()) + troubles;
}

bool cluster_is_fine(const Reply& status) {
  size_t voters = 0, up = 0;
  for (const Reply& m : members_of(status)) {
    if (!m.integer_at("voter")) continue;
    ++voters;
    up += m.integer_at("up") ? 1 : 0;
  }
  return !status.text_at("leader").empty() && up * 2 > voters;
}

const Reply* find_member(const Reply& status, std::string_view name) {
  for (const Reply& m : members_of(status)) {
    if (m.text_at("name") == name) return &m;
  }
  return nullptr;
}

std::string progress_text(const Reply& member) {
  if (!member.integer_at("up")) {
    return "is not reached at " + escaped(member.text_at("peer")) +
           ": does it run? (cleat cluster remove takes it out again)";
  }
  if (const Reply* percent = member.find("snapshot"); percent && percent->is_integer()) {
    return "gets a snapshot: " + std::to_string(percent->integer) + "%";
  }
  const Reply* lag = member.find("lag");
  if (!lag || !lag->is_integer()) return "is there; how far it is is not known yet";
  return lag->integer == 0 ? "has caught up" : "is " + std::to_string(lag->integer) + " entries behind";
}

}  // namespace cleat::cli
