#include "cli/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace cleat::cli {
namespace {

using ::testing::HasSubstr;

std::map<std::string, std::string> g_environment;

Parsed parse_words(std::vector<std::string> words) {
  return parse(std::move(words), [](const char* name) {
    const auto it = g_environment.find(name);
    return it == g_environment.end() ? nullptr : it->second.c_str();
  });
}

template <class T>
T read(std::vector<std::string> words) {
  const Parsed parsed = parse_words(std::move(words));
  EXPECT_TRUE(parsed.invocation.has_value()) << parsed.err;
  if (!parsed.invocation || !std::holds_alternative<T>(parsed.invocation->command)) return T{};
  return std::get<T>(parsed.invocation->command);
}

Common common(std::vector<std::string> words) {
  const Parsed parsed = parse_words(std::move(words));
  EXPECT_TRUE(parsed.invocation.has_value()) << parsed.err;
  return parsed.invocation ? parsed.invocation->common : Common{};
}

// First line of the refusal.
std::string refusal(std::vector<std::string> words) {
  const Parsed parsed = parse_words(std::move(words));
  EXPECT_FALSE(parsed.invocation.has_value());
  EXPECT_EQ(parsed.exit_status, 2);
  EXPECT_EQ(parsed.out, "");
  EXPECT_THAT(parsed.err, HasSubstr("See: cleat "));
  return parsed.err.substr(0, parsed.err.find('\n'));
}

TEST(Options, Run) {
  const auto run = read<RunCommand>({"run", "a b", "--shared", "--wait", "10s", "--ttl", "5s", "--on-loss", "kill",
                                     "--priority", "3", "--data", "d", "-E", "0", "--", "ls", "--", "-l"});
  EXPECT_EQ(run.lock.name, "a b");
  EXPECT_EQ(run.lock.mode, "SHARED");
  EXPECT_EQ(run.lock.wait, milliseconds(10'000));
  EXPECT_EQ(run.lock.ttl, milliseconds(5'000));
  EXPECT_EQ(run.on_loss, OnLoss::kKill);
  EXPECT_EQ(run.lock.priority, 3);
  EXPECT_EQ(run.lock.data, "d");
  EXPECT_EQ(run.not_acquired, 0);
  EXPECT_EQ(run.command, (std::vector<std::string>{"ls", "--", "-l"}));
}

TEST(Options, RunDefaults) {
  const auto run = read<RunCommand>({"run", "a", "--", "true"});
  EXPECT_EQ(run.lock.mode, "EXCLUSIVE");
  EXPECT_EQ(run.lock.wait, std::nullopt);
  EXPECT_EQ(run.lock.ttl, milliseconds(10'000));
  EXPECT_EQ(run.on_loss, OnLoss::kTerm);
  EXPECT_EQ(run.not_acquired, 75);
  EXPECT_EQ(read<RunCommand>({"run", "a", "--no-wait", "--", "true"}).lock.wait, milliseconds(0));
  EXPECT_EQ(read<RunCommand>({"run", "a", "--mode", "update", "--", "true"}).lock.mode, "UPDATE");
}

TEST(Options, LockDoesNotWaitUnlessAsked) {
  EXPECT_EQ(read<LockCommand>({"lock", "a", "--ttl", "30s"}).lock.wait, milliseconds(0));
  EXPECT_EQ(read<LockCommand>({"lock", "a", "--ttl", "30s", "--wait", "1m"}).lock.wait, milliseconds(60'000));
}

TEST(Options, TheOthers) {
  EXPECT_EQ(read<UnlockCommand>({"unlock", "a", "--token", "t"}).token, "t");
  EXPECT_EQ(read<RenewCommand>({"renew", "a", "--token", "t", "--ttl", "1h"}).ttl, milliseconds(3'600'000));
  EXPECT_EQ(read<ShowCommand>({"show", "--", "-odd"}).name, "-odd");
  EXPECT_EQ(read<LsCommand>({"ls", "db/", "--state", "waited"}).state, "waited");
  EXPECT_EQ(read<HistoryCommand>({"history", "a", "--count", "5"}).count, 5);
  EXPECT_EQ(read<EventsCommand>({"events", "a", "--from", "12"}).from, 12);
  EXPECT_EQ(read<EventsCommand>({"events"}).reconnect_for, milliseconds(60'000));
  EXPECT_EQ(read<EventsCommand>({"events", "--reconnect-for", "0s"}).reconnect_for, milliseconds(0));
  EXPECT_EQ(read<SessionsCommand>({"sessions", "7"}).id, "7");
  read<StatusCommand>({"status"});
  EXPECT_EQ(read<CompletionCommand>({"completion", "zsh"}).shell, "zsh");
}

TEST(Options, Bench) {
  const auto bench =
      read<BenchCommand>({"bench", "--connections", "4", "--pipeline", "16", "--rate", "2000", "--contend", "3",
                          "--duration", "1m", "--warm-up", "0s", "--prefix", "p", "--progress", "0s"});
  EXPECT_EQ(bench.connections, 4);
  EXPECT_EQ(bench.pipeline, 16);
  EXPECT_EQ(bench.rate, 2'000);
  EXPECT_EQ(bench.contend, 3);
  EXPECT_EQ(bench.duration, milliseconds(60'000));
  EXPECT_EQ(bench.warm_up, milliseconds(0));
  EXPECT_EQ(bench.prefix, "p");
  EXPECT_TRUE(bench.progress_asked);
  const auto plain = read<BenchCommand>({"bench"});
  EXPECT_EQ(plain.rate, std::nullopt);
  EXPECT_FALSE(plain.progress_asked);
}

TEST(Options, ServerAndPasswordFromFlagThenEnvironmentThenDefault) {
  EXPECT_EQ(common({"status"}).servers[0].text(), "127.0.0.1:7420");
  g_environment = {{"CLEAT_SERVER", "db1:7000"}, {"CLEAT_PASSWORD_FILE", "/p"}};
  EXPECT_EQ(common({"status"}).servers[0].text(), "db1:7000");
  EXPECT_EQ(common({"status"}).password_file, "/p");
  EXPECT_EQ(common({"status", "--server", "[::1]:1", "--password-file", "/q"}).servers[0].text(), "[::1]:1");
  EXPECT_EQ(common({"status", "--password-file", "/q"}).password_file, "/q");
  g_environment = {{"CLEAT_SERVER", "x:y"}};
  EXPECT_EQ(refusal({"status"}),
            "cleat status: CLEAT_SERVER: 'x:y' has no port from 1 to 65535: write HOST:PORT, such as "
            "127.0.0.1:7420 or [::1]:7420");
  g_environment = {};
}

TEST(Options, TheConnectionIsNamedBeforeOrAfterTheCommand) {
  const std::vector<std::vector<std::string>> ways = {
      {"--server", "h:1", "--password-file", "/p", "--json", "show", "x"},
      {"--server=h:1", "--json", "show", "--password-file", "/p", "x"},
      {"show", "x", "--json", "--server", "h:1", "--password-file=/p"},
      {"--timeout", "1s", "show", "--server", "h:1", "x", "--json", "--password-file", "/p"},
  };
  for (const auto& words : ways) {
    EXPECT_EQ(common(words).servers[0].text(), "h:1");
    EXPECT_EQ(common(words).password_file, "/p");
    EXPECT_TRUE(common(words).json);
    EXPECT_EQ(read<ShowCommand>(words).name, "x");
  }
  EXPECT_EQ(common({"lock", "x", "--ttl", "30s", "--server", "h:1"}).servers[0].text(), "h:1");
  const std::vector<std::string> run = {"--server", "h:1", "run", "x", "--", "cmd", "--server", "other:2", "--json"};
  EXPECT_EQ(common(run).servers[0].text(), "h:1");
  EXPECT_EQ(read<RunCommand>(run).command, (std::vector<std::string>{"cmd", "--server", "other:2", "--json"}));
  EXPECT_EQ(refusal({"--json", "run", "x", "--", "true"}),
            "cleat run: The following argument was not expected: --json");
  EXPECT_EQ(refusal({"--server", "h:1", "frobnicate"}), "cleat: there is no command 'frobnicate'");
  EXPECT_THAT(refusal({"--server", "h:1"}), HasSubstr("cleat: "));
}

TEST(Options, EveryFlagRefusesWhatIsWrong) {
  const std::string modes = "exclusive|shared|update|intent-shared|intent-exclusive|shared-intent-exclusive";
  struct Row {
    std::vector<std::string> words;
    std::string error;
  };
  const Row rows[] = {
      {{"run", "a", "--ttl", "10", "--", "x"},
       "cleat run: --ttl: '10' has no unit: write 10s for seconds or 10ms for milliseconds"},
      {{"run", "a", "--ttl", "499ms", "--", "x"}, "cleat run: --ttl: '499ms' is shorter than 500ms"},
      {{"run", "a", "--ttl", "25h", "--", "x"}, "cleat run: --ttl: '25h' is longer than 24h"},
      {{"run", "a", "--wait", "soon", "--", "x"},
       "cleat run: --wait: 'soon' is no duration: write a whole number and a unit, such as 500ms, 30s, 5m or 1h"},
      {{"run", "a", "--wait", "1s", "--no-wait", "--", "x"}, "cleat run: --no-wait excludes --wait"},
      {{"run", "a", "--mode", "big", "--", "x"}, "cleat run: --mode: 'big' is none of " + modes},
      {{"run", "a", "--mode", "update", "--shared", "--", "x"}, "cleat run: --shared excludes --mode"},
      {{"run", "a", "--on-loss", "cry", "--", "x"}, "cleat run: --on-loss: 'cry' is none of term|kill|ignore"},
      {{"run", "a", "--priority", "10", "--", "x"}, "cleat run: --priority: '10' is no whole number from 0 to 9"},
      {{"run", "a", "--priority", "1x", "--", "x"}, "cleat run: --priority: '1x' is no whole number from 0 to 9"},
      {{"run", "a", "-E", "256", "--", "x"},
       "cleat run: --not-acquired-status: '256' is no whole number from 0 to 255"},
      {{"run", "a", "--max-hold", "0s", "--", "x"}, "cleat run: --max-hold: '0s' is shorter than 1ms"},
      {{"run", "a", "--delay", "x", "--", "x"},
       "cleat run: --delay: 'x' is no duration: write a whole number and a unit, such as 500ms, 30s, 5m or 1h"},
      {{"run", "a"}, "cleat run: no command to run: write it behind --, as in: cleat run NAME -- COMMAND"},
      {{"run", "a", "--"}, "cleat run: no command to run: write it behind --, as in: cleat run NAME -- COMMAND"},
      {{"run", "--", "x"}, "cleat run: NAME is required"},
      {{"run", "a", "x"}, "cleat run: The following argument was not expected: x"},
      {{"lock", "a"}, "cleat lock: --ttl is required"},
      {{"lock", "a", "--ttl"}, "cleat lock: --ttl: its value is missing, as in: --ttl DURATION"},
      {{"lock", "a", "--ttl", "1s", "--token", ""}, "cleat lock: --token: a token has 1 to 64 bytes, this one has 0"},
      {{"lock", "a", "--ttl", "1s", "--token", std::string(65, 't')},
       "cleat lock: --token: a token has 1 to 64 bytes, this one has 65"},
      {{"unlock", "a"}, "cleat unlock: --token is required"},
      {{"renew", "a", "--token", "t"}, "cleat renew: --ttl is required"},
      {{"renew", "a", "--token", "t", "--ttl", "0s"}, "cleat renew: --ttl: '0s' is shorter than 500ms"},
      {{"show"}, "cleat show: NAME is required"},
      {{"show", "a", "--timeout", "0ms"}, "cleat show: --timeout: '0ms' is shorter than 1ms"},
      {{"ls", "--state", "free"}, "cleat ls: --state: 'free' is none of held|waited|delayed"},
      {{"history", "a", "--count", "0"}, "cleat history: --count: '0' is no whole number from 1 to 10000"},
      {{"events", "--from", "-1"}, "cleat events: --from: '-1' is no whole number from 0 to 9007199254740991"},
      {{"status", "--server", ":1"},
       "cleat status: --server: ':1' has no host: write HOST:PORT, such as 127.0.0.1:7420 or [::1]:7420"},
      {{"status", "--colour"}, "cleat status: The following argument was not expected: --colour"},
      {{"frobnicate"}, "cleat: there is no command 'frobnicate'"},
      {{"bench", "--rate", "0"}, "cleat bench: --rate: '0' is no whole number from 1 to 10000000"},
      {{"bench", "--prefix", ""}, "cleat bench: --prefix: it has 1 to 400 bytes"},
      {{"completion", "fish"}, "cleat completion: SHELL: there is completion for bash and zsh only"},
  };
  for (const Row& row : rows) EXPECT_EQ(refusal(row.words), row.error);
  EXPECT_THAT(refusal({}), HasSubstr("cleat: "));
}

TEST(Options, Cluster) {
  using Kind = ClusterCommand::Kind;
  EXPECT_EQ(read<ClusterCommand>({"cluster", "status"}).kind, Kind::kStatus);
  const auto watched = read<ClusterCommand>({"cluster", "status", "--watch", "--every", "2s"});
  EXPECT_TRUE(watched.watch);
  EXPECT_EQ(watched.every, milliseconds(2'000));
  const auto added = read<ClusterCommand>({"cluster", "add", "d=db-4.example:7421", "--learner", "--wait", "1m"});
  EXPECT_EQ(added.kind, Kind::kAdd);
  EXPECT_EQ(added.name + " " + added.address, "d db-4.example:7421");
  EXPECT_TRUE(added.learner);
  EXPECT_EQ(added.wait, milliseconds(60'000));
  EXPECT_EQ(read<ClusterCommand>({"cluster", "remove", "d"}).kind, Kind::kRemove);
  EXPECT_EQ(read<ClusterCommand>({"cluster", "promote", "d"}).name, "d");
  EXPECT_EQ(read<ClusterCommand>({"cluster", "transfer"}).name, "");
  EXPECT_EQ(read<ClusterCommand>({"cluster", "transfer", "b"}).name, "b");
  EXPECT_EQ(common({"cluster", "add", "d=h:1", "--json", "--server", "h:1"}).command, "cluster add");
  EXPECT_TRUE(common({"cluster", "status", "--json"}).json);
  EXPECT_THAT(refusal({"cluster"}), HasSubstr("cleat cluster: "));
  EXPECT_EQ(refusal({"cluster", "heal"}), "cleat cluster: there is no command 'cluster heal'");
  EXPECT_THAT(refusal({"cluster", "add"}), HasSubstr("cleat cluster add: "));
  EXPECT_EQ(refusal({"cluster", "add", "d"}), "cleat cluster add: NAME=HOST:PORT: \"d\" is not NAME=HOST:PORT");
  EXPECT_EQ(refusal({"cluster", "remove"}), "cleat cluster remove: NAME is required");
  EXPECT_THAT(refusal({"cluster", "status", "--every", "1s"}), HasSubstr("--every requires --watch"));
  for (const char* command : {"status", "add", "remove", "promote", "transfer"}) {
    const Parsed parsed = parse_words({"cluster", command, "--help"});
    EXPECT_EQ(parsed.exit_status, 0);
    EXPECT_THAT(parsed.out, HasSubstr("Example"));
    EXPECT_THAT(parsed.out, HasSubstr(std::string("cleat cluster ") + command));
  }
  EXPECT_THAT(parse_words({"cluster", "--help"}).out, HasSubstr("cleat cluster status"));
}

TEST(Options, HelpTeaches) {
  for (const char* command :
       {"run", "lock", "unlock", "renew", "show", "ls", "history", "events", "sessions", "status", "bench"}) {
    const Parsed parsed = parse_words({command, "--help"});
    EXPECT_EQ(parsed.exit_status, 0);
    EXPECT_EQ(parsed.err, "");
    EXPECT_THAT(parsed.out, HasSubstr("Example"));
    EXPECT_THAT(parsed.out, HasSubstr(std::string("cleat ") + command));
    EXPECT_THAT(parsed.out, HasSubstr("--server HOST:PORT"));
  }
  EXPECT_THAT(parse_words({"--help"}).out, HasSubstr("Exit status"));
}

TEST(Options, ServeHandsOverEverySettingAsItWasGiven) {
  const auto serve = read<server::ServeOptions>({"serve", "--config", "c.toml", "--log-level", "debug", "--insecure"});
  EXPECT_EQ(serve.config_file, "c.toml");
  ASSERT_EQ(serve.flags.size(), 2u);
  std::map<std::string, std::string> given;
  for (const auto& flag : serve.flags) given[flag.name + " " + flag.origin] = flag.value;
  EXPECT_EQ(given["log-level --log-level"], "debug");
  EXPECT_EQ(given["insecure --insecure"], "true");
  const std::string text = parse_words({"serve", "--help"}).out;
  for (const auto& setting : server::settings_table()) EXPECT_THAT(text, HasSubstr("--" + std::string(setting.name)));
}

TEST(Options, Version) {
  EXPECT_THAT(parse_words({"--version"}).out, ::testing::StartsWith("cleat "));
}

}  // namespace
}  // namespace cleat::cli
