#include "cli/bench_peer.hpp"

#include <poll.h>

namespace cleat::cli {

using base::Code;
using base::Status;
using client::TimePoint;

void BenchPeer::drive(TimePoint now) {
  if (socket_.phase() == Phase::kClosed && now >= members_.next_attempt()) {
    greet_by_ = now + how_.patience;
    if (Status s = socket_.start(members_.current()); !s.ok()) return leave(s, now);
  }
  if (socket_.phase() != Phase::kClosed && !talk_.greeted() && now >= greet_by_) {
    return leave({Code::kIo, "no answer in time"}, now);
  }
  if (now - how_.patience >= talk_.unanswered_since()) {
    talk_.lost("no answer in time");
    return leave({Code::kIo, "no answer in time"}, now);
  }
  if (socket_.phase() == Phase::kOpen && !talk_.output().empty()) {
    if (Status s = socket_.write(talk_.output()); !s.ok()) leave(s, now);
  }
}

TimePoint BenchPeer::next_wake() const {
  if (socket_.phase() == Phase::kClosed) return members_.next_attempt();
  if (!talk_.greeted()) return greet_by_;
  const TimePoint since = talk_.unanswered_since();
  return since == TimePoint::max() ? since : since + how_.patience;
}

void BenchPeer::ready(short events, TimePoint now) {
  if (socket_.phase() == Phase::kConnecting) {
    if (Status s = socket_.finish_connect(); !s.ok()) return leave(s, now);
    if (socket_.phase() == Phase::kOpen) talk_.connected(how_.hello);
    return;
  }
  if ((events & ~POLLOUT) == 0) return;
  std::string bytes;
  const Status read = socket_.read(bytes);
  const bool was_greeted = talk_.greeted();
  const Status said = talk_.received(bytes, now);
  if (!was_greeted && talk_.greeted()) {
    members_.reached(now);
    if (was_connected_) tally_.reconnected();
    was_connected_ = true;
    trouble_ = {};
  }
  if (!said.ok() || !read.ok()) leave(said.ok() ? read : said, now);
}

void BenchPeer::leave(const Status& why, TimePoint now) {
  const std::string where = members_.current().text();
  trouble_ = {talk_.greeted() || why.code() != Code::kIo ? why.code() : Code::kNotFound, where + ": " + why.message()};
  talk_.lost("the connection was lost");
  socket_.close();
  members_.failed(now);
}

}  // namespace cleat::cli
