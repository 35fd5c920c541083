#include "net/peer_output.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

namespace cleat::net {
namespace {
constexpr size_t kPiece = 64u << 10;     // small messages are joined up to this size
constexpr size_t kOwnPiece = 32u << 10;  // a message from here on is not
constexpr size_t kMostPieces = 64;       // of one call
}  // namespace

void PeerOutput::append(std::string_view header, std::string_view body) {
  const size_t size = header.size() + body.size();
  if (pieces_.empty() || pieces_.back().size() + size > kPiece || size >= kOwnPiece) {
    pieces_.push_back(size < kOwnPiece ? std::exchange(spare_, {}) : std::string());
    pieces_.back().reserve(size < kOwnPiece ? kPiece : size);
  }
  pieces_.back().append(header).append(body);
  bytes_ += size;
}

int PeerOutput::write_to(int fd) {
  while (bytes_ > 0) {
    std::array<iovec, kMostPieces> vectors;
    size_t n = 0, size = 0;
    for (auto piece = pieces_.begin(); piece != pieces_.end() && n < kMostPieces; ++piece, ++n) {
      const size_t skip = n == 0 ? first_sent_ : 0;
      vectors[n] = {piece->data() + skip, piece->size() - skip};
      size += vectors[n].iov_len;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = n;
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? 0 : errno;
    written(static_cast<size_t>(sent));
    if (static_cast<size_t>(sent) < size) return 0;
  }
  return 0;
}

void PeerOutput::written(size_t bytes) {
  bytes_ -= bytes;
  bytes += first_sent_;
  while (!pieces_.empty() && bytes >= pieces_.front().size()) {
    bytes -= pieces_.front().size();
    if (pieces_.front().capacity() <= 2 * kPiece && spare_.capacity() == 0) {
      spare_ = std::move(pieces_.front());
      spare_.clear();
    }
    pieces_.pop_front();
  }
  first_sent_ = bytes;
}

}  // namespace cleat::net
