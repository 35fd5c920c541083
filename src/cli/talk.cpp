#include "cli/talk.hpp"

#include <poll.h>

#include <cstdio>
#include <fstream>

#include "cli/escape.hpp"
#include "cli/exit_status.hpp"

namespace cleat::cli {

using base::Code;
using base::Result;
using base::Status;
using client::Reply;

Result<std::string> read_password(const std::string& file) {
  if (file.empty()) return std::string();
  std::ifstream in(file);
  std::string line;
  if (!in || !std::getline(in, line) || line.empty()) {
    return Status(Code::kInvalid, "the password file '" + escaped(file) + "' can't be read or its first line is empty");
  }
  return line;
}

void complain(const Common& common, std::string_view message) {
  const std::string line = "cleat " + common.command + ": " + std::string(message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int failed(const Common& common, const Status& status) {
  complain(common, escaped_line(status.message()));
  switch (status.code()) {
    case Code::kInvalid:
      return kNoPermission;
    case Code::kCorrupt:
      return kWrongProtocol;
    default:
      return kUnreachable;
  }
}

int refused(const Common& common, const Reply& error) {
  const std::string_view code = error.error_code();
  if (error.text.starts_with("ERR unknown command")) {
    complain(common,
             "the server does not know this command: is it a Cleat server, and as new as this program? It said: " +
                 escaped_line(error.text));
    return kWrongProtocol;
  }
  complain(common, escaped_line(error.text));
  if (code == "NOAUTH" || code == "WRONGPASS" || code == "DENIED") return kNoPermission;
  return code == "NOQUORUM" || code == "UNKNOWN" ? kUnreachable : kRefused;
}

int print(const Common& common, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return kOk;
  complain(common, "can't write to standard output");
  return kRefused;
}

Status Talk::open() {
  const auto password = read_password(common_.password_file);
  if (!password.ok()) return password.status();
  return connection_.open(common_.server, {.password = *password}, deadline());
}

Result<Reply> Talk::ask(const client::Words& words, milliseconds extra) {
  if (!connection_.is_open()) {
    if (Status s = open(); !s.ok()) return s;
  }
  return connection_.call(words, deadline(extra));
}

Result<Reply> Talk::ask_until_answered(const client::Words& words, milliseconds extra, bool& repeated) {
  const auto end = deadline(extra);
  repeated = false;
  if (Status s = open(); !s.ok()) return s;
  for (;;) {
    Result<Reply> answer = Status(Code::kIo, "not asked yet");
    if (connection_.is_open()) {
      answer = connection_.call(words, end);
      const bool undecided = answer.ok() && (answer->error_code() == "UNKNOWN" || answer->error_code() == "NOQUORUM");
      if (answer.ok() && !undecided) return answer;
      repeated = true;
    } else if (Status s = open(); !s.ok()) {
      answer = s;
    } else {
      continue;
    }
    if (boot_clock::now() + milliseconds(100) >= end || (!answer.ok() && answer.status().code() != Code::kIo))
      return answer;
    ::poll(nullptr, 0, 100);
  }
}

}  // namespace cleat::cli
