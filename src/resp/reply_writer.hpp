// Writes replies of RESP2 or RESP3 to the end of a connection's output. The caller sees to it that what it announces
// (n elements, n pairs) follows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cleat::resp {

enum class Protocol : uint8_t { kResp2 = 2, kResp3 = 3 };

class ReplyWriter {
 public:
  ReplyWriter(std::string& out, Protocol protocol) : out_(out), resp3_(protocol == Protocol::kResp3) {}

  bool resp3() const { return resp3_; }
  std::string& out() { return out_; }

  void ok() { out_.append("+OK\r\n", 5); }
  void simple(std::string_view text) { line('+', text); }
  void error(std::string_view text);  // with its code; line ends inside become blanks
  void integer(int64_t v) { number(':', v); }
  void bulk(std::string_view bytes);
  void nil() { out_.append(resp3_ ? "_\r\n" : "$-1\r\n"); }
  void boolean(bool v) { out_.append(resp3_ ? (v ? "#t\r\n" : "#f\r\n") : (v ? ":1\r\n" : ":0\r\n")); }
  void verbatim(std::string_view text);  // RESP2: a bulk string

  void array(size_t n) { number('*', static_cast<int64_t>(n)); }
  void set(size_t n) { number(resp3_ ? '~' : '*', static_cast<int64_t>(n)); }
  void map(size_t pairs) { number(resp3_ ? '%' : '*', static_cast<int64_t>(resp3_ ? pairs : 2 * pairs)); }
  void push(size_t n) { number(resp3_ ? '>' : '*', static_cast<int64_t>(n)); }

  // One pair of a map.
  void field(std::string_view key, std::string_view bytes) { bulk(key), bulk(bytes); }
  void field_integer(std::string_view key, int64_t v) { bulk(key), integer(v); }

 private:
  void line(char type, std::string_view text);
  void number(char type, int64_t v);

  std::string& out_;
  bool resp3_;
};

}  // namespace cleat::resp
