// events: follows pushes, one line each, until interrupted.
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>

#include "cli/commands.hpp"
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

}  // namespace

int execute(const Common& common, const EventsCommand& command) {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&interrupts, s);
  sigprocmask(SIG_BLOCK, &interrupts, nullptr);
  const client::Fd interrupted(signalfd(-1, &interrupts, SFD_CLOEXEC | SFD_NONBLOCK));

  Talk talk(common);
  client::Words words = {"EVENTS"};
  if (!command.prefix.empty()) words.insert(words.end(), {"PREFIX", command.prefix});
  if (command.from) words.insert(words.end(), {"FROM", std::to_string(*command.from)});
  const auto answer = talk.ask(words);
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  for (;;) {
    const auto push = talk.connection().next_push(client::TimePoint::max(), interrupted.get());
    if (!push.ok()) return push.status().code() == base::Code::kNotFound ? kOk : failed(common, push.status());
    const auto& items = push->items;
    if (items.size() < 5 || items[0].text != "cleat") continue;
    const std::string &kind = items[1].text, &name = items[2].text;
    if (kind != "event" && kind != "gap") continue;
    const std::string line = common.json ? json_line(kind, name, items[4]) : text_line(kind, name, items[4]);
    if (const int status = print(common, line); status != kOk) return status;
  }
}

}  // namespace cleat::cli
