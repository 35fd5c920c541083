#include "server/founding.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/mutant.hpp"
#include "net/hmac.hpp"

namespace cleat::server {
namespace {

constexpr uint8_t kStatementVersion = 1;
constexpr uint64_t kMostListed = 1'000;

std::string list_bytes(const std::vector<ListedMember>& list) {
  std::string out;
  base::Writer w(out);
  w.varint(list.size());
  for (const ListedMember& m : list) {
    w.bytes(m.name);
    w.bytes(m.address);
  }
  return out;
}

template <size_t N>
void take_array(base::Reader& r, std::array<uint8_t, N>& out) {
  const std::string_view bytes = r.take(N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

std::string_view text_of(const FoundingNonce& n) {
  return {reinterpret_cast<const char*>(n.data()), n.size()};
}

const ListedMember* find(const std::vector<ListedMember>& list, std::string_view name) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const ListedMember& m) { return m.name == name; });
  return it == list.end() ? nullptr : &*it;
}

std::vector<replica::Member> numbered(const std::vector<ListedMember>& list) {
  std::vector<replica::Member> out;
  out.reserve(list.size());
  for (const ListedMember& m : list) out.push_back({static_cast<uint32_t>(out.size() + 1), m.name, m.address});
  return out;
}

}  // namespace

std::string encode(const Statement& s) {
  std::string out;
  base::Writer w(out);
  w.u8(kStatementVersion);
  w.bytes(s.name);
  out += list_bytes(s.list);
  out += text_of(s.nonce);
  out.append(s.group.begin(), s.group.end());
  w.varint(s.nonces.size());
  for (const FoundingNonce& n : s.nonces) out += text_of(n);
  w.u8(s.knows_you ? 1 : 0);
  w.u8(s.origin ? 1 : 0);
  if (s.origin) {
    out.append(s.origin->cluster.begin(), s.origin->cluster.end());
    out.append(s.origin->backup.begin(), s.origin->backup.end());
    w.varint(s.origin->incarnation);
    w.varint(s.origin->above);
  }
  w.varint(s.incarnation);
  return out;
}

base::Result<Statement> decode_statement(std::string_view bytes) {
  base::Reader r(bytes);
  Statement s;
  const uint8_t version = r.u8();
  s.name = r.bytes();
  const uint64_t listed = r.varint();
  for (uint64_t i = 0; i < listed && listed <= kMostListed && r.ok(); ++i) {
    ListedMember m;
    m.name = r.bytes();
    m.address = r.bytes();
    s.list.push_back(std::move(m));
  }
  take_array(r, s.nonce);
  take_array(r, s.group);
  const uint64_t nonces = r.varint();
  for (uint64_t i = 0; i < nonces && nonces <= kMostListed && r.ok(); ++i) take_array(r, s.nonces.emplace_back());
  s.knows_you = r.u8() != 0;
  const auto incarnation = [&r] {
    const uint64_t v = r.varint();
    if (v > UINT32_MAX) r.fail();
    return static_cast<uint32_t>(v);
  };
  if (r.u8() != 0) {
    s.origin.emplace();
    take_array(r, s.origin->cluster);
    take_array(r, s.origin->backup);
    s.origin->incarnation = incarnation();
    s.origin->above = r.varint();
    if (s.origin->above > lock::kMaxFence) r.fail();
  }
  s.incarnation = incarnation();
  // Later versions may add fields at the end.
  if (version == 0 || !r.ok() || listed > kMostListed || nonces > kMostListed)
    return base::Status(base::Code::kInvalid, "what the other node says of itself cannot be read");
  return s;
}

net::ClusterId founded_cluster_id(const std::vector<ListedMember>& list, const std::vector<FoundingNonce>& nonces) {
  std::string all = list_bytes(list);
  for (const FoundingNonce& n : nonces) all += text_of(n);
  const net::Digest digest = net::sha256({"cleat cluster 1", all});
  net::ClusterId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

ClusterIdentity found_alone(const std::string& name, const std::string& address, const FoundingNonce& nonce) {
  const std::vector<ListedMember> list = {{name, address}};
  ClusterIdentity out;
  out.cluster = founded_cluster_id(list, {nonce});
  out.member = 1;
  out.name = name;
  out.members = numbered(list);
  out.nonces = {nonce};
  return out;
}

std::string list_text(const std::vector<ListedMember>& list) {
  std::string out;
  for (const ListedMember& m : list) out += fmt::format("{}{}={}", out.empty() ? "" : ",", m.name, m.address);
  return out;
}

std::string list_difference(const std::vector<ListedMember>& mine, const std::vector<ListedMember>& theirs) {
  std::string out;
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  for (const ListedMember& m : mine) {
    const ListedMember* other = find(theirs, m.name);
    if (!other) add(fmt::format("it does not list {}", m.name));
    if (other && other->address != m.address) {
      add(fmt::format("it has {} at {} and not at {}", m.name, other->address, m.address));
    }
  }
  for (const ListedMember& m : theirs) {
    if (!find(mine, m.name)) add(fmt::format("it also lists {}", m.name));
  }
  return out;
}

Founding::Founding(std::string name, std::vector<ListedMember> list, const FoundingNonce& nonce,
                   std::optional<Origin> origin)
    : name_(std::move(name)), list_(std::move(list)), nonce_(nonce), origin_(origin) {
  CLEAT_CHECK(find(list_, name_), "the settings were checked: the own name is listed");
}

Statement Founding::own_statement() const {
  return {name_, list_, nonce_, {}, {}, false, origin_, 0};
}

void Founding::heard(const Statement& s) {
  if (s.name == name_ || !find(list_, s.name)) return;
  heard_[s.name] = s;
}

// A member with a group that this directory is no founder of: it will never be let in as one.
std::optional<std::string> Founding::refusal(const Statement& s) const {
  if (is_none(s.group) || of_older_incarnation(s) || base::mutant("votes_twice")) return std::nullopt;
  const bool mine_is_in = std::find(s.nonces.begin(), s.nonces.end(), nonce_) != s.nonces.end();
  if (mine_is_in && list_difference(list_, s.list).empty()) return std::nullopt;
  const std::string& address = find(list_, name_)->address;
  std::string out = fmt::format("{} ({}) belongs to cluster {} already, ", s.name, find(list_, s.name)->address,
                                cluster_text(s.group));
  if (s.knows_you) {
    out += fmt::format(
        "and its member {} was another directory than this one: it was emptied or replaced. What it had promised is "
        "forgotten, so it can't take that place again, but it can join as a new member:\n"
        "  cleat cluster remove {}\n"
        "  cleat cluster add {}={}\n",
        name_, name_, name_, address);
  } else {
    out += fmt::format(
        "which has no member {}: it was founded as {} without this node. Either another cluster uses that address "
        "(correct --cluster), or this node is to join it:\n"
        "  cleat cluster add {}={}\n",
        name_, s.list.empty() ? "an older one" : list_text(s.list), name_, address);
  }
  out += fmt::format("(both against a member that runs), and start this node with --join {} in place of --cluster",
                     find(list_, s.name)->address);
  return out;
}

// A member of the cluster that was backed up runs on there.
bool Founding::of_older_incarnation(const Statement& s) const {
  return origin_ && s.group == origin_->cluster && s.incarnation < origin_->incarnation &&
         !(s.origin && s.origin->backup == origin_->backup);
}

// Why its state can't become one with the state here; empty: it can.
std::string Founding::other_origin(const Statement& s) const {
  constexpr std::string_view kSame = "run `cleat cluster restore` with the same file and the same --cluster";
  if (of_older_incarnation(s)) {
    return fmt::format(
        "which still runs as a member of the older incarnation {} of this cluster: stop it, empty its directory and {} "
        "there",
        s.incarnation, kSame);
  }
  if (origin_ && !s.origin) return fmt::format("whose directory is empty and was not restored: {} there, too", kSame);
  if (!origin_ && s.origin) return fmt::format("which was restored from a backup: {} here, too", kSame);
  if (!origin_ || (origin_->cluster == s.origin->cluster && origin_->backup == s.origin->backup)) return {};
  return fmt::format("which was restored from another backup than this node: {} on all", kSame);
}

std::string Founding::missing(const ListedMember& m) const {
  const auto it = heard_.find(m.name);
  if (it != heard_.end()) {
    const std::string difference = list_difference(list_, it->second.list);
    const std::string other = other_origin(it->second);
    if (!other.empty() && (difference.empty() || !is_none(it->second.group))) {
      return fmt::format("{}, {}", m.name, other);
    }
    if (difference.empty()) return {};
    return fmt::format("{}, whose --cluster differs from the one here: {}", m.name, difference);
  }
  const auto why = unheard_.find(m.name);
  if (why == unheard_.end() || why->second.empty()) return fmt::format("{} ({})", m.name, m.address);
  return fmt::format("{} ({}: {})", m.name, m.address, why->second);
}

ClusterIdentity Founding::identity() const {
  ClusterIdentity out;
  for (const ListedMember& m : list_) {
    const auto it = heard_.find(m.name);
    out.nonces.push_back(it == heard_.end() ? nonce_ : it->second.nonce);
  }
  if (base::mutant("votes_twice")) {
    for (const auto& [name, s] : heard_)
      if (!is_none(s.group)) out.nonces = s.nonces;
  }
  out.cluster = founded_cluster_id(list_, out.nonces);
  if (origin_) {
    Origin agreed = *origin_;
    for (const auto& [name, statement] : heard_) {
      agreed.incarnation = std::max(agreed.incarnation, statement.origin->incarnation);
      agreed.above = std::max(agreed.above, statement.origin->above);
    }
    out.cluster = agreed.cluster;
    out.incarnation = agreed.incarnation;
    out.restored = agreed;
  }
  out.members = numbered(list_);
  out.name = name_;
  for (const replica::Member& m : out.members) {
    if (m.name == name_) out.member = m.id;
  }
  return out;
}

FoundingVerdict Founding::verdict() const {
  FoundingVerdict out;
  for (const auto& [name, statement] : heard_) {
    if (auto text = refusal(statement)) {
      out.kind = FoundingVerdict::Kind::kRefuse;
      out.text = *std::move(text);
      return out;
    }
  }
  for (const ListedMember& m : list_) {
    if (m.name == name_) continue;
    const std::string text = missing(m);
    if (!text.empty()) out.text += (out.text.empty() ? "waiting for " : ", ") + text;
  }
  if (!out.text.empty()) return out;
  ClusterIdentity made = identity();
  for (const auto& [name, statement] : heard_) {
    // Of a restored one the id is known before, so the nonces must tell.
    const bool same = statement.group == made.cluster && (!origin_ || statement.nonces == made.nonces);
    if (is_none(statement.group) || same) continue;
    // It was made with a nonce that some other listed member no longer has: that one was emptied, and will be refused.
    out.text = fmt::format(
        "waiting for all members to be those that founded cluster {} (of {}): one of the others was emptied since, see "
        "its log",
        cluster_text(statement.group), name);
    return out;
  }
  out.kind = FoundingVerdict::Kind::kFound;
  out.identity = std::move(made);
  return out;
}

}  // namespace cleat::server
