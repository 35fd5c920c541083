// What `cleat` does once it knows what was asked. Each returns the process's exit status.
#pragma once

#include "cli/options.hpp"

namespace cleat::cli {

int execute(const Common&, const server::ServeOptions&);
int execute(const Common&, const RunCommand&);
int execute(const Common&, const LockCommand&);
int execute(const Common&, const UnlockCommand&);
int execute(const Common&, const RenewCommand&);
int execute(const Common&, const ShowCommand&);
int execute(const Common&, const LsCommand&);
int execute(const Common&, const HistoryCommand&);
int execute(const Common&, const EventsCommand&);
int execute(const Common&, const SessionsCommand&);
int execute(const Common&, const StatusCommand&);
int execute(const Common&, const ClusterCommand&);
int execute(const Common&, const BackupCommand&);
int execute(const Common&, const RestoreCommand&);
int execute(const Common&, const RecoverCommand&);
int execute(const Common&, const BenchCommand&);
int execute(const Common&, const CompletionCommand&);

}  // namespace cleat::cli
