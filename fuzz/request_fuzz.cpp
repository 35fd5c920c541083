// Requests from a socket: whole and in pieces they must be the same; every one is parsed, and a command for the log
// must come back from its encoding as it was.
#include <memory>
#include <vector>

#include "fuzzing.hpp"
#include "resp/command_reply.hpp"
#include "resp/cursor.hpp"
#include "resp/request.hpp"
#include "resp/request_parser.hpp"
#include "resp/words.hpp"

namespace {

using namespace cleat;
using resp::RequestParser;

const resp::Limits kLimits;

void use(const resp::Request& request, resp::Protocol protocol) {
  std::string out;
  resp::ReplyWriter w(out, protocol);
  if (const auto* refusal = std::get_if<resp::Refusal>(&request.body)) {
    w.error(refusal->line);
    MUST_HOLD(out.find("\r\n") == out.size() - 2);
  } else if (const auto* change = std::get_if<resp::Change>(&request.body)) {
    std::string bytes;
    lock::encode(change->command, bytes);
    std::string_view in = bytes;
    lock::Command back;
    MUST_HOLD(lock::decode(in, back) && in.empty());
    MUST_HOLD(back == change->command);
  } else if (const auto* query = std::get_if<resp::CommandQuery>(&request.body)) {
    resp::write_command_query(w, *query);
  } else if (const auto* help = std::get_if<resp::HelpQuery>(&request.body)) {
    resp::write_help(w, *help);
  }
}

// All requests of `bytes`, `piece` bytes at a time from memory that moves; ends with what stopped it.
std::vector<std::string> requests(std::string_view bytes, size_t piece, resp::Protocol protocol) {
  std::vector<std::string> out;
  RequestParser parser(kLimits);
  resp::Request request;
  std::string buffer;
  for (;;) {
    const auto held = std::make_unique<std::string>(buffer);
    const auto step = parser.next(*held);
    if (step == RequestParser::Step::kProtocolError) return out.push_back(parser.error()), out;
    if (step == RequestParser::Step::kNeedMore) {
      MUST_HOLD(parser.wanted() > buffer.size());
      if (bytes.empty()) return out;
      const size_t n = std::min(piece, bytes.size());
      buffer.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      continue;
    }
    MUST_HOLD(parser.consumed() > 0 && parser.consumed() <= buffer.size());
    if (step == RequestParser::Step::kRequest) {
      MUST_HOLD(!parser.arguments().empty());
      std::string joined;
      for (const auto word : parser.arguments()) joined += std::to_string(word.size()) + ":" + std::string(word);
      out.push_back(joined);
      resp::parse_request({parser.arguments(), kLimits, protocol}, request);
      use(request, protocol);
    }
    buffer.erase(0, parser.consumed());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 1 << 16) return 0;
  const auto protocol = data[0] & 1 ? resp::Protocol::kResp3 : resp::Protocol::kResp2;
  const std::string_view bytes = fuzz::text(data + 1, size - 1);
  const auto whole = requests(bytes, bytes.size() + 1, protocol);
  MUST_HOLD(requests(bytes, 1 + (data[0] >> 1), protocol) == whole);

  lock::Cursor cursor;
  if (resp::decode_cursor(bytes, cursor) && bytes != "0") {
    lock::Cursor again;
    MUST_HOLD(resp::decode_cursor(resp::encode_cursor(cursor), again));
    MUST_HOLD(again.bucket == cursor.bucket && again.after_name == cursor.after_name);
  }
  if (const size_t cut = bytes.find('\n'); cut != std::string_view::npos && cut < 256 && bytes.size() < 2048) {
    resp::glob_match(bytes.substr(0, cut), bytes.substr(cut + 1));
  }
  return 0;
}
