//! Server-side encryption as this dialect asks for it and hears of it.
//!
//! `AES256` is what happens to every body once a master key is configured; without one it may not be promised, and keys
//! of a key management service, or the client's own, never.

use http::header::{HeaderMap, HeaderValue};
use s3s::dto::ServerSideEncryption;

use super::error::S3Fault;
use super::exchange::Ask;
use crate::store::{BucketRecord, ObjectRecord};

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer-";
const SOURCE_CUSTOMER: &str = "x-amz-copy-source-server-side-encryption-customer-";

/// Refuses the client's own keys.
pub(super) fn refuse_customer_keys(ask: &Ask) -> Result<(), S3Fault> {
    let names = || ask.headers.keys().map(|name| name.as_str());
    match names().find(|name| name.starts_with(CUSTOMER) || name.starts_with(SOURCE_CUSTOMER)) {
        Some(name) => Err(S3Fault::header_not_implemented(name)),
        None => Ok(()),
    }
}

/// No object is encrypted with a key that its reader would have to bring.
pub(super) fn refuse_customer_keys_of_reads(ask: &Ask) -> Result<(), S3Fault> {
    if ask.headers.keys().any(|name| name.as_str().starts_with(CUSTOMER)) {
        let message = "The encryption parameters are not applicable to this object.";
        return Err(S3Fault::new("InvalidRequest").saying(message));
    }
    Ok(())
}

/// Whether an object to make is to be called encrypted: its request says so, or its bucket's default.
pub(super) fn is_stated(ask: &Ask, bucket: &BucketRecord) -> Result<bool, S3Fault> {
    refuse_customer_keys(ask)?;
    if let Some(name) = [KEY_ID, CONTEXT].into_iter().find(|name| ask.headers.contains_key(*name)) {
        return Err(S3Fault::header_not_implemented(name));
    }
    match (ask.header(SSE), bucket.settings.encryption) {
        (None, None) => Ok(false),
        (Some(algorithm), _) => check_algorithm(ask, &algorithm, SSE).map(|()| true),
        // The default was set while there was a master key.
        (None, Some(_)) => check_algorithm(ask, ServerSideEncryption::AES256, SSE).map(|()| true),
    }
}

/// Whether a request asks for encryption by itself.
pub(super) fn is_requested(ask: &Ask) -> bool {
    ask.headers.contains_key(SSE)
}

/// Refuses what would not happen; `name` is where it was asked for.
pub(super) fn check_algorithm(ask: &Ask, algorithm: &str, name: &str) -> Result<(), S3Fault> {
    match algorithm {
        ServerSideEncryption::AES256 if ask.deps.objects.seals() => Ok(()),
        ServerSideEncryption::AES256 | ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE => {
            Err(S3Fault::header_not_implemented(name))
        }
        other => Err(S3Fault::invalid_argument("The encryption method specified is not supported", name, other)),
    }
}

/// How an object's encryption is told in what the library renders.
pub(super) fn told(is_encrypted: bool) -> Option<ServerSideEncryption> {
    is_encrypted.then(|| ServerSideEncryption::from_static(ServerSideEncryption::AES256))
}

/// The same in an answer of our own.
pub(super) fn describe(object: &ObjectRecord, headers: &mut HeaderMap) {
    if object.is_encrypted_as_stated() {
        headers.insert(SSE, HeaderValue::from_static(ServerSideEncryption::AES256));
    }
}
