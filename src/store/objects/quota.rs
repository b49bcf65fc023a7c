//! How much may be stored: the largest object, and the room that must stay free.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::store::{BlobStore, Result, StoreError};

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
