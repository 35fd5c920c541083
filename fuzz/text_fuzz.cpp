// What people and scripts write on a command line and in variables: durations, addresses of servers, names to be
// printed. Read or refused; what was read comes back the same from how it is written, and nothing printed moves a
// cursor.
#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "client/endpoint.hpp"
#include "fuzzing.hpp"
#include "net/address.hpp"

namespace {

using namespace cleat;

void duration(std::string_view text) {
  const auto read = cli::parse_duration(text);
  if (!read.ok()) return;
  const auto again = cli::parse_duration(cli::format_duration(*read));
  MUST_HOLD(again.ok() && *again == *read);
  MUST_HOLD(!cli::rough_duration(*read).empty());
}

void endpoints(std::string_view text) {
  const auto read = client::parse_endpoints(text);
  if (!read.ok()) return;
  MUST_HOLD(!read->empty());
  const auto again = client::parse_endpoints(client::text_of(*read));
  MUST_HOLD(again.ok() && *again == *read);
}

void address(std::string_view text) {
  for (const auto& read : {net::parse_address(text), net::parse_named_address(text)}) {
    if (!read.ok()) continue;
    const auto again = net::parse_named_address(read->text());
    MUST_HOLD(again.ok() && *again == *read);
  }
}

void printed(std::string_view bytes) {
  for (const std::string& out : {cli::escaped(bytes), cli::escaped_line(bytes), cli::one_word(bytes)}) {
    MUST_HOLD(cli::is_utf8(out));
    for (const char c : out) MUST_HOLD(static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
    MUST_HOLD(cli::display_width(out) <= out.size());
  }
  MUST_HOLD(cli::base64(bytes).size() == (bytes.size() + 2) / 3 * 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  duration(bytes);
  endpoints(bytes);
  address(bytes);
  printed(bytes);
  return 0;
}
