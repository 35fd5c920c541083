#include "cli/talk.hpp"

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
  const bool is_read = static_cast<bool>(std::getline(in, line));
  if (line.ends_with('\r')) line.pop_back();
  if (!is_read || line.empty()) {
    return Status(Code::kInvalid, "the password file '" + escaped(file) + "' can't be read or its first line is empty");
  }
  return line;
}

void complain(const Common& common, std::string_view message) {
  const std::string line = "cleat " + common.command + ": " + std::string(message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int failed(const Common& common, const Status& status) {
  complain(common, escaped_line(status.message()) + hint(status));
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

std::string hint(const Status& status) {
  switch (status.code()) {
    case Code::kNotFound:
      return ". Is it running (cleat serve)? Another address: --server HOST:PORT or CLEAT_SERVER";
    case Code::kInvalid:
      return ": it comes from --password-file FILE or CLEAT_PASSWORD_FILE";
    default:
      return "";
  }
}

int unknown(const Common& common, const std::string& what, const client::Outcome& outcome, const std::string& next) {
  const std::string why = outcome.answer.ok() ? outcome.answer->text : outcome.answer.status().message();
  complain(common, what + " is not known (" + escaped_line(why) + "): " + next);
  return kUnknown;
}

Status Talk::prepare() {
  if (asker_) return {};
  const auto password = read_password(common_.password_file);
  if (!password.ok()) return password.status();
  asker_.emplace(client::AskerOptions{.servers = common_.servers,
                                      .credentials = {.password = *password},
                                      .patience = common_.timeout,
                                      .seed = client::random_seed()});
  return {};
}

Result<Reply> Talk::ask(const client::Words& words) {
  if (Status s = prepare(); !s.ok()) return s;
  return asker_->read(words, deadline()).answer;
}

client::Outcome Talk::change(const client::Words& words) {
  if (Status s = prepare(); !s.ok()) return {s};
  return asker_->change(words, deadline());
}

client::Outcome Talk::wait(const std::function<client::Words()>& words, const std::string& req, milliseconds extra) {
  if (Status s = prepare(); !s.ok()) return {s};
  return asker_->wait(words, req, deadline(extra));
}

}  // namespace cleat::cli
