// A connection's bytes as a session needs them: a socket (socket.hpp), or what stands for one in tests.
#pragma once

#include <string>

#include "base/status.hpp"
#include "client/endpoint.hpp"

namespace cleat::client {

// One connection at a time, or the attempt at one. Every call returns at once.
class Wire {
 public:
  enum class Phase { kClosed, kConnecting, kOpen };

  virtual ~Wire() = default;
  virtual base::Status start(const Endpoint& endpoint) = 0;
  // While connecting, when something happened to it: it is open, or goes on connecting, or failed.
  virtual base::Status finish_connect() = 0;
  virtual void close() = 0;
  virtual Phase phase() const = 0;
  // Appends what can be read. kIo: the peer closed or the connection broke.
  virtual base::Status read(std::string& out) = 0;
  // Sends from the front of `out` and removes what was taken.
  virtual base::Status write(std::string& out) = 0;
};

}  // namespace cleat::client
