// Replies as the client reads them: whole and in pieces the same number of replies, or the same failure.
#include "client/reply_parser.hpp"
#include "fuzzing.hpp"

namespace {

using namespace cleat;

size_t replies(std::string_view bytes, size_t piece, bool& failed) {
  client::ReplyParser parser({1024, 4096, 16384, 256, 8});
  size_t n = 0;
  for (size_t at = 0; at < bytes.size() && !parser.failed(); at += piece) {
    parser.feed(bytes.substr(at, piece));
    while (parser.next()) ++n;
  }
  failed = parser.failed();
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes = fuzz::text(data + 1, size - 1);
  bool whole_failed = false, pieces_failed = false;
  const size_t whole = replies(bytes, bytes.size() + 1, whole_failed);
  const size_t pieces = replies(bytes, 1 + data[0] % 32, pieces_failed);
  MUST_HOLD(whole == pieces);
  MUST_HOLD(whole_failed == pieces_failed);
  return 0;
}
