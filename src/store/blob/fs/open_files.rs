//! Files of finished blobs that stay open for those who read them next: a fragment is asked for by every player.
//!
//! A deleted blob's file is closed before the deletion returns:
//! a reader that opened it before does not bring it back, because deletions are counted.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::BlobId;
use crate::store::shelf::Shelf;

/// Open files by the blobs that they hold.
#[derive(Debug)]
pub(super) struct OpenFiles(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    files: Shelf<BlobId, Arc<File>>,
    deletions: u64,
}

/// How many deletions there had been when a file was looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(u64);

impl OpenFiles {
    /// Keeps at most so many open.
    pub(super) fn new(files_max: usize) -> Self {
        OpenFiles(Mutex::new(Inner { files: Shelf::new(files_max, usize::MAX), deletions: 0 }))
    }

    /// A file that is open; else what [`keep`](Self::keep) wants to know of one that is opened now.
    pub(super) fn find(&self, id: BlobId) -> Result<Arc<File>, Since> {
        let mut inner = self.lock();
        let since = Since(inner.deletions);
        inner.files.get(&id).cloned().ok_or(since)
    }

    /// Keeps a file that was opened since, unless anything was deleted meanwhile.
    pub(super) fn keep(&self, id: BlobId, file: &Arc<File>, since: Since) {
        let mut inner = self.lock();
        if inner.deletions == since.0 {
            inner.files.put(id, file.clone(), 1);
        }
    }

    /// Lets the files of blobs go whose names are gone.
    pub(super) fn deleted(&self, ids: &[BlobId]) {
        let mut inner = self.lock();
        inner.deletions += 1;
        ids.iter().for_each(|id| inner.files.remove(id));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
