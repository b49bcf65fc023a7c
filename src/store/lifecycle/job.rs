//! The job that carries rules out: a walk over what they may concern, page by page, again and again.

use std::sync::Arc;
use std::time::Duration;

use super::rules::{Judged, Lifecycle, LifecycleRule, Verdict};
use crate::clock::{Clock, Wall};
use crate::limits;
use crate::store::{
    BucketId, ListEntry, ListQuery, MetaStore, ObjectSummary, Result, SeenObject, StorageClass, StoreError,
    UploadEntry, UploadsQuery, What,
};
use crate::task::Stop;

/// When the job does what.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleTimes {
    /// From the start to the first pass.
    pub first_after: Duration,
    /// From the end of a pass to the next one.
    pub interval: Duration,
    /// Between two pages, so that a pass leaves the metadata to others.
    pub pause: Duration,
}

impl LifecycleTimes {
    /// The usual times, with a pass so often.
    pub fn every(interval: Duration) -> Self {
        LifecycleTimes {
            first_after: interval.min(limits::LIFECYCLE_FIRST_AFTER),
            interval,
            pause: limits::LIFECYCLE_PAUSE,
        }
    }
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Objects that were looked at.
    pub examined: u64,
    /// Objects that ended.
    pub expired: u64,
    /// Objects whose class changed.
    pub moved: u64,
    /// Uploads that were aborted.
    pub aborted: u64,
    /// Buckets that could not be gone through; the next pass comes back to them.
    pub failed: u64,
}

/// Carries out the rules of every bucket. One at a time a process.
#[derive(Debug)]
pub struct LifecycleJob {
    meta: Arc<dyn MetaStore>,
    clock: Arc<dyn Clock>,
    times: LifecycleTimes,
}

impl LifecycleJob {
    /// A job over this store.
    pub fn new(meta: Arc<dyn MetaStore>, clock: Arc<dyn Clock>, times: LifecycleTimes) -> Self {
        LifecycleJob { meta, clock, times }
    }

    /// Works until `stop` is pulled; between two pages it looks at it. Spawn it in a `TaskSet`.
    pub async fn run(self, stop: Stop) {
        let mut wait = self.times.first_after;
        loop {
            tokio::select! {
                biased;
                () = stop.pulled() => return,
                () = self.clock.sleep(wait) => {}
            }
            wait = self.times.interval;
            let began = self.clock.monotonic();
            let pass = self.pass(&stop).await;
            metrics::gauge!("livebucket_lifecycle_pass_seconds").set((self.clock.monotonic() - began).as_secs_f64());
            if pass.expired + pass.moved + pass.aborted + pass.failed > 0 {
                tracing::info!(?pass, "lifecycle rules carried out");
            }
        }
    }

    /// Goes through every bucket that has rules. A bucket that fails costs a log line and is left to the next pass.
    pub async fn pass(&self, stop: &Stop) -> Pass {
        let mut pass = Pass::default();
        let mut after = None;
        while !stop.is_pulled() {
            // One at a time: a set of rules may be long.
            let next = match self.meta.list_lifecycles(after, 1).await {
                Ok(found) => found.into_iter().next(),
                Err(error) => {
                    failed(&mut pass, None, &error);
                    None
                }
            };
            let Some((bucket, lifecycle)) = next else { break };
            after = Some(bucket);
            let done = self.bucket(bucket, &lifecycle, &mut pass, stop).await;
            match done {
                // A bucket that was deleted meanwhile has nothing left to end.
                Ok(()) | Err(StoreError::NotFound(What::Bucket)) => {}
                Err(error) => failed(&mut pass, Some(bucket), &error),
            }
        }
        pass
    }

    async fn bucket(&self, bucket: BucketId, lifecycle: &Lifecycle, pass: &mut Pass, stop: &Stop) -> Result<()> {
        for prefix in lifecycle.prefixes(LifecycleRule::concerns_objects) {
            self.objects(bucket, lifecycle, prefix, pass, stop).await?;
        }
        for prefix in lifecycle.prefixes(LifecycleRule::concerns_uploads) {
            self.uploads(bucket, lifecycle, prefix, pass, stop).await?;
        }
        Ok(())
    }

    async fn objects(
        &self,
        bucket: BucketId,
        lifecycle: &Lifecycle,
        prefix: &str,
        pass: &mut Pass,
        stop: &Stop,
    ) -> Result<()> {
        let mut query = ListQuery { prefix: prefix.into(), limit: limits::LIFECYCLE_PAGE, ..ListQuery::default() };
        while !stop.is_pulled() {
            let page = self.meta.list_objects(bucket, &query).await?;
            query.after = page.entries.last().map(|entry| entry.name().to_vec());
            let now = self.clock.wall();
            let mut due = Vec::new();
            for entry in page.entries {
                let ListEntry::Object(object) = entry else { continue };
                pass.examined += 1;
                let verdict = self.judge(bucket, lifecycle, &object, now).await?;
                if verdict != Verdict::Keep {
                    due.push((verdict, SeenObject::of(&object)));
                }
            }
            self.carry_out(bucket, due, now, pass).await?;
            if !page.truncated {
                break;
            }
            self.clock.sleep(self.times.pause).await;
        }
        Ok(())
    }

    /// Tags are read only where a rule that is due asks for them.
    async fn judge(
        &self,
        bucket: BucketId,
        lifecycle: &Lifecycle,
        object: &ObjectSummary,
        now: Wall,
    ) -> Result<Verdict> {
        let mut judged = Judged {
            key: object.key.as_bytes(),
            size: object.size,
            class: object.storage_class,
            changed: object.last_modified,
            tags: None,
        };
        if let Ok(verdict) = lifecycle.judge(judged, now) {
            return Ok(verdict);
        }
        let Some(whole) = self.meta.object(bucket, &object.key).await? else { return Ok(Verdict::Keep) };
        judged.tags = Some(&whole.tags);
        Ok(lifecycle.judge(judged, now).expect("the tags are there"))
    }

    async fn carry_out(
        &self,
        bucket: BucketId,
        due: Vec<(Verdict, SeenObject)>,
        now: Wall,
        pass: &mut Pass,
    ) -> Result<()> {
        let of = |wanted: Verdict| -> Vec<SeenObject> {
            due.iter().filter(|(verdict, _)| *verdict == wanted).map(|(_, seen)| seen.clone()).collect()
        };
        let expired = of(Verdict::Expire);
        if !expired.is_empty() {
            let count = self.meta.expire_objects(bucket, expired, now).await?;
            pass.expired += count;
            metrics::counter!("livebucket_lifecycle_expired_total").increment(count);
        }
        use StorageClass::{Archive, ColdArchive, DeepColdArchive, InfrequentAccess};
        for class in [InfrequentAccess, Archive, ColdArchive, DeepColdArchive] {
            let moved = of(Verdict::Move(class));
            if !moved.is_empty() {
                let count = self.meta.move_objects(bucket, moved, class).await?;
                pass.moved += count;
                metrics::counter!("livebucket_lifecycle_moved_total").increment(count);
            }
        }
        Ok(())
    }

    async fn uploads(
        &self,
        bucket: BucketId,
        lifecycle: &Lifecycle,
        prefix: &str,
        pass: &mut Pass,
        stop: &Stop,
    ) -> Result<()> {
        let mut query =
            UploadsQuery { prefix: prefix.into(), limit: limits::LIFECYCLE_PAGE, ..UploadsQuery::default() };
        while !stop.is_pulled() {
            let page = self.meta.list_uploads(bucket, &query).await?;
            let now = self.clock.wall();
            for entry in page.entries {
                let UploadEntry::Upload(upload) = entry else { continue };
                (query.after, query.after_id) = (Some(upload.key.as_bytes().to_vec()), Some(upload.id));
                if lifecycle.aborts(upload.key.as_bytes(), upload.initiated, now) {
                    match self.meta.abort_upload(bucket, &upload.key, upload.id, now).await {
                        Ok(()) => {
                            pass.aborted += 1;
                            metrics::counter!("livebucket_lifecycle_aborted_uploads_total").increment(1);
                        }
                        // Completed or aborted since the listing.
                        Err(StoreError::NotFound(What::Upload)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            if !page.truncated {
                break;
            }
            self.clock.sleep(self.times.pause).await;
        }
        Ok(())
    }
}

fn failed(pass: &mut Pass, bucket: Option<BucketId>, error: &StoreError) {
    pass.failed += 1;
    metrics::counter!("livebucket_lifecycle_failures_total").increment(1);
    tracing::warn!(?bucket, %error, "lifecycle rules cannot be carried out now, will be tried again");
}
