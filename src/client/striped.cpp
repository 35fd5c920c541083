#include "cleat/striped.hpp"

#include "cleat/error.hpp"

namespace cleat {

Striped::Striped(std::string_view name, std::size_t n) {
  if (n == 0) throw Error(errc::invalid, "cleat::striped needs at least one name");
  names_.reserve(n);
  for (std::size_t i = 0; i < n; ++i) names_.push_back(std::string(name) + "/" + std::to_string(i));
}

// http://www.isthe.com/chongo/tech/comp/fnv/: FNV-1a, 64 bits. Its low bits are good enough for a remainder.
std::size_t Striped::index(std::string_view key) const noexcept {
  std::uint64_t hash = 14'695'981'039'346'656'037u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211u;
  return hash % names_.size();
}

}  // namespace cleat
