//! What a request claims about its caller, judged as far as the library leaves it open.
//!
//! A request has at most one signature. V2 is judged here, whole: the library compares it in variable time and never looks
//! at its date. Of V4 the library checks the signature itself; here stand the clock, the life of a presigned URL and that
//! nothing was added to what was signed: an `x-amz-copy-source` slipped into somebody's presigned upload would read any
//! object in the signer's name.

use std::borrow::Cow;

use http::Uri;
use http::header::{self, AsHeaderName, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use time::OffsetDateTime;

use super::error::S3Fault;
use super::exchange::{Caller, Exchange};
use super::hooks::{credential, host_bucket};
use crate::auth::{sig_v2, sig_v4};
use crate::clock::Wall;
use crate::http::query::Query;
use crate::http::server::HttpDeps;

/// How far a client's clock may stand off, either way.
const SKEW_MAX_MS: i64 = 15 * 60 * 1000;
/// Headers that may come unsigned: they narrow what is accepted, or mean nothing here.
const UNSIGNED_ALLOWED: [&str; 2] = ["x-amz-content-sha256", "x-amz-user-agent"];

/// A signature, its form read and nothing of it proven.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim<'a> {
    /// None.
    Anonymous,
    /// V4 in the header.
    HeaderV4(sig_v4::Claim<'a>),
    /// V4 in the URL.
    UrlV4(sig_v4::Claim<'a>),
    /// V2 in the header.
    HeaderV2 { access_key_id: &'a str, signature: &'a str },
    /// V2 in the URL.
    UrlV2 { access_key_id: String, signature: String, expires: String },
}

/// The header that holds a temporary credential's token; in URLs of V2 the argument, too.
const TOKEN: &str = "x-amz-security-token";
static TOKEN_HEADER: HeaderName = HeaderName::from_static(TOKEN);
static DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// The token of a temporary credential, wherever this dialect's libraries put it.
pub(super) fn security_token<'a>(headers: &'a HeaderMap, query: &'a Query) -> Option<&'a [u8]> {
    let header = headers.get(&TOKEN_HEADER).map(|value| value.as_bytes().trim_ascii());
    header.or_else(|| query.get("X-Amz-Security-Token")).or_else(|| query.get(TOKEN))
}

/// A request that may go on to the library.
pub(super) struct Admitted {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// Proven here; who signs with V4 is the library's to prove.
    pub(super) caller: Caller,
}

/// Reads the claim of a request.
pub(super) fn read<'a>(head: &'a Parts, query: &'a Query) -> Result<Claim<'a>, S3Fault> {
    let authorization = head.headers.get(header::AUTHORIZATION);
    let url_v4 = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].iter().any(|name| query.has(name));
    let url_v2 = query.has("AWSAccessKeyId") || query.has("Signature");
    if [authorization.is_some(), url_v4, url_v2].into_iter().filter(|there| *there).count() > 1 {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                       parameter or the Authorization header should be specified";
        return Err(S3Fault::new("InvalidArgument").saying(message));
    }
    match authorization {
        Some(value) => read_header(value.to_str().unwrap_or_default().trim()),
        None if url_v4 => read_url_v4(query).map(Claim::UrlV4),
        None if url_v2 => {
            let word = |name| query.filled(name).map(|value| String::from_utf8_lossy(value).into_owned());
            match (word("AWSAccessKeyId"), word("Signature"), word("Expires")) {
                (Some(access_key_id), Some(signature), Some(expires)) => {
                    Ok(Claim::UrlV2 { access_key_id, signature, expires })
                }
                _ => {
                    let message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
                                   parameters";
                    Err(S3Fault::new("AccessDenied").saying(message))
                }
            }
        }
        None => Ok(Claim::Anonymous),
    }
}

fn read_header(value: &str) -> Result<Claim<'_>, S3Fault> {
    if value.starts_with(sig_v4::ALGORITHM) {
        return match sig_v4::Claim::from_header(value) {
            Some(claim) => Ok(Claim::HeaderV4(claim)),
            None => Err(S3Fault::new("AuthorizationHeaderMalformed")),
        };
    }
    let (access_key_id, signature) = sig_v2::read_authorization(value)
        .ok_or_else(|| S3Fault::invalid_argument("Unsupported Authorization Type", "Authorization", ""))?;
    Ok(Claim::HeaderV2 { access_key_id, signature })
}

fn read_url_v4(query: &Query) -> Result<sig_v4::Claim<'_>, S3Fault> {
    let malformed = |message: &'static str| S3Fault::new("AuthorizationQueryParametersError").saying(message);
    // What is no text is nobody's credential and no signature.
    let word = |name: &str| query.get(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
    if word("X-Amz-Algorithm") != sig_v4::ALGORITHM {
        return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let expires = word("X-Amz-Expires").parse::<u32>().map_err(|_| malformed("X-Amz-Expires should be a number"))?;
    if expires > sig_v4::EXPIRES_MAX {
        return Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must \
                              be less than 604800 seconds",
        ));
    }
    sig_v4::Claim::new(word("X-Amz-Credential"), word("X-Amz-SignedHeaders"), word("X-Amz-Signature"))
        .ok_or_else(|| malformed("Error parsing the X-Amz-Credential parameter."))
}

/// What of a V4 claim is judged here: the clock, the life of a URL, and that nothing was added to what was signed. The
/// signature is not.
pub(super) fn check_v4(claim: &Claim<'_>, head: &Parts, exchange: &Exchange) -> Result<(), S3Fault> {
    match claim {
        Claim::HeaderV4(claim) => {
            let text = header_text(&head.headers, &DATE);
            check_skew(&text, Wall::from_iso_basic(&text), exchange.now)?;
            check_all_signed(claim, &head.headers)
        }
        Claim::UrlV4(claim) => {
            check_life(&exchange.query, exchange.now)?;
            check_all_signed(claim, &head.headers)
        }
        Claim::Anonymous | Claim::HeaderV2 { .. } | Claim::UrlV2 { .. } => Ok(()),
    }
}

/// Judges a claim that [`check_v4`] let pass; the request goes on without what only this room understands.
pub(super) async fn admit(
    claim: &Claim<'_>,
    head: &Parts,
    exchange: &Exchange,
    deps: &HttpDeps,
) -> Result<Admitted, S3Fault> {
    let now = exchange.now;
    let mut admitted = Admitted { uri: head.uri.clone(), headers: head.headers.clone(), caller: Caller::Anonymous };
    match claim {
        Claim::Anonymous | Claim::UrlV4(_) => {}
        Claim::HeaderV4(claim) => {
            if let Some(value) = signed_for_a_known_region(claim, head, exchange, deps).await? {
                admitted.headers.insert(header::AUTHORIZATION, value);
            }
        }
        Claim::HeaderV2 { access_key_id, signature } => {
            let name = if head.headers.contains_key("x-amz-date") { "x-amz-date" } else { "date" };
            let text = header_text(&head.headers, name);
            check_skew(&text, http_date(&text).or_else(|| Wall::from_iso_basic(&text)), now)?;
            admitted.caller = prove_v2(head, exchange, None, access_key_id, signature, deps).await?;
            admitted.headers.remove(header::AUTHORIZATION);
        }
        Claim::UrlV2 { access_key_id, signature, expires } => {
            let seconds: i64 = expires.parse().map_err(|_| {
                S3Fault::new("AccessDenied").saying("Invalid date (should be seconds since epoch): Expires")
            })?;
            if now.unix_seconds() > seconds {
                return Err(expired(&expires.clone(), now));
            }
            admitted.caller = prove_v2(head, exchange, Some(expires), access_key_id, signature, deps).await?;
            admitted.uri = without(&head.uri, &["AWSAccessKeyId", "Signature", "Expires", TOKEN])?;
        }
    }
    Ok(admitted)
}

/// The request of a proven caller, without what proved it.
pub(super) fn proven(head: &Parts, caller: Caller) -> Result<Admitted, S3Fault> {
    const SIGNATURE: [&str; 11] = [
        "AWSAccessKeyId",
        "Expires",
        "Signature",
        TOKEN,
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ];
    let mut headers = head.headers.clone();
    headers.remove(header::AUTHORIZATION);
    Ok(Admitted { uri: without(&head.uri, &SIGNATURE)?, headers, caller })
}

async fn prove_v2(
    head: &Parts,
    exchange: &Exchange,
    expires: Option<&str>,
    access_key_id: &str,
    signature: &str,
    deps: &HttpDeps,
) -> Result<Caller, S3Fault> {
    let key = credential(deps, access_key_id, exchange.token.as_deref(), exchange.now).await?;
    let host = header_text(&head.headers, "host");
    let host_bucket = host_bucket(&deps.hosts, &host);
    let mut headers = pairs(&head.headers);
    if let (Some(_), Some(token)) = (expires, exchange.query.get(TOKEN)) {
        // Libraries sign it as the header it was before they moved it into the URL.
        headers.push((TOKEN, token));
    }
    let request = sig_v2::Request {
        method: head.method.as_str(),
        host_bucket: host_bucket.as_deref(),
        raw_path: head.uri.path(),
        query: exchange.query.pairs(),
        headers: &headers,
        expires,
    };
    if sig_v2::verify(&request, &key.secret, signature) {
        return Ok(key.into());
    }
    let string = sig_v2::string_to_sign(&request);
    Err(mismatch(access_key_id, signature, &String::from_utf8_lossy(&string)))
}

/// The library refuses regions that Amazon could not have; `s3cmd` out of the box signs for one called `US`. Such a
/// signature is judged here, and the request goes on signed again for a region that is no news. (Chunks that are signed
/// one by one hang on the first signature, so they cannot be helped.)
async fn signed_for_a_known_region(
    claim: &sig_v4::Claim<'_>,
    head: &Parts,
    exchange: &Exchange,
    deps: &HttpDeps,
) -> Result<Option<HeaderValue>, S3Fault> {
    let parts: Vec<&str> = claim.scope.split('/').collect();
    let [date, region, service, terminator] = parts[..] else { return Ok(None) };
    if s3s::region::Region::new(region.into()).is_ok() {
        return Ok(None);
    }
    let key = credential(deps, claim.access_key_id, exchange.token.as_deref(), exchange.now).await?;
    let canonical = canonical(claim, head, &exchange.query, false);
    let timestamp = header_text(&head.headers, "x-amz-date");
    let string = sig_v4::string_to_sign(&canonical, &timestamp, claim.scope);
    if !sig_v4::verify(claim, &key.secret, &string) {
        return Err(S3Fault::new("SignatureDoesNotMatch"));
    }
    let scope = [date, "us-east-1", service, terminator].join("/");
    let string = sig_v4::string_to_sign(&canonical, &timestamp, &scope);
    let signature = sig_v4::signature(&key.secret, &scope, &string);
    let (id, names) = (claim.access_key_id, claim.signed_headers);
    let value = format!("{} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}", sig_v4::ALGORITHM);
    Ok(HeaderValue::from_str(&value).ok())
}

/// What a refused V4 signature should have been made of; `fault` is the library's bare one.
pub(super) fn explain(fault: S3Fault, claim: &Claim<'_>, head: &Parts, query: &Query) -> S3Fault {
    let (claim, in_url) = match claim {
        Claim::HeaderV4(claim) => (claim, false),
        Claim::UrlV4(claim) => (claim, true),
        Claim::Anonymous | Claim::HeaderV2 { .. } | Claim::UrlV2 { .. } => return fault,
    };
    match fault.code {
        "InvalidAccessKeyId" => fault.with("AWSAccessKeyId", claim.access_key_id),
        "SignatureDoesNotMatch" => {
            let date = match in_url {
                true => query.text("X-Amz-Date").unwrap_or_default().into_owned(),
                false => header_text(&head.headers, "x-amz-date"),
            };
            let canonical = canonical(claim, head, query, in_url);
            let string = sig_v4::string_to_sign(&canonical, &date, claim.scope);
            mismatch(claim.access_key_id, claim.signature, &string)
                .with("CanonicalRequest", String::from_utf8_lossy(&canonical))
        }
        _ => fault,
    }
}

/// The canonical request of a claim.
pub(super) fn canonical(claim: &sig_v4::Claim<'_>, head: &Parts, query: &Query, in_url: bool) -> Vec<u8> {
    let path = Cow::from(percent_encoding::percent_decode_str(head.uri.path()));
    let hash = match in_url {
        true => "UNSIGNED-PAYLOAD".into(),
        false => head.headers.get("x-amz-content-sha256").map_or("".into(), |value| text_of(value)),
    };
    let names: Vec<&str> = claim.signed_names().collect();
    sig_v4::canonical_request(&sig_v4::Request {
        method: head.method.as_str(),
        path: &path,
        query: query.pairs(),
        headers: &pairs(&head.headers),
        signed_headers: &names,
        payload_hash: hash.trim(),
    })
}

fn mismatch(access_key_id: &str, signature: &str, string_to_sign: &str) -> S3Fault {
    S3Fault::new("SignatureDoesNotMatch")
        .with("AWSAccessKeyId", access_key_id)
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", signature)
}

/// Every `x-amz-*` header, and the host, must have been signed.
fn check_all_signed(claim: &sig_v4::Claim<'_>, headers: &HeaderMap) -> Result<(), S3Fault> {
    let signed: Vec<&str> = claim.signed_names().collect();
    let is_signed = |name: &str| signed.contains(&name);
    let amazon = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    let missing: Vec<&str> =
        amazon.chain(["host"]).filter(|name| !is_signed(name) && !UNSIGNED_ALLOWED.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(S3Fault::new("AccessDenied").saying(message).with("HeadersNotSigned", missing.join(", ")))
}

fn check_skew(text: &str, time: Option<Wall>, now: Wall) -> Result<(), S3Fault> {
    let Some(time) = time else {
        let message = "AWS authentication requires a valid Date or x-amz-date header";
        return Err(S3Fault::new("AccessDenied").saying(message));
    };
    if (time.0 - now.0).abs() > SKEW_MAX_MS {
        return Err(S3Fault::time_too_skewed(text, now, SKEW_MAX_MS));
    }
    Ok(())
}

fn check_life(query: &Query, now: Wall) -> Result<(), S3Fault> {
    let date = query.text("X-Amz-Date").unwrap_or_default();
    let Some(begins) = Wall::from_iso_basic(&date) else {
        let message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
        return Err(S3Fault::new("AuthorizationQueryParametersError").saying(message));
    };
    if begins.0 - now.0 > SKEW_MAX_MS {
        return Err(S3Fault::new("AccessDenied").saying("Request is not yet valid").with("X-Amz-Date", date));
    }
    let seconds: i64 = query.text("X-Amz-Expires").and_then(|text| text.parse().ok()).unwrap_or(0);
    if now.0 > begins.0 + seconds * 1_000 {
        return Err(expired(&(begins.unix_seconds() + seconds).to_string(), now));
    }
    Ok(())
}

fn expired(expires: &str, now: Wall) -> S3Fault {
    S3Fault::new("AccessDenied").saying("Request has expired").with("Expires", expires).with("ServerTime", now.iso())
}

/// A URI without some of its arguments.
fn without(uri: &Uri, names: &[&str]) -> Result<Uri, S3Fault> {
    let kept = |part: &&str| {
        let name: Vec<u8> = percent_encoding::percent_decode_str(part.split('=').next().unwrap_or_default()).collect();
        !names.iter().any(|dropped| dropped.as_bytes() == name)
    };
    let query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(kept).collect();
    let target = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), query.join("&")) };
    target.parse().map_err(|_| S3Fault::new("InvalidURI"))
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn header_text(headers: &HeaderMap, name: impl AsHeaderName) -> String {
    headers.get(name).map(|value| text_of(value).trim().to_owned()).unwrap_or_default()
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// An HTTP date; old libraries write `+0000` for `GMT`.
fn http_date(text: &str) -> Option<Wall> {
    if let Ok(time) = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822) {
        return Some(Wall::from_unix_seconds(time.unix_timestamp()));
    }
    let time = httpdate::parse_http_date(text).ok()?;
    let since_epoch = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Wall::from_unix_seconds(since_epoch.as_secs().try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::http::s3) fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn check_read(target: &str, headers: &[(&str, &str)], expected: Result<Claim<'_>, &str>) {
        let head = head(target, headers);
        let query = Query::parse(head.uri.query().unwrap_or_default());
        assert_eq!(read(&head, &query).map_err(|fault| fault.code), expected, "{target} {headers:?}");
    }

    const V4: &str =
        "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    const URL_V4: &str = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20130524%2Fus-east-1%2Fs3%2F\
                          aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&\
                          X-Amz-Signature=0";

    #[test]
    fn each_form_is_read_and_two_at_once_are_refused() {
        let v4 = || sig_v4::Claim::new("AK/20130524/us-east-1/s3/aws4_request", "host", "0").expect("whole");
        check_read("/b/k", &[], Ok(Claim::Anonymous));
        check_read("/b/k", &[("authorization", V4)], Ok(Claim::HeaderV4(v4())));
        check_read(URL_V4, &[], Ok(Claim::UrlV4(v4())));
        let header_v2 = Claim::HeaderV2 { access_key_id: "AK", signature: "S=" };
        check_read("/b/k", &[("authorization", "AWS AK:S=")], Ok(header_v2));
        let url_v2 = Claim::UrlV2 { access_key_id: "AK".into(), signature: "S=".into(), expires: "9".into() };
        check_read("/b/k?AWSAccessKeyId=AK&Signature=S%3D&Expires=9", &[], Ok(url_v2));
        for (target, headers, code) in [
            (URL_V4, vec![("authorization", V4)], "InvalidArgument"),
            ("/b/k?Signature=S", vec![("authorization", V4)], "InvalidArgument"),
            ("/b/k?AWSAccessKeyId=AK&X-Amz-Signature=S", vec![], "InvalidArgument"),
            ("/b/k", vec![("authorization", "Bearer x")], "InvalidArgument"),
            ("/b/k", vec![("authorization", "AWS4-HMAC-SHA256 Signature=0")], "AuthorizationHeaderMalformed"),
            ("/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA1", vec![], "AuthorizationQueryParametersError"),
            ("/b/k?AWSAccessKeyId=AK&Signature=S", vec![], "AccessDenied"),
        ] {
            check_read(target, &headers, Err(code));
        }
        let long = URL_V4.replace("Expires=60", "Expires=604801");
        check_read(&long, &[], Err("AuthorizationQueryParametersError"));
    }

    #[test]
    fn a_header_that_was_slipped_in_is_refused() {
        let claim = |signed| sig_v4::Claim::new("AK/d/r/s3/aws4_request", signed, "0").expect("whole");
        let refused =
            |signed, headers: &[(&str, &str)]| check_all_signed(&claim(signed), &head("/", headers).headers).is_err();
        assert!(!refused(
            "host",
            &[("host", "h"), ("content-type", "t"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
        ));
        assert!(!refused("host;x-amz-acl", &[("x-amz-acl", "private")]));
        assert!(refused("host", &[("x-amz-acl", "public-read")]));
        assert!(refused("host;X-Amz-Acl", &[("x-amz-acl", "public-read")]), "the library would not find it");
        assert!(refused("host", &[("x-amz-copy-source", "/b/secret")]));
        assert!(refused("x-amz-date", &[("x-amz-date", "20130524T000000Z")]), "the host must be signed");
    }

    #[test]
    fn a_presigned_url_lives_from_its_date_for_its_seconds() {
        let query = Query::parse(URL_V4.split_once('?').expect("a query").1);
        let at =
            |seconds: i64| check_life(&query, Wall::from_unix_seconds(1_369_353_600 + seconds)).map_err(|f| f.message);
        assert_eq!(at(0), Ok(()));
        assert_eq!(at(60), Ok(()));
        assert_eq!(at(61), Err("Request has expired".into()));
        assert_eq!(at(-15 * 60), Ok(()));
        assert_eq!(at(-15 * 60 - 1), Err("Request is not yet valid".into()));
    }

    #[test]
    fn dates_of_old_libraries_are_read() {
        let expected = Some(Wall::from_unix_seconds(1_175_024_202));
        assert_eq!(http_date("Tue, 27 Mar 2007 19:36:42 +0000"), expected);
        assert_eq!(http_date("Tue, 27 Mar 2007 19:36:42 GMT"), expected);
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn arguments_are_taken_out_of_a_uri() {
        let uri: Uri = "/b/k?acl&AWSAccessKeyId=a&%53ignature=b&Expires=1&x=%2F".parse().expect("a URI");
        assert_eq!(without(&uri, &["AWSAccessKeyId", "Signature", "Expires"]).expect("a URI"), "/b/k?acl&x=%2F");
        let bare: Uri = "/b/k?Expires=1".parse().expect("a URI");
        assert_eq!(without(&bare, &["Expires"]).expect("a URI"), "/b/k");
    }
}
