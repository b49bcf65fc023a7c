//! Multipart uploads. A part's bytes are extents like an object's, so a blob that only a part names is named.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::accounts::{Keeping, check_bucket, keeping};
use super::error::{Sql, corrupt};
use super::objects;
use super::parts as part_lists;
use super::query::{all, exists, one, run};
use super::rows;
use super::usage::{self, Change};
use crate::clock::Wall;
use crate::limits::COMPLETED_UPLOADS_FORGOTTEN;
use crate::store::meta::rules;
use crate::store::*;

fn id_bytes(id: UploadId) -> [u8; 16] {
    id.0.to_be_bytes()
}

pub(super) fn begin(conn: &Connection, upload: UploadRecord, now: Wall) -> Sql<UploadRecord> {
    let upload = UploadRecord { initiated: now, ..upload };
    check_bucket(conn, upload.bucket)?;
    if exists(conn, "SELECT 1 FROM upload WHERE id = ?1", [id_bytes(upload.id)])? {
        return Err(StoreError::AlreadyExists(What::Upload).into());
    }
    let headers = &upload.headers;
    let (algorithm, kind) = rows::form_codes(upload.checksum);
    let sql = format!(
        "INSERT INTO upload ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        rows::UPLOAD_COLUMNS
    );
    run(
        conn,
        &sql,
        params![
            upload.bucket.0,
            upload.key.as_bytes(),
            id_bytes(upload.id),
            upload.initiated.0,
            upload.acl.map(rows::acl_code),
            headers.content_type.as_deref(),
            headers.cache_control.as_deref(),
            headers.content_disposition.as_deref(),
            headers.content_encoding.as_deref(),
            headers.content_language.as_deref(),
            headers.expires.as_deref(),
            rows::pack_user_metadata(&upload.user_metadata)?,
            rows::tags_text(&upload.tags)?,
            rows::storage_class_code(upload.storage_class),
            rows::json_unless_default(&upload.attributes)?,
            algorithm,
            kind,
        ],
    )?;
    usage::count(conn, upload.bucket, Change { uploads: 1, ..Change::default() })?;
    Ok(upload)
}

pub(super) fn upload(conn: &Connection, bucket: BucketId, key: &ObjectKey, id: UploadId) -> Sql<Option<UploadRecord>> {
    let sql = format!("SELECT {} FROM upload WHERE bucket = ?1 AND key = ?2 AND id = ?3", rows::UPLOAD_COLUMNS);
    one(conn, &sql, params![bucket.0, key.as_bytes(), id_bytes(id)], rows::upload)
}

/// `NotFound(Upload)` unless it is open.
fn check_upload(conn: &Connection, bucket: BucketId, key: &ObjectKey, id: UploadId) -> Sql<()> {
    let sql = "SELECT 1 FROM upload WHERE bucket = ?1 AND key = ?2 AND id = ?3";
    if exists(conn, sql, params![bucket.0, key.as_bytes(), id_bytes(id)])? {
        Ok(())
    } else {
        Err(StoreError::NotFound(What::Upload).into())
    }
}

pub(super) fn commit_part(conn: &Connection, commit: PartCommit, now: Wall) -> Sql<PartSummary> {
    check_upload(conn, commit.bucket, &commit.key, commit.upload)?;
    let part = PartSummary { last_modified: now, ..commit.part.summary };
    let replaced = one(
        conn,
        "DELETE FROM part WHERE upload = ?1 AND number = ?2 RETURNING body, size",
        params![id_bytes(commit.upload), part.number],
        |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut change = Change { parts: 1, part_bytes: rows::int(part.size)?, ..Change::default() };
    if let Some((_, size)) = replaced {
        change.parts = 0;
        change.part_bytes -= size;
    }
    let gone = match replaced.and_then(|(body, _)| body) {
        Some(body) => objects::remove_body(conn, body)?,
        None => Vec::new(),
    };
    let body = objects::insert_body(conn, &commit.part.extents)?;
    run(
        conn,
        "INSERT INTO part (upload, number, size, modified_ms, md5, crc64, body, checksum) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id_bytes(commit.upload),
            part.number,
            rows::int(part.size)?,
            part.last_modified.0,
            part.md5,
            part.crc64.cast_signed(),
            body,
            rows::pack_checksum(part.checksum),
        ],
    )?;
    usage::count(conn, commit.bucket, change)?;
    objects::retire(conn, &gone, now)?;
    Ok(part)
}

pub(super) fn complete(conn: &Connection, commit: CompleteCommit, now: Wall) -> Sql<CompletedUpload> {
    let Some(record) = upload(conn, commit.bucket, &commit.key, commit.upload)? else {
        return Ok(rules::repeated_completion(&commit, completed(conn, commit.upload)?, now)?);
    };
    // Judged before any extent is read: inline bytes of many parts would be a lot.
    let uploaded = parts(conn, commit.upload)?;
    let chosen = rules::chosen_parts(&commit.parts, &uploaded, commit.part_bytes_min)?;
    let present = objects::present(conn, commit.bucket, &commit.key)?;
    rules::check_condition(commit.condition, present.as_ref().map(|p| p.etag))?;

    let extents = extents_of(conn, commit.upload, &chosen)?;
    let Keeping { versioning, settings } = keeping(conn, commit.bucket)?;
    let version = rules::version_of_write(versioning, commit.version);
    let object = rules::completed_object(record, &chosen, &commit.expected, extents.into_iter(), version, now)?;
    let object = rules::retained(object, &settings);
    // First the parts go: the object's bytes are theirs, and a quota must not see them twice.
    end(conn, commit.bucket, commit.upload, &object.extents, now)?;
    objects::place(conn, &object, present, versioning)?;
    part_lists::remember(conn, &object, &rules::object_parts(&chosen))?;
    remember(conn, commit.upload, rules::completed_upload(&object))
}

/// The parts of an upload in order of number.
fn parts(conn: &Connection, id: UploadId) -> Sql<Vec<PartSummary>> {
    let sql = format!("SELECT {} FROM part p WHERE p.upload = ?1 ORDER BY p.number", rows::PART_COLUMNS);
    all(conn, &sql, [id_bytes(id)], rows::part)
}

/// The extents of these parts one after the other. One walk over all of them: a statement for each of ten thousand parts
/// would hold up every other writer.
fn extents_of(conn: &Connection, id: UploadId, chosen: &[PartSummary]) -> Sql<Vec<Extent>> {
    let sql = format!(
        "SELECT {}, p.number FROM part p JOIN extent e ON e.body = p.body WHERE p.upload = ?1 \
         ORDER BY p.number, e.ordinal",
        rows::EXTENT_COLUMNS
    );
    let found = all(conn, &sql, [id_bytes(id)], |row| {
        let number = rows::uint32(row, 4)?;
        match chosen.binary_search_by_key(&number, |part| part.number) {
            Ok(_) => rows::extent_at(row, 0),
            Err(_) => Ok(None),
        }
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// The extents of one part as the checker sees them: what is damaged comes as it is stored.
fn audited_extents(conn: &Connection, body: i64) -> Sql<Vec<Extent>> {
    let columns = rows::EXTENT_COLUMNS.replace("open_inline(", "audit_inline(");
    let sql = format!("SELECT {columns} FROM extent e WHERE e.body = ?1 ORDER BY e.ordinal");
    all(conn, &sql, [body], |row| rows::extent_at(row, 0)?.ok_or_else(|| corrupt("an extent without a length")))
}

/// Removes an open upload with its parts. Blobs that only these named become garbage; those of `kept` are about to get
/// another name in the same transaction.
fn end(conn: &Connection, bucket: BucketId, id: UploadId, kept: &[Extent], now: Wall) -> Sql<()> {
    let kept: HashSet<BlobId> = rules::blobs_of(kept).collect();
    let mut gone = all(
        conn,
        "SELECT DISTINCT e.blob FROM part p JOIN extent e ON e.body = p.body \
         WHERE p.upload = ?1 AND e.blob IS NOT NULL ORDER BY e.blob",
        [id_bytes(id)],
        |row| rows::blob_id(row, 0),
    )?;
    gone.retain(|blob| !kept.contains(blob));
    run(conn, "DELETE FROM extent WHERE body IN (SELECT body FROM part WHERE upload = ?1)", [id_bytes(id)])?;
    let part_bytes: Option<i64> =
        one(conn, "SELECT sum(size) FROM part WHERE upload = ?1", [id_bytes(id)], |row| Ok(row.get(0)?))?.flatten();
    let parts = run(conn, "DELETE FROM part WHERE upload = ?1", [id_bytes(id)])?;
    run(conn, "DELETE FROM upload WHERE id = ?1", [id_bytes(id)])?;
    let (parts, part_bytes) = (-rows::row_limit(parts), -part_bytes.unwrap_or(0));
    usage::count(conn, bucket, Change { uploads: -1, parts, part_bytes, ..Change::default() })?;
    objects::retire(conn, &gone, now)
}

fn completed(conn: &Connection, id: UploadId) -> Sql<Option<CompletedUpload>> {
    let sql = format!("SELECT {} FROM completed_upload WHERE id = ?1", rows::COMPLETED_UPLOAD_COLUMNS);
    one(conn, &sql, [id_bytes(id)], rows::completed_upload)
}

/// Keeps the answer, and forgets some that are past their time.
fn remember(conn: &Connection, id: UploadId, done: CompletedUpload) -> Sql<CompletedUpload> {
    run(
        conn,
        "DELETE FROM completed_upload WHERE id IN \
         (SELECT id FROM completed_upload WHERE completed_ms < ?1 ORDER BY completed_ms, id LIMIT ?2)",
        params![
            done.completed.0.saturating_sub(rules::completed_upload_kept_ms()),
            rows::row_limit(COMPLETED_UPLOADS_FORGOTTEN)
        ],
    )?;
    let sql = format!(
        "INSERT INTO completed_upload ({}, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rows::COMPLETED_UPLOAD_COLUMNS
    );
    run(
        conn,
        &sql,
        params![
            done.bucket.0,
            done.key.as_bytes(),
            rows::int(done.size)?,
            done.etag.digest,
            done.etag.parts,
            done.crc64.cast_signed(),
            done.completed.0,
            rows::version_bytes(done.version),
            done.checksum.map(|checksum| rows::to_json(&checksum)).transpose()?,
            id_bytes(id),
        ],
    )?;
    Ok(done)
}

pub(super) fn abort(conn: &Connection, bucket: BucketId, key: &ObjectKey, id: UploadId, now: Wall) -> Sql<()> {
    check_upload(conn, bucket, key, id)?;
    end(conn, bucket, id, &[], now)
}

pub(super) fn list_parts(
    conn: &Connection,
    bucket: BucketId,
    key: &ObjectKey,
    id: UploadId,
    after: u32,
    limit: usize,
) -> Sql<Page<PartSummary>> {
    let _snapshot = conn.unchecked_transaction()?;
    check_upload(conn, bucket, key, id)?;
    let sql = format!(
        "SELECT {} FROM part p WHERE p.upload = ?1 AND p.number > ?2 ORDER BY p.number LIMIT ?3",
        rows::PART_COLUMNS
    );
    let limit_and_one = rows::row_limit(limit.saturating_add(1));
    Ok(rules::page(all(conn, &sql, params![id_bytes(id), after, limit_and_one], rows::part)?, limit))
}

/// The statement that a listing walks the clustered table with.
pub(super) const LIST_SQL: &str = "SELECT key, id, initiated_ms, checksum_algorithm, checksum_type, storage_class \
     FROM upload WHERE bucket = ?1 AND (key, id) > (?2, ?3) ORDER BY key, id";

/// As the listing of objects: seeks past each common prefix once it is seen.
pub(super) fn list(conn: &Connection, bucket: BucketId, query: &UploadsQuery) -> Sql<Page<UploadEntry>> {
    let _snapshot = conn.unchecked_transaction()?;
    let mut statement = conn.prepare_cached(LIST_SQL)?;
    let mut entries = Vec::new();
    let mut from = list_start(query);
    while let Some((key, id)) = from.take() {
        let mut found = statement.query(params![bucket.0, key, id])?;
        while entries.len() <= query.limit
            && let Some(row) = found.next()?
        {
            let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if !key.starts_with(&query.prefix) {
                break;
            }
            if let Some(prefix) = rules::rolled_up(key, &query.prefix, query.delimiter.as_deref()) {
                entries.push(UploadEntry::Prefix(prefix.to_vec()));
                from = rules::successor(prefix).map(at);
                break;
            }
            entries.push(UploadEntry::Upload(UploadSummary {
                key: rows::object_key(key)?,
                id: rows::upload_id(row, 1)?,
                initiated: rows::wall(row, 2)?,
                checksum: rows::form(row, 3)?,
                storage_class: rows::storage_class(row.get(5)?)?,
            }));
        }
    }
    Ok(rules::page(entries, query.limit))
}

/// The place before every upload of `key`: an empty id is less than any.
fn at(key: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    (key, Vec::new())
}

/// The place behind which the page begins; `None` when nothing can be there.
fn list_start(query: &UploadsQuery) -> Option<(Vec<u8>, Vec<u8>)> {
    let Some(after) = query.after.as_deref().filter(|after| *after >= query.prefix.as_slice()) else {
        return Some(at(query.prefix.clone()));
    };
    if after.starts_with(&query.prefix)
        && let Some(inside) = rules::rolled_up(after, &query.prefix, query.delimiter.as_deref())
    {
        return rules::successor(inside).map(at);
    }
    match query.after_id {
        Some(id) => Some((after.to_vec(), id_bytes(id).to_vec())),
        // The smallest byte string greater than `after`.
        None => Some(at([after, &[0]].concat())),
    }
}

pub(super) fn audit_parts(conn: &Connection, after: Option<(UploadId, u32)>, limit: usize) -> Sql<Vec<PartAudit>> {
    let _snapshot = conn.unchecked_transaction()?;
    let sql = format!(
        "SELECT {}, p.body, p.upload, u.bucket, u.key FROM part p JOIN upload u ON u.id = p.upload \
         WHERE (p.upload, p.number) > (?1, ?2) ORDER BY p.upload, p.number LIMIT ?3",
        rows::PART_COLUMNS
    );
    // Without a mark: an empty id is less than any.
    let (id, number) = after.map_or((Vec::new(), 0), |(id, number)| (id_bytes(id).to_vec(), number));
    let found = all(conn, &sql, params![id, number, rows::row_limit(limit)], |row| {
        let part = PartRecord { summary: rows::part(row)?, extents: Vec::new() };
        let key = rows::object_key(row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let audit = PartAudit { bucket: BucketId(row.get(8)?), key, upload: rows::upload_id(row, 7)?, part };
        Ok((audit, row.get::<_, Option<i64>>(6)?))
    })?;
    let with_extents = |(mut audit, body): (PartAudit, Option<i64>)| {
        if let Some(body) = body {
            audit.part.extents = audited_extents(conn, body)?;
        }
        Ok(audit)
    };
    found.into_iter().map(with_extents).collect()
}
