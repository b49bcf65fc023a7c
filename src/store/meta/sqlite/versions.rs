//! Versions that are not the current object of their key, and delete markers: what moves between `object` and `version`.

use rusqlite::{Connection, Row, Rows, params};

use super::accounts;
use super::error::Sql;
use super::objects::{self, gather};
use super::query::{exists, one, run};
use super::rows;
use super::usage::{self, Change};
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

/// What `object` and `version` have in common, besides the key.
const COLUMNS: &str = "kind, size, modified_ms, etag, etag_parts, storage_class, version, body, crc64, content_md5, acl, \
     content_type, cache_control, content_disposition, content_encoding, content_language, expires, user_metadata, tags, \
     attributes";

/// The newest rank of a key.
const NEWEST: &str = "SELECT rank FROM version WHERE bucket = ?1 AND key = ?2 ORDER BY rank DESC LIMIT 1";

/// As the index over identities has it: the null version's is empty.
pub(super) fn identity(version: Option<VersionId>) -> Vec<u8> {
    rows::version_bytes(version).map_or_else(Vec::new, |bytes| bytes.to_vec())
}

// ---- moving --------------------------------------------------------------------------------------------------

/// Moves the current object, if there is one, on top of the versions of its key.
pub(super) fn keep(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<()> {
    let sql = format!(
        "INSERT INTO version (bucket, key, rank, marker, {COLUMNS}) \
         SELECT bucket, key, coalesce(({NEWEST}), 0) + 1, 0, {COLUMNS} FROM object WHERE bucket = ?1 AND key = ?2"
    );
    if run(conn, &sql, params![bucket.0, key.as_bytes()])? > 0 {
        run(conn, "DELETE FROM object WHERE bucket = ?1 AND key = ?2", params![bucket.0, key.as_bytes()])?;
    }
    Ok(())
}

/// Where a key has no current object, its newest version is one again unless it is a marker.
fn promote(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<()> {
    if objects::is_taken(conn, bucket, key)? {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO object (bucket, key, {COLUMNS}) SELECT bucket, key, {COLUMNS} FROM version \
         WHERE bucket = ?1 AND key = ?2 AND rank = ({NEWEST}) AND marker = 0"
    );
    if run(conn, &sql, params![bucket.0, key.as_bytes()])? > 0 {
        let sql = format!("DELETE FROM version WHERE bucket = ?1 AND key = ?2 AND rank = ({NEWEST})");
        run(conn, &sql, params![bucket.0, key.as_bytes()])?;
    }
    Ok(())
}

fn put_marker(conn: &Connection, bucket: BucketId, key: &ObjectKey, marker: DeleteMarker) -> Sql<()> {
    let sql = format!(
        "INSERT INTO version (bucket, key, rank, marker, kind, size, modified_ms, etag, storage_class, version, crc64) \
         VALUES (?1, ?2, coalesce(({NEWEST}), 0) + 1, 1, 0, 0, ?3, x'', 0, ?4, 0)"
    );
    let identity = rows::version_bytes(marker.version);
    run(conn, &sql, params![bucket.0, key.as_bytes(), marker.last_modified.0, identity])?;
    Ok(())
}

// ---- removing ------------------------------------------------------------------------------------------------

/// A row that is gone.
struct Removed {
    was_marker: bool,
    body: Option<i64>,
    size: u64,
    class: StorageClass,
}

fn removed(row: &Row<'_>) -> Sql<Removed> {
    let class = rows::storage_class(row.get(3)?)?;
    Ok(Removed { was_marker: row.get(0)?, body: row.get(1)?, size: rows::uint(row, 2)?, class })
}

/// Judges whether a write may take the place of the null version, wherever that stands. `Locked`.
pub(super) fn check_lock_of_null(conn: &Connection, bucket: BucketId, key: &ObjectKey, now: Wall) -> Sql<()> {
    match locks(conn, bucket, key, None)? {
        Some(attributes) => Ok(rules::check_lock(&attributes, false, now)?),
        None => Ok(()),
    }
}

/// What may lock a version, wherever it stands.
fn locks(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionId>,
) -> Sql<Option<ObjectAttributes>> {
    let sql = "SELECT attributes FROM object WHERE bucket = ?1 AND key = ?2 AND version IS ?3";
    let id = params![bucket.0, key.as_bytes(), rows::version_bytes(version)];
    if let Some(current) = one(conn, sql, id, |row| rows::json_or_default(row, 0))? {
        return Ok(Some(current));
    }
    let sql = "SELECT attributes FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ?3";
    one(conn, sql, params![bucket.0, key.as_bytes(), identity(version)], |row| rows::json_or_default(row, 0))
}

/// Removes a version that is not current, and counts it. Says whether it was a marker; `None` when it was not there.
pub(super) fn remove_kept(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionId>,
    now: Wall,
) -> Sql<Option<bool>> {
    let sql = "DELETE FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ?3 \
         RETURNING marker, body, size, storage_class";
    let found = one(conn, sql, params![bucket.0, key.as_bytes(), identity(version)], removed)?;
    found.map(|gone| forget(conn, bucket, gone, now)).transpose()
}

/// Removes the current object if it is this version, and counts it.
fn remove_current(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionId>,
    now: Wall,
) -> Sql<Option<bool>> {
    let sql = "DELETE FROM object WHERE bucket = ?1 AND key = ?2 AND version IS ?3 \
         RETURNING 0, body, size, storage_class";
    let found = one(conn, sql, params![bucket.0, key.as_bytes(), rows::version_bytes(version)], removed)?;
    found.map(|gone| forget(conn, bucket, gone, now)).transpose()
}

/// Lets go of what a removed row held. Says whether it was a marker.
fn forget(conn: &Connection, bucket: BucketId, gone: Removed, now: Wall) -> Sql<bool> {
    let mut change = Change::default();
    match gone.was_marker {
        true => change.markers = -1,
        false => change.take(gone.class, gone.size)?,
    }
    usage::count(conn, bucket, change)?;
    if let Some(body) = gone.body {
        let blobs = objects::remove_body(conn, body)?;
        objects::retire(conn, &blobs, now)?;
    }
    Ok(gone.was_marker)
}

/// Removes a version wherever it stands.
fn remove(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionId>,
    now: Wall,
) -> Sql<Option<bool>> {
    match remove_current(conn, bucket, key, version, now)? {
        Some(was_marker) => Ok(Some(was_marker)),
        None => remove_kept(conn, bucket, key, version, now),
    }
}

pub(super) fn delete(conn: &Connection, commit: DeleteCommit, now: Wall) -> Sql<Vec<DeleteOutcome>> {
    let versioning = accounts::versioning(conn, commit.bucket)?.unwrap_or_default();
    let delete = |target: DeleteTarget| {
        let outcome = delete_target(conn, commit.bucket, versioning, &target, commit.bypass_governance, now)?;
        if let Some((channel, name_ms)) = rules::fragment_of(&target.key)
            && !objects::is_taken(conn, commit.bucket, &target.key)?
        {
            run(
                conn,
                "DELETE FROM fragment WHERE bucket = ?1 AND channel = ?2 AND name_ms = ?3",
                params![commit.bucket.0, channel.as_str().as_bytes(), name_ms],
            )?;
        }
        Ok(outcome)
    };
    commit.targets.into_iter().map(delete).collect()
}

fn delete_target(
    conn: &Connection,
    bucket: BucketId,
    versioning: Versioning,
    target: &DeleteTarget,
    bypass_governance: bool,
    now: Wall,
) -> Sql<DeleteOutcome> {
    let key = &target.key;
    let version = rules::version_of_write(versioning, Some(target.marker));
    // What goes for good: the version that is named, or the null version whose place is taken.
    let removed = match target.version {
        Some(name) => Some(name.id()),
        None => version.is_none().then_some(None),
    };
    if let Some(removed) = removed
        && let Some(attributes) = locks(conn, bucket, key, removed)?
        && rules::check_lock(&attributes, bypass_governance, now).is_err()
    {
        return Ok(DeleteOutcome::Locked);
    }
    if let Some(name) = target.version {
        let removed = remove(conn, bucket, key, name.id(), now)?;
        promote(conn, bucket, key)?;
        return Ok(DeleteOutcome::VersionRemoved { was_marker: removed == Some(true) });
    }
    if versioning == Versioning::Never {
        remove_current(conn, bucket, key, None, now)?;
        return Ok(DeleteOutcome::Deleted);
    }
    if version.is_none() {
        remove(conn, bucket, key, None, now)?;
    }
    keep(conn, bucket, key)?;
    put_marker(conn, bucket, key, DeleteMarker { version, last_modified: now })?;
    usage::count(conn, bucket, Change { markers: 1, ..Change::default() })?;
    Ok(DeleteOutcome::MarkerMade(version))
}

// ---- reading and changing one --------------------------------------------------------------------------------

pub(super) fn version(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    name: Option<VersionName>,
) -> Sql<Option<Versioned>> {
    let object = |object| Versioned::Object(Arc::new(object));
    let Some(name) = name else {
        // The one statement of every GET; only where there is no object a second one has something to say.
        return match objects::object(conn, bucket, key)? {
            Some(found) => Ok(Some(object(found))),
            None => newest(conn, bucket, key),
        };
    };
    let _snapshot = conn.unchecked_transaction()?;
    match objects::object(conn, bucket, key)?.filter(|found| found.version == name.id()) {
        Some(found) => Ok(Some(object(found))),
        None => kept(conn, bucket, key, name.id()),
    }
}

fn newest(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<Option<Versioned>> {
    let _snapshot = conn.unchecked_transaction()?;
    // It may have come since it was looked for.
    if let Some(object) = objects::object(conn, bucket, key)? {
        return Ok(Some(Versioned::Object(Arc::new(object))));
    }
    let sql = "SELECT version FROM version WHERE bucket = ?1 AND key = ?2 ORDER BY rank DESC LIMIT 1";
    match one(conn, sql, params![bucket.0, key.as_bytes()], |row| rows::version_id(row, 0))? {
        Some(version) => kept(conn, bucket, key, version),
        None => Ok(None),
    }
}

/// A version that is not current. The caller holds a snapshot.
fn kept(conn: &Connection, bucket: BucketId, key: &ObjectKey, version: Option<VersionId>) -> Sql<Option<Versioned>> {
    let id = params![bucket.0, key.as_bytes(), identity(version)];
    let marker = one(conn, MARKER_SQL, id, |row| {
        Ok(row.get::<_, bool>(0)?.then_some(DeleteMarker { version, last_modified: rows::wall(row, 1)? }))
    })?;
    if let Some(Some(marker)) = marker {
        return Ok(Some(Versioned::Marker(marker)));
    }
    let mut statement = conn.prepare_cached(&object_sql())?;
    let found = gather(statement.query(id)?)?.pop();
    Ok(found.map(|object| Versioned::Object(Arc::new(object))))
}

/// Of one version that is not current: whether it is a marker, and when it was made.
pub(super) const MARKER_SQL: &str =
    "SELECT marker, modified_ms FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ?3";

/// One version that is not current, as [`objects::object_sql`] has the current one.
pub(super) fn object_sql() -> String {
    format!(
        "SELECT {} FROM version o LEFT JOIN extent e ON e.body = o.body \
         WHERE o.bucket = ?1 AND o.key = ?2 AND ifnull(o.version, x'') = ?3 ORDER BY e.ordinal",
        rows::OBJECT_AND_EXTENT_COLUMNS
    )
}

/// Where the object of a version stands.
pub(super) enum Place {
    /// It is the current one; its identity.
    Current(Option<VersionId>),
    /// Among the others, at this rank.
    Kept(i64, Option<VersionId>),
}

/// Finds the object of a version to change it. `NotFound(Object)`, `NotFound(Version)`, `IsMarker`.
pub(super) fn locate(conn: &Connection, bucket: BucketId, key: &ObjectKey, name: Option<VersionName>) -> Sql<Place> {
    let sql = "SELECT version FROM object WHERE bucket = ?1 AND key = ?2";
    let current = one(conn, sql, params![bucket.0, key.as_bytes()], |row| rows::version_id(row, 0))?;
    let Some(name) = name else {
        return current.map(Place::Current).ok_or_else(|| StoreError::NotFound(What::Object).into());
    };
    if current == Some(name.id()) {
        return Ok(Place::Current(name.id()));
    }
    let sql = "SELECT rank, marker FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ?3";
    let id = params![bucket.0, key.as_bytes(), identity(name.id())];
    match one(conn, sql, id, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))? {
        Some((rank, false)) => Ok(Place::Kept(rank, name.id())),
        Some((_, true)) => Err(StoreError::IsMarker.into()),
        None => Err(StoreError::NotFound(What::Version).into()),
    }
}

/// Class, attributes and size of the object of a version.
pub(super) fn class_and_attributes(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    place: &Place,
) -> Sql<(StorageClass, ObjectAttributes, u64)> {
    let read =
        |row: &Row<'_>| Ok((rows::storage_class(row.get(0)?)?, rows::json_or_default(row, 1)?, rows::uint(row, 2)?));
    let found = match place {
        Place::Current(_) => {
            let sql = "SELECT storage_class, attributes, size FROM object WHERE bucket = ?1 AND key = ?2";
            one(conn, sql, params![bucket.0, key.as_bytes()], read)?
        }
        Place::Kept(rank, _) => {
            let sql =
                "SELECT storage_class, attributes, size FROM version WHERE bucket = ?1 AND key = ?2 AND rank = ?3";
            one(conn, sql, params![bucket.0, key.as_bytes(), rank], read)?
        }
    };
    found.ok_or_else(|| StoreError::NotFound(What::Object).into())
}

/// Changes the class of the object of a version, and counts it.
pub(super) fn set_class(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    name: Option<VersionName>,
    class: StorageClass,
) -> Sql<()> {
    let place = locate(conn, bucket, key, name)?;
    let (before, _, size) = class_and_attributes(conn, bucket, key, &place)?;
    set(conn, bucket, key, name, "storage_class", rows::storage_class_code(class))?;
    usage::count(conn, bucket, Change::of_object((class, size), Some((before, size)))?)
}

/// Sets one column of the object of a version. `value` is what SQLite shall keep.
pub(super) fn set(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    name: Option<VersionName>,
    column: &'static str,
    value: impl rusqlite::ToSql,
) -> Sql<Option<VersionId>> {
    match locate(conn, bucket, key, name)? {
        Place::Current(version) => {
            let sql = format!("UPDATE object SET {column} = ?3 WHERE bucket = ?1 AND key = ?2");
            run(conn, &sql, params![bucket.0, key.as_bytes(), value])?;
            Ok(version)
        }
        Place::Kept(rank, version) => {
            let sql = format!("UPDATE version SET {column} = ?4 WHERE bucket = ?1 AND key = ?2 AND rank = ?3");
            run(conn, &sql, params![bucket.0, key.as_bytes(), rank, value])?;
            Ok(version)
        }
    }
}

pub(super) fn set_lock(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    name: Option<VersionName>,
    change: LockChange,
    bypass_governance: bool,
    now: Wall,
) -> Sql<Option<VersionId>> {
    let version = match locate(conn, bucket, key, name)? {
        Place::Current(version) | Place::Kept(_, version) => version,
    };
    let attributes = locks(conn, bucket, key, version)?.unwrap_or_default();
    let attributes = rules::relocked(attributes, change, bypass_governance, now)?;
    let text = rows::json_unless_default(&attributes)?;
    set(conn, bucket, key, Some(version.into()), "attributes", text)
}

// ---- listing -------------------------------------------------------------------------------------------------

/// The statements that a listing walks the two clustered tables with.
pub(super) fn list_sql() -> [String; 2] {
    let columns = rows::SUMMARY_COLUMNS;
    [
        format!("SELECT {columns}, version, 0, attributes FROM object WHERE bucket = ?1 AND key >= ?2 ORDER BY key"),
        format!(
            "SELECT {columns}, version, marker, attributes FROM version WHERE bucket = ?1 AND key >= ?2 \
             ORDER BY key, rank DESC"
        ),
    ]
}

/// One row of either table.
enum Found {
    Object(ObjectSummary, Option<VersionId>),
    Marker(ObjectKey, DeleteMarker),
}

impl Found {
    /// Of `SUMMARY_COLUMNS, version, marker, attributes`.
    fn read(row: &Row<'_>) -> Sql<Self> {
        let key = rows::object_key(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let version = rows::version_id(row, 7)?;
        match row.get::<_, bool>(8)? {
            true => Ok(Found::Marker(key, DeleteMarker { version, last_modified: rows::wall(row, 3)? })),
            false => Ok(Found::Object(rows::listed(row, key, 9)?, version)),
        }
    }

    fn next(rows: &mut Rows<'_>) -> Sql<Option<Self>> {
        rows.next()?.map(Found::read).transpose()
    }

    fn key(&self) -> &ObjectKey {
        match self {
            Found::Object(summary, _) => &summary.key,
            Found::Marker(key, _) => key,
        }
    }

    fn version(&self) -> Option<VersionId> {
        match self {
            Found::Object(_, version) => *version,
            Found::Marker(_, marker) => marker.version,
        }
    }

    fn is_older(&self, gone: VersionName) -> bool {
        let modified = match self {
            Found::Object(summary, _) => summary.last_modified,
            Found::Marker(_, marker) => marker.last_modified,
        };
        rules::is_older(self.version(), modified, gone)
    }

    fn entry(self, is_latest: bool) -> VersionEntry {
        match self {
            Found::Object(summary, version) => VersionEntry::Object { summary, version, is_latest },
            Found::Marker(key, marker) => VersionEntry::Marker { key, marker, is_latest },
        }
    }
}

/// As the listing of objects, over both tables at once: seeks past each common prefix once it is seen.
pub(super) fn list(conn: &Connection, bucket: BucketId, query: &VersionsQuery) -> Sql<Page<VersionEntry>> {
    let _snapshot = conn.unchecked_transaction()?;
    let mut entries = rest_of_the_marked_key(conn, bucket, query)?;
    let [current_sql, kept_sql] = list_sql();
    let mut current_statement = conn.prepare_cached(&current_sql)?;
    let mut kept_statement = conn.prepare_cached(&kept_sql)?;
    let behind = ListQuery {
        prefix: query.prefix.clone(),
        delimiter: query.delimiter.clone(),
        after: query.after.clone(),
        limit: query.limit,
    };
    let mut from = objects::list_start(&behind);
    while let Some(start) = from.take() {
        let mut current_rows = current_statement.query(params![bucket.0, start])?;
        let mut kept_rows = kept_statement.query(params![bucket.0, start])?;
        let mut current = Found::next(&mut current_rows)?;
        let mut kept = Found::next(&mut kept_rows)?;
        let mut last: Option<ObjectKey> = None;
        while entries.len() <= query.limit {
            let is_current = match (&current, &kept) {
                (Some(current), Some(kept)) => current.key() <= kept.key(),
                (current, _) => current.is_some(),
            };
            let next = if is_current { &mut current } else { &mut kept };
            let Some(found) = next.take() else { break };
            let key = found.key().as_bytes();
            if !key.starts_with(&query.prefix) {
                break;
            }
            if let Some(prefix) = rules::rolled_up(key, &query.prefix, query.delimiter.as_deref()) {
                entries.push(VersionEntry::Prefix(prefix.to_vec()));
                from = rules::successor(prefix);
                break;
            }
            let is_latest = last.as_ref() != Some(found.key());
            last = Some(found.key().clone());
            entries.push(found.entry(is_latest));
            *next = Found::next(if is_current { &mut current_rows } else { &mut kept_rows })?;
        }
    }
    Ok(rules::page(entries, query.limit))
}

/// The versions of a key behind one of them.
fn rest_sql() -> String {
    let columns = rows::SUMMARY_COLUMNS;
    format!(
        "SELECT {columns}, version, marker, attributes FROM version WHERE bucket = ?1 AND key = ?2 AND rank < ?3 ORDER BY rank DESC"
    )
}

/// The versions of the marker's own key that are older than the version that it names, one more than the page at most.
fn rest_of_the_marked_key(conn: &Connection, bucket: BucketId, query: &VersionsQuery) -> Sql<Vec<VersionEntry>> {
    let (Some(key), Some(marker)) = (query.after.as_deref(), query.after_version) else { return Ok(Vec::new()) };
    let is_rolled_up = || rules::rolled_up(key, &query.prefix, query.delimiter.as_deref()).is_some();
    if !key.starts_with(&query.prefix) || is_rolled_up() {
        return Ok(Vec::new());
    }
    let columns = rows::SUMMARY_COLUMNS;
    let sql = format!("SELECT {columns}, version, 0, attributes FROM object WHERE bucket = ?1 AND key = ?2");
    let current = one(conn, &sql, params![bucket.0, key], Found::read)?;
    let has_current = current.is_some();
    let is_marked = |found: &Found| found.version() == marker.id();
    let sql = "SELECT rank FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ?3";
    let rank = one(conn, sql, params![bucket.0, key, identity(marker.id())], |row| Ok(row.get::<_, i64>(0)?))?;
    // Where the marked version is gone, those that are newer than it are passed over one by one.
    let mut is_behind = rank.is_some() || current.as_ref().is_some_and(is_marked);
    let mut entries = Vec::new();
    if !is_behind && let Some(current) = current.filter(|current| current.is_older(marker)) {
        entries.push(current.entry(true));
        is_behind = true;
    }
    let mut statement = conn.prepare_cached(&rest_sql())?;
    let mut found = statement.query(params![bucket.0, key, rank.unwrap_or(i64::MAX)])?;
    let mut is_newest = rank.is_none() && !has_current;
    while entries.len() <= query.limit
        && let Some(next) = Found::next(&mut found)?
    {
        is_behind = is_behind || next.is_older(marker);
        if is_behind {
            entries.push(next.entry(is_newest));
        }
        is_newest = false;
    }
    Ok(entries)
}

/// First the rest of the marked key, then what follows it: one comparison of all three would not be sought in the index.
fn audit_sql() -> String {
    const ORDER: &str = "ORDER BY bucket, key, ifnull(version, x'') LIMIT ?4";
    format!(
        "SELECT {} FROM (SELECT * FROM (SELECT * FROM \
         (SELECT * FROM version WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') > ?3 AND marker = 0 {ORDER}) \
         UNION ALL SELECT * FROM (SELECT * FROM version WHERE (bucket, key) > (?1, ?2) AND marker = 0 {ORDER})) {ORDER}) o \
         LEFT JOIN extent e ON e.body = o.body ORDER BY o.bucket, o.key, ifnull(o.version, x''), e.ordinal",
        rows::OBJECT_AND_EXTENT_COLUMNS.replace("open_inline(", "audit_inline(")
    )
}

pub(super) fn audit(conn: &Connection, after: Option<VersionMark>, limit: usize) -> Sql<Vec<ObjectRecord>> {
    // Bucket ids are positive.
    let (bucket, key, version) = match after {
        Some((bucket, key, version)) => (bucket.0, key.as_bytes().to_vec(), identity(version)),
        None => (0, Vec::new(), Vec::new()),
    };
    let mut statement = conn.prepare_cached(&audit_sql())?;
    gather(statement.query(params![bucket, key, version, rows::row_limit(limit)])?)
}

/// What the two tables say together that cannot be, for the backend's own check.
pub(super) const CONTRADICTIONS: [(&str, &str); 3] = [
    (
        "keys without a current object whose newest version is no delete marker",
        "SELECT count(*) FROM version v WHERE marker = 0 \
         AND NOT EXISTS (SELECT 1 FROM version n WHERE n.bucket = v.bucket AND n.key = v.key AND n.rank > v.rank) \
         AND NOT EXISTS (SELECT 1 FROM object o WHERE o.bucket = v.bucket AND o.key = v.key)",
    ),
    (
        "keys with two versions of one identity",
        "SELECT count(*) FROM object o JOIN version v ON v.bucket = o.bucket AND v.key = o.key \
         WHERE o.version IS v.version",
    ),
    (
        "versions whose size is not the sum of their extents",
        "SELECT count(*) FROM version v \
         WHERE v.size <> (SELECT coalesce(sum(length), 0) FROM extent e WHERE e.body = v.body)",
    ),
];

/// Whether a bucket has any version or marker besides its current objects.
pub(super) fn any_in(conn: &Connection, bucket: BucketId) -> Sql<bool> {
    exists(conn, "SELECT 1 FROM version WHERE bucket = ?1", [bucket.0])
}

#[cfg(test)]
mod tests;
