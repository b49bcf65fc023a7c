use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::Clock;
use crate::limits::{GARBAGE_GRACE, SWEEP_GRACE};
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::blob::sealed::SealedBlobStore;
use crate::store::conformance::blob::{pattern, write};
use crate::store::meta::faulty::{Fault, FaultyMetaStore, MetaCall};
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::objects::tests::{Bench, key};
use crate::store::objects::{Digests, ObjectService};
use crate::store::records::testbed::empty_object;
use crate::store::seal::{MasterKey, MasterKeys};
use crate::store::upload::PartRequest;
use crate::store::*;
use crate::task::{Stop, TaskSet};

mod checker;
mod crashes;

const SIZE: usize = 100_000;

fn broken() -> StoreError {
    StoreError::Unavailable("scripted".into())
}

fn collector(bench: &Bench) -> Collector {
    let clock = Arc::new(bench.clock.clone());
    let in_flight = bench.objects.in_flight().clone();
    Collector::new(bench.meta.clone(), Arc::new(bench.blobs.clone()), in_flight, clock, CollectorTimes::default())
}

async fn faulty() -> (Bench, Arc<FaultyMetaStore>) {
    let meta = Arc::new(FaultyMetaStore::new(Arc::new(MemoryMetaStore::new())));
    (Bench::over(meta.clone()).await, meta)
}

async fn checked(bench: &Bench) -> CheckReport {
    check(&*bench.meta, &bench.memory, CheckOptions { verify_bytes: true }).await.expect("check")
}

async fn assert_clean(bench: &Bench) {
    let report = checked(bench).await;
    assert!(report.is_clean(), "{report:?}");
}

/// The process is gone: what it knew of blobs in flight is gone with it.
async fn restart(bench: &mut Bench) -> StartupReport {
    let clock = Arc::new(bench.clock.clone());
    bench.blobs.clear();
    bench.objects = ObjectService::new(bench.meta.clone(), Arc::new(bench.blobs.clone()), clock);
    startup(&*bench.meta, &bench.blobs, bench.clock.wall()).await.expect("startup")
}

/// An upload of `k` with one part in a blob, and the part as it was committed.
async fn open_upload(bench: &Bench) -> (UploadRecord, PartSummary) {
    let upload = bench.objects.uploads().begin(bench.request("k"), None).await.expect("begun");
    let body = bench.store(&pattern(1, SIZE)).await.expect("stored");
    let part = bench.objects.uploads().put_part(part_of(&upload, 1), body).await.expect("put");
    (upload, part)
}

fn part_of(upload: &UploadRecord, number: u32) -> PartRequest {
    PartRequest {
        bucket: upload.bucket,
        key: upload.key.clone(),
        upload: upload.id,
        number,
        expected_md5: None,
        checksum: None,
    }
}

fn completion(upload: &UploadRecord) -> CompleteCommit {
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

/// A channel, and a claim on it.
async fn claim(bench: &Bench, name: &str) -> (ChannelName, Claim) {
    let channel = ChannelName::new(name).expect("valid");
    let config = ChannelConfig::default();
    let now = bench.clock.wall();
    bench.meta.put_channel(bench.bucket, &channel, config, false, now).await.expect("channel");
    let request = ClaimRequest {
        bucket: bench.bucket,
        channel: channel.clone(),
        connection: ConnectionId(1),
        remote_addr: "[::1]:1".into(),
        started: now,
        playlist_name: None,
    };
    let claim = bench.meta.claim(request).await.expect("claim");
    (channel, claim)
}

// ---- the collector ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn garbage_is_collected_after_its_grace_and_not_before() {
    let bench = Bench::new().await;
    let object = bench.put("k", &pattern(1, SIZE)).await.expect("put");
    bench.put("k", &pattern(2, SIZE)).await.expect("replace");
    let collector = collector(&bench);
    bench.clock.advance(GARBAGE_GRACE);
    assert_eq!(collector.collect(&Stop::new()).await, Ok(0));
    assert_eq!(bench.read(&object, 0..SIZE as u64).await, Ok(pattern(1, SIZE)), "a slow reader reads the old body");
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(collector.collect(&Stop::new()).await, Ok(1));
    assert_eq!(bench.blob_ids().await.len(), 1);
    assert_eq!(bench.get("k").await, Some(pattern(2, SIZE)));
    assert_clean(&bench).await;
    assert_eq!(collector.collect(&Stop::new()).await, Ok(0));
}

#[tokio::test]
async fn a_blob_with_another_name_is_no_garbage() {
    let bench = Bench::new().await;
    let source = bench.put("source", &pattern(1, SIZE)).await.expect("put");
    bench.objects.copy(&source, bench.request("copy")).await.expect("copy");
    bench.objects.delete(bench.bucket, &[key("source")]).await.expect("delete");
    bench.clock.advance(GARBAGE_GRACE * 2);
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(0));
    bench.objects.delete(bench.bucket, &[key("copy")]).await.expect("delete");
    bench.clock.advance(GARBAGE_GRACE * 2);
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(1));
    assert_eq!(bench.blob_ids().await, []);
}

#[tokio::test]
async fn more_garbage_than_a_page_is_collected_page_by_page() {
    let bench = Bench::new().await;
    let count = limits::COLLECT_PAGE as u64 + 5;
    for i in 0..count {
        let object = ObjectRecord {
            bucket: bench.bucket,
            extents: vec![Extent::Blob { id: write(&bench.memory, &[pattern(i, 9)]).await, offset: 0, length: 9 }],
            size: 9,
            ..empty_object(format!("{i}"))
        };
        let commit = ObjectCommit { object, condition: WriteCondition::Always };
        bench.meta.commit_object(commit, bench.clock.wall()).await.expect("commit");
        bench.objects.delete(bench.bucket, &[key(&format!("{i}"))]).await.expect("delete");
    }
    bench.clock.advance(GARBAGE_GRACE * 2);
    let stopped = Stop::new();
    stopped.pull();
    assert_eq!(collector(&bench).collect(&stopped).await, Ok(0));
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(count));
    assert_eq!(bench.blob_ids().await, []);
}

#[tokio::test]
async fn one_blob_that_cannot_be_deleted_does_not_keep_the_others() {
    let bench = Bench::new().await;
    for i in 0..3 {
        bench.put("k", &pattern(i, SIZE)).await.expect("put");
    }
    bench.clock.advance(GARBAGE_GRACE * 2);
    bench.blobs.on(BlobCall::Delete, 1, BlobFault::Fail(broken()));
    bench.blobs.on(BlobCall::Delete, 2, BlobFault::Fail(broken()));
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(1));
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(1), "it is tried again");
    assert_clean(&bench).await;
}

#[tokio::test]
async fn a_crash_between_deleting_and_forgetting_is_made_good() {
    let (bench, meta) = faulty().await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("k")]).await.expect("delete");
    bench.clock.advance(GARBAGE_GRACE * 2);
    meta.fail(MetaCall::ForgetGarbage, 1, Fault::Before(broken()));
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Err(broken()));
    assert_eq!(collector(&bench).collect(&Stop::new()).await, Ok(1));
    assert_eq!(bench.meta.garbage(Wall(i64::MAX), 10).await, Ok(vec![]));
}

#[tokio::test]
async fn blobs_in_flight_survive_the_sweep_however_old() {
    let bench = Bench::new().await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    let body = bench.store(&pattern(2, SIZE)).await.expect("store");
    std::mem::forget(bench.store(&pattern(3, SIZE)).await.expect("store"));
    let orphan = write(&bench.memory, &[pattern(4, SIZE)]).await;
    let collector = collector(&bench);
    let sweep = collector.sweep(&Stop::new()).await.expect("sweep");
    assert_eq!(sweep, Sweep { examined: 4, removed: 0, unfinished: false }, "too young");
    bench.clock.advance(SWEEP_GRACE * 100);
    let sweep = collector.sweep(&Stop::new()).await.expect("sweep");
    assert_eq!(sweep, Sweep { examined: 4, removed: 1, unfinished: false });
    assert!(!bench.blob_ids().await.contains(&orphan));
    bench.objects.put(bench.request("k2"), body).await.expect("put");
    assert_eq!(bench.get("k2").await, Some(pattern(2, SIZE)));
}

#[tokio::test]
async fn a_blob_from_the_future_is_swept_all_the_same() {
    let bench = Bench::new().await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    write(&bench.memory, &[pattern(4, SIZE)]).await;
    bench.clock.set_wall(Wall(1_600_000_000_000));
    assert_eq!(collector(&bench).sweep(&Stop::new()).await.expect("sweep").removed, 1);
}

#[tokio::test]
async fn the_collector_survives_stores_that_fail_and_ends_when_stopped() {
    let (bench, meta) = faulty().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("k")]).await.expect("delete");
    meta.fail(MetaCall::Garbage, 2, Fault::Before(broken()));
    bench.blobs.on(BlobCall::List, 1, BlobFault::Fail(broken()));
    bench.clock.advance(GARBAGE_GRACE);
    tasks.spawn("test-collector", collector(&bench).run(stop.child()));
    for _ in 0..10_000 {
        if bench.blob_ids().await.is_empty() {
            break;
        }
        bench.clock.advance(limits::COLLECT_INTERVAL);
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.blob_ids().await, []);
    assert!(meta.calls(MetaCall::Garbage) >= 3);
    stop.pull();
    tasks.join().await;
}

#[test]
fn times_keep_their_promises() {
    let times = CollectorTimes::default();
    assert!(times.garbage_grace > limits::OBJECT_READ_MAX);
    assert!(times.settle_grace < times.sweep_grace);
}

// ---- sealed blobs ----------------------------------------------------------------------------------------------

/// A bench whose blobs are sealed; what lies below them is `bench.memory`.
async fn sealed(key: u8) -> (Bench, SealedBlobStore) {
    let mut bench = Bench::new().await;
    let above = keyed(&bench, &[key]);
    let clock = Arc::new(bench.clock.clone());
    bench.objects = ObjectService::new(bench.meta.clone(), Arc::new(above.clone()), clock);
    (bench, above)
}

fn keyed(bench: &Bench, keys: &[u8]) -> SealedBlobStore {
    let keys = MasterKeys::new(keys.iter().map(|key| MasterKey::new([*key; 32])).collect());
    SealedBlobStore::new(Arc::new(bench.blobs.clone()), keys)
}

#[tokio::test]
async fn a_start_and_the_collector_need_no_key() {
    let (bench, above) = sealed(1).await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    bench.put("gone", &pattern(2, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("gone")]).await.expect("delete");
    let orphan = write(&above, &[pattern(3, SIZE)]).await;
    let keyless = keyed(&bench, &[]);
    let report = startup(&*bench.meta, &keyless, bench.clock.wall()).await.expect("startup");
    assert_eq!((report.blobs_examined, report.blobs_removed), (3, 1));
    assert_eq!(above.length(orphan).await, Err(StoreError::NotFound(What::Blob)));
    bench.clock.advance(GARBAGE_GRACE + Duration::from_secs(1));
    let (clock, in_flight) = (Arc::new(bench.clock.clone()), bench.objects.in_flight().clone());
    let times = CollectorTimes::default();
    let collector = Collector::new(bench.meta.clone(), Arc::new(keyless), in_flight, clock, times);
    assert_eq!(collector.collect(&Stop::new()).await, Ok(1));
    assert_eq!(bench.get("k").await, Some(pattern(1, SIZE)));
}

#[tokio::test]
async fn the_checker_reads_sealed_bytes_with_the_key_and_names_it_without() {
    let (bench, above) = sealed(1).await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    for verify_bytes in [true, false] {
        let report = check(&*bench.meta, &above, CheckOptions { verify_bytes }).await.expect("check");
        assert!(report.is_clean() && report.blobs == 1, "{report}");
        assert_eq!(report.bytes_verified, if verify_bytes { SIZE as u64 } else { 0 });

        let keyless = keyed(&bench, &[2]);
        let report = check(&*bench.meta, &keyless, CheckOptions { verify_bytes }).await.expect("check");
        let id = MasterKey::new([1; 32]).id();
        let expected = format!("is sealed with master key {id}, which is not configured");
        let named = matches!(&report.findings[..], [Finding::Unreadable { cause, .. }] if cause.contains(&expected));
        assert!(named, "{report}");
    }
    let id = bench.blob_ids().await[0];
    bench.memory.damage(id, |bytes| bytes[70_000] ^= 1);
    let report = check(&*bench.meta, &above, CheckOptions { verify_bytes: true }).await.expect("check");
    assert!(matches!(&report.findings[..], [Finding::ShortBlob { .. }]), "{report}");
    assert!(report.to_string().contains("segment 1 is not what was written"), "{report}");
}

// ---- clocks that are set -------------------------------------------------------------------------------------

const HOUR: Duration = Duration::from_secs(3_600);

/// I3: a reader that began before the clock was set a day forward still has its bytes.
#[tokio::test]
async fn a_step_forward_ages_no_garbage() {
    let bench = Bench::new().await;
    let (collector, stop) = (collector(&bench), Stop::new());
    bench.clock.advance(24 * HOUR);
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    collector.collect(&stop).await.expect("nothing is due");
    let object = bench.meta.object(bench.bucket, &key("k")).await.expect("readable").expect("there");
    bench.put("k", &pattern(2, SIZE)).await.expect("replaced");
    bench.clock.set_wall(Wall(bench.clock.wall().0 + 86_400_000));
    for _ in 0..4 {
        assert_eq!(collector.collect(&stop).await, Ok(0));
        bench.clock.advance(HOUR);
    }
    assert_eq!(bench.read(&object, 0..object.size).await, Ok(pattern(1, SIZE)), "an old reader goes on");
    bench.clock.advance(HOUR);
    assert_eq!(collector.collect(&stop).await, Ok(1), "the grace has passed by every clock");
    assert_eq!(bench.get("k").await, Some(pattern(2, SIZE)));
    assert_eq!(checked(&bench).await.findings, []);
}

/// What was dated before a step back seems younger than it is: it waits, and nothing goes that should stay.
#[tokio::test]
async fn a_step_back_delays_garbage_and_sweeps_nothing_that_is_named() {
    let bench = Bench::new().await;
    let (collector, stop) = (collector(&bench), Stop::new());
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    bench.put("k", &pattern(2, SIZE)).await.expect("replaced");
    bench.clock.set_wall(Wall(bench.clock.wall().0 - 3_600_000));
    bench.put("later", &pattern(3, SIZE)).await.expect("by the clock as it is");
    let grace = CollectorTimes::default().garbage_grace;
    bench.clock.advance(grace + Duration::from_secs(1));
    assert_eq!(collector.collect(&stop).await, Ok(0), "an hour seems to be missing");
    assert_eq!(collector.sweep(&stop).await.map(|sweep| sweep.removed), Ok(0));
    bench.clock.advance(HOUR);
    assert_eq!(collector.collect(&stop).await, Ok(1));
    assert_eq!(bench.get("k").await, Some(pattern(2, SIZE)));
    assert_eq!(bench.get("later").await, Some(pattern(3, SIZE)));
    assert_eq!(checked(&bench).await.findings, []);
}

/// A start whose clock is a day ahead, or behind, of the last life's removes what nobody names and nothing else.
#[tokio::test]
async fn a_start_by_another_clock_sweeps_nothing_that_is_named() {
    for step in [-3_600_000, 86_400_000] {
        let bench = Bench::new().await;
        bench.put("k", &pattern(1, SIZE)).await.expect("put");
        write(&bench.memory, &[pattern(9, SIZE)]).await;
        let now = Wall(bench.clock.wall().0 + step);
        startup(&*bench.meta, &bench.blobs, now).await.expect("starts");
        bench.clock.set_wall(now);
        let collector = collector(&bench);
        bench.clock.advance(2 * HOUR);
        collector.sweep(&Stop::new()).await.expect("sweeps");
        assert_eq!(bench.get("k").await, Some(pattern(1, SIZE)), "{step}");
        assert_eq!(checked(&bench).await.findings, [], "{step}: the lost one is gone");
    }
}
