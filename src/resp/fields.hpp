// A flat map of a push: said once, written as a RESP map or as JSON, so that both carry the same fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_writer.hpp"

namespace cleat::resp {

class Fields {
 public:
  void integer(std::string_view key, int64_t v) { add({key, Kind::kInteger, v, {}}); }
  // Nil when `v` is zero: ids and fences that are none, times that are not set.
  void integer_or_nil(std::string_view key, int64_t v) { add({key, v == 0 ? Kind::kNil : Kind::kInteger, v, {}}); }
  void text(std::string_view key, std::string_view v) { add({key, Kind::kText, 0, v}); }
  void text_or_nil(std::string_view key, std::string_view v) { add({key, v.empty() ? Kind::kNil : Kind::kText, 0, v}); }
  void nil(std::string_view key) { add({key, Kind::kNil, 0, {}}); }

  void write(ReplyWriter&) const;  // a map
  // `"key":value` pairs separated by commas, without braces. Text that is not UTF-8 stands base64 under "key_base64".
  void write_json(std::string& out) const;

 private:
  enum class Kind : uint8_t { kNil, kInteger, kText };
  struct Field {
    std::string_view key;
    Kind kind;
    int64_t number;
    std::string_view text;
  };
  void add(const Field& f) { fields_.push_back(f); }

  std::vector<Field> fields_;
};

void write_json_string(std::string_view utf8, std::string& out);  // with quotes

}  // namespace cleat::resp
