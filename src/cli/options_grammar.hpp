// The commands and their options as they are declared to CLI11, which takes seconds to compile: included by options.cpp
// alone, whose parse() reads by it and whose describe() tells of it.
#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.hpp"

namespace cleat::cli {

using Environment = std::function<const char*(const char*)>;

// As add_lock_options() has them in its help.
constexpr std::array kModes{"exclusive",     "shared",           "update",
                            "intent-shared", "intent-exclusive", "shared-intent-exclusive"};

// Builds the App; what it reads lands in an Invocation.
class Grammar {
 public:
  explicit Grammar(const Environment& environment);
  CLI::App& app() { return app_; }
  Invocation& invocation() { return invocation_; }
  bool knows(const std::string& command) const;
  bool knows_cluster(const std::string& command) const;

 private:
  CLI::App& add(const std::string& name, const std::string& what, const char* footer, bool prints = true);
  // `whole`: the name with those of its parents, for messages.
  CLI::App& add_to(CLI::App& parent, const std::string& name, const std::string& whole, const std::string& what,
                   const char* footer, bool prints = true);
  template <class T>
  T& command(CLI::App& sub);
  void add_serve();
  void add_run();
  void add_lock();
  void add_unlock();
  void add_renew();
  void add_show();
  void add_ls();
  void add_history();
  void add_events();
  void add_sessions();
  void add_status();
  void add_cluster();
  CLI::App& cluster_sub(CLI::App& cluster, const std::string& name, const std::string& what, const char* footer);
  ClusterCommand& cluster_command(CLI::App& sub, ClusterCommand::Kind kind);
  void add_cluster_status(CLI::App& cluster);
  void add_cluster_add(CLI::App& cluster);
  void add_cluster_backup(CLI::App& cluster);
  CLI::App& cluster_offline(CLI::App& cluster, const std::string& name, const std::string& what, const char* footer);
  void add_cluster_restore(CLI::App& cluster);
  void add_cluster_recover(CLI::App& cluster);
  void add_bench();
  void add_completion();

  const Environment& environment_;
  Invocation invocation_;
  std::vector<std::shared_ptr<void>> kept_;
  CLI::App app_{"Cleat: a distributed lock service. One binary is the server and the command line.", "cleat"};
};

}  // namespace cleat::cli
