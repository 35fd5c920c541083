// `cleat run` is two processes, so that the command cannot outlive the lock whichever of them is killed or stopped:
//   wrapper  what the user started: terminal, signals, exit status;
//   keeper   its child: the session, and the parent of the command.
// If the wrapper dies, the keeper kills all that the command started and lets the lock go. If the keeper dies, the
// kernel kills the command (PR_SET_PDEATHSIG) and the wrapper the rest. If the keeper is stopped, the wrapper kills at
// the time that the keeper wrote down last. Both are subreapers: what the command starts stays below them.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "client/socket.hpp"

namespace cleat::cli {

// In memory that both share.
struct RunShared {
  std::atomic<int64_t> kill_at_ns{0};  // on boot_clock; 0: never
  std::atomic<int32_t> group{0};       // the command's process group; 0: none alive
};

// One message of the socket (SOCK_SEQPACKET) between them.
struct RunMessage {
  enum Kind : int32_t {
    kSignal,   // wrapper to keeper: pass on `value`
    kGo,       // the command may begin
    kStarted,  // keeper to wrapper: the command is process `value`, waiting for kGo
    kStopped,  // by signal `value`
    kContinued,
    kEnded,  // the terminal can be taken back
  };
  int32_t kind;
  int32_t value;
};
void send_message(int fd, RunMessage::Kind kind, int value = 0);  // lost if the other is gone or its buffer full
enum class Received { kMessage, kNothing, kGone };
Received receive_message(int fd, RunMessage& out);

struct ChildStart {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=value, added to ours
  sigset_t signal_mask;                  // to be restored
};
// Forks the command into a process group of its own; it begins when a byte is written into `go`, and never if `go` is
// closed before. It dies with this process. Returns its pid, or -1.
pid_t start_child(const ChildStart& start, client::Fd& go);

// The keeper's whole life; its exit status is that of `cleat run`.
struct KeeperStart {
  const Common& common;
  const RunCommand& run;
  RunShared& shared;
  client::Fd wrapper;  // socket
  sigset_t signal_mask;
};
int keep(KeeperStart start);

}  // namespace cleat::cli
