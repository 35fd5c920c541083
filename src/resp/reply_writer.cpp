#include "resp/reply_writer.hpp"

#include <charconv>

namespace cleat::resp {

void ReplyWriter::line(char type, std::string_view text) {
  out_.push_back(type);
  out_.append(text);
  out_.append("\r\n", 2);
}

void ReplyWriter::number(char type, int64_t v) {
  char buffer[24];
  buffer[0] = type;
  if (v >= 0 && v < 10) {
    buffer[1] = static_cast<char>('0' + v);
    buffer[2] = '\r', buffer[3] = '\n';
    out_.append(buffer, 4);
    return;
  }
  char* end = std::to_chars(buffer + 1, buffer + 22, v).ptr;
  end[0] = '\r', end[1] = '\n';
  out_.append(buffer, static_cast<size_t>(end + 2 - buffer));
}

void ReplyWriter::error(std::string_view text) {
  out_.push_back('-');
  const size_t start = out_.size();
  out_.append(text);
  for (size_t i = start; i < out_.size(); ++i) {
    if (out_[i] == '\r' || out_[i] == '\n') out_[i] = ' ';
  }
  out_.append("\r\n", 2);
}

void ReplyWriter::bulk(std::string_view bytes) {
  number('$', static_cast<int64_t>(bytes.size()));
  out_.append(bytes);
  out_.append("\r\n", 2);
}

void ReplyWriter::verbatim(std::string_view text) {
  if (!resp3_) return bulk(text);
  number('=', static_cast<int64_t>(text.size() + 4));
  out_.append("txt:", 4);
  out_.append(text);
  out_.append("\r\n", 2);
}

}  // namespace cleat::resp
