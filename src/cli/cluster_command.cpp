// cleat cluster status, add, remove, promote, transfer: asks whichever member answers, follows it to the leader, and
// stays until what was asked is in force.
#include <poll.h>
#include <unistd.h>

#include "cli/cluster_status.hpp"
#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/talk.hpp"
#include "client/endpoint.hpp"
#include "client/members.hpp"

namespace cleat::cli {
namespace {

using client::Reply;
using client::Words;

constexpr milliseconds kPause{200}, kSayAgain{10'000}, kMeeting{2'000};
constexpr int64_t kNearlyThere = 1'000;  // entries behind at which a vote is asked for; the leader decides

client::TimePoint after(milliseconds time) {
  return boot_clock::now() + time;
}

void pause(milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

// Talks to the cluster; for changes to its leader.
class ClusterTalk {
 public:
  explicit ClusterTalk(const Common& common) : all_(common), leader_(common), talk_(all_) {}

  base::Result<Reply> status() { return talk_.ask({"MEMBERS", "STATUS"}); }

  // Until the leader did it or refused it. What is asked here may be asked twice.
  base::Result<Reply> change(const Words& words, client::TimePoint deadline) {
    for (;;) {
      Talk talk(leader_);
      base::Result<Reply> answer = talk.change(words).answer;
      const std::string_view code = answer.ok() ? answer->error_code() : "";
      const bool again = !answer.ok() || code == "NOTLEADER" || code == "TRYAGAIN" || code == "NOQUORUM";
      if (!again || boot_clock::now() >= deadline) return answer;
      leader_.servers = code == "NOTLEADER" ? leader_in(answer->text) : all_.servers;
      if (code != "NOTLEADER" || same_again(answer->text)) pause(kPause);
    }
  }

 private:
  // "NOTLEADER host:port words".
  std::vector<client::Endpoint> leader_in(const std::string& error) const {
    const size_t from = error.find(' ') + 1, to = error.find(' ', from);
    const auto endpoint = client::parse_endpoint(std::string_view(error).substr(from, to - from));
    return endpoint.ok() ? std::vector<client::Endpoint>{*endpoint} : all_.servers;
  }
  // Two members may name each other for a moment.
  bool same_again(const std::string& error) {
    ++redirects_;
    return redirects_ % 3 == 0 || error == std::exchange(last_redirect_, error);
  }

  Common all_, leader_;
  Talk talk_;
  std::string last_redirect_;
  int redirects_ = 0;
};

// Lines for people while something takes its time: when they change, and then now and again. With --json on stderr.
class Progress {
 public:
  explicit Progress(const Common& common) : common_(common) {}
  void say(const std::string& line) {
    if (line == last_ && boot_clock::now() < again_) return;
    last_ = line;
    again_ = after(kSayAgain);
    std::FILE* out = common_.json ? stderr : stdout;
    std::fputs((line + "\n").c_str(), out);
    std::fflush(out);
  }

 private:
  const Common& common_;
  std::string last_;
  client::TimePoint again_{};
};

int told(const Common& common, const base::Result<Reply>& answer) {
  return answer.ok() ? refused(common, *answer) : failed(common, answer.status());
}
bool is_bad(const base::Result<Reply>& answer) {
  return !answer.ok() || answer->is_error();
}

int print_done(const Common& common, const std::string& name, const char* what, const std::string& line) {
  if (!common.json) return print(common, line + "\n");
  Json json;
  json.open_object().bytes("name", name).field(what, true).close_object();
  return print(common, json.text() + "\n");
}

// `look` tells from a status whether it is so; else what to say meanwhile.
int wait_until(const Common& common, ClusterTalk& talk, client::TimePoint deadline, const std::string& what,
               const std::function<bool(const Reply&)>& look) {
  for (;;) {
    const auto status = talk.status();
    if (!is_bad(status) && look(*status)) return kOk;
    if (boot_clock::now() >= deadline) {
      complain(common, what + " was not seen to happen in time: look with cleat cluster status");
      return kUnknown;
    }
    pause(kPause);
  }
}

// A learner's way to its vote. Whoever runs this may be interrupted: the same command goes on.
int promote_when_ready(const Common& common, ClusterTalk& talk, const std::string& name, client::TimePoint deadline) {
  Progress progress(common);
  const client::TimePoint met = after(kMeeting);  // members need a moment to find it
  for (;;) {
    const auto status = talk.status();
    if (is_bad(status) && boot_clock::now() >= deadline) return told(common, status);
    const Reply* member = is_bad(status) ? nullptr : find_member(*status, name);
    if (member && member->integer_at("voter")) return print_done(common, name, "voter", name + " is a voter");
    if (member && (member->integer_at("up") || boot_clock::now() >= met)) {
      progress.say(name + " " + progress_text(*member));
    }
    if (member && member->integer_at("up") && member->integer_at("lag", kNearlyThere + 1) <= kNearlyThere) {
      const auto answer = talk.change({"MEMBERS", "PROMOTE", name}, boot_clock::now());
      const bool later = !answer.ok() || answer->error_code() == "TRYAGAIN" || answer->error_code() == "NOTLEADER" ||
                         answer->error_code() == "NOQUORUM" || answer->error_code() == "UNKNOWN";
      if (!later && answer->is_error()) return refused(common, *answer);
    }
    if (boot_clock::now() >= deadline) {
      complain(common, escaped(name) + " is a learner and has no vote yet: the same command goes on from here");
      return kUnknown;
    }
    pause(kPause);
  }
}

int hand_over(const Common& common, ClusterTalk& talk, const std::string& name, std::string& leader) {
  const client::TimePoint deadline = after(common.timeout * 2);
  Words words = {"MEMBERS", "TRANSFER"};
  if (!name.empty()) words.push_back(name);
  const auto answer = talk.change(words, deadline);
  if (is_bad(answer)) return told(common, answer);
  leader = answer->text;
  return wait_until(common, talk, deadline, "that " + escaped(leader) + " leads",
                    [&](const Reply& status) { return status.text_at("leader") == leader; });
}

int run_status(const Common& common, ClusterTalk& talk, bool& fine) {
  const auto status = talk.status();
  if (is_bad(status)) return told(common, status);
  fine = cluster_is_fine(*status);
  if (!common.json) return print(common, cluster_status_text(*status));
  Json json;
  json.reply({}, *status);
  return print(common, json.text() + "\n");
}

int watch(const Common& common, ClusterTalk& talk, milliseconds every) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    if (terminal && !common.json && print(common, "\x1b[H\x1b[2J") != kOk) return kRefused;
    bool fine = false;
    run_status(common, talk, fine);
    if (std::ferror(stdout)) return kRefused;
    if (!terminal && !common.json) print(common, "\n");
    pause(every);
  }
}

int remove_member(const Common& common, ClusterTalk& talk, const std::string& name) {
  const auto status = talk.status();
  if (!is_bad(status) && status->text_at("leader") == name) {
    std::string leader;
    if (const int s = hand_over(common, talk, "", leader); s != kOk) return s;
    Progress(common).say(escaped(leader) + " leads now");
  }
  const auto answer = talk.change({"MEMBERS", "REMOVE", name}, after(common.timeout));
  if (is_bad(answer)) return told(common, answer);
  return print_done(common, name, "removed", escaped(name) + " is no member any more; if it runs it stops by itself");
}

}  // namespace

int execute(const Common& common, const ClusterCommand& command) {
  ClusterTalk talk(common);
  switch (command.kind) {
    case ClusterCommand::Kind::kStatus: {
      if (command.watch) return watch(common, talk, command.every);
      bool fine = false;
      const int status = run_status(common, talk, fine);
      return status != kOk || fine ? status : kRefused;
    }
    case ClusterCommand::Kind::kAdd: {
      const auto answer = talk.change({"MEMBERS", "ADD", command.name + "=" + command.address}, after(common.timeout));
      if (is_bad(answer)) return told(common, answer);
      if (command.learner) return print_done(common, command.name, "learner", command.name + " is a learner");
      return promote_when_ready(common, talk, command.name, after(command.wait));
    }
    case ClusterCommand::Kind::kPromote:
      return promote_when_ready(common, talk, command.name, after(command.wait));
    case ClusterCommand::Kind::kRemove:
      return remove_member(common, talk, command.name);
    case ClusterCommand::Kind::kTransfer: {
      std::string leader;
      const int status = hand_over(common, talk, command.name, leader);
      return status == kOk ? print_done(common, leader, "leads", escaped(leader) + " leads") : status;
    }
  }
  return kUsage;
}

}  // namespace cleat::cli
