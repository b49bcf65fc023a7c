//! Stories of cutting, told in milliseconds.

use proptest::prelude::*;

use super::*;
use Track::{Audio as A, Video as V};

/// Drives a segmenter with 5 s fragments and writes down its cuts as (ms of the cut, closed ms, reason).
struct Story {
    segmenter: Segmenter,
    held: Vec<Facts>,
    /// Of the open fragment.
    bytes: u64,
    cuts: Vec<(i64, Option<i64>, CutReason)>,
    last: Option<Cut>,
}

impl Story {
    fn new() -> Self {
        Story::with(Settings::new(5, 1_000_000, 1_000, 1_000_000))
    }

    fn with(settings: Settings) -> Self {
        Story { segmenter: Segmenter::new(settings), held: Vec::new(), bytes: 0, cuts: Vec::new(), last: None }
    }

    fn announced(mut self, tracks: &[Track]) -> Self {
        for &track in tracks {
            self.segmenter.config(track, true);
        }
        self
    }

    /// What the pump does, with its answers to `Release` and `Settle`.
    fn facts(&mut self, facts: Facts) -> Step {
        let step = self.segmenter.unit(facts);
        match step {
            Step::Hold => self.held.push(facts),
            Step::Release => {
                for held in std::mem::take(&mut self.held) {
                    self.facts(held);
                }
                return self.facts(facts);
            }
            Step::Settle => {
                self.segmenter.settle(false);
                return self.facts(facts);
            }
            Step::Take | Step::Join if facts.track == A => self.segmenter.settle(true),
            Step::Cut(Cut { video: true, .. }) if !std::mem::take(&mut self.held).is_empty() => {
                self.segmenter.settle(true);
            }
            _ => {}
        }
        match step {
            Step::Cut(_) => self.bytes = facts.bytes,
            Step::Take | Step::Join => self.bytes += facts.bytes,
            _ => {}
        }
        if let Step::Cut(cut) = step {
            self.cuts.push((facts.dts.to_millis(), cut.closed.map(MediaTime::to_millis), cut.reason));
            self.last = Some(cut);
        }
        step
    }

    fn at(&mut self, track: Track, ms: i64, keyframe: bool) -> Step {
        self.facts(Facts {
            track,
            dts: MediaTime::from_millis(ms),
            keyframe,
            discontinuity: false,
            bytes: 100,
            fits: true,
        })
    }

    fn jump(&mut self, track: Track, ms: i64, keyframe: bool) -> Step {
        self.facts(Facts {
            track,
            dts: MediaTime::from_millis(ms),
            keyframe,
            discontinuity: true,
            bytes: 100,
            fits: true,
        })
    }

    /// 25 pictures a second with a key frame every `gop_ms`, and audio beside it.
    fn play(&mut self, from_ms: i64, to_ms: i64, gop_ms: i64, audio: bool) {
        for ms in (from_ms..to_ms).step_by(40) {
            self.at(V, ms, ms % gop_ms == 0);
            if audio {
                self.at(A, ms + 1, false);
            }
        }
    }

    /// A frame of sound every 20 ms.
    fn sound(&mut self, from_ms: i64, to_ms: i64) {
        for ms in (from_ms..to_ms).step_by(20) {
            self.at(A, ms, false);
        }
    }

    fn last(&self) -> Cut {
        self.last.expect("a cut was made")
    }
}

#[test]
fn cuts_at_the_first_key_frame_past_frag_duration() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 15_000, 2_000, true);
    let expected = [(0, None, CutReason::Start), (6_000, Some(6_000), CutReason::Duration)];
    assert_eq!(story.cuts[..2], expected);
    assert_eq!(story.cuts[2..], [(12_000, Some(6_000), CutReason::Duration)]);
    assert!(!story.last().discontinuity && story.last().video && story.last().audio);
}

#[test]
fn last_fragment_ends_behind_its_last_unit() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 1_000, 1_000, false);
    assert_eq!(story.segmenter.finish(), Some(MediaTime::from_millis(1_000)));
    assert_eq!(story.segmenter.finish(), None);
}

#[test]
fn last_fragment_does_not_last_as_long_as_a_track_that_ended_before_it() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 6_000, 6_000, true);
    // Audio runs ahead and falls silent while its fragment is open; the next one has pictures only.
    story.at(A, 30_000, false);
    story.at(V, 6_000, true);
    story.at(V, 6_040, false);
    assert_eq!(story.segmenter.finish(), Some(MediaTime::from_millis(80)));
}

#[test]
fn no_key_frame_is_cut_by_force_after_sixty_seconds() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 130_000, 1_000_000, true);
    let expected = [(60_000, Some(60_000), CutReason::Forced), (120_000, Some(60_000), CutReason::Forced)];
    assert_eq!(story.cuts[1..], expected);
    assert!(!story.last().discontinuity);
}

#[test]
fn long_frag_duration_moves_the_forced_cut() {
    assert_eq!(Settings::new(100, 1, 1, 1).forced_after, MediaTime::from_secs(200));
    assert_eq!(Settings::new(5, 1, 1, 1).forced_after, MediaTime::from_secs(60));
}

#[test]
fn byte_cap_cuts_anywhere() {
    let mut story = Story::with(Settings::new(5, 1_000, 1_000, 1_000_000)).announced(&[V]);
    story.play(0, 1_000, 1_000_000, false);
    assert_eq!(story.cuts[1], (400, Some(400), CutReason::Bytes));
}

#[test]
fn audio_only_run_is_cut_by_time() {
    let mut story = Story::new().announced(&[A]);
    for ms in (0..12_000).step_by(20) {
        story.at(A, ms, false);
    }
    // It waited two seconds for a picture; nothing of them is lost.
    let expected = [
        (0, None, CutReason::Start),
        (5_000, Some(5_000), CutReason::Duration),
        (10_000, Some(5_000), CutReason::Duration),
    ];
    assert_eq!(story.cuts, expected);
    assert!(!story.last().video && story.last().audio && !story.last().discontinuity);
    assert_eq!(story.segmenter.finish(), Some(MediaTime::from_millis(2_000)));
}

#[test]
fn audio_waits_for_announced_video_and_belongs_to_its_fragment() {
    let mut story = Story::new().announced(&[V, A]);
    for ms in (0..9_000).step_by(20) {
        assert_eq!(story.at(A, ms, false), Step::Hold);
    }
    assert_eq!(story.at(V, 9_000, false), Step::Drop(DropReason::NoKeyframeYet));
    assert!(matches!(story.at(V, 9_040, true), Step::Cut(Cut { closed: None, video: true, audio: true, .. })));
}

#[test]
fn announced_video_that_never_comes_does_not_hold_audio_for_ever() {
    let mut story = Story::new().announced(&[V, A]);
    for ms in (0..12_000).step_by(20) {
        story.at(A, ms, false);
    }
    let cut = |ms| (ms, Some(5_000), CutReason::Duration);
    assert_eq!(story.cuts, [(0, None, CutReason::Start), cut(5_000), cut(10_000)]);
}

#[test]
fn a_frozen_clock_cannot_hold_audio_without_bound() {
    let mut story = Story::with(Settings::new(5, 1_000_000, 10, 1_000_000)).announced(&[V, A]);
    let steps: Vec<_> = (0..11).map(|_| story.at(A, 0, false)).collect();
    assert!(steps[..10].iter().all(|s| *s == Step::Hold) && steps[10] == Step::Take);
    assert_eq!(story.cuts, [(0, None, CutReason::Start)]);
}

#[test]
fn video_that_appears_in_an_audio_run_cuts_at_its_key_frame() {
    let mut story = Story::new().announced(&[A]);
    for ms in (0..3_000).step_by(20) {
        story.at(A, ms, false);
    }
    assert_eq!(story.at(V, 3_000, false), Step::Drop(DropReason::NoKeyframeYet));
    story.at(V, 3_040, true);
    let cut = story.last();
    assert_eq!((cut.closed, cut.reason), (Some(MediaTime::from_millis(3_040)), CutReason::Change));
    assert!(cut.video && cut.audio && cut.discontinuity);
}

#[test]
fn audio_that_appears_later_comes_in_at_the_next_key_frame() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 3_000, 1_000, false);
    assert!(!story.last().audio);
    story.segmenter.config(A, true);
    assert_eq!(story.at(A, 3_000, false), Step::Drop(DropReason::TrackNotInFragment));
    story.at(V, 3_000, true);
    assert!(story.last().audio && story.last().discontinuity);
    assert_eq!(story.at(A, 3_020, false), Step::Take);
}

#[test]
fn audio_that_appears_later_does_not_wait_for_a_picture_that_is_gone() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 3_000, 1_000, false);
    for ms in (3_000..12_960).step_by(20) {
        assert_eq!(
            story.at(A, ms, false),
            Step::Drop(DropReason::TrackNotInFragment),
            "a key frame may yet come: {ms}"
        );
    }
    story.at(A, 12_960, false);
    // The last picture was that of 2 960 ms, and it lasted 40 ms: what follows it is no part of the fragment.
    assert_eq!(story.cuts[1..], [(12_960, Some(3_000), CutReason::Change)]);
    assert!(story.last().audio && !story.last().video && story.last().discontinuity);
}

#[test]
fn audio_that_appears_later_beside_pictures_without_a_key_frame_forces_a_cut() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 55_000, 1_000_000, false);
    for ms in (55_000..61_020).step_by(20) {
        story.at(A, ms, false);
    }
    assert_eq!(story.cuts[1..], [(61_000, Some(61_000), CutReason::Forced)]);
    assert!(story.last().audio && story.last().video && story.last().discontinuity);
}

#[test]
fn the_first_sound_of_all_may_be_what_cuts() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 3_000, 1_000, false);
    story.at(A, 12_960, false);
    assert_eq!(story.cuts[1..], [(12_960, Some(3_000), CutReason::Change)]);
    assert!(story.last().audio && !story.last().video && story.last().discontinuity);
    let mut story = Story::new().announced(&[V]);
    for ms in (0..60_000).step_by(7_000) {
        story.at(V, ms, ms == 0);
    }
    story.at(A, 61_500, false);
    assert_eq!(story.cuts[1..], [(61_500, Some(61_500), CutReason::Forced)]);
    assert!(story.last().audio && story.last().video && story.last().discontinuity);
}

#[test]
fn a_hole_that_dropped_units_leave_belongs_to_no_fragment() {
    let mut story = Story::new().announced(&[A]);
    story.sound(0, 3_000);
    for ms in (3_000..40_000).step_by(40) {
        assert_eq!(story.at(V, ms, false), Step::Drop(DropReason::NoKeyframeYet));
    }
    story.at(A, 40_000, false);
    assert_eq!(story.cuts[1..], [(40_000, Some(3_000), CutReason::Duration)]);
    assert!(story.last().discontinuity);
}

#[test]
fn silence_leaves_no_hole() {
    let mut story = Story::new().announced(&[A]);
    story.sound(0, 3_000);
    story.at(V, 12_980, false);
    story.segmenter.silence(MediaTime::from_millis(12_960));
    story.at(A, 12_980, false);
    assert_eq!(story.cuts[1..], [(12_980, Some(12_980), CutReason::Duration)]);
    assert!(!story.last().discontinuity);
}

#[test]
fn audio_that_nothing_announced_joins_the_first_fragment_within_two_seconds() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 1_960, 1_000, false);
    story.segmenter.config(A, true);
    assert!(story.segmenter.is_opening());
    assert_eq!(story.at(A, 1_980, false), Step::Join);
    assert_eq!(story.at(A, 2_000, false), Step::Take);
    story.play(2_000, 6_000, 1_000, true);
    assert_eq!(story.cuts[1..], [(5_000, Some(5_000), CutReason::Duration)]);
    assert!(story.last().audio && !story.last().discontinuity);
}

#[test]
fn announced_audio_that_does_not_come_is_taken_from_the_first_fragment() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 1_960, 1_000, false);
    assert!(story.last().audio && story.segmenter.is_opening());
    story.play(1_960, 3_960, 1_000, false);
    assert!(!story.segmenter.is_opening());
    assert_eq!(story.at(A, 3_960, false), Step::Drop(DropReason::TrackNotInFragment));
    story.play(4_000, 4_040, 1_000, false);
    assert!(story.last().audio && story.last().discontinuity, "it comes in with a key frame");
}

#[test]
fn the_first_fragments_tracks_are_settled_before_it_is_large_cut_or_changed() {
    let settles = |story: &mut Story, ms, keyframe, bytes| {
        let dts = MediaTime::from_millis(ms);
        story.segmenter.unit(Facts { track: V, dts, keyframe, discontinuity: false, bytes, fits: true }) == Step::Settle
    };
    let begun = |settings| {
        let mut story = Story::with(settings).announced(&[V, A]);
        story.at(V, 0, true);
        story
    };
    let usual = Settings::new(5, 1_000_000, 1_000, 10_000);
    assert!(!settles(&mut begun(usual), 40, false, 100));
    assert!(settles(&mut begun(usual), 40, false, 10_000));
    assert!(settles(&mut begun(Settings::new(1, 1_000_000, 1_000, 10_000)), 1_000, true, 100));
    let audio =
        Facts { track: A, dts: MediaTime::ZERO, keyframe: false, discontinuity: false, bytes: 10_000, fits: true };
    assert_eq!(begun(usual).segmenter.unit(audio), Step::Take, "it is what was waited for");
    let mut changed = begun(usual);
    changed.segmenter.config(V, true);
    assert!(settles(&mut changed, 40, true, 100));
}

#[test]
fn what_was_held_at_the_end_is_released() {
    let mut story = Story::new().announced(&[A]);
    (0..1_000).step_by(20).for_each(|ms| assert_eq!(story.at(A, ms, false), Step::Hold));
    assert_eq!(story.segmenter.finish(), None);
    story.segmenter.release();
    for held in std::mem::take(&mut story.held) {
        story.facts(held);
    }
    assert_eq!(story.segmenter.finish(), Some(MediaTime::from_millis(1_000)));
}

#[test]
fn a_config_without_units_leaves_the_program_map_after_the_first_fragment() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 6_000, 1_000, false);
    assert!(!story.last().audio && !story.last().discontinuity);
}

#[test]
fn video_that_stops_becomes_an_audio_run_behind_the_forced_fragment() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 6_000, 5_000, true);
    for ms in (6_000..140_000).step_by(20) {
        story.at(A, ms, false);
    }
    // The fragment that held the last pictures, then fragments cut by time.
    let expected = [
        (66_000, Some(61_000), CutReason::Forced),
        (71_000, Some(5_000), CutReason::Duration),
        (76_000, Some(5_000), CutReason::Duration),
    ];
    assert_eq!(story.cuts[2..5], expected);
    assert!(!story.last().video);
    story.at(V, 140_000, true);
    assert!(story.last().video && story.last().discontinuity);
}

#[test]
fn repeated_config_changes_nothing() {
    let mut story = Story::new().announced(&[V]);
    story.play(0, 1_000, 1_000, false);
    story.segmenter.config(V, false);
    story.play(1_000, 4_000, 1_000, false);
    assert_eq!(story.cuts.len(), 1);
}

#[test]
fn changed_config_cuts_at_its_key_frame_with_a_discontinuity() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 2_000, 1_000, true);
    story.segmenter.config(V, true);
    assert_eq!(story.at(A, 2_000, false), Step::Take);
    story.at(V, 2_000, true);
    assert_eq!(story.cuts[1], (2_000, Some(2_000), CutReason::Change));
    assert!(story.last().discontinuity);
}

#[test]
fn a_jump_cuts_at_the_next_key_frame_with_a_discontinuity() {
    let mut story = Story::new().announced(&[V, A]);
    story.play(0, 2_000, 1_000, true);
    assert_eq!(story.jump(A, 2_000, false), Step::Take);
    assert_eq!(story.at(V, 2_040, false), Step::Take);
    story.at(V, 2_080, true);
    assert!(story.last().discontinuity);
    assert_eq!(story.cuts.len(), 2);
}

#[test]
fn changes_at_every_key_frame_do_not_cut_at_every_key_frame() {
    let mut story = Story::new().announced(&[V]);
    for second in 0..100 {
        story.segmenter.config(V, true);
        story.at(V, second * 1_000, true);
    }
    // Four saved up, then one for each five seconds: the regular rhythm, each with its discontinuity.
    assert!(story.cuts.len() <= 4 + 100 / 5 * 2, "{} cuts", story.cuts.len());
    assert!(story.last().discontinuity);
}

fn any_facts() -> impl Strategy<Value = Vec<Facts>> {
    let one = (any::<bool>(), 0i64..8_000, any::<bool>(), 0u32..40, 1u64..3_000);
    prop::collection::vec(one, 1..300).prop_map(|units| {
        let (mut clocks, mut facts) = ([MediaTime::ZERO; 2], Vec::new());
        for (video, step_ms, keyframe, jump, bytes) in units {
            let clock = &mut clocks[usize::from(video)];
            *clock = *clock + MediaTime::from_millis(1 + step_ms / 8);
            facts.push(Facts {
                track: if video { V } else { A },
                dts: *clock,
                keyframe: video && keyframe,
                discontinuity: jump == 0,
                bytes,
                fits: bytes > 100,
            });
        }
        facts
    })
}

proptest! {
    #[test]
    fn a_fragment_with_video_begins_with_a_key_frame_unless_forced(units in any_facts()) {
        let mut story = Story::with(Settings::new(2, 40_000, 50, 50_000));
        for facts in units {
            if let Step::Cut(cut) = story.facts(facts)
                && cut.video
                && !matches!(cut.reason, CutReason::Forced | CutReason::Bytes)
            {
                prop_assert!(facts.keyframe, "{cut:?}");
            }
        }
    }

    /// What a checker of target durations relies on. As on a timeline, no unit comes more than ten seconds after all that were
    /// before it, nor a minute behind them.
    #[test]
    fn no_fragment_lasts_longer_than_a_forced_cut_and_a_pause(
        units in prop::collection::vec((any::<bool>(), 0i64..10_000, 0u32..8), 1..300),
    ) {
        let mut story = Story::with(Settings::new(2, 40_000, 50, 50_000));
        let mut clocks = [0; 2];
        for (video, step, what) in units {
            let front: i64 = clocks[0].max(clocks[1]);
            let own = clocks[usize::from(video)].max(front - 60_000);
            // Mostly on its own track's clock, now and then ahead of both.
            let ms = if what < 6 { own + 1 + step / 50 } else { (own + 1).max(front + step) };
            clocks[usize::from(video)] = ms;
            story.at(if video { V } else { A }, ms, video && what % 4 == 0 && step % 3 == 0);
        }
        for (at, closed, _) in story.cuts {
            prop_assert!(closed.is_none_or(|ms| ms <= 71_000), "{closed:?} at {at}");
        }
    }

    #[test]
    fn units_are_only_taken_into_fragments_that_list_their_track(units in any_facts()) {
        let mut story = Story::with(Settings::new(2, 40_000, 50, 50_000));
        for facts in units {
            match story.facts(facts) {
                Step::Take => {
                    let cut = story.last();
                    // The first fragment's audio may have joined.
                    let listed = if facts.track == V { cut.video } else { cut.audio || story.cuts.len() == 1 };
                    prop_assert!(listed);
                }
                Step::Cut(cut) => prop_assert!(if facts.track == V { cut.video } else { cut.audio }, "{cut:?}"),
                Step::Hold => prop_assert!(story.last.is_none() && facts.track == A),
                Step::Join => prop_assert!(story.cuts.len() == 1 && facts.track == A),
                _ => {}
            }
        }
    }

    #[test]
    fn durations_are_positive_and_bytes_stay_below_the_cap(units in any_facts()) {
        let mut story = Story::with(Settings::new(2, 40_000, 50, 50_000));
        for facts in units {
            if let Step::Cut(cut) = story.facts(facts) {
                prop_assert!(cut.closed.is_none_or(|d| d > MediaTime::ZERO));
            }
            prop_assert!(story.bytes <= 40_000);
        }
    }
}
