//! Databases of earlier versions: their rows are kept, and the schema is that of a fresh one.

use bytes::Bytes;

use super::*;
use crate::limits;

fn schema_of(conn: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";
    query::all(conn, sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("readable")
}

/// A body of forty short pieces, one of as many long ones, and an archived object, as the fifth version had them.
const ROWS_OF_V5: &str = "
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39)
    INSERT INTO extent (body, ordinal, length, blob, start)
        SELECT 10, i, 10, randomblob(16), 0 FROM n UNION ALL SELECT 11, i, 2000000, randomblob(16), 0 FROM n;
    INSERT INTO object (bucket, key, kind, size, modified_ms, etag, storage_class, body, crc64)
        VALUES (3, x'66', 2, 400, 7, zeroblob(16), 0, 10, 0), (3, x'67', 2, 80000000, 7, zeroblob(16), 0, 11, 0),
               (3, x'68', 0, 0, 7, zeroblob(16), 2, NULL, 0);
    UPDATE bucket_usage SET objects = objects + 3, bytes = bytes + 80000400;
";

#[tokio::test]
async fn what_the_fifth_version_held_is_counted_and_found() {
    let db = database();
    {
        let mut conn = Connection::open(&db.path).expect("opened");
        schema::embedded::migrations::runner().set_target(refinery::Target::Version(1)).run(&mut conn).expect("begun");
        conn.execute_batch(ROWS_OF_V1).expect("its rows");
        let fifth = refinery::Target::Version(5);
        schema::embedded::migrations::runner().set_target(fifth).run(&mut conn).expect("the fifth schema");
        conn.execute_batch(ROWS_OF_V5).expect("its rows");
    }
    let store = open(&db.path);
    let fine = (BucketId(3), ObjectKey::new("f").expect("valid"));
    assert_eq!(store.finely_cut(None, 9).await, Ok(vec![fine]));
    let usage = store.bucket_usage(BucketId(3)).await.expect("there");
    assert_eq!(usage.classes[StorageClass::Archive.index()], ClassUsage { objects: 1, bytes: 0 });
    assert_eq!(store.audit_backend().await, Ok(vec![]));
    // The migration's numbers are those of the rules.
    assert_eq!((limits::SHORT_EXTENT_BYTES, limits::FINELY_CUT_PAIRS), (1_048_576, 32));
    assert_eq!(limits::COMPACTED_BYTES_MAX, 5_368_709_120);
}

/// Rows as the second version wrote them beside those of the first. Stays as it is when the schema moves on.
pub(in crate::store::meta::sqlite) const ROWS_OF_V2: &str = "
    INSERT INTO upload (bucket, key, id, initiated_ms, acl, content_type, user_metadata)
        VALUES (3, x'75', x'000000000000000000000000000000AB', 13, 1, x'74', x'01006b0100000076');
    INSERT INTO part VALUES (x'000000000000000000000000000000AB', 7, 4, 14, zeroblob(16), -1, 2);
    INSERT INTO part VALUES (x'000000000000000000000000000000AB', 8, 0, 14, zeroblob(16), 0, NULL);
    INSERT INTO extent (body, ordinal, length, blob, start) VALUES (2, 0, 4, zeroblob(16), 5);
    INSERT INTO completed_upload VALUES (x'000000000000000000000000000000AC', 3, x'61', 4, zeroblob(16), 1, -1, 15);
";

#[tokio::test]
async fn rows_of_the_second_version_are_kept() {
    let db = database();
    {
        let mut conn = Connection::open(&db.path).expect("opened");
        let target = refinery::Target::Version(2);
        schema::embedded::migrations::runner().set_target(target).run(&mut conn).expect("the second schema");
        conn.execute_batch(ROWS_OF_V1).and_then(|()| conn.execute_batch(ROWS_OF_V2)).expect("its rows");
    }
    let store = open(&db.path);
    let (b, key) = (BucketId(3), ObjectKey::new("u").expect("valid"));
    let upload = store.upload(b, &key, UploadId(0xab)).await.expect("readable").expect("there");
    assert_eq!((upload.initiated, upload.acl), (Wall(13), Some(Acl::PublicRead)));
    assert_eq!(upload.headers.content_type, Some(Bytes::from_static(b"t")));
    assert_eq!(upload.user_metadata, [("k".into(), Bytes::from_static(b"v"))]);
    let parts = store.list_parts(b, &key, upload.id, 0, 9).await.expect("open").entries;
    let last_modified = Wall(14);
    let first = PartSummary { number: 7, size: 4, md5: [0; 16], crc64: u64::MAX, checksum: None, last_modified };
    assert_eq!(parts, [first, PartSummary { number: 8, size: 0, crc64: 0, ..first }]);
    assert_eq!(store.blob_states(&[BlobId(0)]).await, Ok(vec![BlobState::Named(9)]));
    let mut counted = BucketUsage { objects: 1, bytes: 4, uploads: 1, parts: 2, channels: 1, ..BucketUsage::default() };
    (counted.part_bytes, counted.classes[0]) = (4, ClassUsage { objects: 1, bytes: 4 });
    assert_eq!(store.bucket_usage(b).await, Ok(counted));
    let again = CompleteCommit {
        bucket: b,
        key: ObjectKey::new("a").expect("valid"),
        upload: UploadId(0xac),
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: None,
        expected: ExpectedObject::default(),
    };
    let done = store.complete_upload(again, Wall(16)).await.expect("remembered");
    assert_eq!((done.size, done.crc64, done.etag.parts, done.completed), (4, u64::MAX, Some(1), Wall(15)));
    assert_eq!(store.audit_backend().await, Ok(vec![]));
}

/// Rows as the first version wrote them. Stays as it is when the schema moves on.
pub(in crate::store::meta::sqlite) const ROWS_OF_V1: &str = "
    INSERT INTO account (id, name) VALUES (1, 'owner');
    INSERT INTO access_key VALUES ('id', 'secret', 1, 1, 5);
    INSERT INTO bucket VALUES (3, 'films', 1, 1, 6, '{\"rules\":[],\"response_vary\":true}');
    INSERT INTO object (bucket, key, kind, size, modified_ms, etag, body, crc64, user_metadata)
        VALUES (3, x'61', 0, 4, 7, zeroblob(16), 1, -1, x'01006b0100000076');
    INSERT INTO extent (body, ordinal, length, bytes) VALUES (1, 0, 4, x'74657874');
    INSERT INTO channel VALUES (3, x'63616d', 'd', NULL, 1, 5, 3, 'playlist.m3u8', NULL, 8, 9);
    INSERT INTO channel_live VALUES (3, x'63616d', 2, 1000, 4);
    INSERT INTO connection VALUES (3, x'63616d', 2, zeroblob(16), '192.0.2.1:5', 10, 11, 12, 'TIMEOUT');
    INSERT INTO playlist_window VALUES (3, x'63616d', 'playlist.m3u8', 7, 1, 5, zeroblob(17));
";

#[tokio::test]
async fn upgraded_database_equals_a_fresh_one_and_keeps_its_rows() {
    let (old, fresh) = (database(), database());
    {
        let mut conn = Connection::open(&old.path).expect("opened");
        let target = refinery::Target::Version(1);
        schema::embedded::migrations::runner().set_target(target).run(&mut conn).expect("the first schema");
        conn.execute_batch(ROWS_OF_V1).expect("the first version's rows");
    }
    let store = open(&old.path);
    drop(open(&fresh.path));
    let schema = |db: &Database| schema_of(&schema::open_reader(&db.path).expect("readable"));
    assert_eq!(schema(&old), schema(&fresh));

    let bucket = store.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there");
    assert!(bucket.cors.response_vary);
    let object = store.object(bucket.id, &ObjectKey::new("a").expect("valid")).await.expect("readable").expect("there");
    assert_eq!(object.extents, [Extent::Inline(Bytes::from_static(b"text"))]);
    assert_eq!((object.crc64, object.user_metadata), (u64::MAX, vec![("k".into(), Bytes::from_static(b"v"))]));
    let channel = ChannelName::new("cam").expect("valid");
    assert_eq!(store.history(bucket.id, &channel, 9).await.expect("readable").len(), 1);
    assert_eq!(store.audit_windows().await.expect("readable")[0].window.media_sequence, 7);
    assert_eq!(store.audit_backend().await, Ok(vec![]));
}

#[tokio::test]
async fn database_of_a_newer_version_is_refused_as_it_is_and_not_called_damaged() {
    let db = database();
    drop(open(&db.path));
    let conn = Connection::open(&db.path).expect("opened");
    conn.execute_batch("INSERT INTO refinery_schema_history VALUES (999, 'future', '2026-01-01T00:00:00Z', '1')")
        .expect("written");
    drop(conn);
    let before = std::fs::read(&db.path).expect("readable");
    let opened = SqliteMetaStore::open(&db.path, Arc::new(SystemClock::new()));
    let is_told = matches!(&opened, Err(StoreError::Unavailable(why)) if why.contains("written by a later release"));
    assert!(is_told, "{opened:?}");
    assert_eq!(std::fs::read(&db.path).expect("readable"), before);
}

#[test]
fn every_table_and_column_is_commented() {
    let mut columns = 0;
    for migration in schema::embedded::migrations::runner().get_migrations() {
        let lines: Vec<&str> = migration.sql().expect("not applied").lines().collect();
        for pair in lines.windows(2) {
            let is_table = pair[1].starts_with("CREATE TABLE");
            let is_column = pair[1].starts_with("    ")
                && [" INTEGER", " TEXT", " BLOB"].iter().any(|kind| pair[1].contains(kind))
                && !pair[1].trim_start().starts_with("--");
            columns += usize::from(is_column);
            let is_commented = pair[0].trim_start().starts_with("--");
            assert!(is_commented || !(is_table || is_column), "{migration}: {}", pair[1]);
        }
    }
    assert!(columns > 50, "{columns} columns were seen");
}
