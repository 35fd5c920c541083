// Decoders of what lies in the log: commands, entries, settings. What decodes must come back from its own encoding.
#include <memory>

#include "fuzzing.hpp"
#include "lock/entry.hpp"
#include "lock/machine.hpp"

namespace {

using namespace cleat;

void command(std::string_view bytes) {
  lock::Command c;
  if (!lock::decode(bytes, c)) return;
  std::string encoded;
  lock::encode(c, encoded);
  std::string_view in = encoded;
  lock::Command again;
  MUST_HOLD(lock::decode(in, again) && in.empty());
  MUST_HOLD(again == c);
  lock::argument_hash(c);
}

void settings(std::string_view bytes) {
  const auto s = lock::decode_settings(bytes);
  if (!s.ok()) return;
  std::string encoded;
  lock::encode(*s, encoded);
  const auto again = lock::decode_settings(encoded);
  MUST_HOLD(again.ok() && *again == *s);
}

void entry(std::string_view bytes) {
  lock::EntryReader reader(bytes);
  base::ConnectionRef from;
  lock::Command c;
  while (reader.next_run(from)) {
    while (reader.next_command(c)) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text(data, size);
  command(bytes);
  settings(bytes);
  entry(bytes);
  // Any bytes may be offered as an entry: refused whole, or applied and nothing broken. What was refused has left no
  // trace, so the next input gets the same machine.
  static std::unique_ptr<lock::Machine> machine;
  if (!machine) machine = std::make_unique<lock::Machine>();
  lock::NullSink sink;
  const auto status = machine->apply(bytes, sink);
  if (!status.ok()) {
    MUST_HOLD(machine->revision().value == 0 && machine->log_ms() == 0);
    return 0;
  }
  const std::string broken = machine->check_invariants();
  if (!broken.empty()) std::fprintf(stderr, "%s\n", broken.c_str());
  MUST_HOLD(broken.empty());
  machine.reset();
  return 0;
}
