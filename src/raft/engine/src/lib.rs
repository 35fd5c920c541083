//! The C ABI of the engine. cleat_engine.h is its documentation; the two must say the same.
#![allow(clippy::missing_safety_doc)]

mod abi_disk;
mod abi_members;
mod abi_ready;
mod bound;
mod files;
mod filter;
mod fs;
mod group;
mod hooks;
mod load;
mod log;
mod members;
mod record;
mod scan;
mod store;
mod vdisk;

use std::ffi::c_char;
use std::sync::Arc;

use ::bytes::Bytes as RcBytes;
use raft::eraftpb::Entry;

use abi_disk::{path_of, CDisk};
use abi_ready::{view_entries, CEntry};
use group::{Group, Limits};
use log::{Failure, Log, Settings, Why};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    data: *const u8,
    len: usize,
}

const NONE: Bytes = Bytes { data: std::ptr::null(), len: 0 };

impl Bytes {
    fn of(b: &[u8]) -> Bytes {
        Bytes { data: b.as_ptr(), len: b.len() }
    }
    /// SAFETY: the caller's pointer and length must describe readable memory for 'a.
    unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(self.data, self.len)
        }
    }
}

#[repr(C)]
pub struct CError {
    text: [c_char; 1024],
}

#[repr(C)]
pub struct COptions {
    dir: *const c_char,
    group: u64,
    id: u64,
    seed: u64,
    start_id: u64,
    voters: *const u64,
    voter_count: usize,
    has_snapshot: bool,
    snapshot_index: u64,
    snapshot_term: u64,
    snapshot_conf: Bytes,
    file_bytes: u64,
    purge_bytes: u64,
    prefill: bool,
    keep_bytes: u64,
    max_message_bytes: u64,
    max_uncommitted_bytes: u64,
    max_apply_bytes: u64,
    election_ticks: u32,
    quiet_commits: bool,
    ignore_bound: bool,
    eager: bool,
    lease_reads: bool,
    forget_votes: bool,
    disk: *const CDisk,
}

#[repr(C)]
#[derive(Default)]
pub struct CStatus {
    id: u64,
    boot: u64,
    term: u64,
    leader: u64,
    commit: u64,
    applied: u64,
    first: u64,
    last: u64,
    durable: u64,
    snap_index: u64,
    snap_term: u64,
    log_bytes: u64,
    disk_bytes: u64,
    voters: u64,
    role: u32,
    snap_wanted: bool,
    handing_over: bool,
}

pub struct CGroup {
    group: Group,
    conf: Vec<u8>,
}

pub struct CPurger(Arc<Log>);

fn code(why: Why) -> i32 {
    match why {
        Why::NoSpace => 1,
        Why::Stopped => 2,
        Why::Locked => 3,
        Why::Damaged => 4,
        Why::Io => 5,
        Why::Invalid => 6,
    }
}

unsafe fn report(f: Failure, out: *mut CError) -> i32 {
    if let Some(out) = out.as_mut() {
        let n = f.text.len().min(out.text.len() - 1);
        for (to, from) in out.text.iter_mut().zip(&f.text.as_bytes()[..n]) {
            *to = *from as c_char;
        }
        out.text[n] = 0;
    }
    code(f.why)
}

#[no_mangle]
pub unsafe extern "C" fn ce_set_hooks(log: Option<hooks::LogFn>, fatal: Option<hooks::FatalFn>) {
    hooks::set(log, fatal);
}

/// SAFETY: the pointers in the options must be as cleat_engine.h says, for 'a.
unsafe fn settings_of<'a>(o: &'a COptions) -> Settings<'a> {
    let voters = if o.voter_count == 0 { &[][..] } else { std::slice::from_raw_parts(o.voters, o.voter_count) };
    Settings {
        dir: path_of(o.dir),
        group: o.group,
        bootstrap: voters.to_vec(),
        snapshot: o.has_snapshot.then(|| (o.snapshot_index, o.snapshot_term, o.snapshot_conf.get().to_vec())),
        file_bytes: o.file_bytes,
        purge_bytes: o.purge_bytes,
        start_id: o.start_id,
        prefill: o.prefill,
        ignore_bound: o.ignore_bound,
        forget_votes: o.forget_votes,
        disk: o.disk.as_ref().map(|d| d.0.clone()),
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_open(o: *const COptions, out: *mut *mut CGroup, err: *mut CError) -> i32 {
    let o = &*o;
    let settings = settings_of(o);
    let limits = Limits {
        id: o.id,
        seed: o.seed,
        keep_bytes: o.keep_bytes as usize,
        max_message_bytes: o.max_message_bytes,
        max_uncommitted_bytes: o.max_uncommitted_bytes,
        max_apply_bytes: o.max_apply_bytes,
        election_ticks: o.election_ticks as usize,
        quiet_commits: o.quiet_commits,
        eager: o.eager,
        lease_reads: o.lease_reads,
    };
    match Group::open(&settings, &limits) {
        Ok(group) => {
            *out = Box::into_raw(Box::new(CGroup { group, conf: Vec::new() }));
            0
        }
        Err(f) => report(f, err),
    }
}

pub struct CLog {
    _lock: std::fs::File,
    _entries: Vec<Entry>,
    views: Vec<CEntry>,
}

#[repr(C)]
pub struct CLogView {
    entries: *const CEntry,
    entry_count: usize,
    commit: u64,
}

#[no_mangle]
pub unsafe extern "C" fn ce_read_log(
    o: *const COptions,
    out: *mut *mut CLog,
    view: *mut CLogView,
    err: *mut CError,
) -> i32 {
    match log::read(&settings_of(&*o)) {
        Ok((lock, state, entries)) => {
            let mut views = Vec::with_capacity(entries.len());
            view_entries(&entries, &mut views);
            *view = CLogView { entries: views.as_ptr(), entry_count: views.len(), commit: state.commit };
            *out = Box::into_raw(Box::new(CLog { _lock: lock, _entries: entries, views }));
            0
        }
        Err(f) => report(f, err),
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_free_log(l: *mut CLog) {
    if !l.is_null() {
        drop(Box::from_raw(l).views);
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_close(g: *mut CGroup) {
    if !g.is_null() {
        drop(Box::from_raw(g));
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_tick(g: *mut CGroup) {
    (*g).group.tick();
}

#[no_mangle]
pub unsafe extern "C" fn ce_campaign(g: *mut CGroup) {
    (*g).group.campaign();
}

#[no_mangle]
pub unsafe extern "C" fn ce_propose(g: *mut CGroup, payloads: *const Bytes, count: usize) -> bool {
    if count == 0 || !(*g).group.is_leader() {
        return false;
    }
    let payloads = std::slice::from_raw_parts(payloads, count);
    (*g).group.propose(payloads.iter().map(|p| RcBytes::copy_from_slice(p.get())).collect())
}

#[no_mangle]
pub unsafe extern "C" fn ce_read_index(g: *mut CGroup, context: *mut u8) -> bool {
    match (*g).group.read_index() {
        Some(c) => {
            std::ptr::copy_nonoverlapping(c.as_ptr(), context, c.len());
            true
        }
        None => false,
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_step(g: *mut CGroup, peer: u64, message: Bytes, snapshot: u64) -> i32 {
    (*g).group.step(peer, message.get(), snapshot).map_or_else(|r| r as i32, |()| 0)
}

#[no_mangle]
pub unsafe extern "C" fn ce_learn_commit(g: *mut CGroup, peer: u64, term: u64, index: u64) -> i32 {
    (*g).group.learn_commit(peer, term, index).map_or_else(|r| r as i32, |()| 0)
}

#[no_mangle]
pub unsafe extern "C" fn ce_has_ready(g: *const CGroup) -> bool {
    (*g).group.has_ready()
}

#[no_mangle]
pub unsafe extern "C" fn ce_applied(g: *mut CGroup, index: u64) {
    (*g).group.applied(index);
}

#[no_mangle]
pub unsafe extern "C" fn ce_compact(g: *mut CGroup, snap: u64, conf: Bytes, first_kept: u64, err: *mut CError) -> i32 {
    match (*g).group.compact(snap, conf.get(), first_kept) {
        Ok(()) => 0,
        Err(f) => report(f, err),
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_purger(g: *const CGroup) -> *mut CPurger {
    Box::into_raw(Box::new(CPurger((*g).group.purge_handle())))
}

#[no_mangle]
pub unsafe extern "C" fn ce_purge(p: *mut CPurger) -> bool {
    Box::from_raw(p).0.purge()
}

#[no_mangle]
pub unsafe extern "C" fn ce_report_unreachable(g: *mut CGroup, peer: u64) {
    (*g).group.report_unreachable(peer);
}

#[no_mangle]
pub unsafe extern "C" fn ce_report_snapshot(g: *mut CGroup, peer: u64, ok: bool) {
    (*g).group.report_snapshot(peer, ok);
}

#[no_mangle]
pub unsafe extern "C" fn ce_starts(g: *const CGroup, out: *mut u64, cap: usize) -> usize {
    let starts = (*g).group.starts();
    std::ptr::copy_nonoverlapping(starts.as_ptr(), out, starts.len().min(cap));
    starts.len()
}

#[no_mangle]
pub unsafe extern "C" fn ce_status(g: *const CGroup, out: *mut CStatus) {
    let v = (*g).group.view();
    *out = CStatus {
        id: v.id,
        boot: v.boot,
        term: v.term,
        leader: v.leader,
        commit: v.commit,
        applied: v.applied,
        first: v.first,
        last: v.last,
        durable: v.durable,
        snap_index: v.snap_index,
        snap_term: v.snap_term,
        log_bytes: v.log_bytes,
        disk_bytes: v.disk_bytes,
        voters: v.voters,
        role: v.role,
        snap_wanted: v.snap_wanted,
        handing_over: v.handing_over,
    };
}
