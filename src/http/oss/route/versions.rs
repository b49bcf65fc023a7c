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
