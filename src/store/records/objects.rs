//! Objects, their bodies and their versions.

use std::fmt;

use bytes::Bytes;

use super::{BucketId, ChannelName, Tag, UploadId};
use crate::auth::access::Acl;
use crate::clock::Wall;
use crate::store::checksum::{Checksum, ChecksumForm, ObjectChecksum};
use crate::store::lock::Retention;

/// An object's key: 1 to 1024 bytes, any bytes. Byte order is the listing order. Each dialect adds its own rules.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Vec<u8>);

impl ObjectKey {
    /// Longest key that any dialect allows (S3), in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// `None` when empty or too long.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty() && bytes.len() <= Self::BYTES_MAX).then_some(ObjectKey(bytes))
    }

    /// `{channel}/{name}`: where a channel's fragments and playlists live.
    pub fn in_channel(channel: &ChannelName, name: &str) -> Self {
        let key = format!("{}/{name}", channel.as_str()).into_bytes();
        debug_assert!(key.len() <= Self::BYTES_MAX, "channel names are at most 63 bytes, playlist names 128");
        ObjectKey(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A blob's name. Ids are fresh and ordered by time: milliseconds since the epoch in the upper 48 bits, random below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub u128);

impl BlobId {
    /// A fresh id.
    pub fn new(now: Wall, random: [u8; 10]) -> Self {
        let mut low = [0u8; 16];
        low[6..].copy_from_slice(&random);
        let millis = u128::try_from(now.0.max(0)).expect("not negative");
        BlobId((millis << 80) | u128::from_be_bytes(low))
    }

    /// When it was made.
    pub fn created(self) -> Wall {
        Wall(i64::try_from(self.0 >> 80).expect("48 bits"))
    }

    /// The last bytes of every id whose bytes are sealed, and of no other: the id alone says how to read a blob, and
    /// metadata, which names it, says so too. A plain blob may begin with anything; a sealed one whose header is damaged
    /// is never taken for plain.
    pub const SEALED_MARK: [u8; 3] = [0x5e, 0xa1, 0xed];

    /// Whether the blob of this id is sealed.
    pub fn is_sealed(self) -> bool {
        self.0.to_be_bytes().ends_with(&Self::SEALED_MARK)
    }

    /// From the 32 hex digits of its text form.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(BlobId)).flatten()
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// A piece of an object's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The bytes themselves, at most `limits::INLINE_BYTES_MAX`.
    Inline(Bytes),
    /// A range of a finished blob.
    Blob {
        /// Which blob.
        id: BlobId,
        /// First byte within it.
        offset: u64,
        /// Bytes; never zero.
        length: u64,
    },
}

impl Extent {
    /// Bytes of it.
    pub fn length(&self) -> u64 {
        match self {
            Extent::Inline(bytes) => bytes.len() as u64,
            Extent::Blob { length, .. } => *length,
        }
    }
}

/// An entity tag: an MD5, or the multipart form (a digest and a part count). Dialects differ in letter case only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag {
    /// 16 bytes of digest.
    pub digest: [u8; 16],
    /// Part count of the multipart form, in which the digest is not the MD5 of the body.
    pub parts: Option<u32>,
}

impl ETag {
    /// Lower-case hex without quotes, as S3 writes it.
    pub fn to_lower_hex(self) -> String {
        self.hex(b"0123456789abcdef")
    }

    /// Upper-case hex without quotes, as OSS writes it.
    pub fn to_upper_hex(self) -> String {
        self.hex(b"0123456789ABCDEF")
    }

    fn hex(self, digits: &[u8; 16]) -> String {
        let mut text = String::with_capacity(40);
        self.push_hex(&mut text, digits);
        text
    }

    /// Adds it in these digits; each GET has one.
    pub fn push_hex(self, text: &mut String, digits: &[u8; 16]) {
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.digest) {
            pair[0] = digits[usize::from(byte >> 4)];
            pair[1] = digits[usize::from(byte & 15)];
        }
        text.push_str(std::str::from_utf8(&hex).expect("digits are ASCII"));
        if let Some(parts) = self.parts {
            text.push('-');
            text.push_str(&parts.to_string());
        }
    }
}

/// A version's identity: ordered by time like a [`BlobId`], and too random to be guessed. Versions written while a bucket
/// kept none have no identity of their own: each key has at most one such *null* version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u128);

impl VersionId {
    /// A fresh id.
    pub fn new(now: Wall, random: [u8; 10]) -> Self {
        VersionId(BlobId::new(now, random).0)
    }

    /// When it was made.
    pub fn created(self) -> Wall {
        BlobId(self.0).created()
    }

    /// From the 32 hex digits of its text form, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        UploadId::parse(text).map(|id| VersionId(id.0))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", self.0)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionId({self})")
    }
}

/// How an object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// One PUT, a copy, a fragment or a playlist.
    Normal,
    /// Parts.
    Multipart,
    /// Appends.
    Appendable,
    /// A name for another object of the bucket ([`ObjectAttributes::symlink`]); it has no body.
    Symlink,
}

/// How an object is kept, as far as clients are told. All classes are kept alike; those behind `InfrequentAccess` must be
/// restored before they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum StorageClass {
    /// Read often.
    #[default]
    Standard,
    /// Read rarely.
    InfrequentAccess,
    /// Read after a restore.
    Archive,
    /// Read after a longer restore.
    ColdArchive,
    /// Read after the longest restore.
    DeepColdArchive,
}

/// What few objects have. The default has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ObjectAttributes {
    /// The checksum that its client chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<ObjectChecksum>,
    /// Whoever made it, or its bucket's default, said that it be encrypted at rest, so that reads are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encryption_stated: bool,
    /// Until when, and how strictly, this version may not be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Whether this version may not be removed until it is let go. `None`: nobody ever said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
    /// The key that a symlink stands for, in the same bucket; there may be no object under it. Only symlinks have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symlink: Option<String>,
    /// When the bytes of a restored object can no longer be read, in milliseconds since the epoch. Only classes that need a
    /// restore have one; one that is past means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_until_ms: Option<i64>,
}

/// Content headers as they were sent, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<Bytes>,
    /// `Cache-Control`.
    pub cache_control: Option<Bytes>,
    /// `Content-Disposition`.
    pub content_disposition: Option<Bytes>,
    /// `Content-Encoding`.
    pub content_encoding: Option<Bytes>,
    /// `Content-Language`.
    pub content_language: Option<Bytes>,
    /// `Expires`.
    pub expires: Option<Bytes>,
}

/// An object with its body's extents: one version of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    /// Bucket.
    pub bucket: BucketId,
    /// Key.
    pub key: ObjectKey,
    /// How it was made.
    pub kind: ObjectKind,
    /// Bytes; the sum of the extents' lengths.
    pub size: u64,
    /// Entity tag.
    pub etag: ETag,
    /// CRC-64/XZ of the whole body.
    pub crc64: u64,
    /// MD5 of the whole body where it is known (plain PUTs).
    pub content_md5: Option<[u8; 16]>,
    /// When this body was committed.
    pub last_modified: Wall,
    /// The object's own ACL; `None` follows the bucket.
    pub acl: Option<Acl>,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata: lower-case names without prefix, values as bytes, in order of name.
    pub user_metadata: Vec<(String, Bytes)>,
    /// Tags as they were put.
    pub tags: Vec<Tag>,
    /// Storage class.
    pub storage_class: StorageClass,
    /// What few objects have.
    pub attributes: ObjectAttributes,
    /// Identity of this version; `None` is the null version.
    pub version: Option<VersionId>,
    /// The body, in order. Empty for an empty object.
    pub extents: Vec<Extent>,
}

impl ObjectRecord {
    /// The checksum of all its bytes, where it has one.
    pub fn full_checksum(&self) -> Option<Checksum> {
        self.attributes.checksum.filter(|checksum| checksum.parts.is_none()).map(|checksum| checksum.value)
    }
}

impl ObjectRecord {
    /// Whether it may be called encrypted: that was said of it, and holds. (A copy shares its source's bytes, which may be
    /// older than the master key.)
    pub fn is_encrypted_as_stated(&self) -> bool {
        self.attributes.encryption_stated && !self.has_plain_blob()
    }

    /// Whether any of its bytes lies in a blob that is not sealed.
    pub fn has_plain_blob(&self) -> bool {
        self.extents.iter().any(|extent| matches!(extent, Extent::Blob { id, .. } if !id.is_sealed()))
    }
}

/// One of the parts that an object was completed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// Bytes.
    pub size: u64,
    /// Its checksum. Either all parts of an object have one, of the same algorithm, or none has.
    pub checksum: Option<Checksum>,
}

/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSummary {
    /// Key.
    pub key: ObjectKey,
    /// How it was made.
    pub kind: ObjectKind,
    /// Bytes.
    pub size: u64,
    /// Entity tag.
    pub etag: ETag,
    /// Storage class.
    pub storage_class: StorageClass,
    /// Which checksum it has.
    pub checksum: Option<ChecksumForm>,
    /// See [`ObjectAttributes::restored_until_ms`].
    pub restored_until: Option<Wall>,
    /// When its body was committed.
    pub last_modified: Wall,
}

/// A condition on the object that a write replaces, judged inside the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// None.
    #[default]
    Always,
    /// Only when the key is free (`x-oss-forbid-overwrite: true`); else `AlreadyExists(Object)`.
    IfAbsent,
    /// Only over exactly this body (compare and swap); else `PreconditionFailed`.
    IfETag(ETag),
}
