#include "client/request.hpp"

#include <sys/random.h>

#include <cerrno>

#include "base/check.hpp"

namespace cleat::client {

std::string encode_request(std::span<const std::string> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  return out;
}

namespace {

void fill_random(char* out, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    const ssize_t n = getrandom(out + got, bytes - got, 0);
    CLEAT_CHECK(n > 0 || errno == EINTR, "getrandom(2) without flags only fails when interrupted");
    if (n > 0) got += static_cast<size_t>(n);
  }
}

}  // namespace

uint64_t random_seed() {
  uint64_t seed;
  fill_random(reinterpret_cast<char*>(&seed), sizeof seed);
  return seed;
}

std::string random_hex(size_t bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string raw(bytes, '\0');
  fill_random(raw.data(), bytes);
  std::string out;
  for (const char c : raw) {
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace cleat::client
