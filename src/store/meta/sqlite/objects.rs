//! Objects, their bodies, and what becomes of blobs that lose their last name.

use rusqlite::{Connection, Row, Rows, params};

use super::accounts::{Keeping, keeping};
use super::error::{Sql, corrupt};
use super::parts;
use super::query::{all, exists, one, run};
use super::rows;
use super::usage::{self, Change};
use super::versions;
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

/// What a write must know of the object under its key.
pub(super) struct Present {
    pub(super) etag: ETag,
    body: Option<i64>,
    size: u64,
    version: Option<VersionId>,
    attributes: ObjectAttributes,
    class: StorageClass,
}

impl Present {
    /// For the counters.
    fn counted(&self) -> (StorageClass, u64) {
        (self.class, self.size)
    }
}

pub(super) fn present(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<Option<Present>> {
    one(
        conn,
        "SELECT etag, etag_parts, body, size, version, attributes, storage_class FROM object \
         WHERE bucket = ?1 AND key = ?2",
        params![bucket.0, key.as_bytes()],
        |row| {
            let etag = ETag { digest: rows::bytes16(row, 0)?, parts: row.get(1)? };
            Ok(Present {
                etag,
                body: row.get(2)?,
                size: rows::uint(row, 3)?,
                version: rows::version_id(row, 4)?,
                attributes: rows::json_or_default(row, 5)?,
                class: rows::storage_class(row.get(6)?)?,
            })
        },
    )
}

pub(super) fn commit(conn: &Connection, commit: ObjectCommit, now: Wall) -> Sql<ObjectRecord> {
    let Keeping { versioning, settings } = keeping(conn, commit.object.bucket)?;
    let version = rules::version_of_write(versioning, commit.object.version);
    let object = rules::retained(ObjectRecord { last_modified: now, version, ..commit.object }, &settings);
    let present = present(conn, object.bucket, &object.key)?;
    rules::check_condition(commit.condition, present.as_ref().map(|p| p.etag))?;
    place(conn, &object, present, versioning)?;
    Ok(object)
}

/// Puts an object as the null version, whatever its bucket makes of other writes.
pub(super) fn put_null(conn: &Connection, object: ObjectRecord, now: Wall) -> Sql<()> {
    let versioning = keeping(conn, object.bucket)?.versioning;
    let present = present(conn, object.bucket, &object.key)?;
    place(conn, &ObjectRecord { last_modified: now, version: None, ..object }, present, versioning)
}

pub(super) fn is_taken(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<bool> {
    exists(conn, "SELECT 1 FROM object WHERE bucket = ?1 AND key = ?2", params![bucket.0, key.as_bytes()])
}

pub(super) fn append(conn: &Connection, commit: AppendCommit, now: Wall) -> Sql<ObjectRecord> {
    let (bucket, key) = (commit.first.bucket, commit.first.key.clone());
    let Keeping { versioning, settings } = keeping(conn, bucket)?;
    let Some((body, counted)) = present(conn, bucket, &key)?.map(|p| (p.body, p.counted())) else {
        let version = rules::version_of_write(versioning, commit.first.version);
        let first = ObjectRecord { version, ..commit.first };
        let object = rules::retained(rules::appended(None, first, commit.position, now)?, &settings);
        place(conn, &object, None, versioning)?;
        return Ok(object);
    };
    let old = object(conn, bucket, &key)?;
    let old_last = old.as_ref().and_then(|o| o.extents.last().cloned());
    let old_count = old.as_ref().map_or(0, |o| o.extents.len());
    let object = rules::appended(old, commit.first, commit.position, now)?;
    rules::check_lock(&object.attributes, false, now)?;
    // The last extent may have been joined with what is new; those before it stay as they are.
    let is_joined = old_last.is_some_and(|last| object.extents[old_count - 1] != last);
    let kept = old_count - usize::from(is_joined);
    let body = match body {
        Some(body) => Some(body),
        None if object.extents.is_empty() => None,
        None => Some(next_body(conn)?),
    };
    if let Some(body) = body {
        run(conn, "DELETE FROM extent WHERE body = ?1 AND ordinal >= ?2", params![body, rows::int(kept as u64)?])?;
        insert_extents(conn, body, &object.extents, kept)?;
    }
    write_row(conn, &object, body)?;
    usage::count(conn, bucket, Change::of_object((object.storage_class, object.size), Some(counted))?)?;
    Ok(object)
}

/// Writes the object in place of `present`, or on top of it where that is another version. New names are written before old
/// ones are judged, so a blob that both bodies name never looks like garbage.
pub(super) fn place(
    conn: &Connection,
    object: &ObjectRecord,
    present: Option<Present>,
    versioning: Versioning,
) -> Sql<()> {
    let (bucket, key) = (object.bucket, &object.key);
    let is_kept = present.as_ref().is_some_and(|present| present.version != object.version);
    if is_kept {
        versions::keep(conn, bucket, key)?;
    }
    let replaced = present.filter(|_| !is_kept);
    if let Some(replaced) = &replaced {
        rules::check_lock(&replaced.attributes, false, object.last_modified)?;
    }
    let change = Change::of_object((object.storage_class, object.size), replaced.as_ref().map(Present::counted))?;
    let stands_elsewhere = replaced.is_none() && object.version.is_none() && versioning != Versioning::Never;
    if stands_elsewhere {
        versions::check_lock_of_null(conn, bucket, key, object.last_modified)?;
    }
    let gone = match replaced.and_then(|p| p.body) {
        Some(body) => remove_body(conn, body)?,
        None => Vec::new(),
    };
    let body = insert_body(conn, &object.extents)?;
    write_row(conn, object, body)?;
    // Before what comes is counted: a quota must not see both.
    if stands_elsewhere {
        versions::remove_kept(conn, bucket, key, None, object.last_modified)?;
    }
    usage::count(conn, bucket, change)?;
    retire(conn, &gone, object.last_modified)
}

/// Writes a new body and returns its number; `None` for an empty one.
pub(super) fn insert_body(conn: &Connection, extents: &[Extent]) -> Sql<Option<i64>> {
    if extents.is_empty() {
        return Ok(None);
    }
    let body = next_body(conn)?;
    insert_extents(conn, body, extents, 0)?;
    Ok(Some(body))
}

/// A number that no body has. Reuse of the newest number is harmless: its extents went in the same transaction.
fn next_body(conn: &Connection) -> Sql<i64> {
    let newest: Option<i64> = one(conn, "SELECT max(body) FROM extent", [], |row| Ok(row.get(0)?))?.flatten();
    Ok(newest.unwrap_or(0) + 1)
}

fn insert_extents(conn: &Connection, body: i64, extents: &[Extent], from: usize) -> Sql<()> {
    for (ordinal, extent) in extents.iter().enumerate().skip(from) {
        let ordinal = rows::int(ordinal as u64)?;
        let length = rows::int(extent.length())?;
        match extent {
            Extent::Inline(bytes) => run(
                conn,
                "INSERT INTO extent (body, ordinal, length, bytes) VALUES (?1, ?2, ?3, seal_inline(?4))",
                params![body, ordinal, length, &bytes[..]],
            )?,
            Extent::Blob { id, offset, .. } => {
                name_blob(conn, *id)?;
                run(
                    conn,
                    "INSERT INTO extent (body, ordinal, length, blob, start) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![body, ordinal, length, rows::blob_bytes(*id), rows::int(*offset)?],
                )?
            }
        };
    }
    Ok(())
}

/// Takes a blob out of the garbage, unless the collector has it: then the whole command is rolled back.
fn name_blob(conn: &Connection, id: BlobId) -> Sql<()> {
    let sql = "DELETE FROM garbage WHERE blob = ?1 RETURNING taken";
    match one(conn, sql, [rows::blob_bytes(id)], |row| Ok(row.get::<_, bool>(0)?))? {
        Some(true) => Err(StoreError::NotFound(What::Blob).into()),
        Some(false) | None => Ok(()),
    }
}

/// Removes a body; returns the blobs that its extents named.
pub(super) fn remove_body(conn: &Connection, body: i64) -> Sql<Vec<BlobId>> {
    parts::forget(conn, body)?;
    remove_extents(conn, body)
}

/// Removes a body's extents; returns the blobs that they named.
fn remove_extents(conn: &Connection, body: i64) -> Sql<Vec<BlobId>> {
    let named = all(conn, "SELECT DISTINCT blob FROM extent WHERE body = ?1 AND blob IS NOT NULL", [body], |row| {
        rows::blob_id(row, 0)
    })?;
    run(conn, "DELETE FROM extent WHERE body = ?1", [body])?;
    Ok(named)
}

/// Blobs that nothing names any more become garbage.
pub(super) fn retire(conn: &Connection, blobs: &[BlobId], now: Wall) -> Sql<()> {
    for id in blobs {
        run(
            conn,
            "INSERT INTO garbage (blob, since_ms, taken) \
             SELECT ?1, ?2, 0 WHERE NOT EXISTS (SELECT 1 FROM extent WHERE blob = ?1)",
            params![rows::blob_bytes(*id), now.0],
        )?;
    }
    Ok(())
}

fn write_row(conn: &Connection, object: &ObjectRecord, body: Option<i64>) -> Sql<()> {
    let headers = &object.headers;
    run(
        conn,
        "INSERT OR REPLACE INTO object (bucket, key, kind, size, modified_ms, etag, etag_parts, body, crc64, \
         content_md5, acl, content_type, cache_control, content_disposition, content_encoding, content_language, \
         expires, user_metadata, tags, storage_class, attributes, \
         version, finely_cut) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
         ?23)",
        params![
            object.bucket.0,
            object.key.as_bytes(),
            rows::kind_code(object.kind),
            rows::int(object.size)?,
            object.last_modified.0,
            object.etag.digest,
            object.etag.parts,
            body,
            object.crc64.cast_signed(),
            object.content_md5,
            object.acl.map(rows::acl_code),
            headers.content_type.as_deref(),
            headers.cache_control.as_deref(),
            headers.content_disposition.as_deref(),
            headers.content_encoding.as_deref(),
            headers.content_language.as_deref(),
            headers.expires.as_deref(),
            rows::pack_user_metadata(&object.user_metadata)?,
            rows::tags_text(&object.tags)?,
            rows::storage_class_code(object.storage_class),
            rows::json_unless_default(&object.attributes)?,
            rows::version_bytes(object.version),
            rules::is_finely_cut(object),
        ],
    )?;
    Ok(())
}

/// One statement, so that the row and its extents come from the same snapshot.
pub(super) fn object_sql() -> String {
    format!(
        "SELECT {} FROM object o LEFT JOIN extent e ON e.body = o.body \
         WHERE o.bucket = ?1 AND o.key = ?2 ORDER BY e.ordinal",
        rows::OBJECT_AND_EXTENT_COLUMNS
    )
}

pub(super) fn object(conn: &Connection, bucket: BucketId, key: &ObjectKey) -> Sql<Option<ObjectRecord>> {
    let mut statement = conn.prepare_cached(&object_sql())?;
    Ok(gather(statement.query(params![bucket.0, key.as_bytes()])?)?.pop())
}

/// Objects from rows in which each is repeated for each of its extents.
pub(super) fn gather(mut found: Rows<'_>) -> Sql<Vec<ObjectRecord>> {
    let mut objects: Vec<ObjectRecord> = Vec::new();
    while let Some(row) = found.next()? {
        let continues = match objects.last() {
            Some(last) => is_of(row, last)?,
            None => false,
        };
        if !continues {
            objects.push(rows::object(row)?);
        }
        if let (Some(object), Some(extent)) = (objects.last_mut(), rows::extent(row)?) {
            object.extents.push(extent);
        }
    }
    Ok(objects)
}

fn is_of(row: &Row<'_>, object: &ObjectRecord) -> Sql<bool> {
    let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let is_of_key = key == object.key.as_bytes() && row.get::<_, i64>(7)? == object.bucket.0;
    Ok(is_of_key && rows::version_id(row, 20)? == object.version)
}

pub(super) fn audit_objects(
    conn: &Connection,
    after: Option<(BucketId, ObjectKey)>,
    limit: usize,
) -> Sql<Vec<ObjectRecord>> {
    let sql = format!(
        "SELECT {} FROM (SELECT * FROM object WHERE (bucket, key) > (?1, ?2) ORDER BY bucket, key LIMIT ?3) o \
         LEFT JOIN extent e ON e.body = o.body ORDER BY o.bucket, o.key, e.ordinal",
        rows::OBJECT_AND_EXTENT_COLUMNS.replace("open_inline(", "audit_inline(")
    );
    // Bucket ids are positive.
    let (bucket, key) = after.map_or((0, Vec::new()), |(bucket, key)| (bucket.0, key.as_bytes().to_vec()));
    let mut statement = conn.prepare_cached(&sql)?;
    gather(statement.query(params![bucket, key, rows::row_limit(limit)])?)
}

pub(super) fn set_acl(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionName>,
    acl: Option<Acl>,
) -> Sql<Option<VersionId>> {
    versions::set(conn, bucket, key, version, "acl", acl.map(rows::acl_code))
}

pub(super) fn set_tags(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionName>,
    tags: &[Tag],
) -> Sql<Option<VersionId>> {
    versions::set(conn, bucket, key, version, "tags", rows::tags_text(tags)?)
}

/// The statement that a listing walks the clustered table with.
pub(super) fn list_sql() -> String {
    format!("SELECT {}, attributes FROM object WHERE bucket = ?1 AND key >= ?2 ORDER BY key", rows::SUMMARY_COLUMNS)
}

/// Restores an object: what changes is one of its attributes.
pub(super) fn restore(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    version: Option<VersionName>,
    until: Wall,
    now: Wall,
) -> Sql<Restored> {
    let place = versions::locate(conn, bucket, key, version)?;
    let (class, attributes, _) = versions::class_and_attributes(conn, bucket, key, &place)?;
    let (attributes, was_readable) = rules::restored(class, attributes, until, now)?;
    let text = rows::json_unless_default(&attributes)?;
    let version = versions::set(conn, bucket, key, version, "attributes", text)?;
    Ok(Restored { version, was_readable })
}

/// The statement that finely cut bodies are found with, by an index that holds no other. The literal is what selects it.
pub(super) const FINELY_CUT_SQL: &str = "SELECT bucket, key FROM object WHERE finely_cut = 1 \
     AND (bucket, key) > (?1, ?2) ORDER BY bucket, key LIMIT ?3";

pub(super) fn finely_cut(
    conn: &Connection,
    after: Option<(BucketId, ObjectKey)>,
    limit: usize,
) -> Sql<Vec<(BucketId, ObjectKey)>> {
    // Bucket ids are positive.
    let (bucket, key) = after.map_or((0, Vec::new()), |(bucket, key)| (bucket.0, key.as_bytes().to_vec()));
    all(conn, FINELY_CUT_SQL, params![bucket, key, rows::row_limit(limit)], |row| {
        let key = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok((BucketId(row.get(0)?), rows::object_key(key)?))
    })
}

pub(super) fn swap_extents(conn: &Connection, swap: &ExtentSwap, now: Wall) -> Sql<bool> {
    let Some(old) = object(conn, swap.bucket, &swap.key)? else { return Ok(false) };
    let Some(object) = rules::swapped(old, swap)? else { return Ok(false) };
    // It stays the same body: what else is kept under its number still speaks of it.
    let Some(body) = present(conn, swap.bucket, &swap.key)?.and_then(|p| p.body) else { return Ok(false) };
    let gone = remove_extents(conn, body)?;
    insert_extents(conn, body, &object.extents, 0)?;
    write_row(conn, &object, Some(body))?;
    retire(conn, &gone, now)?;
    Ok(true)
}

/// Walks the clustered table from the marker on, and seeks past each common prefix once it is seen: the cost follows the
/// page, not what the prefixes hold.
pub(super) fn list(conn: &Connection, bucket: BucketId, query: &ListQuery) -> Sql<Page<ListEntry>> {
    // Every seek must see the same snapshot.
    let _snapshot = conn.unchecked_transaction()?;
    let mut statement = conn.prepare_cached(&list_sql())?;
    let mut entries = Vec::new();
    let mut from = list_start(query);
    while let Some(start) = from.take() {
        let mut found = statement.query(params![bucket.0, start])?;
        while entries.len() <= query.limit
            && let Some(row) = found.next()?
        {
            let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if !key.starts_with(&query.prefix) {
                break;
            }
            if let Some(prefix) = rules::rolled_up(key, &query.prefix, query.delimiter.as_deref()) {
                entries.push(ListEntry::Prefix(prefix.to_vec()));
                from = rules::successor(prefix);
                break;
            }
            entries.push(ListEntry::Object(rows::listed(row, rows::object_key(key)?, 7)?));
        }
    }
    Ok(rules::page(entries, query.limit))
}

/// The smallest key that the page may show; `None` when none can.
pub(super) fn list_start(query: &ListQuery) -> Option<Vec<u8>> {
    let Some(after) = query.after.as_deref().filter(|after| *after >= query.prefix.as_slice()) else {
        return Some(query.prefix.clone());
    };
    if after.starts_with(&query.prefix)
        && let Some(inside) = rules::rolled_up(after, &query.prefix, query.delimiter.as_deref())
    {
        return rules::successor(inside);
    }
    // The smallest byte string greater than `after`.
    Some([after, &[0]].concat())
}

/// Blobs whose objects' rows do not agree, for the backend's own check.
pub(super) fn contradictions(conn: &Connection) -> Sql<Vec<String>> {
    let mut faults = Vec::new();
    for (what, sql) in [
        (
            "extents of no object, no version and no part",
            "SELECT count(*) FROM extent WHERE body NOT IN (SELECT body FROM object WHERE body IS NOT NULL \
             UNION ALL SELECT body FROM version WHERE body IS NOT NULL \
             UNION ALL SELECT body FROM part WHERE body IS NOT NULL)",
        ),
        (
            "blobs named and garbage at once",
            "SELECT count(*) FROM garbage g WHERE EXISTS (SELECT 1 FROM extent e WHERE e.blob = g.blob)",
        ),
        (
            "objects whose size is not the sum of their extents",
            "SELECT count(*) FROM object o WHERE o.size <> (SELECT coalesce(sum(length), 0) FROM extent e WHERE e.body = o.body)",
        ),
        (
            "inline extents whose length is not that of their bytes",
            // Sealed bytes are longer by as much.
            &format!(
                "SELECT count(*) FROM extent WHERE bytes IS NOT NULL AND length(bytes) NOT IN (length, length + {})",
                crate::store::seal::VALUE_OVERHEAD
            ),
        ),
        (
            "parts whose size is not the sum of their extents",
            "SELECT count(*) FROM part p WHERE p.size <> (SELECT coalesce(sum(length), 0) FROM extent e WHERE e.body = p.body)",
        ),
        (
            "bodies of several objects, versions or parts",
            "SELECT count(*) FROM (SELECT 1 FROM (SELECT body FROM object UNION ALL SELECT body FROM version \
             UNION ALL SELECT body FROM part) \
             WHERE body IS NOT NULL GROUP BY body HAVING count(*) > 1)",
        ),
        ("lists of the parts of no body", "SELECT count(*) FROM part_list WHERE body NOT IN (SELECT body FROM extent)"),
        ("buckets whose counters are not what they hold", usage::WRONG),
        ("buckets whose counters of a storage class are not what they hold", usage::WRONG_CLASSES),
    ]
    .into_iter()
    .chain(versions::CONTRADICTIONS)
    {
        let count = one(conn, sql, [], |row| rows::uint(row, 0))?.ok_or_else(|| corrupt("a count without a row"))?;
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    }
    Ok(faults)
}
