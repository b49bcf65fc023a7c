//! What failing signatures cost their address: a burst is answered, the rest waits and is told to slow down, and what is
//! signed rightly goes on.

use super::harness::{Call, Reply, Running, Who};
use super::signed::{Dialect, Key, Place, Plain};
use crate::clock::Clock;
use crate::limits;
use crate::net::crowd::CrowdRules;

/// A burst of one refusal: the second one is over.
fn one_a_second() -> CrowdRules {
    CrowdRules { sockets_max: 0, refusals_per_second: 1, trusted: Vec::new() }
}

/// The answer to a request that has to wait for it, and meanwhile holds no place among the requests.
async fn after_the_pause(running: &Running, request: impl Future<Output = Reply>) -> Reply {
    let mut request = std::pin::pin!(request);
    let due = running.clock.monotonic() + limits::REFUSAL_PAUSE;
    while running.clock.next_deadline() != Some(due) {
        assert!(futures_util::poll!(&mut request).is_pending(), "it does not wait");
        tokio::task::yield_now().await;
    }
    assert_eq!(running.service.permits.available_permits(), limits::HTTP_REQUESTS_MAX);
    running.clock.advance(limits::REFUSAL_PAUSE);
    request.await
}

async fn exhaust(running: &Running) {
    let bad = Plain::new(Dialect::Oss, "GET", "examplebucket", "a", "");
    for _ in 0..limits::REFUSAL_BURST_SECONDS {
        let reply =
            bad.signed(Some(&Key::new("ownerKey", "wrong")), Place::Header).send(&mut running.connect().await).await;
        reply.assert_error(403, "SignatureDoesNotMatch", Some("0002-00000040"));
        assert_eq!(reply.header("connection"), Some("keep-alive"));
    }
}

#[tokio::test]
async fn a_flood_of_bad_signatures_is_slowed_and_told_so_in_both_dialects() {
    let running = Running::start_crowded(one_a_second()).await;
    exhaust(&running).await;
    let stranger = Key::new("nobodysKey", "wrong");
    let guesser = Key::new("ownerKey", "wrong");
    let forger = Key::new("ownerKey", "ownerSecret").token("forged");
    for (dialect, code) in [(Dialect::Oss, "ServiceUnavailable"), (Dialect::S3, "SlowDown")] {
        for key in [&stranger, &guesser, &forger] {
            for place in [Place::Header, Place::Url] {
                let wire = Plain::new(dialect, "GET", "examplebucket", "a", "").signed(Some(key), place);
                let mut socket = running.connect().await;
                let reply = after_the_pause(&running, wire.send(&mut socket)).await;
                assert_eq!((reply.status, reply.element("Code").as_str()), (503, code), "{key:?} {place:?}");
                assert_eq!(reply.header("connection"), Some("close"));
                assert!(socket.is_closed().await);
                // A token has dripped in meanwhile; it is used up before the next one.
                exhaust_one(&running).await;
            }
        }
    }
}

/// Uses up the one refusal that the passed second brought.
async fn exhaust_one(running: &Running) {
    let wire =
        Plain::new(Dialect::Oss, "GET", "examplebucket", "a", "").signed(Some(&Key::new("no", "wrong")), Place::Header);
    assert_eq!(wire.send(&mut running.connect().await).await.status, 403);
}

#[tokio::test]
async fn what_is_signed_rightly_never_waits_for_those_behind_its_address() {
    let running = Running::start_crowded(one_a_second()).await;
    exhaust(&running).await;
    // One that waits, from the same address.
    let wire = Plain::new(Dialect::S3, "GET", "examplebucket", "a", "").signed(Some(&Key::new("no", "no")), Place::Url);
    let mut waiting = running.connect().await;
    waiting.send(wire_bytes(&wire).as_bytes()).await;
    // The clock stands still, so whatever is answered here did not wait.
    let owner = Key::new("ownerKey", "ownerSecret");
    let mut kept = running.connect().await;
    for round in 0..3 {
        for place in [Place::Header, Place::Url] {
            let put =
                Plain::new(Dialect::Oss, "PUT", "examplebucket", "a", "").body("text").signed(Some(&owner), place);
            assert_eq!(put.send(&mut kept).await.status, 200, "round {round}");
            let get = Plain::new(Dialect::S3, "GET", "examplebucket", "a", "").signed(Some(&owner), place);
            assert_eq!(get.send(&mut kept).await.text(), "text", "round {round}");
        }
        // Nor does who proves himself and is not allowed, nor who proves nothing and does not try to.
        let denied = Plain::new(Dialect::Oss, "GET", "examplebucket", "a", "");
        let other = denied.signed(Some(&Key::new("otherKey", "otherSecret")), Place::Header);
        assert_eq!(other.send(&mut kept).await.status, 403, "round {round}");
        assert_eq!(denied.signed(None, Place::Header).send(&mut kept).await.status, 403, "round {round}");
    }
    assert_eq!(after_the_pause(&running, waiting.reply(false)).await.status, 503);
}

fn wire_bytes(wire: &super::signed::Wire) -> String {
    format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", wire.target(), super::harness::HOST)
}

#[tokio::test]
async fn a_refused_upload_whose_body_does_not_come_holds_no_place_among_the_requests() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = Call::new("PUT", "/a").by(Who::Anonymous).body(vec![b'x'; 500_000]).withhold_body();
    socket.send(put.head().as_bytes()).await;
    let due = running.clock.monotonic() + limits::HTTP_DRAIN_TIMEOUT;
    while running.clock.next_deadline() != Some(due) {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.service.permits.available_permits(), limits::HTTP_REQUESTS_MAX);
    running.clock.advance(limits::HTTP_DRAIN_TIMEOUT);
    socket.reply(false).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
}
