//! One publish: timeline -> segmenter -> mux -> a growing blob -> fragment and playlist.
//!
//! The *intake* (`intake`) turns media into transport-stream bytes where it is sent, in the publisher's own task: nothing is
//! handed over for a frame. The owner task takes the pieces that come of it, in two halves that run side by side. One
//! writes the open fragment; the *committer* (`committer`) makes closed fragments durable and visible, in order. Between
//! them wait at most [`limits::FRAGMENTS_WAITING`] closed fragments: a commit does not stop media from being taken, but when
//! commits lag, the writing stops, the intake fills and the transport stops reading its socket.
//!
//! Must never open a socket, and never touch metadata for a frame.

mod committer;
mod intake;
mod pieces;
mod silence;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use self::committer::{Closed, Committer, Stored};
pub(super) use self::intake::Intake;
use self::intake::Step;
use super::registry::{LiveDeps, Outcome, PublishError, PublishRequest, Publisher, Seat, Shared};
use super::stat::LiveStat;
use crate::clock::{Wall, timeout};
use crate::limits;
use crate::media::MediaTime;
use crate::store::objects::{BodyWriter, Digests};
use crate::store::{Claim, ClaimRequest, Result, StoreError, TerminationCause};
use crate::task::Stop;

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
    let frag_duration = claim.channel.config.frag_duration;
    let intake = Arc::new(Intake::new(Arc::clone(&deps.clock), Arc::clone(&shared), frag_duration));
    // A caller that has gone away drops the publisher in this line, which ends the connection in the next.
    drop(reply.send(Ok(Publisher::new(Arc::clone(&intake), Arc::clone(&shared)))));

    let run =
        AssertUnwindSafe(run(&deps, &shared, &claim, started, request.playlist_name, &intake)).catch_unwind().await;
    let (outcome, panic) = match run {
        Ok(outcome) => (outcome, None),
        Err(panic) => {
            shared.request_end(TerminationCause::ServiceLost);
            intake.close();
            let cause = TerminationCause::ServiceLost;
            (Outcome { cause, fragments: 0, fragments_lost: 0, units_dropped: 0 }, Some(panic))
        }
    };
    metrics::gauge!("livebucket_publishers").decrement(1.0);
    end(&deps, seat, &claim, started, outcome, &stop).await;
    if let Some(panic) = panic {
        std::panic::resume_unwind(panic);
    }
}

/// Runs both halves until everything that was sent is committed.
async fn run(
    deps: &LiveDeps,
    shared: &Arc<Shared>,
    claim: &Claim,
    started: Wall,
    playlist_name: Option<String>,
    intake: &Intake,
) -> Outcome {
    let (closed, waiting) = mpsc::channel(limits::FRAGMENTS_WAITING);
    let writing = Writing { deps, shared, intake, closed, open: None }.run();
    let committer = Committer::new(deps, shared, claim, started, playlist_name).run(waiting);
    let (cause, Stored { fragments, fragments_lost }) = tokio::join!(writing, committer);
    Outcome { cause, fragments, fragments_lost, units_dropped: intake.units_dropped() }
}

/// Ends the connection in history and frees the channel. A store that cannot be written keeps the channel taken, since
/// its claim is still open there, but not the publisher waiting.
async fn end(deps: &LiveDeps, seat: Seat, claim: &Claim, started: Wall, outcome: Outcome, stop: &Stop) {
    let shared = Arc::clone(&seat.shared);
    // Also by a clock that stepped back no connection ends before it began.
    let ended = deps.clock.wall().max(started);
    let attempt = async || {
        let end = deps.meta.end_connection(shared.bucket, &shared.channel, claim.epoch, ended, outcome.cause);
        timeout(&*deps.clock, limits::STORE_STALL, end)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("stalled".into())))
    };
    let mut result = attempt().await;
    if let Err(error @ (StoreError::Unavailable(_) | StoreError::Full | StoreError::Corrupt(_))) = &result {
        tracing::error!(channel = %shared.channel, connection = %shared.connection, %error, "cannot end the connection");
        shared.outcome.send_replace(Some(outcome));
        while matches!(result, Err(StoreError::Unavailable(_) | StoreError::Full | StoreError::Corrupt(_))) {
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

/// The writing half.
struct Writing<'a> {
    deps: &'a LiveDeps,
    shared: &'a Shared,
    intake: &'a Intake,
    closed: mpsc::Sender<Closed>,
    open: Option<OpenFragment>,
}

/// The fragment that is being written.
struct OpenFragment {
    started: Wall,
    discontinuity: bool,
    /// `Err` once a piece could not be written: the fragment is lost, but its end is still waited for.
    writer: Result<BodyWriter>,
}

impl Writing<'_> {
    /// Writes until an end is asked for, then what is left. Returns the cause of the end.
    async fn run(mut self) -> TerminationCause {
        let (shared, intake, clock) = (self.shared, self.intake, &self.deps.clock);
        let mut tick = clock.sleep(limits::STAT_INTERVAL);
        let end_requested = shared.end_requested();
        tokio::pin!(end_requested);
        let cause = loop {
            tokio::select! {
                biased;
                cause = &mut end_requested => break cause,
                () = &mut tick => {
                    intake.sample(clock.monotonic());
                    tick = clock.sleep(limits::STAT_INTERVAL);
                }
                () = intake.filled() => self.write_waiting().await,
            }
        };
        intake.finish();
        self.write_waiting().await;
        cause
    }

    async fn write_waiting(&mut self) {
        while let Some(step) = self.intake.next() {
            match step {
                Step::Begin { started, discontinuity } => {
                    let writer = Ok(self.deps.objects.writer(Digests::Crc64));
                    self.open = Some(OpenFragment { started, discontinuity, writer });
                }
                Step::Piece(piece) => self.append(piece).await,
                Step::End { ended, duration } => self.close_fragment(ended, duration).await,
            }
        }
    }

    /// Appends to the growing blob.
    async fn append(&mut self, piece: Bytes) {
        let Some(open) = &mut self.open else { return };
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
    async fn close_fragment(&mut self, ended: Wall, duration: MediaTime) {
        let Some(open) = self.open.take() else { return };
        let OpenFragment { started, discontinuity, writer } = open;
        if self.closed.send(Closed { started, ended, duration, discontinuity, writer }).await.is_err() {
            // The committer ends only after this half; if it is gone it panicked, and so does the task.
            tracing::error!(connection = %self.shared.connection, "a fragment has no committer");
        }
    }
}

#[cfg(test)]
mod any_source;
#[cfg(test)]
mod tests;
