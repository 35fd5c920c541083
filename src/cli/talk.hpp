// What the commands that ask and print have in common: one connection, errors with the next step, exit statuses.
#pragma once

#include <string>
#include <string_view>

#include "base/status.hpp"
#include "cli/options.hpp"
#include "client/connection.hpp"

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

// A connection for the asking commands.
class Talk {
 public:
  explicit Talk(const Common& common) : common_(common) {}

  base::Status open();
  // One question and its answer. `extra`: beyond --timeout.
  base::Result<client::Reply> ask(const client::Words& words, milliseconds extra = milliseconds(0));
  // The same for what may safely be said twice: while --timeout (and `extra`) last, it reconnects and repeats.
  // `repeated` tells whether an earlier try may have been done.
  base::Result<client::Reply> ask_until_answered(const client::Words& words, milliseconds extra, bool& repeated);
  client::Connection& connection() { return connection_; }

 private:
  client::TimePoint deadline(milliseconds extra = milliseconds(0)) const {
    return boot_clock::now() + common_.timeout + extra;
  }

  const Common& common_;
  client::Connection connection_;
};

}  // namespace cleat::cli
