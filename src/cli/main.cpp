#include <cstdio>
#include <cstdlib>

#include "cli/commands.hpp"
#include "cli/options.hpp"

int cleat::cli::execute(const Common&, const server::ServeOptions& options) {
  return server::serve(options);
}

int main(int argc, char** argv) {
  using namespace cleat::cli;
  const Parsed parsed =
      parse({argv + (argc > 0 ? 1 : 0), argv + argc}, [](const char* name) { return std::getenv(name); });
  std::fwrite(parsed.out.data(), 1, parsed.out.size(), stdout);
  std::fwrite(parsed.err.data(), 1, parsed.err.size(), stderr);
  if (!parsed.invocation) return parsed.exit_status;
  const Invocation& asked = *parsed.invocation;
  return std::visit([&](const auto& command) { return execute(asked.common, command); }, asked.command);
}
