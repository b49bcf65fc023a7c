//! A disk that keeps its callers waiting: a publisher is slowed and loses nothing, and nobody else waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use livebucket::limits;

use super::{Bed, heavy};
use crate::fault::{Effect, Fault, Kind};
use crate::support::eventually;
use crate::support::rtmp::Tag;

/// A stream of at least so many bytes.
fn stream(bytes: usize) -> Vec<Tag> {
    let tags = heavy(100_000);
    let length: usize = tags.iter().map(|tag| tag.body.len()).sum();
    let end = tags.iter().map(|tag| tag.timestamp).max().expect("some") + 70;
    let rounds = u32::try_from(bytes / length + 1).expect("few");
    let again = |round: u32| {
        let headers = if round == 0 { 0 } else { 2 };
        tags.iter().skip(headers).map(move |tag| Tag { timestamp: tag.timestamp + round * end, ..tag.clone() })
    };
    (0..rounds).flat_map(again).collect()
}

/// The most that the kernel keeps of one connection on loopback, by its own settings.
fn socket_buffers_max() -> usize {
    let last = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("Linux says it");
        text.split_whitespace().last().and_then(|number| number.parse::<usize>().ok()).expect("three numbers")
    };
    last("tcp_rmem") + last("tcp_wmem")
}

/// While a blob's write hangs, the publisher's socket is read no further than the bounds of the owner's queue, and requests
/// that need no blob are answered. Once it goes on nothing is missing.
#[tokio::test]
async fn a_write_that_hangs_holds_its_publisher_within_bounds_and_nobody_else() {
    const TOTAL: usize = 96 * 1024 * 1024;
    let bed = Bed::start().await;
    bed.channel().await;
    bed.oss().put("/films/large", vec![1u8; 300_000]).await.expect(200);
    let tags = stream(TOTAL);
    let mut publisher = bed.publish().await;
    let held = bed.watch.inject(Fault::new(&[Kind::Write], Effect::Hold).on(|path| path.starts_with("data/blobs/")));
    let sent = AtomicUsize::new(0);
    let sending = async {
        for tag in &tags {
            publisher.send(std::slice::from_ref(tag)).await;
            sent.fetch_add(tag.body.len(), Ordering::SeqCst);
        }
        publisher.finish().await;
    };
    let meanwhile = async {
        eventually("a write hangs", || async { (held.hits() > 0).then_some(()) }).await;
        let mut last = (usize::MAX, 0);
        let at_rest = eventually("the publisher is no longer read", || {
            let now = sent.load(Ordering::SeqCst);
            last = if last.0 == now { (now, last.1 + 1) } else { (now, 0) };
            let rests = last.1 >= 25;
            async move { rests.then_some(now) }
        })
        .await;
        bed.oss().put("/films/small", "x").await.expect(200);
        assert_eq!(bed.oss().get("/films/large").await.expect(200).body, vec![1u8; 300_000]);
        let stat = bed.oss().get("/films/cam1?live&comp=stat").await.expect(200).text();
        assert!(stat.contains("<Status>Live</Status>"), "{stat}");
        held.lift();
        at_rest
    };
    let (at_rest, ()) = tokio::join!(meanwhile, sending);
    // Steps that wait, pieces on their way into the file, and what the two sockets hold.
    let bound = limits::STEPS_BYTES_MAX + 2 * 1024 * 1024 + socket_buffers_max();
    assert!(at_rest < bound, "{at_rest} of {bound} bytes were taken from a publisher whose disk hangs");
    eventually("the publish ended", || async { (bed.ended().await == 1).then_some(()) }).await;
    let list = bed.playlist().await.expect("there");
    assert!(list.segments.iter().all(|segment| !segment.discontinuity), "nothing was lost: {list:?}");
    bed.restart_and_check().await;
}

/// Slow syncs only slow things down.
#[tokio::test]
async fn slow_syncs_lose_nothing() {
    let bed = Bed::start().await;
    bed.channel().await;
    let delay = Effect::Delay(Duration::from_millis(20));
    let slow = bed.watch.inject(Fault::new(&[Kind::Sync, Kind::SyncDirectory], delay));
    let mut publisher = bed.publish().await;
    publisher.send(&heavy(10_000)).await;
    publisher.finish().await;
    eventually("the publish ended", || async { (bed.ended().await == 1).then_some(()) }).await;
    assert!(slow.hits() > 0);
    let list = bed.playlist().await.expect("there");
    assert!(list.segments.len() > 2 && list.segments.iter().all(|segment| !segment.discontinuity), "{list:?}");
    for segment in &list.segments {
        bed.oss().get(&format!("/films/cam1/{}", segment.uri)).await.expect(200);
    }
    bed.restart_and_check().await;
}
