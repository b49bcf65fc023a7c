//! Live channels over the wire.

use super::harness::{Call, NOW, Running, Socket, Who};
use crate::clock::Wall;
use crate::live::registry::PublishRequest;
use crate::media::MediaTime;
use crate::store::records::testbed::inline_object;
use crate::store::{
    BucketId, ChannelName, ClaimRequest, ConnectionId, ETag, FragmentCommit, FragmentRecord, ObjectKey, ObjectRecord,
    TerminationCause, WindowRecord,
};

const CONFIG: &str = "<LiveChannelConfiguration><Description>a &amp; b</Description><Status>enabled</Status>\
    <Target><Type>HLS</Type><FragDuration>10</FragDuration><FragCount>5</FragCount>\
    <PlaylistName>list.m3u8</PlaylistName></Target></LiveChannelConfiguration>";

async fn created(socket: &mut Socket, channel: &str) {
    let reply = socket.call(Call::new("PUT", &format!("/{channel}?live")).body(CONFIG)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_channel_tells_its_urls() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let reply = socket.call(Call::new("PUT", "/test-channel?live").body(CONFIG).md5()).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/xml")));
    assert_eq!(reply.header("x-oss-bucket-storage-type"), Some("standard"));
    assert_eq!(
        reply.text(),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<CreateLiveChannelResult><PublishUrls><Url>rtmp://examplebucket.oss.example.com/live/test-channel</Url></PublishUrls><PlayUrls><Url>http://examplebucket.oss.example.com/test-channel/list.m3u8</Url></PlayUrls></CreateLiveChannelResult>"#
    );
    // ali-oss aimed at an address names a host that is not ours.
    let elsewhere = Call::new("PUT", "/test-channel?live").body(CONFIG);
    let reply = socket.call(elsewhere.host("examplebucket.oss-cn-hangzhou.aliyuncs.com")).await;
    let address = running.address;
    assert!(reply.text().contains(&format!("<Url>rtmp://{address}/examplebucket/live/test-channel</Url>")));
    assert!(reply.text().contains(&format!("<Url>http://{address}/examplebucket/test-channel/list.m3u8</Url>")));
}

#[tokio::test]
async fn a_channel_reads_back_and_carries_what_the_typed_client_needs() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "test-channel").await;
    let reply = socket.call(Call::new("GET", "/test-channel?live")).await;
    assert_eq!(
        reply.text(),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<LiveChannelConfiguration><Description>a &amp; b</Description><Status>enabled</Status><Target><Type>HLS</Type><FragDuration>10</FragDuration><FragCount>5</FragCount><PlaylistName>list.m3u8</PlaylistName></Target></LiveChannelConfiguration>"#
    );
    assert_eq!(reply.header("x-livebucket-channel-name"), Some("test-channel"));
    assert_eq!(reply.header("x-livebucket-create-time"), Some("2023-11-14T22:13:20.000Z"));
    assert_eq!(reply.header("x-livebucket-last-modified"), Some("2023-11-14T22:13:20.000Z"));

    let flat = "<LiveChannelConfiguration><name>My Stream ✓</name><type>HLS</type></LiveChannelConfiguration>";
    assert_eq!(socket.call(Call::new("PUT", "/flat?live=").body(flat)).await.status, 200);
    let reply = socket.call(Call::new("GET", "/flat?live=")).await;
    assert_eq!(reply.header("x-livebucket-channel-name"), Some("My%20Stream%20%E2%9C%93"));
    assert_eq!(reply.element("FragDuration"), "5");
    let missing = socket.call(Call::new("GET", "/none?live")).await;
    missing.assert_error(404, "NoSuchLiveChannel", Some("0026-00000021"));
}

#[tokio::test]
async fn broken_settings_are_told_apart() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = |target: &str| {
        let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
        Call::new("PUT", "/c?live").body(body)
    };
    for (body, code, ec) in [
        ("<Target><Type>hls</Type></Target>", "InvalidArgument", Some("0044-00000013")),
        ("<Target><Type>HLS</Type><FragDuration>0</FragDuration></Target>", "InvalidArgument", Some("0044-00000014")),
        ("<Target><Type>HLS</Type><FragCount>101</FragCount></Target>", "InvalidArgument", Some("0044-00000015")),
        (
            "<Target><Type>HLS</Type></Target><Snapshot><RoleName>r</RoleName><DestBucket>nosuchbucket</DestBucket>\
             <NotifyTopic>t</NotifyTopic><Interval>5</Interval></Snapshot>",
            "InvalidArgument",
            Some("0044-00000008"),
        ),
        ("<Target>", "MalformedXML", None),
    ] {
        socket.call(put(body)).await.assert_error(400, code, ec);
    }
    let own = "<Target><Type>HLS</Type></Target><Snapshot><RoleName>r</RoleName><DestBucket>examplebucket</DestBucket>\
               <NotifyTopic>t</NotifyTopic><Interval>5</Interval></Snapshot>";
    assert_eq!(socket.call(put(own)).await.status, 200);
    let wrong = Call::new("PUT", "/c?live").body(CONFIG).header("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw==");
    socket.call(wrong).await.assert_error(400, "InvalidDigest", None);
    let slash = socket.call(Call::new("PUT", "/c%2Fd?live").body(CONFIG)).await;
    slash.assert_error(400, "InvalidChannelName", Some("0017-00000260"));
    let nowhere = socket.call(Call::new("PUT", "/c?live").bucket("nosuchbucket").body(CONFIG)).await;
    nowhere.assert_error(404, "NoSuchBucket", Some("0015-00000101"));
}

#[tokio::test]
async fn only_the_owner_manages_channels() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let bucket = running.bucket("examplebucket").await.id;
    running.meta.set_bucket_acl(bucket, crate::store::Acl::PublicReadWrite).await.expect("set");
    for who in [Who::Anonymous, Who::Other] {
        for call in [
            Call::new("PUT", "/c?live").body(CONFIG),
            Call::new("GET", "/c?live"),
            Call::new("DELETE", "/c?live"),
            Call::new("GET", "/?live"),
            Call::new("POST", "/c/a.m3u8?vod&startTime=1&endTime=2"),
        ] {
            socket.call(call.by(who)).await.assert_error(403, "AccessDenied", None);
        }
    }
}

#[tokio::test]
async fn putting_again_replaces_unless_it_is_forbidden() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    let flat = "<LiveChannelConfiguration><type>HLS</type></LiveChannelConfiguration>";
    assert_eq!(socket.call(Call::new("PUT", "/c?live").body(flat)).await.status, 200);
    assert_eq!(socket.call(Call::new("GET", "/c?live")).await.element("FragCount"), "3");
    let once = Call::new("PUT", "/c?live").body(flat).header("x-oss-forbid-overwrite", "true");
    socket.call(once).await.assert_error(409, "ChannelAlreadyExists", None);
}

#[tokio::test]
async fn status_turns_and_stat_follows() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    let stat = Call::new("GET", "/c?live&comp=stat");
    assert_eq!(socket.call(stat.clone()).await.element("Status"), "Idle");
    for _ in 0..2 {
        socket.call(Call::new("PUT", "/c?live&status=disabled")).await.assert_empty(200);
    }
    assert_eq!(socket.call(stat.clone()).await.element("Status"), "Disabled");
    socket.call(Call::new("PUT", "/c?live&status=enabled")).await.assert_empty(200);
    assert_eq!(socket.call(stat).await.element("Status"), "Idle");
    let bad = socket.call(Call::new("PUT", "/c?live&status=Enabled")).await;
    bad.assert_error(400, "InvalidArgument", Some("0017-00000255"));
    for call in [
        Call::new("PUT", "/none?live&status=enabled"),
        Call::new("GET", "/none?live&comp=stat"),
        Call::new("GET", "/none?live&comp=history"),
    ] {
        socket.call(call).await.assert_error(404, "NoSuchLiveChannel", Some("0026-00000021"));
    }
}

#[tokio::test]
async fn channels_are_listed_in_pages() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for n in 0..4 {
        created(&mut socket, &format!("c-{n}")).await;
    }
    let reply = socket.call(Call::new("GET", "/?live&prefix=c-&marker=c-0&max-keys=2")).await;
    assert_eq!((reply.element("IsTruncated").as_str(), reply.element("NextMarker").as_str()), ("true", "c-2"));
    let text = reply.text();
    assert!(text.contains("<Name>c-1</Name>") && text.contains("<Name>c-2</Name>") && !text.contains("c-3"), "{text}");
    assert!(text.contains("rtmp://examplebucket.oss.example.com/live/c-1"), "{text}");
    let all = socket.call(Call::new("GET", "/?live&prefix&marker&max-keys")).await;
    assert_eq!((all.element("MaxKeys").as_str(), all.element("IsTruncated").as_str()), ("100", "false"));
}

#[tokio::test]
async fn a_missing_channel_is_deleted_gladly() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    for _ in 0..2 {
        socket.call(Call::new("DELETE", "/c?live")).await.assert_empty(204);
    }
    assert_eq!(socket.call(Call::new("GET", "/c?live")).await.status, 404);
    // Without a name it must not become DeleteBucket.
    let nameless = socket.call(Call::new("DELETE", "/?live")).await;
    nameless.assert_error(400, "InvalidChannelName", Some("0017-00000257"));
    assert_eq!(socket.call(Call::new("GET", "/?bucketInfo")).await.status, 200);
}

/// A finished publish of three fragments, 2 s each, the first named as the clock stands.
async fn publish(running: &Running, bucket: BucketId, channel: &ChannelName, end: bool) {
    let claim = ClaimRequest {
        bucket,
        channel: channel.clone(),
        connection: ConnectionId(1),
        remote_addr: "192.0.2.7:47745".into(),
        started: NOW,
        playlist_name: None,
    };
    let claim = running.meta.claim(claim).await.expect("a claim");
    for n in 0..3 {
        let name_ms = NOW.0 + 2_000 * n;
        let object = |key: ObjectKey| ObjectRecord {
            etag: ETag { digest: [0; 16], parts: Some(1) },
            last_modified: NOW,
            ..inline_object(bucket, key.as_bytes(), b"x")
        };
        let fragment = FragmentRecord {
            name_ms,
            sequence: u64::try_from(n).expect("small"),
            duration: MediaTime::from_millis(2_000),
            discontinuity: false,
        };
        let commit = FragmentCommit {
            bucket,
            channel: channel.clone(),
            epoch: claim.epoch,
            connection: ConnectionId(1),
            fragment,
            object: object(ObjectKey::in_channel(channel, &format!("{name_ms}.ts"))),
            playlist: object(ObjectKey::in_channel(channel, "list.m3u8")),
            playlist_name: "list.m3u8".into(),
            window: WindowRecord::default(),
            ended: Wall(name_ms + 2_000),
        };
        running.meta.commit_fragment(commit, NOW).await.expect("a fragment");
    }
    if end {
        let ended = Wall(NOW.0 + 6_000);
        let cause = TerminationCause::Unpublished;
        running.meta.end_connection(bucket, channel, claim.epoch, ended, cause).await.expect("an end");
    }
}

#[tokio::test]
async fn settings_of_a_live_channel_are_locked() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    let bucket = running.bucket("examplebucket").await.id;
    publish(&running, bucket, &ChannelName::new("c").expect("valid"), false).await;
    for call in [Call::new("PUT", "/c?live").body(CONFIG), Call::new("DELETE", "/c?live")] {
        socket.call(call).await.assert_error(409, "ChannelStillLive", Some("0044-00000201"));
    }
    socket.call(Call::new("PUT", "/c?live&status=disabled")).await.assert_empty(200);
}

#[tokio::test]
async fn history_keeps_finished_sessions() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    let history = Call::new("GET", "/c?live&comp=history");
    assert!(!socket.call(history.clone()).await.text().contains("LiveRecord"));
    let bucket = running.bucket("examplebucket").await.id;
    publish(&running, bucket, &ChannelName::new("c").expect("valid"), true).await;
    let reply = socket.call(history).await;
    assert_eq!(reply.element("StartTime"), "2023-11-14T22:13:20.000Z");
    assert_eq!(reply.element("EndTime"), "2023-11-14T22:13:26.000Z");
    assert_eq!(reply.element("RemoteAddr"), "192.0.2.7:47745");
}

#[tokio::test]
async fn a_vod_playlist_is_made_of_a_range() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let none = Call::new("POST", "/c/a.m3u8?vod&startTime=1700000000&endTime=1700000100");
    socket.call(none.clone()).await.assert_error(400, "InvalidArgument", Some("0044-00000308"));
    created(&mut socket, "c").await;
    let empty = socket.call(none).await;
    empty.assert_error(400, "InvalidArgument", Some("0044-00000308"));
    assert_eq!(empty.element("Message"), "No ts file found in specified time span.");

    let bucket = running.bucket("examplebucket").await.id;
    publish(&running, bucket, &ChannelName::new("c").expect("valid"), true).await;
    let expected = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:2\n\
                    #EXTINF:2.000,\n1700000002000.ts\n#EXTINF:2.000,\n1700000004000.ts\n#EXT-X-ENDLIST\n";
    // Both ends are inside: the fragment named for the last second is there, the one before the first is not.
    let range = "vod&startTime=1700000001&endTime=1700000004";
    let read = socket.call(Call::new("GET", &format!("/c?{range}"))).await;
    assert_eq!((read.status, read.text().as_str()), (200, expected));
    assert_eq!(read.header("content-type"), Some("application/x-mpegURL"));

    let posted = socket.call(Call::new("POST", &format!("/c%2Fpeak?{range}"))).await;
    posted.assert_empty(200);
    assert_eq!(posted.header("etag"), read.header("etag"));
    let stored = socket.call(Call::new("GET", "/c/peak.m3u8")).await;
    assert_eq!((stored.text().as_str(), stored.header("content-type")), (expected, Some("application/x-mpegURL")));
    assert_eq!(stored.header("etag"), read.header("etag"));

    let bad = socket.call(Call::new("POST", &format!("/c/a.mp4?{range}"))).await;
    bad.assert_error(400, "InvalidArgument", Some("0044-00000403"));
    let backwards = socket.call(Call::new("GET", "/c?vod&startTime=5&endTime=5")).await;
    backwards.assert_error(400, "InvalidArgument", Some("0044-00000306"));
}

#[tokio::test]
async fn a_live_channel_shows_its_publisher_and_loses_it_when_disabled() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    created(&mut socket, "c").await;
    let request = PublishRequest {
        bucket: running.bucket("examplebucket").await,
        channel: ChannelName::new("c").expect("valid"),
        playlist_name: None,
        remote_addr: "192.0.2.7:47745".into(),
        access_key_id: None,
    };
    let publisher = running.registry.publish(request).await.expect("the channel is free");
    let stat = Call::new("GET", "/c?live&comp=stat");
    // A publisher that has sent nothing yet has neither video nor audio.
    assert_eq!(
        socket.call(stat.clone()).await.text(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LiveChannelStat><Status>Live</Status>\
         <ConnectedTime>2023-11-14T22:13:20.000Z</ConnectedTime><RemoteAddr>192.0.2.7:47745</RemoteAddr>\
         </LiveChannelStat>"
    );
    socket.call(Call::new("PUT", "/c?live&status=enabled")).await.assert_empty(200);
    assert_eq!(socket.call(stat.clone()).await.element("Status"), "Live");
    socket.call(Call::new("PUT", "/c?live&status=disabled")).await.assert_empty(200);
    assert_eq!(publisher.ended().await, TerminationCause::Disabled);
    publisher.finish(TerminationCause::ConnectionLost).await;
    assert_eq!(socket.call(stat).await.element("Status"), "Disabled");
    let history = socket.call(Call::new("GET", "/c?live&comp=history")).await;
    assert_eq!(history.element("RemoteAddr"), "192.0.2.7:47745");
}
