//! Plain reads over S3 go a way of their own past the library. With an argument that means nothing they go the long way, and the
//! answers are the same; none of them is given to whoever did not sign for it.

use super::harness::{Call, HOST, NOW, Reply, Running, Socket};
use super::signed::{Key, Wire};
use crate::auth::sig_v4;
use crate::clock::Wall;
use crate::http::query::Query;
use crate::store::credentials::token_digest;
use crate::store::{Acl, NewSessionKey, ObjectKey};

const ISO: &str = "20231114T221320Z";
const SCOPE: &str = "20231114/us-east-1/s3/aws4_request";
const TOKEN: &str = "the-token";

/// An argument that only the library takes.
const LONG_WAY: &str = "anything=1";

fn key(id: &str) -> Option<Key> {
    Some(Key::new(&format!("{id}Key"), &format!("{id}Secret")))
}

/// A read that is signed with V4 in its head, by `key` if there is one.
fn in_header(method: &str, path: &str, query: &str, key: Option<&Key>) -> Wire {
    let mut headers: Vec<(String, String)> = vec![("x-amz-user-agent".into(), "test".into())];
    if let Some(key) = key {
        headers.push(("x-amz-content-sha256".into(), "UNSIGNED-PAYLOAD".into()));
        headers.push(("x-amz-date".into(), ISO.into()));
        headers.extend(key.token.iter().map(|token| ("x-amz-security-token".into(), token.clone())));
        let mut signed = [&headers[..], &[("host".to_owned(), HOST.to_owned())]].concat();
        signed.sort();
        let signed: Vec<(&str, &[u8])> = signed.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let canonical = sig_v4::canonical_request(&sig_v4::Request {
            method,
            path: path.as_bytes(),
            query: Query::parse(query).pairs(),
            headers: &signed,
            signed_headers: &names,
            payload_hash: "UNSIGNED-PAYLOAD",
        });
        let signature = sig_v4::signature(&key.secret, SCOPE, &sig_v4::string_to_sign(&canonical, ISO, SCOPE));
        let (id, names) = (&key.id, names.join(";"));
        let value = format!("AWS4-HMAC-SHA256 Credential={id}/{SCOPE}, SignedHeaders={names}, Signature={signature}");
        headers.push(("authorization".into(), value));
    }
    Wire { method: method.into(), path: path.into(), query: query.into(), headers, body: Vec::new() }
}

/// A read whose URL is signed with V4 for a minute.
fn in_url(method: &str, path: &str, key: &Key) -> Wire {
    let request = sig_v4::Request {
        method,
        path: path.as_bytes(),
        query: &[(b"x-id".to_vec(), b"GetObject".to_vec())],
        headers: &[("host", HOST.as_bytes())],
        signed_headers: &["host"],
        payload_hash: "UNSIGNED-PAYLOAD",
    };
    let (access_key_id, secret) = (key.id.as_str(), key.secret.as_str());
    let signer = sig_v4::Signer { access_key_id, secret, scope: SCOPE, timestamp: ISO, expires: 60 };
    let query = sig_v4::sign_url_query(&request, &signer);
    Wire { method: method.into(), path: path.into(), query, headers: Vec::new(), body: Vec::new() }
}

/// `k`, which only its owner reads, and `open`, which everybody does; both with metadata, one of them tagged.
async fn start() -> (Running, Socket) {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for (target, tags) in [("/k", "a=1&b=2"), ("/open", ""), ("/a%20%C3%A9", "")] {
        let put = Call::new("PUT", target).header("Content-Type", "text/plain").header("x-oss-meta-a", "b");
        let put = if tags.is_empty() { put } else { put.header("x-oss-tagging", tags) };
        assert_eq!(socket.call(put.body("text")).await.status, 200);
    }
    let (bucket, open) = (running.bucket("examplebucket").await.id, ObjectKey::new("open").expect("valid"));
    running.meta.set_object_acl(bucket, &open, None, Some(Acl::PublicRead)).await.expect("there");
    for (id, policy) in [("STS.all", None), ("STS.none", Some(r#"{"Version":"1","Statement":[]}"#.to_owned()))] {
        let session = NewSessionKey {
            id: id.into(),
            secret: "sessionSecret".into(),
            token_sha256: token_digest(TOKEN.as_bytes()),
            expires: Wall(NOW.0 + 60_000),
            policy,
        };
        running.meta.put_session_key("ownerKey", session, NOW).await.expect("a new credential");
    }
    (running, socket)
}

/// What an answer says, but for what each answer has of its own.
fn shown(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    const OWN: [&str; 4] = ["x-amz-request-id", "x-amz-id-2", "date", "content-length"];
    let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).cloned().collect();
    headers.sort();
    // Of an error the code: its document names the request, and shows what should have been signed.
    let body = match reply.status {
        200 | 206 | 304 => reply.body.clone(),
        _ if reply.body.is_empty() => Vec::new(),
        _ => reply.element("Code").into_bytes(),
    };
    (reply.status, headers, body)
}

#[tokio::test]
async fn both_ways_answer_alike() {
    let (_running, mut socket) = start().await;
    let session = |id: &str, token: &str| Some(Key::new(id, "sessionSecret").token(token));
    let callers = [
        (None, 403, 200),
        (key("owner"), 200, 200),
        (key("other"), 403, 200),
        (Some(Key::new("ownerKey", "wrong")), 403, 403),
        (Some(Key::new("nobody", "ownerSecret")), 403, 403),
        (session("STS.all", TOKEN), 200, 200),
        (session("STS.all", "another"), 400, 400),
        (session("STS.none", TOKEN), 403, 403),
        (Some(Key::new("STS.all", "sessionSecret")), 403, 403),
    ];
    for (who, private, open) in &callers {
        for (path, status) in [
            ("/examplebucket/k", *private),
            ("/examplebucket/open", *open),
            ("/examplebucket/missing", if *private == 200 { 404 } else { *private }),
            ("/nobucket/k", if *private == 200 { 404 } else { 0 }),
        ] {
            for method in ["GET", "HEAD"] {
                let row = format!("{method} {path} by {who:?}");
                let short = in_header(method, path, "", who.as_ref()).send(&mut socket).await;
                let long = in_header(method, path, LONG_WAY, who.as_ref()).send(&mut socket).await;
                assert_eq!(shown(&short), shown(&long), "{row}");
                assert!(status == 0 || short.status == status, "{row}: {}", short.status);
            }
        }
    }
}

/// What a read by the owner, and one by nobody, comes to on either way. A socket for each: some heads end theirs.
async fn assert_alike(running: &Running, path: &str, query: &str, more: Option<(&str, &str)>) {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    for who in [None, key("owner")] {
        for method in ["GET", "HEAD"] {
            let send = async |query: &str| {
                let mut wire = in_header(method, &decoded, query, who.as_ref());
                wire.path = path.into();
                wire.headers.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
                shown(&wire.send(&mut running.connect().await).await)
            };
            let long = [query, LONG_WAY].join(if query.is_empty() { "" } else { "&" });
            assert_eq!(send(query).await, send(&long).await, "{method} {path}?{query} with {more:?} by {who:?}");
        }
    }
}

/// `k` and more, which everybody reads and whose names are written in many ways.
async fn start_open() -> Running {
    let (running, mut socket) = start().await;
    for target in ["/k/", "/a+b", "/a%20b", "/%2e", "/x%3Fy", "/a%00b", "/%25zz", "/b%5Cc", "/%7e%21%2a"] {
        assert_eq!(socket.call(Call::new("PUT", target).body("text")).await.status, 200, "{target}");
    }
    let bucket = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(bucket, Acl::PublicRead).await.expect("there");
    running
}

#[tokio::test]
async fn names_are_read_alike_however_they_are_written() {
    let running = start_open().await;
    for key in [
        "k",
        "%6b",
        "%6B",
        "/k",
        "k/",
        "k%2F",
        "k%2f",
        "a+b",
        "a%2Bb",
        "a%20b",
        ".",
        "%2e",
        "./k",
        "../k",
        "x%3Fy",
        "a%00b",
        "%25zz",
        "%zz",
        "%",
        "a%20%C3%A9",
        "a%20%c3%a9",
        "%FF",
        "b%5Cc",
        "~!*",
        "%7E%21%2A",
        "k;v=1",
        "",
    ] {
        assert_alike(&running, &format!("/examplebucket/{key}"), "", None).await;
    }
    for path in
        ["/examplebucket%2Fk", "//examplebucket/k", "/Examplebucket/k", "/ex/k", "/e%78amplebucket/k", "/127.0.0.1/k"]
    {
        assert_alike(&running, path, "", None).await;
    }
    let hosts =
        ["", "examplebucket.", "EXAMPLEBUCKET.", "nobucket.", "x.examplebucket."].map(|below| format!("{below}{HOST}"));
    let more =
        ["examplebucket.oss.example.com:80", "examplebucket.oss.example.com.", "127.0.0.1", "[::1]:80", "unknown"];
    for host in hosts.iter().map(String::as_str).chain(more) {
        for path in ["/k", "//k", "/examplebucket/k", "/", "/%6b", "/k%2F"] {
            let send = async |target: String| {
                let mut socket = running.connect().await;
                socket
                    .send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nx-amz-user-agent: t\r\n\r\n").as_bytes())
                    .await;
                shown(&socket.reply(false).await)
            };
            assert_eq!(send(path.to_owned()).await, send(format!("{path}?{LONG_WAY}")).await, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn arguments_and_headers_are_read_alike() {
    let running = start_open().await;
    for query in [
        "x-id=GetObject",
        "x-id=PutObject",
        "x-id=ListBuckets",
        "x-id",
        "x-id=+",
        "x-id=a%26b",
        "x-id=a=b",
        "x-id=%zz",
        "&x-id=1",
        "x-id=1&&",
        "X-Id=1",
        "x-id=1&x-id=1",
        "x-amz-checksum-mode=ENABLED",
        "x-amz-checksum-mode=x",
        "X-Amz-Date=1",
        "X-Amz-Expires=1",
        "X-Amz-SignedHeaders=a",
        "X-Amz-Security-Token=t",
        "X-Amz-Security-Token=",
        "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
        "versionId=null",
        "partNumber=1",
        "response-content-type=a",
    ] {
        assert_alike(&running, "/examplebucket/k", query, None).await;
    }
    for more in [
        ("content-type", "a"),
        ("content-type", "multipart/form-data; boundary=a"),
        ("content-length", "0"),
        ("content-md5", "x"),
        ("content-encoding", "aws-chunked"),
        ("date", "x"),
        ("origin", "http://a.example"),
        ("referer", "http://a.example"),
        ("user-agent", "\u{e9}"),
        ("user-agent", ""),
        ("host", "examplebucket.oss.example.com"),
        ("authorization", ""),
        ("authorization", "AWS4-HMAC-SHA256"),
        ("x-amz-checksum-mode", "ENABLED"),
        ("x-amz-checksum-mode", "x"),
        ("x-amz-date", "x"),
        ("x-amz-content-sha256", "x"),
        ("x-amz-security-token", "x"),
        ("x-amz-security-token", ""),
        ("x-amz-user-agent", "again"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-expected-bucket-owner", "1"),
        ("x-amz-expected-bucket-owner", "7"),
        ("x-amz-decoded-content-length", "x"),
        ("if-range", "x"),
        ("if-match", "x"),
        ("if-none-match", "*"),
        ("if-modified-since", "x"),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("if-unmodified-since", "Tue, 14 Nov 2000 22:13:20 GMT"),
        ("range", "bytes=-1"),
        ("range", "bytes=9-"),
        ("range", "x"),
    ] {
        assert_alike(&running, "/examplebucket/k", "", Some(more)).await;
    }
}

#[tokio::test]
async fn what_narrows_a_read_is_heeded_on_either_way() {
    let (_running, mut socket) = start().await;
    let owner = key("owner");
    for (name, value, status) in [
        ("range", "bytes=1-2", 206),
        ("if-none-match", "*", 304),
        ("if-match", "\"00\"", 412),
        ("x-amz-expected-bucket-owner", "7", 403),
        ("x-amz-checksum-mode", "ENABLED", 200),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 400),
    ] {
        let mut wire = in_header("GET", "/examplebucket/k", "", owner.as_ref());
        wire.headers.push((name.into(), value.into()));
        let reply = wire.send(&mut socket).await;
        // What begins with `x-amz-` has to be signed, and here nobody did.
        let expected = if name.starts_with("x-amz-") { 403 } else { status };
        assert_eq!(reply.status, expected, "{name}");
        let mut anonymous = in_header("GET", "/examplebucket/open", "", None);
        anonymous.headers.push((name.into(), value.into()));
        assert_eq!(anonymous.send(&mut socket).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn a_signed_url_lives_by_the_services_clock() {
    let (running, mut socket) = start().await;
    let owner = key("owner").expect("one");
    // The library would judge it by the machine's clock: so these have gone past it.
    for path in ["/examplebucket/k", "/examplebucket/a%20%C3%A9"] {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8().expect("text").into_owned();
        let mut get = in_url("GET", &decoded, &owner);
        get.path = path.into();
        let reply = get.send(&mut socket).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "text"), "{path}");
        assert_eq!(reply.header("x-amz-meta-a"), Some("b"));
        let of_another_verb = Wire { method: "HEAD".into(), ..get.clone() }.send(&mut socket).await;
        assert_eq!(of_another_verb.status, 403);
        running.clock.set_wall(Wall(NOW.0 + 61_000));
        let late = get.send(&mut socket).await;
        assert_eq!((late.status, late.element("Message").as_str()), (403, "Request has expired"));
        running.clock.set_wall(NOW);
    }
    let head = in_url("HEAD", "/examplebucket/k", &owner).send(&mut socket).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
    assert_eq!(in_url("GET", "/examplebucket/k", &key("other").expect("one")).send(&mut socket).await.status, 403);
}

#[tokio::test]
async fn a_read_that_is_changed_behind_its_signature_is_refused() {
    let (_running, mut socket) = start().await;
    let owner = key("owner").expect("one");
    type Change = fn(&mut Wire);
    let changes: [Change; 5] = [
        |wire| wire.path = "/examplebucket/missing".into(),
        |wire| wire.query = wire.query.replace("x-id=GetObject", "x-id=Other"),
        |wire| wire.query.push_str("&X-Amz-Security-Token=t"),
        |wire| wire.query = wire.query.replace("Expires=60", "Expires=600"),
        |wire| wire.query = wire.query.replace("SignedHeaders=host", "SignedHeaders=host%3Bhost"),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut wire = in_url("GET", "/examplebucket/k", &owner);
        change(&mut wire);
        assert_eq!(wire.send(&mut socket).await.status, 403, "change {at}");
    }
    let header = |from: &str, to: &str| {
        let mut wire = in_header("GET", "/examplebucket/k", "", Some(&owner));
        wire.headers.iter_mut().for_each(|(_, value)| *value = value.replace(from, to));
        wire
    };
    for (from, to) in
        [(ISO, "20231114T221321Z"), ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("test", "x")]
    {
        let status = header(from, to).send(&mut socket).await.status;
        assert_eq!(status, 403, "{from} {to}");
    }
    assert_eq!(header("nothing", "").send(&mut socket).await.status, 200);
}
