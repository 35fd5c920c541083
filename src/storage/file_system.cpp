#include "storage/file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cleat::storage {
namespace {

using base::Code;
using base::Result;
using base::Status;

Status failed(const char* what, const std::string& path) {
  const int e = errno;
  const Code code = e == ENOENT ? Code::kNotFound : e == ENOSPC || e == EDQUOT ? Code::kNoSpace : Code::kIo;
  return {code, std::string(what) + " " + path + ": " + std::strerror(e)};
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class RealWritable : public WritableFile {
 public:
  RealWritable(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Status append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("cannot write", path_);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  void start_write_back() override { (void)::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }

  Status sync() override { return ::fdatasync(fd_.get()) == 0 ? Status() : failed("cannot sync", path_); }

 private:
  Fd fd_;
  std::string path_;
};

class RealReadable : public ReadableFile {
 public:
  RealReadable(int fd, uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  uint64_t size() const override { return size_; }

  Result<size_t> read_at(uint64_t offset, char* out, size_t n) const override {
    size_t done = 0;
    while (done < n) {
      const ssize_t got = ::pread(fd_.get(), out + done, n - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("cannot read", path_);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  Fd fd_;
  uint64_t size_;
  std::string path_;
};

class RealFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return failed("cannot create", path);
    return std::unique_ptr<WritableFile>(new RealWritable(fd, path));
  }

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed("cannot open", path);
    struct stat st {};
    if (::fstat(fd, &st) != 0) {
      const Status status = failed("cannot look at", path);
      ::close(fd);
      return status;
    }
    return std::unique_ptr<ReadableFile>(new RealReadable(fd, static_cast<uint64_t>(st.st_size), path));
  }

  Status rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Status() : failed("cannot rename", from);
  }

  Status remove(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? Status() : failed("cannot remove", path);
  }

  Status make_dir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return sync_dir(parent(path));
    if (errno == EEXIST) return {};
    if (errno != ENOENT || parent(path) == path) return failed("cannot make the directory", path);
    if (Status s = make_dir(parent(path)); !s.ok()) return s;
    return ::mkdir(path.c_str(), 0755) == 0 ? sync_dir(parent(path)) : failed("cannot make the directory", path);
  }

  Status sync_dir(const std::string& path) override {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) return failed("cannot sync the directory", path);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& dir) override {
    DIR* d = ::opendir(dir.c_str());
    if (!d) return failed("cannot list", dir);
    std::vector<std::string> names;
    while (const dirent* e = ::readdir(d)) {
      const std::string_view name = e->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(d);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<uint64_t> free_bytes(const std::string& dir) override {
    struct statvfs v {};
    if (::statvfs(dir.c_str(), &v) != 0) return failed("cannot ask for the free space of", dir);
    return uint64_t{v.f_bavail} * v.f_frsize;
  }

 private:
  static std::string parent(const std::string& path) {
    const size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
  }
};

}  // namespace

FileSystem& FileSystem::real() {
  static RealFileSystem real;
  return real;
}

}  // namespace cleat::storage
