// Outcomes of the lock machine as replies and pushes, events as pushes and JSON lines. docs/wire.md is the contract.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lock/outcome.hpp"
#include "lock/views.hpp"
#include "resp/reply_writer.hpp"

namespace cleat::resp {

// The answer to a request. `full`: it asked for FULL; then `blocker` (may be null) says what stood in the way of one
// that was not granted. An outcome that decides nothing yet for a request without ASYNC (kQueued) must not be given.
void write_outcome(ReplyWriter&, const lock::Outcome&, bool full = false, const lock::Blocker* blocker = nullptr);
// Whether write_outcome would look at a blocker (write_outcome_push: always as with FULL): asking the machine for one
// is only then worth it.
bool wants_blocker(const lock::Outcome&, bool full);

// The decision of an ASYNC request (outcome.pushed): kind granted or refused. `blocker` as above.
void write_outcome_push(ReplyWriter&, const lock::Outcome&, const lock::Blocker* blocker = nullptr);

// What a holder is told unasked when it loses a hold (event.forced): kind lost.
void write_lost_push(ReplyWriter&, const lock::Event&, uint64_t incarnation);

// Watchers: kind event, as a push or as one line of JSON for RESP2 messages. JSON has no line end.
void write_event_push(ReplyWriter&, const lock::Event&, uint64_t incarnation);
void append_event_json(std::string& out, const lock::Event&, uint64_t incarnation);

// Events were lost: those after `after` and before `next` (0: unknown).
void write_gap_push(ReplyWriter&, base::Revision after, base::Revision next, uint64_t incarnation);
void append_gap_json(std::string& out, base::Revision after, base::Revision next, uint64_t incarnation);

}  // namespace cleat::resp
