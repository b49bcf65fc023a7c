//! From method, bucket, key and query to one operation. Pure.
//!
//! A query name that OSS knows never falls through to the plain operation: a `PUT ?acl` that overwrites the object is the
//! classic way to lose data. So every sub-resource stands in one of two tables, built or not built; what stands in
//! neither is ignored, as the public service does it.

use std::cmp::Ordering;
use std::sync::LazyLock;

use http::Method;

use super::error::OssError;
use super::operation::{
    ListBucketsQuery, ListLiveChannelQuery, ListObjectsQuery, ListObjectsV2Query, MAX_KEYS_DEFAULT, OssOperation,
    Query, SettingName, VodRange, read_continuation_token,
};
use crate::live::channel;
use crate::store::{BucketName, ChannelName, ObjectKey, VersionName};

/// Longest key of this dialect in bytes. (S3 allows one more.)
pub const OBJECT_NAME_BYTES_MAX: usize = 1023;

/// Sub-resources of OSS that this build does not have: 501, whatever the method.
const NOT_BUILT: &[&str] = &[
    "accessMonitor",
    "accessPoint",
    "accessPointPolicy",
    "accessmonitor",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "cname",
    "cnameTokens",
    "group",
    "httpsConfig",
    "img",
    "inventory",
    "inventoryId",
    "link",
    "metaQuery",
    "objectInfo",
    "objectWorm",
    "processConfiguration",
    "qos",
    "qosInfo",
    "qosRequester",
    "redundancyTransition",
    "regionList",
    "replication",
    "replicationLocation",
    "replicationProgress",
    "requesterQosInfo",
    "resourceGroup",
    "resourcePool",
    "resourcePoolBuckets",
    "resourcePoolInfo",
    "sealAppend",
    "style",
    "styleName",
    "udf",
    "udfApplication",
    "udfApplicationLog",
    "udfId",
    "udfImage",
    "udfImageDesc",
    "udfName",
    "userDefinedLogFieldsConfig",
    "worm",
    "wormExtend",
    "wormId",
    "x-oss-async-process",
    "x-oss-write-get-object-response",
];

/// Sub-resources that select an operation, with the methods they take on a bucket and on a key. An empty list means
/// that the sub-resource has no meaning there.
const BUILT: &[(&str, &str, &str)] = &[
    ("live", "GET, PUT, DELETE", "GET, PUT, DELETE"),
    ("vod", "GET, POST", "GET, POST"),
    ("acl", "GET, PUT", "GET, PUT"),
    ("cors", "GET, PUT, DELETE", ""),
    ("lifecycle", "GET, PUT, DELETE", ""),
    ("tagging", "GET, PUT, DELETE", "GET, PUT, DELETE"),
    ("policy", "GET, PUT, DELETE", ""),
    ("policyStatus", "GET", ""),
    ("location", "GET", ""),
    ("bucketInfo", "GET", ""),
    ("stat", "GET", ""),
    ("versioning", "GET, PUT", ""),
    ("versions", "GET", ""),
    ("delete", "POST", ""),
    ("append", "", "POST"),
    ("uploads", "GET", "POST"),
    ("uploadId", "", "GET, PUT, POST, DELETE"),
    ("objectMeta", "", "HEAD, GET"),
    ("website", "GET, PUT, DELETE", ""),
    ("referer", "GET, PUT", ""),
    ("logging", "GET, PUT, DELETE", ""),
    ("encryption", "GET, PUT, DELETE", ""),
    ("requestPayment", "GET, PUT", ""),
    ("transferAcceleration", "GET, PUT", ""),
    ("publicAccessBlock", "GET, PUT, DELETE", ""),
    ("symlink", "", "GET, PUT"),
    ("restore", "", "POST"),
];

fn setting_name(sub_resource: &str) -> Option<SettingName> {
    Some(match sub_resource {
        "website" => SettingName::Website,
        "referer" => SettingName::Referer,
        "logging" => SettingName::Logging,
        "encryption" => SettingName::Encryption,
        "requestPayment" => SettingName::RequestPayment,
        "transferAcceleration" => SettingName::TransferAcceleration,
        "publicAccessBlock" => SettingName::PublicAccessBlock,
        _ => return None,
    })
}

/// The one sub-resource of the service itself.
const REGIONS: &str = "regions";

fn by_length(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Whether a query names a sub-resource, built or not.
pub fn names_sub_resource(query: &Query) -> bool {
    // By length, then in order: to find a name among so few costs less than to hash it.
    static NAMES: LazyLock<Vec<&[u8]>> = LazyLock::new(|| {
        let built = BUILT.iter().map(|(name, ..)| name.as_bytes());
        let mut names: Vec<_> = NOT_BUILT.iter().map(|name| name.as_bytes()).chain(built).collect();
        names.sort_unstable_by(|a, b| by_length(a, b));
        names
    });
    query.pairs().iter().any(|(name, _)| NAMES.binary_search_by(|known| by_length(known, name)).is_ok())
}

/// One reading of a request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The bucket's name as asked; `None` is the service.
    pub bucket: Option<&'a str>,
    /// The key, percent-decoded; empty is the bucket.
    pub key: &'a [u8],
    /// `x-oss-copy-source`, which makes a PUT a copy.
    pub copy_source: Option<&'a [u8]>,
}

/// The operation that a request asks for, its arguments valid; or what is wrong with its shape.
pub fn route(method: &Method, target: Target<'_>, query: &Query) -> Result<OssOperation, OssError> {
    let operation = select(method, target, query)?;
    versions::check_version_id(&operation, query)?;
    Ok(operation)
}

fn select(method: &Method, target: Target<'_>, query: &Query) -> Result<OssOperation, OssError> {
    // What a signed URL carries is in none of the tables, and is seen to be by one look at each name.
    let names_any = names_sub_resource(query);
    if let Some(name) = NOT_BUILT.iter().filter(|_| names_any).find(|name| query.has(name)) {
        return Err(OssError::not_implemented(name));
    }
    let Some(bucket) = target.bucket else { return route_service(method, query) };
    if BucketName::new(bucket).is_none() {
        return Err(OssError::invalid_bucket_name(bucket));
    }
    // An argument of `uploadId`; of a plain object it would read or write one part.
    if query.has("partNumber") && !query.has("uploadId") {
        return Err(match *method {
            Method::PUT => OssError::missing_argument("uploadId"),
            _ => OssError::not_implemented("partNumber"),
        });
    }
    let mut selected = BUILT.iter().filter(|(name, ..)| names_any && query.has(name));
    let sub_resource = selected.next();
    if let (Some((first, ..)), Some((second, ..))) = (sub_resource, selected.next()) {
        return Err(OssError::invalid_argument("Conflicting query parameters.", first, second));
    }
    if query.has(REGIONS) {
        let what = if target.key.is_empty() { "a bucket" } else { "an object" };
        return Err(OssError::invalid_argument("The sub-resource does not apply here.", REGIONS, what));
    }
    let on_key = !target.key.is_empty();
    if let Some((name, bucket_methods, key_methods)) = sub_resource {
        let methods = if on_key { key_methods } else { bucket_methods };
        if methods.is_empty() {
            let what = if on_key { "an object" } else { "a bucket" };
            return Err(OssError::invalid_argument("The sub-resource does not apply here.", name, what));
        }
        if !methods.split(", ").any(|allowed| allowed == method.as_str()) {
            return Err(OssError::method_not_allowed(method.as_str(), methods));
        }
    }
    match (sub_resource.map(|(name, ..)| *name), on_key) {
        (Some("live"), _) => route_live(method, target.key, query),
        (Some("vod"), _) => route_vod(method, target.key, query),
        (sub_resource, false) => route_bucket(method, bucket, sub_resource, query),
        (sub_resource, true) => route_object(method, target, sub_resource, query),
    }
}

fn route_service(method: &Method, query: &Query) -> Result<OssOperation, OssError> {
    // Of all buckets of an account at once.
    if query.has("publicAccessBlock") {
        return Err(OssError::not_implemented("publicAccessBlock"));
    }
    if *method != Method::GET {
        return Err(OssError::method_not_allowed(method.as_str(), "GET"));
    }
    if let Some((name, ..)) = BUILT.iter().find(|(name, ..)| query.has(name)) {
        return Err(OssError::invalid_argument("The sub-resource does not apply here.", name, "the service"));
    }
    if query.has(REGIONS) {
        let wanted = query.text(REGIONS).filter(|region| !region.is_empty());
        return Ok(OssOperation::DescribeRegions(wanted.map(|region| region.into_owned())));
    }
    let paged = ["prefix", "marker", "max-keys"].iter().any(|name| query.has(name));
    Ok(OssOperation::ListBuckets(ListBucketsQuery {
        prefix: text(query, "prefix"),
        marker: text(query, "marker"),
        max_keys: max_keys(query)?,
        paged,
    }))
}

fn route_bucket(
    method: &Method,
    bucket: &str,
    sub_resource: Option<&'static str>,
    query: &Query,
) -> Result<OssOperation, OssError> {
    if query.filled("x-oss-process").is_some() {
        return Err(OssError::not_implemented("x-oss-process"));
    }
    if let Some(setting) = sub_resource.and_then(setting_name) {
        return Ok(match *method {
            Method::GET => OssOperation::GetBucketSetting(setting),
            Method::PUT => OssOperation::PutBucketSetting(setting),
            // Another method is none of those in the table.
            _ => OssOperation::DeleteBucketSetting(setting),
        });
    }
    match (method.as_str(), sub_resource) {
        ("GET", Some("acl")) => Ok(OssOperation::GetBucketAcl),
        ("PUT", Some("acl")) => Ok(OssOperation::PutBucketAcl),
        ("GET", Some("cors")) => Ok(OssOperation::GetBucketCors),
        ("PUT", Some("cors")) => Ok(OssOperation::PutBucketCors),
        ("DELETE", Some("cors")) => Ok(OssOperation::DeleteBucketCors),
        ("GET", Some("lifecycle")) => Ok(OssOperation::GetBucketLifecycle),
        ("PUT", Some("lifecycle")) => Ok(OssOperation::PutBucketLifecycle),
        ("DELETE", Some("lifecycle")) => Ok(OssOperation::DeleteBucketLifecycle),
        ("GET", Some("policy")) => Ok(OssOperation::GetBucketPolicy),
        ("PUT", Some("policy")) => Ok(OssOperation::PutBucketPolicy),
        ("DELETE", Some("policy")) => Ok(OssOperation::DeleteBucketPolicy),
        ("GET", Some("policyStatus")) => Ok(OssOperation::GetBucketPolicyStatus),
        ("GET", Some("tagging")) => Ok(OssOperation::GetBucketTags),
        ("PUT", Some("tagging")) => Ok(OssOperation::PutBucketTags),
        ("DELETE", Some("tagging")) => Ok(OssOperation::DeleteBucketTags),
        ("GET", Some("location")) => Ok(OssOperation::GetBucketLocation),
        ("GET", Some("stat")) => Ok(OssOperation::GetBucketStat),
        ("GET", Some("bucketInfo")) => Ok(OssOperation::GetBucketInfo),
        ("GET", Some("versioning")) => Ok(OssOperation::GetBucketVersioning),
        ("PUT", Some("versioning")) => Ok(OssOperation::PutBucketVersioning),
        ("GET", Some("versions")) => versions::route_list_versions(query),
        ("GET", Some("uploads")) => multipart::route_list_uploads(query),
        ("POST", Some("delete")) => Ok(OssOperation::DeleteMultipleObjects { url_encoding: url_encoding(query)? }),
        ("GET", None) => route_list(query),
        // Names with dots come from S3 alone.
        ("PUT", None) if bucket.contains('.') => Err(OssError::invalid_bucket_name(bucket)),
        ("PUT", None) => Ok(OssOperation::PutBucket),
        ("DELETE", None) => Ok(OssOperation::DeleteBucket),
        ("POST", None) => Ok(OssOperation::PostObject),
        ("HEAD", None) => Ok(OssOperation::HeadBucket),
        _ => Err(OssError::method_not_allowed(method.as_str(), "GET, PUT, DELETE, POST")),
    }
}

fn route_list(query: &Query) -> Result<OssOperation, OssError> {
    let bytes = |name| query.get(name).unwrap_or_default().to_vec();
    let page = max_keys(query)?.unwrap_or(MAX_KEYS_DEFAULT);
    match query.filled("list-type") {
        None | Some(b"1") => Ok(OssOperation::ListObjects(ListObjectsQuery {
            prefix: bytes("prefix"),
            delimiter: bytes("delimiter"),
            marker: bytes("marker"),
            max_keys: page,
            url_encoding: url_encoding(query)?,
        })),
        Some(b"2") => Ok(OssOperation::ListObjectsV2(ListObjectsV2Query {
            prefix: bytes("prefix"),
            delimiter: bytes("delimiter"),
            start_after: bytes("start-after"),
            continuation: query.filled("continuation-token").map(read_token).transpose()?,
            max_keys: page,
            url_encoding: url_encoding(query)?,
            fetch_owner: query.get("fetch-owner").is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
        })),
        Some(_) => Err(bad_argument(query, "list-type", "The list-type must be 1 or 2.")),
    }
}

fn read_token(token: &[u8]) -> Result<(String, Vec<u8>), OssError> {
    let text = String::from_utf8_lossy(token);
    match read_continuation_token(token) {
        Some(after) => Ok((text.into_owned(), after)),
        None => Err(OssError::invalid_argument("The continuation token is incorrect.", "continuation-token", &text)),
    }
}

fn route_object(
    method: &Method,
    target: Target<'_>,
    sub_resource: Option<&'static str>,
    query: &Query,
) -> Result<OssOperation, OssError> {
    let key = object_key(target.key)?;
    let process = query.filled("x-oss-process");
    if process.is_some_and(|process| process != b"hls/sign") {
        return Err(OssError::not_implemented("x-oss-process"));
    }
    match (method.as_str(), sub_resource) {
        ("GET", Some("acl")) => Ok(OssOperation::GetObjectAcl(key)),
        ("PUT", Some("acl")) => Ok(OssOperation::PutObjectAcl(key)),
        ("GET", Some("tagging")) => Ok(OssOperation::GetObjectTagging(key)),
        ("PUT", Some("tagging")) => Ok(OssOperation::PutObjectTagging(key)),
        ("DELETE", Some("tagging")) => Ok(OssOperation::DeleteObjectTagging(key)),
        ("GET" | "HEAD", Some("objectMeta")) => Ok(OssOperation::GetObjectMeta(key)),
        ("GET", Some("symlink")) => Ok(OssOperation::GetSymlink(key)),
        ("PUT", Some("symlink")) => Ok(OssOperation::PutSymlink(key)),
        ("POST", Some("restore")) => Ok(OssOperation::RestoreObject(key)),
        ("POST", Some("uploads")) => {
            Ok(OssOperation::InitiateMultipartUpload { key, url_encoding: url_encoding(query)? })
        }
        (_, Some("uploadId")) => multipart::route_upload(method, key, target.copy_source, query),
        ("POST", Some("append")) => Ok(OssOperation::AppendObject { key, position: position(query)? }),
        ("GET", None) if process.is_some() => Ok(OssOperation::GetObjectHlsSigned(key)),
        ("GET", None) => Ok(OssOperation::GetObject(key)),
        ("HEAD", None) => Ok(OssOperation::HeadObject(key)),
        (_, _) if process.is_some() => Err(OssError::not_implemented("x-oss-process")),
        ("PUT", None) => match target.copy_source {
            Some(source) => copy_object(key, source),
            None => Ok(OssOperation::PutObject(key)),
        },
        ("DELETE", None) => Ok(OssOperation::DeleteObject(key)),
        _ => Err(OssError::method_not_allowed(method.as_str(), "GET, HEAD, PUT, DELETE")),
    }
}

/// 1 to 1023 bytes of UTF-8 that do not begin with a slash or a backslash. Nothing is ever normalised.
pub(super) fn object_key(bytes: &[u8]) -> Result<ObjectKey, OssError> {
    let valid = bytes.len() <= OBJECT_NAME_BYTES_MAX
        && !matches!(bytes.first(), Some(b'/' | b'\\'))
        && std::str::from_utf8(bytes).is_ok();
    ObjectKey::new(bytes).filter(|_| valid).ok_or_else(|| OssError::invalid_object_name(bytes))
}

fn copy_object(key: ObjectKey, source: &[u8]) -> Result<OssOperation, OssError> {
    let (source_bucket, source_key, source_version) = copy_source(source)?;
    Ok(OssOperation::CopyObject { key, source_bucket, source_key, source_version })
}

/// `x-oss-copy-source`: `/bucket/key`, URL-encoded, slashes perhaps too, the first slash optional; behind it perhaps
/// `?versionId=`, whose question mark is not encoded.
fn copy_source(source: &[u8]) -> Result<(BucketName, ObjectKey, Option<VersionName>), OssError> {
    let shown = String::from_utf8_lossy(source);
    let invalid = || {
        let message = "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.";
        OssError::invalid_argument(message, "x-oss-copy-source", &shown)
    };
    const ARGUMENT: &[u8] = b"?versionId=";
    let source = source.trim_ascii();
    let (path, version) = match source.windows(ARGUMENT.len()).rposition(|part| part == ARGUMENT) {
        None => (source, None),
        Some(at) => {
            let version = versions::version(&source[at + ARGUMENT.len()..]);
            let invalid = || OssError::invalid_argument("Invalid version id specified.", "x-oss-copy-source", &shown);
            (&source[..at], Some(version.ok_or_else(invalid)?))
        }
    };
    let decoded: Vec<u8> = percent_encoding::percent_decode(path).collect();
    let path = decoded.strip_prefix(b"/").unwrap_or(&decoded);
    let slash = path.iter().position(|b| *b == b'/').ok_or_else(invalid)?;
    let bucket = std::str::from_utf8(&path[..slash]).ok().and_then(BucketName::new);
    Ok((bucket.ok_or_else(invalid)?, object_key(&path[slash + 1..]).map_err(|_| invalid())?, version))
}

fn position(query: &Query) -> Result<u64, OssError> {
    let value = query.filled("position").ok_or_else(OssError::position_missing)?;
    digits(value).ok_or_else(|| OssError::position_invalid(&String::from_utf8_lossy(value)))
}

// ---- live channels -------------------------------------------------------------------------------------------

fn route_live(method: &Method, key: &[u8], query: &Query) -> Result<OssOperation, OssError> {
    let comp = query.text("comp").unwrap_or_default();
    let name = || channel::channel_name(key).map_err(|error| OssError::from_channel_name(error, key));
    match (method.as_str(), comp.as_ref()) {
        ("GET", "") if key.is_empty() => route_list_channels(query),
        ("GET", "") => Ok(OssOperation::GetLiveChannelInfo(name()?)),
        ("GET", "stat") => Ok(OssOperation::GetLiveChannelStat(name()?)),
        ("GET", "history") => Ok(OssOperation::GetLiveChannelHistory(name()?)),
        ("GET", _) => Err(OssError::invalid_comp(&comp)),
        // Without a channel these end here, never as PutBucket or DeleteBucket.
        ("DELETE", _) => Ok(OssOperation::DeleteLiveChannel(name()?)),
        _ => match query.text("status") {
            None => Ok(OssOperation::PutLiveChannel(name()?)),
            Some(status) => {
                let (name, invalid) = (name()?, OssError::invalid_channel_status(&status));
                Ok(OssOperation::PutLiveChannelStatus(name, channel::status(&status).ok_or(invalid)?))
            }
        },
    }
}

fn route_list_channels(query: &Query) -> Result<OssOperation, OssError> {
    const NAME_BYTES_MAX: usize = 1024;
    let name = |parameter: &str, error: fn(&str) -> OssError| {
        let value = query.get(parameter).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(text) if value.len() <= NAME_BYTES_MAX => Ok(text.to_owned()),
            _ => Err(error(&String::from_utf8_lossy(value))),
        }
    };
    let max_keys = match query.filled("max-keys") {
        None => MAX_KEYS_DEFAULT,
        Some(value) => {
            page_size(value).ok_or_else(|| OssError::invalid_channel_max_keys(&String::from_utf8_lossy(value)))?
        }
    };
    Ok(OssOperation::ListLiveChannel(ListLiveChannelQuery {
        prefix: name("prefix", OssError::invalid_channel_prefix)?,
        marker: name("marker", OssError::invalid_channel_marker)?,
        max_keys,
    }))
}

fn route_vod(method: &Method, key: &[u8], query: &Query) -> Result<OssOperation, OssError> {
    if *method == Method::GET {
        return Ok(OssOperation::GetVodPlaylist(vod_channel(key)?, vod_range(query)?));
    }
    // The separating slash may have come encoded; a channel's name has none, so the last one separates.
    let (name, playlist) = match key.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&key[..slash], &key[slash + 1..]),
        None => (key, &[][..]),
    };
    let channel = vod_channel(name)?;
    let range = vod_range(query)?;
    Ok(OssOperation::PostVodPlaylist { channel, playlist_name: vod_playlist_name(playlist)?, range })
}

fn vod_channel(name: &[u8]) -> Result<ChannelName, OssError> {
    channel::channel_name(name).map_err(|_| OssError::invalid_vod_channel(name))
}

/// A name without an extension is taken as `.m3u8`; one with another extension is refused.
fn vod_playlist_name(bytes: &[u8]) -> Result<String, OssError> {
    let shown = String::from_utf8_lossy(bytes);
    let invalid = || OssError::invalid_vod_playlist_name(&shown);
    let mut name = std::str::from_utf8(bytes).map_err(|_| invalid())?.to_owned();
    if !name.is_empty() && !name.contains('.') {
        name.push_str(".m3u8");
    }
    channel::check_playlist_name(&name).map_err(|_| invalid())?;
    Ok(name)
}

fn vod_range(query: &Query) -> Result<VodRange, OssError> {
    const DAY: i64 = 86_400;
    let time = |name: &str, error: fn(&str) -> OssError| {
        let value = query.get(name).unwrap_or_default();
        unix_time(value).ok_or_else(|| error(&String::from_utf8_lossy(value)))
    };
    let start = time("startTime", OssError::invalid_start_time)?;
    let end = time("endTime", OssError::invalid_end_time)?;
    if start >= end {
        return Err(OssError::start_not_before_end(start));
    }
    if end - start > DAY {
        return Err(OssError::vod_span_too_long(end - start));
    }
    Ok(VodRange { start, end })
}

// ---- arguments -----------------------------------------------------------------------------------------------

/// Digits only, no sign.
fn digits(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Seconds since the epoch up to the end of the year 9999, so that no sum of times overflows.
fn unix_time(value: &[u8]) -> Option<i64> {
    const LAST: u64 = 253_402_300_799;
    digits(value).filter(|seconds| *seconds <= LAST)?.try_into().ok()
}

fn page_size(value: &[u8]) -> Option<usize> {
    digits(value)?.try_into().ok().filter(|size| (1..=1_000).contains(size))
}

/// `None` when nothing is said; the name alone says nothing.
fn max_keys(query: &Query) -> Result<Option<usize>, OssError> {
    let Some(value) = query.filled("max-keys") else { return Ok(None) };
    match page_size(value) {
        Some(size) => Ok(Some(size)),
        None => Err(bad_argument(query, "max-keys", "Argument max-keys must be an integer between 1 and 1000.")),
    }
}

fn url_encoding(query: &Query) -> Result<bool, OssError> {
    match query.filled("encoding-type") {
        None => Ok(false),
        Some(b"url") => Ok(true),
        Some(_) => Err(bad_argument(query, "encoding-type", "Invalid Encoding Method specified in Request.")),
    }
}

fn bad_argument(query: &Query, name: &str, message: &str) -> OssError {
    OssError::invalid_argument(message, name, &text(query, name))
}

fn text(query: &Query, name: &str) -> String {
    query.text(name).unwrap_or_default().into_owned()
}

mod multipart;
#[cfg(test)]
mod tests;
mod versions;
