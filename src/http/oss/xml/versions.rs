//! Documents about versions.

use bytes::Bytes;

use super::read::document;
use super::{Names, time_text, write_object, write_owner};
use crate::http::oss::error::OssError;
use crate::http::oss::operation::ListVersionsQuery;
use crate::http::xml::Writer;
use crate::limits::OSS_XML_BYTES_MAX;
use crate::store::{BucketRecord, DeleteOutcome, ObjectKey, Page, VersionEntry, VersionId, VersionName, Versioning};

/// How a bucket's versioning is written; `None` when it never kept versions.
pub const fn versioning_text(versioning: Versioning) -> Option<&'static str> {
    match versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    }
}

/// `VersioningConfiguration`; empty when versions were never kept.
pub fn versioning_configuration(versioning: Versioning) -> Bytes {
    Writer::document("VersioningConfiguration", |w| {
        if let Some(status) = versioning_text(versioning) {
            w.text("Status", status);
        }
    })
}

/// `VersioningConfiguration`. It must say one or the other: a bucket does not go back to never having kept versions.
pub fn read_versioning_configuration(body: &[u8]) -> Result<Versioning, OssError> {
    let root = document(body, "VersioningConfiguration", OSS_XML_BYTES_MAX)?;
    match root.word_of("Status") {
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        _ => Err(OssError::malformed_xml()),
    }
}

/// `ListVersionsResult`: objects and markers as they follow one another, then all common prefixes.
pub fn list_versions(bucket: &BucketRecord, query: &ListVersionsQuery, page: &Page<VersionEntry>) -> Bytes {
    let names = Names { url: query.url_encoding };
    Writer::document("ListVersionsResult", |w| {
        w.text("Name", &bucket.name);
        names.write(w, "Prefix", &query.prefix);
        names.write(w, "KeyMarker", &query.key_marker);
        w.text("VersionIdMarker", query.version_id_marker.map(|version| version.to_string()).unwrap_or_default());
        w.text("MaxKeys", query.max_keys);
        names.write(w, "Delimiter", &query.delimiter);
        names.write_encoding(w);
        w.text("IsTruncated", page.truncated);
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            write_next(w, names, last);
        }
        for entry in &page.entries {
            write_entry(w, names, entry, bucket);
        }
        for entry in &page.entries {
            if let VersionEntry::Prefix(prefix) = entry {
                w.element("CommonPrefixes", |w| names.write(w, "Prefix", prefix));
            }
        }
    })
}

fn write_next(w: &mut Writer, names: Names, last: &VersionEntry) {
    let (key, version) = match last {
        VersionEntry::Object { summary, version, .. } => (summary.key.as_bytes(), text(*version)),
        VersionEntry::Marker { key, marker, .. } => (key.as_bytes(), text(marker.version)),
        VersionEntry::Prefix(prefix) => (prefix.as_slice(), String::new()),
    };
    names.write(w, "NextKeyMarker", key);
    w.text("NextVersionIdMarker", version);
}

fn write_entry(w: &mut Writer, names: Names, entry: &VersionEntry, bucket: &BucketRecord) {
    let identity = |w: &mut Writer, version: Option<VersionId>, is_latest: bool| {
        w.text("VersionId", text(version));
        w.text("IsLatest", is_latest);
        write_owner(w, bucket.owner, &bucket.owner_name);
    };
    match entry {
        VersionEntry::Object { summary, version, is_latest } => w.element("Version", |w| {
            write_object(w, names, summary);
            identity(w, *version, *is_latest);
        }),
        VersionEntry::Marker { key, marker, is_latest } => w.element("DeleteMarker", |w| {
            names.write(w, "Key", key.as_bytes());
            w.text("LastModified", time_text(marker.last_modified));
            identity(w, marker.version, *is_latest);
        }),
        VersionEntry::Prefix(_) => {}
    }
}

fn text(version: Option<VersionId>) -> String {
    VersionName::from(version).to_string()
}

/// One line of what DeleteMultipleObjects did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Key.
    pub key: ObjectKey,
    /// The version that was named.
    pub version: Option<VersionName>,
    /// What became of it.
    pub outcome: DeleteOutcome,
}

/// `DeleteResult`. (A quiet request gets no body at all.)
pub fn delete_result(deleted: &[Deleted], url_encoding: bool) -> Bytes {
    let names = Names { url: url_encoding };
    Writer::document("DeleteResult", |w| {
        names.write_encoding(w);
        for one in deleted {
            w.element("Deleted", |w| {
                names.write(w, "Key", one.key.as_bytes());
                if let Some(version) = one.version {
                    w.text("VersionId", version);
                }
                let marker = match one.outcome {
                    DeleteOutcome::MarkerMade(version) => Some(text(version)),
                    DeleteOutcome::VersionRemoved { was_marker: true } => {
                        one.version.map(|version| version.to_string())
                    }
                    DeleteOutcome::VersionRemoved { was_marker: false } | DeleteOutcome::Deleted => None,
                };
                if let Some(marker) = marker {
                    w.text("DeleteMarker", true);
                    w.text("DeleteMarkerVersionId", marker);
                }
            });
        }
    })
}
