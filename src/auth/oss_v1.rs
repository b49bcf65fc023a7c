//! OSS signature version 1: HMAC-SHA1 over verb, content headers, date, `x-oss-*` headers and the canonical resource.
//!
//! The same string serves the `Authorization` header and signed URLs, where `Expires` stands in the date's line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SignedRequest, encode_query, hmac_sha1, push_headers, same};

/// How widely known a sub-resource is among client libraries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Every library signs it. Whatever this service acts on must be here: a name that a verifier may skip could be
    /// added to a signed URL by anybody.
    Always,
    /// Libraries of different age disagree; the service does not act on it.
    Later,
}

use Known::{Always, Later};

/// Query names that take part in the signature, in byte order. Names that begin with `x-oss-` are judged by their prefix.
const SUB_RESOURCES: &[(&str, Known)] = &[
    ("accessPoint", Later),
    ("accessPointPolicy", Later),
    ("acl", Always),
    ("append", Always),
    ("asyncFetch", Always),
    ("bucketArchiveDirectRead", Later),
    ("bucketInfo", Always),
    ("callback", Always),
    ("callback-var", Always),
    ("cname", Always),
    ("comp", Always),
    ("continuation-token", Always),
    ("cors", Always),
    ("delete", Always),
    ("encryption", Always),
    ("endTime", Always),
    ("group", Later),
    ("httpsConfig", Later),
    ("img", Later),
    ("inventory", Always),
    ("inventoryId", Always),
    ("lifecycle", Always),
    ("link", Later),
    ("live", Always),
    ("location", Always),
    ("logging", Always),
    ("metaQuery", Later),
    ("objectInfo", Later),
    ("objectMeta", Always),
    ("partNumber", Always),
    ("policy", Always),
    ("policyStatus", Always),
    ("position", Always),
    ("publicAccessBlock", Always),
    ("qos", Always),
    ("qosInfo", Always),
    ("qosRequester", Later),
    ("redundancyTransition", Later),
    ("referer", Always),
    ("regionList", Later),
    ("replication", Always),
    ("replicationLocation", Always),
    ("replicationProgress", Always),
    ("requestPayment", Always),
    ("requesterQosInfo", Later),
    ("resourceGroup", Later),
    ("resourcePool", Later),
    ("resourcePoolBuckets", Later),
    ("resourcePoolInfo", Later),
    ("response-cache-control", Always),
    ("response-content-disposition", Always),
    ("response-content-encoding", Always),
    ("response-content-language", Always),
    ("response-content-type", Always),
    ("response-expires", Always),
    ("restore", Always),
    ("security-token", Always),
    ("sequential", Always),
    ("startTime", Always),
    ("stat", Always),
    ("status", Always),
    ("style", Later),
    ("styleName", Later),
    ("symlink", Always),
    ("tagging", Always),
    ("transferAcceleration", Always),
    ("udf", Later),
    ("udfApplication", Later),
    ("udfApplicationLog", Later),
    ("udfId", Later),
    ("udfImage", Later),
    ("udfImageDesc", Later),
    ("udfName", Later),
    ("uploadId", Always),
    ("uploads", Always),
    ("versionId", Always),
    ("versioning", Always),
    ("versions", Always),
    ("vod", Always),
    ("website", Always),
    ("worm", Always),
    ("wormExtend", Always),
    ("wormId", Always),
];

/// Names with the prefix `x-oss-` that every library signs; some sign no other.
const X_OSS_ALWAYS: &[&str] = &["x-oss-async-process", "x-oss-process", "x-oss-traffic-limit"];

/// Which query names take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubResources {
    /// The whole table and every name that begins with `x-oss-`.
    Wide,
    /// Only what libraries of every age sign.
    Core,
}

impl SubResources {
    fn includes(self, name: &[u8]) -> bool {
        let Ok(name) = std::str::from_utf8(name) else { return false };
        if name.starts_with("x-oss-") {
            return self == SubResources::Wide || X_OSS_ALWAYS.contains(&name) || name.starts_with("x-oss-ac-");
        }
        match SUB_RESOURCES.binary_search_by_key(&name, |(known, _)| known) {
            Ok(at) => self == SubResources::Wide || SUB_RESOURCES[at].1 == Always,
            Err(_) => false,
        }
    }
}

/// Names of the table that a verifier may leave out of the signature, so that no operation may come to act on them.
pub fn unsigned_by_some() -> impl Iterator<Item = &'static str> {
    SUB_RESOURCES.iter().filter(|(_, known)| *known == Later).map(|(name, _)| *name)
}

/// What an `Authorization: OSS id:signature` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// Base64.
    pub signature: &'a str,
}

/// Reads an `Authorization` value; `None` when it does not have the form.
pub fn read_authorization(value: &str) -> Option<Credential<'_>> {
    let (access_key_id, signature) = value.strip_prefix("OSS ")?.trim().split_once(':')?;
    let (access_key_id, signature) = (access_key_id.trim(), signature.trim());
    let whole = !access_key_id.is_empty() && !signature.is_empty();
    whole.then_some(Credential { access_key_id, signature })
}

/// The string that is signed. `date` is `x-oss-date`, else `Date`, else (in URLs) `Expires`.
pub fn string_to_sign(request: &SignedRequest<'_>, date: &[u8], names: SubResources) -> Vec<u8> {
    let mut string = Vec::with_capacity(256);
    for line in [request.method.as_bytes(), request.header("content-md5"), request.header("content-type"), date] {
        string.extend_from_slice(line);
        string.push(b'\n');
    }
    push_headers(&mut string, request, |name| name.starts_with("x-oss-"));
    push_resource(&mut string, request, names);
    string
}

fn push_resource(string: &mut Vec<u8>, request: &SignedRequest<'_>, names: SubResources) {
    string.push(b'/');
    if let Some(bucket) = request.bucket {
        string.extend_from_slice(bucket.as_bytes());
        string.push(b'/');
        string.extend_from_slice(request.key);
    }
    let mut pairs: Vec<_> = request.query.iter().filter(|(name, _)| names.includes(name)).collect();
    pairs.sort();
    for (at, (name, value)) in pairs.into_iter().enumerate() {
        string.push(if at == 0 { b'?' } else { b'&' });
        string.extend_from_slice(name);
        if !value.is_empty() {
            string.push(b'=');
            string.extend_from_slice(value);
        }
    }
}

/// Base64 of the HMAC-SHA1.
pub fn signature(secret: &str, string_to_sign: &[u8]) -> String {
    STANDARD.encode(hmac_sha1(secret.as_bytes(), string_to_sign))
}

/// Whether `provided` signs the request. Tries the wide list first; then, unless the request is one on live channels
/// (whose names every library knows), the core that old libraries sign.
pub fn verify(request: &SignedRequest<'_>, date: &[u8], secret: &str, provided: &str) -> bool {
    let matches = |names| same(signature(secret, &string_to_sign(request, date, names)), provided);
    let live = request.query.iter().any(|(name, _)| name == b"live" || name == b"vod");
    matches(SubResources::Wide) || (!live && matches(SubResources::Core))
}

/// The query text of a signed URL: the request's own query, then `OSSAccessKeyId`, `Expires` (seconds since the epoch) and
/// `Signature`.
pub fn sign_url_query(request: &SignedRequest<'_>, access_key_id: &str, secret: &str, expires: i64) -> String {
    let expires = expires.to_string();
    let signature = signature(secret, &string_to_sign(request, expires.as_bytes(), SubResources::Wide));
    let own = request.query.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    encode_query(own.chain([
        (&b"OSSAccessKeyId"[..], access_key_id.as_bytes()),
        (b"Expires", expires.as_bytes()),
        (b"Signature", signature.as_bytes()),
    ]))
}

#[cfg(test)]
mod tests;
