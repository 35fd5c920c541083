// docs/configuration.md is made from the table, so that it cannot be wrong; a test compares them.
#include <fmt/format.h>

#include <cctype>
#include <iterator>

#include "server/settings.hpp"

namespace cleat::server {

std::string settings_document() {
  std::string out =
      "# Settings of a node\n"
      "\n"
      "Each setting can be given in a TOML file (`cleat serve --config FILE`), as an environment variable and as a "
      "flag of\n"
      "`cleat serve`; the later of these wins. `max-connections` is the key in the file, `CLEAT_MAX_CONNECTIONS` the "
      "variable "
      "and\n"
      "`--max-connections` the flag. A key that is not known, or a value that is not allowed, stops the start with a "
      "line "
      "that\n"
      "names the file, its line and the key. `CONFIG GET name` shows what a running node uses.\n"
      "\n"
      "    # cleat.toml\n"
      "    data = \"/var/lib/cleat\"\n"
      "    max-connections = 50_000\n"
      "    max-output-bytes = \"16MiB\"\n"
      "    max-ttl-ms = \"48h\"\n"
      "\n"
      "Sizes may carry `B`, `KiB`, `MiB` or `GiB`, times `ms`, `s`, `m` or `h`; without one they are bytes and\n"
      "milliseconds. Those marked *running* can be changed with `CONFIG SET` while the node runs; that lasts until it\n"
      "stops. (This page is made from the node's own table: `cleat serve --help` shows the same.)\n";
  const Config defaults;
  std::string_view section;
  for (const Setting& row : settings_table()) {
    if (row.section != section) {
      section = row.section;
      fmt::format_to(std::back_inserter(out),
                     "\n## {}\n\n| setting | default | allowed | what it is |\n|---|---|---|---|\n", section);
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
