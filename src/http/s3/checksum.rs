//! Checksums as S3 writes them: what a request asks for, and what an answer shows.
//!
//! An object has the checksum that its client chose; where the client chose none, none is computed. (Amazon computes a
//! CRC-64/NVME then. Here it would be one more pass over every body that nobody asked for.)

use http::header::{HeaderMap, HeaderValue};
use s3s::dto::CompletedPart;

use super::error::S3Fault;
use super::exchange::Ask;
use crate::limits;
use crate::store::{
    Checksum, ChecksumAlgorithm, ChecksumForm, ChecksumType, ExpectedObject, ListedPart, ObjectChecksum, ObjectRecord,
    UploadRecord,
};

/// The header or trailer that carries a checksum.
pub(super) const fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The element that carries a checksum.
pub(super) const fn element_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Fault {
    S3Fault::new("InvalidRequest").saying(message)
}

fn lower(algorithm: Option<ChecksumAlgorithm>) -> String {
    algorithm.map_or("null".to_owned(), |algorithm| algorithm.name().to_ascii_lowercase())
}

/// `x-amz-checksum-algorithm`.
pub(super) fn asked_algorithm(headers: &HeaderMap) -> Result<Option<ChecksumAlgorithm>, S3Fault> {
    let Some(value) = headers.get("x-amz-checksum-algorithm") else { return Ok(None) };
    let known = value.to_str().ok().and_then(|name| ChecksumAlgorithm::named(name.trim()));
    known.map(Some).ok_or_else(|| {
        let names = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name).join(", ");
        invalid(format!(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{names}]"
        ))
    })
}

/// `x-amz-checksum-type`.
fn asked_type(headers: &HeaderMap) -> Result<Option<ChecksumType>, S3Fault> {
    let Some(value) = headers.get("x-amz-checksum-type") else { return Ok(None) };
    let known = value.to_str().ok().and_then(|name| ChecksumType::named(name.trim()));
    known.map(Some).ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))
}

/// What the object of an upload in parts shall have, by the request that begins it.
pub(super) fn asked_form(headers: &HeaderMap) -> Result<Option<ChecksumForm>, S3Fault> {
    match (asked_algorithm(headers)?, asked_type(headers)?) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(invalid("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."))
        }
        (Some(algorithm), kind) => {
            let kind = kind.unwrap_or(algorithm.usual_type());
            if !algorithm.allows(kind) {
                let algorithm = lower(Some(algorithm));
                let kind = kind.name();
                return Err(invalid(format!(
                    "The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
                )));
            }
            Ok(Some(ChecksumForm { algorithm, kind }))
        }
    }
}

/// The algorithm of a part's checksum. A client that states one must state the upload's; where it states none, the
/// upload's is computed. An upload that was begun without keeps what each part states.
pub(super) fn of_part(
    upload: &UploadRecord,
    stated: Option<ChecksumAlgorithm>,
) -> Result<Option<ChecksumAlgorithm>, S3Fault> {
    let expected = upload.checksum.map(|form| form.algorithm);
    match (expected, stated) {
        (Some(_), Some(_)) if expected != stated => Err(type_mismatch(expected, stated)),
        _ => Ok(expected.or(stated)),
    }
}

fn type_mismatch(expected: Option<ChecksumAlgorithm>, actual: Option<ChecksumAlgorithm>) -> S3Fault {
    let (expected, actual) = (lower(expected), lower(actual));
    invalid(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {actual}"
    ))
}

/// The checksum that a completion lists for a part.
pub(super) fn listed(part: &CompletedPart) -> Result<Option<Checksum>, S3Fault> {
    let texts = [
        &part.checksum_crc32,
        &part.checksum_crc32c,
        &part.checksum_crc64nvme,
        &part.checksum_sha1,
        &part.checksum_sha256,
    ];
    let mut found = None;
    for (algorithm, text) in ChecksumAlgorithm::ALL.into_iter().zip(texts) {
        let Some(text) = text else { continue };
        if found.is_some() {
            return Err(S3Fault::new("MalformedXML"));
        }
        let checksum = Checksum::from_base64(algorithm, text.trim().as_bytes());
        found = Some(checksum.ok_or_else(|| {
            S3Fault::new("InvalidPart").with("PartNumber", part.part_number.unwrap_or_default().to_string())
        })?);
    }
    Ok(found)
}

/// What the headers of a completion state of the object. `upload` is not open when the request is repeated: then there is
/// nothing left to compare.
pub(super) async fn expected(
    ask: &Ask,
    upload: Option<&UploadRecord>,
    parts: &[ListedPart],
) -> Result<ExpectedObject, S3Fault> {
    let size = match ask.header("x-amz-mp-object-size") {
        None => None,
        Some(text) => {
            Some(text.trim().parse::<u64>().map_err(|_| invalid("Value for x-amz-mp-object-size header is invalid."))?)
        }
    };
    let kind = asked_type(&ask.headers)?;
    let mut stated = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(text) = ask.header(header_name(algorithm)) else { continue };
        if stated.is_some() {
            return Err(invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."));
        }
        stated = Some((algorithm, whole(algorithm, text.trim())?));
    }
    let Some(upload) = upload else { return Ok(ExpectedObject::default()) };
    let form = upload.checksum;
    if let (Some(kind), Some(form)) = (kind, form)
        && kind != form.kind
    {
        let (was, kind) = (form.kind.name(), kind.name());
        return Err(invalid(format!(
            "The upload was created using the {was} checksum mode. The complete request must use the same checksum mode, \
             not {kind}."
        )));
    }
    match (stated, form) {
        (Some((algorithm, _)), Some(form)) if algorithm != form.algorithm => {
            Err(type_mismatch(Some(form.algorithm), Some(algorithm)))
        }
        // It speaks of the whole object, whose bytes nobody reads here: a promise that cannot be kept is not taken.
        (Some((algorithm, _)), None) if !combines(ask, upload, algorithm, parts).await? => {
            Err(S3Fault::header_not_implemented(header_name(algorithm)))
        }
        _ => Ok(ExpectedObject { size, checksum: stated.map(|(_, checksum)| checksum) }),
    }
}

/// A checksum of a whole object; the count of parts behind a composite one adds nothing.
fn whole(algorithm: ChecksumAlgorithm, text: &str) -> Result<Checksum, S3Fault> {
    let value = text.split_once('-').map_or(text, |(value, _)| value);
    Checksum::from_base64(algorithm, value.as_bytes())
        .ok_or_else(|| invalid(format!("Value for {} header is invalid.", header_name(algorithm))))
}

/// Whether these parts of an upload that was begun without a checksum have come to have one that combines.
async fn combines(
    ask: &Ask,
    upload: &UploadRecord,
    algorithm: ChecksumAlgorithm,
    parts: &[ListedPart],
) -> Result<bool, S3Fault> {
    if !algorithm.allows(ChecksumType::FullObject) {
        return Ok(false);
    }
    let mut after = 0;
    loop {
        let UploadRecord { bucket, key, id, .. } = upload;
        let page = ask.deps.meta.list_parts(*bucket, key, *id, after, limits::OSS_DELETE_KEYS_MAX).await;
        let page = page.map_err(|error| ask.store_error(&error))?;
        // A list that is not in order is refused afterwards.
        let is_listed = |number: u32| parts.binary_search_by_key(&number, |part| part.number).is_ok();
        let has = |checksum: Checksum| checksum.algorithm() == algorithm;
        if page.entries.iter().any(|part| is_listed(part.number) && !part.checksum.is_some_and(has)) {
            return Ok(false);
        }
        match page.entries.last() {
            Some(last) if page.truncated => after = last.number,
            _ => return Ok(true),
        }
    }
}

/// The checksum of a copy: the source's or that of `algorithm`, over all bytes in any case, for a copy has no parts. Read
/// from the bytes where it follows from nothing that is known.
pub(super) async fn of_copy(
    ask: &Ask,
    source: &ObjectRecord,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Option<ObjectChecksum>, S3Fault> {
    let known = source.attributes.checksum;
    let Some(wanted) = algorithm.or(known.map(|checksum| checksum.value.algorithm())) else { return Ok(None) };
    if let Some(full) = source.full_checksum().filter(|checksum| checksum.algorithm() == wanted) {
        return Ok(Some(ObjectChecksum::full(full)));
    }
    if known.is_some_and(|checksum| checksum.value.algorithm() == wanted) {
        let parts = ask.deps.meta.object_parts(source).await.map_err(|error| ask.store_error(&error))?;
        let of: Vec<_> = parts.unwrap_or_default().iter().map(|part| (part.checksum, part.size)).collect();
        let form = ChecksumForm { algorithm: wanted, kind: ChecksumType::FullObject };
        if let Some(combined) = ObjectChecksum::of_parts(form, &of).filter(|_| !of.is_empty()) {
            return Ok(Some(combined));
        }
    }
    if source.size > limits::OBJECT_BYTES_MAX {
        let message = format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {}",
            limits::OBJECT_BYTES_MAX
        );
        // What was not asked for is not worth reading so much.
        return if algorithm.is_some() { Err(invalid(message)) } else { Ok(None) };
    }
    let read = ask.deps.objects.checksum(source, wanted).await.map_err(|error| ask.store_error(&error))?;
    Ok(Some(ObjectChecksum::full(read)))
}

/// Writes a checksum and what it is over.
pub(super) fn show(checksum: &ObjectChecksum, headers: &mut HeaderMap) {
    let value = HeaderValue::from_str(&checksum.text()).expect("base64 and digits are a header value");
    headers.insert(header_name(checksum.value.algorithm()), value);
    headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum.form().kind.name()));
}

/// `x-amz-checksum-mode: ENABLED`.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.get("x-amz-checksum-mode").is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"ENABLED"))
}

/// A checksum as elements of a document: `s3s` gives every structure that has them the same five fields.
pub(super) fn elements(checksum: Option<ObjectChecksum>) -> s3s::dto::Checksum {
    let mut elements = s3s::dto::Checksum::default();
    if let Some(checksum) = checksum {
        let field = match checksum.value.algorithm() {
            ChecksumAlgorithm::Crc32 => &mut elements.checksum_crc32,
            ChecksumAlgorithm::Crc32c => &mut elements.checksum_crc32c,
            ChecksumAlgorithm::Crc64Nvme => &mut elements.checksum_crc64nvme,
            ChecksumAlgorithm::Sha1 => &mut elements.checksum_sha1,
            ChecksumAlgorithm::Sha256 => &mut elements.checksum_sha256,
        };
        *field = Some(checksum.text());
    }
    elements
}

/// Structures of the library with a checksum's five fields filled, and the others as given or empty.
macro_rules! with_checksum {
    ($checksum:expr, $type:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let of = crate::http::s3::checksum::elements($checksum);
        #[allow(clippy::needless_update, reason = "some have no other field")]
        let filled = $type {
            checksum_crc32: of.checksum_crc32,
            checksum_crc32c: of.checksum_crc32c,
            checksum_crc64nvme: of.checksum_crc64nvme,
            checksum_sha1: of.checksum_sha1,
            checksum_sha256: of.checksum_sha256,
            $($field: $value,)*
            ..$type::default()
        };
        filled
    }};
}
pub(super) use with_checksum;

/// Of [`s3s::dto`], from the domain's.
pub(super) fn wire_algorithm(algorithm: ChecksumAlgorithm) -> s3s::dto::ChecksumAlgorithm {
    s3s::dto::ChecksumAlgorithm::from_static(algorithm.name())
}

/// Of [`s3s::dto`], from the domain's.
pub(super) fn wire_type(kind: ChecksumType) -> s3s::dto::ChecksumType {
    s3s::dto::ChecksumType::from_static(kind.name())
}
