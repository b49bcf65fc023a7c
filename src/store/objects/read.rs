//! A body on its way out, piece by piece.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::ObjectService;
use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::store::checksum::Hasher;
use crate::store::digest::Crc64;
use crate::store::{
    BlobReader, BlobStore, BucketId, Checksum, ChecksumAlgorithm, Extent, Fault, ObjectKey, ObjectRecord, Result,
    StoreError, What,
};

/// Reads a range of an object's body. An object that is replaced or deleted meanwhile still reads as it was: its blobs
/// wait as garbage for longer than any read may last (I3).
#[derive(Debug)]
pub struct ObjectBody {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    deadline: Monotonic,
    /// What is left, cut to the range.
    extents: VecDeque<Extent>,
    reader: Option<Box<dyn BlobReader>>,
    /// Where all of it is read.
    whole: Option<Box<Whole>>,
}

/// A body that is read from its first byte to its last, and so can be compared with the checksum that its object has.
#[derive(Debug)]
struct Whole {
    bucket: BucketId,
    key: ObjectKey,
    recorded: u64,
    crc64: Crc64,
    left: u64,
    /// Where its bytes are: `blobs`, or `metadata` when the row holds them all.
    store: &'static str,
}

impl Whole {
    fn of(object: &ObjectRecord, range: &Range<u64>) -> Option<Box<Self>> {
        if object.size == 0 || range.start > 0 || range.end < object.size {
            return None;
        }
        let is_inline = object.extents.iter().all(|extent| matches!(extent, Extent::Inline(_)));
        Some(Box::new(Whole {
            bucket: object.bucket,
            key: object.key.clone(),
            recorded: object.crc64,
            crc64: Crc64::new(),
            left: object.size,
            store: if is_inline { "metadata" } else { "blobs" },
        }))
    }

    /// Judges with the last piece: a reader never has all bytes of a body that is damaged.
    fn take(&mut self, piece: &[u8]) -> Result<()> {
        self.crc64.update(piece);
        self.left = self.left.saturating_sub(piece.len() as u64);
        if self.left > 0 {
            return Ok(());
        }
        let computed = self.crc64.value();
        if computed == self.recorded {
            return Ok(());
        }
        let Whole { bucket, key, recorded, store, .. } = self;
        tracing::error!(bucket = bucket.0, %key, recorded, computed, "an object's bytes are not what was stored");
        Fault::Corrupt.count(store);
        Err(StoreError::Corrupt(format!("the bytes of {key} do not have their CRC-64")))
    }
}

impl ObjectBody {
    pub(super) fn new(
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        object: &ObjectRecord,
        range: Range<u64>,
    ) -> Self {
        let deadline = clock.monotonic() + limits::OBJECT_READ_MAX;
        let whole = Whole::of(object, &range);
        ObjectBody { blobs, clock, deadline, extents: object.extents_of(&range).into(), reader: None, whole }
    }

    /// The next piece, never empty; `None` at the end of the range. `Unavailable` once the read has taken too long,
    /// `Corrupt` when the bytes are not what the object promises: in place of the last piece, when the whole body is read and
    /// has not the object's checksum.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.read().await?;
        if let (Some(piece), Some(whole)) = (&piece, &mut self.whole) {
            whole.take(piece)?;
        }
        Ok(piece)
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        if self.clock.monotonic() >= self.deadline {
            return Err(StoreError::Unavailable("the read took too long".into()));
        }
        loop {
            if let Some(reader) = &mut self.reader {
                if let Some(piece) = reader.next().await? {
                    return Ok(Some(piece));
                }
                self.reader = None;
            }
            match self.extents.pop_front() {
                None => return Ok(None),
                Some(Extent::Inline(bytes)) => return Ok(Some(bytes)),
                Some(Extent::Blob { id, offset, length }) => {
                    let opened = self.blobs.open(id, offset..offset + length).await;
                    self.reader = Some(opened.map_err(|error| match error {
                        StoreError::NotFound(What::Blob) => {
                            tracing::error!(blob = %id, "an object names a blob that is missing");
                            Fault::Corrupt.count("blobs");
                            StoreError::Corrupt(format!("blob {id} is missing"))
                        }
                        other => other,
                    })?);
                }
            }
        }
    }
}

impl ObjectService {
    /// A checksum of the whole body, read from its bytes. `NotFound(Object)` when they have been collected.
    pub async fn checksum(&self, object: &ObjectRecord, algorithm: ChecksumAlgorithm) -> Result<Checksum> {
        let mut hasher = Hasher::new(algorithm);
        let mut body = self.read(object, 0..object.size);
        while let Some(piece) = body.next().await.map_err(|error| match error {
            StoreError::NotFound(What::Blob) => StoreError::NotFound(What::Object),
            other => other,
        })? {
            hasher.update(&piece);
            // Hashing a piece is all that a task may do in one go.
            tokio::task::yield_now().await;
        }
        Ok(hasher.finish())
    }
}

impl ObjectRecord {
    /// The extents of a range of the body, none empty; what lies past its end is left out.
    pub fn extents_of(&self, range: &Range<u64>) -> Vec<Extent> {
        cut(&self.extents, range)
    }
}

/// The parts of `extents` that lie in `range`, none empty.
fn cut(extents: &[Extent], range: &Range<u64>) -> Vec<Extent> {
    let mut parts = Vec::new();
    let mut at = 0u64;
    for extent in extents {
        let end = at.saturating_add(extent.length());
        let (from, to) = (range.start.max(at), range.end.min(end));
        if from < to {
            let (skip, length) = (from - at, to - from);
            parts.push(match extent {
                Extent::Inline(bytes) => {
                    let index = |n: u64| usize::try_from(n).expect("inside bytes in memory");
                    Extent::Inline(bytes.slice(index(skip)..index(skip + length)))
                }
                Extent::Blob { id, offset, .. } => Extent::Blob { id: *id, offset: offset + skip, length },
            });
        }
        at = end;
    }
    parts
}
