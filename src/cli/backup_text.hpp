// What is told about a backup and what became of one.
#pragma once

#include <string>

#include "replica/backup.hpp"

namespace cleat::cli {

// Lines for people; `headline` is the first. `machine` holds the backup's state.
std::string backup_text(const std::string& headline, const replica::Backup&, const lock::Machine&);
std::string backup_json(const std::string& file, const replica::Backup&, const lock::Machine&);

}  // namespace cleat::cli
