//! Symlinks: put, get, and what stands behind one. A target is a key of the same bucket; whether it is there, what it is
//! and who may read it is judged by who follows the link, not by who makes it.

use std::sync::Arc;

use http::StatusCode;
use http::header::{self, HeaderValue};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::OssError;
use super::object::{etag_value, existing_for_write, existing_object, put_request, readable_itself};
use super::route::object_key;
use super::service::Ask;
use super::versions;
use crate::auth::permission::Permission;
use crate::http::access::Wanted;
use crate::http::server::{Answer, http_date};
use crate::store::objects::Digests;
use crate::store::{BucketRecord, ETag, ObjectKey, ObjectKind, ObjectRecord};

const TARGET: &str = "x-oss-symlink-target";
/// Unreserved characters and `/` stay as they are.
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

pub(super) async fn put(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, key).await?;
    let target = target(ask)?;
    let mut request = put_request(ask, bucket, key, ObjectKind::Symlink)?;
    // A digest would be that of the request's empty body.
    request.expected_md5 = None;
    let body = ask.deps.objects.writer(Digests::Crc64).finish().await;
    let mut body = body.map_err(|error| ask.store_error(error))?;
    // All links have the same empty body; their tags tell them apart by where they lead.
    body.etag = ETag { digest: Md5::digest(&target).into(), parts: None };
    request.attributes.symlink = Some(target);
    let link = ask.deps.objects.put(request, body).await.map_err(|error| ask.key_error(error, key))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(link.etag));
    versions::show(bucket, link.version, &mut answer.headers);
    Ok(answer)
}

/// `x-oss-symlink-target`, URL-encoded.
fn target(ask: &Ask<'_>) -> Result<String, OssError> {
    let value = ask.head.headers.get(TARGET).ok_or_else(|| OssError::missing_argument(TARGET))?;
    let decoded: Vec<u8> = percent_encoding::percent_decode(value.as_bytes().trim_ascii()).collect();
    let invalid = || OssError::invalid_symlink_target(&String::from_utf8_lossy(value.as_bytes()));
    object_key(&decoded).map_err(|_| invalid())?;
    String::from_utf8(decoded).map_err(|_| invalid())
}

pub(super) async fn get(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let link = readable_itself(ask, bucket, key).await?;
    let target = link.symlink_target().ok_or_else(|| OssError::not_symlink(key.as_bytes()))?;
    let mut answer = Answer::empty(StatusCode::OK);
    let encoded = percent_encode(target.as_bytes(), &KEPT).to_string();
    answer.headers.insert(TARGET, HeaderValue::from_str(&encoded).expect("encoded text is a header value"));
    answer.headers.insert(header::ETAG, etag_value(link.etag));
    answer.headers.insert(header::LAST_MODIFIED, http_date(link.last_modified));
    versions::show(bucket, link.version, &mut answer.headers);
    Ok(answer)
}

/// What a reader of `object` gets: the object, or with a symlink's own headers the body of its target, when the caller may
/// read that, too.
pub(super) async fn follow(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    object: Arc<ObjectRecord>,
) -> Result<Arc<ObjectRecord>, OssError> {
    let Some(key) = object.symlink_target() else { return Ok(object) };
    let target = existing_object(ask, bucket, &key).await?;
    let own_acl = target.as_ref().and_then(|target| target.acl);
    let permission = Permission::GetObject;
    ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: own_acl, permission })?;
    match target {
        None => Err(OssError::symlink_target_not_exist(key.as_bytes())),
        Some(target) if target.kind == ObjectKind::Symlink => Err(OssError::invalid_target_type(key.as_bytes())),
        Some(target) => Ok(Arc::new(Arc::unwrap_or_clone(object).seen_through(target))),
    }
}
