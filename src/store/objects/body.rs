//! A body on its way in: hashed as it goes, inline while it is small, else a blob that grows.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::hashing::{Hashers, Hashing};
use super::in_flight::{InFlight, InFlightBlob};
use super::quota::Room;
use crate::limits;
use crate::store::{BlobStore, BlobWriter, ETag, Extent, Result, StoreError};

/// What is computed over a body besides its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digests {
    /// MD5 (the entity tag) and CRC-64.
    Md5AndCrc64,
    /// CRC-64 only, for bodies that no client sent whole: fragments. MD5 of a live stream would cost more than taking it
    /// in; the entity tag takes the multipart form, which promises no MD5.
    Crc64,
}

/// Takes a body of any length in a bounded amount of memory. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct BodyWriter {
    blobs: Arc<dyn BlobStore>,
    in_flight: InFlight,
    target: Target,
    hashing: Hashing,
    written: u64,
    bytes_max: u64,
    room: Room,
}

#[derive(Debug)]
enum Target {
    Inline(BytesMut),
    Blob(Box<dyn BlobWriter>, InFlightBlob),
    /// A write failed, or its caller went away in the middle: digests and bytes may differ.
    Lost,
}

/// A body that is stored and durable, and belongs to no object yet. [`super::ObjectService::put`] takes it; who commits
/// its extents by another way says so with [`StoredBody::committed`]. Dropped without either, its blob is left to the
/// collector, which spares it if metadata has come to name it.
#[derive(Debug)]
pub struct StoredBody {
    /// The body, in order; empty for an empty one.
    pub extents: Vec<Extent>,
    /// Bytes.
    pub size: u64,
    /// MD5, where it was computed.
    pub md5: Option<[u8; 16]>,
    /// CRC-64/XZ.
    pub crc64: u64,
    /// The MD5, or else the multipart form of one part.
    pub etag: ETag,
    blob: Option<InFlightBlob>,
}

impl StoredBody {
    /// A commit that names the extents has been acknowledged.
    pub fn committed(self) {
        if let Some(blob) = self.blob {
            blob.resolve();
        }
    }

    pub(super) fn into_blob(self) -> Option<InFlightBlob> {
        self.blob
    }
}

impl BodyWriter {
    pub(super) fn new(
        blobs: Arc<dyn BlobStore>,
        in_flight: InFlight,
        bytes_max: u64,
        room: Room,
        hashers: Hashers,
        digests: Digests,
    ) -> Self {
        let hashing = Hashing::new(hashers, digests == Digests::Md5AndCrc64);
        let target = Target::Inline(BytesMut::new());
        BodyWriter { blobs, in_flight, target, hashing, written: 0, bytes_max, room }
    }

    /// Bytes taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that are held in memory here.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        match &self.target {
            Target::Inline(buffer) => buffer.capacity(),
            Target::Blob(..) | Target::Lost => 0,
        }
    }

    /// Goes on as if so many bytes had been taken: a test has no time for five gigabytes.
    #[cfg(test)]
    pub(super) fn pretend_written(&mut self, written: u64) {
        self.written = written;
    }

    /// Adds bytes at the end. `TooLarge` past the largest object, `Full` when too little space would be left; after any error the writer takes nothing more.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        if self.written.saturating_add(bytes.len() as u64) > self.bytes_max {
            self.target = Target::Lost;
            return Err(StoreError::TooLarge);
        }
        while bytes.len() > limits::BODY_PIECE_BYTES {
            self.write_piece(bytes.split_to(limits::BODY_PIECE_BYTES)).await?;
            // A piece is all that a task may do in one go.
            tokio::task::yield_now().await;
        }
        self.write_piece(bytes).await
    }

    async fn write_piece(&mut self, piece: Bytes) -> Result<()> {
        // While this waits the target is lost: so it stays when it fails or is dropped.
        let target = std::mem::replace(&mut self.target, Target::Lost);
        let length = piece.len() as u64;
        self.room.take(length).await?;
        self.hashing.update(&piece).await?;
        self.target = match target {
            Target::Inline(mut buffer) if buffer.len() + piece.len() <= limits::INLINE_BYTES_MAX => {
                buffer.extend_from_slice(&piece);
                Target::Inline(buffer)
            }
            Target::Inline(buffer) => self.begin_blob(buffer.freeze(), piece).await?,
            Target::Blob(mut writer, blob) => {
                writer.append(piece).await?;
                Target::Blob(writer, blob)
            }
            Target::Lost => return Err(lost()),
        };
        self.written += length;
        Ok(())
    }

    async fn begin_blob(&mut self, begun: Bytes, piece: Bytes) -> Result<Target> {
        let mut writer = self.blobs.create().await?;
        let blob = self.in_flight.begin(writer.id());
        if !begun.is_empty() {
            writer.append(begun).await?;
        }
        writer.append(piece).await?;
        Ok(Target::Blob(writer, blob))
    }

    /// Makes the body durable, as far as it is not the commit itself that does (inline bodies).
    pub async fn finish(self) -> Result<StoredBody> {
        if self.written == 0 {
            // An empty body has a row, too.
            self.room.check(0).await?;
        }
        let BodyWriter { target, mut hashing, written: size, .. } = self;
        hashing.hurry().await?;
        let (extents, blob) = match target {
            Target::Inline(buffer) if buffer.is_empty() => (Vec::new(), None),
            Target::Inline(buffer) => (vec![Extent::Inline(buffer.freeze())], None),
            Target::Blob(writer, mut blob) => {
                blob.finishing();
                let length = writer.finish().await?;
                if length != size {
                    let what = format!("blob {} has {length} bytes, {size} were written", blob.id());
                    tracing::error!("{what}");
                    return Err(StoreError::Corrupt(what));
                }
                (vec![Extent::Blob { id: blob.id(), offset: 0, length }], Some(blob))
            }
            Target::Lost => return Err(lost()),
        };
        let (md5, crc64) = hashing.finish().await?;
        let etag = match md5 {
            Some(digest) => ETag { digest, parts: None },
            None => etag_without_md5(crc64, size),
        };
        Ok(StoredBody { extents, size, md5, crc64, etag, blob })
    }
}

/// An entity tag of what is known without MD5: the checksum and the length.
fn etag_without_md5(crc64: u64, size: u64) -> ETag {
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&crc64.to_be_bytes());
    digest[8..].copy_from_slice(&size.to_be_bytes());
    ETag { digest, parts: Some(1) }
}

fn lost() -> StoreError {
    StoreError::Unavailable("an earlier write of this body failed".into())
}
