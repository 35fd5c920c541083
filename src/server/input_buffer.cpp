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
  if (size_ > read_) std::memcpy(bytes.get(), bytes_.get() + read_, size_ - read_);
  size_ -= read_;
  read_ = 0;
  bytes_.swap(bytes);
  if (capacity_ == kInputBlock) pool_.give_block(std::move(bytes));
  count(capacity);
}

bool InputBuffer::has_space() const {
  return capacity_ < kInputBlock || size_ < capacity_ || may_grow();
}

// One request that is larger than the buffer is all that is in it.
bool InputBuffer::may_grow() const {
  return read_ == 0 && parser_ && parser_->wanted() > capacity_;
}

std::span<char> InputBuffer::space() {
  if (!bytes_) {
    bytes_ = pool_.take_block();
    count(kInputBlock);
  } else if (capacity_ < kInputBlock) {
    move_to(pool_.take_block(), kInputBlock);
  } else if (size_ == capacity_ && may_grow()) {
    // As its bytes arrive, not as they are announced.
    const size_t capacity = std::min(2 * capacity_, std::max(parser_->wanted(), 2 * kInputBlock));
    move_to(std::unique_ptr<char[]>(new char[capacity]), capacity);
  }
  return {bytes_.get() + size_, capacity_ - size_};
}

resp::RequestParser& InputBuffer::parser() {
  if (!parser_) {
    if (pool_.free_parsers_.empty()) {
      parser_ = std::make_unique<resp::RequestParser>(pool_.limits_);
    } else {
      parser_ = std::move(pool_.free_parsers_.back());
      pool_.free_parsers_.pop_back();
    }
  }
  return *parser_;
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
