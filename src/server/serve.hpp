// `cleat serve`: one durable node from start to clean end. The command line hands over what it was given; everything
// else (file, environment, checks, log) happens here.
#pragma once

#include <string>
#include <vector>

#include "server/settings.hpp"

namespace cleat::server {

struct ServeOptions {
  // Flags as given, in order: name without dashes ("log-level"), its text ("true" for a switch without one), and where
  // it was read ("--log-level") for messages. See settings_table() for the names.
  std::vector<GivenSetting> flags;
  std::string config_file;  // --config; empty: CLEAT_CONFIG, or none
};

// Runs until SIGTERM or SIGINT; the process's exit status: 0 clean end, 2 bad settings, 1 anything else (told on
// stderr). Installs signal handlers and the default logger: call it once, from main's thread.
int serve(const ServeOptions&);

}  // namespace cleat::server
