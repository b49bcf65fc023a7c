//! Rows that were read before they changed: whatever a backend remembers, a read that begins after a change was acknowledged
//! sees the change (I14).

use std::cell::Cell;

use super::*;

async fn films(s: &dyn MetaStore) -> Arc<BucketRecord> {
    s.bucket(&bucket_name("films")).await.expect("readable").expect("there")
}

/// The current object, read in both ways.
async fn current(s: &dyn MetaStore, b: BucketId, name: &str) -> Option<ObjectRecord> {
    let object = s.object(b, &key(name)).await.expect("readable");
    let newest = s.object_version(b, &key(name), None).await.expect("readable");
    match newest {
        Some(Versioned::Object(newest)) => assert_eq!(Some(&*newest), object.as_ref()),
        other => assert_eq!(object, None, "{other:?}"),
    }
    object
}

async fn text(s: &dyn MetaStore, b: BucketId, name: &str) -> String {
    let extents = current(s, b, name).await.map_or(Vec::new(), |object| object.extents);
    extents.iter().map(|extent| format!("{extent:?}")).collect::<Vec<_>>().join(" ")
}

pub(super) async fn keys_are_read_as_they_are_after_each_change(s: &dyn MetaStore) {
    let enabled = async || s.access_key("id").await.expect("readable").map(|key| key.enabled);
    let session = async || s.session_key("STS.a").await.expect("readable").is_some();
    assert_eq!((enabled().await, session().await), (None, false));
    s.put_access_key("a", "id", "secret", Wall(1)).await.expect("new");
    let new = |expires| NewSessionKey {
        id: "STS.a".into(),
        secret: "s".into(),
        token_sha256: [7; 32],
        expires: Wall(expires),
        policy: None,
    };
    s.put_session_key("id", new(9), Wall(1)).await.expect("new");
    assert_eq!((enabled().await, session().await), (Some(true), true));
    s.disable_access_key("id").await.expect("known");
    assert_eq!((enabled().await, session().await), (Some(false), false));
    s.put_access_key("a", "id", "secret", Wall(2)).await.expect("enabled again");
    s.put_session_key("id", new(9), Wall(2)).await.expect("new");
    assert_eq!((enabled().await, session().await), (Some(true), true));
    s.forget_session_keys(Wall(10), 9).await.expect("done");
    assert_eq!((enabled().await, session().await), (Some(true), false));
}

pub(super) async fn buckets_are_read_as_they_are_after_each_change(s: &dyn MetaStore) {
    assert_eq!(s.bucket(&bucket_name("films")).await, Ok(None));
    let id = bucket(s, "films").await;
    assert_eq!(films(s).await.acl, Acl::Private);
    s.set_bucket_acl(id, Acl::PublicRead).await.expect("there");
    assert_eq!(films(s).await.acl, Acl::PublicRead);
    s.set_bucket_cors(id, CorsConfig { response_vary: true, ..CorsConfig::default() }).await.expect("there");
    assert!(films(s).await.cors.response_vary);
    s.set_bucket_tags(id, vec![tag("a", "1")]).await.expect("there");
    assert_eq!(films(s).await.tags, [tag("a", "1")]);
    s.set_bucket_setting(id, BucketSetting::Policy(Some("{}".into()))).await.expect("there");
    assert_eq!(films(s).await.settings.policy.as_deref(), Some("{}"));
    s.set_bucket_versioning(id, Versioning::Enabled).await.expect("there");
    assert_eq!(films(s).await.versioning, Versioning::Enabled);
    s.delete_bucket(id).await.expect("empty");
    assert_eq!(s.bucket(&bucket_name("films")).await, Ok(None));
    let again = bucket(s, "films").await;
    assert_eq!((films(s).await.id, films(s).await.settings.clone()), (again, BucketSettings::default()));
}

pub(super) async fn objects_are_read_as_they_are_after_each_change(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let (name, now) = (key("a"), Wall(5));
    assert_eq!(current(s, b, "a").await, None);
    let mut made = object(b, "a", vec![in_blob(1, 3)]);
    made.storage_class = StorageClass::ColdArchive;
    let made = put(s, made, 1).await;
    assert_eq!(current(s, b, "a").await, Some(made.clone()));
    s.set_object_acl(b, &name, None, Some(Acl::PublicRead)).await.expect("there");
    assert_eq!(current(s, b, "a").await.expect("there").acl, Some(Acl::PublicRead));
    s.set_object_tags(b, &name, None, vec![tag("a", "1")]).await.expect("there");
    assert_eq!(current(s, b, "a").await.expect("there").tags, [tag("a", "1")]);
    s.restore_object(b, &name, None, Wall(100), now).await.expect("archived");
    assert_eq!(current(s, b, "a").await.expect("there").attributes.restored_until_ms, Some(100));
    s.set_object_lock(b, &name, None, LockChange::LegalHold(true), false, now).await.expect("there");
    assert_eq!(current(s, b, "a").await.expect("there").attributes.legal_hold, Some(true));
    s.set_object_lock(b, &name, None, LockChange::LegalHold(false), false, now).await.expect("there");
    let swap = ExtentSwap { bucket: b, key: name.clone(), before: made.extents, after: vec![in_blob(2, 3)] };
    assert_eq!(s.swap_extents(swap, now).await, Ok(true));
    let swapped = current(s, b, "a").await.expect("there");
    assert_eq!(swapped.extents, [in_blob(2, 3)]);
    let seen = Seen { key: name.clone(), what: SeenAs::Current(swapped.etag), last_modified: swapped.last_modified };
    assert_eq!(s.change_class(b, vec![seen.clone()], StorageClass::Archive).await, Ok(1));
    assert_eq!(current(s, b, "a").await.expect("there").storage_class, StorageClass::Archive);
    assert_eq!(s.expire(b, vec![Expiry { seen, marker: version_id(1) }], now).await, Ok(1));
    assert_eq!(current(s, b, "a").await, None);

    let mut first = object(b, "a", vec![inline("one")]);
    first.kind = ObjectKind::Appendable;
    s.commit_append(AppendCommit { first: first.clone(), position: 0 }, now).await.expect("new");
    assert_eq!(current(s, b, "a").await.expect("there").size, 3);
    s.commit_append(AppendCommit { first, position: 3 }, now).await.expect("longer");
    assert_eq!(current(s, b, "a").await.expect("there").size, 6);
    let refused = ObjectCommit { object: object(b, "a", vec![]), condition: WriteCondition::IfAbsent };
    assert!(s.commit_object(refused, now).await.is_err());
    assert_eq!(current(s, b, "a").await.expect("there").size, 6, "nothing has changed");
    delete(s, b, "a", 6).await;
    assert_eq!(current(s, b, "a").await, None);
}

pub(super) async fn versions_come_and_go_under_a_key_that_was_read(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![inline("null")]), 1).await;
    let null = text(s, b, "a").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    s.begin_upload(upload_record(b, "a", 1), Wall(2)).await.expect("open");
    let part = part(1, vec![inline("part")]);
    let commit = PartCommit { bucket: b, key: key("a"), upload: upload_id(1), part };
    s.commit_part(commit, Wall(2)).await.expect("a part");
    assert_eq!(text(s, b, "a").await, null, "an open upload is nothing yet");
    let commit = CompleteCommit {
        bucket: b,
        key: key("a"),
        upload: upload_id(1),
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: Some(version_id(3)),
        expected: ExpectedObject::default(),
    };
    s.complete_upload(commit, Wall(3)).await.expect("complete");
    assert!(text(s, b, "a").await.contains("part"));
    let remove = async |version, marker| {
        let targets = vec![DeleteTarget { key: key("a"), version, marker: version_id(marker) }];
        s.delete_objects(DeleteCommit { bucket: b, targets, bypass_governance: false }, Wall(4)).await.expect("done")
    };
    remove(None, 4).await;
    assert_eq!(text(s, b, "a").await, "");
    remove(Some(VersionName::Id(version_id(4))), 5).await;
    assert!(text(s, b, "a").await.contains("part"), "the marker went");
    remove(Some(VersionName::Id(version_id(3))), 6).await;
    assert_eq!(text(s, b, "a").await, null);
}

pub(super) async fn live_objects_are_read_as_they_are_after_each_commit(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    channel(s, b, "ch").await;
    let epoch = claim(s, b, "ch", 1).await.epoch;
    for n in 1..5u64 {
        let name_ms = n.cast_signed();
        assert_eq!(current(s, b, &format!("ch/{n}.ts")).await, None);
        s.commit_fragment(fragment_commit(b, "ch", (1, epoch), name_ms, n - 1), Wall(name_ms)).await.expect("next");
        assert!(text(s, b, "ch/playlist.m3u8").await.contains(&format!("{n}.ts")));
        assert!(current(s, b, &format!("ch/{n}.ts")).await.is_some());
    }
}

pub(super) async fn readers_beside_a_writer_never_go_back(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 1)]), 1).await;
    // The size tells which write it is.
    let (floor, done) = (Cell::new(1), Cell::new(false));
    let write = async {
        for n in 2..60 {
            put(s, object(b, "a", vec![in_blob(1, n)]), 2).await;
            floor.set(floor.get().max(n));
        }
        done.set(true);
    };
    let read = async || {
        while !done.get() {
            let at_least = floor.get();
            let found = s.object(b, &key("a")).await.expect("readable").expect("there").size;
            assert!(found >= at_least, "{found} after {at_least}");
            floor.set(floor.get().max(found));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(write, read(), read());
}
