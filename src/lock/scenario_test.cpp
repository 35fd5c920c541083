// Runs tests/scenarios/*.txt: each line that is not a comment is one log entry or one question, and what the machine
// says stands below it, indented. CLEAT_RECORD=1 writes the files anew; read the difference before it is committed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "lock/machine.hpp"

namespace cleat::lock {
namespace {

std::string_view result_text(Result r) {
  switch (r) {
    case Result::kDone:
      return "done";
    case Result::kGranted:
      return "granted";
    case Result::kQueued:
      return "queued";
    case Result::kNotGranted:
      return "not granted";
    case Result::kOpened:
      return "opened";
    case Result::kAttached:
      return "attached";
    case Result::kNotHeld:
      return "NOTHELD";
    case Result::kNil:
      return "nil";
    case Result::kStale:
      return "STALE";
    case Result::kExpired:
      return "EXPIRED";
    case Result::kRevoked:
      return "REVOKED";
    case Result::kNoSession:
      return "NOSESSION";
    case Result::kDeadlock:
      return "DEADLOCK";
    case Result::kMode:
      return "MODE";
    case Result::kLimit:
      return "LIMIT";
    case Result::kReqReused:
      return "REQ reused";
    case Result::kWrongKey:
      return "wrong key";
    case Result::kImplicitBusy:
      return "own session in use";
  }
  return "?";
}

class Scribe : public Sink {
 public:
  void on_outcome(const Outcome& o) override {
    std::ostringstream line;
    line << "c" << o.to.connection << (o.pushed ? " push: " : ": ") << result_text(o.result);
    if (o.why != Why::kNone) line << ", " << why_text(o.why);
    if (o.fence) line << " fence " << o.fence.value;
    if (o.held_fence) line << " held fence " << o.held_fence.value;
    if (o.result == Result::kMode) line << " held in " << short_name(o.held_mode);
    if (o.depth) line << " depth " << o.depth;
    if (o.verb == Verb::kUnlock && o.result == Result::kDone && !o.depth) line << " depth 0";
    if (o.verb == Verb::kCancel) line << " count " << o.count;
    if (o.ms_left) line << " left " << o.ms_left;
    if (o.waited_ms) line << " waited " << o.waited_ms;
    // Every outcome of a session's command tells the session; here only those that are about it.
    const bool about_session = o.session_epoch || o.result == Result::kNoSession || o.result == Result::kWrongKey;
    if (o.session && about_session) line << " session " << o.session.value;
    if (o.session_epoch) line << " epoch " << o.session_epoch;
    if (o.takeover_ms) line << " takeover " << o.takeover_ms;
    if (o.result == Result::kLimit) line << " " << limit_name(o.limit) << " " << o.limit_value;
    if (!o.req.empty()) line << " req " << o.req;
    if (o.repeated) line << " (again)";
    out << "  " << line.str() << "\n";
  }
  void on_event(const Event& e) override {
    out << "  [" << e.revision.value << "] " << e.name << " " << event_text(e.kind);
    if (e.why != Why::kNone && why_text(e.why) != event_text(e.kind)) out << ", " << why_text(e.why);
    out << " " << short_name(e.mode);
    if (e.fence) out << " fence " << e.fence.value;
    if (e.delay_ms) out << " delay " << e.delay_ms;
    if (!e.req.empty()) out << " req " << e.req;
    if (e.forced) out << " (lost)";
    out << "\n";
  }
  void on_session_opened(base::SessionId id, int64_t, By kind, int64_t) override {
    out << "  session " << id.value << " begins" << (kind == By::kImplicit ? ", implicit" : "") << "\n";
  }
  void on_session_ended(base::SessionId id, Why why) override {
    out << "  session " << id.value << " ends, " << why_text(why) << "\n";
  }
  std::ostringstream out;
};

constexpr std::string_view kKey = "0123456789abcdef";

class Story {
 public:
  // What the machine says to one line.
  std::string tell(const std::string& line) {
    std::istringstream in(line);
    std::string word;
    in >> word;
    scribe_.out.str({});
    if (word == "at") {
      in >> now_ms_;
      apply({}, {Command{}});
    } else if (word == "set") {
      set(in);
    } else if (word == "show" || word == "history" || word == "session" || word == "check") {
      ask(word, in);
    } else {
      act(word, line);
    }
    if (std::string wrong = machine_.check_invariants(); !wrong.empty()) ADD_FAILURE() << line << ": " << wrong;
    return scribe_.out.str();
  }

 private:
  void apply(const base::ConnectionRef& from, const std::vector<Command>& commands) {
    EntryBuilder builder;
    builder.begin_run(from);
    for (const Command& c : commands) builder.add(c);
    ASSERT_TRUE(machine_.apply(builder.finish(now_ms_, 0), scribe_).ok());
  }

  void set(std::istringstream& in) {
    Settings s = machine_.settings();
    std::string name;
    for (uint64_t v; in >> name >> v;) {
      if (name == "waiters-per-name")
        s.waiters_per_name = v;
      else if (name == "holds-per-session")
        s.holds_per_session = v;
      else if (name == "sessions")
        s.sessions = v;
      else if (name == "holds")
        s.holds = v;
      else if (name == "waiters")
        s.waiters = v;
      else if (name == "req-results-per-session")
        s.req_results_per_session = v;
      else if (name == "req-results")
        s.req_results = v;
      else if (name == "history-per-name")
        s.history_per_name = v;
      else if (name == "losses-per-session")
        s.losses_per_session = v;
      else
        ADD_FAILURE() << "no setting " << name;
    }
    std::string bytes;
    encode(s, bytes);
    Command c;
    c.verb = Verb::kConfigure;
    c.data = bytes;
    apply({}, {c});
  }

  void ask(const std::string& what, std::istringstream& in) {
    auto& out = scribe_.out;
    std::string name;
    uint64_t number = 0;
    if (what == "session") {
      in >> number;
      const auto s = machine_.session({number});
      if (!s) return void(out << "  none\n");
      out << "  holds " << s->holds << " waiters " << s->waiters << " losses " << s->losses << "\n";
      for (const auto& l : s->last_losses)
        out << "  lost " << l.name << " fence " << l.fence.value << ", " << why_text(l.why) << "\n";
      return;
    }
    in >> name >> number;
    if (what == "check") return void(out << "  " << machine_.check(name, {number}) << "\n");
    if (what == "history") {
      for (const auto& h : machine_.history(name, number ? static_cast<uint32_t>(number) : 100))
        out << "  [" << h.revision.value << "] " << event_text(h.kind) << " " << short_name(h.mode) << " fence "
            << h.fence.value << "\n";
      return;
    }
    const NameView v = machine_.show(name, {});
    for (const auto& h : v.holders) {
      out << "  held " << short_name(h.mode) << " fence " << h.fence.value << " session " << h.session.value
          << " depth " << h.depth;
      if (h.data) out << " data '" << *h.data << "'";
      if (h.ms_left) out << " left " << *h.ms_left;
      out << "\n";
    }
    for (const auto& w : v.waiters) out << "  waits " << short_name(w.mode) << " session " << w.session.value << "\n";
    for (const auto& g : v.delayed)
      out << "  delayed " << short_name(g.mode) << " fence " << g.fence.value << " left " << g.delay_left_ms << "\n";
  }

  // "c1: lock a S wait 100; unlock a" or "c1 s2 e1: ...": connection 1, speaking for session 2 as of epoch 1.
  void act(const std::string& first, const std::string& line) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return housekeeping(line);
    std::istringstream who(line.substr(0, colon));
    Command base;
    base.by = By::kImplicit;
    base::ConnectionRef from{1, 1, 0};
    for (std::string w; who >> w;) {
      const uint64_t n = std::stoull(w.substr(1));
      if (w[0] == 'c') from.connection = n;
      if (w[0] == 's') base.by = By::kExplicit, base.session = {n}, base.session_epoch = 1;
      if (w[0] == 'e') base.session_epoch = static_cast<uint32_t>(n);
    }
    (void)first;
    std::vector<Command> commands;
    texts_.clear();
    std::istringstream parts(line.substr(colon + 1));
    for (std::string part; std::getline(parts, part, ';');) commands.push_back(parse(part, base));
    apply(from, commands);
  }

  std::string_view keep(std::istringstream& in) {
    std::string word;
    in >> word;
    return *texts_.insert(texts_.end(), std::make_unique<std::string>(word == "''" ? "" : word))->get();
  }

  Command parse(const std::string& part, Command c) {
    std::istringstream in(part);
    std::string verb;
    in >> verb;
    c.seq = ++seq_;
    if (verb == "lock" || verb == "unlock" || verb == "renew" || verb == "put") c.name = keep(in);
    if (verb == "lock")
      c.verb = Verb::kLock;
    else if (verb == "unlock")
      c.verb = Verb::kUnlock;
    else if (verb == "renew")
      c.verb = Verb::kRenew;
    else if (verb == "put")
      c.verb = Verb::kPut;
    else if (verb == "cancel")
      c.verb = Verb::kCancel, c.req = keep(in);
    else if (verb == "open")
      c.verb = Verb::kOpenSession, c.ttl_ms = 10'000, c.key = kKey;
    else if (verb == "attach")
      c.verb = Verb::kAttachSession, in >> c.session.value, c.key = kKey;
    else if (verb == "close")
      c.verb = Verb::kCloseSession;
    else
      ADD_FAILURE() << "no verb " << verb;
    for (std::string word; in >> word;) option(word, in, c);
    return c;
  }

  void option(const std::string& word, std::istringstream& in, Command& c) {
    for (int m = 0; m < kModes; ++m)
      if (word == short_name(static_cast<Mode>(m))) return void(c.mode = static_cast<Mode>(m));
    int priority = 0;
    if (word == "wait")
      in >> c.wait_ms;
    else if (word == "try")
      c.wait_ms = 0;
    else if (word == "ttl")
      in >> c.ttl_ms;
    else if (word == "maxhold")
      in >> c.max_hold_ms;
    else if (word == "delay")
      in >> c.delay_ms;
    else if (word == "fence")
      in >> c.fence.value;
    else if (word == "priority")
      in >> priority, c.priority = static_cast<uint8_t>(priority);
    else if (word == "owner")
      c.owner = keep(in);
    else if (word == "token")
      c.token = keep(in);
    else if (word == "req")
      c.req = keep(in);
    else if (word == "name")
      c.name = keep(in);
    else if (word == "data")
      c.data = keep(in), c.has_data = true;
    else if (word == "noreentry")
      c.no_reentry = true;
    else if (word == "async")
      c.async = true;
    else if (word == "takeover")
      c.takeover = true;
    else if (word == "badkey")
      c.key = "wrong";
    else
      ADD_FAILURE() << "no option " << word;
  }

  void housekeeping(const std::string& line) {
    std::istringstream in(line);
    std::string word, more;
    in >> word;
    Command c;
    base::ConnectionRef from{1, 1, 0};
    texts_.clear();
    if (word == "closed") {
      c.verb = Verb::kConnectionClosed;
      in >> from.connection >> more;
      c.clean = more == "clean";
    } else if (word == "boot-ended") {
      c.verb = Verb::kBootEnded;
    } else if (word == "mark" || word == "heard" || word == "expire") {
      c.verb = word == "mark" ? Verb::kMark : word == "heard" ? Verb::kHeard : Verb::kExpire;
      in >> c.session.value;
    } else if (word == "undeliver") {
      c.verb = Verb::kUndeliver;
      c.name = keep(in);
      in >> c.fence.value;
    } else {
      ADD_FAILURE() << "no such line: " << line;
    }
    apply(from, {c});
  }

  Machine machine_;
  Scribe scribe_;
  int64_t now_ms_ = 0;
  uint64_t seq_ = 0;
  std::vector<std::unique_ptr<std::string>> texts_;  // what the commands' views point into
};

std::string play(const std::string& text) {
  Story story;
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("  ")) continue;  // what was said before
    out += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    out += story.tell(line);
  }
  return out;
}

TEST(Scenario, AllSayWhatIsRecorded) {
  int played = 0;
  for (const auto& file : std::filesystem::directory_iterator(CLEAT_SOURCE_DIR "/tests/scenarios")) {
    if (file.path().extension() != ".txt") continue;
    SCOPED_TRACE(file.path().filename().string());
    std::ifstream in(file.path());
    const std::string recorded((std::istreambuf_iterator<char>(in)), {});
    const std::string said = play(recorded);
    if (std::getenv("CLEAT_RECORD"))
      std::ofstream(file.path()) << said;
    else
      EXPECT_EQ(said, recorded);
    ++played;
  }
  EXPECT_GE(played, 10);
}

}  // namespace
}  // namespace cleat::lock
