// The cluster's side of a node's life, put together: who the directory is, the port for members, the replica when there
// is a group to be a member of. Used by serve(); the loop's thread only.
//
//   start()       before the loop: reads or begins the identity; a member's replica is opened and replays its log
//   connect()     listens and dials
//   disconnect()  before the loop goes; close() after it
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/cluster.hpp"
#include "server/event_loop.hpp"
#include "server/waiting_replica.hpp"

namespace cleat::server {

class ClusterNode {
 public:
  ClusterNode(const Config&, std::string secret, replica::Clock&);
  ~ClusterNode();

  // The service serves the replica, or a stand-in while this node belongs to no group.
  base::Status start(Service&);
  base::Status connect(EventLoop&);
  void disconnect();
  base::Status close();

  ClusterFacts facts() const;
  void set_members(const replica::Members&);
  // This node ends itself, with this line for its operator.
  void stop(const std::string& why);
  // Why the node stopped by itself; empty: it did not.
  const std::string& trouble() const { return trouble_; }

 private:
  class Port;

  base::Result<std::optional<net::Address>> member_address() const;
  Cluster::Options cluster_options() const;
  replica::Options replica_options();
  base::Status open_replica();
  void serve();
  void become_member();

  const Config& config_;
  const std::string secret_;
  replica::Clock& clock_;
  ClusterSettings settings_;
  std::optional<net::Address> listen_;

  Cluster cluster_;
  PeerLink link_;
  Service* service_ = nullptr;
  EventLoop* loop_ = nullptr;
  std::unique_ptr<WaitingReplica> waiting_;
  net::Waker waker_;  // of the loop, for the replica's threads
  std::optional<net::Peers> peers_;
  std::unique_ptr<Port> port_;
  std::unique_ptr<replica::Replica> replica_;
  bool served_ = false;
  std::string trouble_;
};

}  // namespace cleat::server
