#include "cleat/error.hpp"

namespace cleat {
namespace {

struct Row {
  errc code;
  const char* words;
  std::errc like;
};

constexpr Row kRows[] = {
    {errc::unreachable, "the service can't be reached", std::errc::host_unreachable},
    {errc::refused, "the service refused us", std::errc::permission_denied},
    {errc::protocol, "no Cleat server answers there", std::errc::protocol_error},
    {errc::deadlock, "this thread has the lock already", std::errc::resource_deadlock_would_occur},
    {errc::not_held, "this thread does not hold the lock", std::errc::operation_not_permitted},
    {errc::lost, "the lock was lost", std::errc::owner_dead},
    {errc::bad_name, "not a name of a lock", std::errc::invalid_argument},
    {errc::invalid, "not an option that can be meant", std::errc::invalid_argument},
    {errc::limit, "a limit of the service is reached", std::errc::resource_unavailable_try_again},
    {errc::no_space, "the service's disk is full", std::errc::no_space_on_device},
    {errc::cancelled, "the call was cancelled", std::errc::operation_canceled},
    {errc::closed, "the client was destroyed", std::errc::operation_canceled},
    {errc::forked, "used in a child of fork()", std::errc::operation_not_supported},
};

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "cleat"; }
  std::string message(int code) const override {
    for (const Row& row : kRows) {
      if (static_cast<int>(row.code) == code) return row.words;
    }
    return "the service refused the request";
  }
  std::error_condition default_error_condition(int code) const noexcept override {
    for (const Row& row : kRows) {
      if (static_cast<int>(row.code) == code) return row.like;
    }
    return {code, *this};
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const Category kCategory;
  return kCategory;
}

std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), category()};
}

Error::Error(errc code, const std::string& message) : std::system_error(make_error_code(code), message) {}

}  // namespace cleat
