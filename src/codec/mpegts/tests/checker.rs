//! The checker finds what is wrong, and nothing else.

use super::fixture::*;
use crate::codec::mpegts::PACKET_BYTES;
use crate::codec::mpegts::check::{Expectation, FaultKind};
use crate::media::{MediaTime, Track};

/// A clean fragment to break: keyframe, sound, picture.
pub(super) fn clean() -> Vec<u8> {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(millis(0), millis(80), true, &[IDR]);
    fixture.sound(millis(0), &[0x21; 300]);
    fixture.picture(millis(40), millis(40), false, &[SLICE]);
    fixture.end()
}

#[test]
fn checker_finds_each_fault() {
    assert_eq!(faults(&check(&[&clean()])), []);
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut fragment = clean();
        change(&mut fragment);
        faults(&check(&[&fragment]))
    };
    let packet = PACKET_BYTES;
    assert_eq!(broken(&|bytes| bytes[0] = 0)[0], FaultKind::Malformed("no sync byte"));
    assert_eq!(broken(&|bytes| bytes[10] ^= 1)[0], FaultKind::Malformed("section CRC"));
    assert_eq!(broken(&|bytes| bytes.truncate(6 * packet - 1))[0], FaultKind::Malformed("packet ends early"));
    assert!(broken(&|bytes| drop(bytes.drain(..packet))).contains(&FaultKind::NoTablesFirst));
    assert_eq!(broken(&|bytes| bytes.clear()), [FaultKind::NoTablesFirst]);
    let lost = broken(&|bytes| drop(bytes.drain(4 * packet..5 * packet)));
    assert!(lost.contains(&FaultKind::Malformed("PES packet shorter than it says")), "{lost:?}");
    let unlisted = broken(&|bytes| bytes[5 * packet + 2] = 0x77);
    assert!(unlisted.contains(&FaultKind::Unlisted { pid: 0x177 }), "{unlisted:?}");
}

/// Replaces the first occurrence of `from`.
fn patched(from: &str, to: &str) -> Vec<FaultKind> {
    let (from, to) = (hex::decode(from).expect("hex"), hex::decode(to).expect("hex"));
    let mut fragment = clean();
    let at = fragment.windows(from.len()).position(|window| window == from).expect("occurs");
    fragment[at..at + to.len()].copy_from_slice(&to);
    faults(&check(&[&fragment]))
}

#[test]
fn checker_finds_faults_inside_units() {
    assert_eq!(patched("0000000109f0", "0000000106f0"), [FaultKind::NoDelimiter]);
    assert_eq!(patched("0000000167", "0000000166")[0], FaultKind::NoParameterSets);
    assert_eq!(patched("fff150", "fef150"), [FaultKind::BrokenAdts]);
    // PTS 70 200 becomes 60 000, before DTS 63 000.
    assert_eq!(patched("3100052471", "310003d4c1"), [FaultKind::PtsBeforeDts(Track::Video, MediaTime(3_000))]);
    // The sound's PES header says that it has no PTS.
    assert_eq!(patched("8480052100", "8400052100"), [FaultKind::NoTimestamp(Track::Audio)]);
    // The first picture's packet on audio's PID.
    assert!(patched("47410030", "47410130").contains(&FaultKind::StrayPcr { pid: 0x101 }));
    // One packet of the sound lost its place in the count.
    assert!(patched("47010131", "47010135").contains(&FaultKind::Continuity { pid: 0x101, expected: 1, found: 5 }));
}

#[test]
fn checker_wants_a_pcr_in_every_fragment() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    let mut fragment = fixture.end();
    fragment[2 * PACKET_BYTES + 5] &= !0x10;
    assert_eq!(faults(&check(&[&fragment])), [FaultKind::NoPcr]);
}

#[test]
fn checker_finds_a_pcr_that_goes_back() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(millis(100), millis(100), true, &[IDR]);
    fixture.picture(millis(140), millis(140), false, &[SLICE]);
    let mut fragment = fixture.end();
    let second = hex::decode("0000189c7e00").expect("hex");
    let at = fragment.windows(6).position(|window| window == second).expect("occurs");
    fragment[at..at + 4].fill(0);
    assert_eq!(faults(&check(&[&fragment])), [FaultKind::PcrGap(millis(-100))]);
}

#[test]
fn checker_wants_pcrs_a_tenth_of_a_second_apart_at_most() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    fixture.picture(millis(100), millis(100), false, &[SLICE]);
    let mut fragment = fixture.end();
    assert_eq!(pcrs(&fragment), [0, 9_000]);
    assert_eq!(faults(&check(&[&fragment])), [], "exactly");
    // One tick more.
    let last = hex::decode("000011947e00").expect("hex");
    let at = fragment.windows(6).position(|window| window == last).expect("occurs");
    fragment[at + 4] |= 0x80;
    assert_eq!(pcrs(&fragment), [0, 9_001]);
    assert_eq!(faults(&check(&[&fragment])), [FaultKind::PcrGap(MediaTime(9_001))]);
}

/// A connection's fragment of two seconds, with sound or without any, that lists both tracks.
fn listing_both(sound: bool, to: i64) -> Vec<u8> {
    let mut fixture = Fixture::new(true, true);
    for ms in (0..to).step_by(40) {
        fixture.picture(millis(ms), millis(ms), ms == 0, &[if ms == 0 { IDR } else { SLICE }]);
        if sound {
            fixture.sound(millis(ms), &[0x21; 9]);
        }
    }
    fixture.end()
}

#[test]
fn checker_wants_each_connection_to_have_what_it_lists() {
    let connections = |fragments: &[Vec<u8>]| {
        let mut checker = crate::codec::mpegts::check::Checker::new();
        for (index, fragment) in fragments.iter().enumerate() {
            checker.fragment(fragment, Expectation { discontinuity: index > 0, ..Expectation::default() });
        }
        let faults = checker.finish().faults;
        faults.into_iter().map(|fault| (fault.fragment, fault.kind)).collect::<Vec<_>>()
    };
    let (whole, silent, tail) = (listing_both(true, 2_000), listing_both(false, 2_000), listing_both(false, 80));
    let absent = |fragment| (fragment, FaultKind::Absent { pid: 0x101 });
    assert_eq!(connections(&[whole.clone(), whole.clone()]), []);
    assert_eq!(connections(&[whole.clone(), silent.clone()]), [absent(1)]);
    assert_eq!(connections(&[whole.clone(), silent.clone(), whole.clone()]), [absent(1)]);
    assert_eq!(connections(&[silent, whole.clone()]), [absent(0)]);
    // The last fragment of a connection that has left the window but for it.
    assert_eq!(connections(&[tail.clone(), whole.clone()]), []);
    assert_eq!(connections(&[whole, tail]), [absent(1)]);
}

#[test]
fn checker_finds_faults_of_time_and_order() {
    let check_muxed = |build: &dyn Fn(&mut Fixture)| {
        let mut fixture = Fixture::new(true, true);
        build(&mut fixture);
        faults(&check(&[&fixture.end()]))
    };
    let absent = FaultKind::Absent { pid: 0x101 };
    assert_eq!(check_muxed(&|fixture| fixture.picture(millis(0), millis(0), true, &[IDR])), [absent]);
    let no_keyframe = check_muxed(&|fixture| {
        fixture.picture(millis(0), millis(0), false, &[SLICE]);
        fixture.sound(millis(0), &[0x21; 9]);
    });
    assert_eq!(no_keyframe, [FaultKind::NoKeyframe]);
    let unmarked_idr = check_muxed(&|fixture| {
        fixture.picture(millis(0), millis(0), true, &[IDR]);
        fixture.sound(millis(0), &[0x21; 9]);
        fixture.picture(millis(40), millis(40), false, &[IDR]);
    });
    assert_eq!(unmarked_idr, [FaultKind::NoParameterSets]);
    let standing = check_muxed(&|fixture| {
        fixture.picture(millis(40), millis(40), true, &[IDR]);
        fixture.sound(millis(40), &[0x21; 9]);
        fixture.sound(millis(40), &[0x21; 9]);
        fixture.picture(millis(0), millis(0), false, &[SLICE]);
    });
    assert_eq!(
        standing,
        [FaultKind::DtsNotGrowing(Track::Audio, MediaTime(0)), FaultKind::DtsNotGrowing(Track::Video, millis(-40))]
    );
    let late = check_muxed(&|fixture| {
        fixture.picture(millis(2_000), millis(2_000), true, &[IDR]);
        fixture.sound(millis(0), &[0x21; 9]);
    });
    assert_eq!(late, [FaultKind::Late(Track::Audio, millis(1_300))]);
}

#[test]
fn checker_finds_tracks_and_codecs_that_change_without_a_word() {
    let two = |second: &dyn Fn(&mut Fixture) -> Vec<u8>, discontinuity| {
        let mut fixture = Fixture::new(true, true);
        fixture.picture(millis(0), millis(0), true, &[IDR]);
        fixture.sound(millis(0), &[0x21; 9]);
        let first = fixture.cut(true, true);
        fixture.out.clear();
        let second = second(&mut fixture);
        let mut checker = crate::codec::mpegts::check::Checker::new();
        checker.fragment(&first, Default::default());
        let goes_on = true;
        checker.fragment(&second, Expectation { discontinuity, goes_on, ..Expectation::default() });
        faults(&checker.finish())
    };
    // `cut` has begun the second fragment already: its tables were taken from it above, and the counters with them.
    let counters = |kind: &FaultKind| !matches!(kind, FaultKind::Continuity { .. });
    let alone = |fixture: &mut Fixture| {
        fixture.cut(true, false);
        fixture.picture(millis(40), millis(40), true, &[IDR]);
        fixture.out.to_vec()
    };
    let found = |found: Vec<FaultKind>| found.into_iter().filter(counters).collect::<Vec<_>>();
    assert_eq!(found(two(&alone, false)), [FaultKind::TracksChanged]);
    assert_eq!(found(two(&alone, true)), []);
    let wide = |fixture: &mut Fixture| {
        fixture.cut(true, true);
        let sps = [&SPS[..3], &[0x1f], &SPS[4..]].concat();
        fixture.picture(millis(40), millis(40), true, &[&sps, PPS, IDR]);
        fixture.sound(millis(40), &[0x21; 9]);
        fixture.out.to_vec()
    };
    assert_eq!(found(two(&wide, false)), [FaultKind::ConfigChanged(Track::Video)]);
    assert_eq!(found(two(&wide, true)), []);
    let faster = |fixture: &mut Fixture| {
        fixture.cut(true, true);
        fixture.picture(millis(40), millis(40), true, &[IDR]);
        let config = bytes::Bytes::from_static(&[0x11, 0x90]);
        let config = crate::codec::aac::parse_audio_specific_config(&config).expect("48 kHz");
        fixture.muxer.audio(&mut fixture.out, millis(40), &[0x21; 9], &config);
        fixture.out.to_vec()
    };
    assert_eq!(found(two(&faster, false)), [FaultKind::ConfigChanged(Track::Audio)]);
    assert_eq!(found(two(&faster, true)), []);
}

#[test]
fn checker_holds_a_connection_to_its_counters_whatever_is_stated() {
    let (first, mut second) = (clean(), clean());
    let check = |second: &[u8], goes_on| {
        let mut checker = crate::codec::mpegts::check::Checker::new();
        checker.fragment(&first, Default::default());
        checker.fragment(second, Expectation { discontinuity: true, goes_on, forced_cut: false });
        faults(&checker.finish())
    };
    assert_eq!(check(&second, false), []);
    assert!(check(&second, true).iter().any(|kind| matches!(kind, FaultKind::Continuity { .. })));
    assert!(check(&second, true).iter().any(|kind| matches!(kind, FaultKind::DtsNotGrowing(..))));
    second.clear();
    assert_eq!(check(&second, true), [FaultKind::NoTablesFirst]);
}

#[test]
fn checker_wants_parameter_sets_before_anything_else() {
    // Only bytes that our muxer does not write can show it: an SEI becomes a second PPS.
    let mut fixture = Fixture::new(true, false);
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    fixture.picture(millis(40), millis(40), false, &[&[0x06, 0x77, 0x77], &[0x0c, 0x77, 0x77], SLICE]);
    let mut fragment = fixture.end();
    let filler = hex::decode("0000010c7777").expect("hex");
    let at = fragment.windows(6).position(|window| window == filler).expect("occurs");
    fragment[at + 3] = 0x68;
    assert_eq!(faults(&check(&[&fragment])), [FaultKind::LateParameterSets]);
}

#[test]
fn reports_count_what_fragments_hold() {
    let report = check(&[&clean()]);
    let fragment = report.fragments[0];
    let video = fragment.video.expect("video");
    assert_eq!((video.access_units, video.keyframes, video.last_dts - video.first_dts), (2, 1, millis(40)));
    assert_eq!(fragment.audio.expect("audio").access_units, 1);
}
