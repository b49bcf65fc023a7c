//! Which blobs are named, and which are garbage.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::clock::Wall;
use crate::store::meta::rules::{self};
use crate::store::*;

#[derive(Debug)]
pub(super) struct Garbage {
    pub(super) since: Wall,
    /// Handed to the collector: its bytes may be gone, so it is never named again.
    pub(super) taken: bool,
}

impl State {
    pub(super) fn take_garbage(&mut self, before: Wall, limit: usize) -> Result<Vec<BlobId>> {
        let mut due: Vec<_> = self.garbage.iter_mut().filter(|(_, g)| g.since < before).collect();
        due.sort_by_key(|(id, g)| (g.since, **id));
        due.truncate(limit);
        Ok(due
            .into_iter()
            .map(|(id, garbage)| {
                garbage.taken = true;
                *id
            })
            .collect())
    }

    pub(super) fn blob_states(&mut self, ids: &[BlobId]) -> Result<Vec<BlobState>> {
        let mut furthest: BTreeMap<BlobId, u64> = BTreeMap::new();
        for extent in self.extents() {
            if let Extent::Blob { id, offset, length } = extent {
                let end = furthest.entry(*id).or_default();
                *end = (*end).max(offset + length);
            }
        }
        let state = |id: &BlobId| match furthest.get(id) {
            Some(end) => BlobState::Named(*end),
            None if self.garbage.contains_key(id) => BlobState::Garbage,
            None => BlobState::Unknown,
        };
        Ok(ids.iter().map(state).collect())
    }

    pub(super) fn audit_backend(&mut self) -> Result<Vec<String>> {
        let named: BTreeSet<BlobId> =
            self.extents().flat_map(|extent| rules::blobs_of(std::slice::from_ref(extent))).collect();
        let both = self.garbage.keys().filter(|id| named.contains(id));
        Ok(both.map(|id| format!("blob {id} is named and garbage at once")).collect())
    }

    /// The extents of everything that has a body.
    pub(super) fn extents(&self) -> impl Iterator<Item = &Extent> {
        let current = self.objects.values().flat_map(|object| &object.extents);
        current.chain(self.versions.extents()).chain(self.uploads.extents())
    }

    pub(super) fn is_named(&self, id: BlobId) -> bool {
        self.extents().any(|extent| matches!(extent, Extent::Blob { id: named, .. } if *named == id))
    }

    /// A blob that the collector has taken cannot be named again.
    pub(super) fn check_blobs(&self, extents: &[Extent]) -> Result<()> {
        let taken = |id| self.garbage.get(&id).is_some_and(|g| g.taken);
        if rules::blobs_of(extents).any(taken) { Err(StoreError::NotFound(What::Blob)) } else { Ok(()) }
    }

    /// Blobs that nothing names any more become garbage.
    pub(super) fn retire(&mut self, gone: &[Extent], now: Wall) {
        for id in rules::blobs_of(gone) {
            if !self.is_named(id) {
                self.garbage.entry(id).or_insert(Garbage { since: now, taken: false });
            }
        }
    }
}
