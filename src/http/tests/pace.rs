//! `x-oss-traffic-limit` over the wire: the clock moves only as fast as the transfer waits for it.

use std::time::Duration;

use super::form::Form;
use super::harness::{Call, Reply, Running};
use crate::clock::Clock;
use crate::limits;

/// Bytes a second of the lowest limit.
const SLOWEST: usize = 100 * 1024;

/// No pause of a transfer is longer, and no deadline is as short.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Makes a call, and moves the clock on whenever a transfer pauses; tells how long it took by that clock. While bytes are on
/// their way the clock stands, so a slow machine makes no difference.
async fn timed(running: &Running, call: Call) -> (Reply, Duration) {
    let begin = running.clock.monotonic();
    let ticking = async {
        loop {
            tokio::task::yield_now().await;
            let now = running.clock.monotonic();
            if let Some(due) = running.clock.next_deadline().filter(|due| *due <= now + LONGEST_PAUSE) {
                running.clock.advance(due - now);
            }
        }
    };
    let reply = tokio::select! {
        reply = running.call(call) => reply,
        () = ticking => unreachable!("it never ends"),
    };
    (reply, running.clock.monotonic() - begin)
}

/// At least as long as so many bytes take at the lowest limit, and not much longer.
#[track_caller]
fn assert_slow(what: &str, took: Duration, bytes: usize) {
    let least = Duration::from_secs_f64((bytes as f64 / SLOWEST as f64 - 0.2).max(0.0));
    assert!(took >= least && took < least + Duration::from_secs(1), "{what}: {took:?} for {least:?}");
}

#[tokio::test]
async fn every_transfer_takes_the_time_that_it_asks_for() {
    let running = Running::start().await;
    let body = vec![7u8; 5 * SLOWEST];
    let (reply, took) = timed(&running, Call::new("PUT", "/free").body(body.clone())).await;
    assert_eq!(reply.status, 200);
    assert_eq!(took, Duration::ZERO);

    let limited = |call: Call| call.header("x-oss-traffic-limit", "819200");
    let (reply, took) = timed(&running, limited(Call::new("PUT", "/k").body(body.clone()))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_slow("put", took, body.len());
    let query = Call::new("PUT", "/k?x-oss-traffic-limit=819200").body(body.clone());
    assert_slow("put by query", timed(&running, query).await.1, body.len());
    let append = limited(Call::new("POST", "/a?append&position=0").body(body.clone()));
    assert_slow("append", timed(&running, append).await.1, body.len());
    let id = running.call(Call::new("POST", "/m?uploads")).await.element("UploadId");
    let part = limited(Call::new("PUT", &format!("/m?partNumber=1&uploadId={id}")).body(body.clone()));
    assert_slow("part", timed(&running, part).await.1, body.len());
    let form = Form::default().field("key", "f").field("x-oss-traffic-limit", "819200").v1("").file("f", &body);
    let (reply, took) = timed(&running, form.call()).await;
    assert_eq!(reply.status, 204);
    assert_slow("form", took, body.len());

    let (got, took) = timed(&running, limited(Call::new("GET", "/k"))).await;
    assert!(got.status == 200 && got.body == body);
    assert_slow("get", took, body.len());
    let range = limited(Call::new("GET", "/k").header("Range", "bytes=1-204800"));
    let (got, took) = timed(&running, range).await;
    assert!(got.status == 206 && got.body == body[1..204_801]);
    assert_slow("range", took, 204_800);
    assert_eq!(timed(&running, Call::new("GET", "/k")).await.1, Duration::ZERO);
}

#[tokio::test]
async fn a_transfer_that_is_slow_by_request_is_not_taken_for_a_stalled_one() {
    let running = Running::start().await;
    let seconds = usize::try_from(limits::HTTP_BODY_WINDOW.as_secs()).expect("small") + 20;
    let body: Vec<u8> = (0..seconds * SLOWEST).map(|n| (n % 251) as u8).collect();
    let call = Call::new("PUT", "/k").header("x-oss-traffic-limit", "819200").body(body.clone());
    let (reply, took) = timed(&running, call).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_slow("put", took, body.len());
    let (got, took) = timed(&running, Call::new("GET", "/k?x-oss-traffic-limit=819200")).await;
    assert!(got.status == 200 && got.body == body);
    assert_slow("get", took, body.len());
}

#[tokio::test]
async fn a_limit_out_of_bounds_is_refused() {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/k").body("old")).await.assert_empty(200);
    for limit in ["819199", "838860801", "abc", "-1", "1.5"] {
        for call in [
            Call::new("PUT", "/k").header("x-oss-traffic-limit", limit).body("new"),
            Call::new("PUT", &format!("/k?x-oss-traffic-limit={limit}")).body("new"),
            Call::new("GET", "/k").header("x-oss-traffic-limit", limit),
            Call::new("PUT", "/c").header("x-oss-copy-source", "/examplebucket/k").header("x-oss-traffic-limit", limit),
            Form::default().field("key", "k").field("x-oss-traffic-limit", limit).v1("").file("f", b"new").call(),
        ] {
            running.call(call).await.assert_error(400, "InvalidArgument", Some("0004-00000502"));
        }
    }
    assert_eq!(running.call(Call::new("GET", "/k")).await.body, b"old");
    // It means nothing where no bytes of an object move.
    assert_eq!(running.call(Call::new("HEAD", "/k").header("x-oss-traffic-limit", "abc")).await.status, 200);
    assert_eq!(running.call(Call::new("GET", "/?x-oss-traffic-limit=1")).await.status, 200);
}
