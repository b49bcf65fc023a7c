//! Blobs in memory, for tests and simulation. Nothing outlives the process, everything else behaves as on disk.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::ids::IdSource;
use crate::clock::Clock;
use crate::limits;
use crate::store::{BlobEntry, BlobId, BlobReader, BlobStore, BlobWriter, Result, StoreError, What};

/// Blobs in memory. Clones share them, so that a clone can play the process after a restart.
#[derive(Clone, Debug)]
pub struct MemoryBlobStore {
    ids: Arc<IdSource>,
    blobs: Arc<Mutex<BTreeMap<BlobId, Body>>>,
}

/// The pieces as they were appended: nothing is copied.
type Body = Arc<Vec<Bytes>>;

impl MemoryBlobStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_ids(IdSource::new(clock))
    }

    /// An empty store whose ids follow from `seed`.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self::with_ids(IdSource::seeded(clock, seed))
    }

    fn with_ids(ids: IdSource) -> Self {
        MemoryBlobStore { ids: Arc::new(ids), blobs: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobId, Body>> {
        self.blobs.lock().expect("no code panics while holding this lock")
    }

    /// Changes a finished blob: damage for the checker's tests.
    #[cfg(test)]
    pub(crate) fn damage(&self, id: BlobId, change: impl FnOnce(&mut Vec<u8>)) {
        let mut blobs = self.lock();
        let body = blobs.get_mut(&id).expect("the test planted this blob");
        let mut bytes = body.concat();
        change(&mut bytes);
        *body = Arc::new(vec![Bytes::from(bytes)]);
    }
}

fn length(body: &[Bytes]) -> u64 {
    body.iter().map(|piece| piece.len() as u64).sum()
}

#[async_trait]
impl BlobStore for MemoryBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(MemoryWriter { id: self.ids.fresh()?, pieces: Vec::new(), store: self.clone() }))
    }

    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(MemoryWriter { id: self.ids.fresh_marked()?, pieces: Vec::new(), store: self.clone() }))
    }

    async fn length(&self, id: BlobId) -> Result<u64> {
        self.lock().get(&id).map(|body| length(body)).ok_or(StoreError::NotFound(What::Blob))
    }

    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>> {
        let body = self.lock().get(&id).cloned().ok_or(StoreError::NotFound(What::Blob))?;
        let length = length(&body);
        if range.end > length {
            return Err(StoreError::Corrupt(format!("blob {id} has {length} bytes, {} were asked for", range.end)));
        }
        Ok(Box::new(MemoryReader { pieces: cut(&body, range) }))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<()> {
        let mut blobs = self.lock();
        for id in ids {
            blobs.remove(id);
        }
        Ok(())
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let blobs = self.lock();
        let page = blobs.range((from, Bound::Unbounded)).take(limit);
        Ok(page.map(|(id, body)| BlobEntry { id: *id, length: length(body) }).collect())
    }

    async fn remove_temporaries(&self) -> Result<u64> {
        Ok(0)
    }
}

/// The pieces of `range`, none empty and none longer than a reader's piece.
fn cut(body: &[Bytes], range: Range<u64>) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    let mut at = 0u64;
    for piece in body {
        let end = at + piece.len() as u64;
        let (from, to) = (range.start.max(at), range.end.min(end));
        if from < to {
            let within = |position: u64| usize::try_from(position - at).expect("inside a piece in memory");
            let mut rest = piece.slice(within(from)..within(to));
            while !rest.is_empty() {
                pieces.push_back(rest.split_to(rest.len().min(limits::BODY_PIECE_BYTES)));
            }
        }
        at = end;
    }
    pieces
}

#[derive(Debug)]
struct MemoryWriter {
    id: BlobId,
    pieces: Vec<Bytes>,
    store: MemoryBlobStore,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        if !bytes.is_empty() {
            self.pieces.push(bytes);
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let length = length(&self.pieces);
        let taken = self.store.lock().insert(self.id, Arc::new(self.pieces));
        debug_assert!(taken.is_none(), "ids are fresh");
        Ok(length)
    }
}

#[derive(Debug)]
struct MemoryReader {
    pieces: VecDeque<Bytes>,
}

#[async_trait]
impl BlobReader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.pieces.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Wall};
    use crate::store::conformance::blob::{Bench, blob_suite};

    async fn bench() -> Bench {
        let clock = ManualClock::new(Wall(1_700_000_000_000));
        let store = Arc::new(MemoryBlobStore::new(Arc::new(clock.clone())));
        Bench { store, clock, keep: None }
    }

    blob_suite!(bench);
}
