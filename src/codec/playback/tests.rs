//! Playlists that agree with their fragments, and every way in which they do not.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::codec::aac;
use crate::codec::mpegts::PACKET_BYTES;
use crate::codec::mpegts::mux::TsMuxer;
use crate::media::{AacConfig, AvcConfig};

const FORCED: ForcedCuts = ForcedCuts { after: MediaTime::from_secs(60), bytes: u64::MAX };
const MS: fn(i64) -> MediaTime = MediaTime::from_millis;

fn avc() -> AvcConfig {
    AvcConfig {
        nal_length_size: 4,
        sps: vec![Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x40])],
        pps: vec![Bytes::from_static(&[0x68, 0xce, 0x3c, 0x80])],
        width: 640,
        height: 480,
        frame_rate_millihertz: None,
    }
}

fn aac() -> AacConfig {
    aac::parse_audio_specific_config(&Bytes::from_static(&[0x12, 0x10])).expect("LC 44.1 kHz stereo")
}

/// Pictures every 40 ms and sound beside them, from `from` to `to`, the first picture a key frame or not.
fn fragment(muxer: &mut TsMuxer, from: i64, to: i64, keyframe: bool) -> Vec<u8> {
    let mut out = BytesMut::new();
    muxer.begin_fragment(&mut out, true, true);
    for ms in (from..to).step_by(40) {
        let key = keyframe && ms == from;
        let avcc = [0, 0, 0, 2, if key { 0x65 } else { 0x41 }, 0x88];
        muxer.video(&mut out, MS(ms), MS(ms), key, &avcc, &avc()).expect("an access unit");
        muxer.audio(&mut out, MS(ms + 5), &[0x21; 20], &aac());
    }
    out.to_vec()
}

/// Three fragments of a connection, of two seconds each.
fn three() -> Vec<Vec<u8>> {
    let mut muxer = TsMuxer::new();
    [0, 2_000, 4_000].map(|from| fragment(&mut muxer, from, from + 2_000, true)).to_vec()
}

/// Segments of these milliseconds, marked or not.
fn playlist(segments: &[(i64, bool)]) -> Playlist {
    let segment = |(index, &(millis, discontinuity)): (usize, &(i64, bool))| Segment {
        uri: format!("{index}.ts"),
        duration: MS(millis),
        discontinuity,
    };
    let segments = segments.iter().enumerate().map(segment).collect();
    Playlist { media_sequence: 7, target_duration: 2, segments, ..Playlist::default() }
}

fn check(playlist: &Playlist, fragments: &[Vec<u8>]) -> PlaybackReport {
    let mut checker = PlaybackChecker::new(playlist, FORCED);
    fragments.iter().for_each(|bytes| checker.fragment(Ok(bytes)));
    checker.finish()
}

fn lines(report: &PlaybackReport) -> Vec<String> {
    report.to_string().lines().map(str::to_owned).collect()
}

const PLAIN: [(i64, bool); 3] = [(2_000, false), (2_000, false), (2_000, false)];

#[test]
fn a_sound_stream_has_no_fault_and_is_counted() {
    let report = check(&playlist(&PLAIN), &three());
    assert!(report.is_clean(), "{report}");
    assert_eq!(lines(&report), ["3 fragments of 6.000 s: 150 pictures (3 key frames), 150 AAC frames, 0 faults"]);
}

#[test]
fn extinf_is_the_distance_to_the_next_fragment_within_a_millisecond() {
    let stated = |millis| lines(&check(&playlist(&[(millis, false), PLAIN[1], PLAIN[2]]), &three()))[0].clone();
    for near in [1_999, 2_001] {
        assert!(stated(near).starts_with("3 fragments"), "{}", stated(near));
    }
    assert_eq!(stated(1_998), "fragment 0 (0.ts): EXTINF 1.998 s, its media lasts 2.000 s");
    assert_eq!(stated(2_002), "fragment 0 (0.ts): EXTINF 2.002 s, its media lasts 2.000 s");
}

#[test]
fn without_a_neighbour_a_fragment_lasts_at_least_its_own_media() {
    let last = |millis| lines(&check(&playlist(&[PLAIN[0], PLAIN[1], (millis, false)]), &three()))[0].clone();
    assert_eq!(last(1_900), "fragment 2 (2.ts): EXTINF 1.900 s, its media lasts 1.960 s");
    assert!(last(1_960).starts_with("3 fragments"));
    // A last picture that stands for a while is no fault of the playlist.
    let long = check(&Playlist { target_duration: 9, ..playlist(&[PLAIN[0], PLAIN[1], (9_000, false)]) }, &three());
    assert!(long.is_clean(), "{long}");
    let endless = Playlist { target_duration: 99, ..playlist(&[PLAIN[0], PLAIN[1], (99_000, false)]) };
    let expected = "fragment 2 (2.ts): EXTINF 99.000 s, its media lasts 12.005 s";
    assert_eq!(lines(&check(&endless, &three()))[0], expected);
}

#[test]
fn a_new_connection_needs_its_discontinuity() {
    let mut fragments = three();
    fragments[2] = fragment(&mut TsMuxer::new(), 90_000, 92_000, true);
    let marked = check(&playlist(&[PLAIN[0], PLAIN[1], (2_000, true)]), &fragments);
    assert!(marked.is_clean(), "{marked}");
    let unmarked = check(&playlist(&PLAIN), &fragments);
    let is_counter = |fault: &PlaybackFault| {
        matches!(&fault.kind, PlaybackFaultKind::Media(fault)
            if matches!(fault.kind, crate::codec::mpegts::check::FaultKind::Continuity { .. }))
    };
    assert!(unmarked.faults.iter().any(|fault| fault.fragment == Some(2) && is_counter(fault)), "{unmarked}");
    let expected = PlaybackFaultKind::Duration { stated: MS(2_000), actual: MS(88_000) };
    assert!(unmarked.faults.contains(&PlaybackFault { fragment: Some(1), kind: expected }), "{unmarked}");
}

#[test]
fn what_follows_a_fragment_that_is_not_listed_may_follow_a_forced_cut() {
    let mut muxer = TsMuxer::new();
    let fragments = [(0, true), (2_000, false), (4_000, false)];
    let fragments = fragments.map(|(from, keyframe)| fragment(&mut muxer, from, from + 2_000, keyframe));
    let vod = Playlist { media_sequence: 0, ended: true, ..playlist(&PLAIN[1..]) };
    let faults = |playlist: &Playlist, fragments: &[Vec<u8>], known: &[Option<bool>]| {
        let mut checker = PlaybackChecker::new(playlist, FORCED).behind_unlisted(|index| known[index]);
        fragments.iter().for_each(|bytes| checker.fragment(Ok(bytes)));
        checker.finish().faults.iter().map(|fault| fault.fragment).collect::<Vec<_>>()
    };
    // The range of an on-demand playlist begins anywhere, and only its first fragment is behind what it leaves out.
    assert_eq!(faults(&vod, &fragments[1..], &[None; 2]), [Some(1)]);
    assert_eq!(faults(&vod, &fragments[1..], &[Some(false), None]), [Some(0), Some(1)], "the very first of a channel");
    // One between was deleted.
    let gap = Playlist { media_sequence: 0, ended: true, ..playlist(&[PLAIN[0], (2_000, true)]) };
    let around = [fragments[0].clone(), fragments[2].clone()];
    assert_eq!(faults(&gap, &around, &[None; 2]), [Some(1)]);
    assert_eq!(faults(&gap, &around, &[None, Some(true)]), []);
    // A live playlist that nothing has left begins with a key frame.
    assert_eq!(faults(&Playlist { ended: false, ..vod }, &fragments[1..2], &[None; 2])[0], Some(0));
}

#[test]
fn the_target_duration_covers_every_fragment() {
    let low = check(&Playlist { target_duration: 1, ..playlist(&PLAIN) }, &three());
    assert_eq!(low.faults.len(), 3);
    assert_eq!(lines(&low)[1], "fragment 1 (1.ts): EXTINF 2.000 s is above the target duration of 1 s");
}

#[test]
fn the_target_duration_has_a_reason() {
    let of = |target_duration, segments| Playlist { target_duration, ..playlist(segments) };
    // A fragment that sound cut by force, behind a pause, may have left.
    assert!(check(&of(71, &PLAIN), &three()).is_clean());
    let expected =
        "playlist: the target duration of 72 s is above every fragment's, of which the longest may have 71 s";
    assert_eq!(lines(&check(&of(72, &PLAIN), &three()))[0], expected);
    // What is listed is a reason, however long it is.
    let long = [PLAIN[0], PLAIN[1], (72_000, false)];
    let report = check(&of(72, &long), &three());
    assert!(report.faults.iter().all(|fault| fault.fragment == Some(2)), "{report}");
}

#[test]
fn the_first_fragment_of_all_is_not_marked() {
    let marked = playlist(&[(2_000, true), PLAIN[1], PLAIN[2]]);
    assert!(check(&marked, &three()).is_clean(), "an older one may have left the window");
    let report = check(&Playlist { media_sequence: 0, ..marked }, &three());
    assert_eq!(lines(&report)[0], "fragment 0 (0.ts): a discontinuity before the first fragment of all");
}

#[test]
fn a_missing_fragment_is_named_and_its_neighbours_are_judged_alone() {
    let fragments = three();
    let list = playlist(&PLAIN);
    let mut checker = PlaybackChecker::new(&list, FORCED);
    checker.fragment(Ok(&fragments[0]));
    checker.fragment(Err("there is no such object".to_owned()));
    checker.fragment(Ok(&fragments[2]));
    checker.fragment(Ok(&fragments[2]));
    let report = checker.finish();
    assert_eq!(report.faults.len(), 1, "{report}");
    assert_eq!(lines(&report)[0], "fragment 1 (1.ts): there is no such object");
    assert_eq!(report.fragments.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(check(&list, &fragments[..1]).faults.len(), 2, "what was not handed over is missing");
    assert_eq!(lines(&check(&playlist(&[]), &[]))[0], "playlist: the playlist names no fragment");
}

#[test]
fn faults_of_the_transport_stream_carry_their_place() {
    let mut fragments = three();
    fragments[1].drain(4 * PACKET_BYTES..5 * PACKET_BYTES);
    let report = check(&playlist(&PLAIN), &fragments);
    assert!(!report.is_clean());
    assert!(report.faults.iter().all(|fault| fault.fragment == Some(1)), "{report}");
    assert!(lines(&report)[0].starts_with("fragment 1 (1.ts): byte "), "{report}");
    let empty = check(&playlist(&PLAIN[..1]), &[Vec::new()]);
    assert!(empty.faults.iter().any(|fault| fault.kind == PlaybackFaultKind::Empty), "{empty}");
}

#[test]
fn a_fragment_after_a_forced_cut_may_begin_with_any_picture() {
    let mut muxer = TsMuxer::new();
    let fragments = vec![fragment(&mut muxer, 0, 60_000, true), fragment(&mut muxer, 60_000, 62_000, false)];
    let forced = Playlist { target_duration: 60, ..playlist(&[(60_000, false), (2_000, false)]) };
    assert!(check(&forced, &fragments).is_clean(), "{}", check(&forced, &fragments));

    let mut muxer = TsMuxer::new();
    let early = vec![fragment(&mut muxer, 0, 2_000, true), fragment(&mut muxer, 2_000, 4_000, false)];
    let report = check(&playlist(&PLAIN[..2]), &early);
    assert!(lines(&report)[0].ends_with("the first picture is no keyframe"), "{report}");
    // The cut before the first of a window is not known.
    assert!(check(&playlist(&PLAIN[..1]), &early[1..]).is_clean());
}

#[test]
fn a_forced_cut_may_fall_on_sound_that_is_ahead_of_its_picture() {
    let mut muxer = TsMuxer::new();
    let first = fragment(&mut muxer, 0, 60_000, true);
    let mut out = BytesMut::new();
    muxer.begin_fragment(&mut out, true, true);
    // Sound at 60.5 s forced the cut; pictures that came behind it reach from 60 to 62 s.
    muxer.audio(&mut out, MS(60_500), &[0x21; 20], &aac());
    for ms in (60_000..62_000).step_by(40) {
        muxer.video(&mut out, MS(ms), MS(ms), false, &[0, 0, 0, 2, 0x41, 0x88], &avc()).expect("an access unit");
    }
    let list = |first, last| Playlist { target_duration: 61, ..playlist(&[(first, false), (last, false)]) };
    let fragments = [first, out.to_vec()];
    for sound in [list(60_500, 1_500), list(60_000, 2_000)] {
        assert!(check(&sound, &fragments).is_clean(), "{}", check(&sound, &fragments));
    }
    assert_eq!(check(&list(60_250, 1_400), &fragments).faults.len(), 2);
}

#[test]
fn within_a_connection_counters_go_on_also_where_a_discontinuity_is_stated() {
    let mut fragments = three();
    let marked = playlist(&[PLAIN[0], (2_000, true), (2_000, true)]);
    let check = |fragments: &[Vec<u8>]| {
        let mut checker = PlaybackChecker::new(&marked, FORCED).of_one_connection(|index| index != 2);
        fragments.iter().for_each(|bytes| checker.fragment(Ok(bytes)));
        checker.finish()
    };
    assert!(check(&fragments).is_clean(), "{}", check(&fragments));
    fragments[2] = fragment(&mut TsMuxer::new(), 90_000, 92_000, true);
    assert!(check(&fragments).is_clean(), "the third is another connection's");
    fragments[1] = fragments[2].clone();
    assert!(check(&fragments).faults.iter().all(|fault| fault.fragment == Some(1)), "{}", check(&fragments));
    assert!(lines(&check(&fragments))[0].contains("continuity counter"), "{}", check(&fragments));
}

#[test]
fn a_playlist_follows_another() {
    let at = |media_sequence, discontinuity_sequence, segments: &[(u64, bool)]| {
        let segment =
            |&(n, discontinuity): &(u64, bool)| Segment { uri: format!("{n}.ts"), duration: MS(2_000), discontinuity };
        let segments = segments.iter().map(segment).collect();
        Playlist { media_sequence, discontinuity_sequence, segments, ..Playlist::default() }
    };
    let before = at(5, 1, &[(5, true), (6, false), (7, true)]);
    for sound in [
        before.clone(),
        at(5, 1, &[(5, true), (6, false), (7, true), (8, false)]),
        at(6, 2, &[(6, false), (7, true), (8, false)]),
        at(8, 3, &[(8, false), (9, false), (10, false)]),
    ] {
        assert_eq!(succession_faults(&before, &sound), []);
    }
    let fault = |after| succession_faults(&before, &after).first().map(ToString::to_string).unwrap_or_default();
    assert_eq!(fault(at(4, 1, &[(4, false)])), "EXT-X-MEDIA-SEQUENCE 4 after 5 with 3 fragments");
    assert_eq!(fault(at(9, 3, &[(9, false)])), "EXT-X-MEDIA-SEQUENCE 9 after 5 with 3 fragments");
    assert_eq!(fault(at(6, 1, &[(6, false), (7, true)])), "EXT-X-DISCONTINUITY-SEQUENCE 1 instead of 2");
    assert_eq!(fault(at(5, 2, &[(5, true), (6, false), (7, true)])), "EXT-X-DISCONTINUITY-SEQUENCE 2 instead of 1");
    assert_eq!(fault(at(6, 2, &[(7, false), (7, true)])), "number 6 is not the fragment that it was");
    assert_eq!(
        fault(at(6, 2, &[(6, true), (7, true)])),
        "number 6 is not the fragment that it was",
        "its mark is gone"
    );
    assert_eq!(fault(at(5, 1, &[(5, true), (6, false)])), "fragments have gone from the end");
}

#[test]
fn a_target_duration_grows_and_shrinks_with_a_new_connection_only() {
    let of = |target_duration, segments: &[(i64, bool)]| Playlist { target_duration, ..playlist(segments) };
    let before = of(9, &[(9_000, false), (2_000, true)]);
    let after = |target, new: bool| of(target, &[(9_000, false), (2_000, true), (2_000, new)]);
    let faults = |target, new| succession_faults(&before, &after(target, new));
    assert_eq!(faults(9, false), []);
    assert_eq!(faults(12, false), [], "it may have to");
    assert_eq!(faults(2, true), [], "another connection");
    let shrank = faults(8, false);
    assert_eq!(
        shrank,
        [SuccessionFault::TargetShrank { before: 9, after: 8 }],
        "what was marked before is no reason now"
    );
    assert_eq!(shrank[0].to_string(), "EXT-X-TARGETDURATION 8 after 9");
}

#[test]
fn the_33_bit_wrap_is_no_distance() {
    let mut muxer = TsMuxer::new();
    let wrap = (1i64 << 33) / 90;
    let fragments: Vec<_> =
        [wrap - 3_000, wrap - 1_000, wrap + 1_000].map(|from| fragment(&mut muxer, from, from + 2_000, true)).to_vec();
    let report = check(&playlist(&PLAIN), &fragments);
    assert!(report.is_clean(), "{report}");
}
