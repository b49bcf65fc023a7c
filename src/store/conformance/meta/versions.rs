//! Versions and delete markers.

use super::*;

/// A bucket that makes a version of each write.
async fn versioned(s: &dyn MetaStore) -> BucketId {
    let b = bucket(s, "films").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    b
}

async fn suspend(s: &dyn MetaStore, b: BucketId) {
    s.set_bucket_versioning(b, Versioning::Suspended).await.expect("there");
}

fn id(number: u64) -> VersionName {
    VersionName::Id(version_id(number))
}

/// Writes `text`; where versions are made, this one's identity is the time.
async fn write(s: &dyn MetaStore, b: BucketId, name: &str, text: &str, now: i64) -> ObjectRecord {
    put(s, ObjectRecord { version: Some(version_id(now.unsigned_abs())), ..object(b, name, vec![inline(text)]) }, now)
        .await
}

async fn remove(s: &dyn MetaStore, b: BucketId, name: &str, version: VersionName, now: i64) -> DeleteOutcome {
    let commit = DeleteCommit { bucket: b, targets: vec![target(name, Some(version), now)], bypass_governance: false };
    s.delete_objects(commit, Wall(now)).await.expect("allowed")[0]
}

/// The key's history, the newest first: each version's name, and its text, or `-` for a marker.
async fn history(s: &dyn MetaStore, b: BucketId, name: &str) -> String {
    let query = VersionsQuery { prefix: name.into(), limit: 100, ..VersionsQuery::default() };
    let mut words = Vec::new();
    for entry in s.list_versions(b, &query).await.expect("readable").entries {
        let version = match entry {
            VersionEntry::Object { version, .. } => version,
            VersionEntry::Marker { marker, .. } => marker.version,
            VersionEntry::Prefix(_) => panic!("nothing is rolled up"),
        };
        let found = s.object_version(b, &key(name), Some(version.into())).await.expect("readable").expect("listed");
        words.push(format!("{} {}", short(version), text(&found)));
    }
    words.join(", ")
}

fn short(version: Option<VersionId>) -> String {
    version.map_or("null".into(), |version| version.0.to_string())
}

fn text(version: &Versioned) -> String {
    let Versioned::Object(object) = version else { return "-".into() };
    let piece = |extent: &Extent| match extent {
        Extent::Inline(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Extent::Blob { id, .. } => format!("blob{}", id.0),
    };
    object.extents.iter().map(piece).collect()
}

/// What a read without a version finds: its text, `-` for a marker, nothing for nothing.
async fn newest(s: &dyn MetaStore, b: BucketId, name: &str) -> String {
    let newest = s.object_version(b, &key(name), None).await.expect("readable");
    let current = s.object(b, &key(name)).await.expect("readable");
    let object = match &newest {
        Some(Versioned::Object(object)) => Some((**object).clone()),
        _ => None,
    };
    assert_eq!(object, current, "both ways to read agree");
    newest.as_ref().map(text).unwrap_or_default()
}

pub(super) async fn each_write_makes_a_version(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let old = write(s, b, "a", "old", 1).await;
    assert_eq!(old.version, None, "none are kept yet");
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    assert_eq!(history(s, b, "a").await, "null old");
    let second = write(s, b, "a", "second", 2).await;
    assert_eq!(second.version, Some(version_id(2)));
    write(s, b, "a", "", 3).await;
    assert_eq!(history(s, b, "a").await, "3 , 2 second, null old");
    assert_eq!(newest(s, b, "a").await, "");
    let found = s.object_version(b, &key("a"), Some(id(2))).await.expect("readable");
    assert_eq!(found, Some(Versioned::Object(Arc::new(second))), "as it was committed");
    let found = s.object_version(b, &key("a"), Some(VersionName::Null)).await.expect("readable");
    assert_eq!(found, Some(Versioned::Object(Arc::new(old))));
    for (name, version) in [("a", id(9)), ("b", id(2)), ("b", VersionName::Null)] {
        assert_eq!(s.object_version(b, &key(name), Some(version)).await, Ok(None), "{name} {version}");
    }
    assert_eq!(s.object_version(b, &key("b"), None).await, Ok(None));
    let page = s.list_objects(b, &ListQuery { limit: 9, ..ListQuery::default() }).await.expect("readable");
    assert_eq!(page.entries.len(), 1, "the current object alone");
}

pub(super) async fn a_suspended_bucket_writes_the_null_version_wherever_it_stands(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 5)]), 1).await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    write(s, b, "a", "two", 2).await;
    suspend(s, b).await;
    assert_eq!(state(s, 1).await, BlobState::Named(5));
    assert_eq!(write(s, b, "a", "three", 3).await.version, None);
    assert_eq!(history(s, b, "a").await, "null three, 2 two");
    assert_eq!(state(s, 1).await, BlobState::Garbage, "the older null version gave way");
    write(s, b, "a", "four", 4).await;
    assert_eq!(history(s, b, "a").await, "null four, 2 two");
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    write(s, b, "a", "five", 5).await;
    assert_eq!(history(s, b, "a").await, "5 five, null four, 2 two");
    suspend(s, b).await;
    write(s, b, "a", "six", 6).await;
    assert_eq!(history(s, b, "a").await, "null six, 5 five, 2 two");
}

pub(super) async fn a_delete_makes_a_marker_and_its_removal_undoes_it(s: &dyn MetaStore) {
    let b = versioned(s).await;
    write(s, b, "a", "one", 1).await;
    let outcomes = delete_all(s, b, &["a", "none"], 2).await;
    assert_eq!(outcomes, [DeleteOutcome::MarkerMade(Some(version_id(2))); 2]);
    assert_eq!((newest(s, b, "a").await, newest(s, b, "none").await), ("-".into(), "-".into()));
    let marker = DeleteMarker { version: Some(version_id(2)), last_modified: Wall(2) };
    assert_eq!(s.object_version(b, &key("a"), None).await, Ok(Some(Versioned::Marker(marker))));
    delete_all(s, b, &["a"], 3).await;
    assert_eq!(history(s, b, "a").await, "3 -, 2 -, 1 one");
    let marker_gone = DeleteOutcome::VersionRemoved { was_marker: true };
    assert_eq!(remove(s, b, "a", id(3), 4).await, marker_gone);
    assert_eq!(newest(s, b, "a").await, "-");
    assert_eq!(remove(s, b, "a", id(2), 5).await, marker_gone);
    assert_eq!((newest(s, b, "a").await, history(s, b, "a").await), ("one".into(), "1 one".into()));
    let page = s.list_objects(b, &ListQuery { limit: 9, ..ListQuery::default() }).await.expect("readable");
    assert_eq!(page.entries.len(), 1, "it is listed again, and what was never there is not");
    delete_all(s, b, &["a"], 6).await;
    write(s, b, "a", "seven", 7).await;
    assert_eq!(history(s, b, "a").await, "7 seven, 6 -, 1 one");
}

pub(super) async fn a_delete_in_a_suspended_bucket_replaces_the_null_version(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 5)]), 1).await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    write(s, b, "a", "two", 2).await;
    suspend(s, b).await;
    assert_eq!(delete_all(s, b, &["a"], 3).await, [DeleteOutcome::MarkerMade(None)]);
    assert_eq!(history(s, b, "a").await, "null -, 2 two");
    assert_eq!(state(s, 1).await, BlobState::Garbage);
    delete_all(s, b, &["a"], 4).await;
    assert_eq!(history(s, b, "a").await, "null -, 2 two", "one null version at most");
    write(s, b, "a", "five", 5).await;
    assert_eq!(history(s, b, "a").await, "null five, 2 two", "a write replaces the null marker too");
    delete_all(s, b, &["a"], 6).await;
    assert_eq!(history(s, b, "a").await, "null -, 2 two");
    let outcome = remove(s, b, "a", VersionName::Null, 7).await;
    assert_eq!(outcome, DeleteOutcome::VersionRemoved { was_marker: true });
    assert_eq!(newest(s, b, "a").await, "two");
}

pub(super) async fn removing_the_newest_version_brings_the_one_before_back(s: &dyn MetaStore) {
    let b = versioned(s).await;
    for now in 1..=4 {
        put(s, ObjectRecord { version: Some(version_id(now)), ..object(b, "a", vec![in_blob(now, now)]) }, now as i64)
            .await;
    }
    let object_gone = DeleteOutcome::VersionRemoved { was_marker: false };
    assert_eq!(remove(s, b, "a", id(4), 5).await, object_gone);
    assert_eq!(newest(s, b, "a").await, "blob3");
    assert_eq!(state(s, 4).await, BlobState::Garbage);
    assert_eq!(remove(s, b, "a", id(2), 6).await, object_gone);
    assert_eq!(history(s, b, "a").await, "3 blob3, 1 blob1");
    delete_all(s, b, &["a"], 7).await;
    write(s, b, "a", "eight", 8).await;
    assert_eq!(remove(s, b, "a", id(8), 9).await, object_gone);
    assert_eq!((newest(s, b, "a").await, history(s, b, "a").await), ("-".into(), "7 -, 3 blob3, 1 blob1".into()));
    for (version, left) in [(3, "7 -, 1 blob1"), (1, "7 -"), (7, "")] {
        remove(s, b, "a", id(version), 10).await;
        assert_eq!(history(s, b, "a").await, left);
    }
    for blob in 1..=4 {
        assert_eq!(state(s, blob).await, BlobState::Garbage, "{blob}");
    }
}

pub(super) async fn removing_what_is_not_there_is_no_error(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let nothing = DeleteOutcome::VersionRemoved { was_marker: false };
    write(s, b, "a", "one", 1).await;
    assert_eq!(remove(s, b, "a", id(1), 2).await, nothing);
    assert_eq!(newest(s, b, "a").await, "one");
    assert_eq!(remove(s, b, "a", VersionName::Null, 3).await, nothing, "also where no versions are kept");
    assert_eq!(newest(s, b, "a").await, "");
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    write(s, b, "a", "four", 4).await;
    for version in [VersionName::Null, id(5)] {
        assert_eq!(remove(s, b, "a", version, 5).await, nothing);
        assert_eq!(remove(s, b, "none", version, 5).await, nothing);
        assert_eq!(remove(s, BucketId(77), "a", version, 5).await, nothing);
    }
    assert_eq!((history(s, b, "a").await, history(s, b, "none").await), ("4 four".into(), String::new()));
}

pub(super) async fn versions_share_blobs_until_the_last_goes(s: &dyn MetaStore) {
    let b = versioned(s).await;
    for (name, now) in [("a", 1), ("a", 2), ("copy", 3)] {
        let shared = object(b, name, vec![in_blob(1, 5), inline("x")]);
        put(s, ObjectRecord { version: Some(version_id(now)), ..shared }, now as i64).await;
    }
    for (name, version) in [("a", 2), ("copy", 3), ("a", 1)] {
        assert_eq!(state(s, 1).await, BlobState::Named(5));
        remove(s, b, name, id(version), 4).await;
    }
    assert_eq!(state(s, 1).await, BlobState::Garbage);
}

pub(super) async fn appending_makes_no_version(s: &dyn MetaStore) {
    let b = versioned(s).await;
    let append = async |text: &str, position, now: i64| {
        let version = Some(version_id(now.unsigned_abs()));
        let first = ObjectRecord { version, ..object(b, "log", vec![inline(text)]) };
        s.commit_append(AppendCommit { first, position }, Wall(now)).await.map(|object| object.version)
    };
    assert_eq!(append("a", 0, 1).await, Ok(Some(version_id(1))));
    assert_eq!(append("b", 1, 2).await, Ok(Some(version_id(1))), "the version stays the one it is");
    suspend(s, b).await;
    assert_eq!(append("c", 2, 3).await, Ok(Some(version_id(1))));
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    delete_all(s, b, &["log"], 4).await;
    assert_eq!(append("d", 3, 5).await, Err(StoreError::PositionNotLength(0)), "nothing goes to an older version");
    assert_eq!(append("e", 0, 6).await, Ok(Some(version_id(6))));
    assert_eq!(history(s, b, "log").await, "6 e, 4 -, 1 abc");
    write(s, b, "log", "normal", 7).await;
    assert_eq!(append("f", 6, 8).await, Err(StoreError::NotAppendable));
}

pub(super) async fn completing_an_upload_makes_a_version(s: &dyn MetaStore) {
    let b = versioned(s).await;
    write(s, b, "big", "one", 1).await;
    s.begin_upload(upload_record(b, "big", 1), Wall(2)).await.expect("open");
    let part = part(1, vec![inline("part")]);
    s.commit_part(PartCommit { bucket: b, key: key("big"), upload: upload_id(1), part }, Wall(2))
        .await
        .expect("a part");
    let commit = |version| CompleteCommit {
        bucket: b,
        key: key("big"),
        upload: upload_id(1),
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: Some(version_id(version)),
        expected: ExpectedObject::default(),
    };
    let done = s.complete_upload(commit(3), Wall(3)).await.expect("complete");
    assert_eq!(done.version, Some(version_id(3)));
    assert_eq!(s.complete_upload(commit(4), Wall(4)).await, Ok(done), "a repeated one makes none");
    assert_eq!(history(s, b, "big").await, "3 part, 1 one");
}

pub(super) async fn conditions_are_judged_by_the_current_object(s: &dyn MetaStore) {
    let b = versioned(s).await;
    let put_if = async |condition, now: i64| {
        let version = Some(version_id(now.unsigned_abs()));
        let object = ObjectRecord { version, ..object(b, "a", vec![inline("x")]) };
        s.commit_object(ObjectCommit { object, condition }, Wall(now)).await.map(|object| object.etag)
    };
    let etag = put_if(WriteCondition::IfAbsent, 1).await.expect("free");
    assert_eq!(put_if(WriteCondition::IfAbsent, 2).await, Err(StoreError::AlreadyExists(What::Object)));
    delete_all(s, b, &["a"], 3).await;
    assert_eq!(put_if(WriteCondition::IfETag(etag), 4).await, Err(StoreError::PreconditionFailed), "it is deleted");
    put_if(WriteCondition::IfAbsent, 5).await.expect("a key that is deleted is free");
    put_if(WriteCondition::IfETag(etag), 6).await.expect("the same body");
    assert_eq!(history(s, b, "a").await, "6 x, 5 x, 3 -, 1 x");
}

pub(super) async fn settings_of_a_version(s: &dyn MetaStore) {
    let b = versioned(s).await;
    let first = write(s, b, "a", "one", 1).await;
    let second = write(s, b, "a", "two", 2).await;
    let (k, acl, tags) = (key("a"), Some(Acl::PublicRead), vec![tag("k", "v")]);
    assert_eq!(s.set_object_acl(b, &k, Some(id(1)), acl).await, Ok(Some(version_id(1))));
    assert_eq!(s.set_object_tags(b, &k, None, tags.clone()).await, Ok(Some(version_id(2))), "the current one");
    assert_eq!(s.set_object_tags(b, &k, Some(id(1)), tags.clone()).await, Ok(Some(version_id(1))));
    let read = async |number| s.object_version(b, &k, Some(id(number))).await.expect("readable");
    let of = |object| Some(Versioned::Object(Arc::new(object)));
    assert_eq!(read(1).await, of(ObjectRecord { acl, tags: tags.clone(), ..first }));
    assert_eq!(read(2).await, of(ObjectRecord { tags: tags.clone(), ..second }));
    delete_all(s, b, &["a"], 3).await;
    let missing = |what| Err(StoreError::NotFound(what));
    for (name, version, expected) in [
        ("a", None, missing(What::Object)),
        ("a", Some(id(3)), Err(StoreError::IsMarker)),
        ("a", Some(id(9)), missing(What::Version)),
        ("a", Some(VersionName::Null), missing(What::Version)),
        ("b", Some(id(1)), missing(What::Version)),
    ] {
        assert_eq!(s.set_object_acl(b, &key(name), version, None).await, expected, "{name} {version:?}");
        assert_eq!(s.set_object_tags(b, &key(name), version, Vec::new()).await, expected, "{name} {version:?}");
    }
    remove(s, b, "a", id(3), 4).await;
    remove(s, b, "a", id(2), 5).await;
    assert_eq!(s.object(b, &k).await.expect("readable").expect("back again").acl, acl, "with all it had");
}

pub(super) async fn a_live_playlist_does_not_pile_up_versions(s: &dyn MetaStore) {
    let b = versioned(s).await;
    channel(s, b, "cam").await;
    let epoch = claim(s, b, "cam", 1).await.epoch;
    write(s, b, "cam/playlist.m3u8", "by hand", 1).await;
    for (sequence, name_ms) in [(0, 1_000), (1, 2_000), (2, 3_000)] {
        let commit = fragment_commit(b, "cam", (1, epoch), name_ms, sequence);
        s.commit_fragment(commit, Wall(name_ms)).await.expect("stored");
    }
    assert_eq!(history(s, b, "cam/playlist.m3u8").await, "null 3000.ts, 1 by hand");
    assert_eq!(history(s, b, "cam/1000.ts").await, "null blob1000");
    delete_all(s, b, &["cam/playlist.m3u8"], 4).await;
    s.commit_fragment(fragment_commit(b, "cam", (1, epoch), 5_000, 3), Wall(5_000)).await.expect("stored");
    assert_eq!(history(s, b, "cam/playlist.m3u8").await, "null 5000.ts, 4 -, 1 by hand");
}

pub(super) async fn a_fragment_stays_indexed_as_long_as_its_key_has_an_object(s: &dyn MetaStore) {
    let b = versioned(s).await;
    channel(s, b, "cam").await;
    let epoch = claim(s, b, "cam", 1).await.epoch;
    s.commit_fragment(fragment_commit(b, "cam", (1, epoch), 1_000, 0), Wall(1)).await.expect("stored");
    let indexed = async || s.fragments(b, &channel_name("cam"), 0, i64::MAX).await.expect("readable").len();
    write(s, b, "cam/1000.ts", "over it", 2).await;
    remove(s, b, "cam/1000.ts", id(2), 3).await;
    assert_eq!((indexed().await, newest(s, b, "cam/1000.ts").await), (1, "blob1000".into()));
    // I4: a user's own DELETE wins, and is not undone when the object comes back.
    delete_all(s, b, &["cam/1000.ts"], 4).await;
    assert_eq!(indexed().await, 0);
    remove(s, b, "cam/1000.ts", id(4), 5).await;
    assert_eq!((indexed().await, newest(s, b, "cam/1000.ts").await), (0, "blob1000".into()));
}

/// Entries as text: key, version, `*` for the newest, `-` for a marker; `[prefix]`; `...` when there is more.
fn words(page: &Page<VersionEntry>) -> String {
    let mark = |is_latest: bool| if is_latest { "*" } else { "" };
    let word = |entry: &VersionEntry| match entry {
        VersionEntry::Object { summary, version, is_latest } => {
            format!("{}:{}{}", summary.key, short(*version), mark(*is_latest))
        }
        VersionEntry::Marker { key, marker, is_latest } => {
            format!("{key}:{}-{}", short(marker.version), mark(*is_latest))
        }
        VersionEntry::Prefix(prefix) => format!("[{}]", String::from_utf8_lossy(prefix)),
    };
    let mut words: Vec<String> = page.entries.iter().map(word).collect();
    if page.truncated {
        words.push("...".into());
    }
    words.join(" ")
}

async fn list(s: &dyn MetaStore, b: BucketId, query: VersionsQuery) -> String {
    words(&s.list_versions(b, &query).await.expect("readable"))
}

fn query(after: &str, version: Option<VersionName>, limit: usize) -> VersionsQuery {
    let after = (!after.is_empty()).then(|| after.into());
    VersionsQuery { after, after_version: version, limit, ..VersionsQuery::default() }
}

/// `a` has 3, 2 and null; `b` only markers 5 and 4; `b/c` has 6 under marker 7; `d` only null; another bucket has `c`.
async fn filled(s: &dyn MetaStore) -> BucketId {
    let b = bucket(s, "films").await;
    write(s, b, "a", "1", 1).await;
    write(s, b, "d", "1", 1).await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    write(s, b, "a", "2", 2).await;
    write(s, b, "a", "3", 3).await;
    delete_all(s, b, &["b"], 4).await;
    delete_all(s, b, &["b"], 5).await;
    write(s, b, "b/c", "6", 6).await;
    delete_all(s, b, &["b/c"], 7).await;
    let other = bucket(s, "other").await;
    s.set_bucket_versioning(other, Versioning::Enabled).await.expect("there");
    write(s, other, "c", "1", 1).await;
    delete_all(s, other, &["c"], 2).await;
    b
}

const ALL: &str = "a:3* a:2 a:null b:5-* b:4- b/c:7-* b/c:6 d:null*";

pub(super) async fn versions_are_listed_from_the_newest(s: &dyn MetaStore) {
    let b = filled(s).await;
    assert_eq!(list(s, b, query("", None, 9)).await, ALL);
    assert_eq!(list(s, b, query("", None, 8)).await, ALL);
    assert_eq!(list(s, b, query("", None, 4)).await, "a:3* a:2 a:null b:5-* ...");
    assert_eq!(list(s, b, query("", None, 0)).await, "");
    assert_eq!(list(s, b, query("a", None, 9)).await, "b:5-* b:4- b/c:7-* b/c:6 d:null*", "the whole key is behind");
    assert_eq!(list(s, b, query("a", Some(id(3)), 3)).await, "a:2 a:null b:5-* ...");
    assert_eq!(list(s, b, query("a", Some(id(2)), 1)).await, "a:null ...");
    assert_eq!(list(s, b, query("a", Some(VersionName::Null), 1)).await, "b:5-* ...");
    assert_eq!(list(s, b, query("b", Some(id(5)), 2)).await, "b:4- b/c:7-* ...");
    assert_eq!(list(s, b, query("", Some(id(5)), 1)).await, "a:3* ...", "without a key it means nothing");
    assert_eq!(list(s, b, VersionsQuery { prefix: b"b/".into(), ..query("", None, 9) }).await, "b/c:7-* b/c:6");
    assert_eq!(list(s, b, VersionsQuery { prefix: b"b/".into(), ..query("a", Some(id(3)), 9) }).await, "b/c:7-* b/c:6");
    assert_eq!(list(s, b, VersionsQuery { prefix: b"b".into(), ..query("d", Some(id(3)), 9) }).await, "");
    assert_eq!(list(s, BucketId(77), query("", None, 9)).await, "");
    let page = s.list_versions(b, &query("a", Some(id(3)), 1)).await.expect("readable");
    let VersionEntry::Object { summary, .. } = &page.entries[0] else { panic!("an object") };
    assert_eq!((summary.size, summary.last_modified, summary.kind), (1, Wall(2), ObjectKind::Normal));
}

pub(super) async fn pages_of_versions_join_to_the_whole(s: &dyn MetaStore) {
    let b = filled(s).await;
    for delimiter in [None, Some(b"/".to_vec())] {
        let whole = VersionsQuery { delimiter: delimiter.clone(), ..query("", None, 100) };
        let whole = s.list_versions(b, &whole).await.expect("readable").entries;
        for limit in 1..=9 {
            let mut joined: Vec<VersionEntry> = Vec::new();
            let (mut after, mut after_version) = (None, None);
            loop {
                let next = VersionsQuery { delimiter: delimiter.clone(), after, after_version, limit, prefix: vec![] };
                let page = s.list_versions(b, &next).await.expect("readable");
                assert!(page.entries.len() == limit || !page.truncated);
                (after, after_version) = match page.entries.last() {
                    Some(VersionEntry::Object { summary, version, .. }) => {
                        (Some(summary.key.as_bytes().to_vec()), Some((*version).into()))
                    }
                    Some(VersionEntry::Marker { key, marker, .. }) => {
                        (Some(key.as_bytes().to_vec()), Some(marker.version.into()))
                    }
                    Some(VersionEntry::Prefix(prefix)) => (Some(prefix.clone()), None),
                    None => (None, None),
                };
                joined.extend(page.entries);
                if !page.truncated {
                    break;
                }
            }
            assert_eq!(joined, whole, "in pages of {limit}, delimiter {delimiter:?}");
        }
    }
}

/// Whoever empties a bucket deletes the page that it has, marker and all, and asks for the next.
pub(super) async fn a_listing_goes_on_where_its_marker_is_gone(s: &dyn MetaStore) {
    let b = versioned(s).await;
    let at = |ms: u64| VersionId(u128::from(ms) << 80);
    for ms in [10, 20, 30, 40] {
        put(s, ObjectRecord { version: Some(at(ms)), ..object(b, "a", vec![]) }, ms as i64).await;
    }
    let behind = async |ms| {
        let query = query("a", Some(VersionName::Id(at(ms))), 9);
        let page = s.list_versions(b, &query).await.expect("readable");
        let modified = |entry: &VersionEntry| match entry {
            VersionEntry::Object { summary, is_latest, .. } => (summary.last_modified.0, *is_latest),
            other => panic!("{other:?}"),
        };
        page.entries.iter().map(modified).collect::<Vec<_>>()
    };
    assert_eq!(behind(35).await, [(30, false), (20, false), (10, false)], "never was there");
    assert_eq!(behind(45).await, [(40, true), (30, false), (20, false), (10, false)]);
    remove(s, b, "a", VersionName::Id(at(40)), 50).await;
    remove(s, b, "a", VersionName::Id(at(20)), 50).await;
    assert_eq!(behind(40).await, [(30, true), (10, false)]);
    assert_eq!(behind(20).await, [(10, false)]);
    suspend(s, b).await;
    put(s, object(b, "a", vec![]), 60).await;
    assert_eq!(behind(40).await, [(30, false), (10, false)], "the null version by its time");
    assert_eq!(behind(60).await, [(60, true), (30, false), (10, false)]);
    remove(s, b, "a", VersionName::Null, 70).await;
    let all = list(s, b, query("a", Some(VersionName::Null), 9)).await;
    assert_eq!(all.split(' ').count(), 2, "nothing tells where it stood: {all}");
}

pub(super) async fn versions_roll_up(s: &dyn MetaStore) {
    let b = filled(s).await;
    let rolled = |prefix: &str, after: &str, version, limit| VersionsQuery {
        prefix: prefix.into(),
        delimiter: Some(b"/".to_vec()),
        ..query(after, version, limit)
    };
    assert_eq!(list(s, b, rolled("", "", None, 9)).await, "a:3* a:2 a:null b:5-* b:4- [b/] d:null*");
    assert_eq!(list(s, b, rolled("b", "", None, 9)).await, "b:5-* b:4- [b/]");
    assert_eq!(list(s, b, rolled("b/", "", None, 9)).await, "b/c:7-* b/c:6");
    assert_eq!(list(s, b, rolled("", "b/", None, 9)).await, "d:null*");
    assert_eq!(list(s, b, rolled("", "b/c", Some(id(7)), 9)).await, "d:null*", "inside a rolled-up prefix");
    assert_eq!(list(s, b, rolled("", "b", Some(id(5)), 2)).await, "b:4- [b/] ...");
}

pub(super) async fn usage_counts_versions_and_markers(s: &dyn MetaStore) {
    let b = versioned(s).await;
    let usage = async || {
        let usage = s.bucket_usage(b).await.expect("there");
        (usage.objects, usage.bytes, usage.markers)
    };
    write(s, b, "a", "four", 1).await;
    write(s, b, "a", "sixsix", 2).await;
    assert_eq!(usage().await, (2, 10, 0));
    delete_all(s, b, &["a", "none"], 3).await;
    assert_eq!(usage().await, (2, 10, 2));
    suspend(s, b).await;
    delete_all(s, b, &["a"], 4).await;
    assert_eq!(usage().await, (2, 10, 3));
    write(s, b, "a", "z", 5).await;
    assert_eq!(usage().await, (3, 11, 2), "in place of the null marker");
    write(s, b, "a", "zz", 6).await;
    assert_eq!(usage().await, (3, 12, 2));
    remove(s, b, "a", id(1), 7).await;
    remove(s, b, "a", VersionName::Null, 7).await;
    assert_eq!(usage().await, (1, 6, 2));
    remove(s, b, "a", id(3), 8).await;
    remove(s, b, "none", id(3), 8).await;
    remove(s, b, "a", id(2), 8).await;
    assert_eq!(usage().await, (0, 0, 0));
}

pub(super) async fn bucket_with_a_version_or_a_marker_is_not_deleted(s: &dyn MetaStore) {
    let b = versioned(s).await;
    write(s, b, "a", "one", 1).await;
    delete_all(s, b, &["a"], 2).await;
    assert_eq!(s.delete_bucket(b).await, Err(StoreError::BucketNotEmpty), "a version and a marker");
    remove(s, b, "a", id(1), 3).await;
    assert_eq!(s.delete_bucket(b).await, Err(StoreError::BucketNotEmpty), "a marker alone");
    remove(s, b, "a", id(2), 4).await;
    s.delete_bucket(b).await.expect("empty");
}

pub(super) async fn versions_are_audited_in_pages(s: &dyn MetaStore) {
    let b = filled(s).await;
    let c = bucket(s, "later").await;
    s.set_bucket_versioning(c, Versioning::Enabled).await.expect("there");
    for now in [1, 2] {
        let two = vec![in_blob(now, 5), inline("tail")];
        put(s, ObjectRecord { version: Some(version_id(now)), ..object(c, "a", two) }, now as i64).await;
    }
    let audit = |object: &ObjectRecord| format!("{} {}:{}", object.bucket.0, object.key, short(object.version));
    let other = b.0 + 1;
    let expected = [
        format!("{} a:null", b.0),
        format!("{} a:2", b.0),
        format!("{} b/c:6", b.0),
        format!("{other} c:1"),
        format!("{} a:1", c.0),
    ];
    for limit in 1..=6 {
        let mut seen: Vec<ObjectRecord> = Vec::new();
        loop {
            let after = seen.last().map(|o| (o.bucket, o.key.clone(), o.version));
            let page = s.audit_versions(after, limit).await.expect("readable");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen.iter().map(audit).collect::<Vec<_>>(), expected, "in pages of {limit}");
        assert_eq!(seen[4].extents, [in_blob(1, 5), inline("tail")]);
    }
}
