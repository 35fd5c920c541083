// events: follows pushes, one line each, until interrupted; comes back by itself when contact is lost.
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "cli/commands.hpp"
#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/talk.hpp"
#include "cli/wall_time.hpp"

namespace cleat::cli {
namespace {

using client::Reply;

std::string number(const Reply& map, const char* key) {
  return std::to_string(map.integer_at(key));
}

std::string json_line(const std::string& kind, const std::string& name, const Reply& map) {
  Json json;
  json.open_object().bytes("kind", kind);
  if (kind != "gap") json.bytes("name", name);
  json.fields_of(map).close_object();
  return json.text() + "\n";
}

// REVISION TIME EVENT NAME mode fence who why label, what is absent left out.
std::string text_line(const std::string& kind, const std::string& name, const Reply& map) {
  if (kind == "gap") return "GAP after " + number(map, "after") + ": some changes were missed\n";
  std::string event = escaped(map.text_at("event"));
  std::replace(event.begin(), event.end(), ' ', '-');  // "timed out": one word, so that columns can be cut
  std::string out =
      number(map, "revision") + " " + wall_time(map.integer_at("time")) + " " + event + " " + one_word(name);
  if (map.integer_at("fence") != 0) out += " fence=" + number(map, "fence");
  if (const auto mode = map.text_at("mode"); !mode.empty()) out += " mode=" + escaped(mode);
  if (map.integer_at("session") != 0) out += " session=" + number(map, "session");
  if (const auto owner = map.text_at("owner"); !owner.empty()) out += " owner=" + one_word(owner);
  if (const auto label = map.text_at("label"); !label.empty()) out += " label=" + one_word(label);
  if (const auto why = map.text_at("why"); !why.empty()) out += " why=" + one_word(why);
  return out + "\n";
}

// Follows one stream of changes over as many connections as it takes.
class Follower {
 public:
  Follower(const Common& common, const EventsCommand& command, int interrupt_fd)
      : common_(common), command_(command), interrupt_fd_(interrupt_fd), talk_(common_), last_(command.from) {}

  int run() {
    const auto answer = begin();
    if (!answer.ok()) return failed(common_, answer.status());
    if (answer->is_error()) return refused(common_, *answer);
    note_start(*answer);
    talk_.learn();
    common_.timeout = std::min(common_.timeout, kTryFor);
    for (;;) {
      if (const auto status = follow()) return *status;
      if (const auto status = come_back()) return *status;
    }
  }

 private:
  static constexpr milliseconds kQuiet{10'000};  // no change for so long: is the server still there?
  static constexpr milliseconds kTryFor{2'000};  // one attempt to come back; an interrupt waits for its end
  static constexpr milliseconds kFirstPause{50}, kLongestPause{2'000};

  base::Result<Reply> begin() {
    client::Words words = {"EVENTS"};
    if (!command_.prefix.empty()) words.insert(words.end(), {"PREFIX", command_.prefix});
    if (last_) words.insert(words.end(), {"FROM", std::to_string(*last_)});
    return talk_.ask(words);
  }

  void note_start(const Reply& answer) {
    if (!last_) last_ = answer.integer_at("revision");
    incarnation_ = answer.integer_at("incarnation");
  }

  // The exit status; none when contact was lost.
  std::optional<int> follow() {
    for (;;) {
      const auto push = talk_.connection().next_push(boot_clock::now() + kQuiet, interrupt_fd_);
      if (push.ok()) {
        if (const int status = tell(*push); status != kOk) return status;
        continue;
      }
      if (interrupted(milliseconds(0))) return kOk;
      lost_ = push.status();
      if (lost_.code() == base::Code::kNotFound) {
        // A member that lost its cluster is there and has nothing to tell: a linearizable read finds it out.
        const auto there = talk_.connection().call({"LOCKS", "COUNT", "1"}, boot_clock::now() + common_.timeout);
        if (there.ok() && there->error_code() != "NOQUORUM" && there->error_code() != "UNKNOWN") continue;
        lost_ = there.ok() ? base::Status(base::Code::kIo, there->text) : there.status();
      }
      if (!may_come_back()) return failed(common_, lost_);
      talk_.leave();
      return std::nullopt;
    }
  }

  int tell(const Reply& push) {
    const auto& items = push.items;
    if (items.size() < 5 || items[0].text != "cleat") return kOk;
    const std::string &kind = items[1].text, &name = items[2].text;
    if (kind != "event" && kind != "gap") return kOk;
    const int64_t through = kind == "gap" ? items[4].integer_at("next") - 1 : items[4].integer_at("revision");
    last_ = std::max(last_.value_or(0), through);
    return print(common_, common_.json ? json_line(kind, name, items[4]) : text_line(kind, name, items[4]));
  }

  // Not so when something else answers there, or refuses us.
  bool may_come_back() const { return lost_.code() != base::Code::kInvalid && lost_.code() != base::Code::kCorrupt; }

  // None: in contact again, behind the last change that was told.
  std::optional<int> come_back() {
    const auto end = boot_clock::now() + command_.reconnect_for;
    if (command_.reconnect_for > milliseconds(0)) {
      complain(common_, escaped_line(lost_.message()) + "; trying again for " + rough_duration(command_.reconnect_for));
    }
    for (milliseconds pause = kFirstPause; boot_clock::now() < end; pause = std::min(2 * pause, kLongestPause)) {
      // Between half and the whole of it, so that all who watched a server do not come back at once.
      const auto jittered = pause / 2 + milliseconds(random_() % static_cast<unsigned>(pause.count() / 2 + 1));
      const auto left = std::chrono::ceil<milliseconds>(end - boot_clock::now());
      if (interrupted(std::max(milliseconds(0), std::min<milliseconds>(jittered, left)))) return kOk;
      const auto answer = begin();
      if (answer.ok() && !answer->is_error()) return resumed(*answer);
      talk_.connection().close();
      if (answer.ok() && answer->error_code() != "NOQUORUM" && answer->error_code() != "UNKNOWN") {
        return refused(common_, *answer);
      }
      lost_ = answer.ok() ? base::Status(base::Code::kIo, answer->text) : answer.status();
      if (!may_come_back()) break;
    }
    return failed(common_, lost_);
  }

  // Revisions that do not go on where they were (a start from older data): what was between is not known.
  std::optional<int> resumed(const Reply& answer) {
    const int64_t before = last_.value_or(0), now = answer.integer_at("revision");
    const bool other = answer.integer_at("incarnation") != incarnation_ || now < before;
    note_start(answer);
    complain(common_, "in contact again");
    if (!other) return std::nullopt;
    last_ = now;
    const Reply gap = {.type = Reply::Type::kMap,
                       .integer = 0,
                       .text = {},
                       .items = {Reply::of("after"), Reply::of(before), Reply::of("next"), Reply::nil(),
                                 Reply::of("incarnation"), Reply::of(incarnation_)}};
    const int status = print(common_, common_.json ? json_line("gap", "", gap) : text_line("gap", "", gap));
    return status == kOk ? std::nullopt : std::optional(status);
  }

  bool interrupted(milliseconds wait) const {
    pollfd fd = {interrupt_fd_, POLLIN, 0};
    return ::poll(&fd, 1, static_cast<int>(wait.count())) > 0;
  }

  Common common_;
  const EventsCommand& command_;
  int interrupt_fd_;
  Talk talk_;
  std::optional<int64_t> last_;  // revision through which all is told
  int64_t incarnation_ = 0;
  base::Status lost_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

int execute(const Common& common, const EventsCommand& command) {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&interrupts, s);
  sigprocmask(SIG_BLOCK, &interrupts, nullptr);
  const client::Fd interrupted(signalfd(-1, &interrupts, SFD_CLOEXEC | SFD_NONBLOCK));
  return Follower(common, command, interrupted.get()).run();
}

}  // namespace cleat::cli
