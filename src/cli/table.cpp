#include "cli/table.hpp"

#include <algorithm>

#include "cli/escape.hpp"

namespace cleat::cli {

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max({widths[i], display_width(row[i]), size_t{1}});
  }
  std::string out;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string& cell = row[i].empty() ? "-" : row[i];
      out += cell;
      if (i + 1 < row.size()) out.append(widths[i] - display_width(cell) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace cleat::cli
