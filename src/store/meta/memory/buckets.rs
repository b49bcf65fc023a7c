//! Buckets, what they hold and what they may hold.

use super::State;
use crate::clock::Wall;
use crate::store::meta::rules::{self, Growth};
use crate::store::*;

impl State {
    pub(super) fn create_bucket_with(
        &mut self,
        name: &BucketName,
        owner: AccountId,
        acl: Acl,
        settings: BucketSettings,
        now: Wall,
    ) -> Result<BucketRecord> {
        if self.buckets.values().any(|b| b.name == *name) {
            return Err(StoreError::AlreadyExists(What::Bucket));
        }
        let account = self.accounts.iter().find(|(_, id)| **id == owner);
        // An account exists only through its keys, so that is what is missing.
        let (owner_name, _) = account.ok_or(StoreError::NotFound(What::AccessKey))?;
        let record = BucketRecord {
            id: BucketId(self.last_bucket + 1),
            name: name.clone(),
            owner,
            owner_name: owner_name.clone(),
            acl,
            created: now,
            cors: CorsConfig::default(),
            tags: Vec::new(),
            versioning: rules::versioning_of_new(&settings),
            settings,
        };
        self.last_bucket = record.id.0;
        self.buckets.insert(record.id, record.clone());
        Ok(record)
    }

    pub(super) fn list_buckets(
        &mut self,
        owner: AccountId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<BucketRecord>> {
        let wanted =
            |b: &&BucketRecord| b.owner == owner && b.name.as_str().starts_with(prefix) && b.name.as_str() > after;
        let mut found: Vec<_> = self.buckets.values().filter(wanted).cloned().collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rules::page(found, limit))
    }

    pub(super) fn set_bucket_versioning(&mut self, bucket: BucketId, versioning: Versioning) -> Result<()> {
        let bucket = self.bucket(bucket)?;
        rules::check_versioning(bucket.versioning, &bucket.settings, versioning)?;
        bucket.versioning = versioning;
        Ok(())
    }

    pub(super) fn set_bucket_setting(&mut self, bucket: BucketId, setting: BucketSetting) -> Result<()> {
        let bucket = self.bucket(bucket)?;
        rules::check_setting(bucket.versioning, &setting)?;
        bucket.settings.set(setting);
        Ok(())
    }

    pub(super) fn set_bucket_lifecycle(&mut self, bucket: BucketId, lifecycle: Lifecycle) -> Result<()> {
        self.bucket(bucket)?;
        self.lifecycles.remove(&bucket);
        if lifecycle != Lifecycle::default() {
            self.lifecycles.insert(bucket, lifecycle);
        }
        Ok(())
    }

    pub(super) fn delete_bucket(&mut self, bucket: BucketId) -> Result<()> {
        self.bucket(bucket)?;
        let holds_objects = self.objects.keys().any(|(b, _)| *b == bucket) || self.versions.any_in(bucket);
        if holds_objects || self.uploads.any_in(bucket) || self.channels.keys().any(|(b, _)| *b == bucket) {
            return Err(StoreError::BucketNotEmpty);
        }
        self.buckets.remove(&bucket);
        // Its id is never given again, so nobody could ask for what its channels and uploads left.
        self.uploads.forget_bucket(bucket);
        self.lifecycles.remove(&bucket);
        self.live.retain(|(b, _), _| *b != bucket);
        self.windows.retain(|((b, _), _), _| *b != bucket);
        Ok(())
    }

    /// What a bucket holds, counted here and now.
    pub(super) fn usage(&self, bucket: BucketId) -> BucketUsage {
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

    pub(super) fn quota(&self, bucket: BucketId) -> BucketQuota {
        self.buckets.get(&bucket).map(|bucket| bucket.settings.quota).unwrap_or_default()
    }

    /// Judges these objects, put one after the other, by the bucket's quota.
    pub(super) fn check_quota(&self, bucket: BucketId, objects: &[&ObjectRecord]) -> Result<()> {
        if self.quota(bucket) == BucketQuota::default() {
            return Ok(());
        }
        self.check_quota_from(bucket, self.usage(bucket), objects)
    }

    pub(super) fn check_quota_from(
        &self,
        bucket: BucketId,
        held: BucketUsage,
        objects: &[&ObjectRecord],
    ) -> Result<()> {
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
}
