#include "replica/image.hpp"

#include "base/bytes.hpp"
#include "replica/level_watch.hpp"

namespace cleat::replica {

using base::Status;

base::Result<ImageMembers> read_image(storage::SnapshotReader& reader, const std::string& what, lock::Machine& machine,
                                      uint32_t known_level) {
  const auto say = [&](const Status& s) { return Status(s.code(), what + ": " + s.message()); };
  ImageMembers out;
  auto members = Members::decode(reader.header().members, out.conf_state);
  if (!members.ok()) return say(members.status());
  out.members = *std::move(members);
  for (;;) {
    auto block = reader.next();
    if (!block.ok()) return block.status();
    if (!*block) break;
    if (Status s = machine.load_block(**block); !s.ok()) return say(s);
    // What follows may be of a shape that is not known here.
    if (machine.level() > known_level) return say({base::Code::kInvalid, too_old_error(machine.level(), known_level)});
  }
  if (Status s = machine.finish_load(); !s.ok()) return say(s);
  return out;
}

Status write_image(storage::FileSystem& files, const std::string& dir, const storage::SnapshotHeader& header,
                   lock::Machine& machine) {
  constexpr size_t kSliceBytes = 1 << 20;
  auto writer = storage::SnapshotWriter::begin(files, dir, header);
  if (!writer.ok()) return writer.status();
  machine.begin_snapshot();
  Status status;
  const auto add = [&](std::string_view block) {
    if (status.ok()) status = (*writer)->add(block);
  };
  while (status.ok() && !machine.write_some(kSliceBytes, add)) {
  }
  if (!status.ok()) {
    machine.abandon_snapshot();
    return status;
  }
  auto path = (*writer)->finish();
  return path.ok() ? Status() : path.status();
}

std::string conf_state_of(const std::vector<Member>& voters) {
  constexpr uint8_t kVoters = 1 << 3;  // field 1, a varint
  std::string out;
  base::Writer w(out);
  for (const Member& m : voters) {
    w.u8(kVoters);
    w.varint(m.id);
  }
  return out;
}

}  // namespace cleat::replica
