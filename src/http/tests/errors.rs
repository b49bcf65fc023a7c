//! Every row of the two error tables, reached by a real request: status, `Code`, `EC`, and the message where the
//! documentation or a client's test fixes it.

use super::harness::{Call, Running, Who};
use crate::store::{ChannelName, ClaimRequest, ConnectionId};

/// A request, and the status, code, EC and message of its answer; an empty message is free.
type Row = (Call, u16, &'static str, Option<&'static str>, &'static str);

async fn check(running: &Running, rows: Vec<Row>) {
    for (at, (call, status, code, ec, message)) in rows.into_iter().enumerate() {
        let head = call.head();
        let reply = running.call(call).await;
        assert_eq!(
            (reply.status, reply.element("Code").as_str(), reply.header("x-oss-ec")),
            (status, code, ec),
            "row {at}: {head}{}",
            reply.text()
        );
        reply.assert_error(status, code, ec);
        let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).expect("a host");
        assert_eq!(reply.element("HostId"), host, "row {at}");
        assert!(reply.element("Message").contains(message), "row {at}: {}", reply.element("Message"));
        match ec {
            Some(ec) => {
                assert_eq!(reply.element("RecommendDoc"), format!("https://api.aliyun.com/troubleshoot?q={ec}"));
            }
            None => assert!(!reply.text().contains("<EC>"), "row {at}"),
        }
    }
}

/// PutLiveChannel with this inside its root.
fn settings(inside: &str) -> Call {
    let body = format!("<LiveChannelConfiguration>{inside}</LiveChannelConfiguration>");
    Call::new("PUT", "/c?live").body(body)
}

fn target(inside: &str) -> Call {
    settings(&format!("<Target><Type>HLS</Type>{inside}</Target>"))
}

/// A snapshot block in which one element is left out or replaced.
fn snapshot(without: &str, instead: &str) -> Call {
    let elements: String =
        [("RoleName", "r"), ("DestBucket", "examplebucket"), ("NotifyTopic", "t"), ("Interval", "5")]
            .into_iter()
            .map(|(name, text)| if name == without { instead.to_owned() } else { format!("<{name}>{text}</{name}>") })
            .collect();
    settings(&format!("<Target><Type>HLS</Type></Target><Snapshot>{elements}</Snapshot>"))
}

#[tokio::test]
async fn live_channel_table() {
    const ARGUMENT: &str = "InvalidArgument";
    const CHANNEL: &str = "InvalidChannelName";
    const STILL_LIVE: &str = "Live channel couldn't be updated or deleted when channel is live.";
    const NO_CHANNEL: &str = "The specified live channel does not exist.";
    let running = Running::start().await;
    assert_eq!(running.call(target("").header("x-oss-forbid-overwrite", "true")).await.status, 200);
    let live = body_of("/live?live");
    assert_eq!(running.call(live).await.status, 200);
    let claim = ClaimRequest {
        bucket: running.bucket("examplebucket").await.id,
        channel: ChannelName::new("live").expect("valid"),
        connection: ConnectionId(1),
        remote_addr: "192.0.2.7:47745".into(),
        started: super::harness::NOW,
        playlist_name: None,
    };
    running.meta.claim(claim).await.expect("a claim");

    let get = |target: &str| Call::new("GET", target);
    let post = |target: &str| Call::new("POST", target);
    let name64 = format!("/{}?live", "n".repeat(64));
    let name65 = format!("/{}?live", "n".repeat(65));
    let prefix = format!("/?live&prefix={}", "p".repeat(1025));
    let marker = format!("/?live&marker={}", "m".repeat(1025));
    let long_playlist = format!("<PlaylistName>{}.m3u8</PlaylistName>", "p".repeat(124));
    let description = format!("<Description>{}</Description><Target><Type>HLS</Type></Target>", "d".repeat(129));
    let two_snapshots = "<Target><Type>HLS</Type></Target><Snapshot/><Snapshot/>";
    let no_bucket = "The specified bucket does not exist.";
    check(
        &running,
        vec![
            (target("").bucket("nosuchbucket"), 404, "NoSuchBucket", Some("0015-00000101"), no_bucket),
            (get("/none?live"), 404, "NoSuchLiveChannel", Some("0026-00000021"), NO_CHANNEL),
            (get("/none?live&comp=stat"), 404, "NoSuchLiveChannel", Some("0026-00000021"), NO_CHANNEL),
            (get("/none?comp=history&live="), 404, "NoSuchLiveChannel", Some("0026-00000021"), NO_CHANNEL),
            (
                Call::new("PUT", "/none?live&status=disabled"),
                404,
                "NoSuchLiveChannel",
                Some("0026-00000021"),
                NO_CHANNEL,
            ),
            (body_of("/live?live"), 409, "ChannelStillLive", Some("0044-00000201"), STILL_LIVE),
            (Call::new("DELETE", "/live?live"), 409, "ChannelStillLive", Some("0044-00000201"), STILL_LIVE),
            (
                Call::new("DELETE", "/"),
                409,
                "BucketNotEmpty",
                Some("0015-00000301"),
                "The bucket you tried to delete is not empty.",
            ),
            (body_of("/?live"), 400, CHANNEL, Some("0017-00000257"), "ChannelName must not be empty."),
            (Call::new("DELETE", "/?live"), 400, CHANNEL, Some("0017-00000257"), "ChannelName must not be empty."),
            (body_of(&name64), 400, CHANNEL, Some("0017-00000258"), "The Length of channel name must be less than 64."),
            (Call::new("DELETE", &name65), 400, CHANNEL, Some("0017-00000258"), ""),
            (body_of("/%FF?live"), 400, CHANNEL, Some("0017-00000259"), "The characters encoding must be utf-8."),
            (body_of("/a/b?live"), 400, CHANNEL, Some("0017-00000260"), "ChannelName must not contain a slash."),
            (Call::new("PUT", "/c?live&status=DISABLED"), 400, ARGUMENT, Some("0017-00000255"), ""),
            (settings(&description), 400, ARGUMENT, Some("0044-00000001"), ""),
            (
                settings("<Status>Enabled</Status><Target><Type>HLS</Type></Target>"),
                400,
                ARGUMENT,
                Some("0044-00000002"),
                "",
            ),
            (settings(two_snapshots), 400, ARGUMENT, Some("0044-00000003"), ""),
            (snapshot("Interval", ""), 400, ARGUMENT, Some("0044-00000005"), ""),
            (snapshot("Interval", "<Interval>101</Interval>"), 400, ARGUMENT, Some("0044-00000005"), ""),
            (snapshot("NotifyTopic", ""), 400, ARGUMENT, Some("0044-00000006"), ""),
            (snapshot("RoleName", "<RoleName/>"), 400, ARGUMENT, Some("0044-00000007"), ""),
            (snapshot("DestBucket", ""), 400, ARGUMENT, Some("0044-00000008"), ""),
            (snapshot("DestBucket", "<DestBucket>nosuchbucket</DestBucket>"), 400, ARGUMENT, Some("0044-00000008"), ""),
            (settings("<Target><Type>RTMP</Type></Target>"), 400, ARGUMENT, Some("0044-00000013"), ""),
            (settings(""), 400, ARGUMENT, Some("0044-00000013"), ""),
            (settings("<type>hls</type>"), 400, ARGUMENT, Some("0044-00000013"), ""),
            (target("<FragDuration>101</FragDuration>"), 400, ARGUMENT, Some("0044-00000014"), ""),
            (settings("<fragDuration>0</fragDuration>"), 400, ARGUMENT, Some("0044-00000014"), ""),
            (target("<FragCount>-1</FragCount>"), 400, ARGUMENT, Some("0044-00000015"), ""),
            (target("<PlaylistName>a/b.m3u8</PlaylistName>"), 400, ARGUMENT, Some("0044-00000016"), ""),
            (target(&long_playlist), 400, ARGUMENT, Some("0044-00000017"), ""),
            (target("<PlaylistName>a.mp4</PlaylistName>"), 400, ARGUMENT, Some("0044-00000018"), ""),
            (settings("<playlistName>list</playlistName>"), 400, ARGUMENT, Some("0044-00000018"), ""),
            (get("/?live&max-keys=1001"), 400, ARGUMENT, Some("0044-00000101"), ""),
            (get(&prefix), 400, ARGUMENT, Some("0044-00000102"), ""),
            (get(&marker), 400, ARGUMENT, Some("0044-00000103"), ""),
            (get("/a/b?vod&startTime=1&endTime=2"), 400, ARGUMENT, Some("0044-00000302"), ""),
            (post("/c/a.m3u8?vod&endTime=2"), 400, ARGUMENT, Some("0044-00000304"), ""),
            (post("/c/a.m3u8?vod&startTime=1&endTime=x"), 400, ARGUMENT, Some("0044-00000305"), ""),
            (post("/c/a.m3u8?vod&startTime=3&endTime=2"), 400, ARGUMENT, Some("0044-00000306"), ""),
            (post("/c/a.m3u8?vod&startTime=0&endTime=86401"), 400, ARGUMENT, Some("0044-00000307"), ""),
            (
                post("/c/a.m3u8?vod&startTime=1&endTime=2"),
                400,
                ARGUMENT,
                Some("0044-00000308"),
                "No ts file found in specified time span.",
            ),
            (get("/c?vod&startTime=1&endTime=2"), 400, ARGUMENT, Some("0044-00000308"), "No ts file found"),
            (post("/c/a.mp4?vod&startTime=1&endTime=2"), 400, ARGUMENT, Some("0044-00000403"), ""),
            (
                settings("<Target>"),
                400,
                "MalformedXML",
                None,
                "The XML you provided was not well-formed or did not validate against our published schema.",
            ),
            // What one client library makes of a null description with an ampersand.
            (settings("<Description>a & b</Description>"), 400, "MalformedXML", None, ""),
            (Call::new("PUT", "/c?live"), 400, "MalformedXML", None, ""),
            (
                get("/c?live").by(Who::Anonymous),
                403,
                "AccessDenied",
                None,
                "Anonymous access is forbidden for this operation.",
            ),
            (Call::new("DELETE", "/c?live").by(Who::Anonymous), 403, "AccessDenied", None, ""),
            (get("/?live").by(Who::Other), 403, "AccessDenied", None, ""),
            (target("").header("x-oss-forbid-overwrite", "true"), 409, "ChannelAlreadyExists", None, ""),
            (target("").header("x-oss-forbid-overwrite", "perhaps"), 400, ARGUMENT, Some("0017-00000279"), ""),
            (Call::new("POST", "/c?live"), 405, "MethodNotAllowed", None, ""),
            (Call::new("PUT", "/c?vod"), 405, "MethodNotAllowed", None, ""),
        ],
    )
    .await;
}

/// A valid PutLiveChannel to this target.
fn body_of(target: &str) -> Call {
    let body = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    Call::new("PUT", target).body(body)
}

/// A request with this `Authorization` and a date.
fn authorized(value: &str) -> Call {
    let call = Call::new("GET", "/k").by(Who::Anonymous).header("Date", super::harness::NOW_TEXT);
    call.header("Authorization", value)
}

#[tokio::test]
async fn authentication_table() {
    const DENIED: &str = "AccessDenied";
    const ARGUMENT: &str = "InvalidArgument";
    const INCOMPLETE: &str =
        "Query-string authentication requires the Signature, Expires and OSSAccessKeyId parameters";
    let running = Running::start().await;
    let link = |query: &str| Call::new("GET", &format!("/k?{query}")).by(Who::Anonymous);
    let v4 = |date: &str, expires: &str| {
        link(&format!(
            "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=00&x-oss-date={date}&x-oss-expires={expires}\
             &x-oss-credential=ownerKey%2F20231114%2Fcn-hangzhou%2Foss%2Faliyun_v4_request"
        ))
    };
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your key and \
                    signing method.";
    let skewed = Call::new("GET", "/k").by(Who::Anonymous).header("Authorization", "OSS ownerKey:AA==");
    check(
        &running,
        vec![
            (
                authorized("OSS nobody:AA=="),
                403,
                "InvalidAccessKeyId",
                Some("0002-00000902"),
                "The OSS Access Key Id you provided does not exist in our records.",
            ),
            (authorized("OSS ownerKey:AA=="), 403, "SignatureDoesNotMatch", Some("0002-00000040"), mismatch),
            (
                skewed.clone().header("Date", "Tue, 14 Nov 2023 22:28:21 GMT"),
                403,
                "RequestTimeTooSkewed",
                Some("0002-00000504"),
                "The difference between the request time and the current time is too large.",
            ),
            (
                link("OSSAccessKeyId=ownerKey&Expires=1699999999&Signature=AA"),
                403,
                DENIED,
                Some("0002-00000069"),
                "Request has expired.",
            ),
            (v4("20231114T210000Z", "60"), 403, DENIED, Some("0002-00000236"), "Request has expired."),
            (v4("20231114T224000Z", "60"), 403, DENIED, Some("0002-00000235"), ""),
            (v4("20231114T221320Z", "604801"), 400, ARGUMENT, Some("0002-00000232"), ""),
            (v4("20231114T221320Z", "60"), 403, "SignatureDoesNotMatch", Some("0002-00000040"), mismatch),
            (link("OSSAccessKeyId=ownerKey&Signature=AA"), 403, DENIED, Some("0002-00000068"), INCOMPLETE),
            (link("OSSAccessKeyId=ownerKey&Expires=1800000000"), 403, DENIED, None, INCOMPLETE),
            (
                link("OSSAccessKeyId=ownerKey&Expires=soon&Signature=AA"),
                403,
                DENIED,
                Some("0002-00000070"),
                "Invalid date (should be seconds since epoch).",
            ),
            (skewed.clone(), 403, DENIED, Some("0002-00000505"), "OSS authentication requires a valid Date."),
            (skewed.header("Date", "yesterday"), 403, DENIED, Some("0002-00000505"), ""),
            (
                Call::new("GET", "/").service().by(Who::Anonymous),
                403,
                DENIED,
                None,
                "Anonymous access is forbidden for this operation.",
            ),
            (
                Call::new("GET", "/k").by(Who::Anonymous),
                403,
                DENIED,
                Some("0003-00000001"),
                "You have no right to access this object.",
            ),
            (authorized("OSS none"), 400, ARGUMENT, Some("0002-00000062"), "Authorization header is invalid."),
            (
                authorized("OSS4-HMAC-SHA256 x"),
                400,
                ARGUMENT,
                Some("0002-00000202"),
                "Authorization header is invalid.",
            ),
            (
                authorized("OSS4-HMAC-SHA256 Credential=a/b,Signature=00"),
                400,
                ARGUMENT,
                Some("0002-00000203"),
                "Authorization header is invalid.",
            ),
            (
                authorized("OSS4-HMAC-SHA256 Credential=a/20231114/r/oss/aliyun_v4_request"),
                400,
                ARGUMENT,
                Some("0002-00000209"),
                "Authorization header is invalid.",
            ),
            (
                link("OSSAccessKeyId=ownerKey&Expires=1800000000&Signature=AA").header("Authorization", "OSS a:b"),
                400,
                ARGUMENT,
                None,
                "",
            ),
            (Call::new("PUT", "/a").body("x").header("Content-MD5", "AA=="), 400, "InvalidDigest", None, ""),
            (Call::new("PUT", "/").bucket("-films"), 400, "InvalidBucketName", None, ""),
            (Call::new("GET", "//k"), 400, "InvalidObjectName", None, ""),
            (Call::new("POST", "/?delete").body("<Delete>").md5(), 400, "MalformedXML", None, ""),
            (Call::new("GET", "/k?x-oss-process=hls/sign"), 400, "InvalidRequest", Some("0044-00000408"), ""),
            (Call::new("GET", "/k"), 404, "NoSuchKey", Some("0026-00000001"), "The specified key does not exist."),
            (Call::new("GET", "/k").bucket("nosuchbucket"), 404, "NoSuchBucket", Some("0015-00000101"), ""),
            (Call::new("POST", "/k").body("x"), 405, "MethodNotAllowed", None, ""),
            (Call::new("PUT", "/k").no_length(), 411, "MissingContentLength", None, ""),
        ],
    )
    .await;
}

/// The elements that each code carries beside the common ones, in the document of a real answer.
#[tokio::test]
async fn details_by_code() {
    let running = Running::start().await;
    let mismatch = running.call(authorized("OSS ownerKey:AA==")).await;
    assert_eq!(mismatch.element("OSSAccessKeyId"), "ownerKey");
    assert_eq!(mismatch.element("SignatureProvided"), "AA==");
    let string = mismatch.element("StringToSign");
    assert_eq!(string, "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n/examplebucket/k");
    let bytes: Vec<String> = string.bytes().map(|b| format!("{b:02X}")).collect();
    assert_eq!(mismatch.element("StringToSignBytes"), bytes.join(" "));
    assert_eq!(running.call(authorized("OSS nobody:AA==")).await.element("OSSAccessKeyId"), "nobody");
    let no_key = running.call(Call::new("GET", "/a%20%26")).await;
    assert_eq!(no_key.element("Key"), "a &amp;");
    let no_bucket = running.call(Call::new("GET", "/k").bucket("nosuchbucket")).await;
    assert_eq!(no_bucket.element("BucketName"), "nosuchbucket");
    let method = running.call(Call::new("POST", "/k").body("x")).await;
    assert_eq!(method.header("allow"), Some("GET, HEAD, PUT, DELETE"));
}
