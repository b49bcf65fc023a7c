//! Media time: signed 64-bit ticks of 90 kHz, the clock of MPEG-TS (ISO/IEC 13818-1, 2.4.2).
//!
//! Wall time is for people and signatures, monotonic time is for timeouts, media time is for media; there is no
//! implicit conversion between the three. Milliseconds become ticks in [`MediaTime::from_millis`] and nowhere else.

use std::ops::{Add, Sub};

/// Ticks of 90 kHz. Zero has no meaning of its own; only distances do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub i64);

impl MediaTime {
    /// Ticks in a second.
    pub const HZ: i64 = 90_000;
    /// The origin.
    pub const ZERO: MediaTime = MediaTime(0);

    /// Whole milliseconds to ticks: exact, 90 ticks each.
    pub const fn from_millis(millis: i64) -> Self {
        MediaTime(millis * 90)
    }

    /// Whole seconds to ticks: exact.
    pub const fn from_secs(secs: i64) -> Self {
        MediaTime(secs * Self::HZ)
    }

    /// Ticks to milliseconds, rounded to the nearest (halves away from zero).
    pub const fn to_millis(self) -> i64 {
        rescale(self.0, 1_000, Self::HZ)
    }

    /// Ticks as seconds, for display and rates only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / Self::HZ as f64
    }
}

impl Add for MediaTime {
    type Output = MediaTime;
    fn add(self, other: MediaTime) -> MediaTime {
        MediaTime(self.0 + other.0)
    }
}

impl Sub for MediaTime {
    type Output = MediaTime;
    fn sub(self, other: MediaTime) -> MediaTime {
        MediaTime(self.0 - other.0)
    }
}

/// `value * to / from`, rounded to the nearest, halves away from zero. `from` and `to` are positive rates.
pub const fn rescale(value: i64, to: i64, from: i64) -> i64 {
    let product = value as i128 * to as i128;
    let half = (from / 2) as i128;
    let rounded = if product >= 0 { (product + half) / from as i128 } else { (product - half) / from as i128 };
    rounded as i64
}

/// The decode time of an access unit as its source states it, before `live::timeline` unwraps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceTime {
    /// RTMP's 32-bit millisecond clock, which wraps after 49.7 days.
    Rtmp(u32),
    /// A source whose clock does not wrap.
    Ticks(MediaTime),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_away_from_zero() {
        for (ticks, millis) in [(0, 0), (44, 0), (45, 1), (89, 1), (90, 1), (-44, 0), (-45, -1), (-90, -1)] {
            assert_eq!(MediaTime(ticks).to_millis(), millis, "{ticks} ticks");
        }
    }

    #[test]
    fn rescale_does_not_overflow_at_the_ends() {
        assert_eq!(rescale(i64::MAX / 90, 90_000, 1_000), i64::MAX / 90 * 90);
    }
}
