//! Proves that a media playlist and the fragments that it names agree: what a player of it meets.
//!
//! The fragments go through [`super::mpegts::check`] with the discontinuities that the playlist states; then what the
//! playlist says of them is compared with what they hold. RFC 8216 sections 3, 4.3.2.1 (EXTINF), 4.3.2.3
//! (discontinuity) and 4.3.3.1 (target duration). It reads the wire only and shares no state with who wrote it.
//!
//! EXTINF is judged to the millisecond wherever the next fragment goes on: it is the distance of the two starts. A
//! fragment before a discontinuity, or the last one, has no such neighbour: it may not be shorter than its own media, nor
//! longer by more than a sender may pause.

use std::fmt;

use super::m3u8::{Playlist, Segment, rounded_seconds};
use super::mpegts::TIMESTAMP_MASK;
use super::mpegts::check::{Checker, Expectation, Fault, FaultKind, FragmentReport, Report, TrackReport};
use crate::media::MediaTime;

/// How far EXTINF may be from the distance of decode times: it is written in milliseconds.
pub const EXTINF_TOLERANCE: MediaTime = MediaTime::from_millis(1);
/// The longest pause that a fragment without a neighbour may end with: from there on a timeline jumps instead.
const PAUSE_MAX: MediaTime = MediaTime::from_secs(10);
/// How much later than a picture sound forces a cut.
const SOUND_FORCES_AFTER: MediaTime = MediaTime::from_secs(1);
/// A hole that filling it with PCRs would make more of than its media is: a pause, and what a track may be behind.
const HOLE_MIN: MediaTime = MediaTime::from_millis(11_900);

/// When a fragment may have been cut by force, so that the next one need not begin with a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForcedCuts {
    /// After this much time.
    pub after: MediaTime,
    /// After this many bytes.
    pub bytes: u64,
}

/// A fault, and which fragment has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackFault {
    /// Counted from 0; `None` when it is the playlist's own.
    pub fragment: Option<usize>,
    /// What is wrong.
    pub kind: PlaybackFaultKind,
}

/// Everything that a playlist and its fragments can have wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaybackFaultKind {
    /// The playlist names none.
    #[error("the playlist names no fragment")]
    NoFragments,
    /// It cannot be had; says why.
    #[error("{0}")]
    Missing(String),
    /// The transport stream is not what it should be.
    #[error("byte {}: {}", .0.at, .0.kind)]
    Media(Fault),
    /// It holds no access unit.
    #[error("no access unit")]
    Empty,
    /// EXTINF is not the distance to the next fragment, or not what the fragment lasts.
    #[error("EXTINF {} s, its media lasts {} s", seconds(*stated), seconds(*actual))]
    Duration {
        /// What the playlist says.
        stated: MediaTime,
        /// What the decode times say; without a neighbour the nearest that would be allowed.
        actual: MediaTime,
    },
    /// EXTINF, rounded, is above the target duration.
    #[error("EXTINF {} s is above the target duration of {target} s", seconds(*stated))]
    TargetDuration {
        /// What the playlist says of the fragment.
        stated: MediaTime,
        /// What it says of all.
        target: u32,
    },
    /// The target duration is above every fragment that is listed, and above every one that may have stood there.
    #[error("the target duration of {target} s is above every fragment's, of which the longest may have {longest} s")]
    TargetTooLong {
        /// What the playlist says.
        target: u32,
        /// The most that there is a reason for, in seconds.
        longest: u32,
    },
    /// The first fragment that the channel ever had is marked.
    #[error("a discontinuity before the first fragment of all")]
    FirstDiscontinuity,
}

impl PlaybackFaultKind {
    /// Whether no server could mend it without holding a stream back: a track that lags far behind the other, a hole that
    /// would take more PCRs than media to fill, a track that was there so far and does not come, and configurations that
    /// change faster than fragments are cut.
    pub fn is_the_sources(&self) -> bool {
        let PlaybackFaultKind::Media(fault) = self else { return false };
        match fault.kind {
            FaultKind::Late(..) | FaultKind::Absent { .. } | FaultKind::ConfigChanged(_) => true,
            FaultKind::PcrGap(gap) => gap > HOLE_MIN,
            _ => false,
        }
    }
}

/// Seconds with three decimals.
fn seconds(time: MediaTime) -> String {
    let millis = time.to_millis();
    format!("{}{}.{:03}", if millis < 0 { "-" } else { "" }, millis.abs() / 1_000, millis.abs() % 1_000)
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackReport {
    /// In order of fragments, the playlist's own first.
    pub faults: Vec<PlaybackFault>,
    /// Faults of the transport streams that were not kept.
    pub faults_left_out: u64,
    /// The fragments' URIs, in order.
    pub uris: Vec<String>,
    /// What each holds; `None` for one that is missing.
    pub fragments: Vec<Option<FragmentReport>>,
    /// The sum of EXTINF.
    pub duration: MediaTime,
}

impl PlaybackReport {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn sum(&self, of: impl Fn(&FragmentReport) -> Option<u64>) -> u64 {
        self.fragments.iter().flatten().filter_map(of).sum()
    }
}

impl fmt::Display for PlaybackReport {
    /// One line a fault, and one of what there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            match fault.fragment {
                None => writeln!(f, "playlist: {}", fault.kind)?,
                Some(index) => writeln!(f, "fragment {index} ({}): {}", self.uris[index], fault.kind)?,
            }
        }
        if self.faults_left_out > 0 {
            writeln!(f, "and {} more", self.faults_left_out)?;
        }
        writeln!(
            f,
            "{} fragments of {} s: {} pictures ({} key frames), {} AAC frames, {} faults",
            self.fragments.len(),
            seconds(self.duration),
            self.sum(|fragment| fragment.video.map(|video| video.access_units)),
            self.sum(|fragment| fragment.video.map(|video| video.keyframes)),
            self.sum(|fragment| fragment.audio.map(|audio| audio.access_units)),
            self.faults.len() as u64 + self.faults_left_out,
        )
    }
}

/// Takes the fragments of one playlist, in its order.
pub struct PlaybackChecker {
    forced: ForcedCuts,
    media_sequence: u64,
    target_duration: u32,
    segments: Vec<Segment>,
    checker: Checker,
    /// Of each fragment, whether its connection is known to be that of the one before, with nothing lost between.
    goes_on: Vec<bool>,
    /// Of each fragment, whether one stands before it that the playlist does not name: it may have been cut by force.
    behind_unlisted: Vec<bool>,
    /// Bytes of each fragment that was taken, or why it could not be had.
    taken: Vec<Result<u64, String>>,
}

impl PlaybackChecker {
    /// Before the first fragment.
    pub fn new(playlist: &Playlist, forced: ForcedCuts) -> Self {
        // What stood before the first has left the window, or is out of the range of an on-demand playlist, whose numbers all
        // begin at 0.
        let first_is_behind = playlist.media_sequence > 0 || playlist.ended;
        PlaybackChecker {
            forced,
            media_sequence: playlist.media_sequence,
            target_duration: playlist.target_duration,
            segments: playlist.segments.clone(),
            checker: Checker::new(),
            goes_on: vec![false; playlist.segments.len()],
            behind_unlisted: (0..playlist.segments.len()).map(|index| index == 0 && first_is_behind).collect(),
            taken: Vec::with_capacity(playlist.segments.len()),
        }
    }

    /// Which fragments are of the connection of the one before them, with nothing lost between: their counters and times must
    /// go on, also where the playlist states a discontinuity. Without this none is known to be.
    pub fn of_one_connection(mut self, goes_on: impl Fn(usize) -> bool) -> Self {
        self.goes_on = (0..self.segments.len()).map(goes_on).collect();
        self
    }

    /// Which fragments follow one that the playlist does not name, where that is known. Without this the first does, unless it
    /// is that of a live playlist which nothing has left.
    pub fn behind_unlisted(mut self, is: impl Fn(usize) -> Option<bool>) -> Self {
        for (index, unlisted) in self.behind_unlisted.iter_mut().enumerate() {
            *unlisted = is(index).unwrap_or(*unlisted);
        }
        self
    }

    /// The next fragment of the playlist, or why it cannot be had. More than the playlist names are passed over.
    pub fn fragment(&mut self, bytes: Result<&[u8], String>) {
        let index = self.taken.len();
        if index >= self.segments.len() {
            return;
        }
        if let Ok(bytes) = bytes {
            self.checker.fragment(bytes, self.expectation(index));
        }
        self.taken.push(bytes.map(|bytes| bytes.len() as u64));
    }

    /// The end of the playlist. Fragments that were not handed over count as missing.
    pub fn finish(mut self) -> PlaybackReport {
        self.taken.resize(self.segments.len(), Err("it was not looked for".to_owned()));
        let report = std::mem::take(&mut self.checker).finish();
        let present: Vec<usize> = (0..self.taken.len()).filter(|&index| self.taken[index].is_ok()).collect();
        let mut fragments = vec![None; self.segments.len()];
        for (&index, fragment) in present.iter().zip(&report.fragments) {
            fragments[index] = Some(*fragment);
        }
        let mut faults = self.own_faults();
        faults.extend(media_faults(&report, &present));
        for (index, fragment) in fragments.iter().enumerate() {
            let mut fault = |kind| faults.push(PlaybackFault { fragment: Some(index), kind });
            if let Err(why) = &self.taken[index] {
                fault(PlaybackFaultKind::Missing(why.clone()));
            }
            let duration = fragment.as_ref().and_then(|fragment| self.duration_fault(index, fragment, &fragments));
            duration.into_iter().chain(self.target_fault(index)).for_each(fault);
        }
        faults.sort_by_key(|fault| fault.fragment);
        let duration = self.segments.iter().fold(MediaTime::ZERO, |sum, segment| sum + segment.duration);
        let uris = self.segments.into_iter().map(|segment| segment.uri).collect();
        PlaybackReport { faults, faults_left_out: report.faults_left_out, uris, fragments, duration }
    }

    /// What a fragment may do after the one before it. After a missing one nothing can be said.
    fn expectation(&self, index: usize) -> Expectation {
        let unlisted = self.behind_unlisted[index];
        let Some(before) = index.checked_sub(1) else {
            return Expectation { forced_cut: unlisted, ..Expectation::default() };
        };
        Expectation {
            discontinuity: self.segments[index].discontinuity || self.taken[before].is_err(),
            goes_on: self.goes_on[index] && self.taken[before].is_ok(),
            forced_cut: unlisted
                || self.segments[before].duration + EXTINF_TOLERANCE >= self.forced.after
                || self.taken[before].as_ref().is_ok_and(|&bytes| bytes >= self.forced.bytes),
        }
    }

    fn own_faults(&self) -> Vec<PlaybackFault> {
        let mut faults = Vec::new();
        match self.segments.first() {
            None => faults.push(PlaybackFault { fragment: None, kind: PlaybackFaultKind::NoFragments }),
            Some(first) if first.discontinuity && self.media_sequence == 0 => {
                faults.push(PlaybackFault { fragment: Some(0), kind: PlaybackFaultKind::FirstDiscontinuity });
            }
            Some(_) => {}
        }
        // It does not shrink when its longest fragment leaves; and none is longer than a forced cut and a pause allow.
        let listed = self.segments.iter().map(|segment| rounded_seconds(segment.duration)).max().unwrap_or(0);
        let longest = listed.max(rounded_seconds(self.forced.after + SOUND_FORCES_AFTER + PAUSE_MAX));
        if self.target_duration > longest {
            let kind = PlaybackFaultKind::TargetTooLong { target: self.target_duration, longest };
            faults.push(PlaybackFault { fragment: None, kind });
        }
        faults
    }

    fn target_fault(&self, index: usize) -> Option<PlaybackFaultKind> {
        let (stated, target) = (self.segments[index].duration, self.target_duration);
        (rounded_seconds(stated) > target).then_some(PlaybackFaultKind::TargetDuration { stated, target })
    }

    fn duration_fault(
        &self,
        index: usize,
        fragment: &FragmentReport,
        all: &[Option<FragmentReport>],
    ) -> Option<PlaybackFaultKind> {
        let stated = self.segments[index].duration;
        let Some(start) = fragment.start() else { return Some(PlaybackFaultKind::Empty) };
        let next = all.get(index + 1).copied().flatten();
        let goes_on = self.segments.get(index + 1).is_some_and(|next| !next.discontinuity);
        // A discontinuity within a connection does not move the wire's clock.
        let distances = next.map_or_else(Vec::new, |next| self.distances(index, fragment, &next));
        if distances.iter().any(|&distance| is_near(stated, distance)) {
            return None;
        }
        if let Some(&actual) = distances.first().filter(|_| goes_on) {
            return Some(PlaybackFaultKind::Duration { stated, actual });
        }
        let starts = self.starts(index, fragment);
        let (earliest, latest) = (starts.clone().min().unwrap_or(start), starts.max().unwrap_or(start));
        let end = both(fragment).map(|track| track.end()).max().unwrap_or(start);
        let shortest = fragment.video.or(fragment.audio).map_or(start, |track| track.last_dts) - latest;
        let longest = end - earliest + PAUSE_MAX;
        let actual = stated.clamp(shortest.min(longest), longest);
        (!is_near(stated, actual)).then_some(PlaybackFaultKind::Duration { stated, actual })
    }

    /// From this fragment's start to the next one's; the likeliest reading first.
    fn distances(&self, index: usize, this: &FragmentReport, next: &FragmentReport) -> Vec<MediaTime> {
        let ends = self.starts(index + 1, next);
        self.starts(index, this).flat_map(|start| ends.clone().map(move |end| wire_step(start, end))).collect()
    }

    /// Where a fragment may be said to begin: with video, if there is any; after a forced cut with either track.
    fn starts(&self, index: usize, fragment: &FragmentReport) -> impl Iterator<Item = MediaTime> + Clone {
        let count = if self.expectation(index).forced_cut { 2 } else { 1 };
        both(fragment).map(|track| track.first_dts).take(count)
    }
}

/// What is wrong with a playlist that takes the place of another one of the same channel (RFC 8216 sections 6.2.1 and 6.2.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionFault {
    /// The media sequence went back, or left out fragments that nobody could have seen.
    #[error("EXT-X-MEDIA-SEQUENCE {after} after {before} with {listed} fragments")]
    MediaSequence {
        /// What it was.
        before: u64,
        /// How many fragments stood there.
        listed: u64,
        /// What it is.
        after: u64,
    },
    /// The discontinuity sequence is not what it was, and one more for each discontinuity that has left.
    #[error("EXT-X-DISCONTINUITY-SEQUENCE {found} instead of {expected}")]
    DiscontinuitySequence {
        /// What follows from the playlist before.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// A media sequence number means another fragment than before.
    #[error("number {sequence} is not the fragment that it was")]
    Replaced {
        /// Which.
        sequence: u64,
    },
    /// Fewer fragments than before without any that has left.
    #[error("fragments have gone from the end")]
    Shortened,
    /// The target duration is smaller than it was, and no new fragment could be another connection's.
    #[error("EXT-X-TARGETDURATION {after} after {before}")]
    TargetShrank {
        /// What it was.
        before: u32,
        /// What it is.
        after: u32,
    },
}

/// Compares two states of a live playlist, one read after the other. As many states may lie between as fragments were listed:
/// beyond that nothing can be said of what has left.
///
/// RFC 8216 section 6.2.1 lists what may change, and the target duration is not in the list. Ours grows with a fragment that is
/// longer than any before, which nobody can foretell; a new connection, which begins behind a discontinuity, takes that back.
pub fn succession_faults(before: &Playlist, after: &Playlist) -> Vec<SuccessionFault> {
    let listed = before.segments.len() as u64;
    let left = after.media_sequence.checked_sub(before.media_sequence).filter(|&left| left <= listed);
    let Some(left) = left else {
        let (before, after) = (before.media_sequence, after.media_sequence);
        return vec![SuccessionFault::MediaSequence { before, listed, after }];
    };
    let (gone, kept) = before.segments.split_at(left as usize);
    let mut faults = Vec::new();
    let expected = before.discontinuity_sequence + gone.iter().filter(|segment| segment.discontinuity).count() as u64;
    let found = after.discontinuity_sequence;
    if found != expected {
        faults.push(SuccessionFault::DiscontinuitySequence { expected, found });
    }
    let pairs = kept.iter().zip(&after.segments).enumerate();
    faults.extend(pairs.filter(|(_, (was, is))| was != is).map(|(index, _)| {
        let sequence = after.media_sequence + index as u64;
        SuccessionFault::Replaced { sequence }
    }));
    if after.segments.len() < kept.len() {
        faults.push(SuccessionFault::Shortened);
    }
    let goes_on = after.segments.iter().skip(kept.len()).all(|segment| !segment.discontinuity);
    if goes_on && after.target_duration < before.target_duration {
        let (before, after) = (before.target_duration, after.target_duration);
        faults.push(SuccessionFault::TargetShrank { before, after });
    }
    faults
}

/// Its tracks, video first.
fn both(fragment: &FragmentReport) -> impl Iterator<Item = TrackReport> + Clone + use<> {
    [fragment.video, fragment.audio].into_iter().flatten()
}

/// The distance on a clock of 33 bits, signed.
fn wire_step(from: MediaTime, to: MediaTime) -> MediaTime {
    MediaTime(((to - from).0 & TIMESTAMP_MASK as i64) << 31 >> 31)
}

/// Within the tolerance; and a duration that would not be positive is stated as the least that there is.
fn is_near(stated: MediaTime, actual: MediaTime) -> bool {
    let actual = actual.max(MediaTime::from_millis(1));
    (-EXTINF_TOLERANCE.0..=EXTINF_TOLERANCE.0).contains(&(stated - actual).0)
}

/// The faults of the transport streams, under the playlist's own count.
fn media_faults(report: &Report, present: &[usize]) -> impl Iterator<Item = PlaybackFault> {
    report.faults.iter().map(|fault| {
        let index = present[fault.fragment];
        let kind = PlaybackFaultKind::Media(Fault { fragment: index, ..*fault });
        PlaybackFault { fragment: Some(index), kind }
    })
}

impl TrackReport {
    /// Where the last access unit ends, if it lasts as long as the one before it.
    fn end(&self) -> MediaTime {
        self.last_dts + self.last_step.unwrap_or(MediaTime::ZERO)
    }
}

#[cfg(test)]
mod tests;
