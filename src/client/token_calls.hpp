// What stands behind a TokenLock: its requests, and what may be believed of their answers. One thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "cleat/token_lock.hpp"
#include "client/asker.hpp"

namespace cleat::client {

class TokenCalls {
 public:
  TokenCalls(const Options& options, std::string name, TokenOptions token);

  // These throw Error.
  bool lock(const Wait& wait);
  bool renew();
  bool unlock() noexcept;
  std::uint64_t fence() const;

  TimePoint deadline() const { return end_; }
  const std::string& name() const { return name_; }
  const std::string& token() const { return token_.token; }

 private:
  Asker& asker();
  Words lock_words(milliseconds wait) const;
  Words with_token(Words words) const;
  // The decided answer, not an error.
  Reply decided(const Outcome& outcome, const char* what) const;

  const AskerOptions options_;
  const std::string name_;
  const TokenOptions token_;
  Asker asker_;
  pid_t process_;
  std::optional<int64_t> fence_;
  bool unsure_ = false;  // perhaps something was granted since, with a fence that is not known
  TimePoint end_ = TimePoint::min();
};

}  // namespace cleat::client
