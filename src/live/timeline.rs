//! Turns the times that a source states into one timeline that only goes forward.
//!
//! Four thoughts, each in one place: the 32-bit clock of RTMP is unwrapped (`Unwrap`); a time that does not fit the
//! stream's front moves the track's base instead of the timeline (a *jump*); a clock that is *stopped*, as that of senders
//! which state zero for ever, is replaced (sound by its frames' length, the picture by the sound that arrives with it); what
//! remains is repaired by the smallest step (DTS strictly grows per track, PTS >= DTS).
//!
//! Output begins at [`ORIGIN`], not at zero: the second track may begin a little before the first one, and a sender with
//! negative composition offsets needs its DTS moved back. Output times are never negative.
//!
//! Must never reorder, drop or look into a payload. No reordering here: RTMP is in order.

use crate::media::{AccessUnit, MediaTime, SourceTime, Track};

/// Where the first access unit of a connection is put.
pub const ORIGIN: MediaTime = MediaTime::from_secs(10);

/// A time further ahead of the stream's front than this is a jump: no encoder pauses that long and keeps its clock,
/// and a player that is shown a hole of this size stalls.
pub const FORWARD_JUMP: MediaTime = MediaTime::from_secs(10);

/// A time further behind its own track than this is a jump (an encoder that began again); less is repaired.
pub const BACKWARD_JUMP: MediaTime = MediaTime::from_secs(1);

/// A track that lags the other one by more than this is on another clock. Senders that interleave badly stay below.
pub const TRACK_LAG_MAX: MediaTime = MediaTime::from_secs(60);

/// Two tracks whose first times lie further apart than this do not share a clock; their true offset is unknown.
pub const START_OFFSET_MAX: MediaTime = ORIGIN;

/// The furthest that DTS is moved back to make room for negative composition offsets: 16 pictures, 16 a second.
pub const DTS_SHIFT_MAX: MediaTime = MediaTime::from_secs(1);

/// A larger composition offset is an unsigned reading of a negative one, or noise: PTS = DTS instead.
pub const COMPOSITION_OFFSET_MAX: MediaTime = MediaTime::from_secs(10);

/// Units of a track in a row whose source states one and the same time, after which that clock counts as stopped: more
/// than come of one burst, and at most two seconds of pictures.
pub const STOPPED_AFTER: u32 = 30;

/// How long a picture lasts whose clock is stopped and beside which there is no sound.
const PICTURE: MediaTime = MediaTime::from_millis(40);

/// An access unit's place on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Decode time; strictly grows per track, never negative.
    pub dts: MediaTime,
    /// Presentation time; never before `dts`.
    pub pts: MediaTime,
    /// The source's clock jumped here. The timeline goes on, but the media may not: the caller cuts.
    pub discontinuity: bool,
}

/// The timeline of one connection.
#[derive(Debug, Default)]
pub struct Timeline {
    video: TrackClock,
    audio: TrackClock,
    /// How long a frame of sound lasts.
    audio_frame: Option<MediaTime>,
    repaired: u64,
}

#[derive(Debug, Default)]
struct TrackClock {
    unwrap: Unwrap,
    /// Output = source - base. Tracks share one unless their clocks are apart.
    base: Option<i64>,
    /// The last output DTS.
    last: Option<MediaTime>,
    /// The last distance of two DTS: where a rebased unit goes.
    interval: MediaTime,
    /// How far DTS is moved back because of negative composition offsets. Only grows.
    shift: MediaTime,
    /// The last source time, and how many units in a row have repeated it.
    source: Option<i64>,
    repeats: u32,
}

impl Timeline {
    /// A timeline without any access unit.
    pub fn new() -> Self {
        Timeline::default()
    }

    /// How long a frame of sound lasts from here on: what one is given whose clock is stopped.
    pub fn set_audio_frame(&mut self, frame: MediaTime) {
        self.audio_frame = Some(frame);
    }

    /// Places the next access unit, in the order of arrival.
    pub fn stamp(&mut self, unit: &AccessUnit) -> Stamp {
        let offset = sane_offset(unit);
        let source = self.unwrapped(unit);
        let (time, discontinuity) = match self.while_stopped(unit.track, source) {
            Some(time) => (time, false),
            None => self.place(unit.track, source),
        };
        let track = self.track_mut(unit.track);
        if offset < MediaTime::ZERO {
            track.shift = track.shift.max(MediaTime(-offset.0)).min(DTS_SHIFT_MAX);
        }
        let wanted = (time - track.shift).max(MediaTime::ZERO);
        let dts = track.last.map_or(wanted, |last| wanted.max(MediaTime(last.0 + 1)));
        if let Some(last) = track.last {
            track.interval = (dts - last).min(MediaTime::from_secs(1));
        }
        track.last = Some(dts);
        let pts = (time + offset).max(dts);
        if dts != wanted || pts != time + offset {
            self.repaired += 1;
        }
        Stamp { dts, pts, discontinuity }
    }

    /// Access units whose times had to be changed so far (jumps not counted).
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    fn unwrapped(&mut self, unit: &AccessUnit) -> i64 {
        // A track's first time is read near the other track's, so that a stream that begins at the wrap stays whole.
        let other = self.track(other(unit.track)).unwrap;
        let track = self.track_mut(unit.track);
        if track.unwrap.last_millis.is_none() {
            track.unwrap = other;
        }
        track.unwrap.ticks(unit.time)
    }

    /// The time of a unit whose clock is stopped; the clock may go on from there. `None` as long as it runs.
    fn while_stopped(&mut self, track: Track, source: i64) -> Option<MediaTime> {
        let state = self.track_mut(track);
        let repeats = state.source == Some(source);
        state.repeats = if repeats { state.repeats.saturating_add(1) } else { 0 };
        state.source = Some(source);
        let last = state.last.filter(|_| state.repeats >= STOPPED_AFTER)?;
        let shift = state.shift;
        let time = match track {
            Track::Audio => last + self.audio_frame.unwrap_or(PICTURE),
            Track::Video => self.audio.last.map_or(last + PICTURE, |sound| sound.max(last)),
        };
        self.track_mut(track).base = Some(source.saturating_sub((time + shift).0));
        Some(time + shift)
    }

    /// The unit's time on the timeline before repair, and whether its clock jumped.
    fn place(&mut self, track: Track, source: i64) -> (MediaTime, bool) {
        let Some(front) = self.front() else {
            let base = source.saturating_sub(ORIGIN.0);
            self.track_mut(track).base = Some(base);
            return (ORIGIN, false);
        };
        let last = self.track(track).last;
        let fits = |base: i64| {
            let time = MediaTime(source.saturating_sub(base));
            let lowest = match last {
                None => front.0 - START_OFFSET_MAX.0,
                Some(last) => (last.0 - BACKWARD_JUMP.0).max(front.0 - TRACK_LAG_MAX.0),
            };
            (lowest..=front.0 + FORWARD_JUMP.0).contains(&time.0).then_some(time)
        };
        if let Some(time) = self.track(track).base.and_then(fits) {
            return (time, false);
        }
        // The other track may have jumped already: following it keeps both in step and is no jump of its own.
        if let Some(base) = self.track(other(track)).base
            && let Some(time) = fits(base)
        {
            self.track_mut(track).base = Some(base);
            return (time, false);
        }
        let state = self.track_mut(track);
        let next = state.last.map_or(front, |last| front.max(last + state.interval + state.shift));
        state.base = Some(source.saturating_sub(next.0));
        // A second track on a clock of its own is put beside the first; nothing of it was seen before, so nothing broke.
        (next, last.is_some())
    }

    /// The latest output DTS of all tracks.
    fn front(&self) -> Option<MediaTime> {
        self.video.last.max(self.audio.last)
    }

    fn track(&self, track: Track) -> &TrackClock {
        match track {
            Track::Video => &self.video,
            Track::Audio => &self.audio,
        }
    }

    fn track_mut(&mut self, track: Track) -> &mut TrackClock {
        match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        }
    }
}

fn other(track: Track) -> Track {
    match track {
        Track::Video => Track::Audio,
        Track::Audio => Track::Video,
    }
}

fn sane_offset(unit: &AccessUnit) -> MediaTime {
    let sane = (-COMPOSITION_OFFSET_MAX.0..=COMPOSITION_OFFSET_MAX.0).contains(&unit.composition_offset.0);
    if unit.track == Track::Video && sane { unit.composition_offset } else { MediaTime::ZERO }
}

/// The only place where RTMP's 32-bit millisecond clock is unwrapped: each time is read as the one nearest to the last.
#[derive(Clone, Copy, Debug, Default)]
struct Unwrap {
    last_millis: Option<i64>,
}

impl Unwrap {
    fn ticks(&mut self, time: SourceTime) -> i64 {
        match time {
            SourceTime::Rtmp(millis) => {
                let unwrapped = match self.last_millis {
                    None => i64::from(millis),
                    // The low 32 bits of the last value are what the source said; the distance is signed modulo 2^32.
                    Some(last) => last + i64::from(millis.wrapping_sub(last as u32) as i32),
                };
                self.last_millis = Some(unwrapped);
                MediaTime::from_millis(unwrapped).0
            }
            SourceTime::Ticks(time) => time.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn unit(track: Track, time: SourceTime, offset_ms: i64) -> AccessUnit {
        let composition_offset = MediaTime::from_millis(offset_ms);
        AccessUnit { track, time, composition_offset, keyframe: false, payload: Bytes::new() }
    }

    /// Stamps (track, RTMP time, composition offset in ms) and returns (DTS - ORIGIN in ms, PTS - DTS in ms, jump).
    fn run(units: &[(Track, u32, i64)]) -> Vec<(i64, i64, bool)> {
        let mut timeline = Timeline::new();
        let stamps = units.iter().map(|&(track, time, offset)| {
            let stamp = timeline.stamp(&unit(track, SourceTime::Rtmp(time), offset));
            ((stamp.dts - ORIGIN).to_millis(), (stamp.pts - stamp.dts).to_millis(), stamp.discontinuity)
        });
        stamps.collect()
    }

    fn dts(units: &[(Track, u32)]) -> Vec<(i64, bool)> {
        let units: Vec<_> = units.iter().map(|&(track, time)| (track, time, 0)).collect();
        run(&units).into_iter().map(|(dts, _, jump)| (dts, jump)).collect()
    }

    use Track::{Audio as A, Video as V};

    #[test]
    fn a_stream_begins_at_the_origin_wherever_its_clock_stands() {
        for start in [0, 1, 16_774_000, u32::MAX] {
            let times = dts(&[(V, start), (A, start.wrapping_add(5)), (V, start.wrapping_add(40))]);
            assert_eq!(times, [(0, false), (5, false), (40, false)], "{start}");
        }
    }

    #[test]
    fn the_extended_timestamp_edge_is_nothing_special() {
        let times = dts(&[(V, 0xFF_FFFE), (V, 0xFF_FFFF), (V, 0x100_0000), (V, 0x100_0001)]);
        assert_eq!(times, [(0, false), (1, false), (2, false), (3, false)]);
    }

    #[test]
    fn the_32_bit_wrap_goes_on_in_both_tracks() {
        let times = dts(&[(V, u32::MAX - 19), (A, u32::MAX - 9), (V, 20), (A, 10), (V, 60)]);
        assert_eq!(times, [(0, false), (10, false), (40, false), (30, false), (80, false)]);
    }

    #[test]
    fn a_late_first_track_before_the_wrap_is_read_near_the_other() {
        assert_eq!(dts(&[(V, 3), (A, u32::MAX - 6), (V, 43)]), [(0, false), (-10, false), (40, false)]);
    }

    #[test]
    fn equal_and_slightly_earlier_times_move_by_one_tick() {
        let mut timeline = Timeline::new();
        let mut at = |time| timeline.stamp(&unit(V, SourceTime::Rtmp(time), 0)).dts.0 - ORIGIN.0;
        assert_eq!(at(100), 0);
        assert_eq!(at(100), 1);
        assert_eq!(at(50), 2);
        assert_eq!(at(140), 40 * 90);
        assert_eq!(timeline.repaired(), 2);
    }

    #[test]
    fn a_forward_jump_is_closed_and_both_tracks_follow_it_once() {
        let times = dts(&[(V, 0), (A, 0), (V, 40), (A, 23), (V, 60_000), (A, 59_990), (V, 60_040)]);
        assert_eq!(times[4..], [(80, true), (70, false), (120, false)]);
    }

    #[test]
    fn ten_seconds_of_silence_are_no_jump() {
        assert_eq!(dts(&[(V, 0), (V, 10_000)]), [(0, false), (10_000, false)]);
        assert_eq!(dts(&[(V, 0), (V, 40), (V, 10_041)]), [(0, false), (40, false), (80, true)]);
    }

    #[test]
    fn an_encoder_that_began_again_goes_on_with_one_discontinuity() {
        let times = dts(&[(V, 100_000), (A, 100_010), (V, 100_040), (V, 0), (A, 100_033), (A, 20), (V, 40)]);
        // The last audio of the old clock is taken as it is; the first of the new one follows the video's jump.
        assert_eq!(times[3..], [(80, true), (33, false), (100, false), (120, false)]);
    }

    #[test]
    fn a_muted_track_that_returns_in_step_is_no_jump() {
        let mut units = vec![(V, 0), (A, 0)];
        units.extend((1..1_000).map(|n| (V, n * 40)));
        units.push((A, 39_970));
        assert_eq!(dts(&units).last(), Some(&(39_970, false)));
    }

    #[test]
    fn true_offset_of_the_tracks_is_kept_and_an_absurd_one_is_not() {
        assert_eq!(dts(&[(V, 5_000), (A, 0), (A, 23)]), [(0, false), (-5_000, false), (-4_977, false)]);
        let apart = dts(&[(V, 0), (A, 4_000_000), (V, 40), (A, 4_000_023), (V, 80), (A, 4_000_046)]);
        assert_eq!(apart, [(0, false), (0, false), (40, false), (23, false), (80, false), (46, false)]);
    }

    #[test]
    fn b_frames_keep_their_offsets() {
        let stamps = run(&[(V, 0, 80), (V, 40, 160), (V, 80, 40), (V, 120, 0)]);
        assert_eq!(stamps, [(0, 80, false), (40, 160, false), (80, 40, false), (120, 0, false)]);
    }

    #[test]
    fn negative_offsets_move_decode_time_back_and_keep_presentation_in_step() {
        let mut timeline = Timeline::new();
        let times = [(0, 0), (40, 80), (80, -40), (120, -40), (160, 0)];
        let stamps: Vec<_> = times.map(|(t, o)| timeline.stamp(&unit(V, SourceTime::Rtmp(t), o))).into();
        let pts: Vec<_> = stamps.iter().map(|s| (s.pts - ORIGIN).to_millis()).collect();
        assert_eq!(pts[..2], [0, 120]);
        // The third picture wants to be shown at 40 ms but was decoded after the second: as early as it can be.
        assert_eq!(pts[2..], [40, 80, 160]);
        assert_eq!((stamps[4].dts - ORIGIN).to_millis(), 120);
    }

    #[test]
    fn stopped_clocks_are_replaced_and_go_on_when_they_run_again() {
        let mut timeline = Timeline::new();
        timeline.set_audio_frame(MediaTime::from_millis(20));
        let mut at = |track, time| (timeline.stamp(&unit(track, SourceTime::Rtmp(time), 0)).dts - ORIGIN).to_millis();
        let mut last = (0, 0);
        for _ in 0..1_000 {
            last = (at(V, 0), at(A, 0));
            at(A, 0);
        }
        // The first thirty or so of each stand still; the rest of the sound lasts what it lasts, with the picture beside it.
        assert!((39_000..39_500).contains(&last.1) && (0..=40).contains(&(last.1 - last.0)), "{last:?}");
        let resumed = (at(V, 40), at(V, 80));
        assert!((0..100).contains(&(resumed.0 - last.0)) && resumed.1 - resumed.0 == 40, "{last:?} {resumed:?}");
    }

    #[test]
    fn a_picture_alone_whose_clock_is_stopped_has_25_a_second() {
        let mut timeline = Timeline::new();
        let mut at = || (timeline.stamp(&unit(V, SourceTime::Rtmp(7), 0)).dts - ORIGIN).to_millis();
        let times: Vec<_> = (0..=130).map(|_| at()).collect();
        assert_eq!((times[29], times[30], times[130]), (0, 40, 4_040));
    }

    #[test]
    fn absurd_offsets_show_the_picture_at_once() {
        assert_eq!(run(&[(V, 0, 16_777_000), (V, 40, -16_777_000)]), [(0, 0, false), (40, 0, false)]);
        assert_eq!(run(&[(V, 0, -3_000)])[0].1, 0);
    }

    fn any_unit() -> impl Strategy<Value = AccessUnit> {
        let time = prop_oneof![
            4 => (0u32..20_000).prop_map(SourceTime::Rtmp),
            1 => any::<u32>().prop_map(SourceTime::Rtmp),
            1 => any::<i64>().prop_map(|t| SourceTime::Ticks(MediaTime(t))),
        ];
        let offset = prop_oneof![-90_000i64..90_000, any::<i64>()].prop_map(MediaTime);
        (any::<bool>(), time, offset).prop_map(|(video, time, composition_offset)| AccessUnit {
            track: if video { V } else { A },
            time,
            composition_offset,
            keyframe: false,
            payload: Bytes::new(),
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_decode_time_strictly_grows_per_track(units in prop::collection::vec(any_unit(), 1..200)) {
            let mut timeline = Timeline::new();
            let mut last = [None, None];
            for unit in &units {
                let stamp = timeline.stamp(unit);
                let slot = &mut last[usize::from(unit.track == A)];
                prop_assert!(*slot < Some(stamp.dts), "{slot:?} then {stamp:?}");
                prop_assert!(stamp.dts >= MediaTime::ZERO && stamp.pts >= stamp.dts);
                *slot = Some(stamp.dts);
            }
        }

        #[test]
        fn the_front_never_leaps(units in prop::collection::vec(any_unit(), 1..200)) {
            let mut timeline = Timeline::new();
            let mut front = ORIGIN;
            for unit in &units {
                let dts = timeline.stamp(unit).dts;
                prop_assert!(dts.0 <= front.0 + FORWARD_JUMP.0 + 1, "{front:?} then {dts:?}");
                front = front.max(dts);
            }
        }
    }
}
