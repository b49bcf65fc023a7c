//! Objects: put, get, head, delete, copy, and their ACLs.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};
use s3s::dto::{
    AccessControlPolicy, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, Delete, DeleteObjectsOutput,
    ETag as WireETag, ETagCondition, Error, GetObjectAclOutput, PutObjectInput, StreamingBlob,
};

use super::acl::{self, Canned};
use super::checksum::{self, with_checksum};
use super::class;
use super::error::S3Fault;
use super::exchange::{Ask, Caller};
use super::integrity::{Promises, content_md5};
use super::listing::{plain, timestamp};
use super::lock;
use super::selection::Selection;
use super::{encryption, policy, settings, tagging, versions};
use crate::auth::access::Action;
use crate::http::access::Wanted;
use crate::http::body::{Content, Promised};
use crate::http::headers::{self, conditions, quoted};
use crate::http::server::{Answer, http_date};
use crate::limits;
use crate::store::objects::{ConditionOutcome, Digests, Incoming, PutRequest, StoredBody, check_conditions};
use crate::store::{
    BucketRecord, Checksum, DeleteOutcome, ETag, ObjectChecksum, ObjectKey, ObjectKind, ObjectRecord, StoreError,
    WriteCondition,
};

const META_PREFIX: &str = "x-amz-meta-";

// ---- writing -------------------------------------------------------------------------------------------------

pub(super) async fn put(ask: &Ask, mut input: PutObjectInput) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    let existing = existing_for_write(ask, &bucket, &key).await?;
    let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref(), existing.as_ref(), &key)?;
    let mut request = put_request(ask, &bucket, &key, ObjectKind::Normal, condition)?;
    let promises = Promises::read(&ask.headers)?;
    let length = decoded_length(ask)?;
    check_quota(ask, &bucket, length, Incoming::Object(&key)).await?;
    let body = input.body.take().ok_or_else(|| S3Fault::new("IncompleteBody"))?;
    let (stored, sum) = receive(ask, body, length, promises).await?;
    request.attributes.checksum = sum.map(ObjectChecksum::full);
    let object = ask.deps.objects.put(request, stored).await.map_err(|error| ask.store_error(&error))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    versions::show(&bucket, object.version, &mut answer.headers);
    encryption::describe(&object, &mut answer.headers);
    if let Some(checksum) = &object.attributes.checksum {
        checksum::show(checksum, &mut answer.headers);
    }
    Ok(answer)
}

/// Bytes that the object will have, as far as the head says.
pub(super) fn decoded_length(ask: &Ask) -> Result<Option<u64>, S3Fault> {
    let payload = ask.header("x-amz-content-sha256").unwrap_or_default();
    let length = if payload.starts_with("STREAMING-") {
        // The library takes the chunks' framing off where it verifies a V4 header signature, and nowhere else.
        if ask.trailers.is_none() {
            return Err(S3Fault::header_not_implemented("x-amz-content-sha256"));
        }
        let text = ask.header("x-amz-decoded-content-length").unwrap_or_default();
        Some(text.trim().parse().map_err(|_| S3Fault::new("MissingContentLength"))?)
    } else {
        match ask.exchange.promised {
            Promised::Nothing => return Err(S3Fault::new("MissingContentLength")),
            Promised::Length(length) => Some(length),
            Promised::Chunked => None,
        }
    };
    let size_max = ask.deps.objects.object_bytes_max();
    match length {
        Some(length) if length > size_max => Err(S3Fault::entity_too_large(size_max)),
        length => Ok(length),
    }
}

/// Refuses a body that the bucket has no room for before its first byte, where its length is known.
pub(super) async fn check_quota(
    ask: &Ask,
    bucket: &BucketRecord,
    length: Option<u64>,
    incoming: Incoming<'_>,
) -> Result<(), S3Fault> {
    let Some(length) = length else { return Ok(()) };
    let room = ask.deps.objects.check_bucket_room(bucket, incoming, length).await;
    room.map_err(|error| ask.store_error(&error))
}

/// Takes the body into the store piece by piece. Only a stream that ended cleanly, with the length and the checksums that
/// were promised, becomes a stored body: a payload hash or a chunk's signature that is wrong shows itself as its last error.
pub(super) async fn receive(
    ask: &Ask,
    mut body: StreamingBlob,
    length: Option<u64>,
    mut promises: Promises,
) -> Result<(StoredBody, Option<Checksum>), S3Fault> {
    let size_max = ask.deps.objects.object_bytes_max();
    if let Some(length) = length {
        // Before the first byte, so that a full disk costs the client nothing.
        ask.deps.objects.check_room(length).await.map_err(|error| ask.store_error(&error))?;
    }
    let mut writer = ask.deps.objects.writer(Digests::Md5AndCrc64);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| stream_fault(&*error))?;
        if writer.written() + piece.len() as u64 > size_max {
            return Err(S3Fault::entity_too_large(size_max));
        }
        promises.update(&piece);
        writer.write(piece).await.map_err(|error| ask.store_error(&error))?;
    }
    // Given back to its slot before anything else can fail.
    drop(body);
    if length.is_some_and(|length| length != writer.written()) {
        return Err(S3Fault::new("IncompleteBody"));
    }
    let trailers = ask.trailers.as_ref().and_then(|trailers| trailers.take());
    let sum = promises.verify(trailers.as_ref())?;
    let stored = writer.finish().await.map_err(|error| ask.store_error(&error))?;
    Ok((stored, sum))
}

/// What the library says of a body that it checks while it is read. Its error types are its own; the words are not.
fn stream_fault(error: &(dyn std::error::Error + Send + Sync)) -> S3Fault {
    let text = error.to_string();
    match text.as_str() {
        _ if text.contains("Sha256Mismatch") => S3Fault::new("XAmzContentSHA256Mismatch"),
        _ if text.contains("SignatureMismatch") => S3Fault::new("SignatureDoesNotMatch"),
        _ if text.contains("Trailer") => S3Fault::new("MalformedTrailerError"),
        _ if text.contains("stalled") => S3Fault::new("RequestTimeout"),
        _ if text.contains("FormatError") || text.contains("ChunkMetaTooLarge") => {
            S3Fault::new("InvalidRequest").saying("The chunked body is malformed.")
        }
        _ => S3Fault::new("IncompleteBody"),
    }
}

/// `If-None-Match: *` and `If-Match: ETAG` of a write. Judged again in the commit.
fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
    existing: Option<&ObjectRecord>,
    key: &ObjectKey,
) -> Result<WriteCondition, S3Fault> {
    match (if_match, if_none_match) {
        (None, None) => Ok(WriteCondition::Always),
        (None, Some(ETagCondition::Any)) => match existing {
            Some(_) => Err(S3Fault::precondition_failed("If-None-Match")),
            None => Ok(WriteCondition::IfAbsent),
        },
        (Some(ETagCondition::ETag(wanted)), None) => match existing {
            None => Err(S3Fault::no_such_key(&key.to_string())),
            Some(object) if wanted.value().eq_ignore_ascii_case(&object.etag.to_lower_hex()) => {
                Ok(WriteCondition::IfETag(object.etag))
            }
            Some(_) => Err(S3Fault::precondition_failed("If-Match")),
        },
        (None, Some(ETagCondition::ETag(_))) => Err(S3Fault::header_not_implemented("If-None-Match")),
        (Some(ETagCondition::Any), None) => Err(S3Fault::header_not_implemented("If-Match")),
        (Some(_), Some(_)) => {
            Err(S3Fault::new("InvalidRequest").saying("If-Match and If-None-Match exclude each other."))
        }
    }
}

/// Decides over writing `key`, whose present object's own ACL counts, and says what is there.
pub(super) async fn existing_for_write(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
) -> Result<Option<ObjectRecord>, S3Fault> {
    let conditional = ask.headers.contains_key(header::IF_MATCH) || ask.headers.contains_key(header::IF_NONE_MATCH);
    // To its owner no ACL matters, so none is looked up.
    let object = if ask.is_owner(bucket) && !conditional { None } else { ask.existing(bucket, key).await? };
    let acl = object.as_ref().and_then(|object| object.acl);
    let permission = ask.permission()?;
    ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: acl, permission })?;
    Ok(object)
}

/// What the head of a PUT or a copy says of the object to make.
pub(super) fn put_request(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
    kind: ObjectKind,
    condition: WriteCondition,
) -> Result<PutRequest, S3Fault> {
    refuse_what_is_not_kept(ask)?;
    policy::check_head(ask, bucket, key)?;
    let metadata = headers::user_metadata(&ask.headers, META_PREFIX, limits::S3_USER_METADATA_BYTES_MAX);
    let mut content = headers::content_headers(&ask.headers);
    content.content_encoding = content.content_encoding.and_then(|encoding| without_aws_chunked(&encoding));
    Ok(PutRequest {
        bucket: bucket.id,
        key: key.clone(),
        kind,
        headers: content,
        user_metadata: metadata.ok_or_else(|| {
            S3Fault::new("MetadataTooLarge").with("MaxSizeAllowed", limits::S3_USER_METADATA_BYTES_MAX.to_string())
        })?,
        tags: tagging::header_tags(ask)?,
        storage_class: class::requested(ask, bucket)?,
        attributes: crate::store::ObjectAttributes {
            encryption_stated: encryption::is_stated(ask, bucket)?,
            ..lock::requested(ask, bucket)?
        },
        acl: match acl::from_headers(&ask.headers, &bucket.owner.0.to_string())? {
            Canned::Default => None,
            Canned::Acl(acl) => {
                settings::check_acl(bucket, acl)?;
                Some(acl)
            }
        },
        condition,
        expected_md5: content_md5(&ask.headers)?,
    })
}

/// The content encoding of what is stored: the framing of the transfer is no part of it.
fn without_aws_chunked(encoding: &Bytes) -> Option<Bytes> {
    let Ok(text) = std::str::from_utf8(encoding) else { return Some(encoding.clone()) };
    if !text.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked")) {
        return Some(encoding.clone());
    }
    let rest: Vec<&str> =
        text.split(',').map(str::trim).filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    (!rest.is_empty()).then(|| Bytes::from(rest.join(",")))
}

/// Features that an upload may ask for and that would be lost in silence.
fn refuse_what_is_not_kept(ask: &Ask) -> Result<(), S3Fault> {
    const NOT_KEPT: [&str; 2] = ["x-amz-website-redirect-location", "x-amz-write-offset-bytes"];
    if let Some(name) = NOT_KEPT.iter().find(|name| ask.headers.contains_key(**name)) {
        return Err(S3Fault::header_not_implemented(name));
    }
    Ok(())
}

pub(super) async fn copy(ask: &Ask, input: CopyObjectInput) -> Result<CopyObjectOutput, S3Fault> {
    for _ in 0..limits::COPY_ONTO_ITSELF_TRIES {
        if let Some(output) = copy_once(ask, &input).await? {
            return Ok(output);
        }
    }
    Err(ask.store_error(&StoreError::Unavailable("others write the object that is copied onto itself".into())))
}

/// `None`: the object was to be copied onto itself, and is another by now, which the copy would have undone.
async fn copy_once(ask: &Ask, input: &CopyObjectInput) -> Result<Option<CopyObjectOutput>, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    let existing = existing_for_write(ask, &bucket, &key).await?;
    let source = copy_source(ask, &input.copy_source).await?;
    let wire = |name: &str| ask.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let parse = |text: String| text.parse::<ETagCondition>().map_err(|_| S3Fault::new("InvalidRequest"));
    let if_match = wire("if-match").map(parse).transpose()?;
    let if_none_match = wire("if-none-match").map(parse).transpose()?;
    let condition = write_condition(if_match.as_ref(), if_none_match.as_ref(), existing.as_ref(), &key)?;
    let mut request = put_request(ask, &bucket, &key, ObjectKind::Normal, condition)?;
    // A digest would be that of the request's empty body.
    request.expected_md5 = None;
    let replace = match ask.header("x-amz-metadata-directive").as_deref() {
        Some("REPLACE") => true,
        None | Some("" | "COPY") => false,
        Some(text) => {
            return Err(S3Fault::invalid_argument("Unknown metadata directive.", "x-amz-metadata-directive", text));
        }
    };
    if !replace {
        if bucket.id == source.bucket && key == source.key && !class::is_requested(ask) {
            let message = "This copy request is illegal because it is trying to copy an object to itself without \
                           changing the object's metadata, storage class, website redirect location or encryption \
                           attributes.";
            return Err(S3Fault::new("InvalidRequest").saying(message));
        }
        request.headers = source.headers.clone();
        request.user_metadata = source.user_metadata.clone();
    }
    if tagging::copies_tags(ask)? {
        if let CopySource::Bucket { bucket: name, .. } = &input.copy_source {
            tagging::check_copy(ask, (&bucket, &key), name, &source).await?;
        }
        request.tags = source.tags.clone();
    }
    request.attributes.checksum = checksum::of_copy(ask, &source, checksum::asked_algorithm(&ask.headers)?).await?;
    // A copy shares its source's blobs, and those from before a master key was configured are plain.
    if encryption::is_requested(ask) && source.has_plain_blob() {
        return Err(S3Fault::header_not_implemented("x-amz-server-side-encryption"));
    }
    let objects = &ask.deps.objects;
    let of_a_version = matches!(&input.copy_source, CopySource::Bucket { version_id: Some(_), .. });
    // What is read through a symlink is not what stands under the key.
    let copied = match of_a_version || source.kind == ObjectKind::Symlink {
        true => objects.copy(&source, request).await.map(Some),
        false => objects.copy_current(&source, request).await,
    };
    let Some(copied) = copied.map_err(|error| ask.store_error(&error))? else { return Ok(None) };
    let sum = copied.attributes.checksum;
    let result = with_checksum!(
        sum,
        CopyObjectResult {
            checksum_type: sum.map(|sum| checksum::wire_type(sum.form().kind)),
            e_tag: Some(WireETag::Strong(copied.etag.to_lower_hex())),
            last_modified: Some(timestamp(copied.last_modified)),
        }
    );
    Ok(Some(CopyObjectOutput {
        copy_object_result: Some(result),
        server_side_encryption: encryption::told(copied.is_encrypted_as_stated()),
        version_id: versions::shown(&bucket, copied.version),
        copy_source_version_id: versions::source(&source),
        ..CopyObjectOutput::default()
    }))
}

/// The object that a copy names, when the caller may read it and the copy's conditions hold.
pub(super) async fn copy_source(ask: &Ask, source: &CopySource) -> Result<Arc<ObjectRecord>, S3Fault> {
    let CopySource::Bucket { bucket: source_bucket, key: source_key, version_id } = source else {
        return Err(S3Fault::header_not_implemented("x-amz-copy-source"));
    };
    let version = version_id.as_deref().map(|text| versions::read_version(text, "versionId")).transpose()?;
    let source_bucket = ask.any_bucket(source_bucket).await?;
    let source_key = ask.key(source_key)?;
    let source = versions::readable(ask, &source_bucket, &source_key, version).await?;
    class::check_readable(ask, &source)?;
    match check_conditions(&source, &conditions(&ask.headers, "x-amz-copy-source-")) {
        ConditionOutcome::Proceed => {}
        // In this dialect a copy has no 304.
        ConditionOutcome::NotModified => return Err(S3Fault::precondition_failed("x-amz-copy-source-If-None-Match")),
        ConditionOutcome::Failed(condition) => return Err(S3Fault::precondition_failed(condition)),
    }
    Ok(source)
}

pub(super) async fn delete(ask: &Ask, bucket: &str, key: &str) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    let key = ask.key(key)?;
    for name in ["if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if ask.headers.contains_key(name) {
            return Err(S3Fault::header_not_implemented(name));
        }
    }
    let version = ask.version()?;
    versions::may_delete(ask, &bucket, &key, version).await?;
    let bypasses = lock::bypasses(ask, &bucket, &key);
    let deleted = ask.deps.objects.delete_versions(bucket.id, vec![(key, version)], bypasses).await;
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    for outcome in deleted.map_err(|error| ask.store_error(&error))? {
        versions::show_outcome(outcome, version, &mut answer.headers)?;
    }
    Ok(answer)
}

/// Each key has its own word in the answer: one that may not be deleted does not keep the others.
pub(super) async fn delete_many(ask: &Ask, bucket: &str, delete: Delete) -> Result<DeleteObjectsOutput, S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    ask.check_document(true)?;
    if delete.objects.is_empty() || delete.objects.len() > limits::OSS_DELETE_KEYS_MAX {
        return Err(S3Fault::new("MalformedXML"));
    }
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for object in delete.objects {
        let conditional = object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some();
        let version = object.version_id.as_deref().filter(|version| !version.is_empty());
        let version = version.map(|text| versions::read_version(text, "VersionId")).transpose();
        let judged = match (ask.key(&object.key), version) {
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
            (Ok(_), Ok(_)) if conditional => Err(S3Fault::new("NotImplemented")),
            (Ok(key), Ok(version)) => versions::may_delete(ask, &bucket, &key, version).await.map(|()| (key, version)),
        };
        match judged {
            Ok(target) => targets.push(target),
            Err(fault) if fault.status.is_server_error() && fault.status != StatusCode::NOT_IMPLEMENTED => {
                return Err(fault);
            }
            Err(fault) => errors.push(Error {
                code: Some(fault.code.to_owned()),
                key: Some(plain(object.key.as_bytes())),
                message: Some(fault.message.into_owned()),
                version_id: object.version_id,
            }),
        }
    }
    let bypasses = targets.iter().all(|(key, _)| lock::bypasses(ask, &bucket, key));
    let outcomes = ask.deps.objects.delete_versions(bucket.id, targets.clone(), bypasses).await;
    let outcomes = outcomes.map_err(|error| ask.store_error(&error))?;
    let (kept, gone): (Vec<_>, Vec<_>) =
        targets.iter().zip(outcomes).partition(|(_, outcome)| *outcome == DeleteOutcome::Locked);
    errors.extend(kept.into_iter().map(|((key, named), _)| lock::delete_error(key, *named)));
    let deleted = gone.into_iter().map(|((key, named), outcome)| versions::deleted(key, *named, outcome));
    let quiet = delete.quiet.unwrap_or(false);
    Ok(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    })
}

// ---- reading -------------------------------------------------------------------------------------------------

pub(super) async fn get(ask: &Ask, bucket: &str, key: &str) -> Result<Answer, S3Fault> {
    let (object, overrides) = match open(ask, bucket, key).await? {
        Opened::Object(object, overrides) => (object, overrides),
        Opened::NotModified(answer) => return Ok(answer),
    };
    class::check_readable(ask, &object)?;
    let shown = Selection::read(ask, &object).await?;
    let length = shown.length();
    let mut answer = answer_for(ask, &object, &shown, overrides);
    class::describe(&object, ask.exchange.now, &mut answer.headers);
    let mut rest = Box::new(ask.deps.objects.read(&object, shown.range));
    if let Some(first) = rest.next().await.map_err(|error| ask.store_error(&error))? {
        answer.content = Content::Object { first, rest, length };
    }
    Ok(answer)
}

/// As GetObject without a body, ranges included: S3 answers a HEAD with `Range` with 206 and the part's length.
pub(super) async fn head(ask: &Ask, bucket: &str, key: &str) -> Result<Answer, S3Fault> {
    let (object, overrides) = match open(ask, bucket, key).await? {
        Opened::Object(object, overrides) => (object, overrides),
        Opened::NotModified(answer) => return Ok(answer),
    };
    let shown = Selection::read(ask, &object).await?;
    let mut answer = answer_for(ask, &object, &shown, overrides);
    class::describe(&object, ask.exchange.now, &mut answer.headers);
    answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(shown.length()));
    Ok(answer)
}

/// An object that may be read, and headers that stand beside its own or, where its URL says so, in their place.
enum Opened {
    Object(Arc<ObjectRecord>, HeaderMap),
    NotModified(Answer),
}

async fn open(ask: &Ask, bucket: &str, key: &str) -> Result<Opened, S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    ask.check_referer(&bucket)?;
    let key = ask.key(key)?;
    let object = versions::readable(ask, &bucket, &key, ask.version()?).await?;
    encryption::refuse_customer_keys_of_reads(ask)?;
    let mut overrides = overrides(ask)?;
    versions::show(&bucket, object.version, &mut overrides);
    if ask.is_owner(&bucket) {
        lock::show(&object, &mut overrides);
    }
    match check_conditions(&object, &conditions(&ask.headers, "")) {
        ConditionOutcome::Proceed => Ok(Opened::Object(object, overrides)),
        ConditionOutcome::Failed(condition) => Err(S3Fault::precondition_failed(condition)),
        ConditionOutcome::NotModified => {
            let mut answer = Answer::empty(StatusCode::NOT_MODIFIED);
            answer.headers.insert(header::ETAG, etag_value(object.etag));
            answer.headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
            versions::show(&bucket, object.version, &mut answer.headers);
            Ok(Opened::NotModified(answer))
        }
    }
}

/// `response-*` of the query. Only a signature proves that whoever made the link meant them.
fn overrides(ask: &Ask) -> Result<HeaderMap, S3Fault> {
    let names = [
        ("response-content-type", header::CONTENT_TYPE),
        ("response-content-language", header::CONTENT_LANGUAGE),
        ("response-expires", header::EXPIRES),
        ("response-cache-control", header::CACHE_CONTROL),
        ("response-content-disposition", header::CONTENT_DISPOSITION),
        ("response-content-encoding", header::CONTENT_ENCODING),
    ];
    let mut headers = HeaderMap::new();
    for (argument, name) in names {
        let Some(value) = ask.exchange.query.filled(argument) else { continue };
        if ask.caller == Caller::Anonymous {
            let message = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(S3Fault::new("InvalidRequest").saying(message));
        }
        let text = String::from_utf8_lossy(value);
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| S3Fault::invalid_argument("The value cannot stand in a header.", argument, &text))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn answer_for(ask: &Ask, object: &ObjectRecord, shown: &Selection, overrides: HeaderMap) -> Answer {
    let mut answer = Answer::empty(shown.status());
    let headers = &mut answer.headers;
    headers.reserve(headers::OF_OBJECT);
    headers::describe(object, META_PREFIX, headers);
    headers::describe_tags(object, "x-amz-tagging-count", headers);
    encryption::describe(object, headers);
    if object.headers.content_type.is_none() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    }
    headers.insert(header::ETAG, etag_value(object.etag));
    headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(overrides);
    shown.describe(ask, object, headers);
    answer
}

/// The quoted, lower-case form.
pub(super) fn etag_value(etag: ETag) -> HeaderValue {
    quoted(etag, b"0123456789abcdef")
}

pub(super) async fn acl(ask: &Ask, bucket: &str, key: &str) -> Result<GetObjectAclOutput, S3Fault> {
    let bucket = ask.bucket_for(bucket, Action::ReadSettings).await?;
    let key = ask.key(key)?;
    let object = versions::existing(ask, &bucket, &key, ask.version()?).await?;
    // An object without its own follows the bucket, which has no name in this dialect: shown is what it comes to.
    let effective = object.acl.unwrap_or(bucket.acl);
    Ok(GetObjectAclOutput {
        grants: Some(acl::grants(&bucket, effective)),
        owner: Some(acl::owner(&bucket)),
        request_charged: None,
    })
}

pub(super) async fn put_acl(
    ask: &Ask,
    bucket: &str,
    key: &str,
    policy: Option<AccessControlPolicy>,
) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(bucket, Action::WriteSettings).await?;
    let key = ask.key(key)?;
    ask.check_document(false)?;
    let acl = match acl::requested(ask, policy.as_ref(), &bucket)? {
        Canned::Default => None,
        Canned::Acl(acl) => {
            settings::check_acl(&bucket, acl)?;
            Some(acl)
        }
    };
    let version = ask.version()?;
    let set = ask.deps.meta.set_object_acl(bucket.id, &key, version, acl).await;
    set.map_err(|error| versions::error(ask, &error, &key, version))?;
    Ok(Answer::empty(StatusCode::OK))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::records::testbed::empty_object;

    pub(in crate::http::s3) fn object() -> ObjectRecord {
        ObjectRecord { etag: ETag { digest: [0xab; 16], parts: None }, ..empty_object("k") }
    }

    #[test]
    fn conditional_writes_compare_with_what_is_there() {
        let etag = |text: &str| ETagCondition::ETag(WireETag::Strong(text.to_owned()));
        let (here, other) = (etag(&"AB".repeat(16)), etag("00"));
        let (any, object) = (ETagCondition::Any, object());
        for (if_match, if_none_match, existing, expected) in [
            (None, None, None, Ok(WriteCondition::Always)),
            (None, Some(&any), None, Ok(WriteCondition::IfAbsent)),
            (None, Some(&any), Some(&object), Err("PreconditionFailed")),
            (Some(&here), None, Some(&object), Ok(WriteCondition::IfETag(object.etag))),
            (Some(&other), None, Some(&object), Err("PreconditionFailed")),
            (Some(&here), None, None, Err("NoSuchKey")),
            (Some(&any), None, Some(&object), Err("NotImplemented")),
            (None, Some(&other), Some(&object), Err("NotImplemented")),
            (Some(&here), Some(&any), Some(&object), Err("InvalidRequest")),
        ] {
            let outcome = write_condition(if_match, if_none_match, existing, &object.key).map_err(|fault| fault.code);
            assert_eq!(outcome, expected, "{if_match:?} {if_none_match:?}");
        }
    }

    #[test]
    fn the_framing_of_the_transfer_is_no_content_encoding() {
        let strip = |text: &'static str| without_aws_chunked(&Bytes::from_static(text.as_bytes()));
        assert_eq!(strip("aws-chunked"), None);
        assert_eq!(strip("gzip"), Some("gzip".into()));
        assert_eq!(strip("gzip, AWS-chunked"), Some("gzip".into()));
        assert_eq!(strip("aws-chunked,gzip,br"), Some("gzip,br".into()));
    }
}
