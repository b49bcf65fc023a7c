//! Directories whose calls are recorded and may fail.
//!
//! [`interpose`] asks here before each call. What lies in no watched directory passes at once; what does is judged by that
//! directory's [`Faults`], carried out, and, where it changed something, written down as an [`Op`]. Recorded calls are carried
//! out one at a time, so the order of the record is the order in which they took effect. No table of descriptors is kept: a
//! descriptor's path is asked of the kernel, so it does not matter how it was opened, duplicated or closed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Faults, Injected, Kind, Leave};
use super::interpose;
use super::tree::Tree;

/// What a call answers: a count, descriptor or zero, or the `errno`.
pub type Outcome = Result<i64, i32>;

/// Names one file of a record, whatever names it has there.
pub type FileId = u32;

/// One change, or one sync. Paths are relative to the watched directory, which itself is "".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// A new, empty file under a name.
    Create { file: FileId, path: String },
    /// Bytes written to a file.
    Write {
        file: FileId,
        offset: u64,
        #[serde(with = "base64_text")]
        bytes: Vec<u8>,
    },
    /// A file's new length.
    Truncate { file: FileId, length: u64 },
    /// What the file holds, and its length, is durable.
    Sync { file: FileId },
    /// A new directory.
    MakeDirectory { path: String },
    /// An empty directory goes.
    RemoveDirectory { path: String },
    /// The names in this directory are durable.
    SyncDirectory { path: String },
    /// A file's new name, which replaces another file of that name.
    Rename { from: String, to: String },
    /// A file's name goes.
    Remove { path: String },
}

/// Bytes as text: a record that is kept is a JSON file.
mod base64_text {
    use base64::prelude::{BASE64_STANDARD, Engine};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// SQLite's index of its log is shared memory in a file's clothes: it is written through a mapping, never synced, and made
/// anew when the database is opened after a crash. It is no part of a record.
pub fn is_volatile(path: &str) -> bool {
    path.ends_with("-shm")
}

#[derive(Debug)]
struct Watched {
    /// As it was given and as the kernel tells it.
    roots: [PathBuf; 2],
    faults: Faults,
    tape: Option<Mutex<Tape>>,
}

#[derive(Debug, Default)]
struct Tape {
    ops: Vec<Op>,
    /// By the number that the kernel gives the file, which a later file may be given again.
    files: HashMap<u64, FileId>,
    created: FileId,
}

static WATCHES: RwLock<Vec<Arc<Watched>>> = RwLock::new(Vec::new());
static WATCHED: AtomicUsize = AtomicUsize::new(0);

/// A directory that is watched until this goes.
#[derive(Debug)]
pub struct Watch(Arc<Watched>);

impl Watch {
    /// Lets faults be injected into what happens in `root`, which exists.
    pub fn faults(root: &Path) -> Watch {
        Watch::start(root, None)
    }

    /// Records what happens in `root` too. What is there already comes first in the record, as if it had been made and synced.
    pub fn record(root: &Path) -> Watch {
        let mut tape = Tape::default();
        tape.take_in(root, &Tree::read(root));
        Watch::start(root, Some(Mutex::new(tape)))
    }

    fn start(root: &Path, tape: Option<Mutex<Tape>>) -> Watch {
        let real = root.canonicalize().expect("it exists");
        let watched = Arc::new(Watched { roots: [real, root.to_owned()], faults: Faults::default(), tape });
        WATCHES.write().expect("nobody panics holding it").push(Arc::clone(&watched));
        WATCHED.fetch_add(1, Ordering::SeqCst);
        Watch(watched)
    }

    /// Lets calls fail from now on.
    pub fn inject(&self, fault: Fault) -> Injected {
        self.0.faults.inject(fault)
    }

    /// How many changes and syncs were recorded so far. Whatever was durable when this is asked is durable after so many.
    pub fn position(&self) -> usize {
        self.tape().ops.len()
    }

    /// What was recorded so far; what was there before is in it.
    pub fn ops(&self) -> Vec<Op> {
        self.tape().ops.clone()
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.tape.as_ref().expect("it records").lock().expect("nobody panics holding it")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.write().expect("nobody panics holding it").retain(|watched| !Arc::ptr_eq(watched, &self.0));
        WATCHED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A place in a watched directory.
struct Place {
    watched: Arc<Watched>,
    path: String,
}

impl Place {
    fn of(path: &Path) -> Option<Place> {
        if WATCHED.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let all = WATCHES.read().expect("nobody panics holding it");
        all.iter().find_map(|watched| {
            let inside = watched.roots.iter().find_map(|root| path.strip_prefix(root).ok())?;
            Some(Place { watched: Arc::clone(watched), path: inside.to_str()?.to_owned() })
        })
    }

    fn of_descriptor(fd: i32) -> Option<Place> {
        if WATCHED.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let path = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let mut place = Place::of(&path)?;
        if let Some(named) = place.path.strip_suffix(" (deleted)") {
            place.path = named.to_owned();
        }
        Some(place)
    }

    fn at(directory: i32, path: &Path) -> Option<Place> {
        if WATCHED.load(Ordering::SeqCst) == 0 {
            return None;
        }
        if path.is_absolute() {
            return Place::of(path);
        }
        let from = if directory == libc::AT_FDCWD {
            std::env::current_dir().ok()?
        } else {
            fs::read_link(format!("/proc/self/fd/{directory}")).ok()?
        };
        Place::of(&from.join(path))
    }

    fn judge(&self, kind: Kind, bytes: usize) -> Result<Leave, i32> {
        self.watched.faults.judge(kind, &self.path, bytes)
    }

    /// The record, where there is one and this is a part of it. Whoever holds it is the only one who changes anything.
    fn tape(&self) -> Option<MutexGuard<'_, Tape>> {
        let tape = self.watched.tape.as_ref().filter(|_| !is_volatile(&self.path))?;
        Some(tape.lock().expect("nobody panics holding it"))
    }

    /// Judges, carries out and records what has no bytes.
    fn change(&self, kind: Kind, run: impl FnOnce() -> Outcome, op: impl FnOnce(&Tape) -> Op) -> Outcome {
        if self.judge(kind, 0)? == Leave::Pretend {
            return Ok(0);
        }
        let tape = self.tape();
        let done = run()?;
        if let Some(mut tape) = tape {
            let op = op(&tape);
            tape.ops.push(op);
        }
        Ok(done)
    }
}

impl Tape {
    fn create(&mut self, inode: u64, path: &str) -> FileId {
        let file = self.created;
        self.created += 1;
        self.files.insert(inode, file);
        self.ops.push(Op::Create { file, path: path.to_owned() });
        file
    }

    fn take_in(&mut self, root: &Path, tree: &Tree) {
        // In order of name a directory comes before what is in it.
        for path in &tree.directories {
            self.ops.push(Op::MakeDirectory { path: path.clone() });
        }
        for (path, bytes) in &tree.files {
            let file = self.create(root.join(path).metadata().expect("it is there").ino(), path);
            self.ops.push(Op::Write { file, offset: 0, bytes: bytes.clone() });
            self.ops.push(Op::Sync { file });
        }
        self.ops.push(Op::SyncDirectory { path: String::new() });
        self.ops.extend(tree.directories.iter().map(|path| Op::SyncDirectory { path: path.clone() }));
    }

    fn file(&self, fd: i32) -> FileId {
        *self.files.get(&inode(fd)).expect("each watched file was created through these calls")
    }
}

fn metadata(fd: i32) -> fs::Metadata {
    fs::metadata(format!("/proc/self/fd/{fd}")).expect("the descriptor is open")
}

fn inode(fd: i32) -> u64 {
    metadata(fd).ino()
}

/// Whether this descriptor lies in a watched directory.
pub fn descriptor_is_watched(fd: i32) -> bool {
    Place::of_descriptor(fd).is_some()
}

/// Whether this path does.
pub fn path_is_watched(directory: i32, path: &Path) -> bool {
    Place::at(directory, path).is_some()
}

/// `run` opens the path, relative to `directory`.
pub fn open(directory: i32, path: &Path, flags: i32, run: impl FnOnce() -> Outcome) -> Outcome {
    let Some(place) = Place::at(directory, path) else { return run() };
    assert_ne!(flags & libc::O_TMPFILE, libc::O_TMPFILE, "files without a name are not recorded");
    let creates = flags & libc::O_CREAT != 0;
    if place.judge(if creates { Kind::Create } else { Kind::Open }, 0)? == Leave::Pretend {
        return Err(libc::EIO); // there is nothing to hand out
    }
    let Some(mut tape) = place.tape() else { return run() };
    let was_there = !creates || place.watched.roots[0].join(&place.path).symlink_metadata().is_ok();
    let opened = run()?;
    let fd = i32::try_from(opened).expect("a descriptor");
    if !was_there {
        tape.create(inode(fd), &place.path);
    } else if flags & libc::O_TRUNC != 0 {
        let file = tape.file(fd);
        tape.ops.push(Op::Truncate { file, length: 0 });
    }
    Ok(opened)
}

/// `run` writes the bytes that it is given, which may be fewer; `at` is where, or else the descriptor's own position.
pub fn write(fd: i32, at: Option<u64>, bytes: &[u8], run: impl FnOnce(&[u8]) -> Outcome) -> Outcome {
    let Some(place) = Place::of_descriptor(fd) else { return run(bytes) };
    let some = match place.judge(Kind::Write, bytes.len())? {
        Leave::Pretend => return Ok(i64::try_from(bytes.len()).expect("it fits")),
        Leave::Go(most) => &bytes[..most],
    };
    let Some(mut tape) = place.tape() else { return run(some) };
    let offset = at.unwrap_or_else(|| match interpose::flags(fd) & libc::O_APPEND {
        0 => interpose::position(fd),
        _ => metadata(fd).len(),
    });
    let written = run(some)?;
    let file = tape.file(fd);
    let count = usize::try_from(written).expect("not negative");
    tape.ops.push(Op::Write { file, offset, bytes: some[..count].to_vec() });
    Ok(written)
}

/// `run` reads at most so many bytes. Only looked at where a fault of reads was injected.
pub fn read(fd: i32, count: usize, run: impl FnOnce(usize) -> Outcome) -> Outcome {
    let faulted = WATCHED.load(Ordering::SeqCst) > 0
        && WATCHES.read().expect("nobody panics holding it").iter().any(|watched| watched.faults.look_at_reads());
    let Some(place) = faulted.then(|| Place::of_descriptor(fd)).flatten() else { return run(count) };
    match place.judge(Kind::Read, count)? {
        Leave::Pretend => Ok(0), // the end of the file
        Leave::Go(most) => run(most),
    }
}

/// `run` sets the file's length.
pub fn truncate(fd: i32, length: u64, run: impl FnOnce() -> Outcome) -> Outcome {
    let Some(place) = Place::of_descriptor(fd) else { return run() };
    place.change(Kind::Truncate, run, |tape| Op::Truncate { file: tape.file(fd), length })
}

/// `run` syncs a file or a directory.
pub fn sync(fd: i32, run: impl FnOnce() -> Outcome) -> Outcome {
    let Some(place) = Place::of_descriptor(fd) else { return run() };
    if metadata(fd).is_dir() {
        return place.change(Kind::SyncDirectory, run, |_| Op::SyncDirectory { path: place.path.clone() });
    }
    place.change(Kind::Sync, run, |tape| Op::Sync { file: tape.file(fd) })
}

/// `run` renames; both paths with what they are relative to.
pub fn rename(from: (i32, &Path), to: (i32, &Path), flags: u32, run: impl FnOnce() -> Outcome) -> Outcome {
    let (Some(from), Some(to)) = (Place::at(from.0, from.1), Place::at(to.0, to.1)) else { return run() };
    assert_eq!(flags, 0, "only plain renames are recorded");
    assert!(Arc::ptr_eq(&from.watched, &to.watched), "both names lie in one watched directory");
    let paths = (from.path.clone(), to.path.clone());
    to.change(Kind::Rename, run, |_| Op::Rename { from: paths.0, to: paths.1 })
}

/// `run` removes a file's name, or an empty directory.
pub fn remove(directory: i32, path: &Path, is_directory: bool, run: impl FnOnce() -> Outcome) -> Outcome {
    let Some(place) = Place::at(directory, path) else { return run() };
    let path = place.path.clone();
    if is_directory {
        return place.change(Kind::RemoveDirectory, run, |_| Op::RemoveDirectory { path });
    }
    place.change(Kind::Remove, run, |_| Op::Remove { path })
}

/// `run` makes a directory.
pub fn make_directory(directory: i32, path: &Path, run: impl FnOnce() -> Outcome) -> Outcome {
    let Some(place) = Place::at(directory, path) else { return run() };
    let path = place.path.clone();
    place.change(Kind::MakeDirectory, run, |_| Op::MakeDirectory { path })
}
