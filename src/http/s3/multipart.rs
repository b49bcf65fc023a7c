//! Multipart uploads: create, upload and copy parts, complete, abort, and the two listings.

use std::ops::Range;
use std::sync::Arc;

use http::StatusCode;
use http::header;
use percent_encoding::percent_encode;
use s3s::dto::{
    CommonPrefix, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CopyPartResult,
    CreateMultipartUploadOutput, ETag as WireETag, ETagCondition, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part, StorageClass,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
};

use super::acl;
use super::checksum::{self, with_checksum};
use super::class::class_text;
use super::encryption;
use super::error::S3Fault;
use super::exchange::Ask;
use super::integrity::{Promises, content_md5};
use super::listing::{KEY, Names, page_size, plain, timestamp};
use super::object::{check_quota, copy_source, decoded_length, etag_value, existing_for_write, put_request, receive};
use super::versions;
use crate::auth::access::Action;
use crate::http::server::Answer;
use crate::limits;
use crate::store::objects::Incoming;
use crate::store::upload::PartRequest;
use crate::store::{
    BucketRecord, CompleteCommit, ETag, ListedPart, ObjectChecksum, ObjectKey, ObjectKind, ObjectRecord, Page,
    PartChoice, StoreError, UploadEntry, UploadId, UploadRecord, UploadsQuery, What, WriteCondition,
};

pub(super) async fn create(ask: &Ask, bucket: &str, key: &str) -> Result<CreateMultipartUploadOutput, S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    let key = ask.key(key)?;
    existing_for_write(ask, &bucket, &key).await?;
    let request = put_request(ask, &bucket, &key, ObjectKind::Multipart, WriteCondition::Always)?;
    let form = checksum::asked_form(&ask.headers)?;
    let upload = ask.deps.objects.uploads().begin(request, form).await.map_err(|error| ask.store_error(&error))?;
    Ok(CreateMultipartUploadOutput {
        checksum_algorithm: form.map(|form| checksum::wire_algorithm(form.algorithm)),
        checksum_type: form.map(|form| checksum::wire_type(form.kind)),
        server_side_encryption: encryption::told(upload.attributes.encryption_stated),
        bucket: Some(bucket.name.to_string()),
        key: Some(plain(key.as_bytes())),
        upload_id: Some(upload.id.to_string()),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload_part(ask: &Ask, mut input: UploadPartInput) -> Result<Answer, S3Fault> {
    let number = part_number(input.part_number)?;
    let (bucket, upload, mut request) = open_upload(ask, &input.bucket, &input.key, &input.upload_id, number).await?;
    request.expected_md5 = content_md5(&ask.headers)?;
    let promises = Promises::read(&ask.headers)?;
    let algorithm = checksum::of_part(&upload, promises.algorithm())?;
    let promises = promises.or_compute(algorithm);
    let length = decoded_length(ask)?;
    check_quota(ask, &bucket, length, Incoming::Part(&request.key, request.upload, number)).await?;
    let body = input.body.take().ok_or_else(|| S3Fault::new("IncompleteBody"))?;
    let (stored, sum) = receive(ask, body, length, promises).await?;
    request.checksum = sum;
    let part = ask.deps.objects.uploads().put_part(request, stored).await.map_err(|error| ask.store_error(&error))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(part.etag()));
    if let Some(sum) = part.checksum {
        // What it is over is told of the object only.
        checksum::show(&ObjectChecksum::full(sum), &mut answer.headers);
        answer.headers.remove("x-amz-checksum-type");
    }
    Ok(answer)
}

pub(super) async fn upload_part_copy(ask: &Ask, input: UploadPartCopyInput) -> Result<UploadPartCopyOutput, S3Fault> {
    let number = part_number(input.part_number)?;
    let (_, upload, request) = open_upload(ask, &input.bucket, &input.key, &input.upload_id, number).await?;
    let source = copy_source(ask, &input.copy_source).await?;
    let range = match ask.header("x-amz-copy-source-range") {
        None => 0..source.size,
        Some(text) => source_range(&text, &source)?,
    };
    if range.end - range.start > limits::OBJECT_BYTES_MAX {
        return Err(S3Fault::entity_too_large(limits::OBJECT_BYTES_MAX));
    }
    let algorithm = checksum::of_part(&upload, None)?;
    let copied = ask.deps.objects.uploads().copy_part(request, &source, range, algorithm).await;
    let part = copied.map_err(|error| match error {
        StoreError::NotFound(What::Object) => S3Fault::no_such_key(&source.key.to_string()),
        other => ask.store_error(&other),
    })?;
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(with_checksum!(
            part.checksum.map(ObjectChecksum::full),
            CopyPartResult { e_tag: Some(wire_etag(part.etag())), last_modified: Some(timestamp(part.last_modified)) }
        )),
        copy_source_version_id: versions::source(&source),
        ..UploadPartCopyOutput::default()
    })
}

/// `bytes=A-B`, both ends there and inside the source: a copy is not a read that takes what it gets.
fn source_range(text: &str, source: &ObjectRecord) -> Result<Range<u64>, S3Fault> {
    let invalid = |message: String| S3Fault::invalid_argument(message, "x-amz-copy-source-range", text);
    let ends = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match ends {
        Some((first, last)) if first <= last && last < source.size => Ok(first..last + 1),
        Some((first, last)) if first <= last => {
            Err(invalid(format!("Range specified is not valid for source object of size: {}", source.size)))
        }
        _ => Err(invalid(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based \
             offsets of the first and last bytes to copy"
                .to_owned(),
        )),
    }
}

pub(super) async fn complete(
    ask: &Ask,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    existing_for_write(ask, &bucket, &key).await?;
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if parts.is_empty() || parts.len() > limits::PART_NUMBER_MAX as usize {
        return Err(S3Fault::new("MalformedXML"));
    }
    let parts = parts.iter().map(listed_part).collect::<Result<Vec<_>, _>>()?;
    let id = upload_id(&input.upload_id)?;
    let upload = ask.deps.meta.upload(bucket.id, &key, id).await.map_err(|error| ask.store_error(&error))?;
    let commit = CompleteCommit {
        bucket: bucket.id,
        key: key.clone(),
        upload: id,
        expected: checksum::expected(ask, upload.as_ref(), &parts).await?,
        parts: PartChoice::Listed(parts),
        part_bytes_min: limits::S3_PART_BYTES_MIN,
        condition: condition(input.if_match.as_ref(), input.if_none_match.as_ref())?,
        version: None,
    };
    let done = ask.deps.objects.uploads().complete(commit).await.map_err(|error| ask.store_error(&error))?;
    let host = ask.header("host").unwrap_or_default();
    let path = percent_encode(done.key.as_bytes(), &KEY);
    Ok(with_checksum!(
        done.checksum,
        CompleteMultipartUploadOutput {
            checksum_type: done.checksum.map(|sum| checksum::wire_type(sum.form().kind)),
            location: Some(format!("http://{host}/{}/{path}", bucket.name)),
            bucket: Some(bucket.name.to_string()),
            key: Some(plain(done.key.as_bytes())),
            e_tag: Some(wire_etag(done.etag)),
            version_id: versions::shown(&bucket, done.version),
        }
    ))
}

fn listed_part(part: &CompletedPart) -> Result<ListedPart, S3Fault> {
    let (Some(number), Some(etag)) = (part.part_number, &part.e_tag) else { return Err(S3Fault::new("MalformedXML")) };
    Ok(ListedPart { number: part_number(number)?, md5: digest(etag.value()), checksum: checksum::listed(part)? })
}

/// 16 bytes in hex of either case, quoted or not.
fn digest(text: &str) -> Option<[u8; 16]> {
    <[u8; 16]>::try_from(hex::decode(text.trim().trim_matches('"')).ok()?).ok()
}

/// A condition that only the commit judges: a repeated request must find the answer that was lost, not the object that it
/// made itself.
fn condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<WriteCondition, S3Fault> {
    match (if_match, if_none_match) {
        (None, None) => Ok(WriteCondition::Always),
        (None, Some(ETagCondition::Any)) => Ok(WriteCondition::IfAbsent),
        (Some(ETagCondition::ETag(etag)), None) => {
            read_etag(etag.value()).map(WriteCondition::IfETag).ok_or_else(|| S3Fault::precondition_failed("If-Match"))
        }
        (None, Some(ETagCondition::ETag(_))) => Err(S3Fault::header_not_implemented("If-None-Match")),
        (Some(ETagCondition::Any), None) => Err(S3Fault::header_not_implemented("If-Match")),
        (Some(_), Some(_)) => {
            Err(S3Fault::new("InvalidRequest").saying("If-Match and If-None-Match exclude each other."))
        }
    }
}

fn read_etag(text: &str) -> Option<ETag> {
    let (hex, parts) = match text.split_once('-') {
        Some((hex, parts)) => (hex, Some(parts.parse().ok()?)),
        None => (text, None),
    };
    Some(ETag { digest: digest(hex)?, parts })
}

pub(super) async fn abort(ask: &Ask, bucket: &str, key: &str, upload: &str) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    let key = ask.key(key)?;
    existing_for_write(ask, &bucket, &key).await?;
    let aborted = ask.deps.objects.uploads().abort(bucket.id, &key, upload_id(upload)?).await;
    aborted.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn list_parts(ask: &Ask, input: ListPartsInput) -> Result<ListPartsOutput, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    // Whoever may upload may see how far an upload has come.
    existing_for_write(ask, &bucket, &key).await?;
    let limit = page_size(input.max_parts, "max-parts")?;
    let marker = u32::try_from(input.part_number_marker.unwrap_or(0)).map_err(|_| {
        let text = input.part_number_marker.unwrap_or(0).to_string();
        S3Fault::invalid_argument("The part number marker must not be negative", "part-number-marker", &text)
    })?;
    let id = upload_id(&input.upload_id)?;
    let upload = ask.deps.meta.upload(bucket.id, &key, id).await.map_err(|error| ask.store_error(&error))?;
    let form = upload.and_then(|upload| upload.checksum);
    // Asked also for an empty page, which tells whether the upload is there.
    let page = ask.deps.meta.list_parts(bucket.id, &key, id, marker, limit.max(1)).await;
    let page = page.map_err(|error| ask.store_error(&error))?;
    let record = ask.deps.meta.upload(bucket.id, &key, upload_id(&input.upload_id)?).await;
    let record = record.map_err(|error| ask.store_error(&error))?.ok_or_else(|| S3Fault::new("NoSuchUpload"))?;
    let page = if limit == 0 { Page { entries: Vec::new(), truncated: false } } else { page };
    let owner = acl::owner(&bucket);
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(ListPartsOutput {
        checksum_algorithm: form.map(|form| checksum::wire_algorithm(form.algorithm)),
        checksum_type: form.map(|form| checksum::wire_type(form.kind)),
        bucket: Some(bucket.name.to_string()),
        key: Some(plain(key.as_bytes())),
        upload_id: Some(input.upload_id),
        initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
        owner: Some(owner),
        storage_class: Some(StorageClass::from_static(class_text(record.storage_class))),
        part_number_marker: Some(number(marker)),
        next_part_number_marker: Some(number(page.entries.last().map_or(marker, |part| part.number))),
        max_parts: Some(i32::try_from(limit).expect("at most a thousand")),
        is_truncated: Some(page.truncated),
        parts: Some(
            page.entries
                .iter()
                .map(|part| {
                    with_checksum!(
                        part.checksum.map(ObjectChecksum::full),
                        Part {
                            e_tag: Some(wire_etag(part.etag())),
                            last_modified: Some(timestamp(part.last_modified)),
                            part_number: Some(number(part.number)),
                            size: Some(i64::try_from(part.size).unwrap_or(i64::MAX)),
                        }
                    )
                })
                .collect(),
        ),
        ..ListPartsOutput::default()
    })
}

pub(super) async fn list_uploads(
    ask: &Ask,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, S3Fault> {
    let bucket = ask.bucket_for(&input.bucket, Action::WriteObject).await?;
    let names = Names::read(input.encoding_type.as_ref())?;
    let limit = page_size(input.max_uploads, "max-uploads")?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let key_marker = input.key_marker.unwrap_or_default();
    // Without a key marker it means nothing.
    let id_marker = input.upload_id_marker.filter(|id| !key_marker.is_empty() && !id.is_empty());
    let query = UploadsQuery {
        prefix: input.prefix.clone().unwrap_or_default().into_bytes(),
        delimiter: delimiter.clone().map(String::into_bytes),
        after: (!key_marker.is_empty()).then(|| key_marker.clone().into_bytes()),
        after_id: id_marker.as_deref().map(upload_id).transpose()?,
        limit,
    };
    let page = if limit == 0 {
        Page { entries: Vec::new(), truncated: false }
    } else {
        ask.deps.meta.list_uploads(bucket.id, &query).await.map_err(|error| ask.store_error(&error))?
    };
    let (next_key, next_id) = match page.entries.last().filter(|_| page.truncated) {
        Some(UploadEntry::Upload(upload)) => (names.text(upload.key.as_bytes()), upload.id.to_string()),
        Some(UploadEntry::Prefix(prefix)) => (names.text(prefix), String::new()),
        None => (String::new(), String::new()),
    };
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
    let owner = acl::owner(&bucket);
    for entry in &page.entries {
        match entry {
            UploadEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(names.text(prefix)) }),
            UploadEntry::Upload(upload) => uploads.push(MultipartUpload {
                checksum_algorithm: upload.checksum.map(|form| checksum::wire_algorithm(form.algorithm)),
                checksum_type: upload.checksum.map(|form| checksum::wire_type(form.kind)),
                initiated: Some(timestamp(upload.initiated)),
                initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
                key: Some(names.text(upload.key.as_bytes())),
                owner: Some(owner.clone()),
                storage_class: Some(StorageClass::from_static(class_text(upload.storage_class))),
                upload_id: Some(upload.id.to_string()),
            }),
        }
    }
    Ok(ListMultipartUploadsOutput {
        bucket: Some(bucket.name.to_string()),
        common_prefixes: Some(prefixes),
        delimiter: delimiter.map(|delimiter| names.text(delimiter.as_bytes())),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        key_marker: Some(names.text(key_marker.as_bytes())),
        max_uploads: Some(i32::try_from(limit).expect("at most a thousand")),
        next_key_marker: Some(next_key),
        next_upload_id_marker: Some(next_id),
        prefix: Some(names.text(input.prefix.unwrap_or_default().as_bytes())),
        request_charged: None,
        upload_id_marker: Some(id_marker.unwrap_or_default()),
        uploads: Some(uploads),
    })
}

/// The bucket of an open upload that the caller may write to. The commit judges again; here it spares the client from
/// sending a part in vain.
async fn open_upload(
    ask: &Ask,
    bucket: &str,
    key: &str,
    upload: &str,
    number: u32,
) -> Result<(Arc<BucketRecord>, UploadRecord, PartRequest), S3Fault> {
    let bucket = ask.bucket(bucket).await?;
    let key: ObjectKey = ask.key(key)?;
    existing_for_write(ask, &bucket, &key).await?;
    let upload = upload_id(upload)?;
    let found = ask.deps.meta.upload(bucket.id, &key, upload).await.map_err(|error| ask.store_error(&error))?;
    let record = found.ok_or_else(|| S3Fault::new("NoSuchUpload"))?;
    let request = PartRequest { bucket: bucket.id, key, upload, number, expected_md5: None, checksum: None };
    Ok((bucket, record, request))
}

/// An id of another form names no upload.
fn upload_id(text: &str) -> Result<UploadId, S3Fault> {
    UploadId::parse(text).ok_or_else(|| S3Fault::new("NoSuchUpload").with("UploadId", text))
}

fn part_number(number: i32) -> Result<u32, S3Fault> {
    let valid = u32::try_from(number).ok().filter(|number| (1..=limits::PART_NUMBER_MAX).contains(number));
    valid.ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        S3Fault::invalid_argument(message, "partNumber", &number.to_string())
    })
}

fn wire_etag(etag: ETag) -> WireETag {
    WireETag::Strong(etag.to_lower_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_and_digests_are_read_strictly() {
        for (number, valid) in [(1, true), (10_000, true), (0, false), (10_001, false), (-1, false)] {
            assert_eq!(part_number(number).is_ok(), valid, "{number}");
        }
        let hex = "0123456789abcdef0123456789ABCDEF";
        let bytes = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdefu128.to_be_bytes();
        assert_eq!(digest(hex), Some(bytes));
        assert_eq!(digest(&format!("\"{hex}\"")), Some(bytes));
        assert_eq!(digest("0123"), None);
        assert_eq!(read_etag(&format!("{hex}-2")), Some(ETag { digest: bytes, parts: Some(2) }));
        assert_eq!(read_etag(&format!("{hex}-x")), None);
        assert_eq!(upload_id("none").map_err(|fault| fault.code), Err("NoSuchUpload"));
    }

    #[test]
    fn the_range_of_a_part_copy_lies_in_its_source() {
        let mut source = crate::http::s3::object::tests::object();
        source.size = 10;
        let range = |text| source_range(text, &source).map_err(|fault| fault.code);
        assert_eq!(range("bytes=0-9"), Ok(0..10));
        assert_eq!(range("bytes=3-3"), Ok(3..4));
        for text in ["bytes=0-10", "bytes=5-", "bytes=-5", "bytes=4-3", "0-9", "bytes=0-1,3-4"] {
            assert_eq!(range(text), Err("InvalidArgument"), "{text}");
        }
    }
}
