//! Live channels as they are configured.

use rusqlite::{Connection, params};

use super::accounts::check_bucket;
use super::error::Sql;
use super::query::{exists, one, run};
use super::rows;
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

pub(super) fn channel(conn: &Connection, bucket: BucketId, name: &ChannelName) -> Sql<Option<ChannelRecord>> {
    let sql = format!("SELECT {} FROM channel WHERE bucket = ?1 AND name = ?2", rows::CHANNEL_COLUMNS);
    one(conn, &sql, params![bucket.0, name.as_str().as_bytes()], rows::channel)
}

fn check_not_live(conn: &Connection, bucket: BucketId, name: &ChannelName) -> Sql<()> {
    let sql = "SELECT 1 FROM connection WHERE bucket = ?1 AND channel = ?2 AND ended_ms IS NULL";
    if exists(conn, sql, params![bucket.0, name.as_str().as_bytes()])? {
        return Err(StoreError::ChannelLive.into());
    }
    Ok(())
}

pub(super) fn put(
    conn: &Connection,
    bucket: BucketId,
    name: &ChannelName,
    config: ChannelConfig,
    only_if_absent: bool,
    now: Wall,
) -> Sql<ChannelRecord> {
    check_bucket(conn, bucket)?;
    let present = channel(conn, bucket, name)?;
    if only_if_absent && present.is_some() {
        return Err(StoreError::AlreadyExists(What::Channel).into());
    }
    check_not_live(conn, bucket, name)?;
    let created = present.map_or(now, |p| p.created);
    let snapshot = config.snapshot.as_ref().map(rows::to_json).transpose()?;
    // Not REPLACE: that would remove the row which the channel's history refers to.
    run(
        conn,
        "INSERT INTO channel (bucket, name, description, display_name, enabled, frag_duration, frag_count, \
         playlist_name, snapshot, created_ms, modified_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT DO UPDATE SET description = ?3, display_name = ?4, enabled = ?5, frag_duration = ?6, \
         frag_count = ?7, playlist_name = ?8, snapshot = ?9, modified_ms = ?11",
        params![
            bucket.0,
            name.as_str().as_bytes(),
            config.description,
            config.display_name,
            config.status == ChannelStatus::Enabled,
            config.frag_duration,
            config.frag_count,
            config.playlist_name,
            snapshot,
            created.0,
            now.0,
        ],
    )?;
    Ok(ChannelRecord { bucket, name: name.clone(), config, created, last_modified: now })
}

pub(super) fn set_status(
    conn: &Connection,
    bucket: BucketId,
    name: &ChannelName,
    status: ChannelStatus,
    now: Wall,
) -> Sql<()> {
    let present = channel(conn, bucket, name)?.ok_or(StoreError::NotFound(What::Channel))?;
    if present.config.status != status {
        run(
            conn,
            "UPDATE channel SET enabled = ?3, modified_ms = ?4 WHERE bucket = ?1 AND name = ?2",
            params![bucket.0, name.as_str().as_bytes(), status == ChannelStatus::Enabled, now.0],
        )?;
    }
    Ok(())
}

pub(super) fn list(
    conn: &Connection,
    bucket: BucketId,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Sql<Page<ChannelRecord>> {
    let sql = format!(
        "SELECT {} FROM channel WHERE bucket = ?1 AND name >= ?2 AND name > ?3 ORDER BY name",
        rows::CHANNEL_COLUMNS
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query(params![bucket.0, prefix.as_bytes(), after.as_bytes()])?;
    let mut channels = Vec::new();
    while channels.len() <= limit
        && let Some(row) = found.next()?
    {
        let channel = rows::channel(row)?;
        if !channel.name.as_str().starts_with(prefix) {
            break;
        }
        channels.push(channel);
    }
    Ok(rules::page(channels, limit))
}

pub(super) fn delete(conn: &Connection, bucket: BucketId, name: &ChannelName) -> Sql<()> {
    check_not_live(conn, bucket, name)?;
    let id = params![bucket.0, name.as_str().as_bytes()];
    run(conn, "DELETE FROM connection WHERE bucket = ?1 AND channel = ?2", id)?;
    run(conn, "DELETE FROM channel WHERE bucket = ?1 AND name = ?2", id)?;
    Ok(())
}

pub(super) fn count(conn: &Connection, bucket: BucketId) -> Sql<u64> {
    let sql = "SELECT count(*) FROM channel WHERE bucket = ?1";
    Ok(one(conn, sql, [bucket.0], |row| rows::uint(row, 0))?.unwrap_or(0))
}
