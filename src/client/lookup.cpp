#include "client/lookup.hpp"

#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/check.hpp"

namespace cleat::client {

Found look_up(const Endpoint& endpoint, bool numeric) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (numeric ? AI_NUMERICHOST : 0);
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) return {{}, std::string("the host's name can't be looked up: ") + gai_strerror(error)};
  Found out{{}, "it has no address"};
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    out.addresses.push_back({std::string(reinterpret_cast<const char*>(a->ai_addr), a->ai_addrlen), a->ai_family});
    out.error.clear();
  }
  freeaddrinfo(found);
  return out;
}

struct Lookup::Shared {
  Shared() : fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CLEAT_CHECK(fd >= 0, "eventfd needs a free descriptor"); }
  ~Shared() { ::close(fd); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  void finish(Found value) {
    const std::lock_guard guard(mutex);
    found = std::move(value);
    done = true;
    const uint64_t one = 1;
    if (::write(fd, &one, sizeof one) < 0) return;  // only a full counter fails, which is readable anyway
  }

  const int fd;
  std::mutex mutex;
  bool done = false;
  Found found;
};

Lookup::Lookup(const Endpoint& endpoint, Function function) : shared_(std::make_shared<Shared>()) {
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([shared = shared_, endpoint, function = std::move(function)] {
      shared->finish(function(endpoint));
    }).detach();
  } catch (const std::system_error& error) {
    shared_->finish({{}, std::string("no thread to look up the host's name: ") + error.what()});
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

int Lookup::fd() const {
  return shared_->fd;
}

bool Lookup::done() const {
  const std::lock_guard guard(shared_->mutex);
  return shared_->done;
}

Found Lookup::result() const {
  const std::lock_guard guard(shared_->mutex);
  return shared_->found;
}

Lookups::Lookups(Lookup::Function function) : function_(std::move(function)) {}

Lookup& Lookups::of(const Endpoint& endpoint) {
  const std::string key = endpoint.text();
  const auto it = running_.find(key);
  return it != running_.end() ? it->second : running_.emplace(key, Lookup(endpoint, function_)).first->second;
}

}  // namespace cleat::client
