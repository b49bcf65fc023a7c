//! Object lock: what keeps a version from being removed or replaced before its time.
//!
//! The lock is judged where the removal happens, in the store's own transaction, so that neither a request of any dialect
//! nor a job of the service gets past it. The rules themselves stand in `meta::rules`.

use serde::{Deserialize, Serialize};

use crate::clock::Wall;

/// How strictly a version is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionMode {
    /// Whoever may bypass it, may remove the version and change the retention.
    Governance,
    /// Nobody removes the version or weakens the retention before its time.
    Compliance,
}

/// Until when a version is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How strictly.
    pub mode: RetentionMode,
    /// The end, milliseconds since the epoch; from then on it means nothing.
    pub until_ms: i64,
}

impl Retention {
    /// Whether it still holds.
    pub fn holds(&self, now: Wall) -> bool {
        now.0 < self.until_ms
    }
}

/// That a bucket locks its objects. Once set it stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// What a new version gets that brings no retention of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default_retention: Option<DefaultRetention>,
}

/// The retention of new versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How strictly.
    pub mode: RetentionMode,
    /// How long, from when the version is made.
    pub period: RetentionPeriod,
}

/// How long a version is retained; at least 1 and at most `limits::RETENTION_DAYS_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPeriod {
    /// Days of 24 hours.
    Days(u32),
    /// Years of 365 days.
    Years(u32),
}

impl DefaultRetention {
    /// The retention of a version that is made now.
    pub fn from(self, now: Wall) -> Retention {
        let days = match self.period {
            RetentionPeriod::Days(days) => i64::from(days),
            RetentionPeriod::Years(years) => i64::from(years) * 365,
        };
        Retention { mode: self.mode, until_ms: now.plus_days(days).0 }
    }
}

/// A change of what locks a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockChange {
    /// The retention, `None` to end it.
    Retention(Option<Retention>),
    /// The legal hold, which has no end of its own.
    LegalHold(bool),
}
