// Bytes from others made fit to be printed: a name must never move a terminal's cursor or look like another name.
#pragma once

#include <string>
#include <string_view>

namespace cleat::cli {

bool is_utf8(std::string_view bytes);

// Control characters, direction marks and what is not UTF-8 as \n, \xNN or \u{NNNN}; a backslash doubled.
std::string escaped(std::string_view bytes);
// A line that somebody wrote to be read, such as an error of the server: the same, but a backslash stays as it is,
// since what it quotes is escaped already.
std::string escaped_line(std::string_view line);
// The same, in double quotes if it is empty or holds a space or a quote: one word of a table.
std::string one_word(std::string_view bytes);

std::string base64(std::string_view bytes);

// Columns on a terminal, counting one per code point.
size_t display_width(std::string_view text);

}  // namespace cleat::cli
