//! Claims, fragments, windows and history.

use rusqlite::{Connection, params};

use super::error::Sql;
use super::query::{all, one, run};
use super::{channels, objects, rows};
use crate::clock::Wall;
use crate::limits::CONNECTION_HISTORY_KEPT;
use crate::store::meta::rules::{self, LiveState};
use crate::store::*;

struct Open {
    epoch: u64,
    record: ConnectionRecord,
}

fn open(conn: &Connection, bucket: BucketId, channel: &ChannelName) -> Sql<Option<Open>> {
    let sql = format!(
        "SELECT {}, epoch FROM connection WHERE bucket = ?1 AND channel = ?2 AND ended_ms IS NULL",
        rows::CONNECTION_COLUMNS
    );
    one(conn, &sql, params![bucket.0, channel.as_str().as_bytes()], |row| {
        Ok(Open { record: rows::connection(row)?, epoch: rows::uint(row, 5)? })
    })
}

pub(super) fn open_connection(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
) -> Sql<Option<ConnectionRecord>> {
    Ok(open(conn, bucket, channel)?.map(|o| o.record))
}

pub(super) fn last_fragment(conn: &Connection, bucket: BucketId, channel: &ChannelName) -> Sql<Option<(i64, u64)>> {
    Ok(live_state(conn, bucket, channel)?.and_then(LiveState::last_fragment))
}

fn live_state(conn: &Connection, bucket: BucketId, channel: &ChannelName) -> Sql<Option<LiveState>> {
    one(
        conn,
        "SELECT epoch, last_name_ms, next_sequence FROM channel_live WHERE bucket = ?1 AND channel = ?2",
        params![bucket.0, channel.as_str().as_bytes()],
        |row| {
            Ok(LiveState { epoch: rows::uint(row, 0)?, last_name_ms: row.get(1)?, next_sequence: rows::uint(row, 2)? })
        },
    )
}

fn put_live_state(conn: &Connection, bucket: BucketId, channel: &ChannelName, live: LiveState) -> Sql<()> {
    run(
        conn,
        "INSERT OR REPLACE INTO channel_live (bucket, channel, epoch, last_name_ms, next_sequence) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            bucket.0,
            channel.as_str().as_bytes(),
            rows::int(live.epoch)?,
            live.last_name_ms,
            rows::int(live.next_sequence)?,
        ],
    )?;
    Ok(())
}

pub(super) fn claim(conn: &Connection, request: ClaimRequest) -> Sql<Claim> {
    let (bucket, name) = (request.bucket, &request.channel);
    let channel = channels::channel(conn, bucket, name)?.ok_or(StoreError::NotFound(What::Channel))?;
    let is_repeat = match open(conn, bucket, name)? {
        Some(open) if open.record.id == request.connection => true,
        _ if channel.config.status == ChannelStatus::Disabled => return Err(StoreError::ChannelDisabled.into()),
        Some(_) => return Err(StoreError::ChannelLive.into()),
        None => false,
    };
    let mut live = live_state(conn, bucket, name)?.unwrap_or_default();
    if !is_repeat {
        live.epoch += 1;
        put_live_state(conn, bucket, name, live)?;
        run(
            conn,
            "INSERT INTO connection (bucket, channel, epoch, id, remote_addr, started_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                bucket.0,
                name.as_str().as_bytes(),
                rows::int(live.epoch)?,
                request.connection.0.to_be_bytes(),
                request.remote_addr,
                request.started.0,
            ],
        )?;
    }
    let playlist_name = request.playlist_name.as_ref().unwrap_or(&channel.config.playlist_name);
    let window = window(conn, bucket, name, playlist_name)?;
    Ok(Claim {
        epoch: Epoch(live.epoch),
        channel,
        last_name_ms: live.last_name_ms,
        next_sequence: live.next_sequence,
        window: window.unwrap_or_default(),
    })
}

fn window(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
    playlist_name: &str,
) -> Sql<Option<WindowRecord>> {
    let sql = format!(
        "SELECT {} FROM playlist_window WHERE bucket = ?1 AND channel = ?2 AND playlist_name = ?3",
        rows::WINDOW_COLUMNS
    );
    one(conn, &sql, params![bucket.0, channel.as_str().as_bytes(), playlist_name], rows::window)
}

pub(super) fn commit_fragment(conn: &Connection, commit: FragmentCommit, now: Wall) -> Sql<()> {
    rules::check_fragment_commit(&commit)?;
    let (bucket, channel) = (commit.bucket, &commit.channel);
    let is_owner = open(conn, bucket, channel)?
        .is_some_and(|open| open.epoch == commit.epoch.0 && open.record.id == commit.connection);
    if !is_owner {
        return Err(StoreError::StaleEpoch.into());
    }
    let live = live_state(conn, bucket, channel)?.unwrap_or_default();
    if is_repeat(conn, &commit, live)? {
        return Ok(());
    }
    rules::check_fragment_order(&commit, live, objects::is_taken(conn, bucket, &commit.object.key)?)?;

    let stored =
        LiveState { last_name_ms: Some(commit.fragment.name_ms), next_sequence: commit.fragment.sequence + 1, ..live };
    put_live_state(conn, bucket, channel, stored)?;
    put_fragment(conn, bucket, channel, commit.fragment)?;
    put_window(conn, bucket, channel, &commit.playlist_name, &commit.window)?;
    run(
        conn,
        "UPDATE connection SET stored_until_ms = ?4 WHERE bucket = ?1 AND channel = ?2 AND epoch = ?3",
        params![bucket.0, channel.as_str().as_bytes(), rows::int(commit.epoch.0)?, commit.ended.0],
    )?;
    objects::put_null(conn, commit.object, now)?;
    objects::put_null(conn, commit.playlist, now)
}

/// Whether the newest fragment is this very commit: then its acknowledgement was lost on the way.
fn is_repeat(conn: &Connection, commit: &FragmentCommit, live: LiveState) -> Sql<bool> {
    let name_ms = commit.fragment.name_ms;
    if live.last_name_ms != Some(name_ms) {
        return Ok(false);
    }
    if fragments(conn, commit.bucket, &commit.channel, name_ms, name_ms)?.first() != Some(&commit.fragment) {
        return Ok(false);
    }
    let present = objects::object(conn, commit.bucket, &commit.object.key)?;
    Ok(present.is_some_and(|present| present.extents == commit.object.extents))
}

fn put_fragment(conn: &Connection, bucket: BucketId, channel: &ChannelName, fragment: FragmentRecord) -> Sql<()> {
    run(
        conn,
        "INSERT INTO fragment (bucket, channel, name_ms, sequence, duration_ticks, discontinuity) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            bucket.0,
            channel.as_str().as_bytes(),
            fragment.name_ms,
            rows::int(fragment.sequence)?,
            fragment.duration.0,
            fragment.discontinuity,
        ],
    )?;
    Ok(())
}

fn put_window(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
    playlist_name: &str,
    window: &WindowRecord,
) -> Sql<()> {
    run(
        conn,
        "INSERT OR REPLACE INTO playlist_window (bucket, channel, playlist_name, media_sequence, \
         discontinuity_sequence, target_duration, entries) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            bucket.0,
            channel.as_str().as_bytes(),
            playlist_name,
            rows::int(window.media_sequence)?,
            rows::int(window.discontinuity_sequence)?,
            window.target_duration,
            rows::pack_window(&window.entries),
        ],
    )?;
    Ok(())
}

pub(super) fn end_connection(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
    epoch: Epoch,
    ended: Wall,
    cause: TerminationCause,
) -> Sql<()> {
    if live_state(conn, bucket, channel)?.is_none_or(|live| live.epoch != epoch.0) {
        return Err(StoreError::StaleEpoch.into());
    }
    // No row is open when it was ended before: the acknowledgement was lost, and what was written first stands.
    run(
        conn,
        "UPDATE connection SET ended_ms = ?4, cause = ?5 \
         WHERE bucket = ?1 AND channel = ?2 AND epoch = ?3 AND ended_ms IS NULL",
        params![bucket.0, channel.as_str().as_bytes(), rows::int(epoch.0)?, ended.0, cause.as_str()],
    )?;
    prune(conn, bucket, channel)
}

/// Keeps the newest finished connections.
fn prune(conn: &Connection, bucket: BucketId, channel: &ChannelName) -> Sql<()> {
    run(
        conn,
        "DELETE FROM connection WHERE bucket = ?1 AND channel = ?2 AND ended_ms IS NOT NULL AND epoch <= \
         (SELECT epoch FROM connection WHERE bucket = ?1 AND channel = ?2 AND ended_ms IS NOT NULL \
          ORDER BY epoch DESC LIMIT 1 OFFSET ?3)",
        params![bucket.0, channel.as_str().as_bytes(), rows::row_limit(CONNECTION_HISTORY_KEPT)],
    )?;
    Ok(())
}

pub(super) fn history(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
    limit: usize,
) -> Sql<Vec<ConnectionRecord>> {
    let sql = format!(
        "SELECT {} FROM connection WHERE bucket = ?1 AND channel = ?2 AND ended_ms IS NOT NULL \
         ORDER BY epoch DESC LIMIT ?3",
        rows::CONNECTION_COLUMNS
    );
    let id = params![bucket.0, channel.as_str().as_bytes(), rows::row_limit(limit)];
    let mut newest_first = all(conn, &sql, id, rows::connection)?;
    newest_first.reverse();
    Ok(newest_first)
}

pub(super) fn fragments(
    conn: &Connection,
    bucket: BucketId,
    channel: &ChannelName,
    from_ms: i64,
    to_ms: i64,
) -> Sql<Vec<FragmentRecord>> {
    let sql = format!(
        "SELECT {} FROM fragment f WHERE bucket = ?1 AND channel = ?2 AND name_ms BETWEEN ?3 AND ?4 \
         AND EXISTS (SELECT 1 FROM object o WHERE o.bucket = ?1 AND o.key = CAST(?5 || f.name_ms || '.ts' AS BLOB)) \
         ORDER BY name_ms",
        rows::FRAGMENT_COLUMNS
    );
    let directory = [channel.as_str().as_bytes(), b"/"].concat();
    all(conn, &sql, params![bucket.0, channel.as_str().as_bytes(), from_ms, to_ms, directory], rows::fragment)
}

pub(super) fn end_lost_connections(conn: &Connection) -> Sql<u64> {
    let lost = all(
        conn,
        "UPDATE connection SET ended_ms = coalesce(stored_until_ms, started_ms), cause = ?1 \
         WHERE ended_ms IS NULL RETURNING bucket, channel",
        [TerminationCause::ServiceLost.as_str()],
        |row| Ok((BucketId(row.get(0)?), rows::channel_name(row, 1)?)),
    )?;
    for (bucket, channel) in &lost {
        prune(conn, *bucket, channel)?;
    }
    Ok(lost.len() as u64)
}

pub(super) fn audit_windows(conn: &Connection) -> Sql<Vec<WindowAudit>> {
    let _snapshot = conn.unchecked_transaction()?;
    let sql = format!(
        "SELECT {}, bucket, channel, playlist_name FROM playlist_window ORDER BY bucket, channel, playlist_name",
        rows::WINDOW_COLUMNS
    );
    let mut audits = all(conn, &sql, [], |row| {
        Ok(WindowAudit {
            window: rows::window(row)?,
            bucket: BucketId(row.get(4)?),
            channel: rows::channel_name(row, 5)?,
            playlist_name: row.get(6)?,
            dangling: Vec::new(),
        })
    })?;
    for audit in &mut audits {
        for entry in &audit.window.entries {
            if dangles(conn, audit.bucket, &audit.channel, entry.name_ms)? {
                audit.dangling.push(entry.name_ms);
            }
        }
    }
    Ok(audits)
}

/// An index row without its object.
fn dangles(conn: &Connection, bucket: BucketId, channel: &ChannelName, name_ms: i64) -> Sql<bool> {
    let indexed = one(
        conn,
        "SELECT 1 FROM fragment WHERE bucket = ?1 AND channel = ?2 AND name_ms = ?3",
        params![bucket.0, channel.as_str().as_bytes(), name_ms],
        |_| Ok(()),
    )?;
    Ok(indexed.is_some() && !objects::is_taken(conn, bucket, &rules::fragment_key(channel, name_ms))?)
}
