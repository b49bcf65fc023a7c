//! Blobs in files of one directory.
//!
//! ```text
//! blobs/{5 hex}/{3 hex}/{id}  a blob, or a file on its way to be one; the directories are the first 8 of the id's 32 digits
//! blobs/tmp/                  where earlier versions let files grow; emptied at a start
//! ```
//!
//! Ids begin with the time in milliseconds (12 digits), so a directory holds the blobs of 65.5 seconds and its parent the
//! 4 096 directories of three days: neither grows with the store, and a listing in order of id walks them in order.
//!
//! A file has its name from its beginning, so that the name is made durable while bytes still come and the end waits for
//! those alone. Until it is finished only its writer knows of it: it is not read and not listed. A process that is killed
//! leaves it, torn or not, as a blob that nobody names.
//!
//! I1: a file becomes a blob by one function, `layout::make_durable`: file synced, directory
//! synced, and that directory's own name synced before. Linux only: reads that would not wait are taken on the spot
//! (`RWF_NOWAIT`, `RESOLVE_CACHED`), everything else goes to a bounded pool and never holds up the reactor.

mod behind;
mod growing;
mod layout;
mod open_files;
mod pieces;
mod pool;
mod reader;
mod syncs;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::ids::IdSource;
use crate::clock::Clock;
use crate::limits;
use crate::store::{BlobEntry, BlobId, BlobReader, BlobStore, BlobWriter, Result};
use behind::Backlog;
use layout::Layout;
use open_files::OpenFiles;
use pieces::Pieces;
use pool::FilePool;

/// Blobs in files. Clones share the directory.
#[derive(Clone, Debug)]
pub struct FsBlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    ids: IdSource,
    layout: Layout,
    reads: FilePool,
    writes: FilePool,
    backlog: Backlog,
    open_files: OpenFiles,
    pieces: Pieces,
    /// The files lie in memory, so that no read of them waits.
    in_memory: bool,
}

impl FsBlobStore {
    /// Opens the store in `directory`, which is made when it is not there. One process at a time may hold it; whoever
    /// opens the data directory sees to that. Blocks: call it before serving.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let layout = Layout::open(directory)?;
        let inner = Inner {
            ids: IdSource::new(clock.clone()),
            clock,
            open_files: OpenFiles::new(open_files_max()),
            pieces: Pieces::default(),
            in_memory: layout.is_in_memory(),
            layout,
            reads: FilePool::new(limits::FILE_READS_MAX),
            writes: FilePool::new(limits::FILE_WRITES_MAX),
            backlog: Backlog::default(),
        };
        Ok(FsBlobStore { inner: Arc::new(inner) })
    }
}

/// Files that may stay open: a share of the descriptors that this process may have, most of which are for sockets.
fn open_files_max() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let share = descriptors.map_or(usize::MAX, |descriptors| usize::try_from(descriptors / 8).unwrap_or(usize::MAX));
    share.min(limits::OPEN_FILES_MAX)
}

#[async_trait]
impl BlobStore for FsBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let id = self.inner.ids.fresh()?;
        Ok(Box::new(writer::FsWriter::new(self.inner.clone(), id)))
    }

    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        let id = self.inner.ids.fresh_marked()?;
        Ok(Box::new(writer::FsWriter::new(self.inner.clone(), id)))
    }

    async fn available(&self) -> Result<Option<u64>> {
        let inner = self.inner.clone();
        self.inner.reads.run(move || inner.layout.available().map(Some)).await?
    }

    async fn length(&self, id: BlobId) -> Result<u64> {
        let file = reader::open_file(&self.inner, id).await?;
        reader::length_of(&self.inner, id, &file)
    }

    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(reader::FsReader::open(self.inner.clone(), id, range).await?))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<()> {
        let (inner, ids) = (self.inner.clone(), ids.to_vec());
        let current = BlobId::new(inner.clock.wall(), [0; 10]);
        let deleted = move || {
            let deleted = inner.layout.delete(ids.clone(), current);
            // Also after a failure: some of the names may be gone.
            inner.open_files.deleted(&ids);
            deleted
        };
        self.inner.writes.run(deleted).await?
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        let inner = self.inner.clone();
        self.inner.reads.run(move || inner.layout.list(after, limit)).await?
    }

    async fn remove_temporaries(&self) -> Result<u64> {
        let inner = self.inner.clone();
        self.inner.writes.run(move || inner.layout.remove_temporaries()).await?
    }
}
