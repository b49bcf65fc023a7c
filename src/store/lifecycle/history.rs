//! What a walk over versions, each key's newest first, knows of the key that it is at.

use super::rules::{Judged, Lifecycle, Verdict};
use super::seen::{Seen, SeenAs};
use crate::clock::Wall;
use crate::store::{ObjectKey, StorageClass, VersionEntry, VersionName};

/// Goes with the walk from page to page.
#[derive(Debug, Default)]
pub(super) struct History {
    key: Option<ObjectKey>,
    /// Versions of the key so far, this one included.
    versions: u32,
    /// When this version was made, and the one before it, which is newer.
    made: Wall,
    newer_made: Wall,
    /// The newest version is this marker, and no other was seen yet.
    lone_marker: Option<Seen>,
}

/// A version that is not current.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) seen: Seen,
    /// When the next newer one was made: since then this one is not current.
    pub(super) since: Wall,
    /// How many that are not current either are newer.
    pub(super) newer: u32,
}

impl History {
    /// Takes the next version in. Returns the marker before it, when that was alone and is to be removed.
    pub(super) fn step(&mut self, entry: &VersionEntry, lifecycle: &Lifecycle, now: Wall) -> Option<(Verdict, Seen)> {
        let (key, version, made, is_marker) = match entry {
            VersionEntry::Object { summary, version, .. } => (&summary.key, *version, summary.last_modified, false),
            VersionEntry::Marker { key, marker, .. } => (key, marker.version, marker.last_modified, true),
            VersionEntry::Prefix(_) => return None,
        };
        let mut due = None;
        if self.key.as_ref() != Some(key) {
            due = self.finish(lifecycle, now);
            *self = History { key: Some(key.clone()), ..History::default() };
        }
        self.versions += 1;
        (self.newer_made, self.made) = (self.made, made);
        let what = SeenAs::LoneMarker(VersionName::from(version));
        let is_lone = is_marker && self.versions == 1;
        self.lone_marker = is_lone.then(|| Seen { key: key.clone(), what, last_modified: made });
        due
    }

    /// The walk is over, or goes on to another key.
    pub(super) fn finish(&mut self, lifecycle: &Lifecycle, now: Wall) -> Option<(Verdict, Seen)> {
        let lone = self.lone_marker.take()?;
        lifecycle.removes_marker(lone.key.as_bytes(), lone.last_modified, now).then_some((Verdict::Expire, lone))
    }

    /// The version that was taken in last, unless it is the newest of its key; and how it is judged.
    pub(super) fn kept<'a>(&self, entry: &'a VersionEntry) -> Option<(Kept, Judged<'a>)> {
        let newer = self.versions.checked_sub(2)?;
        let (judged, version) = match entry {
            VersionEntry::Object { summary, version, .. } => (Judged::of(summary), *version),
            // It has no body to move, and no tags.
            VersionEntry::Marker { key, marker, .. } => {
                let class = StorageClass::DeepColdArchive;
                let judged =
                    Judged { key: key.as_bytes(), size: 0, class, changed: marker.last_modified, tags: Some(&[]) };
                (judged, marker.version)
            }
            VersionEntry::Prefix(_) => return None,
        };
        let key = self.key.clone()?;
        let seen = Seen { key, what: SeenAs::Kept(VersionName::from(version)), last_modified: self.made };
        Some((Kept { seen, since: self.newer_made, newer }, judged))
    }
}
