//! Plain records, as they cross the ports. No SQL and no row type of a database appears here.

use std::fmt;

use bytes::Bytes;

use super::checksum::{Checksum, ChecksumForm, ObjectChecksum};
use super::lock::Retention;
use super::settings::BucketSettings;
pub use crate::auth::access::Acl;
use crate::clock::Wall;
pub use crate::media::MediaTime;

/// An account owns buckets and access keys. Its decimal form is the owner id on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// One access key. The secret must be recoverable: signatures are HMACs.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeyRecord {
    /// The public id.
    pub id: String,
    /// The secret. Never logged.
    pub secret: String,
    /// The account it speaks for.
    pub account: AccountId,
    /// That account's name.
    pub account_name: String,
    /// A disabled key authenticates nothing.
    pub enabled: bool,
    /// When it was made.
    pub created: Wall,
}

impl fmt::Debug for AccessKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeyRecord").field("id", &self.id).field("account", &self.account).finish_non_exhaustive()
    }
}

/// A temporary credential: signs for an access key until it expires, and only together with its token.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeyRecord {
    /// The public id; begins with [`SESSION_KEY_PREFIX`].
    pub id: String,
    /// The secret. Never logged.
    pub secret: String,
    /// SHA-256 of the token. The token itself is kept by whoever was given it.
    pub token_sha256: [u8; 32],
    /// The access key that it signs for.
    pub parent: AccessKeyRecord,
    /// When it was made.
    pub created: Wall,
    /// From then on it signs nothing.
    pub expires: Wall,
    /// The policy that narrows it, as it was given. `None`: it may what the access key may.
    pub policy: Option<String>,
}

/// Ids of temporary credentials begin so, and those of access keys do not.
pub const SESSION_KEY_PREFIX: &str = "STS.";

impl fmt::Debug for SessionKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("SessionKeyRecord");
        fields.field("id", &self.id).field("parent", &self.parent).field("expires", &self.expires);
        fields.finish_non_exhaustive()
    }
}

/// A bucket's identity. A bucket that is deleted and made again has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId(pub i64);

/// A valid bucket name: 3 to 63 of `a-z 0-9 - .`, first and last not `-` or `.`. (Dots come from S3 only; the OSS
/// dialect refuses them when a bucket is made.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

impl BucketName {
    /// `None` when the name breaks a rule.
    pub fn new(name: &str) -> Option<Self> {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = name.as_bytes();
        let valid = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-' || *b == b'.')
            && edge(bytes.first())
            && edge(bytes.last());
        valid.then(|| BucketName(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// A valid live channel name: 1 to 63 bytes of UTF-8 without `/`, not starting with `\`. (OSS PutLiveChannel.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(String);

impl ChannelName {
    /// Longest name in bytes.
    pub const BYTES_MAX: usize = 63;

    /// `None` when the name breaks a rule; `live::channel` says which.
    pub fn new(name: &str) -> Option<Self> {
        let valid = !name.is_empty() && name.len() <= Self::BYTES_MAX && !name.contains('/') && !name.starts_with('\\');
        valid.then(|| ChannelName(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRecord {
    /// Identity.
    pub id: BucketId,
    /// Name, unique in the service.
    pub name: BucketName,
    /// Owning account.
    pub owner: AccountId,
    /// That account's name.
    pub owner_name: String,
    /// Who may do what besides the owner.
    pub acl: Acl,
    /// When it was made.
    pub created: Wall,
    /// CORS rules in order; empty when none are set.
    pub cors: CorsConfig,
    /// Tags as they were put.
    pub tags: Vec<Tag>,
    /// Whether versions are kept.
    pub versioning: Versioning,
    /// Settings that few buckets have.
    pub settings: BucketSettings,
}

impl BucketRecord {
    /// The ACLs that a decision hangs on: the bucket's, and that of an object which has `object` as its own. Where ACLs
    /// have no effect, everything is private.
    pub fn acls_in_force(&self, object: Option<Acl>) -> (Acl, Option<Acl>) {
        if self.settings.acls_count() { (self.acl, object) } else { (Acl::Private, None) }
    }
}

/// Whether a bucket keeps versions of its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// It never did: each write replaces, each delete removes.
    #[default]
    Never,
    /// Each write makes a version of its own; a delete adds a delete marker.
    Enabled,
    /// It did: each write and each delete replaces the null version, and the others stay.
    Suspended,
}

/// A tag of a bucket or of an object; a set has a key once.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}

/// What a bucket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketUsage {
    /// Objects, those that are not current included.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Delete markers.
    pub markers: u64,
    /// Open multipart uploads.
    pub uploads: u64,
    /// Their parts.
    pub parts: u64,
    /// Live channels.
    pub channels: u64,
    /// The sum of the parts' sizes.
    pub part_bytes: u64,
    /// How `objects` and `bytes` divide among the classes, in the order of [`StorageClass::ALL`].
    pub classes: [ClassUsage; StorageClass::ALL.len()],
}

/// What a bucket holds of one storage class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassUsage {
    /// Objects.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// A bucket's CORS rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CorsConfig {
    /// Rules in order; the first that matches wins. At most 20.
    pub rules: Vec<CorsRule>,
    /// Send `Vary: Origin` on every response.
    pub response_vary: bool,
}

/// One CORS rule. Strings as they were put.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CorsRule {
    /// Origins, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    pub allowed_methods: Vec<String>,
    /// Request headers, each with at most one `*`.
    pub allowed_headers: Vec<String>,
    /// Response headers a page may read.
    pub expose_headers: Vec<String>,
    /// Seconds a preflight may be cached.
    pub max_age_seconds: Option<u32>,
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
        let mut text = hex::encode(self.digest);
        if let Some(parts) = self.parts {
            text.push_str(&format!("-{parts}"));
        }
        text
    }

    /// Upper-case hex without quotes, as OSS writes it.
    pub fn to_upper_hex(self) -> String {
        self.to_lower_hex().to_ascii_uppercase()
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

/// `enabled` or `disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStatus {
    /// Takes publishers.
    Enabled,
    /// Refuses publishers.
    Disabled,
}

/// Snapshot settings; kept as they were put. Taking snapshots needs a decoder, which this build does not have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SnapshotConfig {
    /// Role to assume.
    pub role_name: String,
    /// Bucket of the same owner that receives pictures.
    pub dest_bucket: String,
    /// Topic to notify.
    pub notify_topic: String,
    /// Seconds between pictures, 1..=100.
    pub interval: u32,
}

/// What PutLiveChannel sets; valid once it exists (`live::channel` makes it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// At most 128 bytes.
    pub description: String,
    /// A display name of the flat client form; no OSS document carries it.
    pub display_name: Option<String>,
    /// Status.
    pub status: ChannelStatus,
    /// Seconds a fragment should last at least, 1..=100.
    pub frag_duration: u32,
    /// Fragments in the live window, 1..=100.
    pub frag_count: u32,
    /// Ends in `.m3u8`, 6..=128 bytes, no `/`.
    pub playlist_name: String,
    /// Snapshot settings.
    pub snapshot: Option<SnapshotConfig>,
}

/// A live channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRecord {
    /// Bucket.
    pub bucket: BucketId,
    /// Name, unique in the bucket.
    pub name: ChannelName,
    /// Settings.
    pub config: ChannelConfig,
    /// When the name was first put (kept by later puts).
    pub created: Wall,
    /// Last change of the settings.
    pub last_modified: Wall,
}

/// One publisher's stay on a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u128);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// Grows with every claim of a channel; a commit with an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationCause {
    /// The publisher said so (`FCUnpublish`, `deleteStream`, `closeStream`).
    Unpublished,
    /// The socket closed or failed.
    ConnectionLost,
    /// No byte arrived for the idle limit.
    Timeout,
    /// The channel was disabled.
    Disabled,
    /// Its access key was disabled.
    KeyDisabled,
    /// The stream broke the protocol or a limit.
    ProtocolError,
    /// Fragments could not be stored.
    StorageError,
    /// The service stopped.
    ServiceShutdown,
    /// The service died; written by recovery.
    ServiceLost,
}

impl TerminationCause {
    /// Its stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            TerminationCause::Unpublished => "UNPUBLISHED",
            TerminationCause::ConnectionLost => "CONNECTION_LOST",
            TerminationCause::Timeout => "TIMEOUT",
            TerminationCause::Disabled => "DISABLED",
            TerminationCause::KeyDisabled => "KEY_DISABLED",
            TerminationCause::ProtocolError => "PROTOCOL_ERROR",
            TerminationCause::StorageError => "STORAGE_ERROR",
            TerminationCause::ServiceShutdown => "SERVICE_SHUTDOWN",
            TerminationCause::ServiceLost => "SERVICE_LOST",
        }
    }
}

/// A connection as history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Identity.
    pub id: ConnectionId,
    /// When publishing began.
    pub started: Wall,
    /// When it ended; `None` while it lasts.
    pub ended: Option<Wall>,
    /// `ip:port` of the publisher.
    pub remote_addr: String,
    /// Why it ended.
    pub cause: Option<TerminationCause>,
}

/// One stored fragment of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRecord {
    /// Milliseconds since the epoch; the object's key is `{channel}/{name_ms}.ts`. Strictly grows in a channel.
    pub name_ms: i64,
    /// Counts a channel's fragments from 0 over all connections; a gap means one is gone or was never stored.
    pub sequence: u64,
    /// Distance of decode times from this fragment's first access unit to the next fragment's.
    pub duration: MediaTime,
    /// Its timeline does not continue the fragment before it.
    pub discontinuity: bool,
}

/// The sliding window of one live playlist, enough to go on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowRecord {
    /// `EXT-X-MEDIA-SEQUENCE` of the first entry. Only grows.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE` of the first entry. Only grows.
    pub discontinuity_sequence: u64,
    /// `EXT-X-TARGETDURATION` in seconds; does not shrink during a connection.
    pub target_duration: u32,
    /// Fragments, oldest first.
    pub entries: Vec<WindowEntry>,
}

/// One line pair of a live playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// The fragment's name in milliseconds.
    pub name_ms: i64,
    /// Its duration.
    pub duration: MediaTime,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
}
