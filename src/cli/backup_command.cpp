// cleat cluster backup: fetches the image of one moment from a member, piece by piece, and lets it appear under its
// name only when it is on disk and could be read back. With --check it only reads.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/backup_text.hpp"
#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/talk.hpp"

namespace cleat::cli {
namespace {

using storage::FileSystem;

constexpr milliseconds kPause{20};

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

int give_up(const Common& common, const base::Status& status) {
  complain(common, escaped_line(status.message()));
  return kRefused;
}

// The file as it grows beside its name; gone again unless it was kept.
class Draft {
 public:
  explicit Draft(const std::string& path)
      : path_(path), aside_(path + ".partial-" + std::to_string(::getpid())), files_(FileSystem::real()) {}
  ~Draft() {
    if (file_ || written_) (void)files_.remove(aside_);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  base::Status begin() {
    ::umask(077);  // it holds secrets
    auto file = files_.create(aside_);
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    return {};
  }
  base::Status add(std::string_view bytes) {
    size_ += bytes.size();
    return file_->append(bytes);
  }
  uint64_t size() const { return size_; }
  base::Status finish() {
    const base::Status s = file_->sync();
    file_.reset();
    written_ = true;
    return s;
  }
  const std::string& aside() const { return aside_; }
  base::Status keep() {
    if (base::Status s = files_.rename(aside_, path_); !s.ok()) return s;
    written_ = false;
    return files_.sync_dir(folder_of(path_));
  }

 private:
  const std::string path_, aside_;
  FileSystem& files_;
  std::unique_ptr<storage::WritableFile> file_;
  bool written_ = false;
  uint64_t size_ = 0;
};

// Reads on over the connection that asked. Ok: kOk and all of it is in the draft.
int fetch(const Common& common, Talk& talk, milliseconds wait, Draft& draft) {
  const client::TimePoint written_by = boot_clock::now() + wait;
  for (;;) {
    const auto answer = talk.connection().call({"MEMBERS", "BACKUP", "READ", std::to_string(draft.size())},
                                               boot_clock::now() + common.timeout);
    if (!answer.ok()) return failed(common, answer.status());
    if (answer->error_code() == "TRYAGAIN" && boot_clock::now() < written_by) {
      ::poll(nullptr, 0, static_cast<int>(kPause.count()));
      continue;
    }
    if (answer->is_error()) return refused(common, *answer);
    if (!answer->is_array() || answer->items.size() != 2) {
      complain(common, "the answer of the server is none that this program knows: is it of the same version?");
      return kWrongProtocol;
    }
    if (answer->items[1].text.empty()) return kOk;
    if (base::Status s = draft.add(answer->items[1].text); !s.ok()) return give_up(common, s);
    if (draft.size() >= static_cast<uint64_t>(answer->items[0].integer)) return kOk;
  }
}

int check(const Common& common, const std::string& file, const char* done) {
  lock::Machine machine;
  const auto backup = replica::read_backup(FileSystem::real(), file, machine);
  if (!backup.ok()) return give_up(common, backup.status());
  return print(common, common.json ? backup_json(file, *backup, machine) : backup_text(done + file, *backup, machine));
}

}  // namespace

int execute(const Common& common, const BackupCommand& command) {
  if (command.check) return check(common, command.file, "a whole backup: ");
  if (!command.force && FileSystem::real().open(command.file).status().code() != base::Code::kNotFound) {
    complain(common, escaped(command.file) + " is there already: choose another name, or replace it with --force");
    return kRefused;
  }
  Draft draft(command.file);
  if (base::Status s = draft.begin(); !s.ok()) return give_up(common, s);
  Talk talk(common);
  client::Words words = {"MEMBERS", "BACKUP"};
  if (command.local) words.push_back("LOCAL");
  const auto begun = talk.ask(words);
  if (!begun.ok()) return failed(common, begun.status());
  if (begun->is_error()) return refused(common, *begun);
  if (const int status = fetch(common, talk, command.wait, draft); status != kOk) return status;
  if (base::Status s = draft.finish(); !s.ok()) return give_up(common, s);
  lock::Machine machine;
  const auto backup = replica::read_backup(FileSystem::real(), draft.aside(), machine);
  if (!backup.ok()) return give_up(common, backup.status());
  if (base::Status s = draft.keep(); !s.ok()) return give_up(common, s);
  return print(common, common.json ? backup_json(command.file, *backup, machine)
                                   : backup_text("wrote " + command.file, *backup, machine));
}

}  // namespace cleat::cli
