//! What a request claims about its caller: a signature, where it stands and when it holds.

use std::borrow::Cow;

use http::HeaderMap;

use super::SignaturePlace;
use crate::auth::oss_v4::{self, AuthorizationFault, Credential, Scope};
use crate::auth::signing_keys::SigningKeys;
use crate::auth::{SignedRequest, oss_v1, oss_v2, read_additional_headers};
use crate::clock::Wall;
use crate::http::oss::error::OssError;
use crate::http::oss::operation::Query;

/// How far a client's clock may stand off, either way.
const SKEW_MAX_MS: i64 = 15 * 60 * 1000;

/// A claim, its form read and nothing of it proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// Whose key.
    pub access_key_id: Cow<'a, str>,
    signature: Cow<'a, str>,
    scheme: Scheme<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme<'a> {
    HeaderV1 { date: &'a [u8] },
    UrlV1 { expires: i64, text: Cow<'a, str> },
    HeaderV2 { date: &'a [u8], additional_headers: Vec<String> },
    UrlV2 { expires: i64, text: Cow<'a, str>, additional_headers: Vec<String> },
    HeaderV4 { date: Cow<'a, str>, scope: Scope<'a>, additional_headers: Vec<String> },
    UrlV4 { date: &'a str, scope: Scope<'a>, expires: u32, additional_headers: Vec<String> },
}

/// The claim of a request; `None` when it makes none.
pub fn read<'a>(headers: &'a HeaderMap, query: &'a Query) -> Result<Option<Proof<'a>>, OssError> {
    let authorization = headers.get(http::header::AUTHORIZATION);
    let of_v2_or_v4 = ["x-oss-signature-version", "x-oss-signature", "x-oss-credential", "x-oss-access-key-id"];
    let url_v2_or_v4 = of_v2_or_v4.iter().any(|name| query.has(name));
    let url_v1 = query.has("OSSAccessKeyId") || query.has("Signature");
    match (authorization, url_v2_or_v4, url_v1) {
        (Some(_), true, _) | (Some(_), _, true) => Err(OssError::two_signatures()),
        (Some(value), ..) => {
            let value = value.to_str().map_err(|_| OssError::invalid_authorization("0002-00000062"))?;
            read_header(value.trim(), headers).map(Some)
        }
        (None, true, _) if query.get("x-oss-signature-version") == Some(oss_v2::VERSION.as_bytes()) => {
            read_url_v2(query).map(Some)
        }
        (None, true, _) => read_url_v4(query).map(Some),
        (None, _, true) => read_url_v1(query).map(Some),
        (None, false, false) => Ok(None),
    }
}

fn read_header<'a>(value: &'a str, headers: &'a HeaderMap) -> Result<Proof<'a>, OssError> {
    let date = headers.get("x-oss-date").or_else(|| headers.get(http::header::DATE));
    let date = date.map(|value| value.as_bytes().trim_ascii()).unwrap_or_default();
    if value.starts_with(oss_v4::ALGORITHM) {
        let read = oss_v4::read_authorization(value).map_err(|fault| {
            OssError::invalid_authorization(match fault {
                AuthorizationFault::Form => "0002-00000202",
                AuthorizationFault::Credential => "0002-00000203",
                AuthorizationFault::Signature => "0002-00000209",
            })
        })?;
        let Credential { access_key_id, scope } = read.credential;
        // What is signed is the basic form, also of a `Date` in words.
        let date = match std::str::from_utf8(date) {
            Ok(text) if Wall::from_iso_basic(text).is_some() => text.into(),
            _ => read_date(date).map_or_else(|| String::from_utf8_lossy(date), |time| time.iso_basic().into()),
        };
        let scheme = Scheme::HeaderV4 { date, scope, additional_headers: read.additional_headers };
        return Ok(Proof { access_key_id: access_key_id.into(), signature: read.signature.into(), scheme });
    }
    if value.starts_with(oss_v2::VERSION) {
        let read = oss_v2::read_authorization(value).ok_or_else(|| OssError::invalid_authorization("0002-00000062"))?;
        let scheme = Scheme::HeaderV2 { date, additional_headers: read.additional_headers };
        return Ok(Proof { access_key_id: read.access_key_id.into(), signature: read.signature.into(), scheme });
    }
    let read = oss_v1::read_authorization(value).ok_or_else(|| OssError::invalid_authorization("0002-00000062"))?;
    let (access_key_id, signature) = (read.access_key_id.into(), read.signature.into());
    Ok(Proof { access_key_id, signature, scheme: Scheme::HeaderV1 { date } })
}

fn read_url_v1(query: &Query) -> Result<Proof<'_>, OssError> {
    let (access_key_id, signature, expires, text) = read_url(query, ["Signature", "Expires", "OSSAccessKeyId"])?;
    Ok(Proof { access_key_id, signature, scheme: Scheme::UrlV1 { expires, text } })
}

fn read_url_v2(query: &Query) -> Result<Proof<'_>, OssError> {
    let names = ["x-oss-signature", "x-oss-expires", "x-oss-access-key-id"];
    let (access_key_id, signature, expires, text) = read_url(query, names)?;
    let additional_headers = read_additional_headers(&query.text("x-oss-additional-headers").unwrap_or_default());
    Ok(Proof { access_key_id, signature, scheme: Scheme::UrlV2 { expires, text, additional_headers } })
}

/// Key id, signature and expiry of a URL whose expiry is a time since the epoch. The number is judged, the text is signed.
type UrlParts<'a> = (Cow<'a, str>, Cow<'a, str>, i64, Cow<'a, str>);

fn read_url<'a>(query: &'a Query, names: [&'static str; 3]) -> Result<UrlParts<'a>, OssError> {
    let word = |name| query.filled(name).map(String::from_utf8_lossy);
    let [signature, expires, access_key_id] = names.map(word);
    let Some(expires) = expires else {
        return Err(OssError::url_signature_incomplete(names, Some("0002-00000068")));
    };
    let (Some(access_key_id), Some(signature)) = (access_key_id, signature) else {
        return Err(OssError::url_signature_incomplete(names, None));
    };
    let seconds = expires.parse().map_err(|_| OssError::invalid_expires(&expires))?;
    Ok((access_key_id, signature, seconds, expires))
}

fn read_url_v4(query: &Query) -> Result<Proof<'_>, OssError> {
    let word = |name| query.text(name).unwrap_or_default();
    // Whoever signs writes text.
    let text = |name| query.get(name).and_then(|value| std::str::from_utf8(value).ok());
    let version = word("x-oss-signature-version");
    if version != oss_v4::ALGORITHM {
        return Err(OssError::invalid_v4_argument("x-oss-signature-version", &version));
    }
    let signature = word("x-oss-signature");
    if signature.is_empty() {
        return Err(OssError::invalid_v4_argument("x-oss-signature", ""));
    }
    let Some(Credential { access_key_id, scope }) = text("x-oss-credential").and_then(Credential::read) else {
        return Err(OssError::invalid_v4_argument("x-oss-credential", &word("x-oss-credential")));
    };
    let expires = word("x-oss-expires");
    let in_range = |seconds: &u32| (1..=oss_v4::EXPIRES_MAX).contains(seconds);
    let seconds = expires.parse().ok().filter(in_range).ok_or_else(|| OssError::invalid_v4_expires(&expires))?;
    let Some(date) = text("x-oss-date").filter(|date| Wall::from_iso_basic(date).is_some()) else {
        return Err(OssError::invalid_v4_argument("x-oss-date", &word("x-oss-date")));
    };
    let additional_headers = read_additional_headers(&word("x-oss-additional-headers"));
    let scheme = Scheme::UrlV4 { date, scope, expires: seconds, additional_headers };
    Ok(Proof { access_key_id: access_key_id.into(), signature, scheme })
}

impl Proof<'_> {
    /// Whether the claim holds at `now`, as far as the clock goes.
    pub fn check_time(&self, now: Wall) -> Result<(), OssError> {
        match &self.scheme {
            Scheme::HeaderV1 { date } | Scheme::HeaderV2 { date, .. } => {
                check_skew(read_date(date).ok_or_else(OssError::invalid_date)?, now)
            }
            Scheme::HeaderV4 { date, scope, .. } => {
                let time = Wall::from_iso_basic(date).ok_or_else(OssError::invalid_date)?;
                check_scope(scope, date)?;
                check_skew(time, now)
            }
            Scheme::UrlV1 { expires, .. } | Scheme::UrlV2 { expires, .. } if now.unix_seconds() > *expires => {
                let expires = Wall(expires.saturating_mul(1_000));
                Err(OssError::request_expired(expires, now, "0002-00000069"))
            }
            Scheme::UrlV1 { .. } | Scheme::UrlV2 { .. } => Ok(()),
            Scheme::UrlV4 { date, scope, expires, .. } => {
                let starts = Wall::from_iso_basic(date).ok_or_else(OssError::invalid_date)?;
                check_scope(scope, date)?;
                let ends = Wall(starts.0 + i64::from(*expires) * 1_000);
                if starts.0 - now.0 > SKEW_MAX_MS {
                    return Err(OssError::request_not_yet_valid(starts, now));
                }
                if now > ends {
                    return Err(OssError::request_expired(ends, now, "0002-00000236"));
                }
                Ok(())
            }
        }
    }

    /// Whether `secret` signed this request. `keys` are those that were derived before.
    pub fn verify(&self, request: &SignedRequest<'_>, secret: &str, keys: &SigningKeys) -> bool {
        let v4 = |additional_headers: &[String], date: &str, scope: &Scope<'_>| {
            let key = keys.get(oss_v4::DERIVATION, secret, scope.parts());
            oss_v4::verify_with(&key, request, additional_headers, date, scope, &self.signature)
        };
        let v2 = |additional_headers: &[String], date: &[u8]| {
            oss_v2::verify(request, additional_headers, date, secret, &self.signature)
        };
        match &self.scheme {
            Scheme::HeaderV1 { date } => oss_v1::verify(request, date, secret, &self.signature),
            Scheme::UrlV1 { text, .. } => oss_v1::verify(request, text.as_bytes(), secret, &self.signature),
            Scheme::HeaderV2 { date, additional_headers } => v2(additional_headers, date),
            Scheme::UrlV2 { text, additional_headers, .. } => v2(additional_headers, text.as_bytes()),
            Scheme::HeaderV4 { date, scope, additional_headers } => v4(additional_headers, date, scope),
            Scheme::UrlV4 { date, scope, additional_headers, .. } => v4(additional_headers, date, scope),
        }
    }

    /// The error that shows what should have been signed.
    pub fn mismatch(&self, request: &SignedRequest<'_>) -> OssError {
        let error = |string: &[u8]| OssError::signature_does_not_match(&self.access_key_id, &self.signature, string);
        let v1 = |date: &[u8]| error(&oss_v1::string_to_sign(request, date, oss_v1::SubResources::Wide));
        let v2 = |additional_headers: &[String], date: &[u8]| {
            error(&oss_v2::string_to_sign(request, additional_headers, date))
        };
        let v4 = |additional_headers: &[String], date: &str, scope: &Scope<'_>| {
            let canonical = oss_v4::canonical_request(request, additional_headers);
            let string = oss_v4::string_to_sign(&canonical, date, scope);
            error(string.as_bytes()).with_detail("CanonicalRequest", String::from_utf8_lossy(&canonical))
        };
        match &self.scheme {
            Scheme::HeaderV1 { date } => v1(date),
            Scheme::UrlV1 { text, .. } => v1(text.as_bytes()),
            Scheme::HeaderV2 { date, additional_headers } => v2(additional_headers, date),
            Scheme::UrlV2 { text, additional_headers, .. } => v2(additional_headers, text.as_bytes()),
            Scheme::HeaderV4 { date, scope, additional_headers } => v4(additional_headers, date, scope),
            Scheme::UrlV4 { date, scope, additional_headers, .. } => v4(additional_headers, date, scope),
        }
    }

    /// Where the signature stands, for those who renew it.
    pub fn place(&self) -> SignaturePlace {
        match &self.scheme {
            Scheme::HeaderV1 { .. } | Scheme::HeaderV2 { .. } | Scheme::HeaderV4 { .. } => SignaturePlace::Header,
            Scheme::UrlV1 { expires, .. } => SignaturePlace::UrlV1 { expires: *expires },
            Scheme::UrlV2 { expires, .. } => SignaturePlace::UrlV2 { expires: *expires },
            Scheme::UrlV4 { date, scope, expires, .. } => SignaturePlace::UrlV4 {
                date: (*date).to_owned(),
                expires: *expires,
                scope: [scope.date, scope.region, scope.product, oss_v4::TERMINATOR].join("/"),
            },
        }
    }
}

fn check_skew(request: Wall, now: Wall) -> Result<(), OssError> {
    if (request.0 - now.0).abs() > SKEW_MAX_MS {
        return Err(OssError::request_time_too_skewed(request, now, SKEW_MAX_MS));
    }
    Ok(())
}

/// The key is derived for the scope's day, so a timestamp of another day contradicts it.
fn check_scope(scope: &Scope<'_>, date: &str) -> Result<(), OssError> {
    if date.starts_with(scope.date) { Ok(()) } else { Err(OssError::signing_date_differs(scope.date)) }
}

/// An HTTP date, or the basic ISO form: clients send either in `Date` and in `x-oss-date`.
fn read_date(value: &[u8]) -> Option<Wall> {
    let text = std::str::from_utf8(value).ok()?;
    Wall::from_iso_basic(text).or_else(|| {
        let time = httpdate::parse_http_date(text).ok()?;
        let since_epoch = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Wall::from_unix_seconds(since_epoch.as_secs().try_into().ok()?))
    })
}
