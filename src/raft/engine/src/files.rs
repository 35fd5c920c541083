//! Which log file each entry lies in, and what raft-engine's purge.rs (0.4.2) would do with them, from outside: it tells
//! neither.

use std::collections::VecDeque;

#[derive(Default)]
pub struct Files {
    /// Number of each, and the first entry in it, both rising.
    spans: VecDeque<(u64, u64)>,
    /// Entries up to this one lie in a file that is not of the log's rising ones.
    elsewhere: u64,
}

impl Files {
    pub fn clear(&mut self) {
        *self = Files::default();
    }

    /// The file of the last entry; 0: not known.
    pub fn newest(&self) -> u64 {
        self.spans.back().map_or(0, |f| f.0)
    }

    /// Entry `first` was written to this file, behind those before it.
    pub fn wrote(&mut self, file: u64, first: u64) {
        self.elsewhere = self.elsewhere.min(first - 1);
        while self.spans.back().is_some_and(|f| f.1 >= first) {
            self.spans.pop_back();
        }
        if self.newest() < file {
            self.spans.push_back((file, first));
        }
    }

    /// The next entry of a log that is opened was found there.
    pub fn found(&mut self, file: u64, index: u64) {
        if file == 0 || file < self.newest() {
            self.elsewhere = index;
        } else if file > self.newest() {
            self.spans.push_back((file, index));
        }
    }

    pub fn cut(&mut self, kept_from: u64) {
        while self.spans.len() > 1 && self.spans[1].1 <= kept_from {
            self.spans.pop_front();
        }
    }

    /// Entries at or below the watermark (0.7 of the files) are rewritten if they are few, or if they block the oldest
    /// files for long. `active` is the file that is written, the last of `count`.
    pub fn would_be_rewritten(&self, kept_from: u64, last: u64, active: u64, count: u64) -> bool {
        const MANY: u64 = 32;
        if self.elsewhere >= kept_from {
            return true;
        }
        let oldest = active + 1 - count;
        let watermark = (oldest + count * 7 / 10).min(active - 1);
        let force = (oldest + count / 5).min(active - 1);
        let begin = self.spans.iter().rev().find(|f| f.1 <= kept_from).or(self.spans.front());
        let Some(&(begin, _)) = begin else { return false };
        if begin > watermark || last < kept_from {
            return false;
        }
        let after = self.spans.iter().find(|f| f.0 > watermark).map_or(last + 1, |f| f.1);
        after.saturating_sub(kept_from) <= MANY || begin < force
    }
}
