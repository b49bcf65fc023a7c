//! What is true of every request: framing, common headers, deadlines, refusals before the body, the graceful end.

use std::time::Duration;

use super::harness::{Call, HOST, NOW_TEXT, Reply, Running, Who};
use crate::limits;

/// Waits until a request holds a permit.
async fn in_flight(running: &Running) {
    while running.service.permits.available_permits() == limits::HTTP_REQUESTS_MAX {
        tokio::task::yield_now().await;
    }
}

fn put(key: &str, body: &str) -> Call {
    Call::new("PUT", key).body(body)
}

#[track_caller]
fn assert_common_headers(reply: &Reply) {
    let id = reply.header("x-oss-request-id").expect("a request id");
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{id}");
    assert_eq!(reply.header("x-oss-server-time"), Some("0"));
    assert_eq!(reply.header("server"), Some("AliyunOSS"));
    assert_eq!(reply.header("date"), Some(NOW_TEXT));
}

#[tokio::test]
async fn every_response_has_the_common_headers_and_a_socket_is_kept() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let stored = socket.call(put("/a", "text")).await;
    let missing = socket.call(Call::new("GET", "/none")).await;
    let deleted = socket.call(Call::new("DELETE", "/a")).await;
    for (reply, status) in [(&stored, 200), (&missing, 404), (&deleted, 204)] {
        assert_eq!(reply.status, status);
        assert_common_headers(reply);
        assert_eq!(reply.header("connection"), Some("keep-alive"));
    }
    assert_eq!(stored.header("content-length"), Some("0"));
    assert_eq!(deleted.header("content-length"), None);
    assert_ne!(stored.header("x-oss-request-id"), missing.header("x-oss-request-id"));

    let last = socket.call(Call::new("GET", "/none").header("Connection", "close")).await;
    assert_eq!(last.header("connection"), Some("close"));
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn an_error_is_a_whole_document() {
    let running = Running::start().await;
    let reply = running.call(Call::new("GET", "/no%20such%20key")).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("content-type"), Some("application/xml"));
    assert_eq!(reply.header("x-oss-ec"), Some("0026-00000001"));
    let id = reply.header("x-oss-request-id").expect("a request id");
    let expected = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>{id}</RequestId><HostId>examplebucket.oss.example.com</HostId><Key>no such key</Key><EC>0026-00000001</EC><RecommendDoc>https://api.aliyun.com/troubleshoot?q=0026-00000001</RecommendDoc></Error>"#
    );
    assert_eq!(reply.text(), expected);
}

#[tokio::test]
async fn a_head_carries_its_error_in_a_header() {
    use base64::Engine as _;
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let reply = socket.call(Call::new("HEAD", "/none")).await;
    reply.assert_empty(404);
    assert_eq!(reply.header("x-oss-ec"), Some("0026-00000001"));
    assert_eq!(reply.header("content-length"), Some("0"));
    let document = reply.header("x-oss-err").expect("the document");
    let document = base64::engine::general_purpose::STANDARD.decode(document).expect("base64");
    let same = socket.call(Call::new("GET", "/none")).await;
    let without_id = |text: String, reply: &Reply| text.replace(reply.header("x-oss-request-id").expect("id"), "");
    let document = String::from_utf8(document).expect("text");
    assert_eq!(without_id(document, &reply), without_id(same.text(), &same));
}

#[tokio::test]
async fn a_chunked_upload_is_stored_whole() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let call = Call::new("PUT", "/chunked").header("Transfer-Encoding", "chunked");
    socket.send(call.head().as_bytes()).await;
    socket.send(b"5\r\nhello\r\n").await;
    socket.send(b"7\r\n, world\r\n0\r\n\r\n").await;
    assert_eq!(socket.reply(false).await.status, 200);
    let reply = socket.call(Call::new("GET", "/chunked")).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "hello, world"));
}

#[tokio::test]
async fn a_large_body_passes_both_ways_unchanged() {
    let running = Running::start().await;
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut socket = running.connect().await;
    let stored = socket.call(Call::new("PUT", "/large").body(body.clone()).md5()).await;
    assert_eq!(stored.status, 200);
    let read = socket.call(Call::new("GET", "/large")).await;
    assert!(read.status == 200 && read.body == body);
    assert_eq!(read.header("x-oss-hash-crc64ecma"), stored.header("x-oss-hash-crc64ecma"));
    let part = socket.call(Call::new("GET", "/large").header("Range", "bytes=1000000-1999999")).await;
    assert!(part.status == 206 && part.body == body[1_000_000..2_000_000]);
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let call = Call::new("PUT", "/cut").header("Content-Length", "200000");
    socket.send(call.head().as_bytes()).await;
    socket.send(&vec![b'x'; 100_000]).await;
    in_flight(&running).await;
    drop(socket);
    // The socket's task ends only after the upload was given up.
    while running.tasks.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.call(Call::new("GET", "/cut")).await.status, 404);
    assert_eq!(running.blob_count().await, 0);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let call = Call::new("PUT", "/stalled").header("Content-Length", "10");
    socket.send(call.head().as_bytes()).await;
    socket.send(b"12345").await;
    let reply = {
        let mut reply = std::pin::pin!(socket.reply(false));
        loop {
            // Each turn lets the service run into its wait; the clock passes the deadline once it is there.
            match futures_util::poll!(&mut reply) {
                std::task::Poll::Ready(reply) => break reply,
                std::task::Poll::Pending => running.clock.advance(Duration::from_secs(1)),
            }
            tokio::task::yield_now().await;
        }
    };
    reply.assert_error(400, "RequestTimeout", None);
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let call = Call::new("PUT", "/dripping").header("Content-Length", "100000");
    socket.send(call.head().as_bytes()).await;
    // A byte well before each stall; enough in each window at first, then too little.
    let (step, mut passed) = (limits::HTTP_BODY_STALL / 2, Duration::ZERO);
    let reply = loop {
        let bytes = if passed < limits::HTTP_BODY_WINDOW * 2 { 8 * 1024 } else { 1 };
        socket.send(&vec![b'x'; bytes]).await;
        let mut reply = std::pin::pin!(socket.reply(false));
        // Enough turns for the service to take what came and to wait again.
        let mut answered = None;
        for _ in 0..1_000 {
            if let std::task::Poll::Ready(reply) = futures_util::poll!(&mut reply) {
                answered = Some(reply);
                break;
            }
            tokio::task::yield_now().await;
        }
        if let Some(reply) = answered {
            break reply;
        }
        running.clock.advance(step);
        passed += step;
        assert!(passed < limits::HTTP_BODY_WINDOW * 5, "never given up");
    };
    reply.assert_error(400, "RequestTimeout", None);
    assert!(passed > limits::HTTP_BODY_WINDOW * 2, "{passed:?}");
}

/// Advances the clock until the service closes; returns how far.
async fn closed_after(running: &Running, socket: &mut super::harness::Socket) -> Duration {
    let mut passed = Duration::ZERO;
    let mut closed = std::pin::pin!(socket.is_closed());
    loop {
        match futures_util::poll!(&mut closed) {
            std::task::Poll::Ready(closed) => {
                assert!(closed, "the service sent something");
                return passed;
            }
            std::task::Poll::Pending => {
                // Enough turns for the service to come to rest between two steps of the clock.
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                running.clock.advance(Duration::from_secs(5));
                passed += Duration::from_secs(5);
                assert!(passed < Duration::from_secs(600), "never closed");
            }
        }
    }
}

#[tokio::test]
async fn a_head_that_drips_and_an_idle_socket_are_closed_in_time() {
    let running = Running::start().await;
    let mut dripping = running.connect().await;
    let mut patience = Duration::ZERO;
    let reply = loop {
        dripping.send(if patience.is_zero() { b"GET / HT" } else { b"T" }).await;
        let mut reply = std::pin::pin!(dripping.reply(false));
        let mut answered = None;
        for _ in 0..50 {
            if let std::task::Poll::Ready(reply) = futures_util::poll!(&mut reply) {
                answered = Some(reply);
                break;
            }
            tokio::task::yield_now().await;
        }
        if let Some(reply) = answered {
            break reply;
        }
        running.clock.advance(Duration::from_secs(5));
        patience += Duration::from_secs(5);
        assert!(patience < limits::HTTP_HEAD_TIMEOUT * 4, "never refused");
    };
    reply.assert_error(408, "RequestTimeout", None);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(dripping.is_closed().await);
    assert!(patience >= limits::HTTP_HEAD_TIMEOUT && patience <= limits::HTTP_HEAD_TIMEOUT * 3, "{patience:?}");

    let mut idle = running.connect().await;
    assert_eq!(idle.call(Call::new("GET", "/none").by(Who::Anonymous)).await.status, 403);
    let patience = closed_after(&running, &mut idle).await;
    assert!(patience >= limits::HTTP_IDLE_TIMEOUT && patience <= limits::HTTP_IDLE_TIMEOUT * 2, "{patience:?}");
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_its_head_has_passed() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let expecting = |call: Call| call.header("Expect", "100-continue").withhold_body();

    let refused = socket.call(expecting(put("/a", "text").by(Who::Anonymous))).await;
    refused.assert_error(403, "AccessDenied", Some("0003-00000001"));
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(socket.is_closed().await);

    let mut socket = running.connect().await;
    let unknown = socket.call(expecting(put("/a", "text").bucket("nosuchbucket"))).await;
    unknown.assert_error(404, "NoSuchBucket", Some("0015-00000101"));

    let mut socket = running.connect().await;
    let huge = Call::new("PUT", "/a").header("Content-Length", "5368709121");
    socket.call(expecting(huge)).await.assert_error(400, "EntityTooLarge", None);

    let mut socket = running.connect().await;
    assert_eq!(socket.call(expecting(put("/a", "text"))).await.status, 100);
    socket.send(b"text").await;
    let stored = socket.reply(false).await;
    assert_eq!((stored.status, stored.header("connection")), (200, Some("keep-alive")));

    // There is nothing to ask for: stored at once, and the socket ends, for awscli's sake.
    let empty = socket.call(expecting(put("/a", ""))).await;
    assert_eq!((empty.status, empty.header("connection")), (200, Some("close")));
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn a_refused_upload_keeps_its_socket_when_its_body_is_short() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let refused = socket.call(put("/a", "text").by(Who::Anonymous)).await;
    assert_eq!((refused.status, refused.header("connection")), (403, Some("keep-alive")));
    assert_eq!(socket.call(put("/a", "text")).await.status, 200);

    // One that is longer than is worth reading: the answer still arrives whole, then the socket ends.
    let long = Call::new("PUT", "/a").by(Who::Anonymous).body(vec![b'x'; 4_000_000]);
    let head = long.head();
    let (mut read, mut write) = socket.stream.split();
    let (sent, answer) = tokio::join!(
        async {
            use tokio::io::AsyncWriteExt as _;
            // The service stops reading at some point; how much of the body got out does not matter.
            let _ = write.write_all(head.as_bytes()).await;
            let _ = write.write_all(&vec![b'x'; 500_000]).await;
        },
        async {
            use tokio::io::AsyncReadExt as _;
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await.expect("no reset");
            answer
        }
    );
    let () = sent;
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
}

#[tokio::test]
async fn a_put_needs_a_length() {
    let running = Running::start().await;
    let reply = running.call(Call::new("PUT", "/a").no_length()).await;
    reply.assert_error(411, "MissingContentLength", None);
    let reply = running.call(Call::new("POST", "/a?append&position=0").no_length()).await;
    reply.assert_error(411, "MissingContentLength", None);
}

#[tokio::test]
async fn heads_are_bounded() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let mut head = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n");
    for n in 0..200 {
        head.push_str(&format!("x-header-{n}: 1\r\n"));
    }
    socket.send(format!("{head}\r\n").as_bytes()).await;
    assert_unreadable(&mut socket, 431, "RequestHeaderSectionTooLarge").await;

    let mut socket = running.connect().await;
    let long = "x".repeat(limits::HTTP_HEAD_BYTES_MAX);
    socket.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nx-long: {long}\r\n\r\n").as_bytes()).await;
    assert_unreadable(&mut socket, 431, "RequestHeaderSectionTooLarge").await;
}

/// The next answer is a refused head with its document, and ends the socket.
async fn assert_unreadable(socket: &mut super::harness::Socket, status: u16, code: &str) {
    let reply = socket.reply(false).await;
    reply.assert_error(status, code, None);
    assert_common_headers(&reply);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn a_head_that_is_no_http_gets_a_document_too() {
    let running = Running::start().await;
    for head in [
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        "GET\r\n\r\n",
    ] {
        let mut fresh = running.connect().await;
        fresh.send(head.as_bytes()).await;
        assert_unreadable(&mut fresh, 400, "BadRequest").await;
        // On a socket that has served before, as well.
        let mut kept = running.connect().await;
        assert_eq!(kept.call(Call::new("GET", "/none")).await.status, 404);
        kept.send(head.as_bytes()).await;
        assert_unreadable(&mut kept, 400, "BadRequest").await;
    }
}

#[tokio::test]
async fn a_body_that_looks_like_a_refusal_passes_unchanged() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let body = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".repeat(20_000);
    assert_eq!(socket.call(put("/a", &body)).await.status, 200);
    for _ in 0..2 {
        assert!(socket.call(Call::new("GET", "/a")).await.text() == body);
    }
}

#[tokio::test]
async fn one_request_too_many_is_told_to_retry() {
    let running = Running::start().await;
    let all = u32::try_from(limits::HTTP_REQUESTS_MAX).expect("a small number");
    let held = running.service.permits.clone().acquire_many_owned(all).await.expect("all are free");
    let reply = running.call(Call::new("GET", "/a")).await;
    reply.assert_error(503, "ServiceUnavailable", None);
    drop(held);
    assert_eq!(running.call(Call::new("GET", "/a")).await.status, 404);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let running = Running::start().await;
    let mut idle = running.connect().await;
    assert_eq!(idle.call(Call::new("GET", "/none")).await.status, 404);
    let mut busy = running.connect().await;
    busy.send(put("/a", "text").head().as_bytes()).await;
    busy.send(b"te").await;
    in_flight(&running).await;
    running.stop.pull();
    assert!(idle.is_closed().await);
    busy.send(b"xt").await;
    let reply = busy.reply(false).await;
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert!(busy.is_closed().await);
    running.tasks.join().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    assert_eq!(socket.call(Call::new("PUT", "/large").body(vec![b'x'; 16 << 20])).await.status, 200);
    socket.send(Call::new("GET", "/large").head().as_bytes()).await;
    let mut passed = Duration::ZERO;
    while running.tasks.len() > 1 {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        running.clock.advance(Duration::from_secs(5));
        passed += Duration::from_secs(5);
        assert!(passed < limits::HTTP_WRITE_STALL * 10, "never given up");
    }
    assert!(passed >= limits::HTTP_WRITE_STALL, "{passed:?}");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_an_error_and_not_half_an_answer() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    assert_eq!(socket.call(Call::new("PUT", "/a").body(vec![b'x'; 200_000])).await.status, 200);
    let blobs = running.blobs.list(None, 10).await.expect("a list");
    running.blobs.delete(&[blobs[0].id]).await.expect("gone");
    socket.call(Call::new("GET", "/a")).await.assert_error(500, "InternalError", None);
}
