//! Where a publisher's media becomes transport-stream bytes, and where the pieces wait for the owner.
//!
//! All of it happens in the publisher's task and none of it waits: timeline, segmenter and mux are pure, and what they come to
//! is left as [`Step`]s that the owner carries out. A step stands for some hundred frames, so a frame costs no hand-over, no
//! wake-up and no queue. When the owner lags, [`Intake::send`] takes nothing more: that is the back pressure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::silence::{HOLE_MIN, Silence};
use crate::clock::{Clock, Monotonic, Wall};
use crate::codec::aac;
use crate::codec::h264;
use crate::codec::mpegts::mux::{self, TsMuxer};
use crate::limits;
use crate::live::broadcast::pieces;
use crate::live::registry::{Ended, MediaInput, Shared};
use crate::live::segmenter::{self, Cut, Facts, Segmenter, Settings};
use crate::live::stat::Meter;
use crate::live::timeline::{Stamp, Timeline};
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime, Track};

/// Audio that leads the first picture by more than this is past its time when the fragment's clock begins with the
/// picture; it would be heard before there is anything to see.
const HELD_BEFORE_VIDEO_MAX: MediaTime = mux::DELAY;

/// What the owner has to do, in order.
#[derive(Debug)]
pub(super) enum Step {
    /// A fragment begins.
    Begin {
        /// When its first unit was taken.
        started: Wall,
        /// Does not continue the fragment before it.
        discontinuity: bool,
    },
    /// Bytes of the open fragment.
    Piece(Bytes),
    /// The open fragment ends.
    End {
        /// When it was cut.
        ended: Wall,
        /// To the next fragment.
        duration: MediaTime,
    },
}

/// What the publisher's task and the owner share.
#[derive(Debug)]
pub(in crate::live) struct Intake {
    shared: Arc<Shared>,
    /// Held for the time of one unit, never across an await.
    state: Mutex<State>,
    /// Steps wait for the owner.
    filled: Notify,
    /// There is room for the publisher again.
    drained: Notify,
}

#[derive(Debug)]
struct State {
    pump: Pump,
    steps: Steps,
    /// Nothing more is taken.
    closed: bool,
}

/// Steps that wait, within bounds.
#[derive(Debug, Default)]
struct Steps {
    waiting: VecDeque<Step>,
    bytes: usize,
}

impl Steps {
    fn push(&mut self, step: Step) {
        if let Step::Piece(piece) = &step {
            self.bytes += piece.len();
        }
        self.waiting.push_back(step);
    }

    fn pop(&mut self) -> Option<Step> {
        let step = self.waiting.pop_front()?;
        if let Step::Piece(piece) = &step {
            self.bytes -= piece.len();
        }
        Some(step)
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < limits::STEPS_WAITING_MAX && self.bytes < limits::STEPS_BYTES_MAX
    }
}

impl Intake {
    pub(super) fn new(clock: Arc<dyn Clock>, shared: Arc<Shared>, frag_duration: u32) -> Self {
        let pump = Pump::new(clock, Arc::clone(&shared), frag_duration);
        let state = Mutex::new(State { pump, steps: Steps::default(), closed: false });
        Intake { shared, state, filled: Notify::new(), drained: Notify::new() }
    }

    /// A panic while the lock was held ends both tasks: what the pump was at then is unknown.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no task has panicked while it took media")
    }

    /// Takes one input. Waits while the owner lags; an end that is asked for ends that wait too.
    pub(in crate::live) async fn send(&self, input: MediaInput) -> Result<(), Ended> {
        loop {
            {
                let mut state = self.lock();
                if state.closed {
                    return Err(Ended(self.shared.cause()));
                }
                if state.steps.has_room() {
                    let State { pump, steps, .. } = &mut *state;
                    let before = steps.waiting.len();
                    pump.take(input, steps);
                    let fills = steps.waiting.len() > before;
                    drop(state);
                    if fills {
                        self.filled.notify_one();
                    }
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                cause = self.shared.end_requested() => return Err(Ended(cause)),
                () = self.drained.notified() => {}
            }
        }
    }

    /// Nothing more comes for a while: what is gathered becomes a piece, unless it is little.
    pub(in crate::live) fn pause(&self) {
        let mut state = self.lock();
        let State { pump, steps, .. } = &mut *state;
        // What is being opened may yet be listed anew.
        if pump.buffer.len() < limits::PIECE_BYTES_MIN || pump.segmenter.is_opening() {
            return;
        }
        pump.pass_on(steps);
        drop(state);
        self.filled.notify_one();
    }

    /// Ready when there may be steps to carry out.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// The next step.
    pub(super) fn next(&self) -> Option<Step> {
        let mut state = self.lock();
        let had_room = state.steps.has_room();
        let step = state.steps.pop();
        if !had_room && state.steps.has_room() {
            self.drained.notify_one();
        }
        step
    }

    /// Brings the rates up to date.
    pub(super) fn sample(&self, now: Monotonic) {
        let pump = &mut self.lock().pump;
        pump.meter.sample(now);
        pump.publish_stat();
    }

    /// Takes nothing more, and ends the open fragment.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        let State { pump, steps, closed } = &mut *state;
        *closed = true;
        pump.finish(steps);
        drop(state);
        self.drained.notify_one();
    }

    /// Takes nothing more, whatever state it is in.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).closed = true;
        self.drained.notify_one();
    }

    /// Units that came to nothing.
    pub(super) fn units_dropped(&self) -> u64 {
        self.lock().pump.units_dropped
    }
}

/// The pure part: media in, steps out.
#[derive(Debug)]
struct Pump {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    timeline: Timeline,
    segmenter: Segmenter,
    muxer: TsMuxer,
    meter: Meter,
    video: Option<AvcConfig>,
    audio: Option<AacConfig>,
    /// Audio before the first fragment, bounded by the segmenter.
    held: VecDeque<(Stamp, AccessUnit)>,
    /// A sound configuration that differs from the one in use: the next fragment begins with it.
    next_audio: Option<AacConfig>,
    /// A fragment is open.
    open: bool,
    /// It holds audio.
    has_audio: bool,
    /// Its program map lists video.
    lists_video: bool,
    /// Its program map lists audio.
    lists_audio: bool,
    silence: Silence,
    /// A frame of it in the configuration in use, if there is one.
    silent_frame: Option<Vec<u8>>,
    /// Decode time of its first unit.
    opened: MediaTime,
    /// Decode time of the last picture.
    picture_dts: MediaTime,
    /// The source's time of the picture that was written last and whether it is a key frame, if it is in the open fragment.
    last_picture: Option<(SourceTime, bool)>,
    /// Its bytes that are not yet a piece; all of them while its tracks may still change.
    buffer: BytesMut,
    units_dropped: u64,
}

impl Pump {
    fn new(clock: Arc<dyn Clock>, shared: Arc<Shared>, frag_duration: u32) -> Self {
        let (held_units, held_bytes) = (limits::HELD_UNITS_MAX, limits::HELD_BYTES_MAX);
        let settings = Settings::new(frag_duration, limits::FRAGMENT_BYTES_MAX, held_units, held_bytes);
        Pump {
            meter: Meter::new(clock.monotonic()),
            clock,
            shared,
            timeline: Timeline::new(),
            segmenter: Segmenter::new(settings),
            muxer: TsMuxer::new(),
            video: None,
            audio: None,
            held: VecDeque::new(),
            next_audio: None,
            open: false,
            has_audio: false,
            lists_video: false,
            lists_audio: false,
            silence: Silence::default(),
            silent_frame: None,
            opened: MediaTime::ZERO,
            picture_dts: MediaTime::ZERO,
            last_picture: None,
            buffer: BytesMut::new(),
            units_dropped: 0,
        }
    }

    fn take(&mut self, input: MediaInput, steps: &mut Steps) {
        match input {
            MediaInput::Unit(unit) => self.take_unit(unit, steps),
            MediaInput::Config(config) => self.take_config(config),
            MediaInput::Metadata(metadata) => {
                self.meter.metadata = metadata;
                self.publish_stat();
            }
        }
    }

    fn take_config(&mut self, config: CodecConfig) {
        match config {
            CodecConfig::Avc(config) => {
                self.segmenter.config(Track::Video, self.video.as_ref() != Some(&config));
                self.video = Some(config);
            }
            CodecConfig::Aac(config) => {
                let in_use = self.next_audio.as_ref().or(self.audio.as_ref());
                let changed = in_use.is_none_or(|audio| audio.raw != config.raw);
                self.segmenter.config(Track::Audio, changed);
                // A player reads it where a fragment begins: frames of two configurations do not share one.
                if changed && self.has_audio {
                    self.next_audio = Some(config);
                } else if changed {
                    self.set_audio(config);
                }
            }
        }
        self.publish_stat();
    }

    fn set_audio(&mut self, config: AacConfig) {
        self.timeline.set_audio_frame(aac::frame_duration(&config));
        self.silent_frame = aac::silent_frame(&config);
        self.audio = Some(config);
    }

    fn take_unit(&mut self, unit: AccessUnit, steps: &mut Steps) {
        let configured = match unit.track {
            Track::Video => self.video.is_some(),
            Track::Audio => self.audio.is_some(),
        };
        if !configured {
            return self.count_dropped("no_config");
        }
        if self.goes_on(&unit) {
            return self.write_more(&unit);
        }
        let stamp = self.timeline.stamp(&unit);
        if self.meter.count(unit.track, unit.payload.len(), stamp.dts) {
            self.publish_stat();
        }
        self.decide(&stamp, unit, steps);
        if self.buffer.len() >= limits::PIECE_BYTES_MAX && !self.segmenter.is_opening() {
            self.pass_on(steps);
        }
    }

    /// Slices of the picture that was written last, in a tag of their own.
    fn goes_on(&self, unit: &AccessUnit) -> bool {
        let nal_length_size = self.video.as_ref().map_or(4, |config| config.nal_length_size);
        let slices = || h264::nal_units(&unit.payload, nal_length_size).flatten().filter(|nal| h264::is_slice(nal));
        // A slice of a key frame goes on with no other picture (7.4.1.2.4 of H.264).
        let same = |(time, keyframe)| time == unit.time && (keyframe || !unit.keyframe);
        unit.track == Track::Video
            && self.last_picture.is_some_and(same)
            && slices().next().is_some_and(h264::continues_picture)
    }

    fn write_more(&mut self, unit: &AccessUnit) {
        let Some(config) = self.video.as_ref().filter(|_| self.segmenter.more(unit.payload.len() as u64)) else {
            return self.count_dropped("fragment_full");
        };
        if self.muxer.more_video(Self::out(&mut self.buffer), &unit.payload, config).is_err() {
            self.count_dropped("malformed");
        }
    }

    fn decide(&mut self, stamp: &Stamp, unit: AccessUnit, steps: &mut Steps) {
        let facts = Facts {
            track: unit.track,
            dts: stamp.dts,
            keyframe: unit.keyframe,
            discontinuity: stamp.discontinuity,
            bytes: unit.payload.len() as u64,
            fits: unit.track == Track::Video || self.next_audio.is_none(),
        };
        loop {
            // Before a cut: the hole belongs to the fragment that ends with it, as its duration says. And what is left out for
            // silence that stands in its place begins no fragment.
            if !self.make_sound_meet(stamp, unit.track) {
                return self.count_dropped("behind_silence");
            }
            match self.segmenter.unit(facts) {
                segmenter::Step::Take => self.write_unit(stamp, &unit),
                segmenter::Step::Join => {
                    self.muxer.relist(&mut self.buffer, true, true);
                    self.lists_audio = true;
                    self.write_unit(stamp, &unit);
                }
                segmenter::Step::Hold => self.held.push_back((*stamp, unit)),
                segmenter::Step::Drop(reason) => self.count_dropped(reason.as_str()),
                segmenter::Step::Release => {
                    self.release(steps);
                    continue;
                }
                segmenter::Step::Settle => {
                    self.settle();
                    continue;
                }
                segmenter::Step::Cut(cut) => {
                    if let Some(duration) = cut.closed {
                        self.close_fragment(duration, steps);
                    }
                    self.open_fragment(&cut, steps);
                    self.opened = stamp.dts;
                    self.write_first(stamp, &unit);
                }
            }
            return;
        }
    }

    /// Fills what is missing of the sound before this unit. False for a frame in whose place silence stands already.
    fn make_sound_meet(&mut self, stamp: &Stamp, track: Track) -> bool {
        match track {
            Track::Video => {
                if self.lists_video {
                    self.fill_silence(|silence, frame| silence.beside(stamp.dts, frame));
                }
                self.picture_dts = stamp.dts;
                true
            }
            Track::Audio => {
                self.fill_silence(|silence, frame| silence.frames(stamp.dts, HOLE_MIN, frame));
                if self.silence.stands_at(stamp.dts) {
                    return false;
                }
                if self.next_audio.is_some() {
                    // Not for this fragment: silence stands in for it, too.
                    self.silence.goes_on_from(stamp.dts);
                }
                true
            }
        }
    }

    /// What waited for a picture is cut as the audio alone that it is.
    fn release(&mut self, steps: &mut Steps) {
        for (stamp, unit) in std::mem::take(&mut self.held) {
            self.decide(&stamp, unit, steps);
        }
    }

    /// The first fragment is not waiting for its audio any more. Audio that was announced is there from the beginning, as
    /// silence: a browser that has begun without it cannot take it in later. Else the program map lists what has come.
    fn settle(&mut self) {
        if !self.has_audio && self.lists_audio {
            self.silence.begin(self.opened);
            let until = self.picture_dts;
            self.fill_silence(|silence, frame| silence.frames(until, MediaTime::ZERO, frame));
        }
        if !self.has_audio {
            self.muxer.relist(&mut self.buffer, true, false);
            self.lists_audio = false;
        }
        self.segmenter.settle(self.has_audio);
    }

    /// What is gathered becomes a piece.
    fn pass_on(&mut self, steps: &mut Steps) {
        if !self.buffer.is_empty() {
            steps.push(Step::Piece(pieces::finish(std::mem::take(&mut self.buffer))));
        }
    }

    /// The buffer of the open fragment.
    fn out(buffer: &mut BytesMut) -> &mut BytesMut {
        if buffer.capacity() == 0 {
            *buffer = pieces::take();
        }
        buffer
    }

    fn open_fragment(&mut self, cut: &Cut, steps: &mut Steps) {
        tracing::debug!(connection = %self.shared.connection, reason = cut.reason.as_str(), "fragment begins");
        metrics::counter!("livebucket_fragment_cuts_total", "reason" => cut.reason.as_str()).increment(1);
        steps.push(Step::Begin { started: self.clock.wall(), discontinuity: cut.discontinuity });
        if let Some(audio) = self.next_audio.take() {
            self.set_audio(audio);
        }
        self.muxer.begin_fragment(Self::out(&mut self.buffer), cut.video, cut.audio);
        (self.open, self.has_audio, self.last_picture) = (true, false, None);
        self.lists_video = cut.video;
        if !std::mem::replace(&mut self.lists_audio, cut.audio) {
            self.silence.reset();
        }
    }

    /// The first unit of a fragment, and what was held for it: a key frame stands before the audio that led it.
    fn write_first(&mut self, stamp: &Stamp, unit: &AccessUnit) {
        let held = std::mem::take(&mut self.held);
        if unit.track == Track::Video {
            self.write_unit(stamp, unit);
        }
        for (held_stamp, held_unit) in &held {
            if unit.track == Track::Video && stamp.dts - held_stamp.dts > HELD_BEFORE_VIDEO_MAX {
                self.count_dropped("before_keyframe");
            } else {
                self.make_sound_meet(held_stamp, Track::Audio);
                self.write_unit(held_stamp, held_unit);
            }
        }
        if unit.track == Track::Audio {
            self.write_unit(stamp, unit);
        }
    }

    /// Silence where it belongs.
    fn fill_silence<I: Iterator<Item = MediaTime>>(&mut self, belongs: impl FnOnce(&mut Silence, MediaTime) -> I) {
        let (Some(config), Some(frame)) = (&self.audio, &self.silent_frame) else { return };
        if !self.open || !self.lists_audio {
            return;
        }
        for dts in belongs(&mut self.silence, aac::frame_duration(config)) {
            self.muxer.audio(Self::out(&mut self.buffer), dts, frame, config);
            self.segmenter.silence(dts);
            self.has_audio = true;
            metrics::counter!("livebucket_silent_frames_total").increment(1);
        }
    }

    fn write_unit(&mut self, stamp: &Stamp, unit: &AccessUnit) {
        if !self.open {
            return;
        }
        let out = Self::out(&mut self.buffer);
        let written = match (unit.track, &self.video, &self.audio) {
            (Track::Video, Some(config), _) => {
                self.muxer.video(out, stamp.dts, stamp.pts, unit.keyframe, &unit.payload, config).is_ok()
            }
            (Track::Audio, _, Some(config)) => {
                self.muxer.audio(out, stamp.dts, &unit.payload, config);
                self.silence.take(stamp.dts, aac::frame_duration(config));
                self.has_audio = true;
                true
            }
            // Units without a config were dropped before they came here.
            _ => false,
        };
        if !written {
            self.count_dropped("malformed");
        } else if unit.track == Track::Video {
            self.last_picture = Some((unit.time, unit.keyframe));
        }
        if self.has_audio && self.segmenter.is_opening() {
            self.segmenter.settle(true);
        }
    }

    fn close_fragment(&mut self, duration: MediaTime, steps: &mut Steps) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.has_audio = false;
        self.pass_on(steps);
        steps.push(Step::End { ended: self.clock.wall(), duration });
    }

    fn finish(&mut self, steps: &mut Steps) {
        if !self.held.is_empty() {
            self.segmenter.release();
            self.release(steps);
        }
        if self.segmenter.is_opening() {
            self.settle();
        }
        if self.lists_video {
            let until = self.picture_dts;
            self.fill_silence(|silence, frame| silence.frames(until, HOLE_MIN, frame));
        }
        if let Some(duration) = self.segmenter.finish() {
            self.close_fragment(duration, steps);
        }
    }

    fn count_dropped(&mut self, reason: &'static str) {
        self.units_dropped += 1;
        metrics::counter!("livebucket_units_dropped_total", "reason" => reason).increment(1);
    }

    fn publish_stat(&self) {
        let (video, audio) = (self.meter.video(self.video.as_ref()), self.meter.audio(self.audio.as_ref()));
        let mut stat = self.shared.stat.lock().expect("no code panics while holding this lock");
        if let Some(stat) = stat.as_mut() {
            (stat.video, stat.audio) = (video, audio);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_steps_wait_and_so_many_bytes_and_no_more() {
        let piece = |bytes: usize| Step::Piece(Bytes::from(vec![0; bytes]));
        let mut steps = Steps::default();
        for _ in 1..limits::STEPS_WAITING_MAX {
            steps.push(piece(1));
        }
        assert!(steps.has_room());
        steps.push(piece(1));
        assert!(!steps.has_room(), "{} steps wait", limits::STEPS_WAITING_MAX);
        steps.pop();
        assert!(steps.has_room());

        let mut steps = Steps::default();
        steps.push(piece(limits::STEPS_BYTES_MAX - 1));
        assert!(steps.has_room());
        steps.push(piece(1));
        assert!(!steps.has_room(), "{} bytes wait", limits::STEPS_BYTES_MAX);
        steps.pop();
        assert!(steps.has_room());
    }
}
