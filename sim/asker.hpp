// A client of directed cases: it does just what it is told, and keeps what it was answered.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace cleat::sim {

class Asker : public Receiver {
 public:
  explicit Asker(Cluster& cluster) : c_(cluster) {}

  bool connect(Server&);  // and leaves the one before, without a word
  uint64_t ask(Request);  // its number
  uint64_t open(int64_t ttl_ms);
  uint64_t attach(bool takeover = false);  // to the session it opened
  uint64_t attach(uint64_t session, const std::string& key);
  uint64_t lock(const std::string& name, const std::string& req = "", int64_t ttl_ms = 0);
  uint64_t unlock(const std::string& name, uint64_t fence, const std::string& req = "");
  uint64_t keep_alive();
  uint64_t check(const std::string& name, uint64_t fence);

  bool answered(uint64_t number) const { return replies_.count(number) != 0; }
  const Reply* reply(uint64_t number) const;
  bool granted(uint64_t number) const;
  size_t answers() const { return answers_; }
  bool connected() const { return connection_ != 0; }
  uint64_t session() const { return session_; }

  void on_reply(uint64_t connection, const Reply&) override;
  void on_disconnected(uint64_t connection) override;
  bool speaks_on(uint64_t connection) const override { return connection == connection_; }

 private:
  lock::By by() const { return session_ != 0 ? lock::By::kExplicit : lock::By::kImplicit; }

  Cluster& c_;
  Server* server_ = nullptr;
  uint64_t connection_ = 0, number_ = 0, session_ = 0;
  size_t answers_ = 0;
  std::map<uint64_t, Reply> replies_;
};

}  // namespace cleat::sim
