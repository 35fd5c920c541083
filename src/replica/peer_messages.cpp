#include "replica/peer_messages.hpp"

#include <type_traits>

#include "base/bytes.hpp"

namespace cleat::replica {
namespace {

// One list of fields a message, walked by both directions.
class Put {
 public:
  explicit Put(PeerKind kind) { w_.u8(static_cast<uint8_t>(kind)); }
  void operator()(const uint64_t& v) { w_.varint(v); }
  void operator()(const uint32_t& v) { w_.varint(v); }
  void operator()(const bool& v) { w_.u8(v ? 1 : 0); }
  void operator()(const std::string_view& v) { w_.bytes(v); }
  template <class T>
  void list(const std::vector<T>& items) {
    w_.varint(items.size());
    for (const T& item : items) fields(*this, item);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  base::Writer w_{out_};
};

class Get {
 public:
  Get(PeerKind kind, std::string_view message) : r_(message) {
    if (r_.u8() != static_cast<uint8_t>(kind)) r_.fail();
  }
  void operator()(uint64_t& v) { v = r_.varint(); }
  void operator()(uint32_t& v) {
    const uint64_t wide = r_.varint();
    if (wide > UINT32_MAX) r_.fail();
    v = static_cast<uint32_t>(wide);
  }
  void operator()(bool& v) {
    const uint8_t byte = r_.u8();
    if (byte > 1) r_.fail();
    v = byte == 1;
  }
  void operator()(std::string_view& v) { v = r_.bytes(); }
  template <class T>
  void list(std::vector<T>& items) {
    items.clear();
    const uint64_t n = r_.varint();
    if (n > r_.left()) return r_.fail();  // no item is shorter than a byte
    for (uint64_t i = 0; i < n && r_.ok(); ++i) fields(*this, items.emplace_back());
  }
  bool done() const { return r_.ok() && r_.at_end(); }

 private:
  base::Reader r_;
};

template <class Walk, class M>
void fields(Walk& walk, M& m) {
  using T = std::remove_const_t<M>;
  if constexpr (std::is_same_v<T, Forward>) {
    walk(m.term), walk(m.number), walk(m.oldest), walk(m.runs);
  } else if constexpr (std::is_same_v<T, ForwardSeen>) {
    walk(m.term), walk(m.number);
  } else if constexpr (std::is_same_v<T, ReadAsk>) {
    walk(m.term), walk(m.round);
  } else if constexpr (std::is_same_v<T, ReadAnswer>) {
    walk(m.term), walk(m.round), walk(m.index);
  } else if constexpr (std::is_same_v<T, KeepAliveAsk::Item>) {
    walk(m.number), walk(m.session), walk(m.epoch), walk(m.key);
  } else if constexpr (std::is_same_v<T, KeepAliveAnswers::Item>) {
    walk(m.number), walk(m.alive), walk(m.ttl_ms), walk(m.losses);
  } else if constexpr (std::is_same_v<T, Vouches::Item>) {
    walk(m.session), walk(m.silent_ms);
  } else if constexpr (std::is_same_v<T, KeepAliveAnswers>) {
    walk(m.term), walk.list(m.items), walk(m.clock_us);
  } else if constexpr (std::is_same_v<T, KeepAliveAsk> || std::is_same_v<T, Vouches>) {
    walk(m.term), walk.list(m.items);
  } else if constexpr (std::is_same_v<T, PeerState>) {
    walk(m.level), walk(m.applied), walk(m.disk_full), walk(m.client_address), walk(m.version);
    walk(m.sent_us), walk(m.echo_us), walk(m.held_us), walk(m.name), walk(m.address);
  } else if constexpr (std::is_same_v<T, SnapshotOffer>) {
    walk(m.index), walk(m.term), walk(m.size), walk(m.wire);
  } else if constexpr (std::is_same_v<T, SnapshotGet>) {
    walk(m.index), walk(m.offset);
  } else if constexpr (std::is_same_v<T, SnapshotPiece>) {
    walk(m.index), walk(m.offset), walk(m.bytes);
  } else if constexpr (std::is_same_v<T, SnapshotDone>) {
    walk(m.index), walk(m.ok);
  } else {
    static_assert(std::is_same_v<T, Committed>);
    walk(m.term), walk(m.index);
  }
}

}  // namespace

std::string encode_raft(std::string_view wire) {
  std::string out;
  out.reserve(wire.size() + 1);
  out.push_back(static_cast<char>(PeerKind::kRaft));
  return out.append(wire);
}

// NOLINTBEGIN(bugprone-macro-parentheses): a type can't have any
#define CLEAT_MESSAGE(Type, Kind)                 \
  std::string encode(const Type& m) {             \
    Put put(Kind);                                \
    fields(put, m);                               \
    return put.take();                            \
  }                                               \
  bool decode(std::string_view from, Type& out) { \
    Get get(Kind, from);                          \
    fields(get, out);                             \
    return get.done();                            \
  }
CLEAT_MESSAGE(Forward, PeerKind::kForward)
CLEAT_MESSAGE(ForwardSeen, PeerKind::kForwardSeen)
CLEAT_MESSAGE(ReadAsk, PeerKind::kReadAsk)
CLEAT_MESSAGE(ReadAnswer, PeerKind::kReadAnswer)
CLEAT_MESSAGE(KeepAliveAsk, PeerKind::kKeepAliveAsk)
CLEAT_MESSAGE(KeepAliveAnswers, PeerKind::kKeepAliveAnswer)
CLEAT_MESSAGE(Vouches, PeerKind::kVouch)
CLEAT_MESSAGE(PeerState, PeerKind::kState)
CLEAT_MESSAGE(SnapshotOffer, PeerKind::kSnapshotOffer)
CLEAT_MESSAGE(SnapshotGet, PeerKind::kSnapshotGet)
CLEAT_MESSAGE(SnapshotPiece, PeerKind::kSnapshotPiece)
CLEAT_MESSAGE(SnapshotDone, PeerKind::kSnapshotDone)
CLEAT_MESSAGE(Committed, PeerKind::kCommitted)
#undef CLEAT_MESSAGE
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace cleat::replica
