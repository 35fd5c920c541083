// What a program of the campaign did, one line of JSON at a time: before a request is sent, and when its answer is
// there (docs/proof.md).
#pragma once

#include <cleat/boot_clock.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace cleat::campaign {

// Values of a line as they stand in JSON.
class Fields {
 public:
  Fields& set(const std::string& key, std::string_view text);
  Fields& set(const std::string& key, const char* text) { return set(key, std::string_view(text)); }
  Fields& set(const std::string& key, int64_t number);
  Fields& set(const Fields& others);
  std::string line() const;

 private:
  std::map<std::string, std::string> values_;
};

// Nanoseconds of CLOCK_MONOTONIC, which all histories count in.
int64_t monotonic_ns();
// The same of a time of the boot clock. A pause within makes it too early, never too late.
int64_t as_monotonic_ns(boot_clock::time_point time);

class Operation;

// A file that several threads, and one process after the other, append to. Ends the process when it can't: what is not
// noted must not be done. Thread-safe.
class History {
 public:
  History(const std::string& path, const std::string& client);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Notes that an operation begins. The caller sends it after that.
  Operation call(const char* op, const std::string& name, Fields more);
  // Notes that the service told of a loss.
  void told_lost(const std::string& name, uint64_t fence, int64_t deadline_ns, const std::string& why);

 private:
  friend class Operation;
  Fields common(const char* op, const std::string& name) const;
  void write(const Fields& line);

  int file_ = -1;
  const std::string client_;
  std::atomic<int64_t> operations_{0};
};

class Operation {
 public:
  void done(const char* result, const Fields& more = {});

 private:
  friend class History;
  Operation(History& history, Fields fields) : history_(history), fields_(std::move(fields)) {}

  History& history_;
  Fields fields_;
};

}  // namespace cleat::campaign
