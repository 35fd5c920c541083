// Requests that change nothing: CHECK, SHOW, LOCKS, HISTORY, EVENTS, subscriptions.
#include "resp/cursor.hpp"
#include "resp/option_table.hpp"
#include "resp/parse_functions.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

bool parse_state(std::string_view word, lock::LockState& out) {
  if (same_word(word, "held")) return out = lock::LockState::kHeld, true;
  if (same_word(word, "waited")) return out = lock::LockState::kWaited, true;
  if (same_word(word, "delayed")) return out = lock::LockState::kDelayed, true;
  return false;
}

}  // namespace

void parse_check(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  if (error = name_error(in.arguments[1], in.limits); !error.empty()) return out.refuse(std::move(error));
  out.body = Check{in.arguments[1], base::Fence{static_cast<uint64_t>(o.number(Option::kFence))}};
}

void parse_show(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  if (error = name_error(in.arguments[1], in.limits); !error.empty()) return out.refuse(std::move(error));
  Show body;
  body.name = in.arguments[1];
  body.page.count = static_cast<uint32_t>(o.number_or(Option::kCount, body.page.count));
  if (o.has(Option::kCursor) && !decode_number_cursor(o.text(Option::kCursor), body.page.cursor)) {
    return out.refuse(cursor_error(o.text(Option::kCursor)));
  }
  body.local = o.has(Option::kLocal);
  out.body = body;
}

void parse_locks(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 1, error)) return out.refuse(std::move(error));
  Locks body;
  body.prefix = o.text_or(Option::kPrefix, {});
  if (o.has(Option::kState) && !parse_state(o.text(Option::kState), body.state)) {
    return out.refuse("ERR STATE must be held, waited or delayed, not '" + printable(o.text(Option::kState), 32) + "'");
  }
  if (o.has(Option::kCursor) && !decode_cursor(o.text(Option::kCursor), body.cursor)) {
    return out.refuse(cursor_error(o.text(Option::kCursor)));
  }
  body.count = static_cast<uint32_t>(o.number_or(Option::kCount, body.count));
  body.local = o.has(Option::kLocal);
  out.body = std::move(body);
}

void parse_history(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  if (error = name_error(in.arguments[1], in.limits); !error.empty()) return out.refuse(std::move(error));
  out.body = History{in.arguments[1], static_cast<uint32_t>(o.number_or(Option::kCount, 100)), o.has(Option::kLocal)};
}

void parse_events(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 1, error)) return out.refuse(std::move(error));
  if (in.protocol == Protocol::kResp2) {
    return out.refuse("ERR EVENTS needs RESP3, which carries pushes: send HELLO 3 first, or SUBSCRIBE cleat:<name>");
  }
  EventsFrom body;
  body.prefix = o.text_or(Option::kPrefix, {});
  if (o.has(Option::kFrom)) body.from = base::Revision{static_cast<uint64_t>(o.number(Option::kFrom))};
  out.body = body;
}

void parse_noevents(const ParseInput&, Request& out) {
  out.body = NoEvents{};
}

void parse_subscribe(const ParseInput& in, Request& out) {
  const bool pattern = lower(in.arguments[0][0]) == 'p';
  const Words channels = in.arguments.subspan(1);
  if (out.row->name.find("unsubscribe") != std::string_view::npos) {
    out.body = Unsubscribe{pattern, channels};
  } else {
    out.body = Subscribe{pattern, channels};
  }
}

}  // namespace cleat::resp
