#include "storage/fake_file_system.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cleat::storage {
namespace {

using base::Code;
using base::Result;
using base::Status;

std::string dir_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

uint64_t roll(uint64_t& seed) {  // splitmix64
  seed += 0x9e3779b97f4a7c15;
  uint64_t z = seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

class FakeFileSystem::Writable : public WritableFile {
 public:
  Writable(FakeFileSystem& fs, std::string path, std::shared_ptr<Node> node)
      : fs_(fs), path_(std::move(path)), node_(std::move(node)), generation_(fs.generation_) {}

  Status append(std::string_view bytes) override {
    if (generation_ != fs_.generation_) return {};
    const uint64_t used = fs_.used();
    const uint64_t room = fs_.capacity_ > used ? fs_.capacity_ - used : 0;
    node_->data.append(bytes.substr(0, std::min<uint64_t>(bytes.size(), room)));
    if (bytes.size() > room) return {Code::kNoSpace, "cannot write " + path_ + ": no space left"};
    return {};
  }

  Status sync() override {
    if (generation_ != fs_.generation_) return {};
    fs_.calls_.push_back("sync " + path_);
    if (fs_.fail_syncs_) return {Code::kIo, "cannot sync " + path_ + ": the disk says no"};
    node_->synced = node_->data.size();
    return {};
  }

 private:
  FakeFileSystem& fs_;
  std::string path_;
  std::shared_ptr<Node> node_;
  uint64_t generation_;
};

class FakeFileSystem::Readable : public ReadableFile {
 public:
  explicit Readable(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  uint64_t size() const override { return node_->data.size(); }
  Result<size_t> read_at(uint64_t offset, char* out, size_t n) const override {
    const uint64_t left = offset < node_->data.size() ? node_->data.size() - offset : 0;
    const size_t got = std::min<uint64_t>(n, left);
    if (got) std::memcpy(out, node_->data.data() + offset, got);
    return got;
  }

 private:
  std::shared_ptr<Node> node_;
};

FakeFileSystem::FakeFileSystem() = default;
FakeFileSystem::~FakeFileSystem() = default;

void FakeFileSystem::crash(uint64_t seed) {
  ++generation_;
  // Names: a journal keeps order, so the first few changes survive.
  const size_t survive = roll(seed) % (unsynced_.size() + 1);
  for (size_t i = 0; i < survive; ++i) {
    const Change& c = unsynced_[i];
    if (c.node) {
      durable_[c.path] = c.node;
    } else {
      durable_.erase(c.path);
    }
  }
  unsynced_.clear();
  now_ = durable_;
  for (auto& [path, node] : now_) {
    const size_t loose = node->data.size() - node->synced;
    const uint64_t kind = roll(seed) % 3, part = roll(seed);
    if (loose) node->data.resize(node->synced + (kind == 0 ? 0 : kind == 1 ? loose : part % loose));
    node->synced = node->data.size();
  }
}

void FakeFileSystem::set_capacity(uint64_t bytes) {
  capacity_ = bytes;
}
void FakeFileSystem::fail_syncs(bool fail) {
  fail_syncs_ = fail;
}

bool FakeFileSystem::flip(const std::string& path, uint64_t offset, uint8_t mask) {
  const auto it = now_.find(path);
  if (it == now_.end() || offset >= it->second->data.size()) return false;
  it->second->data[offset] = static_cast<char>(it->second->data[offset] ^ mask);
  return true;
}

std::string FakeFileSystem::content(const std::string& path) const {
  const auto it = now_.find(path);
  return it == now_.end() ? std::string() : it->second->data;
}

void FakeFileSystem::put(const std::string& path, std::string content) {
  auto node = std::make_shared<Node>();
  node->synced = content.size();
  node->data = std::move(content);
  now_[path] = durable_[path] = std::move(node);
}

void FakeFileSystem::keep_copy() {
  copy_.clear();
  for (const auto& [path, node] : durable_) copy_[path] = node->data.substr(0, node->synced);
}

void FakeFileSystem::put_copy_back() {
  ++generation_;
  unsynced_.clear();
  now_.clear();
  durable_.clear();
  for (const auto& [path, content] : copy_) put(path, content);
}

void FakeFileSystem::change(const std::string& path, std::shared_ptr<Node> node) {
  unsynced_.push_back({dir_of(path), path, node});
  if (node) {
    now_[path] = std::move(node);
  } else {
    now_.erase(path);
  }
}

uint64_t FakeFileSystem::used() const {
  uint64_t bytes = 0;
  for (const auto& [path, node] : now_) bytes += node->data.size();
  return bytes;
}

Result<std::unique_ptr<WritableFile>> FakeFileSystem::create(const std::string& path) {
  calls_.push_back("create " + path);
  auto node = std::make_shared<Node>();
  change(path, node);
  return std::unique_ptr<WritableFile>(new Writable(*this, path, node));
}

Result<std::unique_ptr<ReadableFile>> FakeFileSystem::open(const std::string& path) {
  const auto it = now_.find(path);
  if (it == now_.end()) return Status(Code::kNotFound, "cannot open " + path + ": no such file");
  return std::unique_ptr<ReadableFile>(new Readable(it->second));
}

Status FakeFileSystem::rename(const std::string& from, const std::string& to) {
  calls_.push_back("rename " + from + " " + to);
  const auto it = now_.find(from);
  if (it == now_.end()) return {Code::kNotFound, "cannot rename " + from + ": no such file"};
  auto node = it->second;
  change(to, node);
  change(from, nullptr);
  return {};
}

Status FakeFileSystem::remove(const std::string& path) {
  calls_.push_back("remove " + path);
  if (!now_.contains(path)) return {Code::kNotFound, "cannot remove " + path + ": no such file"};
  change(path, nullptr);
  return {};
}

Status FakeFileSystem::make_dir(const std::string&) {
  return {};
}

Status FakeFileSystem::sync_dir(const std::string& dir) {
  calls_.push_back("sync_dir " + dir);
  std::erase_if(unsynced_, [&](const Change& c) {
    if (c.dir != dir) return false;
    if (c.node) {
      durable_[c.path] = c.node;
    } else {
      durable_.erase(c.path);
    }
    return true;
  });
  return {};
}

Result<std::vector<std::string>> FakeFileSystem::list(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& [path, node] : now_) {
    if (dir_of(path) == dir) names.push_back(path.substr(dir.size() + 1));
  }
  return names;
}

Result<uint64_t> FakeFileSystem::free_bytes(const std::string&) {
  const uint64_t in_use = used();
  return capacity_ > in_use ? capacity_ - in_use : uint64_t{0};
}

}  // namespace cleat::storage
