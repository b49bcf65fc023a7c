//! Files that grow behind their writers.
//!
//! A writer leaves what it has to write here and goes on; a thread takes what many writers have left and writes it, file
//! after file. So a hand-over between threads, which costs more than writing the piece itself, is paid once for all that
//! waits and not once for each piece; a thread that has nothing left rests for a moment before it ends, because to be woken is
//! most of what a hand-over costs. What a writer may leave is bounded ([`limits::FILE_BYTES_BEHIND`]), then it waits.
//! Writing to a file can block for as long as the disk pleases, so it never happens on the reactor.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::Inner;
use super::layout::Unfinished;
use super::pool::unavailable;
use crate::limits;
use crate::store::{BlobId, Result, StoreError};

/// Files with something to write.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    state: Mutex<BacklogState>,
    /// Told when a thread that rests should go on.
    enough: Condvar,
}

#[derive(Debug, Default)]
struct BacklogState {
    files: VecDeque<Arc<Growing>>,
    /// Threads that take from `files`; each ends when there is nothing left.
    threads: usize,
    /// Those of them that have found nothing left and wait for enough, or for the end of their rest.
    resting: usize,
    /// A writer will soon have to wait, so a thread that rests goes on.
    hurry: bool,
}

/// A file that a writer and a thread of the backlog share.
#[derive(Debug)]
pub(super) struct Growing {
    id: BlobId,
    state: Mutex<GrowingState>,
}

#[derive(Debug)]
struct GrowingState {
    file: FileState,
    /// Left by the writer, in order; what a thread is writing is no longer here.
    pieces: Vec<Bytes>,
    /// The file is in the backlog, or a thread has it.
    queued: bool,
    /// The writer, when it waits for room or for the file.
    waits: Option<Waker>,
}

#[derive(Debug)]
enum FileState {
    /// Nothing was written yet.
    None,
    Open(Unfinished),
    /// A thread writes it.
    Taken,
    /// Its writer is gone while a thread writes it.
    Abandoned,
    /// A write failed: what the file holds is unknown.
    Failed(StoreError),
}

impl Growing {
    pub(super) fn new(id: BlobId) -> Arc<Self> {
        let state = GrowingState { file: FileState::None, pieces: Vec::new(), queued: false, waits: None };
        Arc::new(Growing { id, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, GrowingState> {
        self.state.lock().expect("no code panics while holding this lock")
    }

    /// Ready once there is room for another piece; says so when an earlier one could not be written.
    pub(super) async fn room(&self) -> Result<()> {
        self.wait_until(|state| state.bytes() < limits::FILE_BYTES_BEHIND).await
    }

    /// Ready once all is written.
    #[cfg(test)]
    pub(super) async fn written(&self) -> Result<()> {
        self.wait_until(|state| !state.queued).await
    }

    async fn wait_until(&self, holds: impl Fn(&GrowingState) -> bool) -> Result<()> {
        poll_fn(|cx| {
            let mut state = self.lock();
            if let FileState::Failed(error) = &state.file {
                return Poll::Ready(Err(error.clone()));
            }
            if holds(&state) {
                return Poll::Ready(Ok(()));
            }
            state.waits = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Leaves pieces for the backlog. Call it when there is room.
    pub(super) fn leave(self: &Arc<Self>, inner: &Arc<Inner>, pieces: impl IntoIterator<Item = Bytes>) {
        let mut state = self.lock();
        state.pieces.extend(pieces);
        let queued = std::mem::replace(&mut state.queued, true);
        let hurry = state.bytes() >= limits::FILE_BYTES_BEHIND / 2;
        drop(state);
        if !queued {
            inner.backlog.add(inner, Arc::clone(self), hurry);
        } else if hurry {
            inner.backlog.hurry();
        }
    }

    /// Takes the file, and what no thread has begun to write, away from the backlog. Waits while a thread writes it.
    pub(super) async fn take(&self) -> Result<(Option<Unfinished>, Vec<Bytes>)> {
        poll_fn(|cx| {
            let mut state = self.lock();
            match std::mem::replace(&mut state.file, FileState::Abandoned) {
                FileState::Taken => {
                    state.file = FileState::Taken;
                    state.waits = Some(cx.waker().clone());
                    Poll::Pending
                }
                FileState::Failed(error) => Poll::Ready(Err(error)),
                FileState::None | FileState::Abandoned => Poll::Ready(Ok((None, std::mem::take(&mut state.pieces)))),
                FileState::Open(file) => Poll::Ready(Ok((Some(file), std::mem::take(&mut state.pieces)))),
            }
        })
        .await
    }

    /// The writer is gone: the file goes at once, or when the thread that writes it is done.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.pieces.clear();
        let file = std::mem::replace(&mut state.file, FileState::Abandoned);
        drop(state);
        drop(file);
    }

    /// Writes what was left; whether more was left meanwhile. Blocks.
    fn write(&self, inner: &Arc<Inner>) -> bool {
        let mut state = self.lock();
        let file = match std::mem::replace(&mut state.file, FileState::Taken) {
            FileState::None => None,
            FileState::Open(file) => Some(file),
            // Taken away since, or failed.
            other => {
                state.file = other;
                state.queued = false;
                return false;
            }
        };
        let pieces = std::mem::take(&mut state.pieces);
        let waits = state.waits.take();
        drop(state);
        // There is room again.
        wake(waits);
        let is_new = file.is_none();
        let mut written = write_all(inner, self.id, file, &pieces);
        drop(pieces);
        if let Ok(file) = &mut written
            && is_new
        {
            begin_naming(inner, self.id, file);
        }
        let mut state = self.lock();
        let (now, gone) = match (&state.file, written) {
            (FileState::Abandoned, written) => (FileState::Abandoned, written.ok()),
            (_, Ok(file)) => (FileState::Open(file), None),
            (_, Err(error)) => (FileState::Failed(error), None),
        };
        state.file = now;
        state.queued = !state.pieces.is_empty();
        let (queued, waits) = (state.queued, state.waits.take());
        drop(state);
        drop(gone);
        wake(waits);
        queued
    }
}

impl GrowingState {
    fn bytes(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, BacklogState> {
        self.state.lock().expect("no code panics while holding this lock")
    }

    fn add(&self, inner: &Arc<Inner>, file: Arc<Growing>, hurry: bool) {
        let mut state = self.lock();
        state.files.push_back(file);
        if state.resting > 0 {
            if hurry || state.files.len() >= limits::FILES_BEHIND_A_THREAD {
                self.wake_resting(state);
            }
            return;
        }
        let behind = state.files.len() > state.threads * limits::FILES_BEHIND_A_THREAD;
        if !behind || state.threads >= limits::FILE_THREADS_BEHIND {
            return;
        }
        state.threads += 1;
        drop(state);
        let inner = Arc::clone(inner);
        drop(tokio::task::spawn_blocking(move || inner.backlog.work_off(&inner)));
    }

    fn hurry(&self) {
        let state = self.lock();
        if state.resting > 0 {
            self.wake_resting(state);
        }
    }

    fn wake_resting(&self, mut state: MutexGuard<'_, BacklogState>) {
        let told = std::mem::replace(&mut state.hurry, true);
        drop(state);
        if !told {
            self.enough.notify_one();
        }
    }

    /// Waits until enough has gathered, or not much longer.
    fn rest<'a>(&'a self, mut state: MutexGuard<'a, BacklogState>) -> MutexGuard<'a, BacklogState> {
        state.resting += 1;
        let rested = self.enough.wait_timeout_while(state, limits::FILE_THREAD_REST, |state| !state.hurry);
        let (mut state, _) = rested.expect("no code panics while holding this lock");
        state.resting -= 1;
        state.hurry = false;
        state
    }

    fn work_off(&self, inner: &Arc<Inner>) {
        let mut again = None;
        loop {
            let mut state = self.lock();
            // Behind all others: a writer that never rests keeps nobody waiting.
            state.files.extend(again.take());
            if state.files.is_empty() {
                state = self.rest(state);
            }
            let Some(file) = state.files.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            if file.write(inner) {
                again = Some(file);
            }
        }
    }
}

fn wake(waits: Option<Waker>) {
    if let Some(waker) = waits {
        waker.wake();
    }
}

/// Has the name of a new file made durable while the file grows, so that its end has one wait less.
fn begin_naming(inner: &Arc<Inner>, id: BlobId, file: &mut Unfinished) {
    let Some(place) = inner.writes.vacant() else { return };
    let (inner, done) = (inner.clone(), file.naming());
    place.start(move || drop(done.send(inner.layout.sync_names_beside(id))));
}

/// Writes `pieces` at the end of the file, which is made first where there is none. Blocks.
pub(super) fn write_all(inner: &Inner, id: BlobId, file: Option<Unfinished>, pieces: &[Bytes]) -> Result<Unfinished> {
    let mut file = match file {
        None => inner.layout.create(id)?,
        Some(file) => file,
    };
    let written = write_all_vectored(file.file(), pieces);
    written.map_err(|error| unavailable("writing a blob", file.path(), &error))?;
    Ok(file)
}

/// All pieces in as few calls as the system allows.
fn write_all_vectored(file: &mut impl Write, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| IoSlice::new(piece)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => IoSlice::advance_slices(&mut left, length),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
