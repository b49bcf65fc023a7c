//! Lifecycle rules, and what they do to objects.

use super::State;
use crate::clock::Wall;
use crate::store::*;

impl State {
    pub(super) fn next_lifecycle(&self, after: Option<BucketId>) -> Option<(BucketId, Versioning, Lifecycle)> {
        let (bucket, lifecycle) =
            self.lifecycles.iter().find(|(bucket, _)| after.is_none_or(|after| **bucket > after))?;
        Some((*bucket, self.buckets.get(bucket)?.versioning, lifecycle.clone()))
    }

    pub(super) fn expire(&mut self, bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> u64 {
        let mut count = 0;
        for Expiry { seen, marker } in expired {
            if self.is_as_seen(bucket, &seen) {
                let target = DeleteTarget { key: seen.key, version: seen.what.version(), marker };
                let outcome = self.delete_target(bucket, target, false, now);
                count += u64::from(outcome != DeleteOutcome::Locked);
            }
        }
        count
    }

    pub(super) fn change_class(&mut self, bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> u64 {
        let mut count = 0;
        for seen in seen.into_iter().filter(|seen| self.is_as_seen(bucket, seen)).collect::<Vec<_>>() {
            if let Ok(object) = self.object_mut(bucket, &seen.key, seen.what.version()) {
                object.storage_class = class;
                count += 1;
            }
        }
        count
    }

    fn is_as_seen(&self, bucket: BucketId, seen: &Seen) -> bool {
        let id = (bucket, seen.key.clone());
        let history: Vec<Versioned> = self.history(&id).collect();
        let is_the_one = |version: &Versioned, name: VersionName| {
            version.id() == name.id() && version.last_modified() == seen.last_modified
        };
        match seen.what {
            SeenAs::Current(etag) => self
                .objects
                .get(&id)
                .is_some_and(|object| (object.etag, object.last_modified) == (etag, seen.last_modified)),
            SeenAs::Kept(name) => history.iter().skip(1).any(|version| is_the_one(version, name)),
            SeenAs::LoneMarker(name) => match &history[..] {
                [version @ Versioned::Marker(_)] => is_the_one(version, name),
                _ => false,
            },
        }
    }
}
