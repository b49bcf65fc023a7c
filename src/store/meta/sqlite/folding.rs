//! Folding the write-ahead log into the database, beside the writer.
//!
//! What commits have written to the log must at times be copied into the database, and the database synced, before the log
//! can begin anew. Within the writer that held up every commit for as long as some thousand pages take, again and again under
//! load. So a thread of its own copies while the writer goes on, until little is left; that little the writer copies
//! itself between two commits, because only when nobody adds to it can the log be folded whole. A log that grows faster
//! than it is folded makes the writer wait.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::schema;
use crate::limits::{META_FOLD_PASSES, META_FOLD_REST_PAGES, META_WAL_PAGES, META_WAL_PAGES_MAX};

/// The writer's end: says when to fold.
#[derive(Debug)]
pub(super) struct Folding {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Pages that the log had after the last commit.
    log_pages: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The log is short.
    Idle,
    /// The thread copies, or is about to.
    Folding,
    /// It has copied all but a little, which is the writer's.
    Rest,
    /// The writer ends, or the thread has.
    Closed,
}

impl Folding {
    /// Starts the thread for the database at `path`, which `writer` writes; that one no longer folds by itself.
    pub(super) fn start(writer: &mut Connection, path: &Path) -> rusqlite::Result<Self> {
        let shared =
            Arc::new(Shared { log_pages: AtomicU64::new(0), state: Mutex::new(State::Idle), changed: Condvar::new() });
        let counted = shared.clone();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            counted.log_pages.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let conn = schema::open_folder(path)?;
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("meta-folder".into()).spawn(move || theirs.run(&conn));
        if let Err(cause) = &thread {
            // The writer then folds alone.
            tracing::error!(%cause, "the thread that folds the metadata log cannot start");
        }
        Ok(Folding { shared, thread: thread.ok() })
    }

    /// To be called between two commits.
    pub(super) fn after_commit(&self, writer: &Connection) {
        let pages = self.shared.log_pages.load(Ordering::Relaxed);
        if pages < META_WAL_PAGES {
            return;
        }
        let mut state = self.shared.lock();
        if *state == State::Idle && self.thread.is_some() {
            *state = State::Folding;
            self.shared.changed.notify_all();
        }
        if pages >= META_WAL_PAGES_MAX {
            metrics::counter!("livebucket_meta_log_full_total").increment(1);
            while *state == State::Folding {
                state = self.shared.changed.wait(state).expect("nothing panics while holding this lock");
            }
        }
        match *state {
            State::Folding => return,
            State::Rest => *state = State::Idle,
            State::Idle | State::Closed => {}
        }
        drop(state);
        // A reader of an old state keeps it from being folded whole: then this comes again with the next commit.
        if let Err(cause) = fold(writer) {
            tracing::warn!(%cause, "metadata log was not folded into the database");
        }
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        *self.shared.lock() = State::Closed;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding this lock")
    }

    fn run(&self, conn: &Connection) {
        let _told = TellsItsEnd(self);
        while self.is_asked() {
            for _ in 0..META_FOLD_PASSES {
                match fold(conn) {
                    // Of what was written meanwhile the next pass takes most.
                    Ok(folded) if self.log_pages.load(Ordering::Relaxed) > folded + META_FOLD_REST_PAGES => {}
                    Ok(_) => break,
                    Err(cause) => {
                        tracing::warn!(%cause, "metadata log was not folded into the database");
                        break;
                    }
                }
            }
            let mut state = self.lock();
            if *state == State::Folding {
                *state = State::Rest;
            }
            self.changed.notify_all();
        }
    }

    /// Waits until the thread has something to do; `false` at the end.
    fn is_asked(&self) -> bool {
        let mut state = self.lock();
        while !matches!(*state, State::Folding | State::Closed) {
            state = self.changed.wait(state).expect("nothing panics while holding this lock");
        }
        *state == State::Folding
    }
}

/// Leaves nobody waiting for a thread that is gone.
struct TellsItsEnd<'a>(&'a Shared);

impl Drop for TellsItsEnd<'_> {
    fn drop(&mut self) {
        *self.0.lock() = State::Closed;
        self.0.changed.notify_all();
    }
}

/// Copies what readers allow, without waiting for anybody. How many pages from the log's beginning stand in the database now.
pub(super) fn fold(conn: &Connection) -> rusqlite::Result<u64> {
    let folded: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2))?;
    Ok(u64::try_from(folded).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes 4 KiB again and again until the log would be many times too long.
    fn write_much(path: &Path, writer: &Connection, folding: &Folding) -> u64 {
        writer.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, bytes BLOB)", []).expect("a table");
        let mut longest = 0;
        for _ in 0..100 {
            let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 512) \
                 INSERT INTO filler (bytes) SELECT zeroblob(4000) FROM n";
            writer.execute(fill, []).expect("written");
            folding.after_commit(writer);
            longest = longest.max(std::fs::metadata(path.with_extension("db-wal")).expect("a log").len());
        }
        longest
    }

    fn opened() -> (tempfile::TempDir, std::path::PathBuf, Connection) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("meta.db");
        let writer = schema::open_writer(&path).expect("fresh");
        (directory, path, writer)
    }

    /// A page with its header, and what one transaction of the test adds after the bound was met.
    const LOG_BYTES_MAX: u64 = (META_WAL_PAGES_MAX + 1_024) * (4_096 + 24);

    #[test]
    fn a_log_that_is_written_without_a_pause_stays_short_and_nothing_is_lost() {
        let (_directory, path, mut writer) = opened();
        let folding = Folding::start(&mut writer, &path).expect("started");
        let longest = write_much(&path, &writer, &folding);
        assert!(longest <= LOG_BYTES_MAX, "{longest}");
        drop(folding);
        let count = "SELECT count(*) FROM filler";
        let rows: i64 = schema::open_reader(&path).and_then(|c| c.query_row(count, [], |r| r.get(0))).expect("read");
        assert_eq!(rows, 51_200);
    }

    #[test]
    fn without_its_thread_the_writer_folds_alone() {
        let (_directory, path, mut writer) = opened();
        let mut folding = Folding::start(&mut writer, &path).expect("started");
        *folding.shared.lock() = State::Closed;
        folding.shared.changed.notify_all();
        folding.thread.take().expect("it runs").join().expect("it ended");
        let longest = write_much(&path, &writer, &folding);
        assert!(longest <= (META_WAL_PAGES + 1_024) * (4_096 + 24), "{longest}");
    }
}
