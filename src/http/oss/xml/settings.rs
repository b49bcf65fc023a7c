//! Documents of a bucket's settings, but for the website's.

use bytes::Bytes;

use super::read::{Element, document};
use super::{OSS_XML_BYTES_MAX, flag};
use crate::http::oss::error::OssError;
use crate::http::xml::Writer;
use crate::limits::{LOG_PREFIX_BYTES_MAX, REFERER_LISTS_BYTES_MAX, REFERER_LISTS_MAX};
use crate::store::Payer;
use crate::store::settings::{DefaultEncryption, LoggingTarget, PublicAccessBlock, RefererRules};

/// How default encryption is written; the only one there is.
pub const AES256: &str = "AES256";

// ---- rendering -----------------------------------------------------------------------------------------------

/// `RefererConfiguration`.
pub fn referer_configuration(rules: &RefererRules) -> Bytes {
    let list = |w: &mut Writer, name: &str, patterns: &[String]| {
        w.element(name, |w| patterns.iter().for_each(|pattern| w.text("Referer", pattern)));
    };
    Writer::document("RefererConfiguration", |w| {
        w.text("AllowEmptyReferer", rules.allow_empty);
        w.text("AllowTruncateQueryString", rules.truncate_query);
        w.text("TruncatePath", rules.truncate_path);
        list(w, "RefererList", &rules.allowed);
        if !rules.refused.is_empty() {
            list(w, "RefererBlacklist", &rules.refused);
        }
    })
}

/// `BucketLoggingStatus`, empty when logs go nowhere.
pub fn bucket_logging_status(target: Option<&LoggingTarget>) -> Bytes {
    Writer::document("BucketLoggingStatus", |w| {
        if let Some(target) = target {
            w.element("LoggingEnabled", |w| {
                w.text("TargetBucket", &target.bucket);
                w.text("TargetPrefix", &target.prefix);
            });
        }
    })
}

/// `ServerSideEncryptionRule` of a bucket that has one.
pub fn server_side_encryption_rule() -> Bytes {
    Writer::document("ServerSideEncryptionRule", |w| {
        w.element("ApplyServerSideEncryptionByDefault", |w| {
            w.text("SSEAlgorithm", AES256);
            w.text("KMSMasterKeyID", "");
        });
    })
}

/// `RequestPaymentConfiguration`.
pub fn request_payment_configuration(payer: Payer) -> Bytes {
    Writer::document("RequestPaymentConfiguration", |w| w.text("Payer", payer_text(payer)))
}

const fn payer_text(payer: Payer) -> &'static str {
    match payer {
        Payer::BucketOwner => "BucketOwner",
        Payer::Requester => "Requester",
    }
}

/// `TransferAccelerationConfiguration`.
pub fn transfer_acceleration_configuration(enabled: bool) -> Bytes {
    Writer::document("TransferAccelerationConfiguration", |w| w.text("Enabled", enabled))
}

/// `PublicAccessBlockConfiguration`. This dialect knows all or nothing: what is blocked in part is not called blocked.
pub fn public_access_block_configuration(block: Option<PublicAccessBlock>) -> Bytes {
    Writer::document("PublicAccessBlockConfiguration", |w| w.text("BlockPublicAccess", blocks_all(block)))
}

pub(super) fn blocks_all(block: Option<PublicAccessBlock>) -> bool {
    block == Some(PublicAccessBlock::ALL)
}

// ---- reading -------------------------------------------------------------------------------------------------

/// `RefererConfiguration`. It stands in place of all that was set before.
pub fn read_referer_configuration(body: &[u8]) -> Result<RefererRules, OssError> {
    let root = document(body, "RefererConfiguration", OSS_XML_BYTES_MAX)?;
    let rules = RefererRules {
        allow_empty: boolean(&root, "AllowEmptyReferer")?.ok_or_else(OssError::malformed_xml)?,
        truncate_query: boolean(&root, "AllowTruncateQueryString")?.unwrap_or(true),
        truncate_path: boolean(&root, "TruncatePath")?.unwrap_or(false),
        allowed: patterns(&root, "RefererList"),
        refused: patterns(&root, "RefererBlacklist"),
    };
    let all = || rules.allowed.iter().chain(&rules.refused);
    let bytes: usize = all().map(String::len).sum();
    if bytes > REFERER_LISTS_BYTES_MAX || all().count() > REFERER_LISTS_MAX {
        let message = "The Referer lists have too many entries or are too long.";
        return Err(OssError::invalid_argument(message, "RefererList", &bytes.to_string()));
    }
    Ok(rules)
}

fn patterns(root: &Element, list: &str) -> Vec<String> {
    let texts = root.child(list).into_iter().flat_map(|list| list.all("Referer"));
    texts.map(|pattern| pattern.text.trim().to_owned()).filter(|pattern| !pattern.is_empty()).collect()
}

/// `true` or `false`, in any case; `None` when there is none.
pub(super) fn boolean(parent: &Element, name: &str) -> Result<Option<bool>, OssError> {
    parent.word_of(name).map(|_| flag(parent, name)).transpose()
}

/// `BucketLoggingStatus`; empty, it turns logging off. Whether the target may be one, the operation judges.
pub fn read_bucket_logging_status(body: &[u8]) -> Result<Option<LoggingTarget>, OssError> {
    let root = document(body, "BucketLoggingStatus", OSS_XML_BYTES_MAX)?;
    let Some(enabled) = root.child("LoggingEnabled") else { return Ok(None) };
    if enabled.word_of("LoggingRole").is_some() {
        return Err(OssError::not_implemented("LoggingRole"));
    }
    let bucket = enabled.word_of("TargetBucket").ok_or_else(OssError::malformed_xml)?.to_owned();
    let prefix = enabled.text_of("TargetPrefix").unwrap_or_default();
    if prefix.len() > LOG_PREFIX_BYTES_MAX {
        return Err(OssError::invalid_argument("The TargetPrefix is too long.", "TargetPrefix", &prefix));
    }
    Ok(Some(LoggingTarget { bucket, prefix }))
}

/// `ServerSideEncryptionRule`. There is no key management service, so that `AES256` is all that can be kept.
pub fn read_server_side_encryption_rule(body: &[u8]) -> Result<DefaultEncryption, OssError> {
    let root = document(body, "ServerSideEncryptionRule", OSS_XML_BYTES_MAX)?;
    let rule = root.child("ApplyServerSideEncryptionByDefault").ok_or_else(OssError::malformed_xml)?;
    let algorithm = rule.word_of("SSEAlgorithm").ok_or_else(OssError::malformed_xml)?;
    match algorithm {
        AES256 => {}
        "KMS" | "SM4" => return Err(OssError::not_implemented("SSEAlgorithm")),
        other => return Err(OssError::invalid_encryption_algorithm(other)),
    }
    for name in ["KMSMasterKeyID", "KMSDataEncryption"] {
        if let Some(given) = rule.word_of(name) {
            return Err(OssError::invalid_argument("It goes with the SSEAlgorithm KMS only.", name, given));
        }
    }
    Ok(DefaultEncryption::default())
}

/// `RequestPaymentConfiguration`.
pub fn read_request_payment_configuration(body: &[u8]) -> Result<Payer, OssError> {
    let root = document(body, "RequestPaymentConfiguration", OSS_XML_BYTES_MAX)?;
    let word = root.word_of("Payer");
    let payer = [Payer::BucketOwner, Payer::Requester].into_iter().find(|payer| word == Some(payer_text(*payer)));
    payer.ok_or_else(OssError::malformed_xml)
}

/// `TransferAccelerationConfiguration`.
pub fn read_transfer_acceleration_configuration(body: &[u8]) -> Result<bool, OssError> {
    let root = document(body, "TransferAccelerationConfiguration", OSS_XML_BYTES_MAX)?;
    boolean(&root, "Enabled")?.ok_or_else(OssError::malformed_xml)
}

/// `PublicAccessBlockConfiguration`: everything, or nothing.
pub fn read_public_access_block_configuration(body: &[u8]) -> Result<PublicAccessBlock, OssError> {
    let root = document(body, "PublicAccessBlockConfiguration", OSS_XML_BYTES_MAX)?;
    let all = boolean(&root, "BlockPublicAccess")?.ok_or_else(OssError::malformed_xml)?;
    Ok(if all { PublicAccessBlock::ALL } else { PublicAccessBlock::default() })
}

#[cfg(test)]
mod tests;
