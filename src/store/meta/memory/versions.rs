//! Versions that are not the current object of their key, and delete markers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::State;
use super::objects::summary;
use crate::clock::Wall;
use crate::store::meta::rules;
use crate::store::*;

/// The identity of an object among all buckets.
pub(super) type ObjectId = (BucketId, ObjectKey);

/// What stands behind the current object of each key, or behind its absence; the newest last, never empty.
#[derive(Debug, Default)]
pub(super) struct Versions(BTreeMap<ObjectId, Vec<Versioned>>);

impl Versions {
    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectRecord> {
        self.0.values().flatten().filter_map(|version| match version {
            Versioned::Object(object) => Some(&**object),
            Versioned::Marker(_) => None,
        })
    }

    /// The extents of all bodies.
    pub(super) fn extents(&self) -> impl Iterator<Item = &Extent> {
        self.objects().flat_map(|object| &object.extents)
    }

    pub(super) fn any_in(&self, bucket: BucketId) -> bool {
        self.0.keys().any(|(b, _)| *b == bucket)
    }

    /// How many markers a bucket has.
    pub(super) fn markers_in(&self, bucket: BucketId) -> u64 {
        let all = self.0.iter().filter(|((b, _), _)| *b == bucket).flat_map(|(_, history)| history);
        all.filter(|version| matches!(version, Versioned::Marker(_))).count() as u64
    }

    fn push(&mut self, id: ObjectId, version: Versioned) {
        self.0.entry(id).or_default().push(version);
    }

    fn pop_if(&mut self, id: &ObjectId, wanted: impl FnOnce(&mut Versioned) -> bool) -> Option<Versioned> {
        let history = self.0.get_mut(id)?;
        let popped = history.pop_if(wanted);
        if history.is_empty() {
            self.0.remove(id);
        }
        popped
    }

    fn get(&self, id: &ObjectId) -> &[Versioned] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    fn remove(&mut self, id: &ObjectId, version: Option<VersionId>) -> Option<Versioned> {
        let history = self.0.get_mut(id)?;
        let at = history.iter().position(|v| v.id() == version)?;
        let removed = history.remove(at);
        if history.is_empty() {
            self.0.remove(id);
        }
        Some(removed)
    }
}

impl State {
    /// Puts an object on top of its key's history. Only what has the same identity gives way.
    pub(super) fn place(&mut self, object: ObjectRecord, now: Wall) {
        for id in rules::blobs_of(&object.extents) {
            self.garbage.remove(&id);
        }
        let (id, version) = ((object.bucket, object.key.clone()), object.version);
        let replaced = match self.objects.insert(id.clone(), object) {
            Some(present) if present.version == version => Some(Versioned::Object(Arc::new(present))),
            Some(present) => {
                self.versions.push(id.clone(), Versioned::Object(Arc::new(present)));
                self.versions.remove(&id, version)
            }
            None => self.versions.remove(&id, version),
        };
        self.retire_version(replaced, now);
    }

    fn retire_version(&mut self, gone: Option<Versioned>, now: Wall) {
        if let Some(Versioned::Object(object)) = gone {
            self.uploads.forget_parts(&object);
            self.retire(&object.extents, now);
        }
    }

    /// Removes a version for good, wherever it stands.
    fn remove_version(&mut self, id: &ObjectId, version: Option<VersionId>, now: Wall) -> Option<Versioned> {
        let is_current = self.objects.get(id).is_some_and(|object| object.version == version);
        let removed = match is_current {
            true => self.objects.remove(id).map(|object| Versioned::Object(Arc::new(object))),
            false => self.versions.remove(id, version),
        };
        self.retire_version(removed.clone(), now);
        removed
    }

    /// Where a key has no current object, its newest version is one again unless it is a marker.
    fn promote(&mut self, id: &ObjectId) {
        if !self.objects.contains_key(id)
            && let Some(Versioned::Object(object)) =
                self.versions.pop_if(id, |newest| matches!(newest, Versioned::Object(_)))
        {
            self.objects.insert(id.clone(), Arc::unwrap_or_clone(object));
        }
    }

    /// Judges whether a write may take the place of what has the same identity.
    pub(super) fn check_lock(&self, object: &ObjectRecord, now: Wall) -> Result<()> {
        let id = (object.bucket, object.key.clone());
        self.check_lock_of(&id, object.version, false, now)
    }

    fn check_lock_of(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        bypass_governance: bool,
        now: Wall,
    ) -> Result<()> {
        match self.object_version(id, Some(version.into())) {
            Some(Versioned::Object(object)) => rules::check_lock(&object.attributes, bypass_governance, now),
            Some(Versioned::Marker(_)) | None => Ok(()),
        }
    }

    pub(super) fn delete_target(
        &mut self,
        bucket: BucketId,
        target: DeleteTarget,
        bypass_governance: bool,
        now: Wall,
    ) -> DeleteOutcome {
        let versioning = self.buckets.get(&bucket).map(|bucket| bucket.versioning).unwrap_or_default();
        let id = (bucket, target.key);
        // What goes for good: the version that is named, or the null version whose place is taken.
        let removed = match target.version {
            Some(name) => Some(name.id()),
            None => rules::version_of_write(versioning, Some(target.marker)).is_none().then_some(None),
        };
        if removed.is_some_and(|version| self.check_lock_of(&id, version, bypass_governance, now).is_err()) {
            return DeleteOutcome::Locked;
        }
        let outcome = match target.version {
            Some(name) => {
                let removed = self.remove_version(&id, name.id(), now);
                self.promote(&id);
                DeleteOutcome::VersionRemoved { was_marker: matches!(removed, Some(Versioned::Marker(_))) }
            }
            None if versioning == Versioning::Never => {
                self.remove_version(&id, None, now);
                DeleteOutcome::Deleted
            }
            None => {
                let version = rules::version_of_write(versioning, Some(target.marker));
                if version.is_none() {
                    self.remove_version(&id, None, now);
                }
                if let Some(current) = self.objects.remove(&id) {
                    self.versions.push(id.clone(), Versioned::Object(Arc::new(current)));
                }
                let marker = DeleteMarker { version, last_modified: now };
                self.versions.push(id.clone(), Versioned::Marker(marker));
                DeleteOutcome::MarkerMade(version)
            }
        };
        if let Some((channel, name_ms)) = rules::fragment_of(&id.1)
            && !self.objects.contains_key(&id)
        {
            self.fragments.remove(&((bucket, channel), name_ms));
        }
        outcome
    }

    pub(super) fn object_version(&self, id: &ObjectId, version: Option<VersionName>) -> Option<Versioned> {
        let mut newest_first = self.history(id);
        match version {
            None => newest_first.next(),
            Some(name) => newest_first.find(|version| version.id() == name.id()),
        }
    }

    pub(super) fn history(&self, id: &ObjectId) -> impl Iterator<Item = Versioned> {
        let current = self.objects.get(id).map(|object| Versioned::Object(Arc::new(object.clone())));
        current.into_iter().chain(self.versions.get(id).iter().rev().cloned())
    }

    /// The object of a version, to be changed.
    pub(super) fn object_mut(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
    ) -> Result<&mut ObjectRecord> {
        let id = (bucket, key.clone());
        let current = self.objects.get_mut(&id);
        let Some(name) = version else { return current.ok_or(StoreError::NotFound(What::Object)) };
        if let Some(current) = current.filter(|object| object.version == name.id()) {
            return Ok(current);
        }
        let mut history = self.versions.0.get_mut(&id).into_iter().flatten();
        match history.find(|version| version.id() == name.id()) {
            Some(Versioned::Object(object)) => Ok(Arc::make_mut(object)),
            Some(Versioned::Marker(_)) => Err(StoreError::IsMarker),
            None => Err(StoreError::NotFound(What::Version)),
        }
    }

    pub(super) fn list_versions(&self, bucket: BucketId, query: &VersionsQuery) -> Page<VersionEntry> {
        let keys: BTreeSet<&ObjectKey> = self
            .objects
            .keys()
            .chain(self.versions.0.keys())
            .filter(|(b, key)| *b == bucket && key.as_bytes().starts_with(&query.prefix))
            .map(|(_, key)| key)
            .collect();
        let mut entries: Vec<VersionEntry> = Vec::new();
        for key in keys {
            let after = query.after.as_deref();
            if let Some(prefix) = rules::rolled_up(key.as_bytes(), &query.prefix, query.delimiter.as_deref()) {
                let entry = VersionEntry::Prefix(prefix.to_vec());
                if after.is_none_or(|after| prefix > after) && entries.last() != Some(&entry) {
                    entries.push(entry);
                }
            } else if after.is_none_or(|after| key.as_bytes() > after) {
                entries.extend(self.entries(bucket, key));
            } else if let Some(marker) = query.after_version.filter(|_| after == Some(key.as_bytes())) {
                entries.extend(behind(marker, self.entries(bucket, key)));
            }
            if entries.len() > query.limit {
                break;
            }
        }
        rules::page(entries, query.limit)
    }

    fn entries(&self, bucket: BucketId, key: &ObjectKey) -> Vec<VersionEntry> {
        let entry = |(at, version): (usize, Versioned)| {
            let is_latest = at == 0;
            match version {
                Versioned::Object(object) => {
                    VersionEntry::Object { summary: summary(&object), version: object.version, is_latest }
                }
                Versioned::Marker(marker) => VersionEntry::Marker { key: key.clone(), marker, is_latest },
            }
        };
        self.history(&(bucket, key.clone())).enumerate().map(entry).collect()
    }

    pub(super) fn audit_versions(&self, after: Option<VersionMark>, limit: usize) -> Vec<ObjectRecord> {
        let place = |object: &ObjectRecord| (object.bucket, object.key.clone(), object.version);
        let mut objects: Vec<ObjectRecord> = self.versions.objects().cloned().collect();
        objects.retain(|object| after.as_ref().is_none_or(|after| place(object) > *after));
        objects.sort_by_key(place);
        objects.truncate(limit);
        objects
    }
}

/// Of a key's versions those behind the marker of a listing.
fn behind(marker: VersionName, entries: Vec<VersionEntry>) -> Vec<VersionEntry> {
    let place = |entry: &VersionEntry| match entry {
        VersionEntry::Object { summary, version, .. } => (*version, summary.last_modified),
        VersionEntry::Marker { marker, .. } => (marker.version, marker.last_modified),
        VersionEntry::Prefix(_) => unreachable!("versions of one key"),
    };
    let from = match entries.iter().position(|entry| place(entry).0 == marker.id()) {
        Some(at) => at + 1,
        None => {
            let older = |entry: &VersionEntry| {
                let (version, modified) = place(entry);
                rules::is_older(version, modified, marker)
            };
            entries.iter().position(older).unwrap_or(entries.len())
        }
    };
    entries.into_iter().skip(from).collect()
}
