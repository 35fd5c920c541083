#include "cli/bench_talk.hpp"

#include "client/connection.hpp"

namespace cleat::cli {

using base::Code;
using base::Status;
using client::Reply;
using client::TimePoint;

namespace {

constexpr milliseconds kAfterError{100};  // so that refusals are not asked for as fast as they come

// It says that this member is of no use now, or that it is not known what was done: what is held then ends with the
// connection.
bool ends_the_connection(std::string_view code) {
  return code == "UNKNOWN" || code == "NOQUORUM" || code == "NOSESSION" || code == "UNAVAILABLE";
}

}  // namespace

BenchTalk::BenchTalk(BenchNames names, int64_t lanes, uint64_t seed, BenchTally& tally)
    : names_(std::move(names)), tally_(tally), random_(seed), lanes_(static_cast<size_t>(lanes)) {
  for (size_t i = lanes_.size(); i-- > 0;) {
    lanes_[i].owner = std::to_string(i);
    free_.push_back(i);
  }
}

void BenchTalk::connected(const client::Words& hello) {
  parser_ = client::ReplyParser();
  // What the one before held may be held until its session is over: that is not what is to be measured.
  const std::string own = names_.prefix + "/" + names_.own + "." + std::to_string(++connections_) + ".";
  for (Lane& lane : lanes_) lane.name = own + lane.owner;
  output_ = client::encode_request(hello);
}

void BenchTalk::begin(TimePoint due, TimePoint now) {
  const size_t at = free_.back();
  free_.pop_back();
  Lane& lane = lanes_[at];
  lane.state = State::kLocking;
  lane.due = due;
  client::Words words = {"LOCK", lane.name, "OWNER", lane.owner};
  if (names_.contend > 0) {
    ++lane.req;
    lane.name = names_.prefix + "/" + std::to_string(random_.below(static_cast<uint64_t>(names_.contend)));
    words = {"LOCK", lane.name, "OWNER", lane.owner, "ASYNC", "REQ", req_of(lane)};
  }
  output_ += client::encode_request(words);
  expected_.push_back({at, now});
}

Status BenchTalk::received(std::string_view bytes, TimePoint now) {
  parser_.feed(bytes);
  while (auto reply = parser_.next()) {
    const bool pushed = reply->type == Reply::Type::kPush;
    if (Status s = pushed ? push(*reply, now) : answer(*reply, now); !s.ok()) return s;
  }
  return parser_.failed() ? Status(Code::kCorrupt, parser_.error()) : Status();
}

Status BenchTalk::answer(const Reply& reply, TimePoint now) {
  if (!greeted_) {
    Status s = client::check_hello(reply);
    greeted_ = s.ok();
    return s;
  }
  if (expected_.empty()) return {Code::kIo, reply.is_error() ? reply.text : "it sent a reply to nothing"};
  Lane& lane = lanes_[expected_.front().lane];
  expected_.pop_front();
  if (reply.is_error()) return error(lane, reply, now);
  if (lane.state == State::kLocking) {
    if (reply.is_integer()) {
      granted(lane, now);
    } else if (!(reply.is_text() && reply.text == "QUEUED")) {
      return {Code::kCorrupt, "LOCK was answered in a way that is not known"};
    }
    return {};
  }
  tally_.pair(lane.due, lane.granted, now);
  release(lane);
  return {};
}

Status BenchTalk::push(const Reply& push, TimePoint now) {
  if (push.items.size() < 5 || push.items[0].text != "cleat") return {};
  const std::string &kind = push.items[1].text, &req = push.items[3].text;
  for (Lane& lane : lanes_) {
    if (lane.state != State::kLocking || names_.contend == 0 || req != req_of(lane)) continue;
    if (kind == "granted") {
      granted(lane, now);
    } else if (kind == "refused") {
      const std::string_view told = push.items[4].text_at("error"), why = push.items[4].text_at("why");
      return error(
          lane,
          {.type = Reply::Type::kError, .integer = 0, .text = std::string(told.empty() ? why : told), .items = {}},
          now);
    }
    break;
  }
  return {};
}

void BenchTalk::granted(Lane& lane, TimePoint now) {
  lane.state = State::kUnlocking;
  lane.granted = now;
  output_ += client::encode_request(client::Words{"UNLOCK", lane.name, "OWNER", lane.owner});
  expected_.push_back({static_cast<size_t>(&lane - lanes_.data()), now});
}

Status BenchTalk::error(Lane& lane, const Reply& reply, TimePoint now) {
  const std::string_view code = reply.error_code();
  tally_.error((lane.state == State::kLocking ? "LOCK answered " : "UNLOCK answered ") +
               std::string(code.empty() ? std::string_view(reply.text) : code));
  const bool useless = ends_the_connection(code) || lane.state == State::kUnlocking;
  release(lane);
  not_before_ = now + kAfterError;
  return useless ? Status(Code::kIo, reply.text) : Status();
}

void BenchTalk::release(Lane& lane) {
  lane.state = State::kFree;
  free_.push_back(static_cast<size_t>(&lane - lanes_.data()));
}

void BenchTalk::lost(std::string_view kind) {
  for (Lane& lane : lanes_) {
    if (lane.state == State::kFree) continue;
    tally_.error((lane.state == State::kLocking ? "LOCK: " : "UNLOCK: ") + std::string(kind));
    release(lane);
  }
  expected_.clear();
  output_.clear();
  greeted_ = false;
}

}  // namespace cleat::cli
