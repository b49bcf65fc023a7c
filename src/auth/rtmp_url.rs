//! Signed RTMP publish URLs: HMAC-SHA1 over expiry, parameters and `/bucket/channel`.
//!
//! Neither verb nor header takes part, and only this one version exists. `Expires` is judged when publishing begins; a
//! running publish is not cut by it.

use std::cmp::Ordering;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::{encode, hmac_sha1, same};

/// Why a publish URL's signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtmpAuthError {
    /// `OSSAccessKeyId` is missing or empty.
    #[error("The OSSAccessKeyId of the publish URL is missing.")]
    AccessKeyIdMissing,
    /// No key of that id, or it is disabled.
    #[error("The OSS Access Key Id you provided does not exist in our records.")]
    AccessKeyIdUnknown,
    /// `Expires` is missing.
    #[error("The Expires of the publish URL is missing.")]
    ExpiresMissing,
    /// `Expires` is not an integer.
    #[error("The Expires of the publish URL must be an integer.")]
    ExpiresInvalid,
    /// Past its time.
    #[error("Request has expired.")]
    Expired,
    /// `Signature` is missing.
    #[error("The Signature of the publish URL is missing.")]
    SignatureMissing,
    /// The signature is another's.
    #[error("The request signature we calculated does not match the signature you provided.")]
    SignatureMismatch,
    /// `SignatureVersion` names a version that publish URLs do not have.
    #[error("The SignatureVersion of the publish URL is not supported.")]
    VersionUnsupported,
}

impl RtmpAuthError {
    /// The OSS code.
    pub const fn code(self) -> &'static str {
        match self {
            RtmpAuthError::AccessKeyIdUnknown => "InvalidAccessKeyId",
            RtmpAuthError::SignatureMismatch => "SignatureDoesNotMatch",
            RtmpAuthError::ExpiresInvalid | RtmpAuthError::VersionUnsupported => "InvalidArgument",
            RtmpAuthError::AccessKeyIdMissing
            | RtmpAuthError::ExpiresMissing
            | RtmpAuthError::Expired
            | RtmpAuthError::SignatureMissing => "AccessDenied",
        }
    }

    /// The OSS error detail code.
    pub const fn ec(self) -> &'static str {
        match self {
            RtmpAuthError::AccessKeyIdMissing => "0002-00000801",
            RtmpAuthError::AccessKeyIdUnknown => "0002-00000802",
            RtmpAuthError::ExpiresMissing => "0002-00000803",
            RtmpAuthError::ExpiresInvalid => "0002-00000804",
            RtmpAuthError::Expired => "0002-00000805",
            RtmpAuthError::SignatureMissing => "0002-00000806",
            RtmpAuthError::SignatureMismatch => "0002-00000807",
            RtmpAuthError::VersionUnsupported => "0002-00000808",
        }
    }

    /// A sentence for people.
    pub fn message(self) -> String {
        self.to_string()
    }
}

/// Name and value.
type Param = (Vec<u8>, Vec<u8>);
/// An order of names.
type Compare = fn(&[u8], &[u8]) -> Ordering;

/// The query of a publish URL.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PublishQuery {
    access_key_id: Option<String>,
    expires: Option<String>,
    signature: Option<String>,
    version: Option<String>,
    playlist_name: Option<String>,
    /// Every other parameter in order, decoded once, as the builders of such URLs sign them.
    params: Vec<Param>,
    /// The same as they arrived: librtmp decodes a URL before it sends it, and a second decoding spoils a `%`.
    raw_params: Vec<Param>,
}

impl std::fmt::Debug for PublishQuery {
    /// Without the signature and parameters: they open the channel to whoever reads a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublishQuery").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl PublishQuery {
    /// Reads what follows the `?`. A bare `+` is a plus, never a space. Of a repeated name the first counts.
    pub fn parse(raw: &str) -> Self {
        let mut query = PublishQuery::default();
        let mut seen = HashSet::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (raw_name, raw_value) = part.split_once('=').unwrap_or((part, ""));
            let name: Vec<u8> = percent_decode_str(raw_name).collect();
            let value: Vec<u8> = percent_decode_str(raw_value).collect();
            let text = || String::from_utf8_lossy(&value).into_owned();
            match name.as_slice() {
                b"OSSAccessKeyId" => drop(query.access_key_id.get_or_insert_with(text)),
                b"Expires" => drop(query.expires.get_or_insert_with(text)),
                b"Signature" => drop(query.signature.get_or_insert_with(text)),
                _ if !seen.insert(name.clone()) => {}
                _ => {
                    match name.as_slice() {
                        b"playlistName" => query.playlist_name = Some(text()),
                        b"SignatureVersion" => query.version = Some(text()),
                        _ => {}
                    }
                    query.params.push((name, value));
                    query.raw_params.push((raw_name.into(), raw_value.into()));
                }
            }
        }
        query
    }

    /// The playlist to write instead of the configured one; an empty value means none.
    pub fn playlist_name(&self) -> Option<&str> {
        self.playlist_name.as_deref().filter(|name| !name.is_empty())
    }

    /// The token of a temporary credential, under either name that builders give it.
    pub fn security_token(&self) -> Option<&[u8]> {
        let named = |wanted: &[u8]| self.params.iter().find(|(name, _)| name == wanted).map(|(_, value)| &value[..]);
        named(b"security-token").or_else(|| named(b"SecurityToken"))
    }

    /// Whether any of the signature's three fields is there.
    pub fn is_signed(&self) -> bool {
        self.access_key_id.is_some() || self.expires.is_some() || self.signature.is_some()
    }

    /// Whether all of the signature's three fields are there; less proves nothing, whatever the fields say.
    pub fn is_complete(&self) -> bool {
        let filled = |field: &Option<String>| field.as_deref().is_some_and(|text| !text.is_empty());
        filled(&self.access_key_id) && filled(&self.expires) && filled(&self.signature)
    }

    /// `OSSAccessKeyId`.
    pub fn access_key_id(&self) -> Option<&str> {
        self.access_key_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Everything that can be said without the key.
    pub fn check_form(&self, now_unix: i64) -> Result<(), RtmpAuthError> {
        if self.version.as_deref().is_some_and(|version| !matches!(version, "" | "1" | "1.0" | "OSS" | "OSS1")) {
            return Err(RtmpAuthError::VersionUnsupported);
        }
        self.access_key_id().ok_or(RtmpAuthError::AccessKeyIdMissing)?;
        let expires = self.expires.as_deref().filter(|e| !e.is_empty()).ok_or(RtmpAuthError::ExpiresMissing)?;
        let expires: i64 = expires.parse().map_err(|_| RtmpAuthError::ExpiresInvalid)?;
        if now_unix > expires {
            return Err(RtmpAuthError::Expired);
        }
        match self.signature.as_deref() {
            None | Some("") => Err(RtmpAuthError::SignatureMissing),
            Some(_) => Ok(()),
        }
    }

    /// Whether the signature was made with `secret` for this channel. Builders differ in the order of parameters and in
    /// whether a security token is signed, so each way is tried.
    pub fn matches(&self, secret: &str, bucket: &str, channel: &str) -> bool {
        let (Some(expires), Some(provided)) = (self.expires.as_deref(), self.signature.as_deref()) else {
            return false;
        };
        let raw = (self.raw_params != self.params).then_some(&self.raw_params);
        [&self.params].into_iter().chain(raw).any(|params| {
            candidates(params).iter().any(|ordered| {
                let string = string_to_sign(expires, ordered, bucket, channel);
                same(sign(secret, &string), provided)
            })
        })
    }
}

/// The parameters in every order and selection that a builder may have signed, the usual first, none twice.
fn candidates(params: &[Param]) -> Vec<Vec<&Param>> {
    const ORDERS: [Option<Compare>; 3] = [Some(|a, b| a.cmp(b)), Some(natural), None];
    let mut all: Vec<Vec<&Param>> = Vec::new();
    for order in ORDERS {
        for with_token in [false, true] {
            let kept = |name: &[u8]| name != b"SecurityToken" && (with_token || name != b"security-token");
            let mut chosen: Vec<&Param> = params.iter().filter(|(name, _)| kept(name)).collect();
            if let Some(compare) = order {
                chosen.sort_by(|a, b| compare(&a.0, &b.0));
            }
            if !all.contains(&chosen) {
                all.push(chosen);
            }
        }
    }
    all
}

fn string_to_sign(expires: &str, params: &[&Param], bucket: &str, channel: &str) -> Vec<u8> {
    let mut string = format!("{expires}\n").into_bytes();
    for (name, value) in params {
        string.extend_from_slice(name);
        string.push(b':');
        string.extend_from_slice(value);
        string.push(b'\n');
    }
    string.extend_from_slice(format!("/{bucket}/{channel}").as_bytes());
    string
}

fn sign(secret: &str, string: &[u8]) -> String {
    STANDARD.encode(hmac_sha1(secret.as_bytes(), string))
}

/// The order of PHP's natural, case-insensitive sort: runs of digits compare as numbers, letters without their case.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let ((x, a_rest), (y, b_rest)) = (digits(a), digits(b));
                let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (a_rest, b_rest);
            }
            (Some(x), Some(y)) => {
                let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (&a[1..], &b[1..]);
            }
        }
    }
}

/// The leading digits without their zeros, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let (run, rest) = text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count());
    let zeros = run.iter().take_while(|b| **b == b'0').count();
    (&run[zeros..], rest)
}

/// The signed query of a publish URL as `ali-oss` builds it: the signature's fields, then `params` in their order.
/// `expires` is in seconds since the epoch.
pub fn publish_query(
    access_key_id: &str,
    secret: &str,
    bucket: &str,
    channel: &str,
    expires: i64,
    params: &[(String, String)],
) -> String {
    let owned: Vec<Param> = params.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect();
    let mut sorted: Vec<&Param> = owned.iter().collect();
    sorted.sort();
    let expires = expires.to_string();
    let signature = sign(secret, &string_to_sign(&expires, &sorted, bucket, channel));
    let fields = [("OSSAccessKeyId", access_key_id), ("Expires", &expires), ("Signature", &signature)];
    let own = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs = fields.into_iter().chain(own);
    let text = pairs.map(|(name, value)| format!("{}={}", encode(name.as_bytes()), encode(value.as_bytes())));
    text.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests;
