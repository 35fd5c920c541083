// The parts of what a seed chooses: each is drawn from a stream of its own, so that leaving one out does not shift the
// others. The minimiser runs a seed again with fewer and fewer of them.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace cleat::sim {

// Streams of dice; those up to kWireTrouble are parts that may be left out.
enum class Stream : uint8_t {
  kClientLife,   // a client takes part at all
  kFault,        // the nth fault
  kChange,       // the nth join or leave
  kUpgrade,      // a member's nth start is with another build
  kTrouble,      // the nth small trouble of a member: a short stall, input left unread, a crash while it starts
  kWireTrouble,  // the nth message from one member to another is lost, doubled or overtaken
  kClientTurn,   // what a client does in its nth turn
  kPlan,
  kClients,
  kPace,
  kServer,
  kWire,
  kBackups,
  kEnd
};
inline constexpr Stream kLastPart = Stream::kClientTurn;

// Stream, actor, number and incarnation in one word.
using Part = uint64_t;
constexpr Part part(Stream stream, uint64_t era, uint64_t actor, uint64_t n) {
  return static_cast<uint64_t>(stream) << 58 | (era & 15) << 54 | (actor & 0xffff) << 38 | (n & 0x3f'ffff'ffff);
}
constexpr Stream stream_of(Part p) {
  return static_cast<Stream>(p >> 58);
}

struct Kept {
  std::unordered_set<Part> parts;
  std::vector<int64_t> loads_us;  // how long the load lasted, of each incarnation, when all parts took part
};

}  // namespace cleat::sim
