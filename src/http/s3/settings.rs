//! Settings of a bucket that are one document each: kept, and given back. What a setting does is said where it acts.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    AccelerateConfiguration, BucketAccelerateStatus, BucketLoggingStatus, GetBucketAccelerateConfigurationOutput,
    GetBucketEncryptionOutput, GetBucketLoggingOutput, GetBucketNotificationConfigurationOutput,
    GetBucketOwnershipControlsOutput, GetBucketReplicationOutput, GetBucketRequestPaymentOutput,
    GetPublicAccessBlockOutput, LoggingEnabled, ObjectOwnership as WireOwnership, OwnershipControls,
    OwnershipControlsRule, Payer as WirePayer, PublicAccessBlockConfiguration, RequestPaymentConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    TargetObjectKeyFormat,
};

use super::encryption;
use super::error::S3Fault;
use super::exchange::Ask;
use crate::auth::access::Action;
use crate::http::server::Answer;
use crate::limits;
use crate::store::settings::{AclRefusal, DefaultEncryption, LoggingTarget, ObjectOwnership, PublicAccessBlock};
use crate::store::{Acl, BucketName, BucketRecord, BucketSetting, Payer};

/// Puts a setting, whose document's digests are checked.
pub(super) async fn put(ask: &Ask, bucket: &BucketRecord, setting: BucketSetting) -> Result<Answer, S3Fault> {
    ask.deps.meta.set_bucket_setting(bucket.id, setting).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::OK))
}

/// Takes a setting away; one that is not there is no error.
pub(super) async fn delete(ask: &Ask, name: &str, setting: BucketSetting) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    put(ask, &bucket, setting).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// The bucket whose setting may be put, the document being what the headers promise.
pub(super) async fn writable(ask: &Ask, name: &str) -> Result<Arc<BucketRecord>, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.check_document(false)?;
    Ok(bucket)
}

// ---- logging -------------------------------------------------------------------------------------------------

pub(super) async fn logging(ask: &Ask, name: &str) -> Result<GetBucketLoggingOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let enabled = |target: LoggingTarget| LoggingEnabled {
        target_bucket: target.bucket,
        target_grants: None,
        target_object_key_format: None,
        target_prefix: target.prefix,
    };
    Ok(GetBucketLoggingOutput { logging_enabled: bucket.settings.logging.clone().map(enabled) })
}

pub(super) async fn put_logging(ask: &Ask, name: &str, status: BucketLoggingStatus) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let target = match status.logging_enabled {
        None => None,
        Some(enabled) => Some(logging_target(ask, &bucket, enabled).await?),
    };
    put(ask, &bucket, BucketSetting::Logging(target)).await
}

async fn logging_target(ask: &Ask, bucket: &BucketRecord, enabled: LoggingEnabled) -> Result<LoggingTarget, S3Fault> {
    let LoggingEnabled { target_bucket, target_grants, target_object_key_format, target_prefix } = enabled;
    if target_grants.is_some_and(|grants| !grants.is_empty()) {
        return Err(S3Fault::new("NotImplemented").with("Header", "TargetGrants"));
    }
    if let Some(TargetObjectKeyFormat { partitioned_prefix: Some(_), .. }) = target_object_key_format {
        return Err(S3Fault::new("NotImplemented").with("Header", "TargetObjectKeyFormat"));
    }
    if target_prefix.len() > limits::LOG_PREFIX_BYTES_MAX {
        return Err(S3Fault::invalid_argument("The TargetPrefix is too long.", "TargetPrefix", &target_prefix));
    }
    let invalid = || S3Fault::new("InvalidTargetBucketForLogging").with("TargetBucket", &target_bucket);
    let valid = BucketName::new(&target_bucket).ok_or_else(invalid)?;
    let found = ask.deps.meta.bucket(&valid).await.map_err(|error| ask.store_error(&error))?;
    found.filter(|found| found.owner == bucket.owner).ok_or_else(invalid)?;
    Ok(LoggingTarget { bucket: target_bucket, prefix: target_prefix })
}

// ---- encryption ----------------------------------------------------------------------------------------------

pub(super) async fn encryption(ask: &Ask, name: &str) -> Result<GetBucketEncryptionOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let missing = || S3Fault::new("ServerSideEncryptionConfigurationNotFoundError").with("BucketName", name);
    let default = bucket.settings.encryption.ok_or_else(missing)?;
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        }),
        bucket_key_enabled: Some(default.bucket_key),
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
}

pub(super) async fn put_encryption(
    ask: &Ask,
    name: &str,
    configuration: ServerSideEncryptionConfiguration,
) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let [rule] = &configuration.rules[..] else { return Err(S3Fault::new("MalformedXML")) };
    let default = rule.apply_server_side_encryption_by_default.as_ref();
    let default = default.ok_or_else(|| S3Fault::new("MalformedXML"))?;
    encryption::check_algorithm(ask, default.sse_algorithm.as_str(), "SSEAlgorithm")?;
    if let Some(key) = default.kms_master_key_id.as_deref().filter(|key| !key.is_empty()) {
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        return Err(S3Fault::invalid_argument(message, "KMSMasterKeyID", key));
    }
    let default = DefaultEncryption { bucket_key: rule.bucket_key_enabled.unwrap_or(false) };
    put(ask, &bucket, BucketSetting::Encryption(Some(default))).await
}

// ---- payment and acceleration --------------------------------------------------------------------------------

pub(super) async fn request_payment(ask: &Ask, name: &str) -> Result<GetBucketRequestPaymentOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let payer = match bucket.settings.request_payment {
        Payer::BucketOwner => WirePayer::BUCKET_OWNER,
        Payer::Requester => WirePayer::REQUESTER,
    };
    Ok(GetBucketRequestPaymentOutput { payer: Some(WirePayer::from_static(payer)) })
}

pub(super) async fn put_request_payment(
    ask: &Ask,
    name: &str,
    configuration: RequestPaymentConfiguration,
) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let payer = match configuration.payer.as_str() {
        WirePayer::BUCKET_OWNER => Payer::BucketOwner,
        WirePayer::REQUESTER => Payer::Requester,
        _ => return Err(S3Fault::new("MalformedXML")),
    };
    put(ask, &bucket, BucketSetting::RequestPayment(payer)).await
}

pub(super) async fn acceleration(ask: &Ask, name: &str) -> Result<GetBucketAccelerateConfigurationOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let status = bucket.settings.transfer_acceleration.map(|enabled| {
        let status = if enabled { BucketAccelerateStatus::ENABLED } else { BucketAccelerateStatus::SUSPENDED };
        BucketAccelerateStatus::from_static(status)
    });
    Ok(GetBucketAccelerateConfigurationOutput { request_charged: None, status })
}

pub(super) async fn put_acceleration(
    ask: &Ask,
    name: &str,
    configuration: AccelerateConfiguration,
) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    if name.contains('.') {
        let message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
        return Err(S3Fault::new("InvalidRequest").saying(message));
    }
    let enabled = match configuration.status.as_ref().map(BucketAccelerateStatus::as_str) {
        Some(BucketAccelerateStatus::ENABLED) => true,
        Some(BucketAccelerateStatus::SUSPENDED) => false,
        _ => return Err(S3Fault::new("MalformedXML")),
    };
    put(ask, &bucket, BucketSetting::TransferAcceleration(enabled)).await
}

// ---- public access and ownership -----------------------------------------------------------------------------

pub(super) async fn public_access_block(ask: &Ask, name: &str) -> Result<GetPublicAccessBlockOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let missing = || S3Fault::new("NoSuchPublicAccessBlockConfiguration").with("BucketName", name);
    let block = bucket.settings.public_access_block.ok_or_else(missing)?;
    let configuration = PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_acls),
        block_public_policy: Some(block.block_policy),
        ignore_public_acls: Some(block.ignore_acls),
        restrict_public_buckets: Some(block.restrict_buckets),
    };
    Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) })
}

pub(super) async fn put_public_access_block(
    ask: &Ask,
    name: &str,
    configuration: PublicAccessBlockConfiguration,
) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let block = PublicAccessBlock {
        block_acls: configuration.block_public_acls.unwrap_or(false),
        ignore_acls: configuration.ignore_public_acls.unwrap_or(false),
        block_policy: configuration.block_public_policy.unwrap_or(false),
        restrict_buckets: configuration.restrict_public_buckets.unwrap_or(false),
    };
    put(ask, &bucket, BucketSetting::PublicAccessBlock(Some(block))).await
}

pub(super) async fn ownership(ask: &Ask, name: &str) -> Result<GetBucketOwnershipControlsOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let missing = || S3Fault::new("OwnershipControlsNotFoundError").with("BucketName", name);
    let text = match bucket.settings.ownership.ok_or_else(missing)? {
        ObjectOwnership::BucketOwnerEnforced => WireOwnership::BUCKET_OWNER_ENFORCED,
        ObjectOwnership::BucketOwnerPreferred => WireOwnership::BUCKET_OWNER_PREFERRED,
        ObjectOwnership::ObjectWriter => WireOwnership::OBJECT_WRITER,
    };
    let rule = OwnershipControlsRule { object_ownership: WireOwnership::from_static(text) };
    Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(OwnershipControls { rules: vec![rule] }) })
}

pub(super) async fn put_ownership(ask: &Ask, name: &str, controls: OwnershipControls) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let [rule] = &controls.rules[..] else { return Err(S3Fault::new("MalformedXML")) };
    let malformed = || S3Fault::new("MalformedXML");
    let ownership = read_ownership(rule.object_ownership.as_str(), bucket.acl, malformed)?;
    put(ask, &bucket, BucketSetting::Ownership(Some(ownership))).await
}

/// An ownership for a bucket with this ACL; a text that is none is `unknown`.
fn read_ownership(text: &str, acl: Acl, unknown: impl Fn() -> S3Fault) -> Result<ObjectOwnership, S3Fault> {
    match text {
        // An ACL that lost its effect unseen would be a surprise when it gets it back.
        WireOwnership::BUCKET_OWNER_ENFORCED if acl != Acl::Private => {
            Err(S3Fault::new("InvalidBucketAclWithObjectOwnership"))
        }
        WireOwnership::BUCKET_OWNER_ENFORCED => Ok(ObjectOwnership::BucketOwnerEnforced),
        WireOwnership::BUCKET_OWNER_PREFERRED => Ok(ObjectOwnership::BucketOwnerPreferred),
        WireOwnership::OBJECT_WRITER => Ok(ObjectOwnership::ObjectWriter),
        _ => Err(unknown()),
    }
}

/// The ownership that a bucket is to be made with.
pub(super) fn new_ownership(ask: &Ask, acl: Acl) -> Result<Option<ObjectOwnership>, S3Fault> {
    const NAME: &str = "x-amz-object-ownership";
    let Some(text) = ask.header(NAME) else { return Ok(None) };
    let unknown = || S3Fault::invalid_argument("The object ownership is not one that exists.", NAME, &text);
    read_ownership(text.trim(), acl, unknown).map(Some)
}

/// Whether the bucket lets this ACL be put on itself or on an object of it.
pub(super) fn check_acl(bucket: &BucketRecord, acl: Acl) -> Result<(), S3Fault> {
    bucket.settings.permits_acl(acl).map_err(|refusal| match refusal {
        AclRefusal::Disabled => S3Fault::new("AccessControlListNotSupported"),
        AclRefusal::Public => S3Fault::new("AccessDenied"),
    })
}

// ---- what clients ask for, and nobody can set ----------------------------------------------------------------

/// Clients that look at a whole bucket read this; an empty one is what it has.
pub(super) async fn notification(ask: &Ask, name: &str) -> Result<GetBucketNotificationConfigurationOutput, S3Fault> {
    ask.bucket_for(name, Action::ReadSettings).await?;
    Ok(GetBucketNotificationConfigurationOutput::default())
}

/// The same of a bucket that is not replicated.
pub(super) async fn replication(ask: &Ask, name: &str) -> Result<GetBucketReplicationOutput, S3Fault> {
    ask.bucket_for(name, Action::ReadSettings).await?;
    Err(S3Fault::new("ReplicationConfigurationNotFoundError").with("BucketName", name))
}
