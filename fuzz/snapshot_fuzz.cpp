// Snapshot files: every byte of a damaged one must be found out or not matter; reading ends and never crashes. A
// frame's checksum would keep the fuzzer out, so it also changes a good file at places of its choice.
#include "fuzzing.hpp"
#include "storage/fake_file_system.hpp"
#include "storage/snapshot.hpp"

namespace {

using namespace cleat;

bool whole(const std::string& content) {
  storage::FakeFileSystem fs;
  fs.put("d/snapshot", content);
  auto reader = storage::SnapshotReader::open(fs, "d/snapshot");
  if (!reader.ok()) return false;
  for (;;) {
    auto block = (*reader)->next();
    if (!block.ok()) return false;
    if (!block->has_value()) return true;
  }
}

const std::string& good_file() {
  static const std::string content = [] {
    storage::FakeFileSystem fs;
    auto writer = storage::SnapshotWriter::begin(fs, "d", {1, 1, 7, 2, "members"});
    MUST_HOLD(writer.ok());
    for (const char* block : {"first", "second", "third block"}) MUST_HOLD((*writer)->add(block).ok());
    auto path = (*writer)->finish();
    MUST_HOLD(path.ok());
    return fs.content(*path);
  }();
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  whole(std::string(fuzz::text(data, size)));
  MUST_HOLD(whole(good_file()));
  std::string changed = good_file();
  for (size_t i = 0; i + 1 < size && i < 16; i += 2)
    changed[data[i] % changed.size()] ^= static_cast<char>(data[i + 1]);
  MUST_HOLD(whole(changed) == (changed == good_file()));
  if (size > 0) MUST_HOLD(!whole(good_file().substr(0, data[0] % good_file().size())));
  return 0;
}
