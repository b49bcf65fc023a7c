//! Opens a range of a sealed blob: reads and decrypts the segments that it touches.

use std::ops::Range;

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};

use super::format::{BlobCipher, HEADER_BYTES, SEGMENT_BYTES, Shape, damaged};
use crate::store::seal::{MasterKeys, TAG_BYTES};
use crate::store::{BlobId, BlobReader, BlobStore, Result, StoreError};

#[derive(Debug)]
pub(super) struct SealedReader {
    stored: Stored,
    cipher: BlobCipher,
    shape: Shape,
    /// The segment that comes next.
    segment: u64,
    /// Its bytes before the range.
    skip: usize,
    /// Bytes of the range still to be handed out.
    left: u64,
}

/// Stored bytes on their way: at most a piece and a segment.
#[derive(Debug)]
struct Stored {
    id: BlobId,
    inner: Box<dyn BlobReader>,
    read: BytesMut,
}

impl Stored {
    async fn open(store: &dyn BlobStore, id: BlobId, range: Range<u64>) -> Result<Self> {
        Ok(Stored { id, inner: store.open(id, range).await?, read: BytesMut::new() })
    }

    /// The next `count` bytes. What was read stays when this fails or is given up.
    async fn take(&mut self, count: usize) -> Result<BytesMut> {
        while self.read.len() < count {
            match self.inner.next().await? {
                Some(piece) if self.read.is_empty() => self.read = BytesMut::from(piece),
                Some(piece) => self.read.extend_from_slice(&piece),
                None => return Err(damaged(self.id, "it has become shorter")),
            }
        }
        Ok(self.read.split_to(count))
    }

    async fn header(&mut self, keys: &MasterKeys) -> Result<BlobCipher> {
        let header = self.take(HEADER_BYTES).await?;
        let header = header[..].try_into().expect("as many bytes as were asked for");
        BlobCipher::from_header(self.id, keys, header)
    }
}

impl SealedReader {
    pub(super) async fn open(store: &dyn BlobStore, keys: &MasterKeys, id: BlobId, range: Range<u64>) -> Result<Self> {
        let stored_length = store.length(id).await?;
        let shape = Shape::of(stored_length);
        if Shape::stored(shape.length) != stored_length {
            return Err(damaged(id, format_args!("none has {stored_length} bytes, it was cut off")));
        }
        if range.end > shape.length {
            let length = shape.length;
            return Err(StoreError::Corrupt(format!("blob {id} has {length} bytes, {} were asked for", range.end)));
        }
        let left = range.end.saturating_sub(range.start);
        let segment_bytes = SEGMENT_BYTES as u64;
        let segment = if left == 0 { 0 } else { range.start / segment_bytes };
        let skip = if left == 0 { 0 } else { range.start % segment_bytes };
        let end = match left {
            0 => HEADER_BYTES as u64,
            _ => Shape::start(range.end.div_ceil(segment_bytes)).min(stored_length),
        };
        // A range in the first segment brings the header along.
        let (stored, cipher) = if segment == 0 {
            let mut stored = Stored::open(store, id, 0..end).await?;
            let cipher = stored.header(keys).await?;
            (stored, cipher)
        } else {
            let mut head = Stored::open(store, id, 0..HEADER_BYTES as u64).await?;
            let cipher = head.header(keys).await?;
            (Stored::open(store, id, Shape::start(segment)..end).await?, cipher)
        };
        let skip = usize::try_from(skip).expect("less than a segment");
        Ok(SealedReader { stored, cipher, shape, segment, skip, left })
    }
}

#[async_trait]
impl BlobReader for SealedReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let length = self.shape.segment_length(self.segment);
        let mut bytes = self.stored.take(length + TAG_BYTES).await?;
        let tag = bytes.split_off(length);
        let tag = tag[..].try_into().expect("what is behind the segment");
        let is_last = self.segment + 1 == self.shape.segments;
        self.cipher.open(self.segment, is_last, &mut bytes, tag)?;
        bytes.advance(self.skip);
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len()));
        (self.segment, self.skip) = (self.segment + 1, 0);
        self.left -= bytes.len() as u64;
        Ok(Some(bytes.freeze()))
    }
}
