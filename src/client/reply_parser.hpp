// RESP3 (and RESP2) replies from bytes that arrive in pieces. The work is linear in the bytes however they are cut, and
// what a server can make a client keep in memory is bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/reply.hpp"

namespace cleat::client {

struct ParserLimits {
  size_t line_bytes = 64 * 1024;  // a line: number, simple string, error
  size_t bulk_bytes = 8 * 1024 * 1024;
  size_t reply_bytes = 64 * 1024 * 1024;  // one whole reply, as sent
  size_t reply_items = 1'000'000;         // values in one whole reply
  size_t depth = 16;
};

class ReplyParser {
 public:
  explicit ReplyParser(ParserLimits limits = {}) : limits_(limits) {}

  void feed(std::string_view bytes);
  // The next whole reply; none: more bytes are needed, or what came can't be RESP (then failed()).
  std::optional<Reply> next();

  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  enum class Step { kValue, kMore, kFailed };
  struct Open {  // an aggregate of which values are still to come
    Reply reply;
    size_t missing;
  };

  Step read_value(Reply& out);
  Step read_bulk(char kind, std::string_view line, Reply& out);
  Step open_aggregate(char kind, std::string_view line);
  Step scalar(char kind, std::string_view line, Reply& out);
  std::optional<std::string_view> line();
  bool close_into(Reply value, std::optional<Reply>& done);
  Step fail(std::string why);

  ParserLimits limits_;
  std::string buffer_;
  size_t at_ = 0;       // first byte not yet consumed
  size_t scanned_ = 0;  // no line end in [at_, scanned_)
  size_t reply_bytes_ = 0;
  size_t reply_items_ = 0;
  std::vector<Open> open_;
  std::string error_;
};

}  // namespace cleat::client
