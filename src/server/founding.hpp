// How the members listed in --cluster become one group, and nobody votes twice (engine.md rule 11): a member founds the
// group when it has heard every other listed one itself, since it started, and each has the same list and either no
// group, or the very one that all their nonces make. A directory that was emptied has another nonce: it finds that the
// group was made without it, and is refused. Pure: statements in, a verdict out; no clock, file or socket.
//
// Why every one, and heard anew: an emptied member could otherwise be led by an old statement into a second group
// beside the first (founding_test.cpp walks through all orders of messages, restarts and one emptied directory).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/cluster_identity.hpp"

namespace cleat::server {

// What one node says of itself to another that has no group, or as long as itself has none.
struct Statement {
  std::string name;
  std::vector<ListedMember> list;  // by name: as given to it, or the founding list of its group
  FoundingNonce nonce{};
  net::ClusterId group{};             // none: it has no group yet
  std::vector<FoundingNonce> nonces;  // with a group: of its founders; empty when it joined later
  bool knows_you = false;             // with a group: whom it speaks to stands in its table by that name
  std::optional<Origin> origin;       // what it begins with, or with a group: began with, as a founder
  uint32_t incarnation = 0;           // of its group
  bool operator==(const Statement&) const = default;
};
std::string encode(const Statement&);
base::Result<Statement> decode_statement(std::string_view);

struct FoundingVerdict {
  enum class Kind { kWait, kRefuse, kFound };
  Kind kind = Kind::kWait;
  std::string text;          // kWait: for whom and why, one line; kRefuse: what to do, several lines
  ClusterIdentity identity;  // kFound: to be stored before anything else is said
};

class Founding {
 public:
  // `list` is sorted and holds `name`. With an origin the directory holds a state that was restored: all of the list
  // must have the same one.
  Founding(std::string name, std::vector<ListedMember> list, const FoundingNonce& nonce,
           std::optional<Origin> origin = {});

  Statement own_statement() const;
  const std::vector<ListedMember>& list() const { return list_; }

  // The last word of each counts. Statements of names that are not listed are of no interest here.
  void heard(const Statement&);
  // Why nothing is heard of that member, for people; empty: unknown.
  void unheard(const std::string& name, std::string why) { unheard_[name] = std::move(why); }

  FoundingVerdict verdict() const;

 private:
  std::optional<std::string> refusal(const Statement&) const;
  std::string missing(const ListedMember&) const;
  std::string other_origin(const Statement&) const;
  bool of_older_incarnation(const Statement&) const;
  ClusterIdentity identity() const;

  std::string name_;
  std::vector<ListedMember> list_;
  FoundingNonce nonce_;
  std::optional<Origin> origin_;
  std::map<std::string, Statement> heard_;
  std::map<std::string, std::string> unheard_;
};

// Of those founders with these nonces, in the order of the list.
net::ClusterId founded_cluster_id(const std::vector<ListedMember>& list, const std::vector<FoundingNonce>& nonces);
// A node that founds alone.
ClusterIdentity found_alone(const std::string& name, const std::string& address, const FoundingNonce& nonce);

// What differs between two lists, for people; empty: nothing.
std::string list_difference(const std::vector<ListedMember>& mine, const std::vector<ListedMember>& theirs);
std::string list_text(const std::vector<ListedMember>&);  // "a=HOST:PORT,b=HOST:PORT"

}  // namespace cleat::server
