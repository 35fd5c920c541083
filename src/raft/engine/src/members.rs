//! Who the members are: changes of the membership, and what the leader knows of each.

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::ConfChangeV2;

use crate::group::Group;

impl Group {
    pub fn propose_conf_change(&mut self, change: &[u8]) -> bool {
        let mut cc = ConfChangeV2::default();
        if !self.is_leader() || cc.merge_from_bytes(change).is_err() || !self.takes(&cc) {
            return false;
        }
        let done = self.raw.propose_conf_change(vec![], cc).is_ok();
        self.settle();
        done
    }

    /// raft-rs turns a change that comes at the wrong time into an empty entry without a word (rule 8).
    fn takes(&self, cc: &ConfChangeV2) -> bool {
        let leaves = cc.changes.is_empty();
        !self.raw.raft.has_pending_conf() && leaves == self.is_joint()
    }

    fn is_joint(&self) -> bool {
        !self.raw.raft.prs().conf().to_conf_state().voters_outgoing.is_empty()
    }

    /// Ids of those who vote, learn, or vote for the outgoing half of a joint membership.
    pub fn member_ids(&self, which: u32) -> Vec<u64> {
        let conf = self.raw.raft.prs().conf().to_conf_state();
        let mut ids = match which {
            0 => conf.voters,
            1 => [conf.learners, conf.learners_next].concat(),
            _ => conf.voters_outgoing,
        };
        ids.sort_unstable();
        ids
    }

    /// What the leader knows of a member: matched index, whether it was heard within an election timeout, whether it
    /// gets a snapshot.
    pub fn progress(&self, id: u64) -> Option<(u64, bool, bool)> {
        let p = self.raw.raft.prs().get(id)?;
        Some((p.matched, p.recent_active, p.state == raft::ProgressState::Snapshot))
    }

    /// The change of a committed entry takes effect; the new membership. Empty: unreadable, nothing changed.
    pub fn apply_conf_change(&mut self, change: &[u8]) -> Vec<u8> {
        let mut cc = ConfChangeV2::default();
        if cc.merge_from_bytes(change).is_err() {
            return Vec::new();
        }
        let done = self.raw.apply_conf_change(&cc);
        // A leader without a place of its own in the membership panics at the next answer it counts (raft 0.7.0,
        // maybe_commit).
        if self.is_leader() && self.raw.raft.prs().get(self.raw.raft.id).is_none() {
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, raft::INVALID_ID);
        }
        self.settle();
        done.map_or(Vec::new(), |c| c.write_to_bytes().unwrap())
    }

    pub fn transfer(&mut self, to: u64) {
        if self.is_leader() {
            self.raw.transfer_leader(to);
            self.settle();
        }
    }
}

/// A change of the membership as a committed entry will carry it. No changes: a joint membership is left. Changes of
/// voters are joint and explicit, those of learners are not.
pub fn make_change(changes: &[(u32, u64)], context: &[u8]) -> Vec<u8> {
    use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType};
    let mut cc = ConfChangeV2::default();
    for (kind, id) in changes {
        let mut c = ConfChangeSingle { node_id: *id, ..Default::default() };
        c.set_change_type(match kind {
            0 => ConfChangeType::AddNode,
            1 => ConfChangeType::RemoveNode,
            _ => ConfChangeType::AddLearnerNode,
        });
        cc.mut_changes().push(c);
    }
    if changes.iter().any(|c| c.0 != 2) {
        cc.set_transition(ConfChangeTransition::Explicit);
    }
    cc.context = Bytes::copy_from_slice(context);
    cc.write_to_bytes().unwrap()
}

pub fn change_context(change: &[u8]) -> Vec<u8> {
    let mut cc = ConfChangeV2::default();
    match cc.merge_from_bytes(change) {
        Ok(()) => cc.context.to_vec(),
        Err(_) => Vec::new(),
    }
}
