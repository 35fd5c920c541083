// COMMAND and the HELP subcommands, answered from the command table alone; and docs/commands.md from the same rows.
#pragma once

#include <string>

#include "resp/reply_writer.hpp"
#include "resp/request.hpp"

namespace cleat::resp {

void write_command_query(ReplyWriter&, const CommandQuery&);
void write_help(ReplyWriter&, const HelpQuery&);

// The whole of docs/commands.md.
std::string commands_markdown();

}  // namespace cleat::resp
