//! Writes one blob: gathers small appends, makes the file with the first write, finishes in one step.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Inner;
use super::layout::Temporary;
use super::pool::unavailable;
use crate::limits::BLOB_GATHER_BYTES;
use crate::store::{BlobId, BlobWriter, Result, StoreError};

#[derive(Debug)]
pub(super) struct FsWriter {
    inner: Arc<Inner>,
    id: BlobId,
    file: FileState,
    gathered: Vec<u8>,
    length: u64,
}

#[derive(Debug)]
enum FileState {
    /// Nothing was written yet.
    None,
    Open(Temporary),
    /// A write failed or its caller went away in the middle: what the file holds is unknown.
    Lost,
}

impl FsWriter {
    pub(super) fn new(inner: Arc<Inner>, id: BlobId) -> Self {
        FsWriter { inner, id, file: FileState::None, gathered: Vec::new(), length: 0 }
    }

    /// Writes what was gathered, then `bytes`.
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let file = std::mem::replace(&mut self.file, FileState::Lost);
        let mut gathered = std::mem::take(&mut self.gathered);
        let (inner, id) = (self.inner.clone(), self.id);
        let work = move || -> Result<(Temporary, Vec<u8>)> {
            let temporary = write_all(&inner, id, file, &[&gathered, &bytes])?;
            gathered.clear();
            Ok((temporary, gathered))
        };
        let (temporary, gathered) = self.inner.writes.run(work).await??;
        (self.file, self.gathered) = (FileState::Open(temporary), gathered);
        Ok(())
    }
}

/// Writes `parts` at the end of the file, which is made first where there is none.
fn write_all(inner: &Inner, id: BlobId, file: FileState, parts: &[&[u8]]) -> Result<Temporary> {
    let mut temporary = match file {
        FileState::None => inner.layout.create_temporary(id)?,
        FileState::Open(temporary) => temporary,
        FileState::Lost => return Err(StoreError::Unavailable("an earlier write of this blob failed".into())),
    };
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let written = temporary.file().write_all(part);
        written.map_err(|error| unavailable("writing a blob", temporary.path(), &error))?;
    }
    Ok(temporary)
}

#[async_trait]
impl BlobWriter for FsWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        if self.gathered.len() + bytes.len() < BLOB_GATHER_BYTES {
            self.gathered.extend_from_slice(&bytes);
        } else {
            self.write(bytes).await?;
        }
        self.length += length;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let FsWriter { inner, id, file, gathered, length } = *self;
        let owner = inner.clone();
        let work = move || -> Result<u64> {
            let temporary = write_all(&inner, id, file, &[&gathered])?;
            inner.layout.make_durable(temporary, id)?;
            Ok(length)
        };
        owner.writes.run(work).await?
    }
}
