#include "net/socket_address.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace cleat::net {

socklen_t to_socket_address(const Address& address, SocketAddress& out) {
  std::memset(&out, 0, sizeof out);
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  if (inet_pton(AF_INET, host.c_str(), &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    return sizeof out.v4;
  }
  inet_pton(AF_INET6, host.c_str(), &out.v6.sin6_addr);
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  return sizeof out.v6;
}

Address from_socket_address(const SocketAddress& in) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (in.any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &in.v4.sin_addr, text, sizeof text);
    return {text, ntohs(in.v4.sin_port)};
  }
  inet_ntop(AF_INET6, &in.v6.sin6_addr, text, sizeof text);
  return {text, ntohs(in.v6.sin6_port)};
}

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace cleat::net
