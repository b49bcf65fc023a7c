//! Settings of a bucket that are one document each: kept, and given back. What a setting does is said where it acts.

use http::StatusCode;

use super::error::OssError;
use super::operation::SettingName;
use super::service::Ask;
use super::xml;
use crate::auth::access::Action;
use crate::http::body::RequestBody;
use crate::http::server::Answer;
use crate::limits;
use crate::store::settings::{AclRefusal, LoggingTarget, RefererRules};
use crate::store::{Acl, BucketName, BucketRecord, BucketSetting};

pub(super) fn get(ask: &Ask<'_>, name: SettingName) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let settings = &bucket.settings;
    let missing = |error: fn(&str) -> OssError| move || error(bucket.name.as_str());
    Ok(Answer::xml(match name {
        SettingName::Website => {
            let website = settings.website.as_ref().ok_or_else(missing(OssError::no_such_website_configuration))?;
            xml::website_configuration(website)
        }
        SettingName::Referer => {
            xml::referer_configuration(settings.referer.as_ref().unwrap_or(&RefererRules::default()))
        }
        SettingName::Logging => xml::bucket_logging_status(settings.logging.as_ref()),
        SettingName::Encryption => {
            settings.encryption.ok_or_else(missing(OssError::no_such_server_side_encryption_rule))?;
            xml::server_side_encryption_rule()
        }
        SettingName::RequestPayment => xml::request_payment_configuration(settings.request_payment),
        SettingName::TransferAcceleration => {
            let enabled = settings.transfer_acceleration;
            let enabled = enabled.ok_or_else(missing(OssError::no_such_transfer_acceleration_configuration))?;
            xml::transfer_acceleration_configuration(enabled)
        }
        SettingName::PublicAccessBlock => xml::public_access_block_configuration(settings.public_access_block),
    }))
}

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody, name: SettingName) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let setting = match name {
        SettingName::Website => BucketSetting::Website(Some(Box::new(xml::read_website_configuration(&document)?))),
        SettingName::Referer => BucketSetting::Referer(xml::read_referer_configuration(&document)?),
        SettingName::Logging => {
            let target = xml::read_bucket_logging_status(&document)?;
            if let Some(target) = &target {
                check_logging_target(ask, bucket, target).await?;
            }
            BucketSetting::Logging(target)
        }
        SettingName::Encryption => {
            let encryption = xml::read_server_side_encryption_rule(&document)?;
            // What would not happen is not promised.
            if !ask.deps.objects.seals() {
                return Err(OssError::not_implemented("SSEAlgorithm"));
            }
            BucketSetting::Encryption(Some(encryption))
        }
        SettingName::RequestPayment => {
            BucketSetting::RequestPayment(xml::read_request_payment_configuration(&document)?)
        }
        SettingName::TransferAcceleration => {
            BucketSetting::TransferAcceleration(xml::read_transfer_acceleration_configuration(&document)?)
        }
        SettingName::PublicAccessBlock => {
            BucketSetting::PublicAccessBlock(Some(xml::read_public_access_block_configuration(&document)?))
        }
    };
    set(ask, bucket, setting).await?;
    Ok(Answer::empty(StatusCode::OK))
}

/// Taking away what is not there is no error.
pub(super) async fn delete(ask: &Ask<'_>, name: SettingName) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let setting = match name {
        SettingName::Website => BucketSetting::Website(None),
        SettingName::Logging => BucketSetting::Logging(None),
        SettingName::Encryption => BucketSetting::Encryption(None),
        SettingName::PublicAccessBlock => BucketSetting::PublicAccessBlock(None),
        // The routes have no DELETE of these.
        SettingName::Referer | SettingName::RequestPayment | SettingName::TransferAcceleration => {
            return Err(OssError::method_not_allowed("DELETE", "GET, PUT"));
        }
    };
    set(ask, bucket, setting).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn set(ask: &Ask<'_>, bucket: &BucketRecord, setting: BucketSetting) -> Result<(), OssError> {
    ask.deps.meta.set_bucket_setting(bucket.id, setting).await.map_err(|error| ask.store_error(error))
}

/// Logs may only go into a bucket of the same account.
async fn check_logging_target(ask: &Ask<'_>, bucket: &BucketRecord, target: &LoggingTarget) -> Result<(), OssError> {
    let invalid = || OssError::invalid_target_bucket_for_logging(&target.bucket);
    let name = BucketName::new(&target.bucket).ok_or_else(invalid)?;
    let found = ask.deps.meta.bucket(&name).await.map_err(|error| ask.store_error(error))?;
    found.filter(|found| found.owner == bucket.owner).map(drop).ok_or_else(invalid)
}

/// Whether the bucket lets this ACL be put on itself or, with `on_object`, on an object of it.
pub(super) fn check_acl(bucket: &BucketRecord, acl: Acl, on_object: bool) -> Result<(), OssError> {
    bucket.settings.permits_acl(acl).map_err(|refusal| match refusal {
        AclRefusal::Disabled => OssError::acl_not_supported(bucket.name.as_str()),
        AclRefusal::Public if on_object => OssError::access_denied_because("Put public object acl is not allowed"),
        AclRefusal::Public => OssError::access_denied_because("Put public bucket acl is not allowed"),
    })
}

/// The names of GET, PUT and DELETE, for logs and metrics.
pub(super) const fn operation_names(name: SettingName) -> [&'static str; 3] {
    match name {
        SettingName::Website => ["GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"],
        SettingName::Referer => ["GetBucketReferer", "PutBucketReferer", "DeleteBucketReferer"],
        SettingName::Logging => ["GetBucketLogging", "PutBucketLogging", "DeleteBucketLogging"],
        SettingName::Encryption => ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"],
        SettingName::RequestPayment => {
            ["GetBucketRequestPayment", "PutBucketRequestPayment", "DeleteBucketRequestPayment"]
        }
        SettingName::TransferAcceleration => {
            ["GetBucketTransferAcceleration", "PutBucketTransferAcceleration", "DeleteBucketTransferAcceleration"]
        }
        SettingName::PublicAccessBlock => {
            ["GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock"]
        }
    }
}
