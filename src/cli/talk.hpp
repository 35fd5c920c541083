// What the commands that ask and print have in common: whom to ask, errors with the next step, exit statuses.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.hpp"
#include "cli/options.hpp"
#include "client/asker.hpp"

namespace cleat::cli {

// The first line of the password file; empty when none was given.
base::Result<std::string> read_password(const std::string& file);

// "cleat lock: message" on stderr.
void complain(const Common& common, std::string_view message);
// Says what went wrong and gives the exit status for it.
int failed(const Common& common, const base::Status& status);
int refused(const Common& common, const client::Reply& error);
// Writes to stdout; kRefused when it can't be written.
int print(const Common& common, const std::string& text);

// What to do next about a failure of the client layer, to be put behind its message; empty if there is nothing to say.
std::string hint(const base::Status& status);
// The exit status and the message for a change of which it is not known whether it was done: `what` is its subject,
// such as "whether the lock was taken", `next` what to do about it.
int unknown(const Common& common, const std::string& what, const client::Outcome& outcome, const std::string& next);

// How the asking commands ask: whichever member answers, for as long as --timeout (and `extra`) allow.
class Talk {
 public:
  explicit Talk(const Common& common) : common_(common) {}

  // A read.
  base::Result<client::Reply> ask(const client::Words& words);
  // For what may safely be said twice: see client::Asker.
  client::Outcome change(const client::Words& words);
  client::Outcome wait(const std::function<client::Words()>& words, const std::string& req, milliseconds extra);

  // For what goes on listening to the connection: see client::Asker.
  void learn() { asker_->learn(deadline()); }
  void leave() { asker_->leave(); }

  // The connection of the last answer, and whose it is.
  client::Connection& connection() { return asker_->connection(); }
  std::string server() const { return asker_->server().text(); }

 private:
  base::Status prepare();
  client::TimePoint deadline(milliseconds extra = milliseconds(0)) const {
    return boot_clock::now() + common_.timeout + extra;
  }

  const Common& common_;
  std::optional<client::Asker> asker_;
};

}  // namespace cleat::cli
