#include "net/resolver.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "net/socket_address.hpp"

namespace cleat::net {

struct Resolver::Mailbox {
  Mailbox() : fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CLEAT_CHECK(fd >= 0, "no descriptor was left for the resolver");
  }
  ~Mailbox() { close(fd); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  const int fd;
  std::mutex mutex;
  std::vector<Answer> answers;
};

namespace {

Resolver::Answer resolve(uint64_t question, const Address& name) {
  Resolver::Answer answer;
  answer.question = question;
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.host.c_str(), nullptr, &wanted, &found);
  for (const addrinfo* at = found; at; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    SocketAddress address;
    std::memcpy(&address, at->ai_addr, at->ai_addrlen);
    answer.addresses.push_back({from_socket_address(address).host, name.port});
  }
  if (found) freeaddrinfo(found);
  if (answer.addresses.empty()) {
    answer.trouble = fmt::format("the name {} cannot be resolved: {}", name.host,
                                 error == 0 ? "it has no address" : gai_strerror(error));
  }
  return answer;
}

}  // namespace

Resolver::Resolver() : mailbox_(std::make_shared<Mailbox>()) {}
Resolver::~Resolver() = default;

int Resolver::fd() const {
  return mailbox_->fd;
}

bool Resolver::ask(uint64_t question, const Address& name) {
  try {
    std::thread([mailbox = mailbox_, question, name] {
      Answer answer = resolve(question, name);
      const std::lock_guard lock(mailbox->mutex);
      mailbox->answers.push_back(std::move(answer));
      const uint64_t one = 1;
      [[maybe_unused]] const auto n = write(mailbox->fd, &one, sizeof one);
    }).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

std::vector<Resolver::Answer> Resolver::take() {
  uint64_t count = 0;
  [[maybe_unused]] const auto n = read(mailbox_->fd, &count, sizeof count);
  const std::lock_guard lock(mailbox_->mutex);
  return std::exchange(mailbox_->answers, {});
}

}  // namespace cleat::net
