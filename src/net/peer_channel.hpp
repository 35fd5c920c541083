// One connection between two members without its socket: bytes in, bytes out. First the handshake, then messages from
// the dialing to the accepting end.
//
//   dialed -> accepted   hello, with 32 random bytes
//   accepted -> dialed   hello, with 32 random bytes
//   dialed -> accepted   proof:  HMAC-SHA256(secret, "cleat peer dialed"   | SHA-256 of both hellos)
//   accepted -> dialed   accept: HMAC-SHA256(secret, "cleat peer accepted" | SHA-256 of both hellos)
//
// Labels differ, so a proof cannot be sent back to its maker; the random bytes are new, so none can be used twice; what
// the hellos say is part of it. At any point before the accept either end may send refuse with a line of text. Each of
// these is "clt" and a letter (h p a r), length u32, body. (The proofs show who is there at the start. Whoever can
// change packets under way can still cut in later: that needs TLS.)
//
// A message: kind (highest 4 bits) and length u32, check of these u32, check of the body u64, body. Both checks are
// XXH3 seeded with a number that only these two ends know, plus the count of messages before: so nothing damaged, lost,
// repeated or from another connection is taken for a message. The length has a check of its own, since a wrong one
// would have the reader wait for bytes that never come.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/hmac.hpp"
#include "net/peer_hello.hpp"

namespace cleat::net {

inline constexpr size_t kMostGreeting = 4096;     // body of a hello, proof, accept or refuse
inline constexpr size_t kMostRefusalText = 1000;  // longer texts are cut
inline constexpr size_t kPeerFrameHeader = 16;

class PeerChannel {
 public:
  enum class State : uint8_t {
    kGreeting,  // the handshake is under way
    kAsking,    // the other end has proven itself: admit() or refuse() is due, until then nothing more is read
    kOpen,
    kEnded,  // close the socket after take_output() was sent; why() tells the reason
  };

  // `nonce`: new random bytes for each connection.
  PeerChannel(PeerEnd, const PeerHello& mine, std::string_view secret, const Nonce& nonce);

  State state() const { return state_; }
  bool met() const { return met_; }                    // their hello came
  const PeerHello& theirs() const { return theirs_; }  // proven from kAsking on
  uint32_t version() const { return version_; }        // in use, from kAsking on
  // One line in plain characters, of kEnded.
  const std::string& why() const { return why_; }
  bool refused_by_them() const { return refused_by_them_; }  // why() is their text

  void admit();
  // In kAsking or kOpen: tells the other end the reason; empty: a farewell.
  void refuse(std::string_view why);

  // Room to receive into, never empty but in kEnded; then how much came. Views given by next() end with space().
  std::span<char> space();
  void received(size_t bytes);
  // The next whole message; none: more bytes are needed, or the state is not (or no longer) kOpen.
  std::optional<std::string_view> next();

  // What the handshake (or a refusal) has to send, in order before any frame made later. Gone from here.
  std::string take_output() { return std::exchange(output_, {}); }
  // What stands before `message` on the wire; makes it the next message of this connection. In kOpen, at most
  // kMostPeerMessage bytes.
  std::array<char, kPeerFrameHeader> frame(std::string_view message) { return frame(kMessage, message); }

 private:
  enum FrameKind : uint32_t { kMessage = 0, kGoodbye = 1 };

  std::array<char, kPeerFrameHeader> frame(FrameKind, std::string_view body);
  void greet();
  bool take_greeting();
  void take_hello(std::string_view body);
  void take_proof(std::string_view body);
  void say(char letter, std::string_view body);
  void end(std::string why);
  void end_telling(std::string why, std::string_view told);
  std::string_view unread() const { return {input_.get() + begin_, end_ - begin_}; }
  size_t wanted() const;

  const PeerEnd side_;
  const std::string secret_;
  std::string my_hello_;
  uint32_t my_oldest_, my_newest_;
  State state_ = State::kGreeting;
  bool met_ = false;
  PeerHello theirs_;
  Digest transcript_{};
  uint64_t seed_in_ = 0, seed_out_ = 0, frames_in_ = 0, frames_out_ = 0;
  uint32_t version_ = 0;
  std::string output_, why_;
  bool refused_by_them_ = false;

  std::unique_ptr<char[]> input_;
  size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

// Characters that a log line may have, at most `most` of them; others become '?'.
std::string plain_text(std::string_view, size_t most = kMostRefusalText);

}  // namespace cleat::net
