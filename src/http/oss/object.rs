//! Objects: put, get, head, delete, copy, append, and their ACLs.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::accept::Caller;
use super::callback::{self, Callback, Uploaded};
use super::error::OssError;
use super::policy;
use super::service::{Ask, body_error};
use super::xml::{self, object_type};
use super::{class, encryption, settings, symlink, tagging, versions};
use crate::auth::access::Action;
use crate::http::access::Wanted;
use crate::http::body::{Content, Promised, RequestBody};
use crate::http::headers::{self, conditions, content_headers, quoted};
use crate::http::server::{Answer, http_date};
use crate::limits;
use crate::store::objects::{
    ConditionOutcome, Digests, Incoming, PutRequest, RangeOutcome, RangeRules, StoredBody, check_conditions,
    resolve_range,
};
use crate::store::{
    Acl, BucketName, BucketRecord, DeleteOutcome, ETag, ObjectAttributes, ObjectKey, ObjectKind, ObjectRecord,
    VersionName, WriteCondition,
};

const META_PREFIX: &str = "x-oss-meta-";
// Names that every read answers with; as texts they would be parsed and copied for each.
pub(super) static CRC64: HeaderName = HeaderName::from_static("x-oss-hash-crc64ecma");
static OBJECT_TYPE: HeaderName = HeaderName::from_static("x-oss-object-type");
static CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const NEXT_POSITION: &str = "x-oss-next-append-position";

// ---- writing -------------------------------------------------------------------------------------------------

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, key).await?;
    let request = put_request(ask, bucket, key, ObjectKind::Normal)?;
    let callback = Callback::read(ask, Vec::new()).await?;
    check_quota(ask, bucket, body, Incoming::Object(key)).await?;
    let stored = receive(ask, body, 0).await?;
    let object = ask.deps.objects.put(request, stored).await.map_err(|error| ask.key_error(error, key))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    answer.headers.insert(&CRC64, HeaderValue::from(object.crc64));
    put_content_md5(&object, &mut answer.headers);
    versions::show(bucket, object.version, &mut answer.headers);
    encryption::describe(&object, &mut answer.headers);
    Ok(callback::announce(ask, callback, || Uploaded::of_object(&object), answer).await)
}

pub(super) async fn append(
    ask: &Ask<'_>,
    body: &mut RequestBody,
    key: &ObjectKey,
    position: u64,
) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    // Judged again in the commit. Here it spares the client from sending a body that cannot fit.
    match existing_object(ask, bucket, key).await? {
        Some(object) => {
            ask.decide(bucket, object.acl, Action::WriteObject)?;
            if object.kind != ObjectKind::Appendable {
                return Err(OssError::object_not_appendable());
            }
            if object.size != position {
                return Err(OssError::position_not_equal_to_length(object.size));
            }
        }
        None => {
            ask.decide(bucket, None, Action::WriteObject)?;
            if position != 0 {
                return Err(OssError::position_not_equal_to_length(0));
            }
        }
    }
    let request = put_request(ask, bucket, key, ObjectKind::Appendable)?;
    check_quota(ask, bucket, body, Incoming::Append).await?;
    let stored = receive(ask, body, position).await?;
    let object = ask.deps.objects.append(request, position, stored).await.map_err(|error| ask.key_error(error, key))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    answer.headers.insert(&CRC64, HeaderValue::from(object.crc64));
    answer.headers.insert(NEXT_POSITION, HeaderValue::from(object.size));
    versions::show(bucket, object.version, &mut answer.headers);
    encryption::describe(&object, &mut answer.headers);
    Ok(answer)
}

/// Refuses a body that the bucket has no room for before its first byte, where its length is known.
pub(super) async fn check_quota(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    body: &RequestBody,
    incoming: Incoming<'_>,
) -> Result<(), OssError> {
    let Promised::Length(length) = body.promised() else { return Ok(()) };
    let room = ask.deps.objects.check_bucket_room(bucket, incoming, length).await;
    room.map_err(|error| ask.store_error(error))
}

/// Takes the body into the store piece by piece; a piece is asked for only when the one before is taken.
pub(super) async fn receive(ask: &Ask<'_>, body: &mut RequestBody, before: u64) -> Result<StoredBody, OssError> {
    let object_max = ask.deps.objects.object_bytes_max().min(limits::OSS_OBJECT_BYTES_MAX);
    let size_max = object_max.saturating_sub(before);
    let too_large = || OssError::entity_too_large(object_max);
    match body.promised() {
        Promised::Nothing => return Err(OssError::missing_content_length()),
        Promised::Length(length) if length > size_max => return Err(too_large()),
        // Refused now rather than after its transfer.
        Promised::Length(length) => {
            ask.deps.objects.check_room(length).await.map_err(|error| ask.store_error(error))?;
        }
        Promised::Chunked => {}
    }
    let mut writer = ask.deps.objects.writer(Digests::Md5AndCrc64);
    while let Some(piece) = body.next().await.map_err(|error| body_error(error, object_max))? {
        if writer.written() + piece.len() as u64 > size_max {
            return Err(too_large());
        }
        writer.write(piece).await.map_err(|error| ask.store_error(error))?;
    }
    writer.finish().await.map_err(|error| ask.store_error(error))
}

pub(super) async fn copy(
    ask: &Ask<'_>,
    key: &ObjectKey,
    source_bucket: &BucketName,
    source_key: &ObjectKey,
    source_version: Option<VersionName>,
) -> Result<Answer, OssError> {
    for _ in 0..limits::COPY_ONTO_ITSELF_TRIES {
        if let Some(answer) = copy_once(ask, key, source_bucket, source_key, source_version).await? {
            return Ok(answer);
        }
    }
    Err(OssError::service_unavailable())
}

/// `None`: the object was to be copied onto itself, and is another by now, which the copy would have undone.
async fn copy_once(
    ask: &Ask<'_>,
    key: &ObjectKey,
    source_bucket: &BucketName,
    source_key: &ObjectKey,
    source_version: Option<VersionName>,
) -> Result<Option<Answer>, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, key).await?;
    let source = copy_source(ask, source_bucket, source_key, source_version, Symlinks::Themselves).await?;
    match check_conditions(&source, &conditions(&ask.head.headers, "x-oss-copy-source-")) {
        ConditionOutcome::Proceed => {}
        ConditionOutcome::NotModified => return Ok(Some(not_modified(&source))),
        ConditionOutcome::Failed(condition) => return Err(OssError::precondition_failed(condition)),
    }
    let mut request = put_request(ask, bucket, key, ObjectKind::Normal)?;
    if source.kind == ObjectKind::Symlink {
        (request.kind, request.attributes.symlink) = (ObjectKind::Symlink, source.attributes.symlink.clone());
    }
    // A copy shares its source's blobs, and those from before a master key was configured are plain.
    if ask.head.headers.contains_key(encryption::SSE) && source.has_plain_blob() {
        return Err(OssError::not_implemented(encryption::SSE));
    }
    // A digest would be that of the request's empty body.
    request.expected_md5 = None;
    match ask.header("x-oss-metadata-directive").as_deref() {
        Some(text) if text.eq_ignore_ascii_case("REPLACE") => {}
        None | Some("") => take_headers(&source, &mut request),
        Some(text) if text.eq_ignore_ascii_case("COPY") => take_headers(&source, &mut request),
        Some(text) => {
            let message = "The metadata directive must be COPY or REPLACE.";
            return Err(OssError::invalid_argument(message, "x-oss-metadata-directive", text));
        }
    }
    if tagging::copies_tags(ask)? {
        tagging::check_copy(ask, (bucket, key), source_bucket, &source).await?;
        request.tags = source.tags.clone();
    }
    let objects = &ask.deps.objects;
    let copied = match source_version {
        None => objects.copy_current(&source, request).await,
        Some(_) => objects.copy(&source, request).await.map(Some),
    };
    let Some(copied) = copied.map_err(|error| ask.key_error(error, key))? else { return Ok(None) };
    let mut answer = Answer::xml(xml::copy_object_result(copied.etag, copied.last_modified));
    answer.headers.insert(header::ETAG, etag_value(copied.etag));
    answer.headers.insert(&CRC64, HeaderValue::from(copied.crc64));
    versions::show(bucket, copied.version, &mut answer.headers);
    versions::show_source(&source, &mut answer.headers);
    encryption::describe(&copied, &mut answer.headers);
    Ok(Some(answer))
}

fn take_headers(source: &ObjectRecord, request: &mut PutRequest) {
    request.headers = source.headers.clone();
    request.user_metadata = source.user_metadata.clone();
}

/// What a copy of a symlink is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symlinks {
    /// The link.
    Themselves,
    /// What it stands for.
    Followed,
}

/// The object that a copy names, when the caller may read it and it is not archived.
pub(super) async fn copy_source(
    ask: &Ask<'_>,
    source_bucket: &BucketName,
    source_key: &ObjectKey,
    source_version: Option<VersionName>,
    symlinks: Symlinks,
) -> Result<Arc<ObjectRecord>, OssError> {
    let source_bucket = bucket_of_source(ask, source_bucket).await?;
    let source = versions::readable(ask, &source_bucket, source_key, source_version).await?;
    let source = match symlinks {
        Symlinks::Themselves => source,
        Symlinks::Followed => symlink::follow(ask, &source_bucket, source).await?,
    };
    // A link that is copied as such has no bytes to wait for.
    if symlinks == Symlinks::Followed || source.kind != ObjectKind::Symlink {
        class::check_readable(ask, &source)?;
    }
    Ok(source)
}

/// The bucket that a copy names, which may be its own.
pub(super) async fn bucket_of_source(ask: &Ask<'_>, name: &BucketName) -> Result<Arc<BucketRecord>, OssError> {
    let found = ask.deps.meta.bucket(name).await.map_err(|error| ask.store_error(error))?;
    found.ok_or_else(|| OssError::no_such_bucket(name.as_str()))
}

pub(super) async fn delete(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let version = ask.version();
    versions::may_delete(ask, bucket, key, version).await?;
    let deleted = ask.deps.objects.delete_versions(bucket.id, vec![(key.clone(), version)], false).await;
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    for outcome in deleted.map_err(|error| ask.key_error(error, key))? {
        versions::show_outcome(outcome, version, &mut answer.headers)?;
    }
    Ok(answer)
}

pub(super) async fn delete_multiple(
    ask: &Ask<'_>,
    body: &mut RequestBody,
    url_encoding: bool,
) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    if bucket.settings.policy.is_none() && !ask.is_owner(bucket) {
        // Without a policy the bucket's ACL is the least that it takes; its refusal spares the document.
        ask.decide(bucket, None, Action::WriteObject)?;
    }
    if body.promised() == Promised::Nothing {
        return Err(OssError::missing_content_length());
    }
    if ask.content_md5()?.is_none() {
        return Err(OssError::invalid_digest(""));
    }
    let document = ask.document(body, limits::OSS_DELETE_XML_BYTES_MAX).await?;
    let request = xml::read_delete(&document)?;
    for (key, version) in &request.targets {
        versions::may_delete(ask, bucket, key, *version).await?;
    }
    let outcomes = ask.deps.objects.delete_versions(bucket.id, request.targets.clone(), false).await;
    let outcomes = outcomes.map_err(|error| ask.store_error(error))?;
    if request.quiet {
        // An answer of no words would say that everything is gone.
        let is_kept = outcomes.contains(&DeleteOutcome::Locked);
        return if is_kept { Err(OssError::file_immutable()) } else { Ok(Answer::empty(StatusCode::OK)) };
    }
    // What a lock keeps is left out: this document has no place for what was not deleted.
    let deleted = request.targets.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome != DeleteOutcome::Locked);
    let deleted: Vec<_> = deleted.map(|((key, version), outcome)| xml::Deleted { key, version, outcome }).collect();
    Ok(Answer::xml(xml::delete_result(&deleted, url_encoding)))
}

/// Decides over writing `key`, whose present object's own ACL counts.
pub(super) async fn existing_for_write(ask: &Ask<'_>, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), OssError> {
    // To its owner no ACL matters, so none is looked up.
    let object = if ask.is_owner(bucket) { None } else { existing_object(ask, bucket, key).await? };
    let permission = ask.accepted.operation.permission();
    let object = object.and_then(|object| object.acl);
    ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object, permission })
}

pub(super) async fn existing_object(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
) -> Result<Option<ObjectRecord>, OssError> {
    ask.deps.meta.object(bucket.id, key).await.map_err(|error| ask.key_error(error, key))
}

/// What the head of a PUT, copy or append says of the object to make.
pub(super) fn put_request(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    kind: ObjectKind,
) -> Result<PutRequest, OssError> {
    refuse_what_is_not_kept(ask)?;
    policy::check_head(ask, bucket, key)?;
    let forbids = ask.forbids_overwrite()? && versions::may_forbid_overwrite(bucket);
    let condition = if forbids { WriteCondition::IfAbsent } else { WriteCondition::Always };
    Ok(PutRequest {
        bucket: bucket.id,
        key: key.clone(),
        kind,
        headers: content_headers(&ask.head.headers),
        user_metadata: user_metadata(&ask.head.headers)?,
        tags: tagging::header_tags(ask)?,
        storage_class: class::requested(ask, bucket)?,
        attributes: ObjectAttributes {
            encryption_stated: encryption::is_stated(ask, bucket)?,
            ..ObjectAttributes::default()
        },
        acl: new_acl(ask, bucket)?.unwrap_or(None),
        condition,
        expected_md5: ask.content_md5()?,
    })
}

/// Features that an upload may ask for and that would be lost in silence: encryption that is not what happens here.
pub(super) fn refuse_what_is_not_kept(ask: &Ask<'_>) -> Result<(), OssError> {
    encryption::check(ask)
}

/// `x-oss-meta-*`.
fn user_metadata(headers: &HeaderMap) -> Result<Vec<(String, Bytes)>, OssError> {
    let metadata = headers::user_metadata(headers, META_PREFIX, limits::USER_METADATA_BYTES_MAX);
    metadata.ok_or_else(|| OssError::metadata_too_large(limits::USER_METADATA_BYTES_MAX))
}

// ---- reading -------------------------------------------------------------------------------------------------

pub(super) async fn get(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let object = readable(ask, bucket, key).await?;
    let overrides = overrides(ask)?;
    match check_conditions(&object, &conditions(&ask.head.headers, "")) {
        ConditionOutcome::Proceed => {}
        ConditionOutcome::NotModified => return Ok(not_modified(&object)),
        ConditionOutcome::Failed(condition) => return Err(OssError::precondition_failed(condition)),
    }
    class::check_readable(ask, &object)?;
    let part = requested_part(ask, &object)?;
    let range = part.clone().unwrap_or(0..object.size);
    let length = range.end - range.start;
    let mut answer = Answer::empty(if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    answer.headers.reserve(headers::OF_OBJECT);
    describe(&object, part.is_none(), &mut answer.headers);
    versions::show(bucket, object.version, &mut answer.headers);
    class::describe(&object, ask.now, &mut answer.headers);
    answer.headers.extend(overrides);
    if part.is_some() {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size);
        let value = HeaderValue::from_str(&text).expect("digits are a header value");
        answer.headers.insert(header::CONTENT_RANGE, value);
    }
    let mut rest = Box::new(ask.deps.objects.read(&object, range));
    if let Some(first) = rest.next().await.map_err(|error| ask.key_error(error, key))? {
        answer.content = Content::Object { first, rest, length };
    }
    Ok(answer)
}

/// As GetObject without a body. A range means nothing here (RFC 9110, 14.2).
pub(super) async fn head(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let object = readable(ask, bucket, key).await?;
    let overrides = overrides(ask)?;
    match check_conditions(&object, &conditions(&ask.head.headers, "")) {
        ConditionOutcome::Proceed => {}
        ConditionOutcome::NotModified => return Ok(not_modified(&object)),
        ConditionOutcome::Failed(condition) => return Err(OssError::precondition_failed(condition)),
    }
    let mut answer = Answer::empty(StatusCode::OK);
    describe(&object, true, &mut answer.headers);
    versions::show(bucket, object.version, &mut answer.headers);
    class::describe(&object, ask.now, &mut answer.headers);
    answer.headers.extend(overrides);
    answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(object.size));
    Ok(answer)
}

/// The few headers that GetObjectMeta is for, of a symlink its own. Clients that send GET get no body either, so no length.
pub(super) async fn meta(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let object = readable_itself(ask, bucket, key).await?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    answer.headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
    answer.headers.insert(&CRC64, HeaderValue::from(object.crc64));
    versions::show(bucket, object.version, &mut answer.headers);
    if ask.head.method == http::Method::HEAD {
        answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(object.size));
    }
    Ok(answer)
}

/// The object that the request names, in the version that it names, when the caller may read it; of a symlink, with its
/// target's body.
pub(super) async fn readable(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
) -> Result<Arc<ObjectRecord>, OssError> {
    let object = readable_itself(ask, bucket, key).await?;
    symlink::follow(ask, bucket, object).await
}

/// The same of a symlink itself.
pub(super) async fn readable_itself(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
) -> Result<Arc<ObjectRecord>, OssError> {
    versions::readable(ask, bucket, key, ask.version()).await
}

fn requested_part(ask: &Ask<'_>, object: &ObjectRecord) -> Result<Option<Range<u64>>, OssError> {
    let Some(range) = ask.header(header::RANGE) else { return Ok(None) };
    // A download that goes on must not be put together of two objects (RFC 9110, 13.1.5).
    if !headers::if_range_holds(object, &ask.head.headers) {
        return Ok(None);
    }
    let standard = ask.header("x-oss-range-behavior").is_some_and(|text| text.eq_ignore_ascii_case("standard"));
    let rules = if standard { RangeRules::OssStandard } else { RangeRules::Oss };
    match resolve_range(&range, object.size, rules) {
        RangeOutcome::Whole => Ok(None),
        RangeOutcome::Partial(part) => Ok(Some(part)),
        RangeOutcome::Unsatisfiable => Err(OssError::invalid_range(&range, object.size)),
    }
}

/// `response-*` of the query. Only a signature proves that whoever made the link meant them.
fn overrides(ask: &Ask<'_>) -> Result<HeaderMap, OssError> {
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
        let Some(value) = ask.accepted.query.filled(argument) else { continue };
        if ask.accepted.caller == Caller::Anonymous {
            return Err(OssError::invalid_request("Response headers can be overridden by signed requests only."));
        }
        let text = String::from_utf8_lossy(value);
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| OssError::invalid_argument("The value cannot stand in a header.", argument, &text))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

pub(super) fn not_modified(object: &ObjectRecord) -> Answer {
    let mut answer = Answer::empty(StatusCode::NOT_MODIFIED);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    answer.headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
    answer
}

/// The headers of an object. `whole` says that its whole body follows, so that its MD5 describes what is sent.
pub(super) fn describe(object: &ObjectRecord, whole: bool, headers: &mut HeaderMap) {
    headers::describe(object, META_PREFIX, headers);
    headers::describe_tags(object, "x-oss-tagging-count", headers);
    headers.insert(header::ETAG, etag_value(object.etag));
    headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(&OBJECT_TYPE, HeaderValue::from_static(object_type(object.kind)));
    encryption::describe(object, headers);
    headers.insert(&CRC64, HeaderValue::from(object.crc64));
    if whole {
        put_content_md5(object, headers);
    }
    if object.kind == ObjectKind::Appendable {
        headers.insert(NEXT_POSITION, HeaderValue::from(object.size));
    }
}

fn put_content_md5(object: &ObjectRecord, headers: &mut HeaderMap) {
    use base64::Engine as _;
    if let Some(md5) = object.content_md5 {
        let text = base64::engine::general_purpose::STANDARD.encode(md5);
        headers.insert(&CONTENT_MD5, HeaderValue::from_str(&text).expect("base64 is a header value"));
    }
}

/// The quoted, upper-case form.
pub(super) fn etag_value(etag: ETag) -> HeaderValue {
    quoted(etag, b"0123456789ABCDEF")
}

// ---- ACL -----------------------------------------------------------------------------------------------------

pub(super) async fn acl(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let object = versions::existing(ask, bucket, key, ask.version()).await?;
    let mut answer = Answer::xml(xml::access_control_policy(bucket.owner, &bucket.owner_name, object.acl));
    versions::show(bucket, object.version, &mut answer.headers);
    Ok(answer)
}

pub(super) async fn put_acl(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let missing = || OssError::invalid_argument("The x-oss-object-acl header is missing.", "x-oss-object-acl", "");
    let acl = new_acl(ask, bucket)?.ok_or_else(missing)?;
    let version = ask.version();
    let set = ask.deps.meta.set_object_acl(bucket.id, key, version, acl).await;
    let set = set.map_err(|error| versions::error(ask, error, key, version))?;
    let mut answer = Answer::empty(StatusCode::OK);
    versions::show(bucket, set, &mut answer.headers);
    Ok(answer)
}

/// The ACL that a request puts on an object, when the bucket lets it; as [`object_acl_header`] has it.
fn new_acl(ask: &Ask<'_>, bucket: &BucketRecord) -> Result<Option<Option<Acl>>, OssError> {
    let acl = object_acl_header(ask)?;
    if let Some(Some(acl)) = acl {
        settings::check_acl(bucket, acl, true)?;
    }
    Ok(acl)
}

/// `x-oss-object-acl`: outer `None` when absent, inner `None` for `default`, which follows the bucket.
fn object_acl_header(ask: &Ask<'_>) -> Result<Option<Option<Acl>>, OssError> {
    const NAME: &str = "x-oss-object-acl";
    if ask.header(NAME).is_some_and(|text| text.trim() == "default") {
        return Ok(Some(None));
    }
    Ok(ask.acl_header(NAME)?.map(Some))
}
