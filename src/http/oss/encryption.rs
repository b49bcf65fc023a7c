//! Server-side encryption as this dialect asks for it and hears of it.
//!
//! `AES256` is what happens to every body once a master key is configured; without one it may not be promised, and keys
//! of a key management service, or the client's own, never.

use http::header::{HeaderMap, HeaderValue};

use super::error::OssError;
use super::service::Ask;
use super::xml::AES256;
use crate::store::{BucketRecord, ObjectRecord};

pub(super) const SSE: &str = "x-oss-server-side-encryption";
const SSE_KEY_ID: &str = "x-oss-server-side-encryption-key-id";
const SSE_DATA: &str = "x-oss-server-side-data-encryption";
const CUSTOMER: &str = "x-oss-server-side-encryption-customer-";

/// Refuses what a request asks for and would not get.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), OssError> {
    for name in ask.head.headers.keys().map(|name| name.as_str()) {
        if name == SSE_KEY_ID || name == SSE_DATA || name.starts_with(CUSTOMER) {
            return Err(OssError::not_implemented(name));
        }
    }
    match ask.header(SSE).as_deref() {
        None => Ok(()),
        Some(_) if !ask.deps.objects.seals() => Err(OssError::not_implemented(SSE)),
        Some(AES256) => Ok(()),
        Some("KMS" | "SM4") => Err(OssError::not_implemented(SSE)),
        Some(other) => Err(OssError::invalid_encryption_algorithm(other)),
    }
}

/// Whether an object to make is to be called encrypted: its request says so, or its bucket's default.
pub(super) fn is_stated(ask: &Ask<'_>, bucket: &BucketRecord) -> Result<bool, OssError> {
    check(ask)?;
    if ask.head.headers.contains_key(SSE) {
        return Ok(true);
    }
    match bucket.settings.encryption {
        None => Ok(false),
        // The default was set while there was a master key.
        Some(_) if !ask.deps.objects.seals() => Err(OssError::not_implemented(SSE)),
        Some(_) => Ok(true),
    }
}

/// Tells of an object's encryption.
pub(super) fn describe(object: &ObjectRecord, headers: &mut HeaderMap) {
    if object.is_encrypted_as_stated() {
        confirm(headers);
    }
}

/// Confirms the encryption of an object to be.
pub(super) fn confirm(headers: &mut HeaderMap) {
    headers.insert(SSE, HeaderValue::from_static(AES256));
}
