//! Storage classes by their names, and what remains of a restore in headers and listings.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::OssError;
use super::service::Ask;
use crate::clock::Wall;
use crate::http::headers::restore_text;
use crate::store::{BucketRecord, ListEntry, ObjectRecord, Page, StorageClass, VersionEntry};

static HEADER: HeaderName = HeaderName::from_static("x-oss-storage-class");

/// How a class is written.
pub const fn class_text(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Standard => "Standard",
        StorageClass::InfrequentAccess => "IA",
        StorageClass::Archive => "Archive",
        StorageClass::ColdArchive => "ColdArchive",
        StorageClass::DeepColdArchive => "DeepColdArchive",
    }
}

/// A class from its text; exact spelling.
pub fn class_from_text(text: &str) -> Option<StorageClass> {
    StorageClass::ALL.into_iter().find(|class| class_text(*class) == text)
}

/// The class of an object to make: what its head says, else the bucket's.
pub(super) fn requested(ask: &Ask<'_>, bucket: &BucketRecord) -> Result<StorageClass, OssError> {
    match ask.header(&HEADER).as_deref().map(str::trim) {
        None | Some("") => Ok(bucket.settings.storage_class),
        Some(text) => class_from_text(text).ok_or_else(|| OssError::invalid_storage_class(HEADER.as_str(), text)),
    }
}

/// Adds an object's class, and until when its bytes can be read.
pub(super) fn describe(object: &ObjectRecord, now: Wall, headers: &mut HeaderMap) {
    headers.insert(&HEADER, HeaderValue::from_static(class_text(object.storage_class)));
    if let Some(until) = object.restored_until(now) {
        headers.insert("x-oss-restore", restore_value(until));
    }
}

fn restore_value(until: Wall) -> HeaderValue {
    HeaderValue::from_str(&restore_text(until)).expect("a date is a header value")
}

/// A page that says nothing of restores that are over.
pub(super) fn judged(mut page: Page<ListEntry>, now: Wall) -> Page<ListEntry> {
    for entry in &mut page.entries {
        if let ListEntry::Object(object) = entry {
            object.restored_until = object.restored_until(now);
        }
    }
    page
}

/// The same of a page of versions.
pub(super) fn judged_versions(mut page: Page<VersionEntry>, now: Wall) -> Page<VersionEntry> {
    for entry in &mut page.entries {
        if let VersionEntry::Object { summary, .. } = entry {
            summary.restored_until = summary.restored_until(now);
        }
    }
    page
}

/// Refuses the bytes of an object that must be restored first.
pub(super) fn check_readable(ask: &Ask<'_>, object: &ObjectRecord) -> Result<(), OssError> {
    if object.is_frozen(ask.now) { Err(OssError::invalid_object_state(object.key.as_bytes())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_as_they_are_written() {
        for (class, text) in
            StorageClass::ALL.into_iter().zip(["Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"])
        {
            assert_eq!((class_text(class), class_from_text(text)), (text, Some(class)));
        }
        for other in ["", "standard", "STANDARD_IA", "Standard "] {
            assert_eq!(class_from_text(other), None, "{other:?}");
        }
    }
}
