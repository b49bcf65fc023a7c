//! What of an object a read shows: all of it, a range, or one of the parts that it was uploaded in.

use std::ops::Range;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use super::checksum;
use super::error::S3Fault;
use super::exchange::Ask;
use crate::http::headers::if_range_holds;
use crate::store::objects::{RangeOutcome, RangeRules, resolve_range};
use crate::store::{ObjectChecksum, ObjectKind, ObjectPart, ObjectRecord};

/// The bytes to show, and what goes with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// The bytes.
    pub(super) range: Range<u64>,
    /// They were asked for as a part of the whole, also when they are all.
    is_partial: bool,
    /// Parts of the object, where one was asked for and it has several or was uploaded in one.
    parts: Option<usize>,
    /// Checksum of just these bytes.
    checksum: Option<ObjectChecksum>,
}

impl Selection {
    /// `Range`, or `partNumber`.
    pub(super) async fn read(ask: &Ask, object: &ObjectRecord) -> Result<Self, S3Fault> {
        if let Some(number) = ask.exchange.query.text("partNumber") {
            if ask.headers.contains_key(header::RANGE) {
                let message = "Cannot specify both Range header and partNumber query parameter";
                return Err(S3Fault::new("InvalidRequest").saying(message));
            }
            let parts = parts_of(ask, object).await?;
            return Self::of_part(object, parts.as_deref(), &number);
        }
        let whole = Selection::whole(object);
        // A download that goes on must not be put together of two objects.
        let Some(range) = ask.header("range").filter(|_| if_range_holds(object, &ask.headers)) else {
            return Ok(whole);
        };
        match resolve_range(&range, object.size, RangeRules::S3) {
            RangeOutcome::Whole => Ok(whole),
            // The checksum of all bytes is none of these: a client that compares would find the object broken.
            RangeOutcome::Partial(range) => Ok(Selection { range, is_partial: true, parts: None, checksum: None }),
            RangeOutcome::Unsatisfiable => Err(S3Fault::invalid_range(&range, object.size)),
        }
    }

    fn whole(object: &ObjectRecord) -> Self {
        Selection { range: 0..object.size, is_partial: false, parts: None, checksum: object.attributes.checksum }
    }

    /// Parts count from 1 in the order of the object, whatever numbers they were uploaded under. An object whose parts are
    /// not known is one.
    fn of_part(object: &ObjectRecord, parts: Option<&[ObjectPart]>, number: &str) -> Result<Self, S3Fault> {
        let valid = number.parse::<usize>().ok().filter(|number| (1..=10_000).contains(number));
        let at = valid.ok_or_else(|| {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            S3Fault::invalid_argument(message, "partNumber", number)
        })?;
        let Some(parts) = parts else {
            // Nothing to say of a range of an empty object.
            return match at {
                1 => Ok(Selection { is_partial: object.size > 0, ..Selection::whole(object) }),
                _ => Err(S3Fault::new("InvalidPartNumber").with("PartNumberRequested", number)),
            };
        };
        let Some((part, before)) = parts.get(..at).and_then(<[ObjectPart]>::split_last) else {
            let fault = S3Fault::new("InvalidPartNumber").with("PartNumberRequested", number);
            return Err(fault.with("ActualPartCount", parts.len().to_string()));
        };
        let start: u64 = before.iter().map(|part| part.size).sum();
        // With its own checksum the part is told as what it is: one of a composite object. Parts of a checksum over all
        // bytes have none to show.
        let is_composite = object.attributes.checksum.is_some_and(|checksum| checksum.parts.is_some());
        let value = part.checksum.filter(|_| is_composite);
        Ok(Selection {
            range: start..start + part.size,
            is_partial: true,
            parts: Some(parts.len()),
            checksum: value.map(ObjectChecksum::full),
        })
    }

    /// Bytes to show.
    pub(super) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Of an answer that shows them.
    pub(super) fn status(&self) -> StatusCode {
        if self.is_partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK }
    }

    /// `Content-Range`, the count of parts, and the checksum for those who ask for it.
    pub(super) fn describe(&self, ask: &Ask, object: &ObjectRecord, headers: &mut HeaderMap) {
        if self.is_partial && self.length() > 0 {
            let text = format!("bytes {}-{}/{}", self.range.start, self.range.end - 1, object.size);
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&text).expect("digits are a header value"));
        }
        if let Some(parts) = self.parts {
            headers.insert("x-amz-mp-parts-count", HeaderValue::from(parts));
        }
        let Some(checksum) = self.checksum.filter(|_| checksum::is_asked_for(&ask.headers)) else { return };
        checksum::show(&checksum, headers);
        if self.parts.is_some() {
            headers.insert("x-amz-checksum-type", HeaderValue::from_static("COMPOSITE"));
        }
    }
}

/// The parts that an object was uploaded in, as far as they are known.
pub(super) async fn parts_of(ask: &Ask, object: &ObjectRecord) -> Result<Option<Vec<ObjectPart>>, S3Fault> {
    if object.kind != ObjectKind::Multipart {
        return Ok(None);
    }
    ask.deps.meta.object_parts(object).await.map_err(|error| ask.store_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Checksum, ChecksumAlgorithm};

    #[test]
    fn a_part_is_found_by_its_place() {
        let mut object = super::super::object::tests::object();
        object.size = 12;
        let sum = |text: &[u8]| Checksum::of(ChecksumAlgorithm::Crc32, text);
        let parts = [(5, "a"), (5, "b"), (2, "c"), (0, "d")]
            .map(|(size, text)| ObjectPart { size, checksum: Some(sum(text.as_bytes())) });
        let of = |object: &ObjectRecord, number: &str| {
            Selection::of_part(object, Some(&parts), number).map_err(|fault| fault.code)
        };
        for (number, range) in [("1", 0..5), ("2", 5..10), ("3", 10..12), ("4", 12..12)] {
            let part = of(&object, number).expect("there");
            assert_eq!(
                (part.range, part.parts, part.is_partial, part.checksum),
                (range, Some(4), true, None),
                "{number}"
            );
        }
        for (number, code) in [
            ("5", "InvalidPartNumber"),
            ("0", "InvalidArgument"),
            ("10001", "InvalidArgument"),
            ("x", "InvalidArgument"),
        ] {
            assert_eq!(of(&object, number), Err(code), "{number}");
        }
        object.attributes.checksum = Some(ObjectChecksum { value: sum(b"abcd"), parts: Some(4) });
        let second = of(&object, "2").expect("there").checksum.expect("its own");
        assert_eq!(second.value, sum(b"b"));
        object.attributes.checksum = Some(ObjectChecksum::full(sum(b"all")));
        assert_eq!(of(&object, "2").expect("there").checksum, None);
    }

    #[test]
    fn an_object_whose_parts_are_not_known_is_one() {
        let mut object = super::super::object::tests::object();
        let of = |object: &ObjectRecord, number| Selection::of_part(object, None, number).map_err(|fault| fault.code);
        let first = of(&object, "1").expect("there");
        assert_eq!((first.status(), first.range), (StatusCode::OK, 0..0));
        object.size = 3;
        object.attributes.checksum = Some(ObjectChecksum::full(Checksum::of(ChecksumAlgorithm::Crc32, b"abc")));
        let whole = of(&object, "1").expect("there");
        assert_eq!((whole.range.clone(), whole.status(), whole.parts), (0..3, StatusCode::PARTIAL_CONTENT, None));
        assert_eq!(whole.checksum, object.attributes.checksum);
        assert_eq!(of(&object, "2"), Err("InvalidPartNumber"));
    }
}
