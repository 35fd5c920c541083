// Turns host names into addresses without blocking: each question has a thread of its own, which may wait for a name
// server for as long as the system lets it. Answers come through a descriptor that a poller can watch. The class itself
// belongs to one thread; questions still open when it goes are left to their threads and answered to nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/address.hpp"

namespace cleat::net {

class Resolver {
 public:
  struct Answer {
    uint64_t question = 0;
    std::vector<Address> addresses;  // numeric; empty: see trouble
    std::string trouble;
  };

  Resolver();
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  int fd() const;  // readable when take() has answers
  // false: no thread could be started now.
  bool ask(uint64_t question, const Address& name);
  std::vector<Answer> take();

 private:
  struct Mailbox;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace cleat::net
