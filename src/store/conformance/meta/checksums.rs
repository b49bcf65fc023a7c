//! Checksums that clients chose: with uploads, parts and objects, and what is remembered of an object's parts.

use super::*;

const CRC32: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

fn form(algorithm: ChecksumAlgorithm, kind: ChecksumType) -> Option<ChecksumForm> {
    Some(ChecksumForm { algorithm, kind })
}

async fn begin(
    s: &dyn MetaStore,
    bucket: BucketId,
    name: &str,
    id: u64,
    checksum: Option<ChecksumForm>,
) -> UploadRecord {
    let record = UploadRecord { checksum, ..upload_record(bucket, name, id) };
    s.begin_upload(record, Wall(10)).await.expect("a fresh id")
}

/// A part of this text, with its checksum by `algorithm`.
async fn put_part(
    s: &dyn MetaStore,
    upload: &UploadRecord,
    number: u32,
    text: &str,
    algorithm: Option<ChecksumAlgorithm>,
) -> PartSummary {
    let extents = if text.is_empty() { vec![] } else { vec![inline(text)] };
    let mut part = part(number, extents);
    part.summary.checksum = algorithm.map(|algorithm| Checksum::of(algorithm, text.as_bytes()));
    let commit = PartCommit { bucket: upload.bucket, key: upload.key.clone(), upload: upload.id, part };
    s.commit_part(commit, Wall(11)).await.expect("an open upload")
}

fn completion(upload: &UploadRecord, parts: &[PartSummary], expected: ExpectedObject) -> CompleteCommit {
    let listed = |part: &PartSummary| ListedPart { number: part.number, md5: Some(part.md5), checksum: part.checksum };
    CompleteCommit {
        bucket: upload.bucket,
        key: upload.key.clone(),
        upload: upload.id,
        parts: PartChoice::Listed(parts.iter().map(listed).collect()),
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: None,
        expected,
    }
}

async fn complete(s: &dyn MetaStore, upload: &UploadRecord, parts: &[PartSummary]) -> (CompletedUpload, ObjectRecord) {
    let done = s.complete_upload(completion(upload, parts, ExpectedObject::default()), Wall(20)).await.expect("parts");
    (done, s.object(upload.bucket, &upload.key).await.expect("readable").expect("made"))
}

pub(super) async fn checksum_of_every_form_is_kept(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let mut id = 0;
    for algorithm in ChecksumAlgorithm::ALL {
        for kind in [ChecksumType::FullObject, ChecksumType::Composite] {
            if !algorithm.allows(kind) {
                continue;
            }
            id += 1;
            let name = format!("{}-{}", algorithm.name(), kind.name());
            let upload = begin(s, b, &name, id, form(algorithm, kind)).await;
            assert_eq!(s.upload(b, &upload.key, upload.id).await, Ok(Some(upload.clone())));
            let page =
                s.list_uploads(b, &UploadsQuery { limit: 1, ..UploadsQuery::default() }).await.expect("readable");
            let entry = UploadSummary {
                key: upload.key.clone(),
                id: upload.id,
                initiated: Wall(10),
                checksum: form(algorithm, kind),
                storage_class: StorageClass::Standard,
            };
            assert_eq!(page.entries, [UploadEntry::Upload(entry)]);
            let parts = [
                put_part(s, &upload, 3, "1234", Some(algorithm)).await,
                put_part(s, &upload, 8, "56789", Some(algorithm)).await,
            ];
            let listed = s.list_parts(b, &upload.key, upload.id, 0, 9).await.expect("open");
            assert_eq!(listed.entries, parts);
            let (done, object) = complete(s, &upload, &parts).await;
            let sums = parts.map(|part| part.checksum.expect("put so"));
            let expected = match kind {
                ChecksumType::FullObject => ObjectChecksum::full(Checksum::of(algorithm, b"123456789")),
                ChecksumType::Composite => {
                    let joined = [sums[0].bytes(), sums[1].bytes()].concat();
                    ObjectChecksum { value: Checksum::of(algorithm, &joined), parts: Some(2) }
                }
            };
            assert_eq!((done.checksum, object.attributes.checksum), (Some(expected), Some(expected)), "{name}");
            let again = completion(&upload, &parts, ExpectedObject::default());
            assert_eq!(s.complete_upload(again, Wall(21)).await, Ok(done), "remembered");
            let found = s
                .list_objects(b, &ListQuery { prefix: name.clone().into(), limit: 1, ..ListQuery::default() })
                .await
                .expect("readable");
            let [ListEntry::Object(shown)] = &found.entries[..] else { panic!("one object") };
            assert_eq!(shown.checksum, form(algorithm, kind));
            let query = VersionsQuery { prefix: name.into(), limit: 1, ..VersionsQuery::default() };
            let page = s.list_versions(b, &query).await.expect("readable");
            let [VersionEntry::Object { summary, .. }] = &page.entries[..] else { panic!("one version") };
            assert_eq!(summary, shown);
            let of = |part: &PartSummary| ObjectPart { size: part.size, checksum: part.checksum };
            assert_eq!(s.object_parts(&object).await, Ok(Some(parts.iter().map(of).collect())));
        }
    }
}

pub(super) async fn completion_must_come_to_what_its_client_states(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1, form(CRC32, ChecksumType::FullObject)).await;
    let parts =
        [put_part(s, &upload, 1, "1234", Some(CRC32)).await, put_part(s, &upload, 2, "56789", Some(CRC32)).await];
    let right = Checksum::of(CRC32, b"123456789");
    let with = |expected| completion(&upload, &parts, expected);
    let wrong = |size, checksum| with(ExpectedObject { size, checksum });
    let mut listed = with(ExpectedObject::default());
    if let PartChoice::Listed(list) = &mut listed.parts {
        list[1].checksum = Some(right);
    }
    for (commit, error) in [
        (wrong(Some(8), None), StoreError::SizeMismatch { stated: 8, actual: 9 }),
        (wrong(None, Some(Checksum::of(CRC32, b"other"))), StoreError::DigestMismatch),
        (wrong(None, Some(Checksum::of(ChecksumAlgorithm::Crc32c, b"123456789"))), StoreError::DigestMismatch),
        (listed, StoreError::InvalidPart(2)),
    ] {
        assert_eq!(s.complete_upload(commit, Wall(20)).await, Err(error));
        assert_eq!(s.object(b, &upload.key).await, Ok(None));
    }
    let done = s.complete_upload(wrong(Some(9), Some(right)), Wall(20)).await.expect("as stated");
    assert_eq!(done.checksum, Some(ObjectChecksum::full(right)));
}

pub(super) async fn whole_has_no_checksum_that_a_part_lacks(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1, form(CRC32, ChecksumType::Composite)).await;
    let parts = [put_part(s, &upload, 1, "1234", Some(CRC32)).await, put_part(s, &upload, 2, "56789", None).await];
    let (done, object) = complete(s, &upload, &parts).await;
    assert_eq!((done.checksum, object.attributes.checksum), (None, None));
    let sizes = s.object_parts(&object).await.expect("readable").expect("known");
    assert_eq!(sizes, [4, 5].map(|size| ObjectPart { size, checksum: None }));

    // What the upload was not begun with, its end may ask for.
    let upload = begin(s, b, "b", 2, None).await;
    let parts =
        [put_part(s, &upload, 1, "1234", Some(CRC32)).await, put_part(s, &upload, 2, "56789", Some(CRC32)).await];
    let checksum = Some(Checksum::of(CRC32, b"123456789"));
    let commit = completion(&upload, &parts, ExpectedObject { size: None, checksum });
    let done = s.complete_upload(commit, Wall(20)).await.expect("as stated");
    assert_eq!(done.checksum, checksum.map(ObjectChecksum::full));
}

pub(super) async fn parts_are_remembered_as_long_as_the_object(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let upload = begin(s, b, "a", 1, None).await;
    let parts = [put_part(s, &upload, 1, "1234", None).await, put_part(s, &upload, 2, "", None).await];
    let (_, first) = complete(s, &upload, &parts).await;
    let known = Some(vec![ObjectPart { size: 4, checksum: None }, ObjectPart { size: 0, checksum: None }]);
    assert_eq!(s.object_parts(&first).await, Ok(known.clone()));
    let copy = put(s, ObjectRecord { key: key("copy"), kind: ObjectKind::Normal, ..first.clone() }, 30).await;
    assert_eq!(s.object_parts(&copy).await, Ok(None));
    let other = ObjectRecord { last_modified: Wall(21), ..first.clone() };
    assert_eq!(s.object_parts(&other).await, Ok(None), "not the one that was read");

    let upload = begin(s, b, "a", 2, None).await;
    let (_, second) = complete(s, &upload, &[put_part(s, &upload, 1, "x", None).await]).await;
    assert_eq!(s.object_parts(&first).await, Ok(None));
    assert_eq!(s.object_parts(&second).await, Ok(Some(vec![ObjectPart { size: 1, checksum: None }])));
    let plain = put(s, object(b, "a", vec![inline("y")]), 40).await;
    assert_eq!(s.object_parts(&plain).await, Ok(None));
    delete(s, b, "copy", 41).await;
    assert_eq!(s.audit_backend().await, Ok(vec![]));
}

pub(super) async fn parts_stay_with_a_version_that_is_not_current(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    s.set_bucket_versioning(b, Versioning::Enabled).await.expect("there");
    let upload = begin(s, b, "a", 1, form(CRC32, ChecksumType::Composite)).await;
    let parts = [put_part(s, &upload, 1, "1234", Some(CRC32)).await];
    let commit =
        CompleteCommit { version: Some(version_id(7)), ..completion(&upload, &parts, ExpectedObject::default()) };
    s.complete_upload(commit, Wall(20)).await.expect("parts");
    let first = s.object(b, &key("a")).await.expect("readable").expect("made");
    assert_eq!(first.version, Some(version_id(7)));
    let known = Some(vec![ObjectPart { size: 4, checksum: parts[0].checksum }]);
    let plain = ObjectRecord { version: Some(version_id(8)), ..object(b, "a", vec![inline("y")]) };
    let plain = put(s, plain, 30).await;
    assert_eq!((s.object_parts(&first).await, s.object_parts(&plain).await), (Ok(known.clone()), Ok(None)));
    delete_version(s, b, "a", VersionName::Id(version_id(8)), 40).await;
    assert_eq!(s.object(b, &key("a")).await, Ok(Some(first.clone())));
    assert_eq!(s.object_parts(&first).await, Ok(known));
    delete_version(s, b, "a", VersionName::Id(version_id(7)), 41).await;
    assert_eq!(s.object_parts(&first).await, Ok(None));
}

async fn delete_version(s: &dyn MetaStore, bucket: BucketId, name: &str, version: VersionName, now: i64) {
    let targets = vec![target(name, Some(version), now)];
    s.delete_objects(DeleteCommit { bucket, targets, bypass_governance: false }, Wall(now))
        .await
        .expect("deleting is always allowed");
}

pub(super) async fn checksum_of_a_put_object_is_kept(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let checksum = Some(ObjectChecksum::full(Checksum::of(ChecksumAlgorithm::Sha256, b"text")));
    let mut record = object(b, "a", vec![inline("text")]);
    record.attributes.checksum = checksum;
    let put = put(s, record, 1).await;
    assert_eq!(put.attributes.checksum, checksum);
    assert_eq!(s.object(b, &key("a")).await, Ok(Some(put)));
}
