//! Symlinks, storage classes, restores, finely cut bodies and quotas.

use super::*;

async fn read(s: &dyn MetaStore, bucket: BucketId, name: &str) -> ObjectRecord {
    s.object(bucket, &key(name)).await.expect("readable").expect("there")
}

fn of_class(bucket: BucketId, name: &str, class: StorageClass, length: usize) -> ObjectRecord {
    ObjectRecord { storage_class: class, ..object(bucket, name, vec![inline(&"x".repeat(length))]) }
}

async fn classes(s: &dyn MetaStore, bucket: BucketId) -> Vec<(u64, u64)> {
    let usage = s.bucket_usage(bucket).await.expect("there");
    let sums = usage.classes.iter().fold((0, 0), |(o, b), class| (o + class.objects, b + class.bytes));
    assert_eq!(sums, (usage.objects, usage.bytes), "the classes are all there is");
    usage.classes.iter().map(|class| (class.objects, class.bytes)).collect()
}

pub(super) async fn symlink_is_read_back_and_replaced(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let mut link = ObjectRecord { kind: ObjectKind::Symlink, ..object(b, "link", vec![]) };
    link.attributes.symlink = Some("a \"\u{e9}/b".into());
    let link = put(s, link, 5).await;
    assert_eq!(read(s, b, "link").await, link);
    assert_eq!(link.symlink_target(), Some(key("a \"\u{e9}/b")));
    let first = object(b, "link", vec![inline("x")]);
    let refused = s.commit_append(AppendCommit { first, position: 0 }, Wall(6)).await;
    assert_eq!(refused, Err(StoreError::NotAppendable));
    put(s, object(b, "link", vec![inline("x")]), 7).await;
    assert_eq!(read(s, b, "link").await.symlink_target(), None);
}

pub(super) async fn bucket_is_made_with_its_settings(s: &dyn MetaStore) {
    let owner = owner(s).await;
    let quota = BucketQuota { bytes: Some(5), objects: None };
    let settings = BucketSettings { storage_class: StorageClass::Archive, quota, ..BucketSettings::default() };
    let name = bucket_name("cold");
    let made = s.create_bucket_with(&name, owner, Acl::Private, settings.clone(), Wall(1)).await.expect("free");
    assert_eq!((&made.settings, made.versioning), (&settings, Versioning::Never));
    assert_eq!(s.bucket(&name).await, Ok(Some(made.into())));
    let again = s.create_bucket_with(&name, owner, Acl::Private, BucketSettings::default(), Wall(2)).await;
    assert_eq!(again, Err(StoreError::AlreadyExists(What::Bucket)));
    assert_eq!(s.bucket(&name).await.expect("readable").expect("there").settings, settings);
}

/// Locks hang on versions, so there is no moment in which the bucket has one without the other.
pub(super) async fn bucket_made_with_lock_keeps_versions(s: &dyn MetaStore) {
    let owner = owner(s).await;
    let settings = BucketSettings { object_lock: Some(ObjectLock::default()), ..BucketSettings::default() };
    let name = bucket_name("locked");
    let made = s.create_bucket_with(&name, owner, Acl::Private, settings.clone(), Wall(1)).await.expect("free");
    assert_eq!((&made.settings, made.versioning), (&settings, Versioning::Enabled));
    assert_eq!(s.bucket(&name).await, Ok(Some(made.clone().into())));
    let suspended = s.set_bucket_versioning(made.id, Versioning::Suspended).await;
    assert_eq!(suspended, Err(StoreError::PreconditionFailed));
}

pub(super) async fn usage_is_told_by_class(s: &dyn MetaStore) {
    use StorageClass::{Archive, DeepColdArchive, InfrequentAccess, Standard};
    let (b, other) = (bucket(s, "counted").await, bucket(s, "other").await);
    put(s, of_class(other, "a", Archive, 9), 1).await;
    put(s, of_class(b, "a", Standard, 4), 1).await;
    put(s, of_class(b, "b", Archive, 10), 1).await;
    put(s, of_class(b, "c", Archive, 0), 1).await;
    put(s, of_class(b, "d", InfrequentAccess, 7), 1).await;
    assert_eq!(classes(s, b).await, [(1, 4), (1, 7), (2, 10), (0, 0), (0, 0)]);
    // From one class to another, with the same bytes and with others.
    put(s, of_class(b, "b", DeepColdArchive, 10), 2).await;
    put(s, of_class(b, "d", Standard, 1), 2).await;
    assert_eq!(classes(s, b).await, [(2, 5), (0, 0), (1, 0), (0, 0), (1, 10)]);
    delete(s, b, "c", 3).await;
    for name in ["a", "none", "b"] {
        delete(s, b, name, 3).await;
    }
    assert_eq!(classes(s, b).await, [(1, 1), (0, 0), (0, 0), (0, 0), (0, 0)]);

    let first = ObjectRecord { kind: ObjectKind::Appendable, ..of_class(b, "log", InfrequentAccess, 3) };
    for position in [0, 3] {
        // What an append says of the class counts for its first bytes alone.
        let class = if position == 0 { InfrequentAccess } else { Archive };
        let first = ObjectRecord { storage_class: class, ..first.clone() };
        s.commit_append(AppendCommit { first, position }, Wall(4)).await.expect("appended");
    }
    assert_eq!(classes(s, b).await, [(1, 1), (1, 6), (0, 0), (0, 0), (0, 0)]);
    let upload = UploadRecord { storage_class: Archive, ..upload_record(b, "big", 1) };
    s.begin_upload(upload, Wall(5)).await.expect("open");
    let commit = PartCommit { bucket: b, key: key("big"), upload: upload_id(1), part: part(1, vec![inline("part")]) };
    s.commit_part(commit, Wall(5)).await.expect("a part");
    let listed = s.list_uploads(b, &UploadsQuery { limit: 1, ..UploadsQuery::default() }).await.expect("readable");
    assert!(matches!(&listed.entries[..], [UploadEntry::Upload(upload)] if upload.storage_class == Archive));
    complete(s, b, "big", 1).await.expect("complete");
    assert_eq!(read(s, b, "big").await.storage_class, Archive);
    assert_eq!(classes(s, b).await, [(1, 1), (1, 6), (1, 4), (0, 0), (0, 0)]);
    for name in ["d", "log", "big"] {
        delete(s, b, name, 6).await;
    }
    s.delete_bucket(b).await.expect("empty");
}

async fn complete(s: &dyn MetaStore, bucket: BucketId, name: &str, upload: u64) -> Result<CompletedUpload> {
    let commit = CompleteCommit {
        bucket,
        key: key(name),
        upload: upload_id(upload),
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        expected: ExpectedObject::default(),
        version: None,
    };
    s.complete_upload(commit, Wall(9)).await
}

pub(super) async fn restore_lasts_until_its_time(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = put(s, of_class(b, "a", StorageClass::ColdArchive, 3), 1).await;
    put(s, of_class(b, "warm", StorageClass::InfrequentAccess, 3), 1).await;
    let restore = async |name: &str, until, now| {
        let restored = s.restore_object(b, &key(name), None, Wall(until), Wall(now)).await;
        restored.map(|restored| restored.was_readable)
    };
    assert_eq!(restore("none", 9, 1).await, Err(StoreError::NotFound(What::Object)));
    assert_eq!(restore("warm", 9, 1).await, Err(StoreError::NotArchived));
    assert_eq!(restore("a", 100, 10).await, Ok(false));
    let restored = read(s, b, "a").await;
    assert_eq!(restored.attributes.restored_until_ms, Some(100));
    let attributes = ObjectAttributes::default();
    assert_eq!(ObjectRecord { attributes, ..restored }, made, "nothing else has changed");
    // Again: longer, never shorter; once it is over, anew.
    assert_eq!(restore("a", 150, 99).await, Ok(true));
    assert_eq!(restore("a", 120, 99).await, Ok(true));
    assert_eq!(read(s, b, "a").await.attributes.restored_until_ms, Some(150));
    assert_eq!(restore("a", 300, 150).await, Ok(false));
    assert_eq!(read(s, b, "a").await.attributes.restored_until_ms, Some(300));
    // Another object under the key is another object.
    put(s, of_class(b, "a", StorageClass::ColdArchive, 3), 2).await;
    assert_eq!(read(s, b, "a").await.attributes, ObjectAttributes::default());
}

/// Short extents of blobs `from..from + count`, none of which joins its neighbour.
fn short(from: u64, count: u64) -> Vec<Extent> {
    (from..from + count).map(|number| in_blob(number, 10)).collect()
}

/// One short extent more than a body may have without being finely cut.
const MANY: u64 = crate::limits::FINELY_CUT_PAIRS as u64 + 1;

pub(super) async fn finely_cut_bodies_are_found(s: &dyn MetaStore) {
    let (b1, b2) = (bucket(s, "films").await, bucket(s, "music").await);
    let found = async |after, limit| {
        let found = s.finely_cut(after, limit).await.expect("readable");
        found.into_iter().map(|(bucket, key)| (bucket, key.to_string())).collect::<Vec<_>>()
    };
    put(s, object(b1, "few", short(100, MANY - 1)), 1).await;
    let long = (200..200 + MANY).map(|number| in_blob(number, 2 << 20)).collect();
    put(s, object(b1, "long", long), 1).await;
    let mixed = (300..300 + 2 * MANY).map(|n| in_blob(n, if n % 2 == 0 { 10 } else { 2 << 20 })).collect();
    put(s, object(b1, "mixed", mixed), 1).await;
    assert_eq!(found(None, 9).await, []);
    put(s, object(b2, "a", short(500, MANY)), 1).await;
    put(s, object(b1, "many", short(600, MANY)), 1).await;
    for piece in short(700, MANY) {
        let position = s.object(b1, &key("log")).await.expect("readable").map_or(0, |object| object.size);
        let first = object(b1, "log", vec![piece]);
        s.commit_append(AppendCommit { first, position }, Wall(1)).await.expect("appended");
    }
    let all = [(b1, "log".to_owned()), (b1, "many".to_owned()), (b2, "a".to_owned())];
    assert_eq!(found(None, 9).await, all);
    assert_eq!(found(None, 2).await, all[..2]);
    assert_eq!(found(Some((b1, key("many"))), 9).await, all[2..]);
    put(s, object(b1, "many", vec![]), 2).await;
    delete(s, b2, "a", 2).await;
    assert_eq!(found(None, 9).await, all[..1]);
}

fn swap(bucket: BucketId, name: &str, before: Vec<Extent>, after: Vec<Extent>) -> ExtentSwap {
    ExtentSwap { bucket, key: key(name), before, after }
}

pub(super) async fn swapped_extents_change_nothing_else(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let mut full = ObjectRecord { acl: Some(Acl::PublicRead), ..object(b, "a", short(1, MANY)) };
    full.storage_class = StorageClass::Archive;
    full.attributes.restored_until_ms = Some(77);
    full.tags = vec![tag("a", "1")];
    let full = put(s, full, 5).await;
    let before = s.bucket_usage(b).await;
    let whole = vec![in_blob(900, 10 * MANY)];
    assert_eq!(s.swap_extents(swap(b, "a", full.extents.clone(), whole.clone()), Wall(50)).await, Ok(true));
    assert_eq!(read(s, b, "a").await, ObjectRecord { extents: whole.clone(), ..full.clone() });
    assert_eq!(s.bucket_usage(b).await, before);
    assert_eq!(s.finely_cut(None, 9).await, Ok(vec![]));
    assert_eq!((state(s, 1).await, state(s, 900).await), (BlobState::Garbage, BlobState::Named(10 * MANY)));
    // Their grace begins with the swap, not with the object.
    assert_eq!(s.garbage(Wall(50), 99).await, Ok(vec![]));
    // A repeated swap finds another body.
    assert_eq!(s.swap_extents(swap(b, "a", full.extents, whole), Wall(51)).await, Ok(false));
    assert_eq!(state(s, 900).await, BlobState::Named(10 * MANY));
}

pub(super) async fn what_was_appended_meanwhile_stays_behind_swapped_extents(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let append = async |extent: Extent, position| {
        let first = object(b, "log", vec![extent]);
        s.commit_append(AppendCommit { first, position }, Wall(1)).await.expect("appended")
    };
    append(in_blob(1, 10), 0).await;
    let old = append(in_blob(2, 10), 10).await;
    let new = append(inline("tail"), 20).await;
    assert_eq!(s.swap_extents(swap(b, "log", old.extents, vec![in_blob(3, 20)]), Wall(9)).await, Ok(true));
    let read_back = read(s, b, "log").await;
    assert_eq!(read_back, ObjectRecord { extents: vec![in_blob(3, 20), inline("tail")], ..new });
    let more = append(inline("er"), 24).await;
    assert_eq!(more.extents, [in_blob(3, 20), inline("tailer")]);
}

pub(super) async fn refused_swaps_change_nothing(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = put(s, object(b, "a", vec![in_blob(1, 10), inline("ab"), in_blob(2, 10)]), 1).await;
    let refused = async |name: &str, before: Vec<Extent>, after: Vec<Extent>| {
        let outcome = s.swap_extents(swap(b, name, before, after), Wall(9)).await;
        assert_eq!(read(s, b, "a").await, made);
        outcome
    };
    let whole = || vec![in_blob(9, 22)];
    assert_eq!(refused("none", made.extents.clone(), whole()).await, Ok(false));
    for other in [
        vec![in_blob(1, 10), inline("ac"), in_blob(2, 10)],
        vec![in_blob(1, 10), inline("ab"), in_blob(3, 10)],
        vec![in_blob(1, 10), inline("ab"), Extent::Blob { id: blob_id(2), offset: 1, length: 10 }],
        vec![in_blob(1, 12), in_blob(2, 10)],
        [made.extents.clone(), vec![in_blob(4, 0)]].concat(),
    ] {
        assert_eq!(refused("a", other, whole()).await, Ok(false));
    }
    let shorter = refused("a", made.extents.clone(), vec![in_blob(9, 21)]).await;
    assert!(matches!(shorter, Err(StoreError::Corrupt(_))), "{shorter:?}");
    assert_eq!(state(s, 9).await, BlobState::Unknown);
    // A blob that the collector has taken is not named again.
    put(s, object(b, "gone", vec![in_blob(9, 22)]), 2).await;
    delete(s, b, "gone", 3).await;
    assert_eq!(s.garbage(Wall(4), 9).await, Ok(vec![blob_id(9)]));
    assert_eq!(refused("a", made.extents.clone(), whole()).await, Err(StoreError::NotFound(What::Blob)));
}

async fn limited(s: &dyn MetaStore, bytes: Option<u64>, objects: Option<u64>) -> BucketId {
    let b = bucket(s, "films").await;
    s.set_bucket_setting(b, BucketSetting::Quota(BucketQuota { bytes, objects })).await.expect("there");
    b
}

pub(super) async fn quota_of_bytes_is_kept_by_every_write(s: &dyn MetaStore) {
    let b = limited(s, Some(10), None).await;
    let over = Err(StoreError::OverQuota);
    let sized = |name: &str, length: usize| object(b, name, vec![inline(&"x".repeat(length))]);
    put(s, sized("a", 6), 1).await;
    assert_eq!(try_put(s, sized("b", 5), 1).await.map(drop), over);
    put(s, sized("b", 4), 1).await;
    put(s, sized("empty", 0), 1).await;
    assert_eq!(try_put(s, sized("a", 7), 2).await.map(drop), over, "in place of six");
    assert_eq!(read(s, b, "a").await.size, 6);
    put(s, sized("a", 2), 2).await;

    let append = async |position, length| {
        let first = sized("log", length);
        s.commit_append(AppendCommit { first, position }, Wall(3)).await.map(|object| object.size)
    };
    assert_eq!(append(0, 5).await, Err(StoreError::OverQuota));
    assert_eq!(append(0, 3).await, Ok(3));
    assert_eq!(append(3, 2).await, Err(StoreError::OverQuota));
    delete(s, b, "log", 3).await;

    // Parts take room as objects do, and no more when they become one. Six are taken.
    s.begin_upload(upload_record(b, "big", 1), Wall(4)).await.expect("open");
    let send = async |number, length: usize| {
        let part = part(number, vec![inline(&"p".repeat(length))]);
        let commit = PartCommit { bucket: b, key: key("big"), upload: upload_id(1), part };
        s.commit_part(commit, Wall(4)).await.map(|part| part.size)
    };
    assert_eq!(send(1, 5).await, Err(StoreError::OverQuota));
    assert_eq!((send(1, 2).await, send(2, 2).await), (Ok(2), Ok(2)));
    assert_eq!(send(3, 1).await, Err(StoreError::OverQuota));
    assert_eq!(send(2, 3).await, Err(StoreError::OverQuota), "in place of two");
    assert_eq!(send(2, 1).await, Ok(1));
    assert_eq!(try_put(s, sized("more", 2), 5).await.map(drop), over);
    assert_eq!(complete(s, b, "big", 1).await.map(|done| done.size), Ok(3));
    put(s, sized("last", 1), 6).await;
    assert_eq!(s.bucket_usage(b).await.map(|usage| (usage.bytes, usage.part_bytes)), Ok((10, 0)));

    // A quota below what is there takes nothing away; only less fits.
    s.set_bucket_setting(b, BucketSetting::Quota(BucketQuota { bytes: Some(1), objects: None })).await.expect("there");
    put(s, sized("a", 1), 7).await;
    put(s, sized("big", 3), 7).await;
    assert_eq!(try_put(s, sized("a", 2), 7).await.map(drop), over);
    s.set_bucket_setting(b, BucketSetting::Quota(BucketQuota::default())).await.expect("there");
    put(s, sized("a", 1_000), 8).await;
}

pub(super) async fn quota_of_objects_is_kept_by_every_write(s: &dyn MetaStore) {
    let b = limited(s, None, Some(2)).await;
    for name in ["a", "b", "a"] {
        put(s, object(b, name, vec![inline("text")]), 1).await;
    }
    assert_eq!(try_put(s, object(b, "c", vec![]), 1).await.map(drop), Err(StoreError::OverQuota));
    let first = object(b, "log", vec![inline("x")]);
    let appended = s.commit_append(AppendCommit { first, position: 0 }, Wall(2)).await;
    assert_eq!(appended.map(drop), Err(StoreError::OverQuota));
    for (name, id) in [("big", 1), ("b", 2)] {
        s.begin_upload(upload_record(b, name, id), Wall(3)).await.expect("open");
        let part = part(1, vec![in_blob(id, 10)]);
        let commit = PartCommit { bucket: b, key: key(name), upload: upload_id(id), part };
        s.commit_part(commit, Wall(3)).await.expect("a part is no object");
    }
    assert_eq!(complete(s, b, "big", 1).await.map(drop), Err(StoreError::OverQuota));
    assert_eq!(state(s, 1).await, BlobState::Named(10), "the upload is still open");
    assert_eq!(s.bucket_usage(b).await.map(|usage| (usage.uploads, usage.parts, usage.part_bytes)), Ok((2, 2, 20)));
    complete(s, b, "b", 2).await.expect("in place of another");
    delete(s, b, "a", 4).await;
    complete(s, b, "big", 1).await.expect("room for one");
}

pub(super) async fn quota_refuses_a_fragment_with_its_playlist(s: &dyn MetaStore) {
    // A playlist has seven bytes and each fragment 188.
    let b = limited(s, Some(188 + 7), Some(3)).await;
    channel(s, b, "cam").await;
    let claim = claim(s, b, "cam", 1).await;
    let commit = |name, sequence| fragment_commit(b, "cam", (1, claim.epoch), name, sequence);
    s.commit_fragment(commit(1_000, 0), Wall(5)).await.expect("room for one");
    assert_eq!(s.commit_fragment(commit(2_000, 1), Wall(6)).await, Err(StoreError::OverQuota));
    assert!(!exists(s, b, "cam/2000.ts").await);
    assert_eq!(read(s, b, "cam/playlist.m3u8").await.extents, [inline("1000.ts")]);
    assert_eq!(s.fragments(b, &channel_name("cam"), 0, 9_999).await.map(|found| found.len()), Ok(1));
    s.set_bucket_setting(b, BucketSetting::Quota(BucketQuota::default())).await.expect("there");
    s.commit_fragment(commit(2_000, 1), Wall(7)).await.expect("no quota any more");
}

async fn remove(s: &dyn MetaStore, bucket: BucketId, target: DeleteTarget, now: i64) {
    let commit = DeleteCommit { bucket, targets: vec![target], bypass_governance: false };
    s.delete_objects(commit, Wall(now)).await.expect("allowed");
}

pub(super) async fn usage_by_class_counts_versions(s: &dyn MetaStore) {
    use StorageClass::{Archive, ColdArchive, InfrequentAccess, Standard};
    let b = bucket(s, "films").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let put_version = async |version: u128, class, length| {
        put(s, ObjectRecord { version: Some(VersionId(version)), ..of_class(b, "a", class, length) }, 1).await
    };
    put_version(1, Archive, 5).await;
    put_version(2, Standard, 3).await;
    assert_eq!(classes(s, b).await, [(1, 3), (0, 0), (1, 5), (0, 0), (0, 0)]);
    let name = |version| Some(VersionName::Id(VersionId(version)));
    let restored = s.restore_object(b, &key("a"), name(1), Wall(90), Wall(2)).await;
    assert_eq!(restored, Ok(Restored { version: Some(VersionId(1)), was_readable: false }));
    assert_eq!(s.restore_object(b, &key("a"), None, Wall(90), Wall(2)).await, Err(StoreError::NotArchived));
    let missing = s.restore_object(b, &key("a"), name(9), Wall(90), Wall(2)).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Version)));

    let current = read(s, b, "a").await;
    let seen = |last_modified, what| Seen { key: key("a"), last_modified, what };
    let both = vec![
        seen(current.last_modified, SeenAs::Current(current.etag)),
        seen(Wall(1), SeenAs::Kept(VersionName::Id(VersionId(1)))),
        seen(Wall(77), SeenAs::Current(current.etag)),
    ];
    assert_eq!(s.change_class(b, both, ColdArchive).await, Ok(2));
    assert_eq!(classes(s, b).await, [(0, 0), (0, 0), (0, 0), (2, 8), (0, 0)]);
    let again = vec![seen(current.last_modified, SeenAs::Current(current.etag))];
    assert_eq!(s.change_class(b, again, InfrequentAccess).await, Ok(1));
    assert_eq!(classes(s, b).await, [(0, 0), (1, 3), (0, 0), (1, 5), (0, 0)]);
    for target in [
        DeleteTarget { key: key("a"), version: None, marker: VersionId(3) },
        DeleteTarget { key: key("a"), version: name(1), marker: VersionId(4) },
    ] {
        remove(s, b, target, 5).await;
    }
    assert_eq!(classes(s, b).await, [(0, 0), (1, 3), (0, 0), (0, 0), (0, 0)]);
}

pub(super) async fn swapped_extents_keep_the_parts_of_an_upload(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    s.begin_upload(upload_record(b, "big", 1), Wall(1)).await.expect("open");
    for number in 1..=u32::try_from(MANY).expect("few") {
        let part = part(number, vec![in_blob(u64::from(number), 10)]);
        let commit = PartCommit { bucket: b, key: key("big"), upload: upload_id(1), part };
        s.commit_part(commit, Wall(1)).await.expect("a part");
    }
    complete(s, b, "big", 1).await.expect("complete");
    let object = read(s, b, "big").await;
    assert_eq!(s.finely_cut(None, 9).await, Ok(vec![(b, key("big"))]));
    let parts = s.object_parts(&object).await.expect("readable").expect("known");
    assert_eq!(parts.len() as u64, MANY);
    let whole = vec![in_blob(900, 10 * MANY)];
    assert_eq!(s.swap_extents(swap(b, "big", object.extents, whole), Wall(5)).await, Ok(true));
    let object = read(s, b, "big").await;
    assert_eq!(s.object_parts(&object).await, Ok(Some(parts)));
}

pub(super) async fn quota_counts_versions(s: &dyn MetaStore) {
    let b = limited(s, Some(10), Some(3)).await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let sized = |version: u128, length: usize| ObjectRecord {
        version: Some(VersionId(version)),
        ..object(b, "a", vec![inline(&"x".repeat(length))])
    };
    put(s, sized(1, 4), 1).await;
    put(s, sized(2, 4), 2).await;
    assert_eq!(try_put(s, sized(3, 3), 3).await.map(drop), Err(StoreError::OverQuota), "beside the others");
    // A marker is no object.
    let marked = DeleteTarget { key: key("a"), version: None, marker: VersionId(4) };
    remove(s, b, marked, 4).await;
    put(s, sized(5, 2), 5).await;
    assert_eq!(try_put(s, sized(6, 0), 6).await.map(drop), Err(StoreError::OverQuota));
    // The null version takes the place of the null version, wherever that stands.
    s.set_bucket_setting(b, BucketSetting::Quota(BucketQuota { bytes: Some(14), objects: Some(4) }))
        .await
        .expect("set");
    s.set_bucket_versioning(b, Versioning::Suspended).await.expect("there");
    put(s, sized(7, 4), 7).await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let fifth = Some(VersionName::Id(VersionId(5)));
    remove(s, b, DeleteTarget { key: key("a"), version: fifth, marker: VersionId(8) }, 8).await;
    put(s, sized(9, 2), 9).await;
    s.set_bucket_versioning(b, Versioning::Suspended).await.expect("there");
    assert_eq!(try_put(s, sized(10, 5), 10).await.map(drop), Err(StoreError::OverQuota));
    put(s, sized(10, 4), 10).await;
    assert_eq!(s.bucket_usage(b).await.map(|usage| (usage.objects, usage.bytes)), Ok((4, 14)));
}
