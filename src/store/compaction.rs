//! Writes finely cut bodies anew: many short extents become few long ones, so that an object of many appends reads like one
//! that was put whole.
//!
//! Runs of neighbouring short extents are written into blobs of their own; long extents keep their place. A last extent
//! that is inline stays, because the next append is joined to it. The body is read whole, and its CRC-64 must be the
//! record's: where it is not, nothing is swapped and an operator hears of it. New blobs are durable before one commit names
//! them in place of the old extents, and only where the body still begins with those (I1, I2): what was appended meanwhile
//! stays, and an object that was replaced is left alone. Killed at any step, the job leaves a blob in flight, or nothing to
//! do (I5). The digests of an object are those of its bytes, so they do not change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::limits;
use crate::store::digest::Crc64;
use crate::store::objects::{BodyWriter, Digests, ObjectService, StoredBody};
use crate::store::{BucketId, Extent, ExtentSwap, MetaStore, ObjectKey, ObjectRecord, Result, StoreError};
use crate::task::Stop;

/// Whether an extent is short enough to be written together with its neighbours.
fn is_short(extent: &Extent) -> bool {
    extent.length() < limits::SHORT_EXTENT_BYTES
}

/// How many short extents follow a short one: as many rows as a rewrite would save.
pub(in crate::store) fn short_pairs(extents: &[Extent]) -> usize {
    extents.windows(2).filter(|pair| pair.iter().all(is_short)).count()
}

/// What becomes of a stretch of extents.
#[derive(Debug, PartialEq, Eq)]
enum Stretch<'a> {
    /// Named as it is.
    Kept(&'a [Extent]),
    /// Written into one blob.
    Rewritten(&'a [Extent]),
}

/// The extents of a body in stretches; runs of two and more short ones are rewritten.
fn plan(extents: &[Extent]) -> Vec<Stretch<'_>> {
    let stretches = extents.chunk_by(|a, b| is_short(a) == is_short(b));
    stretches
        .map(|run| match run {
            [first, _, ..] if is_short(first) => Stretch::Rewritten(run),
            run => Stretch::Kept(run),
        })
        .collect()
}

/// When the job does how much.
#[derive(Clone, Copy, Debug)]
pub struct CompactionBounds {
    /// Between two rounds.
    pub interval: Duration,
    /// Objects of one round.
    pub objects: usize,
    /// Bytes read in one round; the object that passes it is the round's last.
    pub bytes: u64,
}

impl Default for CompactionBounds {
    fn default() -> Self {
        CompactionBounds {
            interval: limits::COMPACT_INTERVAL,
            objects: limits::COMPACT_ROUND_OBJECTS,
            bytes: limits::COMPACT_ROUND_BYTES,
        }
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Objects whose extents were swapped.
    pub objects: u64,
    /// Bytes that were read.
    pub bytes: u64,
}

/// What became of one object.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Its extents are swapped.
    Swapped,
    /// It is gone, replaced, or not finely cut any more.
    Changed,
    /// The service stops.
    Stopped,
}

/// The job. A store that fails costs a log line and a later try.
#[derive(Debug)]
pub struct Compactor {
    meta: Arc<dyn MetaStore>,
    objects: ObjectService,
    clock: Arc<dyn Clock>,
    bounds: CompactionBounds,
    /// Where the next round begins.
    mark: Option<(BucketId, ObjectKey)>,
    /// Damaged objects: their bytes are not read again in every round.
    damaged: BTreeSet<(BucketId, ObjectKey)>,
}

impl Compactor {
    /// A compactor over these stores.
    pub fn new(
        meta: Arc<dyn MetaStore>,
        objects: ObjectService,
        clock: Arc<dyn Clock>,
        bounds: CompactionBounds,
    ) -> Self {
        Compactor { meta, objects, clock, bounds, mark: None, damaged: BTreeSet::new() }
    }

    /// Works until `stop` is pulled; between two pieces of a body it looks at it. Spawn it in a `TaskSet`.
    pub async fn run(mut self, stop: Stop) {
        loop {
            tokio::select! {
                biased;
                () = stop.pulled() => return,
                () = self.clock.sleep(self.bounds.interval) => {}
            }
            match self.round(&stop).await {
                Ok(Compacted { objects: 0, .. }) => {}
                Ok(done) => tracing::info!(objects = done.objects, bytes = done.bytes, "bodies compacted"),
                Err(error) => tracing::warn!(%error, "compaction failed, will be tried again"),
            }
        }
    }

    /// One round. An object that cannot be compacted does not keep the others; an error says that none could be looked for.
    pub async fn round(&mut self, stop: &Stop) -> Result<Compacted> {
        let mut done = Compacted::default();
        let found = self.meta.finely_cut(self.mark.take(), self.bounds.objects).await?;
        if found.len() == self.bounds.objects {
            self.mark = found.last().cloned();
        }
        for at in found {
            if stop.is_pulled() || done.bytes >= self.bounds.bytes {
                // The next round begins anew: what is done is no longer found.
                self.mark = None;
                break;
            }
            if self.damaged.contains(&at) {
                continue;
            }
            match self.compact(&at, &mut done.bytes, stop).await {
                Ok(Outcome::Swapped) => done.objects += 1,
                Ok(Outcome::Changed | Outcome::Stopped) => {}
                Err(error) => self.failed(at, &error),
            }
        }
        metrics::counter!("livebucket_compacted_objects_total").increment(done.objects);
        metrics::counter!("livebucket_compacted_bytes_total").increment(done.bytes);
        Ok(done)
    }

    fn failed(&mut self, at: (BucketId, ObjectKey), error: &StoreError) {
        let damaged = matches!(error, StoreError::Corrupt(_));
        let cause = if damaged { "damaged" } else { "store" };
        metrics::counter!("livebucket_compaction_failures_total", "cause" => cause).increment(1);
        tracing::error!(bucket = at.0.0, key = %at.1, %error, "an object cannot be compacted");
        if damaged && self.damaged.len() < limits::COMPACT_DAMAGED_MAX {
            self.damaged.insert(at);
        }
    }

    /// Writes one object's short extents anew. Counts what it reads.
    async fn compact(&self, (bucket, key): &(BucketId, ObjectKey), read: &mut u64, stop: &Stop) -> Result<Outcome> {
        let Some(object) = self.meta.object(*bucket, key).await? else { return Ok(Outcome::Changed) };
        let stable = match object.extents.split_last() {
            Some((Extent::Inline(_), stable)) => stable,
            _ => &object.extents[..],
        };
        if short_pairs(stable) == 0 {
            return Ok(Outcome::Changed);
        }
        let (mut after, mut bodies) = (Vec::new(), Vec::new());
        let mut crc64 = Crc64::new();
        let mut at = 0;
        for stretch in plan(stable) {
            let (extents, mut writer) = match stretch {
                Stretch::Kept(extents) => (extents, None),
                Stretch::Rewritten(extents) => (extents, Some(self.objects.writer(Digests::Crc64))),
            };
            let end = at + extents.iter().map(Extent::length).sum::<u64>();
            if !self.pass(&object, at..end, &mut crc64, writer.as_mut(), stop).await? {
                return Ok(self.give_up(bodies, Outcome::Stopped).await);
            }
            *read += end - at;
            at = end;
            match writer {
                None => after.extend_from_slice(extents),
                Some(writer) => {
                    let body = writer.finish().await?;
                    after.extend_from_slice(&body.extents);
                    bodies.push(body);
                }
            }
        }
        if !self.pass(&object, at..object.size, &mut crc64, None, stop).await? {
            return Ok(self.give_up(bodies, Outcome::Stopped).await);
        }
        if crc64.value() != object.crc64 {
            self.give_up(bodies, Outcome::Changed).await;
            return Err(StoreError::Corrupt(format!("the bytes of {key} do not have their CRC-64")));
        }
        let swap = ExtentSwap { bucket: *bucket, key: key.clone(), before: stable.to_vec(), after };
        if self.meta.swap_extents(swap, self.clock.wall()).await? {
            bodies.into_iter().for_each(StoredBody::committed);
            return Ok(Outcome::Swapped);
        }
        Ok(self.give_up(bodies, Outcome::Changed).await)
    }

    /// Reads a range of a body into its digest, and into a writer where there is one. `false`: the service stops.
    async fn pass(
        &self,
        object: &ObjectRecord,
        range: std::ops::Range<u64>,
        crc64: &mut Crc64,
        mut writer: Option<&mut BodyWriter>,
        stop: &Stop,
    ) -> Result<bool> {
        let mut body = self.objects.read(object, range);
        while let Some(piece) = body.next().await? {
            if stop.is_pulled() {
                return Ok(false);
            }
            for piece in pieces(piece) {
                crc64.update(&piece);
                if let Some(writer) = writer.as_deref_mut() {
                    writer.write(piece).await?;
                }
                // Hashing a piece is all that a task may do in one go.
                tokio::task::yield_now().await;
            }
        }
        Ok(true)
    }

    /// Takes away what no commit will name.
    async fn give_up(&self, bodies: Vec<StoredBody>, outcome: Outcome) -> Outcome {
        for body in bodies {
            self.objects.discard(body).await;
        }
        outcome
    }
}

/// A piece in pieces of at most `limits::BODY_PIECE_BYTES`.
fn pieces(mut whole: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let length = whole.len().min(limits::BODY_PIECE_BYTES);
        (length > 0).then(|| whole.split_to(length))
    })
}

#[cfg(test)]
mod tests;
