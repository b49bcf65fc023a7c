use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::check::{ObjectName, WindowName};
use super::*;
use crate::clock::Clock;
use crate::limits::{GARBAGE_GRACE, SETTLE_GRACE, STARTUP_SWEEP_REACH, SWEEP_GRACE, SWEEP_PAGE};
use crate::media::MediaTime;
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::blob::sealed::SealedBlobStore;
use crate::store::conformance::blob::{pattern, write};
use crate::store::meta::faulty::{Fault, FaultyMetaStore, MetaCall};
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::objects::tests::{Bench, key};
use crate::store::objects::{Digests, ObjectService, StoredBody};
use crate::store::records::testbed::empty_object;
use crate::store::seal::{MasterKey, MasterKeys};
use crate::store::upload::PartRequest;
use crate::store::*;
use crate::task::{Stop, TaskSet};

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

// ---- crashes ---------------------------------------------------------------------------------------------------

/// Where a put is when the process is killed.
#[derive(Clone, Copy, Debug)]
enum Killed {
    InAppend,
    BeforeFinish,
    InFinishWithoutEffect,
    AfterFinish,
    InCommitWithoutEffect,
    AfterCommit,
}

/// Begins to replace `k` by `new`, and is killed at `at`.
async fn killed_put(bench: &Bench, meta: &FaultyMetaStore, new: &Bytes, at: Killed) {
    let mut writer = bench.objects.writer(Digests::Md5AndCrc64);
    if let Killed::InAppend = at {
        bench.blobs.on(BlobCall::Append, 2, BlobFault::Fail(broken()));
        assert!(writer.write(new.clone()).await.is_err());
        return std::mem::forget(writer);
    }
    writer.write(new.clone()).await.expect("write");
    match at {
        Killed::BeforeFinish => return std::mem::forget(writer),
        Killed::InFinishWithoutEffect => {
            bench.blobs.on(BlobCall::Finish, 1, BlobFault::Fail(broken()));
            assert!(writer.finish().await.is_err());
            return;
        }
        _ => {}
    }
    let body = writer.finish().await.expect("finish");
    match at {
        Killed::AfterFinish => return std::mem::forget(body),
        Killed::InCommitWithoutEffect => meta.fail(MetaCall::CommitObject, 1, Fault::Before(broken())),
        _ => meta.fail(MetaCall::CommitObject, 1, Fault::After(broken())),
    }
    assert_eq!(bench.objects.put(bench.request("k"), body).await, Err(broken()));
}

#[tokio::test]
async fn a_put_killed_at_any_step_leaves_one_whole_object_and_no_orphan() {
    let steps = [
        Killed::InAppend,
        Killed::BeforeFinish,
        Killed::InFinishWithoutEffect,
        Killed::AfterFinish,
        Killed::InCommitWithoutEffect,
        Killed::AfterCommit,
    ];
    for at in steps {
        let (mut bench, meta) = faulty().await;
        let (old, new) = (pattern(1, SIZE), pattern(2, 3 * SIZE));
        bench.put("k", &old).await.expect("put");
        killed_put(&bench, &meta, &new, at).await;
        let report = restart(&mut bench).await;
        let orphans = u64::from(matches!(at, Killed::AfterFinish | Killed::InCommitWithoutEffect));
        assert_eq!(report.blobs_removed, orphans, "{at:?}");
        let expected = if let Killed::AfterCommit = at { &new } else { &old };
        assert_eq!(bench.get("k").await.as_ref(), Some(expected), "{at:?}");
        assert_clean(&bench).await;
    }
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

#[tokio::test]
async fn a_part_killed_at_any_step_leaves_one_whole_part_and_no_orphan() {
    for (before_commit, fault) in
        [(true, None), (false, Some(Fault::Before(broken()))), (false, Some(Fault::After(broken())))]
    {
        let (mut bench, meta) = faulty().await;
        let (upload, old) = open_upload(&bench).await;
        let body = bench.store(&pattern(2, 2 * SIZE)).await.expect("stored");
        if before_commit {
            std::mem::forget(body);
        } else {
            meta.fail(MetaCall::CommitPart, 1, fault.clone().expect("a fault"));
            let killed = bench.objects.uploads().put_part(part_of(&upload, 1), body).await;
            assert_eq!(killed, Err(broken()));
        }
        let report = restart(&mut bench).await;
        let took_effect = matches!(fault, Some(Fault::After(_)));
        assert_eq!(report.blobs_removed, u64::from(!took_effect), "{fault:?}");
        assert_clean(&bench).await;
        // The upload has outlived the process, and goes on.
        let done = bench.objects.uploads().complete(completion(&upload)).await.expect("complete");
        let expected = if took_effect { pattern(2, 2 * SIZE) } else { pattern(1, SIZE) };
        assert_eq!(done.size, expected.len() as u64);
        assert_eq!(took_effect, done.crc64 != old.crc64);
        assert_eq!(bench.get("k").await, Some(expected), "{fault:?}");
        assert_clean(&bench).await;
    }
}

#[tokio::test]
async fn a_completion_killed_at_any_step_can_be_repeated() {
    for fault in [Fault::Before(broken()), Fault::After(broken())] {
        let (mut bench, meta) = faulty().await;
        bench.put("k", &pattern(9, SIZE)).await.expect("put");
        let (upload, part) = open_upload(&bench).await;
        meta.fail(MetaCall::CompleteUpload, 1, fault.clone());
        assert_eq!(bench.objects.uploads().complete(completion(&upload)).await, Err(broken()));
        restart(&mut bench).await;
        let is_new = matches!(fault, Fault::After(_));
        assert_eq!(bench.get("k").await, Some(pattern(if is_new { 1 } else { 9 }, SIZE)), "{fault:?}");
        assert_clean(&bench).await;
        let done = bench.objects.uploads().complete(completion(&upload)).await.expect("complete");
        assert_eq!((done.crc64, done.size), (part.crc64, part.size));
        assert_eq!(bench.get("k").await, Some(pattern(1, SIZE)));
        assert_clean(&bench).await;
    }
}

#[tokio::test]
async fn blobs_of_open_uploads_are_neither_swept_nor_foreign() {
    let (mut bench, _) = faulty().await;
    open_upload(&bench).await;
    for _ in 0..SWEEP_PAGE {
        write(&bench.memory, &[pattern(3, 10)]).await;
    }
    let report = restart(&mut bench).await;
    assert!(!report.refused, "the part proves that the metadata is these blobs' own");
    assert_eq!(report.blobs_removed, SWEEP_PAGE as u64);
    bench.clock.advance(SWEEP_GRACE);
    let sweep = collector(&bench).sweep(&Stop::new()).await.expect("swept");
    assert_eq!((sweep.removed, bench.blob_ids().await.len()), (0, 1));
    let report = checked(&bench).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.objects, report.parts, report.extents), (0, 1, 1));
    assert_eq!(report.bytes_verified, SIZE as u64);
}

#[tokio::test]
async fn an_aborted_uploads_blobs_are_collected_after_their_grace() {
    let (bench, _) = faulty().await;
    let (upload, _) = open_upload(&bench).await;
    bench.objects.uploads().abort(upload.bucket, &upload.key, upload.id).await.expect("open");
    let collector = collector(&bench);
    assert_eq!(collector.collect(&Stop::new()).await, Ok(0));
    bench.clock.advance(GARBAGE_GRACE + Duration::from_millis(1));
    assert_eq!(collector.collect(&Stop::new()).await, Ok(1));
    assert_eq!(bench.blob_ids().await, []);
    assert_clean(&bench).await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_settled_without_a_restart() {
    for fault in [Fault::Before(broken()), Fault::After(broken())] {
        let (bench, meta) = faulty().await;
        bench.put("k", &pattern(1, SIZE)).await.expect("put");
        meta.fail(MetaCall::CommitObject, 1, fault.clone());
        assert_eq!(bench.put("k", &pattern(2, SIZE)).await, Err(broken()));
        assert_eq!(bench.blob_ids().await.len(), 2, "the commit may still come true");
        let collector = collector(&bench);
        assert_eq!(collector.settle().await, Ok(0));
        bench.clock.advance(SETTLE_GRACE);
        let removed = u64::from(matches!(fault, Fault::Before(_)));
        assert_eq!(collector.settle().await, Ok(removed));
        assert_eq!(bench.objects.in_flight().counts(), (0, 0));
        assert_clean(&bench).await;
        assert_eq!(bench.get("k").await, Some(pattern(2 - removed, SIZE)));
    }
}

#[tokio::test]
async fn a_put_that_is_given_up_while_its_commit_waits_keeps_its_blob() {
    let (bench, meta) = faulty().await;
    let stall = meta.stall(MetaCall::CommitObject);
    let body = bench.store(&pattern(1, SIZE)).await.expect("store");
    let mut put = Box::pin(bench.objects.put(bench.request("k"), body));
    assert!(futures_util::poll!(&mut put).is_pending());
    drop(put);
    assert_eq!(bench.objects.in_flight().counts(), (0, 1));
    bench.clock.advance(SWEEP_GRACE * 2);
    let sweep = collector(&bench).sweep(&Stop::new()).await.expect("sweep");
    assert_eq!((sweep.removed, bench.blob_ids().await.len()), (0, 1), "only settling may take it");
    drop(stall);
}

#[tokio::test]
async fn startup_ends_connections_and_removes_what_is_unnamed() {
    let mut bench = Bench::new().await;
    bench.put("kept", &pattern(1, SIZE)).await.expect("put");
    bench.put("garbage", &pattern(2, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("garbage")]).await.expect("delete");
    std::mem::forget(bench.store(&pattern(3, SIZE)).await.expect("store"));
    claim(&bench, "cam").await;
    let report = restart(&mut bench).await;
    let expected = StartupReport { connections_ended: 1, blobs_examined: 3, blobs_removed: 1, ..Default::default() };
    assert_eq!(report, expected);
    assert_eq!(restart(&mut bench).await, StartupReport { blobs_examined: 2, ..Default::default() });
}

#[tokio::test]
async fn startup_goes_back_as_far_as_its_reach_and_the_full_sweep_finds_the_rest() {
    let mut bench = Bench::new().await;
    bench.put("kept", &pattern(1, SIZE)).await.expect("put");
    std::mem::forget(bench.store(&pattern(1, SIZE)).await.expect("store"));
    bench.clock.advance(STARTUP_SWEEP_REACH + Duration::from_secs(1));
    std::mem::forget(bench.store(&pattern(2, SIZE)).await.expect("store"));
    let report = restart(&mut bench).await;
    assert_eq!((report.blobs_examined, report.blobs_removed), (1, 1));
    let sweep = collector(&bench).sweep(&Stop::new()).await.expect("sweep");
    assert_eq!(sweep, Sweep { examined: 2, removed: 1, unfinished: false });
    assert_clean(&bench).await;
}

#[tokio::test]
async fn metadata_that_knows_nothing_does_not_delete_everything() {
    let mut bench = Bench::new().await;
    for i in 0..SWEEP_PAGE as u64 + 1 {
        write(&bench.memory, &[pattern(i, 10)]).await;
    }
    assert!(restart(&mut bench).await.refused);
    bench.clock.advance(SWEEP_GRACE);
    let sweep = collector(&bench).sweep(&Stop::new()).await.expect("sweep");
    assert_eq!((sweep.removed, sweep.unfinished), (0, true));
    assert_eq!(bench.blob_ids().await.len(), SWEEP_PAGE + 1);
    // With one object it is this store's metadata, and the rest are orphans.
    bench.put("k", &pattern(1, 10)).await.expect("put");
    assert_eq!(restart(&mut bench).await.blobs_removed, SWEEP_PAGE as u64 + 1);
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

// ---- the checker -----------------------------------------------------------------------------------------------

async fn claim(bench: &Bench, name: &str) -> (ChannelName, Claim) {
    let channel = ChannelName::new(name).expect("valid");
    let config = ChannelConfig {
        description: String::new(),
        display_name: None,
        status: ChannelStatus::Enabled,
        frag_duration: 5,
        frag_count: 3,
        playlist_name: "playlist.m3u8".into(),
        snapshot: None,
    };
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

/// Commits one fragment with this window.
async fn commit_fragment(bench: &Bench, window: WindowRecord) {
    let (channel, claim) = claim(bench, "cam").await;
    let mut writer = bench.objects.writer(Digests::Crc64);
    writer.write(pattern(7, SIZE)).await.expect("write");
    let body = writer.finish().await.expect("finish");
    let object = |name: &str, body: &StoredBody| ObjectRecord {
        bucket: bench.bucket,
        size: body.size,
        crc64: body.crc64,
        etag: body.etag,
        extents: body.extents.clone(),
        ..empty_object(format!("cam/{name}"))
    };
    let playlist = bench.store(&Bytes::from_static(b"#EXTM3U\n")).await.expect("store");
    let commit = FragmentCommit {
        bucket: bench.bucket,
        channel,
        epoch: claim.epoch,
        connection: ConnectionId(1),
        fragment: FragmentRecord {
            name_ms: 5_000,
            sequence: claim.next_sequence,
            duration: MediaTime::from_secs(5),
            discontinuity: false,
        },
        object: object("5000.ts", &body),
        playlist: object("playlist.m3u8", &playlist),
        playlist_name: "playlist.m3u8".into(),
        window,
        ended: bench.clock.wall(),
    };
    bench.meta.commit_fragment(commit, bench.clock.wall()).await.expect("commit");
    body.committed();
}

fn entry(name_ms: i64, seconds: i64) -> WindowEntry {
    WindowEntry { name_ms, duration: MediaTime::from_secs(seconds), discontinuity: false }
}

fn window(target_duration: u32, entries: Vec<WindowEntry>) -> WindowRecord {
    WindowRecord { target_duration, entries, ..WindowRecord::default() }
}

#[tokio::test]
async fn a_sound_store_is_clean_and_the_report_counts_it() {
    let bench = Bench::new().await;
    bench.put("empty", &Bytes::new()).await.expect("put");
    bench.put("inline", &pattern(1, 100)).await.expect("put");
    let source = bench.put("blob", &pattern(2, SIZE)).await.expect("put");
    bench.objects.copy(&source, bench.request("copy")).await.expect("copy");
    for position in [0, SIZE as u64] {
        let body = bench.store(&pattern(position, SIZE)).await.expect("store");
        bench.objects.append(bench.request("log"), position, body).await.expect("append");
    }
    bench.put("gone", &pattern(4, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("gone")]).await.expect("delete");
    commit_fragment(&bench, window(5, vec![entry(5_000, 5)])).await;
    let report = checked(&bench).await;
    let expected = CheckReport {
        objects: 7,
        extents: 7,
        bytes_verified: 100 + 5 * SIZE as u64 + 8,
        blobs: 5,
        garbage: 1,
        windows: 1,
        ..CheckReport::default()
    };
    assert_eq!(report, expected);
    let lengths_only = check(&*bench.meta, &bench.memory, CheckOptions::default()).await.expect("check");
    assert_eq!(lengths_only, CheckReport { bytes_verified: 0, ..expected });
}

/// Plants a fault in an otherwise sound store and expects exactly one finding, with this text.
async fn finds(options: CheckOptions, plant: impl AsyncFnOnce(&Bench, &mut ObjectRecord) -> Vec<Finding>) {
    let bench = Bench::new().await;
    bench.put("sound", &pattern(9, SIZE)).await.expect("put");
    let mut object = bench.put("k", &pattern(1, SIZE)).await.expect("put");
    let expected = plant(&bench, &mut object).await;
    let commit = ObjectCommit { object, condition: WriteCondition::Always };
    bench.meta.commit_object(commit, bench.clock.wall()).await.expect("commit");
    let report = check(&*bench.meta, &bench.blobs, options).await.expect("check");
    assert_eq!(report.findings, expected);
    assert_eq!(report.objects, 2);
}

const LENGTHS: CheckOptions = CheckOptions { verify_bytes: false };
const BYTES: CheckOptions = CheckOptions { verify_bytes: true };

fn blob_of(object: &ObjectRecord) -> BlobId {
    match object.extents[..] {
        [Extent::Blob { id, .. }] => id,
        _ => panic!("one blob"),
    }
}

fn named(bench: &Bench) -> ObjectName {
    ObjectName { bucket: bench.bucket, key: key("k"), part: None, version: None }
}

#[tokio::test]
async fn finds_a_missing_blob() {
    for options in [LENGTHS, BYTES] {
        finds(options, async |bench, object| {
            let blob = blob_of(object);
            bench.memory.delete(&[blob]).await.expect("delete");
            vec![Finding::MissingBlob { object: named(bench), blob }]
        })
        .await;
    }
}

#[tokio::test]
async fn finds_a_short_blob() {
    for options in [LENGTHS, BYTES] {
        finds(options, async |bench, object| {
            let blob = blob_of(object);
            bench.memory.damage(blob, |bytes| bytes.truncate(SIZE - 1));
            let cause = format!("blob {blob} has {} bytes, {SIZE} were asked for", SIZE - 1);
            vec![Finding::ShortBlob { object: named(bench), blob, cause }]
        })
        .await;
    }
}

#[tokio::test]
async fn finds_a_blob_that_cannot_be_read() {
    finds(BYTES, async |bench, object| {
        let blob = blob_of(object);
        bench.blobs.on(BlobCall::Next, 1, BlobFault::Fail(broken()));
        vec![Finding::Unreadable { object: named(bench), blob, cause: "unavailable: scripted".into() }]
    })
    .await;
}

#[tokio::test]
async fn finds_changed_bytes() {
    finds(BYTES, async |bench, object| {
        bench.memory.damage(blob_of(object), |bytes| bytes[77] ^= 1);
        let mut bytes = pattern(1, SIZE).to_vec();
        bytes[77] ^= 1;
        let body = bench.store(&Bytes::from(bytes)).await.expect("store");
        let (crc64, md5) = (body.crc64, body.md5.expect("computed"));
        bench.objects.discard(body).await;
        vec![
            Finding::WrongCrc64 { object: named(bench), recorded: object.crc64, computed: crc64 },
            Finding::WrongMd5 { object: named(bench), recorded: object.content_md5.expect("plain put"), computed: md5 },
        ]
    })
    .await;
}

#[tokio::test]
async fn finds_damage_of_a_part() {
    let bench = Bench::new().await;
    let (upload, part) = open_upload(&bench).await;
    let blob = bench.blob_ids().await[0];
    bench.memory.damage(blob, |bytes| bytes[77] ^= 1);
    let object = ObjectName { part: Some((upload.id, 1)), ..named(&bench) };
    let findings = checked(&bench).await.findings;
    assert_eq!(findings.len(), 2, "{findings:?}");
    let names = |finding: &Finding| match finding {
        Finding::WrongCrc64 { object: found, recorded, .. } => *found == object && *recorded == part.crc64,
        Finding::WrongMd5 { object: found, recorded, .. } => *found == object && *recorded == part.md5,
        _ => false,
    };
    assert!(findings.iter().all(names), "{findings:?}");
    let text = findings[0].to_string();
    assert!(text.starts_with(&format!("part 1 of upload {} to object \"k\" of bucket 1 has", upload.id)), "{text}");
    bench.memory.delete(&[blob]).await.expect("deleted");
    assert_eq!(checked(&bench).await.findings, [Finding::MissingBlob { object, blob }]);
}

#[tokio::test]
async fn finds_a_size_that_is_not_the_sum() {
    finds(LENGTHS, async |bench, object| {
        object.size += 1;
        vec![Finding::WrongSize { object: named(bench), size: SIZE as u64 + 1, extents: SIZE as u64 }]
    })
    .await;
}

#[tokio::test]
async fn finds_extents_that_cannot_be() {
    finds(LENGTHS, async |bench, object| {
        object.extents.push(Extent::Inline(Bytes::new()));
        object.extents.push(Extent::Inline(pattern(1, limits::INLINE_BYTES_MAX + 1)));
        object.size += limits::INLINE_BYTES_MAX as u64 + 1;
        let bad = |index| Finding::BadExtent { object: named(bench), index };
        vec![bad(1), bad(2)]
    })
    .await;
}

#[tokio::test]
async fn finds_an_unnamed_blob() {
    finds(LENGTHS, async |bench, _| {
        let blob = write(&bench.memory, &[pattern(1, 77)]).await;
        vec![Finding::UnnamedBlob { blob, length: 77 }]
    })
    .await;
}

#[tokio::test]
async fn finds_windows_that_break_their_rules() {
    let bench = Bench::new().await;
    commit_fragment(&bench, window(5, vec![entry(6_000, 6), entry(5_000, 5)])).await;
    let name = || WindowName {
        bucket: bench.bucket,
        channel: ChannelName::new("cam").expect("valid"),
        playlist: "playlist.m3u8".into(),
    };
    let expected = [
        Finding::WindowOrder { window: name(), name_ms: 5_000 },
        Finding::TargetDuration { window: name(), target: 5, name_ms: 6_000 },
    ];
    assert_eq!(checked(&bench).await.findings, expected);
}

/// What no sound backend lets a test plant, planted in a backend that lies.
#[tokio::test]
async fn finds_what_metadata_says_against_itself() {
    let mut report = CheckReport::default();
    let object = ObjectRecord {
        extents: vec![Extent::Blob { id: BlobId(7), offset: 10, length: 90 }],
        size: 90,
        ..empty_object("k")
    };
    for state in [BlobState::Garbage, BlobState::Unknown, BlobState::Named(99), BlobState::Named(100)] {
        super::check::check_extents(&(&object).into(), &[(BlobId(7), state)].into(), &mut report);
    }
    let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let blob = "names blob 00000000000000000000000000000007, which metadata holds to be";
    assert_eq!(
        texts,
        [
            format!("object \"k\" of bucket 1 {blob} garbage"),
            format!("object \"k\" of bucket 1 {blob} unknown"),
            format!("object \"k\" of bucket 1 {blob} named up to byte 99 only"),
        ]
    );

    let mut report = CheckReport::default();
    let audit = WindowAudit {
        bucket: BucketId(1),
        channel: ChannelName::new("cam").expect("valid"),
        playlist_name: "p.m3u8".into(),
        window: window(5, vec![entry(5_000, 5)]),
        dangling: vec![5_000],
    };
    super::check::check_window(&audit, &mut report);
    let text = report.findings.iter().map(ToString::to_string).collect::<String>();
    assert_eq!(text, "playlist \"p.m3u8\" of channel \"cam\" of bucket 1 names fragments without objects: [5000]");
}

#[tokio::test]
async fn findings_are_bounded() {
    let bench = Bench::new().await;
    let count = limits::CHECK_FINDINGS_MAX as u64 + 3;
    for _ in 0..count {
        write(&bench.memory, &[]).await;
    }
    let report = checked(&bench).await;
    assert_eq!((report.findings.len() as u64, report.findings_left_out), (count - 3, 3));
    assert!(!report.is_clean());
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

// ---- damage --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_walk_that_ends_at_damage_is_a_finding_and_the_others_go_on() {
    let (bench, meta) = faulty().await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    let damage = StoreError::Corrupt("page 7".into());
    for (call, what) in [
        (MetaCall::AuditBackend, "rows"),
        (MetaCall::AuditObjects, "objects"),
        (MetaCall::AuditVersions, "versions behind the current ones"),
        (MetaCall::AuditParts, "parts of open uploads"),
        (MetaCall::AuditWindows, "playlist windows"),
    ] {
        meta.fail(call, usize::MAX, Fault::Before(damage.clone()));
        let report = checked(&bench).await;
        assert_eq!(report.findings, [Finding::Unwalked { what, cause: "page 7".into() }]);
        assert_eq!(report.blobs, 1, "{what}: the rest was looked at");
        assert!(report.to_string().starts_with(&format!("not all {what} could be looked at: page 7")), "{report}");
        meta.heal();
    }
    meta.fail(MetaCall::AuditObjects, 1, Fault::Before(StoreError::Unavailable("now".into())));
    let report = check(&*bench.meta, &bench.memory, CheckOptions::default()).await;
    assert_eq!(report, Err(StoreError::Unavailable("now".into())), "nothing is proved");
}
