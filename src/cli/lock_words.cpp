#include "cli/lock_words.hpp"

#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/wall_time.hpp"

namespace cleat::cli {

client::Words lock_words(const LockRequest& lock) {
  client::Words words = {"LOCK", lock.name, lock.mode};
  const auto add_ms = [&](const char* word, const std::optional<milliseconds>& value) {
    if (value) words.insert(words.end(), {word, std::to_string(value->count())});
  };
  add_ms("WAIT", lock.wait);
  if (lock.priority) words.insert(words.end(), {"PRIORITY", std::to_string(*lock.priority)});
  add_ms("MAXHOLD", lock.max_hold);
  add_ms("DELAY", lock.delay);
  if (lock.data) words.insert(words.end(), {"DATA", *lock.data});
  return words;
}

namespace {

// "web-1 4711 backup.sh (session 3, fence 17) since 2026-01-31 10:00:00.000"
std::string holder_text(const client::Reply& holder) {
  const int64_t session = holder.integer_at("session");
  const std::string label = escaped(holder.text_at("label")), number = "session " + std::to_string(session);
  std::string out = session == 0 ? "a token" : label.empty() ? number : label;
  out += session == 0 || label.empty() ? " (" : " (" + number + ", ";
  if (const std::string_view owner = holder.text_at("owner"); !owner.empty()) out += "owner " + one_word(owner) + ", ";
  out += "fence " + std::to_string(holder.integer_at("fence")) + ")";
  const std::string since = wall_time(holder.integer_at("granted_at"));
  return since.empty() ? out : out + " since " + since;
}

}  // namespace

std::string why_not_acquired(const std::string& name, const client::Reply& answer) {
  std::string out = one_word(name) + " was not acquired";
  if (const std::string_view why = answer.text_at("why"); !why.empty()) out += ": " + escaped(why);
  if (const client::Reply* holder = answer.find("holder"); holder != nullptr && holder->is_map()) {
    out += (answer.text_at("why") == "held" ? " by " : "; held by ") + holder_text(*holder);
  }
  if (const int64_t retry = answer.integer_at("retry_ms"); retry > 0) {
    out += "; worth another try in " + rough_duration(milliseconds(retry));
  }
  return out;
}

}  // namespace cleat::cli
