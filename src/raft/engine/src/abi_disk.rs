//! The ce_disk_* part of cleat_engine.h.

use std::ffi::{c_char, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::vdisk::Disk;

pub struct CDisk(pub Arc<Disk>);

/// SAFETY: a terminated string that outlives 'a.
pub unsafe fn path_of<'a>(p: *const c_char) -> &'a Path {
    Path::new(OsStr::from_bytes(CStr::from_ptr(p).to_bytes()))
}

#[no_mangle]
pub extern "C" fn ce_disk_new() -> *mut CDisk {
    Box::into_raw(Box::new(CDisk(Disk::new())))
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_free(d: *mut CDisk) {
    if !d.is_null() {
        drop(Box::from_raw(d));
    }
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_crash(d: *const CDisk, seed: u64) {
    (*d).0.crash(seed);
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_keep_copy(d: *const CDisk) {
    (*d).0.keep_copy();
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_put_copy_back(d: *const CDisk) -> bool {
    (*d).0.put_copy_back().is_ok()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_set_capacity(d: *const CDisk, bytes: u64) {
    (*d).0.set_capacity((bytes != u64::MAX).then_some(bytes));
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_set_sync_cost(d: *const CDisk, us: u64, us_per_kib: u64) {
    (*d).0.set_sync_cost(us, us_per_kib);
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_fail_syncs(d: *const CDisk, fail: bool) {
    (*d).0.set_fail_syncs(fail);
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_stop_after(d: *const CDisk, changes: u64) {
    (*d).0.stop_after(changes);
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_ignore_syncs(d: *const CDisk, ignore: bool) {
    (*d).0.set_ignore_syncs(ignore);
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_stopped(d: *const CDisk) -> bool {
    (*d).0.stopped()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_take_sync_us(d: *const CDisk) -> u64 {
    (*d).0.take_spent_us()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_syncs(d: *const CDisk) -> u64 {
    (*d).0.syncs()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_used(d: *const CDisk) -> u64 {
    (*d).0.used()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_file_name(d: *const CDisk, n: usize, out: *mut c_char, cap: usize) -> usize {
    let names = (*d).0.names();
    let Some(name) = names.get(n) else { return 0 };
    let bytes = name.as_os_str().as_bytes();
    if bytes.len() <= cap {
        std::ptr::copy_nonoverlapping(bytes.as_ptr() as *const c_char, out, bytes.len());
    }
    bytes.len()
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_read(d: *const CDisk, path: *const c_char, out: *mut u8, cap: usize) -> i64 {
    let Some(data) = (*d).0.read(path_of(path)) else { return -1 };
    std::ptr::copy_nonoverlapping(data.as_ptr(), out, data.len().min(cap));
    data.len() as i64
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_flip(d: *const CDisk, path: *const c_char, offset: u64, mask: u8) -> bool {
    (*d).0.flip(path_of(path), offset as usize, mask)
}

#[no_mangle]
pub unsafe extern "C" fn ce_disk_cut(d: *const CDisk, path: *const c_char, len: u64) -> bool {
    (*d).0.cut(path_of(path), len as usize)
}
