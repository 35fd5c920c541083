// Tells the service manager (systemd) how the process is, over the datagram socket it names in NOTIFY_SOCKET; see
// sd_notify(3). Without that variable nothing happens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cleat::net {

class ServiceNotify {
 public:
  // The values of NOTIFY_SOCKET and WATCHDOG_USEC; null: not set.
  ServiceNotify(const char* socket_path, const char* watchdog_usec);
  // "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..."; lines may be joined.
  void tell(std::string_view state) const;
  // How often WATCHDOG=1 is to be told: half of what the manager allows.
  std::optional<int64_t> watchdog_every_ms() const { return watchdog_every_ms_; }

 private:
  std::string path_;
  std::optional<int64_t> watchdog_every_ms_;
};

}  // namespace cleat::net
