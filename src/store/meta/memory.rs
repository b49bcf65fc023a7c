//! Metadata in maps behind one mutex: the readable reference of the port's semantics, and a fast store for tests.
//!
//! Nothing survives the process. Where another backend and this one differ, this one is right or the port's text is.
//!
//! Every method judges first and changes afterwards, so a refused call leaves no trace.

mod lifecycle;
mod uploads;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;

use super::rules::{self, Growth, LiveState};
use crate::clock::Wall;
use crate::limits::CONNECTION_HISTORY_KEPT;
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

#[derive(Debug)]
struct Connection {
    epoch: u64,
    record: ConnectionRecord,
    /// End of the newest stored fragment.
    stored_until: Option<Wall>,
}

impl Connection {
    fn is_open(&self) -> bool {
        self.record.ended.is_none()
    }
}

#[derive(Debug)]
struct Garbage {
    since: Wall,
    /// Handed to the collector: its bytes may be gone, so it is never named again.
    taken: bool,
}

impl State {
    fn bucket(&mut self, bucket: BucketId) -> Result<&mut BucketRecord> {
        self.buckets.get_mut(&bucket).ok_or(StoreError::NotFound(What::Bucket))
    }

    /// The extents of everything that has a body.
    fn extents(&self) -> impl Iterator<Item = &Extent> {
        let current = self.objects.values().flat_map(|object| &object.extents);
        current.chain(self.versions.extents()).chain(self.uploads.extents())
    }

    fn is_named(&self, id: BlobId) -> bool {
        self.extents().any(|extent| matches!(extent, Extent::Blob { id: named, .. } if *named == id))
    }

    /// A blob that the collector has taken cannot be named again.
    fn check_blobs(&self, extents: &[Extent]) -> Result<()> {
        let taken = |id| self.garbage.get(&id).is_some_and(|g| g.taken);
        if rules::blobs_of(extents).any(taken) { Err(StoreError::NotFound(What::Blob)) } else { Ok(()) }
    }

    /// What a bucket holds, counted here and now.
    fn usage(&self, bucket: BucketId) -> BucketUsage {
        let (uploads, parts, part_bytes) = self.uploads.count_in(bucket);
        let channels = self.channels.keys().filter(|(b, _)| *b == bucket).count() as u64;
        let markers = self.versions.markers_in(bucket);
        let mut usage = BucketUsage { uploads, parts, part_bytes, channels, markers, ..BucketUsage::default() };
        let current = self.objects.values().filter(|object| object.bucket == bucket);
        for object in current.chain(self.versions.objects().filter(|object| object.bucket == bucket)) {
            usage.objects += 1;
            usage.bytes += object.size;
            let of_class = &mut usage.classes[object.storage_class.index()];
            of_class.objects += 1;
            of_class.bytes += object.size;
        }
        usage
    }

    fn quota(&self, bucket: BucketId) -> BucketQuota {
        self.buckets.get(&bucket).map(|bucket| bucket.settings.quota).unwrap_or_default()
    }

    /// Judges these objects, put one after the other, by the bucket's quota.
    fn check_quota(&self, bucket: BucketId, objects: &[&ObjectRecord]) -> Result<()> {
        if self.quota(bucket) == BucketQuota::default() {
            return Ok(());
        }
        self.check_quota_from(bucket, self.usage(bucket), objects)
    }

    fn check_quota_from(&self, bucket: BucketId, held: BucketUsage, objects: &[&ObjectRecord]) -> Result<()> {
        let quota = self.quota(bucket);
        let (mut count, mut bytes) = (held.objects, held.bytes + held.part_bytes);
        for object in objects {
            let id = (bucket, object.key.clone());
            let current = self.objects.get(&id).filter(|present| present.version == object.version);
            if current.is_none()
                && let Some(Versioned::Object(elsewhere)) = self.object_version(&id, Some(object.version.into()))
            {
                (count, bytes) = (count - 1, bytes - elsewhere.size);
            }
            let before = bytes;
            count += u64::from(current.is_none());
            bytes = bytes + object.size - current.map_or(0, |present| present.size);
            let (more_objects, more_bytes) = (current.is_none(), bytes > before);
            rules::check_quota(quota, Growth { objects: count, bytes, more_objects, more_bytes })?;
        }
        Ok(())
    }

    /// Blobs that nothing names any more become garbage.
    fn retire(&mut self, gone: &[Extent], now: Wall) {
        for id in rules::blobs_of(gone) {
            if !self.is_named(id) {
                self.garbage.entry(id).or_insert(Garbage { since: now, taken: false });
            }
        }
    }

    fn open_connection(&mut self, channel: &ChannelId) -> Option<&mut Connection> {
        self.connections.get_mut(channel)?.last_mut().filter(|c| c.is_open())
    }

    fn check_not_live(&mut self, channel: &ChannelId) -> Result<()> {
        if self.open_connection(channel).is_some() { Err(StoreError::ChannelLive) } else { Ok(()) }
    }

    fn has_fragment_object(&self, channel: &ChannelId, name_ms: i64) -> bool {
        self.objects.contains_key(&(channel.0, rules::fragment_key(&channel.1, name_ms)))
    }

    /// Whether the newest fragment is this very commit: then its acknowledgement was lost on the way.
    fn is_repeat(&self, commit: &FragmentCommit, id: &ChannelId, live: LiveState) -> bool {
        live.last_name_ms == Some(commit.fragment.name_ms)
            && self.fragments.get(&(id.clone(), commit.fragment.name_ms)) == Some(&commit.fragment)
            && self
                .objects
                .get(&(commit.bucket, commit.object.key.clone()))
                .is_some_and(|present| present.extents == commit.object.extents)
    }
}

fn prune(connections: &mut Vec<Connection>) {
    let finished = connections.iter().filter(|c| !c.is_open()).count();
    // The open one is the newest, so the oldest are finished ones.
    connections.drain(..finished.saturating_sub(CONNECTION_HISTORY_KEPT));
}

#[async_trait]
impl MetaStore for MemoryMetaStore {
    async fn put_access_key(&self, account_name: &str, id: &str, secret: &str, now: Wall) -> Result<AccessKeyRecord> {
        self.with(|s| {
            if let Some(key) = s.keys.get_mut(id) {
                if key.account_name != account_name || key.secret != secret {
                    return Err(StoreError::AlreadyExists(What::AccessKey));
                }
                key.enabled = true;
                return Ok(key.clone());
            }
            let next = AccountId(s.accounts.len() as i64 + 1);
            let account = *s.accounts.entry(account_name.to_owned()).or_insert(next);
            let key = AccessKeyRecord {
                id: id.to_owned(),
                secret: secret.to_owned(),
                account,
                account_name: account_name.to_owned(),
                enabled: true,
                created: now,
            };
            s.keys.insert(id.to_owned(), key.clone());
            Ok(key)
        })
    }

    async fn access_key(&self, id: &str) -> Result<Option<AccessKeyRecord>> {
        self.with(|s| Ok(s.keys.get(id).cloned()))
    }

    async fn list_access_keys(&self) -> Result<Vec<AccessKeyRecord>> {
        self.with(|s| Ok(s.keys.values().cloned().collect()))
    }

    async fn disable_access_key(&self, id: &str) -> Result<()> {
        self.with(|s| {
            s.keys.get_mut(id).ok_or(StoreError::NotFound(What::AccessKey))?.enabled = false;
            s.sessions.retain(|_, session| session.parent.id != id);
            Ok(())
        })
    }

    async fn put_session_key(&self, parent: &str, session: NewSessionKey, now: Wall) -> Result<SessionKeyRecord> {
        self.with(|s| {
            let parent = s.keys.get(parent).filter(|key| key.enabled).ok_or(StoreError::NotFound(What::AccessKey))?;
            if s.keys.contains_key(&session.id) || s.sessions.contains_key(&session.id) {
                return Err(StoreError::AlreadyExists(What::AccessKey));
            }
            let record = rules::session_key(parent.clone(), session, now);
            s.sessions.insert(record.id.clone(), record.clone());
            Ok(record)
        })
    }

    async fn session_key(&self, id: &str) -> Result<Option<SessionKeyRecord>> {
        self.with(|s| Ok(s.sessions.get(id).cloned()))
    }

    async fn forget_session_keys(&self, before: Wall, limit: usize) -> Result<u64> {
        self.with(|s| {
            let expired = s.sessions.values().filter(|session| session.expires < before);
            let ids: Vec<String> = expired.take(limit).map(|session| session.id.clone()).collect();
            s.sessions.retain(|id, _| !ids.contains(id));
            Ok(ids.len() as u64)
        })
    }

    async fn create_bucket_with(
        &self,
        name: &BucketName,
        owner: AccountId,
        acl: Acl,
        settings: BucketSettings,
        now: Wall,
    ) -> Result<BucketRecord> {
        self.with(|s| {
            if s.buckets.values().any(|b| b.name == *name) {
                return Err(StoreError::AlreadyExists(What::Bucket));
            }
            let account = s.accounts.iter().find(|(_, id)| **id == owner);
            // An account exists only through its keys, so that is what is missing.
            let (owner_name, _) = account.ok_or(StoreError::NotFound(What::AccessKey))?;
            let record = BucketRecord {
                id: BucketId(s.last_bucket + 1),
                name: name.clone(),
                owner,
                owner_name: owner_name.clone(),
                acl,
                created: now,
                cors: CorsConfig::default(),
                tags: Vec::new(),
                versioning: Versioning::default(),
                settings,
            };
            s.last_bucket = record.id.0;
            s.buckets.insert(record.id, record.clone());
            Ok(record)
        })
    }

    async fn bucket(&self, name: &BucketName) -> Result<Option<BucketRecord>> {
        self.with(|s| Ok(s.buckets.values().find(|b| b.name == *name).cloned()))
    }

    async fn list_buckets(
        &self,
        owner: AccountId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<BucketRecord>> {
        self.with(|s| {
            let wanted =
                |b: &&BucketRecord| b.owner == owner && b.name.as_str().starts_with(prefix) && b.name.as_str() > after;
            let mut found: Vec<_> = s.buckets.values().filter(wanted).cloned().collect();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(rules::page(found, limit))
        })
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
        self.with(|s| {
            let bucket = s.bucket(bucket)?;
            rules::check_versioning(bucket.versioning, &bucket.settings, versioning)?;
            bucket.versioning = versioning;
            Ok(())
        })
    }

    async fn set_bucket_setting(&self, bucket: BucketId, setting: BucketSetting) -> Result<()> {
        self.with(|s| {
            let bucket = s.bucket(bucket)?;
            rules::check_setting(bucket.versioning, &setting)?;
            bucket.settings.set(setting);
            Ok(())
        })
    }

    async fn set_bucket_lifecycle(&self, bucket: BucketId, lifecycle: Lifecycle) -> Result<()> {
        self.with(|s| {
            s.bucket(bucket)?;
            s.lifecycles.remove(&bucket);
            if lifecycle != Lifecycle::default() {
                s.lifecycles.insert(bucket, lifecycle);
            }
            Ok(())
        })
    }

    async fn bucket_lifecycle(&self, bucket: BucketId) -> Result<Lifecycle> {
        self.with(|s| Ok(s.lifecycles.get(&bucket).cloned().unwrap_or_default()))
    }

    async fn next_lifecycle(&self, after: Option<BucketId>) -> Result<Option<(BucketId, Versioning, Lifecycle)>> {
        self.with(|s| Ok(s.next_lifecycle(after)))
    }

    async fn delete_bucket(&self, bucket: BucketId) -> Result<()> {
        self.with(|s| {
            s.bucket(bucket)?;
            let holds_objects = s.objects.keys().any(|(b, _)| *b == bucket) || s.versions.any_in(bucket);
            if holds_objects || s.uploads.any_in(bucket) || s.channels.keys().any(|(b, _)| *b == bucket) {
                return Err(StoreError::BucketNotEmpty);
            }
            s.buckets.remove(&bucket);
            // Its id is never given again, so nobody could ask for what its channels and uploads left.
            s.uploads.forget_bucket(bucket);
            s.lifecycles.remove(&bucket);
            s.live.retain(|(b, _), _| *b != bucket);
            s.windows.retain(|((b, _), _), _| *b != bucket);
            Ok(())
        })
    }

    async fn bucket_usage(&self, bucket: BucketId) -> Result<BucketUsage> {
        self.with(|s| {
            s.bucket(bucket)?;
            Ok(s.usage(bucket))
        })
    }

    async fn commit_object(&self, commit: ObjectCommit, now: Wall) -> Result<ObjectRecord> {
        self.with(|s| {
            let bucket = s.bucket(commit.object.bucket)?.clone();
            let version = rules::version_of_write(bucket.versioning, commit.object.version);
            let object = ObjectRecord { last_modified: now, version, ..commit.object };
            let object = rules::retained(object, &bucket.settings);
            let present = s.objects.get(&(object.bucket, object.key.clone())).map(|o| o.etag);
            rules::check_condition(commit.condition, present)?;
            s.check_lock(&object, now)?;
            s.check_blobs(&object.extents)?;
            s.check_quota(object.bucket, &[&object])?;
            s.place(object.clone(), now);
            Ok(object)
        })
    }

    async fn commit_append(&self, commit: AppendCommit, now: Wall) -> Result<ObjectRecord> {
        self.with(|s| {
            let bucket = s.bucket(commit.first.bucket)?.clone();
            let version = rules::version_of_write(bucket.versioning, commit.first.version);
            let present = s.objects.get(&(commit.first.bucket, commit.first.key.clone())).cloned();
            let extents = commit.first.extents.clone();
            let first = ObjectRecord { version, ..commit.first };
            let is_first = present.is_none();
            let object = rules::appended(present, first, commit.position, now)?;
            let object = if is_first { rules::retained(object, &bucket.settings) } else { object };
            s.check_lock(&object, now)?;
            s.check_blobs(&extents)?;
            s.check_quota(object.bucket, &[&object])?;
            s.place(object.clone(), now);
            Ok(object)
        })
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
        self.with(|s| {
            let DeleteCommit { bucket, targets, bypass_governance } = commit;
            Ok(targets.into_iter().map(|target| s.delete_target(bucket, target, bypass_governance, now)).collect())
        })
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
        self.with(|s| {
            let object = s.object_mut(bucket, key, version)?;
            object.attributes = rules::relocked(object.attributes.clone(), change, bypass_governance, now)?;
            Ok(object.version)
        })
    }

    async fn restore_object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        until: Wall,
        now: Wall,
    ) -> Result<Restored> {
        self.with(|s| {
            let object = s.object_mut(bucket, key, version)?;
            let (attributes, was_readable) =
                rules::restored(object.storage_class, object.attributes.clone(), until, now)?;
            object.attributes = attributes;
            Ok(Restored { version: object.version, was_readable })
        })
    }

    async fn finely_cut(
        &self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<(BucketId, ObjectKey)>> {
        self.with(|s| {
            let behind = s.objects.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
            let found = behind.filter(|(_, object)| rules::is_finely_cut(object)).map(|(id, _)| id.clone());
            Ok(found.take(limit).collect())
        })
    }

    async fn swap_extents(&self, swap: ExtentSwap, now: Wall) -> Result<bool> {
        self.with(|s| {
            let Some(present) = s.objects.get(&(swap.bucket, swap.key.clone())).cloned() else { return Ok(false) };
            let Some(object) = rules::swapped(present, &swap)? else { return Ok(false) };
            s.check_blobs(&object.extents)?;
            for id in rules::blobs_of(&object.extents) {
                s.garbage.remove(&id);
            }
            s.objects.insert((swap.bucket, swap.key), object);
            s.retire(&swap.before, now);
            Ok(true)
        })
    }

    async fn list_objects(&self, bucket: BucketId, query: &ListQuery) -> Result<Page<ListEntry>> {
        self.with(|s| {
            let mut entries: Vec<ListEntry> = Vec::new();
            for ((b, key), object) in &s.objects {
                if *b != bucket || !key.as_bytes().starts_with(&query.prefix) {
                    continue;
                }
                let entry = match rules::rolled_up(key.as_bytes(), &query.prefix, query.delimiter.as_deref()) {
                    Some(prefix) => ListEntry::Prefix(prefix.to_vec()),
                    None => ListEntry::Object(summary(object)),
                };
                // A prefix that the marker lies inside of is less than the marker: the whole of it is skipped.
                let is_behind = query.after.as_deref().is_none_or(|after| entry.name() > after);
                if is_behind && entries.last() != Some(&entry) {
                    entries.push(entry);
                }
                if entries.len() > query.limit {
                    break;
                }
            }
            Ok(rules::page(entries, query.limit))
        })
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
        self.with(|s| {
            s.bucket(bucket)?;
            let id = (bucket, name.clone());
            let present = s.channels.get(&id).map(|c| c.created);
            if only_if_absent && present.is_some() {
                return Err(StoreError::AlreadyExists(What::Channel));
            }
            s.check_not_live(&id)?;
            let created = present.unwrap_or(now);
            let record = ChannelRecord { bucket, name: name.clone(), config, created, last_modified: now };
            s.channels.insert(id, record.clone());
            Ok(record)
        })
    }

    async fn set_channel_status(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        status: ChannelStatus,
        now: Wall,
    ) -> Result<()> {
        self.with(|s| {
            let channel = s.channels.get_mut(&(bucket, name.clone())).ok_or(StoreError::NotFound(What::Channel))?;
            if channel.config.status != status {
                channel.config.status = status;
                channel.last_modified = now;
            }
            Ok(())
        })
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
        self.with(|s| {
            let wanted = |c: &&ChannelRecord| {
                c.bucket == bucket && c.name.as_str().starts_with(prefix) && c.name.as_str() > after
            };
            Ok(rules::page(s.channels.values().filter(wanted).cloned().collect(), limit))
        })
    }

    async fn buckets_with_channel(&self, name: &ChannelName, limit: usize) -> Result<Vec<BucketRecord>> {
        self.with(|s| {
            let holders = s.channels.keys().filter(|(_, n)| n == name).map(|(bucket, _)| s.buckets[bucket].clone());
            Ok(holders.take(limit).collect())
        })
    }

    async fn delete_channel(&self, bucket: BucketId, name: &ChannelName) -> Result<()> {
        self.with(|s| {
            let id = (bucket, name.clone());
            s.check_not_live(&id)?;
            s.channels.remove(&id);
            s.connections.remove(&id);
            Ok(())
        })
    }

    async fn count_channels(&self, bucket: BucketId) -> Result<u64> {
        self.with(|s| Ok(s.channels.keys().filter(|(b, _)| *b == bucket).count() as u64))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim> {
        self.with(|s| {
            let id = (request.bucket, request.channel);
            let channel = s.channels.get(&id).cloned().ok_or(StoreError::NotFound(What::Channel))?;
            let is_repeat = match s.open_connection(&id) {
                Some(open) if open.record.id == request.connection => true,
                _ if channel.config.status == ChannelStatus::Disabled => return Err(StoreError::ChannelDisabled),
                Some(_) => return Err(StoreError::ChannelLive),
                None => false,
            };
            let live = s.live.entry(id.clone()).or_default();
            if !is_repeat {
                live.epoch += 1;
                let record = ConnectionRecord {
                    id: request.connection,
                    started: request.started,
                    ended: None,
                    remote_addr: request.remote_addr,
                    cause: None,
                };
                let connection = Connection { epoch: live.epoch, record, stored_until: None };
                s.connections.entry(id.clone()).or_default().push(connection);
            }
            let playlist_name = request.playlist_name.unwrap_or_else(|| channel.config.playlist_name.clone());
            Ok(Claim {
                epoch: Epoch(live.epoch),
                channel,
                last_name_ms: live.last_name_ms,
                next_sequence: live.next_sequence,
                window: s.windows.get(&(id, playlist_name)).cloned().unwrap_or_default(),
            })
        })
    }

    async fn commit_fragment(&self, commit: FragmentCommit, now: Wall) -> Result<()> {
        self.with(|s| {
            rules::check_fragment_commit(&commit)?;
            let id = (commit.bucket, commit.channel.clone());
            let open = s.open_connection(&id);
            if open.is_none_or(|c| c.epoch != commit.epoch.0 || c.record.id != commit.connection) {
                return Err(StoreError::StaleEpoch);
            }
            let live = s.live.get(&id).copied().unwrap_or_default();
            if s.is_repeat(&commit, &id, live) {
                return Ok(());
            }
            let key_is_taken = s.objects.contains_key(&(commit.bucket, commit.object.key.clone()));
            rules::check_fragment_order(&commit, live, key_is_taken)?;
            s.check_blobs(&commit.object.extents)?;
            s.check_blobs(&commit.playlist.extents)?;
            s.check_quota(commit.bucket, &[&commit.object, &commit.playlist])?;

            let fragment = ObjectRecord { last_modified: now, version: None, ..commit.object };
            let playlist = ObjectRecord { last_modified: now, version: None, ..commit.playlist };
            s.check_lock(&fragment, now)?;
            s.check_lock(&playlist, now)?;
            s.place(fragment, now);
            s.place(playlist, now);
            s.fragments.insert((id.clone(), commit.fragment.name_ms), commit.fragment);
            s.windows.insert((id.clone(), commit.playlist_name), commit.window);
            if let Some(open) = s.open_connection(&id) {
                open.stored_until = Some(commit.ended);
            }
            let last_name_ms = Some(commit.fragment.name_ms);
            s.live.insert(id, LiveState { last_name_ms, next_sequence: commit.fragment.sequence + 1, ..live });
            Ok(())
        })
    }

    async fn end_connection(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        epoch: Epoch,
        ended: Wall,
        cause: TerminationCause,
    ) -> Result<()> {
        self.with(|s| {
            let id = (bucket, channel.clone());
            if s.live.get(&id).is_none_or(|live| live.epoch != epoch.0) {
                return Err(StoreError::StaleEpoch);
            }
            // Already ended: the acknowledgement was lost, and what was written first stands.
            let Some(open) = s.open_connection(&id) else { return Ok(()) };
            open.record.ended = Some(ended);
            open.record.cause = Some(cause);
            s.connections.entry(id).and_modify(prune);
            Ok(())
        })
    }

    async fn open_connection(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<ConnectionRecord>> {
        self.with(|s| Ok(s.open_connection(&(bucket, channel.clone())).map(|c| c.record.clone())))
    }

    async fn history(&self, bucket: BucketId, channel: &ChannelName, limit: usize) -> Result<Vec<ConnectionRecord>> {
        self.with(|s| {
            let all = s.connections.get(&(bucket, channel.clone())).map_or(&[][..], Vec::as_slice);
            let finished: Vec<_> = all.iter().filter(|c| !c.is_open()).map(|c| c.record.clone()).collect();
            Ok(finished[finished.len().saturating_sub(limit)..].to_vec())
        })
    }

    async fn fragments(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<FragmentRecord>> {
        self.with(|s| {
            let id = (bucket, channel.clone());
            let rows = s.fragments.iter().filter(|((c, name_ms), _)| *c == id && (from_ms..=to_ms).contains(name_ms));
            Ok(rows.filter(|((c, name_ms), _)| s.has_fragment_object(c, *name_ms)).map(|(_, f)| *f).collect())
        })
    }

    async fn end_lost_connections(&self) -> Result<u64> {
        self.with(|s| {
            let mut ended = 0;
            for connections in s.connections.values_mut() {
                for connection in connections.iter_mut().filter(|c| c.is_open()) {
                    connection.record.ended = Some(connection.stored_until.unwrap_or(connection.record.started));
                    connection.record.cause = Some(TerminationCause::ServiceLost);
                    ended += 1;
                }
                prune(connections);
            }
            Ok(ended)
        })
    }

    async fn garbage(&self, before: Wall, limit: usize) -> Result<Vec<BlobId>> {
        self.with(|s| {
            let mut due: Vec<_> = s.garbage.iter_mut().filter(|(_, g)| g.since < before).collect();
            due.sort_by_key(|(id, g)| (g.since, **id));
            due.truncate(limit);
            Ok(due
                .into_iter()
                .map(|(id, garbage)| {
                    garbage.taken = true;
                    *id
                })
                .collect())
        })
    }

    async fn forget_garbage(&self, ids: &[BlobId]) -> Result<()> {
        self.with(|s| {
            s.garbage.retain(|id, _| !ids.contains(id));
            Ok(())
        })
    }

    async fn blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        self.with(|s| {
            let mut furthest: BTreeMap<BlobId, u64> = BTreeMap::new();
            for extent in s.extents() {
                if let Extent::Blob { id, offset, length } = extent {
                    let end = furthest.entry(*id).or_default();
                    *end = (*end).max(offset + length);
                }
            }
            let state = |id: &BlobId| match furthest.get(id) {
                Some(end) => BlobState::Named(*end),
                None if s.garbage.contains_key(id) => BlobState::Garbage,
                None => BlobState::Unknown,
            };
            Ok(ids.iter().map(state).collect())
        })
    }

    async fn audit_objects(&self, after: Option<(BucketId, ObjectKey)>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.with(|s| {
            let behind = s.objects.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
            Ok(behind.take(limit).map(|(_, object)| object.clone()).collect())
        })
    }

    async fn audit_versions(&self, after: Option<VersionMark>, limit: usize) -> Result<Vec<ObjectRecord>> {
        self.with(|s| Ok(s.audit_versions(after, limit)))
    }

    async fn audit_parts(&self, after: Option<(UploadId, u32)>, limit: usize) -> Result<Vec<PartAudit>> {
        self.with(|s| Ok(s.audit_parts(after, limit)))
    }

    async fn audit_windows(&self) -> Result<Vec<WindowAudit>> {
        self.with(|s| {
            let audit = |((id, playlist_name), window): (&(ChannelId, String), &WindowRecord)| {
                let names = window.entries.iter().map(|e| e.name_ms);
                let dangles =
                    |name: &i64| s.fragments.contains_key(&(id.clone(), *name)) && !s.has_fragment_object(id, *name);
                WindowAudit {
                    bucket: id.0,
                    channel: id.1.clone(),
                    playlist_name: playlist_name.clone(),
                    window: window.clone(),
                    dangling: names.filter(dangles).collect(),
                }
            };
            Ok(s.windows.iter().map(audit).collect())
        })
    }

    async fn audit_backend(&self) -> Result<Vec<String>> {
        self.with(|s| {
            let named: BTreeSet<BlobId> =
                s.extents().flat_map(|extent| rules::blobs_of(std::slice::from_ref(extent))).collect();
            let both = s.garbage.keys().filter(|id| named.contains(id));
            Ok(both.map(|id| format!("blob {id} is named and garbage at once")).collect())
        })
    }

    async fn close(&self) -> Result<()> {
        // Closing twice is no error: the second caller gets what it wants.
        *self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
        Ok(())
    }
}

fn summary(object: &ObjectRecord) -> ObjectSummary {
    ObjectSummary {
        key: object.key.clone(),
        kind: object.kind,
        storage_class: object.storage_class,
        restored_until: object.attributes.restored_until(),
        size: object.size,
        etag: object.etag,
        checksum: object.attributes.checksum.map(|checksum| checksum.form()),
        last_modified: object.last_modified,
    }
}
