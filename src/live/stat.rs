//! What a live connection looks like now: the owner's last snapshot, and the meter that makes it.

use std::collections::VecDeque;

use crate::clock::{Monotonic, Wall};
use crate::limits::STAT_WINDOW;
use crate::media::{AacConfig, AvcConfig, MediaTime, Track, time::rescale};
use crate::store::ConnectionId;

/// A live connection at a glance. Never waits on storage.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveStat {
    /// The connection.
    pub connection: ConnectionId,
    /// When publishing began.
    pub connected: Wall,
    /// `ip:port` of the publisher.
    pub remote_addr: String,
    /// Present once video was received.
    pub video: Option<VideoStat>,
    /// Present once audio was received.
    pub audio: Option<AudioStat>,
}

/// Video as received.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoStat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second, rounded.
    pub frame_rate: u32,
    /// Average over a recent window, bytes a second; 0 directly after going live.
    pub bandwidth: u64,
}

/// Audio as received.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioStat {
    /// Hz.
    pub sample_rate: u32,
    /// Average over a recent window, bytes a second; 0 directly after going live.
    pub bandwidth: u64,
}

/// What a publisher says of its stream (`onMetaData`). Used only where the bitstream says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamMetadata {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Frames in 1000 seconds.
    pub frame_rate_millihertz: Option<u32>,
}

/// Counts what passes and turns it into rates when asked. Costs a few additions a unit.
#[derive(Debug)]
pub(super) struct Meter {
    video: Flow,
    audio: Flow,
    samples: VecDeque<Sample>,
    pub(super) metadata: StreamMetadata,
}

/// Totals since the connection began.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    units: u64,
    bytes: u64,
    last_dts: MediaTime,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Monotonic,
    video: Flow,
    audio: Flow,
}

/// Rates outside of this are a field rate's or a time base's misreading, not a camera's.
const FRAME_RATES: std::ops::RangeInclusive<u32> = 1_000..=300_000;

impl Meter {
    pub(super) fn new(now: Monotonic) -> Self {
        let empty = Sample { at: now, video: Flow::default(), audio: Flow::default() };
        Meter {
            video: Flow::default(),
            audio: Flow::default(),
            samples: VecDeque::from([empty]),
            metadata: StreamMetadata::default(),
        }
    }

    /// Counts a unit; true when it is the first of its track.
    pub(super) fn count(&mut self, track: Track, bytes: usize, dts: MediaTime) -> bool {
        let flow = match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        flow.units += 1;
        flow.bytes += bytes as u64;
        flow.last_dts = dts;
        flow.units == 1
    }

    /// Takes a sample of the totals; rates are differences between samples.
    pub(super) fn sample(&mut self, now: Monotonic) {
        self.samples.push_back(Sample { at: now, video: self.video, audio: self.audio });
        while self.samples.len() > 2 && now - self.samples[1].at >= STAT_WINDOW {
            self.samples.pop_front();
        }
    }

    /// Video as it is now; `None` before its first unit.
    pub(super) fn video(&self, config: Option<&AvcConfig>) -> Option<VideoStat> {
        if self.video.units == 0 {
            return None;
        }
        let of_config = |pick: fn(&AvcConfig) -> u32| config.map(pick).filter(|n| *n > 0);
        let stated = config.and_then(|c| c.frame_rate_millihertz).filter(|rate| FRAME_RATES.contains(rate));
        let rate = stated.or_else(|| self.measured_rate()).or(self.metadata.frame_rate_millihertz).unwrap_or(0);
        Some(VideoStat {
            width: of_config(|c| c.width).or(self.metadata.width).unwrap_or(0),
            height: of_config(|c| c.height).or(self.metadata.height).unwrap_or(0),
            frame_rate: rate.saturating_add(500) / 1_000,
            bandwidth: self.bandwidth(|sample| sample.video),
        })
    }

    /// Audio as it is now; `None` before its first unit.
    pub(super) fn audio(&self, config: Option<&AacConfig>) -> Option<AudioStat> {
        (self.audio.units > 0).then(|| AudioStat {
            sample_rate: config.map_or(0, |c| c.sample_rate),
            bandwidth: self.bandwidth(|sample| sample.audio),
        })
    }

    fn ends(&self) -> (Sample, Sample) {
        let first = *self.samples.front().expect("made with one sample, and one always stays");
        let last = *self.samples.back().expect("made with one sample, and one always stays");
        (first, last)
    }

    fn bandwidth(&self, pick: fn(&Sample) -> Flow) -> u64 {
        let (first, last) = self.ends();
        let millis = u64::try_from((last.at - first.at).as_millis()).unwrap_or(u64::MAX);
        ((pick(&last).bytes - pick(&first).bytes) * 1_000).checked_div(millis).unwrap_or(0)
    }

    /// By media time, so that a burst from the network is no higher rate.
    fn measured_rate(&self) -> Option<u32> {
        let (first, last) = self.ends();
        let from = self.samples.iter().find(|s| s.video.units > 0).unwrap_or(&first);
        let span = last.video.last_dts - from.video.last_dts;
        let units = i64::try_from(last.video.units - from.video.units).unwrap_or(i64::MAX);
        let rate = (span > MediaTime::ZERO).then(|| rescale(units, MediaTime::HZ * 1_000, span.0))?;
        u32::try_from(rate).ok().filter(|rate| FRAME_RATES.contains(rate))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(n: u64) -> Monotonic {
        Monotonic(Duration::from_secs(n))
    }

    /// `rate` pictures of 1000 bytes in each second from `from` to `to`, with a sample behind each second.
    fn play(meter: &mut Meter, from: u64, to: u64, rate: i64) {
        for second in from..to {
            for n in 0..rate {
                let dts = MediaTime(second as i64 * MediaTime::HZ + n * MediaTime::HZ / rate);
                meter.count(Track::Video, 1_000, dts);
            }
            meter.sample(seconds(second + 1));
        }
    }

    #[test]
    fn nothing_is_shown_before_it_was_received_and_bandwidth_begins_at_zero() {
        let mut meter = Meter::new(seconds(0));
        assert_eq!((meter.video(None), meter.audio(None)), (None, None));
        assert!(meter.count(Track::Audio, 100, MediaTime::ZERO));
        assert!(!meter.count(Track::Audio, 100, MediaTime::ZERO));
        assert_eq!(meter.audio(None).map(|a| a.bandwidth), Some(0));
    }

    #[test]
    fn bandwidth_is_bytes_a_second_of_the_recent_window() {
        let mut meter = Meter::new(seconds(0));
        play(&mut meter, 0, 20, 25);
        assert_eq!(meter.video(None).map(|v| v.bandwidth), Some(25_000));
        for second in 20..29 {
            meter.sample(seconds(second + 1));
        }
        assert_eq!(meter.video(None).map(|v| v.bandwidth), Some(0));
    }

    #[test]
    fn frame_rate_is_measured_when_the_bitstream_does_not_say() {
        let mut meter = Meter::new(seconds(0));
        meter.metadata.frame_rate_millihertz = Some(24_000);
        meter.count(Track::Video, 1, MediaTime::ZERO);
        assert_eq!(meter.video(None).map(|v| v.frame_rate), Some(24));
        play(&mut meter, 1, 4, 30);
        assert_eq!(meter.video(None).map(|v| v.frame_rate), Some(30));
    }
}
