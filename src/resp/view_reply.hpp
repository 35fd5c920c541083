// Answers of SHOW, LOCKS, HISTORY, SESSION SHOW, SESSION LIST, SESSION KEEPALIVE.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "lock/views.hpp"
#include "resp/reply_writer.hpp"

namespace cleat::resp {

// `local`: this member's own state, maybe behind; the answer says so.
void write_show(ReplyWriter&, std::string_view name, const lock::NameView&, bool local = false);
void write_locks(ReplyWriter&, const lock::LocksPage&, bool local = false);
void write_history(ReplyWriter&, const std::vector<lock::HistoryView>&);
void write_session(ReplyWriter&, const std::optional<lock::SessionView>&);  // none: nil
void write_sessions(ReplyWriter&, const lock::SessionsPage&);
// One answer; dead: nil. The leader's clock and its term where they are known (term not 0).
void write_keep_alive(ReplyWriter&, bool alive, int64_t ttl_ms, uint64_t losses, int64_t clock_us = 0,
                      uint64_t term = 0);

}  // namespace cleat::resp
