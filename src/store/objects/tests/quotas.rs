//! What may still be written: a floor of free bytes below everything, and the quotas of buckets.

use super::*;
use crate::store::{BucketQuota, BucketRecord, BucketSetting};

async fn bounded(quota: Quota) -> Bench {
    let mut bench = Bench::new().await;
    bench.objects = bench.objects.with_quota(quota);
    bench
}

#[tokio::test]
async fn a_body_over_the_quota_is_refused_and_leaves_nothing() {
    let bench = bounded(Quota { object_bytes_max: 100_000, ..Quota::default() }).await;
    bench.put("fits", &pattern(1, 100_000)).await.expect("exactly the quota");
    assert_eq!(bench.put("over", &pattern(1, 100_001)).await, Err(StoreError::TooLarge));
    assert_eq!(bench.objects.check_room(100_001).await, Err(StoreError::TooLarge));
    assert_eq!(bench.blob_ids().await.len(), 1);
    // Appends count together.
    let append = |position, length| {
        let bench = &bench;
        async move {
            let body = bench.store(&pattern(2, length)).await?;
            bench.objects.append(bench.request("log"), position, body).await
        }
    };
    append(0, 60_000).await.expect("fits");
    assert_eq!(append(60_000, 40_001).await, Err(StoreError::TooLarge));
    assert_eq!(append(60_000, 40_000).await.map(|object| object.size), Ok(100_000));
    assert_eq!(bench.blob_ids().await.len(), 3, "nothing of the refused ones");
    // No configuration raises what the service itself bears.
    let raised = bench.objects.clone().with_quota(Quota { object_bytes_max: u64::MAX, ..Quota::default() });
    assert_eq!(raised.object_bytes_max(), limits::OBJECT_BYTES_MAX);
}

#[tokio::test]
async fn below_the_floor_writes_are_refused_and_reading_and_deleting_go_on() {
    let bench = bounded(Quota { free_space_floor: 1_000_000, ..Quota::default() }).await;
    bench.blobs.set_available(10_000_000);
    let source = bench.put("k", &pattern(1, 100_000)).await.expect("room enough");
    bench.blobs.set_available(999_999);
    bench.clock.advance(limits::FREE_SPACE_LOOK);
    for length in [0, 1, 10_000, 100_000] {
        assert_eq!(bench.put("new", &pattern(2, length)).await, Err(StoreError::Full), "{length} bytes");
    }
    assert_eq!(bench.objects.copy(&source, bench.request("copy")).await, Err(StoreError::Full));
    assert_eq!(bench.get("k").await, Some(pattern(1, 100_000)));
    assert_eq!(bench.blob_ids().await.len(), 1, "nothing of what was refused");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    bench.objects.delete(bench.bucket, &[key("k")]).await.expect("that is how room is made");
    bench.blobs.set_available(2_000_000);
    bench.put("new", &pattern(2, 100_000)).await.expect("at once, without waiting for the next look");
}

#[tokio::test]
async fn what_is_written_between_two_looks_counts() {
    let bench = bounded(Quota { free_space_floor: 1_000_000, ..Quota::default() }).await;
    bench.blobs.set_available(1_500_000);
    for n in 0..5 {
        bench.put(&format!("k{n}"), &pattern(n, 100_000)).await.expect("within the room");
    }
    assert_eq!(bench.blobs.looks(), 1, "the figure of one look serves them all");
    bench.blobs.set_available(1_000_000);
    assert_eq!(bench.put("one more", &pattern(9, 100_000)).await, Err(StoreError::Full));
    // A body that does not fit is cut off in its middle at the latest, with nothing left of it.
    bench.blobs.set_available(1_200_000);
    bench.clock.advance(limits::FREE_SPACE_LOOK);
    assert_eq!(bench.objects.check_room(300_000).await, Err(StoreError::Full));
    let mut writer = bench.objects.writer(Digests::Crc64);
    writer.write(pattern(9, 150_000)).await.expect("fits");
    bench.blobs.set_available(1_050_000);
    assert_eq!(writer.write(pattern(9, 150_000)).await, Err(StoreError::Full));
    assert!(writer.finish().await.is_err());
    assert_eq!(bench.blob_ids().await.len(), 5);
}

#[tokio::test]
async fn without_a_floor_nobody_asks_what_is_free() {
    let bench = bounded(Quota::default()).await;
    bench.blobs.set_available(0);
    bench.put("k", &pattern(1, 100_000)).await.expect("no floor, no question");
    assert_eq!(bench.blobs.looks(), 0);
}

async fn allow(bench: &Bench, bytes: Option<u64>, objects: Option<u64>) -> BucketRecord {
    let quota = BucketSetting::Quota(BucketQuota { bytes, objects });
    bench.meta.set_bucket_setting(bench.bucket, quota).await.expect("there");
    let name = BucketName::new("bucket").expect("valid");
    BucketRecord::clone(&*bench.meta.bucket(&name).await.expect("meta").expect("there"))
}

#[tokio::test]
async fn a_put_over_the_buckets_quota_leaves_nothing() {
    let bench = Bench::new().await;
    allow(&bench, Some(100_000), None).await;
    bench.put("k", &pattern(1, 60_000)).await.expect("fits");
    assert_eq!(bench.put("more", &pattern(2, 40_001)).await, Err(StoreError::OverQuota));
    assert_eq!(bench.blob_ids().await.len(), 1, "the blob of what was refused is gone");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    let source = bench.meta.object(bench.bucket, &key("k")).await.expect("meta").expect("there");
    assert_eq!(bench.objects.copy(&source, bench.request("copy")).await, Err(StoreError::OverQuota));
    bench.put("k", &pattern(3, 100_000)).await.expect("in place of another");
    assert_eq!(bench.get("k").await, Some(pattern(3, 100_000)));
}

#[tokio::test]
async fn whether_a_bucket_has_room_is_known_before_a_byte_comes() {
    let bench = Bench::new().await;
    let unlimited = allow(&bench, None, None).await;
    let room = async |bucket: &BucketRecord, incoming: Incoming<'_>, bytes| {
        bench.objects.check_bucket_room(bucket, incoming, bytes).await
    };
    let (k, new) = (key("k"), key("new"));
    bench.put("k", &pattern(1, 60)).await.expect("put");
    let upload = bench.objects.uploads().begin(bench.request("big"), None).await.expect("begun");
    let request = |number| crate::store::upload::PartRequest {
        bucket: bench.bucket,
        key: key("big"),
        upload: upload.id,
        number,
        expected_md5: None,
        checksum: None,
    };
    let part = bench.store(&pattern(2, 30)).await.expect("stored");
    bench.objects.uploads().put_part(request(2), part).await.expect("a part");
    assert_eq!(room(&unlimited, Incoming::Object(&new), u64::MAX).await, Ok(()));

    // 60 in an object and 30 in a part are there.
    let bucket = allow(&bench, Some(100), Some(1)).await;
    let over = Err(StoreError::OverQuota);
    let big = key("big");
    for (incoming, bytes, expected) in [
        (Incoming::Object(&k), 70, Ok(())),
        (Incoming::Object(&k), 71, over.clone()),
        (Incoming::Object(&new), 0, over.clone()),
        (Incoming::Append, 10, Ok(())),
        (Incoming::Append, 11, over.clone()),
        (Incoming::Append, u64::MAX, over.clone()),
        (Incoming::Part(&big, upload.id, 1), 10, Ok(())),
        (Incoming::Part(&big, upload.id, 1), 11, over.clone()),
        (Incoming::Part(&big, upload.id, 2), 40, Ok(())),
        (Incoming::Part(&big, upload.id, 2), 41, over.clone()),
        (Incoming::Part(&big, upload.id, 3), 11, over.clone()),
    ] {
        assert_eq!(room(&bucket, incoming, bytes).await, expected, "{incoming:?} {bytes}");
    }
    // Less than what is there is always taken.
    let bucket = allow(&bench, Some(5), None).await;
    assert_eq!(room(&bucket, Incoming::Object(&k), 60).await, Ok(()));
    assert_eq!(room(&bucket, Incoming::Part(&big, upload.id, 2), 30).await, Ok(()));
}
