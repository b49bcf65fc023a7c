//! Blobs that this process has created and that metadata does not name yet (I5).
//!
//! A blob is *in flight* from its creation until its commit has answered. When nobody waits for that answer any more (the
//! request was dropped, the metadata store was unavailable), the commit may still be carried out: the blob is then
//! *unsettled* for `limits::SETTLE_GRACE`, after which the collector asks the metadata and deletes it if it is unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::store::BlobId;

/// The registry. Clones share it.
#[derive(Clone, Debug)]
pub struct InFlight {
    clock: Arc<dyn Clock>,
    blobs: Arc<Mutex<BTreeMap<BlobId, State>>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Owned,
    UnsettledSince(Monotonic),
}

impl InFlight {
    /// An empty registry.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        InFlight { clock, blobs: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobId, State>> {
        self.blobs.lock().expect("no code panics while holding this lock")
    }

    /// Registers a blob. To be called before it can be listed.
    pub(super) fn begin(&self, id: BlobId) -> InFlightBlob {
        self.lock().insert(id, State::Owned);
        InFlightBlob { registry: self.clone(), id, may_exist: false, resolved: false }
    }

    /// Whether the blob is in flight or unsettled. A sweep asks this *before* it asks the metadata: a blob that is not
    /// here by then is named already, or will never be.
    pub fn contains(&self, id: BlobId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Blobs that are owned, and blobs that are unsettled.
    pub fn counts(&self) -> (usize, usize) {
        let blobs = self.lock();
        let owned = blobs.values().filter(|state| matches!(state, State::Owned)).count();
        (owned, blobs.len() - owned)
    }

    /// At most `limit` blobs that have been unsettled for `grace`, in order of id.
    pub fn unsettled_for(&self, grace: Duration, limit: usize) -> Vec<BlobId> {
        let now = self.clock.monotonic();
        let due = |state: &State| matches!(state, State::UnsettledSince(since) if now - *since >= grace);
        self.lock().iter().filter(|(_, state)| due(state)).map(|(id, _)| *id).take(limit).collect()
    }

    /// Forgets blobs of which the metadata has been asked.
    pub fn settle(&self, ids: &[BlobId]) {
        let mut blobs = self.lock();
        for id in ids {
            blobs.remove(id);
        }
    }
}

/// One blob in flight. Dropping it without [`InFlightBlob::resolve`] makes the blob unsettled, if it can exist at all.
#[derive(Debug)]
pub(super) struct InFlightBlob {
    registry: InFlight,
    id: BlobId,
    /// Its writer was asked to finish.
    may_exist: bool,
    resolved: bool,
}

impl InFlightBlob {
    pub(super) fn id(&self) -> BlobId {
        self.id
    }

    /// From here on the blob may exist, whatever happens to its owner.
    pub(super) fn finishing(&mut self) {
        self.may_exist = true;
    }

    /// The blob is named, or deleted.
    pub(super) fn resolve(mut self) {
        self.resolved = true;
    }
}

impl Drop for InFlightBlob {
    fn drop(&mut self) {
        let now = self.registry.clock.monotonic();
        let mut blobs = self.registry.lock();
        if self.resolved || !self.may_exist {
            blobs.remove(&self.id);
        } else {
            blobs.insert(self.id, State::UnsettledSince(now));
        }
    }
}
