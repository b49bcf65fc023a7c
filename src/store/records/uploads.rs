//! Multipart uploads and their parts.

use std::fmt;

use bytes::Bytes;

use super::{
    BlobId, BucketId, ContentHeaders, ETag, Extent, ObjectAttributes, ObjectKey, StorageClass, Tag, VersionId,
};
use crate::auth::access::Acl;
use crate::clock::Wall;
use crate::store::checksum::{Checksum, ChecksumForm, ObjectChecksum};

/// A multipart upload's identity: ordered by time like a [`BlobId`], and too random to be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u128);

impl UploadId {
    /// A fresh id.
    pub fn new(now: Wall, random: [u8; 10]) -> Self {
        UploadId(BlobId::new(now, random).0)
    }

    /// From the 32 hex digits of its text form, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok().map(UploadId)).flatten()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({self})")
    }
}

/// An open multipart upload: what its object will be, but for the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRecord {
    /// Bucket.
    pub bucket: BucketId,
    /// Key of the object to make. A key may have several uploads.
    pub key: ObjectKey,
    /// Identity.
    pub id: UploadId,
    /// When it was begun.
    pub initiated: Wall,
    /// The object's own ACL; `None` follows the bucket.
    pub acl: Option<Acl>,
    /// Content headers of the object.
    pub headers: ContentHeaders,
    /// User metadata of the object: lower-case names without prefix, in order of name.
    pub user_metadata: Vec<(String, Bytes)>,
    /// Tags of the object.
    pub tags: Vec<Tag>,
    /// Storage class of the object.
    pub storage_class: StorageClass,
    /// What else the object will have.
    pub attributes: ObjectAttributes,
    /// The checksum that the object will have, as far as its parts have theirs.
    pub checksum: Option<ChecksumForm>,
}

/// What a listing says of an open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSummary {
    /// Key.
    pub key: ObjectKey,
    /// Identity.
    pub id: UploadId,
    /// When it was begun.
    pub initiated: Wall,
    /// The checksum that its object will have.
    pub checksum: Option<ChecksumForm>,
    /// Storage class of the object to make.
    pub storage_class: StorageClass,
}

/// What is known of one part of an upload besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSummary {
    /// Its place among the parts; gaps are allowed.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// MD5 of them: the part's entity tag.
    pub md5: [u8; 16],
    /// CRC-64/XZ of them.
    pub crc64: u64,
    /// The checksum that the upload or the client asked for.
    pub checksum: Option<Checksum>,
    /// When it was committed.
    pub last_modified: Wall,
}

impl PartSummary {
    /// The part's entity tag.
    pub fn etag(&self) -> ETag {
        ETag { digest: self.md5, parts: None }
    }
}

/// One part with its bytes' extents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    /// What is known of it.
    pub summary: PartSummary,
    /// The bytes, in order. Empty for an empty part.
    pub extents: Vec<Extent>,
}

/// What a completed upload came to; kept for a while, so that a repeated request gets the answer that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedUpload {
    /// Bucket.
    pub bucket: BucketId,
    /// Key of the object that was made.
    pub key: ObjectKey,
    /// Bytes.
    pub size: u64,
    /// Its entity tag: MD5 of the parts' MD5s, and how many parts.
    pub etag: ETag,
    /// CRC-64/XZ of the whole body.
    pub crc64: u64,
    /// The checksum that the object was given.
    pub checksum: Option<ObjectChecksum>,
    /// When it was completed, which is the object's `last_modified`.
    pub completed: Wall,
    /// Identity of the version that was made; `None` is the null version.
    pub version: Option<VersionId>,
}
