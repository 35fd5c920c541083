#include "register.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace cleat::campaign {
namespace {

constexpr timeval kTimeout{.tv_sec = 5, .tv_usec = 0};

}  // namespace

bool Register::connect() {
  const size_t colon = address_.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address_.substr(colon + 1))));
  if (::inet_pton(AF_INET, address_.substr(0, colon).c_str(), &to.sin_addr) != 1) return false;
  client::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
  socket_ = std::move(socket);
  return true;
}

std::optional<std::string> Register::ask(const std::string& request) {
  if (!socket_ && !connect()) return std::nullopt;
  auto answer = exchange(request + "\n");
  if (!answer) socket_.reset();
  return answer;
}

std::optional<std::string> Register::exchange(const std::string& line) {
  if (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return std::nullopt;
  }
  std::string answer;
  char bytes[256];
  while (answer.empty() || answer.back() != '\n') {
    const ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return std::nullopt;
    answer.append(bytes, static_cast<size_t>(n));
  }
  answer.pop_back();
  return answer;
}

}  // namespace cleat::campaign
