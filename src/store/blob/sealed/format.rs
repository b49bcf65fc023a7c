//! The header, the arithmetic of segments, and what a segment is encrypted with.

use crate::store::digest::Crc64;
use crate::store::seal::{self, Cipher, KEY_BYTES, KeyId, MasterKey, MasterKeys, NONCE_BYTES, TAG_BYTES};
use crate::store::{BlobId, Fault, Result, StoreError};

/// Bytes of what was written in a segment. Part of the format, so no setting.
pub(super) const SEGMENT_BYTES: usize = 64 * 1024;
/// A whole segment as it is stored.
pub(super) const STORED_SEGMENT_BYTES: u64 = (SEGMENT_BYTES + TAG_BYTES) as u64;

/// Names the format; the last byte is its version.
const MAGIC: [u8; 16] = *b"livebucket seal\x01";
const KEY_ID_AT: usize = MAGIC.len();
const NONCE_AT: usize = KEY_ID_AT + KeyId::BYTES;
const WRAPPED_AT: usize = NONCE_AT + NONCE_BYTES;
const TAG_AT: usize = WRAPPED_AT + KEY_BYTES;
const CRC_AT: usize = TAG_AT + TAG_BYTES;
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = CRC_AT + 8;

/// How a stored blob divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes that were written.
    pub(super) length: u64,
    /// Segments, at least 1: an empty blob has an empty one.
    pub(super) segments: u64,
}

impl Shape {
    /// Of a blob of `stored` bytes. One that was cut off has what length its whole segments and its rest give.
    pub(super) fn of(stored: u64) -> Self {
        let body = stored.saturating_sub(HEADER_BYTES as u64);
        let segments = body.div_ceil(STORED_SEGMENT_BYTES).max(1);
        Shape { length: body.saturating_sub(segments * TAG_BYTES as u64), segments }
    }

    /// Stored bytes of a blob to which `length` bytes were written.
    pub(super) fn stored(length: u64) -> u64 {
        let segments = length.div_ceil(SEGMENT_BYTES as u64).max(1);
        HEADER_BYTES as u64 + length + segments * TAG_BYTES as u64
    }

    /// Where a segment begins in the stored blob.
    pub(super) fn start(segment: u64) -> u64 {
        HEADER_BYTES as u64 + segment * STORED_SEGMENT_BYTES
    }

    /// Bytes that were written of a segment.
    pub(super) fn segment_length(self, segment: u64) -> usize {
        let left = self.length.saturating_sub(segment * SEGMENT_BYTES as u64);
        usize::try_from(left).unwrap_or(SEGMENT_BYTES).min(SEGMENT_BYTES)
    }
}

/// What the segments of one blob are encrypted with.
#[derive(Debug)]
pub(super) struct BlobCipher {
    id: BlobId,
    data: Cipher,
}

impl BlobCipher {
    /// A fresh data key for a blob, and the header that holds it.
    pub(super) fn fresh(id: BlobId, master: &MasterKey) -> Result<(Self, [u8; HEADER_BYTES])> {
        let mut data_key = seal::random::<KEY_BYTES>()?;
        let nonce = seal::random::<NONCE_BYTES>()?;
        let data = Cipher::new(data_key);
        let mut header = [0; HEADER_BYTES];
        header[..KEY_ID_AT].copy_from_slice(&MAGIC);
        header[KEY_ID_AT..NONCE_AT].copy_from_slice(&master.id().0);
        header[NONCE_AT..WRAPPED_AT].copy_from_slice(&nonce);
        let tag = wrapping(master, id).seal(nonce, &header[..NONCE_AT], &mut data_key);
        header[WRAPPED_AT..TAG_AT].copy_from_slice(&data_key);
        header[TAG_AT..CRC_AT].copy_from_slice(&tag);
        let crc = crc64(&header[..CRC_AT]);
        header[CRC_AT..].copy_from_slice(&crc);
        Ok((BlobCipher { id, data }, header))
    }

    /// The data key out of a header. `Corrupt`, or `Unavailable` when its master key is not configured.
    pub(super) fn from_header(id: BlobId, keys: &MasterKeys, header: &[u8; HEADER_BYTES]) -> Result<Self> {
        if crc64(&header[..CRC_AT]) != header[CRC_AT..] || header[..KEY_ID_AT] != MAGIC {
            return Err(damaged(id, "its header is damaged or of a version not known here"));
        }
        let key_id = KeyId(part(header, KEY_ID_AT));
        let master = keys.get(key_id, format_args!("blob {id}"))?;
        let mut data_key: [u8; KEY_BYTES] = part(header, WRAPPED_AT);
        let opened =
            wrapping(master, id).open(part(header, NONCE_AT), &header[..NONCE_AT], &mut data_key, part(header, TAG_AT));
        if !opened {
            return Err(damaged(id, "its header is not this blob's"));
        }
        Ok(BlobCipher { id, data: Cipher::new(data_key) })
    }

    /// Encrypts a segment in place.
    pub(super) fn seal(&self, segment: u64, is_last: bool, bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        self.data.seal(nonce(segment, is_last), &self.id.0.to_be_bytes(), bytes)
    }

    /// Decrypts a segment in place.
    pub(super) fn open(&self, segment: u64, is_last: bool, bytes: &mut [u8], tag: [u8; TAG_BYTES]) -> Result<()> {
        if self.data.open(nonce(segment, is_last), &self.id.0.to_be_bytes(), bytes, tag) {
            return Ok(());
        }
        Err(damaged(self.id, format_args!("segment {segment} is not what was written")))
    }
}

/// Says that a sealed blob is not what was written, here and in the log.
pub(super) fn damaged(id: BlobId, what: impl std::fmt::Display) -> StoreError {
    tracing::error!(%id, %what, "sealed blob is damaged");
    Fault::Corrupt.count("blobs");
    StoreError::Corrupt(format!("sealed blob {id}: {what}"))
}

/// A key that wraps one data key only, so that one nonce would do for all; the header's is random all the same.
fn wrapping(master: &MasterKey, id: BlobId) -> Cipher {
    master.derive("livebucket blob 1", &id.0.to_be_bytes())
}

/// A data key seals each segment once, so that its number is a nonce.
fn nonce(segment: u64, is_last: bool) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[0] = u8::from(is_last);
    nonce[NONCE_BYTES - 8..].copy_from_slice(&segment.to_be_bytes());
    nonce
}

fn crc64(bytes: &[u8]) -> [u8; 8] {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value().to_be_bytes()
}

fn part<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("the parts add up to the header")
}
