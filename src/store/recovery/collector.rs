//! The periodic job: garbage, unsettled blobs, the full sweep, and what else has had its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Unnamed, unnamed};
use crate::clock::{Clock, ForwardSteps, Monotonic, Wall};
use crate::limits;
use crate::store::objects::InFlight;
use crate::store::{BlobEntry, BlobId, BlobState, BlobStore, MetaStore, Result};
use crate::task::Stop;

/// When the collector does what.
#[derive(Clone, Copy, Debug)]
pub struct CollectorTimes {
    /// Between two looks for garbage.
    pub interval: Duration,
    /// How long garbage waits. Not shorter than the longest read (I3).
    pub garbage_grace: Duration,
    /// From the start to the first full sweep.
    pub first_sweep_after: Duration,
    /// Between two full sweeps.
    pub sweep_interval: Duration,
    /// Blobs younger than this are not swept.
    pub sweep_grace: Duration,
    /// How long a blob without an answer is left alone. Not shorter than a commit may wait.
    pub settle_grace: Duration,
}

impl Default for CollectorTimes {
    fn default() -> Self {
        CollectorTimes {
            interval: limits::COLLECT_INTERVAL,
            garbage_grace: limits::GARBAGE_GRACE,
            first_sweep_after: limits::SWEEP_FIRST_AFTER,
            sweep_interval: limits::SWEEP_INTERVAL,
            sweep_grace: limits::SWEEP_GRACE,
            settle_grace: limits::SETTLE_GRACE,
        }
    }
}

/// What a full sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Blobs listed.
    pub examined: u64,
    /// Blobs that nobody names, removed.
    pub removed: u64,
    /// It stopped early: it was asked to, or this metadata cannot be these blobs'.
    pub unfinished: bool,
}

/// Deletes what nobody needs any more, a page at a time. A store that fails costs a log line and a later try.
#[derive(Debug)]
pub struct Collector {
    meta: Arc<dyn MetaStore>,
    blobs: Arc<dyn BlobStore>,
    in_flight: InFlight,
    clock: Arc<dyn Clock>,
    times: CollectorTimes,
    steps: Mutex<ForwardSteps>,
}

impl Collector {
    /// A collector over the stores of the object service whose blobs in flight these are.
    pub fn new(
        meta: Arc<dyn MetaStore>,
        blobs: Arc<dyn BlobStore>,
        in_flight: InFlight,
        clock: Arc<dyn Clock>,
        times: CollectorTimes,
    ) -> Self {
        let mut steps = ForwardSteps::new(times.garbage_grace);
        steps.look(&*clock);
        Collector { meta, blobs, in_flight, clock, times, steps: Mutex::new(steps) }
    }

    /// Works until `stop` is pulled; between two pages it looks at it. Spawn it in a `TaskSet`.
    pub async fn run(self, stop: Stop) {
        let mut next_sweep = self.clock.monotonic() + self.times.first_sweep_after;
        loop {
            tokio::select! {
                biased;
                () = stop.pulled() => return,
                () = self.clock.sleep(self.times.interval) => {}
            }
            self.round(&stop, &mut next_sweep).await;
        }
    }

    async fn round(&self, stop: &Stop, next_sweep: &mut Monotonic) {
        let collected = self.collect(stop).await;
        report("collect", collected);
        report("settle", self.settle().await);
        if let Err(error) = self.forget_sessions().await {
            report("forget sessions", Err(error));
        }
        if self.clock.monotonic() >= *next_sweep && !stop.is_pulled() {
            let swept = self.sweep(stop).await;
            // After a failure too: a disk that does not list now is not listed again every minute.
            *next_sweep = self.clock.monotonic() + self.times.sweep_interval;
            report("sweep", swept.map(|sweep| sweep.removed));
        }
        let (in_flight, unsettled) = self.in_flight.counts();
        metrics::gauge!("livebucket_blobs_in_flight").set(in_flight as f64);
        metrics::gauge!("livebucket_blobs_unsettled").set(unsettled as f64);
    }

    /// Forgets temporary credentials that expired long ago, a page a round: whoever makes more than that in a minute waits
    /// for a calmer hour.
    pub async fn forget_sessions(&self) -> Result<u64> {
        let before = ago(self.clock.wall(), limits::SESSION_KEPT);
        let forgotten = self.meta.forget_session_keys(before, limits::SESSIONS_FORGOTTEN).await?;
        metrics::counter!("livebucket_session_keys_forgotten_total").increment(forgotten);
        Ok(forgotten)
    }

    /// Deletes garbage whose grace has passed, by the monotonic clock too: a wall clock that is set forward ages nothing.
    /// Returns how many blobs.
    pub async fn collect(&self, stop: &Stop) -> Result<u64> {
        let stepped = self.steps.lock().expect("no code panics while holding this lock").look(&*self.clock);
        let before = ago(self.clock.wall(), self.times.garbage_grace.saturating_add(stepped));
        let mut collected = 0;
        while !stop.is_pulled() {
            // From here on metadata names none of these again.
            let due = self.meta.garbage(before, limits::COLLECT_PAGE).await?;
            let deleted = self.delete(&due).await?;
            self.meta.forget_garbage(&deleted).await?;
            collected += deleted.len() as u64;
            metrics::counter!("livebucket_garbage_collected_total").increment(deleted.len() as u64);
            if due.len() < limits::COLLECT_PAGE || deleted.is_empty() {
                break;
            }
        }
        Ok(collected)
    }

    /// Deletes blobs and returns those that are gone. Where the store refuses a page, each blob is tried by itself: one bad
    /// file must not keep all others. An error only when none could be deleted.
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<BlobId>> {
        if ids.is_empty() || self.blobs.delete(ids).await.is_ok() {
            return Ok(ids.to_vec());
        }
        let mut deleted = Vec::new();
        let mut last_error = None;
        for id in ids {
            match self.blobs.delete(&[*id]).await {
                Ok(()) => deleted.push(*id),
                Err(error) => {
                    tracing::warn!(blob = %id, %error, "blob cannot be deleted");
                    last_error = Some(error);
                }
            }
        }
        match last_error {
            Some(error) if deleted.is_empty() => Err(error),
            _ => Ok(deleted),
        }
    }

    /// Asks what became of blobs whose commit ended without an answer, and deletes those that nobody names.
    pub async fn settle(&self) -> Result<u64> {
        let due = self.in_flight.unsettled_for(self.times.settle_grace, limits::COLLECT_PAGE);
        if due.is_empty() {
            return Ok(0);
        }
        let states = self.meta.settled_blob_states(&due).await?;
        let (unknown, known): (Vec<_>, Vec<_>) =
            due.iter().zip(states).partition(|(_, state)| *state == BlobState::Unknown);
        let ids = |pairs: Vec<(&BlobId, BlobState)>| pairs.into_iter().map(|(id, _)| *id).collect::<Vec<_>>();
        self.in_flight.settle(&ids(known));
        let deleted = self.delete(&ids(unknown)).await?;
        self.in_flight.settle(&deleted);
        metrics::counter!("livebucket_blobs_swept_total").increment(deleted.len() as u64);
        Ok(deleted.len() as u64)
    }

    /// Compares every blob with metadata and deletes those that nobody names, that are not in flight, and that are older
    /// than the grace.
    pub async fn sweep(&self, stop: &Stop) -> Result<Sweep> {
        let mut sweep = Sweep::default();
        let mut mark = None;
        while !stop.is_pulled() {
            let page = self.blobs.list(mark, limits::SWEEP_PAGE).await?;
            let Some(last) = page.last() else { return Ok(sweep) };
            mark = Some(last.id);
            sweep.examined += page.len() as u64;
            // First who is in flight, then what metadata says: a blob that is named in between is seen as named.
            let candidates: Vec<BlobEntry> = page.into_iter().filter(|entry| self.may_be_swept(entry.id)).collect();
            match unnamed(&*self.meta, &candidates).await? {
                Unnamed::Foreign => break,
                Unnamed::Blobs(ids) => {
                    let deleted = self.delete(&ids).await?;
                    sweep.removed += deleted.len() as u64;
                    metrics::counter!("livebucket_blobs_swept_total").increment(deleted.len() as u64);
                }
            }
        }
        sweep.unfinished = true;
        Ok(sweep)
    }

    /// A blob that claims to come from the future is as old as it is ahead: a clock that stepped back must not keep it.
    fn may_be_swept(&self, id: BlobId) -> bool {
        let age = Duration::from_millis(self.clock.wall().0.abs_diff(id.created().0));
        age >= self.times.sweep_grace && !self.in_flight.contains(id)
    }
}

fn ago(now: Wall, duration: Duration) -> Wall {
    Wall(now.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}

fn report(step: &'static str, outcome: Result<u64>) {
    match outcome {
        Ok(0) => {}
        Ok(blobs) => tracing::info!(step, blobs, "blobs removed"),
        Err(error) => {
            metrics::counter!("livebucket_collector_failures_total", "step" => step).increment(1);
            tracing::warn!(step, %error, "collector step failed, will be tried again");
        }
    }
}
