//! Reads from pages that a bucket does not want.

use super::harness::{Call, Reply, Running, Who};
use crate::auth::{SignedRequest, oss_v1};

async fn start(rules: &str) -> Running {
    let running = Running::start().await;
    for (key, body) in [("a.ts", "fragment"), ("list.m3u8", "#EXTM3U\n#EXTINF:1,\na.ts\n")] {
        let put = Call::new("PUT", &format!("/{key}")).body(body).header("x-oss-object-acl", "public-read");
        assert_eq!(running.call(put).await.status, 200);
    }
    set(&running, rules).await;
    running
}

async fn set(running: &Running, rules: &str) {
    let body = format!("<RefererConfiguration>{rules}</RefererConfiguration>");
    running.call(Call::new("PUT", "/?referer").body(body)).await.assert_empty(200);
}

async fn read(running: &Running, method: &'static str, target: &str, who: Who, referer: Option<&str>) -> Reply {
    let call = Call::new(method, target).by(who);
    running
        .call(match referer {
            Some(referer) => call.header("Referer", referer),
            None => call,
        })
        .await
}

#[tokio::test]
async fn anonymous_reads_are_judged_by_their_page() {
    let running = start(
        "<AllowEmptyReferer>false</AllowEmptyReferer>
         <RefererList><Referer>http://*.example.com</Referer></RefererList>
         <RefererBlacklist><Referer>http://bad.example.com</Referer></RefererBlacklist>",
    )
    .await;
    for (referer, expected) in [
        (Some("http://www.example.com/watch?v=1"), Ok(())),
        (None, Err("0003-00000501")),
        (Some(""), Err("0003-00000501")),
        (Some("http://bad.example.com/"), Err("0003-00000502")),
        (Some("http://other.example/?http://a.example.com"), Err("0003-00000503")),
    ] {
        for target in ["/a.ts", "/list.m3u8"] {
            let reply = read(&running, "GET", target, Who::Anonymous, referer).await;
            match expected {
                Ok(()) => assert_eq!(reply.status, 200, "{target} {referer:?}"),
                Err(ec) => {
                    reply.assert_error(403, "AccessDenied", Some(ec));
                    assert_eq!(reply.element("Message"), "You are denied by bucket referer policy.");
                }
            }
            let head = read(&running, "HEAD", target, Who::Anonymous, referer).await;
            assert_eq!(head.status, if expected.is_ok() { 200 } else { 403 }, "{target} {referer:?}");
        }
        let meta = read(&running, "HEAD", "/a.ts?objectMeta", Who::Anonymous, referer).await;
        assert_eq!(meta.status, if expected.is_ok() { 200 } else { 403 }, "{referer:?}");
        // Over the other dialect, which a page chooses by the URL it writes, the same holds.
        let s3 = read(&running, "GET", "/a.ts?x-id=GetObject", Who::Anonymous, referer).await;
        assert_eq!(s3.status, if expected.is_ok() { 200 } else { 403 }, "{referer:?}");
    }
}

#[tokio::test]
async fn a_signature_in_the_url_is_judged_and_one_in_the_header_is_not() {
    let running =
        start("<AllowEmptyReferer>false</AllowEmptyReferer><RefererList><Referer>http://a</Referer></RefererList>")
            .await;
    assert_eq!(read(&running, "GET", "/a.ts", Who::Owner, None).await.status, 200);
    assert_eq!(read(&running, "GET", "/a.ts", Who::Owner, Some("http://evil")).await.status, 200);
    let signed = |key: &str, process: &[(Vec<u8>, Vec<u8>)]| {
        let request = SignedRequest {
            method: "GET",
            bucket: Some("examplebucket"),
            key: key.as_bytes(),
            headers: &[],
            query: process,
        };
        let expires = super::harness::NOW.unix_seconds() + 60;
        format!("/{key}?{}", oss_v1::sign_url_query(&request, "ownerKey", "ownerSecret", expires))
    };
    let plain = signed("a.ts", &[]);
    let playlist = signed("list.m3u8", &[(b"x-oss-process".to_vec(), b"hls/sign".to_vec())]);
    for url in [&plain, &playlist] {
        let refused = read(&running, "GET", url, Who::Anonymous, Some("http://evil")).await;
        refused.assert_error(403, "AccessDenied", Some("0003-00000503"));
        assert_eq!(read(&running, "GET", url, Who::Anonymous, None).await.status, 403, "{url}");
        assert_eq!(read(&running, "GET", url, Who::Anonymous, Some("http://a.example")).await.status, 200, "{url}");
    }
}

#[tokio::test]
async fn writes_and_listings_are_not_judged_and_new_rules_stand_in_place_of_old() {
    let running =
        start("<AllowEmptyReferer>false</AllowEmptyReferer><RefererList><Referer>http://a</Referer></RefererList>")
            .await;
    let open = Call::new("PUT", "/?acl").header("x-oss-acl", "public-read-write");
    assert_eq!(running.call(open).await.status, 200);
    assert_eq!(read(&running, "GET", "/", Who::Anonymous, None).await.status, 200);
    assert_eq!(read(&running, "PUT", "/new", Who::Anonymous, None).await.status, 200);
    assert_eq!(read(&running, "GET", "/new", Who::Anonymous, None).await.status, 403);
    set(&running, "<AllowEmptyReferer>true</AllowEmptyReferer><RefererList/>").await;
    assert_eq!(read(&running, "GET", "/new", Who::Anonymous, None).await.status, 200);
    assert_eq!(read(&running, "GET", "/new", Who::Anonymous, Some("http://evil")).await.status, 200);
}
