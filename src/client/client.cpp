#include "cleat/client.hpp"

#include "client/engine.hpp"
#include "client/servers.hpp"
#include "client/thread_runner.hpp"

namespace cleat {
namespace {

// In a child of fork(2) the thread is not there, and its memory stands as the parent left it in that moment: nothing
// of it may be touched, so it is left to the end of the process.
void leave_alone(std::shared_ptr<client::Engine> engine) {
  static_cast<void>(new std::shared_ptr<client::Engine>(std::move(engine)));
}

}  // namespace

Client::Client(const Options& options)
    : engine_(std::make_shared<client::Engine>(options, std::make_unique<client::ThreadRunner>())) {}
Client::Client(const std::string& servers) : Client(client::options_for(servers)) {}

Client::~Client() {
  if (engine_->forked()) {
    leave_alone(engine_);
  } else {
    engine_->stop();
  }
}

boot_clock::time_point Client::now() const noexcept {
  return engine_->now();
}

std::string Client::session_id() const {
  return engine_->session_id();
}

}  // namespace cleat
