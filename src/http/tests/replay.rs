//! A signature is good for the request that was signed: not for another verb, bucket, key, sub-resource or set of headers,
//! and not in another's name. One table, every scheme of both dialects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::harness::{Call, HOST, NOW, Running, Socket};
use super::signed::{Dialect, Key, Place, Plain, Wire};
use crate::auth::{SignedRequest, oss_v1, oss_v2, oss_v4, sig_v4};
use crate::store::{Acl, BucketName};

const ISO: &str = "20231114T221320Z";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    OssV1(Place),
    OssV2(Place),
    OssV4(Place),
    S3V2(Place),
    S3V4,
}

/// All but Amazon's V4 in the URL, whose library reads the machine's clock: see `tests/it/s3_signatures.rs`.
pub(super) const SCHEMES: [Scheme; 9] = [
    Scheme::OssV1(Place::Header),
    Scheme::OssV1(Place::Url),
    Scheme::OssV2(Place::Header),
    Scheme::OssV2(Place::Url),
    Scheme::OssV4(Place::Header),
    Scheme::OssV4(Place::Url),
    Scheme::S3V2(Place::Header),
    Scheme::S3V2(Place::Url),
    Scheme::S3V4,
];

impl Scheme {
    fn dialect(self) -> Dialect {
        match self {
            Scheme::OssV1(_) | Scheme::OssV2(_) | Scheme::OssV4(_) => Dialect::Oss,
            Scheme::S3V2(_) | Scheme::S3V4 => Dialect::S3,
        }
    }

    /// `PUT` or `GET` of `examplebucket/k` by the owner, with one header of metadata.
    pub(super) fn sign(self, method: &'static str) -> Wire {
        let meta = if self.dialect() == Dialect::Oss { "x-oss-meta-a" } else { "x-amz-meta-a" };
        let plain = Plain::new(self.dialect(), method, "examplebucket", "k", "").header(meta, "1");
        let plain = if method == "PUT" { plain.body("text") } else { plain };
        let key = Key::new("ownerKey", "ownerSecret");
        match self {
            Scheme::OssV1(place) | Scheme::S3V2(place) => plain.signed(Some(&key), place),
            Scheme::OssV2(place) => oss_v2_or_v4(&plain, &key, place, false),
            Scheme::OssV4(place) => oss_v2_or_v4(&plain, &key, place, true),
            Scheme::S3V4 => s3_v4(&plain, &key),
        }
    }
}

fn bare(plain: &Plain) -> Wire {
    let (method, body) = (plain.method.to_owned(), plain.body.clone());
    Wire { method, path: "/examplebucket/k".into(), query: String::new(), headers: plain.headers.clone(), body }
}

fn oss_v2_or_v4(plain: &Plain, key: &Key, place: Place, v4: bool) -> Wire {
    let mut wire = bare(plain);
    if place == Place::Header {
        wire.headers.push(("x-oss-date".into(), if v4 { ISO.into() } else { super::harness::NOW_TEXT.into() }));
    }
    let headers = wire.headers.clone();
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    let request =
        SignedRequest { method: plain.method, bucket: Some("examplebucket"), key: b"k", headers: &headers, query: &[] };
    let scope = oss_v4::Scope { date: "20231114", region: "cn-hangzhou", product: "oss" };
    match (place, v4) {
        (Place::Url, false) => {
            wire.query = oss_v2::sign_url_query(&request, &key.id, &key.secret, NOW.unix_seconds() + 60);
        }
        (Place::Url, true) => {
            wire.query = oss_v4::sign_url_query(&request, &key.id, &key.secret, &scope, ISO, 60);
        }
        (Place::Header, false) => {
            let string = oss_v2::string_to_sign(&request, &[], super::harness::NOW_TEXT.as_bytes());
            let signature = oss_v2::signature(&key.secret, &string);
            let value = format!("OSS2 AccessKeyId:{},Signature:{signature}", key.id);
            wire.headers.push(("authorization".into(), value));
        }
        (Place::Header, true) => {
            let string = oss_v4::string_to_sign(&oss_v4::canonical_request(&request, &[]), ISO, &scope);
            let signature = oss_v4::signature(&key.secret, &scope, &string);
            let value = format!("OSS4-HMAC-SHA256 Credential={}/{scope},Signature={signature}", key.id);
            wire.headers.push(("authorization".into(), value));
        }
    }
    wire
}

fn s3_v4(plain: &Plain, key: &Key) -> Wire {
    const SCOPE: &str = "20231114/us-east-1/s3/aws4_request";
    let mut wire = bare(plain);
    wire.headers.push(("x-amz-date".into(), ISO.into()));
    wire.headers.push(("x-amz-content-sha256".into(), "UNSIGNED-PAYLOAD".into()));
    let mut signed = wire.headers.clone();
    signed.push(("host".into(), HOST.into()));
    let headers: Vec<(&str, &[u8])> = signed.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    let mut names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let canonical = sig_v4::canonical_request(&sig_v4::Request {
        method: plain.method,
        path: b"/examplebucket/k",
        query: &[],
        headers: &headers,
        signed_headers: &names,
        payload_hash: "UNSIGNED-PAYLOAD",
    });
    let signature = sig_v4::signature(&key.secret, SCOPE, &sig_v4::string_to_sign(&canonical, ISO, SCOPE));
    let (id, names) = (&key.id, names.join(";"));
    let value = format!("AWS4-HMAC-SHA256 Credential={id}/{SCOPE}, SignedHeaders={names}, Signature={signature}");
    wire.headers.push(("authorization".into(), value));
    wire
}

/// What was signed, changed by somebody who has no key.
type Change = fn(&mut Wire);

fn set_header(wire: &mut Wire, name: &str, value: &str) {
    wire.headers.retain(|(known, _)| known != name);
    wire.headers.push((name.into(), value.into()));
}

fn add_argument(wire: &mut Wire, argument: &str) {
    let separator = if wire.query.is_empty() { "" } else { "&" };
    wire.query.push_str(&format!("{separator}{argument}"));
}

const CONTENT: [&str; 2] = ["a content type", "a digest"];

const CHANGES: &[(&str, Change)] = &[
    ("another verb", |wire| wire.method = "DELETE".into()),
    ("another verb, without a body", |wire| {
        wire.method = if wire.method == "HEAD" { "GET".into() } else { "HEAD".into() };
        wire.body.clear();
    }),
    ("another bucket", |wire| wire.path = wire.path.replace("/examplebucket/", "/another/")),
    ("the bucket itself", |wire| wire.path = "/examplebucket/".into()),
    ("another key", |wire| wire.path = "/examplebucket/k2".into()),
    ("a key in a folder of its own name", |wire| wire.path = "/examplebucket/examplebucket/k".into()),
    ("a key by way of dots", |wire| wire.path = "/examplebucket/x/../k".into()),
    (CONTENT[0], |wire| set_header(wire, "content-type", "text/html")),
    (CONTENT[1], |wire| set_header(wire, "content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")),
];

/// Headers and sub-resources that mean something in a dialect.
fn additions(dialect: Dialect) -> (&'static [(&'static str, &'static str)], &'static [&'static str]) {
    match dialect {
        Dialect::Oss => (
            &[
                ("x-oss-meta-a", "2"),
                ("x-oss-meta-b", "1"),
                ("x-oss-object-acl", "public-read-write"),
                ("x-oss-acl", "public-read-write"),
                ("x-oss-copy-source", "/examplebucket/secret"),
                ("x-oss-tagging", "a=b"),
                ("x-oss-forbid-overwrite", "true"),
                ("x-oss-security-token", "token"),
            ],
            &[
                "acl",
                "append&position=0",
                "callback=e30=",
                "cors",
                "delete",
                "live",
                "live&status=disabled",
                "location",
                "objectMeta",
                "partNumber=1&uploadId=00000000000000000000000000000001",
                "policy",
                "policyStatus",
                "response-content-type=text/html",
                "security-token=token",
                "stat",
                "tagging",
                "uploadId=00000000000000000000000000000001",
                "uploads",
                "versionId=1",
                "vod&startTime=1&endTime=2",
                "x-oss-process=hls/sign",
            ],
        ),
        Dialect::S3 => (
            &[
                ("x-amz-meta-a", "2"),
                ("x-amz-meta-b", "1"),
                ("x-amz-acl", "public-read-write"),
                ("x-amz-copy-source", "/examplebucket/secret"),
                ("x-amz-tagging", "a=b"),
                ("x-amz-security-token", "token"),
            ],
            &[
                "acl",
                "cors",
                "delete",
                "location",
                "partNumber=1&uploadId=00000000000000000000000000000001",
                "policy",
                "policyStatus",
                "response-content-type=text/html",
                "tagging",
                "uploadId=00000000000000000000000000000001",
                "uploads",
                "versionId=null",
            ],
        ),
    }
}

#[tokio::test]
async fn a_signature_is_good_for_what_was_signed_and_nothing_else() {
    let running = Running::start().await;
    let owner = running.bucket("examplebucket").await.owner;
    let another = BucketName::new("another").expect("valid");
    running.meta.create_bucket(&another, owner, Acl::Private, NOW).await.expect("free");
    for key in ["/k", "/k2", "/secret"] {
        running.call(Call::new("PUT", key).body("text")).await.assert_empty(200);
    }
    let mut socket = running.connect().await;
    for scheme in SCHEMES {
        for method in ["GET", "PUT"] {
            let signed = scheme.sign(method);
            let good = signed.send(&mut socket).await;
            assert_eq!(good.status, 200, "{scheme:?} {method}: {good:?}");
            // Amazon's V4 lists what it signs, and browsers add a content type to a presigned URL: only what is listed binds.
            let lists = scheme == Scheme::S3V4;
            for (what, change) in CHANGES.iter().filter(|(what, _)| !lists || !CONTENT.contains(what)) {
                let mut wire = signed.clone();
                change(&mut wire);
                refused(&mut socket, &wire, &format!("{scheme:?} {method} with {what}")).await;
            }
            let (headers, arguments) = additions(scheme.dialect());
            for (name, value) in headers {
                let mut wire = signed.clone();
                set_header(&mut wire, name, value);
                refused(&mut socket, &wire, &format!("{scheme:?} {method} with {name}")).await;
            }
            for argument in arguments {
                let mut wire = signed.clone();
                add_argument(&mut wire, argument);
                refused(&mut socket, &wire, &format!("{scheme:?} {method} with ?{argument}")).await;
            }
            let mut wire = signed.clone();
            wire.query = wire.query.replace("ownerKey", "otherKey");
            for (_, value) in &mut wire.headers {
                *value = value.replace("ownerKey", "otherKey");
            }
            refused(&mut socket, &wire, &format!("{scheme:?} {method} in another's name")).await;
        }
    }
    assert_eq!(running.call(Call::new("GET", "/k2")).await.text(), "text", "nothing was changed on the way");
}

/// Refused for what it proves: 403. Or for its shape (400, 405, 501), where that is told before anything is looked up; nothing
/// comes of that either.
async fn refused(socket: &mut Socket, wire: &Wire, told: &str) {
    let reply = wire.send(socket).await;
    assert!([400, 403, 405, 501].contains(&reply.status), "{told}: {reply:?}");
}

/// What the table's requests are made of must itself be what the schemes say.
#[test]
fn a_header_signature_of_v1_is_the_published_one() {
    let request = SignedRequest { method: "GET", bucket: Some("b"), key: b"k", headers: &[], query: &[] };
    let string = oss_v1::string_to_sign(&request, b"d", oss_v1::SubResources::Wide);
    assert_eq!(string, b"GET\n\n\nd\n/b/k");
    assert_eq!(BASE64.decode(oss_v1::signature("s", &string)).expect("base64").len(), 20);
}
