//! Seals a blob as it grows: segment after segment, none twice.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::format::{BlobCipher, SEGMENT_BYTES, Shape, damaged};
use crate::limits::BODY_PIECE_BYTES;
use crate::store::seal::{MasterKey, TAG_BYTES};
use crate::store::{BlobId, BlobWriter, Result, StoreError};

#[derive(Debug)]
pub(super) struct SealedWriter {
    inner: Box<dyn BlobWriter>,
    cipher: BlobCipher,
    /// What is to be written on: sealed bytes up to `open`, then the segment that is still filled.
    out: BytesMut,
    open: usize,
    /// Number of that segment.
    segment: u64,
    length: u64,
    /// A write failed or its caller went away in the middle. To go on would leave a gap that only a reader finds.
    lost: bool,
}

impl SealedWriter {
    pub(super) fn new(inner: Box<dyn BlobWriter>, master: &MasterKey) -> Result<Self> {
        let (cipher, header) = BlobCipher::fresh(inner.id(), master)?;
        let mut out = BytesMut::with_capacity(header.len() + SEGMENT_BYTES + TAG_BYTES);
        out.extend_from_slice(&header);
        let open = out.len();
        Ok(SealedWriter { inner, cipher, out, open, segment: 0, length: 0, lost: false })
    }

    /// Bytes held in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.out.capacity()
    }

    /// Seals the segment that is being filled.
    fn seal(&mut self, is_last: bool) {
        let tag = self.cipher.seal(self.segment, is_last, &mut self.out[self.open..]);
        self.out.extend_from_slice(&tag);
        self.open = self.out.len();
        self.segment += 1;
    }

    /// Writes on what is sealed.
    async fn pass_on(&mut self) -> Result<()> {
        let sealed = self.out.split_to(self.open).freeze();
        self.open = 0;
        self.lost = true;
        self.inner.append(sealed).await?;
        self.lost = false;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.lost {
            return Err(StoreError::Unavailable("an earlier write of this blob failed".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for SealedWriter {
    fn id(&self) -> BlobId {
        self.inner.id()
    }

    async fn append(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check()?;
        while !bytes.is_empty() {
            let mut room = SEGMENT_BYTES - (self.out.len() - self.open);
            if room == 0 {
                // There is more, so it is not the last one.
                self.seal(false);
                if self.open >= BODY_PIECE_BYTES {
                    self.pass_on().await?;
                }
                self.out.reserve(SEGMENT_BYTES + TAG_BYTES);
                room = SEGMENT_BYTES;
            }
            let taken = bytes.split_to(room.min(bytes.len()));
            self.out.extend_from_slice(&taken);
            self.length += taken.len() as u64;
        }
        if self.open >= SEGMENT_BYTES { self.pass_on().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<u64> {
        self.check()?;
        self.seal(true);
        self.pass_on().await?;
        let SealedWriter { inner, length, .. } = *self;
        let (id, expected) = (inner.id(), Shape::stored(length));
        let stored = inner.finish().await?;
        if stored != expected {
            return Err(damaged(id, format_args!("{stored} bytes were stored, {expected} were written")));
        }
        Ok(length)
    }
}
