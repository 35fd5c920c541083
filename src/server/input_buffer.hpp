// Bytes that a connection sent and that are not used up. A connection that is idle, or waits with nothing behind it,
// has no buffer at all; one with a small rest keeps just that. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "resp/request_parser.hpp"
#include "server/settings.hpp"

namespace cleat::server {

inline constexpr size_t kInputBlock = 16 << 10;

// Blocks to receive into, used again and again, and the count of all bytes that connections keep.
class InputPool {
 public:
  explicit InputPool(const Config& config) : config_(config) {}  // kept
  std::unique_ptr<char[]> take_block();
  void give_block(std::unique_ptr<char[]>);
  size_t bytes_kept() const { return bytes_kept_; }

 private:
  friend class InputBuffer;
  const Config& config_;
  std::vector<std::unique_ptr<char[]>> free_blocks_;
  std::vector<std::unique_ptr<resp::RequestParser>> free_parsers_;
  size_t bytes_kept_ = 0;
};

class InputBuffer {
 public:
  explicit InputBuffer(InputPool& pool) : pool_(pool) {}
  ~InputBuffer() { release(); }
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  bool has_space() const;                                     // space() would not be empty
  bool large() const { return capacity_ > kInputBlock / 2; }  // it has a block of its own
  // Room to receive into; empty when the buffer is full and may not grow (what is there must be used first).
  std::span<char> space();
  void received(size_t n) { size_ += n; }

  size_t capacity() const { return capacity_; }
  std::string_view unread() const { return {bytes_.get() + read_, size_ - read_}; }
  std::string_view between(size_t from, size_t to) const { return {bytes_.get() + from, to - from}; }
  resp::RequestParser& parser();
  size_t read_position() const { return read_; }
  void advance(size_t n) { read_ += n; }
  // A run stopped here: what is behind is read again.
  void rewind(size_t to) {
    read_ = to;
    parser_.reset();  // it may stand within a later request
    looked_ = ahead_ = 0;
    looks_ahead_ = false;
  }
  // While requests that were taken are not answered: counts the whole requests behind them, which stay unread. From
  // then on the buffer may grow to max-pipeline-bytes, and positions stay as they are. look_back() ends that.
  void look_ahead();
  void look_back();
  size_t ahead() const { return ahead_; }  // SIZE_MAX: what comes next is no request
  // Gives back what is used up. Positions taken before mean nothing then. Not while positions are needed.
  void settle();

 private:
  bool may_grow() const { return needs_more() || may_hold_more(); }
  bool needs_more() const;
  bool may_hold_more() const;
  void release();
  void move_to(std::unique_ptr<char[]> bytes, size_t capacity);
  void count(size_t capacity);

  InputPool& pool_;
  std::unique_ptr<char[]> bytes_;
  std::unique_ptr<resp::RequestParser> parser_;
  size_t capacity_ = 0, size_ = 0, read_ = 0;
  size_t looked_ = 0, ahead_ = 0;  // bytes behind read_ that hold so many whole requests; the parser stands behind them
  bool looks_ahead_ = false;
};

}  // namespace cleat::server
