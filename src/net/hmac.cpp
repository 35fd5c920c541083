#include "net/hmac.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <memory>
#include <string>

#include "base/check.hpp"

namespace cleat::net {

Digest sha256(std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Digest out{};
  bool ok = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string_view part : parts) ok = ok && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  ok = ok && EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  CLEAT_CHECK(ok, "SHA-256 is part of every libcrypto");
  return out;
}

Digest hmac_sha256(std::string_view secret, std::initializer_list<std::string_view> parts) {
  std::string message;
  for (const std::string_view part : parts) message.append(part);
  Digest out{};
  unsigned size = 0;
  const void* key = secret.empty() ? "" : secret.data();
  const auto* done = HMAC(EVP_sha256(), key, static_cast<int>(secret.size()),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size(), out.data(), &size);
  CLEAT_CHECK(done && size == out.size(), "HMAC-SHA256 is part of every libcrypto");
  return out;
}

void fill_random(std::span<uint8_t> out) {
  CLEAT_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1, "the system gives random numbers");
}

bool same_digest(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cleat::net
