//! What the job saw, and wants to act on only while it is so.

use crate::clock::Wall;
use crate::store::{ETag, ObjectKey, ObjectSummary, VersionId, VersionName};

/// An object, a version or a marker as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Key.
    pub key: ObjectKey,
    /// As what.
    pub what: SeenAs,
    /// When it was made.
    pub last_modified: Wall,
}

/// What it was when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenAs {
    /// The current object, with this entity tag.
    Current(ETag),
    /// A version that was not the newest of its key: an object or a marker.
    Kept(VersionName),
    /// A delete marker, and the only version of its key.
    LoneMarker(VersionName),
}

impl SeenAs {
    /// As a call names it that acts on it.
    pub fn version(self) -> Option<VersionName> {
        match self {
            SeenAs::Current(_) => None,
            SeenAs::Kept(name) | SeenAs::LoneMarker(name) => Some(name),
        }
    }
}

impl Seen {
    /// The current object as a listing shows it.
    pub fn current(object: &ObjectSummary) -> Self {
        let what = SeenAs::Current(object.etag);
        Seen { key: object.key.clone(), what, last_modified: object.last_modified }
    }
}

/// Something to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// What.
    pub seen: Seen,
    /// A fresh identity for the delete marker, in case one is made.
    pub marker: VersionId,
}
