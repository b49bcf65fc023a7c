//! The stores as a hostile machine has them: every call may fail before or after its effect, take long, or be the last one.
//!
//! They stand around the disk of the [`World`], watch what is done to it for the [`Oracle`](crate::oracle::Oracle), and give
//! identities that follow from the seed in place of those that the service drew from the system.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use livebucket::clock::Wall;
use livebucket::store::meta::faulty::MetaCall;
use livebucket::store::*;
use tokio::sync::Mutex;

use crate::world::{Verdict, World};

fn unavailable() -> StoreError {
    StoreError::Unavailable("the weather".into())
}

/// Calls that change nothing. All others go through the one writer, in turn.
fn is_read(call: MetaCall) -> bool {
    use MetaCall::*;
    matches!(
        call,
        AccessKey
            | ListAccessKeys
            | SessionKey
            | Bucket
            | ListBuckets
            | BucketLifecycle
            | NextLifecycle
            | BucketUsage
            | Object
            | ObjectVersion
            | ObjectParts
            | FinelyCut
            | ListObjects
            | ListVersions
            | Upload
            | ListParts
            | ListUploads
            | Channel
            | ListChannels
            | BucketsWithChannel
            | CountChannels
            | OpenConnection
            | History
            | Fragments
            | LastFragment
            | BlobStates
            | AuditObjects
            | AuditVersions
            | AuditParts
            | AuditWindows
            | AuditBackend
    )
}

/// A call whose caller may give up while it waits: it may be carried out all the same, and nobody hears of it.
struct Late<'a, W: FnOnce() -> F, F: Future> {
    world: &'a World,
    what: &'a str,
    work: Option<W>,
    of: PhantomData<fn() -> F>,
}

impl<W: FnOnce() -> F, F: Future> Drop for Late<'_, W, F> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if std::thread::panicking() || self.world.is_dead() || !self.world.percent(50) {
            return;
        }
        self.world.say(format_args!("{} is given up and carried out", self.what));
        self.world.count("calls given up and carried out");
        self.world.touched();
        // The disk itself never waits.
        drop(work().now_or_never());
    }
}

/// Acts out one call.
///
/// `changes`: it may leave the disk other than it was.
async fn act<T, F>(world: &World, what: &str, changes: bool, work: impl FnOnce() -> F + Send) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let fate = world.fate();
    let mut late = Late { world, what, work: Some(work), of: PhantomData };
    if let Some(stall) = fate.stall {
        world.say(format_args!("{what} takes {stall:?}"));
        world.sleep(stall).await;
    }
    let work = late.work.take().expect("taken once");
    world.alive().await;
    match fate.verdict {
        Verdict::CrashBefore => {
            world.crash(format_args!("before {what}"));
            return std::future::pending().await;
        }
        Verdict::Fail => {
            world.say(format_args!("{what} fails"));
            world.count("calls that failed");
            return Err(unavailable());
        }
        Verdict::Go | Verdict::Lose | Verdict::CrashAfter => {}
    }
    if changes {
        world.touched();
    }
    let result = work().await;
    match fate.verdict {
        Verdict::CrashAfter => {
            world.crash(format_args!("after {what}"));
            std::future::pending().await
        }
        Verdict::Lose if result.is_ok() => {
            world.say(format_args!("{what} is not acknowledged"));
            world.count("acknowledgements lost");
            Err(unavailable())
        }
        _ => result,
    }
}

// ---- metadata ------------------------------------------------------------------------------------------------

/// Metadata under weather.
#[derive(Debug)]
pub struct HostileMeta {
    world: Arc<World>,
    /// Commits are carried out one by one, in the order in which they came.
    writer: Mutex<()>,
}

impl HostileMeta {
    pub fn new(world: Arc<World>) -> HostileMeta {
        HostileMeta { world, writer: Mutex::new(()) }
    }

    async fn around<T, F>(&self, call: MetaCall, work: impl FnOnce() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let world = &*self.world;
        world.alive().await;
        let _turn = if is_read(call) { None } else { Some(self.writer.lock().await) };
        world.alive().await;
        let name = format!("{call:?}");
        let result = act(world, &name, !is_read(call), work).await;
        if !is_read(call)
            && let Err(error) = &result
        {
            world.say(format_args!("{name}: {error}"));
        }
        result
    }

    fn fresh(&self, asked: Option<VersionId>, now: Wall) -> Option<VersionId> {
        asked.map(|_| VersionId::new(now, self.world.random()))
    }
}

macro_rules! hostile {
    ({$($watched:tt)*} {$($call:ident $method:ident($($arg:ident: $type:ty),*) -> $value:ty;)*}) => {
        #[async_trait]
        impl MetaStore for HostileMeta {
            $(async fn $method(&self, $($arg: $type),*) -> Result<$value> {
                self.around(MetaCall::$call, || self.world.meta.$method($($arg),*)).await
            })*

            async fn commit_object(&self, mut commit: ObjectCommit, now: Wall) -> Result<ObjectRecord> {
                commit.object.version = self.fresh(commit.object.version, now);
                self.around(MetaCall::CommitObject, || async {
                    let (bucket, key) = (commit.object.bucket, commit.object.key.clone());
                    let result = self.world.meta.commit_object(commit, now).await;
                    if let Ok(object) = &result {
                        self.world.say(format_args!("{key} is put, {} bytes", object.size));
                        self.world.oracle().taken_by_user(bucket, &key);
                    }
                    result
                }).await
            }

            async fn commit_append(&self, mut commit: AppendCommit, now: Wall) -> Result<ObjectRecord> {
                commit.first.version = self.fresh(commit.first.version, now);
                self.around(MetaCall::CommitAppend, || async {
                    let (bucket, key) = (commit.first.bucket, commit.first.key.clone());
                    let result = self.world.meta.commit_append(commit, now).await;
                    if let Ok(object) = &result {
                        self.world.say(format_args!("{key} is appended to, {} bytes", object.size));
                        self.world.oracle().taken_by_user(bucket, &key);
                    }
                    result
                }).await
            }

            async fn delete_objects(&self, mut commit: DeleteCommit, now: Wall) -> Result<Vec<DeleteOutcome>> {
                for target in &mut commit.targets {
                    target.marker = VersionId::new(now, self.world.random());
                }
                self.around(MetaCall::DeleteObjects, || async {
                    let (bucket, targets) = (commit.bucket, commit.targets.clone());
                    let result = self.world.meta.delete_objects(commit, now).await;
                    for (target, outcome) in targets.iter().zip(result.iter().flatten()) {
                        self.world.say(format_args!("{} is deleted: {outcome:?}", target.key));
                        self.world.oracle().taken_by_user(bucket, &target.key);
                    }
                    result
                }).await
            }

            async fn expire(&self, bucket: BucketId, mut expired: Vec<Expiry>, now: Wall) -> Result<u64> {
                for expiry in &mut expired {
                    expiry.marker = VersionId::new(now, self.world.random());
                }
                self.around(MetaCall::Expire, || async {
                    for expiry in &expired {
                        self.world.oracle().taken_by_user(bucket, &expiry.seen.key);
                    }
                    let result = self.world.meta.expire(bucket, expired, now).await;
                    if let Ok(count) = &result {
                        self.world.say(format_args!("{count} expire"));
                        self.world.count("expiries");
                    }
                    result
                }).await
            }

            async fn begin_upload(&self, mut upload: UploadRecord, now: Wall) -> Result<UploadRecord> {
                upload.id = UploadId::new(now, self.world.random());
                self.around(MetaCall::BeginUpload, || self.world.meta.begin_upload(upload, now)).await
            }

            async fn complete_upload(&self, mut commit: CompleteCommit, now: Wall) -> Result<CompletedUpload> {
                commit.version = self.fresh(commit.version, now);
                self.around(MetaCall::CompleteUpload, || async {
                    let (bucket, key) = (commit.bucket, commit.key.clone());
                    let result = self.world.meta.complete_upload(commit, now).await;
                    if let Ok(done) = &result {
                        self.world.say(format_args!("{key} is completed, {} bytes", done.size));
                        self.world.oracle().taken_by_user(bucket, &key);
                    }
                    result
                }).await
            }

            async fn claim(&self, request: ClaimRequest) -> Result<Claim> {
                self.around(MetaCall::Claim, || async {
                    let asked = request.clone();
                    let result = self.world.meta.claim(request).await;
                    if let Ok(claim) = &result {
                        self.world.say(format_args!(
                            "{} is claimed by {}, epoch {}", asked.channel, asked.remote_addr, claim.epoch.0
                        ));
                        let faults = self.world.faults();
                        self.world.oracle().claimed(&asked, claim, faults);
                    }
                    result
                }).await
            }

            async fn commit_fragment(&self, commit: FragmentCommit, now: Wall) -> Result<()> {
                self.around(MetaCall::CommitFragment, || async {
                    let before = self.world.meta.object(commit.bucket, &commit.object.key).await?;
                    let seen = commit.clone();
                    let result = self.world.meta.commit_fragment(commit, now).await;
                    self.world.say(format_args!(
                        "fragment {} number {} of {}: {result:?}", seen.object.key, seen.fragment.sequence,
                        seen.playlist_name
                    ));
                    self.world.count(match &result {
                        Ok(()) => "fragments",
                        Err(StoreError::StaleEpoch) => "stale owners refused",
                        Err(StoreError::AlreadyExists(_)) => "fragment names taken",
                        Err(_) => "fragments refused",
                    });
                    if result.is_ok() {
                        let faults = self.world.faults();
                        self.world.oracle().committed(&seen, before.as_ref(), faults);
                    }
                    result
                }).await
            }

            async fn end_connection(
                &self, bucket: BucketId, channel: &ChannelName, epoch: Epoch, ended: Wall, cause: TerminationCause
            ) -> Result<()> {
                self.around(MetaCall::EndConnection, || async {
                    let result = self.world.meta.end_connection(bucket, channel, epoch, ended, cause).await;
                    if result.is_ok() {
                        self.world.say(format_args!("{channel} epoch {} ends: {}", epoch.0, cause.as_str()));
                        self.world.count(cause.as_str());
                        self.world.oracle().ended(bucket, channel, epoch);
                    }
                    result
                }).await
            }

            async fn end_lost_connections(&self) -> Result<u64> {
                self.around(MetaCall::EndLostConnections, || async {
                    let result = self.world.meta.end_lost_connections().await;
                    if let Ok(count) = &result {
                        self.world.say(format_args!("{count} lost connections are ended"));
                        self.world.oracle().all_ended();
                    }
                    result
                }).await
            }

            /// The disk stays for the next process.
            async fn close(&self) -> Result<()> {
                self.around(MetaCall::Close, || async { Ok(()) }).await
            }
        }
    };
}

livebucket::meta_store_methods!(hostile);

// ---- blobs ---------------------------------------------------------------------------------------------------

/// Blobs under weather.
#[derive(Debug)]
pub struct HostileBlobs {
    world: Arc<World>,
}

impl HostileBlobs {
    pub fn new(world: Arc<World>) -> HostileBlobs {
        HostileBlobs { world }
    }

    async fn around<T, F>(&self, what: &str, work: impl FnOnce() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.world.alive().await;
        act(&self.world, what, matches!(what, "delete" | "remove temporaries"), work).await
    }

    /// I1 and I3: what is named or read stays.
    async fn may_go(&self, ids: &[BlobId]) {
        let states = self.world.meta.blob_states(ids).await.expect("the disk is sound");
        for (id, state) in ids.iter().zip(states) {
            assert!(!matches!(state, BlobState::Named(_)), "I1: blob {id} is deleted and named");
            assert!(!self.world.is_read(*id), "I3: blob {id} is deleted and somebody reads it");
        }
    }
}

#[async_trait]
impl BlobStore for HostileBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        self.around("create", || async {
            let inner = self.world.blobs.create().await?;
            let id = inner.id();
            assert!(self.world.is_fresh(id), "I2: blob id {id} is given twice");
            self.world.begin_temporary(id);
            let writer = HostileWriter { temporary: Temporary { world: self.world.clone(), id }, inner };
            Ok(Box::new(writer) as Box<dyn BlobWriter>)
        })
        .await
    }

    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>> {
        unreachable!("nothing is sealed here")
    }

    async fn length(&self, id: BlobId) -> Result<u64> {
        self.around("length", || self.world.blobs.length(id)).await
    }

    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>> {
        let inner = self.around("open", || self.world.blobs.open(id, range)).await?;
        self.world.begin_read(id);
        Ok(Box::new(HostileReader { world: self.world.clone(), id, inner }))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<()> {
        self.around("delete", || async {
            self.may_go(ids).await;
            // A deletion that is cut short has deleted some.
            let whole = ids.len() < 2 || !self.world.fate().verdict.eq(&Verdict::Fail);
            let gone = if whole { ids } else { &ids[..ids.len() / 2] };
            self.world.say(format_args!("{} of {} blobs are deleted", gone.len(), ids.len()));
            self.world.blobs.delete(gone).await?;
            if whole { Ok(()) } else { Err(unavailable()) }
        })
        .await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>> {
        self.around("list", || self.world.blobs.list(after, limit)).await
    }

    async fn remove_temporaries(&self) -> Result<u64> {
        self.around("remove temporaries", || async { Ok(self.world.clear_temporaries()) }).await
    }
}

/// A file under a temporary name. It goes with its writer, unless the process goes first.
#[derive(Debug)]
struct Temporary {
    world: Arc<World>,
    id: BlobId,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.world.is_dead() {
            self.world.end_temporary(self.id);
        }
    }
}

#[derive(Debug)]
struct HostileWriter {
    temporary: Temporary,
    inner: Box<dyn BlobWriter>,
}

#[async_trait]
impl BlobWriter for HostileWriter {
    fn id(&self) -> BlobId {
        self.inner.id()
    }

    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        let HostileWriter { temporary, inner } = self;
        let world = &*temporary.world;
        world.alive().await;
        let half = bytes.slice(..bytes.len() / 2);
        let result = act(world, "append", false, || inner.append(bytes)).await;
        if result.is_err() {
            // Some of it is there, or more than all: nothing may come of this blob, although the disk would go on.
            world.count("torn appends");
            inner.append(half).await?;
        }
        result
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let HostileWriter { temporary, inner } = *self;
        let (world, id) = (temporary.world.clone(), temporary.id);
        world.alive().await;
        let name = format!("finish of {id}");
        act(&world, &name, true, || async {
            // Renamed: from here on it is a blob, whoever dies.
            let length = inner.finish().await?;
            temporary.world.end_temporary(id);
            Ok(length)
        })
        .await
    }
}

#[derive(Debug)]
struct HostileReader {
    world: Arc<World>,
    id: BlobId,
    inner: Box<dyn BlobReader>,
}

impl Drop for HostileReader {
    fn drop(&mut self) {
        self.world.end_read(self.id);
    }
}

#[async_trait]
impl BlobReader for HostileReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.world.alive().await;
        let HostileReader { world, inner, .. } = self;
        act(world, "read", false, || inner.next()).await
    }
}
