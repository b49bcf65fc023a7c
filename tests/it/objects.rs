//! Buckets and objects over real sockets: what is acknowledged is there, in full, also after a restart.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::http::connect;
use livebucket::store::{BucketName, ObjectKey};

use crate::support::{Client, Server, check, eventually, settings};

#[tokio::test]
async fn an_object_reads_back_whole_after_a_restart() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let big: Vec<u8> = (0..300_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let put = client.put("/films/big.bin", big.clone()).await.expect(200);
    client
        .send("PUT", "/films/small.txt", &[("content-type", "text/plain"), ("x-oss-meta-a", "b")], "hello")
        .await
        .expect(200);
    let dir = server.stop_and_check().await;

    let config = settings(dir.path());
    let server = Server::start_in(dir, config).await;
    let client = server.client();
    let got = client.get("/films/big.bin").await.expect(200);
    assert_eq!(got.body, big);
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(got.header("x-oss-hash-crc64ecma"), put.header("x-oss-hash-crc64ecma"));
    let small = client.get("/films/small.txt").await.expect(200);
    assert_eq!(
        (small.text().as_str(), small.header("content-type"), small.header("x-oss-meta-a")),
        ("hello", "text/plain", "b")
    );
    server.stop_and_check().await;
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_the_old_object_and_no_orphan() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    client.put("/films/a", "old").await.expect(200);
    for sent in [0usize, 10, 100_000, 199_999] {
        let mut socket = connect(server.addr()).await;
        let head = format!("PUT /films/a HTTP/1.1\r\nHost: {}\r\nContent-Length: 200000\r\n\r\n", server.addr());
        socket.write_all(head.as_bytes()).await.expect("written");
        socket.write_all(&vec![1u8; sent]).await.expect("written");
        socket.shutdown().await.expect("half closed");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("closed in order");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("<Error>"), "{answer}");
    }
    assert_eq!(client.get("/films/a").await.expect(200).text(), "old");
    server.stop_and_check().await;
}

#[tokio::test]
async fn listings_roll_up_and_page() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        client.put(&format!("/films/{key}"), key).await.expect(200);
    }
    let page = client.get("/films?delimiter=/&max-keys=3").await.expect(200).text();
    for part in ["<Key>a</Key>", "<Prefix>b/</Prefix>", "<Prefix>c/</Prefix>", "<IsTruncated>true</IsTruncated>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<Key>d</Key>") && page.contains("<NextMarker>c/</NextMarker>"), "{page}");
    let rest = client.get("/films?delimiter=/&marker=c/").await.expect(200).text();
    assert!(rest.contains("<Key>d</Key>") && !rest.contains("c/1"), "{rest}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_bucket_is_deleted_only_when_empty() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/a", "x").await.expect(200);
    assert!(client.delete("/films").await.expect(409).text().contains("<Code>BucketNotEmpty</Code>"));
    client.delete("/films/a").await.expect(204);
    client.delete("/films").await.expect(204);
    let gone = client.get("/films").await.expect(404);
    assert!(gone.text().contains("<EC>0015-00000101</EC>"), "{}", gone.text());
    server.stop_and_check().await;
}

#[tokio::test]
async fn what_is_private_is_refused_and_what_is_public_is_read() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/a", "x").await.expect(200);
    let nobody = Client::anonymous(server.addr());
    assert!(nobody.get("/films/a").await.expect(403).text().contains("<Code>AccessDenied</Code>"));
    client.send("PUT", "/films?acl", &[("x-oss-acl", "public-read")], "").await.expect(200);
    nobody.get("/films/a").await.expect(200);
    nobody.put("/films/a", "y").await.expect(403);
    let wrong = Client::new(server.addr(), (crate::support::KEY.0, "not-the-secret"));
    let refused = wrong.get("/films/a").await.expect(403).text();
    assert!(refused.contains("<Code>SignatureDoesNotMatch</Code>") && refused.contains("<StringToSign>"), "{refused}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_by_a_graceful_stop() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    let mut socket = connect(server.addr()).await;
    let head = format!(
        "PUT /films/late HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
        server.addr()
    );
    socket.write_all(head.as_bytes()).await.expect("written");
    // Once the body is asked for, the request is in flight.
    let mut go_on = [0u8; 25];
    socket.read_exact(&mut go_on).await.expect("answered");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(&vec![5u8; 50_000]).await.expect("written");
    let rest = async {
        // The stop has begun once the door is closed to others.
        crate::support::eventually("the door is closed", || async {
            let refused = tokio::net::TcpStream::connect(socket.peer_addr().expect("connected")).await.is_err();
            refused.then_some(())
        })
        .await;
        socket.write_all(&vec![5u8; 50_000]).await.expect("still read");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("answered and closed");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    };
    let Server { service, dir } = server;
    tokio::join!(service.stop(), rest);
    check(dir.path()).await;
}

#[tokio::test]
async fn an_object_of_many_appends_is_compacted_and_stays_the_same() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let (mut whole, mut tag) = (Vec::new(), String::new());
    for n in 0..40u8 {
        let piece = vec![n; 40_000];
        let target = format!("/films/log?append&position={}", whole.len());
        tag = client.send("POST", &target, &[], piece.clone()).await.expect(200).header("etag").to_owned();
        whole.extend(piece);
    }
    let meta = &server.service.admin.meta;
    let bucket = meta.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there").id;
    let key = ObjectKey::new("log").expect("valid");
    // It may have begun before the last append.
    eventually("the object was compacted", || async {
        let object = meta.object(bucket, &key).await.expect("readable").expect("there");
        (object.extents.len() < 32).then_some(())
    })
    .await;
    let got = client.get("/films/log").await.expect(200);
    assert!(got.body == whole, "other bytes");
    assert_eq!((got.header("etag"), got.header("x-oss-next-append-position")), (&*tag, "1600000"));
    client.send("POST", "/films/log?append&position=1600000", &[], "end").await.expect(200);
    server.stop_and_check().await;
}
