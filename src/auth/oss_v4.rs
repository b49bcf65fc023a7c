//! OSS signature version 4: HMAC-SHA256 over a canonical request, with a key derived from date, region and product.
//!
//! A self-hosted service has no region to insist on: whatever the client put into its scope is taken.

use super::signing_keys::{Derivation, SigningKey};
use super::{SignedRequest, encode_query, hex_sha256, push_canonical_query, push_encoded_path, push_headers, same};

/// Names the algorithm, in `Authorization`, in URLs and in the string to sign.
pub const ALGORITHM: &str = "OSS4-HMAC-SHA256";
/// The last part of every scope.
pub const TERMINATOR: &str = "aliyun_v4_request";
/// How keys are derived.
pub const DERIVATION: Derivation = Derivation { prefix: "aliyun_v4", terminator: TERMINATOR };
/// Longest life of a signed URL in seconds: seven days.
pub const EXPIRES_MAX: u32 = 604_800;

/// Who signed, for which scope: `id/date/region/product/aliyun_v4_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// What the key is derived for.
    pub scope: Scope<'a>,
}

/// `date/region/product/aliyun_v4_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `yyyyMMdd`.
    pub date: &'a str,
    /// Any region.
    pub region: &'a str,
    /// `oss`, or a sibling such as `oss-cloudbox`.
    pub product: &'a str,
}

impl std::fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.product)
    }
}

impl<'a> Scope<'a> {
    /// What a key is derived for.
    pub fn parts(&self) -> [&'a str; 3] {
        [self.date, self.region, self.product]
    }

    /// Reads the text form; `None` when a part is missing or the date is none.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let (date, region, product, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let valid = end == TERMINATOR
            && parts.next().is_none()
            && date.len() == 8
            && date.bytes().all(|b| b.is_ascii_digit())
            && !region.is_empty()
            && !product.is_empty();
        valid.then_some(Scope { date, region, product })
    }
}

impl<'a> Credential<'a> {
    /// Reads the text form.
    pub fn read(text: &'a str) -> Option<Self> {
        let (access_key_id, scope) = text.split_once('/')?;
        let scope = Scope::read(scope)?;
        (!access_key_id.is_empty()).then_some(Credential { access_key_id, scope })
    }
}

/// What an `Authorization: OSS4-HMAC-SHA256 …` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Who and for what.
    pub credential: Credential<'a>,
    /// Lower-case names in byte order.
    pub additional_headers: Vec<String>,
    /// Lower-case hex.
    pub signature: &'a str,
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
pub fn read_authorization(value: &str) -> Result<Authorization<'_>, AuthorizationFault> {
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
        signature: signature.filter(|s| !s.is_empty()).ok_or(AuthorizationFault::Signature)?,
    })
}

/// The canonical request. A query parameter `x-oss-signature` is left out, as it cannot sign itself.
pub fn canonical_request(request: &SignedRequest<'_>, additional_headers: &[String]) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(request.method.as_bytes());
    text.extend_from_slice(b"\n/");
    if let Some(bucket) = request.bucket {
        push_encoded_path(&mut text, bucket.as_bytes());
        text.push(b'/');
        push_encoded_path(&mut text, request.key);
    }
    text.push(b'\n');
    push_canonical_query(&mut text, request);
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
pub fn string_to_sign(canonical_request: &[u8], timestamp: &str, scope: &Scope<'_>) -> String {
    let hash = hex_sha256(canonical_request);
    let mut string = String::with_capacity(192);
    let scope = [scope.date, "/", scope.region, "/", scope.product, "/", TERMINATOR];
    for part in [ALGORITHM, "\n", timestamp, "\n"].into_iter().chain(scope) {
        string.push_str(part);
    }
    string.push('\n');
    string.push_str(std::str::from_utf8(&hash).expect("hex digits"));
    string
}

/// The derived key.
pub fn signing_key(secret: &str, scope: &Scope<'_>) -> [u8; 32] {
    DERIVATION.derive(secret, scope.parts())
}

/// Lower-case hex of the HMAC-SHA256.
pub fn signature(secret: &str, scope: &Scope<'_>, string_to_sign: &str) -> String {
    let signature = SigningKey::new(&signing_key(secret, scope)).sign(string_to_sign.as_bytes());
    String::from_utf8(signature.to_vec()).expect("hex digits")
}

/// Whether `provided` signs the request, header or URL alike.
pub fn verify(
    request: &SignedRequest<'_>,
    additional_headers: &[String],
    timestamp: &str,
    scope: &Scope<'_>,
    secret: &str,
    provided: &str,
) -> bool {
    let key = SigningKey::new(&signing_key(secret, scope));
    verify_with(&key, request, additional_headers, timestamp, scope, provided)
}

/// The same with the key that was derived for the scope.
pub fn verify_with(
    key: &SigningKey,
    request: &SignedRequest<'_>,
    additional_headers: &[String],
    timestamp: &str,
    scope: &Scope<'_>,
    provided: &str,
) -> bool {
    let string = string_to_sign(&canonical_request(request, additional_headers), timestamp, scope);
    same(key.sign(string.as_bytes()), provided)
}

/// The query text of a signed URL: the request's own query and the `x-oss-*` parameters of the signature. `timestamp` is
/// `yyyyMMddTHHmmssZ`; `expires` counts seconds from there.
pub fn sign_url_query(
    request: &SignedRequest<'_>,
    access_key_id: &str,
    secret: &str,
    scope: &Scope<'_>,
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
