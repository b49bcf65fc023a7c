//! Retention and legal holds.

use super::*;

const GOVERNANCE: RetentionMode = RetentionMode::Governance;
const COMPLIANCE: RetentionMode = RetentionMode::Compliance;

async fn locking(s: &dyn MetaStore, default_retention: Option<DefaultRetention>) -> BucketId {
    let b = bucket(s, "films").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let lock = BucketSetting::ObjectLock(ObjectLock { default_retention });
    s.set_bucket_setting(b, lock).await.expect("versioned");
    b
}

fn id(number: u64) -> Option<VersionName> {
    Some(VersionName::Id(version_id(number)))
}

fn until(mode: RetentionMode, until_ms: i64) -> LockChange {
    LockChange::Retention(Some(Retention { mode, until_ms }))
}

/// Its identity is the time.
async fn write(s: &dyn MetaStore, b: BucketId, name: &str, now: i64) -> ObjectRecord {
    let object = object(b, name, vec![inline("text")]);
    put(s, ObjectRecord { version: Some(version_id(now.unsigned_abs())), ..object }, now).await
}

async fn set(s: &dyn MetaStore, b: BucketId, version: u64, change: LockChange, now: i64) -> Result<Option<VersionId>> {
    s.set_object_lock(b, &key("a"), id(version), change, false, Wall(now)).await
}

async fn remove(s: &dyn MetaStore, b: BucketId, versions: &[u64], bypass: bool, now: i64) -> Vec<DeleteOutcome> {
    let targets = versions.iter().map(|version| target("a", id(*version), now)).collect();
    let commit = DeleteCommit { bucket: b, targets, bypass_governance: bypass };
    s.delete_objects(commit, Wall(now)).await.expect("each has its own word")
}

const GONE: DeleteOutcome = DeleteOutcome::VersionRemoved { was_marker: false };
const KEPT: DeleteOutcome = DeleteOutcome::Locked;

pub(super) async fn a_bucket_that_locks_keeps_its_versions(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let lock = || BucketSetting::ObjectLock(ObjectLock::default());
    assert_eq!(s.set_bucket_setting(b, lock()).await, Err(StoreError::PreconditionFailed), "it keeps no versions");
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    s.set_bucket_versioning(b, Versioning::Suspended).await.expect("nothing is locked yet");
    assert_eq!(s.set_bucket_setting(b, lock()).await, Err(StoreError::PreconditionFailed), "it keeps them no more");
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    s.set_bucket_setting(b, lock()).await.expect("versioned");
    let suspended = s.set_bucket_versioning(b, Versioning::Suspended).await;
    assert_eq!(suspended, Err(StoreError::PreconditionFailed));
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("no change");
    let found = s.bucket(&bucket_name("films")).await.expect("readable").expect("there");
    assert_eq!((found.versioning, found.settings.object_lock), (Versioning::Enabled, Some(ObjectLock::default())));
}

pub(super) async fn what_is_retained_is_not_removed_before_its_time(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    write(s, b, "a", 1).await;
    assert_eq!(set(s, b, 1, until(GOVERNANCE, 100), 2).await, Ok(Some(version_id(1))));
    assert_eq!(remove(s, b, &[1], false, 99).await, [KEPT]);
    // A marker removes nothing, and makes the retained version no less so.
    assert_eq!(delete_all(s, b, &["a"], 50).await, [DeleteOutcome::MarkerMade(Some(version_id(50)))]);
    assert_eq!(remove(s, b, &[1, 50], false, 99).await, [KEPT, DeleteOutcome::VersionRemoved { was_marker: true }]);
    assert!(exists(s, b, "a").await);
    assert_eq!(remove(s, b, &[1], false, 100).await, [GONE], "its time has come");
}

pub(super) async fn governance_may_be_bypassed_and_compliance_not(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    for (version, mode) in [(1, GOVERNANCE), (2, COMPLIANCE)] {
        write(s, b, "a", version).await;
        set(s, b, version.unsigned_abs(), until(mode, 100), 3).await.expect("new");
    }
    assert_eq!(remove(s, b, &[1, 2], false, 4).await, [KEPT, KEPT]);
    assert_eq!(remove(s, b, &[1, 2], true, 4).await, [GONE, KEPT]);
    assert_eq!(remove(s, b, &[2], true, 100).await, [GONE]);
}

pub(super) async fn a_legal_hold_has_no_end(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    write(s, b, "a", 1).await;
    set(s, b, 1, LockChange::LegalHold(true), 2).await.expect("there");
    assert_eq!(remove(s, b, &[1], true, i64::MAX).await, [KEPT]);
    let attributes = s.object(b, &key("a")).await.expect("readable").expect("there").attributes;
    assert_eq!((attributes.legal_hold, attributes.retention), (Some(true), None));
    set(s, b, 1, LockChange::LegalHold(false), 3).await.expect("there");
    assert_eq!(remove(s, b, &[1], false, 4).await, [GONE]);
}

pub(super) async fn one_that_is_locked_does_not_keep_the_others(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    for now in 1..=3 {
        write(s, b, "a", now).await;
    }
    set(s, b, 2, until(COMPLIANCE, 100), 4).await.expect("new");
    assert_eq!(remove(s, b, &[1, 2, 3], false, 5).await, [GONE, KEPT, GONE]);
    assert_eq!(s.object(b, &key("a")).await.expect("readable").expect("there").version, Some(version_id(2)));
    assert_eq!(s.delete_bucket(b).await, Err(StoreError::BucketNotEmpty));
}

pub(super) async fn a_retention_that_holds_is_not_weakened(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    let end = LockChange::Retention(None);
    for (version, mode, other) in [(1, GOVERNANCE, COMPLIANCE), (2, COMPLIANCE, GOVERNANCE)] {
        write(s, b, "a", version).await;
        let version = version.unsigned_abs();
        set(s, b, version, until(mode, 100), 3).await.expect("new");
        set(s, b, version, until(mode, 110), 4).await.expect("prolonged");
        for weaker in [until(mode, 109), until(other, 200), end] {
            assert_eq!(set(s, b, version, weaker, 5).await, Err(StoreError::Locked), "{mode:?} {weaker:?}");
            let bypassed = s.set_object_lock(b, &key("a"), id(version), weaker, true, Wall(5)).await;
            assert_eq!(bypassed.is_ok(), mode == GOVERNANCE, "{mode:?} {weaker:?}");
            if mode == GOVERNANCE {
                let back = until(mode, 110);
                // From compliance there is no way back.
                if weaker == until(other, 200) {
                    assert_eq!(set(s, b, version, back, 6).await, Err(StoreError::Locked));
                    break;
                }
                set(s, b, version, back, 6).await.expect("prolonged again");
            }
        }
        set(s, b, version, end, 1_000).await.expect("its time has come");
    }
}

pub(super) async fn new_versions_get_what_their_bucket_says(s: &dyn MetaStore) {
    const DAY_MS: i64 = 86_400_000;
    let default = DefaultRetention { mode: GOVERNANCE, period: RetentionPeriod::Days(2) };
    let b = locking(s, Some(default)).await;
    let expected = |made: i64| Some(Retention { mode: GOVERNANCE, until_ms: made + 2 * DAY_MS });
    assert_eq!(write(s, b, "a", 1).await.attributes.retention, expected(1));
    let own = Retention { mode: COMPLIANCE, until_ms: 50 };
    let brings = ObjectAttributes { retention: Some(own), ..ObjectAttributes::default() };
    let object = ObjectRecord { attributes: brings, version: Some(version_id(2)), ..object(b, "own", vec![]) };
    assert_eq!(put(s, object, 2).await.attributes.retention, Some(own), "its own goes before");

    s.begin_upload(upload_record(b, "big", 1), Wall(3)).await.expect("open");
    let part = part(1, vec![inline("part")]);
    s.commit_part(PartCommit { bucket: b, key: key("big"), upload: upload_id(1), part }, Wall(3))
        .await
        .expect("a part");
    let commit = uploads::completion(&upload_record(b, "big", 1), PartChoice::All);
    s.complete_upload(CompleteCommit { version: Some(version_id(4)), ..commit }, Wall(4)).await.expect("complete");
    let big = s.object(b, &key("big")).await.expect("readable").expect("there");
    assert_eq!(big.attributes.retention, expected(4));
    let first = ObjectRecord { version: Some(version_id(5)), ..super::object(b, "log", vec![inline("a")]) };
    let log = s.commit_append(AppendCommit { first: first.clone(), position: 0 }, Wall(5)).await.expect("made");
    assert_eq!(log.attributes.retention, expected(5));
    let years = DefaultRetention { mode: COMPLIANCE, period: RetentionPeriod::Years(1) };
    assert_eq!(years.from(Wall(7)), Retention { mode: COMPLIANCE, until_ms: 7 + 365 * DAY_MS });
}

pub(super) async fn what_is_locked_is_neither_replaced_nor_appended_to(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    let append = async |text: &str, position, now| {
        let first = ObjectRecord { version: Some(version_id(1)), ..object(b, "a", vec![inline(text)]) };
        s.commit_append(AppendCommit { first, position }, Wall(now)).await.map(|object| object.size)
    };
    assert_eq!(append("one", 0, 1).await, Ok(3));
    set(s, b, 1, until(GOVERNANCE, 100), 2).await.expect("new");
    assert_eq!(append("two", 3, 3).await, Err(StoreError::Locked));
    assert_eq!(append("two", 3, 100).await, Ok(6));

    // The null version is the one that a write may take the place of: here a live playlist's.
    channel(s, b, "cam").await;
    let epoch = claim(s, b, "cam", 1).await.epoch;
    let fragment = |name_ms, sequence| fragment_commit(b, "cam", (1, epoch), name_ms, sequence);
    s.commit_fragment(fragment(1_000, 0), Wall(1_000)).await.expect("stored");
    let playlist = key("cam/playlist.m3u8");
    let hold = |held| s.set_object_lock(b, &playlist, None, LockChange::LegalHold(held), false, Wall(1_001));
    hold(true).await.expect("there");
    assert_eq!(s.commit_fragment(fragment(2_000, 1), Wall(2_000)).await, Err(StoreError::Locked));
    write(s, b, "cam/playlist.m3u8", 2_001).await;
    assert_eq!(s.commit_fragment(fragment(2_000, 1), Wall(2_002)).await, Err(StoreError::Locked), "wherever it stands");
    let null = Some(VersionName::Null);
    let change = LockChange::LegalHold(false);
    s.set_object_lock(b, &playlist, null, change, false, Wall(2_003)).await.expect("there");
    s.commit_fragment(fragment(2_000, 1), Wall(2_004)).await.expect("stored");
}

pub(super) async fn locks_need_an_object(s: &dyn MetaStore) {
    let b = locking(s, None).await;
    write(s, b, "a", 1).await;
    delete_all(s, b, &["a"], 2).await;
    let hold = LockChange::LegalHold(true);
    assert_eq!(set(s, b, 9, hold, 3).await, Err(StoreError::NotFound(What::Version)));
    assert_eq!(set(s, b, 2, hold, 3).await, Err(StoreError::IsMarker));
    let current = s.set_object_lock(b, &key("a"), None, hold, false, Wall(3)).await;
    assert_eq!(current, Err(StoreError::NotFound(What::Object)));
    assert_eq!(set(s, b, 1, hold, 3).await, Ok(Some(version_id(1))), "also one that is not current");
    assert_eq!(remove(s, b, &[1], false, 4).await, [KEPT]);
}
