//! One member of one Raft group: raft-rs driven in the only order that keeps its promises. One thread at a time, but for
//! `persist` and `purge`.

use std::sync::Arc;

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Message, MessageType, Snapshot};
use raft::{Config, RawNode, ReadOnlyOption, ReadState, StateRole};

use crate::bound::STARTS;
use crate::filter::{self, Reject};
use crate::hooks;
use crate::log::{self, fail, Failure, Log, Settings, Why};
use crate::record::{self, State};
use crate::store::Store;

pub struct Limits {
    pub id: u64,
    pub seed: u64,
    pub keep_bytes: usize,
    pub max_message_bytes: u64,
    pub max_uncommitted_bytes: u64,
    pub max_apply_bytes: u64,
    pub election_ticks: usize,
    /// Appends carry the commit index; an advance of it alone is told by the caller (learn_commit).
    pub quiet_commits: bool,
    /// Broken nodes, for make mutants: see installs(); a leader proves itself by its clock alone.
    pub eager: bool,
    pub lease_reads: bool,
}

pub struct Group {
    pub(crate) raw: RawNode<Store>,
    log: Arc<Log>,
    id: u64,
    boot: u64,
    seed: u64,
    election_ticks: usize,
    eager: bool,
    reads: u64,
    /// Numbers of the Readys taken and not yet persisted, oldest first, with their last entry.
    open: std::collections::VecDeque<u64>,
    hard: HardState,
    durable: u64,
}

/// What a Ready holds, taken out of raft-rs at once.
pub struct Taken {
    pub log: Arc<Log>,
    pub number: u64,
    pub hard: HardState,
    pub has_hard: bool,
    pub must_sync: bool,
    pub entries: Vec<Entry>,
    pub committed: Vec<Entry>,
    pub messages: Vec<Message>,
    pub late_messages: Vec<Message>,
    pub reads: Vec<ReadState>,
    pub snapshot: Snapshot,
    pub persisted: bool,
}

impl Taken {
    pub fn needs_write(&self) -> bool {
        self.must_sync
    }

    /// The one synced write of this Ready. On any thread; Readys in the order they were taken.
    pub fn persist(&mut self) -> Result<(), Failure> {
        if self.needs_write() {
            self.log.persist(&self.hard, &self.entries, &self.snapshot)?;
        }
        self.persisted = true;
        Ok(())
    }
}

impl Group {
    pub fn open(s: &Settings, l: &Limits) -> Result<Group, Failure> {
        if l.id == 0 || l.id > u32::MAX as u64 {
            return fail(Why::Invalid, format!("member id {} is not between 1 and 2^32 - 1", l.id));
        }
        if l.election_ticks < 2 {
            return fail(Why::Invalid, "an election takes at least 2 ticks".into());
        }
        if let Err(e) = raft_config(l, 0).validate() {
            return fail(Why::Invalid, format!("settings of the Raft engine: {e}"));
        }
        let mut store = Store::new(l.keep_bytes);
        let mut begun = false;
        let (log, state) = log::open(s, &mut |state, e| {
            if !begun {
                store.reset((state.cut_index, state.cut_term));
                begun = true;
            }
            let index = e.index;
            store.push(e);
            store.trim(index);
        })?;
        if !begun || store.cut.0 != state.cut_index {
            store.reset((state.cut_index, state.cut_term));
        }
        let log = Arc::new(log);
        store.log = Some(log.clone());
        load_store(&mut store, &state);
        if !state.conf.is_empty() && !filter::members_ok(&store.conf) {
            return fail(Why::Damaged, format!("the membership in {} makes no sense", s.dir.display()));
        }
        let durable = store.last();
        let alone = store.conf.voters == [l.id] && store.conf.voters_outgoing.is_empty();
        let logger = slog::Logger::root(slog::Fuse(hooks::SlogDrain), slog::o!());
        let raw = match RawNode::new(&raft_config(l, state.snap_index), store, &logger) {
            Ok(raw) => raw,
            Err(e) => return fail(Why::Damaged, format!("the log in {} cannot be used: {e}", s.dir.display())),
        };
        let mut g = Group {
            hard: raw.raft.hard_state(),
            raw,
            log,
            id: l.id,
            boot: state.boot,
            seed: l.seed,
            election_ticks: l.election_ticks,
            eager: l.eager,
            reads: 0,
            open: Default::default(),
            durable,
        };
        g.settle();
        if alone {
            g.campaign();
        }
        Ok(g)
    }

    /// Rule 10: raft-rs draws election timeouts from the thread's random numbers; ours follow from seed, member and term.
    pub(crate) fn settle(&mut self) {
        let mut x = self.seed ^ self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.raw.raft.term.rotate_left(32);
        for _ in 0..2 {
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
        }
        let ticks = self.election_ticks + (x % self.election_ticks as u64) as usize;
        self.raw.raft.set_randomized_election_timeout(ticks);
    }

    pub fn tick(&mut self) {
        if self.installs() {
            return;
        }
        self.raw.tick();
        self.settle();
    }

    /// A snapshot was taken over, and its state is not applied yet. raft-rs 0.7.0 must not campaign now: it looks for
    /// changes of the membership between what is applied and what is committed, and panics since those entries are gone.
    fn installs(&self) -> bool {
        let raft = &self.raw.raft;
        !self.eager && raft.store().first() > raft.raft_log.applied + 1
    }

    pub fn campaign(&mut self) {
        let _ = self.raw.campaign();
        self.settle();
    }

    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// False: not the leader, too much uncommitted, or leadership is being handed over; nothing was proposed.
    pub fn propose(&mut self, payloads: Vec<Bytes>) -> bool {
        if !self.is_leader() || payloads.is_empty() {
            return false;
        }
        let mut m = Message::default();
        m.set_msg_type(MessageType::MsgPropose);
        m.from = self.id;
        let entries: Vec<Entry> = payloads.into_iter().map(|data| Entry { data, ..Default::default() }).collect();
        m.set_entries(entries.into());
        let done = self.raw.raft.step(m).is_ok();
        self.settle();
        done
    }

    /// A linearizable read at the leader: its context never comes again. None: not the leader, or nothing of its term is
    /// committed yet; ask again later.
    pub fn read_index(&mut self) -> Option<[u8; 16]> {
        if !self.is_leader() || !self.raw.raft.commit_to_current_term() {
            return None;
        }
        self.reads += 1;
        let mut context = [0; 16];
        context[..4].copy_from_slice(&(self.id as u32).to_be_bytes());
        context[4..8].copy_from_slice(&(self.boot as u32).to_be_bytes());
        context[8..].copy_from_slice(&self.reads.to_be_bytes());
        self.raw.read_index(context.to_vec());
        Some(context)
    }

    /// `snapshot`: the index of the snapshot whose state the caller has at hand; a message of another one is dropped.
    pub fn step(&mut self, peer: u64, bytes: &[u8], snapshot: u64) -> Result<(), Reject> {
        let whole = Bytes::copy_from_slice(bytes);
        let mut input = protobuf::CodedInputStream::from_carllerche_bytes(&whole);
        let mut m = Message::default();
        m.merge_from(&mut input).map_err(|_| Reject::Unreadable)?;
        let view = filter::View {
            id: self.id,
            term: self.raw.raft.term,
            last: self.raw.raft.raft_log.last_index(),
            leader: self.raw.raft.leader_id,
            unpersisted: !self.open.is_empty(),
            installs: self.installs(),
        };
        filter::check(&m, peer, &view)?;
        let index = m.get_snapshot().get_metadata().index;
        if m.get_msg_type() == MessageType::MsgSnapshot && snapshot != u64::MAX && snapshot != index {
            return Err(Reject::BadSnapshot);
        }
        let done = self.raw.step(m).map_err(|_| Reject::Refused);
        self.settle();
        done
    }

    /// The leader said that entries up to `index` are committed, and that this member acknowledged them in this term: what
    /// a heartbeat says, without an answer.
    pub fn learn_commit(&mut self, peer: u64, term: u64, index: u64) -> Result<(), Reject> {
        let r = &mut self.raw.raft;
        if r.state != StateRole::Follower || r.term != term || r.leader_id != peer {
            return Err(Reject::NotLeader);
        }
        if index > r.raft_log.last_index() {
            return Err(Reject::CommitPastLog);
        }
        r.raft_log.commit_to(index);
        Ok(())
    }

    pub fn has_ready(&self) -> bool {
        self.raw.has_ready()
    }

    pub fn take(&mut self) -> Taken {
        let mut rd = self.raw.ready();
        if let Some(hs) = rd.hs() {
            self.hard = hs.clone();
        }
        let t = Taken {
            log: self.log.clone(),
            number: rd.number(),
            hard: self.hard.clone(),
            has_hard: rd.hs().is_some(),
            must_sync: rd.must_sync(),
            committed: rd.take_committed_entries(),
            messages: rd.take_messages(),
            late_messages: rd.take_persisted_messages(),
            reads: rd.take_read_states(),
            snapshot: rd.snapshot().clone(),
            entries: rd.take_entries(),
            persisted: false,
        };
        let store = self.raw.mut_store();
        if !t.snapshot.is_empty() {
            let meta = t.snapshot.get_metadata();
            store.reset((meta.index, meta.term));
            store.conf = meta.get_conf_state().clone();
            store.snap_ready = true;
        }
        for e in &t.entries {
            store.push(e.clone());
        }
        self.raw.advance_append_async(rd);
        self.open.push_back(t.number);
        self.settle();
        t
    }

    /// After a successful persist, on the group's thread, in order.
    pub fn persisted(&mut self, t: &Taken) {
        if !t.persisted || self.open.front() != Some(&t.number) {
            hooks::fatal("internal error: a Ready was confirmed out of order, or before it was on disk");
        }
        self.open.pop_front();
        self.raw.on_persist_ready(t.number);
        if let Some(e) = t.entries.last() {
            self.durable = e.index;
        } else if !t.snapshot.is_empty() {
            self.durable = t.snapshot.get_metadata().index;
        }
        self.settle();
    }

    /// Everything up to `index` is applied.
    pub fn applied(&mut self, index: u64) {
        self.raw.advance_apply_to(index);
        let done = index.min(self.durable);
        self.raw.mut_store().trim(done);
        self.settle();
    }

    /// A snapshot of entry `snap` is on disk: restarts begin there, and entries before `first_kept` go.
    pub fn compact(&mut self, snap: u64, conf: &[u8], first_kept: u64) -> Result<(), Failure> {
        let raft = &self.raw.raft;
        let store = raft.store();
        if snap > raft.raft_log.applied || snap < store.snap.0 || first_kept > snap + 1 {
            let text = format!(
                "a snapshot of entry {snap} that keeps entries from {first_kept}, with entry {} applied and a snapshot of entry {}",
                raft.raft_log.applied, store.snap.0
            );
            return fail(Why::Invalid, text);
        }
        let Ok(members) = parse_conf(conf) else {
            return fail(Why::Invalid, "the snapshot's membership is unreadable".into());
        };
        let cut = first_kept.max(store.first()) - 1;
        let term = |i| raft::Storage::term(store, i).expect("the term of an entry at or above the cut");
        let (snap, cut) = ((snap, term(snap)), (cut, term(cut)));
        let commit = raft.raft_log.committed.min(self.durable);
        self.log.compact(snap, cut, commit, conf.to_vec())?;
        let store = self.raw.mut_store();
        store.compact(cut);
        store.snap = snap;
        store.conf = members;
        store.snap_ready = true;
        store.snap_wanted.set(false);
        Ok(())
    }

    pub fn purge_handle(&self) -> Arc<Log> {
        self.log.clone()
    }

    pub fn conf_bytes(&self) -> Vec<u8> {
        self.raw.raft.prs().conf().to_conf_state().write_to_bytes().unwrap()
    }

    pub fn report_unreachable(&mut self, peer: u64) {
        self.raw.report_unreachable(peer);
        self.settle();
    }

    pub fn report_snapshot(&mut self, peer: u64, ok: bool) {
        let status = if ok { raft::SnapshotStatus::Finish } else { raft::SnapshotStatus::Failure };
        self.raw.report_snapshot(peer, status);
        self.settle();
    }

    /// See Log::starts.
    pub fn starts(&self) -> [u64; STARTS] {
        self.log.starts()
    }

    pub fn view(&self) -> StatusView {
        let r = &self.raw.raft;
        let store = r.store();
        StatusView {
            id: self.id,
            boot: self.boot,
            term: r.term,
            leader: r.leader_id,
            role: match r.state {
                StateRole::Follower => 0,
                StateRole::PreCandidate => 1,
                StateRole::Candidate => 2,
                StateRole::Leader => 3,
            },
            commit: r.raft_log.committed,
            applied: r.raft_log.applied,
            first: store.first(),
            last: r.raft_log.last_index(),
            durable: self.durable,
            snap_index: store.snap.0,
            snap_term: store.snap.1,
            snap_wanted: store.snap_wanted.get(),
            handing_over: self.raw.raft.lead_transferee.is_some(),
            log_bytes: store.log_bytes(),
            disk_bytes: self.log.disk_bytes(),
            voters: r.prs().conf().voters().ids().iter().count() as u64,
        }
    }
}

pub struct StatusView {
    pub id: u64,
    pub boot: u64,
    pub term: u64,
    pub leader: u64,
    pub role: u32,
    pub commit: u64,
    pub applied: u64,
    pub first: u64,
    pub last: u64,
    pub durable: u64,
    pub snap_index: u64,
    pub snap_term: u64,
    pub snap_wanted: bool,
    pub handing_over: bool,
    pub log_bytes: u64,
    pub disk_bytes: u64,
    pub voters: u64,
}

fn parse_conf(bytes: &[u8]) -> Result<ConfState, ()> {
    let mut c = ConfState::default();
    c.merge_from_bytes(bytes).map_err(|_| ())?;
    filter::members_ok(&c).then_some(c).ok_or(())
}

fn load_store(store: &mut Store, state: &State) {
    let _ = store.conf.merge_from_bytes(&state.conf);
    store.snap = (state.snap_index, state.snap_term);
    store.snap_ready = state.snap_index > record::BOOTSTRAP_INDEX;
    store.hard = state.hard();
}

fn raft_config(l: &Limits, applied: u64) -> Config {
    Config {
        id: l.id,
        election_tick: l.election_ticks,
        heartbeat_tick: 1,
        applied,
        max_size_per_msg: l.max_message_bytes,
        max_inflight_msgs: 256,
        check_quorum: true,
        pre_vote: true,
        read_only_option: if l.lease_reads { ReadOnlyOption::LeaseBased } else { ReadOnlyOption::Safe },
        batch_append: true,
        max_uncommitted_size: l.max_uncommitted_bytes,
        max_committed_size_per_ready: l.max_apply_bytes,
        skip_bcast_commit: l.quiet_commits,
        ..Default::default()
    }
}
