#include "server/cluster_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleat::server {
namespace {

using ::testing::HasSubstr;

struct Given {
  std::string name, cluster, join, peer_listen, secret;
};

base::Result<ClusterSettings> settings(const Given& given) {
  Config config;
  config.name = given.name;
  config.cluster = given.cluster;
  config.join = given.join;
  config.peer_listen = given.peer_listen;
  config.cluster_secret_file = given.secret;
  return cluster_settings(config);
}

std::string error_of(const Given& given) {
  const auto out = settings(given);
  return out.ok() ? "fine" : out.status().message();
}

TEST(ClusterSettings, NoneAtAllIsANodeAlone) {
  const auto alone = settings({});
  ASSERT_TRUE(alone.ok());
  EXPECT_TRUE(alone->founders.empty() && alone->join.empty() && !alone->peer_listen);
  EXPECT_EQ(settings({"", "", "", "127.0.0.1:0", ""})->peer_listen->port, 0);
}

TEST(ClusterSettings, TheListIsSortedAndTheOwnEntryListens) {
  const auto three = settings({"b", "c=127.0.0.1:3, a=localhost:1,b=[::1]:2", "", "", ""});
  ASSERT_TRUE(three.ok()) << three.status().message();
  EXPECT_EQ(list_text(three->founders), "a=localhost:1,b=[::1]:2,c=127.0.0.1:3");
  EXPECT_EQ(three->peer_listen->text(), "[::1]:2");
  EXPECT_EQ(cluster_warning(*three), "");
  EXPECT_EQ(cluster_warning(*settings({"a", "a=127.0.0.1:1,b=127.0.0.1:2", "", "", ""})),
            "2 members stand the loss of 0, as 1 would: one more costs little and stands the loss of one more");
}

TEST(ClusterSettings, NamedHosts) {
  const std::string list = "a=db-1.example.org:7421,b=db-2:7421,c=db-3:7421";
  EXPECT_EQ(error_of({"a", list, "", "", "f"}),
            "peer-listen: a is known to the others by a name, db-1.example.org:7421: say where to listen, for all "
            "interfaces --peer-listen 0.0.0.0:7421");
  EXPECT_EQ(error_of({"a", list, "", "0.0.0.0:7421", "f"}), "fine");
  EXPECT_EQ(parse_member_address("db-1.example.org:7421")->host, "db-1.example.org");
  for (const char* bad : {"1.2.3:4", "a b:1", "db", "db:", "db:70000", ":1", "127.0.0.1:0", "db:0"}) {
    EXPECT_FALSE(parse_member_address(bad).ok()) << bad;
  }
}

TEST(ClusterSettings, EveryMistakeIsNamed) {
  const std::string list = "a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3";
  const std::vector<std::pair<Given, std::string>> rows = {
      {{"", list, "", "", ""}, "name: say which of a, b, c this node is: --name NAME"},
      {{"d", list, "", "", ""}, "name: d is not in --cluster, which lists a, b, c"},
      {{"a b", "", "", "", ""}, "name: \"a b\": the name of a member has 1 to 64 letters, digits, '.', '_' and '-'"},
      {{"a", "a=127.0.0.1:1,a=127.0.0.1:2", "", "", ""}, "cluster: a is listed twice"},
      {{"a", "a=127.0.0.1:1,b=127.0.0.1:1", "", "", ""}, "cluster: a and b have the same address, 127.0.0.1:1"},
      {{"a", "a", "", "", ""}, "cluster: \"a\" is not NAME=HOST:PORT"},
      {{"a", "a=127.0.0.1:1,", "", "", ""}, "fine"},
      {{"a", "a=127.0.0.1:1,,", "", "", ""}, "cluster: \"\" is not NAME=HOST:PORT"},
      {{"a", "a=127.0.0.1", "", "", ""}, "cluster: \"127.0.0.1\" is not HOST:PORT: the port is missing"},
      {{"a", "a=127.0.0.1:0", "", "", ""}, "cluster: \"127.0.0.1:0\" has port 0: other members need to know the port"},
      {{"a", list, "127.0.0.1:1", "", ""},
       "join: --cluster founds a cluster and --join joins one that is there: give one of them"},
      {{"", "", "127.0.0.1:1", "", ""}, "join: give this node a name, too: --name NAME"},
      {{"d", "", "127.0.0.1:1", "", ""},
       "join: say where the other members reach this node: --peer-listen HOST:PORT (the address that `cleat cluster "
       "add` is given)"},
      {{"d", "", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1:4", ""}, "fine"},
      {{"d", "", "x", "127.0.0.1:4", ""}, "join: \"x\" is not HOST:PORT: the port is missing"},
      {{"", "", "", "here", ""}, "peer-listen: \"here\" is not HOST:PORT: the port is missing"},
  };
  for (const auto& [given, error] : rows) EXPECT_EQ(error_of(given), error);
}

TEST(ClusterSettings, BeyondLoopbackASecretIsNeeded) {
  for (const Given& given : {Given{"a", "a=10.0.0.1:1,b=127.0.0.1:2", "", "127.0.0.1:1", ""},
                             Given{"d", "", "10.0.0.1:1", "127.0.0.1:4", ""}, Given{"", "", "", "0.0.0.0:1", ""},
                             Given{"d", "", "host:1", "127.0.0.1:4", ""}}) {
    EXPECT_THAT(error_of(given), HasSubstr("cluster-secret-file: "));
    Given with = given;
    with.secret = "f";
    EXPECT_EQ(error_of(with), "fine");
  }
}

TEST(ClusterSettings, TheVariableOfTheNameIsNotTheLocks) {
  std::vector<std::string> unknown;
  const std::vector<std::string> lines = {"CLEAT_NAME=orders", "CLEAT_MEMBER_NAME=a", "CLEAT_PEER_LISTEN=127.0.0.1:1"};
  const auto given = settings_of_environment(lines, &unknown);
  ASSERT_EQ(given.size(), 2u);
  EXPECT_EQ(given[0].name + "=" + given[0].value, "name=a");
  EXPECT_EQ(given[1].name, "peer-listen");
  EXPECT_TRUE(unknown.empty());
}

}  // namespace
}  // namespace cleat::server
