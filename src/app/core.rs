//! A service without its doors: stores recovered, rooms wired, jobs running, and the order in which it stops.
//!
//! Everything here runs over any stores and by any clock, so a simulation starts, kills and stops what production runs.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, timeout};
use crate::limits;
use crate::live::registry::{LiveDeps, Registry};
use crate::net::crowd::Crowd;
use crate::net::host::HostRules;
use crate::rtmp::server::RtmpDeps;
use crate::store::compaction::{CompactionBounds, Compactor};
use crate::store::lifecycle::{LifecycleJob, LifecycleTimes};
use crate::store::objects::{ObjectService, Quota};
use crate::store::recovery::{self, Collector, CollectorTimes};
use crate::store::{BlobStore, MetaStore, Result};
use crate::task::{Stop, TaskSet};

/// When the background jobs do what.
#[derive(Clone, Copy, Debug)]
pub struct JobTimes {
    /// Garbage and sweeps.
    pub collector: CollectorTimes,
    /// Finely cut bodies.
    pub compaction: CompactionBounds,
    /// Lifecycle rules.
    pub lifecycle: LifecycleTimes,
}

impl JobTimes {
    /// The usual times, with a pass of the lifecycle rules so often.
    pub fn with_lifecycle_every(interval: Duration) -> Self {
        JobTimes {
            collector: CollectorTimes::default(),
            compaction: CompactionBounds::default(),
            lifecycle: LifecycleTimes::every(interval),
        }
    }
}

/// The rooms of one process over one pair of stores.
#[derive(Debug)]
pub struct Core {
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Objects and their bodies.
    pub objects: ObjectService,
    /// Owners of live channels.
    pub registry: Arc<Registry>,
    /// Tasks of sockets.
    pub sockets: TaskSet,
    /// Everything that runs as long as the service does: doors and jobs.
    pub jobs: TaskSet,
    /// Doors end.
    pub stop_accepting: Stop,
    /// Sockets end.
    pub stop_sockets: Stop,
    /// Jobs end.
    pub stop_jobs: Stop,
}

impl Core {
    /// Puts right what the last process left, then wires the rooms. No door is open yet and no job runs.
    pub async fn recover(
        meta: Arc<dyn MetaStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        quota: Quota,
    ) -> Result<Core> {
        recovery::startup(&*meta, &*blobs, clock.wall()).await?;
        let objects = ObjectService::new(meta.clone(), blobs.clone(), clock.clone()).with_quota(quota);
        let deps = LiveDeps { meta: meta.clone(), objects: objects.clone(), clock: clock.clone() };
        let registry = Arc::new(Registry::new(deps));
        let (sockets, jobs) = (TaskSet::new(), TaskSet::new());
        let (stop_accepting, stop_sockets, stop_jobs) = (Stop::new(), Stop::new(), Stop::new());
        Ok(Core { meta, blobs, clock, objects, registry, sockets, jobs, stop_accepting, stop_sockets, stop_jobs })
    }

    /// What publishing needs of the rooms.
    pub fn rtmp(&self, hosts: HostRules, crowd: Arc<Crowd>) -> RtmpDeps {
        let (meta, registry, clock) = (self.meta.clone(), self.registry.clone(), self.clock.clone());
        RtmpDeps { meta, registry, clock, hosts, crowd }
    }

    /// Starts the background jobs.
    pub fn run_jobs(&self, times: JobTimes) {
        let Core { meta, blobs, clock, objects, .. } = self;
        let in_flight = objects.in_flight().clone();
        let collector = Collector::new(meta.clone(), blobs.clone(), in_flight, clock.clone(), times.collector);
        let lifecycle = LifecycleJob::new(meta.clone(), clock.clone(), times.lifecycle);
        let compactor = Compactor::new(meta.clone(), objects.clone(), clock.clone(), times.compaction);
        self.jobs.spawn("collector", collector.run(self.stop_jobs.clone()));
        self.jobs.spawn("lifecycle", lifecycle.run(self.stop_jobs.clone()));
        self.jobs.spawn("compactor", compactor.run(self.stop_jobs.clone()));
    }

    /// Stops everything, in the order in which nothing acknowledged can be lost. Past the shutdown grace the rest is
    /// left to recovery. `false`: it was.
    pub async fn stop(&self) -> bool {
        let orderly = async {
            self.stop_accepting.pull();
            self.registry.stop().await; // owners finish and commit their open fragments
            self.stop_sockets.pull();
            self.sockets.join().await; // HTTP requests drain
            self.stop_jobs.pull();
            self.jobs.join().await;
            if let Err(error) = self.meta.close().await {
                tracing::error!(%error, "closing the metadata store");
            }
        };
        let in_time = timeout(&*self.clock, limits::SHUTDOWN_GRACE, orderly).await.is_ok();
        if !in_time {
            tracing::warn!(sockets = self.sockets.len(), "the shutdown grace has passed; recovery will do the rest");
        }
        in_time
    }
}
