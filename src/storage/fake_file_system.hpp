// Files in memory that behave as a disk does when the power goes: of what was not synced some part survives, as the
// seed says; names not synced with their directory come back as they were. For tests and the simulator. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/file_system.hpp"

namespace cleat::storage {

class FakeFileSystem : public FileSystem {
 public:
  FakeFileSystem();
  ~FakeFileSystem() override;

  void crash(uint64_t seed);          // files that are open become dead: they succeed and change nothing
  void set_capacity(uint64_t bytes);  // of all files together; UINT64_MAX: no limit
  void fail_syncs(bool fail);         // of files: kIo
  bool flip(const std::string& path, uint64_t offset, uint8_t mask);  // rot
  std::string content(const std::string& path) const;                 // empty if there is none
  void put(const std::string& path, std::string content);             // durable at once
  void keep_copy();                                                   // of what is durable, in place of an earlier copy
  void put_copy_back();  // all is as it was when the copy was made; as after a crash
  // What was asked, in order: "create a", "sync a", "rename a b", "sync_dir d", "remove a".
  const std::vector<std::string>& calls() const { return calls_; }

  base::Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  base::Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Status make_dir(const std::string& path) override;
  base::Status sync_dir(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& dir) override;
  base::Result<uint64_t> free_bytes(const std::string& dir) override;

 private:
  struct Node {
    std::string data;
    size_t synced = 0;  // files are only appended to
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  // A change of names that no sync_dir covered yet.
  struct Change {
    std::string dir, path;
    std::shared_ptr<Node> node;  // null: gone
  };
  class Writable;
  class Readable;

  void change(const std::string& path, std::shared_ptr<Node> node);
  uint64_t used() const;

  Names now_, durable_;
  std::map<std::string, std::string> copy_;
  std::vector<Change> unsynced_;
  std::vector<std::string> calls_;
  uint64_t capacity_ = UINT64_MAX;
  uint64_t generation_ = 0;
  bool fail_syncs_ = false;
};

}  // namespace cleat::storage
