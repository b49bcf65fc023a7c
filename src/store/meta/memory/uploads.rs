//! Multipart uploads.

use std::collections::BTreeMap;

use super::State;
use crate::clock::Wall;
use crate::limits::COMPLETED_UPLOADS_FORGOTTEN;
use crate::store::meta::rules::{self, Growth};
use crate::store::*;

/// Open uploads, and what completed ones came to.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    pub(super) open: BTreeMap<(BucketId, ObjectKey, UploadId), Open>,
    completed: BTreeMap<UploadId, CompletedUpload>,
    /// By the version that was made of them, with what shows that it still is the one.
    parts: BTreeMap<VersionOfKey, (ETag, Wall, Vec<ObjectPart>)>,
}

type VersionOfKey = (BucketId, ObjectKey, Option<VersionId>);

fn version_of_key(object: &ObjectRecord) -> VersionOfKey {
    (object.bucket, object.key.clone(), object.version)
}

#[derive(Debug)]
pub(super) struct Open {
    record: UploadRecord,
    parts: BTreeMap<u32, PartRecord>,
}

impl Open {
    fn bytes(&self) -> u64 {
        self.parts.values().map(|part| part.summary.size).sum()
    }
}

impl Uploads {
    /// The extents of all parts.
    pub(super) fn extents(&self) -> impl Iterator<Item = &Extent> {
        self.open.values().flat_map(|upload| upload.parts.values()).flat_map(|part| &part.extents)
    }

    pub(super) fn any_in(&self, bucket: BucketId) -> bool {
        self.open.keys().any(|(b, ..)| *b == bucket)
    }

    /// Open uploads of a bucket, their parts, and the parts' bytes.
    pub(super) fn count_in(&self, bucket: BucketId) -> (u64, u64, u64) {
        let (mut uploads, mut parts, mut bytes) = (0, 0, 0);
        for (_, open) in self.open.iter().filter(|((b, ..), _)| *b == bucket) {
            uploads += 1;
            parts += open.parts.len() as u64;
            bytes += open.bytes();
        }
        (uploads, parts, bytes)
    }

    /// What is remembered of the parts of the version that this one replaces.
    pub(super) fn forget_parts(&mut self, object: &ObjectRecord) {
        self.parts.remove(&version_of_key(object));
    }

    pub(super) fn forget_bucket(&mut self, bucket: BucketId) {
        self.parts.retain(|(b, ..), _| *b != bucket);
        self.completed.retain(|_, done| done.bucket != bucket);
    }

    /// As many as the other backends forget at a time: what is past its time answers nothing anyway.
    fn forget_outdated(&mut self, now: Wall) {
        let mut outdated: Vec<(Wall, UploadId)> = self
            .completed
            .iter()
            .filter(|(_, done)| now.0.saturating_sub(done.completed.0) > rules::completed_upload_kept_ms())
            .map(|(id, done)| (done.completed, *id))
            .collect();
        outdated.sort();
        for (_, id) in outdated.into_iter().take(COMPLETED_UPLOADS_FORGOTTEN) {
            self.completed.remove(&id);
        }
    }
}

impl State {
    fn open_upload(&self, bucket: BucketId, key: &ObjectKey, id: UploadId) -> Result<&Open> {
        self.uploads.open.get(&(bucket, key.clone(), id)).ok_or(StoreError::NotFound(What::Upload))
    }

    pub(super) fn begin_upload(&mut self, upload: UploadRecord, now: Wall) -> Result<UploadRecord> {
        self.bucket(upload.bucket)?;
        if self.uploads.open.keys().any(|(.., id)| *id == upload.id) {
            return Err(StoreError::AlreadyExists(What::Upload));
        }
        let record = UploadRecord { initiated: now, ..upload };
        let open = Open { record: record.clone(), parts: BTreeMap::new() };
        self.uploads.open.insert((record.bucket, record.key.clone(), record.id), open);
        Ok(record)
    }

    pub(super) fn commit_part(&mut self, commit: PartCommit, now: Wall) -> Result<PartSummary> {
        let open = self.open_upload(commit.bucket, &commit.key, commit.upload)?;
        let replaced = open.parts.get(&commit.part.summary.number).map_or(0, |part| part.summary.size);
        self.check_blobs(&commit.part.extents)?;
        self.check_part_quota(commit.bucket, commit.part.summary.size, replaced)?;
        for id in rules::blobs_of(&commit.part.extents) {
            self.garbage.remove(&id);
        }
        let summary = PartSummary { last_modified: now, ..commit.part.summary };
        let part = PartRecord { summary, extents: commit.part.extents };
        let upload = self.uploads.open.get_mut(&(commit.bucket, commit.key, commit.upload)).expect("seen above");
        if let Some(replaced) = upload.parts.insert(summary.number, part) {
            self.retire(&replaced.extents, now);
        }
        Ok(summary)
    }

    fn check_part_quota(&self, bucket: BucketId, size: u64, replaced: u64) -> Result<()> {
        let quota = self.quota(bucket);
        if quota == BucketQuota::default() {
            return Ok(());
        }
        let held = self.usage(bucket);
        let bytes = held.bytes + held.part_bytes + size - replaced;
        let growth = Growth { objects: held.objects, bytes, more_objects: false, more_bytes: size > replaced };
        rules::check_quota(quota, growth)
    }

    pub(super) fn complete_upload(&mut self, commit: CompleteCommit, now: Wall) -> Result<CompletedUpload> {
        let id = (commit.bucket, commit.key.clone(), commit.upload);
        let Some(open) = self.uploads.open.get(&id) else {
            return rules::repeated_completion(&commit, self.uploads.completed.get(&commit.upload).cloned(), now);
        };
        let uploaded: Vec<PartSummary> = open.parts.values().map(|part| part.summary).collect();
        let chosen = rules::chosen_parts(&commit.parts, &uploaded, commit.part_bytes_min)?;
        let bucket = self.buckets.get(&commit.bucket).ok_or(StoreError::NotFound(What::Bucket))?;
        let version = rules::version_of_write(bucket.versioning, commit.version);
        let present = self.objects.get(&(commit.bucket, commit.key)).map(|o| o.etag);
        rules::check_condition(commit.condition, present)?;
        let extents = chosen.iter().flat_map(|part| open.parts[&part.number].extents.clone());
        let object = rules::completed_object(open.record.clone(), &chosen, &commit.expected, extents, version, now)?;
        let object = rules::retained(object, &bucket.settings);
        self.check_lock(&object, now)?;

        if self.quota(object.bucket) != BucketQuota::default() {
            let mut held = self.usage(object.bucket);
            held.part_bytes -= open.bytes();
            self.check_quota_from(object.bucket, held, &[&object])?;
        }

        let done = rules::completed_upload(&object);
        let list = (object.etag, object.last_modified, rules::object_parts(&chosen));
        let version = version_of_key(&object);
        self.place(object, now);
        self.uploads.parts.insert(version, list);
        self.end_upload(&id, now);
        self.uploads.forget_outdated(now);
        self.uploads.completed.insert(commit.upload, done.clone());
        Ok(done)
    }

    pub(super) fn object_parts(&self, object: &ObjectRecord) -> Option<Vec<ObjectPart>> {
        let (etag, modified, parts) = self.uploads.parts.get(&version_of_key(object))?;
        let is_it = (*etag, *modified) == (object.etag, object.last_modified) && !object.extents.is_empty();
        is_it.then(|| parts.clone())
    }

    pub(super) fn abort_upload(&mut self, bucket: BucketId, key: &ObjectKey, id: UploadId, now: Wall) -> Result<()> {
        self.open_upload(bucket, key, id)?;
        self.end_upload(&(bucket, key.clone(), id), now);
        Ok(())
    }

    /// Removes an open upload; blobs that only its parts named become garbage.
    fn end_upload(&mut self, id: &(BucketId, ObjectKey, UploadId), now: Wall) {
        let Some(gone) = self.uploads.open.remove(id) else { return };
        for part in gone.parts.values() {
            self.retire(&part.extents, now);
        }
    }

    pub(super) fn upload(&self, bucket: BucketId, key: &ObjectKey, id: UploadId) -> Option<UploadRecord> {
        self.open_upload(bucket, key, id).ok().map(|open| open.record.clone())
    }

    pub(super) fn list_parts(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        id: UploadId,
        after: u32,
        limit: usize,
    ) -> Result<Page<PartSummary>> {
        let parts = &self.open_upload(bucket, key, id)?.parts;
        let behind = parts.values().map(|part| part.summary).filter(|part| part.number > after);
        Ok(rules::page(behind.collect(), limit))
    }

    pub(super) fn list_uploads(&self, bucket: BucketId, query: &UploadsQuery) -> Page<UploadEntry> {
        let mut entries: Vec<UploadEntry> = Vec::new();
        for ((b, key, id), open) in &self.uploads.open {
            if *b != bucket || !key.as_bytes().starts_with(&query.prefix) {
                continue;
            }
            let rolled_up = rules::rolled_up(key.as_bytes(), &query.prefix, query.delimiter.as_deref());
            let is_behind = query.after.as_deref().is_none_or(|after| match rolled_up {
                Some(prefix) => prefix > after,
                None if key.as_bytes() == after => query.after_id.is_some_and(|marker| *id > marker),
                None => key.as_bytes() > after,
            });
            let entry = match rolled_up {
                Some(prefix) => UploadEntry::Prefix(prefix.to_vec()),
                None => {
                    let UploadRecord { initiated, checksum, storage_class, .. } = open.record;
                    let id = *id;
                    UploadEntry::Upload(UploadSummary { key: key.clone(), id, initiated, checksum, storage_class })
                }
            };
            if is_behind && entries.last() != Some(&entry) {
                entries.push(entry);
            }
            if entries.len() > query.limit {
                break;
            }
        }
        rules::page(entries, query.limit)
    }

    pub(super) fn audit_parts(&self, after: Option<(UploadId, u32)>, limit: usize) -> Vec<PartAudit> {
        let mut parts: Vec<PartAudit> = Vec::new();
        for ((bucket, key, upload), open) in &self.uploads.open {
            let audit = |part: &PartRecord| PartAudit {
                bucket: *bucket,
                key: key.clone(),
                upload: *upload,
                part: part.clone(),
            };
            parts.extend(open.parts.values().map(audit));
        }
        let place = |audit: &PartAudit| (audit.upload, audit.part.summary.number);
        parts.retain(|audit| after.is_none_or(|after| place(audit) > after));
        parts.sort_by_key(place);
        parts.truncate(limit);
        parts
    }
}
