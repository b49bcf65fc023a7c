//! Where a publisher's media becomes transport-stream bytes, and where the pieces wait for the owner.
//!
//! All of it happens in the publisher's task and none of it waits: timeline, segmenter and mux are pure, and what they come to
//! is left as [`Step`]s that the owner carries out. A step stands for some hundred frames, so a frame costs no hand-over, no
//! wake-up and no queue. When the owner lags, [`Intake::send`] takes nothing more: that is the back pressure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::clock::{Clock, Monotonic, Wall};
use crate::codec::mpegts::mux::{self, TsMuxer};
use crate::limits;
use crate::live::registry::{Ended, MediaInput, Shared};
use crate::live::segmenter::{self, Cut, Facts, Segmenter, Settings};
use crate::live::stat::Meter;
use crate::live::timeline::{Stamp, Timeline};
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, Track};

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

    /// Units that came to nothing, those included that still waited for a first fragment.
    pub(super) fn units_dropped(&self) -> u64 {
        let pump = &self.lock().pump;
        pump.units_dropped + pump.held.len() as u64
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
    /// A fragment is open.
    open: bool,
    /// Its bytes that are not yet a piece.
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
            open: false,
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
                self.segmenter.config(Track::Audio, self.audio.as_ref().map(|a| &a.raw) != Some(&config.raw));
                self.audio = Some(config);
            }
        }
        self.publish_stat();
    }

    fn take_unit(&mut self, unit: AccessUnit, steps: &mut Steps) {
        let configured = match unit.track {
            Track::Video => self.video.is_some(),
            Track::Audio => self.audio.is_some(),
        };
        if !configured {
            return self.count_dropped("no_config");
        }
        let stamp = self.timeline.stamp(&unit);
        if self.meter.count(unit.track, unit.payload.len(), stamp.dts) {
            self.publish_stat();
        }
        let step = self.segmenter.unit(Facts {
            track: unit.track,
            dts: stamp.dts,
            keyframe: unit.keyframe,
            discontinuity: stamp.discontinuity,
            bytes: unit.payload.len() as u64,
        });
        match step {
            segmenter::Step::Take => self.write_unit(&stamp, &unit),
            segmenter::Step::Hold => self.held.push_back((stamp, unit)),
            segmenter::Step::Drop(reason) => self.count_dropped(reason.as_str()),
            segmenter::Step::Cut(cut) => {
                if let Some(duration) = cut.closed {
                    self.close_fragment(duration, steps);
                }
                self.open_fragment(&cut, steps);
                self.write_first(&stamp, &unit);
            }
        }
        if self.buffer.len() >= limits::GATHER_BYTES {
            steps.push(Step::Piece(self.buffer.split().freeze()));
        }
    }

    fn open_fragment(&mut self, cut: &Cut, steps: &mut Steps) {
        tracing::debug!(connection = %self.shared.connection, reason = cut.reason.as_str(), "fragment begins");
        metrics::counter!("livebucket_fragment_cuts_total", "reason" => cut.reason.as_str()).increment(1);
        steps.push(Step::Begin { started: self.clock.wall(), discontinuity: cut.discontinuity });
        if self.buffer.capacity() == 0 {
            // Room for what is gathered and the unit that fills it up; the buffer comes back when its pieces are written.
            self.buffer = BytesMut::with_capacity(limits::GATHER_BYTES * 2);
        }
        self.muxer.begin_fragment(&mut self.buffer, cut.video, cut.audio);
        self.open = true;
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
                self.write_unit(held_stamp, held_unit);
            }
        }
        if unit.track == Track::Audio {
            self.write_unit(stamp, unit);
        }
    }

    fn write_unit(&mut self, stamp: &Stamp, unit: &AccessUnit) {
        if !self.open {
            return;
        }
        let out = &mut self.buffer;
        let written = match (unit.track, &self.video, &self.audio) {
            (Track::Video, Some(config), _) => {
                self.muxer.video(out, stamp.dts, stamp.pts, unit.keyframe, &unit.payload, config).is_ok()
            }
            (Track::Audio, _, Some(config)) => {
                self.muxer.audio(out, stamp.dts, &unit.payload, config);
                true
            }
            // Units without a config were dropped before they came here.
            _ => false,
        };
        if !written {
            self.count_dropped("malformed");
        }
    }

    fn close_fragment(&mut self, duration: MediaTime, steps: &mut Steps) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        if !self.buffer.is_empty() {
            steps.push(Step::Piece(self.buffer.split().freeze()));
        }
        steps.push(Step::End { ended: self.clock.wall(), duration });
    }

    fn finish(&mut self, steps: &mut Steps) {
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
