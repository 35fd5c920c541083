// Many keys, few names: for more keys than one wants locks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cleat {

// n names "NAME/0" to "NAME/n-1", of which each key has one for ever. Programs that stripe the same name must agree on
// n; all versions of this library agree on the rest: (FNV-1a of the key's bytes in 64 bits) modulo n. So another
// language can say it too.
//
//   const auto accounts = cleat::striped("accounts", 64);
//   cleat::Mutex mutex(client, accounts(account));
//
// Two keys of one stripe exclude each other, also in one thread: who locks several keys at once takes the indexes, each
// once and in ascending order. Immutable, so all threads may use it.
class Striped {
 public:
  // Throws Error (errc::invalid) when n is 0.
  Striped(std::string_view name, std::size_t n);

  std::size_t size() const noexcept { return names_.size(); }
  const std::vector<std::string>& names() const noexcept { return names_; }
  // Below size().
  std::size_t index(std::string_view key) const noexcept;
  // One of names().
  const std::string& operator()(std::string_view key) const noexcept { return names_[index(key)]; }

 private:
  std::vector<std::string> names_;
};

inline Striped striped(std::string_view name, std::size_t n) {
  return {name, n};
}

}  // namespace cleat
