// Plays tests/scenarios/wire/*.txt: what clients send and, indented below, what each gets. CLEAT_RECORD=1 writes the
// files anew; read the difference before it is committed.
//   a: LOCK x ; UNLOCK x     client a sends both at once (it connects with its first line)
//   connect a 3              it connects in RESP3
//   pass 500                 the time goes on by ms
//   drop a                   its connection breaks     cut a LOCK x     ... in the turn in which this is decided
//   expire 1                 the session's lease ran out
// {key a} is the key that client a was told last; it shows as <key of a>.
#include <gtest/gtest.h>

#include <sstream>

#include "base/recorded_testing.hpp"
#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

// One RESP value as text, cut off the front of `in`.
class RespText {
 public:
  explicit RespText(std::string_view in) : in_(in) {}
  bool at_end() const { return in_.empty(); }

  std::string next() {
    const char kind = in_.empty() ? '?' : in_[0];
    const std::string first(line().substr(1));
    switch (kind) {
      case '+':
      case ':':
        return first;
      case '-':
        return "-" + first;
      case '_':
        return "nil";
      case '#':
        return first == "t" ? "true" : "false";
      case '$':
      case '=':
        return first == "-1" ? "nil" : bulk(std::stoul(first));
      case '*':
      case '~':
        return list("[", std::stoul(first), "]");
      case '>':
        return list("push [", std::stoul(first), "]");
      case '%':
        return map(std::stoul(first));
    }
    ADD_FAILURE() << "no RESP: " << std::exchange(in_, {});
    return "?";
  }

 private:
  std::string_view line() {
    const size_t end = in_.find("\r\n");
    const std::string_view out = in_.substr(0, end);
    in_.remove_prefix(end == std::string_view::npos ? in_.size() : end + 2);
    return out.empty() ? std::string_view("?") : out;
  }
  std::string bulk(size_t n) {
    std::string out = '"' + std::string(in_.substr(0, n)) + '"';
    in_.remove_prefix(n + 2);
    return out;
  }
  std::string list(std::string out, size_t n, std::string_view end) {
    for (size_t i = 0; i < n; ++i) out += (i > 0 ? ", " : "") + next();
    return out.append(end);
  }
  std::string map(size_t n) {
    std::string out = "{";
    for (size_t i = 0; i < n; ++i) {
      const std::string key = next();
      out += (i > 0 ? ", " : "") + key.substr(1, key.size() - 2) + ": " + next();
    }
    return out + "}";
  }

  std::string_view in_;
};

class WireScenario : public ServiceTest {
 protected:
  std::string play(const std::string& text) {
    names_.clear();
    keys_.clear();
    closed_.clear();
    config_ = Config();
    clock_ = TestClock();
    start();
    return base::testing::replay(text, [this](const std::string& line) {
      tell(line);
      std::string out;
      for (const auto& [name, client] : names_) out += said(name, *client);
      return out;
    });
  }

 private:
  void tell(const std::string& line) {
    std::istringstream words(line);
    std::string word, who;
    words >> word >> who;
    if (word.ends_with(":")) return send_all(word.substr(0, word.size() - 1), line.substr(word.size() + 1));
    if (word == "connect") {
      int protocol = 2;
      words >> protocol;
      names_.emplace_back(who, &connect(protocol));
    } else if (word == "pass") {
      pass(std::stoll(who));
    } else if (word == "drop") {
      drop(client(who));
    } else if (word == "cut") {
      cut(client(who), filled(line.substr(word.size() + who.size() + 2)));
    } else if (word == "expire") {
      replica_->expire(base::SessionId{std::stoull(who)});
      pass(1);
    } else {
      ADD_FAILURE() << "no such line: " << line;
    }
  }

  void send_all(const std::string& who, std::string text) {
    Client& from = client(who);
    text = filled(text);
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(" ; ", at), text.size());
      send(from, text.substr(at, end - at));
      at = end + 3;
    }
    run();
  }

  Client& client(const std::string& who) {
    for (const auto& [name, c] : names_)
      if (name == who) return *c;
    return *names_.emplace_back(who, &connect()).second;
  }

  std::string filled(std::string text) const {
    for (const auto& [who, key] : keys_) replace(text, "{key " + who + "}", key);
    return text;
  }
  static void replace(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  }

  std::string said(const std::string& who, Client& from) {
    const std::string bytes = take(from);
    std::string out;
    for (RespText in(bytes); !in.at_end();) {
      std::string line = in.next();
      for (const std::string_view before : {"key: \"", "\"key\", \""})  // of a map, in RESP3 and RESP2
        if (const size_t at = line.find(before); at != std::string::npos)
          keys_[who] = line.substr(at + before.size(), 16);
      for (const auto& [name, key] : keys_) replace(line, key, "<key of " + name + ">");
      out += "  " + who + ": " + line + "\n";
    }
    if (!from.connection && !std::exchange(closed_[&from], true)) out += "  " + who + " is closed\n";
    return out;
  }

  std::vector<std::pair<std::string, Client*>> names_;
  std::map<std::string, std::string> keys_;
  std::map<Client*, bool> closed_;
};

TEST_F(WireScenario, AllSayWhatIsRecorded) {
  const auto played = base::testing::play_recorded(CLEAT_SOURCE_DIR "/tests/scenarios/wire",
                                                   [this](const std::string& text) { return play(text); });
  EXPECT_GE(played, 5);
}

}  // namespace
}  // namespace cleat::server
