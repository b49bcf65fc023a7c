//! How much may be stored: the largest object, the room that must stay free, and what a bucket may hold.

use std::sync::{Arc, Mutex, MutexGuard};

use super::ObjectService;
use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::store::{BlobStore, BucketQuota, BucketRecord, ObjectKey, Result, StoreError, UploadId};

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of the largest object; never more than `limits::OBJECT_BYTES_MAX`.
    pub object_bytes_max: u64,
    /// Bytes that must stay free where the bodies are; 0 asks for none.
    pub free_space_floor: u64,
}

impl Default for Quota {
    /// No more than the service itself asks for.
    fn default() -> Self {
        Quota { object_bytes_max: limits::OBJECT_BYTES_MAX, free_space_floor: 0 }
    }
}

/// The room above the floor. Clones share what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    floor: u64,
    known: Arc<Mutex<Option<Known>>>,
}

/// What a look gave, less what was written since.
#[derive(Clone, Copy, Debug)]
struct Known {
    at: Monotonic,
    left: u64,
}

impl Room {
    pub(super) fn new(blobs: Arc<dyn BlobStore>, clock: Arc<dyn Clock>, floor: u64) -> Self {
        Room { blobs, clock, floor, known: Arc::default() }
    }

    /// Whether `bytes` more would fit. `Full`.
    pub(super) async fn check(&self, bytes: u64) -> Result<()> {
        self.ask(bytes, 0).await
    }

    /// Counts `bytes` as written. `Full`, before they are.
    pub(super) async fn take(&self, bytes: u64) -> Result<()> {
        self.ask(bytes, bytes).await
    }

    async fn ask(&self, wanted: u64, taken: u64) -> Result<()> {
        if self.floor == 0 {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let is_fresh = |known: &Known| now - known.at < limits::FREE_SPACE_LOOK && known.left >= wanted;
        if let Some(known) = self.lock().as_mut().filter(|known| is_fresh(known)) {
            known.left -= taken;
            return Ok(());
        }
        // Also when it seemed too little: something may have been deleted.
        let Some(free) = self.blobs.available().await? else { return Ok(()) };
        let left = free.saturating_sub(self.floor);
        let fits = left >= wanted.max(1);
        *self.lock() = fits.then(|| Known { at: now, left: left - taken });
        if fits {
            return Ok(());
        }
        metrics::counter!("livebucket_writes_refused_total", "cause" => "free_space").increment(1);
        tracing::warn!(free, floor = self.floor, wanted, "write refused: too little space is left");
        Err(StoreError::Full)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().expect("no code panics while holding this lock")
    }
}

/// What bytes on their way to a bucket will become.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// An object, in place of the one under its key.
    Object(&'a ObjectKey),
    /// More of an object.
    Append,
    /// A part, in place of the one of its number.
    Part(&'a ObjectKey, UploadId, u32),
}

impl ObjectService {
    /// Whether the bucket's quota has room for `bytes`, so that a refusal need not cost their transfer. `OverQuota`. Judged again
    /// in the commit, which alone decides; a bucket without a quota costs nothing here.
    pub async fn check_bucket_room(&self, bucket: &BucketRecord, incoming: Incoming<'_>, bytes: u64) -> Result<()> {
        let quota = bucket.settings.quota;
        if quota == BucketQuota::default() {
            return Ok(());
        }
        let usage = self.meta.bucket_usage(bucket.id).await?;
        let (replaced, objects) = match incoming {
            Incoming::Object(key) => match self.meta.object(bucket.id, key).await? {
                Some(object) => (object.size, usage.objects),
                None => (0, usage.objects.saturating_add(1)),
            },
            Incoming::Append => (0, usage.objects),
            Incoming::Part(key, upload, number) => {
                let page = self.meta.list_parts(bucket.id, key, upload, number.saturating_sub(1), 1).await?;
                (page.entries.first().filter(|part| part.number == number).map_or(0, |part| part.size), usage.objects)
            }
        };
        let held = usage.bytes.saturating_add(usage.part_bytes).saturating_add(bytes).saturating_sub(replaced);
        let over_bytes = bytes > replaced && quota.bytes.is_some_and(|max| held > max);
        let over_objects = objects > usage.objects && quota.objects.is_some_and(|max| objects > max);
        noted(if over_bytes || over_objects { Err(StoreError::OverQuota) } else { Ok(()) })
    }
}

/// Counts a refusal by a bucket's quota.
pub(in crate::store) fn noted<T>(outcome: Result<T>) -> Result<T> {
    if let Err(StoreError::OverQuota) = &outcome {
        metrics::counter!("livebucket_writes_refused_total", "cause" => "quota").increment(1);
    }
    outcome
}
