//! Where blocking file calls run: the runtime's blocking threads, at most so many at once.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::store::{Result, StoreError};

/// A share of the blocking threads.
#[derive(Debug)]
pub(super) struct FilePool {
    permits: Arc<Semaphore>,
}

impl FilePool {
    /// At most `concurrent` calls at once; the next ones wait in order.
    pub(super) fn new(concurrent: usize) -> Self {
        FilePool { permits: Arc::new(Semaphore::new(concurrent)) }
    }

    /// Runs `work`. When the caller gives up, work that has begun still runs to its end and its result is dropped there.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.expect("this semaphore is never closed");
        let counted = move || {
            let result = work();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(counted).await.map_err(|error| {
            tracing::error!(%error, "a file call panicked or the runtime is gone");
            StoreError::Unavailable("file call did not end".into())
        })
    }
}

/// Logs why a file call failed, and says to the caller that the store cannot serve now. The path stays in the log.
pub(super) fn unavailable(doing: &'static str, path: &std::path::Path, error: &io::Error) -> StoreError {
    tracing::error!(doing, path = %path.display(), %error, "file call failed");
    let cause = match error.kind() {
        io::ErrorKind::StorageFull => "disk full",
        io::ErrorKind::QuotaExceeded => "disk quota exceeded",
        io::ErrorKind::ReadOnlyFilesystem => "file system is read-only",
        _ => "file I/O failed",
    };
    StoreError::Unavailable(format!("{cause} ({doing})"))
}
