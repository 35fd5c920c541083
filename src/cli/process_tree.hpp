// All processes that a process started, directly or not, as /proc tells. Whoever calls must be a child subreaper
// (PR_SET_CHILD_SUBREAPER), so that what loses its parent stays below it.
#pragma once

#include <sys/types.h>

#include <vector>

namespace cleat::cli {

// Descendants of this process that are not yet dead, without itself. Empty too where /proc is missing.
std::vector<pid_t> live_descendants();

// SIGKILL to the process group (0: none) and to every descendant of this process but `spared` (0: none).
void kill_descendants(pid_t group, pid_t spared);

}  // namespace cleat::cli
