// Bytes that wait to be written to one socket, in the order appended: small pieces are joined, and as many as the
// kernel takes leave with one call. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace cleat::net {

class PeerOutput {
 public:
  void append(std::string_view header, std::string_view body);
  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  // As much as the socket takes now. 0, or the errno for which the connection is lost.
  int write_to(int fd);

 private:
  void written(size_t bytes);

  std::deque<std::string> pieces_;
  std::string spare_;      // a piece that was written, for the next one
  size_t first_sent_ = 0;  // of the first piece
  size_t bytes_ = 0;
};

}  // namespace cleat::net
