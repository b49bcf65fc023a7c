//! Multipart uploads over the wire.

use md5::{Digest, Md5};

use super::harness::{Call, NOW_TEXT, Reply, Running, Socket, Who};
use crate::clock::Clock;
use crate::limits;
use crate::store::digest::Crc64;

const MINIMUM: usize = limits::OSS_PART_BYTES_MIN as usize;

/// Bytes that differ from part to part.
fn pattern(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 241).expect("a byte") ^ seed).collect()
}

fn crc(bytes: &[u8]) -> String {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value().to_string()
}

fn tag(bytes: &[u8]) -> String {
    hex::encode_upper(Md5::digest(bytes))
}

/// The tag of an object of these parts, computed without the code under test.
fn object_tag(parts: &[&[u8]]) -> String {
    let digests: Vec<u8> = parts.iter().flat_map(Md5::digest).collect();
    format!("\"{}-{}\"", tag(&digests), parts.len())
}

async fn begin(socket: &mut Socket, key: &str) -> String {
    let reply = socket.call(Call::new("POST", &format!("{key}?uploads"))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.element("UploadId")
}

fn part(key: &str, id: &str, number: u32, body: impl Into<Vec<u8>>) -> Call {
    Call::new("PUT", &format!("{key}?partNumber={number}&uploadId={id}")).body(body)
}

async fn put_part(socket: &mut Socket, key: &str, id: &str, number: u32, body: &[u8]) {
    let reply = socket.call(part(key, id, number, body)).await;
    reply.assert_empty(200);
    assert_eq!(reply.header("etag"), Some(format!("\"{}\"", tag(body)).as_str()));
    assert_eq!(reply.header("x-oss-hash-crc64ecma"), Some(crc(body).as_str()));
}

fn list_of(parts: &[(u32, &str)]) -> String {
    let part =
        |(number, tag): &(u32, &str)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

fn complete(key: &str, id: &str, parts: &[(u32, &str)]) -> Call {
    Call::new("POST", &format!("{key}?uploadId={id}")).body(list_of(parts))
}

fn complete_all(key: &str, id: &str) -> Call {
    Call::new("POST", &format!("{key}?uploadId={id}")).header("x-oss-complete-all", "yes")
}

#[tokio::test]
async fn parts_become_an_object_that_reads_as_one() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let initiate = Call::new("POST", "/dir/a%20b.bin?uploads").header("Content-Type", "Video/MP2T");
    let initiate = initiate.header("x-oss-meta-author", "alice").header("Cache-Control", "no-cache");
    let reply = socket.call(initiate.header("x-oss-object-acl", "public-read")).await;
    assert_eq!((reply.status, reply.element("Bucket").as_str()), (200, "examplebucket"));
    assert_eq!(reply.element("Key"), "dir/a b.bin");
    let id = reply.element("UploadId");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{id}");

    // Out of order; the last is short enough to be kept inline.
    let (first, second, third) = (pattern(1, MINIMUM), pattern(2, MINIMUM + 7), pattern(3, 1000));
    let key = "/dir/a%20b.bin";
    put_part(&mut socket, key, &id, 9, &third).await;
    put_part(&mut socket, key, &id, 1, &first).await;
    put_part(&mut socket, key, &id, 2, &second).await;
    assert_eq!(socket.call(Call::new("HEAD", key)).await.status, 404, "not before it is complete");

    // Quoted and not, in either case, the quote as a reference.
    let tags = [tag(&first).to_lowercase(), format!("\"{}\"", tag(&second)), format!("&quot;{}&quot;", tag(&third))];
    let list = [(1, tags[0].as_str()), (2, tags[1].as_str()), (9, tags[2].as_str())];
    let done = socket.call(complete(key, &id, &list).md5()).await;
    let whole = [first.clone(), second.clone(), third.clone()].concat();
    let etag = object_tag(&[&first, &second, &third]);
    assert_eq!((done.status, done.element("ETag")), (200, etag.clone()));
    assert_eq!(done.element("Location"), "http://examplebucket.oss.example.com/dir/a%20b.bin");
    assert_eq!((done.element("Bucket").as_str(), done.element("Key").as_str()), ("examplebucket", "dir/a b.bin"));
    assert_eq!(done.header("x-oss-hash-crc64ecma"), Some(crc(&whole).as_str()));

    let got = socket.call(Call::new("GET", key).by(Who::Anonymous)).await;
    assert!(got.body == whole);
    let head = socket.call(Call::new("HEAD", key)).await;
    for reply in [&got, &head] {
        for (name, value) in [
            ("content-type", "Video/MP2T"),
            ("cache-control", "no-cache"),
            ("x-oss-meta-author", "alice"),
            ("etag", &etag),
            ("x-oss-hash-crc64ecma", &crc(&whole)),
            ("x-oss-object-type", "Multipart"),
            ("last-modified", NOW_TEXT),
            ("content-length", &whole.len().to_string()),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        assert_eq!(reply.header("content-md5"), None, "nobody knows it");
    }
    let listed = socket.call(Call::new("GET", "/?prefix=dir")).await;
    assert_eq!((listed.element("Type").as_str(), listed.element("ETag")), ("Multipart", etag.clone()));
    assert_eq!(listed.element("Size"), whole.len().to_string());
    assert_eq!(socket.call(Call::new("GET", key).header("If-None-Match", &etag)).await.status, 304);

    // Ranges within, across and at the edges of parts.
    let (a, b) = (MINIMUM, 2 * MINIMUM + 7);
    for (from, to) in [(0, 10), (a - 5, a + 5), (a, b), (a - 1, b + 1), (b - 1, b + 999), (b, b + 1000)] {
        let part = socket.call(Call::new("GET", key).header("Range", &format!("bytes={from}-{}", to - 1))).await;
        assert_eq!(part.header("content-range"), Some(format!("bytes {from}-{}/{}", to - 1, whole.len()).as_str()));
        assert!(part.status == 206 && part.body == whole[from..to], "{from}-{to}");
    }
    assert_eq!(running.blob_count().await, 2, "the parts' own blobs: no byte was copied");
}

#[tokio::test]
async fn the_same_completion_again_gets_the_same_answer() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let id = begin(&mut socket, "/a").await;
    put_part(&mut socket, "/a", &id, 1, b"body").await;
    let tag = tag(b"body");
    let once = || complete("/a", &id, &[(1, &tag)]).header("x-oss-forbid-overwrite", "true");
    let first = socket.call(once()).await;
    let second = socket.call(once()).await;
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text());
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("x-oss-hash-crc64ecma"), second.header("x-oss-hash-crc64ecma"));
    assert_eq!(socket.call(complete_all("/a", &id)).await.body, first.body);
    let other = socket.call(complete("/a", &id, &[(1, &tag), (2, &tag)])).await;
    other.assert_error(404, "NoSuchUpload", None);
    for gone in [
        Call::new("DELETE", &format!("/a?uploadId={id}")),
        Call::new("GET", &format!("/a?uploadId={id}")),
        part("/a", &id, 2, "more"),
    ] {
        let reply = socket.call(gone).await;
        reply.assert_error(404, "NoSuchUpload", None);
        assert_eq!(reply.element("UploadId"), id);
    }
}

#[tokio::test]
async fn completions_that_cannot_be_are_refused_and_leave_the_upload_open() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let id = begin(&mut socket, "/a").await;
    let (big, small) = (pattern(1, MINIMUM), pattern(2, MINIMUM - 1));
    put_part(&mut socket, "/a", &id, 1, &big).await;
    put_part(&mut socket, "/a", &id, 2, &small).await;
    put_part(&mut socket, "/a", &id, 3, &big).await;
    let (big, small) = (tag(&big), tag(&small));
    let refused = [
        (complete("/a", &id, &[(3, &big), (1, &big)]), "InvalidPartOrder", Some("0042-00000209")),
        (complete("/a", &id, &[(1, &big), (1, &big)]), "InvalidPartOrder", Some("0042-00000209")),
        (complete("/a", &id, &[(1, &big), (4, &big)]), "InvalidPart", None),
        (complete("/a", &id, &[(1, &small)]), "InvalidPart", None),
        (complete("/a", &id, &[(1, "nonsense")]), "InvalidPart", None),
        (complete("/a", &id, &[(1, &big), (2, &small), (3, &big)]), "EntityTooSmall", Some("0042-00000213")),
        (complete_all("/a", &id), "EntityTooSmall", Some("0042-00000213")),
        (complete_all("/a", &id).body("x"), "InvalidArgument", Some("0042-00000216")),
        (complete("/a", &id, &[(1, &big)]).header("x-oss-complete-all", "no"), "InvalidArgument", None),
        (complete("/a", &id, &[]), "MalformedXML", None),
        (Call::new("POST", &format!("/a?uploadId={id}")), "MalformedXML", None),
        (complete("/a", &id, &[(1, &big)]).header("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw=="), "InvalidDigest", None),
    ];
    for (call, code, ec) in refused {
        socket.call(call).await.assert_error(400, code, ec);
    }
    let reply = socket.call(complete_all("/a", &id)).await;
    assert_eq!((reply.element("PartNumber").as_str(), reply.element("ETag")), ("2", small.clone()));
    assert_eq!(reply.element("ProposedSize"), (MINIMUM - 1).to_string());
    assert_eq!(reply.element("MinSizeAllowed"), MINIMUM.to_string());
    socket.call(complete_all("/a", &id).header("x-oss-callback", "?")).await.assert_error(
        400,
        "InvalidArgument",
        Some("0007-00000002"),
    );

    let list = [(1, big.as_str()), (3, big.as_str()), (2, small.as_str())];
    assert_eq!(socket.call(complete("/a", &id, &[list[0], list[2]])).await.status, 200, "the last may be short");
}

#[tokio::test]
async fn overwriting_can_be_forbidden_at_the_beginning_and_at_the_end() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let forbid = |call: Call| call.header("x-oss-forbid-overwrite", "true");
    let reply = socket.call(forbid(Call::new("POST", "/a?uploads"))).await;
    let id = reply.element("UploadId");
    put_part(&mut socket, "/a", &id, 1, b"new").await;
    socket.call(Call::new("PUT", "/a").body("old")).await.assert_empty(200);
    let code = ("FileAlreadyExists", Some("0026-00000002"));
    socket.call(forbid(Call::new("POST", "/a?uploads"))).await.assert_error(409, code.0, code.1);
    socket.call(forbid(complete_all("/a", &id))).await.assert_error(409, code.0, code.1);
    assert_eq!(socket.call(Call::new("GET", "/a")).await.text(), "old");
    assert_eq!(socket.call(complete_all("/a", &id)).await.status, 200);
    assert_eq!(socket.call(Call::new("GET", "/a")).await.text(), "new");
}

#[tokio::test]
async fn parts_are_checked_and_replaced() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let id = begin(&mut socket, "/a").await;
    put_part(&mut socket, "/a", &id, 1, &pattern(1, 50_000)).await;
    let wrong = part("/a", &id, 1, pattern(2, 50_000)).header("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw==");
    socket.call(wrong).await.assert_error(400, "InvalidDigest", None);
    let nobody = format!("{}0", &id[..31]);
    let nobody = if nobody == id { format!("{}1", &id[..31]) } else { nobody };
    socket.call(part("/a", &nobody, 1, "x")).await.assert_error(404, "NoSuchUpload", None);
    socket.call(part("/b", &id, 1, "x")).await.assert_error(404, "NoSuchUpload", None);
    assert_eq!(running.blob_count().await, 1, "nothing is left of what was refused");
    let endless = part("/a", &id, 1, "").header("Content-Length", "5368709121").withhold_body();
    running.call(endless).await.assert_error(400, "EntityTooLarge", None);
    running.call(part("/a", &id, 1, "").no_length()).await.assert_error(411, "MissingContentLength", None);

    put_part(&mut socket, "/a", &id, 1, b"again").await;
    let chunked = part("/a", &id, 2, "4\r\nmore\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked");
    socket.call(chunked).await.assert_empty(200);
    let listed = socket.call(Call::new("GET", &format!("/a?uploadId={id}"))).await;
    assert_eq!((listed.element("ETag"), listed.element("Size").as_str()), (format!("\"{}\"", tag(b"again")), "5"));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let (id, other) = (begin(&mut socket, "/a").await, begin(&mut socket, "/a").await);
    put_part(&mut socket, "/a", &id, 1, &pattern(1, 50_000)).await;
    socket.call(Call::new("DELETE", "/")).await.assert_error(409, "BucketNotEmpty", Some("0015-00000301"));
    socket.call(Call::new("DELETE", &format!("/a?uploadId={id}"))).await.assert_empty(204);
    let again = socket.call(Call::new("DELETE", &format!("/a?uploadId={id}"))).await;
    again.assert_error(404, "NoSuchUpload", None);
    socket.call(complete_all("/a", &id)).await.assert_error(404, "NoSuchUpload", None);
    let due = running.meta.garbage(crate::clock::Wall(running.clock.wall().0 + 1), 9).await.expect("readable");
    assert_eq!(due.len(), 1);
    assert_eq!(socket.call(complete_all("/a", &other)).await.element("Code"), "InvalidPart", "it has no part");
    socket.call(Call::new("DELETE", &format!("/a?uploadId={other}"))).await.assert_empty(204);
    socket.call(Call::new("DELETE", "/")).await.assert_empty(204);
}

fn copy(key: &str, id: &str, number: u32, source: &str) -> Call {
    Call::new("PUT", &format!("{key}?partNumber={number}&uploadId={id}")).header("x-oss-copy-source", source)
}

#[track_caller]
fn assert_copied(reply: &Reply, bytes: &[u8]) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.element("ETag"), format!("\"{}\"", tag(bytes)));
    assert_eq!(reply.header("etag"), Some(reply.element("ETag").as_str()));
    assert_eq!(reply.header("x-oss-hash-crc64ecma"), Some(crc(bytes).as_str()));
    assert_eq!(reply.element("LastModified"), "2023-11-14T22:13:20.000Z");
}

#[tokio::test]
async fn parts_are_copied_from_objects_and_ranges() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let source = pattern(7, 3 * MINIMUM);
    socket.call(Call::new("PUT", "/from/s%20%C3%A4").body(source.clone())).await.assert_empty(200);
    let id = begin(&mut socket, "/a").await;
    let path = "/examplebucket/from%2Fs%20%C3%A4";
    let range = |text: &str| copy("/a", &id, 9, path).header("x-oss-copy-source-range", text);
    assert_copied(&socket.call(copy("/a", &id, 1, path)).await, &source);
    for (text, bytes) in [
        ("bytes=0-102399", &source[..MINIMUM]),
        ("bytes=102400-", &source[MINIMUM..]),
        ("bytes=-5", &source[source.len() - 5..]),
        // As in a GET, what does not fit is not there.
        ("bytes=5-999999999", &source[..]),
        ("nonsense", &source[..]),
    ] {
        assert_copied(&socket.call(range(text)).await, bytes);
    }
    socket.call(range("bytes=-0")).await.assert_error(416, "InvalidRange", None);

    let with = |name: &str, value: &str| copy("/a", &id, 9, path).header(name, value);
    let etag = tag(&source);
    socket.call(with("x-oss-copy-source-if-match", "other")).await.assert_error(
        412,
        "PreconditionFailed",
        Some("0017-00001001"),
    );
    assert_eq!(socket.call(with("x-oss-copy-source-if-none-match", &etag)).await.status, 304);
    assert_copied(&socket.call(with("x-oss-copy-source-if-match", &etag)).await, &source);
    socket.call(copy("/a", &id, 2, "/examplebucket/none")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    socket.call(copy("/a", &id, 2, "/otherbucket/k")).await.assert_error(404, "NoSuchBucket", Some("0015-00000101"));

    assert_copied(
        &socket.call(copy("/a", &id, 2, path).header("x-oss-copy-source-range", "bytes=0-9")).await,
        &source[..10],
    );
    let etags = [tag(&source), tag(&source[..10])];
    let done = socket.call(complete("/a", &id, &[(1, &etags[0]), (2, &etags[1])])).await;
    assert_eq!(done.element("ETag"), object_tag(&[&source, &source[..10]]));
    socket.call(Call::new("DELETE", "/from/s%20%C3%A4")).await.assert_empty(204);
    let got = socket.call(Call::new("GET", "/a")).await;
    assert!(got.body == [&source[..], &source[..10]].concat());
    assert_eq!(running.blob_count().await, 1, "the copy names the source's bytes");
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let id = begin(&mut socket, "/a%01b").await;
    for number in [1, 2, 30] {
        put_part(&mut socket, "/a%01b", &id, number, format!("part {number}").as_bytes()).await;
    }
    let page = async |socket: &mut Socket, arguments: &str| {
        let reply = socket.call(Call::new("GET", &format!("/a%01b?uploadId={id}{arguments}"))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let numbers: Vec<String> = reply
            .text()
            .split("<PartNumber>")
            .skip(1)
            .map(|rest| rest[..rest.find('<').expect("closed")].to_owned())
            .collect();
        (numbers.join(" "), reply.element("IsTruncated"), reply.element("NextPartNumberMarker"), reply)
    };
    let (numbers, truncated, next, reply) = page(&mut socket, "&encoding-type=url").await;
    assert_eq!((numbers.as_str(), truncated.as_str(), next.as_str()), ("1 2 30", "false", "30"));
    assert_eq!((reply.element("Key").as_str(), reply.element("EncodingType").as_str()), ("a%01b", "url"));
    assert_eq!((reply.element("UploadId"), reply.element("MaxParts").as_str()), (id.clone(), "1000"));
    assert_eq!(reply.element("HashCrc64ecma"), crc(b"part 1"));
    let (numbers, truncated, next, _) = page(&mut socket, "&max-parts=2").await;
    assert_eq!((numbers.as_str(), truncated.as_str(), next.as_str()), ("1 2", "true", "2"));
    let (numbers, truncated, next, _) = page(&mut socket, "&max-parts=2&part-number-marker=2").await;
    assert_eq!((numbers.as_str(), truncated.as_str(), next.as_str()), ("30", "false", "30"));
    let (numbers, _, next, _) = page(&mut socket, "&part-number-marker=40").await;
    assert_eq!((numbers.as_str(), next.as_str()), ("", "40"));
}

#[tokio::test]
async fn uploads_are_listed() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let mut ids = Vec::new();
    for key in ["/a", "/dir/1", "/dir/2", "/z%2B"] {
        ids.push(begin(&mut socket, key).await);
    }
    let reply = socket.call(Call::new("GET", "/?uploads&encoding-type=url")).await;
    for (element, text) in [
        ("Bucket", "examplebucket"),
        ("KeyMarker", ""),
        ("NextKeyMarker", ""),
        ("NextUploadIdMarker", ""),
        ("MaxUploads", "1000"),
        ("IsTruncated", "false"),
        ("Initiated", "2023-11-14T22:13:20.000Z"),
    ] {
        assert_eq!(reply.element(element), text, "{element}");
    }
    assert!(reply.text().contains("<Key>z%2B</Key>") && reply.text().matches("<Upload>").count() == 4);
    let rolled = socket.call(Call::new("GET", "/?uploads&delimiter=/&max-uploads=2")).await;
    assert!(rolled.text().contains("<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes>"), "{}", rolled.text());
    assert_eq!((rolled.element("NextKeyMarker").as_str(), rolled.element("NextUploadIdMarker").as_str()), ("dir/", ""));
    let rest = socket.call(Call::new("GET", "/?uploads&delimiter=/&key-marker=dir/")).await;
    assert_eq!((rest.element("Key").as_str(), rest.text().matches("<Upload>").count()), ("z+", 1));
    let within = socket.call(Call::new("GET", "/?uploads&prefix=dir/&max-uploads=1")).await;
    assert_eq!((within.element("UploadId"), within.element("NextUploadIdMarker")), (ids[1].clone(), ids[1].clone()));
    let target = format!("/?uploads&prefix=dir/&key-marker=dir/1&upload-id-marker={}", ids[1]);
    assert_eq!(socket.call(Call::new("GET", &target)).await.element("UploadId"), ids[2]);
}

#[tokio::test]
async fn only_whoever_may_write_may_upload_in_parts() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let id = begin(&mut socket, "/a").await;
    put_part(&mut socket, "/a", &id, 1, b"x").await;
    socket.call(Call::new("PUT", "/secret").body("s")).await.assert_empty(200);
    let calls = |id: &str| {
        [
            Call::new("POST", "/b?uploads"),
            part("/a", id, 1, "y"),
            copy("/a", id, 1, "/examplebucket/secret"),
            complete_all("/a", id),
            Call::new("GET", &format!("/a?uploadId={id}")),
            Call::new("GET", "/?uploads"),
            Call::new("DELETE", &format!("/a?uploadId={id}")),
        ]
    };
    for acl in ["private", "public-read"] {
        socket.call(Call::new("PUT", "/?acl").header("x-oss-acl", acl)).await.assert_empty(200);
        for call in calls(&id) {
            for who in [Who::Other, Who::Anonymous] {
                let reply = running.call(call.clone().by(who)).await;
                assert_eq!((reply.status, reply.element("Code").as_str()), (403, "AccessDenied"));
            }
        }
    }
    socket.call(Call::new("PUT", "/?acl").header("x-oss-acl", "public-read-write")).await.assert_empty(200);
    socket.call(Call::new("PUT", "/secret?acl").header("x-oss-object-acl", "private")).await.assert_empty(200);
    let mut statuses = Vec::new();
    for call in calls(&id) {
        statuses.push(running.call(call.by(Who::Other)).await.status);
    }
    // The source of the copy is still private.
    assert_eq!(statuses, [200, 200, 403, 200, 404, 200, 404]);
}

#[tokio::test]
async fn ten_thousand_parts_complete() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    socket.call(Call::new("PUT", "/s").body(pattern(1, MINIMUM))).await.assert_empty(200);
    let id = begin(&mut socket, "/a").await;
    // A socket carries no more requests than there are parts.
    let mut socket = running.connect().await;
    for number in 1..=limits::PART_NUMBER_MAX {
        socket.send(copy("/a", &id, number, "/examplebucket/s").head().as_bytes()).await;
        assert_eq!(socket.reply(false).await.status, 200);
    }
    let tag = format!("\"{}\"", tag(&pattern(1, MINIMUM)));
    let list: Vec<(u32, &str)> = (1..=limits::PART_NUMBER_MAX).map(|number| (number, tag.as_str())).collect();
    let mut socket = running.connect().await;
    let done = socket.call(complete("/a", &id, &list)).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.element("ETag").ends_with("-10000\""));
    let head = socket.call(Call::new("HEAD", "/a")).await;
    assert_eq!(head.header("content-length"), Some((MINIMUM * 10_000).to_string().as_str()));
    let range = format!("bytes={}-{}", 9_999 * MINIMUM - 2, 9_999 * MINIMUM + 1);
    let across = socket.call(Call::new("GET", "/a").header("Range", &range)).await;
    let source = pattern(1, MINIMUM);
    assert_eq!((across.status, across.body), (206, [&source[MINIMUM - 2..], &source[..2]].concat()));
}
