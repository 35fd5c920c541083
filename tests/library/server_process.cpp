#include "server_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace cleat::tests {
namespace {

constexpr int kStartLimitMs = 30'000;  // sanitizers and busy machines
constexpr std::string_view kNames = "abc";

std::string cleat_binary() {
  const char* other = ::getenv("CLEAT_TEST_BINARY");
  return other != nullptr ? other : CLEAT_BINARY;
}

// A loopback host that nobody else uses: on 127.0.0.1 a port whose owner is down for a restart may be another's by
// then.
std::string own_host() {
  std::random_device random;
  const auto part = [&random] { return std::to_string(1 + random() % 254); };
  return "127." + part() + "." + part() + "." + part();
}

// A port of a host of one's own stays free until its owner takes it.
std::string own_address() {
  const std::string host = own_host();
  const client::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
    throw std::runtime_error("no port on " + host);
  }
  return host + ":" + std::to_string(ntohs(address.sin_port));
}

// What a server takes for systemd, under an abstract name that the system picks: it is told READY=1.
client::Fd ready_socket(std::string& name) {
  client::Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof address.sun_family;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0) throw std::runtime_error("no socket for readiness");
  size = sizeof address;
  ::getsockname(fd.get(), generic, &size);
  name = "@" + std::string(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  return fd;
}

}  // namespace

std::string new_password() {
  std::random_device random;
  std::ostringstream out;
  for (int i = 0; i < 4; ++i) out << std::hex << random();
  return out.str();
}

ServerProcess::ServerProcess(ServerSettings settings, bool start_now) : settings_(std::move(settings)) {
  address_ = password().empty() ? own_address() : "";
  const std::string password_file = folder_.path("password");
  std::ofstream(password_file) << password() << "\n";
  std::filesystem::permissions(password_file, std::filesystem::perms::owner_read);
  if (start_now) start();
}

ServerProcess::~ServerProcess() {
  kill();
}

int ServerProcess::port() const {
  return std::stoi(address_.substr(address_.rfind(':') + 1));
}

void ServerProcess::start() {
  launch();
  wait_ready();
}

void ServerProcess::launch() {
  std::vector<std::string> command = {cleat_binary(),       "serve",    "--data",
                                      folder_.path("data"), "--listen", password().empty() ? address_ : "0.0.0.0:0"};
  if (!password().empty()) command.insert(command.end(), {"--password-file", folder_.path("password"), "--insecure"});
  command.insert(command.end(), settings_.options.begin(), settings_.options.end());
  std::string ready_name;
  ready_ = ready_socket(ready_name);
  const client::Fd log(::open(folder_.path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  process_ = std::make_unique<ChildProcess>(command, ChildProcess::Files{.output = log.get(), .errors = log.get()},
                                            std::vector<std::string>{"NOTIFY_SOCKET=" + ready_name});
}

void ServerProcess::wait_ready() {
  static const std::regex kListening("listening on \\S+:([0-9]+)");
  for (;;) {
    pollfd fds[] = {{ready_.get(), POLLIN, 0}, {process_->ended_fd(), POLLIN, 0}};
    if (::poll(fds, 2, kStartLimitMs) <= 0) throw std::runtime_error("the server does not start: " + log());
    if (fds[0].revents == 0) throw std::runtime_error("the server stopped: " + log());
    char told[256];
    const ssize_t n = ::recv(ready_.get(), told, sizeof told, 0);
    if (n > 0 && std::string_view(told, static_cast<size_t>(n)).find("READY=1") != std::string_view::npos) break;
  }
  const std::string said = log();
  std::string port;
  for (std::sregex_iterator at(said.begin(), said.end(), kListening), end; at != end; ++at) port = (*at)[1];
  if (!password().empty()) address_ = "127.0.0.1:" + port;
}

void ServerProcess::kill() {
  process_.reset();
}

void ServerProcess::forget() {
  kill();
  std::filesystem::remove_all(folder_.path("data"));
}

void ServerProcess::pause() {
  process_->send(SIGSTOP);
}
void ServerProcess::go_on() {
  process_->send(SIGCONT);
}

std::string ServerProcess::operator()(const std::string& arguments) {
  std::string command = cleat_binary() + " " + arguments + " --server " + address_;
  if (!password().empty()) command += " --password-file " + folder_.path("password");
  FILE* out = ::popen((command + " 2>&1").c_str(), "r");
  if (out == nullptr) throw std::runtime_error("can't run " + command);
  std::string said;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, out)) said.append(buffer, n);
  ::pclose(out);
  return said;
}

std::string ServerProcess::log() const {
  std::ostringstream out;
  out << std::ifstream(folder_.path("log")).rdbuf();
  return out.str();
}

ClusterProcess::ClusterProcess(const std::string& password) {
  std::array<std::string, kMembers> peers;
  std::string all;
  for (size_t i = 0; i < kMembers; ++i) {
    peers[i] = own_address();
    all += (i == 0 ? "" : ",") + std::string(1, kNames[i]) + "=" + peers[i];
  }
  for (size_t i = 0; i < kMembers; ++i) {
    const ServerSettings settings{.options = {"--name", std::string(1, kNames[i]), "--cluster", all},
                                  .password = password};
    members_[i] = std::make_unique<ServerProcess>(settings, false);
    members_[i]->launch();
  }
  for (const auto& member : members_) member->wait_ready();
}

std::vector<std::string> ClusterProcess::addresses() const {
  std::vector<std::string> out;
  for (const auto& member : members_) out.push_back(member->address());
  return out;
}

size_t ClusterProcess::wait_leader() {
  static const std::regex kLeader("\"leader\":\"([abc])\"");
  for (int turns = 0; turns < 1'000; ++turns) {
    const std::string said = (*members_[static_cast<size_t>(turns) % kMembers])("cluster status --json");
    std::smatch found;
    if (std::regex_search(said, found, kLeader)) return kNames.find(found.str(1));
  }
  throw std::runtime_error("the cluster finds no leader: " + members_[0]->log());
}

}  // namespace cleat::tests
