//! Failures that other live servers' users report, told to the whole service over RTMP: each ends in a playlist and
//! fragments that a player of them finds sound. What is pure is told beside the code; here stands what only the whole
//! path can show.

use livebucket::codec::m3u8::Playlist;
use livebucket::codec::playback::PlaybackReport;
use livebucket::codec::rtmp::message::MediaKind;

use crate::support::eventually;
use crate::support::program::Program;
use crate::support::rtmp::{Publisher, Tag};
use crate::support::streams::{audio_header, header, picture, sound, stream};
use crate::support::viewer::{Watch, play, publish, push, start};

// ---- what a player sees --------------------------------------------------------------------------------------

/// Publishes these tags on a fresh channel; the playlist must be sound.
async fn told(tags: &[Tag]) -> (Playlist, PlaybackReport) {
    let (server, client) = start(100).await;
    publish(&server, tags).await;
    let (playlist, report) = play(&client).await;
    assert!(report.is_clean(), "{report}\n{}", playlist.render());
    server.stop_and_check().await;
    (playlist, report)
}

fn millis(playlist: &Playlist) -> Vec<i64> {
    playlist.segments.iter().map(|segment| segment.duration.to_millis()).collect()
}

fn marks(playlist: &Playlist) -> Vec<usize> {
    let segments = playlist.segments.iter().enumerate();
    segments.filter(|(_, segment)| segment.discontinuity).map(|(index, _)| index).collect()
}

fn pictures(report: &PlaybackReport) -> u64 {
    report.fragments.iter().flatten().filter_map(|fragment| fragment.video).map(|video| video.access_units).sum()
}

fn frames(report: &PlaybackReport) -> u64 {
    report.fragments.iter().flatten().filter_map(|fragment| fragment.audio).map(|audio| audio.access_units).sum()
}

// ---- timestamps ----------------------------------------------------------------------------------------------

/// A start at 16 774 000 ms once made a first EXTINF of hours; the edge of 24 bits and the wrap of 32 lie in the stream.
#[tokio::test]
async fn a_clock_that_starts_far_from_zero_and_crosses_its_edges_makes_the_same_playlist() {
    for from in [0, 16_774_000, u32::MAX - 3_000] {
        let (playlist, report) = told(&stream(from, 8_000)).await;
        assert_eq!((millis(&playlist), playlist.target_duration), (vec![2_000; 4], 2), "from {from}");
        assert_eq!((pictures(&report), frames(&report)), (200, 400), "from {from}");
        assert_eq!(marks(&playlist), [0; 0], "from {from}");
    }
}

#[tokio::test]
async fn a_negative_composition_time_is_no_16_million_milliseconds() {
    let mut tags = vec![header(0, false)];
    let offsets = [0, 80, 0, -40, 40];
    tags.extend((0..100).map(|n| picture(n * 40, n % 25 == 0, offsets[n as usize % 5], 300)));
    let (playlist, report) = told(&tags).await;
    assert_eq!(pictures(&report), 100);
    // Decode times are moved back by 40 ms once, to make room: the second key frame comes that much too early to cut.
    assert_eq!(millis(&playlist), [2_960, 1_000]);
}

#[tokio::test]
async fn a_clock_that_jumps_hours_ahead_or_back_makes_no_absurd_duration() {
    for jump in [3 * 3_600_000, 0u32.wrapping_sub(7_000)] {
        let mut tags = stream(20_000, 4_000);
        tags.extend(stream(24_000u32.wrapping_add(jump), 4_000));
        let (playlist, report) = told(&tags).await;
        assert!(millis(&playlist).iter().all(|ms| (1_900..=2_100).contains(ms)), "{jump}: {:?}", millis(&playlist));
        assert_eq!(marks(&playlist).len(), 1, "{jump}: {}", playlist.render());
        assert_eq!(pictures(&report), 200, "{jump}");
    }
}

#[tokio::test]
async fn timestamps_that_step_back_a_little_are_mended_without_a_discontinuity() {
    let mut tags = stream(0, 6_000);
    for tag in tags.iter_mut().skip(100).step_by(17) {
        tag.timestamp = tag.timestamp.saturating_sub(120);
    }
    let (playlist, report) = told(&tags).await;
    assert_eq!((marks(&playlist), pictures(&report), frames(&report)), (vec![], 150, 300));
}

#[tokio::test]
async fn tracks_on_clocks_of_their_own_are_not_cut_for_ever() {
    let mut tags = stream(0, 8_000);
    for tag in tags.iter_mut().filter(|tag| tag.kind == MediaKind::Audio) {
        tag.timestamp = tag.timestamp.wrapping_add(1_700_000_000);
    }
    let (playlist, report) = told(&tags).await;
    assert_eq!(millis(&playlist), [2_000; 4]);
    assert_eq!((pictures(&report), frames(&report)), (200, 400));
}

#[tokio::test]
async fn constant_zero_timestamps_are_stored_and_end() {
    let mut tags = stream(0, 2_000);
    tags.iter_mut().for_each(|tag| tag.timestamp = 0);
    let (playlist, report) = told(&tags).await;
    assert_eq!((playlist.segments.len(), pictures(&report)), (1, 50));
}

// ---- structure -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_sequence_header_at_every_key_frame_is_no_discontinuity() {
    let tags = stream(0, 8_000).into_iter().flat_map(|tag| {
        let is_key = tag.kind == MediaKind::Video && tag.body[0] == 0x17 && tag.body[1] == 1;
        let repeated = is_key.then(|| [header(tag.timestamp, false), audio_header(tag.timestamp)]);
        repeated.into_iter().flatten().chain([tag]).collect::<Vec<_>>()
    });
    let (playlist, _) = told(&tags.collect::<Vec<_>>()).await;
    assert_eq!((marks(&playlist), millis(&playlist)), (vec![], vec![2_000; 4]));
}

#[tokio::test]
async fn a_resolution_that_changes_in_mid_stream_cuts_with_a_discontinuity() {
    let mut tags = stream(0, 3_000);
    tags.push(header(3_000, true));
    tags.extend(stream(3_000, 5_000).into_iter().skip(2));
    let (playlist, report) = told(&tags).await;
    assert_eq!(marks(&playlist).len(), 1, "{}", playlist.render());
    assert_eq!(millis(&playlist)[..2], [2_000, 1_000], "cut where it changed");
    assert_eq!(pictures(&report), 200);
}

#[tokio::test]
async fn minutes_without_a_key_frame_are_cut_by_force_after_one() {
    let mut tags = vec![header(0, false), audio_header(0)];
    for at in (0..150_000).step_by(200) {
        tags.extend([picture(at, at == 0, 0, 200), sound(at + 7)]);
    }
    let (playlist, report) = told(&tags).await;
    assert_eq!(millis(&playlist)[..2], [60_000, 60_000]);
    assert_eq!((playlist.target_duration, pictures(&report), frames(&report)), (60, 750, 750));
}

/// Whatever is wrong with a stream all along is said once, not at each picture.
#[tokio::test]
async fn minutes_without_a_key_frame_are_no_flood_of_log_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    let body = "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>2</FragDuration></Target>\
                </LiveChannelConfiguration>";
    let key_frame_at = |first: Option<u32>| {
        let pictures =
            (0..60_000).step_by(40).flat_map(move |at| [picture(at, Some(at) == first, 0, 200), sound(at + 7)]);
        [header(0, false), audio_header(0)].into_iter().chain(pictures).collect::<Vec<_>>()
    };
    // One in the beginning only, and none at all: 1500 pictures each, in the second of which nobody can see one.
    for (channel, first) in [("once", Some(0)), ("never", None)] {
        client.put(&format!("/films/{channel}?live"), body).await.expect(200);
        push(program.addr, channel, &key_frame_at(first)).await;
    }
    let (_, log) = program.terminate();
    assert_eq!(log.lines().filter(|line| line.contains("publish ends")).count(), 2, "{log}");
    assert!(log.lines().count() <= 40, "{} lines of 3000 pictures\n{log}", log.lines().count());
}

#[tokio::test]
async fn a_picture_alone_lists_no_audio_and_sound_alone_no_video() {
    let video: Vec<Tag> = stream(0, 5_000).into_iter().filter(|tag| tag.kind == MediaKind::Video).collect();
    let (playlist, report) = told(&video).await;
    // A track that the map listed and that never came would be a fault.
    assert_eq!((millis(&playlist), frames(&report)), (vec![2_000, 2_000, 1_000], 0));
    let audio: Vec<Tag> = stream(0, 5_000).into_iter().filter(|tag| tag.kind == MediaKind::Audio).collect();
    let (playlist, report) = told(&audio).await;
    assert_eq!((millis(&playlist), pictures(&report), frames(&report)), (vec![2_000, 2_000, 1_000], 0, 250));
}

#[tokio::test]
async fn every_frame_a_key_frame_makes_no_more_fragments() {
    let mut tags = vec![header(0, false)];
    tags.extend((0..200).map(|n| picture(n * 40, true, 0, 300)));
    assert_eq!(millis(&told(&tags).await.0), [2_000; 4]);
}

// ---- connections ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_discontinuity_that_scrolls_out_is_counted_and_the_sequence_goes_on() {
    let (server, client) = start(3).await;
    let mut watch = Watch::default();
    let (mut sequence, mut discontinuities) = (0, 0);
    for connection in 0..4u64 {
        publish(&server, &stream(0, 4_000)).await;
        watch.look(&client).await.expect("a playlist");
        let (playlist, report) = play(&client).await;
        assert!(report.is_clean(), "{report}\n{}", playlist.render());
        let listed = playlist.segments.len() as u64;
        assert_eq!(playlist.media_sequence + listed, 2 * (connection + 1), "two fragments a connection");
        assert_eq!(
            playlist.discontinuity_sequence + marks(&playlist).len() as u64,
            connection,
            "one mark each but the first"
        );
        assert!(playlist.media_sequence >= sequence && playlist.discontinuity_sequence >= discontinuities);
        (sequence, discontinuities) = (playlist.media_sequence, playlist.discontinuity_sequence);
    }
    assert_eq!((sequence, discontinuities), (5, 2));
    server.stop_and_check().await;
}

#[tokio::test]
async fn the_last_partial_fragment_is_listed_however_the_publisher_went() {
    let (server, client) = start(100).await;
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&stream(0, 5_000)).await;
    // No unpublish, no close of the stream: the socket is gone.
    drop(publisher);
    eventually("what was sent is listed", || async {
        let got = client.get("/films/cam1/playlist.m3u8").await;
        (got.status == 200 && got.text().matches("#EXTINF").count() == 3).then_some(())
    })
    .await;
    let (playlist, report) = play(&client).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((millis(&playlist), playlist.ended), (vec![2_000, 2_000, 1_000], false));
    server.stop_and_check().await;
}

#[tokio::test]
async fn sixty_megabits_a_second_are_stored_whole() {
    let mut tags = vec![header(0, false), audio_header(0)];
    for at in (0..3_000).step_by(40) {
        tags.extend([picture(at, at % 1_000 == 0, 0, if at % 1_000 == 0 { 2_000_000 } else { 220_000 }), sound(at)]);
    }
    let (playlist, report) = told(&tags).await;
    assert_eq!((millis(&playlist), pictures(&report)), (vec![2_000, 1_000], 75));
}
