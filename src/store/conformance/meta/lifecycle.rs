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

    let all = vec![(films, rules("b")), (music, rules("c"))];
    assert_eq!(s.list_lifecycles(None, 9).await, Ok(all.clone()));
    assert_eq!(s.list_lifecycles(None, 1).await, Ok(all[..1].to_vec()));
    assert_eq!(s.list_lifecycles(Some(films), 9).await, Ok(all[1..].to_vec()));

    s.set_bucket_lifecycle(films, Lifecycle::default()).await.expect("there");
    s.delete_bucket(music).await.expect("empty");
    assert_eq!(s.list_lifecycles(None, 9).await, Ok(vec![]));
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
        ListEntry::Object(object) => SeenObject::of(&object),
        ListEntry::Prefix(prefix) => panic!("{prefix:?}"),
    });
    let seen: Vec<SeenObject> = seen.collect();
    put(s, object(b, "b", vec![inline("b")]), 6).await;
    put(s, object(b, "c", vec![inline("other")]), 5).await;
    let unknown = SeenObject { key: key("x"), ..seen[0].clone() };
    assert_eq!(s.expire_objects(b, [seen, vec![unknown]].concat(), Wall(7)).await, Ok(2));
    for (name, is_there) in [("a", false), ("b", true), ("c", true), ("d", false)] {
        assert_eq!(exists(s, b, name).await, is_there, "{name}");
    }
    assert_eq!(state(s, 1).await, BlobState::Garbage);
}

pub(super) async fn a_move_changes_the_class_alone(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = put(s, object(b, "a", vec![inline("text")]), 5).await;
    let seen = SeenObject { key: made.key.clone(), last_modified: made.last_modified, etag: made.etag };
    let stale = SeenObject { last_modified: Wall(4), ..seen.clone() };
    assert_eq!(s.move_objects(b, vec![stale], StorageClass::Archive).await, Ok(0));
    assert_eq!(s.move_objects(b, vec![seen], StorageClass::ColdArchive).await, Ok(1));
    let moved = s.object(b, &made.key).await.expect("readable").expect("there");
    assert_eq!(moved, ObjectRecord { storage_class: StorageClass::ColdArchive, ..made });
}
