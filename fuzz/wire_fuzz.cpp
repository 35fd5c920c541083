// The wire filter and Raft behind it: any bytes that an authenticated peer sends are dropped or taken, never fatal. One
// member of three lives on through all inputs, so that terms and logs grow; it begins anew every 4,096.
#include <filesystem>
#include <memory>

#include "fuzzing.hpp"
#include "raft/group.hpp"
#include "raft/ready.hpp"
#include "raft/virtual_disk.hpp"

namespace {

using namespace cleat;

class Member {
 public:
  Member() {
    raft::Options o;
    o.dir = dir_ + "/data";
    o.bootstrap_voters = {1, 2, 3};
    o.log_file_bytes = 1u << 20;
    o.log_keep_bytes = 4u << 20;
    o.prefill = false;
    o.disk = &disk_;
    auto group = raft::Group::open(o);
    MUST_HOLD(group.ok());
    group_ = std::move(*group);
    settle();
  }
  ~Member() {
    group_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  raft::Group& group() { return *group_; }
  void settle() {
    for (int i = 0; i < 64 && group_->has_ready(); ++i) {
      raft::Ready ready = group_->ready();
      group_->persist(ready);
      if (const size_t n = ready.committed_count(); n > 0) group_->applied(ready.committed(n - 1).index);
    }
  }

 private:
  const std::string dir_ = fuzz::scratch_folder();
  raft::VirtualDisk disk_;
  std::unique_ptr<raft::Group> group_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<Member> member;
  static unsigned inputs = 0;
  if (size < 1 || size > 4096) return 0;
  if (inputs++ % 4096 == 0) {
    const fuzz::ThreadsEnd threads_end(1);
    member.reset();
    member = std::make_unique<Member>();
  }
  if ((data[0] & 0xf0) == 0xf0) member->group().tick();
  member->group().step(2 + (data[0] & 1u), std::as_bytes(std::span(data + 1, size - 1)),
                       cleat::raft::Group::kAnySnapshot);
  member->settle();
  return 0;
}
