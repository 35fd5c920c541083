// Expected failures as values. An outcome of a lock command is data (lock/outcome.hpp), not a Status; a bug is a CHECK.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace cleat::base {

// A code exists only if some caller reacts to it.
enum class Code {
  kOk,
  kInvalid,  // input that can't be meant: bad setting, malformed bytes
  kCorrupt,  // stored bytes that fail their check: refuse to start
  kNotFound,
  kBusy,     // somebody else has it: port, directory lock
  kNoSpace,  // may be tried again when there is room
  kIo,
  kUnavailable,  // no answer in time: it may or may not have been done
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }  // one line for a person: what was wrong, what to do

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    CLEAT_CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace cleat::base
