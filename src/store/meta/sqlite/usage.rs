//! What a bucket holds, counted in the transactions that change it.

use rusqlite::{Connection, params};

use super::error::{Sql, corrupt};
use super::query::{one, run};
use super::rows;
use crate::store::*;

/// How one transaction changes the counters of a bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) objects: i64,
    pub(super) bytes: i64,
    pub(super) markers: i64,
    pub(super) uploads: i64,
    pub(super) parts: i64,
}

impl Change {
    /// One object comes in place of one of `replaced` bytes, or of none.
    pub(super) fn of_object(size: u64, replaced: Option<u64>) -> Sql<Change> {
        let before = rows::int(replaced.unwrap_or(0))?;
        let objects = i64::from(replaced.is_none());
        Ok(Change { objects, bytes: rows::int(size)? - before, ..Change::default() })
    }
}

/// Begins to count.
pub(super) fn begin(conn: &Connection, bucket: BucketId) -> Sql<()> {
    run(conn, "INSERT INTO bucket_usage (bucket) VALUES (?1)", [bucket.0])?;
    Ok(())
}

pub(super) fn count(conn: &Connection, bucket: BucketId, change: Change) -> Sql<()> {
    let Change { objects, bytes, markers, uploads, parts } = change;
    if (objects, bytes, markers, uploads, parts) == (0, 0, 0, 0, 0) {
        return Ok(());
    }
    let sql = "UPDATE bucket_usage SET objects = objects + ?2, bytes = bytes + ?3, uploads = uploads + ?4, \
         parts = parts + ?5, markers = markers + ?6 WHERE bucket = ?1";
    match run(conn, sql, params![bucket.0, objects, bytes, uploads, parts, markers])? {
        0 => Err(corrupt("a bucket without counters")),
        _ => Ok(()),
    }
}

/// One row, and a walk over the bucket's channels alone in an index.
pub(super) const SQL: &str = "SELECT objects, bytes, uploads, parts, \
     (SELECT count(*) FROM channel c WHERE c.bucket = ?1), markers FROM bucket_usage WHERE bucket = ?1";

pub(super) fn usage(conn: &Connection, bucket: BucketId) -> Sql<BucketUsage> {
    let found = one(conn, SQL, [bucket.0], |row| {
        Ok(BucketUsage {
            objects: rows::uint(row, 0)?,
            bytes: rows::uint(row, 1)?,
            uploads: rows::uint(row, 2)?,
            parts: rows::uint(row, 3)?,
            channels: rows::uint(row, 4)?,
            markers: rows::uint(row, 5)?,
        })
    })?;
    found.ok_or_else(|| StoreError::NotFound(What::Bucket).into())
}

/// Buckets whose counters are not what they hold; for the backend's own check.
pub(super) const WRONG: &str = "SELECT count(*) FROM bucket b LEFT JOIN bucket_usage s ON s.bucket = b.id \
     WHERE s.bucket IS NULL \
     OR s.objects <> (SELECT count(*) FROM object o WHERE o.bucket = b.id) \
     + (SELECT count(*) FROM version v WHERE v.bucket = b.id AND v.marker = 0) \
     OR s.bytes <> (SELECT coalesce(sum(size), 0) FROM object o WHERE o.bucket = b.id) \
     + (SELECT coalesce(sum(size), 0) FROM version v WHERE v.bucket = b.id) \
     OR s.markers <> (SELECT count(*) FROM version v WHERE v.bucket = b.id AND v.marker = 1) \
     OR s.uploads <> (SELECT count(*) FROM upload u WHERE u.bucket = b.id) \
     OR s.parts <> (SELECT count(*) FROM upload u JOIN part p ON p.upload = u.id WHERE u.bucket = b.id)";
