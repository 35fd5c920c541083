//! What an opened log holds, compared with all that says what it must hold: the state record, the lower bound, and the
//! snapshot that the caller restored.

use protobuf::Message as _;
use raft::eraftpb::ConfState;
use raft_engine::Engine;

use crate::bound::Bound;
use crate::files::Files;
use crate::fs::Fs;
use crate::hooks;
use crate::log::{damaged, fail, EntryExt, Failure, Settings, Visit, Why};
use crate::record::{self, State};

pub struct Loaded {
    pub state: State,
    pub last: u64,
    pub files: Files,
    /// The log ends before the snapshot (or contradicts it): begin again at the snapshot.
    pub start_over: bool,
}

pub fn load(
    s: &Settings,
    engine: &Engine<Fs>,
    fs: &Fs,
    bound: &Bound,
    new_bound: bool,
    visit: Visit,
) -> Result<Loaded, Failure> {
    let span = engine.first_index(s.group).zip(engine.last_index(s.group));
    let Some(raw) = engine.get(s.group, record::KEY) else {
        if span.is_some() {
            return damaged(s, "it has entries but no state record");
        }
        if bound.index > 0 && !s.ignore_bound {
            return damaged(s, &format!("it is empty, but entry {} was on disk", bound.index));
        }
        return Ok(Loaded { state: fresh(s), last: fresh(s).cut_index, files: Files::default(), start_over: false });
    };
    let mut state = match State::decode(&raw) {
        Ok(state) => state,
        Err(text) => return fail(Why::Invalid, text),
    };
    let last = span.map_or(state.cut_index, |(_, l)| l);
    if span.is_some_and(|(first, _)| first != state.cut_index + 1) {
        return damaged(s, &format!("it begins at entry {}, not at {}", span.unwrap().0, state.cut_index + 1));
    }
    if last.max(state.snap_index) < bound.index && !s.ignore_bound {
        let text = format!(
            "it ends at entry {last}, but entry {} was on disk. To go on with what is left, delete {}/bound: answered changes after entry {last} are then lost",
            bound.index,
            s.dir.display()
        );
        return damaged(s, &text);
    }
    if new_bound {
        hooks::emit(
            hooks::WARN,
            &format!("{}/bound was missing: cannot tell whether the log lost its end", s.dir.display()),
        );
    }
    if state.commit > last {
        return damaged(s, &format!("it ends at entry {last}, but entry {} was committed", state.commit));
    }
    let mut snap_matches = true;
    let files = verify(s, engine, fs, &state, last, &mut |state, e| {
        if let Some((index, term, _)) = &s.snapshot {
            snap_matches &= e.index != *index || e.term == *term;
        }
        visit(state, e);
    })?;
    let start_over = take_snapshot(s, &mut state, last, snap_matches)?;
    Ok(Loaded { last: if start_over { state.snap_index } else { last }, state, files, start_over })
}

fn fresh(s: &Settings) -> State {
    if s.bootstrap.is_empty() {
        return State::default();
    }
    let mut conf = ConfState::default();
    conf.set_voters(s.bootstrap.clone());
    State {
        term: record::BOOTSTRAP_TERM,
        commit: record::BOOTSTRAP_INDEX,
        cut_index: record::BOOTSTRAP_INDEX,
        cut_term: record::BOOTSTRAP_TERM,
        snap_index: record::BOOTSTRAP_INDEX,
        snap_term: record::BOOTSTRAP_TERM,
        conf: conf.write_to_bytes().unwrap(),
        ..Default::default()
    }
}

/// Reads the whole log: raft-engine itself checks only the last batch of each file.
fn verify(
    s: &Settings,
    engine: &Engine<Fs>,
    fs: &Fs,
    state: &State,
    last: u64,
    visit: Visit,
) -> Result<Files, Failure> {
    const CHUNK: u64 = 1024;
    let (mut next, mut term) = (state.cut_index + 1, state.cut_term);
    let mut chunk = Vec::new();
    let mut files = Files::default();
    while next <= last {
        chunk.clear();
        let to = (next + CHUNK).min(last + 1);
        let mut fetch = || engine.fetch_entries_to::<EntryExt>(s.group, next, to, Some(4 << 20), &mut chunk);
        // raft-engine keeps the block that a thread read last by its place, whichever engine it was of: the members of one
        // simulator would read each other's.
        let fetched = if s.disk.is_some() {
            std::thread::scope(|t| t.spawn(fetch).join().expect("a read does not panic"))
        } else {
            fetch()
        };
        let another = fs.last_read() != files.newest() || files.newest() == 0;
        let fetched = match fetched {
            Ok(n) if another => locate(engine, fs, s.group, next, next + n as u64, &mut files),
            other => other.map(|_| ()),
        };
        if let Err(e) = fetched {
            return damaged(s, &format!("an entry between {next} and {} cannot be read: {e}", to - 1));
        }
        for e in chunk.drain(..) {
            if e.index != next || e.term < term || e.term > state.term {
                return damaged(s, &format!("where entry {next} belongs stands entry {} of term {}", e.index, e.term));
            }
            term = e.term;
            next += 1;
            visit(state, e);
        }
    }
    Ok(files)
}

/// Finds the file of each of these entries: the one that is read for it, or was for the one before out of the same block.
/// On a thread of its own, for which raft-engine has no block at hand when it begins.
fn locate(engine: &Engine<Fs>, fs: &Fs, group: u64, from: u64, to: u64, files: &mut Files) -> raft_engine::Result<()> {
    let each = || {
        let mut one = Vec::new();
        for index in from..to {
            one.clear();
            engine.fetch_entries_to::<EntryExt>(group, index, index + 1, None, &mut one)?;
            files.found(fs.last_read(), index);
        }
        Ok(())
    };
    std::thread::scope(|t| t.spawn(each).join().expect("a read does not panic"))
}

/// Compares the snapshot that the caller restored with the log. True: the log is replaced by it.
fn take_snapshot(s: &Settings, state: &mut State, last: u64, matches: bool) -> Result<bool, Failure> {
    let Some((index, term, conf)) = &s.snapshot else {
        if state.snap_index > record::BOOTSTRAP_INDEX {
            return damaged(s, &format!("the snapshot of entry {} is missing", state.snap_index));
        }
        return Ok(false);
    };
    if *index < state.snap_index {
        return damaged(
            s,
            &format!("the newest snapshot is of entry {index}, but one of entry {} was made", state.snap_index),
        );
    }
    if *index == state.snap_index && *term != state.snap_term {
        return damaged(s, &format!("the snapshot of entry {index} has term {term}, not {}", state.snap_term));
    }
    (state.snap_index, state.snap_term) = (*index, *term);
    state.conf = conf.clone();
    state.commit = state.commit.max(*index);
    state.term = state.term.max(*term);
    let start_over = *index > last || !matches;
    if start_over {
        (state.cut_index, state.cut_term) = (*index, *term);
        state.commit = *index;
    }
    Ok(start_over)
}
