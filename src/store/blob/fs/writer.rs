//! Writes one blob: gathers small appends, makes the file with the first write, finishes in one step.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Inner;
use super::behind::{Growing, write_all};
use crate::limits::BLOB_GATHER_BYTES;
use crate::store::{BlobId, BlobWriter, Result};

/// The kernel keeps a file in pages: it looks up twice what is written in two parts.
const PAGE_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct FsWriter {
    inner: Arc<Inner>,
    id: BlobId,
    pub(super) file: Arc<Growing>,
    gathered: Vec<u8>,
    length: u64,
}

impl FsWriter {
    pub(super) fn new(inner: Arc<Inner>, id: BlobId) -> Self {
        FsWriter { inner, id, file: Growing::new(id), gathered: Vec::new(), length: 0 }
    }
}

impl Drop for FsWriter {
    fn drop(&mut self) {
        self.file.abandon();
    }
}

#[async_trait]
impl BlobWriter for FsWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, mut bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        let total = self.gathered.len() + bytes.len();
        if total < BLOB_GATHER_BYTES {
            self.gathered.extend_from_slice(&bytes);
        } else {
            self.file.room().await?;
            let whole_pages = bytes.len().saturating_sub(total % PAGE_BYTES);
            let rest = bytes.split_off(whole_pages).to_vec();
            let gathered = Bytes::from(std::mem::replace(&mut self.gathered, rest));
            self.file.leave(&self.inner, [gathered, bytes].into_iter().filter(|piece| !piece.is_empty()));
        }
        self.length += length;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<u64> {
        let (file, mut pieces) = self.file.take().await?;
        pieces.push(Bytes::from(std::mem::take(&mut self.gathered)));
        let (inner, id, length) = (self.inner.clone(), self.id, self.length);
        let work = move || -> Result<u64> {
            let file = write_all(&inner, id, file, &pieces)?;
            inner.layout.make_durable(file)?;
            Ok(length)
        };
        self.inner.writes.run(work).await?
    }
}
