// For tests of this layer and of those above: a directory that goes away, a group in it, a loop that applies.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "raft/group.hpp"
#include "raft/ready.hpp"
#include "raft/virtual_disk.hpp"

namespace cleat::raft::testing {

class TempDir {
 public:
  explicit TempDir(const std::string& base = "/tmp") {
    std::string name = base + "/cleat-test-XXXXXX";
    if (!mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Bytes bytes(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}
inline std::string text(Bytes b) {
  return std::string(reinterpret_cast<const char*>(b.data()), b.size());
}

inline Options one_voter(const TempDir& dir, VirtualDisk* disk = nullptr) {
  Options o;
  o.dir = dir.path() + "/data";
  o.bootstrap_voters = {1};
  o.log_file_bytes = 1u << 20;
  o.log_keep_bytes = 4u << 20;
  o.prefill = false;
  o.disk = disk;
  return o;
}

inline std::unique_ptr<Group> open(const Options& o) {
  auto group = Group::open(o);
  if (!group.ok()) {
    ADD_FAILURE() << group.status().message();
    std::abort();
  }
  return *std::move(group);
}

// What a machine would have applied.
class Applied {
 public:
  void add(const EntryView& e) {
    last_ = e.index;
    if (e.kind == EntryKind::kPayload && !e.data.empty()) payloads_.push_back(text(e.data));
  }
  const std::vector<std::string>& payloads() const { return payloads_; }
  uint64_t last() const { return last_; }

 private:
  std::vector<std::string> payloads_;
  uint64_t last_ = 0;
};

// Takes Readys until there is none; the messages are lost. kDone, or what the persist that failed said.
inline Persisted drain(Group& group, Applied* applied) {
  while (group.has_ready()) {
    Ready ready = group.ready();
    if (Persisted p = group.persist(ready); p != Persisted::kDone) return p;
    for (size_t i = 0; i < ready.committed_count(); ++i) {
      if (applied) applied->add(ready.committed(i));
      group.applied(ready.committed(i).index);
    }
  }
  return Persisted::kDone;
}

inline void propose(Group& group, std::string_view payload) {
  ASSERT_TRUE(group.propose(bytes(payload)));
}

// What a group that is closed applies when it is opened again.
inline std::vector<std::string> reopen(const Options& o) {
  auto group = open(o);
  Applied applied;
  drain(*group, &applied);
  return applied.payloads();
}

}  // namespace cleat::raft::testing
