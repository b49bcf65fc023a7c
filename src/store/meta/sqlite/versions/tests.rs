//! What the two tables cost, and what the schema that brought them does to older rows.

use futures_util::future::join_all;
use rusqlite::{Connection, StatementStatus};

use super::*;
use crate::limits::META_QUEUE_MAX;
use crate::store::meta::sqlite::cache::Scope;
use crate::store::meta::sqlite::schema;
use crate::store::meta::sqlite::sealing;
use crate::store::meta::sqlite::tests::upgrades::{ROWS_OF_V1, ROWS_OF_V2};
use crate::store::meta::sqlite::tests::{bucket, database, object, open};
use crate::store::seal::MasterKeys;

fn id(number: u32) -> VersionId {
    VersionId(u128::from(number))
}

/// `dirs` times `keys` keys under `x/`, each with so many versions and a marker on top of every other.
async fn fill(store: &crate::store::meta::sqlite::SqliteMetaStore, dirs: u32, keys: u32, versions: u32) -> BucketId {
    let b = bucket(store).await;
    store.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let mut puts = Vec::new();
    for (dir, n) in (0..dirs).flat_map(|dir| (0..keys).map(move |n| (dir, n))) {
        for version in 1..=versions {
            let mut record = object(b, &format!("x{dir}/{n:03}"), b"").object;
            record.version = Some(id(version));
            puts.push(store.commit_object(ObjectCommit { object: record, condition: WriteCondition::Always }, Wall(2)));
            // More than the writer's queue takes would overtake one another.
            if puts.len() == META_QUEUE_MAX / 2 {
                assert!(join_all(std::mem::take(&mut puts)).await.iter().all(Result::is_ok));
            }
        }
    }
    assert!(join_all(puts).await.iter().all(Result::is_ok));
    let target = |dir: u32, n: u32| DeleteTarget {
        key: ObjectKey::new(format!("x{dir}/{n:03}")).expect("valid"),
        version: None,
        marker: id(1_000_000),
    };
    let targets = (0..dirs).flat_map(|dir| (0..keys).step_by(2).map(move |n| target(dir, n))).collect();
    store
        .delete_objects(DeleteCommit { bucket: b, targets, bypass_governance: false }, Wall(3))
        .await
        .expect("deleted");
    b
}

fn steps(conn: &Connection, sql: &str) -> i32 {
    let statement = conn.prepare_cached(sql).expect("kept by the call");
    assert!(statement.get_status(StatementStatus::Run) > 0, "it was not run: {sql}");
    statement.get_status(StatementStatus::VmStep)
}

#[tokio::test]
async fn listing_versions_costs_its_page() {
    let db = database();
    let store = open(&db.path);
    let b = fill(&store, 3, 200, 3).await;
    let conn = schema::open_reader(&db.path).expect("readable");
    for (delimiter, after_version) in [("/", None), ("", None), ("", Some(VersionName::Id(id(2))))] {
        let query = VersionsQuery {
            delimiter: Some(delimiter.into()),
            after: Some(b"x0/100".to_vec()),
            after_version,
            limit: 2,
            ..VersionsQuery::default()
        };
        assert_eq!(list(&conn, b, &query).expect("readable").entries.len(), 2);
    }
    for sql in list_sql() {
        let steps = steps(&conn, &sql);
        assert!((1..400).contains(&steps), "three pages of 2 entries took {steps} steps over 2100 rows: {sql}");
    }
}

#[tokio::test]
async fn a_page_within_one_key_does_not_walk_its_newer_versions() {
    let db = database();
    let store = open(&db.path);
    let b = fill(&store, 1, 1, 2_000).await;
    let conn = schema::open_reader(&db.path).expect("readable");
    let listed = |after_version: Option<VersionName>, limit: usize| {
        let after = after_version.map(|_| b"x0/000".to_vec());
        let query = VersionsQuery { after, after_version, limit, ..VersionsQuery::default() };
        list(&conn, b, &query).expect("readable").entries
    };
    let version_of = |entry: &VersionEntry| match entry {
        VersionEntry::Object { version: Some(version), .. } => VersionName::Id(*version),
        other => panic!("{other:?}"),
    };
    let all = listed(None, 3_000);
    let middle = version_of(&all[1_000]);
    assert_eq!(listed(Some(middle), 2), all[1_001..1_003]);
    let steps = steps(&conn, &rest_sql());
    assert!((1..200).contains(&steps), "took {steps} steps over 2001 versions");
}

#[tokio::test]
async fn a_version_is_found_by_its_identity_without_a_walk() {
    let db = database();
    let store = open(&db.path);
    let b = fill(&store, 1, 1, 2_000).await;
    let conn = schema::open_reader(&db.path).expect("readable");
    sealing::register(&conn, &MasterKeys::default()).expect("registered");
    let key = ObjectKey::new("x0/000").expect("valid");
    let found = version(&conn, b, &key, Some(VersionName::Id(id(5)))).expect("readable");
    assert!(matches!(found, Some(Versioned::Object(object)) if object.version == Some(id(5))));
    for sql in [MARKER_SQL.to_owned(), object_sql()] {
        let steps = steps(&conn, &sql);
        assert!((1..200).contains(&steps), "took {steps} steps over 2001 versions: {sql}");
    }
    assert!(matches!(version(&conn, b, &key, None).expect("readable"), Some(Versioned::Marker(_))));
}

#[tokio::test]
async fn an_audit_goes_on_where_it_was() {
    let db = database();
    let store = open(&db.path);
    let b = fill(&store, 1, 300, 3).await;
    let conn = schema::open_reader(&db.path).expect("readable");
    sealing::register(&conn, &MasterKeys::default()).expect("registered");
    let after = Some((b, ObjectKey::new("x0/010").expect("valid"), Some(id(1))));
    assert_eq!(audit(&conn, after, 2).expect("readable").len(), 2);
    let steps = steps(&conn, &audit_sql());
    assert!((1..1_000).contains(&steps), "took {steps} steps, and 725 versions follow");
}

#[tokio::test]
async fn the_check_finds_histories_that_cannot_be() {
    let db = database();
    let store = open(&db.path);
    let b = fill(&store, 1, 2, 2).await;
    assert_eq!(store.audit_backend().await, Ok(vec![]));
    for (damage, said) in [
        ("UPDATE version SET size = 9 WHERE marker = 0", "versions whose size"),
        ("DELETE FROM version WHERE marker = 1", "no delete marker"),
        ("UPDATE object SET version = (SELECT version FROM version WHERE key = object.key)", "of one identity"),
        ("UPDATE bucket_usage SET markers = markers + 1", "counters are not"),
    ] {
        store
            .writer
            .submit("test", Scope::Everything, move |conn| Ok(conn.execute_batch(damage)?))
            .await
            .expect("done");
        let faults = store.audit_backend().await.expect("readable");
        assert!(faults.iter().any(|fault| fault.contains(said)), "{said}: {faults:?}");
    }
    assert!(store.bucket_usage(b).await.is_ok());
}

/// What the fourth version wrote beside the rows of those before. Stays as it is when the schema moves on.
const ROWS_OF_V4: &str = "
    UPDATE bucket SET tags = '[{\"key\":\"b\",\"value\":\"1\"}]';
    UPDATE object SET tags = '[{\"key\":\"o\",\"value\":\"2\"}]';
    UPDATE upload SET tags = '[{\"key\":\"u\",\"value\":\"3\"}]';
";

fn migrate(conn: &mut Connection, version: i32) {
    let target = refinery::Target::Version(version);
    schema::embedded::migrations::runner().set_target(target).run(conn).expect("an older schema");
}

fn filled_to_v4(conn: &mut Connection) {
    migrate(conn, 1);
    conn.execute_batch(ROWS_OF_V1).expect("rows of the first version");
    migrate(conn, 2);
    conn.execute_batch(ROWS_OF_V2).expect("rows of the second version");
    migrate(conn, 4);
    conn.execute_batch(ROWS_OF_V4).expect("rows of the fourth version");
}

fn tags_of(tags: &[Tag]) -> Vec<(&str, &str)> {
    tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect()
}

#[tokio::test]
async fn objects_tags_and_uploads_of_the_fourth_version_are_kept() {
    let db = database();
    filled_to_v4(&mut Connection::open(&db.path).expect("opened"));
    let store = open(&db.path);
    let films = store.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there");
    assert_eq!((films.versioning, tags_of(&films.tags)), (Versioning::Never, vec![("b", "1")]));
    assert_eq!(films.settings, BucketSettings::default());
    let a = ObjectKey::new("a").expect("valid");
    let kept = store.object(films.id, &a).await.expect("readable").expect("there");
    assert_eq!((kept.size, kept.crc64, kept.last_modified, kept.version), (4, u64::MAX, Wall(7), None));
    assert_eq!((kept.kind, kept.storage_class), (ObjectKind::Normal, StorageClass::Standard));
    assert_eq!(kept.extents, [Extent::Inline(bytes::Bytes::from_static(b"text"))]);
    assert_eq!(tags_of(&kept.tags), [("o", "2")]);
    let upload = store.upload(films.id, &ObjectKey::new("u").expect("valid"), UploadId(0xab)).await.expect("readable");
    let upload = upload.expect("there");
    assert_eq!((tags_of(&upload.tags), upload.storage_class), (vec![("u", "3")], StorageClass::Standard));
    let usage = store.bucket_usage(films.id).await.expect("there");
    assert_eq!((usage.objects, usage.bytes, usage.markers, usage.uploads, usage.parts), (1, 4, 0, 1, 2));
    assert_eq!(store.audit_backend().await, Ok(vec![]));

    // What was there before is the null version from now on.
    store.set_bucket_versioning(films.id, Versioning::Enabled).await.expect("there");
    let target = DeleteTarget { key: a.clone(), version: None, marker: id(1) };
    store
        .delete_objects(DeleteCommit { bucket: films.id, targets: vec![target], bypass_governance: false }, Wall(20))
        .await
        .expect("deleted");
    let null = store.object_version(films.id, &a, Some(VersionName::Null)).await;
    assert_eq!(null, Ok(Some(Versioned::Object(Arc::new(kept)))));
    assert_eq!(store.audit_backend().await, Ok(vec![]));
}

/// What the fifth version wrote beside the rows of those before. Stays as it is when the schema moves on.
const ROWS_OF_V5: &str = "
    UPDATE bucket SET versioning = 2, settings = '{\"policy\":\"{}\"}';
    UPDATE object SET version = x'000000000000000000000000000000AD', storage_class = 2;
    INSERT INTO version (bucket, key, rank, marker, kind, size, modified_ms, etag, storage_class, body, crc64, tags)
        VALUES (3, x'61', 1, 0, 2, 3, 5, zeroblob(16), 1, 9, -1, '[{\"key\":\"v\",\"value\":\"4\"}]');
    INSERT INTO extent (body, ordinal, length, bytes) VALUES (9, 0, 3, x'6F6C64');
    INSERT INTO version (bucket, key, rank, marker, kind, size, modified_ms, etag, storage_class, version, crc64)
        VALUES (3, x'61', 2, 1, 0, 0, 6, x'', 0, x'000000000000000000000000000000AE', 0);
    UPDATE bucket_usage SET objects = 2, bytes = 7, markers = 1;
    UPDATE completed_upload SET version = x'000000000000000000000000000000AF';
";

#[tokio::test]
async fn rows_of_the_fifth_version_are_kept() {
    let db = database();
    {
        let mut conn = Connection::open(&db.path).expect("opened");
        filled_to_v4(&mut conn);
        migrate(&mut conn, 5);
        conn.execute_batch(ROWS_OF_V5).expect("rows of the fifth version");
    }
    let store = open(&db.path);
    let films = store.bucket(&BucketName::new("films").expect("valid")).await.expect("readable").expect("there");
    assert_eq!((films.versioning, films.settings.policy.as_deref()), (Versioning::Suspended, Some("{}")));
    let a = ObjectKey::new("a").expect("valid");
    let current = store.object(films.id, &a).await.expect("readable").expect("there");
    assert_eq!((current.version, current.storage_class), (Some(id(0xad)), StorageClass::Archive));
    let null = store.object_version(films.id, &a, Some(VersionName::Null)).await.expect("readable");
    let Some(Versioned::Object(null)) = null else { panic!("an object: {null:?}") };
    assert_eq!(
        (null.kind, null.last_modified, tags_of(&null.tags)),
        (ObjectKind::Appendable, Wall(5), vec![("v", "4")])
    );
    assert_eq!(null.extents, [Extent::Inline(bytes::Bytes::from_static(b"old"))]);
    let marker = store.object_version(films.id, &a, Some(VersionName::Id(id(0xae)))).await;
    let expected = DeleteMarker { version: Some(id(0xae)), last_modified: Wall(6) };
    assert_eq!(marker, Ok(Some(Versioned::Marker(expected))));
    assert_eq!(store.audit_backend().await, Ok(vec![]));
}
