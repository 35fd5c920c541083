//! The lower bound: the highest entry known to be on disk, in a small file of its own. raft-engine cuts its last file at
//! the first bad record and cannot tell a torn tail from rot; a log that opens below the bound has lost entries that
//! were acknowledged. Beside it the boot count and the ids of the latest starts, in bytes that are there already: a node
//! must be able to start on a disk without a free block, and may not use a count twice. The ids tell two starts of the
//! same count apart: of this directory, and of a copy of it that was put in its place.
//!
//! Two slots of 512 bytes, written in turn, so that a torn write leaves the other: magic "CLBOUND1", group u64, number
//! of the write u64, index u64, CRC-32 of these u32; little-endian. The valid slot with the higher number counts. Behind
//! them two for the boot count: magic "CLBOOTS2", group u64, count u64, ids of the 32 latest starts u64, the newest first
//! (0: not known), CRC-32. Before there were ids these had the form of the others: magic "CLBOOTS1", the count as number.

use std::io;
use std::path::Path;

use raft_engine::env::{FileSystem, Handle, Permission};

use crate::fs::{is_no_space, Fs, FsFile};
use crate::hooks;

const MAGIC: &[u8; 8] = b"CLBOUND1";
const BOOT_MAGIC: &[u8; 8] = b"CLBOOTS2";
const OLD_BOOT_MAGIC: &[u8; 8] = b"CLBOOTS1";
const SLOT: usize = 512;
const LEN: usize = 36;
/// So many starts back their ids are known.
pub const STARTS: usize = 32;
const BOOT_LEN: usize = 24 + STARTS * 8 + 4;

pub struct Bound {
    file: FsFile,
    group: u64,
    number: u64,
    pub index: u64,
    /// How often the group was opened, as far as this file knows; 0: it does not.
    pub boots: u64,
    /// Ids of the starts, that of number `boots` first; 0: not known.
    pub starts: [u64; STARTS],
}

pub enum Found {
    /// No such file before; it was made, saying 0.
    New,
    Old,
    Damaged(String),
}

impl Bound {
    /// Opens or makes the file. The directory must exist.
    pub fn open(fs: &Fs, dir: &Path, group: u64) -> io::Result<(Bound, Found)> {
        let path = dir.join("bound");
        if !fs.exists(&path) {
            // Written aside: a process that dies here must not leave a file that looks damaged.
            let aside = dir.join("bound.new");
            let file = fs.create(&aside)?;
            let mut b = Bound { file, group, number: 0, index: 0, boots: 0, starts: [0; STARTS] };
            b.file.write_all_at(0, &[0; 4 * SLOT])?;
            b.put(0)?;
            b.file.sync()?;
            fs.rename(&aside, &path)?;
            fs.sync_dir(dir);
            return Ok((b, Found::New));
        }
        let file = fs.open(&path, Permission::ReadWrite)?;
        let mut buf = [0; 4 * SLOT];
        let n = file.read_at(0, &mut buf)?;
        let mut b = Bound { file, group, number: 0, index: 0, boots: 0, starts: [0; STARTS] };
        let (mut valid, mut foreign) = (false, None);
        for slot in buf[..n].chunks(SLOT).skip(2) {
            if let Some((g, boots, starts)) = decode_boots(slot) {
                if g == group && boots > b.boots {
                    (b.boots, b.starts) = (boots, starts);
                }
            }
        }
        for slot in buf[..n].chunks(SLOT).take(2) {
            if let Some((g, number, index)) = decode(MAGIC, slot) {
                if g != group {
                    foreign = Some(g);
                } else if !valid || number > b.number {
                    (valid, b.number, b.index) = (true, number, index);
                }
            }
        }
        let path = path.display();
        let found = match (valid, foreign) {
            (true, _) => Found::Old,
            (_, Some(g)) => Found::Damaged(format!("{path} belongs to group {g}, not to group {group}")),
            _ => Found::Damaged(format!("{path} is unreadable (no slot with a valid checksum)")),
        };
        Ok((b, found))
    }

    /// After a synced batch; not synced itself. A failure costs only protection, so it is a warning.
    pub fn raise(&mut self, index: u64) {
        if index > self.index {
            if let Err(e) = self.put(index) {
                hooks::emit(hooks::WARN, &format!("cannot note the highest durable entry: {e}"));
            }
        }
    }

    /// Before a batch that lowers the last index; synced. Err: the disk is full, nothing changed.
    pub fn lower(&mut self, index: u64) -> io::Result<()> {
        match self.put(index) {
            Err(e) if is_no_space(&e) => Err(e),
            other => {
                other?;
                self.file.sync()
            }
        }
    }

    /// Start number `boots`, a higher one than before, has this id. Synced. Err: the disk is full, nothing changed.
    pub fn count_boot(&mut self, boots: u64, id: u64) -> io::Result<()> {
        let mut starts = [0; STARTS];
        let passed = (boots - self.boots).min(STARTS as u64) as usize;
        starts[passed..].copy_from_slice(&self.starts[..STARTS - passed]);
        starts[0] = id;
        let slot = encode_boots(self.group, boots, &starts);
        self.file.write_all_at((2 + boots % 2) as usize * SLOT, &slot)?;
        self.file.sync()?;
        (self.boots, self.starts) = (boots, starts);
        Ok(())
    }

    fn put(&mut self, index: u64) -> io::Result<()> {
        let number = self.number + 1;
        self.file.write_all_at((number % 2) as usize * SLOT, &encode(MAGIC, self.group, number, index))?;
        (self.number, self.index) = (number, index);
        Ok(())
    }
}

fn encode(magic: &[u8; 8], group: u64, number: u64, index: u64) -> [u8; LEN] {
    let mut b = [0; LEN];
    b[..8].copy_from_slice(magic);
    b[8..16].copy_from_slice(&group.to_le_bytes());
    b[16..24].copy_from_slice(&number.to_le_bytes());
    b[24..32].copy_from_slice(&index.to_le_bytes());
    let crc = crc32fast::hash(&b[..32]);
    b[32..].copy_from_slice(&crc.to_le_bytes());
    b
}

fn decode(magic: &[u8; 8], slot: &[u8]) -> Option<(u64, u64, u64)> {
    let u = |at: usize| u64::from_le_bytes(slot[at..at + 8].try_into().unwrap());
    let ok = slot.len() >= LEN && slot[..8] == *magic && slot[32..LEN] == crc32fast::hash(&slot[..32]).to_le_bytes();
    ok.then(|| (u(8), u(16), u(24)))
}

fn encode_boots(group: u64, boots: u64, starts: &[u64; STARTS]) -> [u8; BOOT_LEN] {
    let mut b = [0; BOOT_LEN];
    b[..8].copy_from_slice(BOOT_MAGIC);
    b[8..16].copy_from_slice(&group.to_le_bytes());
    b[16..24].copy_from_slice(&boots.to_le_bytes());
    for (to, id) in b[24..].chunks_exact_mut(8).zip(starts) {
        to.copy_from_slice(&id.to_le_bytes());
    }
    let crc = crc32fast::hash(&b[..BOOT_LEN - 4]);
    b[BOOT_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    b
}

fn decode_boots(slot: &[u8]) -> Option<(u64, u64, [u64; STARTS])> {
    if let Some((group, boots, _)) = decode(OLD_BOOT_MAGIC, slot) {
        return Some((group, boots, [0; STARTS]));
    }
    let sum = slot.get(BOOT_LEN - 4..BOOT_LEN)?;
    if slot[..8] != *BOOT_MAGIC || *sum != crc32fast::hash(&slot[..BOOT_LEN - 4]).to_le_bytes() {
        return None;
    }
    let u = |at: usize| u64::from_le_bytes(slot[at..at + 8].try_into().unwrap());
    Some((u(8), u(16), std::array::from_fn(|i| u(24 + i * 8))))
}
