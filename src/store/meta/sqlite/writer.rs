//! The one thread that writes.
//!
//! It takes every command that waits and commits them together: one transaction, one sync, and a savepoint for each
//! command, so that a command that fails rolls back alone. A command is answered only after the commit; when the commit
//! fails, every command of the batch hears why (`Full`, `Unavailable`), also those that had failed on their own,
//! because what they judged by is gone.
//!
//! After `Full` nothing of the batch can come true, not even by a crash: SQLite had no room for the frame that commits. After
//! `Unavailable` it may: the frames stand in the log, only their sync failed. So the next transaction writes a page whatever
//! its commands do: its frames stand where those did, and once it is committed they are gone.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::cache::{Cache, Scope};
use super::error::{Sql, noted};
use super::folding::{self, Folding};
use crate::clock::{self, Clock};
use crate::limits;
use crate::store::meta::rules;
use crate::store::{Result, StoreError};
use crate::task;

/// How much the writer has done, for tests and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed.
    pub commits: u64,
    /// Commands that those carried, failed ones included.
    pub commands: u64,
}

/// A command that has run but is not committed.
struct Ran {
    /// Its own error: it rolls back alone.
    failed: Option<StoreError>,
    /// Tells the caller what came of it, or why nothing was committed. Dropped uncalled, the caller gets `Unavailable`.
    acknowledge: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

type Work = Box<dyn FnOnce(Result<&Connection>) -> Ran + Send>;

/// Work with what it may change of what readers remember. It runs within a transaction; without one, it only passes on why
/// there is none.
struct Command {
    scope: Scope,
    work: Work,
}

/// A batch of which nothing was committed.
struct Failed {
    cause: rusqlite::Error,
    why: StoreError,
    /// Those of its commands that have run.
    ran: Vec<Ran>,
}

/// The handle: submits commands and waits for their commit.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once closed; the thread ends when the last sender is gone and the queue is empty.
    queue: Mutex<Option<mpsc::Sender<Command>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
    wait_max: Duration,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    commands: AtomicU64,
}

impl Writer {
    /// Starts the thread, which folds the log of `conn` with `folding`. `queue_max` commands may wait; a caller waits `wait_max` for a place.
    pub(super) fn start(
        conn: Connection,
        cache: Arc<Cache>,
        folding: Folding,
        clock: Arc<dyn Clock>,
        queue_max: usize,
        wait_max: Duration,
    ) -> std::io::Result<Self> {
        let (queue, commands) = mpsc::channel(queue_max);
        let counters = Arc::new(Counters::default());
        let counted = counters.clone();
        // A thread of its own, not the blocking pool: it lives as long as the store and is the only one to write.
        let thread = std::thread::Builder::new()
            .name("meta-writer".into())
            .spawn(move || run(conn, &cache, folding, commands, queue_max, &counted))?;
        Ok(Writer { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), clock, wait_max, counters })
    }

    /// Runs `work` within a transaction; its value is returned once that is durable. Of what readers remember it changes at
    /// most `scope`.
    ///
    /// Dropping the future after the command was queued does not undo it.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        call: &'static str,
        scope: Scope,
        work: impl FnOnce(&Connection) -> Sql<T> + Send + 'static,
    ) -> Result<T> {
        let queue = lock(&self.queue).clone().ok_or_else(rules::closed)?;
        let (reply, answer) = oneshot::channel();
        let work = Box::new(move |conn: Result<&Connection>| {
            let outcome = conn.and_then(|conn| work(conn).map_err(|failure| failure.meaning(call)));
            let failed = outcome.as_ref().err().cloned();
            let acknowledge = move |lost: Option<StoreError>| {
                let outcome = lost.map_or(outcome, Err);
                // A caller that went away no longer listens; that is no error.
                drop(reply.send(outcome));
            };
            Ran { failed, acknowledge: Box::new(acknowledge) }
        });
        let command = Command { scope, work };
        match clock::timeout(&*self.clock, self.wait_max, queue.send(command)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(StoreError::Unavailable("the metadata writer has ended".into())),
            Err(clock::Elapsed) => {
                metrics::counter!("livebucket_meta_queue_full_total").increment(1);
                return Err(StoreError::Unavailable("the metadata queue is full".into()));
            }
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the change could not be committed".into())))
    }

    /// What was done so far.
    pub(super) fn stats(&self) -> WriterStats {
        WriterStats {
            commits: self.counters.commits.load(Ordering::Relaxed),
            commands: self.counters.commands.load(Ordering::Relaxed),
        }
    }

    /// Takes no more commands; what waits is still committed. The caller joins the thread; `None` when another did.
    pub(super) fn close(&self) -> Option<JoinHandle<()>> {
        *lock(&self.queue) = None;
        lock(&self.thread).take()
    }
}

impl Drop for Writer {
    /// A store that nobody closed still commits what waits. Short: at most the commits of one full queue.
    fn drop(&mut self) {
        if let Some(thread) = self.close() {
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding this lock")
}

fn run(
    conn: Connection,
    cache: &Cache,
    folding: Folding,
    mut commands: mpsc::Receiver<Command>,
    batch_max: usize,
    counters: &Counters,
) {
    task::take_short_turns(limits::SHORT_TURN);
    let mut in_doubt = false;
    while let Some(first) = commands.blocking_recv() {
        let mut batch = VecDeque::from([first]);
        while batch.len() < batch_max
            && let Ok(command) = commands.try_recv()
        {
            batch.push_back(command);
        }
        let size = batch.len() as u64;
        // Readers ask the database from before the transaction until after it, and before anybody hears of it (I14).
        let changing = cache.changing(batch.iter().map(|command| &command.scope));
        let committed = commit_together(&conn, &mut batch, in_doubt);
        if committed.is_err() {
            roll_back(&conn);
        }
        drop(changing);
        match committed {
            Ok(ran) => {
                in_doubt = false;
                counters.commits.fetch_add(1, Ordering::Relaxed);
                counters.commands.fetch_add(size, Ordering::Relaxed);
                metrics::counter!("livebucket_meta_commits_total").increment(1);
                metrics::counter!("livebucket_meta_commands_total").increment(size);
                ran.into_iter().for_each(|ran| (ran.acknowledge)(None));
                folding.after_commit(&conn);
            }
            Err(Failed { cause, why, ran }) => {
                metrics::counter!("livebucket_meta_commit_failures_total").increment(1);
                tracing::error!(%cause, commands = size, "metadata commit failed");
                if why == StoreError::Full {
                    fold_log(&conn);
                } else {
                    in_doubt = true;
                }
                ran.into_iter().for_each(|ran| (ran.acknowledge)(Some(why.clone())));
                batch.into_iter().for_each(|command| ((command.work)(Err(why.clone())).acknowledge)(None));
            }
        }
    }
    // Its thread would hold the log.
    drop(folding);
    // Leaves one file: whoever copies the directory of a stopped service needs no log beside it.
    if let Err(cause) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%cause, "metadata log was not folded into the database; the next start reads it");
    }
}

/// Takes commands from the batch as it runs them. An error means that nothing was committed. `in_doubt`: the same was said of
/// the transaction before, of which a crash may still make the opposite.
fn commit_together(
    conn: &Connection,
    batch: &mut VecDeque<Command>,
    in_doubt: bool,
) -> std::result::Result<Vec<Ran>, Failed> {
    let mut ran = Vec::with_capacity(batch.len());
    let begun = begin(conn, in_doubt);
    let Err(cause) = begun.and_then(|()| run_together(conn, batch, &mut ran)) else { return Ok(ran) };
    // SQLite rolls back the whole transaction by itself when a command meets a failing disk. What cannot be done after that
    // says nothing; the command's own error does.
    let gone = if conn.is_autocommit() { ran.last().and_then(|last| last.failed.clone()) } else { None };
    let why = match gone {
        Some(why @ (StoreError::Full | StoreError::Unavailable(_))) => why,
        _ => match noted(&cause) {
            // One command's fault, perhaps, but all of them pay: each may come again.
            StoreError::Corrupt(_) => StoreError::Unavailable("the change could not be committed".into()),
            why => why,
        },
    };
    Err(Failed { cause, why, ran })
}

fn begin(conn: &Connection, in_doubt: bool) -> rusqlite::Result<()> {
    execute(conn, "BEGIN IMMEDIATE")?;
    // A number that means nothing: its page is written all the same.
    if in_doubt { execute(conn, "PRAGMA user_version = 0") } else { Ok(()) }
}

fn run_together(conn: &Connection, batch: &mut VecDeque<Command>, done: &mut Vec<Ran>) -> rusqlite::Result<()> {
    while let Some(command) = batch.pop_front() {
        execute(conn, "SAVEPOINT command")?;
        // A bug in one command must not end the only writer.
        let Ok(ran) = catch_unwind(AssertUnwindSafe(|| (command.work)(Ok(conn)))) else {
            metrics::counter!("livebucket_task_panics_total", "task" => "meta-writer").increment(1);
            tracing::error!("a metadata command panicked and is rolled back");
            execute(conn, "ROLLBACK TO command")?;
            execute(conn, "RELEASE command")?;
            continue;
        };
        let failed = ran.failed.is_some();
        done.push(ran);
        if failed {
            execute(conn, "ROLLBACK TO command")?;
        }
        execute(conn, "RELEASE command")?;
    }
    execute(conn, "COMMIT")
}

/// Without space for the log to grow, its file is used anew from the start once all of it stands in the database. That needs
/// room for pages that are new there; failing is no harm, the next commit says so itself.
fn fold_log(conn: &Connection) {
    if let Err(cause) = folding::fold(conn) {
        tracing::warn!(%cause, "metadata log cannot be folded into the database");
    }
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(cause) = execute(conn, "ROLLBACK")
    {
        tracing::error!(%cause, "metadata transaction could not be rolled back");
    }
}

fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}
