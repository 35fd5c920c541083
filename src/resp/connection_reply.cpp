#include "resp/connection_reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "resp/words.hpp"

namespace cleat::resp {

void write_hello(ReplyWriter& w, uint64_t connection_id) {
  w.map(7);
  w.field("server", "redis");
  w.field("version", kRedisVersion);
  w.field_integer("proto", w.resp3() ? 3 : 2);
  w.field_integer("id", static_cast<int64_t>(connection_id));
  w.field("mode", "standalone");
  w.field("role", "master");
  w.bulk("modules"), w.array(0);
}

void append_client_line(std::string& out, const ClientLine& c) {
  std::string flags;
  if (c.subscribed || c.watching) flags += 'P';
  if (c.waiting) flags += 'b';
  if (flags.empty()) flags.push_back('N');
  fmt::format_to(std::back_inserter(out),
                 "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub={} psub={} ssub=0 multi=-1 "
                 "qbuf={} obl={} tot-mem={} events=r cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={} "
                 "session={}\n",
                 c.id, c.address, c.local_address, c.fd, c.name, c.age_s, c.idle_s, flags, c.subscriptions, c.patterns,
                 c.input_bytes, c.output_bytes, c.memory_bytes, c.command.empty() ? "NULL" : c.command, c.user,
                 static_cast<int>(c.protocol), c.lib_name, c.lib_version, c.session.value);
}

bool InfoText::section(std::string_view title) {
  const bool all = asked_.empty() || asked_by_name("all") || asked_by_name("everything") || asked_by_name("default");
  if (!all && !asked_by_name(title)) return false;
  begin(title);
  return true;
}

bool InfoText::named_section(std::string_view title) {
  if (!asked_by_name(title)) return false;
  begin(title);
  return true;
}

bool InfoText::asked_by_name(std::string_view title) const {
  return std::any_of(asked_.begin(), asked_.end(), [&](std::string_view word) { return same_word(word, title); });
}

void InfoText::begin(std::string_view title) {
  if (!text_.empty()) text_ += "\r\n";
  text_ += "# ";
  text_ += title;
  text_ += "\r\n";
}

void InfoText::line(std::string_view key, std::string_view value) {
  text_.append(key);
  text_.push_back(':');
  text_.append(value);
  text_.append("\r\n");
}

void write_config(ReplyWriter& w, std::span<const std::pair<std::string, std::string>> found) {
  w.map(found.size());
  for (const auto& [key, value] : found) w.field(key, value);
}

void write_time(ReplyWriter& w, int64_t wall_us) {
  w.array(2);
  w.bulk(std::to_string(wall_us / 1'000'000));
  w.bulk(std::to_string(wall_us % 1'000'000));
}

void write_pong(ReplyWriter& w, bool subscribed, std::string_view message, bool has_message) {
  if (subscribed && !w.resp3()) {
    w.array(2);
    w.bulk("pong");
    return w.bulk(message);
  }
  has_message ? w.bulk(message) : w.simple("PONG");
}

void write_subscription(ReplyWriter& w, std::string_view kind, std::string_view channel, size_t left) {
  w.push(3);
  w.bulk(kind);
  w.bulk(channel);
  w.integer(static_cast<int64_t>(left));
}

void write_no_subscription(ReplyWriter& w, std::string_view kind, size_t left) {
  w.push(3);
  w.bulk(kind);
  w.nil();
  w.integer(static_cast<int64_t>(left));
}

void write_message(ReplyWriter& w, std::string_view channel, std::string_view payload) {
  w.push(3);
  w.bulk("message");
  w.bulk(channel);
  w.bulk(payload);
}

void write_pattern_message(ReplyWriter& w, std::string_view pattern, std::string_view channel,
                           std::string_view payload) {
  w.push(4);
  w.bulk("pmessage");
  w.bulk(pattern);
  w.bulk(channel);
  w.bulk(payload);
}

void write_events_started(ReplyWriter& w, uint64_t incarnation, base::Revision revision) {
  w.map(2);
  w.field_integer("incarnation", static_cast<int64_t>(incarnation));
  w.field_integer("revision", static_cast<int64_t>(revision.value));
}

void make_printable_key(std::span<char, 16> random_bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
  for (char& c : random_bytes) c = kLetters[static_cast<uint8_t>(c) & 63];
}

}  // namespace cleat::resp
