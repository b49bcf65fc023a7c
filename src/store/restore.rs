//! Storage classes, and restores of archived objects.
//!
//! All classes are kept alike, so a restore is done as soon as it is asked for; what remains of it is the time until which
//! the bytes can be read. That time is judged by the clock of whoever reads: no job ends a restore.

use super::{ObjectAttributes, ObjectRecord, ObjectSummary, StorageClass, VersionId};
use crate::clock::Wall;

/// What a restore came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The version that was restored.
    pub version: Option<VersionId>,
    /// Its bytes could be read before.
    pub was_readable: bool,
}

impl StorageClass {
    /// From the warmest to the coldest, which is the order of the values.
    pub const ALL: [StorageClass; 5] = [
        StorageClass::Standard,
        StorageClass::InfrequentAccess,
        StorageClass::Archive,
        StorageClass::ColdArchive,
        StorageClass::DeepColdArchive,
    ];

    /// Whether objects of this class are read only after a restore.
    pub fn needs_restore(self) -> bool {
        self >= StorageClass::Archive
    }

    /// Place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The time until which the bytes can be read, while there is one and it is not past.
fn current(class: StorageClass, until: Option<Wall>, now: Wall) -> Option<Wall> {
    until.filter(|until| class.needs_restore() && now < *until)
}

impl ObjectAttributes {
    /// [`restored_until_ms`](Self::restored_until_ms) as a time.
    pub fn restored_until(&self) -> Option<Wall> {
        self.restored_until_ms.map(Wall)
    }
}

impl ObjectRecord {
    /// Until when the bytes of an archived object can be read; `None` when they cannot, or need no restore.
    pub fn restored_until(&self, now: Wall) -> Option<Wall> {
        current(self.storage_class, self.attributes.restored_until(), now)
    }

    /// Whether the bytes cannot be read before a restore.
    pub fn is_frozen(&self, now: Wall) -> bool {
        self.storage_class.needs_restore() && self.restored_until(now).is_none()
    }
}

impl ObjectSummary {
    /// As [`ObjectRecord::restored_until`].
    pub fn restored_until(&self, now: Wall) -> Option<Wall> {
        current(self.storage_class, self.restored_until, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::testbed::empty_object;

    #[test]
    fn a_restore_lasts_until_its_time() {
        use StorageClass::{Archive, ColdArchive, DeepColdArchive, InfrequentAccess, Standard};
        for (class, until, now, readable_until, frozen) in [
            (Standard, None, 5, None, false),
            (InfrequentAccess, Some(9), 5, None, false),
            (Archive, None, 5, None, true),
            (Archive, Some(9), 8, Some(9), false),
            (Archive, Some(9), 9, None, true),
            (ColdArchive, Some(9), 5, Some(9), false),
            (DeepColdArchive, Some(4), 5, None, true),
        ] {
            let mut object = ObjectRecord { storage_class: class, ..empty_object("k") };
            object.attributes.restored_until_ms = until;
            let told = (object.restored_until(Wall(now)), object.is_frozen(Wall(now)));
            assert_eq!(told, (readable_until.map(Wall), frozen), "{class:?} {until:?} at {now}");
        }
    }

    #[test]
    fn classes_are_in_the_order_of_their_values() {
        for (index, class) in StorageClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
        }
        assert!(StorageClass::ALL.is_sorted());
    }
}
