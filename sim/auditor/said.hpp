// What a machine said during one apply, as owned data: comparable, and printable for a person.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "lock/outcome.hpp"

namespace cleat::auditor {

// The views of `o` are cut off; the texts stand beside it.
struct OutcomeSaid {
  lock::Outcome o;
  std::string name, req, owner, token, key;
};

struct EventSaid {
  lock::Event e;
  std::string name, owner, label, req, data;
};

struct SessionOpened {
  uint64_t id = 0;
  int64_t ttl_ms = 0;
  lock::By kind = lock::By::kNone;
  int64_t log_ms = 0;
  bool operator==(const SessionOpened&) const = default;
};

struct SessionEnded {
  uint64_t id = 0;
  lock::Why why = lock::Why::kNone;
  bool operator==(const SessionEnded&) const = default;
};

using Said = std::variant<OutcomeSaid, EventSaid, SessionOpened, SessionEnded>;

OutcomeSaid own(const lock::Outcome&);
EventSaid own(const lock::Event&);

bool same(const Said&, const Said&);
std::string text(const Said&);
std::string_view event_name(lock::EventKind);
std::string_view why_name(lock::Why);

class Collector : public lock::Sink {
 public:
  void on_outcome(const lock::Outcome& o) override { said.emplace_back(own(o)); }
  void on_event(const lock::Event& e) override { said.emplace_back(own(e)); }
  void on_session_opened(base::SessionId id, int64_t ttl_ms, lock::By kind, int64_t log_ms) override {
    said.emplace_back(SessionOpened{id.value, ttl_ms, kind, log_ms});
  }
  void on_session_ended(base::SessionId id, lock::Why why) override { said.emplace_back(SessionEnded{id.value, why}); }

  std::vector<Said> said;
};

}  // namespace cleat::auditor
