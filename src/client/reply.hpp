// One RESP3 value as received: owned data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cleat::client {

struct Reply {
  enum class Type : uint8_t { kNil, kInteger, kDouble, kBoolean, kText, kBytes, kError, kArray, kMap, kPush };

  Type type = Type::kNil;
  int64_t integer = 0;       // kInteger; kBoolean: 1 or 0
  std::string text;          // kText, kBytes, kError (without '-'); kDouble and big numbers: as sent
  std::vector<Reply> items;  // kArray, kPush; kMap: key, value, key, value ...

  static Reply nil() { return {}; }
  static Reply of(int64_t v) { return {.type = Type::kInteger, .integer = v, .text = {}, .items = {}}; }
  static Reply of(std::string v) { return {.type = Type::kBytes, .integer = 0, .text = std::move(v), .items = {}}; }

  bool is_nil() const { return type == Type::kNil; }
  bool is_error() const { return type == Type::kError; }
  bool is_integer() const { return type == Type::kInteger || type == Type::kBoolean; }
  bool is_text() const { return type == Type::kText || type == Type::kBytes; }
  bool is_map() const { return type == Type::kMap; }
  bool is_array() const { return type == Type::kArray; }

  // First word of an error, such as "NOSESSION"; empty when it is none.
  std::string_view error_code() const;

  // Value of a map's key; null when this is no map or has no such key.
  const Reply* find(std::string_view key) const;
  // The same with a fallback for what is absent, nil or of another type.
  int64_t integer_at(std::string_view key, int64_t otherwise = 0) const;
  std::string_view text_at(std::string_view key) const;

  bool operator==(const Reply&) const = default;
};

}  // namespace cleat::client
