// Cursors as clients see them: opaque words, "0" for the start. They say where to go on, so they hold on every member
// and after a restart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lock/views.hpp"

namespace cleat::resp {

std::string encode_cursor(const lock::Cursor&);
bool decode_cursor(std::string_view word, lock::Cursor& out);

// SHOW and SESSION LIST.
std::string encode_number_cursor(uint64_t);
bool decode_number_cursor(std::string_view word, uint64_t& out);

std::string cursor_error(std::string_view word);

}  // namespace cleat::resp
