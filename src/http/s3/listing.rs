//! ListObjects, both versions: the store's page in S3's shape.
//!
//! Entries count against `max-keys` as the store counts them, so a page costs what it shows. More than a thousand is asked
//! for and not given; an empty delimiter is none; `max-keys=0` is an empty page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object, ObjectStorageClass, Timestamp,
};

use super::acl;
use super::checksum;
use super::class::{self, class_text};
use super::error::S3Fault;
use super::exchange::Ask;
use crate::auth::access::Action;
use crate::clock::Wall;
use crate::http::oss::operation::{continuation_token, read_continuation_token};
use crate::store::{BucketRecord, ListEntry, ListQuery, ObjectSummary, Page};

const MAX_KEYS: usize = 1_000;
/// Unreserved characters and `/` stay; a plus must not be taken for a space.
pub(super) const KEY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

pub(super) async fn list(ask: &Ask, input: ListObjectsInput) -> Result<ListObjectsOutput, S3Fault> {
    let bucket = ask.bucket_for(&input.bucket, Action::ListBucket).await?;
    let names = Names::read(input.encoding_type.as_ref())?;
    let max_keys = page_size(input.max_keys, "max-keys")?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let page = fetch(ask, &bucket, &input.prefix, &delimiter, input.marker.clone().map(String::into_bytes), max_keys);
    let page = class::judged(ask, page.await?, input.optional_object_attributes.as_ref());
    let (contents, common_prefixes) = split(&page, names, Some(&bucket));
    // Without a delimiter the last key continues the listing, and S3 leaves this element out.
    let next_marker = page.entries.last().filter(|_| page.truncated && delimiter.is_some());
    Ok(ListObjectsOutput {
        name: Some(bucket.name.to_string()),
        prefix: Some(names.text(input.prefix.unwrap_or_default().as_bytes())),
        marker: Some(names.text(input.marker.unwrap_or_default().as_bytes())),
        max_keys: Some(i32::try_from(max_keys).expect("at most a thousand")),
        is_truncated: Some(page.truncated),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: delimiter.map(|delimiter| names.text(delimiter.as_bytes())),
        next_marker: next_marker.map(|last| names.text(last.name())),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

pub(super) async fn list_v2(ask: &Ask, input: ListObjectsV2Input) -> Result<ListObjectsV2Output, S3Fault> {
    let bucket = ask.bucket_for(&input.bucket, Action::ListBucket).await?;
    let names = Names::read(input.encoding_type.as_ref())?;
    let max_keys = page_size(input.max_keys, "max-keys")?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let after = match &input.continuation_token {
        Some(token) => {
            let name = read_continuation_token(token.as_bytes()).filter(|name| !name.is_empty());
            Some(name.ok_or_else(|| {
                S3Fault::invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
            })?)
        }
        None => input.start_after.clone().map(String::into_bytes),
    };
    let page = fetch(ask, &bucket, &input.prefix, &delimiter, after, max_keys).await?;
    let page = class::judged(ask, page, input.optional_object_attributes.as_ref());
    let owner = input.fetch_owner.unwrap_or(false).then_some(&*bucket);
    let (contents, common_prefixes) = split(&page, names, owner);
    let last = page.entries.last().filter(|_| page.truncated);
    Ok(ListObjectsV2Output {
        name: Some(bucket.name.to_string()),
        prefix: Some(names.text(input.prefix.unwrap_or_default().as_bytes())),
        max_keys: Some(i32::try_from(max_keys).expect("at most a thousand")),
        key_count: Some(i32::try_from(page.entries.len()).expect("at most a thousand")),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.truncated),
        next_continuation_token: last.map(|last| continuation_token(last.name())),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: delimiter.map(|delimiter| names.text(delimiter.as_bytes())),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|start| names.text(start.as_bytes())),
        request_charged: None,
    })
}

/// What `argument` asks for, capped.
pub(super) fn page_size(asked: Option<i32>, argument: &'static str) -> Result<usize, S3Fault> {
    let Some(asked) = asked else { return Ok(MAX_KEYS) };
    let message = || format!("Argument {argument} must be an integer between 0 and 2147483647");
    let size =
        usize::try_from(asked).map_err(|_| S3Fault::invalid_argument(message(), argument, &asked.to_string()))?;
    Ok(size.min(MAX_KEYS))
}

async fn fetch(
    ask: &Ask,
    bucket: &BucketRecord,
    prefix: &Option<String>,
    delimiter: &Option<String>,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Page<ListEntry>, S3Fault> {
    if limit == 0 {
        return Ok(Page { entries: Vec::new(), truncated: false });
    }
    let query = ListQuery {
        prefix: prefix.clone().unwrap_or_default().into_bytes(),
        delimiter: delimiter.clone().map(String::into_bytes),
        after: after.filter(|after| !after.is_empty()),
        limit,
    };
    ask.deps.meta.list_objects(bucket.id, &query).await.map_err(|error| ask.store_error(&error))
}

fn split(page: &Page<ListEntry>, names: Names, owner: Option<&BucketRecord>) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in &page.entries {
        match entry {
            ListEntry::Object(object) => contents.push(describe(object, names, owner)),
            ListEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(names.text(prefix)) }),
        }
    }
    (contents, prefixes)
}

fn describe(object: &ObjectSummary, names: Names, owner: Option<&BucketRecord>) -> Object {
    Object {
        checksum_algorithm: object.checksum.map(|form| vec![checksum::wire_algorithm(form.algorithm)]),
        checksum_type: object.checksum.map(|form| checksum::wire_type(form.kind)),
        e_tag: Some(ETag::Strong(object.etag.to_lower_hex())),
        key: Some(names.text(object.key.as_bytes())),
        last_modified: Some(timestamp(object.last_modified)),
        owner: owner.map(acl::owner),
        size: Some(i64::try_from(object.size).unwrap_or(i64::MAX)),
        storage_class: Some(ObjectStorageClass::from_static(class_text(object.storage_class))),
        restore_status: class::restore_status(object),
    }
}

/// How names are written in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// As they are, as far as XML can hold them.
    Plain,
    /// `encoding-type=url`.
    Url,
}

impl Names {
    pub(super) fn read(encoding: Option<&EncodingType>) -> Result<Self, S3Fault> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Names::Plain),
            Some(EncodingType::URL) => Ok(Names::Url),
            Some(other) => {
                Err(S3Fault::invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", other))
            }
        }
    }

    pub(super) fn text(self, name: &[u8]) -> String {
        match self {
            Names::Url => percent_encode(name, &KEY).to_string(),
            Names::Plain => plain(name),
        }
    }
}

/// A name as XML text: what it cannot hold (XML 1.0, 2.2), and what is no UTF-8, comes out as U+FFFD.
pub(super) fn plain(name: &[u8]) -> String {
    let held = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => c,
    };
    String::from_utf8_lossy(name).chars().map(held).collect()
}

/// A time with its milliseconds.
pub(super) fn timestamp(at: Wall) -> Timestamp {
    let nanos = i128::from(at.0) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(time::OffsetDateTime::UNIX_EPOCH).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_capped_and_never_negative() {
        for (asked, size) in [(None, Ok(1_000)), (Some(0), Ok(0)), (Some(7), Ok(7)), (Some(5_000), Ok(1_000))] {
            assert_eq!(page_size(asked, "max-keys").map_err(|fault| fault.code), size, "{asked:?}");
        }
        assert_eq!(page_size(Some(-1), "max-keys").map_err(|fault| fault.code), Err("InvalidArgument"));
    }

    #[test]
    fn names_are_encoded_so_that_every_client_reads_them_back() {
        for (name, encoded) in [
            (&b"a/b-c_d.e~f"[..], "a/b-c_d.e~f"),
            (b"a b+c", "a%20b%2Bc"),
            ("\u{e9}".as_bytes(), "%C3%A9"),
            (b"\x01\xff", "%01%FF"),
        ] {
            assert_eq!(Names::Url.text(name), encoded);
        }
        assert_eq!(Names::Plain.text(b"a\x01b\tc"), "a\u{fffd}b\tc");
        let other = EncodingType::from_static("base64");
        assert_eq!(Names::read(Some(&other)).map_err(|fault| fault.code), Err("InvalidArgument"));
    }

    #[test]
    fn times_keep_their_milliseconds() {
        let text = |at| {
            let mut text = Vec::new();
            timestamp(at).format(s3s::dto::TimestampFormat::DateTime, &mut text).expect("formats");
            String::from_utf8(text).expect("ASCII")
        };
        assert_eq!(text(Wall(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
    }
}
