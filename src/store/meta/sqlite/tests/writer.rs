//! The one writer: shared commits, commands that fail alone, a queue that is full, a database that others hold.

use super::super::error::Sql;
use super::*;
use crate::clock::ManualClock;

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
