// Answers about the connection and the server: HELLO, CLIENT, INFO, CONFIG GET, subscriptions, TIME.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "resp/reply_writer.hpp"

namespace cleat::resp {

inline constexpr std::string_view kRedisVersion = "7.2.0";  // whose shapes we answer with; libraries look at it

// In the protocol of `w`: switch to the one asked for first.
void write_hello(ReplyWriter& w, uint64_t connection_id);

struct ClientLine {
  uint64_t id = 0;
  std::string_view address, local_address;  // host:port
  int fd = -1;
  std::string_view name;
  int64_t age_s = 0, idle_s = 0;
  bool waiting = false, subscribed = false, watching = false;  // flags b, P; watching: EVENTS
  size_t subscriptions = 0, patterns = 0;
  size_t input_bytes = 0, output_bytes = 0, memory_bytes = 0;
  std::string_view command;  // name of the last one
  std::string_view user = "default";
  std::string_view lib_name, lib_version;
  Protocol protocol = Protocol::kResp2;
  base::SessionId session;
};
// As in CLIENT LIST, with the line end.
void append_client_line(std::string& out, const ClientLine&);

// INFO's text. Sections that were not asked for are left out: section() says whether to go on.
class InfoText {
 public:
  // `asked` as in INFO [section ...]; empty, "all", "everything" or "default": all.
  explicit InfoText(std::span<const std::string_view> asked) : asked_(asked) {}

  bool section(std::string_view title);        // "Server": begins "# Server"
  bool named_section(std::string_view title);  // only when it was asked for by name
  void line(std::string_view key, std::string_view value);
  void line(std::string_view key, int64_t value) { line(key, std::string_view(std::to_string(value))); }
  const std::string& text() const { return text_; }

 private:
  bool asked_by_name(std::string_view title) const;
  void begin(std::string_view title);

  std::span<const std::string_view> asked_;
  std::string text_;
};

void write_config(ReplyWriter&, std::span<const std::pair<std::string, std::string>> found);
void write_time(ReplyWriter&, int64_t wall_us);
void write_pong(ReplyWriter&, bool subscribed, std::string_view message, bool has_message);

// kind: subscribe, unsubscribe, psubscribe, punsubscribe. `left`: subscriptions of both kinds after it.
void write_subscription(ReplyWriter&, std::string_view kind, std::string_view channel, size_t left);
void write_no_subscription(ReplyWriter&, std::string_view kind, size_t left);  // UNSUBSCRIBE that ended nothing
void write_message(ReplyWriter&, std::string_view channel, std::string_view payload);
void write_pattern_message(ReplyWriter&, std::string_view pattern, std::string_view channel, std::string_view payload);
inline constexpr std::string_view kChannelPrefix = "cleat:";  // the channel of a name is this and the name

void write_events_started(ReplyWriter&, uint64_t incarnation, base::Revision);

// 16 random bytes as 16 characters of A-Z a-z 0-9 . _ (96 bits are left): the form of a session's key, so that it goes
// through every client and command line unharmed and lies in the lock machine as it was answered.
void make_printable_key(std::span<char, 16> random_bytes);

}  // namespace cleat::resp
