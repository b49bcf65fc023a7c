//! `versions`, and `versionId` as an argument of other operations.

use super::{bad_argument, max_keys, url_encoding};
use crate::http::oss::error::OssError;
use crate::http::oss::operation::{ListVersionsQuery, MAX_KEYS_DEFAULT, OssOperation, Query};
use crate::store::VersionName;

/// Judges `versionId`: an operation that does not take one would do it to the newest version.
pub(super) fn check_version_id(operation: &OssOperation, query: &Query) -> Result<(), OssError> {
    let Some(value) = query.get("versionId") else { return Ok(()) };
    if !takes_version(operation) {
        return Err(bad_argument(query, "versionId", "The versionId does not apply here."));
    }
    version(value).map(drop).ok_or_else(|| bad_argument(query, "versionId", "Invalid version id specified."))
}

fn takes_version(operation: &OssOperation) -> bool {
    use OssOperation as Op;
    matches!(
        operation,
        Op::GetObject(_)
            | Op::GetObjectHlsSigned(_)
            | Op::HeadObject(_)
            | Op::GetObjectMeta(_)
            | Op::DeleteObject(_)
            | Op::GetObjectAcl(_)
            | Op::PutObjectAcl(_)
            | Op::GetObjectTagging(_)
            | Op::PutObjectTagging(_)
            | Op::DeleteObjectTagging(_)
            // `oss2` repeats the source's version there.
            | Op::UploadPartCopy { .. }
            | Op::GetSymlink(_)
            | Op::RestoreObject(_)
    )
}

pub(super) fn version(value: &[u8]) -> Option<VersionName> {
    VersionName::parse(std::str::from_utf8(value).ok()?)
}

pub(super) fn route_list_versions(query: &Query) -> Result<OssOperation, OssError> {
    let bytes = |name| query.get(name).unwrap_or_default().to_vec();
    let key_marker = bytes("key-marker");
    let version_id_marker = match query.filled("version-id-marker") {
        None => None,
        Some(_) if key_marker.is_empty() => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(bad_argument(query, "version-id-marker", message));
        }
        Some(value) => Some(
            version(value)
                .ok_or_else(|| bad_argument(query, "version-id-marker", "Invalid version id marker specified."))?,
        ),
    };
    Ok(OssOperation::ListObjectVersions(ListVersionsQuery {
        prefix: bytes("prefix"),
        delimiter: bytes("delimiter"),
        key_marker,
        version_id_marker,
        max_keys: max_keys(query)?.unwrap_or(MAX_KEYS_DEFAULT),
        url_encoding: url_encoding(query)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{go, go_with, key};
    use super::*;
    use crate::store::{BucketName, VersionId};

    const ID: &str = "0004B9895DBBB6EC98E36A0000000001";
    const NAME: VersionName = VersionName::Id(VersionId(0x0004_B989_5DBB_B6EC_98E3_6A00_0000_0001));

    #[test]
    fn versioning_and_version_listings() {
        use OssOperation::*;
        let all = ListVersionsQuery { max_keys: 100, ..ListVersionsQuery::default() };
        for (line, operation) in [
            ("GET /bucket/?versioning", GetBucketVersioning),
            ("PUT /bucket?versioning=", PutBucketVersioning),
            ("GET /bucket/?versions", ListObjectVersions(all.clone())),
            ("GET /bucket/?versions=&max-keys=&key-marker&version-id-marker", ListObjectVersions(all)),
            (
                &format!(
                    "GET /bucket/?prefix=a%2F&versions&delimiter=%2F&key-marker=a+b&version-id-marker={ID}&max-keys=7\
                     &encoding-type=url"
                ),
                ListObjectVersions(ListVersionsQuery {
                    prefix: b"a/".to_vec(),
                    delimiter: b"/".to_vec(),
                    key_marker: b"a b".to_vec(),
                    version_id_marker: Some(NAME),
                    max_keys: 7,
                    url_encoding: true,
                }),
            ),
            (
                "GET /bucket/?versions&key-marker=a&version-id-marker=null",
                ListObjectVersions(ListVersionsQuery {
                    key_marker: b"a".to_vec(),
                    version_id_marker: Some(VersionName::Null),
                    max_keys: 100,
                    ..ListVersionsQuery::default()
                }),
            ),
        ] {
            assert_eq!(go(line), Ok(operation), "{line}");
        }
        for (line, status, code) in [
            ("DELETE /bucket/?versioning", 405, "MethodNotAllowed"),
            ("PUT /bucket/?versions", 405, "MethodNotAllowed"),
            ("GET /bucket/k?versioning", 400, "InvalidArgument"),
            ("PUT /bucket/k?versioning", 400, "InvalidArgument"),
            ("GET /bucket/k?versions", 400, "InvalidArgument"),
            ("GET /?versions", 400, "InvalidArgument"),
            ("GET /bucket/?versions&version-id-marker=null", 400, "InvalidArgument"),
            ("GET /bucket/?versions&key-marker=a&version-id-marker=x", 400, "InvalidArgument"),
            ("GET /bucket/?versions&max-keys=1001", 400, "InvalidArgument"),
        ] {
            let refused = go(line).map_err(|error| (error.status.as_u16(), error.code));
            assert_eq!(refused, Err((status, code)), "{line}");
        }
    }

    #[test]
    fn a_version_is_named_where_it_means_something_and_refused_elsewhere() {
        for line in [
            "GET /bucket/k",
            "HEAD /bucket/k",
            "DELETE /bucket/k",
            "HEAD /bucket/k?objectMeta",
            "GET /bucket/k?acl",
            "PUT /bucket/k?acl",
            "GET /bucket/k?tagging",
            "PUT /bucket/k?tagging",
            "DELETE /bucket/k?tagging",
            "GET /bucket/k.m3u8?x-oss-process=hls%2Fsign",
        ] {
            let with = |id: &str| go(&format!("{line}{}versionId={id}", if line.contains('?') { '&' } else { '?' }));
            assert_eq!(with(ID), go(line), "{line}");
            assert_eq!(with("null"), go(line), "{line}");
            for wrong in ["", "0", "undefined", "NULL"] {
                assert_eq!(with(wrong).map_err(|error| error.code), Err("InvalidArgument"), "{line} {wrong}");
            }
        }
        for line in [
            "PUT /bucket/k?versionId=null",
            "POST /bucket/k?append&position=0&versionId=null",
            "POST /bucket/k?uploads&versionId=null",
            "GET /bucket/?versionId=null",
            "GET /bucket/?versions&versionId=null",
            "DELETE /bucket/?versionId=null",
            "PUT /bucket/c?live&versionId=null",
        ] {
            assert_eq!(go(line).map_err(|error| error.code), Err("InvalidArgument"), "{line}");
        }
    }

    #[test]
    fn a_copy_may_name_the_version_of_its_source() {
        let copy = |source: &str| go_with("PUT /bucket/k", Some(source.as_bytes()));
        let expected = |source_key: &str, source_version| {
            let source_bucket = BucketName::new("source").expect("valid");
            Ok(OssOperation::CopyObject { key: key("k"), source_bucket, source_key: key(source_key), source_version })
        };
        assert_eq!(copy(&format!("/source/a/b?versionId={ID}")), expected("a/b", Some(NAME)));
        assert_eq!(copy("source/a%20b?versionId=null"), expected("a b", Some(VersionName::Null)));
        assert_eq!(
            copy("/source/a%3FversionId=null"),
            expected("a?versionId=null", None),
            "an encoded one is the key's"
        );
        assert_eq!(
            copy("/source/a?versionId=1?versionId=null"),
            expected("a?versionId=1", Some(VersionName::Null)),
            "the last one"
        );
        for wrong in ["/source/k?versionId=1", "/source/k?versionId=", "/source/?versionId=null"] {
            assert_eq!(copy(wrong).map_err(|error| error.code), Err("InvalidArgument"), "{wrong}");
        }
        let part = format!("PUT /bucket/k?partNumber=7&uploadId={ID}");
        let copied = go_with(&part, Some(format!("/source/a?versionId={ID}").as_bytes()));
        assert!(matches!(copied, Ok(OssOperation::UploadPartCopy { source_version: Some(NAME), .. })), "{copied:?}");
    }
}
