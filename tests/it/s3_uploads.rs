//! Bodies that come over the S3 dialect in pieces: chunked uploads with their promises, and parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::support::Server;
use crate::support::s3::{Payload, element, has};

/// Framing of an unsigned body in chunks with a trailer.
fn with_trailer(body: &str, trailer: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n{trailer}\r\n\r\n", body.len())
}

#[tokio::test]
async fn chunked_uploads_are_unframed_and_their_promises_kept() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let big: Vec<u8> = (0..200_000u32).map(|n| (n * 11 % 253) as u8).collect();
    s3.put_chunked("/films/signed", &[("content-type", "text/plain")], &big, 64 * 1024).await.expect(200);
    let got = s3.get("/films/signed").await.expect(200);
    assert_eq!(got.body, big);
    assert_eq!((got.header("content-encoding"), got.header("content-type")), ("", "text/plain"));

    let unsigned = Payload::Stated("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let headers = [
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-decoded-content-length", "9"),
        ("content-encoding", "aws-chunked"),
    ];
    let body = with_trailer("123456789", "x-amz-checksum-crc32:y/Q5Jg==");
    let put = s3.send_as("PUT", "/films/trailer", &headers, unsigned, body).await.expect(200);
    assert_eq!(put.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(s3.get("/films/trailer").await.expect(200).text(), "123456789");
    for (body, code) in [
        (with_trailer("123456789", "x-amz-checksum-crc32:AAAAAA=="), "BadDigest"),
        (with_trailer("12345678", "x-amz-checksum-crc32:y/Q5Jg=="), "IncompleteBody"),
        ("zz\r\n123456789\r\n0\r\n\r\n".to_owned(), "InvalidRequest"),
    ] {
        let refused = s3.send_as("PUT", "/films/trailer", &headers, unsigned, body.clone()).await.expect(400);
        has(&refused.text(), "Code", code);
        assert_eq!(s3.get("/films/trailer").await.expect(200).text(), "123456789", "{body}");
    }
    // Without a V4 header signature nobody takes the framing off: it must not be stored.
    let url = s3.presign("PUT", "/films/framed", 60);
    let framed = [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")];
    s3.send_unsigned("PUT", &url, &framed, with_trailer("x", "")).await.expect(501);
    s3.get("/films/framed").await.expect(404);
    server.stop_and_check().await;
}

#[tokio::test]
async fn an_upload_that_breaks_a_promise_leaves_the_old_object() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let old = s3.put("/films/a", "old").await.expect(200).header("etag").to_owned();
    let big = vec![7u8; 200_000];
    let md5 = STANDARD.encode(Md5::digest(b"another"));
    let other_hash = crate::support::s3::sha256_hex(b"another");
    let hashed = Payload::Hashed;
    let stated = Payload::Stated(&other_hash);
    for (headers, payload, status, code) in [
        (vec![], stated, 400, "XAmzContentSHA256Mismatch"),
        (vec![("content-md5", md5.as_str())], hashed, 400, "BadDigest"),
        (vec![("content-md5", "nonsense")], hashed, 400, "InvalidDigest"),
        (vec![("x-amz-checksum-crc32", "AAAAAA==")], hashed, 400, "BadDigest"),
        (vec![("x-amz-checksum-sha256", "AAAA")], hashed, 400, "InvalidRequest"),
        (vec![("if-none-match", "*")], hashed, 412, "PreconditionFailed"),
        (vec![("if-match", "\"00000000000000000000000000000000\"")], hashed, 412, "PreconditionFailed"),
        (vec![("x-amz-server-side-encryption", "AES256")], hashed, 501, "NotImplemented"),
        (vec![("x-amz-tagging", "a=%3C")], hashed, 400, "InvalidTag"),
        (vec![("x-amz-tagging", "a=1&a=2")], hashed, 400, "InvalidArgument"),
        (vec![("x-amz-storage-class", "OUTPOSTS")], hashed, 400, "InvalidStorageClass"),
        (vec![("x-amz-acl", "nonsense")], hashed, 400, "InvalidArgument"),
    ] {
        let refused = s3.send_as("PUT", "/films/a", &headers, payload, big.clone()).await;
        assert_eq!(refused.status, status, "{headers:?}: {}", refused.text());
        has(&refused.text(), "Code", code);
        assert_eq!(s3.get("/films/a").await.expect(200).text(), "old", "{headers:?}");
    }
    s3.send("PUT", "/films/new", &[("if-none-match", "*")], "new").await.expect(200);
    s3.send("PUT", "/films/new", &[("if-none-match", "*")], "newer").await.expect(412);
    s3.send("PUT", "/films/a", &[("if-match", &old)], "newest").await.expect(200);
    s3.send("PUT", "/films/a", &[("if-match", &old)], "too late").await.expect(412);
    s3.send("PUT", "/films/none", &[("if-match", &old)], "x").await.expect(404);
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "newest");
    server.stop_and_check().await;
}

fn completion(parts: &[(u32, &str)]) -> String {
    let part = |(n, tag): &(u32, &str)| format!("<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>");
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn parts_become_an_object_that_both_dialects_read() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let headers = [("content-type", "video/mp4"), ("x-amz-meta-a", "1"), ("x-amz-acl", "public-read")];
    let begun = s3.send("POST", "/films/big film?uploads", &headers, "").await.expect(200).text();
    has(&begun, "Key", "big film");
    let id = element(&begun, "UploadId");
    let target = |number: u32| format!("/films/big film?partNumber={number}&uploadId={id}");
    let first: Vec<u8> = (0..5 * 1024 * 1024u32).map(|n| (n % 251) as u8).collect();
    let one = s3.put_chunked(&target(1), &[], &first, 1024 * 1024).await.expect(200).header("etag").to_owned();
    assert_eq!(one, format!("\"{}\"", hex::encode(Md5::digest(&first))));
    let sum = [("x-amz-checksum-crc32", "y/Q5Jg==")];
    let two = s3.send("PUT", &target(3), &sum, "123456789").await.expect(200);
    assert_eq!(two.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    let two = two.header("etag").to_owned();
    has(&s3.send("PUT", &target(3), &sum, "another").await.expect(400).text(), "Code", "BadDigest");
    s3.put("/films/source", "0123456789").await.expect(200);
    let copy = [("x-amz-copy-source", "/films/source"), ("x-amz-copy-source-range", "bytes=2-4")];
    let three = element(&s3.send("PUT", &target(7), &copy, "").await.expect(200).text(), "ETag");
    let outside = [copy[0], ("x-amz-copy-source-range", "bytes=2-10")];
    has(&s3.send("PUT", &target(7), &outside, "").await.expect(400).text(), "Code", "InvalidArgument");

    let parts = s3.get(&format!("/films/big film?uploadId={id}&max-parts=2")).await.expect(200).text();
    for (name, text) in [("NextPartNumberMarker", "3"), ("IsTruncated", "true"), ("Size", "9"), ("MaxParts", "2")] {
        has(&parts, name, text);
    }
    let uploads = s3.get("/films?uploads&prefix=big&encoding-type=url").await.expect(200).text();
    for (name, text) in [("Key", "big%20film"), ("UploadId", &id), ("IsTruncated", "false"), ("NextKeyMarker", "")] {
        has(&uploads, name, text);
    }
    has(&oss.get("/films?uploads").await.expect(200).text(), "UploadId", &id);
    has(&s3.delete("/films/none?uploadId=0123").await.expect(404).text(), "Code", "NoSuchUpload");

    let complete = format!("/films/big film?uploadId={id}");
    let bare = three.replace("&quot;", "").replace('"', "");
    for (document, code) in [
        (completion(&[(3, &two), (1, &one)]), "InvalidPartOrder"),
        (completion(&[(1, &one), (2, &two)]), "InvalidPart"),
        (completion(&[(1, &one), (3, &two), (7, &bare)]), "EntityTooSmall"),
        (completion(&[]), "MalformedXML"),
        ("<nonsense".to_owned(), "MalformedXML"),
    ] {
        has(&s3.send("POST", &complete, &[], document).await.expect(400).text(), "Code", code);
    }
    let whole = [("x-amz-checksum-crc32", "AAAAAA==")];
    s3.send("POST", &complete, &whole, completion(&[(1, &one), (7, &bare)])).await.expect(501);
    s3.get("/films/big film").await.expect(404);
    let free = [("if-none-match", "*")];
    let done = s3.send("POST", &complete, &free, completion(&[(1, &one), (7, &bare)])).await.expect(200).text();
    assert!(element(&done, "Location").ends_with("/films/big%20film"), "{done}");
    let again = s3.send("POST", &complete, &free, completion(&[(1, &one), (7, &bare)])).await.expect(200).text();
    assert_eq!(element(&again, "ETag"), element(&done, "ETag"), "a repeated request gets the same answer");

    let mut expected = first.clone();
    expected.extend_from_slice(b"234");
    let got = s3.get("/films/big film").await.expect(200);
    assert!(got.body == expected);
    assert_eq!((got.header("content-type"), got.header("x-amz-meta-a")), ("video/mp4", "1"));
    let digests = [Md5::digest(&first), Md5::digest(b"234")].concat();
    let etag = format!("{}-2", hex::encode(Md5::digest(digests)));
    assert_eq!(got.header("etag"), format!("\"{etag}\""));
    let twin = oss.get("/films/big film").await.expect(200);
    assert!(twin.body == expected);
    assert_eq!(twin.header("etag"), format!("\"{}\"", etag.to_uppercase()));
    assert_eq!(twin.header("x-oss-object-type"), "Multipart");
    has(&oss.get("/films/big film?acl").await.expect(200).text(), "Grant", "public-read");

    let begun = s3.send("POST", "/films/b?uploads", &[], "").await.expect(200).text();
    let id = element(&begun, "UploadId");
    s3.put(&format!("/films/b?partNumber=1&uploadId={id}"), vec![1u8; 100_000]).await.expect(200);
    has(
        &s3.put(&format!("/films/b?partNumber=0&uploadId={id}"), "x").await.expect(400).text(),
        "Code",
        "InvalidArgument",
    );
    s3.delete(&format!("/films/b?uploadId={id}")).await.expect(204);
    s3.delete(&format!("/films/b?uploadId={id}")).await.expect(404);
    server.stop_and_check().await;
}
