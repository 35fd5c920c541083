// Answers of SHOW, LOCKS, HISTORY, SESSION SHOW, SESSION LIST, SESSION KEEPALIVE.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "lock/views.hpp"
#include "resp/reply_writer.hpp"

namespace cleat::resp {

void write_show(ReplyWriter&, std::string_view name, const lock::NameView&);
void write_locks(ReplyWriter&, const lock::LocksPage&);
void write_history(ReplyWriter&, const std::vector<lock::HistoryView>&);
void write_session(ReplyWriter&, const std::optional<lock::SessionView>&);  // none: nil
void write_sessions(ReplyWriter&, const lock::SessionsPage&);
void write_keep_alive(ReplyWriter&, bool alive, int64_t ttl_ms, uint64_t losses);  // one answer; dead: nil

}  // namespace cleat::resp
