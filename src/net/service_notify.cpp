#include "net/service_notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace cleat::net {

ServiceNotify::ServiceNotify(const char* socket_path, const char* watchdog_usec)
    : path_(socket_path ? socket_path : "") {
  int64_t usec = 0;
  if (!watchdog_usec) return;
  const auto [end, error] = std::from_chars(watchdog_usec, watchdog_usec + std::strlen(watchdog_usec), usec);
  if (error == std::errc() && usec > 0) watchdog_every_ms_ = usec / 2000;
}

void ServiceNotify::tell(std::string_view state) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path) return;
  path_.copy(address.sun_path, path_.size());
  if (path_[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  [[maybe_unused]] const auto sent =
      sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
  close(fd);
}

}  // namespace cleat::net
