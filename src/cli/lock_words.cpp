#include "cli/lock_words.hpp"

#include "cli/duration.hpp"
#include "cli/escape.hpp"

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

std::string why_not_acquired(const std::string& name, const client::Reply& answer) {
  std::string out = one_word(name) + " was not acquired";
  if (const std::string_view why = answer.text_at("why"); !why.empty()) out += ": " + escaped(why);
  if (const client::Reply* holder = answer.find("holder"); holder != nullptr && holder->is_map()) {
    const std::string label = escaped(holder->text_at("label"));
    out += " by " + (label.empty() ? (holder->integer_at("session") == 0
                                          ? "a token"
                                          : "session " + std::to_string(holder->integer_at("session")))
                                   : label);
    out += " (fence " + std::to_string(holder->integer_at("fence")) + ")";
  }
  if (const int64_t retry = answer.integer_at("retry_ms"); retry > 0) {
    out += "; worth another try in " + rough_duration(milliseconds(retry));
  }
  return out;
}

}  // namespace cleat::cli
