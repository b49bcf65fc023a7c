//! Temporary credentials.

use rusqlite::{Connection, Row, params};

use super::accounts::access_key;
use super::error::Sql;
use super::query::{exists, one, run};
use super::rows;
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

pub(super) fn put_session_key(
    conn: &Connection,
    parent: &str,
    session: &NewSessionKey,
    now: Wall,
) -> Sql<SessionKeyRecord> {
    let parent = access_key(conn, parent)?.filter(|key| key.enabled);
    let parent = parent.ok_or(StoreError::NotFound(What::AccessKey))?;
    let taken = "SELECT 1 FROM access_key WHERE id = ?1 UNION ALL SELECT 1 FROM session_key WHERE id = ?1";
    if exists(conn, taken, [&session.id])? {
        return Err(StoreError::AlreadyExists(What::AccessKey).into());
    }
    let record = rules::session_key(parent, session.clone(), now);
    run(
        conn,
        "INSERT INTO session_key (id, secret, token_sha256, parent, created_ms, expires_ms, policy) \
         VALUES (?1, seal_secret(?2, ?1), ?3, ?4, ?5, ?6, ?7)",
        params![
            record.id,
            record.secret,
            record.token_sha256,
            record.parent.id,
            record.created.0,
            record.expires.0,
            record.policy
        ],
    )?;
    Ok(record)
}

pub(super) fn session_key(conn: &Connection, id: &str) -> Sql<Option<SessionKeyRecord>> {
    let sql = "SELECT id, open_secret(secret, id), token_sha256, parent, created_ms, expires_ms, policy \
         FROM session_key WHERE id = ?1";
    let read = |row: &Row<'_>| {
        let parent: String = row.get(3)?;
        // The reference holds: keys are never removed.
        let parent = access_key(conn, &parent)?.ok_or(StoreError::NotFound(What::AccessKey))?;
        Ok(SessionKeyRecord {
            id: row.get(0)?,
            secret: row.get(1)?,
            token_sha256: row.get(2)?,
            parent,
            created: rows::wall(row, 4)?,
            expires: rows::wall(row, 5)?,
            policy: row.get(6)?,
        })
    };
    one(conn, sql, [id], read)
}

pub(super) fn forget_session_keys(conn: &Connection, before: Wall, limit: usize) -> Sql<u64> {
    let sql = "DELETE FROM session_key WHERE id IN \
         (SELECT id FROM session_key WHERE expires_ms < ?1 ORDER BY expires_ms LIMIT ?2)";
    Ok(run(conn, sql, params![before.0, rows::row_limit(limit)])? as u64)
}

/// What was made of a key ends with it.
pub(super) fn end_of_key(conn: &Connection, parent: &str) -> Sql<()> {
    run(conn, "DELETE FROM session_key WHERE parent = ?1", [parent])?;
    Ok(())
}
