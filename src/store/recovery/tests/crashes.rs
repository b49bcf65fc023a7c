//! The process dies between any two steps, a commit is left without an answer: what the next start finds.

use super::*;
use crate::limits::{SETTLE_GRACE, STARTUP_SWEEP_REACH, SWEEP_PAGE};

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
