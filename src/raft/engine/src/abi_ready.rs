//! The part of cleat_engine.h about Readys: views of what one holds, valid until it is freed.

use protobuf::Message as _;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

use crate::group::Taken;
use crate::{hooks, report, Bytes, CError, CGroup, NONE};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CEntry {
    index: u64,
    term: u64,
    data: Bytes,
    kind: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CMessage {
    to: u64,
    commit: u64,
    wire: Bytes,
    kind: u8,
    flags: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CRead {
    index: u64,
    context: [u8; 16],
}

#[repr(C)]
pub struct CReady {
    number: u64,
    term: u64,
    vote: u64,
    commit: u64,
    entries: *const CEntry,
    entry_count: usize,
    committed: *const CEntry,
    committed_count: usize,
    messages: *const CMessage,
    message_count: usize,
    late_messages: *const CMessage,
    late_message_count: usize,
    reads: *const CRead,
    read_count: usize,
    snapshot_index: u64,
    snapshot_term: u64,
    snapshot_conf: Bytes,
    snapshot_data: Bytes,
    has_hard_state: bool,
    must_sync: bool,
}

pub struct CTaken {
    taken: Taken,
    entries: Vec<CEntry>,
    committed: Vec<CEntry>,
    messages: Vec<CMessage>,
    late_messages: Vec<CMessage>,
    reads: Vec<CRead>,
    wire: Vec<u8>,
    conf: Vec<u8>,
}

pub fn view_entries(from: &[Entry], to: &mut Vec<CEntry>) {
    to.extend(from.iter().map(|e| CEntry {
        index: e.index,
        term: e.term,
        data: Bytes::of(&e.data),
        kind: match e.get_entry_type() {
            EntryType::EntryNormal => 0,
            EntryType::EntryConfChange => 1,
            EntryType::EntryConfChangeV2 => 2,
        },
    }));
}

/// Encodes into `wire`; the views get their addresses afterwards, when it grows no more.
fn encode(from: &[Message], wire: &mut Vec<u8>, spans: &mut Vec<(usize, usize)>) {
    for m in from {
        let begin = wire.len();
        if let Err(e) = m.write_to_vec(wire) {
            hooks::fatal(&format!("internal error: a message cannot be encoded: {e}"));
        }
        spans.push((begin, wire.len()));
    }
}

/// The commit index that its receiver knows of after it, if it takes the message.
fn commit_told(m: &Message) -> u64 {
    match m.get_msg_type() {
        MessageType::MsgAppend => m.commit.min(m.index + m.entries.len() as u64),
        MessageType::MsgHeartbeat => m.commit,
        _ => 0,
    }
}

fn view_messages(from: &[Message], wire: &[u8], spans: &[(usize, usize)], to: &mut Vec<CMessage>) {
    to.extend(from.iter().zip(spans).map(|(m, &(begin, end))| CMessage {
        to: m.to,
        commit: commit_told(m),
        wire: Bytes::of(&wire[begin..end]),
        kind: m.get_msg_type() as u8,
        flags: (m.get_msg_type() == MessageType::MsgSnapshot) as u8,
    }));
}

#[no_mangle]
pub unsafe extern "C" fn ce_take_ready(g: *mut CGroup, view: *mut CReady) -> *mut CTaken {
    let taken = (*g).group.take();
    let mut t = Box::new(CTaken {
        entries: Vec::with_capacity(taken.entries.len()),
        committed: Vec::with_capacity(taken.committed.len()),
        messages: Vec::with_capacity(taken.messages.len()),
        late_messages: Vec::with_capacity(taken.late_messages.len()),
        reads: Vec::with_capacity(taken.reads.len()),
        wire: Vec::new(),
        conf: Vec::new(),
        taken,
    });
    let c = &mut *t;
    view_entries(&c.taken.entries, &mut c.entries);
    view_entries(&c.taken.committed, &mut c.committed);
    if !c.taken.messages.is_empty() || !c.taken.late_messages.is_empty() {
        let mut spans = Vec::new();
        encode(&c.taken.messages, &mut c.wire, &mut spans);
        encode(&c.taken.late_messages, &mut c.wire, &mut spans);
        let n = c.taken.messages.len();
        view_messages(&c.taken.messages, &c.wire, &spans[..n], &mut c.messages);
        view_messages(&c.taken.late_messages, &c.wire, &spans[n..], &mut c.late_messages);
    }
    for r in &c.taken.reads {
        if let Ok(context) = r.request_ctx.as_slice().try_into() {
            c.reads.push(CRead { index: r.index, context });
        }
    }
    fill_view(c, &mut *view);
    Box::into_raw(t)
}

fn fill_view(c: &mut CTaken, view: &mut CReady) {
    let snapshot = &c.taken.snapshot;
    let meta = snapshot.get_metadata();
    if !snapshot.is_empty() {
        c.conf = meta.get_conf_state().write_to_bytes().unwrap_or_default();
    }
    *view = CReady {
        number: c.taken.number,
        term: c.taken.hard.term,
        vote: c.taken.hard.vote,
        commit: c.taken.hard.commit,
        entries: c.entries.as_ptr(),
        entry_count: c.entries.len(),
        committed: c.committed.as_ptr(),
        committed_count: c.committed.len(),
        messages: c.messages.as_ptr(),
        message_count: c.messages.len(),
        late_messages: c.late_messages.as_ptr(),
        late_message_count: c.late_messages.len(),
        reads: c.reads.as_ptr(),
        read_count: c.reads.len(),
        snapshot_index: meta.index,
        snapshot_term: meta.term,
        snapshot_conf: if snapshot.is_empty() { NONE } else { Bytes::of(&c.conf) },
        snapshot_data: if snapshot.is_empty() { NONE } else { Bytes::of(&snapshot.data) },
        has_hard_state: c.taken.has_hard,
        must_sync: c.taken.needs_write(),
    };
}

#[no_mangle]
pub unsafe extern "C" fn ce_persist(r: *mut CTaken, err: *mut CError) -> i32 {
    match (*r).taken.persist() {
        Ok(()) => 0,
        Err(f) => report(f, err),
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_persisted(g: *mut CGroup, r: *const CTaken) {
    (*g).group.persisted(&(*r).taken);
}

#[no_mangle]
pub unsafe extern "C" fn ce_free_ready(r: *mut CTaken) {
    if !r.is_null() {
        drop(Box::from_raw(r));
    }
}
