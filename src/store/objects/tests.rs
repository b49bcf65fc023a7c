use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use md5::{Digest, Md5};

use super::*;
use crate::clock::{ManualClock, Wall};
use crate::limits::{INLINE_BYTES_MAX, SETTLE_GRACE};
use crate::store::blob::faulty::{BlobCall, BlobFault, FaultyBlobStore};
use crate::store::blob::memory::MemoryBlobStore;
use crate::store::conformance::blob::pattern;
use crate::store::digest::Crc64;
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::{BlobEntry, BlobId, BlobReader, BlobState, BlobWriter, BucketName, Extent};

mod quotas;

/// One bucket over stores in memory, the blobs behind scripted faults.
pub(in crate::store) struct Bench {
    pub clock: ManualClock,
    pub meta: Arc<dyn MetaStore>,
    pub memory: MemoryBlobStore,
    pub blobs: FaultyBlobStore,
    pub objects: ObjectService,
    pub bucket: BucketId,
}

impl Bench {
    pub async fn new() -> Self {
        Self::over(Arc::new(MemoryMetaStore::new())).await
    }

    pub async fn over(meta: Arc<dyn MetaStore>) -> Self {
        let clock = ManualClock::new(Wall(1_700_000_000_000));
        let memory = MemoryBlobStore::seeded(Arc::new(clock.clone()), 1);
        let blobs = FaultyBlobStore::new(Arc::new(memory.clone()));
        let objects = ObjectService::new(meta.clone(), Arc::new(blobs.clone()), Arc::new(clock.clone()));
        let owner = meta.put_access_key("root", "id", "secret", clock.wall()).await.expect("key").account;
        let name = BucketName::new("bucket").expect("valid");
        let bucket = meta.create_bucket(&name, owner, Acl::Private, clock.wall()).await.expect("bucket").id;
        Bench { clock, meta, memory, blobs, objects, bucket }
    }

    pub fn request(&self, name: &str) -> PutRequest {
        PutRequest {
            bucket: self.bucket,
            key: key(name),
            kind: ObjectKind::Normal,
            headers: ContentHeaders::default(),
            user_metadata: Vec::new(),
            tags: Vec::new(),
            storage_class: StorageClass::default(),
            attributes: ObjectAttributes::default(),
            acl: None,
            condition: WriteCondition::Always,
            expected_md5: None,
        }
    }

    pub async fn store(&self, body: &Bytes) -> Result<StoredBody> {
        let mut writer = self.objects.writer(Digests::Md5AndCrc64);
        writer.write(body.clone()).await?;
        writer.finish().await
    }

    pub async fn put(&self, name: &str, body: &Bytes) -> Result<ObjectRecord> {
        let body = self.store(body).await?;
        self.objects.put(self.request(name), body).await
    }

    pub async fn get(&self, name: &str) -> Option<Bytes> {
        let object = self.meta.object(self.bucket, &key(name)).await.expect("meta")?;
        Some(self.read(&object, 0..object.size).await.expect("a named object reads back"))
    }

    pub async fn read(&self, object: &ObjectRecord, range: Range<u64>) -> Result<Bytes> {
        let mut body = self.objects.read(object, range);
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            assert!(!piece.is_empty());
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    pub async fn blob_ids(&self) -> Vec<BlobId> {
        let list = self.memory.list(None, usize::MAX).await.expect("list");
        list.into_iter().map(|entry: BlobEntry| entry.id).collect()
    }
}

pub(in crate::store) fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).expect("valid")
}

fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn crc_of(bytes: &[u8]) -> u64 {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

fn broken() -> StoreError {
    StoreError::Unavailable("scripted".into())
}

#[tokio::test]
async fn bodies_of_any_size_read_back_with_their_digests() {
    let bench = Bench::new().await;
    for size in [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 1_000_000] {
        let body = pattern(size as u64, size);
        let object = bench.put("k", &body).await.expect("put");
        assert_eq!(object.size, size as u64);
        assert_eq!((object.content_md5, object.etag.digest), (Some(md5_of(&body)), md5_of(&body)));
        assert_eq!(object.etag.parts, None);
        assert_eq!(object.crc64, crc_of(&body));
        assert_eq!(bench.get("k").await, Some(body));
        let in_blob = matches!(object.extents[..], [Extent::Blob { .. }]);
        assert_eq!(in_blob, size > INLINE_BYTES_MAX, "{size} bytes: {:?}", object.extents.len());
    }
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn how_a_body_is_cut_makes_no_difference() {
    let bench = Bench::new().await;
    let body = pattern(3, 300_000);
    for cut in [1_000, 4_096, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 131_072, 299_999, 300_000] {
        let mut writer = bench.objects.writer(Digests::Md5AndCrc64);
        for piece in body.chunks(cut) {
            writer.write(body.slice_ref(piece)).await.expect("write");
        }
        assert_eq!(writer.written(), 300_000);
        let stored = writer.finish().await.expect("finish");
        assert_eq!((stored.md5, stored.crc64, stored.size), (Some(md5_of(&body)), crc_of(&body), 300_000));
        bench.objects.put(bench.request("k"), stored).await.expect("put");
        assert_eq!(bench.get("k").await.as_ref(), Some(&body));
    }
}

#[tokio::test]
async fn without_md5_the_tag_takes_the_multipart_form() {
    let bench = Bench::new().await;
    let mut writer = bench.objects.writer(Digests::Crc64);
    writer.write(Bytes::from_static(b"123456789")).await.expect("write");
    let body = writer.finish().await.expect("finish");
    assert_eq!((body.md5, body.crc64), (None, 0x995d_c9bb_df19_39fa));
    assert_eq!(body.etag.to_upper_hex(), "995DC9BBDF1939FA0000000000000009-1");
}

#[tokio::test]
async fn a_wrong_digest_stores_nothing() {
    let bench = Bench::new().await;
    bench.put("k", &pattern(1, 100_000)).await.expect("put");
    let before = bench.blob_ids().await;
    let mut request = bench.request("k");
    request.expected_md5 = Some(md5_of(b"something else"));
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    assert_eq!(bench.objects.put(request, body).await, Err(StoreError::DigestMismatch));
    assert_eq!(bench.blob_ids().await, before);
    assert_eq!(bench.get("k").await, Some(pattern(1, 100_000)));

    let mut request = bench.request("k");
    request.expected_md5 = Some(md5_of(&pattern(2, 100_000)));
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    bench.objects.put(request, body).await.expect("the right digest");
}

#[tokio::test]
async fn a_refused_put_takes_its_blob_away() {
    let bench = Bench::new().await;
    bench.put("k", &pattern(1, 100_000)).await.expect("put");
    let before = bench.blob_ids().await;
    let mut request = bench.request("k");
    request.condition = WriteCondition::IfAbsent;
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    assert_eq!(bench.objects.put(request, body).await, Err(StoreError::AlreadyExists(What::Object)));
    let mut request = bench.request("k");
    request.bucket = BucketId(99);
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    assert_eq!(bench.objects.put(request, body).await, Err(StoreError::NotFound(What::Bucket)));
    assert_eq!(bench.blob_ids().await, before);
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn a_refused_put_whose_blob_cannot_be_deleted_leaves_it_unsettled() {
    let bench = Bench::new().await;
    bench.blobs.on(BlobCall::Delete, 1, BlobFault::Fail(broken()));
    let mut request = bench.request("k");
    request.expected_md5 = Some([0; 16]);
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    assert_eq!(bench.objects.put(request, body).await, Err(StoreError::DigestMismatch));
    assert_eq!(bench.objects.in_flight().counts(), (0, 1));
    let ids = bench.blob_ids().await;
    assert!(bench.objects.in_flight().contains(ids[0]));
    assert_eq!(bench.objects.in_flight().unsettled_for(SETTLE_GRACE, 10), []);
    bench.clock.advance(SETTLE_GRACE);
    assert_eq!(bench.objects.in_flight().unsettled_for(SETTLE_GRACE, 10), ids);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let bench = Bench::new().await;
    for size in [0, 10, 200_000] {
        let mut writer = bench.objects.writer(Digests::Md5AndCrc64);
        writer.write(pattern(1, size)).await.expect("write");
        drop(writer);
        assert_eq!(bench.blob_ids().await, []);
        assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    }
}

/// A put that fails at any call of the blob store leaves the old object whole, and at most a blob that is known to be
/// unsettled.
#[tokio::test]
async fn a_put_that_fails_at_any_step_leaves_the_old_object_whole() {
    let calls = [(BlobCall::Create, 1), (BlobCall::Append, 1), (BlobCall::Append, 3), (BlobCall::Finish, 1)];
    for (call, nth) in calls {
        for fault in [BlobFault::Fail(broken()), BlobFault::FailAfter(broken())] {
            let bench = Bench::new().await;
            bench.put("k", &pattern(1, 500_000)).await.expect("put");
            bench.blobs.on(call, nth, fault.clone());
            let put = bench.put("k", &pattern(2, 500_000)).await;
            assert_eq!(put, Err(broken()), "{call:?} {nth} {fault:?}");
            assert_eq!(bench.get("k").await, Some(pattern(1, 500_000)));
            let left = bench.blob_ids().await;
            let unsettled = bench.objects.in_flight().counts().1;
            let expect_left = matches!((call, &fault), (BlobCall::Finish, BlobFault::FailAfter(_)));
            assert_eq!(left.len(), 1 + usize::from(expect_left), "{call:?} {nth} {fault:?}");
            assert_eq!(unsettled, usize::from(call == BlobCall::Finish));
            bench.put("k", &pattern(3, 500_000)).await.expect("the next put is not disturbed");
        }
    }
}

#[tokio::test]
async fn a_writer_that_failed_or_was_given_up_in_the_middle_takes_nothing_more() {
    let bench = Bench::new().await;
    let mut writer = bench.objects.writer(Digests::Md5AndCrc64);
    bench.blobs.on(BlobCall::Append, 1, BlobFault::Fail(broken()));
    assert_eq!(writer.write(pattern(1, 100_000)).await, Err(broken()));
    assert!(matches!(writer.write(pattern(1, 1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(writer.finish().await, Err(StoreError::Unavailable(_))));

    let mut writer = bench.objects.writer(Digests::Md5AndCrc64);
    writer.write(pattern(1, 100_000)).await.expect("write");
    bench.blobs.on(BlobCall::Append, 1, BlobFault::Stall);
    assert!(futures_util::poll!(Box::pin(writer.write(pattern(1, 9)))).is_pending());
    assert!(matches!(writer.finish().await, Err(StoreError::Unavailable(_))));
    assert_eq!(bench.blob_ids().await, []);
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn a_blob_is_in_flight_from_its_creation_to_its_commit() {
    let bench = Bench::new().await;
    let mut writer = bench.objects.writer(Digests::Crc64);
    writer.write(pattern(1, 100)).await.expect("write");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0), "inline bodies have no blob");
    writer.write(pattern(1, 100_000)).await.expect("write");
    assert_eq!(bench.objects.in_flight().counts(), (1, 0));
    let body = writer.finish().await.expect("finish");
    let id = bench.blob_ids().await[0];
    assert!(bench.objects.in_flight().contains(id));
    bench.objects.put(bench.request("k"), body).await.expect("put");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));

    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    drop(body);
    assert_eq!(
        bench.objects.in_flight().counts(),
        (0, 1),
        "who dropped it may have given up in the middle of a commit"
    );
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    body.committed();
    assert_eq!(bench.objects.in_flight().counts(), (0, 1));
    let body = bench.store(&pattern(2, 100_000)).await.expect("store");
    bench.objects.discard(body).await;
    assert_eq!(bench.objects.in_flight().counts(), (0, 1));
    assert_eq!(bench.blob_ids().await.len(), 3);
}

#[tokio::test]
async fn a_copy_names_the_same_blob_and_outlives_its_source() {
    let bench = Bench::new().await;
    let body = pattern(1, 100_000);
    let source = bench.put("source", &body).await.expect("put");
    let mut request = bench.request("copy");
    request.user_metadata = vec![("b".into(), Bytes::from_static(b"2")), ("a".into(), Bytes::from_static(b"1"))];
    let copy = bench.objects.copy(&source, request).await.expect("copy");
    assert_eq!((&copy.extents, copy.etag, copy.crc64), (&source.extents, source.etag, source.crc64));
    assert_eq!(copy.user_metadata[0].0, "a");
    assert_eq!(bench.blob_ids().await.len(), 1);
    bench.objects.delete(bench.bucket, &[key("source")]).await.expect("delete");
    assert_eq!(bench.get("source").await, None);
    assert_eq!(bench.get("copy").await, Some(body));
    let states = bench.meta.blob_states(&bench.blob_ids().await).await.expect("states");
    assert_eq!(states, [BlobState::Named(100_000)]);
}

#[tokio::test]
async fn a_copy_of_what_is_being_collected_finds_no_source() {
    let bench = Bench::new().await;
    let source = bench.put("source", &pattern(1, 100_000)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("source")]).await.expect("delete");
    let taken = bench.meta.garbage(Wall(i64::MAX), 10).await.expect("garbage");
    assert_eq!(taken.len(), 1);
    let copy = bench.objects.copy(&source, bench.request("copy")).await;
    assert_eq!(copy, Err(StoreError::NotFound(What::Object)));
}

#[tokio::test]
async fn appends_add_up() {
    let bench = Bench::new().await;
    let pieces = [pattern(1, 10), pattern(2, 100_000), Bytes::new(), pattern(3, 40_000), pattern(4, 5)];
    let mut position = 0;
    for piece in &pieces {
        let body = bench.store(piece).await.expect("store");
        let object = bench.objects.append(bench.request("log"), position, body).await.expect("append");
        position += piece.len() as u64;
        assert_eq!((object.kind, object.size, object.content_md5), (ObjectKind::Appendable, position, None));
    }
    let whole = Bytes::from(pieces.concat());
    let object = bench.meta.object(bench.bucket, &key("log")).await.expect("meta").expect("there");
    assert_eq!(object.crc64, crc_of(&whole));
    assert_eq!(bench.get("log").await.as_ref(), Some(&whole));
    for range in [0..5, 5..15, 9..10, 10..10, 50_000..100_020, 100_009..100_011, 140_010..140_015, 0..whole.len()] {
        let got = bench.read(&object, range.start as u64..range.end as u64).await.expect("read");
        assert!(got == whole[range.clone()], "range {range:?}");
    }
    assert_eq!(bench.read(&object, 140_000..u64::MAX).await.expect("read"), whole.slice(140_000..));
}

#[tokio::test]
async fn many_small_appends_do_not_pile_up_in_metadata() {
    let bench = Bench::new().await;
    let mut whole = Vec::new();
    for round in 0..90 {
        let piece = pattern(round, 9_000);
        let body = bench.store(&piece).await.expect("store");
        bench.objects.append(bench.request("log"), whole.len() as u64, body).await.expect("append");
        whole.extend_from_slice(&piece);
        let object = bench.meta.object(bench.bucket, &key("log")).await.expect("meta").expect("there");
        let inline = |extent: &Extent| matches!(extent, Extent::Inline(_)).then_some(extent.length());
        let carried: u64 = object.extents.iter().filter_map(inline).sum();
        assert!(carried <= limits::APPENDED_INLINE_BYTES_MAX as u64, "{carried} bytes after {round}");
    }
    assert_eq!(bench.get("log").await, Some(Bytes::from(whole)));
    assert_eq!(bench.blob_ids().await.len(), 3);
}

#[tokio::test]
async fn an_append_whose_inline_end_cannot_be_moved_is_an_append() {
    let bench = Bench::new().await;
    let piece = pattern(1, 30_000);
    let append = async |position| {
        let body = bench.store(&piece).await.expect("inline");
        bench.objects.append(bench.request("log"), position, body).await.expect("append").size
    };
    let mut size = 0;
    // The ninth append is the first that finds too many bytes.
    (1..=4).for_each(|nth| {
        bench.blobs.on(BlobCall::Finish, nth, BlobFault::Fail(StoreError::Unavailable("the disk".into())))
    });
    for _ in 0..12 {
        size = append(size).await;
    }
    assert_eq!((bench.blobs.calls(BlobCall::Finish), bench.blob_ids().await.len()), (4, 0));
    size = append(size).await;
    assert_eq!((size, bench.blob_ids().await.len()), (13 * 30_000, 1));
    assert_eq!(bench.get("log").await, Some(Bytes::from(piece.repeat(13))));
}

#[tokio::test]
async fn an_append_at_a_wrong_place_stores_nothing() {
    let bench = Bench::new().await;
    bench.put("normal", &pattern(1, 10)).await.expect("put");
    let body = bench.store(&pattern(1, 100_000)).await.expect("store");
    bench.objects.append(bench.request("log"), 0, body).await.expect("append");
    let before = bench.blob_ids().await;
    for (name, position, expected) in [
        ("log", 0, StoreError::PositionNotLength(100_000)),
        ("log", 100_001, StoreError::PositionNotLength(100_000)),
        ("new", 1, StoreError::PositionNotLength(0)),
        ("normal", 10, StoreError::NotAppendable),
        ("log", limits::OBJECT_BYTES_MAX, StoreError::TooLarge),
        ("log", u64::MAX, StoreError::TooLarge),
    ] {
        let body = bench.store(&pattern(2, 100_000)).await.expect("store");
        assert_eq!(bench.objects.append(bench.request(name), position, body).await, Err(expected), "{name} {position}");
        assert_eq!(bench.blob_ids().await, before);
    }
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
}

#[tokio::test]
async fn an_object_whose_blob_is_gone_or_short_is_corrupt() {
    let bench = Bench::new().await;
    let object = bench.put("k", &pattern(1, 100_000)).await.expect("put");
    bench.memory.damage(bench.blob_ids().await[0], |bytes| bytes.truncate(99_999));
    assert!(matches!(bench.read(&object, 0..100_000).await, Err(StoreError::Corrupt(_))));
    bench.memory.delete(&bench.blob_ids().await).await.expect("delete");
    assert!(matches!(bench.read(&object, 0..1).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_read_ends_when_it_has_lasted_longer_than_garbage_waits() {
    let bench = Bench::new().await;
    let object = bench.put("k", &pattern(1, 500_000)).await.expect("put");
    let mut body = bench.objects.read(&object, 0..500_000);
    assert!(body.next().await.expect("read").is_some());
    bench.clock.advance(limits::OBJECT_READ_MAX - Duration::from_secs(1));
    assert!(body.next().await.expect("read").is_some());
    bench.clock.advance(Duration::from_secs(1));
    assert!(matches!(body.next().await, Err(StoreError::Unavailable(_))));
    const { assert!(limits::OBJECT_READ_MAX.as_secs() < limits::GARBAGE_GRACE.as_secs()) };
}

/// Counts what it is given and keeps nothing.
#[derive(Clone, Debug, Default)]
struct CountingStore {
    bytes: Arc<AtomicU64>,
    largest: Arc<AtomicUsize>,
}

#[async_trait]
impl BlobStore for CountingStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(self.clone()))
    }
    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        self.create().await
    }
    async fn length(&self, _: BlobId) -> Result<u64> {
        Err(StoreError::NotFound(What::Blob))
    }
    async fn open(&self, _: BlobId, _: Range<u64>) -> Result<Box<dyn BlobReader>> {
        Err(StoreError::NotFound(What::Blob))
    }
    async fn delete(&self, _: &[BlobId]) -> Result<()> {
        Ok(())
    }
    async fn list(&self, _: Option<BlobId>, _: usize) -> Result<Vec<BlobEntry>> {
        Ok(Vec::new())
    }
    async fn remove_temporaries(&self) -> Result<u64> {
        Ok(0)
    }
}

#[async_trait]
impl BlobWriter for CountingStore {
    fn id(&self) -> BlobId {
        BlobId(1)
    }
    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.largest.fetch_max(bytes.len(), Ordering::Relaxed);
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<u64> {
        Ok(self.bytes.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_hundred_megabytes_pass_in_bounded_pieces() {
    let clock = Arc::new(ManualClock::new(Wall(1)));
    let store = CountingStore::default();
    let objects = ObjectService::new(Arc::new(MemoryMetaStore::new()), Arc::new(store.clone()), clock);
    let mut writer = objects.writer(Digests::Crc64);
    let block = pattern(1, 1024 * 1024);
    for i in 0..100u64 {
        writer.write(block.clone()).await.expect("write");
        // Whatever was written has been handed on: nothing is held back here.
        assert!(writer.held() <= 2 * INLINE_BYTES_MAX);
        assert_eq!(store.bytes.load(Ordering::Relaxed), (i + 1) * 1024 * 1024);
    }
    assert_eq!(store.largest.load(Ordering::Relaxed), limits::BODY_PIECE_BYTES);
    assert_eq!(writer.finish().await.expect("finish").size, 100 * 1024 * 1024);
}

#[tokio::test]
async fn a_body_past_the_largest_object_is_refused() {
    let clock = Arc::new(ManualClock::new(Wall(1)));
    let store = CountingStore::default();
    let objects = ObjectService::new(Arc::new(MemoryMetaStore::new()), Arc::new(store), clock);
    let in_flight = objects.in_flight().clone();
    let mut writer = objects.writer(Digests::Crc64);
    writer.write(pattern(1, 40_000)).await.expect("write");
    writer.pretend_written(limits::OBJECT_BYTES_MAX - 10);
    assert_eq!(writer.write(pattern(1, 11)).await, Err(StoreError::TooLarge));
    assert_eq!(in_flight.counts(), (0, 0));
}

/// Of a body that is damaged nobody ever gets all the bytes, and of a short one not a single one.
#[tokio::test]
async fn a_whole_body_is_compared_with_its_checksum_before_its_last_piece_goes_out() {
    let bench = Bench::new().await;
    for (size, seen) in
        [(10, 0), (INLINE_BYTES_MAX + 1, 0), (1_000_000, 1_000_000 - 1_000_000 % limits::BODY_PIECE_BYTES)]
    {
        let length = size as u64;
        let object = bench.put("k", &pattern(1, size)).await.expect("put");
        let damaged = ObjectRecord { crc64: object.crc64 ^ 1, ..object };
        let mut body = bench.objects.read(&damaged, 0..length);
        let mut read = 0;
        let outcome = loop {
            match body.next().await {
                Ok(Some(piece)) => read += piece.len(),
                other => break other,
            }
        };
        let why = StoreError::Corrupt("the bytes of k do not have their CRC-64".into());
        assert_eq!((outcome, read), (Err(why.clone()), seen), "{size} bytes");
        assert_eq!(bench.read(&damaged, 0..length + 9).await, Err(why), "{size} bytes, and more asked for");
        assert_eq!(
            bench.read(&damaged, 1..length).await,
            Ok(pattern(1, size).slice(1..)),
            "a range is not known by it"
        );
    }
}
