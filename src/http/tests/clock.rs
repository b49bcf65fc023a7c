//! A wall clock that is set: signatures follow it, deadlines do not.

use std::time::Duration;

use super::harness::{Call, NOW, Running};
use super::replay::{SCHEMES, Scheme};
use super::signed::Place;
use crate::clock::{Clock, Wall};
use crate::limits;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

#[tokio::test]
async fn signatures_are_judged_by_the_wall_clock_whichever_way_it_is_set() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for scheme in SCHEMES {
        let in_url =
            matches!(scheme, Scheme::OssV1(Place::Url) | Scheme::OssV2(Place::Url) | Scheme::OssV4(Place::Url))
                || scheme == Scheme::S3V2(Place::Url);
        let (put, get) = (scheme.sign("PUT"), scheme.sign("GET"));
        let reply = put.send(&mut socket).await;
        assert_eq!(reply.status, 200, "{scheme:?}: {}", reply.text());
        running.clock.set_wall(Wall(NOW.0 + DAY_MS));
        let late = get.send(&mut socket).await;
        let code = if in_url { "AccessDenied" } else { "RequestTimeTooSkewed" };
        assert_eq!((late.status, late.element("Code").as_str()), (403, code), "{scheme:?}");
        if !in_url {
            running.clock.set_wall(Wall(NOW.0 - HOUR_MS));
            let early = get.send(&mut socket).await;
            assert_eq!((early.status, early.element("Code").as_str()), (403, code), "{scheme:?}");
        }
        // Nothing of the refusals is remembered.
        running.clock.set_wall(NOW);
        assert_eq!(get.send(&mut socket).await.status, 200, "{scheme:?}");
    }
}

#[tokio::test]
async fn no_deadline_follows_the_wall_clock() {
    let running = Running::start().await;
    let mut idle = running.connect().await;
    assert_eq!(idle.call(Call::new("PUT", "/a").body("x")).await.status, 200);
    let mut slow = running.connect().await;
    let call = Call::new("PUT", "/slow").header("Expect", "100-continue").body(vec![b'x'; 100_000]);
    slow.send(call.head().as_bytes()).await;
    // Its signature has been judged.
    assert_eq!(slow.reply(false).await.status, 100);
    slow.send(&[b'x'; 50_000]).await;
    for step in [DAY_MS, -HOUR_MS, DAY_MS] {
        running.clock.set_wall(Wall(running.clock.wall().0 + step));
        running.clock.advance(Duration::from_millis(1));
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
    slow.send(&[b'x'; 50_000]).await;
    assert_eq!(slow.reply(false).await.status, 200, "the upload was signed and begun in time");
    running.clock.set_wall(NOW);
    assert_eq!(idle.call(Call::new("GET", "/a")).await.status, 200, "an idle socket was kept");
    // By the monotonic clock both would have ended.
    running.clock.advance(limits::HTTP_IDLE_TIMEOUT);
    assert!(idle.is_closed().await);
}

/// Versions are in the order in which they were made, whatever their dates say.
#[tokio::test]
async fn versions_keep_their_order_when_the_clock_steps_back() {
    let running = Running::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(running.call(Call::new("PUT", "/?versioning").body(enabled)).await.status, 200);
    let mut versions = Vec::new();
    for step in [0, -HOUR_MS, DAY_MS, -DAY_MS] {
        running.clock.set_wall(Wall(NOW.0 + step));
        let at = Wall(NOW.0 + step);
        let put = running.call(Call::new("PUT", "/k").body(format!("{step}")).at(at)).await;
        assert_eq!(put.status, 200, "{}", put.text());
        versions.push(put.header("x-oss-version-id").expect("versioned").to_owned());
        let got = running.call(Call::new("GET", "/k").at(at)).await;
        assert_eq!(got.text(), format!("{step}"), "the newest is what was put last");
    }
    running.clock.set_wall(NOW);
    let listed = running.call(Call::new("GET", "/?versions")).await.text();
    let places: Vec<usize> = versions.iter().map(|version| listed.find(version.as_str()).expect("listed")).collect();
    assert!(places.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {listed}");
    assert_eq!(listed.matches("<IsLatest>true</IsLatest>").count(), 1);
    // The newest goes for good: the one before is current again.
    let gone = running.call(Call::new("DELETE", &format!("/k?versionId={}", versions[3]))).await;
    assert_eq!(gone.status, 204);
    assert_eq!(running.call(Call::new("GET", "/k")).await.text(), format!("{DAY_MS}"));
}
