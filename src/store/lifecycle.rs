//! Lifecycle: rules by which a bucket's objects, versions and open uploads end or change their class, and the job that
//! carries them out.
//!
//! [`rules`](Lifecycle) are plain values and judge one object at a time; [`LifecycleJob`] walks what they may concern, a
//! page at a time. What is judged is removed only while it still is what was judged, so a write between the two wins.

mod history;
mod job;
mod rules;
mod seen;
#[cfg(test)]
mod tests;

pub use job::{LifecycleJob, LifecycleTimes, Pass};
pub use rules::{
    Due, Exclusion, Lifecycle, LifecycleFilter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, RuleError,
    Transition, Verdict,
};
pub use seen::{Expiry, Seen, SeenAs};
