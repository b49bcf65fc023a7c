//! Another process that holds the metadata database: a backup tool, a shell somebody forgot.

use livebucket::codec::m3u8::Playlist;

use crate::support::http::metric;
use crate::support::program::{Program, data, run};
use crate::support::rtmp::{Answer, Publisher, capture, signed_query};
use crate::support::viewer::idle;
use crate::support::{Server, eventually};

fn hold(dir: &std::path::Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(dir.join("data/meta.db")).expect("the same file");
    other.busy_timeout(std::time::Duration::from_secs(20)).expect("set");
    // In a database with a log this keeps writers out and lets readers go on.
    other.execute_batch("BEGIN EXCLUSIVE").expect("free in between");
    other
}

#[tokio::test]
async fn writes_wait_and_then_answer_503_reads_go_on_and_all_is_well_once_it_is_free() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    oss.put("/films", "").await.expect(200);
    oss.put("/films/a", "hello").await.expect(200);
    oss.put(
        "/films/cam1?live",
        "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>",
    )
    .await
    .expect(200);
    let admin = server.service.admin_listen.expect("it listens");
    let busy = async || metric(admin, "livebucket_store_faults_total{store=\"metadata\",cause=\"busy\"}").await;
    let failed = async || metric(admin, "livebucket_meta_commit_failures_total").await;
    let before = (busy().await, failed().await);
    let other = hold(server.dir.path());
    let publish = async {
        let stream = format!("cam1?{}", signed_query("films", "cam1"));
        Publisher::open(server.addr(), "films/live", &stream).await.1
    };
    let reads = async {
        assert_eq!(oss.get("/films/a").await.expect(200).text(), "hello");
        assert_eq!(s3.get("/films").await.expect(200).text().matches("<Key>").count(), 1);
    };
    let (over_oss, over_s3, answer, ()) =
        tokio::join!(oss.put("/films/b", "x"), s3.put("/films/c", "x"), publish, reads);
    let over_oss = over_oss.expect(503);
    assert!(over_oss.text().contains("<Code>ServiceUnavailable</Code>"), "{}", over_oss.text());
    assert_eq!(over_oss.header("retry-after"), "1");
    let over_s3 = over_s3.expect(503);
    assert!(over_s3.text().contains("<Code>SlowDown</Code>"), "{}", over_s3.text());
    assert_eq!(over_s3.header("retry-after"), "1");
    let Answer::Refused(code, why) = answer else { panic!("{answer:?}") };
    assert_eq!(code, "NetStream.Publish.Failed");
    assert!(why.starts_with("ServiceUnavailable: "), "{why}");
    let after = (busy().await, failed().await);
    assert!(after.0 > before.0 && after.1 > before.1, "{before:?}, {after:?}");

    other.execute_batch("ROLLBACK").expect("held");
    oss.put("/films/b", "x").await.expect(200);
    s3.put("/films/c", "x").await.expect(200);
    Publisher::publish(server.addr(), "films", "cam1").await.finish().await;
    drop(other);
    server.stop_and_check().await;
}

/// A publish that runs waits for its commit twice as long as a request, and loses nothing when that is enough.
#[tokio::test]
async fn a_publish_that_runs_outlasts_a_short_hold() {
    let server = Server::start().await;
    let oss = server.client();
    oss.put("/films", "").await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>100</FragCount></Target>";
    let channel = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    oss.put("/films/cam1?live", channel).await.expect(200);
    let admin = server.service.admin_listen.expect("it listens");
    let failed = async || metric(admin, "livebucket_meta_commit_failures_total").await;
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    let tags = capture("ffmpeg_h264_bframes_aac.flv");
    let before = failed().await;
    let other = hold(server.dir.path());
    publisher.send(&tags).await;
    eventually("a commit gave up once", || async { (failed().await > before).then_some(()) }).await;
    other.execute_batch("ROLLBACK").expect("held");
    publisher.finish().await;
    idle(&oss, "cam1").await;
    let list = Playlist::parse(&oss.get("/films/cam1/playlist.m3u8").await.expect(200).text()).expect("a playlist");
    assert!(list.media_sequence == 0 && list.segments.len() >= 4, "{list:?}");
    assert!(list.segments.iter().all(|segment| !segment.discontinuity), "nothing was lost: {list:?}");
    assert_eq!(metric(admin, "livebucket_fragments_lost_total").await, 0);
    drop(other);
    server.stop_and_check().await;
}

/// A command waits as the service does, and says what keeps it.
#[tokio::test]
async fn a_start_on_a_held_database_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    Program::start(dir.path(), &[]).terminate();
    let other = hold(dir.path());
    let at = data(dir.path());
    let made = run(&["key", "create", "--data", at.to_str().expect("UTF-8"), "--account", "alice"]);
    assert_eq!(made.status.code(), Some(1));
    let said = String::from_utf8(made.stderr).expect("UTF-8");
    assert!(said.contains("another process holds the metadata database"), "{said}");
    drop(other);
    let made = run(&["key", "create", "--data", at.to_str().expect("UTF-8"), "--account", "alice"]);
    assert_eq!(made.status.code(), Some(0));
}
