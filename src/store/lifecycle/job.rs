//! The job that carries rules out: a walk over what they may concern, page by page, again and again.

use std::sync::Arc;
use std::time::Duration;

use super::history::History;
use super::rules::{Judged, Lifecycle, LifecycleRule, Verdict};
use super::seen::{Expiry, Seen};
use crate::clock::{Clock, Wall};
use crate::limits;
use crate::store::objects::fresh_version;
use crate::store::{
    BucketId, ListEntry, ListQuery, MetaStore, ObjectKey, Result, StorageClass, StoreError, Tag, UploadEntry, UploadId,
    UploadsQuery, VersionEntry, VersionName, Versioned, Versioning, VersionsQuery, What,
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
    /// Objects, versions and markers that were looked at; a current object of a bucket that keeps versions counts twice.
    pub examined: u64,
    /// Those that ended.
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
            let next = match self.meta.next_lifecycle(after).await {
                Ok(found) => found,
                Err(error) => {
                    failed(&mut pass, None, &error);
                    None
                }
            };
            let Some((bucket, versioning, lifecycle)) = next else { break };
            after = Some(bucket);
            let mut walk = Walk { job: self, bucket, lifecycle: &lifecycle, pass: &mut pass, stop };
            match walk.all(versioning).await {
                // A bucket that was deleted meanwhile has nothing left to end.
                Ok(()) | Err(StoreError::NotFound(What::Bucket)) => {}
                Err(error) => failed(&mut pass, Some(bucket), &error),
            }
        }
        pass
    }
}

/// One bucket's share of a pass.
struct Walk<'a> {
    job: &'a LifecycleJob,
    bucket: BucketId,
    lifecycle: &'a Lifecycle,
    pass: &'a mut Pass,
    stop: &'a Stop,
}

/// What shall be done with what was seen.
type Due = Vec<(Verdict, Seen)>;

impl Walk<'_> {
    async fn all(&mut self, versioning: Versioning) -> Result<()> {
        for prefix in self.lifecycle.prefixes(LifecycleRule::concerns_objects) {
            self.objects(prefix).await?;
        }
        if versioning != Versioning::Never {
            for prefix in self.lifecycle.prefixes(LifecycleRule::concerns_versions) {
                self.versions(prefix).await?;
            }
        }
        for prefix in self.lifecycle.prefixes(LifecycleRule::concerns_uploads) {
            self.uploads(prefix).await?;
        }
        Ok(())
    }

    async fn pause(&self) {
        self.job.clock.sleep(self.job.times.pause).await;
    }

    async fn objects(&mut self, prefix: &str) -> Result<()> {
        let mut query = ListQuery { prefix: prefix.into(), limit: limits::LIFECYCLE_PAGE, ..ListQuery::default() };
        while !self.stop.is_pulled() {
            let page = self.job.meta.list_objects(self.bucket, &query).await?;
            query.after = page.entries.last().map(|entry| entry.name().to_vec());
            let now = self.job.clock.wall();
            let mut due = Due::new();
            for entry in page.entries {
                let ListEntry::Object(object) = entry else { continue };
                self.pass.examined += 1;
                let judged = Judged::of(&object);
                let verdict = match self.lifecycle.judge(judged, now) {
                    Ok(verdict) => verdict,
                    Err(_) => match self.tags(&object.key, None).await? {
                        Some(tags) => self.lifecycle.judge(judged.with_tags(&tags), now).expect("the tags are there"),
                        None => Verdict::Keep,
                    },
                };
                due.push((verdict, Seen::current(&object)));
            }
            if !self.carry_out(due, now).await? || !page.truncated {
                break;
            }
            self.pause().await;
        }
        Ok(())
    }

    async fn versions(&mut self, prefix: &str) -> Result<()> {
        let mut query =
            VersionsQuery { prefix: prefix.into(), limit: limits::LIFECYCLE_PAGE, ..VersionsQuery::default() };
        let (mut history, mut waiting) = (History::default(), Due::new());
        while !self.stop.is_pulled() {
            let page = self.job.meta.list_versions(self.bucket, &query).await?;
            let now = self.job.clock.wall();
            // Only now that the listing has gone on behind them: it may not find its place again where a version was.
            if !self.carry_out(std::mem::take(&mut waiting), now).await? {
                break;
            }
            for entry in &page.entries {
                if let Some((key, version)) = place_of(entry) {
                    (query.after, query.after_version) = (Some(key.as_bytes().to_vec()), Some(version));
                }
                self.pass.examined += 1;
                self.judge_version(&mut history, entry, now, &mut waiting).await?;
            }
            if !page.truncated {
                waiting.extend(history.finish(self.lifecycle, now));
                self.carry_out(waiting, now).await?;
                break;
            }
            self.pause().await;
        }
        Ok(())
    }

    async fn judge_version(&self, history: &mut History, entry: &VersionEntry, now: Wall, due: &mut Due) -> Result<()> {
        due.extend(history.step(entry, self.lifecycle, now));
        let Some((kept, judged)) = history.kept(entry) else { return Ok(()) };
        let judge = |judged| self.lifecycle.judge_noncurrent(judged, kept.since, kept.newer, now);
        let verdict = match judge(judged) {
            Ok(verdict) => verdict,
            Err(_) => match self.tags(&kept.seen.key, kept.seen.what.version()).await? {
                Some(tags) => judge(judged.with_tags(&tags)).expect("the tags are there"),
                None => Verdict::Keep,
            },
        };
        due.push((verdict, kept.seen));
        Ok(())
    }

    /// Read only where a rule that is due asks for them. `None`: the object is gone.
    async fn tags(&self, key: &ObjectKey, version: Option<VersionName>) -> Result<Option<Vec<Tag>>> {
        let found = self.job.meta.object_version(self.bucket, key, version).await?;
        Ok(found.map(|found| match found {
            Versioned::Object(object) => object.tags.clone(),
            Versioned::Marker(_) => Vec::new(),
        }))
    }

    /// Whether the rules are still those of which this walk was begun. A walk over many objects lasts, and what it judged by
    /// may have been taken away since: nothing more is done by it then, and the next pass goes by what there is.
    async fn rules_stand(&self) -> Result<bool> {
        Ok(self.job.meta.bucket_lifecycle(self.bucket).await? == *self.lifecycle)
    }

    /// `false`: nothing was done, because the rules are others now.
    async fn carry_out(&mut self, due: Due, now: Wall) -> Result<bool> {
        if due.iter().all(|(verdict, _)| *verdict == Verdict::Keep) {
            return Ok(true);
        }
        if !self.rules_stand().await? {
            return Ok(false);
        }
        let of =
            |wanted: Verdict| due.iter().filter(move |(verdict, _)| *verdict == wanted).map(|(_, seen)| seen.clone());
        let expiry = |seen| Ok(Expiry { seen, marker: fresh_version(now)? });
        let expired: Vec<Expiry> = of(Verdict::Expire).map(expiry).collect::<Result<_>>()?;
        if !expired.is_empty() {
            let count = self.job.meta.expire(self.bucket, expired, now).await?;
            self.pass.expired += count;
            metrics::counter!("livebucket_lifecycle_expired_total").increment(count);
        }
        use StorageClass::{Archive, ColdArchive, DeepColdArchive, InfrequentAccess};
        for class in [InfrequentAccess, Archive, ColdArchive, DeepColdArchive] {
            let moved: Vec<Seen> = of(Verdict::Move(class)).collect();
            if !moved.is_empty() {
                let count = self.job.meta.change_class(self.bucket, moved, class).await?;
                self.pass.moved += count;
                metrics::counter!("livebucket_lifecycle_moved_total").increment(count);
            }
        }
        Ok(true)
    }

    async fn uploads(&mut self, prefix: &str) -> Result<()> {
        let mut query =
            UploadsQuery { prefix: prefix.into(), limit: limits::LIFECYCLE_PAGE, ..UploadsQuery::default() };
        while !self.stop.is_pulled() {
            let page = self.job.meta.list_uploads(self.bucket, &query).await?;
            let now = self.job.clock.wall();
            let mut due = Vec::new();
            for entry in page.entries {
                let UploadEntry::Upload(upload) = entry else { continue };
                (query.after, query.after_id) = (Some(upload.key.as_bytes().to_vec()), Some(upload.id));
                if self.lifecycle.aborts(upload.key.as_bytes(), upload.initiated, now) {
                    due.push((upload.key, upload.id));
                }
            }
            if !due.is_empty() && !self.rules_stand().await? {
                break;
            }
            for (key, id) in due {
                self.abort(&key, id, now).await?;
            }
            if !page.truncated {
                break;
            }
            self.pause().await;
        }
        Ok(())
    }

    async fn abort(&mut self, key: &ObjectKey, id: UploadId, now: Wall) -> Result<()> {
        match self.job.meta.abort_upload(self.bucket, key, id, now).await {
            Ok(()) => {
                self.pass.aborted += 1;
                metrics::counter!("livebucket_lifecycle_aborted_uploads_total").increment(1);
                Ok(())
            }
            // Completed or aborted since the listing.
            Err(StoreError::NotFound(What::Upload)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where a listing goes on behind this entry.
fn place_of(entry: &VersionEntry) -> Option<(&ObjectKey, VersionName)> {
    match entry {
        VersionEntry::Object { summary, version, .. } => Some((&summary.key, (*version).into())),
        VersionEntry::Marker { key, marker, .. } => Some((key, marker.version.into())),
        VersionEntry::Prefix(_) => None,
    }
}

fn failed(pass: &mut Pass, bucket: Option<BucketId>, error: &StoreError) {
    pass.failed += 1;
    metrics::counter!("livebucket_lifecycle_failures_total").increment(1);
    tracing::warn!(?bucket, %error, "lifecycle rules cannot be carried out now, will be tried again");
}
