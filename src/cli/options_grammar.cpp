// Long because it is a declaration: one place to read what every command takes.
#include "cli/options_grammar.hpp"

#include <algorithm>
#include <charconv>

#include "cli/duration.hpp"
#include "cli/help.hpp"
#include "server/cluster_settings.hpp"
#include "server/info.hpp"
#include "server/restore.hpp"

namespace cleat::cli {
namespace {

[[noreturn]] void invalid(const std::string& message) {
  throw CLI::ValidationError(message);
}

struct Bounds {
  milliseconds least{0}, most{24 * 3'600'000};
};

// Options with a value that is checked as it is read; what is wrong names the option as it was written.
void add_duration(CLI::App& app, const std::string& name, const std::string& help, Bounds bounds,
                  std::function<void(milliseconds)> set) {
  CLI::Option* option = app.add_option(name)->description(help)->type_name("DURATION")->expected(1);
  option->each([bounds, set = std::move(set)](const std::string& text) {
    const auto value = parse_duration(text);
    if (!value.ok()) invalid(value.status().message());
    if (*value < bounds.least) invalid("'" + text + "' is shorter than " + format_duration(bounds.least));
    if (*value > bounds.most) invalid("'" + text + "' is longer than " + format_duration(bounds.most));
    set(*value);
  });
}

void add_number(CLI::App& app, const std::string& name, const std::string& help, int64_t least, int64_t most,
                std::function<void(int64_t)> set) {
  CLI::Option* option = app.add_option(name)->description(help)->type_name("N")->expected(1);
  option->each([least, most, set = std::move(set)](const std::string& text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      invalid("'" + text + "' is no whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    set(value);
  });
}

void add_choice(CLI::App& app, const std::string& name, const std::string& help, std::vector<std::string> choices,
                std::function<void(const std::string&)> set) {
  std::string all;
  for (const std::string& choice : choices) all += (all.empty() ? "" : "|") + choice;
  CLI::Option* option = app.add_option(name)->description(help)->type_name(all)->expected(1);
  option->each([all, choices = std::move(choices), set = std::move(set)](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      invalid("'" + text + "' is none of " + all);
    }
    set(text);
  });
}

constexpr milliseconds kShortestTtl{500};

std::string mode_word(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

void add_name(CLI::App& sub, std::string& name) {
  sub.add_option("NAME", name, "what is locked: 1 to 512 bytes")->required()->type_name("");
}

void add_token(CLI::App& sub, std::string& token, bool required) {
  CLI::Option* option = sub.add_option("--token", token)->type_name("T");
  option->description(required ? "the token that `cleat lock` printed" : "1 to 64 bytes; default: a random one");
  option->required(required);
  option->each([](const std::string& text) {
    if (text.empty() || text.size() > 64)
      invalid("a token has 1 to 64 bytes, this one has " + std::to_string(text.size()));
  });
}

void add_lock_options(CLI::App& sub, LockRequest& lock) {
  CLI::Option* shared = sub.add_flag_callback(
      "--shared", [&lock] { lock.mode = "SHARED"; }, "let others share it: short for --mode shared");
  CLI::Option* mode = sub.add_option("--mode")->type_name("MODE")->expected(1);
  mode->description("exclusive (default), shared, update, intent-shared, intent-exclusive or shared-intent-exclusive");
  mode->excludes(shared);
  mode->each([&lock](const std::string& text) {
    if (std::find(kModes.begin(), kModes.end(), text) == kModes.end()) {
      invalid("'" + text +
              "' is none of exclusive|shared|update|intent-shared|intent-exclusive|shared-intent-exclusive");
    }
    lock.mode = mode_word(text);
  });
  add_number(sub, "--priority", "0 (default) to 9: a step is worth 10 s of waiting", 0, 9,
             [&lock](int64_t n) { lock.priority = static_cast<int>(n); });
  CLI::Option* data = sub.add_option("--data")->type_name("D")->expected(1);
  data->description("up to 4 KiB that others can read while you hold it");
  data->each([&lock](const std::string& text) { lock.data = text; });
  add_duration(sub, "--max-hold", "end the hold then, however well it is renewed", {milliseconds(1)},
               [&lock](milliseconds d) { lock.max_hold = d; });
  add_duration(sub, "--delay", "if the hold is lost uncleanly, keep others out for so long", {milliseconds(1)},
               [&lock](milliseconds d) { lock.delay = d; });
}

void add_local(CLI::App& sub, bool& local) {
  sub.add_flag("--local", local, "what the asked member knows by itself, which may be behind; needs no leader");
}

void add_member_name(CLI::App& sub, ClusterCommand& command, bool required) {
  const char* what = required ? "name of the member" : "who is to lead (default: the voter that is furthest)";
  sub.add_option("NAME", command.name, what)->required(required)->type_name("");
}

void add_catch_up(CLI::App& sub, ClusterCommand& command) {
  add_duration(sub, "--wait", "how long it may take to catch up (default 10m)", {milliseconds(1)},
               [&command](milliseconds d) { command.wait = d; });
}

void add_fence_above(CLI::App& sub, uint64_t& above) {
  add_number(sub, "--fence-above", "fences are to be above this number, too (default: what data and clock say)", 1,
             static_cast<int64_t>(server::kMostFenceAbove), [&above](int64_t n) { above = static_cast<uint64_t>(n); });
}

}  // namespace

Grammar::Grammar(const Environment& environment) : environment_(environment) {
  app_.footer(help::kProgram);
  app_.set_version_flag("--version", "cleat " + std::string(server::kCleatVersion));
  app_.require_subcommand(1);
  app_.get_formatter()->column_width(34);
  app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app_.get_formatter()->label("Subcommands", "Commands");
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  add_serve();
  add_run();
  add_lock();
  add_unlock();
  add_renew();
  add_show();
  add_ls();
  add_history();
  add_events();
  add_sessions();
  add_status();
  add_cluster();
  add_bench();
  add_completion();
}

bool Grammar::knows(const std::string& command) const {
  const auto all = app_.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(all.begin(), all.end(), [&](const CLI::App* sub) { return sub->get_name() == command; });
}

bool Grammar::knows_cluster(const std::string& command) const {
  const auto all = app_.get_subcommand("cluster")->get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(all.begin(), all.end(), [&](const CLI::App* sub) { return sub->get_name() == command; });
}

CLI::App& Grammar::add(const std::string& name, const std::string& what, const char* footer, bool prints) {
  return add_to(app_, name, name, what, footer, prints);
}

CLI::App& Grammar::add_to(CLI::App& parent, const std::string& name, const std::string& whole, const std::string& what,
                          const char* footer, bool prints) {
  CLI::App& sub = *parent.add_subcommand(name, what);
  sub.footer(footer);
  if (prints) sub.add_flag("--json", invocation_.common.json, "print JSON instead of text");
  Common& common = invocation_.common;
  const char* from_environment = environment_("CLEAT_SERVER");
  CLI::Option* server = sub.add_option("--server")->type_name("HOST:PORT,...")->expected(1);
  server->description("where the server listens, or its members (default 127.0.0.1:7420, or CLEAT_SERVER)");
  const auto set_server = [&common](const std::string& text) {
    auto endpoints = client::parse_endpoints(text);
    if (endpoints.ok()) common.servers = *endpoints;
    return endpoints.ok() ? std::string() : endpoints.status().message();
  };
  server->each([set_server](const std::string& text) {
    if (const std::string wrong = set_server(text); !wrong.empty()) invalid(wrong);
  });
  sub.add_option("--password-file", common.password_file,
                 "file with the password in its first line (or CLEAT_PASSWORD_FILE)")
      ->type_name("FILE");
  add_duration(sub, "--timeout", "how long to try to reach the server, and to wait for an answer (default 5s)",
               {milliseconds(1)}, [&common](milliseconds t) { common.timeout = t; });
  sub.final_callback([&common, server, set_server, from_environment, whole, this] {
    common.command = whole;
    if (server->count() == 0 && from_environment != nullptr && *from_environment != '\0') {
      if (const std::string wrong = set_server(from_environment); !wrong.empty()) {
        throw CLI::ValidationError("CLEAT_SERVER", wrong);
      }
    }
    const char* file = environment_("CLEAT_PASSWORD_FILE");
    if (common.password_file.empty() && file != nullptr) common.password_file = file;
  });
  return sub;
}

template <class T>
T& Grammar::command(CLI::App& sub) {
  auto kept = std::make_shared<T>();
  sub.parse_complete_callback([this, kept] { invocation_.command = *kept; });
  kept_.push_back(kept);
  return *kept;
}

// Every setting of the node is a flag. What a value must look like is the server's to say: it checks file,
// environment and flags alike.
void Grammar::add_serve() {
  CLI::App& sub = *app_.add_subcommand("serve", "Run a node");
  sub.footer(help::kServe);
  server::ServeOptions& serve = command<server::ServeOptions>(sub);
  invocation_.common.command = "serve";
  sub.add_option("--config", serve.config_file, "TOML file with settings (or CLEAT_CONFIG)")->type_name("FILE");
  for (const server::Setting& setting : server::settings_table()) {
    const std::string name(setting.name), flag = "--" + name;
    if (setting.is_switch()) {
      sub.add_flag_callback(
          flag,
          [&serve, name, flag] {
            serve.flags.push_back({name, "true", flag});
          },
          std::string(setting.help));
      continue;
    }
    CLI::Option* option = sub.add_option(flag)->expected(1)->type_name(server::value_hint(setting));
    const std::string shown = server::shown_value(setting, server::Config{});
    option->description(std::string(setting.help) + (shown.empty() ? "" : " (default " + shown + ")"));
    option->each([&serve, name, flag](const std::string& text) { serve.flags.push_back({name, text, flag}); });
  }
}

void Grammar::add_run() {
  CLI::App& sub = add("run", "Run a command while holding a lock", help::kRun, false);
  RunCommand& run = command<RunCommand>(sub);
  add_name(sub, run.lock.name);
  add_lock_options(sub, run.lock);
  CLI::Option* no_wait = sub.add_flag_callback(
      "--no-wait", [&run] { run.lock.wait = milliseconds(0); }, "take it now or not at all");
  add_duration(sub, "--wait", "how long to wait for the lock (default: as long as it takes)", {},
               [&run](milliseconds d) { run.lock.wait = d; });
  sub.get_option("--wait")->excludes(no_wait);
  add_duration(sub, "--ttl", "how long the lock outlives the last sign of life (default 10s, at least 500ms)",
               {kShortestTtl}, [&run](milliseconds d) { run.lock.ttl = d; });
  add_choice(sub, "--on-loss",
             "what happens to the command when the lock is lost: SIGTERM then SIGKILL (default), SIGKILL, or nothing",
             {"term", "kill", "ignore"}, [&run](const std::string& text) {
               run.on_loss = text == "term" ? OnLoss::kTerm : text == "kill" ? OnLoss::kKill : OnLoss::kIgnore;
             });
  add_number(sub, "-E,--not-acquired-status", "exit status when the lock was not acquired (default 75)", 0, 255,
             [&run](int64_t n) { run.not_acquired = static_cast<int>(n); });
}

void Grammar::add_lock() {
  CLI::App& sub = add("lock", "Take a lock for a script, held by a token until its TTL is over", help::kLock);
  LockCommand& lock = command<LockCommand>(sub);
  lock.lock.wait = milliseconds(0);
  add_name(sub, lock.lock.name);
  add_duration(sub, "--ttl", "how long it is held if it is not renewed (500ms to 24h)", {kShortestTtl},
               [&lock](milliseconds d) { lock.lock.ttl = d; });
  sub.get_option("--ttl")->required();
  add_token(sub, lock.token, false);
  add_duration(sub, "--wait", "how long to wait for it (default: not at all)", {},
               [&lock](milliseconds d) { lock.lock.wait = d; });
  add_lock_options(sub, lock.lock);
}

void Grammar::add_unlock() {
  CLI::App& sub = add("unlock", "Let go what `cleat lock` took", help::kUnlock);
  UnlockCommand& unlock = command<UnlockCommand>(sub);
  add_name(sub, unlock.name);
  add_token(sub, unlock.token, true);
}

void Grammar::add_renew() {
  CLI::App& sub = add("renew", "Hold on longer to what `cleat lock` took", help::kRenew);
  RenewCommand& renew = command<RenewCommand>(sub);
  add_name(sub, renew.name);
  add_token(sub, renew.token, true);
  add_duration(sub, "--ttl", "from now on (500ms to 24h)", {kShortestTtl}, [&renew](milliseconds d) { renew.ttl = d; });
  sub.get_option("--ttl")->required();
}

void Grammar::add_show() {
  CLI::App& sub = add("show", "Who holds a name and who waits for it", help::kShow);
  ShowCommand& show = command<ShowCommand>(sub);
  add_name(sub, show.name);
  add_local(sub, show.local);
}

void Grammar::add_ls() {
  CLI::App& sub = add("ls", "List names that are in use", help::kLs);
  LsCommand& ls = command<LsCommand>(sub);
  sub.add_option("PREFIX", ls.prefix, "only names that begin so")->type_name("");
  add_choice(sub, "--state", "only names that are so", {"held", "waited", "delayed"},
             [&ls](const std::string& text) { ls.state = text; });
  add_local(sub, ls.local);
}

void Grammar::add_history() {
  CLI::App& sub = add("history", "The last changes of a name", help::kHistory);
  HistoryCommand& history = command<HistoryCommand>(sub);
  add_name(sub, history.name);
  add_number(sub, "--count", "at most so many, the newest (default 20)", 1, 10'000,
             [&history](int64_t n) { history.count = n; });
  add_local(sub, history.local);
}

void Grammar::add_events() {
  CLI::App& sub = add("events", "Follow changes as they happen", help::kEvents);
  EventsCommand& events = command<EventsCommand>(sub);
  sub.add_option("PREFIX", events.prefix, "only names that begin so")->type_name("");
  add_number(sub, "--from", "begin behind this revision, as `show` printed it", 0, (int64_t{1} << 53) - 1,
             [&events](int64_t n) { events.from = n; });
  add_duration(sub, "--reconnect-for",
               "how long to try to come back when contact is lost (default 60s; 0s: not at all)", {},
               [&events](milliseconds d) { events.reconnect_for = d; });
}

void Grammar::add_sessions() {
  CLI::App& sub = add("sessions", "List sessions, or show one", help::kSessions);
  SessionsCommand& sessions = command<SessionsCommand>(sub);
  sub.add_option("ID", sessions.id, "only this one, with its last losses")->type_name("");
}

void Grammar::add_status() {
  CLI::App& sub = add("status", "Tell whether the server is ready", help::kStatus);
  command<StatusCommand>(sub);
}

void Grammar::add_cluster() {
  CLI::App& cluster = *app_.add_subcommand("cluster", "See and change who belongs to the cluster");
  cluster.footer(help::kCluster);
  cluster.require_subcommand(1);
  add_cluster_status(cluster);
  add_cluster_add(cluster);
  CLI::App& remove = cluster_sub(cluster, "remove", "Remove a member for good", help::kClusterRemove);
  add_member_name(remove, cluster_command(remove, ClusterCommand::Kind::kRemove), true);
  CLI::App& promote = cluster_sub(cluster, "promote", "Give a learner a vote", help::kClusterPromote);
  ClusterCommand& promoted = cluster_command(promote, ClusterCommand::Kind::kPromote);
  add_member_name(promote, promoted, true);
  add_catch_up(promote, promoted);
  CLI::App& transfer = cluster_sub(cluster, "transfer", "Let another member lead", help::kClusterTransfer);
  add_member_name(transfer, cluster_command(transfer, ClusterCommand::Kind::kTransfer), false);
  add_cluster_backup(cluster);
  add_cluster_restore(cluster);
  add_cluster_recover(cluster);
}

CLI::App& Grammar::cluster_sub(CLI::App& cluster, const std::string& name, const std::string& what,
                               const char* footer) {
  return add_to(cluster, name, "cluster " + name, what, footer);
}

ClusterCommand& Grammar::cluster_command(CLI::App& sub, ClusterCommand::Kind kind) {
  ClusterCommand& made = command<ClusterCommand>(sub);
  made.kind = kind;
  return made;
}

void Grammar::add_cluster_status(CLI::App& cluster) {
  CLI::App& sub =
      cluster_sub(cluster, "status", "Who the members are, who leads, how far each is", help::kClusterStatus);
  ClusterCommand& status = cluster_command(sub, ClusterCommand::Kind::kStatus);
  CLI::Option* watch = sub.add_flag("--watch", status.watch, "draw it again and again, until interrupted");
  add_duration(sub, "--every", "with --watch: how often (default 1s)", {milliseconds(100)},
               [&status](milliseconds d) { status.every = d; });
  sub.get_option("--every")->needs(watch);
}

void Grammar::add_cluster_add(CLI::App& cluster) {
  CLI::App& sub = cluster_sub(cluster, "add", "Add a member", help::kClusterAdd);
  ClusterCommand& added = cluster_command(sub, ClusterCommand::Kind::kAdd);
  CLI::Option* member = sub.add_option("NAME=HOST:PORT")->expected(1)->required()->type_name("");
  member->description("its name, and where the other members reach it (its --peer-listen)");
  member->each([&added](const std::string& text) {
    const auto listed = server::parse_listed_member(text);
    if (!listed.ok()) invalid(listed.status().message());
    added.name = listed->name;
    added.address = listed->address;
  });
  sub.add_flag("--learner", added.learner, "leave it without a vote: it only follows");
  add_catch_up(sub, added);
}

void Grammar::add_cluster_backup(CLI::App& cluster) {
  CLI::App& sub = cluster_sub(cluster, "backup", "Write a backup to a file, or check one", help::kClusterBackup);
  BackupCommand& backup = command<BackupCommand>(sub);
  sub.add_option("FILE", backup.file, "the backup")->required()->type_name("");
  CLI::Option* check = sub.add_flag("--check", backup.check, "read FILE and say what is in it; asks no server");
  CLI::Option* force = sub.add_flag("--force", backup.force, "replace FILE if it is there");
  CLI::Option* local =
      sub.add_flag("--local", backup.local, "what the asked member has itself: works without a leader, may be behind");
  force->excludes(check);
  local->excludes(check);
  add_duration(sub, "--wait", "how long the member may take to write it (default 10m)", {milliseconds(1)},
               [&backup](milliseconds d) { backup.wait = d; });
  sub.get_option("--wait")->excludes(check);
}

// Of those that speak to no server.
CLI::App& Grammar::cluster_offline(CLI::App& cluster, const std::string& name, const std::string& what,
                                   const char* footer) {
  CLI::App& sub = *cluster.add_subcommand(name, what);
  sub.footer(footer);
  sub.add_flag("--json", invocation_.common.json, "print JSON instead of text");
  sub.final_callback([this, name] { invocation_.common.command = "cluster " + name; });
  return sub;
}

void Grammar::add_cluster_restore(CLI::App& cluster) {
  CLI::App& sub = cluster_offline(cluster, "restore", "Make a data directory from a backup", help::kClusterRestore);
  RestoreCommand& restore = command<RestoreCommand>(sub);
  sub.add_option("FILE", restore.file, "the backup")->required()->type_name("");
  sub.add_option("--data", restore.data, "data directory to make; it is empty or not there")
      ->required()
      ->type_name("DIR");
  CLI::Option* name = sub.add_option("--name", restore.name)->type_name("NAME");
  name->description("of this member, as --name of cleat serve (default: node)");
  name->each([](const std::string& text) {
    if (const std::string wrong = server::member_name_error(text); !wrong.empty()) invalid(wrong);
  });
  CLI::Option* list = sub.add_option("--cluster")->type_name("LIST")->expected(1);
  list->description("all members, as --cluster of cleat serve; each restores the same file (default: this one alone)");
  list->each([&restore](const std::string& text) {
    auto members = server::parse_founders(text);
    if (!members.ok()) invalid(members.status().message());
    restore.members = *std::move(members);
  });
  list->needs(name);
  add_fence_above(sub, restore.fence_above);
}

void Grammar::add_cluster_recover(CLI::App& cluster) {
  CLI::App& sub = cluster_offline(cluster, "recover", "Go on with one member when a majority is lost for good",
                                  help::kClusterRecover);
  RecoverCommand& recover = command<RecoverCommand>(sub);
  sub.add_option("--data", recover.data, "data directory of the surviving member, which is stopped")
      ->required()
      ->type_name("DIR");
  sub.add_flag("--unsafe", recover.unsafe, "yes: what only the lost members had may be lost");
  add_fence_above(sub, recover.fence_above);
}

void Grammar::add_bench() {
  CLI::App& sub = add("bench", "Put load on a service and measure it", help::kBench);
  BenchCommand& bench = command<BenchCommand>(sub);
  add_number(sub, "--connections", "how many (default 50)", 1, 10'000, [&bench](int64_t n) { bench.connections = n; });
  add_number(sub, "--pipeline", "pairs under way on each connection (default 1)", 1, 10'000,
             [&bench](int64_t n) { bench.pipeline = n; });
  add_number(sub, "--rate", "open loop: so many pairs a second in all, whether answers come or not", 1, 10'000'000,
             [&bench](int64_t n) { bench.rate = n; });
  add_number(sub, "--contend", "names that all are after (default: each pair its own)", 1, 1'000'000,
             [&bench](int64_t n) { bench.contend = n; });
  add_duration(sub, "--duration", "how long to measure (default 10s)", {milliseconds(1)},
               [&bench](milliseconds d) { bench.duration = d; });
  add_duration(sub, "--warm-up", "how long to run before that (default 1s)", {},
               [&bench](milliseconds d) { bench.warm_up = d; });
  add_duration(sub, "--progress", "how often to tell on standard error (default 1s on a terminal, else 0s: never)", {},
               [&bench](milliseconds d) {
                 bench.progress = d;
                 bench.progress_asked = true;
               });
  CLI::Option* prefix = sub.add_option("--prefix", bench.prefix)->type_name("TEXT");
  prefix->description("what names begin with (default: bench/ and random letters)");
  prefix->check([](const std::string& text) {
    return text.empty() || text.size() > 400 ? "it has 1 to 400 bytes" : std::string();
  });
}

void Grammar::add_completion() {
  CLI::App& sub = *app_.add_subcommand("completion", "Print what makes a shell complete cleat's words");
  sub.footer(help::kCompletion);
  CompletionCommand& completion = command<CompletionCommand>(sub);
  CLI::Option* shell = sub.add_option("SHELL", completion.shell, "bash or zsh")->required()->type_name("bash|zsh");
  shell->check([](const std::string& text) {
    return text == "bash" || text == "zsh" ? std::string() : "there is completion for bash and zsh only";
  });
  sub.final_callback([this] { invocation_.common.command = "completion"; });
}

}  // namespace cleat::cli
