//! Checksums over the S3 dialect: kept with the object and shown, of parts and of what they come to; and the parts
//! themselves, which are read one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

use crate::support::Server;
use crate::support::s3::{Client, Payload, element, has};

const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

fn bytes_of(algorithm: &str, body: &[u8]) -> Vec<u8> {
    let crc = |algorithm| crc_fast::checksum(algorithm, body).to_be_bytes();
    match algorithm {
        "CRC32" => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc)[4..].to_vec(),
        "CRC32C" => crc(crc_fast::CrcAlgorithm::Crc32Iscsi)[4..].to_vec(),
        "CRC64NVME" => crc(crc_fast::CrcAlgorithm::Crc64Nvme).to_vec(),
        "SHA1" => sha1::Sha1::digest(body).to_vec(),
        "SHA256" => sha2::Sha256::digest(body).to_vec(),
        other => panic!("{other}"),
    }
}

fn sum(algorithm: &str, body: &[u8]) -> String {
    STANDARD.encode(bytes_of(algorithm, body))
}

/// Over the checksums of the parts.
fn composite(algorithm: &str, parts: &[&[u8]]) -> String {
    let joined: Vec<u8> = parts.iter().flat_map(|part| bytes_of(algorithm, part)).collect();
    format!("{}-{}", sum(algorithm, &joined), parts.len())
}

fn header(algorithm: &str) -> String {
    format!("x-amz-checksum-{}", algorithm.to_lowercase())
}

const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");

/// The checksum headers of an answer.
async fn shown(s3: &Client, method: &str, target: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let headers = [&[MODE], more].concat();
    let got = s3.send(method, target, &headers, "").await;
    assert!(got.status < 300, "{method} {target}: {}", got.text());
    let sums = got.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-checksum-"));
    let mut sums: Vec<_> =
        sums.map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned())).collect();
    sums.sort();
    sums
}

fn pair(algorithm: &str, value: &str, kind: &str) -> Vec<(String, String)> {
    let mut pair = vec![(header(algorithm), value.to_owned()), ("x-amz-checksum-type".to_owned(), kind.to_owned())];
    pair.sort();
    pair
}

#[tokio::test]
async fn the_checksum_of_an_upload_is_kept_and_shown_to_those_who_ask() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let body = "123456789";
    for algorithm in ALGORITHMS {
        let (name, value) = (header(algorithm), sum(algorithm, body.as_bytes()));
        let in_header = format!("/films/header/{algorithm}");
        let put = s3.send("PUT", &in_header, &[(&name, &value)], body).await.expect(200);
        assert_eq!((put.header(&name), put.header("x-amz-checksum-type")), (value.as_str(), "FULL_OBJECT"));
        let in_trailer = format!("/films/trailer/{algorithm}");
        let framed = format!("{:x}\r\n{body}\r\n0\r\n{name}:{value}\r\n\r\n", body.len());
        let headers = [
            ("x-amz-trailer", name.as_str()),
            ("x-amz-decoded-content-length", "9"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-sdk-checksum-algorithm", algorithm),
        ];
        let unsigned = Payload::Stated("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let put = s3.send_as("PUT", &in_trailer, &headers, unsigned, framed).await.expect(200);
        assert_eq!((put.header(&name), put.header("x-amz-checksum-type")), (value.as_str(), "FULL_OBJECT"));
        for target in [&in_header, &in_trailer] {
            let full = pair(algorithm, &value, "FULL_OBJECT");
            assert_eq!(shown(&s3, "GET", target, &[]).await, full);
            assert_eq!(shown(&s3, "HEAD", target, &[]).await, full);
            assert_eq!(shown(&s3, "GET", &format!("{target}?partNumber=1"), &[]).await, full);
            assert_eq!(shown(&s3, "GET", target, &[("range", "bytes=0-3")]).await, [], "a range has another");
            assert_eq!(s3.get(target).await.expect(200).header(&name), "", "nobody asked");
            let wanted = [("x-amz-object-attributes", "Checksum,ObjectSize")];
            let told = s3.send("GET", &format!("{target}?attributes"), &wanted, "").await.expect(200).text();
            has(&told, &format!("Checksum{algorithm}"), &value);
            has(&told, "ChecksumType", "FULL_OBJECT");
            let twin = oss.get(target).await.expect(200);
            assert!(twin.headers.keys().all(|name| !name.as_str().starts_with("x-amz-")), "{:?}", twin.headers);
        }
        for version in ["", "list-type=2&"] {
            let list =
                s3.get(&format!("/films?{version}prefix=header/{algorithm}&max-keys=1")).await.expect(200).text();
            has(&list, "ChecksumAlgorithm", algorithm);
            has(&list, "ChecksumType", "FULL_OBJECT");
        }
    }
    oss.put("/films/plain", "over OSS").await.expect(200);
    assert_eq!(shown(&s3, "HEAD", "/films/plain", &[]).await, [], "none was computed");
    assert!(!s3.get("/films?prefix=plain").await.expect(200).text().contains("Checksum"));
    for (headers, code) in [
        (vec![("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")], "InvalidRequest"),
        (vec![("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-sdk-checksum-algorithm", "SHA1")], "InvalidRequest"),
        (vec![("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
    ] {
        has(&s3.send("PUT", "/films/plain", &headers, body).await.expect(400).text(), "Code", code);
    }
    assert_eq!(s3.get("/films/plain").await.expect(200).text(), "over OSS");
    // What is appended to, and what is replaced, has not the checksum of what was there.
    s3.put("/films/header/CRC32", "without").await.expect(200);
    assert_eq!(shown(&s3, "GET", "/films/header/CRC32", &[]).await, []);
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_copy_has_the_checksum_of_its_source_or_the_one_that_was_asked_for() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let body = vec![7u8; 100_000];
    s3.send("PUT", "/films/a", &[("x-amz-checksum-crc32", &sum("CRC32", &body))], body.clone()).await.expect(200);
    s3.put("/films/plain", body.clone()).await.expect(200);
    let from = |source: &'static str| ("x-amz-copy-source", source);
    let kept = s3.send("PUT", "/films/b", &[from("/films/a")], "").await.expect(200).text();
    has(&kept, "ChecksumCRC32", &sum("CRC32", &body));
    has(&kept, "ChecksumType", "FULL_OBJECT");
    assert_eq!(shown(&s3, "GET", "/films/b", &[]).await, pair("CRC32", &sum("CRC32", &body), "FULL_OBJECT"));
    for source in ["/films/a", "/films/plain"] {
        for algorithm in ALGORITHMS {
            let headers = [from(source), ("x-amz-checksum-algorithm", algorithm)];
            let copied = s3.send("PUT", "/films/b", &headers, "").await.expect(200).text();
            has(&copied, &format!("Checksum{algorithm}"), &sum(algorithm, &body));
            let full = pair(algorithm, &sum(algorithm, &body), "FULL_OBJECT");
            assert_eq!(shown(&s3, "HEAD", "/films/b", &[]).await, full, "{source}");
        }
    }
    let plain = s3.send("PUT", "/films/b", &[from("/films/plain")], "").await.expect(200).text();
    assert!(!plain.contains("Checksum"), "{plain}");
    let unknown = [from("/films/a"), ("x-amz-checksum-algorithm", "MD5")];
    has(&s3.send("PUT", "/films/b", &unknown, "").await.expect(400).text(), "Code", "InvalidRequest");
    server.stop_and_check().await;
}

struct Upload<'a> {
    s3: &'a Client,
    key: &'static str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn begin(s3: &'a Client, key: &'static str, headers: &[(&str, &str)]) -> Upload<'a> {
        let begun = s3.send("POST", &format!("{key}?uploads"), headers, "").await.expect(200);
        for (name, value) in headers {
            assert_eq!(begun.header(name), *value);
        }
        Upload { s3, key, id: element(&begun.text(), "UploadId") }
    }

    fn target(&self, number: u32) -> String {
        format!("{}?partNumber={number}&uploadId={}", self.key, self.id)
    }

    /// The completion's target.
    fn end(&self) -> String {
        format!("{}?uploadId={}", self.key, self.id)
    }

    /// Puts a part, stating the checksum or not; gives its tag and the checksum in the answer.
    async fn part(&self, number: u32, algorithm: Option<&str>, body: &[u8]) -> String {
        let stated = algorithm.map(|algorithm| (header(algorithm), sum(algorithm, body)));
        let headers: Vec<_> = stated.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let put = self.s3.send("PUT", &self.target(number), &headers, body.to_vec()).await.expect(200);
        put.header("etag").to_owned()
    }
}

/// Number, tag, and the checksum's name and value.
type Listed<'a> = (u32, &'a str, Option<(&'a str, &'a str)>);

fn completion(parts: &[Listed<'_>]) -> String {
    let part = |(number, tag, checksum): &Listed<'_>| {
        let checksum = checksum.map(|(name, value)| format!("<Checksum{name}>{value}</Checksum{name}>"));
        let checksum = checksum.unwrap_or_default();
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>{checksum}</Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn checksums_of_parts_come_to_that_of_the_object() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let first: Vec<u8> = (0..5 * 1024 * 1024u32).map(|n| (n % 251) as u8).collect();
    let second = b"123456789".to_vec();
    let whole = [first.clone(), second.clone()].concat();
    for (algorithm, kind) in [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ] {
        let said = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)];
        let upload = Upload::begin(&s3, "/films/big", &said).await;
        // One is stated, one is computed.
        let tags = [upload.part(3, Some(algorithm), &first).await, upload.part(9, None, &second).await];
        let sums = [sum(algorithm, &first), sum(algorithm, &second)];
        let other = if algorithm == "SHA1" { "SHA256" } else { "SHA1" };
        let wrong = [(&*header(other), &*sum(other, &second))];
        let refused = s3.send("PUT", &upload.target(9), &wrong, second.clone()).await.expect(400).text();
        has(&refused, "Code", "InvalidRequest");
        let parts = s3.get(&upload.end()).await.expect(200).text();
        has(&parts, "ChecksumAlgorithm", algorithm);
        has(&parts, "ChecksumType", kind);
        sums.iter().for_each(|sum| has(&parts, &format!("Checksum{algorithm}"), sum));
        has(&s3.get("/films?uploads").await.expect(200).text(), "ChecksumAlgorithm", algorithm);

        let value = match kind {
            "COMPOSITE" => composite(algorithm, &[&first, &second]),
            _ => sum(algorithm, &whole),
        };
        let list =
            completion(&[(3, &tags[0], Some((algorithm, &sums[0]))), (9, &tags[1], Some((algorithm, &sums[1])))]);
        let swapped =
            completion(&[(3, &tags[0], Some((algorithm, &sums[1]))), (9, &tags[1], Some((algorithm, &sums[0])))]);
        let size = whole.len().to_string();
        let (name, bad) = (header(algorithm), sum(algorithm, b"other"));
        let other_kind = if kind == "COMPOSITE" { "FULL_OBJECT" } else { "COMPOSITE" };
        for (headers, document, code) in [
            (vec![], &swapped, "InvalidPart"),
            (vec![(name.as_str(), bad.as_str())], &list, "BadDigest"),
            (vec![(name.as_str(), "AAA")], &list, "InvalidRequest"),
            (vec![("x-amz-mp-object-size", "17")], &list, "InvalidRequest"),
            (vec![("x-amz-mp-object-size", "many")], &list, "InvalidArgument"),
            (vec![("x-amz-checksum-type", other_kind)], &list, "InvalidRequest"),
            (vec![(wrong[0].0, wrong[0].1)], &list, "InvalidRequest"),
        ] {
            let refused = s3.send("POST", &upload.end(), &headers, document.clone()).await.expect(400).text();
            has(&refused, "Code", code);
        }
        let promises =
            [(name.as_str(), value.as_str()), ("x-amz-mp-object-size", &size), ("x-amz-checksum-type", kind)];
        for _ in ["first", "again"] {
            let done = s3.send("POST", &upload.end(), &promises, list.clone()).await.expect(200).text();
            has(&done, &format!("Checksum{algorithm}"), &value);
            has(&done, "ChecksumType", kind);
        }
        assert_eq!(shown(&s3, "GET", "/films/big", &[]).await, pair(algorithm, &value, kind));
        assert_eq!(shown(&s3, "HEAD", "/films/big", &[]).await, pair(algorithm, &value, kind));
        has(&s3.get("/films?list-type=2").await.expect(200).text(), "ChecksumType", kind);
        let second_part = shown(&s3, "GET", "/films/big?partNumber=2", &[]).await;
        match kind {
            "COMPOSITE" => assert_eq!(second_part, pair(algorithm, &sums[1], kind)),
            _ => assert_eq!(second_part, []),
        }
        let copied = s3.send("PUT", "/films/copy", &[("x-amz-copy-source", "/films/big")], "").await.expect(200).text();
        has(&copied, &format!("Checksum{algorithm}"), &sum(algorithm, &whole));
        assert_eq!(
            shown(&s3, "GET", "/films/copy", &[]).await,
            pair(algorithm, &sum(algorithm, &whole), "FULL_OBJECT")
        );
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn uploads_that_cannot_have_their_checksum_do_not_begin() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for headers in [
        vec![("x-amz-checksum-algorithm", "SHA256"), ("x-amz-checksum-type", "FULL_OBJECT")],
        vec![("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "COMPOSITE")],
        vec![("x-amz-checksum-algorithm", "MD5")],
        vec![("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "HALF")],
        vec![("x-amz-checksum-type", "COMPOSITE")],
    ] {
        let refused = s3.send("POST", "/films/a?uploads", &headers, "").await.expect(400).text();
        has(&refused, "Code", "InvalidRequest");
    }
    for (algorithm, kind) in [("CRC64NVME", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA1", "COMPOSITE")] {
        let begun =
            s3.send("POST", "/films/a?uploads", &[("x-amz-checksum-algorithm", algorithm)], "").await.expect(200);
        assert_eq!(begun.header("x-amz-checksum-type"), kind, "when nothing is said");
        s3.delete(&format!("/films/a?uploadId={}", element(&begun.text(), "UploadId"))).await.expect(204);
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn an_upload_without_a_checksum_may_be_given_one_by_its_parts() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let whole = sum("CRC64NVME", b"123456789");
    let upload = Upload::begin(&s3, "/films/a", &[]).await;
    let tag = upload.part(1, Some("CRC64NVME"), b"123456789").await;
    let list = completion(&[(1, &tag, None)]);
    for (algorithm, status) in [("CRC32", 501), ("SHA256", 501)] {
        let stated = [(&*header(algorithm), &*sum(algorithm, b"123456789"))];
        s3.send("POST", &upload.end(), &stated, list.clone()).await.expect(status);
    }
    let wrong = [("x-amz-checksum-crc64nvme", &*sum("CRC64NVME", b"other"))];
    has(&s3.send("POST", &upload.end(), &wrong, list.clone()).await.expect(400).text(), "Code", "BadDigest");
    let done = s3.send("POST", &upload.end(), &[("x-amz-checksum-crc64nvme", &whole)], list).await.expect(200).text();
    has(&done, "ChecksumCRC64NVME", &whole);
    assert_eq!(shown(&s3, "GET", "/films/a", &[]).await, pair("CRC64NVME", &whole, "FULL_OBJECT"));
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_copied_part_gets_the_uploads_checksum() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let big = vec![9u8; 5 * 1024 * 1024];
    s3.send("PUT", "/films/source", &[("x-amz-checksum-sha256", &sum("SHA256", &big))], big.clone()).await.expect(200);
    oss.put("/films/digits", "0123456789").await.expect(200);
    oss.send("POST", "/films/digits2?append&position=0", &[], "0123").await.expect(200);
    let upload = Upload::begin(&s3, "/films/a", &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let mut parts = Vec::new();
    for (number, source, range, body) in [
        (1, "/films/source", None, &big[..]),
        (2, "/films/digits", None, b"0123456789"),
        (3, "/films/digits2", Some("bytes=1-2"), b"12"),
    ] {
        let mut headers = vec![("x-amz-copy-source", source)];
        headers.extend(range.map(|range| ("x-amz-copy-source-range", range)));
        let copied = s3.send("PUT", &upload.target(number), &headers, "").await.expect(200).text();
        has(&copied, "ChecksumSHA256", &sum("SHA256", body));
        parts.push((number, element(&copied, "ETag").replace("&quot;", "").replace('"', ""), sum("SHA256", body)));
    }
    let list: Vec<_> = [&parts[0], &parts[2]]
        .into_iter()
        .map(|(number, tag, sum)| (*number, tag.as_str(), Some(("SHA256", sum.as_str()))))
        .collect();
    let done = s3.send("POST", &upload.end(), &[], completion(&list)).await.expect(200).text();
    has(&done, "ChecksumSHA256", &composite("SHA256", &[&big, b"12"]));
    server.stop_and_check().await;
}

#[tokio::test]
async fn parts_of_an_object_are_read_one_by_one() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let first: Vec<u8> = (0..5 * 1024 * 1024u32).map(|n| (n % 241) as u8).collect();
    let second: Vec<u8> = first.iter().rev().copied().collect();
    let upload = Upload::begin(&s3, "/films/a", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let tags =
        [upload.part(1, None, &first).await, upload.part(5, None, &second).await, upload.part(7, None, b"tail").await];
    let list = completion(&[(1, &tags[0], None), (5, &tags[1], None), (7, &tags[2], None)]);
    s3.send("POST", &upload.end(), &[], list).await.expect(200);
    let size = first.len() + second.len() + 4;
    let mut at = 0;
    for (number, body) in [(1, &first[..]), (2, &second), (3, b"tail")] {
        let target = format!("/films/a?partNumber={number}");
        let got = s3.get(&target).await.expect(206);
        assert!(got.body == body, "part {number}");
        let range = format!("bytes {at}-{}/{size}", at + body.len() - 1);
        assert_eq!((got.header("content-range"), got.header("x-amz-mp-parts-count")), (range.as_str(), "3"));
        let head = s3.head(&target).await.expect(206);
        assert_eq!(head.header("content-length"), body.len().to_string());
        assert_eq!((head.header("content-range"), head.header("x-amz-mp-parts-count")), (range.as_str(), "3"));
        at += body.len();
    }
    let refused = s3.get("/films/a?partNumber=4").await.expect(416).text();
    has(&refused, "Code", "InvalidPartNumber");
    has(&refused, "ActualPartCount", "3");
    for (target, headers) in
        [("?partNumber=0", vec![]), ("?partNumber=x", vec![]), ("?partNumber=1", vec![("range", "bytes=0-1")])]
    {
        s3.send("GET", &format!("/films/a{target}"), &headers, "").await.expect(400);
    }
    assert_eq!(s3.get("/films/a").await.expect(200).header("x-amz-mp-parts-count"), "");

    let wanted = ("x-amz-object-attributes", "ObjectParts,Checksum");
    let told = s3.send("GET", "/films/a?attributes", &[wanted], "").await.expect(200).text();
    for (name, text) in [("PartsCount", "3"), ("IsTruncated", "false"), ("PartNumber", "3"), ("Size", "4")] {
        has(&told, name, text);
    }
    has(&told, "ChecksumCRC32", &sum("CRC32", b"tail"));
    let page = [wanted, ("x-amz-max-parts", "1"), ("x-amz-part-number-marker", "1")];
    let told = s3.send("GET", "/films/a?attributes", &page, "").await.expect(200).text();
    for (name, text) in [("IsTruncated", "true"), ("NextPartNumberMarker", "2"), ("PartNumber", "2"), ("MaxParts", "1")]
    {
        has(&told, name, text);
    }
    assert_eq!(told.matches("<Part>").count(), 1, "{told}");
    let unknown = [("x-amz-object-attributes", "Colour")];
    s3.send("GET", "/films/a?attributes", &unknown, "").await.expect(400);

    // A copy is one part, and so is what the other dialect wrote whole.
    s3.send("PUT", "/films/copy", &[("x-amz-copy-source", "/films/a")], "").await.expect(200);
    oss.put("/films/whole", "whole").await.expect(200);
    for key in ["copy", "whole"] {
        let got = s3.head(&format!("/films/{key}?partNumber=1")).await.expect(206);
        assert_eq!(got.header("x-amz-mp-parts-count"), "");
        s3.get(&format!("/films/{key}?partNumber=2")).await.expect(416);
        let told = s3.send("GET", &format!("/films/{key}?attributes"), &[wanted], "").await.expect(200).text();
        assert!(!told.contains("ObjectParts"), "{told}");
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn of_writers_that_want_to_be_the_first_one_is() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for round in 0..8 {
        let target = format!("/films/{round}");
        let put = |n: usize| {
            let (s3, target) = (s3.clone(), target.clone());
            async move { s3.send("PUT", &target, &[("if-none-match", "*")], vec![n as u8; 40_000]).await }
        };
        let answers = futures_util::future::join_all((0..6).map(put)).await;
        let won: Vec<usize> = (0..6).filter(|n| answers[*n].status == 200).collect();
        let lost = answers.iter().filter(|answer| answer.status == 412).count();
        assert_eq!((won.len(), lost), (1, 5));
        let got = s3.get(&target).await.expect(200);
        assert!(got.body == vec![won[0] as u8; 40_000]);
        // Compare and swap: of those who saw the same body one replaces it.
        let seen = got.header("etag").to_owned();
        let swap = |n: usize| {
            let (s3, target, seen) = (s3.clone(), target.clone(), seen.clone());
            async move { s3.send("PUT", &target, &[("if-match", &seen)], vec![100 + n as u8; 40_000]).await.status }
        };
        let mut statuses = futures_util::future::join_all((0..6).map(swap)).await;
        statuses.sort();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
    }
    // Uploads in parts alike: the one that ends first makes the object.
    let uploads = [Upload::begin(&s3, "/films/parts", &[]).await, Upload::begin(&s3, "/films/parts", &[]).await];
    let mut ends = Vec::new();
    for (n, upload) in uploads.iter().enumerate() {
        let tag = upload.part(1, None, &[n as u8; 10]).await;
        ends.push((upload.end(), completion(&[(1, &tag, None)])));
    }
    let free = [("if-none-match", "*")];
    let send = |(target, document): &(String, String)| {
        let (s3, target, document) = (s3.clone(), target.clone(), document.clone());
        async move { s3.send("POST", &target, &free, document).await }
    };
    let answers = futures_util::future::join_all(ends.iter().map(send)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let lost = statuses.iter().position(|status| *status == 412).expect("one lost");
    statuses.sort();
    assert_eq!(statuses, [200, 412]);
    has(&answers[lost].text(), "Condition", "If-None-Match");
    // The loser's upload is still open, and may replace what it names.
    let etag = s3.head("/films/parts").await.expect(200).header("etag").to_owned();
    let (target, document) = &ends[lost];
    let other = [("if-match", "\"00000000000000000000000000000000-1\"")];
    has(&s3.send("POST", target, &other, document.clone()).await.expect(412).text(), "Condition", "If-Match");
    s3.send("POST", target, &[("if-match", &etag)], document.clone()).await.expect(200);
    server.stop_and_check().await;
}
