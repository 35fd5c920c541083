#include "client/attempt.hpp"

#include <algorithm>
#include <utility>

namespace cleat::client {

void Attempt::finish() {
  if (on_done) return std::exchange(on_done, nullptr)(*this);
  done.store(1, std::memory_order_release);
  done.notify_one();
}

void Attempt::fail(errc code, std::string why) {
  error = code;
  message = std::move(why);
  finish();
}

Words lock_words(const Attempt& a, TimePoint now) {
  Words words = {"LOCK", a.name, a.shared ? "SHARED" : "EXCLUSIVE", "OWNER", a.owner, "NOREENTRY"};
  const auto option = [&words](const char* name, int64_t value) {
    words.emplace_back(name);
    words.push_back(std::to_string(value));
  };
  if (a.only_try) {
    option("WAIT", 0);
  } else if (a.until) {
    // One more than is left: the service may be a part of one early.
    const auto left = std::chrono::ceil<milliseconds>(*a.until - now) + milliseconds(1);
    option("WAIT", std::clamp(left, milliseconds(0), kLongestWait).count());
  }
  if (a.priority != 0) option("PRIORITY", a.priority);
  if (a.max_hold > milliseconds(0)) option("MAXHOLD", a.max_hold.count());
  if (a.delay > milliseconds(0)) option("DELAY", a.delay.count());
  words.insert(words.end(), {"ASYNC", "FULL"});
  return words;
}

errc lock_errc(std::string_view word) {
  if (word == "DEADLOCK" || word == "MODE") return errc::deadlock;
  if (word == "BADNAME") return errc::bad_name;
  if (word == "ERR") return errc::invalid;
  if (word == "LIMIT") return errc::limit;
  if (word == "DISKFULL") return errc::no_space;
  return errc::rejected;
}

}  // namespace cleat::client
