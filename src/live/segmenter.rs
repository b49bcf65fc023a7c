//! Decides when a fragment ends and the next one begins.
//!
//! Sees facts about access units, never their bytes; knows neither storage nor time of day.
//! HLS: RFC 8216 section 3 (a fragment starts decodable), 4.3.2.3 (a discontinuity where tracks or codecs change).
//!
//! * With video a fragment begins at the first key frame once the one before lasted FragDuration; without a key frame it
//!   is cut by force after max(2 x FragDuration, 60 s) or at a byte cap.
//! * Without video it is cut by time. A stream has no video until its codec config or first picture arrives.
//! * Which tracks a connection's first fragment has is settled when both have come, or after a while: until then the caller
//!   keeps the fragment's first bytes, whose program map may still change.
//! * A changed codec config, a jump of the timeline and a new track cut at the next place where a fragment may begin,
//!   with a discontinuity. Such cuts are saved up and spent, so that no sender can ask for one at every key frame.
//!
//! Durations are distances of DTS between the units at which fragments began; where nothing was stored for ten seconds before
//! such a unit, the fragment ends with its own media instead, and the next one begins with a discontinuity.

use crate::media::{MediaTime, Track};

/// How long audio waits for the stream's video when nothing has announced any.
pub const UNANNOUNCED_VIDEO_WAIT: MediaTime = MediaTime::from_secs(2);
/// How long audio waits for the first key frame once video was announced.
pub const KEYFRAME_WAIT: MediaTime = MediaTime::from_secs(10);
/// How long the first fragment waits for the stream's audio, announced or not, before its program map is settled without.
pub const AUDIO_WAIT: MediaTime = MediaTime::from_secs(2);
/// Early cuts (config, jump, tracks) that can be saved up; one is regained with every FragDuration of media.
pub const EARLY_CUTS_MAX: u32 = 4;
/// A forced cut should fall on a picture; audio forces it only when no picture did for this long.
const AUDIO_FORCES_AFTER: MediaTime = MediaTime::from_secs(1);
/// Video that is silent for this long when a cut is forced is gone until its next key frame.
const VIDEO_GONE_AFTER: MediaTime = MediaTime::from_secs(10);
/// A longer hole between a fragment's media and the next fragment is no part of either. A timeline has none; units that are
/// dropped may leave one.
const HOLE_MIN: MediaTime = MediaTime::from_secs(10);
/// The duration of a unit that has no successor and no predecessor: 25 a second.
const LONE_UNIT: MediaTime = MediaTime::from_millis(40);

/// The bounds of one connection's fragments.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A fragment lasts at least this long unless something breaks.
    pub frag_duration: MediaTime,
    /// It is cut by force after this time.
    pub forced_after: MediaTime,
    /// It is cut by force before it exceeds this many payload bytes.
    pub bytes_max: u64,
    /// Audio units that may be held back before the first fragment.
    pub held_units_max: usize,
    /// Their bytes; also of the first fragment while its tracks are not settled.
    pub held_bytes_max: u64,
}

impl Settings {
    /// Of a channel's FragDuration; the forced cut is the OSS rule max(2 x FragDuration, 60 s).
    pub fn new(frag_duration_secs: u32, bytes_max: u64, held_units_max: usize, held_bytes_max: u64) -> Self {
        let frag_duration = MediaTime::from_secs(i64::from(frag_duration_secs));
        let forced_after = MediaTime(frag_duration.0 * 2).max(MediaTime::from_secs(60));
        Settings { frag_duration, forced_after, bytes_max, held_units_max, held_bytes_max }
    }
}

/// What the segmenter is told of an access unit.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Track.
    pub track: Track,
    /// Decode time on the repaired timeline.
    pub dts: MediaTime,
    /// A picture that a fragment may begin with.
    pub keyframe: bool,
    /// The timeline jumped here.
    pub discontinuity: bool,
    /// Payload bytes.
    pub bytes: u64,
    /// It can be part of the open fragment: that has its configuration. A fragment may begin with any.
    pub fits: bool,
}

/// What to do with an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It belongs to the open fragment.
    Take,
    /// Close the open fragment, if there is one; begin another; the unit is its first.
    Cut(Cut),
    /// It belongs to the open fragment, which has a track more from here on. Nothing of the fragment was handed on yet.
    Join,
    /// No fragment is open yet: keep this audio unit for the one that will be.
    Hold,
    /// There will be no picture for now: decide about all units that were held once more, in order, then about this one.
    Release,
    /// The first fragment's tracks are those that have come: say which ([`Segmenter::settle`]), then ask about this unit once
    /// more.
    Settle,
    /// Nothing can be done with it.
    Drop(DropReason),
}

/// A boundary between fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The duration of the fragment that ends here; `None` before the first one.
    pub closed: Option<MediaTime>,
    /// Why.
    pub reason: CutReason,
    /// The new fragment does not continue the one before it.
    pub discontinuity: bool,
    /// The new fragment's tracks: video.
    pub video: bool,
    /// The new fragment's tracks: audio.
    pub audio: bool,
}

/// Why a fragment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// The first of the connection.
    Start,
    /// FragDuration was reached at a place where a fragment may begin.
    Duration,
    /// The forced limit was reached: the new fragment may begin without a key frame.
    Forced,
    /// The byte cap was reached: likewise.
    Bytes,
    /// Codec config, timeline or tracks changed.
    Change,
}

impl CutReason {
    /// Its label in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            CutReason::Start => "start",
            CutReason::Duration => "duration",
            CutReason::Forced => "forced",
            CutReason::Bytes => "bytes",
            CutReason::Change => "change",
        }
    }
}

/// Why an access unit is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// A picture before the first key frame.
    NoKeyframeYet,
    /// Its track is not in the open fragment's program map; the next cut brings it in.
    TrackNotInFragment,
    /// Its configuration is not that of the open fragment; the next cut brings it in.
    ConfigurationNotInFragment,
}

impl DropReason {
    /// Its label in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::NoKeyframeYet => "before_keyframe",
            DropReason::TrackNotInFragment => "track_not_in_fragment",
            DropReason::ConfigurationNotInFragment => "configuration_not_in_fragment",
        }
    }
}

/// The cutting state of one connection.
#[derive(Debug)]
pub struct Segmenter {
    settings: Settings,
    video: TrackState,
    audio: TrackState,
    state: State,
    /// A change waits for the next place where a fragment may begin.
    change_pending: bool,
    early_cuts: u32,
    /// Where the last early cut was regained.
    regained_at: MediaTime,
}

#[derive(Debug, Default)]
struct TrackState {
    announced: bool,
    last: Option<MediaTime>,
    interval: Option<MediaTime>,
}

#[derive(Debug)]
enum State {
    Waiting {
        since: Option<MediaTime>,
        units: usize,
        bytes: u64,
    },
    /// The wait for a picture is over.
    Released,
    Open(Open),
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: MediaTime,
    bytes: u64,
    video: bool,
    audio: bool,
    /// Where its last picture begins, and its last frame of sound.
    last_video: Option<MediaTime>,
    last_audio: Option<MediaTime>,
    /// Its tracks may still change.
    opening: bool,
    /// It does not list audio, and audio has come.
    audio_waits: bool,
}

impl Segmenter {
    /// Before the first unit.
    pub fn new(settings: Settings) -> Self {
        Segmenter {
            settings,
            video: TrackState::default(),
            audio: TrackState::default(),
            state: State::Waiting { since: None, units: 0, bytes: 0 },
            change_pending: false,
            early_cuts: EARLY_CUTS_MAX,
            regained_at: MediaTime::ZERO,
        }
    }

    /// A track's codec config arrived. `changed` says that its contents differ from the one in use.
    pub fn config(&mut self, track: Track, changed: bool) {
        let state = self.track_mut(track);
        let first = !state.announced;
        state.announced = true;
        if changed && !first && matches!(self.state, State::Open(_)) {
            self.change_pending = true;
        }
    }

    /// Decides about the next access unit.
    pub fn unit(&mut self, facts: Facts) -> Step {
        self.observe(&facts);
        let step = match self.state {
            State::Waiting { since, units, bytes } => self.while_waiting(&facts, since, units, bytes),
            State::Released => self.begin(&facts, CutReason::Start, None, false, true),
            State::Open(open) if self.opening_is_over(&facts, &open) => Step::Settle,
            State::Open(open) if open.video => self.with_video(&facts, &open),
            State::Open(open) => self.without_video(&facts, &open),
        };
        if !matches!(step, Step::Take | Step::Join) {
            return step;
        }
        if !facts.fits {
            return Step::Drop(DropReason::ConfigurationNotInFragment);
        }
        if let State::Open(open) = &mut self.state {
            open.bytes += facts.bytes;
            match facts.track {
                Track::Video => open.last_video = Some(facts.dts),
                Track::Audio => open.last_audio = open.last_audio.max(Some(facts.dts)),
            }
        }
        step
    }

    /// Waits for no picture any more; what was held is to be decided about once more, in order.
    pub fn release(&mut self) {
        if matches!(self.state, State::Waiting { .. }) {
            self.state = State::Released;
        }
    }

    /// The tracks of the first fragment are settled: with video, and with audio or not.
    pub fn settle(&mut self, audio: bool) {
        if let State::Open(open) = &mut self.state {
            (open.opening, open.audio) = (false, audio);
        }
    }

    /// The open fragment's tracks may still change.
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Open(Open { opening: true, .. }))
    }

    /// More bytes of a unit that was taken. False when the open fragment has no room for them.
    pub fn more(&mut self, bytes: u64) -> bool {
        let State::Open(open) = &mut self.state else { return false };
        let fits = open.bytes + bytes <= self.settings.bytes_max;
        open.bytes += if fits { bytes } else { 0 };
        fits
    }

    /// Silence stands in the place of sound up to a frame with this decode time.
    pub fn silence(&mut self, dts: MediaTime) {
        if let State::Open(open) = &mut self.state {
            open.last_audio = open.last_audio.max(Some(dts));
        }
    }

    /// The connection ends: the duration of the open fragment, to the end of its last unit. `None` when none is open.
    pub fn finish(&mut self) -> Option<MediaTime> {
        let State::Open(open) = self.state else { return None };
        self.state = State::Waiting { since: None, units: 0, bytes: 0 };
        Some(self.to_the_end(&open))
    }

    /// From a fragment's start to the end of its last unit.
    fn to_the_end(&self, open: &Open) -> MediaTime {
        let end_of = |track: &TrackState, last: Option<MediaTime>| Some(last? + track.interval.unwrap_or(LONE_UNIT));
        let end = end_of(&self.video, open.last_video).max(end_of(&self.audio, open.last_audio));
        distance(open.start, end.unwrap_or(open.start + LONE_UNIT))
    }

    fn observe(&mut self, facts: &Facts) {
        let track = self.track_mut(facts.track);
        track.announced = true;
        // Units that are decided about once more were seen already. No unit lasts as long as a hole.
        if let Some(last) = track.last.filter(|&last| last < facts.dts && facts.dts - last < HOLE_MIN) {
            track.interval = Some((facts.dts - last).min(MediaTime::from_secs(1)));
        }
        track.last = track.last.max(Some(facts.dts));
        if facts.discontinuity && matches!(self.state, State::Open(_)) {
            self.change_pending = true;
        }
        if facts.dts >= self.regained_at + self.settings.frag_duration {
            self.early_cuts = (self.early_cuts + 1).min(EARLY_CUTS_MAX);
            self.regained_at = facts.dts;
        }
    }

    fn while_waiting(&mut self, facts: &Facts, since: Option<MediaTime>, units: usize, bytes: u64) -> Step {
        if facts.track == Track::Video {
            // Audio before the first picture does not matter here: the caller kept what belongs to it.
            if !facts.keyframe {
                return Step::Drop(DropReason::NoKeyframeYet);
            }
            let step = self.begin(facts, CutReason::Start, None, true, self.audio.announced);
            if let State::Open(open) = &mut self.state {
                open.last_audio = self.audio.last.filter(|_| units > 0);
                open.opening = true;
            }
            return step;
        }
        let since = since.unwrap_or(facts.dts);
        let patience = if self.video.announced { KEYFRAME_WAIT } else { UNANNOUNCED_VIDEO_WAIT };
        let full = units >= self.settings.held_units_max || bytes + facts.bytes > self.settings.held_bytes_max;
        if full || facts.dts - since >= patience {
            self.state = State::Released;
            return Step::Release;
        }
        self.state = State::Waiting { since: Some(since), units: units + 1, bytes: bytes + facts.bytes };
        Step::Hold
    }

    /// Whether the first fragment should wait no longer for its audio: it lasts long, it is large, or it is to be cut.
    fn opening_is_over(&self, facts: &Facts, open: &Open) -> bool {
        let age = facts.dts - open.start;
        let full = open.bytes + facts.bytes > self.settings.held_bytes_max.min(self.settings.bytes_max);
        // The audio itself is what is waited for, however late and behind however large a key frame.
        open.opening
            && facts.track == Track::Video
            && (full || age >= AUDIO_WAIT.min(self.settings.frag_duration) || self.change_pending)
    }

    fn with_video(&mut self, facts: &Facts, open: &Open) -> Step {
        let age = facts.dts - open.start;
        if facts.track == Track::Audio && open.opening && !open.audio {
            if let State::Open(open) = &mut self.state {
                open.audio = true;
            }
            return Step::Join;
        }
        if facts.track == Track::Audio && !open.audio {
            self.change_pending = true;
            // This very frame may be what cuts.
            let open = &Open { audio_waits: true, ..*open };
            self.state = State::Open(*open);
            // There may be no key frame any more.
            let video_lasts = self.video_lasts(facts);
            return if !video_lasts && self.may_cut_early() {
                self.cut(facts, open, CutReason::Change, false)
            } else if age >= self.settings.forced_after + AUDIO_FORCES_AFTER {
                self.cut(facts, open, CutReason::Forced, video_lasts)
            } else {
                Step::Drop(DropReason::TrackNotInFragment)
            };
        }
        if facts.keyframe && age >= self.settings.frag_duration {
            return self.cut(facts, open, CutReason::Duration, true);
        }
        if facts.keyframe && self.may_cut_early() {
            return self.cut(facts, open, CutReason::Change, true);
        }
        if open.bytes + facts.bytes > self.settings.bytes_max {
            return self.cut(facts, open, CutReason::Bytes, true);
        }
        let grace = if facts.track == Track::Audio { AUDIO_FORCES_AFTER } else { MediaTime::ZERO };
        if age >= self.settings.forced_after + grace {
            return self.cut(facts, open, CutReason::Forced, self.video_lasts(facts));
        }
        Step::Take
    }

    fn video_lasts(&self, facts: &Facts) -> bool {
        self.video.last.is_some_and(|last| facts.dts - last < VIDEO_GONE_AFTER)
    }

    fn without_video(&mut self, facts: &Facts, open: &Open) -> Step {
        if facts.track == Track::Video {
            return if facts.keyframe {
                self.change_pending = true;
                self.cut(facts, open, CutReason::Change, true)
            } else {
                Step::Drop(DropReason::NoKeyframeYet)
            };
        }
        if facts.dts - open.start >= self.settings.frag_duration {
            return self.cut(facts, open, CutReason::Duration, false);
        }
        if self.may_cut_early() {
            return self.cut(facts, open, CutReason::Change, false);
        }
        if open.bytes + facts.bytes > self.settings.bytes_max {
            return self.cut(facts, open, CutReason::Bytes, false);
        }
        Step::Take
    }

    /// Whether a change waits and a saved-up cut can be spent on it; spends it.
    fn may_cut_early(&mut self) -> bool {
        let may = self.change_pending && self.early_cuts > 0;
        self.early_cuts -= u32::from(may);
        may
    }

    fn cut(&mut self, facts: &Facts, open: &Open, reason: CutReason, video: bool) -> Step {
        // What was listed stays, also while it is silent; what was announced and never came was taken from the first fragment.
        let audio = open.audio || open.audio_waits;
        let last = open.last_video.max(open.last_audio).unwrap_or(open.start);
        // A picture that needs the one before it cannot begin anew.
        let begins_anew = facts.dts - last >= HOLE_MIN && (facts.keyframe || !video);
        self.change_pending |= begins_anew;
        let closed = if begins_anew { self.to_the_end(open) } else { distance(open.start, facts.dts) };
        self.begin(facts, reason, Some(closed), video, audio)
    }

    fn begin(&mut self, facts: &Facts, reason: CutReason, closed: Option<MediaTime>, video: bool, audio: bool) -> Step {
        let lost_video = matches!(self.state, State::Open(open) if open.video && !video);
        let discontinuity = closed.is_some() && (self.change_pending || lost_video);
        let last_of = |track| (facts.track == track).then_some(facts.dts);
        self.state = State::Open(Open {
            start: facts.dts,
            bytes: facts.bytes,
            video,
            audio,
            last_video: last_of(Track::Video),
            last_audio: last_of(Track::Audio),
            opening: false,
            audio_waits: false,
        });
        self.change_pending = false;
        Step::Cut(Cut { closed, reason, discontinuity, video, audio })
    }

    fn track_mut(&mut self, track: Track) -> &mut TrackState {
        match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        }
    }
}

/// A duration that a playlist can state: at least a millisecond, whatever the tracks' clocks did.
fn distance(from: MediaTime, to: MediaTime) -> MediaTime {
    (to - from).max(MediaTime::from_millis(1))
}

#[cfg(test)]
mod tests;
