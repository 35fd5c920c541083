#include "cli/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace cleat::cli {
namespace {

// "pid (comm) S ppid ...": comm may hold anything, so the last ')' counts.
bool read_stat(const char* pid, char& state, pid_t& parent) {
  char path[64], text[512];
  std::snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  const char* end = std::strrchr(text, ')');
  return end != nullptr && std::sscanf(end + 1, " %c %d", &state, &parent) == 2;
}

}  // namespace

std::vector<pid_t> live_descendants() {
  std::multimap<pid_t, std::pair<pid_t, bool>> children;  // parent -> child, alive
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return {};
  while (const dirent* entry = ::readdir(proc)) {
    char state = 0;
    pid_t parent = 0;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !read_stat(entry->d_name, state, parent)) continue;
    children.emplace(parent, std::pair(static_cast<pid_t>(std::atoi(entry->d_name)), state != 'Z' && state != 'X'));
  }
  ::closedir(proc);
  std::vector<pid_t> found, next = {::getpid()};
  while (!next.empty()) {
    const pid_t parent = next.back();
    next.pop_back();
    for (auto [it, end] = children.equal_range(parent); it != end; ++it) {
      next.push_back(it->second.first);
      if (it->second.second) found.push_back(it->second.first);
    }
  }
  return found;
}

void kill_descendants(pid_t group, pid_t spared) {
  if (group > 0) ::kill(-group, SIGKILL);
  for (const pid_t pid : live_descendants()) {
    if (pid != spared) ::kill(pid, SIGKILL);
  }
}

}  // namespace cleat::cli
