//! A signature is good for the request that was signed: not for another verb, bucket, key, sub-resource or set of headers,
//! and not in another's name. One table, every scheme of both dialects.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::harness::{Call, HOST, NOW, Running};
use super::signed::{Dialect, Key, Place, Plain, Wire};
use crate::auth::{SignedRequest, oss_v1, oss_v2, oss_v4, sig_v4};
use crate::store::{Acl, BucketName, BucketRecord, ListEntry, ListQuery, UploadsQuery};

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

fn is_oss(scheme: Scheme) -> bool {
    scheme.dialect() == Dialect::Oss
}

fn is_s3_v2(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::S3V2(_))
}

/// Whose, method, change, status.
type Told = (fn(Scheme) -> bool, &'static str, &'static str, u16);

/// What is told before the signature is looked at: over OSS that such a sub-resource is not there for the method, over S3 that
/// a token belongs to no key. Everything else is refused for what it proves: 403.
const TOLD_BEFORE: &[Told] = &[
    (is_oss, "GET", "?append&position=0", 405),
    (is_oss, "GET", "?cors", 400),
    (is_oss, "GET", "?delete", 400),
    (is_oss, "GET", "?location", 400),
    (is_oss, "GET", "?policy", 400),
    (is_oss, "GET", "?policyStatus", 400),
    (is_oss, "GET", "?stat", 400),
    (is_oss, "GET", "?uploads", 405),
    (is_oss, "GET", "?versionId=1", 400),
    (is_oss, "PUT", "?append&position=0", 405),
    (is_oss, "PUT", "?cors", 400),
    (is_oss, "PUT", "?delete", 400),
    (is_oss, "PUT", "?location", 400),
    (is_oss, "PUT", "?objectMeta", 405),
    (is_oss, "PUT", "?policy", 400),
    (is_oss, "PUT", "?policyStatus", 400),
    (is_oss, "PUT", "?stat", 400),
    (is_oss, "PUT", "?uploadId=00000000000000000000000000000001", 400),
    (is_oss, "PUT", "?uploads", 405),
    (is_oss, "PUT", "?versionId=1", 400),
    (is_oss, "PUT", "?vod&startTime=1&endTime=2", 405),
    (is_oss, "PUT", "?x-oss-process=hls/sign", 501),
    (is_s3_v2, "GET", "x-amz-security-token", 400),
    (is_s3_v2, "PUT", "x-amz-security-token", 400),
];

/// Every change of `signed`, by its name.
fn changed(scheme: Scheme, signed: &Wire) -> Vec<(String, Wire)> {
    let mut all = Vec::new();
    let mut add = |what: &str, change: &dyn Fn(&mut Wire)| {
        let mut wire = signed.clone();
        change(&mut wire);
        all.push((what.to_owned(), wire));
    };
    // Amazon's V4 lists what it signs, and browsers add a content type to a presigned URL: only what is listed binds.
    let lists = scheme == Scheme::S3V4;
    for (what, change) in CHANGES.iter().filter(|(what, _)| !lists || !CONTENT.contains(what)) {
        add(what, change);
    }
    let (headers, arguments) = additions(scheme.dialect());
    for (name, value) in headers {
        add(name, &|wire| set_header(wire, name, value));
    }
    for argument in arguments {
        add(&format!("?{argument}"), &|wire| add_argument(wire, argument));
    }
    add("another's name", &|wire| {
        wire.query = wire.query.replace("ownerKey", "otherKey");
        for (_, value) in &mut wire.headers {
            *value = value.replace("ownerKey", "otherKey");
        }
    });
    all
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
    let (mut faults, mut met) = (Vec::new(), BTreeSet::new());
    for scheme in SCHEMES {
        for method in ["GET", "PUT"] {
            let signed = scheme.sign(method);
            let good = signed.send(&mut socket).await;
            assert_eq!(good.status, 200, "{scheme:?} {method}: {good:?}");
            let before = everything(&running).await;
            for (what, wire) in changed(scheme, &signed) {
                let reply = wire.send(&mut socket).await;
                let is_it = |(whose, m, w, _): &Told| whose(scheme) && *m == method && *w == what;
                let told = TOLD_BEFORE.iter().position(is_it);
                met.extend(told);
                let expected = told.map_or(403, |at| TOLD_BEFORE[at].3);
                if reply.status != expected {
                    faults.push(format!("{scheme:?} {method} with {what}: {}", reply.status));
                }
            }
            assert_eq!(everything(&running).await, before, "{scheme:?} {method}: something came of what was refused");
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(met.len(), TOLD_BEFORE.len(), "a line that nothing meets: {met:?}");
}

/// Buckets with their settings, objects with contents and ACLs, open uploads and channels, as they are stored.
async fn everything(running: &Running) -> String {
    let owner = running.bucket("examplebucket").await.owner;
    let buckets = running.meta.list_buckets(owner, "", "", 100).await.expect("readable");
    let mut told = String::new();
    for bucket in &buckets.entries {
        told.push_str(&contents(running, bucket).await);
    }
    told
}

async fn contents(running: &Running, bucket: &BucketRecord) -> String {
    let (meta, id) = (&running.meta, bucket.id);
    let all = ListQuery { prefix: Vec::new(), delimiter: None, after: None, limit: 1_000 };
    let listed = meta.list_objects(id, &all).await.expect("readable");
    let mut objects = Vec::new();
    for entry in &listed.entries {
        let ListEntry::Object(object) = entry else { panic!("no delimiter was asked for: {entry:?}") };
        objects.push(meta.object(id, &object.key).await.expect("readable").expect("listed"));
    }
    let all = UploadsQuery { prefix: Vec::new(), delimiter: None, after: None, after_id: None, limit: 1_000 };
    let uploads = meta.list_uploads(id, &all).await.expect("readable");
    let channels = meta.list_channels(id, "", "", 1_000).await.expect("readable");
    let lifecycle = meta.bucket_lifecycle(id).await.expect("readable");
    format!("{bucket:#?}\n{lifecycle:#?}\n{objects:#?}\n{uploads:#?}\n{channels:#?}\n")
}

/// What the table's requests are made of must itself be what the schemes say.
#[test]
fn a_header_signature_of_v1_is_the_published_one() {
    let request = SignedRequest { method: "GET", bucket: Some("b"), key: b"k", headers: &[], query: &[] };
    let string = oss_v1::string_to_sign(&request, b"d", oss_v1::SubResources::Wide);
    assert_eq!(string, b"GET\n\n\nd\n/b/k");
    assert_eq!(BASE64.decode(oss_v1::signature("s", &string)).expect("base64").len(), 20);
}
