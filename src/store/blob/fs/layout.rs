//! Names, directories and durability. Every function here blocks; `FilePool` runs them.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::growing::GrowingFile;
use super::pool::unavailable;
use super::syncs::SharedSyncs;
use crate::limits;
use crate::store::{BlobEntry, BlobId, Result};

/// Digits of an id that name the outer and the inner directory.
const OUTER_DIGITS: usize = 5;
const INNER_DIGITS: usize = 3;
/// Low bits of an id that its directories leave out.
const BELOW_DIRECTORIES: u32 = 128 - 4 * (OUTER_DIGITS + INNER_DIGITS) as u32;

/// The directories of one store.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    /// For opening by a relative path.
    root_descriptor: File,
    /// Directories whose names are known to be durable. Making a file in one holds this for reading, making and removing
    /// one for writing: so no file lands in a directory that was removed and made again by another, unsynced.
    durable: RwLock<HashSet<Slot>>,
    /// Syncs of directories that files were made in.
    syncs: SharedSyncs,
    hidden: Arc<Hidden>,
}

/// The digits of an id that name its directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

impl Slot {
    /// Any one.
    #[cfg(test)]
    pub(super) fn first() -> Self {
        Slot(0)
    }

    fn of(id: BlobId) -> Self {
        Slot(u32::try_from(id.0 >> BELOW_DIRECTORIES).expect("32 bits are left"))
    }

    fn names(self) -> (String, String) {
        let digits = format!("{:08x}", self.0);
        let (outer, inner) = digits.split_at(OUTER_DIGITS);
        (outer.to_owned(), inner.to_owned())
    }
}

/// A file that is not yet a blob: it has its name, and only its writer knows of it. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The file; always there until drop.
    file: Option<GrowingFile>,
    id: BlobId,
    path: PathBuf,
    /// What the sync of its name came to, where one was begun.
    named: Option<Receiver<io::Result<()>>>,
    hidden: Arc<Hidden>,
    /// It has become a blob: nothing is to be removed.
    finished: bool,
}

impl Unfinished {
    /// The open file.
    pub(super) fn file(&mut self) -> &mut GrowingFile {
        self.file.as_mut().expect("taken only by drop")
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where to say what a sync of its directory came to that begins now: the end then waits for that one.
    pub(super) fn naming(&mut self) -> SyncSender<io::Result<()>> {
        let (done, named) = sync_channel(1);
        self.named = Some(named);
        done
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // On the spot, so that a dropped writer has left nothing when drop returns. Taking the name away is quick;
            // giving back the blocks of a large file is not, and happens when the file is closed: on a blocking thread.
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::warn!(path = %self.path.display(), %error, "unfinished file stays until the next start");
            }
            let file = self.file.take();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                drop(runtime.spawn_blocking(move || drop(file)));
            }
        }
        // Last: until then nobody finds it.
        self.hidden.remove(self.id);
    }
}

/// Files that are not yet blobs: their names are there, and nobody is told.
#[derive(Debug, Default)]
pub(super) struct Hidden(Mutex<HashSet<BlobId>>);

impl Hidden {
    fn lock(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.0.lock().expect("no code panics while holding this lock")
    }

    fn add(&self, id: BlobId) {
        self.lock().insert(id);
    }

    fn remove(&self, id: BlobId) {
        self.lock().remove(&id);
    }

    fn holds(&self, id: BlobId) -> bool {
        self.lock().contains(&id)
    }
}

impl Layout {
    /// Makes the directories that are missing, durably.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let prepare = || -> io::Result<File> {
            DirBuilder::new().recursive(true).mode(0o700).create(root)?;
            sync_directory(root)?;
            match root.parent() {
                Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new("."))?,
                Some(parent) => sync_directory(parent)?,
                None => {}
            }
            File::open(root)
        };
        let root_descriptor = prepare().map_err(|error| unavailable("opening the blob directory", root, &error))?;
        Ok(Layout {
            root: root.to_owned(),
            root_descriptor,
            durable: RwLock::default(),
            syncs: SharedSyncs::default(),
            hidden: Arc::default(),
        })
    }

    /// The root, for opening relative to it.
    pub(super) fn root_descriptor(&self) -> &File {
        &self.root_descriptor
    }

    /// Bytes that the file system has left for a process without privileges.
    pub(super) fn available(&self) -> Result<u64> {
        let figures = rustix::fs::fstatvfs(&self.root_descriptor)
            .map_err(|error| unavailable("asking for free space", &self.root, &error.into()))?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }

    /// Where a finished blob is, relative to the root.
    pub(super) fn relative_path(id: BlobId) -> String {
        let (outer, inner) = Slot::of(id).names();
        format!("{outer}/{inner}/{id}")
    }

    /// Where a finished blob is.
    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        self.root.join(Self::relative_path(id))
    }

    fn directory(&self, slot: Slot) -> PathBuf {
        let (outer, inner) = slot.names();
        self.root.join(outer).join(inner)
    }

    /// A new file for a blob, under its name in a directory whose own name is durable. That of the file is not yet.
    pub(super) fn create(&self, id: BlobId) -> Result<Unfinished> {
        let path = self.path(id);
        // First: from the moment on that its name is there it is not to be found.
        self.hidden.add(id);
        let file = self.create_file(Slot::of(id), &path).map_err(|error| {
            self.hidden.remove(id);
            unavailable("creating a blob's file", &path, &error)
        })?;
        let (file, hidden) = (Some(GrowingFile::new(file)), self.hidden.clone());
        Ok(Unfinished { file, id, path, named: None, hidden, finished: false })
    }

    fn create_file(&self, slot: Slot, path: &Path) -> io::Result<File> {
        loop {
            let durable = self.durable.read().expect("no code panics while holding this lock");
            if durable.contains(&slot) {
                return OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            }
            drop(durable);
            self.make_directory(slot)?;
        }
    }

    /// Whether a file of this name is there that is no blob yet.
    pub(super) fn is_hidden(&self, id: BlobId) -> bool {
        self.hidden.holds(id)
    }

    /// Makes the names durable that a blob's directory had before this call.
    pub(super) fn sync_names_beside(&self, id: BlobId) -> io::Result<()> {
        let slot = Slot::of(id);
        self.syncs.sync(slot, &self.directory(slot))
    }

    /// Turns a file into a finished blob: complete, durable and readable, in that order (I1). This is the only way a blob
    /// comes to be. After an error nothing of it is left, or what is left is unnamed and swept.
    pub(super) fn make_durable(&self, mut unfinished: Unfinished) -> Result<()> {
        // Its bytes and its length; times and owner of the file mean nothing here.
        unfinished.file().sync().map_err(|error| unavailable("syncing a blob", unfinished.path(), &error))?;
        // One that was begun when the file was made has mostly ended long ago. What it came to stands: a system tells a
        // failure once, and the next sync would say that all is well.
        let named = match unfinished.named.take().and_then(|named| named.recv().ok()) {
            Some(named) => named,
            None => self.sync_names_beside(unfinished.id),
        };
        named.map_err(|error| unavailable("syncing a blob's directory", unfinished.path(), &error))?;
        unfinished.finished = true;
        Ok(())
    }

    fn make_directory(&self, slot: Slot) -> io::Result<()> {
        let mut durable = self.durable.write().expect("no code panics while holding this lock");
        if durable.contains(&slot) {
            return Ok(());
        }
        let directory = self.directory(slot);
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        // Also when it was there: whoever made it may have been killed before syncing.
        sync_directory(directory.parent().expect("it has an outer directory"))?;
        sync_directory(&self.root)?;
        if durable.len() >= limits::DURABLE_DIRECTORIES_MAX {
            durable.clear();
        }
        durable.insert(slot);
        Ok(())
    }

    /// Whether the files lie in memory (tmpfs), where nothing waits for a disk.
    pub(super) fn is_in_memory(&self) -> bool {
        const TMPFS_MAGIC: u64 = 0x0102_1994;
        rustix::fs::fstatfs(&self.root_descriptor).is_ok_and(|found| found.f_type as u64 == TMPFS_MAGIC)
    }

    /// Removes blobs durably, and directories that this empties unless `current` would go there.
    pub(super) fn delete(&self, mut ids: Vec<BlobId>, current: BlobId) -> Result<()> {
        ids.sort_unstable();
        for group in ids.chunk_by(|a, b| Slot::of(*a) == Slot::of(*b)) {
            for id in group {
                let path = self.path(*id);
                absent_is_fine(fs::remove_file(&path))
                    .map_err(|error| unavailable("deleting a blob", &path, &error))?;
            }
            let slot = Slot::of(group[0]);
            let directory = self.directory(slot);
            // Also when nothing was there: an earlier deletion may have failed at just this step.
            absent_is_fine(sync_directory(&directory))
                .map_err(|error| unavailable("syncing after deleting", &directory, &error))?;
            if slot != Slot::of(current) {
                self.remove_if_empty(slot);
            }
        }
        Ok(())
    }

    /// Removes a directory and its parent while they are empty. Failing is no harm: the next deletion tries again.
    fn remove_if_empty(&self, slot: Slot) {
        let mut durable = self.durable.write().expect("no code panics while holding this lock");
        let directory = self.directory(slot);
        // `rmdir` itself refuses a directory that is not empty.
        if fs::remove_dir(&directory).is_ok() {
            durable.remove(&slot);
            let _ = fs::remove_dir(directory.parent().expect("it has an outer directory"));
        }
    }

    /// Finished blobs after `after`, in order, at most `limit`. Holds one directory's page at a time.
    pub(super) fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        let mut page = Vec::new();
        let from = after.map(|id| Slot::of(id).0);
        let outer_from = from.map(|slot| slot >> (4 * INNER_DIGITS));
        for outer in self.numbered_directories(&self.root, OUTER_DIGITS, outer_from)? {
            let path = self.root.join(format!("{outer:0OUTER_DIGITS$x}"));
            let inner_from =
                from.filter(|_| outer_from == Some(outer)).map(|slot| slot & ((1 << (4 * INNER_DIGITS)) - 1));
            for inner in self.numbered_directories(&path, INNER_DIGITS, inner_from)? {
                let slot = Slot((outer << (4 * INNER_DIGITS)) | inner);
                self.list_slot(slot, after, limit, &mut page)?;
                if page.len() >= limit {
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// Names of so many hex digits, in order, from `from` on. A directory that is gone has none.
    fn numbered_directories(&self, path: &Path, digits: usize, from: Option<u32>) -> Result<Vec<u32>> {
        let number = |name: &str| {
            let number = u32::from_str_radix(name, 16).ok()?;
            (format!("{number:0digits$x}") == name && Some(number) >= from).then_some(number)
        };
        let mut numbers: Vec<u32> = names(path)?.filter_map(|name| number(&name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Adds one directory's blobs after `after` to `page`, up to `limit` in all.
    fn list_slot(&self, slot: Slot, mut after: Option<BlobId>, limit: usize, page: &mut Vec<BlobEntry>) -> Result<()> {
        loop {
            let room = limit - page.len();
            if room == 0 {
                return Ok(());
            }
            // The smallest ids that fit: a directory may hold far more than a page.
            let mut smallest = BTreeSet::new();
            for name in names(&self.directory(slot))? {
                let id = BlobId::parse(&name).filter(|id| Slot::of(*id) == slot && id.to_string() == name);
                smallest.extend(id.filter(|id| Some(*id) > after && !self.is_hidden(*id)));
                if smallest.len() > room {
                    smallest.pop_last();
                }
            }
            let full = smallest.len() == room;
            after = smallest.last().copied().or(after);
            for id in smallest {
                let path = self.path(id);
                match fs::symlink_metadata(&path) {
                    Ok(metadata) => page.push(BlobEntry { id, length: metadata.len() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {} // deleted since
                    Err(error) => return Err(unavailable("listing a blob", &path, &error)),
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Empties the directory in which earlier versions let files grow.
    pub(super) fn remove_temporaries(&self) -> Result<u64> {
        let temporary = self.root.join("tmp");
        let mut removed = 0;
        for name in names(&temporary)? {
            let path = temporary.join(name);
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                // It takes room but does no harm: no reason not to start.
                Err(error) => tracing::warn!(path = %path.display(), %error, "temporary file cannot be removed"),
            }
        }
        Ok(removed)
    }
}

/// The names in a directory; none when it is gone. Names that are not UTF-8 are not ours.
fn names(path: &Path) -> Result<impl Iterator<Item = String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unavailable("listing a directory", path, &error)),
    };
    let mut found = Vec::new();
    for entry in entries.into_iter().flatten() {
        let entry = entry.map_err(|error| unavailable("listing a directory", path, &error))?;
        found.extend(entry.file_name().into_string().ok());
    }
    Ok(found.into_iter())
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
