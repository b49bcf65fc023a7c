//! The bucket's policy, and which right each operation takes.

use http::StatusCode;
use s3s::dto::{GetBucketPolicyOutput, GetBucketPolicyStatusOutput, PolicyStatus};

use super::acl;
use super::error::S3Fault;
use super::exchange::Ask;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::auth::policy::{Kind, Policy};
use crate::http::access::Wanted;
use crate::http::server::Answer;
use crate::limits;
use crate::store::{BucketRecord, BucketSetting, ObjectKey};

/// The right that an operation takes, as policies name it. (The source of a copy takes one of its own, a version one more.) `None` for what
/// is not built: nobody may do that.
pub(super) fn permission(operation: &str) -> Option<Permission> {
    use Permission as P;
    Some(match operation {
        "ListBuckets" => P::ListBuckets,
        "CreateBucket" => P::PutBucket,
        "DeleteBucket" => P::DeleteBucket,
        "GetBucketLocation" => P::GetBucketLocation,
        "GetBucketAcl" => P::GetBucketAcl,
        "PutBucketAcl" => P::PutBucketAcl,
        "GetBucketCors" => P::GetBucketCors,
        "PutBucketCors" => P::PutBucketCors,
        "DeleteBucketCors" => P::DeleteBucketCors,
        "GetBucketLifecycleConfiguration" => P::GetBucketLifecycle,
        "PutBucketLifecycleConfiguration" => P::PutBucketLifecycle,
        "DeleteBucketLifecycle" => P::DeleteBucketLifecycle,
        "GetBucketVersioning" => P::GetBucketVersioning,
        "PutBucketVersioning" => P::PutBucketVersioning,
        "ListObjectVersions" => P::ListObjectVersions,
        "GetBucketTagging" => P::GetBucketTagging,
        "PutBucketTagging" => P::PutBucketTagging,
        "DeleteBucketTagging" => P::DeleteBucketTagging,
        "GetBucketPolicy" => P::GetBucketPolicy,
        "PutBucketPolicy" => P::PutBucketPolicy,
        "DeleteBucketPolicy" => P::DeleteBucketPolicy,
        "GetBucketPolicyStatus" => P::GetBucketPolicyStatus,
        "GetBucketWebsite" => P::GetBucketWebsite,
        "PutBucketWebsite" => P::PutBucketWebsite,
        "DeleteBucketWebsite" => P::DeleteBucketWebsite,
        "GetBucketLogging" => P::GetBucketLogging,
        "PutBucketLogging" => P::PutBucketLogging,
        "GetBucketEncryption" => P::GetBucketEncryption,
        "PutBucketEncryption" => P::PutBucketEncryption,
        "DeleteBucketEncryption" => P::DeleteBucketEncryption,
        "GetBucketRequestPayment" => P::GetBucketRequestPayment,
        "PutBucketRequestPayment" => P::PutBucketRequestPayment,
        "GetBucketAccelerateConfiguration" => P::GetBucketTransferAcceleration,
        "PutBucketAccelerateConfiguration" => P::PutBucketTransferAcceleration,
        "GetBucketOwnershipControls" => P::GetBucketOwnershipControls,
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => P::PutBucketOwnershipControls,
        "GetPublicAccessBlock" => P::GetBucketPublicAccessBlock,
        "PutPublicAccessBlock" => P::PutBucketPublicAccessBlock,
        "DeletePublicAccessBlock" => P::DeleteBucketPublicAccessBlock,
        "GetObjectLockConfiguration" => P::GetBucketObjectLock,
        "PutObjectLockConfiguration" => P::PutBucketObjectLock,
        "GetObjectRetention" => P::GetObjectRetention,
        "PutObjectRetention" => P::PutObjectRetention,
        "GetObjectLegalHold" => P::GetObjectLegalHold,
        "PutObjectLegalHold" => P::PutObjectLegalHold,
        "GetBucketNotificationConfiguration" => P::GetBucketNotification,
        "GetBucketReplication" => P::GetBucketReplication,
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => P::ListObjects,
        "GetObject" | "HeadObject" | "GetObjectAttributes" => P::GetObject,
        "PutObject"
        | "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => P::PutObject,
        "DeleteObject" | "DeleteObjects" => P::DeleteObject,
        "RestoreObject" => P::RestoreObject,
        "GetObjectAcl" => P::GetObjectAcl,
        "PutObjectAcl" => P::PutObjectAcl,
        "GetObjectTagging" => P::GetObjectTagging,
        "PutObjectTagging" => P::PutObjectTagging,
        "DeleteObjectTagging" => P::DeleteObjectTagging,
        "AbortMultipartUpload" => P::AbortMultipartUpload,
        "ListParts" => P::ListParts,
        "ListMultipartUploads" => P::ListMultipartUploads,
        _ => return None,
    })
}

/// An ACL, tags and locks in the head of a request that makes an object take rights of their own.
pub(super) fn check_head(ask: &Ask, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), S3Fault> {
    let heads = [
        ("x-amz-tagging", Permission::PutObjectTagging),
        ("x-amz-object-lock-mode", Permission::PutObjectRetention),
        ("x-amz-object-lock-legal-hold", Permission::PutObjectLegalHold),
    ];
    let sent = heads.into_iter().filter(|(name, _)| ask.headers.contains_key(*name));
    let acl = acl::in_headers(&ask.headers).then_some(Permission::PutObjectAcl);
    for permission in sent.map(|(_, permission)| permission).chain(acl) {
        ask.decide_beside(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission })?;
    }
    Ok(())
}

pub(super) async fn get(ask: &Ask, name: &str) -> Result<GetBucketPolicyOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    match &bucket.settings.policy {
        Some(policy) => Ok(GetBucketPolicyOutput { policy: Some(policy.clone()) }),
        None => Err(no_policy(name)),
    }
}

pub(super) async fn put(ask: &Ask, name: &str, text: String) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.check_document(false)?;
    let malformed = |error: crate::auth::policy::PolicyError| S3Fault::new("MalformedPolicy").saying(error.to_string());
    let policy = Policy::parse(text.as_bytes(), Kind::Bucket, limits::S3_POLICY_BYTES_MAX).map_err(malformed)?;
    policy.check_bucket(bucket.name.as_str(), bucket.owner.0).map_err(malformed)?;
    if bucket.settings.public_access_block.is_some_and(|block| block.block_policy) && policy.is_public() {
        return Err(S3Fault::new("AccessDenied"));
    }
    let set = ask.deps.meta.set_bucket_setting(bucket.id, BucketSetting::Policy(Some(text))).await;
    set.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn delete(ask: &Ask, name: &str) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    let set = ask.deps.meta.set_bucket_setting(bucket.id, BucketSetting::Policy(None)).await;
    set.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn status(ask: &Ask, name: &str) -> Result<GetBucketPolicyStatusOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let text = bucket.settings.policy.as_deref().ok_or_else(|| no_policy(name))?;
    let is_public = Some(ask.deps.policies.bucket(text).is_public());
    Ok(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public }) })
}

fn no_policy(name: &str) -> S3Fault {
    S3Fault::new("NoSuchBucketPolicy").with("BucketName", name)
}
