#include "cli/json.hpp"

#include "cli/escape.hpp"

namespace cleat::cli {

using client::Reply;

std::string json_string(std::string_view utf8) {
  std::string out = "\"";
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += "0123456789abcdef"[byte >> 4];
      out += "0123456789abcdef"[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void Json::begin(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  if (!key.empty()) out_ += json_string(key) + ":";
}

Json& Json::open_object(std::string_view key) {
  begin(key);
  out_ += '{';
  first_ = true;
  return *this;
}

Json& Json::close_object() {
  out_ += '}';
  first_ = false;
  return *this;
}

Json& Json::open_array(std::string_view key) {
  begin(key);
  out_ += '[';
  first_ = true;
  return *this;
}

Json& Json::close_array() {
  out_ += ']';
  first_ = false;
  return *this;
}

Json& Json::field(std::string_view key, int64_t value) {
  begin(key);
  out_ += std::to_string(value);
  return *this;
}

Json& Json::field(std::string_view key, bool value) {
  begin(key);
  out_ += value ? "true" : "false";
  return *this;
}

Json& Json::bytes(std::string_view key, std::string_view value) {
  if (is_utf8(value)) {
    begin(key);
    out_ += json_string(value);
  } else if (!key.empty()) {
    begin(std::string(key) + "_base64");
    out_ += json_string(base64(value));
  } else {
    open_object().bytes("base64", base64(value)).close_object();
  }
  return *this;
}

Json& Json::null(std::string_view key) {
  begin(key);
  out_ += "null";
  return *this;
}

Json& Json::reply(std::string_view key, const Reply& value) {
  using Type = Reply::Type;
  switch (value.type) {
    case Type::kNil:
      return null(key);
    case Type::kInteger:
      return field(key, value.integer);
    case Type::kBoolean:
      return field(key, value.integer != 0);
    case Type::kDouble:
    case Type::kText:
    case Type::kBytes:
    case Type::kError:
      return bytes(key, value.text);
    case Type::kMap:
      return open_object(key).fields_of(value).close_object();
    case Type::kArray:
    case Type::kPush:
      open_array(key);
      for (const Reply& item : value.items) reply({}, item);
      return close_array();
  }
  return *this;
}

Json& Json::fields_of(const Reply& map) {
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) reply(map.items[i].text, map.items[i + 1]);
  return *this;
}

}  // namespace cleat::cli
