//! Buckets, and what stands in their rows.

use std::fmt;

use super::{AccountId, StorageClass};
use crate::auth::access::Acl;
use crate::clock::Wall;
use crate::store::settings::BucketSettings;

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
        Self::is_valid(name).then(|| BucketName(name.to_owned()))
    }

    /// Whether the name breaks no rule.
    pub fn is_valid(name: &str) -> bool {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = name.as_bytes();
        (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-' || *b == b'.')
            && edge(bytes.first())
            && edge(bytes.last())
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
