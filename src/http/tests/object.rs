//! Objects over the wire: what is sent comes back, and what cannot be is refused in its words.

use super::harness::{Call, NOW, NOW_TEXT, Running, Socket, Who};
use super::signed::{Dialect, Key, Place, Plain};
use crate::limits;
use crate::store::meta::faulty::MetaCall;
use crate::store::seal::{MasterKey, MasterKeys};
use crate::store::{Acl, Extent, ObjectCommit, ObjectKey, ObjectRecord, WriteCondition};

/// 1000 bytes that differ from their neighbours.
fn thousand() -> Vec<u8> {
    (0..1000u32).map(|n| u8::try_from(n % 251).expect("a byte")).collect()
}

async fn stored(socket: &mut Socket, key: &str, body: impl Into<Vec<u8>>) {
    let reply = socket.call(Call::new("PUT", key).body(body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = Call::new("PUT", "/dir/a%20b%2B.txt").body("123456789").md5();
    let put = put.header("Content-Type", "Text/Plain; Charset=UTF-8").header("Cache-Control", "no-cache");
    let put = put.header("X-Oss-Meta-Author", "alice").header("Content-Disposition", "attachment");
    let reply = socket.call(put).await;
    reply.assert_empty(200);
    assert_eq!(reply.header("etag"), Some("\"25F9E794323B453885F5181F1B624D0B\""));
    assert_eq!(reply.header("x-oss-hash-crc64ecma"), Some("11051210869376104954"));
    assert_eq!(reply.header("content-md5"), Some("JfnnlDI7RTiF9RgfG2JNCw=="));

    let get = socket.call(Call::new("GET", "/dir/a%20b%2B.txt")).await;
    let head = socket.call(Call::new("HEAD", "/dir%2Fa%20b+.txt")).await;
    assert_eq!((get.status, get.text().as_str(), head.status), (200, "123456789", 200));
    for reply in [&get, &head] {
        for (name, value) in [
            ("content-type", "Text/Plain; Charset=UTF-8"),
            ("cache-control", "no-cache"),
            ("content-disposition", "attachment"),
            ("x-oss-meta-author", "alice"),
            ("etag", "\"25F9E794323B453885F5181F1B624D0B\""),
            ("x-oss-hash-crc64ecma", "11051210869376104954"),
            ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
            ("x-oss-object-type", "Normal"),
            ("x-oss-storage-class", "Standard"),
            ("accept-ranges", "bytes"),
            ("last-modified", NOW_TEXT),
            ("content-length", "9"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
    }
    let meta = socket.call(Call::new("HEAD", "/dir/a%20b%2B.txt?objectMeta")).await;
    assert_eq!((meta.status, meta.header("content-length"), meta.header("content-type")), (200, Some("9"), None));
    assert_eq!(meta.header("etag"), get.header("etag"));
    socket.call(Call::new("DELETE", "/dir/a%20b%2B.txt")).await.assert_empty(204);
    socket.call(Call::new("DELETE", "/dir/a%20b%2B.txt")).await.assert_empty(204);
    socket.call(Call::new("GET", "/dir/a%20b%2B.txt")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
}

#[tokio::test]
async fn a_body_with_another_digest_leaves_nothing() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let wrong = Call::new("PUT", "/a").body(vec![b'x'; 100_000]).header("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw==");
    let reply = socket.call(wrong).await;
    reply.assert_error(400, "InvalidDigest", None);
    assert_eq!(reply.element("Content-MD5"), "JfnnlDI7RTiF9RgfG2JNCw==");
    let nonsense = Call::new("PUT", "/a").body("x").header("Content-MD5", "nonsense");
    socket.call(nonsense).await.assert_error(400, "InvalidDigest", None);
    assert_eq!(socket.call(Call::new("HEAD", "/a")).await.status, 404);
    assert_eq!(running.blob_count().await, 0);
}

#[tokio::test]
async fn a_put_that_asks_for_what_is_not_kept_is_refused() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = |name: &str, value: &str| Call::new("PUT", "/a").body("x").header(name, value);
    let long = "v".repeat(limits::USER_METADATA_BYTES_MAX);
    for (name, value, status, code, ec) in [
        ("x-oss-storage-class", "STANDARD_IA", 400, "InvalidArgument", None),
        ("x-oss-server-side-encryption", "AES256", 501, "NotImplemented", None),
        ("x-oss-tagging", "a=b%2A", 400, "InvalidTag", None),
        ("x-oss-tagging", "a=1&a=2", 400, "InvalidTag", None),
        ("x-oss-tagging", "a=%FF", 400, "InvalidTag", None),
        ("x-oss-tagging", "a&b&c&d&e&f&g&h&i&j&k", 400, "InvalidTag", None),
        ("x-oss-object-acl", "secret", 400, "InvalidArgument", None),
        ("x-oss-forbid-overwrite", "maybe", 400, "InvalidArgument", Some("0017-00000279")),
        ("x-oss-meta-long", long.as_str(), 400, "InvalidArgument", None),
    ] {
        let reply = socket.call(put(name, value)).await;
        reply.assert_error(status, code, ec);
    }
    assert_eq!(socket.call(put("x-oss-storage-class", "Standard")).await.status, 200);
    let fits = "v".repeat(limits::USER_METADATA_BYTES_MAX - 4);
    assert_eq!(socket.call(put("x-oss-meta-long", &fits)).await.status, 200);
}

#[tokio::test]
async fn encryption_is_confirmed_only_where_it_happens() {
    const SSE: &str = "x-oss-server-side-encryption";
    let big = || vec![b'x'; 100_000];
    let put = |value: &str| Call::new("PUT", "/a").body(big()).header(SSE, value);
    let plain = Running::start().await;
    for value in ["AES256", "KMS", "ROT13"] {
        plain.call(put(value)).await.assert_error(501, "NotImplemented", None);
    }
    assert_eq!(plain.call(Call::new("PUT", "/a").body(big())).await.header(SSE), None);

    let running = Running::start_sealed(MasterKeys::new(vec![MasterKey::new([1; 32])])).await;
    let mut socket = running.connect().await;
    let reply = socket.call(put("AES256")).await;
    assert_eq!((reply.status, reply.header(SSE)), (200, Some("AES256")));
    let blobs = running.blobs.list(None, 9).await.expect("a list");
    assert!(blobs.len() == 1 && blobs[0].id.is_sealed(), "{blobs:?}");
    assert_eq!(socket.call(Call::new("GET", "/a")).await.text().into_bytes(), big());
    socket.call(put("KMS")).await.assert_error(501, "NotImplemented", None);
    socket.call(put("SM4")).await.assert_error(501, "NotImplemented", None);
    socket.call(put("ROT13")).await.assert_error(400, "InvalidEncryptionAlgorithmError", None);
    let keyed = put("AES256").header("x-oss-server-side-encryption-key-id", "k");
    socket.call(keyed).await.assert_error(501, "NotImplemented", None);
    let unasked = socket.call(Call::new("PUT", "/b").body(big())).await;
    assert_eq!((unasked.status, unasked.header(SSE)), (200, None));
    let append = Call::new("POST", "/log?append&position=0").body("x").header(SSE, "AES256");
    assert_eq!(socket.call(append).await.header(SSE), Some("AES256"));
    let copy = |to: &'static str, from: &str| {
        Call::new("PUT", to).header("x-oss-copy-source", &format!("/examplebucket/{from}")).header(SSE, "AES256")
    };
    assert_eq!(socket.call(copy("/c", "a")).await.header(SSE), Some("AES256"));
}

#[tokio::test]
async fn a_copy_of_plain_blobs_is_not_confirmed_to_be_encrypted() {
    let running = Running::start_sealed(MasterKeys::new(vec![MasterKey::new([1; 32])])).await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", vec![b'x'; 100_000]).await;
    // As if it had been put before the key was configured.
    let bucket = running.bucket("examplebucket").await;
    let key = ObjectKey::new("a").expect("valid");
    let mut object = running.meta.object(bucket.id, &key).await.expect("readable").expect("there");
    for extent in &mut object.extents {
        if let Extent::Blob { id, .. } = extent {
            id.0 ^= 1;
        }
    }
    let commit = ObjectCommit { object, condition: WriteCondition::Always };
    running.meta.commit_object(commit, NOW).await.expect("stored");
    let copy = || Call::new("PUT", "/b").header("x-oss-copy-source", "/examplebucket/a");
    let asked = copy().header("x-oss-server-side-encryption", "AES256");
    socket.call(asked).await.assert_error(501, "NotImplemented", None);
    assert_eq!(socket.call(copy()).await.status, 200);
}

#[tokio::test]
async fn overwriting_can_be_forbidden() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let once = || Call::new("PUT", "/a").body("first").header("x-oss-forbid-overwrite", "true");
    assert_eq!(socket.call(once()).await.status, 200);
    let second = socket.call(once()).await;
    second.assert_error(409, "FileAlreadyExists", Some("0026-00000002"));
    stored(&mut socket, "/a", "second").await;
    assert_eq!(socket.call(Call::new("GET", "/a")).await.text(), "second");
}

#[tokio::test]
async fn ranges_answer_by_the_table() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let body = thousand();
    stored(&mut socket, "/a", body.clone()).await;
    let whole = (200, 0..1000);
    // Header, outcome by OSS's default, outcome with `x-oss-range-behavior: standard`.
    for (range, default, standard) in [
        ("bytes=0-", (206, 0..1000), (206, 0..1000)),
        ("bytes=0-499", (206, 0..500), (206, 0..500)),
        ("bytes=500-", (206, 500..1000), (206, 500..1000)),
        ("bytes=-500", (206, 500..1000), (206, 500..1000)),
        ("bytes=500-2000", whole.clone(), (206, 500..1000)),
        ("bytes=1000-2000", whole.clone(), (416, 0..0)),
        ("bytes=1000-", whole.clone(), (416, 0..0)),
        ("bytes=-2000", whole.clone(), (206, 0..1000)),
        ("bytes=-0", (416, 0..0), (416, 0..0)),
        ("bytes=9-0", whole.clone(), whole.clone()),
        ("byte=0-9", whole.clone(), whole.clone()),
        ("bytes=0-9,20-29", (206, 0..10), (206, 0..10)),
    ] {
        for (behaviour, (status, part)) in [(None, default), (Some("standard"), standard)] {
            let mut call = Call::new("GET", "/a").header("Range", range);
            if let Some(behaviour) = behaviour {
                call = call.header("x-oss-range-behavior", behaviour);
            }
            let reply = socket.call(call).await;
            assert_eq!(reply.status, status, "{range} {behaviour:?}");
            if status == 416 {
                reply.assert_error(416, "InvalidRange", None);
                assert_eq!(reply.header("content-range"), Some("bytes */1000"));
                assert_eq!(reply.element("RangeRequested"), range);
                continue;
            }
            let content_range = (status == 206).then(|| format!("bytes {}-{}/1000", part.start, part.end - 1));
            assert_eq!(reply.header("content-range"), content_range.as_deref(), "{range} {behaviour:?}");
            // A part's MD5 is not the object's; its CRC is told all the same, as OSS does.
            assert_eq!(reply.header("content-md5").is_some(), status == 200, "{range} {behaviour:?}");
            assert!(reply.header("x-oss-hash-crc64ecma").is_some());
            assert!(reply.body == body[part], "{range} {behaviour:?}");
        }
    }
    let head = socket.call(Call::new("HEAD", "/a").header("Range", "bytes=0-9")).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000")));
    stored(&mut socket, "/empty", "").await;
    let empty = socket.call(Call::new("GET", "/empty").header("Range", "bytes=0-")).await;
    empty.assert_empty(200);
}

#[tokio::test]
async fn a_range_of_another_object_than_the_one_begun_is_the_whole_object() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", "123456789").await;
    for (validator, status) in [
        ("\"25F9E794323B453885F5181F1B624D0B\"", 206),
        ("25f9e794323b453885f5181f1b624d0b", 206),
        (NOW_TEXT, 206),
        ("\"00\"", 200),
        ("W/\"25F9E794323B453885F5181F1B624D0B\"", 200),
        ("Tue, 14 Nov 2023 22:13:21 GMT", 200),
    ] {
        let call = Call::new("GET", "/a").header("Range", "bytes=2-3").header("If-Range", validator);
        let reply = socket.call(call).await;
        let expected = if status == 206 { "34" } else { "123456789" };
        assert_eq!((reply.status, reply.text().as_str()), (status, expected), "{validator}");
        let get = Plain::new(Dialect::S3, "GET", "examplebucket", "a", "").header("Range", "bytes=2-3");
        let get = get.header("If-Range", validator).signed(Some(&Key::new("ownerKey", "ownerSecret")), Place::Header);
        let reply = get.send(&mut socket).await;
        assert_eq!((reply.status, reply.text().as_str()), (status, expected), "{validator} over S3");
    }
}

#[tokio::test]
async fn conditions_are_judged_for_get_and_head() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", "123456789").await;
    const SAME: &str = "\"25f9e794323b453885f5181f1b624d0b\"";
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
    for (name, value, status) in [
        ("If-Match", SAME, 200),
        ("If-Match", "\"00\"", 412),
        ("If-None-Match", SAME, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"00\"", 200),
        ("If-Modified-Since", NOW_TEXT, 304),
        ("If-Modified-Since", BEFORE, 200),
        ("If-Unmodified-Since", NOW_TEXT, 200),
        ("If-Unmodified-Since", BEFORE, 412),
        ("If-Modified-Since", "yesterday", 200),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = socket.call(Call::new(method, "/a").header(name, value)).await;
            assert_eq!(reply.status, status, "{method} {name}: {value}");
            match status {
                304 => {
                    assert!(reply.header("etag").is_some() && reply.header("last-modified").is_some());
                    assert_eq!((reply.header("content-length"), reply.body.len()), (None, 0));
                }
                412 if method == "GET" => {
                    reply.assert_error(412, "PreconditionFailed", Some("0017-00001001"));
                    assert_eq!(reply.element("Condition"), name);
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_signed_link_may_override_response_headers() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", "x").await;
    let target = "/a?response-content-type=text%2Fcsv&response-content-disposition=attachment%3B%20filename%3Da.csv";
    let reply = socket.call(Call::new("GET", target)).await;
    assert_eq!(reply.header("content-type"), Some("text/csv"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=a.csv"));
    let bucket = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(bucket, Acl::PublicRead).await.expect("set");
    let anonymous = socket.call(Call::new("GET", target).by(Who::Anonymous)).await;
    anonymous.assert_error(400, "InvalidRequest", None);
    assert_eq!(socket.call(Call::new("GET", "/a").by(Who::Anonymous)).await.text(), "x");
    let smuggled = socket.call(Call::new("GET", "/a?response-expires=a%0D%0Ab")).await;
    smuggled.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn an_objects_own_acl_outranks_its_buckets() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", "x").await;
    let read = |who| Call::new("GET", "/a").by(who);
    let denied = socket.call(read(Who::Anonymous)).await;
    denied.assert_error(403, "AccessDenied", Some("0003-00000001"));
    assert_eq!(denied.element("Message"), "You have no right to access this object.");
    // Whether there is an object is not told either.
    let none = socket.call(Call::new("GET", "/none").by(Who::Other)).await;
    none.assert_error(403, "AccessDenied", Some("0003-00000001"));

    assert_eq!(socket.call(Call::new("GET", "/a?acl")).await.element("Grant"), "default");
    let open = Call::new("PUT", "/a?acl").header("x-oss-object-acl", "public-read");
    socket.call(open.clone().by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    socket.call(open).await.assert_empty(200);
    assert_eq!(socket.call(Call::new("GET", "/a?acl")).await.element("Grant"), "public-read");
    assert_eq!(socket.call(read(Who::Anonymous)).await.text(), "x");
    assert_eq!(socket.call(read(Who::Other)).await.text(), "x");
    let write = Call::new("PUT", "/a").by(Who::Other).body("y");
    socket.call(write).await.assert_error(403, "AccessDenied", Some("0003-00000001"));

    let bucket = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(bucket, Acl::PublicReadWrite).await.expect("set");
    socket.call(Call::new("DELETE", "/a").by(Who::Anonymous)).await.assert_error(
        403,
        "AccessDenied",
        Some("0003-00000001"),
    );
    socket.call(Call::new("PUT", "/a?acl").header("x-oss-object-acl", "default")).await.assert_empty(200);
    socket.call(Call::new("DELETE", "/a").by(Who::Anonymous)).await.assert_empty(204);
    let absent = socket.call(Call::new("PUT", "/a?acl").header("x-oss-object-acl", "private")).await;
    absent.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    socket.call(Call::new("PUT", "/b?acl")).await.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for key in ["/a", "/b", "/c"] {
        stored(&mut socket, key, "x").await;
    }
    let body = "<Delete><Quiet>false</Quiet><Object><Key>a</Key></Object><Object><Key>gone</Key></Object></Delete>";
    let reply = socket.call(Call::new("POST", "/?delete").body(body).md5()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("<Key>a</Key>") && reply.text().contains("<Key>gone</Key>"), "{}", reply.text());
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>";
    socket.call(Call::new("POST", "/?delete").body(quiet).md5()).await.assert_empty(200);
    for (key, status) in [("/a", 404), ("/b", 404), ("/c", 200)] {
        assert_eq!(socket.call(Call::new("HEAD", key)).await.status, status, "{key}");
    }
    socket.call(Call::new("POST", "/?delete").body(quiet)).await.assert_error(400, "InvalidDigest", None);
    let wrong = Call::new("POST", "/?delete").body(quiet).header("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw==");
    socket.call(wrong).await.assert_error(400, "InvalidDigest", None);
    socket.call(Call::new("POST", "/?delete").body("<Delete/>").md5()).await.assert_error(400, "MalformedXML", None);
    let many = |count: usize| {
        let body = format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(count));
        Call::new("POST", "/?delete").body(body).md5()
    };
    assert_eq!(socket.call(many(1000)).await.status, 200);
    socket.call(many(1001)).await.assert_error(400, "MalformedXML", None);
    let odd = "<Delete><Object><Key>a&#1;+ b&amp;</Key></Object></Delete>";
    let odd = socket.call(Call::new("POST", "/?delete&encoding-type=url").body(odd).md5()).await;
    assert_eq!((odd.element("EncodingType").as_str(), odd.element("Key").as_str()), ("url", "a%01%2B%20b%26"));
    let stranger = Call::new("POST", "/?delete").body(quiet).md5().by(Who::Other);
    socket.call(stranger).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
}

#[tokio::test]
async fn a_copy_takes_or_replaces_metadata() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = Call::new("PUT", "/src%20dir/a").body("123456789").header("Content-Type", "text/plain");
    assert_eq!(socket.call(put.header("x-oss-meta-a", "1")).await.status, 200);
    let copy = |key: &str| Call::new("PUT", key).header("x-oss-copy-source", "/examplebucket/src%20dir%2Fa");

    let reply = socket.call(copy("/b")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.element("ETag").contains("25F9E794323B453885F5181F1B624D0B"), "{}", reply.text());
    assert_eq!(reply.element("LastModified"), "2023-11-14T22:13:20.000Z");
    let copied = socket.call(Call::new("GET", "/b")).await;
    assert_eq!((copied.text().as_str(), copied.header("content-type")), ("123456789", Some("text/plain")));
    assert_eq!(copied.header("x-oss-meta-a"), Some("1"));

    // A copy onto itself is how metadata is edited.
    let edit = copy("/src%20dir/a").header("x-oss-metadata-directive", "REPLACE").header("x-oss-meta-b", "2");
    assert_eq!(socket.call(edit).await.status, 200);
    let edited = socket.call(Call::new("GET", "/src%20dir/a")).await;
    assert_eq!((edited.header("x-oss-meta-a"), edited.header("x-oss-meta-b")), (None, Some("2")));
    assert_eq!(edited.text(), "123456789");

    for (name, value, status) in [
        ("x-oss-copy-source-if-match", "\"00\"", 412),
        ("x-oss-copy-source-if-none-match", "*", 304),
        ("x-oss-copy-source-if-modified-since", NOW_TEXT, 304),
        ("x-oss-copy-source-if-unmodified-since", "Tue, 14 Nov 2023 22:13:19 GMT", 412),
        ("x-oss-metadata-directive", "MERGE", 400),
    ] {
        assert_eq!(socket.call(copy("/c").header(name, value)).await.status, status, "{name}");
    }
    assert_eq!(socket.call(Call::new("HEAD", "/c")).await.status, 404);
}

#[tokio::test]
async fn a_copys_source_may_have_any_name() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for (target, source) in [
        ("/a%2Bb%20c%3F%23%26", "/examplebucket/a+b%20c%3F%23%26"),
        ("/%C3%A9//x/", "examplebucket/\u{e9}//x/"),
        ("/%2525", "/examplebucket%2F%2525"),
    ] {
        stored(&mut socket, target, source).await;
        let copied = socket.call(Call::new("PUT", "/copy").header("x-oss-copy-source", source)).await;
        assert_eq!(copied.status, 200, "{source}: {}", copied.text());
        assert_eq!(socket.call(Call::new("GET", "/copy")).await.text(), source);
        // Onto itself without a word about metadata: done, and nothing changes.
        let same = socket.call(Call::new("PUT", target).header("x-oss-copy-source", source)).await;
        assert_eq!(same.status, 200, "{source}: {}", same.text());
        assert_eq!(socket.call(Call::new("GET", target)).await.text(), source);
    }
    let once = Call::new("PUT", "/copy").header("x-oss-copy-source", "/examplebucket/%2525");
    let once = socket.call(once.header("x-oss-forbid-overwrite", "true")).await;
    once.assert_error(409, "FileAlreadyExists", Some("0026-00000002"));
}

#[tokio::test]
async fn a_copy_needs_the_right_to_read_its_source() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", "x").await;
    assert_eq!(socket.call(Call::new("PUT", "/").bucket("elsewhere").by(Who::Other)).await.status, 200);
    let copy =
        |source: &str| Call::new("PUT", "/b").bucket("elsewhere").by(Who::Other).header("x-oss-copy-source", source);
    let denied = socket.call(copy("/examplebucket/a")).await;
    denied.assert_error(403, "AccessDenied", Some("0003-00000001"));
    let bucket = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(bucket, Acl::PublicRead).await.expect("set");
    assert_eq!(socket.call(copy("examplebucket/a")).await.status, 200);
    socket.call(copy("/examplebucket/none")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    socket.call(copy("/nosuchbucket/a")).await.assert_error(404, "NoSuchBucket", Some("0015-00000101"));
}

#[tokio::test]
async fn appends_grow_an_object() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let append = |position: u64, body: &str| Call::new("POST", &format!("/log?append&position={position}")).body(body);
    let first = socket.call(append(0, "1234").md5()).await;
    first.assert_empty(200);
    assert_eq!(first.header("x-oss-next-append-position"), Some("4"));
    let second = socket.call(append(4, "56789")).await;
    assert_eq!(second.header("x-oss-next-append-position"), Some("9"));
    assert_eq!(second.header("x-oss-hash-crc64ecma"), Some("11051210869376104954"));
    let whole = socket.call(Call::new("GET", "/log")).await;
    assert_eq!((whole.text().as_str(), whole.header("x-oss-object-type")), ("123456789", Some("Appendable")));
    assert_eq!(whole.header("x-oss-next-append-position"), Some("9"));
    assert_eq!(whole.header("etag"), second.header("etag"));

    for position in [0, 8, 10] {
        let wrong = socket.call(append(position, "x")).await;
        wrong.assert_error(409, "PositionNotEqualToLength", Some("0026-00000016"));
        assert_eq!(wrong.header("x-oss-next-append-position"), Some("9"));
    }
    let missing = Call::new("POST", "/new?append&position=1").body("x");
    assert_eq!(socket.call(missing).await.header("x-oss-next-append-position"), Some("0"));
    stored(&mut socket, "/log", "plain").await;
    socket.call(append(5, "x")).await.assert_error(409, "ObjectNotAppendable", Some("0026-00000017"));
    let none = socket.call(Call::new("POST", "/log?append").body("x")).await;
    none.assert_error(400, "MissingArgument", Some("0016-00000501"));
}

#[tokio::test]
async fn a_playlist_is_signed_only_for_a_signed_link() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/c/playlist.m3u8", "#EXTM3U\n#EXTINF:1.000,\n1.ts\n").await;
    let target = "/c/playlist.m3u8?x-oss-process=hls/sign";
    let by_header = socket.call(Call::new("GET", target)).await;
    by_header.assert_error(400, "InvalidRequest", Some("0044-00000408"));
    let anonymous = socket.call(Call::new("GET", target).by(Who::Anonymous)).await;
    anonymous.assert_error(400, "InvalidRequest", Some("0044-00000408"));

    let signed = signed_target("/c/playlist.m3u8", "x-oss-process=hls%2Fsign");
    let reply = socket.call(Call::new("GET", &signed).by(Who::Anonymous)).await;
    let fragment = format!("1.ts?{}", signed_target("/c/1.ts", "").split_once('?').expect("a query").1);
    assert_eq!((reply.status, reply.text()), (200, format!("#EXTM3U\n#EXTINF:1.000,\n{fragment}\n")));
    assert_eq!((reply.header("etag"), reply.header("x-oss-hash-crc64ecma")), (None, None));

    // And the fragment's URL works as it stands.
    stored(&mut socket, "/c/1.ts", "fragment").await;
    let link = Call::new("GET", &format!("/c/{fragment}")).by(Who::Anonymous);
    assert_eq!(socket.call(link).await.text(), "fragment");

    let headers = [("x-oss-hls-sign-token", &b"a/b"[..])];
    let with_token = signed_target_with("/c/playlist.m3u8", "x-oss-process=hls%2Fsign", &headers);
    let token = Call::new("GET", &with_token).by(Who::Anonymous).header("x-oss-hls-sign-token", "a/b");
    socket.call(token).await.assert_error(400, "InvalidArgument", Some("0044-00000402"));
    stored(&mut socket, "/c/big.m3u8", vec![b'\n'; 1024 * 1024 + 1]).await;
    let big = Call::new("GET", &signed_target("/c/big.m3u8", "x-oss-process=hls%2Fsign")).by(Who::Anonymous);
    socket.call(big).await.assert_error(400, "InvalidRequest", Some("0044-00000404"));
    let name = Call::new("GET", &signed_target("/c/1.ts", "x-oss-process=hls%2Fsign")).by(Who::Anonymous);
    let name = socket.call(name).await;
    assert_eq!((name.status, name.element("Message")), (400, "Playlist name must ends with \".m3u8\".".to_owned()));
}

/// A link that the owner signed with V1, valid for an hour.
fn signed_target(path: &str, query: &str) -> String {
    signed_target_with(path, query, &[])
}

fn signed_target_with(path: &str, query: &str, headers: &[(&str, &[u8])]) -> String {
    use crate::auth::{SignedRequest, oss_v1};
    let pairs = crate::http::oss::operation::Query::parse(query);
    let request = SignedRequest {
        method: "GET",
        bucket: Some("examplebucket"),
        key: path.trim_start_matches('/').as_bytes(),
        headers,
        query: pairs.pairs(),
    };
    format!("{path}?{}", oss_v1::sign_url_query(&request, "ownerKey", "ownerSecret", 1_700_003_600))
}

const TAGS: &str = "<Tagging><TagSet><Tag><Key>x</Key><Value>1</Value></Tag></TagSet></Tagging>";

#[tokio::test]
async fn tags_are_put_counted_carried_and_removed() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let tagged =
        |method: &'static str, target: &str| Call::new(method, target).body("x").header("x-oss-tagging", "a=b%20c&d");
    assert_eq!(socket.call(tagged("PUT", "/a")).await.status, 200);
    assert_eq!(socket.call(tagged("POST", "/log?append&position=0")).await.status, 200);
    let begun = socket.call(Call::new("POST", "/m?uploads").header("x-oss-tagging", "a=b%20c&d")).await;
    let id = begun.element("UploadId");
    assert_eq!(socket.call(Call::new("PUT", &format!("/m?partNumber=1&uploadId={id}")).body("x")).await.status, 200);
    let all = Call::new("POST", &format!("/m?uploadId={id}")).header("x-oss-complete-all", "yes");
    assert_eq!(socket.call(all).await.status, 200);
    let copy = |to: &str| Call::new("PUT", to).header("x-oss-copy-source", "/examplebucket/a");
    assert_eq!(socket.call(copy("/copy")).await.status, 200);
    let golden = "<Tag><Key>a</Key><Value>b c</Value></Tag><Tag><Key>d</Key><Value></Value></Tag>";
    for target in ["/a", "/log", "/m", "/copy"] {
        let tags = socket.call(Call::new("GET", &format!("{target}?tagging"))).await;
        assert!(tags.status == 200 && tags.text().contains(golden), "{target}: {}", tags.text());
        for method in ["GET", "HEAD"] {
            let reply = socket.call(Call::new(method, target)).await;
            assert_eq!(reply.header("x-oss-tagging-count"), Some("2"), "{method} {target}");
        }
    }
    let replaced = copy("/copy").header("x-oss-tagging-directive", "Replace").header("x-oss-tagging", "n=1");
    assert_eq!(socket.call(replaced).await.status, 200);
    assert_eq!(socket.call(Call::new("GET", "/copy?tagging")).await.element("Key"), "n");
    let unknown = copy("/copy").header("x-oss-tagging-directive", "Maybe");
    socket.call(unknown).await.assert_error(400, "InvalidArgument", None);

    socket.call(Call::new("PUT", "/a?tagging").body(TAGS)).await.assert_empty(200);
    assert_eq!(socket.call(Call::new("GET", "/a?tagging")).await.element("Key"), "x");
    assert_eq!(socket.call(Call::new("GET", "/a")).await.text(), "x", "the object is still there");
    let wrong = TAGS.replace("<Key>x", "<Key>a*");
    socket.call(Call::new("PUT", "/a?tagging").body(wrong)).await.assert_error(400, "InvalidTag", None);
    socket.call(Call::new("PUT", "/a?tagging").body("<Tagging/>")).await.assert_error(400, "MalformedXML", None);
    socket.call(Call::new("DELETE", "/a?tagging")).await.assert_empty(204);
    let none = socket.call(Call::new("GET", "/a?tagging")).await;
    assert!(none.status == 200 && none.text().contains("<TagSet></TagSet>"), "{}", none.text());
    assert_eq!(socket.call(Call::new("HEAD", "/a")).await.header("x-oss-tagging-count"), None);
    for method in ["GET", "PUT", "DELETE"] {
        let body = if method == "PUT" { TAGS } else { "" };
        let missing = socket.call(Call::new(method, "/none?tagging").body(body)).await;
        missing.assert_error(404, "NoSuchKey", Some("0026-00000001"));
        let stranger = socket.call(Call::new(method, "/a?tagging").body(body).by(Who::Other)).await;
        assert_eq!(stranger.status, 403, "{method}");
    }
}

#[tokio::test]
async fn a_bucket_has_tags_of_its_own() {
    let running = Running::start().await;
    let none = running.call(Call::new("GET", "/?tagging")).await;
    assert!(none.status == 200 && none.text().contains("<TagSet></TagSet>"), "{}", none.text());
    running.call(Call::new("PUT", "/?tagging").body(TAGS)).await.assert_empty(200);
    assert_eq!(running.call(Call::new("GET", "/?tagging")).await.element("Value"), "1");
    let many: String = (0..21).map(|n| format!("<Tag><Key>k{n}</Key><Value/></Tag>")).collect();
    let many = format!("<Tagging><TagSet>{many}</TagSet></Tagging>");
    running.call(Call::new("PUT", "/?tagging").body(many)).await.assert_error(400, "InvalidTag", None);
    running.call(Call::new("PUT", "/?tagging").body(TAGS).by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    running.call(Call::new("DELETE", "/?tagging")).await.assert_empty(204);
    running.call(Call::new("DELETE", "/?tagging")).await.assert_empty(204);
    assert!(running.call(Call::new("GET", "/?tagging")).await.text().contains("<TagSet></TagSet>"));
}

#[tokio::test]
async fn a_copy_onto_itself_does_not_bring_back_what_was_replaced() {
    for (dialect, brand) in [(Dialect::Oss, "oss"), (Dialect::S3, "amz")] {
        let (running, scripted) = Running::start_scripted().await;
        running.call(Call::new("PUT", "/k").body("old")).await.assert_empty(200);
        running.call(Call::new("PUT", "/n").body("new")).await.assert_empty(200);
        let stall = scripted.stall(MetaCall::CommitObject);
        let copy = Plain::new(dialect, "PUT", "examplebucket", "k", "")
            .header(&format!("x-{brand}-copy-source"), "/examplebucket/k")
            .header(&format!("x-{brand}-metadata-directive"), "REPLACE")
            .header(&format!("x-{brand}-meta-a"), "b");
        let replaced = async {
            while scripted.calls(MetaCall::CommitObject) < 3 {
                tokio::task::yield_now().await;
            }
            let (bucket, key) = (running.bucket("examplebucket").await.id, |name| ObjectKey::new(name).expect("a key"));
            let new = running.meta.object(bucket, &key("n")).await.expect("readable").expect("there");
            let commit =
                ObjectCommit { object: ObjectRecord { key: key("k"), ..new }, condition: WriteCondition::Always };
            running.meta.commit_object(commit, NOW).await.expect("replaced");
            drop(stall);
        };
        let mut socket = running.connect().await;
        let copy = copy.signed(Some(&Key::new("ownerKey", "ownerSecret")), Place::Header);
        let (reply, ()) = tokio::join!(copy.send(&mut socket), replaced);
        assert_eq!(reply.status, 200, "{reply:?}");
        let got = running.call(Call::new("GET", "/k")).await;
        assert_eq!((got.text().as_str(), got.header("x-oss-meta-a")), ("new", Some("b")), "{dialect:?}");
    }
}
