#include "client/asker.hpp"

#include <poll.h>

#include <algorithm>
#include <optional>

namespace cleat::client {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr milliseconds kLookEvery{2'000};  // while a LOCK waits
constexpr milliseconds kQuorumPatience{2'500};
constexpr milliseconds kShortestTry{1'000};

bool undecided(const Result<Reply>& answer) {
  return !answer.ok() || answer->error_code() == "UNKNOWN" || answer->error_code() == "NOQUORUM";
}

// False: the deadline comes first.
bool pause_until(TimePoint when, TimePoint deadline) {
  for (;;) {
    const TimePoint now = boot_clock::now();
    if (when >= deadline || now >= deadline) return false;
    if (now >= when) return true;
    ::poll(nullptr, 0, static_cast<int>(std::chrono::ceil<milliseconds>(when - now).count()));
  }
}

// What a decision that was pushed says, as FULL would have said it.
Reply decision(const Reply& push) {
  const Reply& told = push.items[4];
  const std::string error(told.text_at("error"));
  if (!error.empty()) return {.type = Reply::Type::kError, .integer = 0, .text = error, .items = {}};
  Reply map{.type = Reply::Type::kMap, .integer = 0, .text = {}, .items = {}};
  const auto add = [&](const char* key, Reply value) {
    map.items.push_back(Reply::of(std::string(key)));
    map.items.push_back(std::move(value));
  };
  add("granted", Reply::of(int64_t{push.items[1].text == "granted" ? 1 : 0}));
  for (const auto& [key, from] : {std::pair("fence", "fence"),
                                  {"slot", "slot"},
                                  {"ttl", "ms_left"},
                                  {"waited_ms", "waited_ms"},
                                  {"why", "why"},
                                  {"retry_ms", "retry_ms"},
                                  {"holder", "holder"}}) {
    const Reply* value = told.find(from);
    add(key, value != nullptr ? *value : Reply::nil());
  }
  return map;
}

}  // namespace

Asker::Asker(AskerOptions options)
    : options_(std::move(options)), members_(options_.servers, Random(options_.seed)), server_(members_.current()) {}

Outcome Asker::read(const Words& words, TimePoint deadline) {
  return ask([&](TimePoint limit) { return connection_.call(words, limit); }, Effort::kOneRound, deadline);
}

Outcome Asker::change(const Words& words, TimePoint deadline) {
  return ask([&](TimePoint limit) { return connection_.call(words, limit); }, Effort::kUntilDeadline, deadline);
}

Outcome Asker::wait(const std::function<Words()>& words, const std::string& req, TimePoint deadline) {
  const auto one_try = [&](TimePoint limit) -> Result<Reply> {
    Result<Reply> answer = connection_.call(words(), limit);
    if (!answer.ok() || !answer->is_text() || answer->text != "QUEUED") return answer;
    learn(limit);
    return connection_.is_open() ? wait_for_push(req, deadline) : Status(Code::kIo, "lost it");
  };
  return ask(one_try, Effort::kUntilDeadline, deadline);
}

Result<Reply> Asker::wait_for_push(const std::string& req, TimePoint deadline) {
  for (;;) {
    const TimePoint look = boot_clock::now() + kLookEvery;
    Result<Reply> push = connection_.next_push(std::min(look, deadline));
    if (push.ok()) {
      const bool ours = push->items.size() >= 5 && push->items[0].text == "cleat" && push->items[3].text == req &&
                        (push->items[1].text == "granted" || push->items[1].text == "refused");
      if (ours) return decision(*push);
      continue;
    }
    const TimePoint now = boot_clock::now();
    if (push.status().code() != Code::kNotFound || now >= deadline) return push;
    if (now < look) continue;
    // A linearizable read: that it is answered tells that the member still follows its cluster.
    Result<Reply> alive = connection_.call({"LOCKS", "COUNT", "1"}, limit_of_a_try(deadline, true));
    if (undecided(alive)) return alive;
  }
}

void Asker::learn(TimePoint deadline) {
  const Result<Reply> answer = connection_.call({"MEMBERS", "STATUS"}, deadline);
  if (answer.ok()) members_.learn(client_addresses(*answer));
}

void Asker::leave() {
  connection_.close();
  members_.failed(boot_clock::now());
}

// A member that greeted is there: it is given the time to find out that it has no quorum, which takes it 2 s.
TimePoint Asker::limit_of_a_try(TimePoint deadline, bool greeted) const {
  milliseconds share = std::max(options_.patience / static_cast<int64_t>(members_.size()), milliseconds(1));
  if (greeted) share = std::max(share, std::min(kQuorumPatience, options_.patience / 2));
  return std::min(deadline, boot_clock::now() + share);
}

Status Asker::connect(TimePoint limit) {
  server_ = members_.current();
  Status s = connection_.open(server_, options_.credentials, limit);
  if (s.ok()) members_.reached(boot_clock::now());
  return s;
}

Outcome Asker::ask(const Try& one_try, Effort effort, TimePoint deadline) {
  Outcome out{Status(Code::kIo, "there was no time to ask")};
  bool contact = false;
  std::optional<Reply> told;  // NOQUORUM or UNKNOWN: says more than that another member is not there
  for (size_t failed = 1;; ++failed) {
    const Status there = connection_.is_open() ? Status() : connect(limit_of_a_try(deadline, false));
    if (there.ok()) {
      contact = true;
      out.answer = one_try(limit_of_a_try(deadline, true));
      const bool no_room = out.answer.ok() && out.answer->error_code() == "DISKFULL";
      if (!undecided(out.answer) && !(no_room && out.maybe_done)) return out;  // no room tells nothing of a try before
      out.maybe_done |= !out.answer.ok() || out.answer->error_code() == "UNKNOWN";
      if (out.answer.ok()) told = *out.answer;
    } else {
      contact |= there.code() == Code::kIo;  // somebody was there
      out.answer = there;
    }
    leave();
    const Code code = out.answer.status().code();
    const bool refused = code == Code::kInvalid || code == Code::kCorrupt;
    // What is known not to be done is not made unknown by a try that has no time to be answered.
    const TimePoint last_try = told && !out.maybe_done ? deadline - kShortestTry : deadline;
    const bool round_is_enough = effort == Effort::kOneRound || !contact || refused;
    if ((round_is_enough && failed >= members_.size()) || !pause_until(members_.next_attempt(), last_try)) break;
  }
  if (!out.answer.ok() && told) out.answer = std::move(*told);
  if (!contact && members_.several() && out.answer.status().code() == Code::kNotFound) {
    out.answer =
        Status(Code::kNotFound, "none of " + text_of(options_.servers) + " answers: " + out.answer.status().message());
  }
  return out;
}

}  // namespace cleat::client
