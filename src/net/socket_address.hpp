// Addresses as the kernel takes them, and the small calls around sockets. For net/ alone.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/address.hpp"

namespace cleat::net {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Numeric hosts and localhost only. Returns the length for bind() and connect().
socklen_t to_socket_address(const Address&, SocketAddress& out);
Address from_socket_address(const SocketAddress&);
void set_option(int fd, int level, int option, int value);

}  // namespace cleat::net
