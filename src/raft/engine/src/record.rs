//! The one key that a group keeps beside its entries in the log: everything that must change together with them. It is
//! written with every batch, so that no old log file is kept alive by an old key.

use raft::eraftpb::HardState;

pub const KEY: &[u8] = b"state";
const VERSION: u8 = 1;

/// A group starts its life with the empty machine as the snapshot of entry 1, so that a member that joins later lacks
/// entry 1 and is sent a snapshot, which tells it the membership.
pub const BOOTSTRAP_INDEX: u64 = 1;
pub const BOOTSTRAP_TERM: u64 = 1;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// How often this directory was opened. Peers refuse a member that comes back with a smaller one.
    pub boot: u64,
    pub term: u64,
    pub vote: u64,
    pub commit: u64,
    /// The last entry that the log no longer has.
    pub cut_index: u64,
    pub cut_term: u64,
    /// The snapshot from which a restart begins; cut_index <= snap_index.
    pub snap_index: u64,
    pub snap_term: u64,
    /// eraftpb ConfState as of snap_index; empty: this node does not know its group yet.
    pub conf: Vec<u8>,
}

impl State {
    pub fn set_hard(&mut self, hs: &HardState) {
        self.term = hs.term;
        self.vote = hs.vote;
        self.commit = hs.commit;
    }

    pub fn hard(&self) -> HardState {
        HardState { term: self.term, vote: self.vote, commit: self.commit, ..Default::default() }
    }

    /// version u8, eight u64 little-endian, length u32, ConfState.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + 64 + 4 + self.conf.len());
        out.push(VERSION);
        for v in [
            self.boot,
            self.term,
            self.vote,
            self.commit,
            self.cut_index,
            self.cut_term,
            self.snap_index,
            self.snap_term,
        ] {
            out.extend_from_slice(&v.to_le_bytes());
        }
        out.extend_from_slice(&(self.conf.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.conf);
        out
    }

    pub fn decode(b: &[u8]) -> Result<State, String> {
        if b.is_empty() || b[0] != VERSION {
            return Err(format!(
                "the log's state record has version {}, this program knows {VERSION}; use the version of cleat that wrote it, or a newer one",
                b.first().copied().unwrap_or(0)
            ));
        }
        if b.len() < 69 {
            return Err("the log's state record is too short".into());
        }
        let u = |i: usize| u64::from_le_bytes(b[1 + 8 * i..9 + 8 * i].try_into().unwrap());
        let len = u32::from_le_bytes(b[65..69].try_into().unwrap()) as usize;
        if b.len() != 69 + len {
            return Err("the log's state record has a wrong length".into());
        }
        Ok(State {
            boot: u(0),
            term: u(1),
            vote: u(2),
            commit: u(3),
            cut_index: u(4),
            cut_term: u(5),
            snap_index: u(6),
            snap_term: u(7),
            conf: b[69..].to_vec(),
        })
    }
}
