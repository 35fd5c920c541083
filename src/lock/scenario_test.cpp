// Runs tests/scenarios/*.txt: each line that is not a comment is one log entry or one question, and what the machine
// says stands below it, indented. CLEAT_RECORD=1 writes the files anew; read the difference before it is committed.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "base/recorded_testing.hpp"
#include "lock/scenario_testing.hpp"

namespace cleat::lock {
namespace {

const std::set<std::string> kQuestions = {"show", "history", "session", "sessions", "check", "locks", "blocker"};
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
    } else if (word == "restart" || word == "last-fence") {
      uint64_t last_fence = 0;
      if (word == "last-fence") in >> last_fence;
      machine_ = restarted(*machine_, last_fence);
    } else if (kQuestions.contains(word)) {
      ask(word, in);
    } else {
      act(word, line);
    }
    if (std::string wrong = machine_->check_invariants(); !wrong.empty()) ADD_FAILURE() << line << ": " << wrong;
    return scribe_.out.str();
  }

 private:
  void apply(const base::ConnectionRef& from, const std::vector<Command>& commands) {
    EntryBuilder builder;
    builder.begin_run(from);
    for (const Command& c : commands) builder.add(c);
    ASSERT_TRUE(machine_->apply(builder.finish(now_ms_, 0), scribe_).ok());
  }

  void set(std::istringstream& in) {
    Settings s = machine_->settings();
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
      const auto s = machine_->session({number});
      if (!s) return void(out << "  none\n");
      out << "  holds " << s->holds << " waiters " << s->waiters << " losses " << s->losses << "\n";
      const auto state = machine_->session_state({number});
      if (state->marked) out << "  marked, heard at " << state->mark_ms << "\n";
      for (const auto& l : s->last_losses)
        out << "  lost " << l.name << " fence " << l.fence.value << ", " << why_text(l.why) << "\n";
      return;
    }
    if (what == "sessions") {
      uint64_t after = 0;
      for (std::string word; in >> word;) in >> (word == "after" ? after : number);
      const SessionsPage page = machine_->sessions({after}, static_cast<uint32_t>(number));
      for (const auto& s : page.sessions) out << "  session " << s.id.value << "\n";
      if (page.next_after) out << "  more after " << page.next_after.value << "\n";
      return;
    }
    if (what == "locks") return list(in);
    in >> name;
    if (what == "blocker") return void(out << text_of(machine_->blocker(name, mode(in))));
    if (what == "show") return show(name, in);
    in >> number;
    if (what == "check") return void(out << "  " << machine_->check(name, {number}) << "\n");
    for (const auto& h : machine_->history(name, number ? static_cast<uint32_t>(number) : 100))
      out << "  [" << h.revision.value << "] " << event_text(h.kind) << " " << short_name(h.mode) << " fence "
          << h.fence.value << "\n";
  }

  static Mode mode(std::istringstream& in) {
    std::string word;
    in >> word;
    for (int m = 0; m < kModes; ++m)
      if (word == short_name(static_cast<Mode>(m))) return static_cast<Mode>(m);
    ADD_FAILURE() << "no mode " << word;
    return Mode::kExclusive;
  }

  void show(const std::string& name, std::istringstream& in) {
    Page page;
    for (std::string word; in >> word;) word == "count" ? in >> page.count : in >> page.cursor;
    const NameView v = machine_->show(name, page);
    scribe_.out << text_of(v);
    if (page.count != 100)
      scribe_.out << "  of " << v.holders_total << " holders, " << v.waiters_total << " waiters, " << v.delayed_total
                  << " delayed as of [" << v.revision.value << "]\n";
    if (v.next_cursor) scribe_.out << "  more at " << v.next_cursor << "\n";
  }

  // The cursor is opaque: "more" goes on where the last page ended. Empty pages, which a call that has examined its
  // share gives, are passed over unless "once" is said.
  void list(std::istringstream& in) {
    std::string prefix;
    uint32_t count = 100;
    LockState state = LockState::kAny;
    Cursor from;
    bool once = false;
    for (std::string word; in >> word;) {
      if (word == "more")
        from = cursor_;
      else if (word == "once")
        once = true;
      else if (word == "prefix")
        in >> prefix;
      else if (word == "count")
        in >> count;
      else
        state = word == "held" ? LockState::kHeld : word == "waited" ? LockState::kWaited : LockState::kDelayed;
    }
    LocksPage page = machine_->locks(prefix, state, from, count);
    while (!once && page.locks.empty() && page.next) page = machine_->locks(prefix, state, *page.next, count);
    scribe_.out << text_of(page) << (page.next ? "  more\n" : "  complete\n");
    cursor_ = page.next.value_or(Cursor{});
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
      in >> c.session.value >> c.heard_ms;
    } else if (word == "undeliver") {
      c.verb = Verb::kUndeliver;
      c.name = keep(in);
      in >> c.fence.value;
    } else {
      ADD_FAILURE() << "no such line: " << line;
    }
    apply(from, {c});
  }

  std::unique_ptr<Machine> machine_ = std::make_unique<Machine>();
  Cursor cursor_;
  Scribe scribe_;
  int64_t now_ms_ = 0;
  uint64_t seq_ = 0;
  std::vector<std::unique_ptr<std::string>> texts_;  // what the commands' views point into
};

TEST(Scenario, AllSayWhatIsRecorded) {
  const auto play = [](const std::string& text) {
    Story story;
    return base::testing::replay(text, [&](const std::string& line) { return story.tell(line); });
  };
  EXPECT_GE(base::testing::play_recorded(CLEAT_SOURCE_DIR "/tests/scenarios", play), 10);
}

}  // namespace
}  // namespace cleat::lock
