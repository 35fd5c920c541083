//! The part of cleat_engine.h about who the members are, who leads them, and how far each is.

use crate::{members, Bytes, CGroup};

#[no_mangle]
pub unsafe extern "C" fn ce_conf(g: *mut CGroup) -> Bytes {
    let g = &mut *g;
    g.conf = g.group.conf_bytes();
    Bytes::of(&g.conf)
}

#[no_mangle]
pub unsafe extern "C" fn ce_propose_conf_change(g: *mut CGroup, change: Bytes) -> bool {
    (*g).group.propose_conf_change(change.get())
}

#[no_mangle]
pub unsafe extern "C" fn ce_apply_conf_change(g: *mut CGroup, change: Bytes) -> Bytes {
    let g = &mut *g;
    g.conf = g.group.apply_conf_change(change.get());
    Bytes::of(&g.conf)
}

#[repr(C)]
pub struct CChange {
    kind: u32,
    id: u64,
}

#[no_mangle]
pub unsafe extern "C" fn ce_make_change(
    g: *mut CGroup,
    changes: *const CChange,
    count: usize,
    context: Bytes,
) -> Bytes {
    let g = &mut *g;
    let changes = if count == 0 { &[][..] } else { std::slice::from_raw_parts(changes, count) };
    let changes: Vec<_> = changes.iter().map(|c| (c.kind, c.id)).collect();
    g.conf = members::make_change(&changes, context.get());
    Bytes::of(&g.conf)
}

#[no_mangle]
pub unsafe extern "C" fn ce_change_context(g: *mut CGroup, change: Bytes) -> Bytes {
    let g = &mut *g;
    g.conf = members::change_context(change.get());
    Bytes::of(&g.conf)
}

#[no_mangle]
pub unsafe extern "C" fn ce_member_ids(g: *const CGroup, which: u32, out: *mut u64, cap: usize) -> usize {
    let ids = (*g).group.member_ids(which);
    std::ptr::copy_nonoverlapping(ids.as_ptr(), out, ids.len().min(cap));
    ids.len()
}

#[repr(C)]
pub struct CProgress {
    matched: u64,
    active: bool,
    in_snapshot: bool,
}

#[no_mangle]
pub unsafe extern "C" fn ce_progress(g: *const CGroup, id: u64, out: *mut CProgress) -> bool {
    match (*g).group.progress(id) {
        Some((matched, active, in_snapshot)) => {
            *out = CProgress { matched, active, in_snapshot };
            true
        }
        None => false,
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_transfer(g: *mut CGroup, to: u64) {
    (*g).group.transfer(to);
}
