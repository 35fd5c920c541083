#include "net/listener.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/socket_address.hpp"

namespace cleat::net {
namespace {

// A connection whose other end vanished is noticed by probes after 3 + 3 x 2 s without an answer, within the 10 s that
// an implicit session lives without being vouched for.
constexpr int kProbeIdleSeconds = 3, kProbeEverySeconds = 2, kProbes = 3, kBacklog = 4096;

void set_options(int fd) {
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kProbeIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kProbeEverySeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

int open_spare() {
  return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

base::Status failed(const Address& address, std::string_view setting, const char* what) {
  const int error = errno;
  if (error == EADDRINUSE) {
    return {base::Code::kBusy,
            fmt::format("{} is taken: another node or program listens there. Stop it, or choose another "
                        "address with {} HOST:PORT",
                        address.text(), setting)};
  }
  std::string hint;
  if (error == EACCES) hint = fmt::format("; ports below 1024 need root, choose another with {}", setting);
  if (error == EADDRNOTAVAIL) hint = fmt::format("; this machine has no such address, choose another with {}", setting);
  return {base::Code::kIo, fmt::format("cannot {} {}: {}{}", what, address.text(), std::strerror(error), hint)};
}

}  // namespace

base::Result<Listener> Listener::open(const Address& address, std::string_view setting) {
  SocketAddress where;
  socklen_t length = to_socket_address(address, where);
  const int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(address, setting, "open a socket for");
  set_options(fd);
  const bool bound = bind(fd, &where.any, length) == 0;
  if (!bound || ::listen(fd, kBacklog) != 0) {
    auto status = failed(address, setting, "listen on");
    ::close(fd);
    return status;
  }
  length = sizeof where;
  getsockname(fd, &where.any, &length);
  return Listener(fd, from_socket_address(where));
}

Listener::Listener(int fd, Address address) : fd_(fd), spare_fd_(open_spare()), address_(std::move(address)) {}
Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), spare_fd_(std::exchange(other.spare_fd_, -1)), address_(other.address_) {}
Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
  if (spare_fd_ >= 0) ::close(spare_fd_);
}

std::optional<Accepted> Listener::accept() {
  SocketAddress from;
  for (;;) {
    socklen_t length = sizeof from;
    const int fd = accept4(fd_, &from.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return Accepted{fd, from_socket_address(from).text()};
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if ((errno == EMFILE || errno == ENFILE) && spare_fd_ >= 0) {
      ::close(spare_fd_);
      const int unwanted = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (unwanted >= 0) ::close(unwanted);
      spare_fd_ = open_spare();
      if (unwanted >= 0) return Accepted{};
    }
    return std::nullopt;
  }
}

int64_t silent_ms(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
  return std::min(info.tcpi_last_data_recv, info.tcpi_last_ack_recv);
}

uint64_t raise_file_limit(uint64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  rlimit raised = {wanted, std::max<rlim_t>(wanted, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;  // root may raise the hard limit too
  raised = {std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace cleat::net
