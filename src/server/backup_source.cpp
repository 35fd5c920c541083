// MEMBERS BACKUP: the state of now as a file, which the connection then reads piece by piece. The image is a snapshot
// like any other, written by the pump in slices; nothing is copied and nobody is held up.
#include <fmt/format.h>

#include "replica/backup.hpp"
#include "server/info.hpp"
#include "server/local_answers.hpp"
#include "server/membership_rules.hpp"
#include "server/service.hpp"

namespace cleat::server {
namespace {

constexpr size_t kMostBackups = 4;          // at a time; each keeps a file open
constexpr size_t kPieceBytes = 256u << 10;  // of one READ

constexpr std::string_view kNothingAskedError =
    "ERR no backup was begun on this connection: MEMBERS BACKUP first, then MEMBERS BACKUP READ";
constexpr std::string_view kStillWrittenError = "TRYAGAIN the image is being written: again in a moment";

}  // namespace

void LocalAnswers::operator()(const resp::MembersBackup& asked) {
  asked.offset ? service_.read_backup(c_, *asked.offset, writer_) : service_.begin_backup(c_, writer_);
}

void Service::begin_backup(Connection& c, resp::ReplyWriter writer) {
  if (!waiting_.empty()) return writer.error(waiting_);
  if (backups_.size() >= kMostBackups && !backups_.contains(c.ref.connection)) {
    return writer.error(fmt::format("LIMIT {} backups are under way already: wait for one of them", kMostBackups));
  }
  const replica::Status status = replica_->status();
  Backup& backup = backups_[c.ref.connection];
  backup = {};
  backup.index = status.applied;
  if (status.snapshot_index < backup.index) {
    replica_->begin_snapshot();
    fed_ = true;
  }
  writer.map(1);
  writer.field_integer("index", static_cast<int64_t>(backup.index));
}

// Empty: it can be read.
std::string Service::open_backup(Backup& backup) {
  const replica::Status status = replica_->status();
  if (status.snapshot_index < backup.index) {
    const std::string trouble = replica_->snapshot_trouble();
    return trouble.empty() ? std::string(kStillWrittenError) : "ERR no image could be written: " + trouble;
  }
  auto file = replica_->open_snapshot();
  if (!file.ok()) return "ERR there is no image to read: " + file.status().message();
  const ClusterFacts known = facts();
  replica::BackupHead head;
  head.cluster = known.cluster_id;
  head.incarnation = known.incarnation;
  head.index = status.snapshot_index;
  head.member = known.name;
  head.made_ms = clock_.wall_ms();
  head.version = kCleatVersion;
  head.image_bytes = (*file)->size();
  backup.head = replica::encode(head);
  backup.file = *std::move(file);
  return {};
}

void Service::read_backup(Connection& c, uint64_t offset, resp::ReplyWriter writer) {
  const auto found = backups_.find(c.ref.connection);
  if (found == backups_.end()) return writer.error(kNothingAskedError);
  Backup& backup = found->second;
  if (!backup.file) {
    if (const std::string error = open_backup(backup); !error.empty()) {
      if (error != kStillWrittenError) backups_.erase(found);
      return writer.error(error);
    }
  }
  const uint64_t head = backup.head.size(), size = head + backup.file->size();
  std::string piece = offset < head ? backup.head.substr(offset) : std::string();
  if (offset + piece.size() < size && piece.size() < kPieceBytes) {
    const size_t begun = piece.size();
    piece.resize(kPieceBytes);
    const auto n = backup.file->read_at(offset + begun - head, piece.data() + begun, kPieceBytes - begun);
    if (!n.ok()) return writer.error("ERR the image cannot be read: " + n.status().message());
    piece.resize(begun + *n);
  }
  writer.array(2);
  writer.integer(static_cast<int64_t>(size));
  writer.bulk(piece);
}

}  // namespace cleat::server
