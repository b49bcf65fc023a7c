//! Tags of buckets and of objects, by document and by header.

use http::StatusCode;
use s3s::dto::{GetBucketTaggingOutput, GetObjectTaggingOutput, Tag as WireTag, Tagging};

use super::error::S3Fault;
use super::exchange::Ask;
use super::versions;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::http::access::Wanted;
use crate::http::headers::tags_of_header;
use crate::http::server::Answer;
use crate::limits;
use crate::store::tags::{TagError, TagRules, check_tags};
use crate::store::{BucketRecord, ObjectKey, ObjectRecord, Tag};

const OBJECT: TagRules = TagRules { count_max: limits::OBJECT_TAGS_MAX, extra_marks: "@" };
const BUCKET: TagRules = TagRules { count_max: limits::S3_BUCKET_TAGS_MAX, extra_marks: "@" };

pub(super) async fn bucket_tags(ask: &Ask, name: &str) -> Result<GetBucketTaggingOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    if bucket.tags.is_empty() {
        return Err(S3Fault::new("NoSuchTagSet").with("BucketName", name));
    }
    Ok(GetBucketTaggingOutput { tag_set: bucket.tags.iter().cloned().map(wire).collect() })
}

/// `None` removes them.
pub(super) async fn set_bucket_tags(ask: &Ask, name: &str, tagging: Option<Tagging>) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    let tags = read(ask, tagging, BUCKET)?;
    ask.deps.meta.set_bucket_tags(bucket.id, tags).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn object_tags(ask: &Ask, bucket: &str, key: &str) -> Result<GetObjectTaggingOutput, S3Fault> {
    let version = ask.version()?;
    let bucket = ask.bucket_for(bucket, Action::ReadSettings).await?;
    let key = ask.key(key)?;
    let object = versions::existing(ask, &bucket, &key, version).await?;
    let version_id = versions::shown(&bucket, object.version);
    Ok(GetObjectTaggingOutput { tag_set: object.tags.iter().cloned().map(wire).collect(), version_id })
}

/// `None` removes them.
pub(super) async fn set_object_tags(
    ask: &Ask,
    bucket: &str,
    key: &str,
    tagging: Option<Tagging>,
) -> Result<Answer, S3Fault> {
    let version = ask.version()?;
    let bucket = ask.bucket_for(bucket, Action::WriteSettings).await?;
    let key = ask.key(key)?;
    let status = if tagging.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT };
    let tags = read(ask, tagging, OBJECT)?;
    let set = ask.deps.meta.set_object_tags(bucket.id, &key, version, tags).await;
    let set = set.map_err(|error| versions::error(ask, &error, &key, version))?;
    let mut answer = Answer::empty(status);
    versions::show(&bucket, set, &mut answer.headers);
    Ok(answer)
}

fn read(ask: &Ask, tagging: Option<Tagging>, rules: TagRules) -> Result<Vec<Tag>, S3Fault> {
    let Some(tagging) = tagging else { return Ok(Vec::new()) };
    ask.check_document(false)?;
    let tag = |tag: WireTag| match (tag.key, tag.value) {
        (Some(key), Some(value)) => Ok(Tag { key, value }),
        _ => Err(S3Fault::new("MalformedXML")),
    };
    checked(tagging.tag_set.into_iter().map(tag).collect::<Result<_, _>>()?, rules)
}

/// `x-amz-tagging` of a request that makes an object.
pub(super) fn header_tags(ask: &Ask) -> Result<Vec<Tag>, S3Fault> {
    const NAME: &str = "x-amz-tagging";
    let Some(value) = ask.headers.get(NAME) else { return Ok(Vec::new()) };
    let malformed = || {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without \
                       tag name duplicates.";
        S3Fault::invalid_argument(message, NAME, &String::from_utf8_lossy(value.as_bytes()))
    };
    let tags = tags_of_header(value.as_bytes()).ok_or_else(malformed)?;
    match check_tags(&tags, OBJECT) {
        Err(TagError::Repeated(_)) => Err(malformed()),
        _ => checked(tags, OBJECT),
    }
}

/// Whether a copy takes the source's tags rather than those of its own head.
pub(super) fn copies_tags(ask: &Ask) -> Result<bool, S3Fault> {
    const NAME: &str = "x-amz-tagging-directive";
    match ask.header(NAME).as_deref() {
        None | Some("" | "COPY") => Ok(true),
        Some("REPLACE") => Ok(false),
        Some(text) => Err(S3Fault::invalid_argument("Unknown tagging directive.", NAME, text)),
    }
}

/// Decides over the tags that a copy takes along: to read the source's and to write those of `to` takes rights of their own,
/// as where a request names them. ACLs give them with the read and the write.
pub(super) async fn check_copy(
    ask: &Ask,
    to: (&BucketRecord, &ObjectKey),
    source_bucket: &str,
    source: &ObjectRecord,
) -> Result<(), S3Fault> {
    if source.tags.is_empty() {
        return Ok(());
    }
    let (bucket, key) = to;
    let from = ask.any_bucket(source_bucket).await?;
    let (read, written) = (Permission::GetObjectTagging, Permission::PutObjectTagging);
    let wanted = Wanted { bucket: &from, key: Some(source.key.as_bytes()), object: source.acl, permission: read };
    ask.decide_beside_of(wanted, Permission::GetObject)?;
    ask.decide_beside(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission: written })
}

fn checked(tags: Vec<Tag>, rules: TagRules) -> Result<Vec<Tag>, S3Fault> {
    let invalid = |message: &'static str| S3Fault::new("InvalidTag").saying(message);
    match check_tags(&tags, rules) {
        Ok(()) => Ok(tags),
        Err(TagError::TooMany) => {
            let message = format!("Tags cannot be more than {}", rules.count_max);
            Err(S3Fault::new("BadRequest").saying(message))
        }
        Err(TagError::Key(key)) => Err(invalid("The TagKey you have provided is invalid").with("TagKey", key)),
        Err(TagError::Value(value)) => {
            Err(invalid("The TagValue you have provided is invalid").with("TagValue", value))
        }
        Err(TagError::Repeated(key)) => {
            Err(invalid("Cannot provide multiple Tags with the same key").with("TagKey", key))
        }
    }
}

fn wire(tag: Tag) -> WireTag {
    WireTag { key: Some(tag.key), value: Some(tag.value) }
}
