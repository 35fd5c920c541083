// Requests out of a connection's bytes: RESP arrays of bulk strings, and inline commands as typed into telnet.
// Nothing is copied: arguments are views into the caller's bytes (into the parser's own for a quoted inline command).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/limits.hpp"

namespace cleat::resp {

class RequestParser {
 public:
  enum class Step : uint8_t {
    kRequest,        // arguments() is not empty; consumed() bytes belong to it
    kSkip,           // an empty line or an empty array: consumed() bytes, no answer
    kNeedMore,       // call again with the same bytes and more behind them (they may have moved); nothing is consumed
    kProtocolError,  // answer error() and close the connection
  };

  // `limits` is kept by reference: max_frame_bytes and max_arguments count for the next frame.
  explicit RequestParser(const Limits& limits) : limits_(limits) {}

  // Looks at the request at the front of `in`. A frame that comes in pieces is not read anew from its start.
  Step next(std::string_view in);

  // Valid until the next call of next() and while the bytes given to it stay where they are.
  std::span<const std::string_view> arguments() const { return arguments_; }
  size_t consumed() const { return consumed_; }
  const std::string& error() const { return error_; }

  // Before next() may succeed `in` has to hold at least this many bytes; known after kNeedMore. For sizing buffers.
  size_t wanted() const { return wanted_; }

 private:
  Step next_array();
  Step next_inline();
  void take_short_arguments();
  // Reads "<digits>\r\n" at position_; kRequest when there.
  Step read_length(int64_t& out, const char* too_big, const char* invalid);
  Step need(size_t bytes);
  Step fail(const std::string& what);
  void rebase(std::string_view in);
  void reset();
  bool split_words(std::string_view line);

  const Limits& limits_;
  std::string_view in_;
  size_t position_ = 0;      // how far the present frame is read
  int64_t expected_ = -1;    // arguments of the present array; -1: its header is not read yet
  int64_t bulk_bytes_ = -1;  // of the argument under way; -1: its header is not read yet
  size_t scanned_ = 0;       // inline: no line end before this
  size_t consumed_ = 0, wanted_ = 1;
  std::vector<std::string_view> arguments_;
  std::string words_;  // bytes of a quoted inline command
  std::string error_;
};

}  // namespace cleat::resp
