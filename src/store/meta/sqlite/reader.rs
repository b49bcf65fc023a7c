//! Connections that read. They never block the writer, and the writer never blocks them.
//!
//! Two ways in. *Point* reads (one key, one row) run inline on the caller's thread: measured at 8 µs with the pages in
//! the cache, where a hop to the blocking pool and back costs 15 to 25 µs by itself, and they are on the path of every
//! GET. *Scans* (listings, histories, audits) may read many pages, so they go to the blocking pool, few at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::error::{Failure, Sql};
use super::{schema, sealing};
use crate::limits::{META_READERS_KEPT, META_SCANS_MAX};
use crate::store::meta::rules;
use crate::store::seal::MasterKeys;
use crate::store::{Result, StoreError};

/// A stack of idle connections; the one used last has the warmest cache.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    keys: MasterKeys,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
    scans: Semaphore,
}

impl Readers {
    /// None is open yet; the first reads open them.
    pub(super) fn new(path: PathBuf, keys: MasterKeys) -> Arc<Self> {
        let idle = Mutex::new(Some(Vec::new()));
        Arc::new(Readers { path, keys, idle, scans: Semaphore::new(META_SCANS_MAX) })
    }

    /// A read that touches a few pages at most.
    pub(super) fn point<T>(&self, call: &'static str, read: impl FnOnce(&Connection) -> Sql<T>) -> Result<T> {
        let conn = match self.take()? {
            Some(conn) => conn,
            None => self.open().map_err(|cause| Failure::Sql(cause).meaning(call))?,
        };
        let outcome = read(&conn);
        // A connection whose file failed is not trusted again.
        if !matches!(outcome, Err(Failure::Sql(_))) {
            self.put_back(conn);
        }
        outcome.map_err(|failure| failure.meaning(call))
    }

    /// A read that may take long.
    pub(super) async fn scan<T: Send + 'static>(
        self: &Arc<Self>,
        call: &'static str,
        read: impl FnOnce(&Connection) -> Sql<T> + Send + 'static,
    ) -> Result<T> {
        let _permit = self.scans.acquire().await.expect("this semaphore is never closed");
        let readers = self.clone();
        let scan = tokio::task::spawn_blocking(move || readers.point(call, read));
        scan.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the read was abandoned".into())))
    }

    /// Later reads fail; a read that runs ends as it would.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let conn = schema::open_reader(&self.path)?;
        sealing::register(&conn, &self.keys)?;
        Ok(conn)
    }

    fn take(&self) -> Result<Option<Connection>> {
        self.lock().as_mut().map(Vec::pop).ok_or_else(rules::closed)
    }

    fn put_back(&self, conn: Connection) {
        if let Some(idle) = self.lock().as_mut().filter(|idle| idle.len() < META_READERS_KEPT) {
            idle.push(conn);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().expect("nothing panics while holding this lock")
    }
}
