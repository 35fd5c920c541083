// Workers of any number of programs that book into accounts, never two into the same account at a time:
//
//   worker_pool lock1:7420,lock2:7420 /srv/accounts 8 < bookings      (a line each: account and amount)
//
// There are more accounts than anybody wants mutexes for, so they share a few names: each account belongs to one of
// them, in every program the same one. All workers of a program share one Client, so one connection.
#include <cleat/cleat.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

const cleat::Striped kAccounts = cleat::striped("accounts", 64);

struct Booking {
  std::string account;
  long amount = 0;
};

// The lines of standard input, each given to one worker.
class Bookings {
 public:
  bool next(Booking& booking) {
    const std::scoped_lock lock(mutex_);
    return static_cast<bool>(std::cin >> booking.account >> booking.amount);
  }

 private:
  std::mutex mutex_;
};

// A file each, with its balance and a fence: it refuses who was granted the lock before the one who wrote it last. (A
// database would do the same with `UPDATE ... WHERE fence <= ?`.)
bool book(const std::filesystem::path& file, long amount, std::uint64_t fence) {
  long balance = 0;
  std::uint64_t seen = 0;
  std::ifstream(file) >> balance >> seen;
  if (fence < seen) return false;
  const std::filesystem::path next = file.string() + ".next-" + std::to_string(fence);
  std::ofstream out(next);
  out << balance + amount << " " << fence << "\n";
  out.close();
  if (!out) return false;
  std::filesystem::rename(next, file);
  return true;
}

// False: not all that this worker took was booked.
bool work(Bookings& bookings, std::vector<std::unique_ptr<cleat::Mutex>>& stripes,
          const std::filesystem::path& folder) {
  bool all = true;
  for (Booking booking; bookings.next(booking);) {
    std::string why = "refused";
    try {
      cleat::Mutex& stripe = *stripes[kAccounts.index(booking.account)];
      const std::scoped_lock lock(stripe);
      if (book(folder / booking.account, booking.amount, stripe.fence())) continue;
    } catch (const std::exception& error) {
      why = error.what();
    }
    std::cerr << "not booked: " + booking.account + " " + std::to_string(booking.amount) + ": " + why + "\n";
    all = false;
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "Usage: worker_pool SERVERS FOLDER WORKERS < BOOKINGS\n";
    return 2;
  }
  const std::filesystem::path folder = argv[2];
  cleat::Client client(argv[1]);
  std::vector<std::unique_ptr<cleat::Mutex>> stripes;
  for (const std::string& name : kAccounts.names()) stripes.push_back(std::make_unique<cleat::Mutex>(client, name));

  Bookings bookings;
  std::atomic<bool> all{true};
  std::vector<std::jthread> workers;
  for (int i = 0; i < std::stoi(argv[3]); ++i) {
    workers.emplace_back([&] {
      if (!work(bookings, stripes, folder)) all = false;
    });
  }
  workers.clear();  // waits for them
  return all ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
