//! Garbage and what is known of blobs. The rules stand in the module documentation of `store::meta`.

use rusqlite::{Connection, params};

use super::error::{Failure, Sql, meaning_of};
use super::query::{all, exists, one, run};
use super::rows;
use crate::clock::Wall;
use crate::store::*;

pub(super) fn take_garbage(conn: &Connection, before: Wall, limit: usize) -> Sql<Vec<BlobId>> {
    let due = all(
        conn,
        "SELECT blob FROM garbage WHERE since_ms < ?1 ORDER BY since_ms, blob LIMIT ?2",
        params![before.0, rows::row_limit(limit)],
        |row| rows::blob_id(row, 0),
    )?;
    for id in &due {
        run(conn, "UPDATE garbage SET taken = 1 WHERE blob = ?1 AND taken = 0", [rows::blob_bytes(*id)])?;
    }
    Ok(due)
}

pub(super) fn forget_garbage(conn: &Connection, ids: &[BlobId]) -> Sql<()> {
    for id in ids {
        run(conn, "DELETE FROM garbage WHERE blob = ?1", [rows::blob_bytes(*id)])?;
    }
    Ok(())
}

pub(super) fn states(conn: &Connection, ids: &[BlobId]) -> Sql<Vec<BlobState>> {
    let _snapshot = conn.unchecked_transaction()?;
    states_within(conn, ids)
}

/// The same within a transaction that there is.
pub(super) fn states_within(conn: &Connection, ids: &[BlobId]) -> Sql<Vec<BlobState>> {
    ids.iter().map(|id| state(conn, *id)).collect()
}

fn state(conn: &Connection, id: BlobId) -> Sql<BlobState> {
    let bytes = rows::blob_bytes(id);
    let furthest: Option<i64> =
        one(conn, "SELECT max(start + length) FROM extent WHERE blob = ?1", [bytes], |row| Ok(row.get(0)?))?.flatten();
    if let Some(end) = furthest {
        return Ok(BlobState::Named(end.max(0).cast_unsigned()));
    }
    let is_garbage = exists(conn, "SELECT 1 FROM garbage WHERE blob = ?1", [bytes])?;
    Ok(if is_garbage { BlobState::Garbage } else { BlobState::Unknown })
}

/// SQLite's own check of the file, its references, and what no constraint can say.
pub(super) fn audit_backend(conn: &Connection) -> Sql<Vec<String>> {
    let mut faults = integrity(conn)?;
    match audit_rows(conn) {
        Ok(more) => faults.extend(more),
        // Rows that cannot be read stand on pages that were just named.
        Err(_) if !faults.is_empty() => {}
        Err(failure) => return Err(failure),
    }
    Ok(faults)
}

/// What SQLite finds in the file. A page that it cannot read at all ends its check without a word: then each table is checked
/// alone, so that those which are damaged are named.
fn integrity(conn: &Connection) -> Sql<Vec<String>> {
    let check = |sql: &str| {
        let mut lines = all(conn, sql, [], |row| Ok(row.get::<_, String>(0)?))?;
        lines.retain(|line| line != "ok");
        Ok(lines)
    };
    let damage = match check("PRAGMA integrity_check") {
        Err(Failure::Sql(cause)) if matches!(meaning_of(&cause), StoreError::Corrupt(_)) => cause,
        checked => return checked,
    };
    let mut faults = vec![format!("the file cannot be checked whole: {damage}")];
    for table in
        all(conn, "SELECT name FROM sqlite_schema WHERE type = 'table'", [], |row| Ok(row.get::<_, String>(0)?))?
    {
        match check(&format!("PRAGMA integrity_check(\"{table}\")")) {
            Ok(lines) => faults.extend(lines),
            Err(Failure::Sql(cause)) => faults.push(format!("table {table} cannot be read whole: {cause}")),
            Err(failure) => return Err(failure),
        }
    }
    Ok(faults)
}

fn audit_rows(conn: &Connection) -> Sql<Vec<String>> {
    let mut faults = all(conn, "PRAGMA foreign_key_check", [], |row| {
        Ok(format!("a row of {} refers to a missing row of {}", row.get::<_, String>(0)?, row.get::<_, String>(2)?))
    })?;
    faults.extend(super::objects::contradictions(conn)?);
    Ok(faults)
}
