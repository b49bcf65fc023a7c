//! Stories of one publish, from access units to stored objects.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::live::registry::MediaInput;
use crate::live::testbed::{BEGIN, Bed, aac, audio, avc, begin, channel, configs, play, settle, video};
use crate::media::{AvcConfig, CodecConfig, Track};
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::meta::faulty::{Fault, MetaCall};
use crate::store::objects::{PutRequest, Quota};
use crate::store::{
    ContentHeaders, FragmentRecord, MetaStore, ObjectAttributes, ObjectKey, ObjectKind, StorageClass, WriteCondition,
};

fn unavailable() -> StoreError {
    StoreError::Unavailable("test".into())
}

/// (name after the beginning, sequence, duration in ms, discontinuity)
fn told(fragments: &[FragmentRecord]) -> Vec<(i64, u64, i64, bool)> {
    let tell = |f: &FragmentRecord| (f.name_ms - BEGIN, f.sequence, f.duration.to_millis(), f.discontinuity);
    fragments.iter().map(tell).collect()
}

#[tokio::test]
async fn a_publish_becomes_fragments_and_a_playlist() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 2_520).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    let expected = Outcome { cause: TerminationCause::Unpublished, fragments: 3, fragments_lost: 0, units_dropped: 0 };
    assert_eq!(outcome, expected);
    // A push faster than real time: the names are a millisecond apart, and the first is no discontinuity.
    let fragments = bed.fragments().await;
    assert_eq!(told(&fragments), [(0, 0, 1_000, false), (1, 1, 1_000, false), (2, 2, 520, false)]);
    let playlist = bed.playlist().await;
    assert_eq!((playlist.media_sequence, playlist.target_duration, playlist.ended), (0, 1, false));
    assert_eq!(playlist.segments.len(), 3);
    let report = bed.check_media().await;
    assert_eq!(report.faults, []);
    let units = |track| report.fragments.iter().filter_map(|f| Some(f.track(track)?.access_units)).sum::<u64>();
    assert_eq!((units(Track::Video), units(Track::Audio)), (63, 126));
}

/// Its duration counts the hole, so its sound must reach as far.
#[tokio::test]
async fn silence_in_a_hole_before_a_cut_stands_in_the_fragment_that_ends() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    publisher.send(configs()[1].clone()).await.expect("the connection lasts");
    for ms in (0..400).step_by(20).chain((1_600..2_400).step_by(20)) {
        publisher.send(audio(ms)).await.expect("the connection lasts");
    }
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(told(&bed.fragments().await)[0].2, 1_600);
    let report = bed.check_media().await;
    assert_eq!(report.faults, []);
    let frames = |fragment: usize| report.fragments[fragment].track(Track::Audio).map(|track| track.access_units);
    // 20 frames of 23 ms that came, 48 that did not.
    assert_eq!((frames(0), frames(1)), (Some(68), Some(40)));
}

#[tokio::test]
async fn fragments_and_playlist_are_ordinary_objects() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    let fragment = bed.object(&format!("{BEGIN}.ts")).await.expect("stored");
    assert_eq!(fragment.headers.content_type.as_deref(), Some(&b"video/mp2t"[..]));
    assert_eq!((fragment.etag.parts, fragment.content_md5, fragment.kind), (Some(1), None, ObjectKind::Normal));
    let mut crc = crate::store::digest::Crc64::new();
    crc.update(&bed.body(&format!("{BEGIN}.ts")).await);
    assert_eq!(fragment.crc64, crc.value());
    let playlist = bed.object("playlist.m3u8").await.expect("stored");
    assert_eq!(playlist.headers.content_type.as_deref(), Some(&b"application/x-mpegURL"[..]));
    assert_eq!(playlist.headers.cache_control.as_deref(), Some(&b"no-cache"[..]));
    assert!(playlist.content_md5.is_some());
}

#[tokio::test]
async fn names_are_the_wall_clock_at_the_fragments_start() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    bed.advance(Duration::from_millis(1_007)).await;
    play(&publisher, 1_000, 1_040).await;
    bed.advance(Duration::from_millis(500)).await;
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(told(&bed.fragments().await).iter().map(|f| f.0).collect::<Vec<_>>(), [0, 1_007]);
    assert_eq!(bed.history().await[0].ended, Some(Wall(BEGIN + 1_507)));
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_bring_names_back() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    settle().await;
    bed.clock.set_wall(Wall(BEGIN - 3_600_000));
    play(&publisher, 1_000, 2_500).await;
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(told(&bed.fragments().await).iter().map(|f| f.0).collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn history_and_vod_ranges_stay_in_order_when_the_clock_steps_back() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_040).await;
    bed.advance(Duration::from_millis(1_040)).await;
    bed.clock.set_wall(Wall(BEGIN - 3_600_000));
    play(&publisher, 1_040, 2_040).await;
    publisher.finish(TerminationCause::Unpublished).await;
    let history = bed.history().await;
    assert_eq!(history[0].started, Wall(BEGIN));
    assert!(history[0].ended >= Some(Wall(BEGIN)), "no connection ends before it began: {history:?}");
    // The next connection begins by the clock as it is, and its fragments are named behind all earlier ones.
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    let fragments = bed.fragments().await;
    let sequences: Vec<u64> = fragments.iter().map(|fragment| fragment.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3], "in order of name they are in order of time");
    assert!(fragments.windows(2).all(|pair| pair[0].name_ms < pair[1].name_ms));
    let vod = crate::live::vod::vod_playlist(&fragments).expect("some");
    assert_eq!(vod.segments.iter().map(|s| s.discontinuity).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(bed.check_media().await.faults, []);
}

#[tokio::test]
async fn a_clock_that_steps_a_day_forward_ends_nothing_and_names_go_on_when_it_is_set_back() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_040).await;
    settle().await;
    bed.clock.set_wall(Wall(BEGIN + 86_400_000));
    play(&publisher, 1_040, 2_040).await;
    settle().await;
    assert!(publisher.ended().now_or_never().is_none(), "no deadline follows the wall clock");
    bed.clock.set_wall(Wall(BEGIN + 2_000));
    play(&publisher, 2_040, 3_040).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.cause, outcome.fragments_lost), (TerminationCause::Unpublished, 0));
    let names: Vec<i64> = told(&bed.fragments().await).iter().map(|f| f.0).collect();
    assert_eq!(names, [0, 1, 86_400_000, 86_400_001], "a name that was given is never reached again");
    assert_eq!(bed.check_media().await.faults, []);
}

/// What a crash leaves is ended with the end of the last fragment, which a clock that stepped back put before the start.
#[tokio::test]
async fn a_lost_connection_does_not_end_before_it_began_either() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    bed.clock.set_wall(Wall(BEGIN - 3_600_000));
    play(&publisher, 1_000, 2_040).await;
    settle().await;
    assert!(!bed.fragments().await.is_empty());
    MetaStore::end_lost_connections(&*bed.meta).await.expect("as a start does it");
    assert_eq!(bed.history().await[0].ended, Some(Wall(BEGIN)));
    drop(publisher);
}

#[tokio::test]
async fn taken_name_moves_to_the_next_millisecond() {
    let bed = Bed::new().await;
    for name in [BEGIN, BEGIN + 1] {
        let request = PutRequest {
            bucket: bed.bucket.id,
            key: ObjectKey::in_channel(&channel(), &format!("{name}.ts")),
            kind: ObjectKind::Normal,
            headers: ContentHeaders::default(),
            user_metadata: Vec::new(),
            tags: Vec::new(),
            storage_class: StorageClass::default(),
            attributes: ObjectAttributes::default(),
            acl: None,
            condition: WriteCondition::Always,
            expected_md5: None,
        };
        let mut writer = bed.objects.writer(Digests::Md5AndCrc64);
        writer.write(Bytes::from_static(b"a user's own")).await.expect("memory");
        let body = writer.finish().await.expect("memory");
        bed.objects.put(request, body).await.expect("memory");
    }
    let publisher = bed.publish().await;
    begin(&publisher, 1_500).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(outcome.fragments_lost, 0);
    assert_eq!(told(&bed.fragments().await).iter().map(|f| f.0).collect::<Vec<_>>(), [2, 3]);
    let uris: Vec<_> = bed.playlist().await.segments.into_iter().map(|s| s.uri).collect();
    assert_eq!(uris, [format!("{}.ts", BEGIN + 2), format!("{}.ts", BEGIN + 3)]);
    assert_eq!(bed.body(&format!("{BEGIN}.ts")).await, "a user's own");
}

#[tokio::test]
async fn reconnect_continues_media_sequence_with_one_discontinuity() {
    let bed = Bed::new().await;
    for _ in 0..2 {
        let publisher = bed.publish().await;
        begin(&publisher, 2_000).await;
        publisher.finish(TerminationCause::ConnectionLost).await;
    }
    let fragments = told(&bed.fragments().await);
    let expected = [(0, 0, 1_000, false), (1, 1, 1_000, false), (2, 2, 1_000, true), (3, 3, 1_000, false)];
    assert_eq!(fragments, expected);
    let playlist = bed.playlist().await;
    assert_eq!((playlist.media_sequence, playlist.discontinuity_sequence), (1, 0));
    assert_eq!(playlist.segments.iter().map(|s| s.discontinuity).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(bed.check_media().await.faults, []);
    assert_eq!(bed.history().await.len(), 2);
}

#[tokio::test]
async fn publisher_lost_mid_gop_closes_fragment() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_400).await;
    drop(publisher);
    settle().await;
    assert_eq!(told(&bed.fragments().await)[1], (1, 1, 400, false));
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::ConnectionLost));
    assert_eq!(bed.playlist().await.segments.len(), 2);
}

#[tokio::test]
async fn a_publish_without_media_leaves_history_only() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    for config in configs() {
        publisher.send(config).await.expect("live");
    }
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.fragments, bed.fragments().await.len()), (0, 0));
    assert_eq!(bed.object("playlist.m3u8").await, None);
    assert_eq!(bed.history().await.len(), 1);
}

#[tokio::test]
async fn audio_that_leads_the_first_key_frame_is_kept() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    for config in configs() {
        publisher.send(config).await.expect("live");
    }
    for ms in [0, 23, 46] {
        publisher.send(audio(ms)).await.expect("live");
    }
    publisher.send(video(60, true, 1_000)).await.expect("live");
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    let report = bed.check_media().await;
    assert_eq!((report.faults, outcome.units_dropped), (vec![], 0));
    assert_eq!(report.fragments[0].audio.map(|a| a.access_units), Some(3));
}

#[tokio::test]
async fn audio_alone_is_stored_from_its_first_frame() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    publisher.send(MediaInput::Config(CodecConfig::Aac(aac()))).await.expect("live");
    for ms in (0..5_000).step_by(20) {
        publisher.send(audio(ms)).await.expect("live");
    }
    publisher.finish(TerminationCause::Unpublished).await;
    let durations: Vec<_> = told(&bed.fragments().await).iter().map(|f| f.2).collect();
    // Two seconds were held until it was clear that no video comes; then they are cut as the rest.
    assert_eq!(durations, [1_000; 5]);
    let report = bed.check_media().await;
    let units: u64 = report.fragments.iter().filter_map(|f| Some(f.audio?.access_units)).sum();
    assert_eq!((report.faults, units), (vec![], 250));
}

#[tokio::test]
async fn pictures_before_the_first_key_frame_and_units_without_config_are_counted() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    publisher.send(audio(0)).await.expect("live");
    publisher.send(MediaInput::Config(CodecConfig::Avc(avc()))).await.expect("live");
    publisher.send(video(0, false, 100)).await.expect("live");
    publisher.send(video(40, true, 100)).await.expect("live");
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.units_dropped, outcome.fragments), (2, 1));
}

#[tokio::test]
async fn changed_parameter_sets_cut_with_a_discontinuity_and_repeated_ones_do_not() {
    let bed = Bed::with(10).await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    publisher.send(MediaInput::Config(CodecConfig::Avc(avc()))).await.expect("live");
    play(&publisher, 1_000, 2_000).await;
    let sps = vec![Bytes::from_static(&[0x67, 0x64, 0x00, 0x28, 0xac])];
    let changed = AvcConfig { sps, ..avc() };
    publisher.send(MediaInput::Config(CodecConfig::Avc(changed))).await.expect("live");
    play(&publisher, 2_000, 3_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(told(&bed.fragments().await), [(0, 0, 2_000, false), (1, 1, 1_000, true)]);
    assert_eq!(bed.check_media().await.faults, []);
}

#[tokio::test]
async fn an_encoder_that_jumps_ahead_makes_no_absurd_duration() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    play(&publisher, 3_000_000, 3_001_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    let fragments = told(&bed.fragments().await);
    assert_eq!(fragments.len(), 2);
    assert!(fragments[1].3, "{fragments:?}");
    assert!(fragments.iter().all(|f| (960..=1_060).contains(&f.2)), "{fragments:?}");
    assert_eq!(bed.check_media().await.faults, []);
}

#[tokio::test]
async fn the_publishers_playlist_has_a_window_of_its_own() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    let request = PublishRequest { playlist_name: Some("other.m3u8".into()), ..bed.request() };
    let publisher = bed.registry.publish(request).await.expect("free");
    begin(&publisher, 1_000).await;
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(bed.playlist().await.segments.len(), 1);
    let other = String::from_utf8(bed.body("other.m3u8").await.into()).expect("text");
    assert_eq!(other.matches(".ts").count(), 1);
    assert!(!other.contains("DISCONTINUITY"), "{other}");
    assert!(told(&bed.fragments().await)[1].3);
}

/// What is logged while its guard lives, by this thread, on which a test's tasks all run.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    fn lines_with(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("short").clone()).expect("UTF-8");
        text.lines().filter(|line| line.contains(words)).map(String::from).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("short").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn storage_failure_drops_one_fragment_says_so_and_marks_the_next() {
    let log = Log::default();
    let _guard = log.begin();
    let bed = Bed::new().await;
    bed.meta.fail_later(MetaCall::CommitFragment, 1, 2, Fault::Before(unavailable()));
    let publisher = bed.publish().await;
    begin(&publisher, 4_000).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.fragments, outcome.fragments_lost), (3, 1));
    let lines = log.lines_with("fragment lost");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("ERROR") && line.contains("channel=ch") && line.contains("sequence=1"), "{line}");
    let expected = [(0, 0, 1_000, false), (2, 2, 1_000, true), (3, 3, 1_000, false)];
    assert_eq!(told(&bed.fragments().await), expected);
    let playlist = bed.playlist().await;
    assert_eq!(playlist.segments.iter().map(|s| s.discontinuity).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(bed.check_media().await.faults, []);
}

#[tokio::test]
async fn a_commit_is_tried_again_once_and_a_lost_answer_is_found() {
    for fault in [Fault::Before(unavailable()), Fault::After(unavailable())] {
        let bed = Bed::new().await;
        bed.meta.fail_later(MetaCall::CommitFragment, 1, 1, fault);
        let publisher = bed.publish().await;
        begin(&publisher, 3_000).await;
        let outcome = publisher.finish(TerminationCause::Unpublished).await;
        assert_eq!((outcome.fragments, outcome.fragments_lost), (3, 0));
        let expected = [(0, 0, 1_000, false), (1, 1, 1_000, false), (2, 2, 1_000, false)];
        assert_eq!(told(&bed.fragments().await), expected);
        assert_eq!((bed.playlist().await.media_sequence, bed.playlist().await.segments.len()), (0, 3));
    }
}

#[tokio::test]
async fn a_commit_whose_answers_are_lost_keeps_its_name_and_its_number() {
    let bed = Bed::new().await;
    bed.meta.fail(MetaCall::CommitFragment, 2, Fault::After(unavailable()));
    let publisher = bed.publish().await;
    begin(&publisher, 2_000).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.fragments, outcome.fragments_lost), (2, 0));
    assert_eq!(told(&bed.fragments().await), [(0, 0, 1_000, false), (1, 1, 1_000, false)]);
    let playlist = bed.playlist().await;
    assert_eq!((playlist.media_sequence, playlist.segments.len()), (0, 2), "the number of the first is still its own");
}

#[tokio::test]
async fn until_a_commit_without_an_answer_is_known_nothing_is_committed() {
    let bed = Bed::new().await;
    bed.meta.fail(MetaCall::CommitFragment, 2, Fault::After(unavailable()));
    bed.meta.fail(MetaCall::LastFragment, 1, Fault::Before(unavailable()));
    let publisher = bed.publish().await;
    begin(&publisher, 3_000).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.fragments, outcome.fragments_lost), (2, 1));
    assert_eq!(told(&bed.fragments().await), [(0, 0, 1_000, false), (1, 2, 1_000, true)]);
    let marks: Vec<bool> = bed.playlist().await.segments.iter().map(|segment| segment.discontinuity).collect();
    assert_eq!(marks, [false, true]);
}

#[tokio::test]
async fn a_disk_that_fails_in_the_middle_of_a_fragment_loses_that_one_only() {
    for (call, nth) in [(BlobCall::Create, 2), (BlobCall::Append, 1), (BlobCall::Finish, 2)] {
        let bed = Bed::new().await;
        bed.blobs.on(call, nth, BlobFault::Fail(unavailable()));
        let publisher = bed.publish().await;
        begin(&publisher, 3_000).await;
        let outcome = publisher.finish(TerminationCause::Unpublished).await;
        assert_eq!((outcome.fragments, outcome.fragments_lost), (2, 1), "{call:?}");
        assert_eq!(bed.check_media().await.faults, [], "{call:?}");
    }
}

#[tokio::test]
async fn three_failures_in_a_row_end_the_connection() {
    let bed = Bed::new().await;
    bed.meta.fail_later(MetaCall::CommitFragment, 1, usize::MAX, Fault::Before(unavailable()));
    let publisher = bed.publish().await;
    begin(&publisher, 3_040).await;
    settle().await;
    assert!(publisher.ended().now_or_never().is_none(), "two failures are borne");
    play(&publisher, 3_040, 4_040).await;
    assert_eq!(publisher.ended().await, TerminationCause::StorageError);
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.cause, outcome.fragments), (TerminationCause::StorageError, 1));
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::StorageError));
}

#[tokio::test]
async fn failures_that_are_not_in_a_row_do_not_end_it() {
    let bed = Bed::new().await;
    for skip in [0, 2, 4, 6] {
        bed.meta.fail_later(MetaCall::CommitFragment, skip, 2, Fault::Before(unavailable()));
    }
    let publisher = bed.publish().await;
    begin(&publisher, 9_000).await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.cause, outcome.fragments + outcome.fragments_lost), (TerminationCause::Unpublished, 9));
    assert!(outcome.fragments_lost >= 2, "{outcome:?}");
}

#[tokio::test]
async fn a_newer_owner_ends_this_one() {
    let bed = Bed::new().await;
    bed.meta.fail(MetaCall::CommitFragment, 1, Fault::Before(StoreError::StaleEpoch));
    let publisher = bed.publish().await;
    begin(&publisher, 1_040).await;
    assert_eq!(publisher.ended().await, TerminationCause::StorageError);
}

#[tokio::test]
async fn commits_do_not_stop_media_until_two_are_in_flight() {
    let bed = Bed::new().await;
    let stall = bed.meta.stall(MetaCall::CommitFragment);
    let publisher = bed.publish().await;
    // Two closed fragments, one open, and what the queue takes: far more than two seconds pass without a commit.
    begin(&publisher, 3_000).await;
    assert_eq!(bed.fragments().await, []);
    let mut sent = 3_000;
    while futures_util::future::poll_immediate(Box::pin(publisher.send(video(sent, sent % 1_000 == 0, 4_000)))).await
        == Some(Ok(()))
    {
        sent += 40;
        settle().await;
        assert!(sent < 60_000, "nothing pushes back");
    }
    drop(stall);
    settle().await;
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(outcome.fragments_lost, 0);
    assert_eq!(bed.fragments().await.len() as u64, outcome.fragments);
    assert_eq!(bed.check_media().await.faults, []);
}

#[tokio::test]
async fn a_stalled_commit_ends_the_connection() {
    let bed = Bed::new().await;
    let stall = bed.meta.stall(MetaCall::CommitFragment);
    let publisher = bed.publish().await;
    begin(&publisher, 1_040).await;
    bed.advance(limits::STORE_STALL - Duration::from_secs(1)).await;
    assert!(publisher.ended().now_or_never().is_none());
    bed.advance(Duration::from_secs(1)).await;
    assert_eq!(publisher.ended().await, TerminationCause::StorageError);
    drop(stall);
    assert_eq!(publisher.finish(TerminationCause::Unpublished).await.cause, TerminationCause::StorageError);
}

#[tokio::test]
async fn a_stalled_write_ends_the_connection() {
    let bed = Bed::with(100).await;
    bed.blobs.on(BlobCall::Append, 1, BlobFault::Stall);
    let publisher = bed.publish().await;
    begin(&publisher, 2_000).await;
    bed.advance(limits::STORE_STALL).await;
    assert_eq!(publisher.ended().await, TerminationCause::StorageError);
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.fragments, outcome.fragments_lost), (0, 1));
}

#[tokio::test]
async fn without_room_for_fragments_the_connection_ends() {
    let bed = Bed::with_quota(Quota { free_space_floor: 1_000_000, ..Quota::default() }).await;
    bed.blobs.set_available(10_000_000);
    let publisher = bed.publish().await;
    begin(&publisher, 2_040).await;
    settle().await;
    bed.blobs.set_available(999_999);
    bed.clock.advance(limits::FREE_SPACE_LOOK);
    play(&publisher, 2_040, 5_040).await;
    assert_eq!(publisher.ended().await, TerminationCause::StorageError);
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!((outcome.cause, outcome.fragments > 0), (TerminationCause::StorageError, true));
    assert_eq!(bed.check_media().await.faults, [], "what was stored plays");
}

#[tokio::test]
async fn an_end_that_cannot_be_written_is_written_once_the_store_takes_it() {
    for error in [unavailable(), StoreError::Full] {
        let bed = Bed::new().await;
        bed.meta.fail(MetaCall::EndConnection, 2, Fault::Before(error.clone()));
        let publisher = bed.publish().await;
        begin(&publisher, 1_000).await;
        publisher.finish(TerminationCause::Unpublished).await;
        assert_eq!(bed.history().await.len(), 0, "{error:?}");
        assert_eq!(bed.registry.publish(bed.request()).await.err(), Some(PublishError::AlreadyLive), "{error:?}");
        bed.advance(limits::END_RETRY).await;
        bed.advance(limits::END_RETRY).await;
        assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished), "{error:?}");
        drop(bed.publish().await);
    }
}

#[tokio::test]
async fn a_disk_without_space_costs_a_fragment_and_the_stream_goes_on() {
    for (call, nth) in [(BlobCall::Create, 2), (BlobCall::Append, 4), (BlobCall::Finish, 2)] {
        let bed = Bed::new().await;
        bed.blobs.on(call, nth, BlobFault::Fail(StoreError::Full));
        let publisher = bed.publish().await;
        begin(&publisher, 4_000).await;
        let outcome = publisher.finish(TerminationCause::Unpublished).await;
        assert_eq!((outcome.cause, outcome.fragments_lost), (TerminationCause::Unpublished, 1), "{call:?}");
        let marks = bed.playlist().await.segments.iter().filter(|segment| segment.discontinuity).count();
        assert_eq!(marks, 1, "{call:?}: the gap is marked");
        assert_eq!(bed.check_media().await.faults, [], "{call:?}");
    }
}
