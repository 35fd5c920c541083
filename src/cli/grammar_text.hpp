// The command line as data: what completion and man pages are made from, as --help is. describe() reads it from the
// same declarations (options_grammar.cpp).
#pragma once

#include <string>
#include <vector>

namespace cleat::cli {

struct OptionText {
  std::vector<std::string> names;    // "-E", "--ttl"; empty: it is an argument
  std::string argument;              // "NAME"; of arguments only
  std::string value;                 // "DURATION"; empty: a flag (or an argument)
  std::vector<std::string> choices;  // the words it may be; empty: any
  std::string help;
  bool required = false;
};

struct CommandText {
  std::string name;    // "cluster add"; empty: the program itself
  std::string what;    // one line
  std::string usage;   // "cleat cluster add [OPTIONS] NAME=HOST:PORT"
  std::string footer;  // help.hpp: paragraphs, then examples, then exit status
  std::vector<OptionText> options;
  std::vector<std::string> commands;  // the last word of each below it: "status", "add"; empty: none
};

// The program, then each command, one that has commands before these.
std::vector<CommandText> describe();

}  // namespace cleat::cli
