use std::sync::atomic::AtomicBool;

use super::*;
use crate::clock::Wall;
use crate::store::meta::sqlite::SqliteMetaStore;
use crate::store::meta::sqlite::tests::{bucket, database, object, open};

fn name() -> BucketName {
    BucketName::new("films").expect("valid")
}

fn row(id: i64) -> BucketRecord {
    BucketRecord {
        id: BucketId(id),
        name: name(),
        owner: AccountId(1),
        owner_name: "owner".into(),
        acl: Acl::Private,
        created: Wall(1),
        cors: CorsConfig::default(),
        tags: Vec::new(),
        versioning: Versioning::Never,
        settings: BucketSettings::default(),
    }
}

/// Which row a read finds when the database has the row `stored`; and whether the database was asked.
fn read(cache: &Cache, stored: i64) -> (i64, bool) {
    let mut asked = false;
    let found = cache.bucket(&name(), || {
        asked = true;
        Ok(Some(row(stored)))
    });
    (found.expect("readable").expect("there").id.0, asked)
}

#[test]
fn a_row_is_remembered_until_it_may_have_changed() {
    let cache = Cache::new();
    assert_eq!([read(&cache, 1), read(&cache, 2)], [(1, true), (1, false)]);
    drop(cache.changing([Scope::Nothing, Scope::Keys].iter()));
    assert_eq!(read(&cache, 2), (1, false), "that was about something else");
    drop(cache.changing([Scope::Buckets, Scope::Buckets].iter()));
    assert_eq!([read(&cache, 2), read(&cache, 3)], [(2, true), (2, false)]);
}

#[test]
fn nothing_is_remembered_of_what_is_being_changed() {
    let cache = Cache::new();
    read(&cache, 1);
    let changing = cache.changing([Scope::Buckets].iter());
    assert_eq!([read(&cache, 2), read(&cache, 3)], [(2, true), (3, true)]);
    drop(changing);
    assert_eq!(read(&cache, 4), (4, true));
}

#[test]
fn a_row_that_was_read_before_a_change_and_kept_behind_it_is_not_found() {
    let cache = Cache::new();
    let late = cache.bucket(&name(), || {
        // The whole change happens while the reader holds its old row.
        drop(cache.changing([Scope::Buckets].iter()));
        assert_eq!(read(&cache, 2), (2, true));
        Ok(Some(row(1)))
    });
    assert_eq!(late.map(|found| found.map(|bucket| bucket.id)), Ok(Some(BucketId(1))), "it began before");
    assert_eq!(read(&cache, 2), (2, true));
}

#[test]
fn a_missing_row_and_a_failure_are_not_remembered() {
    let cache = Cache::new();
    assert_eq!(cache.bucket(&name(), || Ok(None)), Ok(None));
    let failure = StoreError::Unavailable("disk".into());
    assert_eq!(cache.bucket(&name(), || Err(failure.clone())), Err(failure));
    assert_eq!(read(&cache, 1), (1, true));
}

#[test]
fn of_two_rows_with_one_hash_neither_is_taken_for_the_other() {
    let cache = Cache::new();
    let other = BucketName::new("music").expect("valid");
    keep(&mut lock(&cache.buckets), cache.hasher.hash_one(&other), 0, &Arc::new(row(1)));
    assert_eq!(cache.bucket(&other, || Ok(None)), Ok(None));
}

/// The number that an object's body is.
async fn number(store: &SqliteMetaStore, b: BucketId, key: &ObjectKey) -> u64 {
    let found = store.object(b, key).await.expect("readable").expect("there");
    let [Extent::Inline(bytes)] = found.extents.as_slice() else { panic!("{found:?}") };
    std::str::from_utf8(bytes).expect("digits").parse().expect("digits")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_on_any_thread_sees_less_than_was_acknowledged_or_seen_before() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    let key = ObjectKey::new("a").expect("valid");
    store.commit_object(object(b, "a", b"0"), Wall(1)).await.expect("stored");
    let (floor, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let at_least = floor.load(Ordering::SeqCst);
                    let found = runtime.block_on(number(&store, b, &key));
                    assert!(found >= at_least, "{found} after {at_least}");
                    floor.fetch_max(found, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            for n in 1..=300u64 {
                let put = store.commit_object(object(b, "a", n.to_string().as_bytes()), Wall(2));
                // Whatever ends this thread ends the others.
                let put = runtime.block_on(put);
                floor.fetch_max(n, Ordering::SeqCst);
                if put.is_err() {
                    break;
                }
            }
            done.store(true, Ordering::SeqCst);
        });
    });
    assert_eq!(number(&store, b, &key).await, 300);
}

#[tokio::test]
async fn a_command_that_changes_more_than_it_declared_is_refused_in_debug_builds() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "a", b"x"), Wall(1)).await.expect("stored");
    for change in
        ["UPDATE object SET acl = 1", "DELETE FROM object", "UPDATE bucket SET acl = 1", "DELETE FROM access_key"]
    {
        let sneak = store.writer.submit("test", Scope::Nothing, move |conn| Ok(conn.execute_batch(change)?)).await;
        assert!(sneak.is_err(), "{change}");
    }
    let declared = store.cache.scope_of(b, &ObjectKey::new("a").expect("valid"));
    let change = "UPDATE object SET acl = 1";
    let done = store.writer.submit("test", declared, move |conn| Ok(conn.execute_batch(change)?)).await;
    assert_eq!(done, Ok(()));
}

#[tokio::test]
async fn a_hit_asks_the_database_nothing() {
    let db = database();
    let store = open(&db.path);
    let b = bucket(&store).await;
    store.commit_object(object(b, "a", b"x"), Wall(1)).await.expect("stored");
    let key = ObjectKey::new("a").expect("valid");
    let (row, found) = (store.bucket(&name()).await, store.object(b, &key).await);
    // What is in the file no longer matters to who has read it.
    let other = rusqlite::Connection::open(&db.path).expect("opened");
    other.execute_batch("DELETE FROM object; UPDATE bucket SET acl = 2").expect("changed behind the store's back");
    assert_eq!(store.bucket(&name()).await, row);
    assert_eq!(store.object(b, &key).await, found);
    let stored = found.expect("readable").expect("it was put above");
    assert_eq!(store.object_version(b, &key, None).await, Ok(Some(Versioned::Object(Arc::new(stored)))));
}
