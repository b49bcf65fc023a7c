//! Bounds of a request and of a socket at their very edge: what fits passes, one more is refused.

use super::harness::{Call, HOST, Running, Who};
use super::signed::{Dialect, Key, Place, Plain};
use crate::limits;

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
