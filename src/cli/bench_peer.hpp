// A connection of `cleat bench` that comes back by itself: the socket under a BenchTalk, and which server is next.
#pragma once

#include <string>

#include "cli/bench_talk.hpp"
#include "client/members.hpp"
#include "client/socket.hpp"

namespace cleat::cli {

class BenchPeer {
 public:
  struct How {
    client::Words hello;
    milliseconds patience;  // to connect and be greeted, then for each answer
  };

  BenchPeer(const How& how, BenchTalk talk, client::Members members, BenchTally& tally)
      : how_(how), talk_(std::move(talk)), members_(std::move(members)), tally_(tally) {}

  BenchTalk& talk() { return talk_; }
  bool connected() const { return talk_.greeted(); }
  // Why there is no connection; ok before the first try failed. kInvalid, kCorrupt: it will not get better.
  const base::Status& trouble() const { return trouble_; }

  // Connects when it is time to, gives up what took too long, sends what there is to send.
  void drive(client::TimePoint now);
  // When drive() has something to do without an event.
  client::TimePoint next_wake() const;
  int fd() const { return socket_.fd(); }  // -1: none
  short wanted() { return socket_.wanted(!talk_.output().empty()); }
  // After poll(2) told of events. `now`: when they were seen.
  void ready(short events, client::TimePoint now);

 private:
  using Phase = client::Socket::Phase;
  void leave(const base::Status& why, client::TimePoint now);

  const How& how_;
  BenchTalk talk_;
  client::Members members_;
  BenchTally& tally_;
  client::Socket socket_;
  client::TimePoint greet_by_{};
  bool was_connected_ = false;
  base::Status trouble_;
};

}  // namespace cleat::cli
