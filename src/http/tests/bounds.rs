//! Bounds of a request and of a socket at their very edge: what fits passes, one more is refused.

use super::harness::{Call, HOST, Reply, Running, Who};
use super::signed::{Dialect, Key, Place, Plain, Wire};
use crate::limits;
use crate::store::{Acl, BucketSetting};

#[tokio::test]
async fn a_socket_carries_so_many_requests_and_says_which_is_the_last() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let call = Call::new("HEAD", "/none").by(Who::Anonymous);
    for request in 1..limits::HTTP_REQUESTS_PER_SOCKET_MAX {
        let reply = socket.call(call.clone()).await;
        assert_eq!((reply.status, reply.header("connection")), (403, Some("keep-alive")), "request {request}");
    }
    assert_eq!(socket.call(call.clone()).await.header("connection"), Some("close"));
    assert!(socket.is_closed().await);
    assert_eq!(running.call(call).await.status, 403, "a new one is served");
}

#[tokio::test]
async fn a_head_has_so_many_bytes_and_no_more() {
    let running = Running::start().await;
    let of = |length: usize| {
        let begin = format!("GET /none HTTP/1.1\r\nHost: {}\r\nx-long: ", HOST);
        let filler = "x".repeat(length - begin.len() - 4);
        format!("{begin}{filler}\r\n\r\n")
    };
    let mut socket = running.connect().await;
    socket.send(of(limits::HTTP_HEAD_BYTES_MAX).as_bytes()).await;
    assert_eq!(socket.reply(false).await.status, 404);
    let mut socket = running.connect().await;
    socket.send(of(limits::HTTP_HEAD_BYTES_MAX + 1).as_bytes()).await;
    socket.reply(false).await.assert_error(431, "RequestHeaderSectionTooLarge", None);
    assert!(socket.is_closed().await);
}

/// The other dialect's documents are read by a library: nothing in them is expanded, and none takes the service along.
#[tokio::test]
async fn documents_of_either_dialect_expand_no_entity_and_nest_only_so_deep() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    let set =
        |value: &str| format!("<Tagging><TagSet><Tag><Key>k</Key><Value>{value}</Value></Tag></TagSet></Tagging>");
    let laughs: String = (1..20).map(|n| format!("<!ENTITY l{n} \"&l{0};&l{0};\">", n - 1)).collect();
    let bomb = format!("<!DOCTYPE Tagging [<!ENTITY l0 \"ha\">{laughs}]>{}", set("&l19;"));
    let outside = format!("<!DOCTYPE Tagging [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>{}", set("&f;"));
    let deep = |n: usize| set(&format!("{}{}", "<a>".repeat(n), "</a>".repeat(n)));
    for dialect in [Dialect::Oss, Dialect::S3] {
        for body in [&bomb, &outside, &set("&unknown;"), &deep(5_000), &deep(64)] {
            let put = Plain::new(dialect, "PUT", "examplebucket", "", "tagging").body(body).md5();
            let reply = put.signed(Some(&owner), Place::Header).send(&mut running.connect().await).await;
            let code = reply.element("Code");
            assert_eq!((reply.status, code.as_str()), (400, "MalformedXML"), "{dialect:?} {}", &body[..60]);
        }
        let put = Plain::new(dialect, "PUT", "examplebucket", "", "tagging").body(&set("a&#45;b")).md5();
        let reply = put.signed(Some(&owner), Place::Header).send(&mut running.connect().await).await;
        assert!(reply.status < 300, "{}", reply.text());
    }
}

/// A document of exactly so many bytes.
fn padded(root: &str, bytes: usize) -> String {
    const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    format!("{DECLARATION}{}{root}", " ".repeat(bytes - DECLARATION.len() - root.len()))
}

const DELETE: &str = "<Delete><Object><Key>none</Key></Object></Delete>";
const COMPLETE: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
                        <ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag></Part></CompleteMultipartUpload>";
const UPLOAD: &str = "uploadId=00000000000000000000000000000001";

fn too_long(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Oss => "EntityTooLarge",
        Dialect::S3 => "MaxMessageLengthExceeded",
    }
}

/// The answer to a body that is too long: what is so long that nobody would read it to its end is not sent at all.
async fn refused(running: &Running, wire: &Wire) -> Reply {
    let mut socket = running.connect().await;
    match wire.body.len() as u64 > limits::HTTP_DRAIN_BYTES_MAX {
        true => wire.send_head(&mut socket).await,
        false => wire.send(&mut socket).await,
    }
}

#[tokio::test]
async fn a_document_has_so_many_bytes_and_no_more() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let rules = "<LifecycleConfiguration><Rule><ID>a</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration>\
                 <Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    for (method, key, query, root, max, fits) in [
        ("POST", "", "delete", DELETE, limits::OSS_DELETE_XML_BYTES_MAX, 200),
        ("POST", "k", UPLOAD, COMPLETE, limits::OSS_COMPLETE_XML_BYTES_MAX, 404),
        ("PUT", "", "lifecycle", rules, limits::LIFECYCLE_XML_BYTES_MAX, 200),
        ("PUT", "", "tagging", tags, limits::OSS_XML_BYTES_MAX, 200),
    ] {
        for dialect in [Dialect::Oss, Dialect::S3] {
            let of = |bytes| Plain::new(dialect, method, "examplebucket", key, query).body(&padded(root, bytes)).md5();
            let signed = |bytes| of(bytes).signed(Some(&owner), Place::Header);
            let reply = signed(max).send(&mut running.connect().await).await;
            let fits = if (dialect, query) == (Dialect::S3, "tagging") { 204 } else { fits };
            assert_eq!(reply.status, fits, "{dialect:?} {query}: {}", reply.text());
            // Refused by what is promised, before it is asked for; and where nothing is promised, when it has come.
            let reply = refused(&running, &signed(max + 1)).await;
            assert_eq!((reply.status, reply.element("Code").as_str()), (400, too_long(dialect)), "{dialect:?} {query}");
            let reply = signed(max + 1).send_chunked(&mut running.connect().await).await;
            assert_eq!((reply.status, reply.element("Code").as_str()), (400, too_long(dialect)), "{dialect:?} {query}");
        }
    }
}

#[tokio::test]
async fn a_document_has_so_many_elements_and_no_more() {
    let running = Running::start().await;
    let rule =
        "<Rule><ID>a</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    let root = "LifecycleConfiguration";
    // The root, seven of the rule, and more that nobody knows.
    let of = |elements: usize| format!("<{root}>{rule}{}</{root}>", "<a/>".repeat(elements - 7));
    for (elements, status) in [(limits::LIFECYCLE_XML_ELEMENTS_MAX, 200), (limits::LIFECYCLE_XML_ELEMENTS_MAX + 1, 400)]
    {
        let put = running.call(Call::new("PUT", "/?lifecycle").body(of(elements))).await;
        assert_eq!(put.status, status, "{elements}: {}", put.text());
        assert!(status == 200 || put.element("Code") == "MalformedXML", "{}", put.text());
    }
}

#[tokio::test]
async fn tags_are_so_many_and_no_more() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    for (dialect, key, max) in [
        (Dialect::Oss, "", limits::OSS_BUCKET_TAGS_MAX),
        (Dialect::S3, "", limits::S3_BUCKET_TAGS_MAX),
        (Dialect::Oss, "k", limits::OBJECT_TAGS_MAX),
        (Dialect::S3, "k", limits::OBJECT_TAGS_MAX),
    ] {
        running.call(Call::new("PUT", "/k").body("text")).await.assert_empty(200);
        for (count, fits) in [(max, true), (max + 1, false)] {
            let tags: String = (0..count).map(|n| format!("<Tag><Key>k{n}</Key><Value>v</Value></Tag>")).collect();
            let body = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
            let put = Plain::new(dialect, "PUT", "examplebucket", key, "tagging").body(&body).md5();
            let reply = put.signed(Some(&owner), Place::Header).send(&mut running.connect().await).await;
            assert_eq!(reply.status < 300, fits, "{dialect:?} {key} {count}: {}", reply.text());
            assert!(fits || reply.status == 400, "{}", reply.text());
        }
    }
}

/// Documents are held whole: who has proved nothing must not make the service hold megabytes for each of his requests,
/// whatever the bucket allows him.
#[tokio::test]
async fn a_caller_who_has_proved_nothing_has_a_short_document_held_at_most() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    let bucket = running.bucket("examplebucket").await;
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":["*"],"Action":["oss:DeleteObject"],
                     "Resource":["acs:oss:*:*:examplebucket/*"]}]}"#;
    running.meta.set_bucket_setting(bucket.id, BucketSetting::Policy(Some(policy.into()))).await.expect("there");
    running.meta.set_bucket_acl(bucket.id, Acl::PublicReadWrite).await.expect("there");
    let max = limits::ANONYMOUS_DOCUMENT_BYTES_MAX;
    const BOTH: &[Dialect] = &[Dialect::Oss, Dialect::S3];
    for (key, query, root, fits, dialects) in [
        ("", "delete", DELETE, 200, BOTH),
        // By its arguments it could be a part; the other dialect refuses it.
        ("", "delete&partNumber=1", DELETE, 200, &BOTH[1..]),
        ("k", UPLOAD, COMPLETE, 404, BOTH),
    ] {
        for dialect in dialects.iter().copied() {
            let of = |bytes| Plain::new(dialect, "POST", "examplebucket", key, query).body(&padded(root, bytes)).md5();
            let told = |bytes| format!("{dialect:?} {query} of {bytes}");
            let reply = of(max).signed(None, Place::Header).send(&mut running.connect().await).await;
            assert_eq!(reply.status, fits, "{}: {}", told(max), reply.text());
            for bytes in [max + 1, limits::OSS_DELETE_XML_BYTES_MAX] {
                let wire = of(bytes).signed(None, Place::Header);
                let promised = refused(&running, &wire).await;
                assert_eq!((promised.status, promised.element("Code").as_str()), (400, too_long(dialect)));
            }
            let wire = of(max + 1).signed(None, Place::Header);
            let counted = wire.send_chunked(&mut running.connect().await).await;
            assert_eq!((counted.status, counted.element("Code").as_str()), (400, too_long(dialect)), "{}", told(max));
            let reply = of(max + 1).signed(Some(&owner), Place::Header).send(&mut running.connect().await).await;
            assert_eq!(reply.status, fits, "who signs may have more: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn user_metadata_has_so_many_bytes_and_no_more() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    for (dialect, name, max, code) in [
        (Dialect::Oss, "x-oss-meta-long", limits::USER_METADATA_BYTES_MAX, "InvalidArgument"),
        (Dialect::S3, "x-amz-meta-long", limits::S3_USER_METADATA_BYTES_MAX, "MetadataTooLarge"),
    ] {
        // Names count without their prefix.
        for (bytes, fits) in [(max - "long".len(), true), (max - "long".len() + 1, false)] {
            let put = Plain::new(dialect, "PUT", "examplebucket", "a", "").header(name, &"v".repeat(bytes));
            let reply = put.signed(Some(&owner), Place::Header).send(&mut running.connect().await).await;
            match fits {
                true => assert_eq!(reply.status, 200, "{}", reply.text()),
                false => assert_eq!((reply.status, reply.element("Code").as_str()), (400, code)),
            }
        }
    }
}

#[tokio::test]
async fn a_playlist_to_be_signed_has_so_many_bytes_and_no_more() {
    let running = Running::start().await;
    let owner = Key::new("ownerKey", "ownerSecret");
    let max = usize::try_from(limits::HLS_SIGN_BYTES_MAX).expect("small");
    for (bytes, status) in [(max, 200), (max + 1, 400)] {
        let begin = "#EXTM3U\n#EXTINF:1,\nf.ts\n#";
        let text = format!("{begin}{}", "x".repeat(bytes - begin.len()));
        let mut socket = running.connect().await;
        let put = Plain::new(Dialect::Oss, "PUT", "examplebucket", "p.m3u8", "").body(&text);
        assert_eq!(put.signed(Some(&owner), Place::Header).send(&mut socket).await.status, 200);
        let get = Plain::new(Dialect::Oss, "GET", "examplebucket", "p.m3u8", "x-oss-process=hls/sign");
        let reply = get.signed(Some(&owner), Place::Url).send(&mut socket).await;
        assert_eq!(reply.status, status, "{bytes}: {}", reply.text().chars().take(300).collect::<String>());
    }
}
