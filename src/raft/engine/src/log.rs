//! The durable half of a group: entries, state record and lower bound. Every write goes through here, in order, under
//! one lock, so a Ready may be persisted on another thread than the one that drives Raft.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::io::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState, Snapshot};
use raft_engine::{Command, Config, Engine, LogBatch, MessageExt, ReadableSize, RecoveryMode};

use crate::bound::{Bound, Found, STARTS};
use crate::files::Files;
use crate::fs::{is_no_space, Fs};
use crate::hooks;
use crate::load::{load, Loaded};
use crate::record::{self, State};
use crate::scan;
use crate::vdisk::Disk;

#[derive(Clone)]
pub struct EntryExt;
impl MessageExt for EntryExt {
    type Entry = Entry;
    fn index(e: &Entry) -> u64 {
        e.index
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    NoSpace,
    /// A sync failed on the virtual disk: the node is dead and must not report this write.
    Stopped,
    Locked,
    Damaged,
    Io,
    Invalid,
}

pub struct Failure {
    pub why: Why,
    pub text: String,
}

pub fn fail<T>(why: Why, text: String) -> Result<T, Failure> {
    Err(Failure { why, text })
}

pub struct Settings<'a> {
    pub dir: &'a Path,
    pub group: u64,
    /// Not empty: an empty directory becomes a group of these voters.
    pub bootstrap: Vec<u64>,
    /// The snapshot that the caller restored, when there is one: index, term, ConfState.
    pub snapshot: Option<(u64, u64, Vec<u8>)>,
    pub file_bytes: u64,
    pub purge_bytes: u64,
    pub start_id: u64,
    pub prefill: bool,
    /// Broken nodes, for make mutants.
    pub ignore_bound: bool,
    pub forget_votes: bool,
    pub disk: Option<Arc<Disk>>,
}

pub struct Log {
    engine: Engine<Fs>,
    fs: Arc<Fs>,
    group: u64,
    file_bytes: u64,
    purge_bytes: u64,
    start_id: u64,
    forget_votes: bool,
    inner: Mutex<Inner>,
    _lock: File,
}

struct Inner {
    batch: LogBatch,
    state: State,
    bound: Bound,
    last: u64,
    files: Files,
}

const HELP: &str = "Nothing was changed. Restore the directory from a backup or, if this is one member of a cluster, remove it and add it again with an empty directory";

/// Hears each entry of a log that is opened, in order.
pub type Visit<'a> = &'a mut dyn FnMut(&State, Entry);

/// Opens the log, refuses it if acknowledged entries are missing, writes the new boot count. `visit` sees each entry.
pub fn open(s: &Settings, visit: Visit) -> Result<(Log, State), Failure> {
    make_dirs(s.dir)?;
    let lock = lock_dir(s.dir)?;
    let fs = Arc::new(match &s.disk {
        Some(d) => Fs::virtual_disk(d.clone()),
        None => Fs::real(if s.prefill { s.file_bytes as usize } else { 0 }),
    });
    let r = open_locked(s, fs.clone(), lock, visit);
    if matches!(&r, Err(f) if f.why == Why::Damaged) {
        fs.undo_cuts();
    }
    r
}

fn make_dirs(dir: &Path) -> Result<(), Failure> {
    let log = dir.join("log");
    let made = (|| {
        // Each new directory must survive with its parent; the innermost also if a start before this one died in between.
        let made = log.ancestors().take_while(|d| !d.as_os_str().is_empty() && !d.exists()).count();
        std::fs::create_dir_all(&log)?;
        for (n, d) in log.ancestors().skip(1).take(made.max(2)).enumerate() {
            let d = if d.as_os_str().is_empty() { Path::new(".") } else { d };
            match File::open(d) {
                Ok(d) => d.sync_all()?,
                Err(e) if n < made => return Err(e),
                Err(_) => {} // of somebody else, who made it
            }
        }
        Ok::<_, std::io::Error>(())
    })();
    made.or_else(|e| fail(Why::Io, format!("cannot make the data directory {}: {e}", log.display())))
}

fn lock_dir(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("LOCK");
    let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = match open {
        Ok(f) => f,
        Err(e) => return fail(Why::Io, format!("cannot open {}: {e}", path.display())),
    };
    // SAFETY: a plain system call on an open descriptor.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let holder = std::fs::read_to_string(&path).unwrap_or_default();
        let who = if holder.trim().is_empty() { String::new() } else { format!(" (pid {})", holder.trim()) };
        return fail(
            Why::Locked,
            format!(
                "the data directory {} is in use by another process{who}; stop it, or use another directory",
                dir.display()
            ),
        );
    }
    let _ = file.set_len(0);
    let _ = write!(file, "{}", std::process::id());
    Ok(file)
}

fn engine_config(s: &Settings) -> Config {
    Config {
        dir: s.dir.join("log").to_string_lossy().into_owned(),
        recovery_mode: RecoveryMode::TolerateTailCorruption,
        recovery_threads: 1,
        recovery_read_block_size: ReadableSize::kb(64),
        batch_compression_threshold: ReadableSize(0),
        target_file_size: ReadableSize(s.file_bytes),
        purge_threshold: ReadableSize(s.purge_bytes),
        enable_log_recycle: true,
        prefill_for_recycle: s.prefill,
        prefill_limit: s.prefill.then_some(ReadableSize(s.purge_bytes)),
        ..Default::default()
    }
}

pub fn damaged<T>(s: &Settings, what: &str) -> Result<T, Failure> {
    fail(Why::Damaged, format!("the log in {} is damaged: {what}. {HELP}.", s.dir.display()))
}

/// All that a member has, of a directory that nobody runs: its state record and the entries behind the snapshot, also
/// those of which it does not know that they were decided. Changes nothing but a torn tail. The directory is the
/// caller's as long as it keeps the File.
pub fn read(s: &Settings) -> Result<(File, State, Vec<Entry>), Failure> {
    if !s.dir.join("log").is_dir() {
        return fail(
            Why::Invalid,
            format!("{} holds no log: it is not the data directory of a member", s.dir.display()),
        );
    }
    let lock = lock_dir(s.dir)?;
    let fs = Arc::new(match &s.disk {
        Some(d) => Fs::virtual_disk(d.clone()),
        None => Fs::real(0),
    });
    let snap = s.snapshot.as_ref().map_or(0, |(index, _, _)| *index);
    let mut entries = Vec::new();
    let mut keep = |_: &State, e: Entry| {
        if e.index > snap {
            entries.push(e);
        }
    };
    match load_engine(s, &fs, &mut keep) {
        Ok((_, _, loaded)) => {
            if loaded.start_over {
                entries.clear(); // another leader's, overwritten by what the snapshot has
            }
            Ok((lock, loaded.state, entries))
        }
        Err(f) => {
            if f.why == Why::Damaged {
                fs.undo_cuts();
            }
            Err(f)
        }
    }
}

fn load_engine(s: &Settings, fs: &Arc<Fs>, visit: Visit) -> Result<(Engine<Fs>, Bound, Loaded), Failure> {
    let (bound, found) = match Bound::open(fs, s.dir, s.group) {
        Ok(b) => b,
        Err(e) if is_no_space(&e) => return fail(Why::NoSpace, format!("no room left in {}: {e}", s.dir.display())),
        Err(e) => return fail(Why::Io, format!("cannot open {}/bound: {e}", s.dir.display())),
    };
    if let Found::Damaged(text) = &found {
        return damaged(s, text);
    }
    match scan::find_damage(fs, &s.dir.join("log")) {
        Ok(Some(text)) => return damaged(s, &text),
        Ok(None) => {}
        Err(e) => return fail(Why::Io, format!("cannot read the log in {}: {e}", s.dir.display())),
    }
    let engine = match Engine::open_with_file_system(engine_config(s), fs.clone()) {
        Ok(e) => e,
        Err(raft_engine::Error::Io(e)) if is_no_space(&e) => {
            return fail(Why::NoSpace, format!("no room left in {}: {e}", s.dir.display()))
        }
        Err(raft_engine::Error::Io(e)) => {
            return fail(Why::Io, format!("cannot open the log in {}: {e}", s.dir.display()))
        }
        Err(e) => return damaged(s, &e.to_string()),
    };
    let loaded = load(s, &engine, fs, &bound, matches!(found, Found::New), visit)?;
    Ok((engine, bound, loaded))
}

fn open_locked(s: &Settings, fs: Arc<Fs>, lock: File, visit: Visit) -> Result<(Log, State), Failure> {
    let (engine, bound, mut loaded) = load_engine(s, &fs, visit)?;
    if let Err(e) = fs.recovered() {
        return fail(Why::Io, format!("cannot sync the log files in {}: {e}", s.dir.display()));
    }
    let inner = Inner {
        batch: LogBatch::default(),
        state: State::default(),
        bound,
        last: loaded.last,
        files: std::mem::take(&mut loaded.files),
    };
    let log = Log {
        engine,
        fs,
        group: s.group,
        file_bytes: s.file_bytes,
        purge_bytes: s.purge_bytes,
        start_id: s.start_id,
        forget_votes: s.forget_votes,
        inner: Mutex::new(inner),
        _lock: lock,
    };
    let state = log.begin(loaded)?;
    Ok((log, state))
}

impl Log {
    /// Counts the boot and writes the first batch. On a disk without room for it the log is open all the same: the count
    /// is on disk, and the next batch carries the state. A log that is new, or must be replaced, needs the room.
    fn begin(&self, loaded: Loaded) -> Result<State, Failure> {
        let mut inner = self.lock();
        let mut state = loaded.state;
        let is_new = state.boot == 0;
        state.boot = state.boot.max(inner.bound.boots) + 1;
        match inner.bound.count_boot(state.boot, self.start_id) {
            Ok(()) if self.fs.stopped() => return fail(Why::Stopped, "a sync failed".into()),
            Ok(()) => {}
            Err(e) if is_no_space(&e) => return fail(Why::NoSpace, format!("no room to count the start: {e}")),
            Err(e) => return fail(Why::Io, format!("cannot count the start: {e}")),
        }
        if loaded.start_over {
            self.replace(&mut inner, state.clone(), &[])?;
            return Ok(state);
        }
        match self.write(&mut inner, state.clone(), None, &[]) {
            Err(f) if f.why == Why::NoSpace && !is_new => inner.state = state.clone(),
            other => other?,
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Writes and syncs a Ready's part. NoSpace: nothing was changed, the same call may be repeated.
    pub fn persist(&self, hs: &HardState, entries: &[Entry], snapshot: &Snapshot) -> Result<(), Failure> {
        let mut inner = self.lock();
        let mut state = inner.state.clone();
        state.set_hard(hs);
        if self.forget_votes {
            state.vote = 0;
        }
        if snapshot.is_empty() {
            return self.write(&mut inner, state, None, entries);
        }
        let meta = snapshot.get_metadata();
        (state.cut_index, state.cut_term) = (meta.index, meta.term);
        (state.snap_index, state.snap_term) = (meta.index, meta.term);
        state.conf = meta.get_conf_state().write_to_bytes().unwrap();
        self.replace(&mut inner, state, entries)
    }

    /// Records a snapshot and drops the entries before `state.cut_index + 1`.
    pub fn compact(&self, snap: (u64, u64), cut: (u64, u64), commit: u64, conf: Vec<u8>) -> Result<(), Failure> {
        let mut inner = self.lock();
        let mut state = inner.state.clone();
        (state.snap_index, state.snap_term) = snap;
        (state.cut_index, state.cut_term) = cut;
        state.commit = state.commit.max(commit);
        state.conf = conf;
        self.write(&mut inner, state, Some(cut.0 + 1), &[])?;
        inner.files.cut(cut.0 + 1);
        Ok(())
    }

    /// Throws the log away for a snapshot, then appends (engine.md rule 15: a gap panics).
    fn replace(&self, inner: &mut Inner, state: State, entries: &[Entry]) -> Result<(), Failure> {
        let last = state.snap_index;
        // Commit must not run ahead of what this first batch holds.
        let first = State { commit: last, ..state.clone() };
        self.lower(inner, last)?;
        inner.batch.add_command(self.group, Command::Clean);
        self.commit(inner, &first, last)?;
        inner.files.clear();
        if entries.is_empty() {
            return Ok(());
        }
        self.write(inner, state, None, entries)
    }

    fn write(&self, inner: &mut Inner, state: State, cut: Option<u64>, entries: &[Entry]) -> Result<(), Failure> {
        let last = entries.last().map_or(inner.last, |e| e.index);
        self.lower(inner, last)?;
        if let Some(index) = cut {
            inner.batch.add_command(self.group, Command::Compact { index });
        }
        if let Err(e) = inner.batch.add_entries::<EntryExt>(self.group, entries) {
            hooks::fatal(&format!("entries that the log cannot hold: {e}"));
        }
        self.commit(inner, &state, last)?;
        if let Some(e) = entries.first() {
            inner.files.wrote(self.fs.active_seq(), e.index);
        }
        Ok(())
    }

    fn lower(&self, inner: &mut Inner, last: u64) -> Result<(), Failure> {
        if last >= inner.bound.index {
            return Ok(());
        }
        match inner.bound.lower(last) {
            Ok(()) if self.fs.stopped() => fail(Why::Stopped, "a sync failed".into()),
            Ok(()) => Ok(()),
            Err(e) => fail(Why::NoSpace, format!("no room to note the highest durable entry: {e}")),
        }
    }

    fn commit(&self, inner: &mut Inner, state: &State, last: u64) -> Result<(), Failure> {
        let put = inner.batch.put(self.group, record::KEY.to_vec(), state.encode());
        if let Err(e) = put.and_then(|()| self.engine.write(&mut inner.batch, true)) {
            // A batch that was tried once is sealed; the next attempt is built anew.
            inner.batch = LogBatch::default();
            if self.fs.stopped() {
                return fail(Why::Stopped, "a sync failed".into());
            }
            match &e {
                raft_engine::Error::Io(io) if is_no_space(io) => {
                    return fail(Why::NoSpace, format!("no room for the log: {io}"));
                }
                // It turned to a file that was set aside, and that one met the full disk too.
                raft_engine::Error::TryAgain(text) => {
                    return fail(Why::NoSpace, format!("no room for the log: {text}"))
                }
                _ => {}
            }
            hooks::fatal(&format!("writing the log in {} failed: {e}", self.engine.path()));
        }
        if self.fs.stopped() {
            return fail(Why::Stopped, "a sync failed".into());
        }
        inner.state = state.clone();
        inner.last = last;
        inner.bound.raise(last);
        Ok(())
    }

    pub fn read(&self, low: u64, high: u64, max: usize, out: &mut Vec<Entry>) -> Result<(), String> {
        let r = self.engine.fetch_entries_to::<EntryExt>(self.group, low, high, Some(max), out);
        r.map(|_| ()).map_err(|e| e.to_string())
    }

    /// Ids of this directory's starts, the latest first; 0: not known.
    pub fn starts(&self) -> [u64; STARTS] {
        self.lock().bound.starts
    }

    /// Bytes of the log files that are in use.
    pub fn disk_bytes(&self) -> u64 {
        self.engine.get_used_size() as u64
    }

    /// Gives files that hold nothing needed any more back. Not when raft-engine would rewrite entries to free one: 0.4.2
    /// can fail reads after that (tikv/raft-engine#370). True: it purged.
    pub fn purge(&self) -> bool {
        if self.would_rewrite() {
            return false;
        }
        if let Err(e) = self.engine.purge_expired_files() {
            hooks::emit(hooks::WARN, &format!("cannot remove old log files: {e}"));
            return false;
        }
        true
    }

    fn would_rewrite(&self) -> bool {
        let files = (self.engine.get_used_size() as u64 / self.file_bytes).saturating_sub(1);
        if files < 2 || files * self.file_bytes <= self.purge_bytes {
            return false;
        }
        let inner = self.lock();
        inner.files.would_be_rewritten(inner.state.cut_index + 1, inner.last, self.fs.active_seq(), files)
    }
}
