// Requests: every option and every refusal of this layer, each with its exact line.
#include "resp/request.hpp"

#include <gtest/gtest.h>

#include "resp/cursor.hpp"
#include "resp/option_table.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

// Words separated by blanks; `~` stands for an empty word.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out;
  size_t i = 0;
  while (i <= line.size()) {
    const size_t end = std::min(line.find(' ', i), line.size());
    if (end > i) out.push_back(line.substr(i, end - i) == "~" ? "" : line.substr(i, end - i));
    i = end + 1;
  }
  return out;
}

class Requests : public testing::Test {
 protected:
  Request& parse(const std::vector<std::string>& words) {
    words_ = words;
    views_.assign(words_.begin(), words_.end());
    parse_request({views_, limits_, protocol_}, request_);
    return request_;
  }
  std::string error_of(const std::vector<std::string>& words) {
    parse(words);
    return request_.refused() ? std::get<Refusal>(request_.body).line : "(no error)";
  }
  std::string error(const std::string& line) { return error_of(split(line)); }
  template <class T>
  T& body(const std::string& line) {
    parse(split(line));
    EXPECT_TRUE(std::holds_alternative<T>(request_.body)) << line << ": " << error(line);
    return std::get<T>(request_.body);
  }
  lock::Command& command(const std::string& line) { return body<Change>(line).command; }

  Limits limits_;
  Protocol protocol_ = Protocol::kResp3;
  std::vector<std::string> words_;
  std::vector<std::string_view> views_;
  Request request_;
};

TEST_F(Requests, LockDefaults) {
  lock::Command expected;
  expected.verb = lock::Verb::kLock;
  expected.name = "a";
  EXPECT_EQ(command("LOCK a"), expected);
  EXPECT_FALSE(std::get<Change>(request_.body).full);
  expected.wait_ms = 0;
  EXPECT_EQ(command("trylock a"), expected);
  expected.token = "t";
  expected.ttl_ms = 60000;
  EXPECT_EQ(command("lock a token t ttl 60000"), expected);  // WAIT of a token is 0
}

TEST_F(Requests, LockWithEverything) {
  lock::Command expected;
  expected.verb = lock::Verb::kLock;
  expected.name = "a";
  expected.owner = "o";
  expected.req = "r";
  expected.data = "d";
  expected.has_data = true;
  expected.mode = lock::Mode::kSharedIntentExclusive;
  expected.priority = 9;
  expected.no_reentry = true;
  expected.async = true;
  expected.wait_ms = 5;
  expected.ttl_ms = 500;
  expected.max_hold_ms = 1;
  expected.delay_ms = 86400000;
  EXPECT_EQ(
      command(
          "Lock a six FULL delay 86400000 MaxHold 1 TTL 500 WAIT 5 ASYNC NOREENTRY PRIORITY 9 DATA d REQ r OWNER o"),
      expected);
  EXPECT_TRUE(std::get<Change>(request_.body).full);
  EXPECT_TRUE(command("LOCK a DATA ~").has_data);
}

TEST_F(Requests, Modes) {
  for (int i = 0; i < lock::kModes; ++i) {
    const auto mode = static_cast<lock::Mode>(i);
    EXPECT_EQ(command("LOCK a " + std::string(lock::short_name(mode))).mode, mode);
    EXPECT_EQ(command("LOCK a " + lower_copy(lock::long_name(mode)) + " WAIT 1").mode, mode);
  }
}

TEST_F(Requests, HoldersCommands) {
  lock::Command expected;
  expected.verb = lock::Verb::kUnlock;
  expected.name = "a";
  EXPECT_EQ(command("UNLOCK a"), expected);
  expected.owner = "o", expected.fence = base::Fence{9}, expected.req = "r";
  EXPECT_EQ(command("UNLOCK a OWNER o FENCE 9 REQ r"), expected);
  expected = {};
  expected.verb = lock::Verb::kRenew, expected.name = "a", expected.token = "t", expected.ttl_ms = 1000;
  EXPECT_EQ(command("RENEW a TTL 1000 TOKEN t"), expected);
  expected = {};
  expected.verb = lock::Verb::kPut, expected.name = "a", expected.data = "x", expected.has_data = true;
  EXPECT_EQ(command("PUT a DATA x"), expected);
  expected = {};
  expected.verb = lock::Verb::kCancel, expected.req = "r";
  EXPECT_EQ(command("CANCEL r"), expected);
  expected.token = "t", expected.name = "a";
  EXPECT_EQ(command("CANCEL r TOKEN t a"), expected);
}

TEST_F(Requests, Sessions) {
  lock::Command expected;
  expected.verb = lock::Verb::kOpenSession, expected.ttl_ms = 10'000;
  EXPECT_EQ(command("SESSION OPEN"), expected);
  expected.ttl_ms = 30'000, expected.label = "web";
  EXPECT_EQ(command("session open label web ttl 30000"), expected);
  expected = {};
  expected.verb = lock::Verb::kAttachSession, expected.session = base::SessionId{7}, expected.key = "k";
  EXPECT_EQ(command("SESSION ATTACH 7 k"), expected);
  expected.takeover = true;
  EXPECT_EQ(command("SESSION ATTACH 7 k TAKEOVER"), expected);
  EXPECT_EQ(command("SESSION CLOSE").verb, lock::Verb::kCloseSession);
  EXPECT_TRUE(body<KeepAlive>("SESSION KEEPALIVE").pairs.empty());
  const auto& pairs = body<KeepAlive>("SESSION KEEPALIVE 1 a 2 b").pairs;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[1].id.value, 2u);
  EXPECT_EQ(pairs[1].key, "b");
  EXPECT_EQ(body<SessionShow>("SESSION SHOW").id.value, 0u);
  EXPECT_EQ(body<SessionShow>("SESSION SHOW 4").id.value, 4u);
  EXPECT_EQ(body<SessionList>("SESSION LIST COUNT 5 CURSOR " + encode_number_cursor(77)).after.value, 77u);
  EXPECT_EQ(std::get<SessionList>(request_.body).count, 5u);
}

TEST_F(Requests, Reads) {
  EXPECT_EQ(body<Check>("CHECK a FENCE 5").fence.value, 5u);
  EXPECT_EQ(body<Show>("SHOW a").page.count, 100u);
  EXPECT_TRUE(body<Show>("SHOW a LOCAL COUNT 3").local);
  EXPECT_EQ(body<Show>("SHOW a CURSOR " + encode_number_cursor(6)).page.cursor, 6u);
  EXPECT_EQ(body<Locks>("LOCKS STATE waited PREFIX db/").state, lock::LockState::kWaited);
  EXPECT_EQ(std::get<Locks>(request_.body).prefix, "db/");
  EXPECT_EQ(body<Locks>("LOCKS CURSOR " + encode_cursor({3, "x"})).cursor.after_name, "x");
  EXPECT_EQ(body<History>("HISTORY a COUNT 2").count, 2u);
  EXPECT_EQ(body<EventsFrom>("EVENTS FROM 12 PREFIX a").from->value, 12u);
  EXPECT_FALSE(body<EventsFrom>("EVENTS").from.has_value());
  EXPECT_TRUE(body<Subscribe>("PSUBSCRIBE cleat:*").pattern);
  EXPECT_FALSE(body<Subscribe>("subscribe a b").pattern);
  EXPECT_TRUE(body<Unsubscribe>("PUNSUBSCRIBE").channels.empty());
}

TEST_F(Requests, Connections) {
  const auto hello = body<Hello>("HELLO 3 AUTH default pw SETNAME me");
  EXPECT_EQ(hello.protocol, Protocol::kResp3);
  EXPECT_EQ(hello.password, "pw");
  EXPECT_EQ(hello.client_name, "me");
  EXPECT_FALSE(body<Hello>("HELLO").protocol.has_value());
  EXPECT_EQ(body<Auth>("AUTH pw").user, "default");
  EXPECT_EQ(body<Auth>("AUTH u pw").user, "u");
  EXPECT_EQ(body<Ping>("PING hi").message, "hi");
  body<JustOk>("SELECT 0");
  EXPECT_TRUE(body<ClientKill>("CLIENT KILL 1.2.3.4:5").old_form);
  EXPECT_EQ(body<ClientKill>("CLIENT KILL ID 5 SKIPME no").id, 5u);
  EXPECT_EQ(body<ClientList>("CLIENT LIST ID 5 6").ids.size(), 2u);
  EXPECT_TRUE(body<ClientSetInfo>("CLIENT SETINFO lib-ver 1.0").version);
  EXPECT_EQ(body<ConfigGet>("CONFIG GET save appendonly").patterns.size(), 2u);
  EXPECT_EQ(body<ConfigSet>("CONFIG SET log-level debug").pairs.size(), 2u);
  EXPECT_EQ(body<InfoQuery>("INFO server").sections.size(), 1u);
  EXPECT_EQ(body<CommandQuery>("COMMAND DOCS lock").subcommand, "docs");
  EXPECT_TRUE(body<CommandQuery>("COMMAND").subcommand.empty());
  EXPECT_EQ(body<HelpQuery>("SESSION HELP").container->name, "session");
  using Members = MembersChange::Kind;
  body<MembersStatus>("members status");
  EXPECT_EQ(body<MembersChange>("MEMBERS ADD d=[::1]:7=1").name, "d");
  EXPECT_EQ(body<MembersChange>("MEMBERS ADD d=[::1]:7=1").address, "[::1]:7=1");
  EXPECT_EQ(body<MembersChange>("MEMBERS ADD d=[::1]:7").kind, Members::kAdd);
  EXPECT_EQ(body<MembersChange>("MEMBERS remove d").kind, Members::kRemove);
  EXPECT_EQ(body<MembersChange>("MEMBERS PROMOTE d").kind, Members::kPromote);
  EXPECT_EQ(body<MembersChange>("MEMBERS TRANSFER d").kind, Members::kTransfer);
  EXPECT_EQ(body<MembersChange>("MEMBERS TRANSFER d").name, "d");
  EXPECT_EQ(body<MembersChange>("MEMBERS TRANSFER").name, "");
  EXPECT_FALSE(body<MembersBackup>("MEMBERS BACKUP").local);
  EXPECT_FALSE(body<MembersBackup>("MEMBERS BACKUP").offset);
  EXPECT_TRUE(body<MembersBackup>("MEMBERS BACKUP local").local);
  EXPECT_EQ(body<MembersBackup>("MEMBERS BACKUP READ 262144").offset, 262144u);
}

TEST_F(Requests, Refusals) {
  const std::pair<std::string, std::string> kRows[] = {
      {"NOSUCH", "ERR unknown command 'NOSUCH', with args beginning with: "},
      {"NOSUCH a b", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "},
      {"session|open", "ERR unknown command 'session|open', with args beginning with: "},
      {"CONVERT a X", "ERR CONVERT is not supported by this version of Cleat"},
      {"lockall 1 a X", "ERR LOCKALL is not supported by this version of Cleat"},
      {"UNLOCKALL 1 a", "ERR UNLOCKALL is not supported by this version of Cleat"},
      {"SETLIMIT a 5", "ERR SETLIMIT is not supported by this version of Cleat"},
      {"REVOKE a", "ERR REVOKE is not supported by this version of Cleat"},
      {"MEMBERS", "ERR wrong number of arguments for 'members' command"},
      {"MEMBERS BACKUP READ", "ERR this is asked as MEMBERS BACKUP [LOCAL|READ offset], the offset a whole number"},
      {"MEMBERS BACKUP READ -1", "ERR this is asked as MEMBERS BACKUP [LOCAL|READ offset], the offset a whole number"},
      {"MEMBERS BACKUP now", "ERR this is asked as MEMBERS BACKUP [LOCAL|READ offset], the offset a whole number"},
      {"MEMBERS ADD d", "ERR 'd' is not name=host:port, as in MEMBERS ADD d=10.0.0.4:7421"},
      {"MEMBERS ADD =h:1", "ERR '=h:1' is not name=host:port, as in MEMBERS ADD d=10.0.0.4:7421"},
      {"MEMBERS ADD d=", "ERR 'd=' is not name=host:port, as in MEMBERS ADD d=10.0.0.4:7421"},
      {"MEMBERS REMOVE", "ERR wrong number of arguments for 'members|remove' command"},
      {"MEMBERS TRANSFER a b", "ERR too many arguments: MEMBERS TRANSFER [name]"},
      {"LOCK a LIMIT 5", "ERR LIMIT is not supported by this version of Cleat: leave it out"},
      {"LOCK a PERMITS 5", "ERR PERMITS is not supported by this version of Cleat: leave it out"},
      {"LOCK a TREE", "ERR TREE is not supported by this version of Cleat: leave it out"},
      {"TRYLOCK a PREEMPT 5", "ERR PREEMPT is not supported by this version of Cleat: leave it out"},
      {"LOCK", "ERR wrong number of arguments for 'lock' command"},
      {"CHECK a", "ERR wrong number of arguments for 'check' command"},
      {"SESSION", "ERR wrong number of arguments for 'session' command"},
      {"SESSION CLOSE x", "ERR wrong number of arguments for 'session|close' command"},
      {"SESSION WHAT", "ERR unknown subcommand 'WHAT'. Try SESSION HELP."},
      {"CLIENT MAINT_NOTIFICATIONS on", "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."},
      {"LOCK ~", "BADNAME the name is empty: give 1 to 512 bytes"},
      {"LOCK a b",
       "ERR unknown option 'b' of LOCK: it takes WAIT, TTL, OWNER, TOKEN, PRIORITY, NOREENTRY, MAXHOLD, DELAY, DATA, "
       "REQ, ASYNC, FULL"},
      {"UNLOCK a WAIT 5", "ERR unknown option 'WAIT' of UNLOCK: it takes OWNER, TOKEN, REQ, FENCE"},
      {"LOCK a WAIT",
       "ERR WAIT needs a value: LOCK name "
       "[EXCLUSIVE|SHARED|UPDATE|INTENT-SHARED|INTENT-EXCLUSIVE|SHARED-INTENT-EXCLUSIVE] [WAIT ms] [TTL "
       "ms] [OWNER owner] [TOKEN token] [PRIORITY 0..9] [NOREENTRY] [MAXHOLD ms] [DELAY ms] [DATA data] "
       "[REQ id] [ASYNC] [FULL]"},
      {"LOCK a TTL 1000 ttl 1000", "ERR TTL is given twice: give it once"},
      {"LOCK a FULL FULL", "ERR FULL is given twice: give it once"},
      {"LOCK a WAIT -1", "ERR WAIT of LOCK must be a whole number from 0 to 31536000000 (max-wait-ms), not '-1'"},
      {"LOCK a WAIT 1s", "ERR WAIT of LOCK must be a whole number from 0 to 31536000000 (max-wait-ms), not '1s'"},
      {"LOCK a TTL 499", "ERR TTL of LOCK must be a whole number from 500 to 86400000 (max-ttl-ms), not '499'"},
      {"LOCK a TTL 86400001",
       "ERR TTL of LOCK must be a whole number from 500 to 86400000 (max-ttl-ms), not '86400001'"},
      {"SESSION OPEN TTL 1",
       "ERR TTL of SESSION OPEN must be a whole number from 500 to 86400000 (max-ttl-ms), not '1'"},
      {"LOCK a PRIORITY 10", "ERR PRIORITY of LOCK must be a whole number from 0 to 9, not '10'"},
      {"LOCK a MAXHOLD 0", "ERR MAXHOLD of LOCK must be a whole number from 1 to 31536000000 (max-wait-ms), not '0'"},
      {"LOCK a DELAY 86400001",
       "ERR DELAY of LOCK must be a whole number from 0 to 86400000 (max-ttl-ms), not '86400001'"},
      {"UNLOCK a FENCE 0", "ERR FENCE of UNLOCK must be a whole number from 1 to 9007199254740991, not '0'"},
      {"LOCK a TOKEN ~ TTL 1000", "ERR TOKEN of LOCK has 0 bytes: give 1 to 64 (max-token-bytes)"},
      {"LOCK a REQ ~", "ERR REQ of LOCK has 0 bytes: give 1 to 64 (max-req-bytes)"},
      {"LOCK a TOKEN t OWNER o TTL 1000",
       "ERR TOKEN and OWNER exclude each other: a token's hold has no session and no owner"},
      {"UNLOCK a TOKEN t OWNER o",
       "ERR TOKEN and OWNER exclude each other: a token's hold has no session and no owner"},
      {"LOCK a TOKEN t", "ERR TOKEN needs TTL: a hold without a session ends by time only"},
      {"TRYLOCK a WAIT 5", "ERR TRYLOCK never waits: use LOCK with WAIT"},
      {"LOCK a ASYNC", "ERR ASYNC needs REQ: the push names the request by it"},
      {"RENEW a TOKEN t", "ERR RENEW needs TTL: RENEW name TTL ms [OWNER owner] [TOKEN token] [REQ id] [FENCE fence]"},
      {"PUT a OWNER o", "ERR PUT needs DATA: PUT name [OWNER owner] [TOKEN token] DATA data [REQ id] [FENCE fence]"},
      {"CHECK a LOCAL 1", "ERR unknown option 'LOCAL' of CHECK: it takes FENCE"},
      {"CANCEL ~", "ERR the id of CANCEL has 0 bytes: give the REQ of a request, 1 to 64"},
      {"CANCEL r TOKEN t", "ERR CANCEL takes an id, or an id and TOKEN token name: CANCEL id [TOKEN token name]"},
      {"CANCEL r TOKEN ~ a", "ERR TOKEN of CANCEL has 0 bytes: give 1 to 64 (max-token-bytes)"},
      {"SESSION ATTACH x k", "ERR 'x' is no session id: give the id that SESSION OPEN answered"},
      {"SESSION KEEPALIVE 1", "ERR SESSION KEEPALIVE takes pairs: SESSION KEEPALIVE [id key ...]"},
      {"SESSION LIST CURSOR !", "ERR '!' is no cursor of this command: give the one it answered, or 0 for the start"},
      {"LOCKS STATE idle", "ERR STATE must be held, waited or delayed, not 'idle'"},
      {"LOCKS COUNT 0", "ERR COUNT of LOCKS must be a whole number from 1 to 1000 (max-page), not '0'"},
      {"SHOW a COUNT 1001", "ERR COUNT of SHOW must be a whole number from 1 to 1000 (max-page), not '1001'"},
      {"HELLO 4", "NOPROTO unsupported protocol version"},
      {"HELLO x", "ERR Protocol version is not an integer or out of range"},
      {"HELLO 3 AUTH a", "ERR Syntax error in HELLO option 'AUTH'"},
      {"SELECT 1", "ERR DB index is out of range"},
      {"SELECT x", "ERR value is not an integer or out of range"},
      {"CLIENT KILL ID x", "ERR client-id should be greater than 0"},
      {"CLIENT LIST TYPE what", "ERR Unknown client type 'what'"},
      {"CLIENT SETINFO foo 1", "ERR Unrecognized option 'foo'"},
      {"CONFIG SET a b c", "ERR wrong number of arguments for 'config|set' command"},
      {"PING a b", "ERR wrong number of arguments for 'ping' command"},
  };
  for (const auto& [line, expected] : kRows) EXPECT_EQ(error(line), expected) << line;
}

TEST_F(Requests, Resp2HasNoPushes) {
  protocol_ = Protocol::kResp2;
  EXPECT_EQ(error("LOCK a REQ r ASYNC"), "ERR ASYNC needs RESP3, which carries pushes: send HELLO 3 first");
  EXPECT_EQ(error("EVENTS"),
            "ERR EVENTS needs RESP3, which carries pushes: send HELLO 3 first, or SUBSCRIBE cleat:<name>");
}

TEST_F(Requests, Names) {
  EXPECT_EQ(error_of({"LOCK", std::string(512, 'x')}), "(no error)");
  EXPECT_EQ(error_of({"LOCK", std::string(513, 'x')}),
            "BADNAME the name has 513 bytes, more than 512 (max-name-bytes): use a shorter one or its hash");
  EXPECT_EQ(error_of({"LOCK", "caf\xc3\xa9/\xf0\x9f\x94\x92"}), "(no error)");
  EXPECT_EQ(error_of({"LOCK", "a\nb"}),
            "BADNAME the name 'a\\x0ab' has a control character at byte 2: use UTF-8 text without control characters");
  EXPECT_EQ(error_of({"LOCK", "a\xc2\x85"}),
            "BADNAME the name 'a\\xc2\\x85' has a control character at byte 2: use UTF-8 text without control "
            "characters");
  EXPECT_EQ(error_of({"LOCK", "ab\xff"}),
            "BADNAME the name 'ab\\xff' has bytes that are not UTF-8 at byte 3: use UTF-8 text without control "
            "characters");
  for (const char* first : {"UNLOCK", "SHOW", "HISTORY"}) {
    EXPECT_TRUE(error_of({first, ""}).starts_with("BADNAME ")) << first;
  }
}

TEST_F(Requests, EveryByteLimitHasASetting) {
  limits_.max_owner_bytes = 2, limits_.max_token_bytes = 3, limits_.max_req_bytes = 4, limits_.max_label_bytes = 5;
  limits_.max_data_bytes = 6, limits_.max_name_bytes = 7, limits_.keepalive_pairs = 1, limits_.max_page = 8;
  EXPECT_EQ(error("LOCK a OWNER abc"), "ERR OWNER of LOCK has 3 bytes: give 0 to 2 (max-owner-bytes)");
  EXPECT_EQ(error("UNLOCK a TOKEN abcd"), "ERR TOKEN of UNLOCK has 4 bytes: give 1 to 3 (max-token-bytes)");
  EXPECT_EQ(error("LOCK a REQ abcde"), "ERR REQ of LOCK has 5 bytes: give 1 to 4 (max-req-bytes)");
  EXPECT_EQ(error("CANCEL abcde"), "ERR the id of CANCEL has 5 bytes: give the REQ of a request, 1 to 4");
  EXPECT_EQ(error("SESSION OPEN LABEL abcdef"), "ERR LABEL of SESSION OPEN has 6 bytes: give 0 to 5 (max-label-bytes)");
  EXPECT_EQ(error("PUT a DATA abcdefg"), "ERR DATA of PUT has 7 bytes: give 0 to 6 (max-data-bytes)");
  EXPECT_EQ(error("LOCKS PREFIX abcdefgh"), "ERR PREFIX of LOCKS has 8 bytes: give 0 to 7 (max-name-bytes)");
  EXPECT_EQ(error("SESSION KEEPALIVE 1 a 2 b"),
            "LIMIT 2 sessions in one KEEPALIVE, more than 1 (max-keepalive-pairs): send several");
  EXPECT_EQ(error("SHOW a COUNT 9"), "ERR COUNT of SHOW must be a whole number from 1 to 8 (max-page), not '9'");
}

TEST_F(Requests, EveryOptionOfEveryCommandWorksInAnyCase) {
  for (const CommandRow& row : command_rows()) {
    if (row.id == CommandId::kOther || row.id == CommandId::kCancel) continue;
    for (const OptionRow& option : option_rows()) {
      std::vector<std::string> words = split(display_name(row));
      if (!row.arguments.empty()) words.push_back(row.id == CommandId::kSessionAttach ? "1" : "a");
      if (row.id == CommandId::kSessionAttach) words.push_back("key");
      const auto add = [&words](const OptionRow& o) {
        words.push_back(lower_copy(o.word));
        if (o.kind == ValueKind::kInteger) words.push_back(o.id == Option::kTtl ? "1000" : "5");
        if (o.kind == ValueKind::kBytes)
          words.push_back(o.id == Option::kState ? "held" : o.id == Option::kCursor ? "0" : "x");
      };
      add(option);
      for (const OptionRow& other : option_rows()) {  // what the command or the option needs beside it
        const bool required = (other.required & command_bit(row.id)) != 0;
        const bool token_ttl = option.id == Option::kToken && other.id == Option::kTtl && row.name.ends_with("lock") &&
                               row.name != "unlock";
        const bool async_req = option.id == Option::kAsync && other.id == Option::kReq;
        if (other.id != option.id && (required || token_ttl || async_req)) add(other);
      }
      const std::string got = error_of(words);
      if (!takes(option, row.id)) {
        EXPECT_TRUE(got.starts_with("ERR unknown option '" + lower_copy(option.word) + "'")) << row.name << ": " << got;
      } else if (option.later) {
        EXPECT_TRUE(got.starts_with("ERR " + std::string(option.word) + " is not supported")) << got;
      } else if (row.id == CommandId::kTryLock && option.id == Option::kWait) {
        EXPECT_EQ(got, "ERR TRYLOCK never waits: use LOCK with WAIT");
      } else {
        EXPECT_EQ(got, "(no error)") << row.name << " " << option.word;
      }
    }
  }
}

TEST_F(Requests, ArityOfEveryRow) {
  for (const CommandRow& row : command_rows()) {
    const bool is_container = (row.flags & kContainer) != 0;
    if (is_container && row.parse == nullptr) continue;
    const std::string expected = "ERR wrong number of arguments for '" + std::string(row.name) + "' command";
    const size_t needed = static_cast<size_t>(std::abs(row.arity));
    std::vector<std::string> words = split(display_name(row));
    if (needed > words.size()) {
      auto fewer = words;
      fewer.resize(needed - 1, "1");
      EXPECT_EQ(error_of(fewer), expected);
    }
    if (row.arity > 0) {
      words.resize(needed + 1, "1");
      EXPECT_EQ(error_of(words), expected);
    }
  }
}

TEST(LimitRows, DefaultsLieInTheirRanges) {
  const Limits defaults;
  for (const LimitRow& row : limit_rows()) {
    EXPECT_GE(defaults.*row.member, row.min) << row.name;
    EXPECT_LE(defaults.*row.member, row.max) << row.name;
    EXPECT_EQ(limit_setting(row.member), row.name);
  }
}

}  // namespace
}  // namespace cleat::resp
