//! Storage classes by S3's names, restores, and what remains of one in headers and listings.
//!
//! There are fewer classes than S3 has names. A name that promises what another class keeps as well is taken for that one:
//! `ONEZONE_IA` and `GLACIER_IR` are read at once and rarely, so they are `STANDARD_IA`; `INTELLIGENT_TIERING` and
//! `REDUCED_REDUNDANCY` are `STANDARD`. What is told is the class that an object has.

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use s3s::dto::{self, RestoreObjectInput, RestoreStatus};

use super::error::S3Fault;
use super::exchange::Ask;
use super::listing::timestamp;
use super::object::existing_for_write;
use super::versions;
use crate::clock::Wall;
use crate::http::headers::restore_text;
use crate::http::server::Answer;
use crate::limits;
use crate::store::{BucketRecord, ListEntry, ObjectRecord, ObjectSummary, Page, StorageClass};

const HEADER: &str = "x-amz-storage-class";

/// How a class is written.
pub(super) const fn class_text(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Standard => dto::StorageClass::STANDARD,
        StorageClass::InfrequentAccess => dto::StorageClass::STANDARD_IA,
        StorageClass::Archive | StorageClass::ColdArchive => dto::StorageClass::GLACIER,
        StorageClass::DeepColdArchive => dto::StorageClass::DEEP_ARCHIVE,
    }
}

pub(super) fn class_from_text(text: &str) -> Option<StorageClass> {
    match text {
        dto::StorageClass::STANDARD
        | dto::StorageClass::REDUCED_REDUNDANCY
        | dto::StorageClass::INTELLIGENT_TIERING => Some(StorageClass::Standard),
        dto::StorageClass::STANDARD_IA | dto::StorageClass::ONEZONE_IA | dto::StorageClass::GLACIER_IR => {
            Some(StorageClass::InfrequentAccess)
        }
        dto::StorageClass::GLACIER => Some(StorageClass::Archive),
        dto::StorageClass::DEEP_ARCHIVE => Some(StorageClass::DeepColdArchive),
        _ => None,
    }
}

/// The class of an object to make: what its head says, else the bucket's.
pub(super) fn requested(ask: &Ask, bucket: &BucketRecord) -> Result<StorageClass, S3Fault> {
    match ask.header(HEADER).as_deref().map(str::trim) {
        None | Some("") => Ok(bucket.settings.storage_class),
        Some(text) => {
            class_from_text(text).ok_or_else(|| S3Fault::new("InvalidStorageClass").with("StorageClassRequested", text))
        }
    }
}

/// Whether a request names a class.
pub(super) fn is_requested(ask: &Ask) -> bool {
    ask.headers.contains_key(HEADER)
}

/// Adds an object's class, which goes without saying when it is the standard one, and until when its bytes can be read.
pub(super) fn describe(object: &ObjectRecord, now: Wall, headers: &mut HeaderMap) {
    if object.storage_class != StorageClass::Standard {
        headers.insert(HEADER, HeaderValue::from_static(class_text(object.storage_class)));
    }
    if let Some(until) = object.restored_until(now) {
        let value = HeaderValue::from_str(&restore_text(until)).expect("a date is a header value");
        headers.insert("x-amz-restore", value);
    }
}

/// A page that tells of the restores that last still, if they were asked for.
pub(super) fn judged(
    ask: &Ask,
    mut page: Page<ListEntry>,
    asked: Option<&Vec<dto::OptionalObjectAttributes>>,
) -> Page<ListEntry> {
    let wanted = dto::OptionalObjectAttributes::RESTORE_STATUS;
    let asked = asked.is_some_and(|asked| asked.iter().any(|attribute| attribute.as_str() == wanted));
    for entry in &mut page.entries {
        if let ListEntry::Object(object) = entry {
            object.restored_until = object.restored_until(ask.exchange.now).filter(|_| asked);
        }
    }
    page
}

/// `RestoreStatus` of a listed object.
pub(super) fn restore_status(object: &ObjectSummary) -> Option<RestoreStatus> {
    let until = object.restored_until?;
    Some(RestoreStatus { is_restore_in_progress: Some(false), restore_expiry_date: Some(timestamp(until)) })
}

/// Refuses the bytes of an object that must be restored first.
pub(super) fn check_readable(ask: &Ask, object: &ObjectRecord) -> Result<(), S3Fault> {
    if object.is_frozen(ask.exchange.now) {
        return Err(S3Fault::new("InvalidObjectState").with("StorageClass", class_text(object.storage_class)));
    }
    Ok(())
}

/// RestoreObject. All classes are kept alike, so a restore is done when it is answered, and none is ever under way.
pub(super) async fn restore(ask: &Ask, input: RestoreObjectInput) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    existing_for_write(ask, &bucket, &key).await?;
    let version = ask.version()?;
    ask.check_document(false)?;
    let request = input.restore_request.ok_or_else(|| S3Fault::new("MalformedXML"))?;
    if request.output_location.is_some() || request.select_parameters.is_some() || request.type_.is_some() {
        return Err(S3Fault::new("NotImplemented").saying("A restore by SELECT is not implemented."));
    }
    let days = request.days.and_then(|days| u32::try_from(days).ok());
    let days = days.filter(|days| (1..=limits::RESTORE_DAYS_MAX).contains(days));
    let days = days.ok_or_else(|| {
        let given = request.days.map_or(String::new(), |days| days.to_string());
        S3Fault::invalid_argument("Days must be an integer from 1 to 365.", "Days", &given)
    })?;
    let now = ask.exchange.now;
    let restored = ask.deps.meta.restore_object(bucket.id, &key, version, expiry(now, days), now).await;
    let restored = restored.map_err(|error| versions::error(ask, &error, &key, version))?;
    let mut answer = Answer::empty(if restored.was_readable { StatusCode::OK } else { StatusCode::ACCEPTED });
    versions::show(&bucket, restored.version, &mut answer.headers);
    Ok(answer)
}

/// The midnight (UTC) that ends the last of so many days, as S3 counts them.
fn expiry(now: Wall, days: u32) -> Wall {
    now.plus_days(i64::from(days)).midnight_from()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_classes_become_those_that_are_kept() {
        use StorageClass::{Archive, DeepColdArchive, InfrequentAccess, Standard};
        for (name, class, told) in [
            ("STANDARD", Standard, "STANDARD"),
            ("REDUCED_REDUNDANCY", Standard, "STANDARD"),
            ("INTELLIGENT_TIERING", Standard, "STANDARD"),
            ("STANDARD_IA", InfrequentAccess, "STANDARD_IA"),
            ("ONEZONE_IA", InfrequentAccess, "STANDARD_IA"),
            ("GLACIER_IR", InfrequentAccess, "STANDARD_IA"),
            ("GLACIER", Archive, "GLACIER"),
            ("DEEP_ARCHIVE", DeepColdArchive, "DEEP_ARCHIVE"),
        ] {
            assert_eq!((class_from_text(name), class_text(class)), (Some(class), told), "{name}");
        }
        assert_eq!(class_text(StorageClass::ColdArchive), "GLACIER");
        for name in ["", "standard", "IA", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE"] {
            assert_eq!(class_from_text(name), None, "{name}");
        }
    }

    #[test]
    fn a_restore_ends_at_midnight() {
        const DAY_MS: i64 = Wall::DAY_MS;
        let day = |n: i64| Wall(n * DAY_MS);
        assert_eq!(expiry(Wall(DAY_MS + 1), 1), day(3));
        assert_eq!(expiry(Wall(2 * DAY_MS - 1), 1), day(3));
        assert_eq!(expiry(day(1), 1), day(2));
        assert_eq!(expiry(Wall(-1), 1), day(1));
    }
}
