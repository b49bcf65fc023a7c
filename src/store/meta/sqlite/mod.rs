//! Metadata in one SQLite file: WAL, `synchronous=FULL`, one writer thread, readers beside it.
//!
//! An acknowledged call is durable: the writer answers after the commit was synced. Writes of many callers share one
//! sync (see `writer`), reads see every acknowledged write (see `reader`). The schema and the meaning of each column stand in
//! `migrations/sqlite`.
//!
//! With a master key, secrets and inline bodies are encrypted at rest (see `sealing`).
//!
//! Must never let SQL, a row or a cause of SQLite cross the port.

mod accounts;
mod blobs;
mod cache;
mod channels;
mod error;
mod folding;
mod lifecycle;
mod live;
mod objects;
mod parts;
mod query;
mod reader;
mod rows;
mod schema;
mod sealing;
mod sessions;
#[cfg(test)]
mod tests;
mod uploads;
mod usage;
mod versions;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use self::cache::{Cache, Scope};
use self::error::{Sql, meaning_of};
use self::folding::Folding;
use self::reader::Readers;
use self::writer::Writer;
pub use self::writer::WriterStats;
use crate::clock::{Clock, Wall};
use crate::limits::{META_QUEUE_MAX, META_QUEUE_WAIT};
use crate::store::seal::MasterKeys;
use crate::store::*;

/// A [`MetaStore`] in an SQLite file.
#[derive(Debug)]
pub struct SqliteMetaStore {
    writer: Writer,
    readers: Arc<Readers>,
    cache: Arc<Cache>,
}

impl SqliteMetaStore {
    /// Opens or makes the file (mode 0600), brings its schema up to date and starts the writer. Blocks; call it at
    /// start. The directory exists, and nobody else has the file open.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_sealed(path, clock, MasterKeys::default())
    }

    /// The same with master keys: secrets and inline bodies are sealed with the first, and opened with any. `Unavailable`
    /// when a secret is sealed with another.
    pub fn open_sealed(path: &Path, clock: Arc<dyn Clock>, keys: MasterKeys) -> Result<Self> {
        Self::open_as(path, clock, keys, META_QUEUE_MAX, META_QUEUE_WAIT)
    }

    /// The same with other bounds: how many commands wait, and how long a caller waits for a place among them.
    pub fn open_with(path: &Path, clock: Arc<dyn Clock>, queue_max: usize, queue_wait: Duration) -> Result<Self> {
        Self::open_as(path, clock, MasterKeys::default(), queue_max, queue_wait)
    }

    fn open_as(
        path: &Path,
        clock: Arc<dyn Clock>,
        keys: MasterKeys,
        queue_max: usize,
        queue_wait: Duration,
    ) -> Result<Self> {
        let mut conn = schema::open_writer(path)?;
        // What the last process left in the log may stand in memory alone: a system keeps what it could not write, and tells of it
        // once. The first commit must not stand behind that, but in a log that begins anew.
        if let Err(cause) = folding::fold(&conn) {
            tracing::warn!(%cause, "the metadata log that was found is not folded into the database");
        }
        let resealed = prepare_sealing(&conn, &keys).map_err(|failure| failure.meaning("open"))?;
        if resealed > 0 {
            tracing::info!(resealed, "secrets of access keys are sealed with the first master key now");
        }
        let folding = Folding::start(&mut conn, path).map_err(|cause| {
            tracing::error!(%cause, "the metadata log cannot be folded");
            meaning_of(&cause)
        })?;
        let cache = Cache::new();
        #[cfg(debug_assertions)]
        cache::watch::install(&conn, &cache).map_err(|cause| meaning_of(&cause))?;
        let writer = Writer::start(conn, cache.clone(), folding, clock, queue_max, queue_wait).map_err(|cause| {
            tracing::error!(%cause, "the metadata writer cannot start");
            StoreError::Unavailable("the metadata writer cannot start".into())
        })?;
        Ok(SqliteMetaStore { writer, readers: Readers::new(path.to_owned(), keys), cache })
    }

    /// What the writer has done since it was opened.
    pub fn writer_stats(&self) -> WriterStats {
        self.writer.stats()
    }

    /// A key's current object, remembered or read.
    fn current(&self, bucket: BucketId, key: &ObjectKey) -> Result<Option<Arc<ObjectRecord>>> {
        let load = || self.readers.point("object", |c| objects::object(c, bucket, key));
        self.cache.object(bucket, key, load)
    }
}

/// Readies the writing connection for sealed values. Returns how many secrets were sealed anew.
fn prepare_sealing(conn: &Connection, keys: &MasterKeys) -> Sql<usize> {
    sealing::register(conn, keys)?;
    if !keys.is_empty() {
        // What is replaced or deleted may be plain: it is overwritten, not only let go.
        conn.pragma_update(None, "secure_delete", true)?;
    }
    sealing::reseal_secrets(conn, keys)
}

#[async_trait]
impl MetaStore for SqliteMetaStore {
    async fn put_access_key(&self, account_name: &str, id: &str, secret: &str, now: Wall) -> Result<AccessKeyRecord> {
        let (account, id, secret) = (account_name.to_owned(), id.to_owned(), secret.to_owned());
        let work = move |c: &_| accounts::put_access_key(c, &account, &id, &secret, now);
        self.writer.submit("put_access_key", Scope::Keys, work).await
    }

    async fn access_key(&self, id: &str) -> Result<Option<AccessKeyRecord>> {
        let key = self.cache.access_key(id, || self.readers.point("access_key", |c| accounts::access_key(c, id)))?;
        Ok(key.map(Arc::unwrap_or_clone))
    }

    async fn list_access_keys(&self) -> Result<Vec<AccessKeyRecord>> {
        self.readers.scan("list_access_keys", accounts::list_access_keys).await
    }

    async fn disable_access_key(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.writer.submit("disable_access_key", Scope::Keys, move |c| accounts::disable_access_key(c, &id)).await
    }

    async fn put_session_key(&self, parent: &str, session: NewSessionKey, now: Wall) -> Result<SessionKeyRecord> {
        let parent = parent.to_owned();
        self.writer
            .submit("put_session_key", Scope::Nothing, move |c| sessions::put_session_key(c, &parent, &session, now))
            .await
    }

    async fn session_key(&self, id: &str) -> Result<Option<SessionKeyRecord>> {
        let load = || self.readers.point("session_key", |c| sessions::session_key(c, id));
        Ok(self.cache.session_key(id, load)?.map(Arc::unwrap_or_clone))
    }

    async fn forget_session_keys(&self, before: Wall, limit: usize) -> Result<u64> {
        self.writer
            .submit("forget_session_keys", Scope::Keys, move |c| sessions::forget_session_keys(c, before, limit))
            .await
    }

    async fn create_bucket_with(
        &self,
        name: &BucketName,
        owner: AccountId,
        acl: Acl,
        settings: BucketSettings,
        now: Wall,
    ) -> Result<BucketRecord> {
        let name = name.clone();
        let work = move |c: &_| accounts::create_bucket(c, &name, owner, acl, settings, now);
        self.writer.submit("create_bucket", Scope::Nothing, work).await
    }

    async fn bucket(&self, name: &BucketName) -> Result<Option<Arc<BucketRecord>>> {
        self.cache.bucket(name, || self.readers.point("bucket", |c| accounts::bucket(c, name)))
    }

    async fn list_buckets(
        &self,
        owner: AccountId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<BucketRecord>> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        let read = move |c: &_| accounts::list_buckets(c, owner, &prefix, &after, limit);
        self.readers.scan("list_buckets", read).await
    }

    async fn set_bucket_acl(&self, bucket: BucketId, acl: Acl) -> Result<()> {
        self.writer.submit("set_bucket_acl", Scope::Buckets, move |c| accounts::set_bucket_acl(c, bucket, acl)).await
    }

    async fn set_bucket_cors(&self, bucket: BucketId, cors: CorsConfig) -> Result<()> {
        self.writer
            .submit("set_bucket_cors", Scope::Buckets, move |c| accounts::set_bucket_cors(c, bucket, &cors))
            .await
    }

    async fn set_bucket_tags(&self, bucket: BucketId, tags: Vec<Tag>) -> Result<()> {
        self.writer
            .submit("set_bucket_tags", Scope::Buckets, move |c| accounts::set_bucket_tags(c, bucket, &tags))
            .await
    }

    async fn set_bucket_versioning(&self, bucket: BucketId, versioning: Versioning) -> Result<()> {
        let work = move |c: &_| accounts::set_bucket_versioning(c, bucket, versioning);
        self.writer.submit("set_bucket_versioning", Scope::Buckets, work).await
    }

    async fn set_bucket_setting(&self, bucket: BucketId, setting: BucketSetting) -> Result<()> {
        self.writer
            .submit("set_bucket_setting", Scope::Buckets, move |c| accounts::set_bucket_setting(c, bucket, setting))
            .await
    }

    async fn set_bucket_lifecycle(&self, bucket: BucketId, lifecycle: Lifecycle) -> Result<()> {
        self.writer.submit("set_bucket_lifecycle", Scope::Nothing, move |c| lifecycle::set(c, bucket, &lifecycle)).await
    }

    async fn bucket_lifecycle(&self, bucket: BucketId) -> Result<Lifecycle> {
        self.readers.point("bucket_lifecycle", |c| lifecycle::get(c, bucket))
    }

    async fn next_lifecycle(&self, after: Option<BucketId>) -> Result<Option<(BucketId, Versioning, Lifecycle)>> {
        self.readers.scan("next_lifecycle", move |c| lifecycle::next(c, after)).await
    }

    async fn delete_bucket(&self, bucket: BucketId) -> Result<()> {
        self.writer.submit("delete_bucket", Scope::Buckets, move |c| accounts::delete_bucket(c, bucket)).await
    }

    async fn bucket_usage(&self, bucket: BucketId) -> Result<BucketUsage> {
        self.readers.scan("bucket_usage", move |c| usage::usage(c, bucket)).await
    }

    async fn commit_object(&self, commit: ObjectCommit, now: Wall) -> Result<ObjectRecord> {
        let scope = self.cache.scope_of(commit.object.bucket, &commit.object.key);
        self.writer.submit("commit_object", scope, move |c| objects::commit(c, commit, now)).await
    }

    async fn commit_append(&self, commit: AppendCommit, now: Wall) -> Result<ObjectRecord> {
        let scope = self.cache.scope_of(commit.first.bucket, &commit.first.key);
        self.writer.submit("commit_append", scope, move |c| objects::append(c, commit, now)).await
    }

    async fn object(&self, bucket: BucketId, key: &ObjectKey) -> Result<Option<ObjectRecord>> {
        Ok(self.current(bucket, key)?.map(Arc::unwrap_or_clone))
    }

    async fn object_version(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
    ) -> Result<Option<Versioned>> {
        if version.is_none()
            && let Some(object) = self.current(bucket, key)?
        {
            return Ok(Some(Versioned::Object(object)));
        }
        self.readers.point("object_version", |c| versions::version(c, bucket, key, version))
    }

    async fn object_parts(&self, object: &ObjectRecord) -> Result<Option<Vec<ObjectPart>>> {
        self.readers.point("object_parts", |c| parts::of_object(c, object))
    }

    async fn delete_objects(&self, commit: DeleteCommit, now: Wall) -> Result<Vec<DeleteOutcome>> {
        let keys = commit.targets.iter().map(|target| &target.key);
        let scope = self.cache.scope_of_all(commit.bucket, keys);
        self.writer.submit("delete_objects", scope, move |c| versions::delete(c, commit, now)).await
    }

    async fn expire(&self, bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> Result<u64> {
        let scope = self.cache.scope_of_all(bucket, expired.iter().map(|expiry| &expiry.seen.key));
        self.writer.submit("expire", scope, move |c| lifecycle::expire(c, bucket, expired, now)).await
    }

    async fn change_class(&self, bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> Result<u64> {
        let scope = self.cache.scope_of_all(bucket, seen.iter().map(|seen| &seen.key));
        self.writer.submit("change_class", scope, move |c| lifecycle::change_class(c, bucket, seen, class)).await
    }

    async fn set_object_acl(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        acl: Option<Acl>,
    ) -> Result<Option<VersionId>> {
        let scope = self.cache.scope_of(bucket, key);
        let key = key.clone();
        self.writer.submit("set_object_acl", scope, move |c| objects::set_acl(c, bucket, &key, version, acl)).await
    }

    async fn set_object_tags(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        tags: Vec<Tag>,
    ) -> Result<Option<VersionId>> {
        let scope = self.cache.scope_of(bucket, key);
        let key = key.clone();
        self.writer.submit("set_object_tags", scope, move |c| objects::set_tags(c, bucket, &key, version, &tags)).await
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
        let scope = self.cache.scope_of(bucket, key);
        let key = key.clone();
        let work = move |c: &_| versions::set_lock(c, bucket, &key, version, change, bypass_governance, now);
        self.writer.submit("set_object_lock", scope, work).await
    }

    async fn restore_object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        until: Wall,
        now: Wall,
    ) -> Result<Restored> {
        let scope = self.cache.scope_of(bucket, key);
        let key = key.clone();
        self.writer
            .submit("restore_object", scope, move |c| objects::restore(c, bucket, &key, version, until, now))
            .await
    }

    async fn finely_cut(
        &self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<(BucketId, ObjectKey)>> {
        self.readers.scan("finely_cut", move |c| objects::finely_cut(c, after, limit)).await
    }

    async fn swap_extents(&self, swap: ExtentSwap, now: Wall) -> Result<bool> {
        let scope = self.cache.scope_of(swap.bucket, &swap.key);
        self.writer.submit("swap_extents", scope, move |c| objects::swap_extents(c, &swap, now)).await
    }

    async fn list_objects(&self, bucket: BucketId, query: &ListQuery) -> Result<Page<ListEntry>> {
        let query = query.clone();
        self.readers.scan("list_objects", move |c| objects::list(c, bucket, &query)).await
    }

    async fn list_versions(&self, bucket: BucketId, query: &VersionsQuery) -> Result<Page<VersionEntry>> {
        let query = query.clone();
        self.readers.scan("list_versions", move |c| versions::list(c, bucket, &query)).await
    }

    async fn begin_upload(&self, upload: UploadRecord, now: Wall) -> Result<UploadRecord> {
        self.writer.submit("begin_upload", Scope::Nothing, move |c| uploads::begin(c, upload, now)).await
    }

    async fn commit_part(&self, commit: PartCommit, now: Wall) -> Result<PartSummary> {
        self.writer.submit("commit_part", Scope::Nothing, move |c| uploads::commit_part(c, commit, now)).await
    }

    async fn complete_upload(&self, commit: CompleteCommit, now: Wall) -> Result<CompletedUpload> {
        let scope = self.cache.scope_of(commit.bucket, &commit.key);
        self.writer.submit("complete_upload", scope, move |c| uploads::complete(c, commit, now)).await
    }

    async fn abort_upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId, now: Wall) -> Result<()> {
        let key = key.clone();
        self.writer.submit("abort_upload", Scope::Nothing, move |c| uploads::abort(c, bucket, &key, upload, now)).await
    }

    async fn upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId) -> Result<Option<UploadRecord>> {
        self.readers.point("upload", |c| uploads::upload(c, bucket, key, upload))
    }

    async fn list_parts(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
        after: u32,
        limit: usize,
    ) -> Result<Page<PartSummary>> {
        let key = key.clone();
        let read = move |c: &_| uploads::list_parts(c, bucket, &key, upload, after, limit);
        self.readers.scan("list_parts", read).await
    }

    async fn list_uploads(&self, bucket: BucketId, query: &UploadsQuery) -> Result<Page<UploadEntry>> {
        let query = query.clone();
        self.readers.scan("list_uploads", move |c| uploads::list(c, bucket, &query)).await
    }

    async fn put_channel(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        config: ChannelConfig,
        only_if_absent: bool,
        now: Wall,
    ) -> Result<ChannelRecord> {
        let name = name.clone();
        let work = move |c: &_| channels::put(c, bucket, &name, config, only_if_absent, now);
        self.writer.submit("put_channel", Scope::Nothing, work).await
    }

    async fn set_channel_status(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        status: ChannelStatus,
        now: Wall,
    ) -> Result<()> {
        let name = name.clone();
        let work = move |c: &_| channels::set_status(c, bucket, &name, status, now);
        self.writer.submit("set_channel_status", Scope::Nothing, work).await
    }

    async fn channel(&self, bucket: BucketId, name: &ChannelName) -> Result<Option<ChannelRecord>> {
        self.readers.point("channel", |c| channels::channel(c, bucket, name))
    }

    async fn list_channels(
        &self,
        bucket: BucketId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<ChannelRecord>> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        self.readers.scan("list_channels", move |c| channels::list(c, bucket, &prefix, &after, limit)).await
    }

    async fn buckets_with_channel(&self, name: &ChannelName, limit: usize) -> Result<Vec<BucketRecord>> {
        let name = name.clone();
        self.readers.scan("buckets_with_channel", move |c| accounts::buckets_with_channel(c, &name, limit)).await
    }

    async fn delete_channel(&self, bucket: BucketId, name: &ChannelName) -> Result<()> {
        let name = name.clone();
        self.writer.submit("delete_channel", Scope::Nothing, move |c| channels::delete(c, bucket, &name)).await
    }

    async fn count_channels(&self, bucket: BucketId) -> Result<u64> {
        self.readers.scan("count_channels", move |c| channels::count(c, bucket)).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim> {
        self.writer.submit("claim", Scope::Nothing, move |c| live::claim(c, request)).await
    }

    async fn commit_fragment(&self, commit: FragmentCommit, now: Wall) -> Result<()> {
        let keys = [&commit.object.key, &commit.playlist.key];
        let scope = self.cache.scope_of_all(commit.bucket, keys.into_iter());
        self.writer.submit("commit_fragment", scope, move |c| live::commit_fragment(c, commit, now)).await
    }

    async fn end_connection(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        epoch: Epoch,
        ended: Wall,
        cause: TerminationCause,
    ) -> Result<()> {
        let channel = channel.clone();
        let work = move |c: &_| live::end_connection(c, bucket, &channel, epoch, ended, cause);
        self.writer.submit("end_connection", Scope::Nothing, work).await
    }

    async fn open_connection(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<ConnectionRecord>> {
        self.readers.point("open_connection", |c| live::open_connection(c, bucket, channel))
    }

    async fn last_fragment(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<(i64, u64)>> {
        self.readers.point("last_fragment", |c| live::last_fragment(c, bucket, channel))
    }

    async fn history(&self, bucket: BucketId, channel: &ChannelName, limit: usize) -> Result<Vec<ConnectionRecord>> {
        let channel = channel.clone();
        self.readers.scan("history", move |c| live::history(c, bucket, &channel, limit)).await
    }

    async fn fragments(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<FragmentRecord>> {
        let channel = channel.clone();
        self.readers.scan("fragments", move |c| live::fragments(c, bucket, &channel, from_ms, to_ms)).await
    }

    async fn end_lost_connections(&self) -> Result<u64> {
        self.writer.submit("end_lost_connections", Scope::Nothing, live::end_lost_connections).await
    }

    async fn garbage(&self, before: Wall, limit: usize) -> Result<Vec<BlobId>> {
        self.writer.submit("garbage", Scope::Nothing, move |c| blobs::take_garbage(c, before, limit)).await
    }

    async fn forget_garbage(&self, ids: &[BlobId]) -> Result<()> {
        let ids = ids.to_vec();
        self.writer.submit("forget_garbage", Scope::Nothing, move |c| blobs::forget_garbage(c, &ids)).await
    }

    async fn blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        let ids = ids.to_vec();
        self.readers.scan("blob_states", move |c| blobs::states(c, &ids)).await
    }

    async fn settled_blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        let ids = ids.to_vec();
        // The writer takes commands in order, and its commit leaves nothing of one that failed.
        self.writer.submit("settled_blob_states", Scope::Nothing, move |c| blobs::states_within(c, &ids)).await
    }

    async fn audit_objects(&self, after: Option<(BucketId, ObjectKey)>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.readers.scan("audit_objects", move |c| objects::audit_objects(c, after, limit)).await
    }

    async fn audit_versions(&self, after: Option<VersionMark>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.readers.scan("audit_versions", move |c| versions::audit(c, after, limit)).await
    }

    async fn audit_parts(&self, after: Option<(UploadId, u32)>, limit: usize) -> Result<Vec<PartAudit>> {
        self.readers.scan("audit_parts", move |c| uploads::audit_parts(c, after, limit)).await
    }

    async fn audit_windows(&self) -> Result<Vec<WindowAudit>> {
        self.readers.scan("audit_windows", live::audit_windows).await
    }

    async fn audit_backend(&self) -> Result<Vec<String>> {
        self.readers.scan("audit_backend", blobs::audit_backend).await
    }

    async fn close(&self) -> Result<()> {
        // Readers first: an open snapshot would keep the log from being folded into the database.
        self.readers.close();
        self.cache.close();
        if let Some(thread) = self.writer.close() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                return Err(StoreError::Unavailable("the metadata writer did not end as it should".into()));
            }
        }
        Ok(())
    }
}
