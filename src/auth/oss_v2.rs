//! OSS signature version 2 (`OSS2`): HMAC-SHA256 over verb, content headers, date, headers and an encoded resource.
//!
//! As in version 1 one string serves the `Authorization` header and signed URLs, where `x-oss-expires` stands in the
//! date's line. Unlike version 1 it covers every query parameter, and whatever further headers the client names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SignedRequest, encode, encode_query, hmac_sha256, push_canonical_query, push_headers, same};

/// Names the version, in `Authorization` and in URLs.
pub const VERSION: &str = "OSS2";

/// What an `Authorization: OSS2 …` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The access key's id.
    pub access_key_id: String,
    /// Lower-case names in byte order.
    pub additional_headers: Vec<String>,
    /// Base64.
    pub signature: String,
}

/// Reads an `Authorization` value: `OSS2` and fields `name:value` in any order; `None` when it does not have the form.
pub fn read_authorization(value: &str) -> Option<Authorization> {
    let fields = value.strip_prefix(VERSION)?.strip_prefix(' ')?;
    let (mut access_key_id, mut signature, mut additional) = (None, None, "");
    for field in fields.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(':')?;
        match (name.trim(), value.trim()) {
            ("AccessKeyId", text) => access_key_id = Some(text),
            ("Signature", text) => signature = Some(text),
            ("AdditionalHeaders", text) => additional = text,
            // Unknown fields sign nothing and change nothing.
            _ => {}
        }
    }
    Some(Authorization {
        access_key_id: access_key_id.filter(|id| !id.is_empty())?.to_owned(),
        additional_headers: super::read_additional_headers(additional),
        signature: signature.filter(|s| !s.is_empty())?.to_owned(),
    })
}

/// The string that is signed. `date` is `x-oss-date`, else `Date`, or (in URLs) `x-oss-expires`. A query parameter
/// `x-oss-signature` is left out, as it cannot sign itself.
pub fn string_to_sign(request: &SignedRequest<'_>, additional_headers: &[String], date: &[u8]) -> Vec<u8> {
    let mut string = Vec::with_capacity(256);
    for line in [request.method.as_bytes(), request.header("content-md5"), request.header("content-type"), date] {
        string.extend_from_slice(line);
        string.push(b'\n');
    }
    push_headers(&mut string, request, |name| {
        name.starts_with("x-oss-") || additional_headers.iter().any(|additional| additional == name)
    });
    string.extend_from_slice(additional_headers.join(";").as_bytes());
    string.push(b'\n');

    // The resource is one name, its slashes encoded like any other byte.
    let mut resource = b"/".to_vec();
    if let Some(bucket) = request.bucket {
        resource.extend_from_slice(bucket.as_bytes());
        resource.push(b'/');
        resource.extend_from_slice(request.key);
    }
    string.extend_from_slice(encode(&resource).as_bytes());
    string.push(b'?');
    let before = string.len();
    push_canonical_query(&mut string, request);
    if string.len() == before {
        string.pop();
    }
    string
}

/// Base64 of the HMAC-SHA256.
pub fn signature(secret: &str, string_to_sign: &[u8]) -> String {
    STANDARD.encode(hmac_sha256(secret.as_bytes(), string_to_sign))
}

/// Whether `provided` signs the request, header or URL alike.
pub fn verify(
    request: &SignedRequest<'_>,
    additional_headers: &[String],
    date: &[u8],
    secret: &str,
    provided: &str,
) -> bool {
    same(signature(secret, &string_to_sign(request, additional_headers, date)), provided)
}

/// The query text of a signed URL: the request's own query and the `x-oss-*` parameters of the signature. `expires` is in
/// seconds since the epoch.
pub fn sign_url_query(request: &SignedRequest<'_>, access_key_id: &str, secret: &str, expires: i64) -> String {
    let expires = expires.to_string();
    let mut query = request.query.to_vec();
    let mut push = |name: &str, value: &str| query.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    push("x-oss-signature-version", VERSION);
    push("x-oss-expires", &expires);
    push("x-oss-access-key-id", access_key_id);
    let request = SignedRequest { query: &query, ..*request };
    let signature = signature(secret, &string_to_sign(&request, &[], expires.as_bytes()));
    let own = query.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    encode_query(own.chain([(&b"x-oss-signature"[..], signature.as_bytes())]))
}

#[cfg(test)]
mod tests;
