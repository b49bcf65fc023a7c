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
                    DeleteOutcome::VersionRemoved { was_marker: false }
                    | DeleteOutcome::Deleted
                    | DeleteOutcome::Locked => None,
                };
                if let Some(marker) = marker {
                    w.text("DeleteMarker", true);
                    w.text("DeleteMarkerVersionId", marker);
                }
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bucket, check};
    use super::*;
    use crate::clock::Wall;
    use crate::store::{Acl, DeleteMarker, ETag, ObjectKind, ObjectSummary, StorageClass};

    fn key(text: &str) -> ObjectKey {
        ObjectKey::new(text).expect("valid")
    }

    #[test]
    fn versioning_reads_back_as_it_was_rendered() {
        check(versioning_configuration(Versioning::Never), "<VersioningConfiguration></VersioningConfiguration>");
        for (versioning, status) in [(Versioning::Enabled, "Enabled"), (Versioning::Suspended, "Suspended")] {
            let document = versioning_configuration(versioning);
            check(
                document.clone(),
                &format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"),
            );
            assert_eq!(read_versioning_configuration(&document), Ok(versioning));
        }
        for wrong in ["", "<VersioningConfiguration/>", "<Versioning><Status>Enabled</Status></Versioning>"] {
            assert_eq!(read_versioning_configuration(wrong.as_bytes()), Err(OssError::malformed_xml()), "{wrong}");
        }
        let other = "<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>";
        assert_eq!(read_versioning_configuration(other.as_bytes()), Err(OssError::malformed_xml()));
    }

    #[test]
    fn objects_and_markers_stand_as_they_follow_one_another() {
        let summary = ObjectSummary {
            key: key("a+b"),
            kind: ObjectKind::Normal,
            size: 5,
            etag: ETag { digest: [0xab; 16], parts: None },
            checksum: None,
            restored_until: None,
            storage_class: StorageClass::Standard,
            last_modified: Wall(1_000),
        };
        let marker = DeleteMarker { version: Some(VersionId(0xab)), last_modified: Wall(2_000) };
        let entries = vec![
            VersionEntry::Marker { key: key("a+b"), marker, is_latest: true },
            VersionEntry::Object { summary, version: None, is_latest: false },
            VersionEntry::Prefix(b"c/".to_vec()),
        ];
        let page = Page { entries, truncated: true };
        let query = ListVersionsQuery {
            delimiter: b"/".to_vec(),
            key_marker: b"a a".to_vec(),
            version_id_marker: Some(VersionName::Null),
            max_keys: 3,
            url_encoding: true,
            ..ListVersionsQuery::default()
        };
        check(
            list_versions(&bucket(Acl::Private), &query, &page),
            "<ListVersionsResult>
               <Name>examplebucket</Name><Prefix></Prefix><KeyMarker>a%20a</KeyMarker>
               <VersionIdMarker>null</VersionIdMarker><MaxKeys>3</MaxKeys><Delimiter>/</Delimiter>
               <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
               <NextKeyMarker>c/</NextKeyMarker><NextVersionIdMarker></NextVersionIdMarker>
               <DeleteMarker>
                 <Key>a%2Bb</Key><LastModified>1970-01-01T00:00:02.000Z</LastModified>
                 <VersionId>000000000000000000000000000000AB</VersionId><IsLatest>true</IsLatest>
                 <Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>
               </DeleteMarker>
               <Version>
                 <Key>a%2Bb</Key><LastModified>1970-01-01T00:00:01.000Z</LastModified>
                 <ETag>\"ABABABABABABABABABABABABABABABAB\"</ETag><Type>Normal</Type><Size>5</Size>
                 <StorageClass>Standard</StorageClass><VersionId>null</VersionId><IsLatest>false</IsLatest>
                 <Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>
               </Version>
               <CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>
             </ListVersionsResult>",
        );
        let empty = Page { entries: Vec::new(), truncated: false };
        check(
            list_versions(
                &bucket(Acl::Private),
                &ListVersionsQuery { max_keys: 100, ..ListVersionsQuery::default() },
                &empty,
            ),
            "<ListVersionsResult>
               <Name>examplebucket</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>
               <MaxKeys>100</MaxKeys><Delimiter></Delimiter><IsTruncated>false</IsTruncated>
             </ListVersionsResult>",
        );
    }

    #[test]
    fn a_delete_says_what_became_of_each_version() {
        let one = |version, outcome| Deleted { key: key("k"), version, outcome };
        let id = Some(VersionName::Id(VersionId(0xab)));
        let deleted = [
            one(None, DeleteOutcome::MarkerMade(Some(VersionId(0xcd)))),
            one(None, DeleteOutcome::MarkerMade(None)),
            one(id, DeleteOutcome::VersionRemoved { was_marker: false }),
            one(Some(VersionName::Null), DeleteOutcome::VersionRemoved { was_marker: true }),
        ];
        check(
            delete_result(&deleted, false),
            "<DeleteResult>
               <Deleted><Key>k</Key><DeleteMarker>true</DeleteMarker>
                 <DeleteMarkerVersionId>000000000000000000000000000000CD</DeleteMarkerVersionId></Deleted>
               <Deleted><Key>k</Key><DeleteMarker>true</DeleteMarker>
                 <DeleteMarkerVersionId>null</DeleteMarkerVersionId></Deleted>
               <Deleted><Key>k</Key><VersionId>000000000000000000000000000000AB</VersionId></Deleted>
               <Deleted><Key>k</Key><VersionId>null</VersionId><DeleteMarker>true</DeleteMarker>
                 <DeleteMarkerVersionId>null</DeleteMarkerVersionId></Deleted>
             </DeleteResult>",
        );
    }
}
