//! A blob store that fails on cue, around any other: for tests of what callers do when a disk does not.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::store::{BlobEntry, BlobId, BlobReader, BlobStore, BlobWriter, Result, StoreError};

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobCall {
    /// [`BlobStore::create`].
    Create,
    /// [`BlobWriter::append`].
    Append,
    /// [`BlobWriter::finish`].
    Finish,
    /// [`BlobStore::open`].
    Open,
    /// [`BlobReader::next`].
    Next,
    /// [`BlobStore::delete`].
    Delete,
    /// [`BlobStore::list`].
    List,
}

/// What happens instead.
#[derive(Clone, Debug)]
pub enum BlobFault {
    /// The call fails and has no effect.
    Fail(StoreError),
    /// The call has its effect, and fails all the same: the answer was lost.
    FailAfter(StoreError),
    /// The call waits until [`FaultyBlobStore::release`], then goes on as usual.
    Stall,
}

/// Wraps a store. Clones share the script.
#[derive(Clone, Debug)]
pub struct FaultyBlobStore {
    inner: Arc<dyn BlobStore>,
    script: Arc<Script>,
}

#[derive(Debug)]
struct Script {
    state: Mutex<ScriptState>,
    /// Counts the releases; a stalled call waits for the next one.
    released: watch::Sender<u64>,
    /// How many calls are stalled.
    stalled: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct ScriptState {
    /// By call and by its number, from 1.
    faults: BTreeMap<(BlobCall, u64), BlobFault>,
    calls: BTreeMap<BlobCall, u64>,
    /// What `available` says, when it is scripted.
    available: Option<u64>,
    /// How often it was asked.
    looks: u64,
}

impl FaultyBlobStore {
    /// No faults yet.
    pub fn new(inner: Arc<dyn BlobStore>) -> Self {
        let (released, stalled) = (watch::Sender::new(0), watch::Sender::new(0));
        FaultyBlobStore { inner, script: Arc::new(Script { state: Mutex::default(), released, stalled }) }
    }

    /// Lets the `nth` call of this kind from now on (1 is the next) meet `fault`, once.
    pub fn on(&self, call: BlobCall, nth: u64, fault: BlobFault) {
        let mut state = self.script.lock();
        let number = state.calls.get(&call).copied().unwrap_or(0) + nth;
        state.faults.insert((call, number), fault);
    }

    /// Says from now on that so many bytes are free.
    pub fn set_available(&self, bytes: u64) {
        self.script.lock().available = Some(bytes);
    }

    /// How often somebody asked what is free.
    pub fn looks(&self) -> u64 {
        self.script.lock().looks
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        self.script.lock().faults.clear();
    }

    /// How many calls of this kind there were.
    pub fn calls(&self, call: BlobCall) -> u64 {
        self.script.lock().calls.get(&call).copied().unwrap_or(0)
    }

    /// Lets all stalled calls go on.
    pub fn release(&self) {
        self.script.released.send_modify(|count| *count += 1);
    }

    /// Ready once so many calls are stalled at the same time.
    pub async fn until_stalled(&self, count: usize) {
        let mut stalled = self.script.stalled.subscribe();
        stalled.wait_for(|now| *now >= count).await.expect("the sender lives in `self`");
    }
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, ScriptState> {
        self.state.lock().expect("no code panics while holding this lock")
    }

    /// Counts the call and acts out what is scripted before it. What is left says what its answer must be.
    async fn enter(&self, call: BlobCall) -> Result<Answer> {
        let fault = {
            let mut state = self.lock();
            let number = state.calls.entry(call).or_default();
            *number += 1;
            let number = *number;
            state.faults.remove(&(call, number))
        };
        match fault {
            None => Ok(Answer(Ok(()))),
            Some(BlobFault::Fail(error)) => Err(error),
            Some(BlobFault::FailAfter(error)) => Ok(Answer(Err(error))),
            Some(BlobFault::Stall) => {
                let mut released = self.released.subscribe();
                let _counted = Stalled::new(&self.stalled);
                // The sender lives in `self`, so this ends by a release only.
                let _ = released.changed().await;
                Ok(Answer(Ok(())))
            }
        }
    }
}

/// Counts one stalled call until it goes on or is given up.
struct Stalled<'a>(&'a watch::Sender<usize>);

impl<'a> Stalled<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Stalled(count)
    }
}

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What a call must answer once it has had its effect.
struct Answer(Result<()>);

impl Answer {
    fn give<T>(self, result: Result<T>) -> Result<T> {
        self.0.and(result)
    }
}

#[async_trait]
impl BlobStore for FaultyBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let answer = self.script.enter(BlobCall::Create).await?;
        let inner = answer.give(self.inner.create().await)?;
        Ok(Box::new(FaultyWriter { inner, script: self.script.clone() }))
    }

    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        let answer = self.script.enter(BlobCall::Create).await?;
        let inner = answer.give(self.inner.create_marked().await)?;
        Ok(Box::new(FaultyWriter { inner, script: self.script.clone() }))
    }

    fn seals(&self) -> bool {
        self.inner.seals()
    }

    async fn available(&self) -> Result<Option<u64>> {
        let scripted = {
            let mut state = self.script.lock();
            state.looks += 1;
            state.available
        };
        match scripted {
            Some(bytes) => Ok(Some(bytes)),
            None => self.inner.available().await,
        }
    }

    async fn length(&self, id: BlobId) -> Result<u64> {
        self.inner.length(id).await
    }

    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>> {
        let answer = self.script.enter(BlobCall::Open).await?;
        let inner = answer.give(self.inner.open(id, range).await)?;
        Ok(Box::new(FaultyReader { inner, script: self.script.clone() }))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<()> {
        let answer = self.script.enter(BlobCall::Delete).await?;
        answer.give(self.inner.delete(ids).await)
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        let answer = self.script.enter(BlobCall::List).await?;
        answer.give(self.inner.list(after, limit).await)
    }

    async fn remove_temporaries(&self) -> Result<u64> {
        self.inner.remove_temporaries().await
    }
}

#[derive(Debug)]
struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    script: Arc<Script>,
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    fn id(&self) -> BlobId {
        self.inner.id()
    }

    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        let answer = self.script.enter(BlobCall::Append).await?;
        answer.give(self.inner.append(bytes).await)
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let answer = self.script.enter(BlobCall::Finish).await?;
        answer.give(self.inner.finish().await)
    }
}

#[derive(Debug)]
struct FaultyReader {
    inner: Box<dyn BlobReader>,
    script: Arc<Script>,
}

#[async_trait]
impl BlobReader for FaultyReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let answer = self.script.enter(BlobCall::Next).await?;
        answer.give(self.inner.next().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Wall};
    use crate::store::What;
    use crate::store::blob::memory::MemoryBlobStore;
    use crate::store::conformance::blob::{Bench, blob_suite, pattern, read, write};

    fn faulty() -> (FaultyBlobStore, ManualClock) {
        let clock = ManualClock::new(Wall(1_700_000_000_000));
        (FaultyBlobStore::new(Arc::new(MemoryBlobStore::new(Arc::new(clock.clone())))), clock)
    }

    async fn bench() -> Bench {
        let (store, clock) = faulty();
        Bench { store: Arc::new(store), clock, keep: None }
    }

    blob_suite!(bench);

    fn broken() -> StoreError {
        StoreError::Unavailable("scripted".into())
    }

    #[tokio::test]
    async fn the_nth_call_fails_and_the_next_does_not() {
        let (store, _) = faulty();
        write(&store, &[pattern(1, 1), pattern(1, 1)]).await;
        store.on(BlobCall::Append, 2, BlobFault::Fail(broken()));
        let mut writer = store.create().await.expect("create");
        assert_eq!(writer.append(pattern(1, 1)).await, Ok(()));
        assert_eq!(writer.append(pattern(2, 1)).await, Err(broken()));
        assert_eq!(writer.append(pattern(3, 1)).await, Ok(()));
        assert_eq!(writer.finish().await, Ok(2), "the failed append had no effect");
        assert_eq!(store.calls(BlobCall::Append), 5);
    }

    #[tokio::test]
    async fn a_lost_answer_has_its_effect() {
        let (store, _) = faulty();
        store.on(BlobCall::Finish, 1, BlobFault::FailAfter(broken()));
        let writer = store.create().await.expect("create");
        let id = writer.id();
        assert_eq!(writer.finish().await, Err(broken()));
        assert_eq!(store.list(None, 9).await, Ok(vec![BlobEntry { id, length: 0 }]));
    }

    #[tokio::test]
    async fn a_stalled_call_waits_for_the_release() {
        let (store, _) = faulty();
        let id = write(&store, &[pattern(1, 9)]).await;
        store.on(BlobCall::Open, 1, BlobFault::Stall);
        store.on(BlobCall::Delete, 1, BlobFault::Fail(StoreError::NotFound(What::Blob)));
        store.clear();
        store.on(BlobCall::Next, 1, BlobFault::Stall);
        let mut reading = Box::pin(read(&store, id, 0..9));
        assert!(futures_util::poll!(&mut reading).is_pending());
        store.until_stalled(1).await;
        assert!(futures_util::poll!(&mut reading).is_pending());
        store.release();
        assert_eq!(reading.await, Ok(pattern(1, 9)));
        assert_eq!(store.delete(&[id]).await, Ok(()));
    }
}
