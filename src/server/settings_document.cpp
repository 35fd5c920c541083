// docs/configuration.md is made from the table, so that it cannot be wrong; a test compares them.
#include <fmt/format.h>

#include <cctype>
#include <iterator>

#include "server/settings.hpp"

namespace cleat::server {

namespace {

constexpr std::string_view kHead = R"(# Settings of a node

Each setting can be given in a TOML file (`cleat serve --config FILE`), as an environment variable and as a flag of
`cleat serve`; the later of these wins. `max-connections` is the key in the file, `CLEAT_MAX_CONNECTIONS` the variable
and `--max-connections` the flag. A key that is not known, or a value that is not allowed, stops the start with a line
that names the file, its line and the key. `CONFIG GET name` shows what a running node uses.

    # cleat.toml
    data = "/var/lib/cleat"
    max-connections = 50_000
    max-output-bytes = "16MiB"
    max-ttl-ms = "48h"

A line of the file is empty, a comment or `key = value`; a value is a text in quotes, a whole number, `true` or `false`,
on one line and written as in [TOML](https://toml.io/en/v1.0.0). There are no tables.

Most nodes need `data`, `listen` and, beyond loopback, `password-file`; members of a cluster also `name`, `cluster` and
`cluster-secret-file` ([operations](operations.md#a-cluster)). The rest are limits, each with a name so that reaching it
can be told: the error `LIMIT` names the setting.

Sizes may carry `B`, `KiB`, `MiB` or `GiB`, times `ms`, `s`, `m` or `h`; without one they are bytes and milliseconds.
Those marked *running* can be changed with `CONFIG SET` while the node runs; that lasts until it stops. (This page is
made from the node's own table: `cleat serve --help` shows the same.)
)";

// What is true of all settings of a section; may be empty.
std::string_view section_text(std::string_view section) {
  if (section == "Locks and sessions") {
    return "These decide what is granted and what ends, so they are the whole group's and not a member's: they are "
           "kept in the log, and\na member that comes to lead writes its own there if they differ. Give all members "
           "the "
           "same.\n\n";
  }
  if (section == "Connections" || section == "Single requests") {
    return "Of each member by itself.\n\n";
  }
  return {};
}

}  // namespace

std::string settings_document() {
  std::string out(kHead);
  const Config defaults;
  std::string_view section;
  for (const Setting& row : settings_table()) {
    if (row.section != section) {
      section = row.section;
      fmt::format_to(std::back_inserter(out),
                     "\n## {}\n\n{}| setting | default | allowed | what it is |\n|---|---|---|---|\n", section,
                     section_text(section));
    }
    std::string allowed = expected_value(row);
    for (size_t at = 0; (at = allowed.find('|', at)) != std::string::npos; at += 2) allowed.replace(at, 1, "\\|");
    const std::string value = shown_value(row, defaults);
    std::string help(row.help);
    help[0] = static_cast<char>(std::toupper(help[0]));
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {}.{} |\n", row.name,
                   value.empty() ? "none" : fmt::format("`{}`", value), allowed, help,
                   row.while_running ? " *running*" : "");
  }
  return out;
}

}  // namespace cleat::server
