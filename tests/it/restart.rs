//! Death at any moment: what was acknowledged is there, what was not has left nothing behind.

use livebucket::codec::m3u8::Playlist;

use crate::support::program::{Program, data, run_ok};
use crate::support::rtmp::{Publisher, capture};
use crate::support::viewer::Watch;
use crate::support::{Client, eventually};

async fn prepare(client: &Client) {
    client.put("/films", "").await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>2</FragDuration><FragCount>2</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
}

/// How many fragments a playlist has ever listed.
fn listed(playlist: &Playlist) -> u64 {
    playlist.media_sequence + playlist.segments.len() as u64
}

/// How many discontinuities it has ever stated.
fn stated(playlist: &Playlist) -> u64 {
    let marks = playlist.segments.iter().filter(|segment| segment.discontinuity).count();
    playlist.discontinuity_sequence + marks as u64
}

#[tokio::test]
async fn a_kill_in_mid_publish_loses_at_most_the_open_fragment() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let tags = capture("ffmpeg_h264_bframes_aac.flv");
    let mut fragments = 0;
    // One viewer through all lives: the sequence goes on, and what has been listed stays what it was. Each life makes two
    // fragments, so that between two looks no more leave the window than stood in it.
    let mut watch = Watch::default();
    // Killed as soon as a fragment of this life is acknowledged.
    for life in 1..=4usize {
        let program = Program::start(dir.path(), &[]);
        let client = program.client();
        if life == 1 {
            prepare(&client).await;
        }
        let mut publisher = Publisher::publish(program.addr, "films", "cam1").await;
        publisher.send(&tags[..tags.len() * 2 / 5]).await;
        eventually("another fragment", || async {
            let got = client.get("/films/cam1/playlist.m3u8").await;
            (got.status == 200 && listed(&Playlist::parse(&got.text()).expect("a playlist")) > fragments).then_some(())
        })
        .await;
        let before = watch.look(&client).await.expect("it was there");
        program.kill();
        if life == 2 {
            run_ok(&["check", "--recover", "--data", data]);
        }

        let program = Program::start(dir.path(), &[]);
        let client = program.client();
        let after = watch.look(&client).await.expect("it was acknowledged");
        assert!(listed(&after) >= listed(&before) && after.segments.len() <= 2, "{before:?} {after:?}");
        assert!(listed(&after) <= 2 * life as u64 && (life < 3 || after.media_sequence > 0), "{after:?}");
        for segment in &after.segments {
            let got = client.get(&format!("/films/cam1/{}", segment.uri)).await.expect(200);
            assert_eq!(got.body.len() % 188, 0);
        }
        let stat = client.get("/films/cam1?live&comp=stat").await.expect(200).text();
        assert!(stat.contains("<Status>Idle</Status>"), "{stat}");
        let history = client.get("/films/cam1?live&comp=history").await.expect(200).text();
        assert_eq!(history.matches("<EndTime>").count(), life, "{history}");
        assert_eq!(stated(&after), life as u64 - 1, "each later connection begins behind a discontinuity: {after:?}");
        fragments = listed(&after);
        program.terminate();
        run_ok(&["check", "--data", data]);
    }
}

#[tokio::test]
async fn a_kill_between_acknowledged_puts_loses_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = data(dir.path());
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    let writer = {
        let client = client.clone();
        async move {
            let mut acknowledged = Vec::new();
            for number in 0..40usize {
                // Small ones live in the database, large ones in files; some are overwritten.
                let size = if number % 2 == 0 { 1_000 } else { 90_000 };
                let key = format!("/films/{}", number % 30);
                client.put(&key, vec![number as u8; size]).await.expect(200);
                acknowledged.retain(|(k, _, _): &(String, usize, usize)| *k != key);
                acknowledged.push((key, number, size));
            }
            acknowledged
        }
    };
    let acknowledged = writer.await;
    program.kill();
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    for (key, number, size) in acknowledged {
        assert_eq!(client.get(&key).await.expect(200).body, vec![number as u8; size], "{key}");
    }
    program.terminate();
    run_ok(&["check", "--data", data.to_str().expect("UTF-8")]);
}

/// The text of the first `<name>`.
fn element(text: &str, name: &str) -> String {
    let rest = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {text}")).1;
    rest[..rest.find('<').expect("closed")].to_owned()
}

#[tokio::test]
async fn a_kill_in_mid_upload_loses_no_acknowledged_part() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/big", "old").await.expect(200);
    let begun = client.send("POST", "/films/big?uploads", &[("x-oss-meta-a", "b")], "").await.expect(200);
    let id = element(&begun.text(), "UploadId");
    let bytes = |number: usize| vec![number as u8; if number == 6 { 1_000 } else { 100 * 1024 + number }];
    let put = async |client: &Client, number: usize| {
        client.put(&format!("/films/big?partNumber={number}&uploadId={id}"), bytes(number)).await.expect(200)
    };
    for number in 1..=3 {
        put(&client, number).await;
    }
    program.kill();

    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    let listed = client.get(&format!("/films/big?uploadId={id}")).await.expect(200).text();
    assert_eq!(listed.matches("<Part>").count(), 3, "{listed}");
    assert_eq!(client.get("/films/big").await.expect(200).text(), "old");
    for number in 4..=6 {
        put(&client, number).await;
    }
    let all = [("x-oss-complete-all", "yes")];
    let done = client.send("POST", &format!("/films/big?uploadId={id}"), &all, "").await.expect(200);
    program.kill();

    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    let again = client.send("POST", &format!("/films/big?uploadId={id}"), &all, "").await.expect(200);
    assert_eq!(element(&again.text(), "ETag"), element(&done.text(), "ETag"), "the answer may have been lost");
    let got = client.get("/films/big").await.expect(200);
    assert_eq!(got.body, (1..=6).flat_map(bytes).collect::<Vec<u8>>());
    assert_eq!((got.header("x-oss-meta-a"), got.header("x-oss-object-type")), ("b", "Multipart"));
    let left = client.send("POST", "/films/other?uploads", &[], "").await.expect(200);
    let left = element(&left.text(), "UploadId");
    client.put(&format!("/films/other?partNumber=1&uploadId={left}"), bytes(1)).await.expect(200);
    program.terminate();
    let report = run_ok(&["check", "--data", data]);
    assert!(report.contains("1 parts of open uploads"), "{report}");
}
