// A job that cron starts on every machine of a fleet, and that one of them is to do:
//
//   0 3 * * *  run_once lock1:7420,lock2:7420 /srv/sales /srv/reports/$(date +\%F)
//
// All wait in line for the lock. The first one makes the report and lets go; the others then find it made. The one that
// dies over it, or loses the lock, leaves no report, so the next in line makes it.
#include <cleat/cleat.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>

namespace {

enum ExitStatus { kDone = 0, kFailed = 1, kUsage = 2, kTryLater = 75 };

// A line a sale. Says whether it came to the end of them: work that takes long looks now and then whether the lock is
// still there.
bool sum_sales(const std::filesystem::path& sales, const cleat::Hold& hold, long& sum) {
  std::ifstream in(sales);
  for (long sale = 0; in >> sale; sum += sale) {
    if (hold.stop_token().stop_requested()) return false;
  }
  return in.eof();
}

// The report appears all at once or not at all. A file system can't compare fences; what it can refuse is a second
// report under the same name, so a machine that slept through the end of its lock does no harm here. The fence makes
// the name of what is not finished its own.
bool publish(const std::filesystem::path& report, std::uint64_t fence, long sum) {
  const std::filesystem::path draft = report.string() + ".draft-" + std::to_string(fence);
  std::ofstream out(draft);
  out << "sum " << sum << ", fence " << fence << "\n";
  out.close();
  if (!out) return false;
  std::error_code error;
  std::filesystem::create_hard_link(draft, report, error);
  std::filesystem::remove(draft);
  return !error;
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 4) {
    std::cerr << "Usage: run_once SERVERS SALES REPORT\n";
    return kUsage;
  }
  const std::filesystem::path sales = argv[2], report = argv[3];

  cleat::Options options;
  options.servers = {argv[1]};
  options.ttl = 3s;  // how soon the next one takes over from a machine that died
  cleat::Client client(options);
  cleat::Mutex mutex(client, "report/" + report.filename().string());

  std::unique_lock lock(mutex, 1h);
  if (!lock) {
    std::cerr << "another machine is still at it after an hour\n";
    return kTryLater;
  }
  if (std::filesystem::exists(report)) {
    std::cout << "made by another machine\n";
    return kDone;
  }
  long sum = 0;
  if (!sum_sales(sales, mutex.hold(), sum)) {
    std::cerr << "not made: " << (mutex.hold().held() ? "the sales can't be read" : mutex.hold().why_lost()) << "\n";
    return kFailed;
  }
  if (!publish(report, mutex.fence(), sum)) {
    std::cerr << "not made: " << report << " can't be written, or is there by now\n";
    return kFailed;
  }
  std::cout << "made here\n";
  return kDone;
} catch (const cleat::Error& error) {
  std::cerr << error.what() << "\n";
  return kTryLater;
}
