//! What raft-rs reads back: the entries in memory first (rule 14: also those handed to the disk but not yet there), the
//! log on disk for older ones. Terms are kept for all, as runs, so asking for one never reads the disk.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Storage, StorageError};

use crate::hooks;
use crate::log::Log;

pub struct Store {
    pub log: Option<Arc<Log>>,
    pub hard: HardState,
    pub conf: ConfState,
    /// The last entry that the log lacks.
    pub cut: (u64, u64),
    pub snap: (u64, u64),
    /// The snapshot's file exists; until then followers that need one wait.
    pub snap_ready: bool,
    pub snap_wanted: Cell<bool>,
    entries: VecDeque<Entry>,
    bytes: usize,
    pub keep_bytes: usize,
    /// First index and term of each run of entries of one term.
    terms: Vec<(u64, u64)>,
    last: u64,
    /// Up to here entries are on disk and applied, so they may leave memory.
    done: u64,
    total_bytes: u64,
    /// Index and total_bytes, about every 256 KiB.
    marks: VecDeque<(u64, u64)>,
}

pub fn size_of(e: &Entry) -> usize {
    e.data.len() + e.context.len() + 24
}

const MARK_EVERY: u64 = 256 << 10;

impl Store {
    pub fn new(keep_bytes: usize) -> Store {
        Store {
            log: None,
            hard: HardState::default(),
            conf: ConfState::default(),
            cut: (0, 0),
            snap: (0, 0),
            snap_ready: false,
            snap_wanted: Cell::new(false),
            entries: VecDeque::new(),
            bytes: 0,
            keep_bytes,
            terms: Vec::new(),
            last: 0,
            done: 0,
            total_bytes: 0,
            marks: VecDeque::new(),
        }
    }

    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn first(&self) -> u64 {
        self.cut.0 + 1
    }

    /// Bytes of entries since the cut, to within 256 KiB.
    pub fn log_bytes(&self) -> u64 {
        let before = self.marks.iter().rev().find(|m| m.0 <= self.cut.0).map_or(0, |m| m.1);
        self.total_bytes - before
    }

    /// A log that is empty after `cut`.
    pub fn reset(&mut self, cut: (u64, u64)) {
        self.cut = cut;
        self.snap = cut;
        self.last = cut.0;
        self.done = cut.0;
        self.entries.clear();
        self.terms.clear();
        self.marks.clear();
        (self.bytes, self.total_bytes) = (0, 0);
    }

    pub fn push(&mut self, e: Entry) {
        if e.index <= self.last {
            self.truncate(e.index);
        }
        assert_eq!(e.index, self.last + 1, "a gap in the log");
        if self.terms.last().map_or(true, |t| t.1 != e.term) {
            self.terms.push((e.index, e.term));
        }
        let n = size_of(&e);
        self.last = e.index;
        self.bytes += n;
        self.total_bytes += n as u64;
        if self.total_bytes - self.marks.back().map_or(0, |m| m.1) >= MARK_EVERY {
            self.marks.push_back((e.index, self.total_bytes));
        }
        self.entries.push_back(e);
    }

    fn truncate(&mut self, from: u64) {
        while self.entries.back().is_some_and(|e| e.index >= from) {
            let n = size_of(&self.entries.pop_back().unwrap());
            self.bytes -= n;
            self.total_bytes -= n as u64;
        }
        while self.terms.last().is_some_and(|t| t.0 >= from) {
            self.terms.pop();
        }
        while self.marks.back().is_some_and(|m| m.0 >= from) {
            self.marks.pop_back();
        }
        self.last = from - 1;
    }

    /// Lets entries leave memory that are on disk and applied, oldest first, beyond what is kept for followers.
    pub fn trim(&mut self, done: u64) {
        self.done = self.done.max(done);
        while self.bytes > self.keep_bytes && self.entries.front().is_some_and(|e| e.index <= self.done) {
            self.bytes -= size_of(&self.entries.pop_front().unwrap());
        }
    }

    pub fn compact(&mut self, cut: (u64, u64)) {
        self.cut = cut;
        while self.entries.front().is_some_and(|e| e.index <= cut.0) {
            self.bytes -= size_of(&self.entries.pop_front().unwrap());
        }
        let keep = self.terms.iter().rposition(|t| t.0 <= cut.0 + 1).unwrap_or(0);
        self.terms.drain(..keep);
        let keep = self.marks.iter().rposition(|m| m.0 <= cut.0).unwrap_or(0);
        self.marks.drain(..keep);
    }
}

impl Storage for Store {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard.clone(), self.conf.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.cut.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if high > self.last + 1 {
            hooks::fatal(&format!("internal error: entries up to {high} asked for, the log ends at {}", self.last));
        }
        let max = max.into().map_or(usize::MAX, |m| m as usize);
        let mut out = Vec::new();
        let mut left = max;
        let begin = self.entries.front().map_or(self.last + 1, |e| e.index);
        if low < begin {
            let log = self.log.as_ref().expect("a log below the memory");
            if let Err(e) = log.read(low, high.min(begin), max, &mut out) {
                hooks::fatal(&format!("entries {low} to {} of the log cannot be read: {e}", high.min(begin) - 1));
            }
            if (out.len() as u64) < high.min(begin) - low {
                return Ok(out);
            }
            left = left.saturating_sub(out.iter().map(size_of).sum());
        }
        for index in low.max(begin)..high {
            let e = &self.entries[(index - begin) as usize];
            let n = size_of(e);
            if n > left && !out.is_empty() {
                break;
            }
            left = left.saturating_sub(n);
            out.push(e.clone());
        }
        Ok(out)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.cut.0 {
            return Ok(self.cut.1);
        }
        if index < self.cut.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if index > self.last {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let run = self.terms.partition_point(|t| t.0 <= index);
        Ok(self.terms[run - 1].1)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last)
    }

    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        // Who is not in a snapshot's membership refuses it: one that joined since needs a newer one.
        let lists =
            [&self.conf.voters, &self.conf.learners, &self.conf.voters_outgoing].iter().any(|s| s.contains(&to));
        if !self.snap_ready || self.snap.0 < request_index || self.snap.0 == 0 || !lists {
            self.snap_wanted.set(true);
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        let mut s = Snapshot::default();
        s.mut_metadata().index = self.snap.0;
        s.mut_metadata().term = self.snap.1;
        s.mut_metadata().set_conf_state(self.conf.clone());
        Ok(s)
    }
}
