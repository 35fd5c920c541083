// Which broken variants there are beside those of the lock machine (auditor/mutants.hpp), and where each is hunted.
#pragma once

namespace cleat::sim {

struct Mutant {
  const char* name;
  const char* what;
  int members;         // of the groups that hunt it; 0: one node
  const char* binary;  // not null: hunted by these unit tests, beside this binary
  const char* filter;  // which of them; without a binary: the directed case that hunts it
};

inline constexpr Mutant kMutants[] = {
    // one node
    {"skip_sync", "the disk's syncs do nothing", 0, nullptr, nullptr},
    {"answer_before_sync", "entries are applied and answered before they are on disk", 0, nullptr, nullptr},
    {"forget_req", "a decided REQ is not kept", 0, nullptr, nullptr},
    {"lose_wakeup", "a release does not wake the queue", 0, nullptr, nullptr},
    {"expire_early", "ends count d, not D(d)", 0, nullptr, nullptr},
    {"grant_past_writer", "a compatible newcomer passes an incompatible waiter", 0, nullptr, nullptr},
    {"ok_after_mark", "a keep-alive is confirmed though a Mark stands", 0, nullptr, nullptr},
    {"log_time_counts_stall", "a stall counts in full", 0, nullptr, nullptr},
    {"log_time_restarts_at_zero", "log time begins anew at a start", 0, nullptr, nullptr},
    {"snapshot_of_wrong_index", "a snapshot calls itself one entry newer", 0, nullptr, nullptr},
    {"snapshot_of_moving_state", "what changes while a snapshot is written is in it changed", 0, nullptr, nullptr},
    {"snapshot_rot_ignored", "a snapshot's checksums are not looked at", 0, nullptr, nullptr},
    {"lower_bound_ignored", "a log that lost acknowledged entries is opened", 0, nullptr, nullptr},
    {"undeliver_ignored", "a grant that could not be delivered stands", 0, nullptr, nullptr},
    {"boot_not_ended", "who waited on connections of an earlier start waits on", 0, nullptr, nullptr},
    {"boot_not_counted", "each start has the same number", 0, nullptr, nullptr},
    {"commands_not_heard", "only keep-alives count as heard", 0, nullptr, nullptr},
    {"opened_counts_from_election", "a session opened in this term counts from the election", 0, nullptr, nullptr},
    {"clock_read_first", "the clock is read before the input", 0, nullptr, nullptr},
    {"no_extra_ms", "ends count d x (1 + margin) without the 1 ms", 0, nullptr, nullptr},
    {"waited_undivided", "waited_ms is the service's own time", 0, nullptr, nullptr},
    {"ttl_from_request", "a waiter's TTL counts from its arrival", 0, nullptr, nullptr},
    {"renew_shortens", "RENEW with a short TTL takes time away", 0, nullptr, nullptr},
    {"client_ignores_max_hold", "a client forgets MAXHOLD", 0, nullptr, nullptr},
    {"client_counts_from_answer", "a client counts from the answer", 0, nullptr, nullptr},
    {"client_counts_from_last_sending", "a client counts from the last sending of what it said twice", 0, nullptr,
     nullptr},
    {"client_counts_from_memory", "a client counts what is told from memory as if it was new", 0, nullptr, nullptr},
    {"client_believes_until_unlocked", "a client believes until UNLOCK is answered", 0, nullptr, nullptr},
    // Several members: with one voter a round of proof is over in the call that begins it, nothing is forwarded, and a
    // term ends only with its process.
    {"skip_sync", "the disks' syncs do nothing", 3, nullptr, nullptr},
    {"answer_before_sync", "entries are applied and answered before they are decided", 3, nullptr, nullptr},
    {"proof_before_receipt", "a proof of leadership begun before a keep-alive confirms it", 3, nullptr, nullptr},
    {"context_reused", "a proof has the context of the one before", 3, nullptr, nullptr},
    {"leads_unproved", "a leader needs no proof", 3, nullptr, nullptr},
    {"lease_reads", "a leader proves itself by its clock alone", 3, nullptr, nullptr},
    {"acknowledged_before_sync", "a member acknowledges entries and votes that are not on its disk", 3, nullptr,
     nullptr},
    {"lead_before_noop", "a leader answers before its first entry", 3, nullptr, nullptr},
    {"ok_after_mark", "a keep-alive is confirmed though a Mark stands", 3, nullptr, nullptr},
    {"inherited_mark_ignored", "a keep-alive is confirmed though a Mark of an earlier term stands", 3, nullptr,
     nullptr},
    {"expire_before_drain", "a session ends though its input was not read", 3, nullptr, "last_moment_unread"},
    {"log_time_counts_stall", "a stall counts in full", 3, nullptr, nullptr},
    {"log_time_before_election", "log time counts from before the election", 3, nullptr, nullptr},
    {"log_time_remembered", "log time starts at the greatest stamp ever seen", 3, nullptr, nullptr},
    {"forward_taken_twice", "a forward that comes twice is done twice", 3, nullptr, nullptr},
    {"forward_of_old_term", "a forward of an earlier term is done", 3, nullptr, nullptr},
    {"forward_not_repeated", "a forward that is lost is not sent again", 3, nullptr, "forwards_lost"},
    {"read_before_apply", "a read is answered before its entry is applied", 3, nullptr, nullptr},
    {"no_ticks", "an idle log gets no ticks", 3, nullptr, nullptr},
    {"snapshot_of_wrong_index", "a snapshot calls itself one entry newer", 3, nullptr, nullptr},
    {"snapshot_not_reported", "who sent a snapshot is not told that it came", 3, nullptr, nullptr},
    {"installed_sessions_forgotten", "sessions of a received snapshot are not watched", 3, nullptr, nullptr},
    {"refused_proposal_remembered", "a proposal that Raft refused counts as made", 3, nullptr, "hand_over_that_fails"},
    {"boot_not_ended", "who waited on connections of an earlier start waits on", 3, nullptr,
     "waiters_of_an_ended_boot"},
    {"takeover_ignored", "TAKEOVER shuts nobody out", 3, nullptr, nullptr},
    {"written_before_sync", "a leader counts its own disk before its thread has written", 3, nullptr, nullptr},
    {"put_back_let_in", "a disk that was put back to an older copy is let in", 3, nullptr, nullptr},
    {"match_ignored", "a leader lets in who has forgotten what it acknowledged", 3, nullptr, nullptr},
    {"match_overrated", "a leader counts on one entry more than a member acknowledged", 3, nullptr, nullptr},
    {"start_ids_ignored", "starts are told apart by their number alone", 3, nullptr, nullptr},
    {"restored_fences_low", "a restored group goes on with the fences of its backup", 3, nullptr, nullptr},
    {"restored_sessions_stay", "sessions outlive a restore", 3, nullptr, nullptr},
    {"recover_without_lock", "a node could start on the directory that is being recovered", 3, nullptr, nullptr},
    // (heard_kept is hunted by unit tests alone: since a voucher may tell of a silence older than the term, what was
    // heard in an earlier one can no longer make an end come early.)
    {"proof_before_receipt", "as above", 0, "replica_test", "Cluster.*"},
    // What the simulator's seeds do not show, or too seldom: a commit takes a moment in which few keep-alives come; who
    // is too old for a level stops, as it should, whoever raised it; admission is above the simulated part.
    {"no_marks", "nobody is marked: a new leader knows nothing of silence", 0, "replica_test", "Sessions.*"},
    {"level_raised_alone", "the feature level rises when the leader knows it", 0, "replica_test", "Levels.*"},
    {"commit_told_unmatched", "a member is told of a commit that it may not have", 0, "replica_test", "CommitNews.*"},
    {"own_mark_ignored", "a keep-alive is confirmed though the leader's own Mark is on its way", 0, "replica_test",
     "Liveness.*"},
    {"own_expire_ignored", "the same with the session's end", 0, "replica_test", "Liveness.*"},
    {"bar_lifted_early", "a Mark's bar is lifted by an entry before it", 0, "replica_test", "Liveness.*"},
    {"older_incarnation_admitted", "a member of an earlier incarnation is let in", 0, "server_test",
     "AdmissionRules.*"},
    {"heard_kept", "what an earlier term heard counts in this one", 0, "replica_test", "Liveness.*"},
    {"hung_up_ignored", "a LOCK is done whose connection was closed behind it", 0, "server_test", "EventLoopTest.*"},
    {"library_ignores_max_hold", "the library forgets MAXHOLD", 0, "client_test", "HoldBelief.*"},
    {"library_renew_shortens", "the library believes less after a RENEW", 0, "client_test", "HoldBelief.*"},
    {"library_believes_until_unlocked", "the library believes until UNLOCK is answered", 0, "client_test",
     "HoldBelief.*"},
    {"vote_not_written", "a member forgets at a start for whom it voted", 0, "raft_test", "Wire.*"},
    {"stands_while_installing", "who waits for the disk with a snapshot stands for election", 0, "raft_test",
     "Cluster.*"},
    {"votes_twice", "an empty directory founds a group that exists", 0, "server_test", "Founding.*"},
};

}  // namespace cleat::sim
