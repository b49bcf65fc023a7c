//! Where blocking file calls run: the runtime's blocking threads, at most so many at once.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::limits;
use crate::store::{Fault, Result, StoreError};
use crate::task;

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
        Vacancy(permit).begin(work).await.map_err(|error| {
            tracing::error!(%error, "a file call panicked or the runtime is gone");
            StoreError::Unavailable("file call did not end".into())
        })
    }

    /// A place among the calls that run at once, if there is one.
    pub(super) fn vacant(&self) -> Option<Vacancy> {
        self.permits.clone().try_acquire_owned().ok().map(Vacancy)
    }
}

/// A place for one call.
#[derive(Debug)]
pub(super) struct Vacancy(OwnedSemaphorePermit);

impl Vacancy {
    /// Runs `work`, and nobody waits for it.
    pub(super) fn start(self, work: impl FnOnce() + Send + 'static) {
        drop(self.begin(work));
    }

    fn begin<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let Vacancy(permit) = self;
        tokio::task::spawn_blocking(move || {
            task::take_short_turns(limits::SHORT_TURN);
            let result = work();
            drop(permit);
            result
        })
    }
}

/// Logs and counts why a file call failed, and says to the caller what that means. The path stays in the log.
pub(super) fn unavailable(doing: &'static str, path: &std::path::Path, error: &io::Error) -> StoreError {
    tracing::error!(doing, path = %path.display(), %error, "file call failed");
    let fault = fault_of(error);
    fault.count("blobs");
    let cause = match fault {
        Fault::Full => return StoreError::Full,
        Fault::ReadOnly => "file system is read-only",
        _ => "file I/O failed",
    };
    StoreError::Unavailable(format!("{cause} ({doing})"))
}

fn fault_of(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Fault::Io,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn causes_have_their_meaning() {
        let of = |errno: Errno| {
            let error = io::Error::from(errno);
            (fault_of(&error), unavailable("testing", std::path::Path::new("/p"), &error))
        };
        assert_eq!(of(Errno::NOSPC), (Fault::Full, StoreError::Full));
        assert_eq!(of(Errno::DQUOT), (Fault::Full, StoreError::Full));
        let said = |text: &str| StoreError::Unavailable(format!("{text} (testing)"));
        assert_eq!(of(Errno::ROFS), (Fault::ReadOnly, said("file system is read-only")));
        assert_eq!(of(Errno::IO), (Fault::Io, said("file I/O failed")));
        assert_eq!(of(Errno::MFILE), (Fault::Other, said("file I/O failed")));
    }
}
