//! The service and its buckets.

use super::harness::{Call, Running, Who};
use crate::store::Acl;

#[tokio::test]
async fn a_bucket_is_made_found_again_and_refused_to_others() {
    let running = Running::start().await;
    let made = running.call(Call::new("PUT", "/").bucket("films").header("x-oss-acl", "public-read")).await;
    made.assert_empty(200);
    assert_eq!(made.header("location"), Some("/films"));
    assert_eq!(running.bucket("films").await.acl, Acl::PublicRead);

    let body = "<CreateBucketConfiguration><StorageClass>Standard</StorageClass></CreateBucketConfiguration>";
    running.call(Call::new("PUT", "/").bucket("films").body(body)).await.assert_empty(200);
    assert_eq!(running.bucket("films").await.acl, Acl::PublicRead);

    let taken = running.call(Call::new("PUT", "/").bucket("films").by(Who::Other)).await;
    taken.assert_error(409, "BucketAlreadyExists", Some("0015-00000104"));
    let dotted = running.call(Call::new("PUT", "/").bucket("a.b.c")).await;
    dotted.assert_error(400, "InvalidBucketName", None);
    let anonymous = running.call(Call::new("PUT", "/").bucket("mine").by(Who::Anonymous)).await;
    assert_eq!((anonymous.status, anonymous.element("Code").as_str()), (403, "AccessDenied"));
}

#[tokio::test]
async fn settings_that_cannot_be_kept_are_refused() {
    let running = Running::start().await;
    let put = |body: &str| running.call(Call::new("PUT", "/").bucket("films").body(body));
    let class = "<CreateBucketConfiguration><StorageClass>Frozen</StorageClass></CreateBucketConfiguration>";
    put(class).await.assert_error(400, "InvalidArgument", None);
    let place = "<CreateBucketConfiguration><LocationConstraint>oss-us-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    put(place).await.assert_error(400, "InvalidLocationConstraint", None);
    put("<CreateBucketConf").await.assert_error(400, "MalformedXML", None);
    let acl = running.call(Call::new("PUT", "/").bucket("films").header("x-oss-acl", "secret")).await;
    acl.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn a_bucket_with_anything_in_it_stays() {
    let running = Running::start().await;
    let delete = || running.call(Call::new("DELETE", "/"));
    assert_eq!(running.call(Call::new("PUT", "/a").body("x")).await.status, 200);
    delete().await.assert_error(409, "BucketNotEmpty", Some("0015-00000301"));
    assert_eq!(running.call(Call::new("DELETE", "/a")).await.status, 204);

    let channel = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    assert_eq!(running.call(Call::new("PUT", "/c?live").body(channel)).await.status, 200);
    delete().await.assert_error(409, "BucketNotEmpty", Some("0015-00000301"));
    assert_eq!(running.call(Call::new("DELETE", "/c?live")).await.status, 204);

    running.call(Call::new("DELETE", "/").by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    delete().await.assert_empty(204);
    delete().await.assert_error(404, "NoSuchBucket", Some("0015-00000101"));
}

#[tokio::test]
async fn an_account_lists_its_own_buckets() {
    let running = Running::start().await;
    assert_eq!(running.call(Call::new("PUT", "/").bucket("films")).await.status, 200);
    assert_eq!(running.call(Call::new("PUT", "/").bucket("elsewhere").by(Who::Other)).await.status, 200);
    let reply = running.call(Call::new("GET", "/").service()).await;
    let text = reply.text();
    assert_eq!(reply.status, 200);
    assert!(text.contains("<Name>examplebucket</Name>") && text.contains("<Name>films</Name>"), "{text}");
    assert!(!text.contains("elsewhere"), "{text}");
    assert_eq!(reply.element("ExtranetEndpoint"), "oss.example.com");
    assert_eq!(reply.element("DisplayName"), "owner");

    let reply = running.call(Call::new("GET", "/?prefix=f&max-keys=10").service()).await;
    assert!(!reply.text().contains("<Name>examplebucket</Name>"), "{}", reply.text());
    let reply = running.call(Call::new("GET", "/").service().by(Who::Anonymous)).await;
    assert_eq!((reply.status, reply.element("Code").as_str()), (403, "AccessDenied"));
}

#[tokio::test]
async fn settings_read_back_as_they_were_put() {
    let running = Running::start().await;
    let info = running.call(Call::new("GET", "/?bucketInfo")).await;
    assert_eq!((info.status, info.element("Name").as_str()), (200, "examplebucket"));
    assert_eq!(info.element("ExtranetEndpoint"), "oss.example.com");
    assert_eq!(info.element("Grant"), "private");
    assert_eq!(running.call(Call::new("GET", "/?location")).await.element("LocationConstraint"), "oss-cn-hangzhou");

    let put = Call::new("PUT", "/?acl").header("x-oss-acl", "public-read-write");
    running.call(put.clone()).await.assert_empty(200);
    assert_eq!(running.call(Call::new("GET", "/?acl")).await.element("Grant"), "public-read-write");
    running.call(put.by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    running.call(Call::new("PUT", "/?acl")).await.assert_error(400, "InvalidArgument", None);
    // The public service makes a bucket whose ACL is put.
    let fresh = Call::new("PUT", "/?acl").bucket("fresh").header("x-oss-acl", "public-read");
    running.call(fresh).await.assert_empty(200);
    assert_eq!(running.bucket("fresh").await.acl, Acl::PublicRead);

    let anonymous = running.call(Call::new("GET", "/?bucketInfo").by(Who::Anonymous)).await;
    assert_eq!(anonymous.element("Message"), "Anonymous access is forbidden for this operation.");
}

#[tokio::test]
async fn statistics_follow_what_the_bucket_holds() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let mut stat = async |expected: [&str; 5]| {
        let reply = socket.call(Call::new("GET", "/?stat")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let names = ["Storage", "ObjectCount", "MultipartUploadCount", "MultipartPartCount", "LiveChannelCount"];
        assert_eq!(names.map(|name| reply.element(name)), expected);
        assert_eq!(
            (reply.element("StandardStorage"), reply.element("StandardObjectCount")),
            (reply.element("Storage"), reply.element("ObjectCount"))
        );
    };
    stat(["0", "0", "0", "0", "0"]).await;
    assert_eq!(running.call(Call::new("PUT", "/a").body("four")).await.status, 200);
    assert_eq!(running.call(Call::new("PUT", "/b").body("seven77")).await.status, 200);
    stat(["11", "2", "0", "0", "0"]).await;
    assert_eq!(running.call(Call::new("PUT", "/a").body("x")).await.status, 200);
    assert_eq!(running.call(Call::new("DELETE", "/b")).await.status, 204);
    stat(["1", "1", "0", "0", "0"]).await;
    let id = running.call(Call::new("POST", "/m?uploads")).await.element("UploadId");
    let part = Call::new("PUT", &format!("/m?partNumber=1&uploadId={id}")).body("part");
    assert_eq!(running.call(part).await.status, 200);
    let channel = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    assert_eq!(running.call(Call::new("PUT", "/c?live").body(channel)).await.status, 200);
    stat(["1", "1", "1", "1", "1"]).await;
    running.call(Call::new("GET", "/?stat").by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    running.call(Call::new("PUT", "/?stat")).await.assert_error(405, "MethodNotAllowed", None);
}

#[tokio::test]
async fn the_service_describes_its_one_region() {
    let running = Running::start().await;
    for query in ["regions", "regions=", "regions=oss-cn-hangzhou"] {
        let reply = running.call(Call::new("GET", &format!("/?{query}")).service()).await;
        assert_eq!((reply.status, reply.element("Region").as_str()), (200, "oss-cn-hangzhou"), "{}", reply.text());
        assert_eq!(reply.element("InternetEndpoint"), "oss.example.com");
    }
    let other = running.call(Call::new("GET", "/?regions=oss-us-west-1").service()).await;
    other.assert_error(400, "InvalidArgument", None);
    let anonymous = running.call(Call::new("GET", "/?regions").service().by(Who::Anonymous)).await;
    assert_eq!(anonymous.status, 403);
    running.call(Call::new("GET", "/?regions")).await.assert_error(400, "InvalidArgument", None);
    running.call(Call::new("PUT", "/k?regions").body("x")).await.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn listings_page_and_roll_up() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for key in ["/a/1", "/a/2", "/b", "/c%20d"] {
        assert_eq!(socket.call(Call::new("PUT", key).body("x")).await.status, 200);
    }
    let first = socket.call(Call::new("GET", "/?delimiter=/&max-keys=2")).await;
    assert_eq!(first.status, 200);
    assert_eq!((first.element("IsTruncated").as_str(), first.element("NextMarker").as_str()), ("true", "b"));
    assert!(first.text().contains("<Prefix>a/</Prefix>") && first.text().contains("<Owner>"), "{}", first.text());
    let rest = socket.call(Call::new("GET", "/?delimiter=/&marker=b&encoding-type=url")).await;
    assert_eq!((rest.element("IsTruncated").as_str(), rest.element("Key").as_str()), ("false", "c%20d"));

    let first = socket.call(Call::new("GET", "/?list-type=2&max-keys=3")).await;
    assert_eq!((first.element("KeyCount").as_str(), first.element("IsTruncated").as_str()), ("3", "true"));
    let token = first.element("NextContinuationToken");
    let rest = socket.call(Call::new("GET", &format!("/?list-type=2&continuation-token={token}"))).await;
    assert_eq!((rest.element("KeyCount").as_str(), rest.element("Key").as_str()), ("1", "c d"));
    let after = socket.call(Call::new("GET", "/?list-type=2&start-after=a/2&max-keys=1")).await;
    assert_eq!(after.element("Key"), "b");

    let denied = socket.call(Call::new("GET", "/").by(Who::Anonymous)).await;
    assert_eq!(denied.element("Code"), "AccessDenied");
    let name = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(name, Acl::PublicRead).await.expect("set");
    assert_eq!(socket.call(Call::new("GET", "/").by(Who::Anonymous)).await.status, 200);
}

#[tokio::test]
async fn listings_hold_at_their_edges() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for key in ["/%01%0D%26", "/a+b%20c", "/d/1", "/d/2", "/e/1", "/%C3%A9"] {
        assert_eq!(socket.call(Call::new("PUT", key).body("x")).await.status, 200);
    }
    let keys = |text: &str| -> Vec<String> {
        text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().expect("an end").to_owned()).collect()
    };
    // Characters that XML cannot hold come out well-formed, and encoded they come out as they are.
    let plain = socket.call(Call::new("GET", "/?max-keys=1")).await;
    assert_eq!(keys(&plain.text()), ["\u{fffd}&#13;&amp;"]);
    let encoded = socket.call(Call::new("GET", "/?encoding-type=url&prefix&delimiter=/")).await;
    assert_eq!(keys(&encoded.text()), ["%01%0D%26", "a%2Bb%20c", "%C3%A9"]);
    assert_eq!(encoded.element("EncodingType"), "url");
    assert!(encoded.text().contains("<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"), "{}", encoded.text());
    let next = socket.call(Call::new("GET", "/?encoding-type=url&max-keys=1&marker=%01%0D%26")).await;
    assert_eq!((next.element("Marker"), next.element("NextMarker")), ("%01%0D%26".into(), "a%2Bb%20c".into()));
    // A blank in a query may be a plus.
    let blank = socket.call(Call::new("GET", "/?prefix=a%2Bb+c")).await;
    assert_eq!(keys(&blank.text()), ["a+b c"]);

    // A marker inside a rolled-up prefix skips all of it; keys and prefixes are counted together.
    for marker in ["d/", "d/1", "d/zz"] {
        let page = socket.call(Call::new("GET", &format!("/?delimiter=/&marker={marker}&max-keys=1"))).await;
        assert!(page.text().contains("<Prefix>e/</Prefix>") && !page.text().contains("<Key>"), "{}", page.text());
        assert_eq!(page.element("NextMarker"), "e/");
    }
    let counted = socket.call(Call::new("GET", "/?list-type=2&delimiter=/&max-keys=4")).await;
    assert_eq!((counted.element("KeyCount").as_str(), counted.element("IsTruncated").as_str()), ("4", "true"));
    assert!(!counted.text().contains("<Owner>"), "{}", counted.text());
    let owned = socket.call(Call::new("GET", "/?list-type=2&fetch-owner=true&start-after=d")).await;
    assert_eq!(owned.element("StartAfter"), "d");
    assert!(owned.text().contains("<Owner>"), "{}", owned.text());
    for wrong in ["max-keys=0", "max-keys=1001", "encoding-type=base64", "list-type=2&continuation-token=%21"] {
        let reply = socket.call(Call::new("GET", &format!("/?{wrong}"))).await;
        reply.assert_error(400, "InvalidArgument", None);
    }
}

const CORS: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.player.example</AllowedOrigin>\
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds></CORSRule></CORSConfiguration>";

#[tokio::test]
async fn cors_rules_are_kept_and_answer_preflights() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let none = socket.call(Call::new("GET", "/?cors")).await;
    none.assert_error(404, "NoSuchCORSConfiguration", None);
    socket.call(Call::new("PUT", "/?cors").body(CORS).md5()).await.assert_empty(200);
    let kept = socket.call(Call::new("GET", "/?cors")).await;
    assert_eq!(kept.element("AllowedOrigin"), "https://*.player.example");

    let preflight = |origin: &str, method: &str| {
        let call = Call::new("OPTIONS", "/c/playlist.m3u8").by(Who::Anonymous).header("Origin", origin);
        call.header("Access-Control-Request-Method", method).header("Access-Control-Request-Headers", "Range, x-a")
    };
    let allowed = socket.call(preflight("https://a.player.example", "GET")).await;
    allowed.assert_empty(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://a.player.example"));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, HEAD"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("Range, x-a"));
    assert_eq!(allowed.header("access-control-max-age"), Some("600"));
    assert_eq!(allowed.header("vary"), Some("Origin"));
    for (origin, method) in [("https://b.example", "GET"), ("https://a.player.example", "PUT")] {
        socket.call(preflight(origin, method)).await.assert_error(403, "AccessForbidden", None);
    }
    let incomplete = Call::new("OPTIONS", "/k").by(Who::Anonymous).header("Origin", "https://a.player.example");
    assert_eq!(socket.call(incomplete).await.status, 400);

    socket.call(Call::new("DELETE", "/?cors")).await.assert_empty(204);
    let gone = socket.call(preflight("https://a.player.example", "GET")).await;
    gone.assert_error(403, "AccessForbidden", None);
}

#[tokio::test]
async fn a_page_may_read_answers_and_refusals_alike() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    assert_eq!(socket.call(Call::new("PUT", "/?cors").body(CORS)).await.status, 200);
    assert_eq!(socket.call(Call::new("PUT", "/a").body("x")).await.status, 200);
    let from_page = |call: Call| call.header("Origin", "https://a.player.example");
    for (call, status) in [
        (Call::new("GET", "/a"), 200),
        (Call::new("GET", "/none"), 404),
        (Call::new("GET", "/a").by(Who::Anonymous), 403),
        (Call::new("GET", "/a").by(Who::Anonymous).header("Authorization", "OSS nobody:wrong"), 403),
    ] {
        let reply = socket.call(from_page(call)).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.player.example"), "{status}");
        assert_eq!(reply.header("access-control-expose-headers"), Some("ETag"));
    }
    let elsewhere = socket.call(Call::new("GET", "/a").header("Origin", "https://b.example")).await;
    assert_eq!((elsewhere.status, elsewhere.header("access-control-allow-origin")), (200, None));
}
