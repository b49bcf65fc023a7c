use super::*;
use crate::store::lifecycle::{Due, LifecycleRule};

fn rules(id: &str) -> Lifecycle {
    let rule =
        LifecycleRule { id: id.into(), enabled: true, expiration: Some(Due::Days(3)), ..LifecycleRule::default() };
    Lifecycle { rules: vec![rule] }
}

pub(super) async fn rules_are_kept_beside_the_bucket_and_go_with_it(s: &dyn MetaStore) {
    let (films, music) = (bucket(s, "films").await, bucket(s, "music").await);
    assert_eq!(s.bucket_lifecycle(films).await, Ok(Lifecycle::default()));
    s.set_bucket_lifecycle(films, rules("a")).await.expect("there");
    s.set_bucket_lifecycle(films, rules("b")).await.expect("there");
    assert_eq!(s.bucket_lifecycle(films).await, Ok(rules("b")));
    assert_eq!(s.bucket_lifecycle(music).await, Ok(Lifecycle::default()));
    s.set_bucket_lifecycle(music, rules("c")).await.expect("there");

    s.set_bucket_versioning(music, Versioning::Enabled).await.expect("there");
    assert_eq!(s.next_lifecycle(None).await, Ok(Some((films, Versioning::Never, rules("b")))));
    assert_eq!(s.next_lifecycle(Some(films)).await, Ok(Some((music, Versioning::Enabled, rules("c")))));
    assert_eq!(s.next_lifecycle(Some(music)).await, Ok(None));

    s.set_bucket_lifecycle(films, Lifecycle::default()).await.expect("there");
    s.delete_bucket(music).await.expect("empty");
    assert_eq!(s.next_lifecycle(None).await, Ok(None));
    assert_eq!(s.set_bucket_lifecycle(music, rules("d")).await, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn only_what_is_still_as_it_was_seen_expires(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    for name in ["a", "b", "c"] {
        put(s, object(b, name, vec![inline(name)]), 5).await;
    }
    put(s, object(b, "d", vec![in_blob(1, 5)]), 5).await;
    let page = s.list_objects(b, &ListQuery { limit: 9, ..ListQuery::default() }).await.expect("readable");
    let seen = page.entries.into_iter().map(|entry| match entry {
        ListEntry::Object(object) => Expiry { seen: Seen::current(&object), marker: VersionId(1) },
        ListEntry::Prefix(prefix) => panic!("{prefix:?}"),
    });
    let seen: Vec<Expiry> = seen.collect();
    put(s, object(b, "b", vec![inline("b")]), 6).await;
    put(s, object(b, "c", vec![inline("other")]), 5).await;
    let mut unknown = seen[0].clone();
    unknown.seen.key = key("x");
    assert_eq!(s.expire(b, [seen, vec![unknown]].concat(), Wall(7)).await, Ok(2));
    for (name, is_there) in [("a", false), ("b", true), ("c", true), ("d", false)] {
        assert_eq!(exists(s, b, name).await, is_there, "{name}");
    }
    assert_eq!(state(s, 1).await, BlobState::Garbage);
}

pub(super) async fn a_move_changes_the_class_alone(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = put(s, object(b, "a", vec![inline("text")]), 5).await;
    let what = SeenAs::Current(made.etag);
    let seen = Seen { key: made.key.clone(), what, last_modified: made.last_modified };
    let stale = Seen { last_modified: Wall(4), ..seen.clone() };
    assert_eq!(s.change_class(b, vec![stale], StorageClass::Archive).await, Ok(0));
    assert_eq!(s.change_class(b, vec![seen], StorageClass::ColdArchive).await, Ok(1));
    let moved = s.object(b, &made.key).await.expect("readable").expect("there");
    assert_eq!(moved, ObjectRecord { storage_class: StorageClass::ColdArchive, ..made });
}

pub(super) async fn only_versions_that_are_still_as_they_were_seen_expire(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let id = |n: u128| VersionName::Id(VersionId(n));
    for (n, text) in [(1, "one"), (2, "two"), (3, "three")] {
        put(s, ObjectRecord { version: Some(VersionId(n)), ..object(b, "a", vec![inline(text)]) }, 10).await;
    }
    let expire = async |name: &str, what: SeenAs, at: i64| {
        let seen = Seen { key: key(name), what, last_modified: Wall(at) };
        s.expire(b, vec![Expiry { seen, marker: VersionId(99) }], Wall(20)).await.expect("a bucket")
    };
    assert_eq!(expire("a", SeenAs::Kept(id(3)), 10).await, 0, "it is the newest");
    assert_eq!(expire("a", SeenAs::Kept(id(2)), 9).await, 0, "another one by then");
    assert_eq!(expire("a", SeenAs::Kept(VersionName::Null), 10).await, 0, "there is none");
    assert_eq!(expire("a", SeenAs::LoneMarker(id(2)), 10).await, 0, "it is no marker");
    assert_eq!(expire("a", SeenAs::Kept(id(2)), 10).await, 1);
    let newest = s.object_version(b, &key("a"), None).await.expect("readable");
    assert!(matches!(newest, Some(Versioned::Object(object)) if object.version == Some(VersionId(3))));

    let target = DeleteTarget { key: key("m"), version: None, marker: VersionId(7) };
    let commit = DeleteCommit { bucket: b, targets: vec![target.clone()], bypass_governance: false };
    s.delete_objects(commit.clone(), Wall(11)).await.expect("a marker");
    assert_eq!(expire("m", SeenAs::Kept(id(7)), 11).await, 0, "it is the newest");
    let second = DeleteTarget { marker: VersionId(8), ..target };
    s.delete_objects(DeleteCommit { targets: vec![second], ..commit }, Wall(12)).await.expect("another");
    assert_eq!(expire("m", SeenAs::LoneMarker(id(8)), 12).await, 0, "it is not alone");
    assert_eq!(expire("m", SeenAs::Kept(id(7)), 11).await, 1);
    assert_eq!(expire("m", SeenAs::LoneMarker(id(8)), 12).await, 1);
    assert_eq!(s.object_version(b, &key("m"), None).await, Ok(None));
    assert_eq!(s.bucket_usage(b).await.expect("there").markers, 0);
}
