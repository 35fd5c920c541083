#include "net/peer_channel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace cleat::net {
namespace {

constexpr std::string_view kMagic = "clt";
constexpr size_t kGreetingHeader = 8;
constexpr char kHello = 'h', kProof = 'p', kAccept = 'a', kRefuse = 'r';
constexpr size_t kSmallInput = 64u << 10, kLeastSpace = 16u << 10;
constexpr size_t kKeptInput = 2u << 20;  // bytes; a larger buffer is given back when empty
constexpr uint32_t kLengthMask = (1u << 28) - 1;
static_assert(kMostPeerMessage <= kLengthMask);

constexpr std::string_view kStranger =
    "what came is not the protocol between members (clients connect to the address of --listen)";
constexpr std::string_view kOtherSecret =
    "the cluster secrets differ: every member needs the same --cluster-secret-file";
constexpr std::string_view kDamaged = "a message arrived damaged";

std::string length_and(std::string_view body) {
  std::string out;
  base::Writer(out).bytes(body);
  return out;
}

uint32_t read32(const char* p) {
  uint32_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

uint32_t check_of_length(uint32_t length, uint64_t seed) {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(&length, sizeof length, seed));
}

Digest proof_of(PeerEnd end, std::string_view secret, const Digest& transcript) {
  return hmac_sha256(secret, {end == PeerEnd::kDialed ? "cleat peer dialed" : "cleat peer accepted",  //
                              as_text(transcript)});
}

}  // namespace

std::string plain_text(std::string_view text, size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

PeerChannel::PeerChannel(PeerEnd side, const PeerHello& mine, std::string_view secret, const Nonce& nonce)
    : side_(side),
      secret_(secret),
      my_hello_(encode(mine, nonce)),
      my_oldest_(mine.oldest_version),
      my_newest_(mine.newest_version) {
  if (side_ == PeerEnd::kDialed) say(kHello, my_hello_);
}

void PeerChannel::say(char letter, std::string_view body) {
  base::Writer w(output_);
  output_.append(kMagic);
  output_.push_back(letter);
  w.fixed32(static_cast<uint32_t>(body.size()));
  output_.append(body);
}

void PeerChannel::end(std::string why) {
  state_ = State::kEnded;
  why_ = std::move(why);
}

void PeerChannel::end_telling(std::string why, std::string_view told) {
  say(kRefuse, told.substr(0, kMostRefusalText));
  end(std::move(why));
}

void PeerChannel::admit() {
  CLEAT_CHECK(state_ == State::kAsking, "who has proven itself is admitted, once");
  if (side_ == PeerEnd::kAccepted) say(kAccept, as_text(proof_of(PeerEnd::kAccepted, secret_, transcript_)));
  const Digest seeds = hmac_sha256(secret_, {"cleat peer messages", as_text(transcript_)});
  const bool dialed = side_ == PeerEnd::kDialed;
  std::memcpy(dialed ? &seed_out_ : &seed_in_, seeds.data(), 8);
  std::memcpy(dialed ? &seed_in_ : &seed_out_, seeds.data() + 8, 8);
  state_ = State::kOpen;
}

void PeerChannel::refuse(std::string_view why) {
  CLEAT_CHECK(state_ == State::kAsking || state_ == State::kOpen, "only who has proven itself is told a reason");
  const std::string_view told = why.substr(0, kMostRefusalText);
  if (state_ == State::kAsking && side_ == PeerEnd::kAccepted) return end_telling(plain_text(why), told);
  if (state_ == State::kAsking) admit();  // the other end has admitted this one: what it reads now is messages
  const auto header = frame(kGoodbye, told);
  output_.append(header.data(), header.size());
  output_.append(told);
  end(plain_text(why));
}

// Bytes of what stands at the beginning of the input, as far as that is known. The length was not looked at by the
// others yet, so it is bounded here, too.
size_t PeerChannel::wanted() const {
  const std::string_view in = unread();
  const size_t header = state_ == State::kOpen ? kPeerFrameHeader : kGreetingHeader;
  if (in.size() < header) return header;
  if (state_ == State::kOpen) return header + std::min<size_t>(read32(in.data()) & kLengthMask, kMostPeerMessage);
  return header + std::min<size_t>(read32(in.data() + 4), kMostGreeting);
}

std::span<char> PeerChannel::space() {
  if (state_ == State::kEnded) return {};
  const size_t size = unread().size();
  if (size == 0) {
    begin_ = end_ = 0;
    if (capacity_ > kKeptInput) input_.reset(), capacity_ = 0;
  }
  const size_t needed = std::max(wanted(), size) + kLeastSpace;
  if (begin_ + needed > capacity_) {
    const char* from = input_.get() + begin_;
    if (needed > capacity_) {
      const size_t larger = (needed + kSmallInput - 1) / kSmallInput * kSmallInput;
      auto bytes = std::unique_ptr<char[]>(new char[larger]);
      if (size > 0) std::memcpy(bytes.get(), from, size);
      input_ = std::move(bytes);
      capacity_ = larger;
    } else {
      std::memmove(input_.get(), from, size);
    }
    begin_ = 0;
    end_ = size;
  }
  return {input_.get() + end_, capacity_ - end_};
}

void PeerChannel::received(size_t bytes) {
  CLEAT_CHECK(bytes <= capacity_ - end_, "no more than space() gave");
  end_ += bytes;
  greet();
}

void PeerChannel::greet() {
  while (state_ == State::kGreeting && take_greeting()) {
  }
}

// false: more bytes are needed.
bool PeerChannel::take_greeting() {
  const std::string_view in = unread();
  const size_t seen = std::min(in.size(), kMagic.size());
  if (in.substr(0, seen) != kMagic.substr(0, seen)) return end(std::string(kStranger)), false;
  if (in.size() < kGreetingHeader) return false;
  const size_t length = read32(in.data() + 4);
  if (length > kMostGreeting) return end(std::string(kStranger)), false;
  if (in.size() < kGreetingHeader + length) return false;
  const std::string_view body = in.substr(kGreetingHeader, length);
  const char letter = in[kMagic.size()];
  const char expected = !met_ ? kHello : side_ == PeerEnd::kDialed ? kAccept : kProof;
  begin_ += kGreetingHeader + length;
  if (letter == kRefuse) {
    refused_by_them_ = true;
    end(plain_text(body));
  } else if (letter != expected) {
    end(std::string(kStranger));
  } else if (letter == kHello) {
    take_hello(body);
  } else {
    take_proof(body);
  }
  return true;
}

void PeerChannel::take_hello(std::string_view body) {
  Nonce nonce;
  auto hello = decode_peer_hello(body, nonce);
  if (!hello.ok()) return end(hello.status().message());
  theirs_ = *std::move(hello);
  met_ = true;
  version_ = std::min(my_newest_, theirs_.newest_version);
  if (version_ < my_oldest_ || version_ < theirs_.oldest_version) {
    const auto line = [](std::string_view who, uint32_t oldest, uint32_t newest, uint32_t o, uint32_t n) {
      return fmt::format(
          "{} speaks the protocol between members in versions {} to {}, and this one {} to {}: upgrade "
          "the older one step by step",
          who, oldest, newest, o, n);
    };
    return end_telling(
        line("the other member", theirs_.oldest_version, theirs_.newest_version, my_oldest_, my_newest_),
        line("the other member", my_oldest_, my_newest_, theirs_.oldest_version, theirs_.newest_version));
  }
  const std::string first = length_and(side_ == PeerEnd::kDialed ? my_hello_ : body);
  const std::string second = length_and(side_ == PeerEnd::kDialed ? body : my_hello_);
  transcript_ = sha256({first, second});
  if (side_ == PeerEnd::kAccepted) return say(kHello, my_hello_);
  say(kProof, as_text(proof_of(PeerEnd::kDialed, secret_, transcript_)));
}

void PeerChannel::take_proof(std::string_view body) {
  const PeerEnd other = side_ == PeerEnd::kDialed ? PeerEnd::kAccepted : PeerEnd::kDialed;
  Digest given{};
  if (body.size() == given.size()) std::copy(body.begin(), body.end(), given.begin());
  const bool right = same_digest(given, proof_of(other, secret_, transcript_)) && body.size() == given.size();
  if (!right) return end_telling(std::string(kOtherSecret), kOtherSecret);
  state_ = State::kAsking;
}

std::array<char, kPeerFrameHeader> PeerChannel::frame(FrameKind kind, std::string_view body) {
  CLEAT_CHECK(state_ == State::kOpen && body.size() <= kMostPeerMessage,
              "messages follow the handshake, within bounds");
  const uint64_t seed = seed_out_ + frames_out_++;
  const uint32_t length = static_cast<uint32_t>(kind) << 28 | static_cast<uint32_t>(body.size());
  const uint32_t length_check = check_of_length(length, seed);
  const uint64_t body_check = XXH3_64bits_withSeed(body.data(), body.size(), seed);
  std::array<char, kPeerFrameHeader> out;
  std::memcpy(out.data(), &length, 4);
  std::memcpy(out.data() + 4, &length_check, 4);
  std::memcpy(out.data() + 8, &body_check, 8);
  return out;
}

std::optional<std::string_view> PeerChannel::next() {
  if (state_ != State::kOpen || unread().size() < kPeerFrameHeader) return std::nullopt;
  const std::string_view in = unread();
  const uint64_t seed = seed_in_ + frames_in_;
  const uint32_t length = read32(in.data());
  const size_t size = length & kLengthMask;
  if (read32(in.data() + 4) != check_of_length(length, seed) || size > kMostPeerMessage) {
    return end(std::string(kDamaged)), std::nullopt;
  }
  if (in.size() < kPeerFrameHeader + size) return std::nullopt;
  const std::string_view body = in.substr(kPeerFrameHeader, size);
  uint64_t check = 0;
  std::memcpy(&check, in.data() + 8, sizeof check);
  if (check != XXH3_64bits_withSeed(body.data(), body.size(), seed)) return end(std::string(kDamaged)), std::nullopt;
  ++frames_in_;
  begin_ += kPeerFrameHeader + size;
  switch (length >> 28) {
    case kMessage:
      return body;
    case kGoodbye:
      refused_by_them_ = true;
      end(plain_text(body));
      return std::nullopt;
    default:
      end("a message of an unknown kind arrived");
      return std::nullopt;
  }
}

}  // namespace cleat::net
