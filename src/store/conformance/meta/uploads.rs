//! Multipart uploads: begin, parts, complete, abort, listings.

use super::*;
use crate::limits::COMPLETED_UPLOAD_KEPT;

async fn begin(s: &dyn MetaStore, bucket: BucketId, name: &str, id: u64) -> UploadRecord {
    s.begin_upload(upload_record(bucket, name, id), Wall(10)).await.expect("a fresh id")
}

async fn try_part(s: &dyn MetaStore, upload: &UploadRecord, part: PartRecord, now: i64) -> Result<PartSummary> {
    let commit = PartCommit { bucket: upload.bucket, key: upload.key.clone(), upload: upload.id, part };
    s.commit_part(commit, Wall(now)).await
}

async fn put_part(s: &dyn MetaStore, upload: &UploadRecord, number: u32, extents: Vec<Extent>) -> PartSummary {
    try_part(s, upload, part(number, extents), 11).await.expect("an open upload")
}

pub(super) fn completion(upload: &UploadRecord, parts: PartChoice) -> CompleteCommit {
    let (bucket, key) = (upload.bucket, upload.key.clone());
    CompleteCommit {
        bucket,
        key,
        upload: upload.id,
        parts,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: None,
        expected: ExpectedObject::default(),
    }
}

fn listed(parts: &[PartSummary]) -> PartChoice {
    let listed = |part: &PartSummary| ListedPart { number: part.number, md5: Some(part.md5), checksum: None };
    PartChoice::Listed(parts.iter().map(listed).collect())
}

async fn complete(s: &dyn MetaStore, upload: &UploadRecord, parts: PartChoice, now: i64) -> CompletedUpload {
    s.complete_upload(completion(upload, parts), Wall(now)).await.expect("parts that are there")
}

async fn read(s: &dyn MetaStore, upload: &UploadRecord) -> Option<ObjectRecord> {
    s.object(upload.bucket, &upload.key).await.expect("readable")
}

async fn is_open(s: &dyn MetaStore, upload: &UploadRecord) -> bool {
    s.upload(upload.bucket, &upload.key, upload.id).await.expect("readable").is_some()
}

async fn parts(s: &dyn MetaStore, upload: &UploadRecord, after: u32, limit: usize) -> Page<PartSummary> {
    s.list_parts(upload.bucket, &upload.key, upload.id, after, limit).await.expect("an open upload")
}

fn missing<T>() -> Result<T> {
    Err(StoreError::NotFound(What::Upload))
}

pub(super) async fn every_field_of_an_upload_is_read_back(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let text = |t: &'static str| Some(Bytes::from_static(t.as_bytes()));
    let full = UploadRecord {
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
        tags: vec![tag("b", "1"), tag("a", "")],
        id: UploadId(u128::MAX - 5),
        ..upload_record(b, "a\u{0}b/\u{1F600}", 0)
    };
    let begun = s.begin_upload(full.clone(), Wall(42)).await.expect("a fresh id");
    assert_eq!(begun, UploadRecord { initiated: Wall(42), ..full });
    assert_eq!(s.upload(b, &begun.key, begun.id).await, Ok(Some(begun.clone())));
    assert_eq!(s.upload(b, &key("other"), begun.id).await, Ok(None));
    assert_eq!(s.upload(BucketId(99), &begun.key, begun.id).await, Ok(None));

    let done = complete(s, &begun, listed(&[put_part(s, &begun, 1, vec![inline("x")]).await]), 50).await;
    let object = read(s, &begun).await.expect("made");
    assert_eq!((object.kind, object.last_modified), (ObjectKind::Multipart, Wall(50)));
    assert_eq!((object.acl, object.headers, object.user_metadata), (begun.acl, begun.headers, begun.user_metadata));
    assert_eq!(object.tags, begun.tags);
    assert_eq!((object.etag, object.crc64, object.size), (done.etag, done.crc64, done.size));
}

pub(super) async fn upload_needs_its_bucket_and_an_id_of_its_own(s: &dyn MetaStore) {
    let nowhere = s.begin_upload(upload_record(BucketId(5), "a", 1), Wall(1)).await;
    assert_eq!(nowhere, Err(StoreError::NotFound(What::Bucket)));
    let b = bucket(s, "films").await;
    begin(s, b, "a", 1).await;
    for name in ["a", "b"] {
        let again = s.begin_upload(upload_record(b, name, 1), Wall(1)).await;
        assert_eq!(again, Err(StoreError::AlreadyExists(What::Upload)), "{name}");
    }
    begin(s, b, "a", 2).await;
}

pub(super) async fn part_needs_its_upload(s: &dyn MetaStore) {
    let (b, other) = (bucket(s, "films").await, bucket(s, "music").await);
    let upload = begin(s, b, "a", 1).await;
    for wrong in [
        UploadRecord { id: upload_id(2), ..upload.clone() },
        UploadRecord { key: key("b"), ..upload.clone() },
        UploadRecord { bucket: other, ..upload.clone() },
    ] {
        assert_eq!(try_part(s, &wrong, part(1, vec![in_blob(1, 5)]), 2).await, missing());
        assert_eq!(s.list_parts(wrong.bucket, &wrong.key, wrong.id, 0, 9).await, missing());
        assert_eq!(s.complete_upload(completion(&wrong, PartChoice::All), Wall(2)).await, missing());
    }
    assert_eq!(state(s, 1).await, BlobState::Unknown);
    assert_eq!(parts(s, &upload, 0, 9).await, Page { entries: vec![], truncated: false });
}

pub(super) async fn parts_are_listed_in_pages(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let (upload, other) = (begin(s, b, "a", 1).await, begin(s, b, "a", 2).await);
    put_part(s, &other, 2, vec![inline("other")]).await;
    let mut all = Vec::new();
    for number in [10_000, 3, 1] {
        all.insert(0, put_part(s, &upload, number, vec![inline("text"), in_blob(u64::from(number), 9)]).await);
    }
    assert_eq!(all[1].last_modified, Wall(11));
    assert_eq!(all[1].size, 13);
    let page = |range: std::ops::Range<usize>, truncated| Page { entries: all[range].to_vec(), truncated };
    assert_eq!(parts(s, &upload, 0, 3).await, page(0..3, false));
    assert_eq!(parts(s, &upload, 0, 2).await, page(0..2, true));
    assert_eq!(parts(s, &upload, 1, 1).await, page(1..2, true));
    assert_eq!(parts(s, &upload, 2, 9).await, page(1..3, false));
    assert_eq!(parts(s, &upload, 10_000, 9).await, page(3..3, false));
}

pub(super) async fn part_again_takes_the_place(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    put_part(s, &upload, 1, vec![in_blob(1, 5), in_blob(2, 5)]).await;
    assert_eq!(state(s, 1).await, BlobState::Named(5));
    let second = try_part(s, &upload, part(1, vec![inline("new"), in_blob(2, 5)]), 30).await.expect("open");
    assert_eq!(parts(s, &upload, 0, 9).await.entries, [second]);
    assert_eq!((state(s, 1).await, state(s, 2).await), (BlobState::Garbage, BlobState::Named(5)));
    assert_eq!(s.garbage(Wall(30), 9).await, Ok(vec![]));
    assert_eq!(s.garbage(Wall(31), 9).await, Ok(vec![blob_id(1)]));
    try_part(s, &upload, part(1, vec![]), 31).await.expect("open");
    assert_eq!(state(s, 2).await, BlobState::Garbage);
}

pub(super) async fn part_may_name_what_another_names(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "source", vec![in_blob(1, 100)]), 1).await;
    let upload = begin(s, b, "a", 1).await;
    let tail = Extent::Blob { id: blob_id(1), offset: 90, length: 20 };
    put_part(s, &upload, 1, vec![tail]).await;
    assert_eq!(state(s, 1).await, BlobState::Named(110));
    delete(s, b, "source", 2).await;
    assert_eq!(state(s, 1).await, BlobState::Named(110));
    put(s, object(b, "copy", vec![in_blob(1, 7)]), 3).await;
    s.abort_upload(b, &key("a"), upload.id, Wall(4)).await.expect("open");
    assert_eq!(state(s, 1).await, BlobState::Named(7));
    delete(s, b, "copy", 5).await;
    assert_eq!(state(s, 1).await, BlobState::Garbage);
    let upload = begin(s, b, "a", 2).await;
    put_part(s, &upload, 1, vec![in_blob(1, 7)]).await;
    assert_eq!(state(s, 1).await, BlobState::Named(7), "garbage that is named again is none");
}

pub(super) async fn taken_garbage_cannot_become_a_part(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "source", vec![in_blob(1, 10)]), 1).await;
    delete(s, b, "source", 2).await;
    assert_eq!(s.garbage(Wall(3), 9).await, Ok(vec![blob_id(1)]));
    let upload = begin(s, b, "a", 1).await;
    let old = put_part(s, &upload, 1, vec![in_blob(2, 10)]).await;
    let refused = try_part(s, &upload, part(1, vec![in_blob(3, 10), in_blob(1, 10)]), 12).await;
    assert_eq!(refused, Err(StoreError::NotFound(What::Blob)));
    assert_eq!(parts(s, &upload, 0, 9).await.entries, [old]);
    assert_eq!((state(s, 2).await, state(s, 3).await), (BlobState::Named(10), BlobState::Unknown));
}

pub(super) async fn completing_makes_the_object_of_the_parts(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    // Uploaded out of order; numbers have gaps.
    let third = put_part(s, &upload, 70, vec![inline("three"), in_blob(3, 30)]).await;
    let first = put_part(s, &upload, 1, vec![inline("one "), in_blob(1, 10)]).await;
    let second = put_part(s, &upload, 9, vec![in_blob(2, 20), inline("two ")]).await;
    let done = complete(s, &upload, listed(&[first, second, third]), 60).await;

    let object = read(s, &upload).await.expect("made");
    let expected = [inline("one "), in_blob(1, 10), in_blob(2, 20), inline("two three"), in_blob(3, 30)];
    assert_eq!(object.extents, expected);
    assert_eq!((object.size, object.kind, object.content_md5), (73, ObjectKind::Multipart, None));
    assert_eq!((object.last_modified, object.etag.parts), (Wall(60), Some(3)));
    let crc = [first, second, third]
        .into_iter()
        .reduce(|a, b| PartSummary { crc64: crate::store::digest::combine(a.crc64, b.crc64, b.size), ..a });
    assert_eq!(object.crc64, crc.expect("three parts").crc64);
    let same = CompletedUpload {
        bucket: b,
        key: key("a"),
        size: 73,
        etag: object.etag,
        crc64: object.crc64,
        checksum: None,
        completed: Wall(60),
        version: None,
    };
    assert_eq!(done, same);
    for blob in [1, 2, 3] {
        assert_eq!(state(s, blob).await, BlobState::Named(blob * 10));
    }
    assert!(!is_open(s, &upload).await);
    assert_eq!(try_part(s, &upload, part(1, vec![]), 61).await, missing());
    assert_eq!(s.audit_parts(None, 9).await, Ok(vec![]));
    delete(s, b, "a", 62).await;
    assert_eq!(state(s, 2).await, BlobState::Garbage);
}

pub(super) async fn completing_leaves_out_what_was_not_chosen(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    put_part(s, &upload, 1, vec![in_blob(1, 5), in_blob(2, 5)]).await;
    let second = put_part(s, &upload, 2, vec![in_blob(2, 5)]).await;
    complete(s, &upload, listed(&[second]), 60).await;
    assert_eq!(read(s, &upload).await.expect("made").extents, [in_blob(2, 5)]);
    assert_eq!((state(s, 1).await, state(s, 2).await), (BlobState::Garbage, BlobState::Named(5)));
    assert_eq!(s.garbage(Wall(60), 9).await, Ok(vec![]));
    assert_eq!(s.garbage(Wall(61), 9).await, Ok(vec![blob_id(1)]));
}

pub(super) async fn completing_replaces_the_object(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let old = ObjectRecord { acl: Some(Acl::PublicRead), ..object(b, "a", vec![in_blob(1, 5), in_blob(2, 5)]) };
    put(s, old, 1).await;
    let (upload, other) = (begin(s, b, "a", 1).await, begin(s, b, "a", 2).await);
    // Part of the old object lives on in the new one.
    put_part(s, &upload, 1, vec![in_blob(2, 5)]).await;
    put_part(s, &other, 1, vec![in_blob(3, 5)]).await;
    complete(s, &upload, PartChoice::All, 60).await;
    let object = read(s, &upload).await.expect("made");
    assert_eq!((object.extents, object.acl), (vec![in_blob(2, 5)], None));
    assert_eq!((state(s, 1).await, state(s, 2).await), (BlobState::Garbage, BlobState::Named(5)));
    assert!(is_open(s, &other).await, "another upload of the key goes on");
    complete(s, &other, PartChoice::All, 61).await;
    assert_eq!(state(s, 2).await, BlobState::Garbage);
}

pub(super) async fn short_and_neighbouring_extents_are_joined(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    let range = |offset, length| Extent::Blob { id: blob_id(1), offset, length };
    put_part(s, &upload, 1, vec![range(0, 50)]).await;
    put_part(s, &upload, 2, vec![range(50, 50)]).await;
    put_part(s, &upload, 3, vec![inline("a")]).await;
    put_part(s, &upload, 4, vec![inline("b")]).await;
    complete(s, &upload, PartChoice::All, 60).await;
    let object = read(s, &upload).await.expect("made");
    assert_eq!(object.extents, [range(0, 100), inline("ab")]);
    assert_eq!(object.etag.parts, Some(4));
}

pub(super) async fn empty_parts_make_an_empty_object(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    put_part(s, &upload, 1, vec![]).await;
    let done = complete(s, &upload, PartChoice::All, 60).await;
    let empty = object(b, "a", vec![]);
    assert_eq!((done.size, done.crc64, done.etag.parts), (0, empty.crc64, Some(1)));
    assert_eq!(read(s, &upload).await.expect("made").extents, []);

    let upload = begin(s, b, "b", 2).await;
    put_part(s, &upload, 1, vec![inline("text")]).await;
    put_part(s, &upload, 2, vec![]).await;
    let done = complete(s, &upload, PartChoice::All, 60).await;
    assert_eq!((done.size, done.crc64), (4, object(b, "b", vec![inline("text")]).crc64));
}

pub(super) async fn refused_completion_changes_nothing(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let old = put(s, object(b, "a", vec![in_blob(9, 5)]), 1).await;
    let upload = begin(s, b, "a", 1).await;
    let refused = s.complete_upload(completion(&upload, PartChoice::All), Wall(50)).await;
    assert_eq!(refused, Err(StoreError::InvalidPart(1)), "no part at all");
    let all = [
        put_part(s, &upload, 1, vec![in_blob(1, 10)]).await,
        put_part(s, &upload, 2, vec![in_blob(2, 9)]).await,
        put_part(s, &upload, 3, vec![inline("x")]).await,
    ];
    let unknown = PartSummary { number: 4, ..all[2] };
    let another = PartSummary { md5: all[0].md5, ..all[2] };
    let small = StoreError::PartTooSmall { number: 2, size: 9, md5: all[1].md5 };
    for (choice, part_bytes_min, error) in [
        (listed(&[all[1], all[0]]), 0, StoreError::InvalidPartOrder),
        (listed(&[all[0], all[0]]), 0, StoreError::InvalidPartOrder),
        (listed(&[all[0], unknown]), 0, StoreError::InvalidPart(4)),
        (listed(&[all[0], another]), 0, StoreError::InvalidPart(3)),
        (PartChoice::Listed(vec![ListedPart { number: 1, md5: None, checksum: None }]), 0, StoreError::InvalidPart(1)),
        (PartChoice::Listed(vec![]), 0, StoreError::InvalidPart(1)),
        (listed(&all), 10, small.clone()),
        (PartChoice::All, 10, small),
    ] {
        let commit = CompleteCommit { part_bytes_min, ..completion(&upload, choice) };
        assert_eq!(s.complete_upload(commit.clone(), Wall(50)).await, Err(error), "{commit:?}");
    }
    assert_eq!(read(s, &upload).await, Some(old));
    assert_eq!(parts(s, &upload, 0, 9).await.entries, all);
    assert_eq!((state(s, 9).await, state(s, 2).await), (BlobState::Named(5), BlobState::Named(9)));
    let commit = CompleteCommit { part_bytes_min: 10, ..completion(&upload, listed(&[all[0], all[1]])) };
    s.complete_upload(commit, Wall(51)).await.expect("the last part may be short");
}

pub(super) async fn completion_is_judged_by_its_condition(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    put_part(s, &upload, 1, vec![inline("new")]).await;
    let with = |condition| CompleteCommit { condition, ..completion(&upload, PartChoice::All) };
    let old = put(s, object(b, "a", vec![inline("old")]), 1).await;
    let other = WriteCondition::IfETag(ETag { parts: Some(1), ..old.etag });
    for (condition, error) in
        [(WriteCondition::IfAbsent, StoreError::AlreadyExists(What::Object)), (other, StoreError::PreconditionFailed)]
    {
        assert_eq!(s.complete_upload(with(condition), Wall(50)).await, Err(error));
        assert!(is_open(s, &upload).await);
    }
    assert_eq!(read(s, &upload).await.expect("there").extents, [inline("old")]);
    s.complete_upload(with(WriteCondition::IfETag(old.etag)), Wall(50)).await.expect("the same tag");
    assert_eq!(read(s, &upload).await.expect("there").extents, [inline("new")]);
}

pub(super) async fn repeated_completion_is_the_same(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    let all = [put_part(s, &upload, 1, vec![inline("x")]).await, put_part(s, &upload, 2, vec![inline("y")]).await];
    let commit = CompleteCommit { condition: WriteCondition::IfAbsent, ..completion(&upload, listed(&all)) };
    let done = s.complete_upload(commit.clone(), Wall(60)).await.expect("free");
    // Its own object does not forbid it, and what became of the object since is no matter.
    assert_eq!(s.complete_upload(commit.clone(), Wall(61)).await.as_ref(), Ok(&done));
    assert_eq!(s.complete_upload(completion(&upload, PartChoice::All), Wall(62)).await.as_ref(), Ok(&done));
    let newer = put(s, object(b, "a", vec![inline("newer")]), 63).await;
    assert_eq!(s.complete_upload(commit.clone(), Wall(64)).await.as_ref(), Ok(&done));
    assert_eq!(read(s, &upload).await, Some(newer), "nothing is written again");
    delete(s, b, "a", 65).await;
    assert_eq!(s.complete_upload(commit, Wall(66)).await, Ok(done));
    assert!(!exists(s, b, "a").await);
}

pub(super) async fn repeated_completion_is_forgotten_after_its_time(s: &dyn MetaStore) {
    let kept = i64::try_from(COMPLETED_UPLOAD_KEPT.as_millis()).expect("a day");
    let b = bucket(s, "films").await;
    let mut uploads = Vec::new();
    for id in 1..=20 {
        let upload = begin(s, b, "a", id).await;
        put_part(s, &upload, 1, vec![]).await;
        complete(s, &upload, PartChoice::All, 60).await;
        uploads.push(upload);
    }
    let again = |upload: &UploadRecord| completion(upload, PartChoice::All);
    for upload in &uploads {
        assert!(s.complete_upload(again(upload), Wall(60 + kept)).await.is_ok());
        assert_eq!(s.complete_upload(again(upload), Wall(61 + kept)).await, missing());
    }
    // Later completions take them away; the answer is the same.
    for id in 21..=30 {
        let upload = begin(s, b, "a", id).await;
        put_part(s, &upload, 1, vec![]).await;
        complete(s, &upload, PartChoice::All, 61 + kept).await;
    }
    for upload in &uploads {
        assert_eq!(s.complete_upload(again(upload), Wall(60)).await, missing(), "the clock stepped back");
    }
}

pub(super) async fn other_completion_of_a_completed_upload_is_refused(s: &dyn MetaStore) {
    let (b, other) = (bucket(s, "films").await, bucket(s, "music").await);
    let upload = begin(s, b, "a", 1).await;
    let all = [put_part(s, &upload, 1, vec![inline("x")]).await, put_part(s, &upload, 2, vec![inline("y")]).await];
    complete(s, &upload, listed(&all), 60).await;
    let right = completion(&upload, listed(&all));
    for wrong in [
        CompleteCommit { parts: listed(&all[..1]), ..right.clone() },
        CompleteCommit {
            parts: PartChoice::Listed(vec![ListedPart { number: 1, md5: None, checksum: None }]),
            ..right.clone()
        },
        CompleteCommit { key: key("b"), ..right.clone() },
        CompleteCommit { bucket: other, ..right.clone() },
    ] {
        assert_eq!(s.complete_upload(wrong, Wall(61)).await, missing());
    }
    let aborted = s.abort_upload(b, &key("a"), upload.id, Wall(61)).await;
    assert_eq!(aborted, missing());
}

pub(super) async fn aborting_makes_garbage(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    put_part(s, &upload, 1, vec![in_blob(1, 5), inline("x"), in_blob(1, 9)]).await;
    put_part(s, &upload, 2, vec![in_blob(1, 5), in_blob(2, 5)]).await;
    put_part(s, &upload, 3, vec![]).await;
    s.abort_upload(b, &key("a"), upload.id, Wall(70)).await.expect("open");
    assert!(!is_open(s, &upload).await && !exists(s, b, "a").await);
    assert_eq!(s.garbage(Wall(70), 9).await, Ok(vec![]));
    assert_eq!(s.garbage(Wall(71), 9).await, Ok(vec![blob_id(1), blob_id(2)]));
    assert_eq!(s.audit_parts(None, 9).await, Ok(vec![]));
}

pub(super) async fn aborting_needs_its_upload(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    assert_eq!(s.abort_upload(b, &key("b"), upload.id, Wall(2)).await, missing());
    assert_eq!(s.abort_upload(b, &key("a"), upload_id(9), Wall(2)).await, missing());
    s.abort_upload(b, &key("a"), upload.id, Wall(2)).await.expect("open");
    assert_eq!(s.abort_upload(b, &key("a"), upload.id, Wall(2)).await, missing());
    assert_eq!(try_part(s, &upload, part(1, vec![in_blob(1, 5)]), 3).await, missing());
    assert_eq!(state(s, 1).await, BlobState::Unknown);
}

fn word(entry: &UploadEntry) -> String {
    match entry {
        UploadEntry::Upload(upload) => format!("{}:{}", upload.key, upload.id.0),
        UploadEntry::Prefix(prefix) => format!("[{}]", String::from_utf8_lossy(prefix)),
    }
}

/// Uploads as `key:id`, common prefixes in brackets, `...` when there is more.
async fn list(s: &dyn MetaStore, bucket: BucketId, query: UploadsQuery) -> String {
    let page = s.list_uploads(bucket, &query).await.expect("readable");
    let mut words: Vec<String> = page.entries.iter().map(word).collect();
    if page.truncated {
        words.push("...".into());
    }
    words.join(" ")
}

fn query(prefix: &str, delimiter: &str, after: &str, after_id: Option<u64>, limit: usize) -> UploadsQuery {
    UploadsQuery {
        prefix: prefix.into(),
        delimiter: Some(delimiter.into()),
        after: (!after.is_empty()).then(|| after.into()),
        after_id: after_id.map(upload_id),
        limit,
    }
}

async fn some_uploads(s: &dyn MetaStore) -> BucketId {
    let b = bucket(s, "films").await;
    for (name, id) in [("b", 4), ("a", 9), ("a", 3), ("a/1", 5), ("a/2", 6), ("a/2", 1), ("a0", 7), ("c/x", 8)] {
        begin(s, b, name, id).await;
    }
    begin(s, bucket(s, "music").await, "a", 100).await;
    put(s, object(b, "object", vec![]), 1).await;
    b
}

pub(super) async fn uploads_are_listed_by_key_and_id(s: &dyn MetaStore) {
    let b = some_uploads(s).await;
    assert_eq!(list(s, b, query("", "", "", None, 9)).await, "a:3 a:9 a/1:5 a/2:1 a/2:6 a0:7 b:4 c/x:8");
    assert_eq!(list(s, b, query("a/", "", "", None, 9)).await, "a/1:5 a/2:1 a/2:6");
    assert_eq!(list(s, b, query("", "", "", None, 1)).await, "a:3 ...");
    assert_eq!(list(s, b, query("", "", "", None, 8)).await, "a:3 a:9 a/1:5 a/2:1 a/2:6 a0:7 b:4 c/x:8");
    assert_eq!(list(s, b, query("z", "", "", None, 9)).await, "");
    assert_eq!(list(s, BucketId(77), query("", "", "", None, 9)).await, "", "no such bucket");
    let page = s.list_uploads(b, &query("b", "", "", None, 1)).await.expect("readable");
    let (initiated, storage_class) = (Wall(10), StorageClass::Standard);
    let expected = UploadSummary { key: key("b"), id: upload_id(4), initiated, checksum: None, storage_class };
    assert_eq!(page, Page { entries: vec![UploadEntry::Upload(expected)], truncated: false });
}

pub(super) async fn markers_of_a_listing_of_uploads(s: &dyn MetaStore) {
    let b = some_uploads(s).await;
    assert_eq!(list(s, b, query("", "", "a/2", None, 9)).await, "a0:7 b:4 c/x:8", "without an id: behind the key");
    assert_eq!(list(s, b, query("", "", "a/2", Some(0), 2)).await, "a/2:1 a/2:6 ...");
    assert_eq!(list(s, b, query("", "", "a/2", Some(1), 2)).await, "a/2:6 a0:7 ...");
    assert_eq!(list(s, b, query("", "", "a/2", Some(6), 9)).await, "a0:7 b:4 c/x:8");
    assert_eq!(list(s, b, query("", "", "a/15", Some(0), 9)).await, "a/2:1 a/2:6 a0:7 b:4 c/x:8", "no such key");
    assert_eq!(list(s, b, query("a/", "", "a", Some(1), 9)).await, "a/1:5 a/2:1 a/2:6", "a marker before the prefix");
    assert_eq!(list(s, b, query("a/", "", "b", None, 9)).await, "", "a marker behind the prefix");
    assert_eq!(list(s, b, query("b", "", "", Some(9), 9)).await, "b:4", "an id without a key means nothing");
}

pub(super) async fn delimiter_rolls_up_uploads(s: &dyn MetaStore) {
    let b = some_uploads(s).await;
    assert_eq!(list(s, b, query("", "/", "", None, 9)).await, "a:3 a:9 [a/] a0:7 b:4 [c/]");
    assert_eq!(list(s, b, query("", "/", "", None, 3)).await, "a:3 a:9 [a/] ...");
    assert_eq!(list(s, b, query("a/", "/", "", None, 9)).await, "a/1:5 a/2:1 a/2:6");
    for (marker, id) in [("a/", None), ("a/1", None), ("a/1", Some(1)), ("a/zzz", Some(9))] {
        assert_eq!(list(s, b, query("", "/", marker, id, 9)).await, "a0:7 b:4 [c/]", "after {marker}");
    }
}

pub(super) async fn pages_of_uploads_join_to_the_whole(s: &dyn MetaStore) {
    let b = some_uploads(s).await;
    for delimiter in ["", "/"] {
        let whole = s.list_uploads(b, &query("", delimiter, "", None, 100)).await.expect("readable");
        for limit in 1..=8 {
            let mut joined: Vec<UploadEntry> = Vec::new();
            loop {
                let (after, after_id) = match joined.last() {
                    None => (None, None),
                    Some(UploadEntry::Upload(last)) => (Some(last.key.as_bytes().to_vec()), Some(last.id)),
                    Some(UploadEntry::Prefix(prefix)) => (Some(prefix.clone()), None),
                };
                let query = UploadsQuery { after, after_id, ..query("", delimiter, "", None, limit) };
                let page = s.list_uploads(b, &query).await.expect("readable");
                assert!(page.entries.len() == limit || !page.truncated);
                joined.extend(page.entries);
                if !page.truncated {
                    break;
                }
            }
            assert_eq!(joined, whole.entries, "in pages of {limit}, delimiter {delimiter:?}");
        }
    }
}

pub(super) async fn bucket_with_an_open_upload_is_not_deleted(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1).await;
    assert_eq!(s.delete_bucket(b).await, Err(StoreError::BucketNotEmpty));
    put_part(s, &upload, 1, vec![inline("x")]).await;
    complete(s, &upload, PartChoice::All, 60).await;
    assert_eq!(s.delete_bucket(b).await, Err(StoreError::BucketNotEmpty), "the object");
    delete(s, b, "a", 61).await;
    // What is remembered of completed uploads keeps no bucket.
    s.delete_bucket(b).await.expect("empty");
    assert_eq!(s.complete_upload(completion(&upload, PartChoice::All), Wall(62)).await, missing());
}

pub(super) async fn parts_are_audited_in_pages(s: &dyn MetaStore) {
    let (b1, b2) = (bucket(s, "films").await, bucket(s, "music").await);
    let mut expected = Vec::new();
    for (bucket, name, id) in [(b2, "z", 1), (b1, "a", 2), (b1, "a", 3)] {
        let upload = begin(s, bucket, name, id).await;
        for (number, extents) in [(2, vec![]), (5, vec![inline("x"), in_blob(id, 7)]), (6, vec![in_blob(9, id)])] {
            let summary = put_part(s, &upload, number, extents.clone()).await;
            let part = PartRecord { summary, extents };
            expected.push(PartAudit { bucket, key: key(name), upload: upload.id, part });
        }
    }
    for limit in 1..=10 {
        let mut seen: Vec<PartAudit> = Vec::new();
        loop {
            let after = seen.last().map(|audit| (audit.upload, audit.part.summary.number));
            let page = s.audit_parts(after, limit).await.expect("readable");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, expected, "in pages of {limit}");
    }
}
