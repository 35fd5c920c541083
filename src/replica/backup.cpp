#include "replica/backup.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <memory>

#include "lock/tagged.hpp"

namespace cleat::replica {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kMagic = "CLEATBA1";
constexpr size_t kFixedBytes = kMagic.size() + 4, kSumBytes = 8;
constexpr uint32_t kMostHeadBytes = 4096;
constexpr const char* kAdvice = "Use another copy of it, or another backup";

enum Tag : uint32_t { kCluster = 1, kIncarnation, kIndex, kMember, kMade, kVersion, kImageBytes };

Status damaged(const std::string& path, const std::string& what) {
  return {Code::kCorrupt, path + " is damaged: " + what + ". " + kAdvice};
}

bool read_field(const lock::Field& field, BackupHead& out) {
  switch (field.number) {
    case kCluster:
      std::copy_n(field.bytes.begin(), std::min(field.bytes.size(), out.cluster.size()), out.cluster.begin());
      return field.bytes.size() == out.cluster.size();
    case kIncarnation:
      out.incarnation = static_cast<uint32_t>(field.value);
      return !field.is_bytes && field.value != 0 && field.value <= UINT32_MAX;
    case kIndex:
      out.index = field.value;
      return !field.is_bytes;
    case kMember:
      out.member = field.bytes;
      return field.is_bytes;
    case kMade:
      out.made_ms = static_cast<int64_t>(field.value);
      return !field.is_bytes && field.value <= INT64_MAX;
    case kVersion:
      out.version = field.bytes;
      return field.is_bytes;
    case kImageBytes:
      out.image_bytes = field.value;
      return !field.is_bytes;
    default:
      return true;  // of a later version that this one may ignore
  }
}

// What lies behind the head.
class Section final : public storage::ReadableFile {
 public:
  Section(const storage::ReadableFile& file, uint64_t from) : file_(file), from_(from) {}
  uint64_t size() const override { return file_.size() - from_; }
  Result<size_t> read_at(uint64_t offset, char* out, size_t n) const override {
    return file_.read_at(from_ + offset, out, n);
  }

 private:
  const storage::ReadableFile& file_;
  uint64_t from_;
};

Result<BackupId> id_of(const storage::ReadableFile& file) {
  constexpr size_t kPieceBytes = 1 << 20;
  std::string piece(kPieceBytes, '\0');
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (uint64_t at = 0; at < file.size(); at += piece.size()) {
    const auto n = file.read_at(at, piece.data(), piece.size());
    if (!n.ok()) return n.status();
    XXH3_128bits_update(&state, piece.data(), *n);
  }
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
  BackupId id;
  std::copy_n(canonical.digest, id.size(), id.begin());
  return id;
}

}  // namespace

std::string encode(const BackupHead& head) {
  std::string fields;
  lock::FieldWriter w(fields);
  w.bytes(kCluster, {reinterpret_cast<const char*>(head.cluster.data()), head.cluster.size()});
  w.number(kIncarnation, head.incarnation);
  w.number(kIndex, head.index);
  w.bytes(kMember, head.member);
  w.number(kMade, static_cast<uint64_t>(head.made_ms));
  w.bytes(kVersion, head.version);
  w.number(kImageBytes, head.image_bytes);
  w.end();
  std::string out(kMagic);
  base::Writer to(out);
  to.fixed32(static_cast<uint32_t>(fields.size()));
  out += fields;
  to.fixed64(XXH3_64bits(out.data(), out.size()));
  return out;
}

Result<BackupHead> decode_backup_head(std::string_view bytes, const std::string& path, size_t& length) {
  if (bytes.substr(0, 7) != kMagic.substr(0, 7)) {
    return Status(Code::kInvalid, path + " is no backup: those are written by `cleat cluster backup FILE`");
  }
  if (bytes.size() < kFixedBytes) return damaged(path, "it ends early");
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return Status(Code::kInvalid, path +
                                      " is a backup in a form that this program does not know: use the version of "
                                      "cleat that wrote it, or a newer one");
  }
  const uint32_t fields = base::Reader(bytes.substr(kMagic.size())).fixed32();
  length = kFixedBytes + fields + kSumBytes;
  if (fields > kMostHeadBytes || bytes.size() < length) return damaged(path, "it ends early, or its head is damaged");
  const std::string_view summed = bytes.substr(0, length - kSumBytes);
  if (base::Reader(bytes.substr(summed.size())).fixed64() != XXH3_64bits(summed.data(), summed.size())) {
    return damaged(path, "its head does not match its checksum");
  }
  base::Reader r(summed.substr(kFixedBytes));
  lock::FieldReader reader(r);
  BackupHead head;
  bool good = true;
  for (lock::Field field; reader.next(field);) good &= read_field(field, head);
  if (!good || !reader.ok() || !r.at_end()) return damaged(path, "its head cannot be read");
  return head;
}

Result<Backup> read_backup(storage::FileSystem& files, const std::string& path, lock::Machine& machine) {
  auto file = files.open(path);
  if (!file.ok()) return file.status();
  std::string begin(kFixedBytes + kMostHeadBytes + kSumBytes, '\0');
  const auto n = (*file)->read_at(0, begin.data(), begin.size());
  if (!n.ok()) return n.status();
  size_t length = 0;
  auto head = decode_backup_head(std::string_view(begin).substr(0, *n), path, length);
  if (!head.ok()) return head.status();
  Backup out;
  out.head = *std::move(head);
  out.bytes = (*file)->size();
  if (out.bytes != length + out.head.image_bytes) {
    return damaged(path, "it has " + std::to_string(out.bytes) + " bytes and should have " +
                             std::to_string(length + out.head.image_bytes));
  }
  auto reader =
      storage::SnapshotReader::read(std::make_unique<Section>(**file, length), "the image in " + path, kAdvice);
  if (!reader.ok()) return reader.status();
  if ((*reader)->header().index != out.head.index) return damaged(path, "its head is of another image");
  auto members = read_image(**reader, path, machine);
  if (!members.ok()) return members.status();
  out.members = std::move(members->members);
  auto id = id_of(**file);
  if (!id.ok()) return id.status();
  out.id = *id;
  return out;
}

}  // namespace cleat::replica
