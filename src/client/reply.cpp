#include "client/reply.hpp"

namespace cleat::client {

std::string_view Reply::error_code() const {
  if (type != Type::kError) return {};
  return std::string_view(text).substr(0, text.find(' '));
}

const Reply* Reply::find(std::string_view key) const {
  if (type != Type::kMap) return nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].is_text() && items[i].text == key) return &items[i + 1];
  }
  return nullptr;
}

int64_t Reply::integer_at(std::string_view key, int64_t otherwise) const {
  const Reply* v = find(key);
  return v != nullptr && v->is_integer() ? v->integer : otherwise;
}

std::string_view Reply::text_at(std::string_view key) const {
  const Reply* v = find(key);
  return v != nullptr && v->is_text() ? std::string_view(v->text) : std::string_view{};
}

}  // namespace cleat::client
