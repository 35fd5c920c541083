// For tests of clients: a port of the loopback that somebody listens on, until it goes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "client/socket.hpp"

namespace cleat::client::testing {

class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  uint16_t port() const { return port_; }
  Fd accept() { return Fd(::accept(fd_.get(), nullptr, nullptr)); }

 private:
  Fd fd_;
  uint16_t port_ = 0;
};

}  // namespace cleat::client::testing
