//! Faults of a disk: which calls they meet, and what they make of them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What is asked of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opening what is there, directories included. A blob whose name is in memory is opened without the C library
    /// (`RESOLVE_CACHED`).
    Open,
    /// Opening with leave to create.
    Create,
    /// Reading a file through the C library. What the page cache holds is read without it (`RWF_NOWAIT`): a test either uses
    /// a directory in memory (`/dev/shm`), where that is impossible, or has the cache dropped (`posix_fadvise`).
    Read,
    /// Writing to a file.
    Write,
    /// Changing a file's length.
    Truncate,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDirectory,
    /// Renaming; judged by the new name.
    Rename,
    /// Removing a file.
    Remove,
    /// Making a directory.
    MakeDirectory,
    /// Removing a directory.
    RemoveDirectory,
}

impl Kind {
    /// Everything that changes something: what a file system that is mounted read-only refuses.
    pub const CHANGES: &[Kind] = &[
        Kind::Create,
        Kind::Write,
        Kind::Truncate,
        Kind::Rename,
        Kind::Remove,
        Kind::MakeDirectory,
        Kind::RemoveDirectory,
    ];
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// It fails with this error and does nothing.
    Errno(i32),
    /// A disk with room for so many more bytes: writes take them, the one that goes over is cut short, later ones fail with
    /// `ENOSPC`. What is no write fails with `ENOSPC` once there is no room.
    Room(u64),
    /// A read or write takes at most so many bytes, at least one.
    Short(usize),
    /// It waits so long first; later faults are judged after it.
    Delay(Duration),
    /// It waits until the fault is lifted; later faults are judged after it.
    Hold,
    /// It is answered as done, and nothing was done.
    Pretend,
}

type Matcher = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A fault to inject with [`Watch::inject`](super::watch::Watch::inject).
pub struct Fault {
    kinds: Vec<Kind>,
    path: Matcher,
    skip: u64,
    times: u64,
    effect: Effect,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.effect, self.kinds)
    }
}

impl Fault {
    /// Every call of these kinds, for as long as the fault stands.
    pub fn new(kinds: &[Kind], effect: Effect) -> Self {
        Fault { kinds: kinds.to_vec(), path: Box::new(|_| true), skip: 0, times: u64::MAX, effect }
    }

    /// Only where the path, relative to the watched directory, is such.
    pub fn on(mut self, path: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.path = Box::new(path);
        self
    }

    /// Not the first `skip` calls that match.
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// At most so often.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }
}

/// A fault that stands until this goes or it is lifted.
#[derive(Debug)]
#[must_use = "dropping it lifts the fault"]
pub struct Injected(Arc<Standing>);

impl Injected {
    /// Calls that it changed so far.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::SeqCst)
    }

    /// Ends it; what it holds goes on.
    pub fn lift(&self) {
        self.0.lift();
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.0.lift();
    }
}

#[derive(Debug)]
struct Standing {
    fault: Fault,
    /// Calls that matched.
    seen: AtomicU64,
    hits: AtomicU64,
    /// Bytes for which there is room.
    room: Mutex<u64>,
    lifted: AtomicBool,
    wake: (Mutex<()>, Condvar),
}

impl Standing {
    fn lift(&self) {
        self.lifted.store(true, Ordering::SeqCst);
        let _guard = self.wake.0.lock().expect("nobody panics holding it");
        self.wake.1.notify_all();
    }

    fn is_lifted(&self) -> bool {
        self.lifted.load(Ordering::SeqCst)
    }

    fn meets(&self, kind: Kind, path: &str) -> bool {
        if self.is_lifted() || !self.fault.kinds.contains(&kind) || !(self.fault.path)(path) {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst);
        seen >= self.fault.skip && seen - self.fault.skip < self.fault.times
    }

    fn hold(&self) {
        let mut guard = self.wake.0.lock().expect("nobody panics holding it");
        while !self.is_lifted() {
            guard = self.wake.1.wait(guard).expect("nobody panics holding it");
        }
    }

    /// How many of `bytes` there is room for.
    fn take_room(&self, kind: Kind, bytes: usize) -> Option<usize> {
        let mut room = self.room.lock().expect("nobody panics holding it");
        if kind != Kind::Write {
            return (*room > 0).then_some(bytes);
        }
        let taken = usize::try_from(*room).unwrap_or(usize::MAX).min(bytes);
        *room -= taken as u64;
        (taken > 0 || bytes == 0).then_some(taken)
    }
}

/// What a call may do after the faults have been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Go on, with at most so many bytes.
    Go(usize),
    /// Do nothing and say that it is done.
    Pretend,
}

/// The faults of one watched directory, in the order in which they were injected.
#[derive(Debug, Default)]
pub struct Faults {
    standing: Mutex<Vec<Arc<Standing>>>,
    /// Some fault was of a read: only then are reads looked at.
    reads: AtomicBool,
}

impl Faults {
    /// Lets it stand from now on, behind those that stand already.
    pub fn inject(&self, fault: Fault) -> Injected {
        let room = if let Effect::Room(bytes) = fault.effect { bytes } else { 0 };
        self.reads.fetch_or(fault.kinds.contains(&Kind::Read), Ordering::SeqCst);
        let standing = Arc::new(Standing {
            fault,
            seen: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            room: Mutex::new(room),
            lifted: AtomicBool::new(false),
            wake: Default::default(),
        });
        let mut all = self.standing.lock().expect("nobody panics holding it");
        all.retain(|fault| !fault.is_lifted());
        all.push(Arc::clone(&standing));
        Injected(standing)
    }

    /// Whether reads are to be judged at all.
    pub fn look_at_reads(&self) -> bool {
        self.reads.load(Ordering::SeqCst)
    }

    /// What a call of `bytes` bytes may do, or the error that it gets. Waits where a fault says so: no lock is held.
    pub fn judge(&self, kind: Kind, path: &str, bytes: usize) -> Result<Leave, i32> {
        let standing = self.standing.lock().expect("nobody panics holding it").clone();
        for fault in standing.iter().filter(|fault| fault.meets(kind, path)) {
            let hit = || fault.hits.fetch_add(1, Ordering::SeqCst);
            match fault.fault.effect {
                Effect::Errno(errno) => {
                    hit();
                    return Err(errno);
                }
                Effect::Room(_) => match fault.take_room(kind, bytes) {
                    Some(taken) if taken == bytes => {}
                    Some(taken) => {
                        hit();
                        return Ok(Leave::Go(taken));
                    }
                    None => {
                        hit();
                        return Err(libc::ENOSPC);
                    }
                },
                Effect::Short(most) if most < bytes => {
                    hit();
                    return Ok(Leave::Go(most.max(1)));
                }
                Effect::Short(_) => {}
                Effect::Delay(delay) => {
                    hit();
                    std::thread::sleep(delay);
                }
                Effect::Hold => {
                    hit();
                    fault.hold();
                }
                Effect::Pretend => {
                    hit();
                    return Ok(Leave::Pretend);
                }
            }
        }
        Ok(Leave::Go(bytes))
    }
}
