//! What may reach raft-rs from the wire. raft-rs trusts its peers: many malformed messages panic it (a PreVote of term 0,
//! a heartbeat whose commit is past the log, entries with gaps). Everything here is pure, and fuzzed.

use raft::eraftpb::{ConfState, Entry, Message, MessageType};

/// Numbers beyond it cannot be meant; below it no sum in raft-rs overflows.
const SANE: u64 = 1 << 62;

/// The receiver's view when the message arrives.
pub struct View {
    pub id: u64,
    pub term: u64,
    pub last: u64,
    pub leader: u64,
    /// Some Ready is not persisted yet.
    pub unpersisted: bool,
    /// The state of a snapshot that was taken over is not applied yet.
    pub installs: bool,
}

/// Why a message was dropped. The numbers are part of the ABI.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(i32)]
pub enum Reject {
    Unreadable = 1,
    NotFromPeer = 2,
    NotToMe = 3,
    BadType = 4,
    NoTerm = 5,
    BadNumbers = 6,
    CommitPastLog = 7,
    BadEntries = 8,
    BadSnapshot = 9,
    NotLeader = 10,
    TooEarly = 11,
    /// raft-rs itself refused it.
    Refused = 12,
}

/// `peer`: the member that the connection proved to be.
pub fn check(m: &Message, peer: u64, v: &View) -> Result<(), Reject> {
    use MessageType::*;
    if m.from != peer || peer == 0 || peer == v.id {
        return Err(Reject::NotFromPeer);
    }
    if m.to != v.id {
        return Err(Reject::NotToMe);
    }
    let allowed = [
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgSnapshot,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgTimeoutNow,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
    ];
    if !allowed.contains(&m.get_msg_type()) {
        return Err(Reject::BadType);
    }
    if m.term == 0 {
        return Err(Reject::NoTerm);
    }
    let numbers = [m.term, m.log_term, m.index, m.commit, m.commit_term, m.request_snapshot, m.reject_hint];
    if numbers.iter().any(|n| *n >= SANE) || m.log_term > m.term || m.commit_term > m.term {
        return Err(Reject::BadNumbers);
    }
    if m.get_msg_type() != MsgAppend && !m.entries.is_empty() {
        return Err(Reject::BadEntries);
    }
    match m.get_msg_type() {
        MsgAppend => check_append(m),
        MsgSnapshot => check_snapshot(m, v),
        MsgHeartbeat if m.commit > v.last => Err(Reject::CommitPastLog),
        // A follower cannot have more than its leader; if it claims to, one of the two lost data.
        MsgAppendResponse if m.term == v.term && v.leader == v.id && !m.reject && m.index > v.last => {
            Err(Reject::CommitPastLog)
        }
        MsgTimeoutNow if m.term != v.term || v.leader != m.from => Err(Reject::NotLeader),
        MsgTimeoutNow if v.installs => Err(Reject::TooEarly),
        // A real answer cannot come before the vote was persisted, since the question leaves only then.
        MsgRequestVoteResponse | MsgRequestPreVoteResponse if v.unpersisted => Err(Reject::TooEarly),
        _ => Ok(()),
    }
}

fn check_append(m: &Message) -> Result<(), Reject> {
    // raft-rs takes term 0 as a match for any index it does not have.
    if (m.index == 0) != (m.log_term == 0) {
        return Err(Reject::BadNumbers);
    }
    let mut term = m.log_term;
    for (i, e) in m.entries.iter().enumerate() {
        let Entry { index, term: t, .. } = *e;
        if index != m.index + 1 + i as u64 || t < term || t == 0 || t > m.term {
            return Err(Reject::BadEntries);
        }
        term = t;
    }
    Ok(())
}

fn check_snapshot(m: &Message, v: &View) -> Result<(), Reject> {
    let meta = m.get_snapshot().get_metadata();
    let ok = meta.index > 0
        && meta.index < SANE
        && meta.term > 0
        && meta.term <= m.term
        && members_ok(meta.get_conf_state())
        && is_member(meta.get_conf_state(), v.id);
    if ok {
        Ok(())
    } else {
        Err(Reject::BadSnapshot)
    }
}

fn is_member(c: &ConfState, id: u64) -> bool {
    [&c.voters, &c.learners, &c.voters_outgoing].iter().any(|set| set.contains(&id))
}

/// A membership that raft-rs can restore and finds unchanged afterwards.
pub fn members_ok(c: &ConfState) -> bool {
    let distinct = |set: &[u64]| {
        let mut s = set.to_vec();
        s.sort_unstable();
        s.windows(2).all(|w| w[0] != w[1]) && !s.contains(&0)
    };
    let joint = !c.voters_outgoing.is_empty();
    !c.voters.is_empty()
        && [&c.voters, &c.learners, &c.voters_outgoing, &c.learners_next].iter().all(|s| distinct(s))
        && c.learners.iter().all(|l| !c.voters.contains(l) && !c.voters_outgoing.contains(l))
        && c.learners_next.iter().all(|l| c.voters_outgoing.contains(l) && !c.voters.contains(l))
        && (joint || (c.learners_next.is_empty() && !c.auto_leave))
}
