//! The two calls that go from here to C++: a log line, and "stop the process".

use std::ffi::c_char;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Once;

pub type LogFn = extern "C" fn(level: i32, text: *const c_char, len: usize);
pub type FatalFn = extern "C" fn(text: *const c_char, len: usize);

static LOG: AtomicUsize = AtomicUsize::new(0);
static FATAL: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

pub const ERROR: i32 = 0;
pub const WARN: i32 = 1;
pub const INFO: i32 = 2;

/// Installs the process-wide hooks; either may be absent. The panic hook and the `log` bridge are set up once.
pub fn set(log_fn: Option<LogFn>, fatal_fn: Option<FatalFn>) {
    LOG.store(log_fn.map_or(0, |f| f as usize), Ordering::Release);
    FATAL.store(fatal_fn.map_or(0, |f| f as usize), Ordering::Release);
    INSTALL.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let what = info
                .payload()
                .downcast_ref::<&str>()
                .map(|s| s.to_string())
                .or_else(|| info.payload().downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "unknown panic".into());
            let place = info.location().map_or(String::new(), |l| format!(" ({}:{})", l.file(), l.line()));
            fatal(&format!("internal error in the Raft engine: {what}{place}"));
        }));
        let _ = log::set_logger(&BRIDGE);
        log::set_max_level(log::LevelFilter::Info);
    });
}

pub fn emit(level: i32, text: &str) {
    let f = LOG.load(Ordering::Acquire);
    if f != 0 {
        // SAFETY: only `set` stores here, and only addresses of this function type.
        let f: LogFn = unsafe { std::mem::transmute(f) };
        f(level, text.as_ptr() as *const c_char, text.len());
    }
}

/// Stops the process: C++ says why and exits; if it does not, abort.
pub fn fatal(text: &str) -> ! {
    let f = FATAL.load(Ordering::Acquire);
    if f != 0 {
        // SAFETY: as in `emit`.
        let f: FatalFn = unsafe { std::mem::transmute(f) };
        f(text.as_ptr() as *const c_char, text.len());
    } else {
        eprintln!("{text}");
    }
    std::process::abort();
}

struct Bridge;
static BRIDGE: Bridge = Bridge;

impl log::Log for Bridge {
    fn enabled(&self, m: &log::Metadata) -> bool {
        m.level() <= log::Level::Info
    }
    fn log(&self, r: &log::Record) {
        if self.enabled(r.metadata()) {
            let level = match r.level() {
                log::Level::Error => ERROR,
                log::Level::Warn => WARN,
                _ => INFO,
            };
            emit(level, &r.args().to_string());
        }
    }
    fn flush(&self) {}
}

/// raft-rs logs through slog: message first, then its key-value pairs.
pub struct SlogDrain;

impl slog::Drain for SlogDrain {
    type Ok = ();
    type Err = slog::Never;
    fn log(&self, r: &slog::Record, _own: &slog::OwnedKVList) -> Result<(), slog::Never> {
        let level = match r.level() {
            slog::Level::Critical | slog::Level::Error => ERROR,
            slog::Level::Warning => WARN,
            slog::Level::Info => INFO,
            _ => return Ok(()),
        };
        let mut line = Line(format!("raft: {}", r.msg()));
        let _ = slog::KV::serialize(&r.kv(), r, &mut line);
        emit(level, &line.0);
        Ok(())
    }
}

struct Line(String);

impl slog::Serializer for Line {
    fn emit_arguments(&mut self, key: slog::Key, val: &std::fmt::Arguments) -> slog::Result {
        use std::fmt::Write;
        write!(self.0, ", {key}: {val}").map_err(|_| slog::Error::Other)
    }
}
