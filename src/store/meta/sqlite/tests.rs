//! What is SQLite's own: durability over restarts, shared commits, failures, the file and its schema. The meaning of the
//! port's methods is tested by `store::conformance::meta`.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use futures_util::future::join_all;
use rusqlite::{Connection, StatementStatus};
use tokio::sync::oneshot;

use super::query::run;
use super::*;
use crate::clock::SystemClock;
use crate::store::records::testbed::{empty_upload, inline_object};

pub(super) mod upgrades;
mod writer;

pub(super) struct Database {
    _directory: tempfile::TempDir,
    pub(super) path: PathBuf,
}

pub(super) fn database() -> Database {
    let directory = tempfile::tempdir().expect("a temporary directory");
    Database { path: directory.path().join("meta.db"), _directory: directory }
}

pub(super) fn open(path: &Path) -> Arc<SqliteMetaStore> {
    Arc::new(SqliteMetaStore::open(path, Arc::new(SystemClock::new())).expect("a sound database"))
}

pub(super) async fn bucket(store: &SqliteMetaStore) -> BucketId {
    let owner = store.put_access_key("owner", "id", "secret", Wall(1)).await.expect("a key").account;
    let name = BucketName::new("films").expect("valid");
    store.create_bucket(&name, owner, Acl::Private, Wall(1)).await.expect("a free name").id
}

pub(super) fn object(bucket: BucketId, key: &str, body: &[u8]) -> ObjectCommit {
    ObjectCommit { object: inline_object(bucket, key, body), condition: WriteCondition::Always }
}

async fn names(store: &SqliteMetaStore, bucket: BucketId) -> Vec<String> {
    let query = ListQuery { limit: usize::MAX, ..ListQuery::default() };
    let page = store.list_objects(bucket, &query).await.expect("readable");
    page.entries.iter().map(|e| String::from_utf8_lossy(e.name()).into_owned()).collect()
}

/// A bucket, a key, an object and a live channel with a fragment's worth of state.
async fn some_of_everything(store: &SqliteMetaStore) -> (BucketId, ChannelName) {
    let b = bucket(store).await;
    store.commit_object(object(b, "a", b"text"), Wall(2)).await.expect("stored");
    let channel = ChannelName::new("cam").expect("valid");
    let config = ChannelConfig::default();
    store.put_channel(b, &channel, config, true, Wall(3)).await.expect("free");
    let request = ClaimRequest {
        bucket: b,
        channel: channel.clone(),
        connection: ConnectionId(1),
        remote_addr: "192.0.2.1:5".into(),
        started: Wall(4),
        playlist_name: None,
    };
    store.claim(request).await.expect("free");
    (b, channel)
}

// ---- durability ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let db = database();
    let store = open(&db.path);
    let (b, channel) = some_of_everything(&store).await;
    let before = store.audit_objects(None, 10).await;
    store.close().await.expect("closed");
    let log = db.path.with_extension("db-wal");
    assert!(!log.exists() || log.metadata().expect("readable").len() == 0, "close folds the log into the database");

    let store = open(&db.path);
    assert_eq!(store.audit_objects(None, 10).await, before);
    assert!(store.access_key("id").await.expect("readable").is_some());
    assert!(store.open_connection(b, &channel).await.expect("readable").is_some());
    assert_eq!(store.end_lost_connections().await, Ok(1));
    assert_eq!(store.audit_backend().await, Ok(vec![]));
}

#[tokio::test]
async fn dropped_store_has_committed_what_it_took() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let expected: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    join_all(expected.iter().map(|key| store.commit_object(object(b, key, b"x"), Wall(2)))).await;
    drop(store);
    assert_eq!(names(&open(&db.path), b).await, expected);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_at_any_moment() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let mut expected = Vec::new();
    for round in 0..5 {
        let keys: Vec<String> = (0..8).map(|n| format!("{round}-{n}")).collect();
        for put in join_all(keys.iter().map(|key| store.commit_object(object(b, key, b"x"), Wall(2)))).await {
            put.expect("stored");
        }
        expected.extend(keys);
        // The files as a crash at this moment leaves them. The shared-memory index does not survive one.
        let crashed = database();
        for suffix in ["db", "db-wal"] {
            std::fs::copy(db.path.with_extension(suffix), crashed.path.with_extension(suffix)).expect("copied");
        }
        let recovered = open(&crashed.path);
        assert_eq!(names(&recovered, b).await, expected, "round {round}");
        assert_eq!(recovered.audit_backend().await, Ok(vec![]));
    }
}

#[tokio::test]
async fn a_commit_that_was_cut_off_in_the_log_is_as_if_it_never_was() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "first", b"x"), Wall(2)).await.expect("stored");
    let log = db.path.with_extension("db-wal");
    let before = std::fs::read(&log).expect("readable");
    store.commit_object(object(b, "second", &[7; 9_000]), Wall(2)).await.expect("stored");
    let longer = std::fs::read(&log).expect("readable");
    // A log that began anew has old bytes behind its end.
    let is_new = |at: &usize| longer.get(*at) != before.get(*at);
    let from = (0..longer.len()).find(is_new).expect("it was written to");
    let last = (0..longer.len()).rfind(is_new).expect("likewise");
    for cut in [from + 1, from + 5_000, last] {
        let crashed = database();
        std::fs::copy(&db.path, &crashed.path).expect("copied");
        std::fs::write(crashed.path.with_extension("db-wal"), &longer[..cut]).expect("written");
        let recovered = open(&crashed.path);
        assert_eq!(names(&recovered, b).await, ["first"], "cut at {cut} of {}", longer.len());
        assert_eq!(recovered.audit_backend().await, Ok(vec![]));
    }
}

#[tokio::test]
async fn close_commits_what_waits() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let (release, held) = oneshot::channel::<()>();
    let slow = store.writer.submit("test", Scope::Everything, move |_| {
        let _ = held.blocking_recv();
        Ok(())
    });
    let mut slow = Box::pin(slow);
    assert!(futures_util::poll!(&mut slow).is_pending());
    let mut put = Box::pin(store.commit_object(object(b, "a", b"x"), Wall(2)));
    assert!(futures_util::poll!(&mut put).is_pending());
    let mut close = Box::pin(store.close());
    assert!(futures_util::poll!(&mut close).is_pending());
    let late = store.commit_object(object(b, "late", b"x"), Wall(2)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    release.send(()).expect("the writer waits");
    slow.await.expect("committed");
    put.await.expect("committed");
    close.await.expect("closed");
    assert_eq!(names(&open(&db.path), b).await, ["a"]);
}

// ---- cost ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn listing_costs_its_page_and_not_what_prefixes_hold() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let keys = ["a", "b", "c"].iter().flat_map(|dir| (0..700).map(move |n| format!("{dir}/{n:03}")));
    let puts = join_all(keys.map(|key| store.commit_object(object(b, &key, b""), Wall(2)))).await;
    assert!(puts.iter().all(Result::is_ok));
    let query = |delimiter: &str| ListQuery {
        delimiter: Some(delimiter.into()),
        after: Some(b"a/100".to_vec()),
        limit: 2,
        ..ListQuery::default()
    };
    let conn = schema::open_reader(&db.path).expect("readable");
    for delimiter in ["/", ""] {
        let page = objects::list(&conn, b, &query(delimiter)).expect("readable");
        assert_eq!(page.entries.len(), 2);
    }
    let steps =
        conn.prepare_cached(&objects::list_sql()).expect("kept by the listing").get_status(StatementStatus::VmStep);
    assert!((1..300).contains(&steps), "two pages of 2 entries took {steps} steps over 2100 objects");
}

#[tokio::test]
async fn listing_uploads_costs_its_page_and_not_what_prefixes_hold() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let begun = (0..2_100u32).map(|n| {
        let key = format!("{}/{:03}", ["a", "b", "c"][n as usize / 700], n % 700);
        store.begin_upload(empty_upload(b, &key, UploadId(u128::from(n))), Wall(2))
    });
    assert!(join_all(begun).await.iter().all(Result::is_ok));
    let conn = schema::open_reader(&db.path).expect("readable");
    for delimiter in ["/", ""] {
        let query = UploadsQuery {
            delimiter: Some(delimiter.into()),
            after: Some(b"a/100".to_vec()),
            limit: 2,
            ..UploadsQuery::default()
        };
        assert_eq!(uploads::list(&conn, b, &query).expect("readable").entries.len(), 2);
    }
    let steps =
        conn.prepare_cached(uploads::LIST_SQL).expect("kept by the listing").get_status(StatementStatus::VmStep);
    assert!((1..300).contains(&steps), "two pages of 2 entries took {steps} steps over 2100 uploads");
}

#[tokio::test]
async fn usage_costs_the_same_whatever_the_bucket_holds() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let keys = (0..2_100).map(|n| format!("{n:04}"));
    let puts = join_all(keys.map(|key| store.commit_object(object(b, &key, b"four"), Wall(2)))).await;
    assert!(puts.iter().all(Result::is_ok));
    let conn = schema::open_reader(&db.path).expect("readable");
    let counted = usage::usage(&conn, b).expect("readable");
    assert_eq!((counted.objects, counted.bytes), (2_100, 8_400));
    for sql in [usage::SQL, usage::CLASSES_SQL] {
        let steps = conn.prepare_cached(sql).expect("kept by the call").get_status(StatementStatus::VmStep);
        assert!((1..50).contains(&steps), "took {steps} steps over 2100 objects");
    }
    // Neither does a look for the few bodies that are finely cut.
    let pieces = || (0..40).map(|n| Extent::Blob { id: BlobId(n), offset: 0, length: 10 }).collect();
    let mut fine = object(b, "0100", b"");
    (fine.object.size, fine.object.extents) = (400, pieces());
    store.commit_object(fine, Wall(3)).await.expect("stored");
    assert_eq!(objects::finely_cut(&conn, None, 9).expect("readable").len(), 1);
    let kept = conn.prepare_cached(objects::FINELY_CUT_SQL).expect("kept by the call");
    let steps = kept.get_status(StatementStatus::VmStep);
    assert!((1..50).contains(&steps), "took {steps} steps over 2100 objects");
}

#[tokio::test]
async fn statements_are_parsed_once_and_not_for_every_value() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "a", b"x"), Wall(2)).await.expect("stored");
    let conn = schema::open_reader(&db.path).expect("readable");
    sealing::register(&conn, &MasterKeys::default()).expect("registered");
    for key in ["a", "b", "c"] {
        objects::object(&conn, b, &ObjectKey::new(key).expect("valid")).expect("readable");
    }
    let statement = conn.prepare_cached(&objects::object_sql()).expect("kept by the reads");
    assert_eq!(statement.get_status(StatementStatus::Run), 3);
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    statement.discard();
}

// ---- the file and its schema ---------------------------------------------------------------------------------

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let db = database();
    std::fs::write(&db.path, b"").expect("written");
    std::fs::set_permissions(&db.path, std::fs::Permissions::from_mode(0o644)).expect("set");
    for _ in 0..2 {
        let store = open(&db.path);
        store.put_access_key("a", "id", "secret", Wall(1)).await.expect("stored");
        for suffix in ["db", "db-wal", "db-shm"] {
            let mode = db.path.with_extension(suffix).metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{suffix}");
        }
        drop(store);
    }
}

#[tokio::test]
async fn every_commit_is_synced() {
    let db = database();
    let store = open(&db.path);
    let pragmas = store.writer.submit("test", Scope::Everything, |conn| {
        let text = |name| conn.pragma_query_value(None, name, |row| row.get::<_, String>(0));
        let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((text("journal_mode")?, number("synchronous")?, number("foreign_keys")?))
    });
    assert_eq!(pragmas.await, Ok(("wal".into(), 2, 1)));
}

#[test]
fn foreign_file_is_corrupt_and_missing_directory_unavailable() {
    let db = database();
    std::fs::write(&db.path, vec![b'x'; 8_192]).expect("written");
    let opened = SqliteMetaStore::open(&db.path, Arc::new(SystemClock::new()));
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
    let nowhere = db.path.with_file_name("none").join("meta.db");
    let opened = SqliteMetaStore::open(&nowhere, Arc::new(SystemClock::new()));
    assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");
}

#[tokio::test]
async fn damaged_pages_are_reported_and_not_answered() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    for n in 0..200 {
        store.commit_object(object(b, &format!("{n:03}"), &[7; 100]), Wall(2)).await.expect("stored");
    }
    store.close().await.expect("closed");
    let root: usize = {
        let conn = schema::open_reader(&db.path).expect("readable");
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'object'";
        conn.query_row(sql, [], |row| row.get::<_, u32>(0)).expect("there") as usize
    };
    let mut bytes = std::fs::read(&db.path).expect("readable");
    bytes[(root - 1) * 4_096..root * 4_096].fill(0xa5);
    std::fs::write(&db.path, bytes).expect("written");
    let store = open(&db.path);
    let listed = store.list_objects(b, &ListQuery { limit: 1_000, ..ListQuery::default() }).await;
    assert!(matches!(listed, Err(StoreError::Corrupt(_))), "{listed:?}");
    assert_ne!(store.audit_backend().await.unwrap_or_else(|e| vec![e.to_string()]), Vec::<String>::new());
}

#[tokio::test]
async fn the_check_finds_what_contradicts_itself() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "a", b"text"), Wall(2)).await.expect("stored");
    for (damage, said) in [
        ("UPDATE object SET size = 5", "size is not the sum"),
        ("UPDATE bucket_usage SET objects = objects + 1", "counters are not"),
        ("INSERT INTO class_usage SELECT id, 2, 1, 0 FROM bucket", "counters of a storage class"),
        ("DELETE FROM class_usage; UPDATE object SET storage_class = 3", "counters of a storage class"),
        ("INSERT INTO extent (body, ordinal, length, bytes) VALUES (77, 0, 1, x'00')", "extents of no object"),
        (
            "INSERT INTO upload (bucket, key, id, initiated_ms) SELECT id, x'61', zeroblob(16), 1 FROM bucket; \
             INSERT INTO part (upload, number, size, modified_ms, md5, crc64, body) \
             VALUES (zeroblob(16), 1, 9, 1, zeroblob(16), 0, 77)",
            "parts whose size is not the sum",
        ),
        (
            "INSERT INTO part (upload, number, size, modified_ms, md5, crc64, body) \
             VALUES (zeroblob(16), 2, 4, 1, zeroblob(16), 0, 1)",
            "bodies of several",
        ),
        ("UPDATE extent SET bytes = x'0102' WHERE length = 4", "inline extents whose length"),
        (
            "INSERT INTO extent (body, ordinal, length, blob, start) VALUES (1, 9, 1, zeroblob(16), 0); \
          INSERT INTO garbage (blob, since_ms, taken) VALUES (zeroblob(16), 1, 0)",
            "named and garbage",
        ),
    ] {
        store
            .writer
            .submit("test", Scope::Everything, move |conn| Ok(conn.execute_batch(damage)?))
            .await
            .expect("done");
        let faults = store.audit_backend().await.expect("readable");
        assert!(faults.iter().any(|fault| fault.contains(said)), "{said}: {faults:?}");
    }
}
