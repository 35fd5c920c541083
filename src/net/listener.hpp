// The socket that clients connect to. Options of every connection (no delay, probes) are set once, here: accepted
// sockets inherit them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.hpp"
#include "net/address.hpp"

namespace cleat::net {

struct Accepted {
  int fd = -1;       // non-blocking
  std::string peer;  // "127.0.0.1:50000"
};

class Listener {
 public:
  // kBusy: the port is taken; kIo: anything else. Both with a line for the operator, which names the setting to change.
  static base::Result<Listener> open(const Address&, std::string_view setting = "--listen");
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_; }
  const Address& address() const { return address_; }  // with the port really used
  // The next connection that waits; none when there is none. When the process is out of descriptors the connection is
  // closed at once (fd -1, peer "") so that it does not hang.
  std::optional<Accepted> accept();

 private:
  Listener(int fd, Address address);
  int fd_;
  int spare_fd_;  // given up for a moment to close a connection when all others are used
  Address address_;
};

// Milliseconds since the other end was last heard by its kernel (data or an answered probe); -1: not known.
int64_t silent_ms(int fd);

// Raises the limit of open files to `wanted` if that is allowed; returns what it is then.
uint64_t raise_file_limit(uint64_t wanted);

}  // namespace cleat::net
