//! A file system that is mounted read-only under the running service, as many are after an error: reading goes on.

use livebucket::app::{Service, StartError};
use livebucket::store::data_dir::DataDirError;

use super::{Bed, code, heavy};
use crate::fault::{Effect, Fault, Kind};
use crate::support::rtmp::{Answer, Publisher, signed_query};
use crate::support::{eventually, settings};

fn read_only() -> Fault {
    Fault::new(Kind::CHANGES, Effect::Errno(libc::EROFS))
}

#[tokio::test]
async fn writes_are_refused_reads_go_on_and_all_is_well_once_it_is_writable() {
    let bed = Bed::start().await;
    bed.channel().await;
    let (oss, s3) = (bed.oss(), bed.s3());
    oss.put("/films/large", vec![1u8; 300_000]).await.expect(200);
    let mut publisher = bed.publish().await;
    let tags = heavy(10_000);
    publisher.send(&tags[..tags.len() / 2]).await;
    let before = eventually("a fragment", || async { bed.playlist().await }).await;

    let counted = (bed.faults("blobs", "read_only").await, bed.faults("metadata", "io").await);
    let fault = bed.watch.inject(read_only());
    for length in [100usize, 300_000] {
        let refused = oss.put("/films/new", vec![2u8; length]).await.expect(503);
        assert_eq!(
            (code(&refused.text()), refused.header("retry-after")),
            ("ServiceUnavailable", "1"),
            "{length} bytes"
        );
        assert_eq!(code(&s3.put("/films/new", vec![2u8; length]).await.expect(503).text()), "SlowDown");
    }
    oss.delete("/films/large").await.expect(503);
    let now = (bed.faults("blobs", "read_only").await, bed.faults("metadata", "io").await);
    assert!(now.0 > counted.0 && now.1 > counted.1, "{counted:?}, {now:?}");
    assert_eq!(s3.get("/films/large").await.expect(200).body, vec![1u8; 300_000]);
    assert_eq!(oss.get("/films").await.expect(200).text().matches("<Key>new").count(), 0);
    for segment in &before.segments {
        oss.get(&format!("/films/cam1/{}", segment.uri)).await.expect(200);
    }
    // Who publishes is told so, and who wants to as well.
    publisher.send(&tags[tags.len() / 2..]).await;
    assert_eq!(publisher.answer().await, Answer::Closed);
    let stream = format!("cam1?{}", signed_query("films", "cam1"));
    let (_, answer) = Publisher::open(bed.server.addr(), "films/live", &stream).await;
    assert!(matches!(&answer, Answer::Refused(_, why) if why.starts_with("ChannelStillLive")), "{answer:?}");

    fault.lift();
    oss.put("/films/new", vec![3u8; 300_000]).await.expect(200);
    eventually("its end is written", || async { (bed.ended().await == 1).then_some(()) }).await;
    let mut publisher = bed.publish().await;
    publisher.send(&tags).await;
    publisher.finish().await;
    eventually("the second publish ended", || async { (bed.ended().await == 2).then_some(()) }).await;
    bed.restart_and_check().await;
}

/// Stopping needs no disk that can be written, and the next start has all that was acknowledged.
#[tokio::test]
async fn a_stop_on_a_read_only_disk_loses_nothing_and_a_start_says_why_it_cannot() {
    let bed = Bed::start().await;
    for key in 0..20 {
        bed.oss().put(&format!("/films/{key}"), vec![key; 1_000 * usize::from(key) + 1]).await.expect(200);
    }
    let Bed { watch, server } = bed;
    let fault = watch.inject(read_only());
    let crate::support::Server { service, dir } = server;
    service.stop().await;

    let config = settings(dir.path()).validate().expect("valid");
    let failed = eventually("the lock", || async {
        match Service::start(&config).await {
            Err(StartError::DataDir(DataDirError::InUse(_))) => None,
            other => Some(other.err()),
        }
    });
    let failed = failed.await.expect("it cannot start").to_string();
    assert!(failed.contains("data directory") && failed.contains("Read-only file system"), "{failed}");
    fault.lift();
    let server = super::serve(dir).await;
    for key in 0..20u8 {
        let got = server.client().get(&format!("/films/{key}")).await.expect(200);
        assert_eq!(got.body, vec![key; 1_000 * usize::from(key) + 1]);
    }
    server.stop_and_check().await;
}
