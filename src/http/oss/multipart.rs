//! Multipart uploads: initiate, upload and copy parts, complete, abort, and the two listings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use super::callback::{self, Callback, Uploaded};
use super::encryption;
use super::error::OssError;
use super::object::{
    CRC64, Symlinks, check_quota, copy_source, etag_value, existing_for_write, existing_object, not_modified,
    put_request, receive, refuse_what_is_not_kept,
};
use super::operation::{ListPartsQuery, ListUploadsQuery, UploadTarget};
use super::service::{Ask, body_error};
use super::versions;
use super::xml;
use crate::auth::access::Action;
use crate::http::body::RequestBody;
use crate::http::headers::conditions;
use crate::http::server::Answer;
use crate::limits;
use crate::store::objects::{ConditionOutcome, Incoming, RangeOutcome, RangeRules, check_conditions, resolve_range};
use crate::store::upload::PartRequest;
use crate::store::{
    BucketName, BucketRecord, CompleteCommit, ExpectedObject, ObjectKey, ObjectKind, ObjectRecord, PartChoice,
    PartSummary, StoreError, UploadRecord, UploadsQuery, VersionName, What, WriteCondition,
};

pub(super) async fn initiate(ask: &Ask<'_>, key: &ObjectKey, url_encoding: bool) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, key).await?;
    let request = put_request(ask, bucket, key, ObjectKind::Multipart)?;
    // Judged again when the upload completes. Here it spares the client from sending parts in vain.
    if request.condition == WriteCondition::IfAbsent && existing_object(ask, bucket, key).await?.is_some() {
        return Err(OssError::file_already_exists(key.as_bytes()));
    }
    let upload = ask.deps.objects.uploads().begin(request, None).await.map_err(|error| ask.key_error(error, key))?;
    let name = bucket.name.as_str();
    let mut answer = Answer::xml(xml::initiate_multipart_upload_result(name, key, upload.id, url_encoding));
    if upload.attributes.encryption_stated {
        encryption::confirm(&mut answer.headers);
    }
    Ok(answer)
}

pub(super) async fn upload_part(
    ask: &Ask<'_>,
    body: &mut RequestBody,
    upload: &UploadTarget,
    number: u32,
) -> Result<Answer, OssError> {
    let bucket = writable_upload(ask, upload).await?;
    let request = PartRequest { expected_md5: ask.content_md5()?, ..part_request(bucket, upload, number) };
    check_quota(ask, bucket, body, Incoming::Part(&upload.key, upload.id, number)).await?;
    let stored = receive(ask, body, 0).await?;
    let part = ask.deps.objects.uploads().put_part(request, stored).await;
    let part = part.map_err(|error| upload_error(ask, error, upload))?;
    let mut answer = Answer::empty(StatusCode::OK);
    describe(&part, &mut answer.headers);
    let md5 = HeaderValue::from_str(&BASE64.encode(part.md5)).expect("base64 is a header value");
    answer.headers.insert("content-md5", md5);
    Ok(answer)
}

pub(super) async fn upload_part_copy(
    ask: &Ask<'_>,
    upload: &UploadTarget,
    number: u32,
    source_bucket: &BucketName,
    source_key: &ObjectKey,
    source_version: Option<VersionName>,
) -> Result<Answer, OssError> {
    let bucket = writable_upload(ask, upload).await?;
    let source = copy_source(ask, source_bucket, source_key, source_version, Symlinks::Followed).await?;
    match check_conditions(&source, &conditions(&ask.head.headers, "x-oss-copy-source-")) {
        ConditionOutcome::Proceed => {}
        ConditionOutcome::NotModified => return Ok(not_modified(&source)),
        ConditionOutcome::Failed(condition) => return Err(OssError::precondition_failed(condition)),
    }
    let range = source_range(ask, &source)?;
    if range.end - range.start > limits::OSS_OBJECT_BYTES_MAX {
        return Err(OssError::entity_too_large(limits::OSS_OBJECT_BYTES_MAX));
    }
    let request = part_request(bucket, upload, number);
    let part = ask.deps.objects.uploads().copy_part(request, &source, range, None).await;
    let part = part.map_err(|error| match error {
        StoreError::NotFound(What::Object) => OssError::no_such_key(source_key.as_bytes()),
        other => upload_error(ask, other, upload),
    })?;
    let mut answer = Answer::xml(xml::copy_part_result(&part));
    describe(&part, &mut answer.headers);
    versions::show_source(&source, &mut answer.headers);
    Ok(answer)
}

/// `x-oss-copy-source-range`; as in a GET, one that does not fit is as if it had not been sent.
fn source_range(ask: &Ask<'_>, source: &ObjectRecord) -> Result<std::ops::Range<u64>, OssError> {
    let Some(range) = ask.header("x-oss-copy-source-range") else { return Ok(0..source.size) };
    match resolve_range(&range, source.size, RangeRules::Oss) {
        RangeOutcome::Whole => Ok(0..source.size),
        RangeOutcome::Partial(part) => Ok(part),
        RangeOutcome::Unsatisfiable => Err(OssError::invalid_range(&range, source.size)),
    }
}

pub(super) async fn complete(
    ask: &Ask<'_>,
    body: &mut RequestBody,
    upload: &UploadTarget,
    url_encoding: bool,
) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, &upload.key).await?;
    refuse_what_is_not_kept(ask)?;
    let forbids = ask.forbids_overwrite()? && versions::may_forbid_overwrite(bucket);
    let callback = Callback::read(ask, Vec::new()).await?;
    let commit = CompleteCommit {
        bucket: bucket.id,
        key: upload.key.clone(),
        upload: upload.id,
        parts: choice(ask, body).await?,
        part_bytes_min: limits::OSS_PART_BYTES_MIN,
        condition: if forbids { WriteCondition::IfAbsent } else { WriteCondition::Always },
        version: None,
        expected: ExpectedObject::default(),
    };
    let done = ask.deps.objects.uploads().complete(commit).await;
    let done = done.map_err(|error| upload_error(ask, error, upload))?;
    let name = bucket.name.as_str();
    let location = ask.known().bucket_address(name).object(upload.key.as_bytes());
    let mut answer = Answer::xml(xml::complete_multipart_upload_result(name, &location, &done, url_encoding));
    answer.headers.insert(header::ETAG, etag_value(done.etag));
    answer.headers.insert(&CRC64, HeaderValue::from(done.crc64));
    versions::show(bucket, done.version, &mut answer.headers);
    let Some(callback) = callback else { return Ok(answer) };
    // The type was said when the upload began; the object may have been replaced or deleted since it was made.
    let made = existing_object(ask, bucket, &upload.key).await.ok().flatten();
    let content_type = made.and_then(|object| object.headers.content_type);
    let uploaded = || Uploaded::of_upload(&done, content_type.as_deref());
    Ok(callback::announce(ask, Some(callback), uploaded, answer).await)
}

/// The parts of the body, or with `x-oss-complete-all: yes` every part that is there.
async fn choice(ask: &Ask<'_>, body: &mut RequestBody) -> Result<PartChoice, OssError> {
    const NAME: &str = "x-oss-complete-all";
    let all = match ask.header(NAME).as_deref().map(str::trim) {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("yes") => true,
        Some(text) => return Err(OssError::invalid_argument("The x-oss-complete-all header must be yes.", NAME, text)),
    };
    if all {
        return match body.next().await.map_err(|error| body_error(error, 0))? {
            None => Ok(PartChoice::All),
            Some(_) => Err(OssError::complete_all_with_body()),
        };
    }
    let document = ask.document(body, limits::OSS_COMPLETE_XML_BYTES_MAX).await?;
    Ok(PartChoice::Listed(xml::read_complete_multipart_upload(&document)?))
}

pub(super) async fn abort(ask: &Ask<'_>, upload: &UploadTarget) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, &upload.key).await?;
    let aborted = ask.deps.objects.uploads().abort(bucket.id, &upload.key, upload.id).await;
    aborted.map_err(|error| upload_error(ask, error, upload))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn list_parts(ask: &Ask<'_>, query: &ListPartsQuery) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let UploadTarget { key, id } = &query.upload;
    // Whoever may upload may see how far an upload has come.
    existing_for_write(ask, bucket, key).await?;
    let page = ask.deps.meta.list_parts(bucket.id, key, *id, query.marker, query.max_parts).await;
    let page = page.map_err(|error| upload_error(ask, error, &query.upload))?;
    let class = open_upload(ask, &query.upload).await?.storage_class;
    Ok(Answer::xml(xml::list_parts(bucket.name.as_str(), query, class, &page)))
}

pub(super) async fn list_uploads(ask: &Ask<'_>, query: &ListUploadsQuery) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteObject)?;
    let filled = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
    let listing = UploadsQuery {
        prefix: query.prefix.clone(),
        delimiter: filled(&query.delimiter),
        after: filled(&query.key_marker),
        after_id: query.upload_id_marker,
        limit: query.max_uploads,
    };
    let page = ask.deps.meta.list_uploads(bucket.id, &listing).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::xml(xml::list_multipart_uploads(bucket, query, &page)))
}

/// The bucket of an open upload that the caller may write to. The commit judges again; here it spares the client from
/// sending a part in vain.
async fn writable_upload<'a>(ask: &'a Ask<'_>, upload: &UploadTarget) -> Result<&'a BucketRecord, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, &upload.key).await?;
    open_upload(ask, upload).await?;
    Ok(bucket)
}

async fn open_upload(ask: &Ask<'_>, upload: &UploadTarget) -> Result<UploadRecord, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let found = ask.deps.meta.upload(bucket.id, &upload.key, upload.id).await;
    let found = found.map_err(|error| upload_error(ask, error, upload))?;
    found.ok_or_else(|| OssError::no_such_upload(&upload.id.to_string()))
}

fn part_request(bucket: &BucketRecord, upload: &UploadTarget, number: u32) -> PartRequest {
    let (bucket, key) = (bucket.id, upload.key.clone());
    PartRequest { bucket, key, upload: upload.id, number, expected_md5: None, checksum: None }
}

fn describe(part: &PartSummary, headers: &mut HeaderMap) {
    headers.insert(header::ETAG, etag_value(part.etag()));
    headers.insert(&CRC64, HeaderValue::from(part.crc64));
}

/// A store error of this request, said of its upload.
fn upload_error(ask: &Ask<'_>, error: StoreError, upload: &UploadTarget) -> OssError {
    match error {
        StoreError::NotFound(What::Upload) => OssError::no_such_upload(&upload.id.to_string()),
        other => ask.key_error(other, &upload.key),
    }
}
