//! A commit without an answer may yet come true, by the writer that goes on or by a crash. Until it cannot, what it names stays.

use std::sync::Arc;

use livebucket::clock::ManualClock;
use livebucket::limits::SETTLE_GRACE;
use livebucket::store::recovery::{Collector, CollectorTimes};
use livebucket::store::seal::MasterKeys;
use livebucket::store::{Acl, BucketName, BucketRecord, StoreError};

use super::run::{BEGIN, data_in, put, request, stored};
use super::store::Stores;
use crate::directory;
use crate::fault::{Effect, Fault, Injected, Kind};
use crate::tree::Tree;
use crate::watch::Watch;

struct Bed {
    directory: tempfile::TempDir,
    watch: Watch,
    stores: Stores,
    bucket: BucketRecord,
}

impl Bed {
    /// A store with one object, `k`.
    async fn start() -> Bed {
        let directory = directory();
        let watch = Watch::faults(directory.path());
        let stores = opened(directory.path()).await;
        let account = stores.meta.put_access_key("owner", "id", "secret", BEGIN).await.expect("fresh").account;
        let name = BucketName::new("films").expect("valid");
        let bucket = stores.meta.create_bucket(&name, account, Acl::Private, BEGIN).await.expect("fresh");
        put(&stores, &bucket, "k", &[1; 100_000]).await;
        Bed { directory, watch, stores, bucket }
    }

    /// The next sync of the log meets this.
    fn inject(&self, effect: Effect) -> Injected {
        self.watch.inject(Fault::new(&[Kind::Sync], effect).on(|path| path.ends_with("meta.db-wal")).times(1))
    }

    /// Asks what became of what nobody waits for any more.
    async fn settle(&self) {
        let (stores, clock) = (&self.stores, Arc::new(self.stores.clock.clone()));
        let in_flight = stores.objects.in_flight().clone();
        let (meta, blobs) = (stores.meta.clone(), stores.blobs.clone());
        let collector = Collector::new(meta, blobs, in_flight, clock, CollectorTimes::default());
        collector.settle().await.expect("settled");
    }

    /// Kills the process: what the next one finds in the directory, and what is wrong with it.
    async fn killed(&self) -> Vec<String> {
        let image = directory();
        Tree::read(self.directory.path()).write_out(image.path());
        opened(image.path()).await.check().await
    }
}

async fn opened(root: &std::path::Path) -> Stores {
    Stores::start(&data_in(root), ManualClock::new(BEGIN), &MasterKeys::default()).await.expect("it starts")
}

#[tokio::test]
async fn what_a_commit_names_whose_sync_failed_stays_until_no_crash_brings_it_back() {
    let bed = Bed::start().await;
    let body = stored(&bed.stores, &[2; 200_000]).await;
    let fault = bed.inject(Effect::Errno(libc::EIO));
    let refused = bed.stores.objects.put(request(&bed.bucket, "k"), body).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(fault.hits(), 1);
    assert_eq!(bed.killed().await, [""; 0], "at once");
    bed.stores.clock.advance(SETTLE_GRACE);
    bed.settle().await;
    assert_eq!(bed.stores.objects.in_flight().counts(), (0, 0));
    assert_eq!(bed.killed().await, [""; 0], "behind the collector");
}

/// Where a log stands.
fn log_of(root: &std::path::Path) -> std::path::PathBuf {
    data_in(root).join("meta.db-wal")
}

/// A system tells of a failed sync once, and keeps what it could not write as if it had been. So the next process finds it in the log,
/// syncs what it adds itself, and has a hole before that when the power goes.
#[tokio::test]
async fn what_is_committed_behind_a_start_does_not_hang_on_what_was_never_written() {
    let bed = Bed::start().await;
    let log = log_of(bed.directory.path());
    let before = std::fs::read(&log).expect("a log");
    let fault = bed.inject(Effect::Errno(libc::EIO));
    let body = stored(&bed.stores, &[2; 10]).await;
    bed.stores.objects.put(request(&bed.bucket, "k"), body).await.expect_err("not synced");
    assert_eq!(fault.hits(), 1);
    let kept = std::fs::read(&log).expect("a log");
    let is_new = |at: &usize| kept.get(*at) != before.get(*at);
    let from = (0..kept.len()).find(is_new).expect("it was written to");
    let lost = &kept[from..=(0..kept.len()).rfind(is_new).expect("likewise")];
    // The process is killed, and the next one acknowledges something.
    let next = directory();
    Tree::read(bed.directory.path()).write_out(next.path());
    let stores = opened(next.path()).await;
    put(&stores, &bed.bucket, "after", &[3; 10]).await;
    // The power goes: what was not written again was never on the disk.
    let image = directory();
    Tree::read(next.path()).write_out(image.path());
    let mut bytes = std::fs::read(log_of(image.path())).expect("a log");
    if let Some(same) = bytes.get_mut(from..from + lost.len()).filter(|bytes| **bytes == *lost) {
        same.fill(0);
    }
    std::fs::write(log_of(image.path()), bytes).expect("written");
    let stores = opened(image.path()).await;
    let after = stores.meta.object(bed.bucket.id, &request(&bed.bucket, "after").key).await.expect("read");
    assert_eq!(after.map(|object| object.size), Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_commit_names_that_hangs_longer_than_the_grace_stays() {
    let bed = Bed::start().await;
    let body = stored(&bed.stores, &[2; 200_000]).await;
    let fault = bed.inject(Effect::Hold);
    {
        let put = bed.stores.objects.put(request(&bed.bucket, "k"), body);
        // The client goes away.
        tokio::select! {
            biased;
            put = put => panic!("{put:?}"),
            () = async { while fault.hits() == 0 { tokio::task::yield_now().await } } => {}
        }
    }
    bed.stores.clock.advance(SETTLE_GRACE);
    let lifted = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        fault.lift();
    };
    tokio::join!(biased; bed.settle(), lifted);
    assert_eq!(bed.stores.check().await, [""; 0]);
    let object = bed.stores.meta.object(bed.bucket.id, &request(&bed.bucket, "k").key).await.expect("read");
    assert_eq!(bed.stores.body(&object.expect("there")).await.expect("whole"), [2; 200_000]);
}
