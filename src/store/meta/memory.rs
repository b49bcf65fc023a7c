//! Metadata in maps behind one mutex: the readable reference of the port's semantics, and a fast store for tests.
//!
//! Nothing survives the process. Where another backend and this one differ, this one is right or the port's text is.
//!
//! Every method judges first and changes afterwards, so a refused call leaves no trace.

mod accounts;
mod blobs;
mod buckets;
mod channels;
mod lifecycle;
mod live;
mod objects;
mod uploads;
mod versions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use self::blobs::Garbage;
use self::live::Connection;
use super::rules::{self, LiveState};
use crate::clock::Wall;
use crate::store::*;

/// A [`MetaStore`] in memory.
#[derive(Debug)]
pub struct MemoryMetaStore {
    /// `None` once closed.
    state: Mutex<Option<State>>,
}

impl MemoryMetaStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryMetaStore { state: Mutex::new(Some(State::default())) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        work(state.as_mut().ok_or_else(rules::closed)?)
    }
}

impl Default for MemoryMetaStore {
    fn default() -> Self {
        Self::new()
    }
}

type ChannelId = (BucketId, ChannelName);

#[derive(Debug, Default)]
struct State {
    accounts: BTreeMap<String, AccountId>,
    keys: BTreeMap<String, AccessKeyRecord>,
    /// Their keys as they were; a disabled one has none here.
    sessions: BTreeMap<String, SessionKeyRecord>,
    buckets: BTreeMap<BucketId, BucketRecord>,
    /// The newest bucket id ever given: a bucket made again is another one.
    last_bucket: i64,
    /// Current objects.
    objects: BTreeMap<versions::ObjectId, ObjectRecord>,
    versions: versions::Versions,
    uploads: uploads::Uploads,
    lifecycles: BTreeMap<BucketId, Lifecycle>,
    channels: BTreeMap<ChannelId, ChannelRecord>,
    /// Outlives the channel.
    live: BTreeMap<ChannelId, LiveState>,
    /// Oldest first; only the last may be open.
    connections: BTreeMap<ChannelId, Vec<Connection>>,
    /// A row stands exactly as long as the fragment's object.
    fragments: BTreeMap<(ChannelId, i64), FragmentRecord>,
    /// Outlives the channel.
    windows: BTreeMap<(ChannelId, String), WindowRecord>,
    garbage: BTreeMap<BlobId, Garbage>,
}

impl State {
    fn bucket(&mut self, bucket: BucketId) -> Result<&mut BucketRecord> {
        self.buckets.get_mut(&bucket).ok_or(StoreError::NotFound(What::Bucket))
    }
}

#[async_trait]
impl MetaStore for MemoryMetaStore {
    async fn put_access_key(&self, account_name: &str, id: &str, secret: &str, now: Wall) -> Result<AccessKeyRecord> {
        self.with(|s| s.put_access_key(account_name, id, secret, now))
    }

    async fn access_key(&self, id: &str) -> Result<Option<AccessKeyRecord>> {
        self.with(|s| Ok(s.keys.get(id).cloned()))
    }

    async fn list_access_keys(&self) -> Result<Vec<AccessKeyRecord>> {
        self.with(|s| Ok(s.keys.values().cloned().collect()))
    }

    async fn disable_access_key(&self, id: &str) -> Result<()> {
        self.with(|s| s.disable_access_key(id))
    }

    async fn put_session_key(&self, parent: &str, session: NewSessionKey, now: Wall) -> Result<SessionKeyRecord> {
        self.with(|s| s.put_session_key(parent, session, now))
    }

    async fn session_key(&self, id: &str) -> Result<Option<SessionKeyRecord>> {
        self.with(|s| Ok(s.sessions.get(id).cloned()))
    }

    async fn forget_session_keys(&self, before: Wall, limit: usize) -> Result<u64> {
        self.with(|s| s.forget_session_keys(before, limit))
    }

    async fn create_bucket_with(
        &self,
        name: &BucketName,
        owner: AccountId,
        acl: Acl,
        settings: BucketSettings,
        now: Wall,
    ) -> Result<BucketRecord> {
        self.with(|s| s.create_bucket_with(name, owner, acl, settings, now))
    }

    async fn bucket(&self, name: &BucketName) -> Result<Option<Arc<BucketRecord>>> {
        self.with(|s| Ok(s.buckets.values().find(|b| b.name == *name).cloned().map(Arc::new)))
    }

    async fn list_buckets(
        &self,
        owner: AccountId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<BucketRecord>> {
        self.with(|s| s.list_buckets(owner, prefix, after, limit))
    }

    async fn set_bucket_acl(&self, bucket: BucketId, acl: Acl) -> Result<()> {
        self.with(|s| {
            s.bucket(bucket)?.acl = acl;
            Ok(())
        })
    }

    async fn set_bucket_cors(&self, bucket: BucketId, cors: CorsConfig) -> Result<()> {
        self.with(|s| {
            s.bucket(bucket)?.cors = cors;
            Ok(())
        })
    }

    async fn set_bucket_tags(&self, bucket: BucketId, tags: Vec<Tag>) -> Result<()> {
        self.with(|s| {
            s.bucket(bucket)?.tags = tags;
            Ok(())
        })
    }

    async fn set_bucket_versioning(&self, bucket: BucketId, versioning: Versioning) -> Result<()> {
        self.with(|s| s.set_bucket_versioning(bucket, versioning))
    }

    async fn set_bucket_setting(&self, bucket: BucketId, setting: BucketSetting) -> Result<()> {
        self.with(|s| s.set_bucket_setting(bucket, setting))
    }

    async fn set_bucket_lifecycle(&self, bucket: BucketId, lifecycle: Lifecycle) -> Result<()> {
        self.with(|s| s.set_bucket_lifecycle(bucket, lifecycle))
    }

    async fn bucket_lifecycle(&self, bucket: BucketId) -> Result<Lifecycle> {
        self.with(|s| Ok(s.lifecycles.get(&bucket).cloned().unwrap_or_default()))
    }

    async fn next_lifecycle(&self, after: Option<BucketId>) -> Result<Option<(BucketId, Versioning, Lifecycle)>> {
        self.with(|s| Ok(s.next_lifecycle(after)))
    }

    async fn delete_bucket(&self, bucket: BucketId) -> Result<()> {
        self.with(|s| s.delete_bucket(bucket))
    }

    async fn bucket_usage(&self, bucket: BucketId) -> Result<BucketUsage> {
        self.with(|s| {
            s.bucket(bucket)?;
            Ok(s.usage(bucket))
        })
    }

    async fn commit_object(&self, commit: ObjectCommit, now: Wall) -> Result<ObjectRecord> {
        self.with(|s| s.commit_object(commit, now))
    }

    async fn commit_append(&self, commit: AppendCommit, now: Wall) -> Result<ObjectRecord> {
        self.with(|s| s.commit_append(commit, now))
    }

    async fn object(&self, bucket: BucketId, key: &ObjectKey) -> Result<Option<ObjectRecord>> {
        self.with(|s| Ok(s.objects.get(&(bucket, key.clone())).cloned()))
    }

    async fn object_version(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
    ) -> Result<Option<Versioned>> {
        self.with(|s| Ok(s.object_version(&(bucket, key.clone()), version)))
    }

    async fn object_parts(&self, object: &ObjectRecord) -> Result<Option<Vec<ObjectPart>>> {
        self.with(|s| Ok(s.object_parts(object)))
    }

    async fn delete_objects(&self, commit: DeleteCommit, now: Wall) -> Result<Vec<DeleteOutcome>> {
        self.with(|s| s.delete_objects(commit, now))
    }

    async fn expire(&self, bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> Result<u64> {
        self.with(|s| Ok(s.expire(bucket, expired, now)))
    }

    async fn change_class(&self, bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> Result<u64> {
        self.with(|s| Ok(s.change_class(bucket, seen, class)))
    }

    async fn set_object_acl(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        acl: Option<Acl>,
    ) -> Result<Option<VersionId>> {
        self.with(|s| {
            let object = s.object_mut(bucket, key, version)?;
            object.acl = acl;
            Ok(object.version)
        })
    }

    async fn set_object_tags(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        tags: Vec<Tag>,
    ) -> Result<Option<VersionId>> {
        self.with(|s| {
            let object = s.object_mut(bucket, key, version)?;
            object.tags = tags;
            Ok(object.version)
        })
    }

    async fn set_object_lock(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        change: LockChange,
        bypass_governance: bool,
        now: Wall,
    ) -> Result<Option<VersionId>> {
        self.with(|s| s.set_object_lock(bucket, key, version, change, bypass_governance, now))
    }

    async fn restore_object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        until: Wall,
        now: Wall,
    ) -> Result<Restored> {
        self.with(|s| s.restore_object(bucket, key, version, until, now))
    }

    async fn finely_cut(
        &self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<(BucketId, ObjectKey)>> {
        self.with(|s| s.finely_cut(after, limit))
    }

    async fn swap_extents(&self, swap: ExtentSwap, now: Wall) -> Result<bool> {
        self.with(|s| s.swap_extents(swap, now))
    }

    async fn list_objects(&self, bucket: BucketId, query: &ListQuery) -> Result<Page<ListEntry>> {
        self.with(|s| s.list_objects(bucket, query))
    }

    async fn list_versions(&self, bucket: BucketId, query: &VersionsQuery) -> Result<Page<VersionEntry>> {
        self.with(|s| Ok(s.list_versions(bucket, query)))
    }

    async fn begin_upload(&self, upload: UploadRecord, now: Wall) -> Result<UploadRecord> {
        self.with(|s| s.begin_upload(upload, now))
    }

    async fn commit_part(&self, commit: PartCommit, now: Wall) -> Result<PartSummary> {
        self.with(|s| s.commit_part(commit, now))
    }

    async fn complete_upload(&self, commit: CompleteCommit, now: Wall) -> Result<CompletedUpload> {
        self.with(|s| s.complete_upload(commit, now))
    }

    async fn abort_upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId, now: Wall) -> Result<()> {
        self.with(|s| s.abort_upload(bucket, key, upload, now))
    }

    async fn upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId) -> Result<Option<UploadRecord>> {
        self.with(|s| Ok(s.upload(bucket, key, upload)))
    }

    async fn list_parts(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
        after: u32,
        limit: usize,
    ) -> Result<Page<PartSummary>> {
        self.with(|s| s.list_parts(bucket, key, upload, after, limit))
    }

    async fn list_uploads(&self, bucket: BucketId, query: &UploadsQuery) -> Result<Page<UploadEntry>> {
        self.with(|s| Ok(s.list_uploads(bucket, query)))
    }

    async fn put_channel(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        config: ChannelConfig,
        only_if_absent: bool,
        now: Wall,
    ) -> Result<ChannelRecord> {
        self.with(|s| s.put_channel(bucket, name, config, only_if_absent, now))
    }

    async fn set_channel_status(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        status: ChannelStatus,
        now: Wall,
    ) -> Result<()> {
        self.with(|s| s.set_channel_status(bucket, name, status, now))
    }

    async fn channel(&self, bucket: BucketId, name: &ChannelName) -> Result<Option<ChannelRecord>> {
        self.with(|s| Ok(s.channels.get(&(bucket, name.clone())).cloned()))
    }

    async fn list_channels(
        &self,
        bucket: BucketId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<ChannelRecord>> {
        self.with(|s| s.list_channels(bucket, prefix, after, limit))
    }

    async fn buckets_with_channel(&self, name: &ChannelName, limit: usize) -> Result<Vec<BucketRecord>> {
        self.with(|s| s.buckets_with_channel(name, limit))
    }

    async fn delete_channel(&self, bucket: BucketId, name: &ChannelName) -> Result<()> {
        self.with(|s| s.delete_channel(bucket, name))
    }

    async fn count_channels(&self, bucket: BucketId) -> Result<u64> {
        self.with(|s| Ok(s.channels.keys().filter(|(b, _)| *b == bucket).count() as u64))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim> {
        self.with(|s| s.claim(request))
    }

    async fn commit_fragment(&self, commit: FragmentCommit, now: Wall) -> Result<()> {
        self.with(|s| s.commit_fragment(commit, now))
    }

    async fn end_connection(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        epoch: Epoch,
        ended: Wall,
        cause: TerminationCause,
    ) -> Result<()> {
        self.with(|s| s.end_connection(bucket, channel, epoch, ended, cause))
    }

    async fn open_connection(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<ConnectionRecord>> {
        self.with(|s| Ok(s.open_connection(&(bucket, channel.clone())).map(|c| c.record.clone())))
    }

    async fn history(&self, bucket: BucketId, channel: &ChannelName, limit: usize) -> Result<Vec<ConnectionRecord>> {
        self.with(|s| s.finished_connections(bucket, channel, limit))
    }

    async fn fragments(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<FragmentRecord>> {
        self.with(|s| s.fragments(bucket, channel, from_ms, to_ms))
    }

    async fn last_fragment(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<(i64, u64)>> {
        self.with(|s| Ok(s.live.get(&(bucket, channel.clone())).and_then(|live| live.last_fragment())))
    }

    async fn end_lost_connections(&self) -> Result<u64> {
        self.with(|s| s.end_lost_connections())
    }

    async fn garbage(&self, before: Wall, limit: usize) -> Result<Vec<BlobId>> {
        self.with(|s| s.take_garbage(before, limit))
    }

    async fn forget_garbage(&self, ids: &[BlobId]) -> Result<()> {
        self.with(|s| {
            s.garbage.retain(|id, _| !ids.contains(id));
            Ok(())
        })
    }

    async fn blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        self.with(|s| s.blob_states(ids))
    }

    async fn settled_blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        self.blob_states(ids).await
    }

    async fn audit_objects(&self, after: Option<(BucketId, ObjectKey)>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.with(|s| s.audit_objects(after, limit))
    }

    async fn audit_versions(&self, after: Option<VersionMark>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.with(|s| Ok(s.audit_versions(after, limit)))
    }

    async fn audit_parts(&self, after: Option<(UploadId, u32)>, limit: usize) -> Result<Vec<PartAudit>> {
        self.with(|s| Ok(s.audit_parts(after, limit)))
    }

    async fn audit_windows(&self) -> Result<Vec<WindowAudit>> {
        self.with(|s| s.audit_windows())
    }

    async fn audit_backend(&self) -> Result<Vec<String>> {
        self.with(|s| s.audit_backend())
    }

    async fn close(&self) -> Result<()> {
        // Closing twice is no error: the second caller gets what it wants.
        *self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
        Ok(())
    }
}
