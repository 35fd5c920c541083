#include "network.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace cleat::tests {
namespace {

constexpr size_t kMostKept = 256 * 1024;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool later() {
  return errno == EAGAIN || errno == EINPROGRESS || errno == EINTR;
}

bool open_to_server(Network::Cut cut) {
  return cut == Network::Cut::kNone || cut == Network::Cut::kToClient;
}
bool open_to_client(Network::Cut cut) {
  return cut == Network::Cut::kNone || cut == Network::Cut::kToServer;
}

}  // namespace

Network::Network(std::vector<std::function<int()>> port_of) : wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  for (auto& port : port_of) {
    client::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0 ||
        ::getsockname(fd.get(), generic, &size) != 0) {
      throw std::runtime_error("no port for a network");
    }
    doors_.push_back({std::move(fd), std::move(port), "127.0.0.1:" + std::to_string(ntohs(address.sin_port))});
  }
  thread_ = std::thread([this] { run(); });
}

Network::~Network() {
  over_ = true;
  wake();
  thread_.join();
}

std::vector<std::string> Network::addresses() const {
  std::vector<std::string> out;
  for (const Door& door : doors_) out.push_back(door.address);
  return out;
}

void Network::cut(Cut cut) {
  cut_ = cut;
  wake();
}

void Network::reset() {
  reset_ = true;
  wake();
}

void Network::wake() {
  const uint64_t one = 1;
  (void)!::write(wake_fd_.get(), &one, sizeof one);
}

// ---- on the thread

void Network::open(const Door& door) {
  client::Fd client(::accept4(door.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  client::Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client || !server) return;
  const int on = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = loopback(door.port_of());
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && !later()) return;
  passages_.emplace_back();
  passages_.back().client = std::move(client);
  passages_.back().server = std::move(server);
}

void Network::read(const client::Fd& from, Way& way, Passage& passage) {
  char buffer[16 * 1024];
  const ssize_t n = ::recv(from.get(), buffer, sizeof buffer, 0);
  if (n > 0) way.bytes.append(buffer, static_cast<size_t>(n));
  if (n == 0) way.ended = true;
  if (n < 0 && !later()) passage.broken = true;
}

void Network::write(const client::Fd& to, Way& way, Passage& passage) {
  const ssize_t n = ::send(to.get(), way.bytes.data(), way.bytes.size(), MSG_NOSIGNAL);
  if (n > 0) way.bytes.erase(0, static_cast<size_t>(n));
  if (n < 0 && !later()) passage.broken = true;
}

void Network::serve(Passage& p, short client_events, short server_events, Cut cut) {
  const auto pass = [&p](const client::Fd& from, short from_events, const client::Fd& to, short to_events, Way& way) {
    if ((from_events & ~POLLOUT) != 0 && !way.ended) read(from, way, p);
    if ((to_events & POLLOUT) != 0 && !way.bytes.empty()) write(to, way, p);
    if (!way.ended || way.passed || !way.bytes.empty()) return;
    ::shutdown(to.get(), SHUT_WR);
    way.passed = true;
  };
  if (open_to_server(cut)) pass(p.client, client_events, p.server, server_events, p.to_server);
  if (open_to_client(cut)) pass(p.server, server_events, p.client, client_events, p.to_client);
  p.broken |= p.to_server.passed && p.to_client.passed;
}

void Network::run() {
  const auto wanted = [](const Way& in, bool in_open, const Way& out, bool out_open) {
    const bool reads = in_open && !in.ended && in.bytes.size() < kMostKept;
    const bool writes = out_open && !out.bytes.empty();
    return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
  };
  while (!over_) {
    const Cut cut = cut_;
    if (reset_.exchange(false)) passages_.clear();
    std::vector<pollfd> fds{{wake_fd_.get(), POLLIN, 0}};
    const auto watch = [&fds](const client::Fd& fd, short events) {
      fds.push_back({events == 0 ? -1 : fd.get(), events, 0});
    };
    for (const Door& door : doors_) watch(door.fd, POLLIN);
    for (const Passage& p : passages_) {
      watch(p.client, wanted(p.to_server, open_to_server(cut), p.to_client, open_to_client(cut)));
      watch(p.server, wanted(p.to_client, open_to_client(cut), p.to_server, open_to_server(cut)));
    }
    ::poll(fds.data(), fds.size(), -1);
    uint64_t ignored;
    (void)!::read(wake_fd_.get(), &ignored, sizeof ignored);
    size_t at = 1 + doors_.size();
    for (Passage& p : passages_) {
      serve(p, fds[at].revents, fds[at + 1].revents, cut);
      at += 2;
    }
    passages_.remove_if([](const Passage& p) { return p.broken; });
    for (size_t i = 0; i < doors_.size(); ++i) {
      if (fds[1 + i].revents != 0) open(doors_[i]);
    }
  }
}

}  // namespace cleat::tests
