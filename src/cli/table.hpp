// Columns for people. Cells are printed as they are: escape what comes from others first.
#pragma once

#include <string>
#include <vector>

namespace cleat::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  // Header and rows, each line with its end; an empty cell as "-".
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cleat::cli
