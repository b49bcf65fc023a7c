//! Tags of buckets and of objects, by document and by header.

use http::StatusCode;

use super::error::OssError;
use super::object::bucket_of_source;
use super::service::Ask;
use super::versions;
use super::xml;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::http::access::Wanted;
use crate::http::body::RequestBody;
use crate::http::headers::tags_of_header;
use crate::http::server::Answer;
use crate::limits;
use crate::store::tags::{TagError, TagRules, check_tags};
use crate::store::{BucketName, BucketRecord, ObjectKey, ObjectRecord, Tag};

const OBJECT: TagRules = TagRules { count_max: limits::OBJECT_TAGS_MAX, extra_marks: "" };
const BUCKET: TagRules = TagRules { count_max: limits::OSS_BUCKET_TAGS_MAX, extra_marks: "" };

pub(super) fn bucket_tags(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    Ok(Answer::xml(xml::tagging(&bucket.tags)))
}

pub(super) async fn put_bucket_tags(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let tags = read(ask, body, BUCKET).await?;
    ask.deps.meta.set_bucket_tags(bucket.id, tags).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) async fn delete_bucket_tags(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    ask.deps.meta.set_bucket_tags(bucket.id, Vec::new()).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn object_tags(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let object = versions::existing(ask, bucket, key, ask.version()).await?;
    let mut answer = Answer::xml(xml::tagging(&object.tags));
    versions::show(bucket, object.version, &mut answer.headers);
    Ok(answer)
}

pub(super) async fn put_object_tags(
    ask: &Ask<'_>,
    body: &mut RequestBody,
    key: &ObjectKey,
) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let tags = read(ask, body, OBJECT).await?;
    set_object_tags(ask, bucket, key, tags, StatusCode::OK).await
}

pub(super) async fn delete_object_tags(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    set_object_tags(ask, bucket, key, Vec::new(), StatusCode::NO_CONTENT).await
}

async fn set_object_tags(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    tags: Vec<Tag>,
    status: StatusCode,
) -> Result<Answer, OssError> {
    let version = ask.version();
    let set = ask.deps.meta.set_object_tags(bucket.id, key, version, tags).await;
    let set = set.map_err(|error| versions::error(ask, error, key, version))?;
    let mut answer = Answer::empty(status);
    versions::show(bucket, set, &mut answer.headers);
    Ok(answer)
}

async fn read(ask: &Ask<'_>, body: &mut RequestBody, rules: TagRules) -> Result<Vec<Tag>, OssError> {
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    checked(xml::read_tagging(&document)?, rules)
}

/// `x-oss-tagging` of a request that makes an object.
pub(super) fn header_tags(ask: &Ask<'_>) -> Result<Vec<Tag>, OssError> {
    const NAME: &str = "x-oss-tagging";
    let Some(value) = ask.head.headers.get(NAME) else { return Ok(Vec::new()) };
    let shown = || String::from_utf8_lossy(value.as_bytes()).into_owned();
    checked(tags_of_header(value.as_bytes()).ok_or_else(|| OssError::invalid_tag(NAME, &shown()))?, OBJECT)
}

/// Whether a copy takes the source's tags rather than those of its own head.
pub(super) fn copies_tags(ask: &Ask<'_>) -> Result<bool, OssError> {
    const NAME: &str = "x-oss-tagging-directive";
    match ask.header(NAME).as_deref() {
        None | Some("") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("Copy") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("Replace") => Ok(false),
        Some(text) => Err(OssError::invalid_argument("The tagging directive must be Copy or Replace.", NAME, text)),
    }
}

/// Decides over the tags that a copy takes along: to read the source's and to write those of `to` takes rights of their own,
/// as where a request names them. ACLs give them with the read and the write.
pub(super) async fn check_copy(
    ask: &Ask<'_>,
    to: (&BucketRecord, &ObjectKey),
    source_bucket: &BucketName,
    source: &ObjectRecord,
) -> Result<(), OssError> {
    if source.tags.is_empty() {
        return Ok(());
    }
    let (bucket, key) = to;
    let from = bucket_of_source(ask, source_bucket).await?;
    let (read, written) = (Permission::GetObjectTagging, Permission::PutObjectTagging);
    let wanted = Wanted { bucket: &from, key: Some(source.key.as_bytes()), object: source.acl, permission: read };
    ask.decide_beside_of(wanted, Permission::GetObject)?;
    ask.decide_beside(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission: written })
}

fn checked(tags: Vec<Tag>, rules: TagRules) -> Result<Vec<Tag>, OssError> {
    match check_tags(&tags, rules) {
        Ok(()) => Ok(tags),
        Err(TagError::TooMany) => Err(OssError::invalid_tag("TagCount", &tags.len().to_string())),
        Err(TagError::Key(key) | TagError::Repeated(key)) => Err(OssError::invalid_tag("TagKey", &key)),
        Err(TagError::Value(value)) => Err(OssError::invalid_tag("TagValue", &value)),
    }
}
