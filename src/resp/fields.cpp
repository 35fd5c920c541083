#include "resp/fields.hpp"

#include "resp/words.hpp"

namespace cleat::resp {

void Fields::write(ReplyWriter& w) const {
  w.map(fields_.size());
  for (const Field& f : fields_) {
    w.bulk(f.key);
    if (f.kind == Kind::kNil) w.nil();
    if (f.kind == Kind::kInteger) w.integer(f.number);
    if (f.kind == Kind::kText) w.bulk(f.text);
  }
}

void Fields::write_json(std::string& out) const {
  bool first = true;
  for (const Field& f : fields_) {
    if (!first) out.push_back(',');
    first = false;
    const bool encoded = f.kind == Kind::kText && !is_utf8(f.text);
    out.push_back('"');
    out.append(f.key);
    out.append(encoded ? "_base64\":" : "\":");
    if (f.kind == Kind::kNil) out.append("null");
    if (f.kind == Kind::kInteger) out.append(std::to_string(f.number));
    if (f.kind == Kind::kText) write_json_string(encoded ? base64(f.text) : f.text, out);
  }
}

void write_json_string(std::string_view utf8, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace cleat::resp
