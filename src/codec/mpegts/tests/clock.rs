//! The clock of a stream: PCRs between pictures, in holes and behind tracks that lag; timestamps at their edges.

use super::super::mux::{PCR_FILL_MAX, PCR_GAP_MAX};
use super::*;

#[test]
fn times_wrap_at_33_bits() {
    let wrap = 1i64 << 33;
    let mut fixture = Fixture::new(true, true);
    let start = wrap - DELAY.0 - 9_000;
    for step in 0..60 {
        let dts = MediaTime(start + step * 3_000);
        fixture.picture(dts, dts + MediaTime(6_000), step == 0, &[if step == 0 { IDR } else { SLICE }]);
        fixture.sound(dts, &[0x21; 100]);
    }
    let out = fixture.end();
    let report = check(&[&out]);
    assert_eq!(faults(&report), []);
    let video = report.fragments[0].video.expect("video");
    assert_eq!(video.last_dts - video.first_dts, MediaTime(59 * 3_000));
    let units = units(&out);
    assert!(units.iter().all(|unit| unit.pts < Some(1 << 33) && unit.dts < Some(1 << 33)));
    assert_eq!(units[0].dts, Some((wrap - 9_000) as u64));
    assert_eq!(units[0].pts, Some((wrap - 3_000) as u64));
    let wrapped = |unit: &&PesUnit| unit.dts < Some(100_000);
    assert!(units.iter().find(wrapped).is_some_and(|unit| unit.dts == Some(0)));
    let pcrs = pcrs(&out);
    assert!(pcrs.windows(2).any(|pair| pair[1] < pair[0]), "the PCR has wrapped too");
}

#[test]
fn slow_video_gets_pcrs_between_its_pictures() {
    let mut fixture = Fixture::new(true, false);
    for second in 0..5 {
        fixture.picture(
            millis(second * 1_000),
            millis(second * 1_000),
            second == 0,
            &[if second == 0 { IDR } else { SLICE }],
        );
    }
    let out = fixture.end();
    assert_eq!(faults(&check(&[&out])), []);
    assert!(pcrs(&out).windows(2).all(|pair| pair[1] - pair[0] <= PCR_GAP_MAX.0 as u64));
}

#[test]
fn audio_drives_the_clock_while_video_is_silent() {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[IDR]);
    for frame in 1..200 {
        fixture.sound(MediaTime(frame * 2_090), &[0x21; 80]);
    }
    fixture.picture(MediaTime(200 * 2_090), MediaTime(200 * 2_090), false, &[SLICE]);
    let out = fixture.end();
    let report = check(&[&out]);
    assert_eq!(faults(&report), []);
    assert!(pcrs(&out).len() > 40);
}

#[test]
fn a_track_that_arrives_behind_the_other_holds_the_clock() {
    for (track, lag) in [(Track::Audio, 2_000), (Track::Video, 2_000), (Track::Audio, 1_000)] {
        let mut fixture = Fixture::new(true, true);
        fixture.picture(millis(0), millis(0), true, &[IDR]);
        let (mut picture, mut sound) = (40, 0);
        for now in (0..20_000).step_by(20) {
            let (see, hear) = if track == Track::Audio { (now, now - lag) } else { (now - lag, now) };
            if picture <= see {
                fixture.picture(millis(picture), millis(picture), false, &[SLICE]);
                picture += 40;
            }
            if sound <= hear {
                fixture.sound(millis(sound), &[0x21; 80]);
                sound += 20;
            }
        }
        let out = fixture.end();
        assert_eq!(faults(&check(&[&out])), [], "{track:?} {lag} ms behind");
        let last = *pcrs(&out).last().expect("it goes on") as i64;
        assert!(last > millis(19_800 - lag).0, "{track:?}: {last}");
    }
}

#[test]
fn a_track_that_fell_silent_stops_no_clock_and_returns_in_time() {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    for at in 1..500 {
        fixture.picture(millis(at * 40), millis(at * 40), false, &[SLICE]);
        if !(50..400).contains(&at) {
            fixture.sound(millis(at * 40), &[0x21; 80]);
        }
    }
    let out = fixture.end();
    assert_eq!(faults(&check(&[&out])), []);
    let whole = pcrs(&out);
    // It goes on behind the picture at 12 s, and returns to it with the sound.
    assert!(whole.contains(&(millis(300 * 40 - 1_500).0 as u64)), "{whole:?}");
    assert!(*whole.last().expect("PCRs") as i64 >= millis(499 * 40 - 40).0);
}

#[test]
fn every_fragment_has_its_own_pcr_and_it_never_goes_back() {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[IDR]);
    fixture.sound(millis(400), &[0x21; 80]); // sound far ahead of the picture
    let first = fixture.cut(true, true);
    fixture.picture(millis(40), millis(40), true, &[IDR]);
    let second = fixture.end();
    assert_eq!(faults(&check(&[&first, &second])), []);
    assert!(pcrs(&second)[0] > *pcrs(&first).last().expect("driven by sound"));
}

#[test]
fn sound_before_the_first_picture_brings_the_pcr() {
    let mut fixture = Fixture::new(true, true);
    fixture.sound(millis(0), &[0x21; 80]);
    fixture.picture(millis(20), millis(20), true, &[IDR]);
    let out = fixture.end();
    assert_eq!(faults(&check(&[&out])), []);
    // Where the next frame of sound will be is not known yet: the clock does not run ahead of it.
    assert_eq!(pcrs(&out), [0]);
}

#[test]
fn a_hole_in_the_source_is_not_filled() {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[IDR]);
    let before = fixture.out.len();
    fixture.sound(PCR_FILL_MAX + millis(3_600_000), &[0x21; 80]);
    fixture.picture(PCR_FILL_MAX + millis(7_200_000), MediaTime(0), true, &[IDR]);
    assert!(fixture.out.len() - before <= 6 * PACKET_BYTES);
    let gaps = faults(&check(&[&fixture.end()]));
    assert!(gaps.iter().all(|fault| matches!(fault, FaultKind::PcrGap(_))) && gaps.len() == 2, "{gaps:?}");
}

#[test]
fn pts_before_dts_and_negative_times_are_raised() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(MediaTime(-5), MediaTime(-50), true, &[IDR]);
    let out = fixture.end();
    assert_eq!(units(&out)[0].pts, Some(DELAY.0 as u64));
    assert_eq!(faults(&check(&[&out])), []);
}
