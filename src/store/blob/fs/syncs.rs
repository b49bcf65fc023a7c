//! Syncs of one directory that files share.
//!
//! A file's new name is durable once its directory was synced after the rename. Files that finish together lie in the same
//! directory, and one sync that begins after the last rename is enough for all of them: who comes while one is under way
//! waits for the next, and the first of those does it for the others.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::layout::{Slot, sync_directory};

/// The directories that are being synced.
#[derive(Debug, Default)]
pub(super) struct SharedSyncs {
    busy: Mutex<HashMap<Slot, Rounds>>,
    changed: Condvar,
}

/// The syncs of one directory, counted while anybody wants one.
#[derive(Debug, Default)]
struct Rounds {
    begun: u64,
    /// Of these, how many have made durable what was there when they began; a failed one has not.
    done: u64,
    is_running: bool,
    callers: usize,
}

impl SharedSyncs {
    /// Makes every name durable that the directory had before this call. Blocks.
    pub(super) fn sync(&self, slot: Slot, directory: &Path) -> io::Result<()> {
        self.share(slot, || sync_directory(directory))
    }

    fn share(&self, slot: Slot, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut busy = self.lock();
        let rounds = busy.entry(slot).or_default();
        rounds.callers += 1;
        // One that is under way may have begun before the rename.
        let wanted = rounds.begun + 1;
        let outcome = loop {
            let rounds = busy.get_mut(&slot).expect("it stays while it has callers");
            if rounds.done >= wanted {
                break Ok(());
            }
            if rounds.is_running {
                busy = self.changed.wait(busy).expect("no code panics while holding this lock");
                continue;
            }
            rounds.is_running = true;
            rounds.begun += 1;
            let round = rounds.begun;
            drop(busy);
            let synced = sync();
            busy = self.lock();
            let rounds = busy.get_mut(&slot).expect("it stays while it has callers");
            rounds.is_running = false;
            if synced.is_ok() {
                rounds.done = round;
            }
            // Also after a failure: another then tries by itself and hears its own.
            self.changed.notify_all();
            break synced;
        };
        let rounds = busy.get_mut(&slot).expect("it stays while it has callers");
        rounds.callers -= 1;
        if rounds.callers == 0 {
            busy.remove(&slot);
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Slot, Rounds>> {
        self.busy.lock().expect("no code panics while holding this lock")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// How many wait or sync.
    fn callers(syncs: &SharedSyncs, slot: Slot) -> usize {
        syncs.lock().get(&slot).map_or(0, |rounds| rounds.callers)
    }

    #[test]
    fn who_comes_during_a_sync_shares_the_next_one_and_a_failure_is_nobody_elses() {
        let (syncs, count, slot) = (SharedSyncs::default(), AtomicU64::new(0), Slot::first());
        let (begun, has_begun) = mpsc::sync_channel(1);
        let (release, released) = mpsc::sync_channel::<()>(1);
        let counted = || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        std::thread::scope(|scope| {
            let syncs = &syncs;
            let first = scope.spawn(move || {
                syncs.share(slot, || {
                    begun.send(()).expect("listened to");
                    released.recv().expect("told");
                    Err(io::Error::other("no"))
                })
            });
            has_begun.recv().expect("it syncs");
            let others: Vec<_> = (0..8).map(|_| scope.spawn(|| syncs.share(slot, counted))).collect();
            while callers(syncs, slot) < 9 {
                std::thread::yield_now();
            }
            assert_eq!(count.load(Ordering::Relaxed), 0, "the one under way is not enough for them");
            release.send(()).expect("it waits");
            assert!(first.join().expect("no panic").is_err());
            assert!(others.into_iter().all(|other| other.join().expect("no panic").is_ok()));
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert_eq!(callers(&syncs, slot), 0, "nothing is remembered");
    }
}
