//! Versions of objects, as they cross the ports: how one is named, read, listed and deleted.
//!
//! A bucket that keeps versions has, for each key, a history of objects and delete markers, the newest first. The newest,
//! when it is an object, is the *current object*: it is what every call without a version means.

use std::fmt;
use std::sync::Arc;

use super::{Acl, BucketId, ObjectKey, ObjectRecord, ObjectSummary, VersionId};
use crate::clock::Wall;

/// The name of one version within its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionName {
    /// The one that has no identity of its own.
    Null,
    /// The one of this identity.
    Id(VersionId),
}

impl VersionName {
    /// `null`, or the 32 hex digits of an identity in either case.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" { Some(VersionName::Null) } else { VersionId::parse(text).map(VersionName::Id) }
    }

    /// The identity; `None` of the null version, as records have it.
    pub fn id(self) -> Option<VersionId> {
        match self {
            VersionName::Null => None,
            VersionName::Id(id) => Some(id),
        }
    }
}

impl From<Option<VersionId>> for VersionName {
    fn from(id: Option<VersionId>) -> Self {
        id.map_or(VersionName::Null, VersionName::Id)
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VersionName::Null => f.write_str("null"),
            VersionName::Id(id) => id.fmt(f),
        }
    }
}

/// What one version is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versioned {
    /// An object.
    Object(Arc<ObjectRecord>),
    /// A delete marker: as the newest version it says that the key has no object.
    Marker(DeleteMarker),
}

impl Versioned {
    /// Identity; `None` is the null version.
    pub fn id(&self) -> Option<VersionId> {
        match self {
            Versioned::Object(object) => object.version,
            Versioned::Marker(marker) => marker.version,
        }
    }

    /// When it was made.
    pub fn last_modified(&self) -> Wall {
        match self {
            Versioned::Object(object) => object.last_modified,
            Versioned::Marker(marker) => marker.last_modified,
        }
    }

    /// The object's own ACL; a marker has none.
    pub fn own_acl(&self) -> Option<Acl> {
        match self {
            Versioned::Object(object) => object.acl,
            Versioned::Marker(_) => None,
        }
    }
}

/// A version that is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteMarker {
    /// Identity; `None` is the null version.
    pub version: Option<VersionId>,
    /// When it was made.
    pub last_modified: Wall,
}

/// What shall be deleted in one transaction.
#[derive(Clone, Debug)]
pub struct DeleteCommit {
    /// Bucket.
    pub bucket: BucketId,
    /// Keys and versions, in order; one that is not there is no error.
    pub targets: Vec<DeleteTarget>,
    /// Who asks may set retention of mode governance aside, and does.
    pub bypass_governance: bool,
}

/// One key, or one version of it, to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTarget {
    /// Key.
    pub key: ObjectKey,
    /// The version to remove for good. `None` deletes as the bucket does it: where versions are kept a marker is made.
    pub version: Option<VersionName>,
    /// A fresh identity for the marker, in case one is made that needs it.
    pub marker: VersionId,
}

/// What became of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The bucket keeps no versions: nothing stands under the key any more.
    Deleted,
    /// A marker was made, of this identity.
    MarkerMade(Option<VersionId>),
    /// The named version is not there any more, if it ever was.
    VersionRemoved {
        /// It was a delete marker.
        was_marker: bool,
    },
    /// A lock keeps it.
    Locked,
}

/// Where a listing of versions begins and what it rolls up.
#[derive(Clone, Debug, Default)]
pub struct VersionsQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Roll up what follows `prefix` up to and including this; `None` or empty rolls up nothing.
    pub delimiter: Option<Vec<u8>>,
    /// Versions of keys strictly after this key; a marker inside (or equal to) a rolled-up prefix skips that whole prefix.
    pub after: Option<Vec<u8>>,
    /// With it, also the versions of the very key `after` that are older than this one. Where it is gone its identity still
    /// tells which are; of a null version that is gone, all are listed. Without `after` it means nothing.
    pub after_version: Option<VersionName>,
    /// Versions and common prefixes together, at least 1.
    pub limit: usize,
}

/// One entry of a listing of versions: keys in byte order, the versions of each from the newest to the oldest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionEntry {
    /// An object.
    Object {
        /// What a listing says of any object.
        summary: ObjectSummary,
        /// Identity; `None` is the null version.
        version: Option<VersionId>,
        /// It is the newest of its key.
        is_latest: bool,
    },
    /// A delete marker.
    Marker {
        /// Key.
        key: ObjectKey,
        /// The marker.
        marker: DeleteMarker,
        /// It is the newest of its key.
        is_latest: bool,
    },
    /// A common prefix, which ends in the delimiter.
    Prefix(Vec<u8>),
}

/// Where an audit of the versions goes on: behind this one, in order of bucket, key and identity, the null version first.
pub type VersionMark = (BucketId, ObjectKey, Option<VersionId>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_its_digits_or_null() {
        let id = VersionId(0xab);
        assert_eq!(VersionName::parse(&id.to_string()), Some(VersionName::Id(id)));
        assert_eq!(VersionName::parse(&id.to_string().to_lowercase()), Some(VersionName::Id(id)));
        assert_eq!(VersionName::parse("null"), Some(VersionName::Null));
        for other in ["", "NULL", "undefined", "0", &"g".repeat(32), &"0".repeat(33), &format!("+{}", "0".repeat(31))] {
            assert_eq!(VersionName::parse(other), None, "{other}");
        }
        for name in [VersionName::Null, VersionName::Id(id)] {
            assert_eq!(VersionName::from(name.id()), name);
            assert_eq!(VersionName::parse(&name.to_string()), Some(name));
        }
    }
}
