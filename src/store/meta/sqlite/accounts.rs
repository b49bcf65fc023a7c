//! Accounts, access keys and buckets.

use rusqlite::{Connection, params};

use super::error::Sql;
use super::query::{all, exists, one, run};
use super::rows;
use super::sessions;
use super::usage;
use super::versions;
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

const KEY_SQL: &str = "SELECT k.id, open_secret(k.secret, k.id), k.account, a.name, k.enabled, k.created_ms \
     FROM access_key k JOIN account a ON a.id = k.account";

pub(super) fn access_key(conn: &Connection, id: &str) -> Sql<Option<AccessKeyRecord>> {
    one(conn, &format!("{KEY_SQL} WHERE k.id = ?1"), [id], rows::access_key)
}

pub(super) fn list_access_keys(conn: &Connection) -> Sql<Vec<AccessKeyRecord>> {
    all(conn, &format!("{KEY_SQL} ORDER BY k.id"), [], rows::access_key)
}

pub(super) fn put_access_key(
    conn: &Connection,
    account_name: &str,
    id: &str,
    secret: &str,
    now: Wall,
) -> Sql<AccessKeyRecord> {
    if let Some(present) = access_key(conn, id)? {
        if present.account_name != account_name || present.secret != secret {
            return Err(StoreError::AlreadyExists(What::AccessKey).into());
        }
        run(conn, "UPDATE access_key SET enabled = 1 WHERE id = ?1", [id])?;
        return Ok(AccessKeyRecord { enabled: true, ..present });
    }
    let account = account(conn, account_name)?;
    let record = AccessKeyRecord {
        id: id.to_owned(),
        secret: secret.to_owned(),
        account,
        account_name: account_name.to_owned(),
        enabled: true,
        created: now,
    };
    run(
        conn,
        "INSERT INTO access_key (id, secret, account, enabled, created_ms) VALUES (?1, seal_secret(?2, ?1), ?3, 1, ?4)",
        params![id, secret, account.0, now.0],
    )?;
    Ok(record)
}

/// The account of this name, made when there is none.
fn account(conn: &Connection, name: &str) -> Sql<AccountId> {
    if let Some(id) = one(conn, "SELECT id FROM account WHERE name = ?1", [name], |row| Ok(row.get(0)?))? {
        return Ok(AccountId(id));
    }
    run(conn, "INSERT INTO account (name) VALUES (?1)", [name])?;
    Ok(AccountId(conn.last_insert_rowid()))
}

pub(super) fn disable_access_key(conn: &Connection, id: &str) -> Sql<()> {
    match run(conn, "UPDATE access_key SET enabled = 0 WHERE id = ?1", [id])? {
        0 => Err(StoreError::NotFound(What::AccessKey).into()),
        _ => sessions::end_of_key(conn, id),
    }
}

const BUCKET_SQL: &str = "SELECT b.id, b.name, b.owner, a.name, b.acl, b.created_ms, b.cors, b.tags, b.versioning, b.settings \
     FROM bucket b JOIN account a ON a.id = b.owner";

pub(super) fn create_bucket(
    conn: &Connection,
    name: &BucketName,
    owner: AccountId,
    acl: Acl,
    settings: BucketSettings,
    now: Wall,
) -> Sql<BucketRecord> {
    if exists(conn, "SELECT 1 FROM bucket WHERE name = ?1", [name.as_str()])? {
        return Err(StoreError::AlreadyExists(What::Bucket).into());
    }
    let owner_name = one(conn, "SELECT name FROM account WHERE id = ?1", [owner.0], |row| Ok(row.get(0)?))?;
    // An account exists only through its keys, so that is what is missing.
    let owner_name = owner_name.ok_or(StoreError::NotFound(What::AccessKey))?;
    let versioning = rules::versioning_of_new(&settings);
    let (acl_code, versioning_code) = (rows::acl_code(acl), rows::versioning_code(versioning));
    run(
        conn,
        "INSERT INTO bucket (name, owner, acl, created_ms, settings, versioning) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![name.as_str(), owner.0, acl_code, now.0, rows::json_unless_default(&settings)?, versioning_code],
    )?;
    let id = BucketId(conn.last_insert_rowid());
    usage::begin(conn, id)?;
    Ok(BucketRecord {
        id,
        name: name.clone(),
        owner,
        owner_name,
        acl,
        created: now,
        cors: CorsConfig::default(),
        tags: Vec::new(),
        versioning,
        settings,
    })
}

pub(super) fn bucket(conn: &Connection, name: &BucketName) -> Sql<Option<BucketRecord>> {
    one(conn, &format!("{BUCKET_SQL} WHERE b.name = ?1"), [name.as_str()], rows::bucket)
}

pub(super) fn list_buckets(
    conn: &Connection,
    owner: AccountId,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Sql<Page<BucketRecord>> {
    // An account has few buckets, so the prefix is compared rather than sought.
    let sql = format!(
        "{BUCKET_SQL} WHERE b.owner = ?1 AND b.name > ?2 AND substr(b.name, 1, length(?3)) = ?3 ORDER BY b.name LIMIT ?4"
    );
    let found =
        all(conn, &sql, params![owner.0, after, prefix, rows::row_limit(limit.saturating_add(1))], rows::bucket)?;
    Ok(rules::page(found, limit))
}

/// `NotFound(Bucket)` unless it is there.
pub(super) fn check_bucket(conn: &Connection, bucket: BucketId) -> Sql<()> {
    if exists(conn, "SELECT 1 FROM bucket WHERE id = ?1", [bucket.0])? {
        Ok(())
    } else {
        Err(StoreError::NotFound(What::Bucket).into())
    }
}

pub(super) fn set_bucket_acl(conn: &Connection, bucket: BucketId, acl: Acl) -> Sql<()> {
    check_bucket(conn, bucket)?;
    run(conn, "UPDATE bucket SET acl = ?2 WHERE id = ?1", params![bucket.0, rows::acl_code(acl)])?;
    Ok(())
}

pub(super) fn set_bucket_cors(conn: &Connection, bucket: BucketId, cors: &CorsConfig) -> Sql<()> {
    check_bucket(conn, bucket)?;
    let text = rows::json_unless_default(cors)?;
    run(conn, "UPDATE bucket SET cors = ?2 WHERE id = ?1", params![bucket.0, text])?;
    Ok(())
}

pub(super) fn set_bucket_tags(conn: &Connection, bucket: BucketId, tags: &[Tag]) -> Sql<()> {
    check_bucket(conn, bucket)?;
    run(conn, "UPDATE bucket SET tags = ?2 WHERE id = ?1", params![bucket.0, rows::tags_text(tags)?])?;
    Ok(())
}

/// Whether a bucket keeps versions; `None` when it is not there.
pub(super) fn versioning(conn: &Connection, bucket: BucketId) -> Sql<Option<Versioning>> {
    one(conn, "SELECT versioning FROM bucket WHERE id = ?1", [bucket.0], |row| rows::versioning(row.get(0)?))
}

/// What decides over the versions of a bucket.
pub(super) struct Keeping {
    pub(super) versioning: Versioning,
    pub(super) settings: BucketSettings,
}

/// `NotFound(Bucket)`.
pub(super) fn keeping(conn: &Connection, bucket: BucketId) -> Sql<Keeping> {
    let found = one(conn, "SELECT versioning, settings FROM bucket WHERE id = ?1", [bucket.0], |row| {
        Ok(Keeping { versioning: rows::versioning(row.get(0)?)?, settings: rows::settings(row, 1)? })
    })?;
    found.ok_or_else(|| StoreError::NotFound(What::Bucket).into())
}

pub(super) fn set_bucket_versioning(conn: &Connection, bucket: BucketId, versioning: Versioning) -> Sql<()> {
    let present = keeping(conn, bucket)?;
    rules::check_versioning(present.versioning, &present.settings, versioning)?;
    let code = rows::versioning_code(versioning);
    run(conn, "UPDATE bucket SET versioning = ?2 WHERE id = ?1", params![bucket.0, code])?;
    Ok(())
}

pub(super) fn set_bucket_setting(conn: &Connection, bucket: BucketId, setting: BucketSetting) -> Sql<()> {
    let Keeping { versioning, mut settings } = keeping(conn, bucket)?;
    rules::check_setting(versioning, &setting)?;
    settings.set(setting);
    let text = rows::json_unless_default(&settings)?;
    run(conn, "UPDATE bucket SET settings = ?2 WHERE id = ?1", params![bucket.0, text])?;
    Ok(())
}

pub(super) fn delete_bucket(conn: &Connection, bucket: BucketId) -> Sql<()> {
    check_bucket(conn, bucket)?;
    if versions::any_in(conn, bucket)? {
        return Err(StoreError::BucketNotEmpty.into());
    }
    for holds in [
        "SELECT 1 FROM object WHERE bucket = ?1",
        "SELECT 1 FROM upload WHERE bucket = ?1",
        "SELECT 1 FROM channel WHERE bucket = ?1",
    ] {
        if exists(conn, holds, [bucket.0])? {
            return Err(StoreError::BucketNotEmpty.into());
        }
    }
    // Its id is never given again, so nobody could ask for what its channels and uploads left.
    for left in [
        "DELETE FROM completed_upload WHERE bucket = ?1",
        "DELETE FROM channel_live WHERE bucket = ?1",
        "DELETE FROM playlist_window WHERE bucket = ?1",
        "DELETE FROM class_usage WHERE bucket = ?1",
        "DELETE FROM bucket_usage WHERE bucket = ?1",
        "DELETE FROM bucket_lifecycle WHERE bucket = ?1",
        "DELETE FROM bucket WHERE id = ?1",
    ] {
        run(conn, left, [bucket.0])?;
    }
    Ok(())
}

pub(super) fn buckets_with_channel(conn: &Connection, name: &ChannelName, limit: usize) -> Sql<Vec<BucketRecord>> {
    let sql = format!("{BUCKET_SQL} JOIN channel c ON c.bucket = b.id WHERE c.name = ?1 ORDER BY c.bucket LIMIT ?2");
    all(conn, &sql, params![name.as_str().as_bytes(), rows::row_limit(limit)], rows::bucket)
}
