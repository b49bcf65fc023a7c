//! What a bucket holds, counted in the transactions that change it, and judged there by the bucket's quota.

use rusqlite::{Connection, params};

use super::error::{Sql, corrupt};
use super::query::{all, one, run};
use super::rows;
use crate::store::meta::rules::{self, Growth};
use crate::store::*;

/// How one transaction changes the counters of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) objects: i64,
    pub(super) bytes: i64,
    pub(super) markers: i64,
    pub(super) uploads: i64,
    pub(super) parts: i64,
    pub(super) part_bytes: i64,
    /// Of `objects` and `bytes`, by class.
    pub(super) classes: [(i64, i64); StorageClass::ALL.len()],
}

impl Change {
    /// One object of a class and size comes in place of another, or of none.
    pub(super) fn of_object(new: (StorageClass, u64), replaced: Option<(StorageClass, u64)>) -> Sql<Change> {
        let mut change = Change::default();
        if let Some((class, size)) = replaced {
            change.take(class, size)?;
        }
        change.add(new.0, new.1)?;
        Ok(change)
    }

    /// One object more.
    pub(super) fn add(&mut self, class: StorageClass, size: u64) -> Sql<()> {
        self.move_by(class, 1, rows::int(size)?);
        Ok(())
    }

    /// One object less.
    pub(super) fn take(&mut self, class: StorageClass, size: u64) -> Sql<()> {
        self.move_by(class, -1, -rows::int(size)?);
        Ok(())
    }

    fn move_by(&mut self, class: StorageClass, objects: i64, bytes: i64) {
        self.objects += objects;
        self.bytes += bytes;
        let of_class = &mut self.classes[class.index()];
        of_class.0 += objects;
        of_class.1 += bytes;
    }
}

/// Begins to count.
pub(super) fn begin(conn: &Connection, bucket: BucketId) -> Sql<()> {
    run(conn, "INSERT INTO bucket_usage (bucket) VALUES (?1)", [bucket.0])?;
    Ok(())
}

/// Counts a change. `OverQuota` when the bucket may not hold what it then would.
pub(super) fn count(conn: &Connection, bucket: BucketId, change: Change) -> Sql<()> {
    if change == Change::default() {
        return Ok(());
    }
    let Change { objects, bytes, markers, uploads, parts, part_bytes, classes } = change;
    let sql = "UPDATE bucket_usage SET objects = objects + ?2, bytes = bytes + ?3, uploads = uploads + ?4, \
         parts = parts + ?5, part_bytes = part_bytes + ?6, markers = markers + ?7 WHERE bucket = ?1";
    if run(conn, sql, params![bucket.0, objects, bytes, uploads, parts, part_bytes, markers])? == 0 {
        return Err(corrupt("a bucket without counters"));
    }
    // Standard is the rest.
    for (class, moved) in StorageClass::ALL.into_iter().zip(classes).skip(1).filter(|(_, moved)| *moved != (0, 0)) {
        count_class(conn, bucket, class, moved)?;
    }
    check_quota(conn, bucket, &change)
}

fn count_class(conn: &Connection, bucket: BucketId, class: StorageClass, (objects, bytes): (i64, i64)) -> Sql<()> {
    let values = params![bucket.0, rows::storage_class_code(class), objects, bytes];
    let update = "UPDATE class_usage SET objects = objects + ?3, bytes = bytes + ?4 \
         WHERE bucket = ?1 AND storage_class = ?2";
    if run(conn, update, values)? == 0 {
        let insert = "INSERT INTO class_usage (bucket, storage_class, objects, bytes) VALUES (?1, ?2, ?3, ?4)";
        run(conn, insert, values)?;
    }
    Ok(())
}

fn check_quota(conn: &Connection, bucket: BucketId, change: &Change) -> Sql<()> {
    let (more_objects, more_bytes) = (change.objects > 0, change.bytes + change.part_bytes > 0);
    if !more_objects && !more_bytes {
        return Ok(());
    }
    // Few buckets have settings, and fewer a quota: the text is read only where it speaks of one.
    let sql = "SELECT CASE WHEN instr(b.settings, '\"quota\"') > 0 THEN b.settings END, s.objects, s.bytes + s.part_bytes \
         FROM bucket b JOIN bucket_usage s ON s.bucket = b.id WHERE b.id = ?1";
    let found = one(conn, sql, [bucket.0], |row| {
        let growth = Growth { objects: rows::uint(row, 1)?, bytes: rows::uint(row, 2)?, more_objects, more_bytes };
        Ok((rows::settings(row, 0)?.quota, growth))
    })?;
    match found {
        Some((quota, growth)) => Ok(rules::check_quota(quota, growth)?),
        None => Ok(()),
    }
}

/// One row, and a walk over the bucket's channels alone in an index.
pub(super) const SQL: &str = "SELECT objects, bytes, uploads, parts, \
     (SELECT count(*) FROM channel c WHERE c.bucket = ?1), part_bytes, markers FROM bucket_usage WHERE bucket = ?1";

/// At most four rows.
pub(super) const CLASSES_SQL: &str = "SELECT storage_class, objects, bytes FROM class_usage WHERE bucket = ?1";

pub(super) fn usage(conn: &Connection, bucket: BucketId) -> Sql<BucketUsage> {
    let _snapshot = conn.unchecked_transaction()?;
    let found = one(conn, SQL, [bucket.0], |row| {
        Ok(BucketUsage {
            objects: rows::uint(row, 0)?,
            bytes: rows::uint(row, 1)?,
            uploads: rows::uint(row, 2)?,
            parts: rows::uint(row, 3)?,
            channels: rows::uint(row, 4)?,
            part_bytes: rows::uint(row, 5)?,
            markers: rows::uint(row, 6)?,
            ..BucketUsage::default()
        })
    })?;
    let mut usage = found.ok_or(StoreError::NotFound(What::Bucket))?;
    let mut standard = ClassUsage { objects: usage.objects, bytes: usage.bytes };
    let classes = all(conn, CLASSES_SQL, [bucket.0], |row| {
        let class = rows::storage_class(row.get(0)?)?;
        Ok((class, ClassUsage { objects: rows::uint(row, 1)?, bytes: rows::uint(row, 2)? }))
    })?;
    for (class, of_class) in classes {
        standard.objects = standard.objects.saturating_sub(of_class.objects);
        standard.bytes = standard.bytes.saturating_sub(of_class.bytes);
        usage.classes[class.index()] = of_class;
    }
    usage.classes[StorageClass::Standard.index()] = standard;
    Ok(usage)
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
     OR s.parts <> (SELECT count(*) FROM upload u JOIN part p ON p.upload = u.id WHERE u.bucket = b.id) \
     OR s.part_bytes <> (SELECT coalesce(sum(p.size), 0) FROM upload u JOIN part p ON p.upload = u.id WHERE u.bucket = b.id)";

/// Classes of buckets whose counters are not what they hold, objects of a class without counters among them.
pub(super) const WRONG_CLASSES: &str = "WITH held AS (\
         SELECT bucket, storage_class, count(*) AS objects, sum(size) AS bytes FROM (\
             SELECT bucket, storage_class, size FROM object \
             UNION ALL SELECT bucket, storage_class, size FROM version WHERE marker = 0) \
         WHERE storage_class <> 0 GROUP BY bucket, storage_class), \
     counted AS (SELECT bucket, storage_class, objects, bytes FROM class_usage WHERE (objects, bytes) <> (0, 0)) \
     SELECT (SELECT count(*) FROM (SELECT * FROM held EXCEPT SELECT * FROM counted)) \
          + (SELECT count(*) FROM (SELECT * FROM counted EXCEPT SELECT * FROM held))";
