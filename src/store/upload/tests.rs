use bytes::Bytes;
use md5::{Digest, Md5};

use super::*;
use crate::clock::{Clock, Wall};
use crate::limits::{INLINE_BYTES_MAX, PART_EXTENTS_SHARED_MAX, PART_NUMBER_MAX};
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::conformance::blob::pattern;
use crate::store::objects::tests::{Bench, key};
use crate::store::{Acl, ExpectedObject, ListedPart, ObjectAttributes, ObjectKind, StorageClass, WriteCondition};

async fn begin(bench: &Bench, name: &str) -> UploadRecord {
    bench.objects.uploads().begin(bench.request(name), None).await.expect("begun")
}

fn part(upload: &UploadRecord, number: u32) -> PartRequest {
    PartRequest {
        bucket: upload.bucket,
        key: upload.key.clone(),
        upload: upload.id,
        number,
        expected_md5: None,
        checksum: None,
    }
}

async fn put_part(bench: &Bench, upload: &UploadRecord, number: u32, bytes: &Bytes) -> PartSummary {
    let body = bench.store(bytes).await.expect("stored");
    bench.objects.uploads().put_part(part(upload, number), body).await.expect("an open upload")
}

async fn copy_part(bench: &Bench, upload: &UploadRecord, number: u32, source: &str, range: Range<u64>) -> PartSummary {
    let source = bench.meta.object(bench.bucket, &key(source)).await.expect("readable").expect("there");
    bench.objects.uploads().copy_part(part(upload, number), &source, range, None).await.expect("an open upload")
}

fn all(upload: &UploadRecord) -> CompleteCommit {
    CompleteCommit {
        bucket: upload.bucket,
        key: upload.key.clone(),
        upload: upload.id,
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: None,
        expected: ExpectedObject::default(),
    }
}

async fn extents(bench: &Bench, name: &str) -> Vec<Extent> {
    bench.meta.object(bench.bucket, &key(name)).await.expect("readable").expect("there").extents
}

fn crc_of(bytes: &[u8]) -> u64 {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

#[tokio::test]
async fn parts_of_any_size_become_one_body() {
    let bench = Bench::new().await;
    let request = PutRequest {
        acl: Some(Acl::PublicRead),
        user_metadata: vec![("b".into(), Bytes::new()), ("a".into(), Bytes::new())],
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        ..bench.request("k")
    };
    let upload = bench.objects.uploads().begin(request, None).await.expect("begun");
    let sizes = [100_000, 0, 5, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 3, 4];
    let mut whole = Vec::new();
    let mut digests = Vec::new();
    for (number, size) in (1u32..).zip(sizes) {
        let bytes = pattern(u64::from(number), size);
        let summary = put_part(&bench, &upload, number, &bytes).await;
        let md5: [u8; 16] = Md5::digest(&bytes).into();
        assert_eq!((summary.number, summary.size, summary.md5), (number, size as u64, md5));
        assert_eq!(summary.crc64, crc_of(&bytes));
        digests.extend(md5);
        whole.extend_from_slice(&bytes);
    }
    let blobs = bench.blob_ids().await;
    let done = bench.objects.uploads().complete(all(&upload)).await.expect("complete");
    assert_eq!(bench.blob_ids().await, blobs, "no byte is copied");
    assert_eq!((done.size, done.crc64), (whole.len() as u64, crc_of(&whole)));
    assert_eq!(done.etag.to_lower_hex(), format!("{}-7", hex::encode(Md5::digest(&digests))));
    assert_eq!(bench.get("k").await, Some(Bytes::from(whole.clone())));
    let object = bench.meta.object(bench.bucket, &key("k")).await.expect("readable").expect("there");
    assert_eq!((object.kind, object.acl), (ObjectKind::Multipart, Some(Acl::PublicRead)));
    assert_eq!(object.user_metadata.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for range in [0..1, 99_999..100_006, 99_990..180_000, 132_770..132_780, 0..whole.len()] {
        let read = bench.read(&object, range.start as u64..range.end as u64).await.expect("readable");
        assert_eq!(read, whole[range.start..range.end.min(whole.len())], "{range:?}");
    }
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn uploads_have_ids_of_their_own_in_order_of_time() {
    let bench = Bench::new().await;
    let first = begin(&bench, "k").await;
    let second = begin(&bench, "k").await;
    bench.clock.advance(std::time::Duration::from_millis(1));
    let third = begin(&bench, "k").await;
    assert_ne!(first.id, second.id);
    assert!(first.id.max(second.id) < third.id);
    assert_eq!(UploadId::parse(&third.id.to_string()), Some(third.id));
    assert_eq!(UploadId::parse(&third.id.to_string().to_lowercase()), Some(third.id));
    for broken in ["", "0", &"g".repeat(32), &"0".repeat(33), "+0000000000000000000000000000001"] {
        assert_eq!(UploadId::parse(broken), None, "{broken}");
    }
}

#[tokio::test]
async fn a_refused_part_leaves_nothing() {
    let bench = Bench::new().await;
    let upload = begin(&bench, "k").await;
    let bytes = pattern(1, 100_000);
    let gone = UploadRecord { id: UploadId(1), ..upload.clone() };
    let wrong = PartRequest { expected_md5: Some([0; 16]), ..part(&upload, 1) };
    for (request, error) in [(part(&gone, 1), StoreError::NotFound(What::Upload)), (wrong, StoreError::DigestMismatch)]
    {
        let body = bench.store(&bytes).await.expect("stored");
        assert_eq!(bench.objects.uploads().put_part(request, body).await, Err(error));
        assert_eq!(bench.blob_ids().await, []);
    }
    let right = PartRequest { expected_md5: Some(Md5::digest(&bytes).into()), ..part(&upload, 1) };
    let body = bench.store(&bytes).await.expect("stored");
    bench.objects.uploads().put_part(right, body).await.expect("the digest that was promised");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn copied_parts_share_the_bytes_and_know_their_digests() {
    let bench = Bench::new().await;
    let source = pattern(1, 300_000);
    bench.put("source", &source).await.expect("put");
    let upload = begin(&bench, "k").await;
    let blobs = bench.blob_ids().await;
    for (number, range) in (1u32..).zip([0..300_000u64, 0..100_000, 100_000..300_000, 5..5, 299_999..400_000]) {
        let summary = copy_part(&bench, &upload, number, "source", range.clone()).await;
        let bytes = &source[range.start as usize..(range.end as usize).min(source.len())];
        assert_eq!(summary.size, bytes.len() as u64, "{range:?}");
        assert_eq!((summary.md5, summary.crc64), (Md5::digest(bytes).into(), crc_of(bytes)), "{range:?}");
    }
    let done = bench.objects.uploads().complete(all(&upload)).await.expect("complete");
    assert_eq!(bench.blob_ids().await, blobs, "nothing was written");
    let expected = [&source[..], &source[..], &source[299_999..]].concat();
    assert_eq!((done.size, done.crc64), (600_001, crc_of(&expected)));
    assert_eq!(bench.get("k").await, Some(Bytes::from(expected)));
    // The second and the third part continue each other.
    assert_eq!(extents(&bench, "k").await.len(), 3);
}

#[tokio::test]
async fn a_whole_object_whose_digest_is_known_is_not_read() {
    let bench = Bench::new().await;
    let source = pattern(1, 100_000);
    bench.put("source", &source).await.expect("put");
    let upload = begin(&bench, "k").await;
    bench.blobs.on(BlobCall::Open, 1, BlobFault::Fail(StoreError::Unavailable("scripted".into())));
    let summary = copy_part(&bench, &upload, 1, "source", 0..100_000).await;
    assert_eq!(summary.md5, <[u8; 16]>::from(Md5::digest(&source)));
}

#[tokio::test]
async fn parts_copied_from_a_finely_cut_object_are_written_anew() {
    let bench = Bench::new().await;
    let pieces = PART_EXTENTS_SHARED_MAX as u64 + 1;
    let mut whole = Vec::new();
    for n in 0..pieces {
        let bytes = pattern(n, INLINE_BYTES_MAX + 1);
        let body = bench.store(&bytes).await.expect("stored");
        bench.objects.append(bench.request("log"), whole.len() as u64, body).await.expect("at the end");
        whole.extend_from_slice(&bytes);
    }
    assert_eq!(extents(&bench, "log").await.len() as u64, pieces);
    let upload = begin(&bench, "k").await;
    let size = whole.len() as u64;
    let piece = INLINE_BYTES_MAX as u64 + 1;
    copy_part(&bench, &upload, 1, "log", 0..size).await;
    copy_part(&bench, &upload, 2, "log", piece..size).await;
    bench.objects.uploads().complete(all(&upload)).await.expect("complete");
    assert_eq!(extents(&bench, "k").await.len(), 1 + PART_EXTENTS_SHARED_MAX);
    assert_eq!(bench.get("k").await, Some(Bytes::from([&whole[..], &whole[piece as usize..]].concat())));
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn a_source_that_is_being_collected_is_not_found() {
    let bench = Bench::new().await;
    bench.put("source", &pattern(1, 100_000)).await.expect("put");
    let source = bench.meta.object(bench.bucket, &key("source")).await.expect("readable").expect("there");
    let upload = begin(&bench, "k").await;
    bench.objects.delete(bench.bucket, &[key("source")]).await.expect("deleted");
    let later = Wall(bench.clock.wall().0 + 1);
    assert_eq!(bench.meta.garbage(later, 9).await.expect("readable").len(), 1);
    let copied = bench.objects.uploads().copy_part(part(&upload, 1), &source, 0..10, None).await;
    assert_eq!(copied, Err(StoreError::NotFound(What::Object)));
}

#[tokio::test]
async fn more_parts_than_there_are_numbers_are_refused() {
    let bench = Bench::new().await;
    let upload = begin(&bench, "k").await;
    let listed = vec![ListedPart { number: 1, md5: None, checksum: None }; PART_NUMBER_MAX as usize + 1];
    let commit = CompleteCommit { parts: PartChoice::Listed(listed), ..all(&upload) };
    assert_eq!(bench.objects.uploads().complete(commit).await, Err(StoreError::TooLarge));
}
