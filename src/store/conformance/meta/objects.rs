//! Objects: put, append, delete, conditions.

use super::*;

async fn read(s: &dyn MetaStore, bucket: BucketId, name: &str) -> ObjectRecord {
    s.object(bucket, &key(name)).await.expect("readable").expect("there")
}

async fn append(s: &dyn MetaStore, first: ObjectRecord, position: u64, now: i64) -> Result<ObjectRecord> {
    s.commit_append(AppendCommit { first, position }, Wall(now)).await
}

pub(super) async fn every_field_is_read_back(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let text = |t: &'static str| Some(Bytes::from_static(t.as_bytes()));
    let full = ObjectRecord {
        kind: ObjectKind::Multipart,
        etag: ETag { digest: *b"0123456789abcdef", parts: Some(3) },
        crc64: u64::MAX - 5,
        content_md5: Some(*b"fedcba9876543210"),
        acl: Some(Acl::PublicRead),
        headers: ContentHeaders {
            content_type: text("video/mp2t"),
            cache_control: text("no-cache"),
            content_disposition: Some(Bytes::from_static(b"attachment; filename=\xff\x00")),
            content_encoding: text(""),
            content_language: text("de"),
            expires: text("0"),
        },
        user_metadata: vec![("a".into(), Bytes::from_static(b"\xff")), ("owner".into(), Bytes::new())],
        tags: vec![tag("b", "1"), tag("a \"\u{e9}", "")],
        ..object(b, "a\u{0}b/\u{1F600}", vec![inline("head"), in_blob(7, 1 << 40), in_blob(8, 1), inline("tail")])
    };
    let committed = put(s, full.clone(), 42).await;
    assert_eq!(committed, ObjectRecord { last_modified: Wall(42), ..full });
    assert_eq!(s.object(b, &committed.key).await, Ok(Some(committed)));
}

pub(super) async fn empty_object_has_no_extents(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "empty", vec![]), 1).await;
    put(s, object(b, "full", vec![inline("x")]), 1).await;
    assert_eq!(read(s, b, "empty").await.extents, vec![]);
    put(s, object(b, "full", vec![]), 2).await;
    assert_eq!(read(s, b, "full").await.extents, vec![]);
    put(s, object(b, "empty", vec![inline("y")]), 3).await;
    assert_eq!(read(s, b, "empty").await.extents, [inline("y")]);
    assert_eq!(read(s, b, "full").await.extents, vec![]);
}

pub(super) async fn replacing_takes_the_place(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let old = ObjectRecord { acl: Some(Acl::Private), ..object(b, "a", vec![inline("old"), inline("er")]) };
    put(s, ObjectRecord { user_metadata: vec![("k".into(), Bytes::new())], ..old }, 1).await;
    let new = put(s, object(b, "a", vec![inline("new")]), 2).await;
    assert_eq!(read(s, b, "a").await, new);
}

pub(super) async fn object_needs_its_bucket(s: &dyn MetaStore) {
    let refused = try_put(s, object(BucketId(5), "a", vec![inline("x")]), 1).await;
    assert_eq!(refused, Err(StoreError::NotFound(What::Bucket)));
    assert_eq!(s.object(BucketId(5), &key("a")).await, Ok(None));
    // Deleting what cannot be there is no error either.
    delete(s, BucketId(5), "a", 1).await;
}

pub(super) async fn forbidden_overwrite_is_already_exists(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let commit =
        |text| ObjectCommit { object: object(b, "a", vec![inline(text)]), condition: WriteCondition::IfAbsent };
    s.commit_object(commit("one"), Wall(1)).await.expect("free");
    assert_eq!(s.commit_object(commit("two"), Wall(2)).await, Err(StoreError::AlreadyExists(What::Object)));
    assert_eq!(read(s, b, "a").await.extents, [inline("one")]);
    let elsewhere = ObjectCommit { object: object(BucketId(99), "a", vec![]), condition: WriteCondition::IfAbsent };
    assert_eq!(s.commit_object(elsewhere, Wall(3)).await, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn compare_and_swap_by_etag(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let tag = |parts| ETag { digest: [3; 16], parts };
    let commit = |etag, condition| ObjectCommit {
        object: ObjectRecord { etag, ..object(b, "a", vec![inline("x")]) },
        condition: WriteCondition::IfETag(condition),
    };
    let failed = Err(StoreError::PreconditionFailed);
    assert_eq!(s.commit_object(commit(tag(None), tag(None)), Wall(1)).await, failed, "nothing there");
    put(s, ObjectRecord { etag: tag(Some(2)), ..object(b, "a", vec![]) }, 1).await;
    assert_eq!(s.commit_object(commit(tag(None), tag(None)), Wall(2)).await, failed, "another part count");
    s.commit_object(commit(tag(None), tag(Some(2))), Wall(3)).await.expect("the same tag");
    assert_eq!(read(s, b, "a").await.etag, tag(None));
}

pub(super) async fn own_acl_is_set_and_removed(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = put(s, object(b, "a", vec![inline("x")]), 1).await;
    s.set_object_acl(b, &key("a"), None, Some(Acl::PublicRead)).await.expect("there");
    assert_eq!(read(s, b, "a").await, ObjectRecord { acl: Some(Acl::PublicRead), ..made.clone() });
    s.set_object_acl(b, &key("a"), None, None).await.expect("there");
    assert_eq!(read(s, b, "a").await, made);
    let missing = s.set_object_acl(b, &key("b"), None, None).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Object)));
}

pub(super) async fn deleting_removes_what_is_there(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    for name in ["a", "b", "c"] {
        put(s, object(b, name, vec![inline(name)]), 1).await;
    }
    assert_eq!(delete_all(s, b, &["a", "missing", "c", "a"], 2).await, [DeleteOutcome::Deleted; 4]);
    let left: Vec<bool> = vec![exists(s, b, "a").await, exists(s, b, "b").await, exists(s, b, "c").await];
    assert_eq!(left, [false, true, false]);
    assert_eq!(delete_all(s, b, &[], 2).await, []);
}

pub(super) async fn first_append_makes_an_appendable_object(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let first = ObjectRecord { acl: Some(Acl::PublicRead), ..object(b, "log", vec![inline("one ")]) };
    let made = append(s, first.clone(), 0, 5).await.expect("free");
    assert_eq!(made, ObjectRecord { kind: ObjectKind::Appendable, last_modified: Wall(5), ..first });
    assert_eq!(read(s, b, "log").await, made);
}

pub(super) async fn append_adds_bytes_digest_and_tag(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let first = ObjectRecord { content_md5: Some([1; 16]), ..object(b, "log", vec![inline("one ")]) };
    let first = append(s, ObjectRecord { acl: Some(Acl::PublicRead), ..first }, 0, 5).await.expect("free");
    let second = append(s, object(b, "log", vec![inline("two ")]), 4, 6).await.expect("at the end");
    let third = append(s, object(b, "log", vec![inline("three")]), 8, 7).await.expect("at the end");

    let whole = object(b, "log", vec![inline("one two three")]);
    assert_eq!((third.size, third.crc64), (13, whole.crc64));
    assert_eq!(third.extents, whole.extents, "short pieces are joined");
    assert_eq!((third.content_md5, third.acl, third.last_modified), (None, Some(Acl::PublicRead), Wall(7)));
    assert_ne!(first.etag, second.etag);
    assert_ne!(second.etag, third.etag);
    assert_eq!(third.etag.parts, Some(3), "the tag never passes for an MD5");
    assert_eq!(read(s, b, "log").await, third);
}

pub(super) async fn append_elsewhere_than_the_end_is_refused(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let more = || object(b, "log", vec![inline("more")]);
    assert_eq!(append(s, more(), 1, 1).await, Err(StoreError::PositionNotLength(0)));
    assert!(!exists(s, b, "log").await);
    let made = append(s, more(), 0, 1).await.expect("free");
    for position in [0, 3, 5] {
        assert_eq!(append(s, more(), position, 2).await, Err(StoreError::PositionNotLength(4)), "at {position}");
    }
    assert_eq!(read(s, b, "log").await, made);
}

pub(super) async fn append_to_another_kind_is_refused(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![inline("text")]), 1).await;
    for position in [0, 4] {
        let refused = append(s, object(b, "a", vec![inline("x")]), position, 2).await;
        assert_eq!(refused, Err(StoreError::NotAppendable), "at {position}");
    }
}

pub(super) async fn append_needs_its_bucket(s: &dyn MetaStore) {
    let refused = append(s, object(BucketId(4), "a", vec![inline("x")]), 0, 1).await;
    assert_eq!(refused, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn appends_of_blobs_and_text_keep_their_order(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let pieces = [in_blob(1, 10), inline("ab"), inline("cd"), in_blob(2, 20), in_blob(3, 30), inline("e")];
    let mut position = 0;
    for piece in &pieces {
        let object = append(s, object(b, "log", vec![piece.clone()]), position, 1).await.expect("at the end");
        position = object.size;
    }
    let expected = [in_blob(1, 10), inline("abcd"), in_blob(2, 20), in_blob(3, 30), inline("e")];
    assert_eq!(read(s, b, "log").await.extents, expected);
    assert_eq!(state(s, 2).await, BlobState::Named(20));
    delete(s, b, "log", 9).await;
    assert_eq!(state(s, 2).await, BlobState::Garbage);
}

pub(super) async fn append_to_an_empty_appendable_object(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    append(s, object(b, "log", vec![]), 0, 1).await.expect("free");
    put(s, object(b, "other", vec![inline("other")]), 1).await;
    let object = append(s, object(b, "log", vec![in_blob(1, 3), inline("x")]), 0, 2).await.expect("at the end");
    assert_eq!(object.extents, [in_blob(1, 3), inline("x")]);
    assert_eq!(read(s, b, "log").await, object);
    assert_eq!(read(s, b, "other").await.extents, [inline("other")]);
}

pub(super) async fn append_of_nothing_keeps_the_body(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    append(s, object(b, "log", vec![]), 0, 1).await.expect("free");
    let still_empty = append(s, object(b, "log", vec![]), 0, 2).await.expect("at the end");
    assert_eq!(read(s, b, "log").await, still_empty);
    append(s, object(b, "log", vec![inline("text")]), 0, 3).await.expect("at the end");
    let same = append(s, object(b, "log", vec![]), 4, 4).await.expect("at the end");
    assert_eq!((same.size, same.crc64), (4, object(b, "log", vec![inline("text")]).crc64));
    assert_eq!(same.extents, [inline("text")]);
    assert_eq!(read(s, b, "log").await, same);
}

pub(super) async fn objects_are_audited_over_buckets_in_pages(s: &dyn MetaStore) {
    let (b1, b2) = (bucket(s, "films").await, bucket(s, "music").await);
    let mut expected = Vec::new();
    for (b, name) in [(b1, "a"), (b1, "b"), (b2, "a"), (b2, "a\u{0}")] {
        let extents = vec![inline(name), in_blob(expected.len() as u64 + 1, 5), inline("tail")];
        expected.push(put(s, object(b, name, if name == "b" { vec![] } else { extents }), 1).await);
    }
    for limit in 1..=5 {
        let mut seen: Vec<ObjectRecord> = Vec::new();
        loop {
            let after = seen.last().map(|o| (o.bucket, o.key.clone()));
            let page = s.audit_objects(after, limit).await.expect("readable");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, expected, "in pages of {limit}");
    }
}

pub(super) async fn tags_are_set_kept_and_replaced(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let (one, two) = (vec![tag("a", "1")], vec![tag("z", ""), tag("b", "2")]);
    let put_with = |tags: &[Tag]| ObjectRecord { tags: tags.to_vec(), ..object(b, "a", vec![inline("text")]) };
    let stored = put(s, put_with(&one), 1).await;
    assert_eq!(read(s, b, "a").await.tags, one);
    s.set_object_tags(b, &key("a"), None, two.clone()).await.expect("there");
    // Nothing else has changed, its time neither.
    assert_eq!(read(s, b, "a").await, ObjectRecord { tags: two.clone(), ..stored });
    s.set_object_acl(b, &key("a"), None, Some(Acl::PublicRead)).await.expect("there");
    assert_eq!(read(s, b, "a").await.tags, two);
    s.set_object_tags(b, &key("a"), None, Vec::new()).await.expect("there");
    assert_eq!(read(s, b, "a").await.tags, vec![]);
    put(s, put_with(&one), 2).await;
    put(s, put_with(&[]), 3).await;
    assert_eq!(read(s, b, "a").await.tags, vec![], "a new object has its own");

    let first = ObjectRecord { kind: ObjectKind::Appendable, tags: one.clone(), ..object(b, "log", vec![inline("a")]) };
    append(s, first.clone(), 0, 4).await.expect("made");
    append(s, ObjectRecord { tags: two.clone(), ..first }, 1, 5).await.expect("appended");
    assert_eq!(read(s, b, "log").await.tags, one, "later appends change none");
    let missing = s.set_object_tags(b, &key("none"), None, two).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Object)));
}
