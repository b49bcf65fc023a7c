//! OSS signature version 4: HMAC-SHA256 over a canonical request, with a key derived from date, region and product.
//!
//! A self-hosted service has no region to insist on: whatever the client put into its scope is taken.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::{SignedRequest, canonical_query, encode_path, encode_query, hmac_sha256, push_headers, same};

/// Names the algorithm, in `Authorization`, in URLs and in the string to sign.
pub const ALGORITHM: &str = "OSS4-HMAC-SHA256";
/// The last part of every scope.
pub const TERMINATOR: &str = "aliyun_v4_request";
/// Longest life of a signed URL in seconds: seven days.
pub const EXPIRES_MAX: u32 = 604_800;

/// Who signed, for which scope: `id/date/region/product/aliyun_v4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key's id.
    pub access_key_id: String,
    /// What the key is derived for.
    pub scope: Scope,
}

/// `date/region/product/aliyun_v4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `yyyyMMdd`.
    pub date: String,
    /// Any region.
    pub region: String,
    /// `oss`, or a sibling such as `oss-cloudbox`.
    pub product: String,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.product)
    }
}

impl Scope {
    /// Reads the text form; `None` when a part is missing or the date is none.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (date, region, product, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let valid = end == TERMINATOR
            && parts.next().is_none()
            && date.len() == 8
            && date.bytes().all(|b| b.is_ascii_digit())
            && !region.is_empty()
            && !product.is_empty();
        valid.then(|| Scope { date: date.to_owned(), region: region.to_owned(), product: product.to_owned() })
    }
}

impl Credential {
    /// Reads the text form.
    pub fn read(text: &str) -> Option<Self> {
        let (access_key_id, scope) = text.split_once('/')?;
        let scope = Scope::read(scope)?;
        (!access_key_id.is_empty()).then(|| Credential { access_key_id: access_key_id.to_owned(), scope })
    }
}

/// What an `Authorization: OSS4-HMAC-SHA256 …` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Who and for what.
    pub credential: Credential,
    /// Lower-case names in byte order.
    pub additional_headers: Vec<String>,
    /// Lower-case hex.
    pub signature: String,
}

/// Why an `Authorization` value cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationFault {
    /// Not a comma-separated list of `name=value`.
    #[error("not a list of fields")]
    Form,
    /// `Credential` is missing or incomplete.
    #[error("no valid Credential")]
    Credential,
    /// `Signature` is missing.
    #[error("no Signature")]
    Signature,
}

/// Reads an `Authorization` value that begins with [`ALGORITHM`]. Fields stand in any order, blanks around commas.
pub fn read_authorization(value: &str) -> Result<Authorization, AuthorizationFault> {
    let fields = value.strip_prefix(ALGORITHM).ok_or(AuthorizationFault::Form)?;
    let (mut credential, mut signature, mut additional) = (None, None, "");
    for field in fields.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        match field.split_once('=').ok_or(AuthorizationFault::Form)? {
            ("Credential", text) => credential = Some(text),
            ("Signature", text) => signature = Some(text),
            ("AdditionalHeaders", text) => additional = text,
            // Unknown fields sign nothing and change nothing.
            _ => {}
        }
    }
    Ok(Authorization {
        credential: credential.and_then(Credential::read).ok_or(AuthorizationFault::Credential)?,
        additional_headers: super::read_additional_headers(additional),
        signature: signature.filter(|s| !s.is_empty()).ok_or(AuthorizationFault::Signature)?.to_owned(),
    })
}

/// The canonical request. A query parameter `x-oss-signature` is left out, as it cannot sign itself.
pub fn canonical_request(request: &SignedRequest<'_>, additional_headers: &[String]) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(request.method.as_bytes());
    text.extend_from_slice(b"\n/");
    if let Some(bucket) = request.bucket {
        text.extend_from_slice(encode_path(bucket.as_bytes()).as_bytes());
        text.push(b'/');
        text.extend_from_slice(encode_path(request.key).as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(canonical_query(request).as_bytes());
    text.push(b'\n');

    push_headers(&mut text, request, |name| {
        name.starts_with("x-oss-")
            || name == "content-type"
            || name == "content-md5"
            || additional_headers.iter().any(|additional| additional == name)
    });
    text.push(b'\n');
    text.extend_from_slice(additional_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(match request.header("x-oss-content-sha256") {
        [] => b"UNSIGNED-PAYLOAD",
        stated => stated,
    });
    text
}

/// The string that is signed. `timestamp` is `yyyyMMddTHHmmssZ`.
pub fn string_to_sign(canonical_request: &[u8], timestamp: &str, scope: &Scope) -> String {
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", hex::encode(Sha256::digest(canonical_request)))
}

/// The derived key.
pub fn signing_key(secret: &str, scope: &Scope) -> [u8; 32] {
    let date = hmac_sha256(format!("aliyun_v4{secret}").as_bytes(), scope.date.as_bytes());
    let region = hmac_sha256(&date, scope.region.as_bytes());
    let product = hmac_sha256(&region, scope.product.as_bytes());
    hmac_sha256(&product, TERMINATOR.as_bytes())
}

/// Lower-case hex of the HMAC-SHA256.
pub fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> String {
    hex::encode(hmac_sha256(&signing_key(secret, scope), string_to_sign.as_bytes()))
}

/// Whether `provided` signs the request, header or URL alike.
pub fn verify(
    request: &SignedRequest<'_>,
    additional_headers: &[String],
    timestamp: &str,
    scope: &Scope,
    secret: &str,
    provided: &str,
) -> bool {
    verify_with(&signing_key(secret, scope), request, additional_headers, timestamp, scope, provided)
}

/// The same with the key that was derived for the scope.
pub fn verify_with(
    signing_key: &[u8; 32],
    request: &SignedRequest<'_>,
    additional_headers: &[String],
    timestamp: &str,
    scope: &Scope,
    provided: &str,
) -> bool {
    let string = string_to_sign(&canonical_request(request, additional_headers), timestamp, scope);
    same(&hex::encode(hmac_sha256(signing_key, string.as_bytes())), provided)
}

/// Derived keys that were needed: they hold for a day, and deriving one takes four of the five HMACs of a request. A secret
/// and a scope always give the same key, so nothing here can be out of date.
#[derive(Default)]
pub struct SigningKeys(Mutex<HashMap<Box<str>, KeysOfSecret>>);

/// What was derived of one secret.
type KeysOfSecret = Vec<(Scope, [u8; 32])>;

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// Secrets whose keys are kept: more than sign at once.
    const SECRETS_MAX: usize = 1_024;
    /// Scopes of one secret: two days meet at midnight, and a region has few names.
    const SCOPES_MAX: usize = 8;

    /// A scope's texts that are longer belong to nobody's signer.
    const SCOPE_BYTES_MAX: usize = 128;

    /// See [`signing_key`].
    pub fn get(&self, secret: &str, scope: &Scope) -> [u8; 32] {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = kept.get(secret).and_then(|keys| keys.iter().find(|(of, _)| of == scope)) {
            return *key;
        }
        let key = signing_key(secret, scope);
        if scope.region.len() + scope.product.len() > Self::SCOPE_BYTES_MAX {
            return key;
        }
        if kept.len() >= Self::SECRETS_MAX && !kept.contains_key(secret) {
            // Whatever is in use is back with its next request.
            kept.clear();
        }
        let keys = kept.entry(secret.into()).or_default();
        // A client chooses the scope: what it sends must not pile up.
        if keys.len() >= Self::SCOPES_MAX {
            keys.clear();
        }
        keys.push((scope.clone(), key));
        key
    }
}

/// The query text of a signed URL: the request's own query and the `x-oss-*` parameters of the signature. `timestamp` is
/// `yyyyMMddTHHmmssZ`; `expires` counts seconds from there.
pub fn sign_url_query(
    request: &SignedRequest<'_>,
    access_key_id: &str,
    secret: &str,
    scope: &Scope,
    timestamp: &str,
    expires: u32,
) -> String {
    let mut query = request.query.to_vec();
    let mut push = |name: &str, value: String| query.push((name.as_bytes().to_vec(), value.into_bytes()));
    push("x-oss-credential", format!("{access_key_id}/{scope}"));
    push("x-oss-date", timestamp.to_owned());
    push("x-oss-expires", expires.to_string());
    push("x-oss-signature-version", ALGORITHM.to_owned());
    let request = SignedRequest { query: &query, ..*request };
    let string = string_to_sign(&canonical_request(&request, &[]), timestamp, scope);
    let signature = signature(secret, scope, &string);
    let own = query.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    encode_query(own.chain([(&b"x-oss-signature"[..], signature.as_bytes())]))
}

#[cfg(test)]
mod tests;
