//! Quotas: what is too large or would fill the disk is refused in the dialect's words before it costs anything.

use livebucket::store::{BucketName, BucketQuota, BucketSetting, ChannelName, TerminationCause};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::http::connect;
use crate::support::rtmp::{Publisher, capture};
use crate::support::{Client, Server, eventually, settings};

#[tokio::test]
async fn an_object_over_the_quota_is_too_large() {
    let server = Server::start_with(|settings| settings.max_object_bytes = Some(100_000)).await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/fits", vec![1u8; 100_000]).await.expect(200);
    let refused = client.put("/films/over", vec![1u8; 100_001]).await.expect(400).text();
    assert!(refused.contains("<Code>EntityTooLarge</Code>"), "{refused}");
    assert!(refused.contains("<MaxSizeAllowed>100000</MaxSizeAllowed>"), "{refused}");
    client.get("/films/over").await.expect(404);
    client.send("POST", "/films/log?append&position=0", &[], vec![2u8; 60_000]).await.expect(200);
    let refused = client.send("POST", "/films/log?append&position=60000", &[], vec![2u8; 40_001]).await.expect(400);
    assert!(refused.text().contains("<MaxSizeAllowed>100000</MaxSizeAllowed>"), "{}", refused.text());
    client.send("POST", "/films/log?append&position=60000", &[], vec![2u8; 40_000]).await.expect(200);
    // One that does not say its length is cut off where it goes over.
    client.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    let mut socket = connect(server.addr()).await;
    let head = format!("PUT /films/chunked HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.addr());
    socket.write_all(head.as_bytes()).await.expect("written");
    for _ in 0..3 {
        socket.write_all(&[b"9c40\r\n".as_slice(), &vec![3; 40_000], b"\r\n"].concat()).await.expect("written");
    }
    socket.write_all(b"0\r\n\r\n").await.expect("written");
    socket.shutdown().await.expect("half closed");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("closed in order");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("<Code>EntityTooLarge</Code>"), "{answer}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn below_the_free_space_floor_nothing_is_taken_and_what_is_there_stays_usable() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/a", vec![1u8; 100_000]).await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>100</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
    let dir = server.stop_and_check().await;

    // No disk has as much.
    let mut floor = settings(dir.path());
    floor.free_space_floor = Some(i64::MAX.unsigned_abs());
    let server = Server::start_in(dir, floor).await;
    let client = server.client();
    for length in [1usize, 10, 100_000] {
        let refused = client.put("/films/b", vec![1u8; length]).await.expect(507).text();
        assert!(refused.contains("<Code>InsufficientStorage</Code>"), "{refused}");
    }
    client.send("POST", "/films/log?append&position=0", &[], "x").await.expect(507);
    client.send("PUT", "/films/c", &[("x-oss-copy-source", "/films/a")], "").await.expect(507);
    // Not a byte of the body is asked for.
    client.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    let mut socket = connect(server.addr()).await;
    let addr = server.addr();
    let head =
        format!("PUT /films/b HTTP/1.1\r\nHost: {addr}\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0u8; 12];
    socket.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 507");

    ends_with_storage_error(&server, &client).await;
    assert_eq!(client.get("/films/a").await.expect(200).body, vec![1u8; 100_000]);
    client.delete("/films/a").await.expect(204);
    server.stop_and_check().await;
}

/// Publishes to `cam1`, whose fragments have no room.
async fn ends_with_storage_error(server: &Server, client: &Client) {
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&capture("ffmpeg_h264_bframes_aac.flv")).await;
    let meta = &server.service.admin.meta;
    let bucket = meta.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there");
    let channel = ChannelName::new("cam1").expect("valid");
    let ended = eventually("the connection ended", || async {
        meta.history(bucket.id, &channel, 9).await.expect("readable").pop()
    })
    .await;
    assert_eq!(ended.cause, Some(TerminationCause::StorageError));
    client.get("/films/cam1/playlist.m3u8").await.expect(404);
}

/// Bounds what `films` may hold.
async fn allow(server: &Server, bytes: Option<u64>, objects: Option<u64>) {
    let meta = &server.service.admin.meta;
    let bucket = meta.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there");
    let quota = BucketSetting::Quota(BucketQuota { bytes, objects });
    meta.set_bucket_setting(bucket.id, quota).await.expect("set");
}

#[tokio::test]
async fn a_bucket_takes_no_more_than_its_quota_over_either_dialect() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    oss.put("/films", "").await.expect(200);
    allow(&server, Some(100_000), Some(3)).await;
    oss.put("/films/a", vec![1u8; 60_000]).await.expect(200);
    let refused = oss.put("/films/b", vec![1u8; 40_001]).await.expect(403).text();
    assert!(refused.contains("<Code>QuotaExceeded</Code>"), "{refused}");
    assert!(refused.contains("<Message>Bucket storage exceed max storage capacity.</Message>"), "{refused}");
    let refused = s3.put("/films/b", vec![1u8; 40_001]).await.expect(403).text();
    assert!(refused.contains("<Code>QuotaExceeded</Code>"), "{refused}");
    oss.send("POST", "/films/log?append&position=0", &[], vec![2u8; 40_001]).await.expect(403);
    oss.send("PUT", "/films/b", &[("x-oss-copy-source", "/films/a")], "").await.expect(403);
    s3.send("PUT", "/films/b", &[("x-amz-copy-source", "/films/a")], "").await.expect(403);
    // Not a byte of the body is asked for.
    oss.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    let mut socket = connect(server.addr()).await;
    let addr = server.addr();
    let head =
        format!("PUT /films/b HTTP/1.1\r\nHost: {addr}\r\nContent-Length: 40001\r\nExpect: 100-continue\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0u8; 12];
    socket.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 403");
    // Parts count, and completing them takes no more.
    let made = s3.send("POST", "/films/big?uploads", &[], "").await.expect(200).text();
    let id = made.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an id").to_owned();
    s3.put(&format!("/films/big?partNumber=1&uploadId={id}"), vec![3u8; 40_000]).await.expect(200);
    s3.put(&format!("/films/big?partNumber=1&uploadId={id}"), vec![4u8; 40_000]).await.expect(200);
    s3.put(&format!("/films/big?partNumber=2&uploadId={id}"), "x").await.expect(403);
    oss.put(&format!("/films/big?partNumber=2&uploadId={id}"), "x").await.expect(403);
    oss.send("POST", &format!("/films/big?uploadId={id}"), &[("x-oss-complete-all", "yes")], "").await.expect(200);
    let stat = oss.get("/films?stat").await.expect(200).text();
    assert!(stat.contains("<StorageQuota>100000</StorageQuota><ObjectCountQuota>3</ObjectCountQuota>"), "{stat}");
    // Objects count apart from their bytes.
    allow(&server, None, Some(3)).await;
    oss.put("/films/short", "x").await.expect(200);
    oss.put("/films/another", "x").await.expect(403);
    oss.put("/films/a", vec![5u8; 60_000]).await.expect(200);
    oss.delete("/films/a").await.expect(204);
    oss.put("/films/another", vec![6u8; 60_000]).await.expect(200);
    let metrics =
        Client::anonymous(server.service.admin_listen.expect("open")).get("/metrics").await.expect(200).text();
    assert!(metrics.contains("livebucket_writes_refused_total{cause=\"quota\"}"), "{metrics}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_publish_into_a_full_bucket_ends_with_a_storage_error() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>100</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
    allow(&server, Some(1_000), None).await;
    ends_with_storage_error(&server, &client).await;
    let listed = client.get("/films").await.expect(200).text();
    assert!(!listed.contains("<Contents>"), "{listed}");
    server.stop_and_check().await;
}
