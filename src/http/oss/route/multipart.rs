//! Requests about multipart uploads: `uploads`, and `uploadId` with its arguments.

use http::Method;

use super::{bad_argument, copy_source, digits, page_size, url_encoding};
use crate::http::oss::error::OssError;
use crate::http::oss::operation::{
    ListPartsQuery, ListUploadsQuery, MAX_PARTS_DEFAULT, OssOperation, Query, UploadTarget,
};
use crate::limits::PART_NUMBER_MAX;
use crate::store::{ObjectKey, UploadId};

pub(super) fn route_upload(
    method: &Method,
    key: ObjectKey,
    source: Option<&[u8]>,
    query: &Query,
) -> Result<OssOperation, OssError> {
    let id = query.filled("uploadId").ok_or_else(|| OssError::missing_argument("uploadId"))?;
    let number = match query.filled("partNumber") {
        Some(value) => {
            Some(part_number(value).ok_or_else(|| OssError::invalid_part_number(&String::from_utf8_lossy(value)))?)
        }
        None => None,
    };
    let upload = UploadTarget { key, id: upload_id(id).ok_or_else(|| no_such_upload(id))? };
    match (method.as_str(), number) {
        ("PUT", None) => Err(OssError::missing_argument("partNumber")),
        ("PUT", Some(number)) => match source {
            None => Ok(OssOperation::UploadPart { upload, number }),
            Some(source) => {
                let (source_bucket, source_key, source_version) = copy_source(source)?;
                Ok(OssOperation::UploadPartCopy { upload, number, source_bucket, source_key, source_version })
            }
        },
        ("POST", _) => Ok(OssOperation::CompleteMultipartUpload { upload, url_encoding: url_encoding(query)? }),
        ("DELETE", _) => Ok(OssOperation::AbortMultipartUpload(upload)),
        _ => Ok(OssOperation::ListParts(ListPartsQuery {
            upload,
            marker: part_number_marker(query)?,
            max_parts: page_argument(query, "max-parts")?,
            url_encoding: url_encoding(query)?,
        })),
    }
}

pub(super) fn route_list_uploads(query: &Query) -> Result<OssOperation, OssError> {
    let bytes = |name| query.get(name).unwrap_or_default().to_vec();
    let key_marker = bytes("key-marker");
    let upload_id_marker = match query.filled("upload-id-marker").filter(|_| !key_marker.is_empty()) {
        None => None,
        Some(value) => Some(upload_id(value).ok_or_else(|| {
            bad_argument(query, "upload-id-marker", "Argument upload-id-marker must be an upload id.")
        })?),
    };
    Ok(OssOperation::ListMultipartUploads(ListUploadsQuery {
        prefix: bytes("prefix"),
        delimiter: bytes("delimiter"),
        key_marker,
        upload_id_marker,
        max_uploads: page_argument(query, "max-uploads")?,
        url_encoding: url_encoding(query)?,
    }))
}

fn upload_id(value: &[u8]) -> Option<UploadId> {
    UploadId::parse(std::str::from_utf8(value).ok()?)
}

fn no_such_upload(id: &[u8]) -> OssError {
    OssError::no_such_upload(&String::from_utf8_lossy(id))
}

fn part_number(value: &[u8]) -> Option<u32> {
    digits(value)?.try_into().ok().filter(|number| (1..=PART_NUMBER_MAX).contains(number))
}

/// Any number will do; nothing lies behind the last there can be.
fn part_number_marker(query: &Query) -> Result<u32, OssError> {
    let Some(value) = query.filled("part-number-marker") else { return Ok(0) };
    match digits(value) {
        Some(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        None => {
            let message = "Argument part-number-marker must be a non-negative integer.";
            Err(bad_argument(query, "part-number-marker", message))
        }
    }
}

/// `max-parts` and `max-uploads`: 1 to 1000, and 1000 when nothing is said.
fn page_argument(query: &Query, name: &'static str) -> Result<usize, OssError> {
    let Some(value) = query.filled(name) else { return Ok(MAX_PARTS_DEFAULT) };
    let message = || format!("Argument {name} must be an integer between 1 and 1000.");
    page_size(value).ok_or_else(|| bad_argument(query, name, &message()))
}
