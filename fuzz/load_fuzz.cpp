// Snapshot blocks as the machine loads them: refused, or a machine whose invariants hold and that goes on working. The
// input is offered as a sequence of blocks, each behind two bytes of length, and then used to change a good image.
#include <vector>

#include "fuzzing.hpp"
#include "lock/machine.hpp"

namespace {

using namespace cleat;

void must_work_on(lock::Machine& machine) {
  const std::string broken = machine.check_invariants();
  if (!broken.empty()) std::fprintf(stderr, "%s\n", broken.c_str());
  MUST_HOLD(broken.empty());
  lock::NullSink sink;
  lock::EntryBuilder entry;
  const int64_t now = machine.log_ms() < INT64_MAX / 2 ? machine.log_ms() + 1'000'000 : machine.log_ms();
  MUST_HOLD(machine.apply(entry.finish(now, now), sink).ok());
  MUST_HOLD(machine.check_invariants().empty());
}

void load(const std::vector<std::string>& blocks) {
  lock::Machine machine;
  for (const std::string& block : blocks) {
    if (!machine.load_block(block).ok()) return;
  }
  if (machine.finish_load().ok()) must_work_on(machine);
}

lock::Command command(lock::Verb verb, lock::By by, std::string_view name, uint64_t seq) {
  lock::Command c;
  c.verb = verb, c.by = by, c.name = name, c.seq = seq;
  return c;
}

// A hold of each kind, a waiter, a ghost, a session, a kept result, data, history.
const std::vector<std::string>& good_image() {
  static const std::vector<std::string> image = [] {
    lock::Machine machine;
    lock::NullSink sink;
    lock::EntryBuilder entry;
    entry.begin_run({1, 1, 1});
    auto lock = command(lock::Verb::kLock, lock::By::kImplicit, "a", 1);
    lock.data = "data", lock.has_data = true, lock.req = "r1", lock.owner = "o", lock.delay_ms = 60'000;
    entry.add(lock);
    lock.name = "b", lock.req = "r2", lock.seq = 2, lock.max_hold_ms = 500;
    entry.add(lock);
    auto open = command(lock::Verb::kOpenSession, lock::By::kNone, "", 3);
    open.key = "0123456789abcdef", open.ttl_ms = 60'000, open.label = "label";
    entry.begin_run({1, 1, 2});
    entry.add(open);
    auto token = command(lock::Verb::kLock, lock::By::kNone, "c", 4);
    token.token = "t", token.ttl_ms = 60'000;
    entry.add(token);
    entry.begin_run({1, 1, 3});
    auto waiter = command(lock::Verb::kLock, lock::By::kImplicit, "a", 5);
    waiter.req = "r3", waiter.async = true, waiter.wait_ms = 50'000;
    entry.add(waiter);
    MUST_HOLD(machine.apply(entry.finish(1'000, 1'000), sink).ok());
    entry.clear();
    MUST_HOLD(machine.apply(entry.finish(9'000, 9'000), sink).ok());
    std::vector<std::string> blocks;
    machine.begin_snapshot();
    while (!machine.write_some(1 << 10, [&](std::string_view b) { blocks.emplace_back(b); })) {
    }
    return blocks;
  }();
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> blocks;
  std::string_view in = fuzz::text(data, size);
  while (in.size() >= 2) {
    const size_t n = static_cast<uint8_t>(in[0]) | static_cast<size_t>(static_cast<uint8_t>(in[1])) << 8;
    in.remove_prefix(2);
    blocks.emplace_back(in.substr(0, n));
    in.remove_prefix(blocks.back().size());
  }
  load(blocks);

  auto changed = good_image();
  for (size_t i = 0; i + 3 < size && i < 64; i += 4) {
    std::string& block = changed[data[i] % changed.size()];
    const size_t at = (data[i + 1] | static_cast<size_t>(data[i + 2]) << 8) % block.size();
    block[at] ^= static_cast<char>(data[i + 3]);
  }
  load(changed);
  return 0;
}
