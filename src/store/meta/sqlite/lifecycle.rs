//! Lifecycle rules, and what they do to objects.

use rusqlite::{Connection, params};

use super::accounts::check_bucket;
use super::error::Sql;
use super::query::{exists, one, run};
use super::rows;
use super::versions;
use crate::clock::Wall;
use crate::store::*;

pub(super) fn set(conn: &Connection, bucket: BucketId, lifecycle: &Lifecycle) -> Sql<()> {
    check_bucket(conn, bucket)?;
    match rows::json_unless_default(lifecycle)? {
        Some(text) => {
            let sql = "INSERT OR REPLACE INTO bucket_lifecycle (bucket, rules) VALUES (?1, ?2)";
            run(conn, sql, params![bucket.0, text])?
        }
        None => run(conn, "DELETE FROM bucket_lifecycle WHERE bucket = ?1", [bucket.0])?,
    };
    Ok(())
}

pub(super) fn get(conn: &Connection, bucket: BucketId) -> Sql<Lifecycle> {
    let sql = "SELECT rules FROM bucket_lifecycle WHERE bucket = ?1";
    Ok(one(conn, sql, [bucket.0], |row| rows::json_or_default(row, 0))?.unwrap_or_default())
}

pub(super) fn next(conn: &Connection, after: Option<BucketId>) -> Sql<Option<(BucketId, Versioning, Lifecycle)>> {
    let sql = "SELECT l.bucket, b.versioning, l.rules FROM bucket_lifecycle l JOIN bucket b ON b.id = l.bucket \
         WHERE l.bucket > ?1 ORDER BY l.bucket LIMIT 1";
    // Bucket ids are positive.
    one(conn, sql, [after.map_or(0, |bucket| bucket.0)], |row| {
        Ok((BucketId(row.get(0)?), rows::versioning(row.get(1)?)?, rows::json_or_default(row, 2)?))
    })
}

pub(super) fn expire(conn: &Connection, bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> Sql<u64> {
    let mut count = 0;
    for Expiry { seen, marker } in expired {
        if is_as_seen(conn, bucket, &seen)? {
            let target = DeleteTarget { key: seen.key, version: seen.what.version(), marker };
            let commit = DeleteCommit { bucket, targets: vec![target], bypass_governance: false };
            let outcomes = versions::delete(conn, commit, now)?;
            count += u64::from(!outcomes.contains(&DeleteOutcome::Locked));
        }
    }
    Ok(count)
}

pub(super) fn change_class(conn: &Connection, bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> Sql<u64> {
    let mut count = 0;
    for seen in seen {
        if is_as_seen(conn, bucket, &seen)? {
            versions::set_class(conn, bucket, &seen.key, seen.what.version(), class)?;
            count += 1;
        }
    }
    Ok(count)
}

fn is_as_seen(conn: &Connection, bucket: BucketId, seen: &Seen) -> Sql<bool> {
    let (key, modified) = (seen.key.as_bytes(), seen.last_modified.0);
    match seen.what {
        SeenAs::Current(etag) => {
            let sql = "SELECT 1 FROM object WHERE bucket = ?1 AND key = ?2 AND modified_ms = ?3 AND etag = ?4 \
                 AND etag_parts IS ?5";
            exists(conn, sql, params![bucket.0, key, modified, etag.digest, etag.parts])
        }
        SeenAs::Kept(name) => {
            let sql = "SELECT 1 FROM version v WHERE bucket = ?1 AND key = ?2 AND modified_ms = ?3 \
                 AND ifnull(version, x'') = ?4 \
                 AND (EXISTS (SELECT 1 FROM object o WHERE o.bucket = ?1 AND o.key = ?2) \
                 OR EXISTS (SELECT 1 FROM version n WHERE n.bucket = ?1 AND n.key = ?2 AND n.rank > v.rank))";
            exists(conn, sql, params![bucket.0, key, modified, versions::identity(name.id())])
        }
        SeenAs::LoneMarker(name) => {
            let sql = "SELECT 1 FROM version v WHERE bucket = ?1 AND key = ?2 AND modified_ms = ?3 AND marker = 1 \
                 AND ifnull(version, x'') = ?4 \
                 AND NOT EXISTS (SELECT 1 FROM object o WHERE o.bucket = ?1 AND o.key = ?2) \
                 AND NOT EXISTS (SELECT 1 FROM version n WHERE n.bucket = ?1 AND n.key = ?2 AND n.rank <> v.rank)";
            exists(conn, sql, params![bucket.0, key, modified, versions::identity(name.id())])
        }
    }
}
