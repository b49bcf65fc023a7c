//! No space is left: 507 at once, nothing half-written, and everything works again when there is space.

use super::{Bed, code, heavy};
use crate::fault::{Effect, Fault, Kind};
use crate::support::eventually;
use crate::support::http::metric;
use crate::support::rtmp::Answer;

/// What needs space.
const GROWS: &[Kind] = &[Kind::Create, Kind::Write, Kind::MakeDirectory];

fn without_space() -> Fault {
    Fault::new(GROWS, Effect::Room(0))
}

#[tokio::test]
async fn writes_answer_507_reads_go_on_and_space_mends_it() {
    let bed = Bed::start().await;
    let (oss, s3) = (bed.oss(), bed.s3());
    for (key, length) in [("/films/small", 100), ("/films/large", 300_000)] {
        oss.put(key, vec![1u8; length]).await.expect(200);
    }
    let before = (bed.faults("blobs", "full").await, bed.faults("metadata", "full").await);
    let full = bed.watch.inject(without_space());
    for length in [1usize, 100, 300_000] {
        let refused = oss.put("/films/new", vec![2u8; length]).await.expect(507).text();
        assert_eq!(code(&refused), "InsufficientStorage", "OSS, {length} bytes");
        let refused = s3.put("/films/new", vec![2u8; length]).await.expect(507).text();
        assert_eq!(code(&refused), "InsufficientStorage", "S3, {length} bytes");
    }
    oss.send("POST", "/films/log?append&position=0", &[], vec![3u8; 50_000]).await.expect(507);
    oss.send("POST", "/films/new?uploads", &[], "").await.expect(507);
    oss.put("/another-bucket", "").await.expect(507);
    oss.delete("/films/small").await.expect(507);
    assert_eq!(oss.get("/films/large").await.expect(200).body, vec![1u8; 300_000]);
    assert_eq!(s3.get("/films/small").await.expect(200).body, vec![1u8; 100]);
    assert_eq!(oss.get("/films").await.expect(200).text().matches("<Key>").count(), 2, "nothing was half made");
    assert!(full.hits() > 0);
    let after = (bed.faults("blobs", "full").await, bed.faults("metadata", "full").await);
    assert!(after.0 > before.0 && after.1 > before.1, "{before:?}, {after:?}");
    assert_eq!(bed.blob_lengths(), [300_000], "what a refused write took is given back");

    full.lift();
    for length in [1usize, 100, 300_000] {
        oss.put("/films/new", vec![4u8; length]).await.expect(200);
        assert_eq!(s3.get("/films/new").await.expect(200).body, vec![4u8; length]);
    }
    oss.delete("/films/small").await.expect(204);
    bed.restart_and_check().await;
}

/// Wherever in a write the space ends, what was acknowledged is there and what was not leaves nothing.
#[tokio::test]
async fn a_write_that_is_cut_short_was_never_there() {
    let bed = Bed::start().await;
    let oss = bed.oss();
    let mut refused = 0;
    for room in (0..400_000).step_by(23_456) {
        let key = format!("/films/{room}");
        let full = bed.watch.inject(Fault::new(GROWS, Effect::Room(room)));
        let put = oss.put(&key, vec![7u8; 200_000]).await;
        full.lift();
        let got = oss.get(&key).await;
        match put.status {
            200 => assert_eq!(got.expect(200).body, vec![7u8; 200_000], "{room} bytes of room"),
            507 => {
                got.expect(404);
                refused += 1;
            }
            _ => panic!("{room} bytes of room: {}", put.text()),
        }
        assert!(bed.blob_lengths().iter().all(|length| *length == 200_000), "{room} bytes of room");
    }
    assert!((1..=17).contains(&refused), "{refused}");
    bed.restart_and_check().await;
}

/// One fragment that cannot be stored is dropped, marked and counted, and the stream goes on.
#[tokio::test]
async fn a_publish_loses_the_fragment_for_which_there_is_no_space() {
    a_publish_loses_one_fragment(libc::ENOSPC).await;
}

#[tokio::test]
async fn a_publish_loses_the_fragment_whose_write_fails() {
    a_publish_loses_one_fragment(libc::EIO).await;
}

async fn a_publish_loses_one_fragment(errno: i32) {
    let bed = Bed::start().await;
    bed.channel().await;
    let mut publisher = bed.publish().await;
    let tags = heavy(10_000);
    let (half, rest) = tags.split_at(tags.len() / 2);
    publisher.send(half).await;
    let stored = eventually("two fragments", || async { bed.playlist().await.filter(|list| list.segments.len() >= 2) });
    let stored = stored.await.segments;
    let lost = async || metric(bed.admin(), "livebucket_fragments_lost_total").await;
    let before = lost().await;
    // The blob that grows now, and no other.
    let full = bed.watch.inject(Fault::new(&[Kind::Write], Effect::Errno(errno)).on(is_blob).times(1));
    publisher.send(rest).await;
    publisher.finish().await;
    eventually("the publish ended", || async { (bed.ended().await == 1).then_some(()) }).await;
    assert_eq!(full.hits(), 1);
    // Other tests of this process count there, too.
    assert!(lost().await > before);
    let list = bed.playlist().await.expect("there");
    assert_eq!(list.segments[..stored.len()], stored, "what was listed stays");
    assert!(list.segments.len() > stored.len(), "the stream went on: {list:?}");
    let marks = list.segments.iter().filter(|segment| segment.discontinuity).count();
    assert_eq!(marks, 1, "the gap is marked: {list:?}");
    for segment in &list.segments {
        assert_eq!(bed.oss().get(&format!("/films/cam1/{}", segment.uri)).await.expect(200).body.len() % 188, 0);
    }
    bed.restart_and_check().await;
}

fn is_blob(path: &str) -> bool {
    path.starts_with("data/blobs/")
}

/// A disk that stays full ends the publish and says so; with space again the channel is free, and goes on where it was.
#[tokio::test]
async fn a_publish_on_a_disk_that_stays_full_ends_and_the_channel_comes_back() {
    let bed = Bed::start().await;
    bed.channel().await;
    let mut publisher = bed.publish().await;
    let tags = heavy(10_000);
    publisher.send(&tags[..tags.len() / 2]).await;
    eventually("a fragment", || async { bed.playlist().await }).await;
    let full = bed.watch.inject(without_space());
    // Three fragments in a row that cannot be stored.
    publisher.send(&tags[tags.len() / 2..]).await;
    assert_eq!(publisher.answer().await, Answer::Closed);
    assert_eq!(bed.ended().await, 0, "its end could not be written either");

    full.lift();
    eventually("its end is written once there is space", || async { (bed.ended().await == 1).then_some(()) }).await;
    let history = bed.oss().get("/films/cam1?live&comp=history").await.expect(200).text();
    assert!(history.contains("<LiveRecord>"), "{history}");
    let before = bed.playlist().await.expect("there").segments;
    let mut publisher = bed.publish().await;
    publisher.send(&tags).await;
    publisher.finish().await;
    eventually("the second publish ended", || async { (bed.ended().await == 2).then_some(()) }).await;
    let after = bed.playlist().await.expect("there").segments;
    assert_eq!(after[..before.len()], before);
    assert!(after[before.len()].discontinuity, "a new connection");
    bed.restart_and_check().await;
}

/// Without space for its own files a server does not start, says why, and has changed nothing.
#[tokio::test]
async fn a_start_without_space_says_so() {
    use livebucket::app::{Service, StartError};
    use livebucket::store::StoreError;

    let bed = Bed::start().await;
    bed.oss().put("/films/a", vec![1u8; 50_000]).await.expect(200);
    let Bed { watch, server } = bed;
    let dir = server.stop_and_check().await;
    let full = watch.inject(without_space());
    let config = crate::support::settings(dir.path()).validate().expect("valid");
    let failed = eventually("the lock", || async {
        match Service::start(&config).await {
            Err(StartError::DataDir(livebucket::store::data_dir::DataDirError::InUse(_))) => None,
            other => Some(other.err()),
        }
    });
    let failed = failed.await.expect("it cannot start");
    let full_disk = matches!(&failed, StartError::Store(StoreError::Full));
    assert!(full_disk || failed.to_string().contains("No space left"), "{failed}");
    full.lift();
    let server = super::serve(dir).await;
    assert_eq!(server.client().get("/films/a").await.expect(200).body, vec![1u8; 50_000]);
    server.stop_and_check().await;
}
