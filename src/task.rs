//! Named tasks that are joined, and the token that asks them to stop.
//!
//! Every spawn goes through [`TaskSet`]: it has a name for the log, a panic in it is caught, counted and logged, and
//! whoever owns the set waits for it. A task ends because its senders are gone or its [`Stop`] was pulled.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Asks for an end. Clones share the request; a child is stopped with its parent but not the other way round.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A token that nobody has pulled.
    pub fn new() -> Self {
        Stop::default()
    }

    /// A token that is pulled with this one.
    pub fn child(&self) -> Stop {
        Stop(self.0.child_token())
    }

    /// Asks everybody who holds a clone or a child to end.
    pub fn pull(&self) {
        self.0.cancel();
    }

    /// Whether it was pulled.
    pub fn is_pulled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Ready once it was pulled.
    pub async fn pulled(&self) {
        self.0.cancelled().await;
    }
}

/// Asks the system to let this thread go on as soon as what it waits for is there, in turns of that length: for threads that
/// wait for the disk again and again and compute little in between. Else each such wait lasts until whoever computes
/// meanwhile has had its turn, 4 ms on many machines. Its share of the processor stays the same. A thread's first request
/// counts. Linux 6.12 and later know such turns; what others make of the request is no matter.
pub fn take_short_turns(turn: Duration) {
    thread_local!(static ASKED: Cell<bool> = const { Cell::new(false) });
    if !ASKED.replace(true) {
        ask_for_turns(turn);
    }
}

/// The system's `struct sched_attr`, as it was first.
#[repr(C)]
#[derive(Default)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// Of the usual policy: the length of a turn in nanoseconds.
    runtime: u64,
    deadline: u64,
    period: u64,
}

#[allow(unsafe_code, reason = "no safe wrapper knows these calls")]
fn ask_for_turns(turn: Duration) {
    const SIZE: u32 = size_of::<SchedulingAttributes>() as u32;
    let mut attributes = SchedulingAttributes::default();
    // SAFETY: the system writes at most `SIZE` bytes, which is the structure's size.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
    if known != 0 || attributes.policy != libc::SCHED_OTHER.cast_unsigned() {
        return;
    }
    (attributes.size, attributes.flags) = (SIZE, 0);
    attributes.runtime = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: the system reads `SIZE` bytes.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Tasks with one owner. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct TaskSet {
    tracker: TaskTracker,
}

impl TaskSet {
    /// An empty set.
    pub fn new() -> Self {
        TaskSet::default()
    }

    /// Starts a task. A panic ends this task only; it is logged with `name` and counted in `livebucket_task_panics_total`.
    #[allow(clippy::disallowed_methods, reason = "this is the room that spawns")]
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let guarded = async move {
            if let Err(panic) = std::panic::AssertUnwindSafe(work).catch_unwind().await {
                let what = panic
                    .downcast_ref::<&str>()
                    .map(|s| (*s).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                metrics::counter!("livebucket_task_panics_total", "task" => name).increment(1);
                tracing::error!(task = name, panic = what, "task panicked");
            }
        };
        drop(self.tracker.spawn(guarded));
    }

    /// Tasks that have not ended.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// No task is left.
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    /// Waits until every task has ended, also those that are spawned while it waits.
    pub async fn join(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_task_and_nothing_else() {
        let tasks = TaskSet::new();
        let stop = Stop::new();
        tasks.spawn("test-panics", async { panic!("on purpose") });
        let seen = stop.child();
        tasks.spawn("test-waits", async move { seen.pulled().await });
        stop.pull();
        tasks.join().await;
        assert!(tasks.is_empty());
    }
}
