//! A disk in memory for the simulator: what was not synced is lost at a crash, in whole, from some point on, or sector
//! by sector; it can be slow, full, fail a sync, or have a bit flipped. raft-engine lists directories, locks and syncs
//! them on the real file system, so each file also exists, empty, in a mirror directory (on tmpfs); creation, renaming
//! and deletion are therefore durable at once here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fs::log_seq;

const SECTOR: usize = 512;

#[derive(Default)]
struct File {
    data: Vec<u8>,
    /// Newest last: how to undo and redo what was not synced.
    unsynced: Vec<Op>,
}

struct Op {
    offset: usize,
    /// What stood there before, and how long the file was.
    old: Vec<u8>,
    old_len: usize,
    /// None: a truncation to `offset`.
    new: Option<Vec<u8>>,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<PathBuf, Arc<Mutex<File>>>,
    capacity: Option<u64>,
    sync_us: u64,
    sync_us_per_kib: u64,
    fail_syncs: bool,
    ignore_syncs: bool,
    copy: BTreeMap<PathBuf, Vec<u8>>,
}

pub struct Disk {
    inner: Mutex<Inner>,
    /// Handles of an older generation belong to a node that crashed: they succeed and change nothing.
    generation: AtomicU64,
    stopped: AtomicBool,
    /// So many changes are still made; the next one stops the node.
    changes_left: AtomicI64,
    used: AtomicU64,
    spent_us: AtomicU64,
    syncs: AtomicU64,
}

#[derive(Clone)]
pub struct VFile {
    disk: Arc<Disk>,
    file: Arc<Mutex<File>>,
    generation: u64,
    pub log_seq: u64,
}

/// splitmix64: small, seeded, and the same everywhere.
struct Dice(u64);
impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Disk {
    pub fn new() -> Arc<Disk> {
        Arc::new(Disk {
            inner: Mutex::default(),
            generation: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            changes_left: AtomicI64::new(i64::MAX),
            used: AtomicU64::new(0),
            spent_us: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The node counts as dead, and what it was about to say must not be said: a sync failed, or its changes ran out.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The node dies before the change after the next `changes` (a file made, renamed, deleted, written, truncated,
    /// synced), wherever in the code that is.
    pub fn stop_after(&self, changes: u64) {
        self.changes_left.store(changes as i64, Ordering::Release);
    }

    /// Asked before each change. True: the node is dead, or dies now; nothing may change.
    fn dies(&self, generation: u64) -> bool {
        if generation != self.generation() || self.stopped() {
            return true;
        }
        let dies = self.changes_left.fetch_sub(1, Ordering::AcqRel) <= 0;
        if dies {
            self.stopped.store(true, Ordering::Release);
        }
        dies
    }

    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    pub fn set_sync_cost(&self, us: u64, us_per_kib: u64) {
        let mut inner = self.lock();
        (inner.sync_us, inner.sync_us_per_kib) = (us, us_per_kib);
    }

    /// Syncs succeed and make nothing durable: a node that does not sync, seen from its disk.
    pub fn set_ignore_syncs(&self, ignore: bool) {
        self.lock().ignore_syncs = ignore;
    }

    pub fn set_fail_syncs(&self, fail: bool) {
        self.lock().fail_syncs = fail;
    }

    /// Microseconds that the syncs since the last call would have taken.
    pub fn take_spent_us(&self) -> u64 {
        self.spent_us.swap(0, Ordering::AcqRel)
    }

    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Acquire)
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// The power goes: loses un-synced data as the seed says and makes every open handle dead.
    pub fn crash(&self, seed: u64) {
        let inner = self.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.stopped.store(false, Ordering::Release);
        self.stop_after(i64::MAX as u64);
        let mut dice = Dice(seed);
        let mut used = 0;
        for f in inner.files.values() {
            let mut f = f.lock().unwrap();
            lose(&mut f, &mut dice);
            used += f.data.len() as u64;
        }
        self.used.store(used, Ordering::Release);
    }

    /// Makes a copy of all that is durable, in place of an earlier one.
    pub fn keep_copy(&self) {
        let mut inner = self.lock();
        inner.copy = inner.files.iter().map(|(path, f)| (path.clone(), durable(&f.lock().unwrap()))).collect();
    }

    /// The disk is as it was when the copy was made. Of a node that is down.
    pub fn put_copy_back(&self) -> io::Result<()> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for path in inner.files.keys().filter(|path| !inner.copy.contains_key(*path)) {
            std::fs::remove_file(path)?;
        }
        for path in inner.copy.keys() {
            std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        }
        let file = |data: &Vec<u8>| Arc::new(Mutex::new(File { data: data.clone(), unsynced: Vec::new() }));
        inner.files = inner.copy.iter().map(|(path, data)| (path.clone(), file(data))).collect();
        self.used.store(inner.copy.values().map(|data| data.len() as u64).sum(), Ordering::Release);
        Ok(())
    }

    pub fn names(&self) -> Vec<PathBuf> {
        self.lock().files.keys().cloned().collect()
    }

    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.lock().files.get(path).map(|f| f.lock().unwrap().data.clone())
    }

    /// Rot: changes a stored byte behind everyone's back. False: there is no such byte.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) -> bool {
        match self.lock().files.get(path) {
            Some(f) => match f.lock().unwrap().data.get_mut(offset) {
                Some(b) => {
                    *b ^= mask;
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// Cuts a file behind everyone's back.
    pub fn cut(&self, path: &Path, len: usize) -> bool {
        match self.lock().files.get(path) {
            Some(f) => {
                f.lock().unwrap().data.truncate(len);
                true
            }
            None => false,
        }
    }

    pub fn exists(&self, path: &Path) -> bool {
        self.lock().files.contains_key(path)
    }

    pub fn open(self: &Arc<Self>, path: &Path, generation: u64) -> io::Result<VFile> {
        match self.lock().files.get(path) {
            Some(f) => Ok(VFile { disk: self.clone(), file: f.clone(), generation, log_seq: log_seq(path) }),
            None if generation != self.generation() || self.stopped() => {
                Ok(VFile { disk: self.clone(), file: Arc::default(), generation, log_seq: log_seq(path) })
            }
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    pub fn create(self: &Arc<Self>, path: &Path, generation: u64) -> io::Result<VFile> {
        let mut inner = self.lock();
        if self.dies(generation) {
            return Ok(VFile { disk: self.clone(), file: Arc::default(), generation, log_seq: log_seq(path) });
        }
        std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let file = inner.files.entry(path.to_path_buf()).or_default().clone();
        Ok(VFile { disk: self.clone(), file, generation, log_seq: log_seq(path) })
    }

    pub fn delete(&self, path: &Path, generation: u64) -> io::Result<()> {
        let mut inner = self.lock();
        if self.dies(generation) {
            return Ok(());
        }
        if let Some(f) = inner.files.remove(path) {
            self.used.fetch_sub(f.lock().unwrap().data.len() as u64, Ordering::AcqRel);
        }
        std::fs::remove_file(path)
    }

    pub fn rename(&self, from: &Path, to: &Path, generation: u64) -> io::Result<()> {
        let mut inner = self.lock();
        if self.dies(generation) {
            return Ok(());
        }
        let Some(f) = inner.files.remove(from) else {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        };
        if let Some(old) = inner.files.insert(to.to_path_buf(), f) {
            self.used.fetch_sub(old.lock().unwrap().data.len() as u64, Ordering::AcqRel);
        }
        std::fs::rename(from, to)
    }
}

fn undo(data: &mut Vec<u8>, ops: &[Op]) {
    for op in ops.iter().rev() {
        data.truncate(op.old_len);
        data.resize(op.old_len, 0);
        let end = (op.offset + op.old.len()).min(op.old_len);
        if op.offset < end {
            data[op.offset..end].copy_from_slice(&op.old[..end - op.offset]);
        }
    }
}

fn durable(f: &File) -> Vec<u8> {
    let mut data = f.data.clone();
    undo(&mut data, &f.unsynced);
    data
}

fn lose(f: &mut File, dice: &mut Dice) {
    let ops = std::mem::take(&mut f.unsynced);
    undo(&mut f.data, &ops);
    match dice.below(4) {
        0 => {}
        1 => ops.iter().for_each(|op| redo(f, op, usize::MAX)),
        2 => {
            let whole = dice.below(ops.len() as u64 + 1) as usize;
            for (i, op) in ops.iter().enumerate().take(whole + 1) {
                let len = op.new.as_ref().map_or(0, |n| n.len());
                redo(f, op, if i < whole { usize::MAX } else { dice.below(len as u64 + 1) as usize });
            }
        }
        _ => {
            for op in &ops {
                redo_sectors(f, op, dice);
            }
        }
    }
}

/// Does the operation again, of a write only the first `limit` bytes.
fn redo(f: &mut File, op: &Op, limit: usize) {
    match &op.new {
        None if limit == usize::MAX => f.data.resize(op.offset, 0),
        None => {}
        Some(new) => write_into(&mut f.data, op.offset, &new[..new.len().min(limit)]),
    }
}

fn redo_sectors(f: &mut File, op: &Op, dice: &mut Dice) {
    let Some(new) = &op.new else {
        if dice.below(2) == 0 {
            f.data.resize(op.offset, 0);
        }
        return;
    };
    let mut at = 0;
    while at < new.len() {
        let n = (SECTOR - (op.offset + at) % SECTOR).min(new.len() - at);
        if dice.below(2) == 0 {
            write_into(&mut f.data, op.offset + at, &new[at..at + n]);
        }
        at += n;
    }
}

fn write_into(data: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if data.len() < offset + bytes.len() {
        data.resize(offset + bytes.len(), 0);
    }
    data[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl VFile {
    fn dies(&self) -> bool {
        self.disk.dies(self.generation)
    }

    pub fn size(&self) -> usize {
        self.file.lock().unwrap().data.len()
    }

    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> usize {
        let f = self.file.lock().unwrap();
        let n = f.data.len().saturating_sub(offset).min(buf.len());
        if n > 0 {
            buf[..n].copy_from_slice(&f.data[offset..offset + n]);
        }
        n
    }

    /// Writes all of it, or as much as there is room for and then ENOSPC, as a real file would.
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.dies() {
            return Ok(());
        }
        let capacity = self.disk.lock().capacity;
        let mut f = self.file.lock().unwrap();
        let grow = (offset + bytes.len()).saturating_sub(f.data.len()) as u64;
        let free = capacity.map_or(u64::MAX, |c| c.saturating_sub(self.disk.used()));
        let fits = if grow > free { bytes.len() - (grow - free).min(bytes.len() as u64) as usize } else { bytes.len() };
        let old_len = f.data.len();
        let old = f.data[offset.min(old_len)..(offset + fits).min(old_len)].to_vec();
        write_into(&mut f.data, offset, &bytes[..fits]);
        let now = f.data.len();
        f.unsynced.push(Op { offset, old, old_len, new: Some(bytes[..fits].to_vec()) });
        self.disk.used.fetch_add((now - old_len) as u64, Ordering::AcqRel);
        if fits < bytes.len() {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        Ok(())
    }

    pub fn truncate(&self, len: usize) {
        if self.dies() {
            return;
        }
        let mut f = self.file.lock().unwrap();
        let old_len = f.data.len();
        if len == old_len {
            return;
        }
        let old = if len < old_len { f.data[len..].to_vec() } else { Vec::new() };
        f.data.resize(len, 0);
        f.unsynced.push(Op { offset: len, old, old_len, new: None });
        if len < old_len {
            self.disk.used.fetch_sub((old_len - len) as u64, Ordering::AcqRel);
        } else {
            self.disk.used.fetch_add((len - old_len) as u64, Ordering::AcqRel);
        }
    }

    pub fn sync(&self) {
        if self.dies() {
            return;
        }
        if self.disk.lock().ignore_syncs {
            return;
        }
        let (fail, us, per_kib) = {
            let i = self.disk.lock();
            (i.fail_syncs, i.sync_us, i.sync_us_per_kib)
        };
        if fail {
            self.disk.stopped.store(true, Ordering::Release);
            return;
        }
        let mut f = self.file.lock().unwrap();
        let bytes: usize = f.unsynced.iter().map(|op| op.new.as_ref().map_or(0, |n| n.len())).sum();
        f.unsynced.clear();
        self.disk.spent_us.fetch_add(us + per_kib * (bytes as u64).div_ceil(1024), Ordering::AcqRel);
        self.disk.syncs.fetch_add(1, Ordering::AcqRel);
    }
}
