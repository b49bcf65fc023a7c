//! The bucket's policy, and which right each operation takes.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderValue};

use super::error::OssError;
use super::operation::{ListPartsQuery, OssOperation, SettingName};
use super::service::Ask;
use super::xml;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::auth::policy::{Kind, Policy};
use crate::http::access::Wanted;
use crate::http::body::{Content, RequestBody};
use crate::http::server::Answer;
use crate::limits;
use crate::store::{BucketRecord, BucketSetting, ObjectKey};

impl OssOperation {
    /// The right that it takes, as policies name it. (The source of a copy takes one of its own, a version one more.)
    pub fn permission(&self) -> Permission {
        use Permission as P;
        match self {
            Self::ListBuckets(_) => P::ListBuckets,
            Self::DescribeRegions(_) => P::DescribeRegions,
            Self::PutBucket => P::PutBucket,
            Self::DeleteBucket => P::DeleteBucket,
            Self::GetBucketInfo => P::GetBucketInfo,
            Self::GetBucketStat => P::GetBucketStat,
            Self::GetBucketLocation => P::GetBucketLocation,
            Self::GetBucketAcl => P::GetBucketAcl,
            Self::PutBucketAcl => P::PutBucketAcl,
            Self::GetBucketCors => P::GetBucketCors,
            Self::PutBucketCors => P::PutBucketCors,
            Self::DeleteBucketCors => P::DeleteBucketCors,
            Self::GetBucketLifecycle => P::GetBucketLifecycle,
            Self::PutBucketLifecycle => P::PutBucketLifecycle,
            Self::DeleteBucketLifecycle => P::DeleteBucketLifecycle,
            Self::GetBucketVersioning => P::GetBucketVersioning,
            Self::PutBucketVersioning => P::PutBucketVersioning,
            Self::ListObjectVersions(_) => P::ListObjectVersions,
            Self::GetBucketSetting(name) => match name {
                SettingName::Website => P::GetBucketWebsite,
                SettingName::Referer => P::GetBucketReferer,
                SettingName::Logging => P::GetBucketLogging,
                SettingName::Encryption => P::GetBucketEncryption,
                SettingName::RequestPayment => P::GetBucketRequestPayment,
                SettingName::TransferAcceleration => P::GetBucketTransferAcceleration,
                SettingName::PublicAccessBlock => P::GetBucketPublicAccessBlock,
            },
            Self::PutBucketSetting(name) => match name {
                SettingName::Website => P::PutBucketWebsite,
                SettingName::Referer => P::PutBucketReferer,
                SettingName::Logging => P::PutBucketLogging,
                SettingName::Encryption => P::PutBucketEncryption,
                SettingName::RequestPayment => P::PutBucketRequestPayment,
                SettingName::TransferAcceleration => P::PutBucketTransferAcceleration,
                SettingName::PublicAccessBlock => P::PutBucketPublicAccessBlock,
            },
            Self::DeleteBucketSetting(name) => match name {
                SettingName::Website => P::DeleteBucketWebsite,
                SettingName::Logging => P::DeleteBucketLogging,
                SettingName::Encryption => P::DeleteBucketEncryption,
                SettingName::PublicAccessBlock => P::DeleteBucketPublicAccessBlock,
                // These are put as they were, not deleted.
                SettingName::Referer => P::PutBucketReferer,
                SettingName::RequestPayment => P::PutBucketRequestPayment,
                SettingName::TransferAcceleration => P::PutBucketTransferAcceleration,
            },
            Self::HeadBucket => P::GetBucketInfo,
            Self::GetBucketTags => P::GetBucketTagging,
            Self::PutBucketTags => P::PutBucketTagging,
            Self::DeleteBucketTags => P::DeleteBucketTagging,
            Self::GetBucketPolicy => P::GetBucketPolicy,
            Self::PutBucketPolicy => P::PutBucketPolicy,
            Self::DeleteBucketPolicy => P::DeleteBucketPolicy,
            Self::GetBucketPolicyStatus => P::GetBucketPolicyStatus,
            Self::ListObjects(_) | Self::ListObjectsV2(_) => P::ListObjects,
            Self::DeleteMultipleObjects { .. } | Self::DeleteObject(_) => P::DeleteObject,
            Self::PutObject(_)
            | Self::PostObject
            | Self::CopyObject { .. }
            | Self::AppendObject { .. }
            | Self::InitiateMultipartUpload { .. }
            | Self::UploadPart { .. }
            | Self::UploadPartCopy { .. }
            | Self::CompleteMultipartUpload { .. } => P::PutObject,
            Self::GetObject(_) | Self::GetObjectHlsSigned(_) | Self::HeadObject(_) | Self::GetObjectMeta(_) => {
                P::GetObject
            }
            Self::PutSymlink(_) => P::PutObject,
            Self::GetSymlink(_) => P::GetObject,
            Self::RestoreObject(_) => P::RestoreObject,
            Self::GetObjectAcl(_) => P::GetObjectAcl,
            Self::PutObjectAcl(_) => P::PutObjectAcl,
            Self::GetObjectTagging(_) => P::GetObjectTagging,
            Self::PutObjectTagging(_) => P::PutObjectTagging,
            Self::DeleteObjectTagging(_) => P::DeleteObjectTagging,
            Self::AbortMultipartUpload(_) => P::AbortMultipartUpload,
            Self::ListParts(_) => P::ListParts,
            Self::ListMultipartUploads(_) => P::ListMultipartUploads,
            Self::PutLiveChannel(_) => P::PutLiveChannel,
            Self::PutLiveChannelStatus(..) => P::PutLiveChannelStatus,
            Self::GetLiveChannelInfo(_) => P::GetLiveChannelInfo,
            Self::GetLiveChannelStat(_) => P::GetLiveChannelStat,
            Self::GetLiveChannelHistory(_) => P::GetLiveChannelHistory,
            Self::ListLiveChannel(_) => P::ListLiveChannel,
            Self::DeleteLiveChannel(_) => P::DeleteLiveChannel,
            Self::PostVodPlaylist { .. } => P::PostVodPlaylist,
            Self::GetVodPlaylist(..) => P::GetVodPlaylist,
        }
    }

    /// The key or channel that it is about, as resources of policies name it; `None` is the bucket itself (and the
    /// service). Of several keys each is judged by itself, and so is that of a form.
    pub fn resource(&self) -> Option<&[u8]> {
        match self {
            Self::PutObject(key)
            | Self::CopyObject { key, .. }
            | Self::AppendObject { key, .. }
            | Self::GetObject(key)
            | Self::GetObjectHlsSigned(key)
            | Self::HeadObject(key)
            | Self::GetObjectMeta(key)
            | Self::DeleteObject(key)
            | Self::GetObjectAcl(key)
            | Self::PutObjectAcl(key)
            | Self::GetObjectTagging(key)
            | Self::PutObjectTagging(key)
            | Self::DeleteObjectTagging(key)
            | Self::PutSymlink(key)
            | Self::GetSymlink(key)
            | Self::RestoreObject(key)
            | Self::InitiateMultipartUpload { key, .. } => Some(key.as_bytes()),
            Self::UploadPart { upload, .. }
            | Self::UploadPartCopy { upload, .. }
            | Self::CompleteMultipartUpload { upload, .. }
            | Self::AbortMultipartUpload(upload)
            | Self::ListParts(ListPartsQuery { upload, .. }) => Some(upload.key.as_bytes()),
            Self::PutLiveChannel(channel)
            | Self::PutLiveChannelStatus(channel, _)
            | Self::GetLiveChannelInfo(channel)
            | Self::GetLiveChannelStat(channel)
            | Self::GetLiveChannelHistory(channel)
            | Self::DeleteLiveChannel(channel)
            | Self::PostVodPlaylist { channel, .. }
            | Self::GetVodPlaylist(channel, _) => Some(channel.as_str().as_bytes()),
            Self::ListBuckets(_)
            | Self::DescribeRegions(_)
            | Self::PutBucket
            | Self::DeleteBucket
            | Self::GetBucketInfo
            | Self::GetBucketStat
            | Self::GetBucketLocation
            | Self::GetBucketAcl
            | Self::PutBucketAcl
            | Self::GetBucketCors
            | Self::PutBucketCors
            | Self::DeleteBucketCors
            | Self::GetBucketLifecycle
            | Self::PutBucketLifecycle
            | Self::DeleteBucketLifecycle
            | Self::GetBucketVersioning
            | Self::PutBucketVersioning
            | Self::ListObjectVersions(_)
            | Self::GetBucketSetting(_)
            | Self::PutBucketSetting(_)
            | Self::DeleteBucketSetting(_)
            | Self::HeadBucket
            | Self::PostObject
            | Self::GetBucketTags
            | Self::PutBucketTags
            | Self::DeleteBucketTags
            | Self::GetBucketPolicy
            | Self::PutBucketPolicy
            | Self::DeleteBucketPolicy
            | Self::GetBucketPolicyStatus
            | Self::ListObjects(_)
            | Self::ListObjectsV2(_)
            | Self::DeleteMultipleObjects { .. }
            | Self::ListMultipartUploads(_)
            | Self::ListLiveChannel(_) => None,
        }
    }
}

/// An ACL and tags in the head of a request that makes an object take rights of their own.
pub(super) fn check_head(ask: &Ask<'_>, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), OssError> {
    let heads = [("x-oss-object-acl", Permission::PutObjectAcl), ("x-oss-tagging", Permission::PutObjectTagging)];
    let sent = heads.into_iter().filter(|(name, _)| ask.head.headers.contains_key(*name));
    for (_, permission) in sent {
        ask.decide_beside(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission })?;
    }
    Ok(())
}

pub(super) fn get(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let text = bucket.settings.policy.clone();
    let text = text.ok_or_else(|| OssError::no_such_bucket_policy(bucket.name.as_str()))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.content = Content::Bytes(Bytes::from(text));
    Ok(answer)
}

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let document = ask.document(body, limits::OSS_POLICY_BYTES_MAX).await?;
    let invalid = |why: String| OssError::invalid_policy_document(&why);
    let policy = Policy::parse(&document, Kind::Bucket, limits::OSS_POLICY_BYTES_MAX);
    let policy = policy.map_err(|error| invalid(error.to_string()))?;
    policy.check_bucket(bucket.name.as_str(), bucket.owner.0).map_err(|error| invalid(error.to_string()))?;
    if bucket.settings.public_access_block.is_some_and(|block| block.block_policy) && policy.is_public() {
        return Err(OssError::access_denied_because("The bucket's public access block refuses a public policy."));
    }
    let text = String::from_utf8(document.into()).map_err(|error| invalid(error.to_string()))?;
    set(ask, Some(text)).await?;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) async fn delete(ask: &Ask<'_>) -> Result<Answer, OssError> {
    ask.bucket_for(Action::WriteSettings)?;
    set(ask, None).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn set(ask: &Ask<'_>, text: Option<String>) -> Result<(), OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let set = ask.deps.meta.set_bucket_setting(bucket.id, BucketSetting::Policy(text)).await;
    set.map_err(|error| ask.store_error(error))
}

/// A bucket without a policy is not public by one.
pub(super) fn status(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let policy = bucket.settings.policy.as_deref().map(|text| ask.deps.policies.bucket(text));
    Ok(Answer::xml(xml::policy_status(policy.is_some_and(|policy| policy.is_public()))))
}
