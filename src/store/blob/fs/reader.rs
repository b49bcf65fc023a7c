//! Reads a range of one blob: what the page cache holds on the spot, the rest on the pool. Files and buffers are those of
//! whoever read before.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;

use super::Inner;
use super::layout::Layout;
use super::pool::unavailable;
use crate::store::{BlobId, BlobReader, Fault, Result, StoreError, What};

#[derive(Debug)]
pub(super) struct FsReader {
    inner: Arc<Inner>,
    id: BlobId,
    file: Arc<File>,
    range: Range<u64>,
    /// The file system cannot say that it would wait: not worth a system call a piece.
    always_waits: bool,
}

impl FsReader {
    pub(super) async fn open(inner: Arc<Inner>, id: BlobId, range: Range<u64>) -> Result<Self> {
        let file = match inner.open_files.find(id) {
            Ok(open) => open,
            Err(since) => {
                let file = Arc::new(open_file(&inner, id).await?);
                inner.open_files.keep(id, &file, since);
                file
            }
        };
        // Asked each time: a file that was cut short is told before anything of it is sent.
        let length = length_of(&inner, id, &file)?;
        if range.end > length {
            return Err(short(id, length, range.end));
        }
        Ok(FsReader { inner, id, file, range, always_waits: false })
    }

    /// As much as the page cache holds, from the front.
    fn fill_cached(&mut self, buffer: &mut [u8]) -> usize {
        if self.always_waits {
            return 0;
        }
        let read = if self.inner.in_memory {
            // What lies in memory is there at once, but tmpfs does not know the flag.
            self.file.read_at(buffer, self.range.start)
        } else {
            let mut slices = [IoSliceMut::new(buffer)];
            let flags = ReadWriteFlags::NOWAIT;
            rustix::io::preadv2(&*self.file, &mut slices, self.range.start, flags).map_err(io::Error::from)
        };
        match read {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            // Whatever else it is, the waiting read meets it again and says so.
            Err(_) => {
                self.always_waits = true;
                0
            }
        }
    }
}

#[async_trait]
impl BlobReader for FsReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let left = self.range.end.saturating_sub(self.range.start);
        if left == 0 {
            return Ok(None);
        }
        let mut piece = self.inner.pieces.take(left);
        let wanted = piece.bytes().len();
        let filled = self.fill_cached(piece.bytes());
        if filled < wanted {
            let (file, at) = (self.file.clone(), self.range.start + filled as u64);
            let work = move || file.read_exact_at(&mut piece.bytes()[filled..], at).map(|()| piece);
            piece = self.inner.reads.run(work).await?.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => short(self.id, at, self.range.end),
                _ => unavailable("reading a blob", &self.inner.layout.path(self.id), &error),
            })?;
        }
        self.range.start += wanted as u64;
        Ok(Some(piece.freeze()))
    }
}

/// A blob's file, opened anew.
pub(super) async fn open_file(inner: &Arc<Inner>, id: BlobId) -> Result<File> {
    let file = match open_cached(&inner.layout, id) {
        Some(file) => file,
        None => {
            let on_pool = inner.clone();
            inner.reads.run(move || open_waiting(&on_pool.layout, id)).await??
        }
    };
    // Behind the opening: one that is made meanwhile is growing before it is there.
    if inner.layout.is_hidden(id) { Err(StoreError::NotFound(What::Blob)) } else { Ok(file) }
}

/// Bytes of an open file.
pub(super) fn length_of(inner: &Inner, id: BlobId, file: &File) -> Result<u64> {
    let metadata = file.metadata().map_err(|error| unavailable("opening a blob", &inner.layout.path(id), &error))?;
    Ok(metadata.len())
}

fn short(id: BlobId, length: u64, wanted: u64) -> StoreError {
    tracing::error!(%id, length, wanted, "blob is too short");
    Fault::Corrupt.count("blobs");
    StoreError::Corrupt(format!("blob {id} has {length} bytes, {wanted} were asked for"))
}

/// Opens without waiting for the disk, if every directory on the way is in memory (Linux 5.12 and later).
fn open_cached(layout: &Layout, id: BlobId) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let path = Layout::relative_path(id);
    let opened =
        rustix::fs::openat2(layout.root_descriptor(), path.as_str(), flags, Mode::empty(), ResolveFlags::CACHED);
    opened.ok().map(File::from)
}

fn open_waiting(layout: &Layout, id: BlobId) -> Result<File> {
    let path = layout.path(id);
    File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound(What::Blob),
        _ => unavailable("opening a blob", &path, &error),
    })
}
