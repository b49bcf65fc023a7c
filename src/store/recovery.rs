//! Puts right what a crash left, collects garbage, and proves the invariants on a data directory.
//!
//! What a crash can leave: connections that are open in history, and blobs that nobody names, whole ones whose commit had
//! not come and torn ones whose writers were killed. [`startup`] ends the first and removes the others before a door opens.
//! While the service runs, the [`Collector`] deletes garbage whose grace has passed (I3) and blobs that nobody names (I5).
//! [`check()`] changes nothing.

mod check;
mod collector;
#[cfg(test)]
mod tests;

pub use check::{CheckOptions, CheckReport, Finding, check};
pub use collector::{Collector, CollectorTimes, Sweep};

use crate::clock::Wall;
use crate::limits;
use crate::store::{BlobEntry, BlobId, BlobState, BlobStore, MetaStore, Result};

/// What a start found and put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartupReport {
    /// Connections that were open when the last process ended; ended as `SERVICE_LOST`.
    pub connections_ended: u64,
    /// Temporary files removed: what blob stores leave that can be told from blobs.
    pub temporaries_removed: u64,
    /// Recent blobs compared with metadata.
    pub blobs_examined: u64,
    /// Blobs that nobody names, removed.
    pub blobs_removed: u64,
    /// Blobs were left alone because this metadata cannot be theirs; an error says so in the log.
    pub refused: bool,
}

/// Puts right what the last process left. Call it before any writer, claim or door exists. The sweep goes back
/// `limits::STARTUP_SWEEP_REACH` from `now`; the collector's full sweep does the rest later.
pub async fn startup(meta: &dyn MetaStore, blobs: &dyn BlobStore, now: Wall) -> Result<StartupReport> {
    let mut report = StartupReport {
        connections_ended: meta.end_lost_connections().await?,
        temporaries_removed: blobs.remove_temporaries().await?,
        ..StartupReport::default()
    };
    let reach = i64::try_from(limits::STARTUP_SWEEP_REACH.as_millis()).expect("hours");
    let mut mark = BlobId::new(Wall(now.0 - reach), [0; 10]);
    loop {
        let page = blobs.list(Some(mark), limits::SWEEP_PAGE).await?;
        let Some(last) = page.last() else { break };
        mark = last.id;
        report.blobs_examined += page.len() as u64;
        // Nothing is in flight: no writer exists yet.
        match unnamed(meta, &page).await? {
            Unnamed::Foreign => {
                report.refused = true;
                break;
            }
            Unnamed::Blobs(ids) => {
                blobs.delete(&ids).await?;
                report.blobs_removed += ids.len() as u64;
            }
        }
    }
    tracing::info!(?report, "recovered from the last run");
    Ok(report)
}

/// What a comparison of blobs with metadata gave.
#[derive(Debug, PartialEq, Eq)]
enum Unnamed {
    /// These are unknown to metadata.
    Blobs(Vec<BlobId>),
    /// A full page of blobs of which metadata knows none, and it knows no object and no part at all: it is new, or
    /// another's. To delete these would be to delete everything.
    Foreign,
}

/// Which of `page` metadata does not know.
async fn unnamed(meta: &dyn MetaStore, page: &[BlobEntry]) -> Result<Unnamed> {
    let ids: Vec<BlobId> = page.iter().map(|entry| entry.id).collect();
    let states = meta.blob_states(&ids).await?;
    let unknown: Vec<BlobId> =
        ids.iter().zip(states).filter(|(_, state)| *state == BlobState::Unknown).map(|(id, _)| *id).collect();
    let is_suspect = unknown.len() >= limits::SWEEP_PAGE;
    if is_suspect
        && meta.audit_objects(None, 1).await?.is_empty()
        && meta.audit_versions(None, 1).await?.is_empty()
        && meta.audit_parts(None, 1).await?.is_empty()
    {
        tracing::error!(
            blobs = unknown.len(),
            "the metadata knows no object but there are blobs: is it the right data directory? nothing is deleted"
        );
        return Ok(Unnamed::Foreign);
    }
    Ok(Unnamed::Blobs(unknown))
}
