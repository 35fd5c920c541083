//! The file system below the log: the real one, or a disk in memory. raft-engine sees both through its FileSystem trait.
//!
//! Beside passing calls on, the real one keeps three promises raft-engine's own does not: a full disk is an error that
//! leaves the log as it was (raft-engine's own answer, a new file for every attempt, would eat the last free blocks); a
//! failed sync or write stops the process with a message that says so; and what recovery cuts off can be put back, so
//! that a damaged log is refused without losing the evidence.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::io::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use raft_engine::env::{FileSystem, Handle, Permission, WriteExt};

use crate::hooks;
use crate::vdisk::{Disk, VFile};

pub struct Fs {
    kind: Kind,
    /// Number of the log file that is written now, seen from the names that raft-engine creates.
    active_seq: AtomicU64,
    /// Of the log file that was read last; 0: it was no such file.
    last_read: Arc<AtomicU64>,
}

enum Kind {
    Real(Arc<Real>),
    Virtual(Arc<Disk>, u64),
}

#[derive(Default)]
struct Real {
    /// True until the log was found whole: truncations are remembered in `cuts`.
    recovering: AtomicBool,
    cuts: Mutex<Vec<Cut>>,
    /// Bytes that a log file is filled with zeros to, in one go, when it is first extended; 0: no filling.
    fill_to: usize,
    reserved: Mutex<Vec<PathBuf>>,
}

struct Cut {
    path: PathBuf,
    offset: usize,
    tail: Vec<u8>,
}

pub enum FsFile {
    Real(RealFile),
    Virtual(VFile),
}

pub struct RealFile {
    file: File,
    path: PathBuf,
    fs: Arc<Real>,
    filled_to: AtomicUsize,
}

pub struct Cursor {
    file: Arc<FsFile>,
    offset: usize,
    last_read: Arc<AtomicU64>,
}

/// The number of a log file; 0: it is none.
pub fn log_seq(path: &Path) -> u64 {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    name.strip_suffix(".raftlog").and_then(|s| s.parse().ok()).unwrap_or(0)
}

pub fn is_no_space(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOSPC) | Some(libc::EDQUOT))
}

fn stop(what: &str, path: &Path, e: &io::Error) -> ! {
    hooks::fatal(&format!(
        "{what} {} failed: {e}. What was to be stored may be lost in part, so this process stops and answers nothing more. Check the disk, then start it again; it continues with all that was answered.",
        path.display()
    ))
}

impl Fs {
    pub fn real(fill_to: usize) -> Fs {
        let real = Real { recovering: AtomicBool::new(true), fill_to, ..Default::default() };
        Fs { kind: Kind::Real(Arc::new(real)), active_seq: AtomicU64::new(0), last_read: Arc::default() }
    }

    pub fn virtual_disk(disk: Arc<Disk>) -> Fs {
        let generation = disk.generation();
        Fs { kind: Kind::Virtual(disk, generation), active_seq: AtomicU64::new(0), last_read: Arc::default() }
    }

    pub fn stopped(&self) -> bool {
        matches!(&self.kind, Kind::Virtual(d, _) if d.stopped())
    }

    pub fn active_seq(&self) -> u64 {
        self.active_seq.load(Ordering::Acquire)
    }

    /// The number of the log file that was read last; 0: it was another file.
    pub fn last_read(&self) -> u64 {
        self.last_read.load(Ordering::Acquire)
    }

    /// The log is whole: what was cut was a torn tail and stays cut. Syncs the files reserved for later, which
    /// raft-engine leaves to the first rotation (a whole file's sync inside a write).
    pub fn recovered(&self) -> io::Result<()> {
        if let Kind::Real(r) = &self.kind {
            r.recovering.store(false, Ordering::Release);
            r.cuts.lock().unwrap().clear();
            for path in std::mem::take(&mut *r.reserved.lock().unwrap()) {
                OpenOptions::new().write(true).open(&path)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// The log is damaged: puts back what recovery cut. The engine must have been dropped.
    pub fn undo_cuts(&self) {
        if let Kind::Real(r) = &self.kind {
            for cut in r.cuts.lock().unwrap().drain(..).rev() {
                let done = OpenOptions::new().write(true).open(&cut.path).and_then(|f| {
                    f.write_all_at(&cut.tail, cut.offset as u64)?;
                    f.sync_all()
                });
                if let Err(e) = done {
                    hooks::emit(hooks::ERROR, &format!("cannot restore the end of {}: {e}", cut.path.display()));
                }
            }
        }
    }

    pub fn exists(&self, path: &Path) -> bool {
        match &self.kind {
            Kind::Real(_) => path.exists(),
            Kind::Virtual(d, _) => d.exists(path),
        }
    }

    pub fn sync_dir(&self, dir: &Path) {
        if let Err(e) = File::open(dir).and_then(|d| d.sync_all()) {
            stop("syncing the directory", dir, &e);
        }
    }

    fn note(&self, path: &Path) {
        self.active_seq.fetch_max(log_seq(path), Ordering::AcqRel);
    }
}

impl FileSystem for Fs {
    type Handle = FsFile;
    type Reader = Cursor;
    type Writer = Cursor;

    fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<FsFile> {
        let path = path.as_ref();
        self.note(path);
        match &self.kind {
            Kind::Real(r) => {
                let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
                if path.extension().is_some_and(|e| e == "reserved") {
                    r.reserved.lock().unwrap().push(path.to_path_buf());
                }
                Ok(FsFile::Real(RealFile::new(file, path, r)))
            }
            Kind::Virtual(d, g) => Ok(FsFile::Virtual(d.create(path, *g)?)),
        }
    }

    fn open<P: AsRef<Path>>(&self, path: P, _: Permission) -> io::Result<FsFile> {
        let path = path.as_ref();
        self.note(path);
        match &self.kind {
            // Always for writing too: recovery truncates files it opened for reading.
            Kind::Real(r) => {
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                Ok(FsFile::Real(RealFile::new(file, path, r)))
            }
            Kind::Virtual(d, g) => Ok(FsFile::Virtual(d.open(path, *g)?)),
        }
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        match &self.kind {
            Kind::Real(_) => std::fs::remove_file(path),
            Kind::Virtual(d, g) => d.delete(path.as_ref(), *g),
        }
    }

    fn rename<P: AsRef<Path>>(&self, src: P, dst: P) -> io::Result<()> {
        self.note(dst.as_ref());
        match &self.kind {
            Kind::Real(_) => std::fs::rename(src, dst),
            Kind::Virtual(d, g) => d.rename(src.as_ref(), dst.as_ref(), *g),
        }
    }

    fn new_reader(&self, handle: Arc<FsFile>) -> io::Result<Cursor> {
        Ok(Cursor { file: handle, offset: 0, last_read: self.last_read.clone() })
    }

    fn new_writer(&self, handle: Arc<FsFile>) -> io::Result<Cursor> {
        Ok(Cursor { file: handle, offset: 0, last_read: self.last_read.clone() })
    }
}

impl RealFile {
    fn new(file: File, path: &Path, fs: &Arc<Real>) -> RealFile {
        RealFile { file, path: path.to_path_buf(), fs: fs.clone(), filled_to: AtomicUsize::new(0) }
    }

    /// A log file was set aside, so none would have to be made where there is no room.
    fn has_next(&self) -> bool {
        let dir = self.path.parent().filter(|_| self.path.extension().is_some_and(|e| e == "raftlog"));
        let full_sized = |e: io::Result<std::fs::DirEntry>| {
            e.is_ok_and(|e| {
                e.path().extension().is_some_and(|x| x == "reserved")
                    && e.metadata().is_ok_and(|m| m.len() as usize >= self.fs.fill_to.max(1))
            })
        };
        dir.and_then(|d| std::fs::read_dir(d).ok()).is_some_and(|mut entries| entries.any(full_sized))
    }

    fn truncate(&self, len: usize) -> io::Result<()> {
        if self.fs.recovering.load(Ordering::Acquire) {
            let size = self.file.metadata()?.len() as usize;
            if size > len {
                let mut tail = vec![0; size - len];
                self.file.read_exact_at(&mut tail, len as u64)?;
                self.fs.cuts.lock().unwrap().push(Cut { path: self.path.clone(), offset: len, tail });
            }
        }
        self.filled_to.store(0, Ordering::Release);
        self.file.set_len(len as u64)
    }

    /// Zeros written ahead, synced once, make each later fdatasync a plain data write: no block is allocated and no
    /// extent converted in it. Without filling, space is at least reserved.
    fn allocate(&self, offset: usize, size: usize) -> io::Result<()> {
        let target = self.fs.fill_to;
        if target == 0 || offset + size > target {
            let r = unsafe { libc::fallocate(self.file.as_raw_fd(), 0, offset as i64, size as i64) };
            return if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        }
        if self.filled_to.load(Ordering::Acquire) >= offset + size {
            return Ok(());
        }
        let zeros = vec![0u8; 1 << 20];
        let mut at = offset;
        while at < target {
            let n = zeros.len().min(target - at);
            self.file.write_all_at(&zeros[..n], at as u64)?;
            at += n;
        }
        self.file.sync_all()?;
        self.filled_to.store(target, Ordering::Release);
        Ok(())
    }
}

impl FsFile {
    fn log_seq(&self) -> u64 {
        match self {
            FsFile::Virtual(v) => v.log_seq,
            FsFile::Real(r) => log_seq(&r.path),
        }
    }

    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            FsFile::Virtual(v) => Ok(v.read_at(offset, buf)),
            FsFile::Real(r) => {
                let mut done = 0;
                while done < buf.len() {
                    match r.file.read_at(&mut buf[done..], (offset + done) as u64) {
                        Ok(0) => break,
                        Ok(n) => done += n,
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(e),
                    }
                }
                Ok(done)
            }
        }
    }

    pub fn write_all_at(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        match self {
            FsFile::Virtual(v) => v.write_at(offset, bytes),
            FsFile::Real(r) => match r.file.write_all_at(bytes, offset as u64) {
                Err(e) if !is_no_space(&e) => stop("writing", &r.path, &e),
                // To this word raft-engine turns to its next file: one that was set aside has its blocks.
                Err(e) if r.has_next() => Err(io::Error::other(format!("nospace: {e}"))),
                other => other,
            },
        }
    }
}

impl Handle for FsFile {
    fn truncate(&self, len: usize) -> io::Result<()> {
        match self {
            FsFile::Virtual(v) => {
                v.truncate(len);
                Ok(())
            }
            FsFile::Real(r) => r.truncate(len),
        }
    }

    fn file_size(&self) -> io::Result<usize> {
        match self {
            FsFile::Virtual(v) => Ok(v.size()),
            FsFile::Real(r) => Ok(r.file.metadata()?.len() as usize),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self {
            FsFile::Virtual(v) => v.sync(),
            FsFile::Real(r) => {
                if let Err(e) = r.file.sync_data() {
                    stop("syncing", &r.path, &e);
                }
            }
        }
        Ok(())
    }
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.last_read.store(self.file.log_seq(), Ordering::Release);
        let n = self.file.read_at(self.offset, buf)?;
        self.offset += n;
        Ok(n)
    }
}

impl Write for Cursor {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(self.offset, buf)?;
        self.offset += buf.len();
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Cursor {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.offset = match pos {
            SeekFrom::Start(o) => o as usize,
            SeekFrom::Current(d) => (self.offset as i64 + d) as usize,
            SeekFrom::End(d) => (self.file.file_size()? as i64 + d) as usize,
        };
        Ok(self.offset as u64)
    }
}

impl WriteExt for Cursor {
    fn truncate(&mut self, len: usize) -> io::Result<()> {
        self.file.truncate(len)?;
        self.offset = len;
        Ok(())
    }
    fn allocate(&mut self, offset: usize, size: usize) -> io::Result<()> {
        match &*self.file {
            FsFile::Virtual(_) => Ok(()),
            FsFile::Real(r) => r.allocate(offset, size),
        }
    }
}
