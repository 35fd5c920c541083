// JSON out: what --json prints. Bytes that are no UTF-8 stand under another key, "x_base64" instead of "x".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/reply.hpp"

namespace cleat::cli {

// Builds one JSON value from front to back. Fields and items are put in in order; commas come by themselves.
class Json {
 public:
  Json& open_object(std::string_view key = {});
  Json& close_object();
  Json& open_array(std::string_view key = {});
  Json& close_array();

  Json& field(std::string_view key, int64_t value);
  Json& field(std::string_view key, bool value);
  Json& bytes(std::string_view key, std::string_view value);  // with the base64 rule
  Json& null(std::string_view key);
  // A whole reply: maps become objects, nil null, and so on.
  Json& reply(std::string_view key, const client::Reply& value);
  // The fields of a map, into the object that is open.
  Json& fields_of(const client::Reply& map);

  const std::string& text() const { return out_; }

 private:
  void begin(std::string_view key);

  std::string out_;
  bool first_ = true;
};

std::string json_string(std::string_view utf8);

}  // namespace cleat::cli
