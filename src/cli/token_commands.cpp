// lock, unlock, renew: holds by token, for scripts. All three may be repeated safely, so a lost connection is only the
// reason to ask again.
#include <algorithm>

#include "cli/commands.hpp"
#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/lock_words.hpp"
#include "cli/talk.hpp"

namespace cleat::cli {
namespace {

int not_acquired(const Common& common, const LockRequest& lock, const client::Reply& answer) {
  complain(common, why_not_acquired(lock.name, answer));
  if (!common.json) return kNotAcquired;
  Json json;
  json.open_object().bytes("name", lock.name).fields_of(answer).close_object();
  print(common, json.text() + "\n");
  return kNotAcquired;
}

int acquired(const Common& common, const LockRequest& lock, const std::string& token, const client::Reply& answer) {
  const int64_t fence = answer.integer_at("fence");
  if (!common.json) return print(common, "token " + token + "\nfence " + std::to_string(fence) + "\n");
  Json json;
  json.open_object().field("granted", true).bytes("name", lock.name).bytes("token", token).field("fence", fence);
  json.field("ttl", answer.integer_at("ttl")).field("waited_ms", answer.integer_at("waited_ms")).close_object();
  return print(common, json.text() + "\n");
}

int token_holds_nothing(const Common& common, const std::string& name, std::string_view what_next) {
  complain(common, "this token holds nothing under " + one_word(name) + ": " + std::string(what_next));
  if (common.json) print(common, "null\n");
  return kRefused;
}

// Neither done nor refused: it may be either.
bool is_unknown(const client::Outcome& outcome) {
  const bool decided =
      outcome.answer.ok() && outcome.answer->error_code() != "UNKNOWN" && outcome.answer->error_code() != "NOQUORUM";
  return !decided && outcome.maybe_done;
}

}  // namespace

int execute(const Common& common, const LockCommand& command) {
  const std::string token = command.token.empty() ? client::random_hex(16) : command.token;
  const std::string req = "lock";
  const milliseconds wait = command.lock.wait.value_or(milliseconds(0));
  const auto began = boot_clock::now();
  // Said again after lost contact it joins what waits or is held already; if nothing is, it waits for what is left.
  const auto words = [&] {
    LockRequest lock = command.lock;
    const auto left = std::chrono::ceil<milliseconds>(began + wait - boot_clock::now());
    lock.wait = std::clamp(left, std::min(wait, milliseconds(1)), wait);
    client::Words out = lock_words(lock);
    out.insert(out.end(), {"TOKEN", token, "TTL", std::to_string(lock.ttl.count()), "FULL", "ASYNC", "REQ", req});
    return out;
  };
  Talk talk(common);
  const client::Outcome outcome = talk.wait(words, req, wait);
  if (is_unknown(outcome)) {
    return unknown(common, "whether the lock was taken", outcome, "the same command with --token " + token + " tells");
  }
  const auto& answer = outcome.answer;
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  if (answer->integer_at("granted") == 0) return not_acquired(common, command.lock, *answer);
  return acquired(common, command.lock, token, *answer);
}

int execute(const Common& common, const UnlockCommand& command) {
  Talk talk(common);
  const client::Outcome outcome = talk.change({"UNLOCK", command.name, "TOKEN", command.token});
  if (is_unknown(outcome)) {
    return unknown(common, "whether the lock was let go", outcome, "say it again, or wait until its TTL is over");
  }
  const auto& answer = outcome.answer;
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  // After a lost answer, "holds nothing" most likely means that the first try did it.
  if (answer->is_nil() && !outcome.maybe_done)
    return token_holds_nothing(common, command.name, "it was let go before, or its time was over");
  if (!common.json) return kOk;
  Json json;
  json.open_object().bytes("name", command.name).field("released", true).close_object();
  return print(common, json.text() + "\n");
}

int execute(const Common& common, const RenewCommand& command) {
  Talk talk(common);
  const client::Outcome outcome =
      talk.change({"RENEW", command.name, "TTL", std::to_string(command.ttl.count()), "TOKEN", command.token});
  if (is_unknown(outcome)) {
    return unknown(common, "whether the lock was renewed", outcome,
                   "say it again, and count on its old end until then");
  }
  const auto& answer = outcome.answer;
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  if (answer->is_nil()) return token_holds_nothing(common, command.name, "stop what the lock protects");
  if (!common.json) return print(common, "ms_left " + std::to_string(answer->integer) + "\n");
  Json json;
  json.open_object().bytes("name", command.name).field("ms_left", answer->integer).close_object();
  return print(common, json.text() + "\n");
}

}  // namespace cleat::cli
