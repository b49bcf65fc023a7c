use super::*;
use crate::clock::{ManualClock, Wall};
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::blob::memory::MemoryBlobStore;
use crate::store::blob::sealed::SealedBlobStore;
use crate::store::conformance::blob::pattern;
use crate::store::meta::faulty::{Fault, FaultyMetaStore, MetaCall};
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::objects::tests::{Bench, key};
use crate::store::recovery::{CheckOptions, check, startup};
use crate::store::seal::{MasterKey, MasterKeys};
use crate::store::{BlobId, BlobState, ObjectCommit, WriteCondition};

/// Just over what is kept inline.
const PIECE: usize = 40_000;
/// One piece more than a body may have without being finely cut.
const PIECES: usize = limits::FINELY_CUT_PAIRS + 1;

fn broken() -> StoreError {
    StoreError::Unavailable("scripted".into())
}

fn compactor(bench: &Bench) -> Compactor {
    let clock = Arc::new(bench.clock.clone());
    Compactor::new(bench.meta.clone(), bench.objects.clone(), clock, CompactionBounds::default())
}

async fn faulty() -> (Bench, Arc<FaultyMetaStore>) {
    let meta = Arc::new(FaultyMetaStore::new(Arc::new(MemoryMetaStore::new())));
    (Bench::over(meta.clone()).await, meta)
}

async fn append(bench: &Bench, name: &str, bytes: &Bytes) -> ObjectRecord {
    let position = bench.meta.object(bench.bucket, &key(name)).await.expect("meta").map_or(0, |object| object.size);
    let body = bench.store(bytes).await.expect("stored");
    bench.objects.append(bench.request(name), position, body).await.expect("appended")
}

/// An object of `PIECES` appends, and its bytes.
async fn log(bench: &Bench, name: &str) -> (ObjectRecord, Bytes) {
    let whole = pattern(7, PIECES * PIECE);
    let mut object = None;
    for piece in whole.chunks(PIECE) {
        object = Some(append(bench, name, &whole.slice_ref(piece)).await);
    }
    (object.expect("not empty"), whole)
}

async fn current(bench: &Bench, name: &str) -> ObjectRecord {
    bench.meta.object(bench.bucket, &key(name)).await.expect("meta").expect("there")
}

async fn assert_clean(bench: &Bench) {
    let report = check(&*bench.meta, &bench.memory, CheckOptions { verify_bytes: true }).await.expect("check");
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn runs_of_short_extents_are_rewritten_and_long_ones_kept() {
    let extent = |number: u128, length| Extent::Blob { id: BlobId(number), offset: 0, length };
    let (short, long) = (10, limits::SHORT_EXTENT_BYTES);
    let extents: Vec<Extent> = [short, short, long, long, short, long, short, short, short]
        .into_iter()
        .enumerate()
        .map(|(number, length)| extent(number as u128, length))
        .collect();
    let stretches = [
        Stretch::Rewritten(&extents[..2]),
        Stretch::Kept(&extents[2..4]),
        Stretch::Kept(&extents[4..5]),
        Stretch::Kept(&extents[5..6]),
        Stretch::Rewritten(&extents[6..]),
    ];
    assert_eq!(plan(&extents), stretches);
    assert_eq!(short_pairs(&extents), 3);
    assert_eq!((plan(&[]), short_pairs(&[])), (vec![], 0));
    assert_eq!(short_pairs(&extents[..1]), 0);
}

#[tokio::test]
async fn an_appended_object_becomes_one_extent_and_reads_as_before() {
    let bench = Bench::new().await;
    let (before, whole) = log(&bench, "log").await;
    assert_eq!(before.extents.len(), PIECES);
    let usage = bench.meta.bucket_usage(bench.bucket).await;
    bench.clock.advance(Duration::from_secs(100));
    let done = compactor(&bench).round(&Stop::new()).await.expect("a round");
    assert_eq!(done, Compacted { objects: 1, bytes: whole.len() as u64 });

    let after = current(&bench, "log").await;
    assert_eq!(after.extents.len(), 1);
    assert_eq!(ObjectRecord { extents: before.extents.clone(), ..after.clone() }, before, "nothing else has changed");
    assert_eq!(bench.get("log").await, Some(whole.clone()));
    // A read that began before goes on: its blobs wait as garbage.
    assert_eq!(bench.read(&before, 0..before.size).await.as_ref(), Ok(&whole));
    assert_eq!(bench.meta.bucket_usage(bench.bucket).await, usage);
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    assert_eq!(compactor(&bench).round(&Stop::new()).await, Ok(Compacted::default()), "nothing is left to do");
    // It is appended to as before.
    assert_eq!(append(&bench, "log", &pattern(1, 5)).await.size, before.size + 5);
    assert_clean(&bench).await;
}

#[tokio::test]
async fn a_log_of_lines_keeps_its_last_line_open() {
    let bench = Bench::new().await;
    let line = pattern(3, 20_000);
    // Each fills an inline extent but for a rest that no second line fits into; 14 are moved into a blob together.
    for _ in 0..14 * PIECES + 1 {
        append(&bench, "log", &line).await;
    }
    let before = current(&bench, "log").await;
    assert_eq!(before.extents.len(), PIECES + 1);
    assert!(matches!(before.extents.last(), Some(Extent::Inline(_))));
    assert_eq!(compactor(&bench).round(&Stop::new()).await.map(|done| done.objects), Ok(1));
    let after = current(&bench, "log").await;
    assert_eq!(after.extents.len(), 2);
    assert_eq!(after.extents.last(), before.extents.last());
    let joined = append(&bench, "log", &pattern(4, 100)).await;
    assert_eq!(joined.extents.len(), 2, "the next line is joined to it");
    assert_clean(&bench).await;
}

#[tokio::test]
async fn a_sealed_body_is_compacted_into_a_sealed_blob() {
    let clock = ManualClock::new(Wall(1_700_000_000_000));
    let meta: Arc<dyn MetaStore> = Arc::new(MemoryMetaStore::new());
    let memory = Arc::new(MemoryBlobStore::new(Arc::new(clock.clone())));
    let blobs = Arc::new(SealedBlobStore::new(memory, MasterKeys::new(vec![MasterKey::new([1; 32])])));
    let mut bench = Bench::over(meta.clone()).await;
    bench.objects = ObjectService::new(meta.clone(), blobs.clone(), Arc::new(clock.clone()));
    let (before, whole) = log(&bench, "log").await;
    let mut compactor = Compactor::new(meta, bench.objects.clone(), Arc::new(clock), CompactionBounds::default());
    assert_eq!(compactor.round(&Stop::new()).await.map(|done| done.objects), Ok(1));
    let after = current(&bench, "log").await;
    assert!(matches!(&after.extents[..], [Extent::Blob { id, .. }] if id.is_sealed()), "{:?}", after.extents);
    assert_eq!((after.etag, after.crc64), (before.etag, before.crc64));
    assert_eq!(bench.read(&after, 0..after.size).await, Ok(whole));
}

#[tokio::test]
async fn what_is_appended_meanwhile_stays() {
    let (bench, meta) = faulty().await;
    let (_, whole) = log(&bench, "log").await;
    let stall = meta.stall(MetaCall::SwapExtents);
    let (mut job, stop) = (compactor(&bench), Stop::new());
    let appended = async {
        while meta.calls(MetaCall::SwapExtents) == 0 {
            tokio::task::yield_now().await;
        }
        append(&bench, "log", &pattern(9, PIECE)).await;
        drop(stall);
    };
    let (done, ()) = tokio::join!(job.round(&stop), appended);
    assert_eq!(done.map(|done| done.objects), Ok(1));
    assert_eq!(current(&bench, "log").await.extents.len(), 2);
    assert_eq!(bench.get("log").await, Some([whole, pattern(9, PIECE)].concat().into()));
    assert_clean(&bench).await;
}

#[tokio::test]
async fn an_object_that_was_replaced_or_deleted_meanwhile_is_left_alone() {
    for replaced in [true, false] {
        let (bench, meta) = faulty().await;
        log(&bench, "log").await;
        let stall = meta.stall(MetaCall::SwapExtents);
        let (mut job, stop) = (compactor(&bench), Stop::new());
        let changed = async {
            while meta.calls(MetaCall::SwapExtents) == 0 {
                tokio::task::yield_now().await;
            }
            match replaced {
                true => drop(bench.put("log", &pattern(1, PIECE)).await.expect("put")),
                false => drop(bench.objects.delete(bench.bucket, &[key("log")]).await.expect("deleted")),
            }
            drop(stall);
        };
        let (done, ()) = tokio::join!(job.round(&stop), changed);
        assert_eq!(done.map(|done| done.objects), Ok(0));
        assert_eq!(bench.get("log").await, replaced.then(|| pattern(1, PIECE)));
        assert_eq!(bench.objects.in_flight().counts(), (0, 0), "the new blob was taken away");
        assert_clean(&bench).await;
    }
}

/// Where a compaction fails, or is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Create,
    Append,
    FinishWithoutEffect,
    SwapWithoutEffect,
    SwapWithoutAnswer,
}

#[tokio::test]
async fn a_compaction_killed_at_any_step_loses_nothing_and_leaves_no_orphan() {
    use Fails::*;
    for at in [Create, Append, FinishWithoutEffect, SwapWithoutEffect, SwapWithoutAnswer] {
        let (mut bench, meta) = faulty().await;
        let (_, whole) = log(&bench, "log").await;
        match at {
            Create => bench.blobs.on(BlobCall::Create, 1, BlobFault::Fail(broken())),
            Append => bench.blobs.on(BlobCall::Append, 3, BlobFault::Fail(broken())),
            FinishWithoutEffect => bench.blobs.on(BlobCall::Finish, 1, BlobFault::Fail(broken())),
            SwapWithoutEffect => meta.fail(MetaCall::SwapExtents, 1, Fault::Before(broken())),
            SwapWithoutAnswer => meta.fail(MetaCall::SwapExtents, 1, Fault::After(broken())),
        }
        let done = compactor(&bench).round(&Stop::new()).await.expect("one failure does not fail the round");
        assert_eq!(done.objects, 0, "{at:?}");
        assert_eq!(bench.get("log").await.as_ref(), Some(&whole), "{at:?}");

        // The process is gone, and with it what it knew of blobs in flight.
        bench.blobs.clear();
        let clock = Arc::new(bench.clock.clone());
        bench.objects = ObjectService::new(bench.meta.clone(), Arc::new(bench.blobs.clone()), clock);
        let report = startup(&*bench.meta, &bench.blobs, bench.clock.wall()).await.expect("startup");
        assert_eq!(report.blobs_removed, u64::from(at == SwapWithoutEffect), "{at:?}");
        assert_clean(&bench).await;
        let again = compactor(&bench).round(&Stop::new()).await.expect("a round").objects;
        assert_eq!(again, u64::from(at != SwapWithoutAnswer), "{at:?}");
        assert_eq!(current(&bench, "log").await.extents.len(), 1, "{at:?}");
        assert_eq!(bench.get("log").await.as_ref(), Some(&whole), "{at:?}");
        assert_clean(&bench).await;
    }
}

#[tokio::test]
async fn damaged_bytes_are_reported_and_never_swapped() {
    let (bench, meta) = faulty().await;
    let (object, _) = log(&bench, "log").await;
    // A record of other bytes than those that are there.
    let lying = ObjectRecord { crc64: object.crc64 ^ 1, ..object.clone() };
    let commit = ObjectCommit { object: lying, condition: WriteCondition::Always };
    bench.meta.commit_object(commit, bench.clock.wall()).await.expect("committed");
    log(&bench, "sound").await;
    let blobs = bench.blob_ids().await.len();
    let mut job = compactor(&bench);
    assert_eq!(job.round(&Stop::new()).await.map(|done| done.objects), Ok(1), "the sound one");
    assert_eq!(meta.calls(MetaCall::SwapExtents), 1);
    assert_eq!(current(&bench, "log").await.extents, object.extents);
    assert_eq!(bench.blob_ids().await.len(), blobs + 1, "nothing is left of the one that was not swapped");
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    // It is not read again in every round.
    assert_eq!(job.round(&Stop::new()).await, Ok(Compacted::default()));
}

#[tokio::test]
async fn a_round_keeps_its_bounds_and_the_next_goes_on() {
    let bench = Bench::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        log(&bench, name).await;
    }
    let whole = (PIECES * PIECE) as u64;
    let bounds = CompactionBounds { bytes: whole + 1, ..CompactionBounds::default() };
    let clock: Arc<dyn Clock> = Arc::new(bench.clock.clone());
    let mut job = Compactor::new(bench.meta.clone(), bench.objects.clone(), clock.clone(), bounds);
    assert_eq!(job.round(&Stop::new()).await, Ok(Compacted { objects: 2, bytes: 2 * whole }));
    let bounds = CompactionBounds { objects: 1, ..CompactionBounds::default() };
    let mut job = Compactor::new(bench.meta.clone(), bench.objects.clone(), clock, bounds);
    for _ in 0..3 {
        assert_eq!(job.round(&Stop::new()).await.map(|done| done.objects), Ok(1));
    }
    assert_eq!(bench.meta.finely_cut(None, 9).await, Ok(vec![]));
    assert_clean(&bench).await;
}

#[tokio::test]
async fn a_stop_ends_it_between_two_pieces() {
    let bench = Bench::new().await;
    let (before, _) = log(&bench, "log").await;
    let stop = Stop::new();
    let mut job = compactor(&bench);
    let mut read = 0;
    let at = (bench.bucket, key("log"));
    stop.pull();
    assert_eq!(job.compact(&at, &mut read, &stop).await, Ok(Outcome::Stopped));
    assert_eq!(job.round(&stop).await, Ok(Compacted::default()));
    assert_eq!(current(&bench, "log").await, before);
    assert_eq!(bench.objects.in_flight().counts(), (0, 0));
    // And the task as a whole.
    job.run(stop).await;
}

#[tokio::test]
async fn parts_that_share_blobs_keep_them() {
    let bench = Bench::new().await;
    let (_, whole) = log(&bench, "log").await;
    let source = current(&bench, "log").await;
    bench.objects.copy(&source, bench.request("copy")).await.expect("copied");
    assert_eq!(compactor(&bench).round(&Stop::new()).await.map(|done| done.objects), Ok(2));
    for name in ["log", "copy"] {
        assert_eq!(bench.get(name).await.as_ref(), Some(&whole), "{name}");
    }
    let Extent::Blob { id, .. } = source.extents[0] else { panic!("a blob") };
    assert_eq!(bench.meta.blob_states(&[id]).await, Ok(vec![BlobState::Garbage]), "with its last name");
    assert_clean(&bench).await;
}
