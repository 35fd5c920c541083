#include "runner.hpp"

#include <fmt/format.h>

#include <memory>

#include "compare.hpp"
#include "lock/machine.hpp"
#include "model.hpp"
#include "properties.hpp"
#include "world.hpp"

namespace cleat::auditor {

namespace {

constexpr size_t kQueriesEvery = 16, kInvariantsEvery = 32, kLocksBudget = 64, kCrowd = 16;

// Tells two sinks what a machine says.
class Both : public lock::Sink {
 public:
  Both(lock::Sink& a, lock::Sink* b) : a_(a), b_(b) {}
  void on_outcome(const lock::Outcome& o) override {
    a_.on_outcome(o);
    if (b_) b_->on_outcome(o);
  }
  void on_event(const lock::Event& e) override {
    a_.on_event(e);
    if (b_) b_->on_event(e);
  }
  void on_session_opened(base::SessionId id, int64_t ttl_ms, lock::By kind, int64_t log_ms) override {
    a_.on_session_opened(id, ttl_ms, kind, log_ms);
    if (b_) b_->on_session_opened(id, ttl_ms, kind, log_ms);
  }
  void on_session_ended(base::SessionId id, lock::Why why) override {
    a_.on_session_ended(id, why);
    if (b_) b_->on_session_ended(id, why);
  }

 private:
  lock::Sink& a_;
  lock::Sink* b_;
};

void count(RunCounts& counts, const std::vector<Said>& said) {
  counts.said += said.size();
  for (const auto& s : said) {
    if (const auto* o = std::get_if<OutcomeSaid>(&s)) {
      ++counts.commands;
      counts.grants += o->o.result == lock::Result::kGranted ? 1 : 0;
      counts.waits += o->o.result == lock::Result::kQueued ? 1 : 0;
      counts.repeats += o->o.repeated ? 1 : 0;
      counts.refusals += o->o.result >= lock::Result::kNotHeld ? 1 : 0;
    } else if (const auto* e = std::get_if<EventSaid>(&s)) {
      counts.expiries += e->e.kind == lock::EventKind::kExpired ? 1 : 0;
      counts.ghosts += e->e.delay_ms > 0 ? 1 : 0;
    }
  }
}

class Runner {
 public:
  Runner(const Plan& plan, Judges judges, std::vector<std::string>* story)
      : plan_(plan), judges_(judges), story_(story), machine_(std::make_unique<lock::Machine>()) {}

  bool run(RunCounts& counts) {
    if (!apply(world_.configure(plan_.settings), counts)) return false;
    for (step_ = 0; step_ < plan_.steps.size(); ++step_) {
      ++counts.steps;
      const Step& step = plan_.steps[step_];
      if (imaging_) go_on_writing();
      if (!apply(world_.entry(plan_, step, model_, story_), counts)) return false;
      if (step_ % kQueriesEvery == 0 && judges_.model && !agree("queries", compare_queries(*machine_, model_))) {
        return false;
      }
      if (step_ % kInvariantsEvery == 0 && !agree("invariants", machine_->check_invariants())) return false;
      if (imaging_ && step_ == image_done_at_ && !finish_image(counts)) return false;
      if (step.restore && !imaging_) begin_image();
    }
    return true;
  }

  size_t step() const { return step_; }
  const std::string& check() const { return check_; }
  const std::string& what() const { return what_; }

 private:
  bool agree(const char* check, std::string difference) {
    if (difference.empty()) return true;
    check_ = check;
    what_ = std::move(difference);
    return false;
  }

  bool apply(const std::string& entry, RunCounts& counts) {
    Collector machine_said;
    if (judges_.properties) properties_.begin(*machine_, entry);
    Both both(machine_said, judges_.properties ? &properties_ : nullptr);
    const auto status = machine_->apply(entry, both);
    if (!status.ok()) return agree("apply", "the machine refused an entry: " + status.message());
    if (judges_.properties) properties_.end();
    model_.apply(entry);
    if (imaging_) since_image_.push_back(entry);
    count(counts, model_.said);
    for (const auto& [name, n] : model_.names()) counts.crowded += n.holds.size() + n.queue.size() > kCrowd ? 1 : 0;
    if (story_) {
      for (const auto& s : machine_said.said) story_->push_back("    -> " + text(s));
    }
    if (judges_.properties && !agree("promise", properties_.broken())) return false;
    if (judges_.model) {
      if (!agree("said", compare_said(machine_said.said, model_.said))) return false;
      if (!agree("state", compare_state(*machine_, model_))) return false;
    }
    world_.learn(model_.said);
    return true;
  }

  // A snapshot that is written while entries are applied must be the image of its beginning.
  void begin_image() {
    if (story_) story_->push_back("  (snapshot begun)");
    imaging_ = true;
    image_.clear();
    since_image_.clear();
    complete_ = false;
    image_done_at_ = step_ + 1 + step_ % 7;
    digest_at_begin_ = machine_->digest();
    machine_->begin_snapshot();
  }

  void go_on_writing() {
    if (complete_) return;
    complete_ = machine_->write_some(kLocksBudget, [&](std::string_view block) { image_.emplace_back(block); });
  }

  bool finish_image(RunCounts& counts) {
    imaging_ = false;
    ++counts.restores;
    for (int guard = 0; !complete_ && guard < 1'000'000; ++guard) go_on_writing();
    auto restored = std::make_unique<lock::Machine>();
    for (const auto& block : image_) {
      if (auto s = restored->load_block(block); !s.ok()) return agree("restore", "load_block: " + s.message());
    }
    if (auto s = restored->finish_load(); !s.ok()) return agree("restore", "finish_load: " + s.message());
    if (restored->digest() != digest_at_begin_) {
      return agree("restore", "the digest after restoring is not that at the snapshot's beginning");
    }
    Collector ignored;
    for (const auto& entry : since_image_) {
      if (auto s = restored->apply(entry, ignored); !s.ok()) return agree("restore", "apply: " + s.message());
    }
    if (restored->digest() != machine_->digest()) return agree("restore", "the restored machine goes another way");
    if (!agree("invariants of the restored", restored->check_invariants())) return false;
    machine_ = std::move(restored);
    if (story_) story_->push_back("  (restored into a fresh machine, which goes on)");
    return !judges_.model || agree("queries after a restore", compare_queries(*machine_, model_));
  }

  const Plan& plan_;
  const Judges judges_;
  std::vector<std::string>* story_;
  std::unique_ptr<lock::Machine> machine_;
  Model model_;
  World world_;
  Properties properties_;
  size_t step_ = 0;
  std::string check_, what_;
  bool imaging_ = false, complete_ = false;
  size_t image_done_at_ = 0;
  uint64_t digest_at_begin_ = 0;
  std::vector<std::string> image_, since_image_;
};

}  // namespace

void RunCounts::add(const RunCounts& o) {
  steps += o.steps;
  commands += o.commands;
  said += o.said;
  grants += o.grants;
  waits += o.waits;
  expiries += o.expiries;
  ghosts += o.ghosts;
  repeats += o.repeats;
  refusals += o.refusals;
  restores += o.restores;
  crowded += o.crowded;
}

std::optional<Failure> run_plan(const Plan& plan, Judges judges, bool with_story, RunCounts* counts) {
  Failure failure;
  RunCounts own_counts;
  Runner runner(plan, judges, with_story ? &failure.story : nullptr);
  const bool fine = runner.run(counts ? *counts : own_counts);
  if (fine) return std::nullopt;
  failure.step = runner.step();
  failure.check = runner.check();
  failure.what = runner.what();
  return failure;
}

}  // namespace cleat::auditor
