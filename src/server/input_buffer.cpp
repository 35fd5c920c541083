#include "server/input_buffer.hpp"

#include <algorithm>
#include <cstring>

namespace cleat::server {
namespace {
constexpr size_t kFreeBlocks = 256, kFreeParsers = 256;
constexpr size_t kSmallRest = 2 << 10;  // a rest up to this moves out of its block
}  // namespace

std::unique_ptr<char[]> InputPool::take_block() {
  if (free_blocks_.empty()) return std::unique_ptr<char[]>(new char[kInputBlock]);
  auto block = std::move(free_blocks_.back());
  free_blocks_.pop_back();
  return block;
}

void InputPool::give_block(std::unique_ptr<char[]> block) {
  if (free_blocks_.size() < kFreeBlocks) free_blocks_.push_back(std::move(block));
}

void InputBuffer::count(size_t capacity) {
  pool_.bytes_kept_ += capacity - capacity_;
  capacity_ = capacity;
}

void InputBuffer::move_to(std::unique_ptr<char[]> bytes, size_t capacity) {
  const size_t gone = looks_ahead_ ? 0 : read_;
  if (size_ > gone) std::memcpy(bytes.get(), bytes_.get() + gone, size_ - gone);
  size_ -= gone;
  read_ -= gone;
  bytes_.swap(bytes);
  if (capacity_ == kInputBlock) pool_.give_block(std::move(bytes));
  count(capacity);
}

bool InputBuffer::has_space() const {
  return capacity_ < kInputBlock || size_ < capacity_ || may_grow();
}

// One request that is larger than the buffer is all that is in it.
bool InputBuffer::needs_more() const {
  return read_ == 0 && looked_ == 0 && parser_ && parser_->wanted() > capacity_;
}

// Pipelines may take half of what all connections have for their input: the rest is for requests that are read.
bool InputBuffer::may_hold_more() const {
  return looks_ahead_ && 2 * capacity_ <= static_cast<size_t>(pool_.config_.max_pipeline_bytes) &&
         pool_.bytes_kept_ + capacity_ <= static_cast<size_t>(pool_.config_.max_input_total_bytes) / 2;
}

std::span<char> InputBuffer::space() {
  if (!bytes_) {
    bytes_ = pool_.take_block();
    count(kInputBlock);
  } else if (capacity_ < kInputBlock) {
    move_to(pool_.take_block(), kInputBlock);
  } else if (size_ == capacity_ && may_grow()) {
    // As its bytes arrive, not as they are announced.
    const size_t capacity =
        needs_more() ? std::min(2 * capacity_, std::max(parser_->wanted(), 2 * kInputBlock)) : 2 * capacity_;
    move_to(std::unique_ptr<char[]>(new char[capacity]), capacity);
  }
  const size_t room = capacity_ - size_;  // what is only counted is counted block by block
  return {bytes_.get() + size_, looks_ahead_ ? std::min(room, kInputBlock) : room};
}

resp::RequestParser& InputBuffer::parser() {
  if (!parser_) {
    if (pool_.free_parsers_.empty()) {
      parser_ = std::make_unique<resp::RequestParser>(pool_.config_.limits);
    } else {
      parser_ = std::move(pool_.free_parsers_.back());
      pool_.free_parsers_.pop_back();
    }
  }
  return *parser_;
}

void InputBuffer::look_ahead() {
  using Step = resp::RequestParser::Step;
  looks_ahead_ = true;
  while (ahead_ != SIZE_MAX && read_ + looked_ < size_) {
    const Step step = parser().next(unread().substr(looked_));
    if (step == Step::kNeedMore) return;
    if (step == Step::kProtocolError) {
      ahead_ = SIZE_MAX;
      return;
    }
    looked_ += parser_->consumed();
    ahead_ += step == Step::kRequest;
  }
}

void InputBuffer::look_back() {
  if (looked_ > 0 || ahead_ > 0) parser_.reset();
  looked_ = ahead_ = 0;
  looks_ahead_ = false;
}

void InputBuffer::release() {
  if (bytes_ && capacity_ == kInputBlock) pool_.give_block(std::move(bytes_));
  bytes_.reset();
  size_ = read_ = 0;
  count(0);
}

void InputBuffer::settle() {
  if (!bytes_) return;
  const size_t rest = size_ - read_;
  if (rest == 0) {
    release();
    // Without a rest the parser stands between two requests and remembers nothing.
    if (parser_ && pool_.free_parsers_.size() < kFreeParsers) pool_.free_parsers_.push_back(std::move(parser_));
    parser_.reset();
  } else if (rest <= kSmallRest && capacity_ > kSmallRest) {
    const size_t capacity = std::max<size_t>(rest, 256);
    move_to(std::unique_ptr<char[]>(new char[capacity]), capacity);
  } else if (read_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + read_, rest);
    size_ = rest;
    read_ = 0;
  }
}

}  // namespace cleat::server
