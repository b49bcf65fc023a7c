//! Where sound is missing beside a picture, silence stands in for it: browsers stop at the place where one of two tracks ends, and
//! a microphone that is switched off would end the picture of everybody who watches.
//!
//! Says where silence belongs, writes none. A stream whose sound merely arrives late gets none: that has [`LAG`] to come.

use crate::codec::mpegts::mux;
use crate::media::MediaTime;

/// How far the sound may be behind the picture before it counts as missing: as far as the fragment's clock waits for it.
const LAG: MediaTime = MediaTime(mux::DELAY.0 + mux::LAG_MAX.0 - MediaTime::from_millis(100).0);
/// How far silence stays behind the picture, so that sound which returns finds its place.
const LAG_WHILE_SILENT: MediaTime = MediaTime::from_millis(500);
/// Sound that belongs this far back in silence is not missing but later than most: it gets none from then on.
const OVERLAP_MAX: MediaTime = MediaTime::from_millis(1_500);
/// A shorter hole between two frames is none: players bridge it.
pub(super) const HOLE_MIN: MediaTime = MediaTime::from_millis(500);
/// A longer hole is not filled: no timeline has one.
const HOLE_MAX: MediaTime = MediaTime::from_secs(15);

/// Frames that are stamped closer than they last stand for what they last, up to this much: senders that stamp by bursts.
const BURST_MAX: MediaTime = MediaTime::from_secs(1);

/// How far the sound of a connection has come.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Where the next frame would begin.
    end: Option<MediaTime>,
    /// Where the last silent frame begins.
    last_silent: Option<MediaTime>,
    /// The sound is later than most.
    wrong: bool,
}

impl Silence {
    /// Nothing is known of the sound: before it comes, and where it begins anew.
    pub(super) fn reset(&mut self) {
        self.end = None;
    }

    /// The sound is missing from here on, although none has come yet.
    pub(super) fn begin(&mut self, at: MediaTime) {
        self.end = Some(at);
    }

    /// Where silent frames of this length belong when a picture with this decode time has come; they count as written.
    pub(super) fn beside(&mut self, picture: MediaTime, frame: MediaTime) -> impl Iterator<Item = MediaTime> + use<> {
        let is_silent = self.end.is_some() && self.end == self.last_silent.map(|last| last + frame);
        let lag = if is_silent { LAG_WHILE_SILENT } else { LAG };
        self.frames(picture - lag, MediaTime::ZERO, frame)
    }

    /// Where they belong up to `until`, if at least `least` is missing.
    pub(super) fn frames(
        &mut self,
        until: MediaTime,
        least: MediaTime,
        frame: MediaTime,
    ) -> impl Iterator<Item = MediaTime> + use<> {
        let from = self.end.filter(|&end| !self.wrong && until - end >= least.max(frame));
        let count = match from {
            Some(from) if until - from <= HOLE_MAX => (until - from).0 / frame.0.max(1),
            _ => 0,
        };
        let from = from.unwrap_or_default();
        if count > 0 {
            self.last_silent = Some(MediaTime(from.0 + (count - 1) * frame.0));
            self.end = Some(MediaTime(from.0 + count * frame.0));
        }
        (0..count).map(move |index| MediaTime(from.0 + index * frame.0))
    }

    /// Whether silence stands in the place of a frame of sound that has come now. None until the sound has passed it.
    pub(super) fn stands_at(&mut self, dts: MediaTime) -> bool {
        let Some(last) = self.last_silent.filter(|&last| dts <= last) else { return false };
        self.end = None;
        self.wrong |= last - dts > OVERLAP_MAX;
        true
    }

    /// A frame of sound that is not written: what is missing begins here unless it began before.
    pub(super) fn goes_on_from(&mut self, dts: MediaTime) {
        self.end.get_or_insert(dts);
    }

    /// A frame of sound is written.
    pub(super) fn take(&mut self, dts: MediaTime, frame: MediaTime) {
        let end = self.end.map_or(dts, |end| end.max(dts));
        self.end = Some((end + frame).min(dts + BURST_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(i64) -> MediaTime = MediaTime::from_millis;

    fn holes(silence: &mut Silence, until: i64, least: i64) -> Vec<i64> {
        silence.frames(MS(until), MS(least), MS(20)).map(MediaTime::to_millis).collect()
    }

    #[test]
    fn a_hole_is_filled_up_to_the_sound_behind_it() {
        let mut silence = Silence::default();
        assert_eq!(holes(&mut silence, 9_000, 0), [0; 0], "nothing is known of the sound yet");
        silence.take(MS(1_000), MS(20));
        assert_eq!(holes(&mut silence, 1_500, 500), [0; 0], "players bridge that");
        assert_eq!(holes(&mut silence, 1_530, 500).len(), 25);
        assert_eq!(holes(&mut silence, 1_539, 0), [0; 0], "not a whole frame");
        assert_eq!(holes(&mut silence, 1_575, 0), [1_520, 1_540]);
        silence.take(MS(1_561), MS(20));
        assert_eq!(holes(&mut silence, 90_000, 0), [0; 0], "that is no hole");
        silence.reset();
        assert_eq!(holes(&mut silence, 2_500, 0), [0; 0]);
        silence.begin(MS(2_400));
        assert_eq!(holes(&mut silence, 2_450, 0), [2_400, 2_420]);
    }

    #[test]
    fn frames_that_are_stamped_by_bursts_leave_no_hole() {
        let mut silence = Silence::default();
        for burst in [0, 900, 1_800] {
            assert_eq!(holes(&mut silence, burst, 500), [0; 0]);
            (0..45).for_each(|tick| silence.take(MS(burst) + MediaTime(tick), MS(20)));
        }
        assert_eq!(holes(&mut silence, 3_300, 500).len(), 30);
    }

    #[test]
    fn sound_that_was_late_and_not_missing_ends_it() {
        let mut silence = Silence::default();
        let beside = |silence: &mut Silence, ms| silence.beside(MS(ms), MS(20)).count();
        silence.take(MS(0), MS(20));
        assert_eq!(beside(&mut silence, 2_100), 0);
        // Then it is missing, and silence keeps up with the picture.
        assert_eq!((beside(&mut silence, 2_160), beside(&mut silence, 2_200)), (2, 82));
        // Returned a little late: what overlaps is left out, and the next hole is filled again.
        assert!(silence.stands_at(MS(1_660)) && silence.stands_at(MS(1_680)));
        assert_eq!(beside(&mut silence, 9_000), 0);
        assert!(!silence.stands_at(MS(1_700)));
        silence.take(MS(1_700), MS(20));
        assert_eq!(beside(&mut silence, 3_900), 4);
        assert!(beside(&mut silence, 3_940) > 80);
        // Later than the silence is: not missing at all.
        assert!(silence.stands_at(MS(1_740)) && !silence.stands_at(MS(3_600)));
        silence.take(MS(3_600), MS(20));
        assert_eq!(beside(&mut silence, 9_000), 0);
    }
}
