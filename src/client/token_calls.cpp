#include "client/token_calls.hpp"

#include <unistd.h>

#include <algorithm>

#include "client/attempt.hpp"
#include "client/servers.hpp"

namespace cleat::client {
namespace {

// Of what waits, so that a push is recognised. A token's second request joins the first one and is answered under its
// REQ, which may be another process's: so all have the same.
constexpr auto kReq = "token";
constexpr milliseconds kAnswerOnTheWay{250};
constexpr milliseconds kLeastPatience{1'000};

TokenOptions with_a_token(TokenOptions options) {
  if (options.token.empty()) options.token = random_hex(16);
  return options;
}

AskerOptions asker_options(const Options& options) {
  return {.servers = servers_of(options),
          .credentials = {.password = options.password},
          .patience = options.connect_timeout,
          .seed = random_seed()};
}

errc errc_of(const base::Status& status) {
  if (status.code() == base::Code::kInvalid) return errc::refused;
  return status.code() == base::Code::kCorrupt ? errc::protocol : errc::unreachable;
}

}  // namespace

TokenCalls::TokenCalls(const Options& options, std::string name, TokenOptions token)
    : options_(asker_options(options)),
      name_(std::move(name)),
      token_(with_a_token(std::move(token))),
      asker_(options_),
      process_(::getpid()) {}

// The connection is the parent's.
Asker& TokenCalls::asker() {
  if (const pid_t now = ::getpid(); now != std::exchange(process_, now)) asker_ = Asker(options_);
  return asker_;
}

Words TokenCalls::with_token(Words words) const {
  words.insert(words.end(), {"TOKEN", token_.token});
  return words;
}

Words TokenCalls::lock_words(milliseconds wait) const {
  const auto text = [](milliseconds d) { return std::to_string(d.count()); };
  Words words = {"LOCK", name_, token_.shared ? "SHARED" : "EXCLUSIVE", "WAIT", text(wait), "TTL", text(token_.ttl)};
  const LockOptions& lock = token_.lock;
  if (lock.priority != 0) words.insert(words.end(), {"PRIORITY", std::to_string(lock.priority)});
  if (lock.max_hold > milliseconds(0)) words.insert(words.end(), {"MAXHOLD", text(lock.max_hold)});
  if (lock.delay > milliseconds(0)) words.insert(words.end(), {"DELAY", text(lock.delay)});
  words.insert(words.end(), {"REQ", kReq, "ASYNC", "FULL"});
  return with_token(std::move(words));
}

Reply TokenCalls::decided(const Outcome& outcome, const char* what) const {
  const auto& answer = outcome.answer;
  const std::string about = "cleat::TokenLock '" + name_ + "': ";
  const std::string unsure =
      outcome.maybe_done ? std::string("; it is not known whether it was ") + what : std::string();
  if (!answer.ok()) throw Error(errc_of(answer.status()), about + answer.status().message() + unsure);
  if (!answer->is_error()) return *answer;
  const bool open = answer->error_code() == "NOQUORUM" || answer->error_code() == "UNKNOWN";
  throw Error(open ? errc::unreachable : lock_errc(answer->error_code()), about + answer->text + unsure);
}

// What is believed of a grant: that it lasts from our first sending for as long as the answer says that it lasts from
// its own moment, which came later. The time waited is not added, as it may be that of another process which asked with
// the same token before us; after a long wait a renewal makes up for it.
bool TokenCalls::lock(const Wait& wait) {
  const TimePoint began = boot_clock::now();
  const bool for_ever = !wait.only_try && !wait.within && !wait.time;
  const TimePoint until =
      wait.time.value_or(began + wait.within.value_or(wait.only_try ? milliseconds(0) : kLongestWait));
  const TimePoint limit =
      wait.only_try ? began + options_.patience : std::max(until + kAnswerOnTheWay, began + kLeastPatience);
  const auto words = [&] {
    const auto left = std::chrono::ceil<milliseconds>(until - boot_clock::now());
    return lock_words(wait.only_try ? milliseconds(0) : std::clamp(left, milliseconds(1), kLongestWait));
  };
  for (;;) {
    TimePoint sent = boot_clock::now();
    Outcome outcome = asker().wait(words, kReq, limit);
    // Perhaps another process waits with the same token, and has taken over the answer: a try tells.
    if (!outcome.answer.ok() && !wait.only_try && outcome.maybe_done) {
      sent = boot_clock::now();
      outcome = asker().wait([this] { return lock_words(milliseconds(0)); }, kReq, sent + kLeastPatience);
    }
    unsure_ |= outcome.maybe_done;
    const Reply answer = decided(outcome, "locked");
    if (answer.integer_at("granted") != 0) {
      fence_ = answer.integer_at("fence");
      unsure_ = false;
      const milliseconds told(answer.integer_at("ttl"));
      end_ = sent + told;
      if (boot_clock::now() < sent + told / 3 || renew()) return true;
    }
    if (!for_ever && boot_clock::now() >= until) return false;
  }
}

bool TokenCalls::renew() {
  Words words = with_token({"RENEW", name_, "TTL", std::to_string(token_.ttl.count())});
  if (fence_) words.insert(words.end(), {"FENCE", std::to_string(*fence_)});
  const TimePoint sent = boot_clock::now();
  const Outcome outcome = asker().change(words, sent + options_.patience);
  const std::string_view error = outcome.answer.ok() ? outcome.answer->error_code() : std::string_view();
  const bool over = error == "STALE" || error == "EXPIRED" || error == "REVOKED" || error == "NOTHELD";
  const Reply answer = over ? Reply::nil() : decided(outcome, "renewed");
  end_ = answer.is_integer() ? std::max(end_, sent + milliseconds(answer.integer)) : TimePoint::min();
  return answer.is_integer();
}

bool TokenCalls::unlock() noexcept try {
  end_ = TimePoint::min();
  Words words = with_token({"UNLOCK", name_});
  if (fence_ && !unsure_) words.insert(words.end(), {"FENCE", std::to_string(*fence_)});
  const Outcome outcome = asker().change(words, boot_clock::now() + options_.patience);
  const auto& answer = outcome.answer;
  return answer.ok() && answer->error_code() != "NOQUORUM" && answer->error_code() != "UNKNOWN";
} catch (...) {
  return false;
}

std::uint64_t TokenCalls::fence() const {
  if (fence_) return static_cast<std::uint64_t>(*fence_);
  throw Error(errc::not_held, "cleat::TokenLock '" + name_ + "' was not granted anything yet");
}

}  // namespace cleat::client

namespace cleat {

using client::TokenCalls;

TokenLock::TokenLock(const Options& options, std::string name, TokenOptions token)
    : calls_(std::make_unique<TokenCalls>(options, std::move(name), std::move(token))) {}
TokenLock::TokenLock(const std::string& servers, std::string name, TokenOptions token)
    : TokenLock(client::options_for(servers), std::move(name), std::move(token)) {}
TokenLock::~TokenLock() = default;
TokenLock::TokenLock(TokenLock&&) noexcept = default;
TokenLock& TokenLock::operator=(TokenLock&&) noexcept = default;

const std::string& TokenLock::name() const noexcept {
  return calls_->name();
}
const std::string& TokenLock::token() const noexcept {
  return calls_->token();
}
void TokenLock::lock() {
  acquire(Wait::for_ever());
}
bool TokenLock::try_lock() {
  return acquire(Wait::none());
}
bool TokenLock::acquire(const Wait& wait) {
  return calls_->lock(wait);
}
bool TokenLock::renew() {
  return calls_->renew();
}
bool TokenLock::unlock() noexcept {
  return calls_->unlock();
}
std::uint64_t TokenLock::fence() const {
  return calls_->fence();
}
boot_clock::time_point TokenLock::deadline() const noexcept {
  return calls_->deadline();
}

}  // namespace cleat
