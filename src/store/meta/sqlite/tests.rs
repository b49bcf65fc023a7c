//! What is SQLite's own: durability over restarts, shared commits, failures, the file and its schema. The meaning of the
//! port's methods is tested by `store::conformance::meta`.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::join_all;
use rusqlite::{Connection, StatementStatus};
use tokio::sync::oneshot;

use super::error::Sql;
use super::query::run;
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::limits;
use crate::store::records::testbed::inline_object;

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
    let config = ChannelConfig {
        description: String::new(),
        display_name: None,
        status: ChannelStatus::Enabled,
        frag_duration: 5,
        frag_count: 3,
        playlist_name: "playlist.m3u8".into(),
        snapshot: None,
    };
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
    let whole = std::fs::read(&log).expect("readable").len();
    store.commit_object(object(b, "second", &[7; 9_000]), Wall(2)).await.expect("stored");
    let longer = std::fs::read(&log).expect("readable");
    for cut in [whole + 1, whole + 5_000, longer.len() - 1] {
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

// ---- the writer ----------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_commands_share_commits() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let before = store.writer_stats();
    // While the writer is held up, all the others gather behind it.
    let (release, held) = oneshot::channel::<()>();
    let blocker = store.writer.submit("test", Scope::Everything, move |_| {
        let _ = held.blocking_recv();
        Ok(())
    });
    let puts = (0..64).map(|n| {
        let store = store.clone();
        async move { store.commit_object(object(b, &format!("{n:02}"), b"x"), Wall(2)).await }
    });
    let gather = async {
        let mut puts = Box::pin(join_all(puts));
        assert!(futures_util::poll!(&mut puts).is_pending(), "all of them are queued now");
        release.send(()).expect("the writer waits");
        puts.await
    };
    let (blocked, puts) = tokio::join!(blocker, gather);
    blocked.expect("committed");
    assert!(puts.iter().all(Result::is_ok));

    let after = store.writer_stats();
    assert_eq!(after.commands - before.commands, 65);
    assert!(after.commits - before.commits <= 3, "{before:?} {after:?}");
    assert_eq!(names(&store, b).await.len(), 64);
    drop(store);
    assert_eq!(names(&open(&db.path), b).await.len(), 64, "all are durable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_on_many_threads_all_become_durable() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let tasks = crate::task::TaskSet::new();
    for task in 0..64 {
        let store = store.clone();
        tasks.spawn("test-put", async move {
            for n in 0..4 {
                let key = format!("{task:02}-{n}");
                let put = store.commit_object(object(b, &key, b"x"), Wall(2)).await.expect("stored");
                // An acknowledged write is seen by every read that begins later.
                assert_eq!(store.object(b, &put.key).await, Ok(Some(put)));
            }
        });
    }
    tasks.join().await;
    assert_eq!(names(&store, b).await.len(), 256);
    let stats = store.writer_stats();
    assert!(stats.commits < stats.commands, "{stats:?}");
}

#[tokio::test]
async fn failing_command_rolls_back_alone() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let failing = store.writer.submit("test", Scope::Everything, move |conn| -> Sql<()> {
        objects::commit(conn, object(b, "half", b"x"), Wall(2))?;
        Err(StoreError::PreconditionFailed.into())
    });
    let panicking = store.writer.submit("test", Scope::Everything, move |conn| -> Sql<()> {
        objects::commit(conn, object(b, "third", b"x"), Wall(2))?;
        panic!("on purpose")
    });
    let (first, failed, panicked, last) = tokio::join!(
        store.commit_object(object(b, "a", b"x"), Wall(2)),
        failing,
        panicking,
        store.commit_object(object(b, "b", b"x"), Wall(2)),
    );
    assert!(first.is_ok() && last.is_ok());
    assert_eq!(failed, Err(StoreError::PreconditionFailed));
    assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
    assert_eq!(names(&store, b).await, ["a", "b"]);
}

#[tokio::test]
async fn failed_commit_is_unavailable_for_the_whole_batch_and_the_writer_goes_on() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let (release, held) = oneshot::channel::<()>();
    let blocker = store.writer.submit("test", Scope::Everything, move |_| {
        let _ = held.blocking_recv();
        Ok(())
    });
    // A violated reference that is only judged at COMMIT stands for any failure there.
    let breaker = store.writer.submit("test", Scope::Everything, move |conn| {
        run(conn, "PRAGMA defer_foreign_keys = ON", [])?;
        run(conn, "INSERT INTO channel_live (bucket, channel, epoch, next_sequence) VALUES (99, x'00', 1, 0)", [])?;
        Ok(())
    });
    let gather = async {
        let mut others = Box::pin(futures_util::future::join3(
            store.commit_object(object(b, "a", b"x"), Wall(2)),
            breaker,
            store.disable_access_key("unknown"),
        ));
        assert!(futures_util::poll!(&mut others).is_pending(), "all of them are queued now");
        release.send(()).expect("the writer waits");
        others.await
    };
    let (_, (put, broken, refused)) = tokio::join!(blocker, gather);
    assert!(matches!(put, Err(StoreError::Unavailable(_))), "{put:?}");
    assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "what it judged by is gone: {refused:?}");
    assert_eq!(names(&store, b).await, Vec::<String>::new());
    store.commit_object(object(b, "b", b"x"), Wall(2)).await.expect("the writer goes on");
    assert_eq!(names(&store, b).await, ["b"]);
}

/// A batch that cannot begin, because another process holds the database, hears that, and the next one goes well.
#[tokio::test]
async fn another_process_that_holds_the_database_is_named_and_waited_for() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let brief = |conn: &Connection| Ok(conn.busy_timeout(std::time::Duration::ZERO)?);
    store.writer.submit("test", Scope::Nothing, brief).await.expect("a setting");
    let other = Connection::open(&db.path).expect("the same file");
    other.execute_batch("BEGIN IMMEDIATE").expect("free");
    let held = store.commit_object(object(b, "a", b"x"), Wall(2)).await;
    assert_eq!(held, Err(StoreError::Unavailable("another process holds the metadata database".into())));
    assert_eq!(names(&store, b).await, Vec::<String>::new(), "reading goes on");
    other.execute_batch("ROLLBACK").expect("held");
    store.commit_object(object(b, "a", b"x"), Wall(2)).await.expect("free again");
    assert_eq!(names(&store, b).await, ["a"]);
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let page_limit = |pages: u32| {
        store
            .writer
            .submit("test", Scope::Everything, move |conn| Ok(conn.pragma_update(None, "max_page_count", pages)?))
    };
    page_limit(1).await.expect("the limit becomes the present size");
    let mut refused = 0;
    for n in 0..20 {
        match store.commit_object(object(b, &format!("{n:02}"), &[7; 20_000]), Wall(2)).await {
            Ok(_) => {}
            Err(StoreError::Full) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refused >= 19, "{refused}");
    assert_eq!(names(&store, b).await.len(), 20 - refused);
    assert_eq!(store.audit_backend().await, Ok(vec![]));
    page_limit(1_000_000).await.expect("room again");
    store.commit_object(object(b, "last", &[7; 20_000]), Wall(2)).await.expect("stored");
}

#[tokio::test]
async fn full_queue_makes_the_caller_wait_to_its_deadline() {
    let db = database();
    let clock = ManualClock::new(Wall(0));
    let store = SqliteMetaStore::open_with(&db.path, Arc::new(clock.clone()), 2, Duration::from_secs(3));
    let store = store.expect("a fresh database");
    let b = bucket(&store).await;
    let (running, began) = oneshot::channel::<()>();
    let (release, held) = oneshot::channel::<()>();
    let mut blocker = Box::pin(store.writer.submit("test", Scope::Everything, move |_| {
        let _ = running.send(());
        let _ = held.blocking_recv();
        Ok(())
    }));
    assert!(futures_util::poll!(&mut blocker).is_pending());
    began.await.expect("the writer is busy now");
    let put = |key: &str| Box::pin(store.commit_object(object(b, key, b"x"), Wall(2)));
    let (mut first, mut second, mut third, mut fourth) = (put("1"), put("2"), put("3"), put("4"));
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(futures_util::poll!(waiting).is_pending());
    }
    clock.advance(Duration::from_secs(2));
    assert!(futures_util::poll!(&mut third).is_pending(), "its deadline has not come");
    assert!(futures_util::poll!(&mut fourth).is_pending());
    clock.advance(Duration::from_secs(1));
    let refused = third.await;
    assert_eq!(refused, Err(StoreError::Unavailable("the metadata queue is full".into())));
    release.send(()).expect("the writer waits");
    for waiting in [first, second, fourth] {
        waiting.await.expect("had a place in time");
    }
    blocker.await.expect("committed");
    assert_eq!(names(&store, b).await, ["1", "2", "4"]);
}

#[tokio::test]
async fn reads_go_on_while_the_writer_is_busy() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "a", b"x"), Wall(2)).await.expect("stored");
    let (running, began) = oneshot::channel::<()>();
    let (release, held) = oneshot::channel::<()>();
    let mut blocker = Box::pin(store.writer.submit("test", Scope::Everything, move |conn| {
        objects::commit(conn, object(b, "b", b"x"), Wall(2))?;
        let _ = running.send(());
        let _ = held.blocking_recv();
        Ok(())
    }));
    assert!(futures_util::poll!(&mut blocker).is_pending());
    began.await.expect("a write transaction is open now");
    assert_eq!(names(&store, b).await, ["a"], "a scan, and nothing uncommitted in it");
    let key = ObjectKey::new("a").expect("valid");
    assert!(store.object(b, &key).await.expect("a point read").is_some());
    release.send(()).expect("the writer waits");
    blocker.await.expect("committed");
    assert_eq!(names(&store, b).await, ["a", "b"]);
}

#[tokio::test]
async fn a_caller_that_went_away_does_not_undo_its_command() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let mut put = Box::pin(store.commit_object(object(b, "a", b"x"), Wall(2)));
    assert!(futures_util::poll!(&mut put).is_pending());
    drop(put);
    // Commands are committed in order.
    store.commit_object(object(b, "b", b"x"), Wall(2)).await.expect("stored");
    assert_eq!(names(&store, b).await, ["a", "b"]);
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
        store.begin_upload(upload(b, &key, n), Wall(2))
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

fn upload(bucket: BucketId, key: &str, id: u32) -> UploadRecord {
    UploadRecord {
        bucket,
        key: ObjectKey::new(key).expect("valid"),
        id: UploadId(u128::from(id)),
        initiated: Wall(0),
        acl: None,
        headers: ContentHeaders::default(),
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        checksum: None,
    }
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
pub(super) const ROWS_OF_V2: &str = "
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
pub(super) const ROWS_OF_V1: &str = "
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
async fn database_of_a_newer_version_is_refused() {
    let db = database();
    drop(open(&db.path));
    let conn = Connection::open(&db.path).expect("opened");
    conn.execute_batch("INSERT INTO refinery_schema_history VALUES (999, 'future', '2026-01-01T00:00:00Z', '1')")
        .expect("written");
    drop(conn);
    let opened = SqliteMetaStore::open(&db.path, Arc::new(SystemClock::new()));
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
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
