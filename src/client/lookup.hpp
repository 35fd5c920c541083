// The addresses behind a host's name, found without blocking: the system's look-up may take many seconds when a name
// server is gone, and whoever keeps a session alive cannot wait for that.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/endpoint.hpp"

namespace cleat::client {

struct Address {
  std::string bytes;  // a sockaddr
  int family = 0;
};
struct Found {
  std::vector<Address> addresses;
  std::string error;  // why there are none; empty otherwise
};

// getaddrinfo(3); it may block, unless `numeric`: then a host that is no IP address is an error.
Found look_up(const Endpoint& endpoint, bool numeric);

// One look-up in a thread of its own, which outlives this object if it must.
class Lookup {
 public:
  // Called in that thread.
  using Function = std::function<Found(const Endpoint&)>;
  Lookup(const Endpoint& endpoint, Function function);

  int fd() const;  // readable when it is done
  bool done() const;
  Found result() const;  // once it is done

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// Those under way, one an endpoint: who comes again while one is still running joins it.
class Lookups {
 public:
  explicit Lookups(Lookup::Function function);
  Lookup& of(const Endpoint& endpoint);
  void forget(const Endpoint& endpoint) { running_.erase(endpoint.text()); }

 private:
  Lookup::Function function_;
  std::map<std::string, Lookup> running_;
};

}  // namespace cleat::client
