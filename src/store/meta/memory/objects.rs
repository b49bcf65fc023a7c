//! Current objects.

use super::State;
use crate::clock::Wall;
use crate::store::meta::rules::{self};
use crate::store::*;

impl State {
    pub(super) fn commit_object(&mut self, commit: ObjectCommit, now: Wall) -> Result<ObjectRecord> {
        let bucket = self.bucket(commit.object.bucket)?.clone();
        let version = rules::version_of_write(bucket.versioning, commit.object.version);
        let object = ObjectRecord { last_modified: now, version, ..commit.object };
        let object = rules::retained(object, &bucket.settings);
        let present = self.objects.get(&(object.bucket, object.key.clone())).map(|o| o.etag);
        rules::check_condition(commit.condition, present)?;
        self.check_lock(&object, now)?;
        self.check_blobs(&object.extents)?;
        self.check_quota(object.bucket, &[&object])?;
        self.place(object.clone(), now);
        Ok(object)
    }

    pub(super) fn commit_append(&mut self, commit: AppendCommit, now: Wall) -> Result<ObjectRecord> {
        let bucket = self.bucket(commit.first.bucket)?.clone();
        let version = rules::version_of_write(bucket.versioning, commit.first.version);
        let present = self.objects.get(&(commit.first.bucket, commit.first.key.clone())).cloned();
        let extents = commit.first.extents.clone();
        let first = ObjectRecord { version, ..commit.first };
        let is_first = present.is_none();
        let object = rules::appended(present, first, commit.position, now)?;
        let object = if is_first { rules::retained(object, &bucket.settings) } else { object };
        self.check_lock(&object, now)?;
        self.check_blobs(&extents)?;
        self.check_quota(object.bucket, &[&object])?;
        self.place(object.clone(), now);
        Ok(object)
    }

    pub(super) fn delete_objects(&mut self, commit: DeleteCommit, now: Wall) -> Result<Vec<DeleteOutcome>> {
        let DeleteCommit { bucket, targets, bypass_governance } = commit;
        Ok(targets.into_iter().map(|target| self.delete_target(bucket, target, bypass_governance, now)).collect())
    }

    pub(super) fn set_object_lock(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        change: LockChange,
        bypass_governance: bool,
        now: Wall,
    ) -> Result<Option<VersionId>> {
        let object = self.object_mut(bucket, key, version)?;
        object.attributes = rules::relocked(object.attributes.clone(), change, bypass_governance, now)?;
        Ok(object.version)
    }

    pub(super) fn restore_object(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        until: Wall,
        now: Wall,
    ) -> Result<Restored> {
        let object = self.object_mut(bucket, key, version)?;
        let (attributes, was_readable) = rules::restored(object.storage_class, object.attributes.clone(), until, now)?;
        object.attributes = attributes;
        Ok(Restored { version: object.version, was_readable })
    }

    pub(super) fn finely_cut(
        &mut self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<(BucketId, ObjectKey)>> {
        let behind = self.objects.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
        let found = behind.filter(|(_, object)| rules::is_finely_cut(object)).map(|(id, _)| id.clone());
        Ok(found.take(limit).collect())
    }

    pub(super) fn swap_extents(&mut self, swap: ExtentSwap, now: Wall) -> Result<bool> {
        let Some(present) = self.objects.get(&(swap.bucket, swap.key.clone())).cloned() else { return Ok(false) };
        let Some(object) = rules::swapped(present, &swap)? else { return Ok(false) };
        self.check_blobs(&object.extents)?;
        for id in rules::blobs_of(&object.extents) {
            self.garbage.remove(&id);
        }
        self.objects.insert((swap.bucket, swap.key), object);
        self.retire(&swap.before, now);
        Ok(true)
    }

    pub(super) fn list_objects(&mut self, bucket: BucketId, query: &ListQuery) -> Result<Page<ListEntry>> {
        let mut entries: Vec<ListEntry> = Vec::new();
        for ((b, key), object) in &self.objects {
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
    }

    pub(super) fn audit_objects(
        &mut self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<ObjectRecord>> {
        let behind = self.objects.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
        Ok(behind.take(limit).map(|(_, object)| object.clone()).collect())
    }
}

pub(super) fn summary(object: &ObjectRecord) -> ObjectSummary {
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
