// A data directory whose lower bound file and log file hold any bytes: opened or refused with a message, never fatal.
// The first byte splits the input between the two.
#include <filesystem>
#include <fstream>

#include "fuzzing.hpp"
#include "raft/group.hpp"
#include "raft/ready.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleat;
  if (size < 1 || size > 4096) return 0;
  static const std::string dir = fuzz::scratch_folder();
  const fuzz::ThreadsEnd threads_end(0);
  raft::Options o;
  o.dir = dir + "/data";
  o.bootstrap_voters = {1};
  o.log_file_bytes = 1u << 20;
  o.log_keep_bytes = 4u << 20;
  o.prefill = false;
  std::filesystem::remove_all(o.dir);
  {
    auto made = raft::Group::open(o);
    MUST_HOLD(made.ok());
  }
  const std::string_view bytes = fuzz::text(data + 1, size - 1);
  const size_t cut = data[0] % (bytes.size() + 1);
  if (data[0] % 2 == 0) std::ofstream(o.dir + "/bound", std::ios::binary) << bytes.substr(0, cut);
  for (const auto& file : std::filesystem::directory_iterator(o.dir + "/log")) {
    // Behind the file's end (a torn tail), or over its beginning (damage).
    const auto how =
        std::ios::binary | std::ios::in | std::ios::out | (data[0] % 3 == 0 ? std::ios::app : std::ios::ate);
    if (!file.is_regular_file() || file.path().extension() != ".raftlog") continue;
    std::fstream out(file.path(), how);
    if (data[0] % 3 != 0) out.seekp(static_cast<std::streamoff>(data[0]));
    out << bytes.substr(cut);
  }
  {
    auto group = raft::Group::open(o);
    MUST_HOLD(group.ok() || !group.status().message().empty());
  }
  return 0;
}
