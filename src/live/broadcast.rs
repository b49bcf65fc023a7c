//! The owner task of one publish: queue -> timeline -> segmenter -> mux -> a growing blob -> fragment and playlist.
//!
//! Two halves run side by side in the one task. The *pump* takes media and writes the open fragment; the *committer*
//! (`committer`) makes closed fragments durable and visible, in order. Between them wait at most
//! [`limits::FRAGMENTS_WAITING`] closed fragments: a commit does not stop media from being taken, but when commits lag,
//! the pump stops, the queue fills and the transport stops reading its socket.
//!
//! Must never open a socket, and never touch metadata for a frame.

mod committer;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use self::committer::{Closed, Committer, Stored};
use super::registry::{LiveDeps, MediaInput, Outcome, PublishError, PublishRequest, Publisher, Seat, Shared};
use super::segmenter::{Cut, Facts, Segmenter, Settings, Step};
use super::stat::{LiveStat, Meter};
use super::timeline::{Stamp, Timeline};
use crate::clock::{Wall, timeout};
use crate::codec::mpegts::mux::{self, TsMuxer};
use crate::limits;
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, Track};
use crate::store::objects::{BodyWriter, Digests};
use crate::store::{Claim, ClaimRequest, Result, StoreError, TerminationCause};
use crate::task::Stop;

/// An input on its way to the owner, with what it took of the queue's room.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) input: MediaInput,
    pub(super) bytes: u32,
}

/// Inputs taken from the queue at once: one wake-up and one look at the other events for all of them.
const BATCH: usize = 32;

/// Audio that leads the first picture by more than this is past its time when the fragment's clock begins with the
/// picture; it would be heard before there is anything to see.
const HELD_BEFORE_VIDEO_MAX: MediaTime = mux::DELAY;

/// Claims the channel, answers the caller, owns the broadcast to its end and ends it in history.
pub(super) async fn own(
    deps: LiveDeps,
    seat: Seat,
    request: PublishRequest,
    reply: oneshot::Sender<Result<Publisher, PublishError>>,
    stop: Stop,
) {
    let shared = Arc::clone(&seat.shared);
    let started = deps.clock.wall();
    let claim = deps.meta.claim(ClaimRequest {
        bucket: shared.bucket,
        channel: shared.channel.clone(),
        connection: shared.connection,
        remote_addr: request.remote_addr.clone(),
        started,
        playlist_name: request.playlist_name.clone(),
    });
    let claim = match claim.await {
        Ok(claim) => claim,
        Err(error) => {
            // The seat goes first: who is told no may try again at once.
            drop(seat);
            let _ = reply.send(Err(error.into()));
            return;
        }
    };
    set_stat(
        &shared,
        LiveStat {
            connection: shared.connection,
            connected: started,
            remote_addr: request.remote_addr.clone(),
            video: None,
            audio: None,
        },
    );
    metrics::gauge!("livebucket_publishers").increment(1.0);
    let (queue, inputs) = mpsc::channel(limits::QUEUE_UNITS_MAX);
    // A caller that has gone away drops the publisher in this line, which ends the connection in the next.
    drop(reply.send(Ok(Publisher::new(queue, Arc::clone(&shared)))));

    let run = AssertUnwindSafe(run(&deps, &shared, &claim, request.playlist_name, inputs)).catch_unwind().await;
    let (outcome, panic) = match run {
        Ok(outcome) => (outcome, None),
        Err(panic) => {
            shared.request_end(TerminationCause::ServiceLost);
            let cause = TerminationCause::ServiceLost;
            (Outcome { cause, fragments: 0, fragments_lost: 0, units_dropped: 0 }, Some(panic))
        }
    };
    metrics::gauge!("livebucket_publishers").decrement(1.0);
    end(&deps, seat, &claim, outcome, &stop).await;
    if let Some(panic) = panic {
        std::panic::resume_unwind(panic);
    }
}

/// Runs both halves until everything that was sent is committed.
async fn run(
    deps: &LiveDeps,
    shared: &Arc<Shared>,
    claim: &Claim,
    playlist_name: Option<String>,
    inputs: mpsc::Receiver<Queued>,
) -> Outcome {
    let (closed, waiting) = mpsc::channel(limits::FRAGMENTS_WAITING);
    let pump = Pump::new(deps, shared, claim, closed).run(inputs);
    let committer = Committer::new(deps, shared, claim, playlist_name).run(waiting);
    let ((cause, units_dropped), Stored { fragments, fragments_lost }) = tokio::join!(pump, committer);
    Outcome { cause, fragments, fragments_lost, units_dropped }
}

/// Ends the connection in history and frees the channel. A store that cannot be written keeps the channel taken, since
/// its claim is still open there, but not the publisher waiting.
async fn end(deps: &LiveDeps, seat: Seat, claim: &Claim, outcome: Outcome, stop: &Stop) {
    let shared = Arc::clone(&seat.shared);
    let ended = deps.clock.wall();
    let attempt = async || {
        let end = deps.meta.end_connection(shared.bucket, &shared.channel, claim.epoch, ended, outcome.cause);
        timeout(&*deps.clock, limits::STORE_STALL, end)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("stalled".into())))
    };
    let mut result = attempt().await;
    if let Err(error @ (StoreError::Unavailable(_) | StoreError::Corrupt(_))) = &result {
        tracing::error!(channel = %shared.channel, connection = %shared.connection, %error, "cannot end the connection");
        shared.outcome.send_replace(Some(outcome));
        while matches!(result, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_))) {
            // At a stop recovery does what is left.
            tokio::select! {
                biased;
                () = stop.pulled() => break,
                () = deps.clock.sleep(limits::END_RETRY) => {}
            }
            result = attempt().await;
        }
    }
    drop(seat);
    shared.outcome.send_replace(Some(outcome));
}

fn set_stat(shared: &Shared, stat: LiveStat) {
    *shared.stat.lock().expect("no code panics while holding this lock") = Some(stat);
}

/// The taking half.
struct Pump<'a> {
    deps: &'a LiveDeps,
    shared: &'a Shared,
    closed: mpsc::Sender<Closed>,
    timeline: Timeline,
    segmenter: Segmenter,
    muxer: TsMuxer,
    meter: Meter,
    video: Option<AvcConfig>,
    audio: Option<AacConfig>,
    /// Audio before the first fragment, bounded by the segmenter.
    held: VecDeque<(Stamp, AccessUnit)>,
    open: Option<OpenFragment>,
    units_dropped: u64,
}

/// The fragment that is being written.
struct OpenFragment {
    started: Wall,
    discontinuity: bool,
    buffer: BytesMut,
    /// `Err` once a piece could not be written: the fragment is lost, but its end is still waited for.
    writer: Result<BodyWriter>,
}

impl<'a> Pump<'a> {
    fn new(deps: &'a LiveDeps, shared: &'a Shared, claim: &Claim, closed: mpsc::Sender<Closed>) -> Self {
        let frag_duration = claim.channel.config.frag_duration;
        let (held_units, held_bytes) = (limits::HELD_UNITS_MAX, limits::HELD_BYTES_MAX);
        let settings = Settings::new(frag_duration, limits::FRAGMENT_BYTES_MAX, held_units, held_bytes);
        Pump {
            deps,
            shared,
            closed,
            timeline: Timeline::new(),
            segmenter: Segmenter::new(settings),
            muxer: TsMuxer::new(),
            meter: Meter::new(deps.clock.monotonic()),
            video: None,
            audio: None,
            held: VecDeque::new(),
            open: None,
            units_dropped: 0,
        }
    }

    /// Takes inputs until an end is asked for or the publisher is gone, then what is still queued, then flushes.
    async fn run(mut self, mut inputs: mpsc::Receiver<Queued>) -> (TerminationCause, u64) {
        let shared = self.shared;
        let mut batch = Vec::with_capacity(BATCH);
        let mut tick = self.deps.clock.sleep(limits::STAT_INTERVAL);
        let end_requested = shared.end_requested();
        tokio::pin!(end_requested);
        loop {
            tokio::select! {
                biased;
                _ = &mut end_requested => break,
                () = &mut tick => {
                    self.meter.sample(self.deps.clock.monotonic());
                    self.publish_stat();
                    tick = self.deps.clock.sleep(limits::STAT_INTERVAL);
                }
                taken = inputs.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        shared.request_end(TerminationCause::ConnectionLost);
                        break;
                    }
                    self.take_batch(&mut batch).await;
                }
            }
        }
        // Nothing more comes in; senders that wait for room learn it here.
        inputs.close();
        shared.room.close();
        while inputs.recv_many(&mut batch, BATCH).await > 0 {
            self.take_batch(&mut batch).await;
        }
        if let Some(duration) = self.segmenter.finish() {
            self.close_fragment(duration).await;
        }
        let cause = shared.end_requested().await;
        (cause, self.units_dropped + self.held.len() as u64)
    }

    async fn take_batch(&mut self, batch: &mut Vec<Queued>) {
        for Queued { input, bytes } in batch.drain(..) {
            self.shared.room.add_permits(bytes as usize);
            match input {
                MediaInput::Unit(unit) => self.take_unit(unit).await,
                MediaInput::Config(config) => self.take_config(config),
                MediaInput::Metadata(metadata) => {
                    self.meter.metadata = metadata;
                    self.publish_stat();
                }
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

    async fn take_unit(&mut self, unit: AccessUnit) {
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
            Step::Take => self.write_unit(&stamp, &unit),
            Step::Hold => self.held.push_back((stamp, unit)),
            Step::Drop(reason) => self.count_dropped(reason.as_str()),
            Step::Cut(cut) => {
                if let Some(duration) = cut.closed {
                    self.close_fragment(duration).await;
                }
                self.open_fragment(&cut);
                self.write_first(&stamp, &unit);
            }
        }
        if self.open.as_ref().is_some_and(|open| open.buffer.len() >= limits::GATHER_BYTES) {
            self.append().await;
        }
    }

    fn open_fragment(&mut self, cut: &Cut) {
        tracing::debug!(connection = %self.shared.connection, reason = cut.reason.as_str(), "fragment begins");
        metrics::counter!("livebucket_fragment_cuts_total", "reason" => cut.reason.as_str()).increment(1);
        let mut buffer = BytesMut::with_capacity(limits::GATHER_BYTES * 2);
        self.muxer.begin_fragment(&mut buffer, cut.video, cut.audio);
        self.open = Some(OpenFragment {
            started: self.deps.clock.wall(),
            discontinuity: cut.discontinuity,
            buffer,
            writer: Ok(self.deps.objects.writer(Digests::Crc64)),
        });
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
        let Some(open) = &mut self.open else { return };
        let out = &mut open.buffer;
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

    /// Appends what was gathered to the growing blob.
    async fn append(&mut self) {
        let Some(open) = &mut self.open else { return };
        let piece = open.buffer.split().freeze();
        let Ok(writer) = &mut open.writer else { return };
        let write = timeout(&*self.deps.clock, limits::STORE_STALL, writer.write(piece)).await;
        let error = match write {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => {
                self.shared.request_end(TerminationCause::StorageError);
                StoreError::Unavailable("a write stalled".into())
            }
        };
        open.writer = Err(error);
    }

    /// Hands the open fragment to the committer. Waits while the committer lags: that is the back pressure.
    async fn close_fragment(&mut self, duration: MediaTime) {
        self.append().await;
        let Some(open) = self.open.take() else { return };
        let closed = Closed {
            started: open.started,
            ended: self.deps.clock.wall(),
            duration,
            discontinuity: open.discontinuity,
            writer: open.writer,
        };
        if self.closed.send(closed).await.is_err() {
            // The committer ends only after the pump; if it is gone it panicked, and so does the task.
            tracing::error!(connection = %self.shared.connection, "a fragment has no committer");
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
mod simulation;
#[cfg(test)]
mod tests;
