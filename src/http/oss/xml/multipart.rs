//! Documents of multipart uploads.

use bytes::Bytes;

use super::read::{Element, long_document};
use super::{Names, time_text, write_copy_result};
use crate::http::oss::class::class_text;
use crate::http::oss::error::OssError;
use crate::http::oss::operation::{ListPartsQuery, ListUploadsQuery};
use crate::http::xml::Writer;
use crate::limits::{OSS_COMPLETE_PARTS_MAX, OSS_COMPLETE_XML_BYTES_MAX, OSS_COMPLETE_XML_ELEMENTS_MAX};
use crate::store::{
    BucketRecord, CompletedUpload, ListedPart, ObjectKey, Page, PartSummary, StorageClass, UploadEntry, UploadId,
};

/// `CopyPartResult`.
pub fn copy_part_result(part: &PartSummary) -> Bytes {
    Writer::document("CopyPartResult", |w| write_copy_result(w, part.etag(), part.last_modified))
}

/// `InitiateMultipartUploadResult`.
pub fn initiate_multipart_upload_result(bucket: &str, key: &ObjectKey, id: UploadId, url_encoding: bool) -> Bytes {
    let names = Names { url: url_encoding };
    Writer::document("InitiateMultipartUploadResult", |w| {
        names.write_encoding(w);
        w.text("Bucket", bucket);
        names.write(w, "Key", key.as_bytes());
        w.text("UploadId", id);
    })
}

/// `CompleteMultipartUploadResult`. `location` is the object's address.
pub fn complete_multipart_upload_result(
    bucket: &str,
    location: &str,
    done: &CompletedUpload,
    url_encoding: bool,
) -> Bytes {
    let names = Names { url: url_encoding };
    Writer::document("CompleteMultipartUploadResult", |w| {
        names.write_encoding(w);
        w.text("Location", location);
        w.text("Bucket", bucket);
        names.write(w, "Key", done.key.as_bytes());
        w.text("ETag", format_args!("\"{}\"", done.etag.to_upper_hex()));
    })
}

/// `ListPartsResult`. Both markers and `IsTruncated` are always there: clients compute with them.
pub fn list_parts(bucket: &str, query: &ListPartsQuery, class: StorageClass, page: &Page<PartSummary>) -> Bytes {
    let names = Names { url: query.url_encoding };
    Writer::document("ListPartsResult", |w| {
        names.write_encoding(w);
        w.text("Bucket", bucket);
        names.write(w, "Key", query.upload.key.as_bytes());
        w.text("UploadId", query.upload.id);
        w.text("StorageClass", class_text(class));
        w.text("PartNumberMarker", query.marker);
        w.text("NextPartNumberMarker", page.entries.last().map_or(query.marker, |part| part.number));
        w.text("MaxParts", query.max_parts);
        w.text("IsTruncated", page.truncated);
        for part in &page.entries {
            w.element("Part", |w| {
                w.text("PartNumber", part.number);
                w.text("LastModified", time_text(part.last_modified));
                w.text("ETag", format_args!("\"{}\"", part.etag().to_upper_hex()));
                w.text("HashCrc64ecma", part.crc64);
                w.text("Size", part.size);
            });
        }
    })
}

/// `ListMultipartUploadsResult`. The next markers are always there, empty on the last page.
pub fn list_multipart_uploads(bucket: &BucketRecord, query: &ListUploadsQuery, page: &Page<UploadEntry>) -> Bytes {
    let names = Names { url: query.url_encoding };
    let id_text = |id: Option<UploadId>| id.map_or(String::new(), |id| id.to_string());
    let (next_key, next_id) = match page.entries.last().filter(|_| page.truncated) {
        None => (&[][..], None),
        Some(UploadEntry::Upload(upload)) => (upload.key.as_bytes(), Some(upload.id)),
        Some(UploadEntry::Prefix(prefix)) => (prefix.as_slice(), None),
    };
    Writer::document("ListMultipartUploadsResult", |w| {
        names.write_encoding(w);
        w.text("Bucket", &bucket.name);
        names.write(w, "KeyMarker", &query.key_marker);
        w.text("UploadIdMarker", id_text(query.upload_id_marker));
        names.write(w, "NextKeyMarker", next_key);
        w.text("NextUploadIdMarker", id_text(next_id));
        names.write(w, "Delimiter", &query.delimiter);
        names.write(w, "Prefix", &query.prefix);
        w.text("MaxUploads", query.max_uploads);
        w.text("IsTruncated", page.truncated);
        for entry in &page.entries {
            if let UploadEntry::Upload(upload) = entry {
                w.element("Upload", |w| {
                    names.write(w, "Key", upload.key.as_bytes());
                    w.text("UploadId", upload.id);
                    w.text("StorageClass", class_text(upload.storage_class));
                    w.text("Initiated", time_text(upload.initiated));
                });
            }
        }
        for entry in &page.entries {
            if let UploadEntry::Prefix(prefix) = entry {
                w.element("CommonPrefixes", |w| names.write(w, "Prefix", prefix));
            }
        }
    })
}

/// `CompleteMultipartUpload`. Whether the parts are there, and in order, is for the store to say.
pub fn read_complete_multipart_upload(body: &[u8]) -> Result<Vec<ListedPart>, OssError> {
    let (bytes_max, elements_max) = (OSS_COMPLETE_XML_BYTES_MAX, OSS_COMPLETE_XML_ELEMENTS_MAX);
    let root = long_document(body, "CompleteMultipartUpload", bytes_max, elements_max)?;
    let parts: Vec<ListedPart> = root.all("Part").map(read_listed_part).collect::<Result<_, _>>()?;
    if parts.is_empty() || parts.len() > OSS_COMPLETE_PARTS_MAX {
        return Err(OssError::malformed_xml());
    }
    Ok(parts)
}

/// The tag comes quoted or not, in either case. One that is no digest is no part's.
fn read_listed_part(part: &Element) -> Result<ListedPart, OssError> {
    let number = part.word_of("PartNumber").and_then(|word| word.parse().ok()).ok_or_else(OssError::malformed_xml)?;
    let etag = part.word_of("ETag").ok_or_else(OssError::malformed_xml)?;
    let mut md5 = [0; 16];
    let is_digest = hex::decode_to_slice(etag.trim_matches('"'), &mut md5).is_ok();
    Ok(ListedPart { number, md5: is_digest.then_some(md5), checksum: None })
}

#[cfg(test)]
mod tests;
