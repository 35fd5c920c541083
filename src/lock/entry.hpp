// One log entry: a stamp and runs of commands. A run is what one connection pipelined; it is applied in order and stops
// behind its first command that must wait (and is not ASYNC): the connection proposes the rest again later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "lock/command.hpp"

namespace cleat::lock {

inline constexpr uint8_t kEntryVersion = 1;

// Collects the runs of one pump turn. The stamp is written last, since a turn reads its clock after draining its input.
class EntryBuilder {
 public:
  EntryBuilder() { clear(); }
  void begin_run(const base::ConnectionRef&);
  void add(const Command&);  // to the run begun last
  bool empty() const { return commands_ == 0; }
  size_t commands() const { return commands_; }
  size_t size() const { return bytes_.size(); }
  // Bytes of the entry, valid until the next call. log_ms: log time; wall_ms: Unix time, for display only.
  std::string_view finish(int64_t log_ms, int64_t wall_ms);
  void clear();

  // Drops all that was added since mark() was called.
  struct Mark {
    size_t bytes = 0, commands = 0;
  };
  Mark mark() const { return {bytes_.size(), commands_}; }
  void cut(const Mark& m) {
    bytes_.resize(m.bytes);
    commands_ = m.commands;
  }

 private:
  std::string bytes_;  // begins with room for version and stamp
  size_t commands_ = 0;
};

struct EntryStamp {
  int64_t log_ms = 0;
  int64_t wall_ms = 0;
};

// Walks an entry without copying: stamp, then next_run(), then next_command() until false. ok() is false once
// something was malformed.
class EntryReader {
 public:
  explicit EntryReader(std::string_view bytes);
  bool ok() const { return ok_; }
  EntryStamp stamp() const { return stamp_; }
  bool next_run(base::ConnectionRef& out);  // skips what is left of the present run
  bool next_command(Command& out);

 private:
  std::string_view in_;
  EntryStamp stamp_;
  bool ok_ = true;
};

}  // namespace cleat::lock
