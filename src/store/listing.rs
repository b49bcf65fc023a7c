//! Listings in pages: where they begin, what they roll up and what stands in them. (Those of versions are in
//! [`versions`](super::versions).)

use super::{ObjectSummary, UploadId, UploadSummary};

/// Where a listing begins and what it rolls up.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Roll up what follows `prefix` up to and including this; `None` or empty rolls up nothing.
    pub delimiter: Option<Vec<u8>>,
    /// Entries strictly after this key; a marker inside (or equal to) a rolled-up prefix skips that whole prefix.
    pub after: Option<Vec<u8>>,
    /// Keys and common prefixes together, at least 1.
    pub limit: usize,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// An object.
    Object(ObjectSummary),
    /// A common prefix, which ends in the delimiter.
    Prefix(Vec<u8>),
}

impl ListEntry {
    /// The key or the prefix; as `after` it continues a listing behind this entry.
    pub fn name(&self) -> &[u8] {
        match self {
            ListEntry::Object(o) => o.key.as_bytes(),
            ListEntry::Prefix(p) => p,
        }
    }
}

/// One page of anything that is listed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Entries in order.
    pub entries: Vec<T>,
    /// More exist after the last entry.
    pub truncated: bool,
}

/// Where a listing of open uploads begins and what it rolls up.
#[derive(Clone, Debug, Default)]
pub struct UploadsQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Roll up what follows `prefix` up to and including this; `None` or empty rolls up nothing.
    pub delimiter: Option<Vec<u8>>,
    /// Uploads of keys strictly after this key; a marker inside (or equal to) a rolled-up prefix skips that whole prefix.
    pub after: Option<Vec<u8>>,
    /// With it, also uploads of the very key `after` whose ids are greater. Without `after` it means nothing.
    pub after_id: Option<UploadId>,
    /// Uploads and common prefixes together, at least 1.
    pub limit: usize,
}

/// One entry of a listing of open uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEntry {
    /// An upload.
    Upload(UploadSummary),
    /// A common prefix, which ends in the delimiter.
    Prefix(Vec<u8>),
}
