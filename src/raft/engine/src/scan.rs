//! Reads the log files before raft-engine does. It checks only the last batch of each file, cuts a bad one off also where
//! others follow, and panics over the hole; here such a file is found first, and named. Only the last file may end
//! badly: all others were synced whole before the next was begun. Of the last one the header is looked at: raft-engine
//! would make room for padding up to the alignment that it names, however large, or panic.
//!
//! A file of raft-engine 0.4.2: magic, version u64, and in version 2 alignment u64; then batches: length << 8 | compression
//! u64, offset of the footer u64 (both big-endian), entries and their CRC-32 (little-endian, absent without entries),
//! footer and its CRC-32, the latter in version 2 combined with the low half of the file's number by exclusive or.
//! Files are made in version 2; one that was left without a header by a process that died while it made it is begun anew
//! in version 1.

use std::io;
use std::path::Path;

use raft_engine::env::{FileSystem, Handle, Permission};

use crate::fs::Fs;

const MAGIC: &[u8] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";
const VERSION_1: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];
const VERSION_2: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
const BATCH_HEADER: usize = 16;

/// What is wrong with a file, if anything is that no torn write can explain.
pub fn find_damage(fs: &Fs, dir: &Path) -> io::Result<Option<String>> {
    let (mut files, mut headers) = (Vec::new(), Vec::new());
    for e in std::fs::read_dir(dir)? {
        let name = e?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rewrite") {
            headers.push(name);
        } else if let Some(seq) = name.strip_suffix(".raftlog").and_then(|s| s.parse::<u64>().ok()) {
            files.push((seq, name));
        }
    }
    files.sort();
    // Purged files stay for reuse while there is room for them, so a gap in the numbers is no damage: raft-engine, too,
    // begins after the last one. If files that are needed are missing, the first entry will be a wrong one.
    if let Some(gap) = files.windows(2).rposition(|w| w[1].0 != w[0].0 + 1) {
        files.drain(..=gap);
    }
    headers.extend(files.pop().map(|f| f.1));
    for name in headers {
        let mut head = [0; MAGIC.len() + VERSION_2.len()];
        let n = fs.open(dir.join(&name), Permission::ReadOnly)?.read_at(0, &mut head)?;
        if names_alignment(&head[..n]) {
            return Ok(Some(format!("{name} has a bad header")));
        }
    }
    for (seq, name) in files {
        let file = fs.open(dir.join(&name), Permission::ReadOnly)?;
        let mut data = vec![0; file.file_size()?];
        let n = file.read_at(0, &mut data)?;
        if let Err(at) = check(&data[..n], seq as u32) {
            return Ok(Some(format!("{name} has a bad record at byte {at}")));
        }
    }
    Ok(None)
}

/// Ours never do, and a header that was written in part has zeros there, too.
fn names_alignment(data: &[u8]) -> bool {
    let version_2 = data.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(&VERSION_2[..8]));
    version_2.is_some_and(|alignment| alignment.iter().any(|b| *b != 0))
}

fn check(data: &[u8], signature: u32) -> Result<(), usize> {
    let head = data.strip_prefix(MAGIC).ok_or(0usize)?;
    let (mut at, signature) = if head.starts_with(&VERSION_2) {
        (MAGIC.len() + VERSION_2.len(), signature)
    } else if head.starts_with(&VERSION_1) {
        (MAGIC.len() + VERSION_1.len(), 0)
    } else {
        return Err(0);
    };
    while at < data.len() {
        at += batch(&data[at..], signature).ok_or(at)?;
    }
    Ok(())
}

/// The length of a whole batch.
fn batch(data: &[u8], signature: u32) -> Option<usize> {
    let head = data.get(..BATCH_HEADER)?;
    let len = (u64::from_be_bytes(head[..8].try_into().unwrap()) >> 8) as usize;
    let footer = u64::from_be_bytes(head[8..].try_into().unwrap()) as usize;
    if head[7] > 1 || footer < BATCH_HEADER || footer > len {
        return None;
    }
    let whole = data.get(..len)?;
    let entries = &whole[BATCH_HEADER..footer];
    let ok = sum_ok(&whole[footer..], signature) && (entries.is_empty() || sum_ok(entries, 0));
    ok.then_some(len)
}

fn sum_ok(block: &[u8], signature: u32) -> bool {
    let Some(body) = block.len().checked_sub(4) else { return false };
    let sum = u32::from_le_bytes(block[body..].try_into().unwrap()) ^ signature;
    crc32fast::hash(&block[..body]) == sum
}
