//! `Tagging`, of buckets and of objects.

use bytes::Bytes;

use super::OSS_XML_BYTES_MAX;
use super::read::document;
use crate::http::oss::error::OssError;
use crate::http::xml::Writer;
use crate::store::Tag;

/// `Tagging`; without tags its `TagSet` is empty.
pub fn tagging(tags: &[Tag]) -> Bytes {
    Writer::document("Tagging", |w| {
        w.element("TagSet", |w| {
            for tag in tags {
                w.element("Tag", |w| {
                    w.text("Key", &tag.key);
                    w.text("Value", &tag.value);
                });
            }
        });
    })
}

/// `Tagging`. Whether the tags may be so, the operation judges.
pub fn read_tagging(body: &[u8]) -> Result<Vec<Tag>, OssError> {
    let root = document(body, "Tagging", OSS_XML_BYTES_MAX)?;
    let set = root.child("TagSet").ok_or_else(OssError::malformed_xml)?;
    let tag = |tag: &super::Element| {
        let key = tag.text_of("Key").ok_or_else(OssError::malformed_xml)?;
        Ok(Tag { key, value: tag.text_of("Value").unwrap_or_default() })
    };
    set.all("Tag").map(tag).collect()
}
