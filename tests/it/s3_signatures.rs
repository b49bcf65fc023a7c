//! Every way to sign over the S3 dialect, on put and on get, path style and virtual host; and bodies that break what was
//! signed: then the old object stays whole and nothing is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::s3::{Client, Payload, Signer, has};
use crate::support::{KEY, Server, eventually};

const BODY: &str = "123456789";
const CRC32: &str = "x-amz-checksum-crc32:y/Q5Jg==";

fn in_an_hour() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() + 3600
}

/// The ways that a body may travel in a signed PUT.
const FRAMES: [&str; 5] = [
    "hashed",
    "UNSIGNED-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
];

async fn put(s3: &Client, target: &str, frame: &str) -> crate::support::http::Response {
    match frame {
        "hashed" => s3.put(target, BODY).await,
        "UNSIGNED-PAYLOAD" => s3.send_as("PUT", target, &[], Payload::Stated(frame), BODY).await,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => s3.put_chunked(target, &[], BODY.as_bytes(), 4).await,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
            s3.put_framed(target, &trailer_headers("9"), frame, |signer, seed| signed_trailer(signer, seed, CRC32))
                .await
        }
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => {
            let body = format!("4\r\n1234\r\n5\r\n56789\r\n0\r\n{CRC32}\r\n\r\n");
            s3.put_framed(target, &trailer_headers("9"), frame, |_, _| body.into_bytes()).await
        }
        other => panic!("{other}"),
    }
}

fn trailer_headers(length: &str) -> [(&'static str, &str); 3] {
    [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", length),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]
}

/// Signed chunks of four bytes, then a signed trailer.
fn signed_trailer(signer: &Signer, seed: &str, line: &str) -> Vec<u8> {
    let mut out = signer.chunked(seed, BODY.as_bytes(), 4);
    // The chunks end in an empty one with its line end, behind which the trailer stands.
    out.truncate(out.len() - 2);
    let last = String::from_utf8_lossy(&out);
    let previous = last.rsplit("chunk-signature=").next().expect("one").trim().to_owned();
    let signature = signer.trailer_signature(&previous, &format!("{line}\n"));
    out.extend_from_slice(format!("{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n").as_bytes());
    out
}

#[tokio::test]
async fn every_signature_puts_and_gets_by_path_and_by_host() {
    let server = Server::start().await;
    let path_style = server.s3();
    path_style.put("/films", "").await.expect(200);
    let at_bucket = path_style.at_bucket("films");
    for (client, prefix) in [(&path_style, "/films/"), (&at_bucket, "/")] {
        for frame in FRAMES {
            let key = format!("{frame} a+b\u{e9}");
            let put = put(client, &format!("{prefix}{key}"), frame).await;
            assert_eq!(put.status, 200, "{frame} {prefix}: {}", put.text());
            let got = client.get(&format!("{prefix}{key}")).await.expect(200);
            assert_eq!((got.text().as_str(), got.header("content-encoding")), (BODY, ""), "{frame} {prefix}");
            // Whichever way it came, it is one object.
            assert_eq!(path_style.get(&format!("/films/{key}")).await.expect(200).text(), BODY);
        }
        let target = format!("{prefix}presigned");
        let url = client.presign("PUT", &target, 60);
        client.send_unsigned("PUT", &url, &[], BODY).await.expect(200);
        let url = client.presign("GET", &target, 60);
        assert_eq!(client.send_unsigned("GET", &url, &[], "").await.expect(200).text(), BODY);

        // V2 signs the bucket as a part of the path, however it is named.
        let key = if prefix == "/" { "v2-host" } else { "v2-path" };
        let (target, resource) = (format!("{prefix}{key}"), format!("/films/{key}"));
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        for (method, body) in [("PUT", BODY), ("GET", "")] {
            let authorization = client.authorization_v2(method, &resource, &date);
            let headers = [("date", date.as_str()), ("authorization", authorization.as_str())];
            let answer = client.send_unsigned(method, &target, &headers, body).await.expect(200);
            assert!(method == "PUT" || answer.text() == BODY);
            let presigned = client.presign_v2(method, &resource, in_an_hour());
            let query = presigned.split_once('?').expect("signed").1;
            let answer = client.send_unsigned(method, &format!("{target}?{query}"), &[], body).await.expect(200);
            assert!(method == "PUT" || answer.text() == BODY);
        }
    }
    server.stop_and_check().await;
}

/// Files that hold bodies.
fn blobs(server: &Server) -> usize {
    fn count(dir: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
        entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    fn find(dir: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
        let dirs = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        dirs.map(|path| if path.ends_with("blobs") { count(&path) } else { find(&path) }).sum()
    }
    find(server.dir.path())
}

/// A body that is refused while a piece of it is being written goes when that is done.
async fn only_blobs(server: &Server, count: usize, what: &str) {
    let left = || async { (blobs(server) == count).then_some(()) };
    eventually(&format!("{count} blobs behind {what:?}"), left).await;
}

/// One thing done to a framed body.
type Break = fn(&mut Vec<u8>);

fn replace(body: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = body.windows(from.len()).position(|w| w == from).expect("it is there");
    body.splice(at..at + from.len(), to.iter().copied());
}

#[tokio::test]
async fn a_body_that_is_not_what_was_signed_leaves_the_old_object_and_nothing_else() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a", "old").await.expect(200);
    // Long enough for files of its own: three chunks, the first two of 64 KiB.
    let big: Vec<u8> = (0..150_000u32).map(|n| (n * 13 % 251) as u8).collect();
    s3.put_chunked("/films/kept", &[], &big, 64 * 1024).await.expect(200);
    let before = blobs(&server);
    assert_eq!(before, 1);

    let length = big.len().to_string();
    let plain = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", length.as_str())];
    let cases: [(&str, Break, u16, &str); 6] = [
        ("a byte of the second chunk", |body| body[100_000] ^= 1, 403, "SignatureDoesNotMatch"),
        (
            "the second chunk's signature",
            |body| {
                let at = body.windows(16).enumerate().filter(|(_, w)| *w == b"chunk-signature=").nth(1).expect("two").0;
                body[at + 16] = if body[at + 16] == b'0' { b'1' } else { b'0' };
            },
            403,
            "SignatureDoesNotMatch",
        ),
        ("no last chunk", |body| body.truncate(body.len() - 100), 400, "IncompleteBody"),
        ("cut off within a chunk", |body| body.truncate(90_000), 400, "IncompleteBody"),
        ("a length that is no number", |body| replace(body, b"10000;", b"1000x;"), 400, "InvalidRequest"),
        ("no signature", |body| replace(body, b";chunk-signature=", b";chunk-colour="), 400, "InvalidRequest"),
    ];
    for (what, break_it, status, code) in cases {
        let refused = s3
            .put_framed("/films/a", &plain, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", |signer, seed| {
                let mut body = signer.chunked(seed, &big, 64 * 1024);
                break_it(&mut body);
                body
            })
            .await;
        assert_eq!(refused.status, status, "{what}: {}", refused.text());
        has(&refused.text(), "Code", code);
        assert_eq!(s3.get("/films/a").await.expect(200).text(), "old", "{what}");
        only_blobs(&server, before, what).await;
    }
    for wrong in ["149999", "150001", "0", "9", "-1", "many", ""] {
        let headers = [plain[0], ("x-amz-decoded-content-length", wrong)];
        let payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
        let frame = |signer: &Signer, seed: &str| signer.chunked(seed, &big, 64 * 1024);
        let refused = s3.put_framed("/films/a", &headers, payload, frame).await;
        assert!((400..412).contains(&refused.status), "{wrong}: {}", refused.text());
        assert_eq!(s3.get("/films/a").await.expect(200).text(), "old", "{wrong}");
        only_blobs(&server, before, wrong).await;
    }
    assert!(s3.get("/films/kept").await.expect(200).body == big);
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_trailer_must_come_be_signed_and_hold() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a", "old").await.expect(200);
    let signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    let wrong = "x-amz-checksum-crc32:AAAAAA==";
    let cases: [(&str, &str, Break, u16, &str); 5] = [
        ("wrong checksum, rightly signed", wrong, |_| {}, 400, "BadDigest"),
        (
            "another trailer than was signed",
            CRC32,
            |body| replace(body, b"y/Q5Jg==", b"AAAAAA=="),
            403,
            "SignatureDoesNotMatch",
        ),
        ("no signature", CRC32, |body| cut(body, b"x-amz-trailer-signature"), 400, "InvalidRequest"),
        ("no trailer", CRC32, |body| cut(body, b"x-amz-checksum"), 400, "MalformedTrailerError"),
        ("another name", "x-amz-checksum-crc32c:4waSgw==", |_| {}, 400, "MalformedTrailerError"),
    ];
    for (what, line, break_it, status, code) in cases {
        let refused = s3
            .put_framed("/films/a", &trailer_headers("9"), signed, |signer, seed| {
                let mut body = signed_trailer(signer, seed, line);
                break_it(&mut body);
                body
            })
            .await;
        assert_eq!(refused.status, status, "{what}: {}", refused.text());
        assert!(refused.text().contains(code), "{what}: {}", refused.text());
        assert_eq!(s3.get("/films/a").await.expect(200).text(), "old", "{what}");
    }
    let unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    for (what, length, body, status, code) in [
        ("no trailer", "9", "9\r\n123456789\r\n0\r\n\r\n".to_owned(), 400, "MalformedTrailerError"),
        ("wrong checksum", "9", format!("9\r\n123456789\r\n0\r\n{wrong}\r\n\r\n"), 400, "BadDigest"),
        (
            "no checksum",
            "9",
            "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:nonsense\r\n\r\n".to_owned(),
            400,
            "InvalidRequest",
        ),
        ("wrong length", "8", format!("9\r\n123456789\r\n0\r\n{CRC32}\r\n\r\n"), 400, "IncompleteBody"),
        ("cut off", "9", "9\r\n12345".to_owned(), 400, "IncompleteBody"),
        ("no last chunk", "9", "9\r\n123456789\r\n".to_owned(), 400, "MalformedTrailerError"),
        ("no framing", "9", "123456789".to_owned(), 400, "IncompleteBody"),
    ] {
        let refused =
            s3.put_framed("/films/a", &trailer_headers(length), unsigned, |_, _| body.clone().into_bytes()).await;
        assert_eq!(refused.status, status, "{what}: {}", refused.text());
        has(&refused.text(), "Code", code);
        assert_eq!(s3.get("/films/a").await.expect(200).text(), "old", "{what}");
    }
    server.stop_and_check().await;
}

/// Takes the line away that begins so, and what follows it but the end.
fn cut(body: &mut Vec<u8>, from: &[u8]) {
    let at = body.windows(from.len()).position(|w| w == from).expect("it is there");
    body.truncate(at);
    body.extend_from_slice(b"\r\n");
}

#[tokio::test]
async fn a_signature_that_is_wrong_opens_nothing_by_path_or_by_host() {
    let server = Server::start().await;
    let right = server.s3();
    right.put("/films", "").await.expect(200);
    right.put("/films/a", "secret").await.expect(200);
    let forged = Client::new(server.addr(), (KEY.0, "not-the-secret"));
    for (client, target) in [(forged.clone(), "/films/a"), (forged.at_bucket("films"), "/a")] {
        for frame in FRAMES {
            let refused = put(&client, target, frame).await.expect(403).text();
            has(&refused, "Code", "SignatureDoesNotMatch");
        }
        for url in [client.presign("PUT", target, 60), client.presign_v2("PUT", target, in_an_hour())] {
            has(&client.send_unsigned("PUT", &url, &[], "x").await.expect(403).text(), "Code", "SignatureDoesNotMatch");
        }
        has(&client.get(target).await.expect(403).text(), "Code", "SignatureDoesNotMatch");
        assert_eq!(right.get("/films/a").await.expect(200).text(), "secret");
    }
    // The host is signed: what was signed for one bucket does not reach another.
    right.put("/other", "").await.expect(200);
    let url = right.at_bucket("films").presign("GET", "/a", 60);
    right.at_bucket("films").send_unsigned("GET", &url, &[], "").await.expect(200);
    right.at_bucket("other").send_unsigned("GET", &url, &[], "").await.expect(403);
    // And so is a payload that was stated: other bytes are not taken for it.
    let hash = crate::support::s3::sha256_hex(b"another");
    let refused = right.send_as("PUT", "/films/a", &[], Payload::Stated(&hash), "x").await.expect(400).text();
    has(&refused, "Code", "XAmzContentSHA256Mismatch");
    let md5 = STANDARD.encode([0u8; 16]);
    let refused = right.send("PUT", "/films/a", &[("content-md5", &md5)], "x").await.expect(400).text();
    has(&refused, "Code", "BadDigest");
    assert_eq!(right.get("/films/a").await.expect(200).text(), "secret");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_presigned_url_is_good_for_what_was_signed_and_nothing_else() {
    let server = Server::start().await;
    let s3 = server.s3();
    for bucket in ["/films", "/other"] {
        s3.put(bucket, "").await.expect(200);
        s3.put(&format!("{bucket}/k"), BODY).await.expect(200);
    }
    for method in ["GET", "PUT"] {
        let url = s3.presign(method, "/films/k", 60);
        s3.send_unsigned(method, &url, &[], BODY).await.expect(200);
        let other_verb = if method == "GET" { "PUT" } else { "GET" };
        for (verb, url, headers) in [
            (other_verb, url.clone(), &[][..]),
            ("DELETE", url.clone(), &[]),
            (method, url.replace("/films/", "/other/"), &[]),
            (method, url.replace("/films/k", "/films/k2"), &[]),
            (method, url.replace("/films/k", "/films/x/../k"), &[]),
            (method, url.replace("Expires=60", "Expires=600"), &[]),
            (method, format!("{url}&acl"), &[]),
            (method, format!("{url}&tagging"), &[]),
            (method, format!("{url}&versionId=null"), &[]),
            (method, format!("{url}&response-content-type=text%2Fhtml"), &[]),
            (method, format!("{url}&X-Amz-Security-Token=t"), &[]),
            (method, url.clone(), &[("x-amz-acl", "public-read")]),
            (method, url.clone(), &[("x-amz-copy-source", "/other/k")]),
            (method, url.clone(), &[("x-amz-meta-a", "b")]),
            (method, url.clone(), &[("x-amz-security-token", "t")]),
        ] {
            let status = s3.send_unsigned(verb, &url, headers, "").await.status;
            assert!([400, 403].contains(&status), "{status}: {verb} {url} {headers:?}");
        }
    }
    server.stop_and_check().await;
}
