//! A metadata store that fails when a test says so, around any other one.
//!
//! A call can be refused before it takes effect, can take effect and lose its acknowledgement, or can be held up. Without a
//! script it is the store inside, which the conformance suite checks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::clock::Wall;
use crate::store::*;

/// How a call goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no effect.
    Before(StoreError),
    /// It takes effect, but its caller hears of an error: a lost acknowledgement. Its own error comes first.
    After(StoreError),
}

/// A [`MetaStore`] that follows a script.
#[derive(Debug)]
pub struct FaultyMetaStore {
    inner: Arc<dyn MetaStore>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    plans: Vec<Plan>,
    stalls: Vec<(MetaCall, Arc<Semaphore>)>,
    calls: HashMap<MetaCall, usize>,
}

#[derive(Debug)]
struct Plan {
    call: MetaCall,
    skip: usize,
    times: usize,
    fault: Fault,
}

/// Holds calls up until it is dropped.
#[derive(Debug)]
pub struct Stall(Arc<Semaphore>);

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl FaultyMetaStore {
    /// `inner` without faults.
    pub fn new(inner: Arc<dyn MetaStore>) -> Self {
        FaultyMetaStore { inner, script: Mutex::default() }
    }

    /// The next `times` calls of this kind go wrong (`usize::MAX`: until [`heal`](Self::heal)).
    pub fn fail(&self, call: MetaCall, times: usize, fault: Fault) {
        self.fail_later(call, 0, times, fault);
    }

    /// `skip` calls of this kind go well, then `times` go wrong.
    pub fn fail_later(&self, call: MetaCall, skip: usize, times: usize, fault: Fault) {
        self.lock().plans.push(Plan { call, skip, times, fault });
    }

    /// Calls of this kind wait, before they take effect, until the result is dropped.
    #[must_use = "dropping it ends the stall"]
    pub fn stall(&self, call: MetaCall) -> Stall {
        let gate = Arc::new(Semaphore::new(0));
        self.lock().stalls.push((call, gate.clone()));
        Stall(gate)
    }

    /// Forgets every planned fault. Stalls end with their guards.
    pub fn heal(&self) {
        self.lock().plans.clear();
    }

    /// How often a call of this kind has begun.
    pub fn calls(&self, call: MetaCall) -> usize {
        self.lock().calls.get(&call).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("nothing panics while holding this lock")
    }

    async fn around<T, F>(&self, call: MetaCall, work: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let (gate, fault) = self.lock().begin(call);
        if let Some(gate) = gate {
            // Nobody ever adds a permit: this ends when the gate is closed.
            let _ = gate.acquire().await;
        }
        match fault {
            None => work().await,
            Some(Fault::Before(error)) => Err(error),
            Some(Fault::After(error)) => {
                work().await?;
                Err(error)
            }
        }
    }
}

impl Script {
    /// Counts a call and says what shall happen to it. Plans of the same call follow one another.
    fn begin(&mut self, call: MetaCall) -> (Option<Arc<Semaphore>>, Option<Fault>) {
        *self.calls.entry(call).or_default() += 1;
        self.stalls.retain(|(_, gate)| !gate.is_closed());
        let gate = self.stalls.iter().find(|(stalled, _)| *stalled == call).map(|(_, gate)| gate.clone());
        let mut fault = None;
        if let Some(at) = self.plans.iter().position(|plan| plan.call == call) {
            let plan = &mut self.plans[at];
            if plan.skip > 0 {
                plan.skip -= 1;
            } else if plan.times > 0 {
                plan.times -= 1;
                fault = Some(plan.fault.clone());
            }
            if plan.skip == 0 && plan.times == 0 {
                self.plans.remove(at);
            }
        }
        (gate, fault)
    }
}

/// Hands every method of [`MetaStore`] to the macro `$then`, for stores that stand around another one: first those that a
/// simulation watches (they give out identities, begin and end connections, close), then all others.
#[doc(hidden)]
#[macro_export]
macro_rules! meta_store_methods {
    ($then:ident) => {
        $then! {
            {
                Expire expire(bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> u64;
                CommitObject commit_object(commit: ObjectCommit, now: Wall) -> ObjectRecord;
                CommitAppend commit_append(commit: AppendCommit, now: Wall) -> ObjectRecord;
                DeleteObjects delete_objects(commit: DeleteCommit, now: Wall) -> Vec<DeleteOutcome>;
                BeginUpload begin_upload(upload: UploadRecord, now: Wall) -> UploadRecord;
                CompleteUpload complete_upload(commit: CompleteCommit, now: Wall) -> CompletedUpload;
                Claim claim(request: ClaimRequest) -> Claim;
                CommitFragment commit_fragment(commit: FragmentCommit, now: Wall) -> ();
                EndConnection end_connection(
                    bucket: BucketId, channel: &ChannelName, epoch: Epoch, ended: Wall, cause: TerminationCause
                ) -> ();
                EndLostConnections end_lost_connections() -> u64;
                Close close() -> ();
            }
            {
                PutAccessKey put_access_key(account_name: &str, id: &str, secret: &str, now: Wall) -> AccessKeyRecord;
                AccessKey access_key(id: &str) -> Option<AccessKeyRecord>;
                ListAccessKeys list_access_keys() -> Vec<AccessKeyRecord>;
                DisableAccessKey disable_access_key(id: &str) -> ();
                PutSessionKey put_session_key(parent: &str, session: NewSessionKey, now: Wall) -> SessionKeyRecord;
                SessionKey session_key(id: &str) -> Option<SessionKeyRecord>;
                ForgetSessionKeys forget_session_keys(before: Wall, limit: usize) -> u64;
                CreateBucket create_bucket(name: &BucketName, owner: AccountId, acl: Acl, now: Wall) -> BucketRecord;
                CreateBucketWith create_bucket_with(
                    name: &BucketName, owner: AccountId, acl: Acl, settings: BucketSettings, now: Wall
                ) -> BucketRecord;
                Bucket bucket(name: &BucketName) -> Option<Arc<BucketRecord>>;
                ListBuckets list_buckets(owner: AccountId, prefix: &str, after: &str, limit: usize) -> Page<BucketRecord>;
                SetBucketAcl set_bucket_acl(bucket: BucketId, acl: Acl) -> ();
                SetBucketCors set_bucket_cors(bucket: BucketId, cors: CorsConfig) -> ();
                SetBucketTags set_bucket_tags(bucket: BucketId, tags: Vec<Tag>) -> ();
                SetBucketVersioning set_bucket_versioning(bucket: BucketId, versioning: Versioning) -> ();
                SetBucketLifecycle set_bucket_lifecycle(bucket: BucketId, lifecycle: Lifecycle) -> ();
                BucketLifecycle bucket_lifecycle(bucket: BucketId) -> Lifecycle;
                NextLifecycle next_lifecycle(after: Option<BucketId>) -> Option<(BucketId, Versioning, Lifecycle)>;
                ChangeClass change_class(bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> u64;
                SetBucketSetting set_bucket_setting(bucket: BucketId, setting: BucketSetting) -> ();
                DeleteBucket delete_bucket(bucket: BucketId) -> ();
                BucketUsage bucket_usage(bucket: BucketId) -> BucketUsage;
                Object object(bucket: BucketId, key: &ObjectKey) -> Option<ObjectRecord>;
                ObjectVersion object_version(
                    bucket: BucketId, key: &ObjectKey, version: Option<VersionName>
                ) -> Option<Versioned>;
                SetObjectAcl set_object_acl(
                    bucket: BucketId, key: &ObjectKey, version: Option<VersionName>, acl: Option<Acl>
                ) -> Option<VersionId>;
                SetObjectTags set_object_tags(
                    bucket: BucketId, key: &ObjectKey, version: Option<VersionName>, tags: Vec<Tag>
                ) -> Option<VersionId>;
                ObjectParts object_parts(object: &ObjectRecord) -> Option<Vec<ObjectPart>>;
                SetObjectLock set_object_lock(
                    bucket: BucketId, key: &ObjectKey, version: Option<VersionName>, change: LockChange, bypass_governance: bool,
                    now: Wall
                ) -> Option<VersionId>;
                RestoreObject restore_object(
                    bucket: BucketId, key: &ObjectKey, version: Option<VersionName>, until: Wall, now: Wall
                ) -> Restored;
                FinelyCut finely_cut(after: Option<(BucketId, ObjectKey)>, limit: usize) -> Vec<(BucketId, ObjectKey)>;
                SwapExtents swap_extents(swap: ExtentSwap, now: Wall) -> bool;
                ListObjects list_objects(bucket: BucketId, query: &ListQuery) -> Page<ListEntry>;
                ListVersions list_versions(bucket: BucketId, query: &VersionsQuery) -> Page<VersionEntry>;
                CommitPart commit_part(commit: PartCommit, now: Wall) -> PartSummary;
                AbortUpload abort_upload(bucket: BucketId, key: &ObjectKey, upload: UploadId, now: Wall) -> ();
                Upload upload(bucket: BucketId, key: &ObjectKey, upload: UploadId) -> Option<UploadRecord>;
                ListParts list_parts(
                    bucket: BucketId, key: &ObjectKey, upload: UploadId, after: u32, limit: usize
                ) -> Page<PartSummary>;
                ListUploads list_uploads(bucket: BucketId, query: &UploadsQuery) -> Page<UploadEntry>;
                PutChannel put_channel(
                    bucket: BucketId, name: &ChannelName, config: ChannelConfig, only_if_absent: bool, now: Wall
                ) -> ChannelRecord;
                SetChannelStatus set_channel_status(
                    bucket: BucketId, name: &ChannelName, status: ChannelStatus, now: Wall
                ) -> ();
                Channel channel(bucket: BucketId, name: &ChannelName) -> Option<ChannelRecord>;
                ListChannels list_channels(bucket: BucketId, prefix: &str, after: &str, limit: usize) -> Page<ChannelRecord>;
                BucketsWithChannel buckets_with_channel(name: &ChannelName, limit: usize) -> Vec<BucketRecord>;
                DeleteChannel delete_channel(bucket: BucketId, name: &ChannelName) -> ();
                CountChannels count_channels(bucket: BucketId) -> u64;
                OpenConnection open_connection(bucket: BucketId, channel: &ChannelName) -> Option<ConnectionRecord>;
                History history(bucket: BucketId, channel: &ChannelName, limit: usize) -> Vec<ConnectionRecord>;
                Fragments fragments(bucket: BucketId, channel: &ChannelName, from_ms: i64, to_ms: i64) -> Vec<FragmentRecord>;
                LastFragment last_fragment(bucket: BucketId, channel: &ChannelName) -> Option<(i64, u64)>;
                Garbage garbage(before: Wall, limit: usize) -> Vec<BlobId>;
                ForgetGarbage forget_garbage(ids: &[BlobId]) -> ();
                BlobStates blob_states(ids: &[BlobId]) -> Vec<BlobState>;
                SettledBlobStates settled_blob_states(ids: &[BlobId]) -> Vec<BlobState>;
                AuditObjects audit_objects(after: Option<(BucketId, ObjectKey)>, limit: usize) -> Vec<ObjectRecord>;
                AuditVersions audit_versions(after: Option<VersionMark>, limit: usize) -> Vec<ObjectRecord>;
                AuditParts audit_parts(after: Option<(UploadId, u32)>, limit: usize) -> Vec<PartAudit>;
                AuditWindows audit_windows() -> Vec<WindowAudit>;
                AuditBackend audit_backend() -> Vec<String>;
            }
        }
    };
}

macro_rules! calls {
    ({$($watched:tt)*} {$($other:tt)*}) => {
        calls! { $($watched)* $($other)* }
    };
    ($($call:ident $method:ident($($arg:ident: $type:ty),*) -> $value:ty;)*) => {
        /// The methods of [`MetaStore`], by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MetaCall {
            $(#[doc = concat!("[`MetaStore::", stringify!($method), "`]")] $call,)*
        }

        #[async_trait]
        impl MetaStore for FaultyMetaStore {
            $(async fn $method(&self, $($arg: $type),*) -> Result<$value> {
                self.around(MetaCall::$call, || self.inner.$method($($arg),*)).await
            })*
        }
    };
}

crate::meta_store_methods!(calls);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::meta::memory::MemoryMetaStore;

    fn lost() -> StoreError {
        StoreError::Unavailable("scripted".into())
    }

    async fn key_put(store: &FaultyMetaStore, id: &str) -> Result<AccessKeyRecord> {
        store.put_access_key("account", id, "secret", Wall(1)).await
    }

    #[tokio::test]
    async fn faults_come_in_their_turn_and_then_end() {
        let store = FaultyMetaStore::new(Arc::new(MemoryMetaStore::new()));
        store.fail_later(MetaCall::PutAccessKey, 1, 1, Fault::Before(lost()));
        store.fail(MetaCall::PutAccessKey, 1, Fault::After(lost()));
        assert!(key_put(&store, "a").await.is_ok());
        assert_eq!(key_put(&store, "b").await, Err(lost()));
        assert_eq!(key_put(&store, "c").await, Err(lost()));
        assert!(key_put(&store, "d").await.is_ok());
        assert_eq!(store.access_key("b").await, Ok(None), "refused before");
        assert!(store.access_key("c").await.expect("readable").is_some(), "only the answer was lost");
        assert_eq!(store.calls(MetaCall::PutAccessKey), 4);
    }

    #[tokio::test]
    async fn its_own_error_comes_before_a_lost_acknowledgement() {
        let store = FaultyMetaStore::new(Arc::new(MemoryMetaStore::new()));
        store.fail(MetaCall::DisableAccessKey, usize::MAX, Fault::After(lost()));
        assert_eq!(store.disable_access_key("none").await, Err(StoreError::NotFound(What::AccessKey)));
        key_put(&store, "a").await.expect("stored");
        assert_eq!(store.disable_access_key("a").await, Err(lost()));
        store.heal();
        assert_eq!(store.disable_access_key("a").await, Ok(()));
    }

    #[tokio::test]
    async fn a_stalled_call_takes_effect_when_the_stall_ends() {
        let store = FaultyMetaStore::new(Arc::new(MemoryMetaStore::new()));
        let stall = store.stall(MetaCall::PutAccessKey);
        let mut put = Box::pin(key_put(&store, "a"));
        assert!(futures_util::poll!(&mut put).is_pending());
        assert_eq!(store.access_key("a").await, Ok(None));
        drop(stall);
        put.await.expect("stored");
        assert!(key_put(&store, "b").await.is_ok());
    }
}
