//! The short way of a plain read: GET or HEAD of an object that nobody signed, or that was signed with V4.
//!
//! The library takes any request of S3 apart, which costs several times what such a read does. So the form that players and
//! SDKs send all day is read here, and only that: narrower than what the library takes in each respect, by lists of what
//! may be there. Whatever is spelt in another way, asks for more or does not prove itself goes the long way, and gets the
//! answer or the error of that. Both end in the same handlers, so a request that could go either way is answered alike.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use http::header::{self, AsHeaderName, HeaderMap, HeaderName};
use http::request::Parts;

use super::claim::{self, Claim};
use super::error::S3Fault;
use super::exchange::{Ask, Caller, Exchange};
use super::hooks::{check_session, credential, host_bucket};
use super::object;
use crate::auth::sig_v4;
use crate::http::body::Promised;
use crate::http::query::Query;
use crate::http::server::{Answer, HttpDeps};
use crate::net::host::HostRules;
use crate::store::{BucketName, ObjectKey};

/// A plain read whose caller is proven.
pub(super) struct Read {
    operation: &'static str,
    bucket: String,
    key: String,
    caller: Caller,
}

/// Headers of this dialect that a plain read may have. What it promises of a body is promised of none.
const HEADERS: [&str; 5] =
    ["x-amz-checksum-mode", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent"];
static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// Headers of HTTP by which a read is not plain: the library has its own word for those that cannot be read.
const CONDITIONS: [&str; 5] = ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range"];
/// Arguments that it may have: those of the signature, and what SDKs add to the URLs that they sign.
const ARGUMENTS: [&str; 10] = [
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "x-amz-checksum-mode",
    "x-id",
];
/// What `x-amz-content-sha256` says of no body: its digest, or that it is not signed.
const NO_BODY: [&str; 2] = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "UNSIGNED-PAYLOAD"];

/// The request as a plain read; `None` when it is none, or when nothing proves its claim. What of the claim
/// [`claim::check_v4`] judges has been judged.
pub(super) async fn prove(
    claim: &Claim<'_>,
    head: &Parts,
    promised: Promised,
    exchange: &Exchange,
    deps: &HttpDeps,
) -> Option<Read> {
    let operation = match head.method {
        Method::GET => "GetObject",
        Method::HEAD => "HeadObject",
        _ => return None,
    };
    let is_plain = matches!(promised, Promised::Nothing | Promised::Length(0))
        && has_plain_headers(&head.headers)
        && has_plain_query(head.uri.query().unwrap_or_default(), &exchange.query);
    if !is_plain {
        return None;
    }
    let (bucket, key) = subject(head, &deps.hosts)?;
    let caller = match claim {
        Claim::Anonymous => Caller::Anonymous,
        Claim::HeaderV4(claim) => signer(claim, head, exchange, deps, Place::Header).await?,
        Claim::UrlV4(claim) => signer(claim, head, exchange, deps, Place::Url).await?,
        Claim::HeaderV2 { .. } | Claim::UrlV2 { .. } => return None,
    };
    Some(Read { operation, bucket, key, caller })
}

/// Answers a plain read; all that the hooks judge of one is judged here by the same functions.
pub(super) async fn answer(
    read: Read,
    head: &mut Parts,
    exchange: &Arc<Exchange>,
    deps: &Arc<HttpDeps>,
) -> Result<Answer, S3Fault> {
    let Read { operation, bucket, key, caller } = read;
    {
        let mut notes = exchange.notes();
        notes.operation = Some(operation);
        notes.bucket_name = Some(bucket.clone());
        notes.key = Some(key.clone());
    }
    let judged = check_session(operation, &bucket, Some(key.as_bytes()), &caller, exchange);
    // Lent, because a handler outlives the library's borrows and has them for its own.
    let headers = std::mem::take(&mut head.headers);
    let ask = Ask { deps: deps.clone(), exchange: exchange.clone(), caller, headers, trailers: None };
    let outcome = match judged {
        Ok(()) if operation == "HeadObject" => object::head(&ask, &bucket, &key).await,
        Ok(()) => object::get(&ask, &bucket, &key).await,
        Err(fault) => Err(fault),
    };
    head.headers = ask.headers;
    exchange.notes().caller = ask.caller;
    outcome
}

fn has_plain_headers(headers: &HeaderMap) -> bool {
    headers.keys().all(|name| match name.as_str() {
        "x-amz-checksum-mode" => one(headers, name) == Some("ENABLED"),
        name if name.starts_with("x-amz-") => HEADERS.contains(&name),
        name => !CONDITIONS.contains(&name),
    })
}

/// Each argument once, so that no reading of the query could find another.
fn has_plain_query(raw: &str, query: &Query) -> bool {
    let written = raw.split('&').filter(|part| !part.is_empty()).count();
    let is_known = |name: &[u8]| ARGUMENTS.iter().any(|known| known.as_bytes() == name);
    written == query.pairs().len() && query.pairs().iter().all(|(name, value)| is_known(name) && value.is_ascii())
}

/// The bucket and the key that host and path name.
fn subject(head: &Parts, hosts: &HostRules) -> Option<(String, String)> {
    if head.uri.authority().is_some() {
        return None;
    }
    let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8().ok()?;
    let rest = path.strip_prefix('/')?;
    let (bucket, key) = match host_bucket(hosts, one(&head.headers, header::HOST)?) {
        Some(bucket) => (Cow::Owned(bucket), rest),
        None => rest.split_once('/').map(|(bucket, key)| (Cow::Borrowed(bucket), key))?,
    };
    let valid = !key.is_empty() && key.len() <= ObjectKey::BYTES_MAX && BucketName::is_valid(&bucket);
    valid.then(|| (bucket.into_owned(), key.to_owned()))
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Url,
}

/// Who made the claim's signature; `None` when it is not spelt as signers spell it, or nobody did.
async fn signer(
    claim: &sig_v4::Claim<'_>,
    head: &Parts,
    exchange: &Exchange,
    deps: &HttpDeps,
    place: Place,
) -> Option<Caller> {
    let scope = scope(claim)?;
    let timestamp = match place {
        Place::Header => {
            has_usual_form(one(&head.headers, header::AUTHORIZATION)?).then_some(())?;
            one(&head.headers, &DATE)?
        }
        Place::Url => std::str::from_utf8(exchange.query.get("X-Amz-Date")?).ok()?,
    };
    let payload = head.headers.contains_key(&CONTENT_SHA256);
    let of_no_body = || one(&head.headers, &CONTENT_SHA256).is_some_and(|text| NO_BODY.contains(&text));
    // A header that is signed says so; a URL may leave it out.
    let payload_fits = if payload { of_no_body() } else { place == Place::Url };
    if !timestamp.starts_with(scope[0]) || !payload_fits || !names_are_plain(claim, &head.headers) {
        return None;
    }
    let key = credential(deps, claim.access_key_id, exchange.token.as_deref(), exchange.now).await.ok()?;
    let signing_key = deps.signing_keys.get(sig_v4::DERIVATION, &key.secret, scope);
    let canonical = claim::canonical(claim, head, &exchange.query, place == Place::Url);
    let string = sig_v4::string_to_sign(&canonical, timestamp, claim.scope);
    sig_v4::verify_with(&signing_key, claim, &string).then(|| key.into())
}

/// Day, region and service of a claim, where they are such as the library knows.
fn scope<'a>(claim: &sig_v4::Claim<'a>) -> Option<[&'a str; 3]> {
    let mut parts = claim.scope.split('/');
    let (day, region, service, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let known = day.len() == 8
        && !region.is_empty()
        && region.bytes().all(is_region)
        && service == "s3"
        && end == sig_v4::TERMINATOR
        && parts.next().is_none()
        && !claim.access_key_id.contains('/');
    known.then_some([day, region, service])
}

/// Whether an `Authorization` of V4 has its fields in the usual order, without blanks but those behind commas.
fn has_usual_form(value: &str) -> bool {
    let fields = value.strip_prefix(sig_v4::ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
    let Some(mut rest) = fields else { return false };
    for (name, is_last) in [("Credential=", false), ("SignedHeaders=", false), ("Signature=", true)] {
        let Some(value) = rest.trim_start_matches(' ').strip_prefix(name) else { return false };
        let (value, behind) = match value.split_once(',') {
            Some((value, behind)) if !is_last => (value, behind),
            None if is_last => (value, ""),
            _ => return false,
        };
        if value.contains(' ') {
            return false;
        }
        rest = behind;
    }
    true
}

/// Whether the signed names are in order and in lower case, none twice, and each header is there once.
fn names_are_plain(claim: &sig_v4::Claim<'_>, headers: &HeaderMap) -> bool {
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let mut before = "";
    claim.signed_names().all(|name| {
        let in_order = before < name;
        before = name;
        in_order && name.bytes().all(is_lower) && name != "authorization" && one(headers, name).is_some()
    })
}

/// The value of a header that came once and that every reader of blanks takes for the same text.
fn one(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let bytes = values.next()?.as_bytes();
    let mut before = b' ';
    let plain = bytes.iter().all(|byte| {
        let fits = byte.is_ascii_graphic() || (*byte == b' ' && before != b' ');
        before = *byte;
        fits
    });
    let one = values.next().is_none() && plain && (bytes.is_empty() || before != b' ');
    one.then(|| std::str::from_utf8(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::s3::claim::tests::head;

    #[test]
    fn what_asks_for_more_or_is_spelt_twice_is_not_plain() {
        for (headers, plain) in [
            (&[][..], true),
            (&[("host", "h"), ("user-agent", "u"), ("x-amz-date", "d"), ("x-amz-user-agent", "u")], true),
            (&[("x-amz-checksum-mode", "ENABLED")], true),
            (&[("x-amz-checksum-mode", "enabled")], false),
            (&[("x-amz-checksum-mode", "ENABLED"), ("x-amz-checksum-mode", "ENABLED")], false),
            (&[("range", "bytes=0-1")], false),
            (&[("if-none-match", "*")], false),
            (&[("x-amz-server-side-encryption-customer-key", "k")], false),
            (&[("x-amz-expected-bucket-owner", "1")], false),
            (&[("x-amz-decoded-content-length", "1")], false),
            (&[("x-amz-anything", "1")], false),
        ] {
            assert_eq!(has_plain_headers(&head("/", headers).headers), plain, "{headers:?}");
        }
        for (query, plain) in [
            ("", true),
            ("x-id=GetObject", true),
            ("X-Amz-Signature=0&x-id=GetObject", true),
            ("%78-id=GetObject", true),
            ("x-id=1&x-id=1", false),
            ("x-id=%FF", false),
            ("versionId=null", false),
            ("response-content-type=t", false),
            ("partNumber=1", false),
            ("acl", false),
            ("Signature=S", false),
            ("anything=1", false),
        ] {
            assert_eq!(has_plain_query(query, &Query::parse(query)), plain, "{query}");
        }
        let of_operations = super::super::hooks::SUB_RESOURCES;
        assert!(ARGUMENTS.iter().all(|name| !of_operations.contains(name) && *name != "partNumber"));
    }

    #[test]
    fn the_subject_is_an_object_of_a_bucket_that_may_exist() {
        let of = |target: &str, host: &str| subject(&head(target, &[("host", host)]), &HostRules::default());
        let pair = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        assert_eq!(of("/films/a%20b/c", "127.0.0.1:9000"), pair("films", "a b/c"));
        assert_eq!(of("/films%2Fa", "127.0.0.1"), pair("films", "a"));
        assert_eq!(of("/a/b", "films.localhost"), pair("films", "a/b"));
        for (target, host) in [
            ("/", "127.0.0.1"),
            ("/films", "127.0.0.1"),
            ("/films/", "127.0.0.1"),
            ("/Films/k", "127.0.0.1"),
            ("/films/%FF", "127.0.0.1"),
            ("/", "films.localhost"),
            ("http://films.localhost/k", "127.0.0.1"),
        ] {
            assert_eq!(of(target, host), None, "{target} {host}");
        }
        assert_eq!(of(&format!("/films/{}", "k".repeat(1_025)), "127.0.0.1"), None);
        assert_eq!(subject(&head("/films/k", &[]), &HostRules::default()), None);
    }

    #[test]
    fn a_signature_has_the_usual_form() {
        let usual =
            "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";
        assert!(has_usual_form(usual) && has_usual_form(&usual.replace(", ", ",")));
        for (from, to) in [
            ("SHA256 ", "SHA256"),
            ("SHA256", "SHA512"),
            ("SignedHeaders", "Other"),
            ("=host", "=host "),
            ("=00", "=00,More=1"),
            ("Credential=", "Credential= "),
            (", SignedHeaders=host", ""),
        ] {
            assert!(!has_usual_form(&usual.replace(from, to)), "{from} {to}");
        }
        assert!(!has_usual_form(""));
        let claim = |scope| sig_v4::Claim { access_key_id: "AK", scope, signed_headers: "host", signature: "0" };
        assert_eq!(scope(&claim("20130524/us-east-1/s3/aws4_request")), Some(["20130524", "us-east-1", "s3"]));
        for text in
            ["20130524/US/s3/aws4_request", "20130524//s3/aws4_request", "20130524/r/sts/aws4_request", "d/r/s3"]
        {
            assert_eq!(scope(&claim(text)), None, "{text}");
        }
    }

    #[test]
    fn signed_names_are_in_order_and_there_once() {
        let headers =
            head("/", &[("host", "h"), ("x-amz-date", "d"), ("twice", "1"), ("twice", "2"), ("wide", "a  b")]);
        let plain = |signed_headers| {
            let claim = sig_v4::Claim { access_key_id: "AK", scope: "", signed_headers, signature: "0" };
            names_are_plain(&claim, &headers.headers)
        };
        assert!(plain("host") && plain("host;x-amz-date"));
        for names in ["", "x-amz-date;host", "host;host", "Host", "host;missing", "twice", "host;wide", "authorization"]
        {
            assert!(!plain(names), "{names}");
        }
    }
}
