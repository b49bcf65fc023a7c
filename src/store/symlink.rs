//! Symlinks: what a reader sees who follows one. One step: a symlink to a symlink leads nowhere.

use super::{ObjectKey, ObjectKind, ObjectRecord};

impl ObjectRecord {
    /// The key that a symlink stands for; `None` for any other object.
    pub fn symlink_target(&self) -> Option<ObjectKey> {
        let target = self.attributes.symlink.as_ref().filter(|_| self.kind == ObjectKind::Symlink)?;
        ObjectKey::new(target.as_bytes())
    }

    /// This symlink with the body of its target: size, digests and bytes are the target's, the time is the later one, all
    /// else is the link's own. Whether it must be restored first is told by the colder of the two.
    #[must_use]
    pub fn seen_through(self, target: ObjectRecord) -> ObjectRecord {
        let mut seen = ObjectRecord {
            size: target.size,
            etag: target.etag,
            crc64: target.crc64,
            content_md5: target.content_md5,
            extents: target.extents,
            last_modified: self.last_modified.max(target.last_modified),
            ..self
        };
        // These speak of the bytes.
        seen.attributes.checksum = target.attributes.checksum;
        seen.attributes.encryption_stated = target.attributes.encryption_stated;
        if target.storage_class >= seen.storage_class {
            seen.storage_class = target.storage_class;
            seen.attributes.restored_until_ms = target.attributes.restored_until_ms;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Wall;
    use crate::store::records::testbed::empty_object;
    use crate::store::{Extent, ObjectKind, ObjectRecord, StorageClass};

    fn link() -> ObjectRecord {
        let mut link = ObjectRecord { kind: ObjectKind::Symlink, ..empty_object("link") };
        link.attributes.symlink = Some("a/b".into());
        link.headers.content_type = Some("text/plain".into());
        link
    }

    #[test]
    fn only_a_symlink_has_a_target() {
        assert_eq!(link().symlink_target().expect("there").as_bytes(), b"a/b");
        assert_eq!(ObjectRecord { kind: ObjectKind::Normal, ..link() }.symlink_target(), None);
        assert_eq!(empty_object("k").symlink_target(), None);
    }

    #[test]
    fn the_body_is_the_targets_and_the_rest_the_links() {
        let mut target = empty_object("a/b");
        (target.size, target.crc64, target.content_md5) = (3, 7, Some([1; 16]));
        target.extents = vec![Extent::Inline("abc".into())];
        target.headers.content_type = Some("video/mp2t".into());
        target.last_modified = Wall(9);
        let seen = link().seen_through(target.clone());
        assert_eq!((seen.size, seen.crc64, seen.content_md5, seen.etag), (3, 7, Some([1; 16]), target.etag));
        assert_eq!((seen.extents, seen.last_modified), (target.extents, Wall(9)));
        assert_eq!((seen.key.as_bytes(), seen.kind), (&b"link"[..], ObjectKind::Symlink));
        assert_eq!(seen.headers.content_type, Some("text/plain".into()));
        let later = ObjectRecord { last_modified: Wall(20), ..link() };
        assert_eq!(later.seen_through(empty_object("a/b")).last_modified, Wall(20));
    }

    #[test]
    fn the_colder_of_the_two_says_whether_a_restore_is_needed() {
        use StorageClass::{Archive, InfrequentAccess, Standard};
        let of = |class, until| {
            let mut object = ObjectRecord { storage_class: class, ..link() };
            object.attributes.restored_until_ms = until;
            object
        };
        for (own, targets, class, until) in [
            (of(Standard, None), of(Archive, Some(5)), Archive, Some(5)),
            (of(InfrequentAccess, None), of(Standard, None), InfrequentAccess, None),
            (of(Archive, Some(3)), of(Standard, None), Archive, Some(3)),
            (of(Archive, Some(3)), of(Archive, None), Archive, None),
        ] {
            let seen = own.seen_through(targets);
            assert_eq!((seen.storage_class, seen.attributes.restored_until_ms), (class, until));
            assert_eq!(seen.symlink_target().expect("still a link").as_bytes(), b"a/b");
        }
    }
}
