// What members say to each other: one byte of kind, then the fields in order (docs/formats.md). Views point into the
// message. Whoever reads checks everything: a peer is trusted to be who it is, not to be right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cleat::replica {

enum class PeerKind : uint8_t {
  kRaft = 1,         // an eraftpb.Message
  kForward = 2,      // commands for the leader
  kForwardSeen = 3,  // ... that it took
  kReadAsk = 4,
  kReadAnswer = 5,
  kKeepAliveAsk = 6,
  kKeepAliveAnswer = 7,
  kVouch = 8,
  kState = 9,
  kSnapshotOffer = 10,
  kSnapshotGet = 11,
  kSnapshotPiece = 12,
  kSnapshotDone = 13,
  kCommitted = 14,
};

// Runs that the sender's connections asked for, as the body of an entry without a stamp. A leader takes those of its
// own term only, each number once and in order; they are sent again until it says so.
struct Forward {
  uint64_t term = 0, number = 0;
  uint64_t oldest = 0;  // numbers below it will not come, or not again
  std::string_view runs;
};
struct ForwardSeen {
  uint64_t term = 0, number = 0;  // all up to it are taken
};

// Asks for a proof of leadership begun after this is read; the answer's entry must be applied before the reads of that
// round may be answered.
struct ReadAsk {
  uint64_t term = 0, round = 0;
};
struct ReadAnswer {
  uint64_t term = 0, round = 0, index = 0;
};

struct KeepAliveAsk {
  struct Item {
    uint64_t number = 0, session = 0;
    uint32_t epoch = 0;
    std::string_view key;
  };
  uint64_t term = 0;
  std::vector<Item> items;
};
struct KeepAliveAnswers {
  struct Item {
    uint64_t number = 0;
    bool alive = false;
    uint64_t ttl_ms = 0, losses = 0;
  };
  uint64_t term = 0;
  std::vector<Item> items;
  uint64_t clock_us = 0;  // the leader's
};

struct Vouches {
  struct Item {
    uint64_t session = 0, silent_ms = 0;
  };
  uint64_t term = 0;
  std::vector<Item> items;
};

// Said now and then by everyone to everyone.
struct PeerState {
  uint32_t level = 0;  // features that it knows
  uint64_t applied = 0;
  bool disk_full = false;
  std::string_view client_address, version;
  uint64_t sent_us = 0;                // the sender's clock
  uint64_t echo_us = 0, held_us = 0;   // the receiver's sent_us that came last, and how long ago that was; 0: none
  std::string_view name{}, address{};  // the sender's own, for members that were away when it joined
};

// A snapshot that the receiver lacks. It asks for the pieces at its own pace, again after a lost connection, and says
// at the end whether it could use it. `wire` is the eraftpb.Message to step once the file is whole.
struct SnapshotOffer {
  uint64_t index = 0, term = 0, size = 0;
  std::string_view wire;
};
struct SnapshotGet {
  uint64_t index = 0, offset = 0;
};
struct SnapshotPiece {
  uint64_t index = 0, offset = 0;
  std::string_view bytes;
};
struct SnapshotDone {
  uint64_t index = 0;
  bool ok = false;
};

// The sender leads that term; entries up to this one are committed, and the receiver acknowledged them to it.
struct Committed {
  uint64_t term = 0, index = 0;
};

inline PeerKind kind_of(std::string_view message) {
  return message.empty() ? PeerKind{} : static_cast<PeerKind>(message[0]);
}

std::string encode_raft(std::string_view wire);
std::string encode(const Forward&);
std::string encode(const ForwardSeen&);
std::string encode(const ReadAsk&);
std::string encode(const ReadAnswer&);
std::string encode(const KeepAliveAsk&);
std::string encode(const KeepAliveAnswers&);
std::string encode(const Vouches&);
std::string encode(const PeerState&);
std::string encode(const SnapshotOffer&);
std::string encode(const SnapshotGet&);
std::string encode(const SnapshotPiece&);
std::string encode(const SnapshotDone&);
std::string encode(const Committed&);

// False: malformed, or another kind; `out` is then unspecified.
bool decode(std::string_view message, Forward& out);
bool decode(std::string_view message, ForwardSeen& out);
bool decode(std::string_view message, ReadAsk& out);
bool decode(std::string_view message, ReadAnswer& out);
bool decode(std::string_view message, KeepAliveAsk& out);
bool decode(std::string_view message, KeepAliveAnswers& out);
bool decode(std::string_view message, Vouches& out);
bool decode(std::string_view message, PeerState& out);
bool decode(std::string_view message, SnapshotOffer& out);
bool decode(std::string_view message, SnapshotGet& out);
bool decode(std::string_view message, SnapshotPiece& out);
bool decode(std::string_view message, SnapshotDone& out);
bool decode(std::string_view message, Committed& out);

}  // namespace cleat::replica
