//! Blobs encrypted at rest, around any other blob store.
//!
//! ```text
//! header   magic and version 16 │ master key id 8 │ nonce 12 │ wrapped data key 32 │ tag 16 │ CRC-64 8
//! segment  ciphertext 65 536 │ tag 16        as many as it takes; the last one is shorter, or as long
//! ```
//!
//! AES-256-GCM throughout. Each blob has a random data key; the header holds it, wrapped by a key that follows from the
//! master key and the blob's id. A segment's nonce is its number and whether it is the last one, and the blob's id is
//! authenticated beside it. So every flipped bit is found, and a segment that was swapped, repeated, left out or brought
//! from elsewhere, a blob under another's name, and an end that was cut off. What is found is `Corrupt`, and none of the
//! segment's bytes leave. A segment is checked when it is read: a range decrypts only the segments that it touches.
//!
//! Whether a blob is sealed stands in its id ([`BlobId::is_sealed`]), not in its first bytes. Metadata names blobs by id,
//! so it too knows which are sealed: a plain blob may begin with a header's magic and is read as it is, a sealed one that
//! lost its header, or was replaced by a plain one, is `Corrupt`. Blobs that were written before a key was configured are
//! plain and stay readable.
//!
//! Offsets and lengths are those of what was written; they follow from the stored length alone, so a listing and the
//! lengths in it need neither key nor header. A blob whose master key is not configured is `Unavailable`, and the error
//! names the key. The CRC tells that from a header that is damaged.
//!
//! Encryption runs inline: 65 536 bytes take 18 µs (3.5 GB/s with AES and carry-less multiplication in hardware), a
//! header 2 µs, less than a hop to another thread and back.

mod format;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::store::seal::MasterKeys;
use crate::store::{BlobEntry, BlobId, BlobReader, BlobStore, BlobWriter, Result};

/// Seals new blobs when there is a master key, opens sealed ones, and hands plain ones through.
#[derive(Clone, Debug)]
pub struct SealedBlobStore {
    inner: Arc<dyn BlobStore>,
    keys: MasterKeys,
}

impl SealedBlobStore {
    /// Around `inner`. Without keys it seals nothing, and says of a sealed blob which key it needs.
    pub fn new(inner: Arc<dyn BlobStore>, keys: MasterKeys) -> Self {
        SealedBlobStore { inner, keys }
    }
}

#[async_trait]
impl BlobStore for SealedBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let Some(key) = self.keys.sealing() else { return self.inner.create().await };
        let inner = self.inner.create_marked().await?;
        Ok(Box::new(writer::SealedWriter::new(inner, key)?))
    }

    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        self.inner.create_marked().await
    }

    fn seals(&self) -> bool {
        !self.keys.is_empty()
    }

    async fn available(&self) -> Result<Option<u64>> {
        self.inner.available().await
    }

    async fn length(&self, id: BlobId) -> Result<u64> {
        let stored = self.inner.length(id).await?;
        Ok(if id.is_sealed() { format::Shape::of(stored).length } else { stored })
    }

    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>> {
        if !id.is_sealed() {
            return self.inner.open(id, range).await;
        }
        Ok(Box::new(reader::SealedReader::open(&*self.inner, &self.keys, id, range).await?))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<()> {
        self.inner.delete(ids).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        let mut page = self.inner.list(after, limit).await?;
        for entry in page.iter_mut().filter(|entry| entry.id.is_sealed()) {
            entry.length = format::Shape::of(entry.length).length;
        }
        Ok(page)
    }

    async fn remove_temporaries(&self) -> Result<u64> {
        self.inner.remove_temporaries().await
    }
}
