#include "server/survivor.hpp"

#include <algorithm>

#include "base/mutant.hpp"
#include "replica/image.hpp"

namespace cleat::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using storage::FileSystem;

Status load_image(FileSystem& files, const std::string& dir, Survivor& out) {
  auto found = storage::list_snapshots(files, dir + "/snapshots");
  if (!found.ok()) return found.status();
  if (found->empty()) return {};
  const std::string& path = found->front().path;
  auto reader = storage::SnapshotReader::open(files, path);
  if (!reader.ok()) return reader.status();
  auto members = replica::read_image(**reader, path, *out.machine);
  if (!members.ok()) return members.status();
  out.log.snapshot = raft::SnapshotMark{(*reader)->header().index, (*reader)->header().term, members->conf_state};
  out.index = (*reader)->header().index;
  return {};
}

// All entries count, decided or not: what a client was answered was on the disks of a majority, of which this may be
// one without knowing it.
Status load_log(const std::string& dir, Survivor& out) {
  out.log.dir = dir;
  out.log.node_id = out.identity.member;
  if (out.identity.founder()) {
    for (const replica::Member& m : out.identity.members) out.log.bootstrap_voters.push_back(m.id);
  }
  lock::NullSink sink;
  Status status;
  auto read = raft::read_log(out.log, [&](const raft::EntryView& e) {
    if (e.kind == raft::EntryKind::kPayload && !e.data.empty()) {
      status = out.machine->apply({reinterpret_cast<const char*>(e.data.data()), e.data.size()}, sink);
    }
    return status.ok();
  });
  if (!read.ok()) return read.status();
  if (!status.ok()) return {Code::kCorrupt, dir + ": " + status.message()};
  if (!out.log.snapshot && read->last == 0 && !out.identity.founder()) {
    return {Code::kInvalid, dir + " is that of a member which never got anything: choose another survivor"};
  }
  out.index = std::max(out.index, read->last);
  out.undecided = out.index - std::min(out.index, read->commit);
  if (!base::mutant("recover_without_lock")) out.lock = std::move(read->lock);
  return {};
}

}  // namespace

Result<Survivor> load_survivor(FileSystem& files, const std::string& dir, raft::VirtualDisk* disk) {
  Survivor out;
  auto identity = load_identity(files, dir);
  if (!identity.ok()) return identity.status();
  if (!*identity) {
    return Status(Code::kInvalid, dir +
                                      " is not the data directory of a member: it has no file `cluster`. (A backup is "
                                      "put in place by cleat cluster restore)");
  }
  out.identity = **std::move(identity);
  out.log.disk = disk;
  if (Status s = load_image(files, dir, out); !s.ok()) return s;
  if (Status s = load_log(dir, out); !s.ok()) return s;
  return out;
}

}  // namespace cleat::server
