// A client's session with servers that say anything: it never crashes, keeps little, believes nothing beyond its TTL,
// and is over when it says so. The input is a sequence of steps: a byte for what happens, one for how much, and the
// bytes that a server sends.
#include "client/session.hpp"
#include "fuzzing.hpp"

namespace {

using namespace cleat;
using namespace std::chrono_literals;
using client::Notice;

constexpr std::string_view kHello = "%1\r\n+server\r\n+redis\r\n";
constexpr std::string_view kOpened = "%3\r\n+id\r\n:7\r\n+key\r\n$3\r\nabc\r\n+ttl\r\n:9000\r\n";
constexpr std::string_view kAlone = "-ERR MEMBERS is not supported by this version\r\n";

class Talk {
 public:
  Talk()
      : session_({.servers = {{"one", 1}, {"two", 2}}, .ttl = 9s, .label = "l", .credentials = {}, .seed = 1}, now_) {}

  void step(uint8_t what, uint8_t much, std::string_view& bytes) {
    switch (what % 8) {
      case 0:
        return disconnect();
      case 1:
        now_ += std::chrono::milliseconds(much * 20);
        return session_.tick(now_);
      case 2:
        if (requests_ < 64) ask(much);
        return;
      case 3:
        return say(much % 3 == 0 ? kHello : much % 3 == 1 ? kOpened : kAlone);
      case 4:
        if (much == 255) session_.close(now_);
        return;
      default:
        const std::string_view part = bytes.substr(0, much);
        bytes.remove_prefix(part.size());
        return say(part);
    }
  }
  // What its driver does after each step.
  void drive() {
    if (session_.wants_disconnect()) disconnect();
    if (!connected_ && session_.wants_connect(now_)) {
      MUST_HOLD(!session_.over());
      session_.connecting(now_);
      session_.connected(now_);
      connected_ = true;
    }
    MUST_HOLD(session_.output().size() < 1 << 20);
    session_.output().clear();
    while (session_.next_notice()) {
    }
    if (const auto until = session_.belief().deadline()) MUST_HOLD(*until <= now_ + 9s);
    if (session_.over()) MUST_HOLD(!session_.wants_connect(now_));
    session_.next_wake();
  }

 private:
  void say(std::string_view bytes) {
    if (connected_) session_.received(bytes, now_);
  }
  void disconnect() {
    if (!connected_) return;
    connected_ = false;
    session_.disconnected({base::Code::kIo, "gone"}, now_);
  }
  void ask(uint8_t how) {
    const std::string req = "r" + std::to_string(++requests_);
    session_.request(req, {"LOCK", "name", "FULL", "ASYNC"}, now_,
                     how % 2 == 0 ? std::nullopt : std::optional(now_ + std::chrono::milliseconds(how * 10)));
    if (how % 5 == 0) session_.give_up(req, now_);
  }

  client::TimePoint now_{1'000s};
  client::Session session_;
  bool connected_ = false;
  int requests_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes = fuzz::text(data, size);
  Talk talk;
  talk.drive();
  while (bytes.size() >= 2) {
    const auto what = static_cast<uint8_t>(bytes[0]), much = static_cast<uint8_t>(bytes[1]);
    bytes.remove_prefix(2);
    talk.step(what, much, bytes);
    talk.drive();
  }
  return 0;
}
