#include "server/cluster_identity.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "lock/tagged.hpp"

namespace cleat::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kIdentityMagic = "CLEATCL1", kNonceMagic = "CLEATNO1", kBootsMagic = "CLEATBO2",
                           kOldBootsMagic = "CLEATBO1", kRestoredMagic = "CLEATRE1";
constexpr size_t kMostBytes = 1 << 20;  // far more than any list of members takes
constexpr size_t kMagicBytes = 8, kSumBytes = 8;

enum Tag : uint32_t { kCluster = 1, kIncarnation, kMember, kName, kMembers, kNonces, kBackup, kAbove };
// Of `restored`.
enum RestoredTag : uint32_t { kOfCluster = 1, kOfBackup, kNewIncarnation, kNewAbove, kOwnName, kList };

std::string sealed(std::string bytes) {
  base::Writer(bytes).fixed64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

// What stands between the magic and the checksum, once both are right. The file names its version in the magic.
Result<std::string_view> opened(std::string_view bytes, std::string_view magic, const std::string& path) {
  const Status damaged(
      Code::kCorrupt,
      path +
          " is damaged, so this directory no longer knows which member it is: restore the directory, or remove this "
          "member from its cluster (cleat cluster remove) and let it join anew with an empty one");
  if (bytes.size() < kMagicBytes + kSumBytes || bytes.substr(0, 7) != magic.substr(0, 7)) return damaged;
  base::Reader sum(bytes.substr(bytes.size() - kSumBytes));
  bytes.remove_suffix(kSumBytes);
  if (sum.fixed64() != XXH3_64bits(bytes.data(), bytes.size())) return damaged;
  if (bytes.substr(0, kMagicBytes) != magic) {
    return Status(Code::kInvalid,
                  path + " was written by another version of cleat; start that one, or a newer one than both");
  }
  return bytes.substr(kMagicBytes);
}

Result<std::optional<std::string>> read_file(storage::FileSystem& files, const std::string& path) {
  auto file = files.open(path);
  if (file.status().code() == Code::kNotFound) return std::optional<std::string>();
  if (!file.ok()) return file.status();
  std::string bytes(std::min<uint64_t>((*file)->size(), kMostBytes), '\0');
  auto n = (*file)->read_at(0, bytes.data(), bytes.size());
  if (!n.ok()) return n.status();
  bytes.resize(*n);
  return std::optional<std::string>(std::move(bytes));
}

Status write_file(storage::FileSystem& files, const std::string& dir, const std::string& name, std::string_view bytes) {
  if (Status s = files.make_dir(dir); !s.ok()) return s;
  const std::string path = dir + "/" + name, aside = path + ".aside";
  auto file = files.create(aside);
  if (!file.ok()) return file.status();
  if (Status s = (*file)->append(bytes); !s.ok()) return s;
  if (Status s = (*file)->sync(); !s.ok()) return s;
  if (Status s = files.rename(aside, path); !s.ok()) return s;
  return files.sync_dir(dir);
}

std::string members_bytes(const std::vector<replica::Member>& members) {
  std::string out;
  base::Writer w(out);
  for (const replica::Member& m : members) {
    w.varint(m.id);
    w.bytes(m.name);
    w.bytes(m.address);
  }
  return out;
}

bool read_members(std::string_view bytes, std::vector<replica::Member>& out) {
  base::Reader r(bytes);
  while (r.ok() && !r.at_end()) {
    replica::Member m;
    const uint64_t id = r.varint();
    m.name = r.bytes();
    m.address = r.bytes();
    if (id == 0 || id > UINT32_MAX || (!out.empty() && id <= out.back().id)) return false;
    m.id = static_cast<uint32_t>(id);
    out.push_back(std::move(m));
  }
  return r.ok();
}

bool read_number(const lock::Field& field, uint32_t& out) {
  out = static_cast<uint32_t>(field.value);
  return !field.is_bytes && field.value != 0 && field.value <= UINT32_MAX;
}

template <size_t N>
bool read_array(const lock::Field& field, std::array<uint8_t, N>& out) {
  std::copy_n(field.bytes.begin(), std::min(field.bytes.size(), out.size()), out.begin());
  return field.bytes.size() == out.size();
}

template <size_t N>
std::string_view text_of(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool read_above(const lock::Field& field, uint64_t& out) {
  out = field.value;
  return !field.is_bytes && field.value <= lock::kMaxFence;
}

bool read_list(std::string_view bytes, std::vector<ListedMember>& out) {
  base::Reader r(bytes);
  while (r.ok() && !r.at_end()) {
    ListedMember m;
    m.name = r.bytes();
    m.address = r.bytes();
    out.push_back(std::move(m));
  }
  return r.ok();
}

bool read_field(const lock::Field& field, PendingRestore& out) {
  switch (field.number) {
    case kOfCluster:
      return read_array(field, out.origin.cluster);
    case kOfBackup:
      return read_array(field, out.origin.backup);
    case kNewIncarnation:
      return read_number(field, out.origin.incarnation);
    case kNewAbove:
      return read_above(field, out.origin.above);
    case kOwnName:
      out.name = field.bytes;
      return true;
    case kList:
      return read_list(field.bytes, out.list);
    default:
      return true;
  }
}

bool read_field(const lock::Field& field, ClusterIdentity& out) {
  switch (field.number) {
    case kCluster:
      return read_array(field, out.cluster);
    case kIncarnation:
      return read_number(field, out.incarnation);
    case kMember:
      return read_number(field, out.member);
    case kName:
      out.name = field.bytes;
      return true;
    case kMembers:
      return read_members(field.bytes, out.members);
    case kNonces:
      out.nonces.resize(field.bytes.size() / sizeof(FoundingNonce));
      for (size_t i = 0; i < out.nonces.size(); ++i) {
        std::copy_n(field.bytes.begin() + static_cast<ptrdiff_t>(i * sizeof(FoundingNonce)), sizeof(FoundingNonce),
                    out.nonces[i].begin());
      }
      return field.bytes.size() % sizeof(FoundingNonce) == 0;
    case kBackup:
      out.restored.emplace();
      return read_array(field, out.restored->backup);
    case kAbove:
      return out.restored && read_above(field, out.restored->above);
    default:
      return true;  // of a later version that this one may ignore
  }
}

}  // namespace

std::string encode(const ClusterIdentity& identity) {
  std::string nonces;
  for (const FoundingNonce& n : identity.nonces) nonces.append(n.begin(), n.end());
  std::string out(kIdentityMagic);
  lock::FieldWriter w(out);
  w.bytes(kCluster, text_of(identity.cluster));
  w.number(kIncarnation, identity.incarnation);
  w.number(kMember, identity.member);
  w.bytes(kName, identity.name);
  w.bytes(kMembers, members_bytes(identity.members));
  w.bytes(kNonces, nonces);
  if (identity.restored) {
    w.bytes(kBackup, text_of(identity.restored->backup));
    w.number(kAbove, identity.restored->above);
  }
  w.end();
  return sealed(std::move(out));
}

Result<ClusterIdentity> decode_cluster_identity(std::string_view bytes, const std::string& path) {
  auto inner = opened(bytes, kIdentityMagic, path);
  if (!inner.ok()) return inner.status();
  base::Reader r(*inner);
  lock::FieldReader fields(r);
  ClusterIdentity out;
  bool good = true;
  for (lock::Field field; fields.next(field);) good &= read_field(field, out);
  good &= fields.ok() && r.at_end() && out.member != 0 && !is_none(out.cluster) && !out.name.empty();
  good &= !out.founder() || out.nonces.size() == out.members.size();
  if (!good) return Status(Code::kCorrupt, path + " cannot be read although its checksum is right: restore it");
  if (out.restored) {
    out.restored->cluster = out.cluster;
    out.restored->incarnation = out.incarnation;
  }
  return out;
}

Result<std::optional<ClusterIdentity>> load_identity(storage::FileSystem& files, const std::string& dir) {
  const std::string path = dir + "/cluster";
  auto bytes = read_file(files, path);
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<ClusterIdentity>();
  auto identity = decode_cluster_identity(**bytes, path);
  if (!identity.ok()) return identity.status();
  return std::optional<ClusterIdentity>(*std::move(identity));
}

Status store_identity(storage::FileSystem& files, const std::string& dir, const ClusterIdentity& identity) {
  return write_file(files, dir, "cluster", encode(identity));
}

std::string encode(const PendingRestore& pending) {
  std::string list;
  for (const ListedMember& m : pending.list) {
    base::Writer(list).bytes(m.name);
    base::Writer(list).bytes(m.address);
  }
  std::string out(kRestoredMagic);
  lock::FieldWriter w(out);
  w.bytes(kOfCluster, text_of(pending.origin.cluster));
  w.bytes(kOfBackup, text_of(pending.origin.backup));
  w.number(kNewIncarnation, pending.origin.incarnation);
  w.number(kNewAbove, pending.origin.above);
  w.bytes(kOwnName, pending.name);
  w.bytes(kList, list);
  w.end();
  return sealed(std::move(out));
}

Result<PendingRestore> decode_pending_restore(std::string_view bytes, const std::string& path) {
  auto inner = opened(bytes, kRestoredMagic, path);
  if (!inner.ok()) return inner.status();
  base::Reader r(*inner);
  lock::FieldReader fields(r);
  PendingRestore out;
  bool good = true;
  for (lock::Field field; fields.next(field);) good &= read_field(field, out);
  good &= fields.ok() && r.at_end() && out.origin.incarnation != 0 && !is_none(out.origin.cluster) && !out.name.empty();
  if (!good) return Status(Code::kCorrupt, path + " cannot be read although its checksum is right: restore anew");
  return out;
}

Result<std::optional<PendingRestore>> load_pending_restore(storage::FileSystem& files, const std::string& dir) {
  const std::string path = dir + "/restored";
  auto bytes = read_file(files, path);
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<PendingRestore>();
  auto pending = decode_pending_restore(**bytes, path);
  if (!pending.ok()) return pending.status();
  return std::optional<PendingRestore>(*std::move(pending));
}

Status store_pending_restore(storage::FileSystem& files, const std::string& dir, const PendingRestore& pending) {
  return write_file(files, dir, "restored", encode(pending));
}

Result<FoundingNonce> load_or_make_nonce(storage::FileSystem& files, const std::string& dir,
                                         const FoundingNonce& fresh) {
  const std::string path = dir + "/nonce";
  auto bytes = read_file(files, path);
  if (!bytes.ok()) return bytes.status();
  if (*bytes) {
    auto inner = opened(**bytes, kNonceMagic, path);
    if (!inner.ok()) return inner.status();
    FoundingNonce nonce{};
    if (inner->size() != nonce.size()) return Status(Code::kCorrupt, path + " has the wrong length: restore it");
    std::copy(inner->begin(), inner->end(), nonce.begin());
    return nonce;
  }
  std::string out(kNonceMagic);
  out.append(fresh.begin(), fresh.end());
  if (Status s = write_file(files, dir, "nonce", sealed(std::move(out))); !s.ok()) return s;
  return fresh;
}

Result<SeenBoots> load_boots(storage::FileSystem& files, const std::string& dir) {
  const std::string path = dir + "/boots";
  auto bytes = read_file(files, path);
  if (!bytes.ok()) return bytes.status();
  SeenBoots boots;
  if (!*bytes) return boots;
  const bool old = (*bytes)->starts_with(kOldBootsMagic);  // without ids
  auto inner = opened(**bytes, old ? kOldBootsMagic : kBootsMagic, path);
  if (!inner.ok()) return inner.status();
  base::Reader r(*inner);
  while (r.ok() && !r.at_end()) {
    const uint64_t id = r.varint(), boot = r.varint();
    if (id > UINT32_MAX || boot > UINT32_MAX) r.fail();
    boots[static_cast<uint32_t>(id)] = {static_cast<uint32_t>(boot), old ? 0 : r.fixed64()};
  }
  if (!r.ok()) return Status(Code::kCorrupt, path + " cannot be read although its checksum is right: restore it");
  return boots;
}

Status store_boots(storage::FileSystem& files, const std::string& dir, const SeenBoots& boots) {
  std::string out(kBootsMagic);
  base::Writer w(out);
  for (const auto& [id, start] : boots) {
    w.varint(id);
    w.varint(start.boot);
    w.fixed64(start.id);
  }
  return write_file(files, dir, "boots", sealed(std::move(out)));
}

std::string cluster_text(const net::ClusterId& id) {
  std::string out;
  for (const uint8_t byte : id) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace cleat::server
