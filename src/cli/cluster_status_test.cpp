#include "cli/cluster_status.hpp"

#include <gtest/gtest.h>

namespace cleat::cli {
namespace {

using client::Reply;

Reply map_of(std::vector<std::pair<std::string, Reply>> fields) {
  Reply map;
  map.type = Reply::Type::kMap;
  for (auto& [key, value] : fields) {
    map.items.push_back(Reply::of(key));
    map.items.push_back(std::move(value));
  }
  return map;
}
Reply list_of(std::vector<Reply> items) {
  Reply list;
  list.type = Reply::Type::kArray;
  list.items = std::move(items);
  return list;
}
Reply number(int64_t n) {
  return Reply::of(n);
}
Reply word(std::string text) {
  return Reply::of(std::move(text));
}

Reply member(const std::string& name, int64_t id, const std::string& role, bool up, bool voter) {
  return map_of({{"id", number(id)},
                 {"name", word(name)},
                 {"role", word(role)},
                 {"peer", word("127.0.0.1:1")},
                 {"client", Reply::nil()},
                 {"up", number(up)},
                 {"lag", id == 1 ? number(0) : number(12)},
                 {"rtt_us", id == 1 ? Reply::nil() : number(1'234)},
                 {"heard_ms", id == 1 ? Reply::nil() : number(40)},
                 {"version", Reply::nil()},
                 {"level", number(1)},
                 {"boot", number(3)},
                 {"snapshot", voter ? Reply::nil() : number(40)},
                 {"voter", number(voter)}});
}

Reply status(std::vector<Reply> members, const std::string& leader = "a") {
  return map_of({{"cluster", word("e881")},
                 {"term", number(7)},
                 {"leader", leader.empty() ? Reply::nil() : word(leader)},
                 {"commit", number(1'200)},
                 {"members", list_of(std::move(members))},
                 {"name", word("a")},
                 {"waiting", Reply::nil()},
                 {"level", number(1)}});
}

TEST(ClusterStatus, Table) {
  EXPECT_EQ(
      cluster_status_text(status({member("a", 1, "leader", true, true), member("d", 4, "learner", true, false)})),
      "cluster e881, term 7, a leads, commit 1200, feature level 1 (as a sees it)\n"
      "NAME  ID  ROLE     VOTE  UP   LAG  ROUND TRIP  HEARD     SNAPSHOT  MEMBERS AT   CLIENTS AT  VERSION  STARTS\n"
      "a     1   leader   yes   yes  0    -           -         -         127.0.0.1:1  -           level 1  3\n"
      "d     4   learner  no    yes  12   1.2ms       40ms ago  40%       127.0.0.1:1  -           level 1  3\n");
}

TEST(ClusterStatus, TellsWhatKeepsTheFeatureLevelDown) {
  const auto knows = [](Reply m, int64_t level) {
    for (size_t i = 0; i < m.items.size(); i += 2)
      if (m.items[i].text == "level") m.items[i + 1] = number(level);
    return m;
  };
  const auto first_line = [](const Reply& s) {
    const std::string text = cluster_status_text(s);
    return text.substr(0, text.find('\n'));
  };
  const Reply a = knows(member("a", 1, "leader", true, true), 2), b = member("b", 2, "follower", true, true);
  EXPECT_EQ(first_line(status({a, b, knows(member("c", 3, "unknown", false, true), 2)})),
            "cluster e881, term 7, a leads, commit 1200, feature level 1 (2 once it is known to b, c) (as a sees it)");
  EXPECT_EQ(first_line(status({a, knows(b, 2)})),
            "cluster e881, term 7, a leads, commit 1200, feature level 1 (2 in a moment) (as a sees it)");
}

TEST(ClusterStatus, OfANodeThatWaits) {
  const Reply waits =
      map_of({{"name", word("c")}, {"waiting", word("this node waits for b")}, {"members", list_of({})}});
  EXPECT_EQ(cluster_status_text(waits), "c is no member yet: this node waits for b\n");
  EXPECT_FALSE(cluster_is_fine(waits));
}

TEST(ClusterStatus, FineIsALeaderAndAMajority) {
  const auto three = [](bool b, bool c, const std::string& leader) {
    return cluster_is_fine(status({member("a", 1, "leader", true, true), member("b", 2, "follower", b, true),
                                   member("c", 3, "follower", c, true), member("d", 4, "learner", true, false)},
                                  leader));
  };
  EXPECT_TRUE(three(true, true, "a"));
  EXPECT_TRUE(three(true, false, "a"));
  EXPECT_FALSE(three(false, false, "a"));  // the learner does not count
  EXPECT_FALSE(three(true, true, ""));
}

TEST(ClusterStatus, Progress) {
  EXPECT_EQ(progress_text(member("d", 4, "learner", false, false)),
            "is not reached at 127.0.0.1:1: does it run? (cleat cluster remove takes it out again)");
  EXPECT_EQ(progress_text(member("d", 4, "learner", true, false)), "gets a snapshot: 40%");
  EXPECT_EQ(progress_text(member("d", 4, "learner", true, true)), "is 12 entries behind");
  EXPECT_EQ(progress_text(member("d", 1, "learner", true, true)), "has caught up");
  const Reply all = status({member("a", 1, "leader", true, true)});
  EXPECT_EQ(find_member(all, "a")->integer_at("id"), 1);
  EXPECT_EQ(find_member(all, "b"), nullptr);
}

}  // namespace
}  // namespace cleat::cli
