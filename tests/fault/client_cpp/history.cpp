#include "history.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace cleat::campaign {

Fields& Fields::set(const std::string& key, std::string_view text) {
  std::string value = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') value += '\\';
    value += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  values_[key] = value + '"';
  return *this;
}

Fields& Fields::set(const std::string& key, int64_t number) {
  values_[key] = std::to_string(number);
  return *this;
}

Fields& Fields::set(const Fields& others) {
  for (const auto& [key, value] : others.values_) values_[key] = value;
  return *this;
}

std::string Fields::line() const {
  std::string out;
  for (const auto& [key, value] : values_) out += fmt::format("{}\"{}\":{}", out.empty() ? "{" : ",", key, value);
  return out + "}\n";
}

int64_t monotonic_ns() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

int64_t as_monotonic_ns(boot_clock::time_point time) {
  const int64_t here = monotonic_ns();
  return here + (time - boot_clock::now()).count();
}

History::History(const std::string& path, const std::string& client)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)), client_(client) {
  if (file_ < 0) throw std::runtime_error("can't open " + path);
  const off_t size = ::lseek(file_, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file_, &last, 1, size - 1) != 1) throw std::runtime_error("can't read " + path);
  // The process before was killed in the middle of a line.
  if (last != '\n' && ::write(file_, "\n", 1) != 1) throw std::runtime_error("can't write " + path);
}

History::~History() {
  ::close(file_);
}

Fields History::common(const char* op, const std::string& name) const {
  return Fields().set("op", op).set("name", name).set("client", client_).set("process", ::getpid());
}

Operation History::call(const char* op, const std::string& name, Fields more) {
  more.set(common(op, name)).set("id", ++operations_).set("phase", "call").set("call_ns", monotonic_ns());
  write(more);
  return {*this, std::move(more)};
}

void History::told_lost(const std::string& name, uint64_t fence, int64_t deadline_ns, const std::string& why) {
  const int64_t at = monotonic_ns();
  Fields line = common("loss", name);
  line.set("fence", static_cast<int64_t>(fence)).set("deadline_ns", deadline_ns).set("why", why);
  line.set("phase", "return").set("result", "lost").set("call_ns", at).set("return_ns", at);
  write(line);
}

void History::write(const Fields& line) {
  const std::string text = line.line();
  if (::write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  std::perror("the history can't be written");
  std::abort();
}

void Operation::done(const char* result, const Fields& more) {
  fields_.set("return_ns", monotonic_ns()).set("phase", "return").set("result", result).set(more);
  history_.write(fields_);
}

}  // namespace cleat::campaign
