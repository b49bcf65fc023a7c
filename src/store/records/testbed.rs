//! Objects and uploads for the tests of this room and of the transports, made in one place. A test says only what it is about:
//! `ObjectRecord { kind, ..empty_object("k") }`.

use bytes::Bytes;

use super::{
    BucketId, ContentHeaders, ETag, Extent, ObjectAttributes, ObjectKey, ObjectKind, ObjectRecord, StorageClass,
    UploadId, UploadRecord,
};
use crate::clock::Wall;
use crate::store::digest::Crc64;

/// An empty object of the first bucket, with nothing set that may be left out.
pub(crate) fn empty_object(key: impl AsRef<[u8]>) -> ObjectRecord {
    ObjectRecord {
        bucket: BucketId(1),
        key: ObjectKey::new(key.as_ref()).expect("a valid key"),
        kind: ObjectKind::Normal,
        size: 0,
        etag: ETag { digest: [0; 16], parts: None },
        crc64: 0,
        content_md5: None,
        last_modified: Wall(0),
        acl: None,
        headers: ContentHeaders::default(),
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        version: None,
        extents: Vec::new(),
    }
}

/// The same in this bucket with a body that stands in the record itself, and whose CRC-64 is true. The entity tag is made up.
pub(crate) fn inline_object(bucket: BucketId, key: impl AsRef<[u8]>, body: &[u8]) -> ObjectRecord {
    let mut crc = Crc64::new();
    crc.update(body);
    ObjectRecord {
        bucket,
        size: body.len() as u64,
        etag: ETag { digest: [1; 16], parts: None },
        crc64: crc.value(),
        extents: vec![Extent::Inline(Bytes::copy_from_slice(body))],
        ..empty_object(key)
    }
}

/// An open upload of this key with nothing set that may be left out.
pub(crate) fn empty_upload(bucket: BucketId, key: impl AsRef<[u8]>, id: UploadId) -> UploadRecord {
    let ObjectRecord { key, acl, headers, user_metadata, tags, storage_class, attributes, .. } = empty_object(key);
    let (initiated, checksum) = (Wall(0), None);
    UploadRecord { bucket, key, id, initiated, acl, headers, user_metadata, tags, storage_class, attributes, checksum }
}
