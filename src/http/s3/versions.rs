//! Versions of objects: whether a bucket keeps them, their listing, and what `versionId` means to every other operation.

use std::sync::Arc;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use s3s::dto::{
    BucketVersioningStatus, DeletedObject, GetBucketVersioningOutput, ListObjectVersionsInput, MFADelete, Owner,
    PutBucketVersioningInput, TimestampFormat,
};

use super::NAMESPACE;
use super::acl;
use super::class::class_text;
use super::error::S3Fault;
use super::exchange::Ask;
use super::listing::{Names, page_size, plain, timestamp};
use super::object::existing_for_write;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::clock::Wall;
use crate::http::access::Wanted;
use crate::http::server::Answer;
use crate::http::xml::Writer;
use crate::store::{
    BucketRecord, DeleteOutcome, ObjectKey, ObjectKind, ObjectRecord, Page, StoreError, VersionEntry, VersionId,
    VersionName, Versioned, Versioning, VersionsQuery, What,
};

const VERSION_ID: &str = "x-amz-version-id";
const DELETE_MARKER: &str = "x-amz-delete-marker";

impl Ask {
    /// The version that the query names.
    pub(super) fn version(&self) -> Result<Option<VersionName>, S3Fault> {
        self.exchange.query.text("versionId").map(|text| read_version(&text, "versionId")).transpose()
    }
}

/// A version's name as a client wrote it.
pub(super) fn read_version(text: &str, argument: &'static str) -> Result<VersionName, S3Fault> {
    let message = match text {
        "" => "Version id cannot be the empty string",
        _ => "Invalid version id specified",
    };
    VersionName::parse(text).ok_or_else(|| S3Fault::invalid_argument(message, argument, text))
}

// ---- the bucket ----------------------------------------------------------------------------------------------

/// Never set: an empty document, which clients read before they delete recursively.
pub(super) async fn versioning(ask: &Ask, name: &str) -> Result<GetBucketVersioningOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    let status = status.map(BucketVersioningStatus::from_static);
    Ok(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
}

pub(super) async fn put_versioning(ask: &Ask, input: PutBucketVersioningInput) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(&input.bucket, Action::WriteSettings).await?;
    ask.check_document(false)?;
    let wanted = input.versioning_configuration;
    // A second factor that nobody asks for would be a promise broken at the first delete.
    if input.mfa.is_some() || wanted.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED) {
        return Err(S3Fault::header_not_implemented("x-amz-mfa"));
    }
    let versioning = match wanted.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(S3Fault::new("MalformedXML")),
    };
    let set = ask.deps.meta.set_bucket_versioning(bucket.id, versioning).await;
    set.map_err(|error| super::lock::versioning_error(ask, &error))?;
    Ok(Answer::empty(StatusCode::OK))
}

/// Rendered here: the library would part objects from markers, and clients read them in the order in which they stand.
pub(super) async fn list(ask: &Ask, input: ListObjectVersionsInput) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(&input.bucket, Action::ListBucket).await?;
    let names = Names::read(input.encoding_type.as_ref())?;
    let limit = page_size(input.max_keys, "max-keys")?;
    let text = |argument: Option<String>| argument.unwrap_or_default();
    let (prefix, delimiter, key_marker) = (text(input.prefix), text(input.delimiter), text(input.key_marker));
    let version_marker = text(input.version_id_marker);
    if key_marker.is_empty() && !version_marker.is_empty() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(S3Fault::invalid_argument(message, "version-id-marker", &version_marker));
    }
    let after_version = match version_marker.as_str() {
        "" => None,
        text => Some(read_version(text, "version-id-marker")?),
    };
    let filled = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let query = VersionsQuery {
        prefix: prefix.clone().into_bytes(),
        delimiter: filled(&delimiter),
        after: filled(&key_marker),
        after_version,
        limit,
    };
    let page = match limit {
        0 => Page { entries: Vec::new(), truncated: false },
        _ => ask.deps.meta.list_versions(bucket.id, &query).await.map_err(|error| ask.store_error(&error))?,
    };
    Ok(Answer::xml(Writer::document_in(NAMESPACE, "ListVersionsResult", |w| {
        w.text("Name", &bucket.name);
        w.text("Prefix", names.text(prefix.as_bytes()));
        w.text("KeyMarker", names.text(key_marker.as_bytes()));
        w.text("VersionIdMarker", &version_marker);
        w.text("MaxKeys", limit);
        if !delimiter.is_empty() {
            w.text("Delimiter", names.text(delimiter.as_bytes()));
        }
        if names == Names::Url {
            w.text("EncodingType", "url");
        }
        w.text("IsTruncated", page.truncated);
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            write_next(w, names, last);
        }
        page.entries.iter().for_each(|entry| write_entry(w, names, entry, &bucket));
        for entry in &page.entries {
            if let VersionEntry::Prefix(prefix) = entry {
                w.element("CommonPrefixes", |w| w.text("Prefix", names.text(prefix)));
            }
        }
    })))
}

fn write_next(w: &mut Writer, names: Names, last: &VersionEntry) {
    let (key, version) = match last {
        VersionEntry::Object { summary, version, .. } => (summary.key.as_bytes(), Some(text(*version))),
        VersionEntry::Marker { key, marker, .. } => (key.as_bytes(), Some(text(marker.version))),
        VersionEntry::Prefix(prefix) => (prefix.as_slice(), None),
    };
    w.text("NextKeyMarker", names.text(key));
    if let Some(version) = version {
        w.text("NextVersionIdMarker", version);
    }
}

fn write_entry(w: &mut Writer, names: Names, entry: &VersionEntry, bucket: &BucketRecord) {
    let Owner { display_name, id } = acl::owner(bucket);
    let write_owner = |w: &mut Writer| {
        w.element("Owner", |w| {
            w.text("ID", id.unwrap_or_default());
            w.text("DisplayName", display_name.unwrap_or_default());
        });
    };
    let identity = |w: &mut Writer, key: &ObjectKey, version: Option<VersionId>, is_latest: bool| {
        w.text("Key", names.text(key.as_bytes()));
        w.text("VersionId", text(version));
        w.text("IsLatest", is_latest);
    };
    match entry {
        VersionEntry::Object { summary, version, is_latest } => w.element("Version", |w| {
            identity(w, &summary.key, *version, *is_latest);
            w.text("LastModified", time_text(summary.last_modified));
            w.text("ETag", format_args!("\"{}\"", summary.etag.to_lower_hex()));
            if let Some(form) = summary.checksum {
                w.text("ChecksumAlgorithm", form.algorithm.name());
                w.text("ChecksumType", form.kind.name());
            }
            w.text("Size", summary.size);
            w.text("StorageClass", class_text(summary.storage_class));
            write_owner(w);
        }),
        VersionEntry::Marker { key, marker, is_latest } => w.element("DeleteMarker", |w| {
            identity(w, key, marker.version, *is_latest);
            w.text("LastModified", time_text(marker.last_modified));
            write_owner(w);
        }),
        VersionEntry::Prefix(_) => {}
    }
}

/// As the library writes times.
pub(super) fn time_text(at: Wall) -> String {
    let mut text = Vec::new();
    let written = timestamp(at).format(TimestampFormat::DateTime, &mut text);
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

// ---- one version ---------------------------------------------------------------------------------------------

/// The object of a version, of the newest when none is named, when the caller may read it. Whether it is there at all is
/// told only to one who may. A symlink, which this dialect does not know, is read through: it has its target's body.
pub(super) async fn readable(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, S3Fault> {
    let found = find(ask, bucket, key, version).await?;
    let own_acl = found.as_ref().and_then(Versioned::own_acl);
    // A version takes the right to the object, too: what denies the one must not be evaded by naming the other.
    let beside = version.is_some().then_some(Permission::GetObjectVersion);
    for permission in [Permission::GetObject].into_iter().chain(beside) {
        ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: own_acl, permission })?;
    }
    let object = object_of(found, key, version)?;
    match object.symlink_target() {
        None => Ok(object),
        Some(target) => follow(ask, bucket, object, &target).await,
    }
}

async fn follow(
    ask: &Ask,
    bucket: &BucketRecord,
    link: Arc<ObjectRecord>,
    target: &ObjectKey,
) -> Result<Arc<ObjectRecord>, S3Fault> {
    let found = ask.existing(bucket, target).await?;
    let own_acl = found.as_ref().and_then(|object| object.acl);
    let permission = Permission::GetObject;
    ask.decide_on(Wanted { bucket, key: Some(target.as_bytes()), object: own_acl, permission })?;
    match found.filter(|object| object.kind != ObjectKind::Symlink) {
        Some(object) => Ok(Arc::new(Arc::unwrap_or_clone(link).seen_through(object))),
        None => Err(S3Fault::no_such_key(&link.key.to_string())
            .saying("The specified key is a symbolic link whose target does not exist.")),
    }
}

/// The same for one who may do anything.
pub(super) async fn existing(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, S3Fault> {
    object_of(find(ask, bucket, key, version).await?, key, version)
}

async fn find(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Option<Versioned>, S3Fault> {
    ask.deps.meta.object_version(bucket.id, key, version).await.map_err(|error| ask.store_error(&error))
}

fn object_of(
    found: Option<Versioned>,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, S3Fault> {
    match (found, version) {
        (Some(Versioned::Object(object)), _) => Ok(object),
        (Some(Versioned::Marker(marker)), Some(_)) => {
            Err(S3Fault::is_marker().with_header(VERSION_ID, text(marker.version)))
        }
        (Some(Versioned::Marker(marker)), None) => Err(S3Fault::no_such_key(&key.to_string())
            .with_header(DELETE_MARKER, "true")
            .with_header(VERSION_ID, text(marker.version))),
        (None, Some(version)) => Err(no_such_version(key, version)),
        (None, None) => Err(S3Fault::no_such_key(&key.to_string())),
    }
}

fn no_such_version(key: &ObjectKey, version: VersionName) -> S3Fault {
    S3Fault::new("NoSuchVersion").with("Key", plain(key.as_bytes())).with("VersionId", version.to_string())
}

/// A store error of a request that may name a version.
pub(super) fn error(ask: &Ask, error: &StoreError, key: &ObjectKey, version: Option<VersionName>) -> S3Fault {
    match (error, version) {
        (StoreError::NotFound(What::Version), Some(version)) => no_such_version(key, version),
        (StoreError::IsMarker, Some(version)) => S3Fault::is_marker().with_header(VERSION_ID, version.to_string()),
        (error, _) => ask.store_error(error),
    }
}

/// Decides over deleting. To remove a version for good is the owner's alone: whoever else may write can only bury it under
/// a marker.
pub(super) async fn may_delete(
    ask: &Ask,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<(), S3Fault> {
    match version {
        Some(_) if bucket.versioning != Versioning::Never => {
            existing_for_write(ask, bucket, key).await?;
            let permission = Permission::DeleteObjectVersion;
            ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission })
        }
        _ => existing_for_write(ask, bucket, key).await.map(drop),
    }
}

// ---- what answers say ----------------------------------------------------------------------------------------

fn text(version: Option<VersionId>) -> String {
    VersionName::from(version).to_string()
}

/// The version that was read, written or set, where the bucket keeps any.
pub(super) fn shown(bucket: &BucketRecord, version: Option<VersionId>) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| text(version))
}

/// The same as a header.
pub(super) fn show(bucket: &BucketRecord, version: Option<VersionId>, headers: &mut HeaderMap) {
    if let Some(text) = shown(bucket, version) {
        headers.insert(VERSION_ID, HeaderValue::from_str(&text).expect("hex digits are a header value"));
    }
}

/// The version that a copy was made from, where that has an identity.
pub(super) fn source(source: &ObjectRecord) -> Option<String> {
    source.version.map(|version| version.to_string())
}

/// Which version a delete was about, and whether that is a marker.
fn told(outcome: DeleteOutcome, named: Option<VersionName>) -> Option<(String, bool)> {
    match outcome {
        DeleteOutcome::Deleted | DeleteOutcome::Locked => None,
        DeleteOutcome::MarkerMade(version) => Some((text(version), true)),
        DeleteOutcome::VersionRemoved { was_marker } => named.map(|named| (named.to_string(), was_marker)),
    }
}

/// Says what a delete came to, or that a lock kept it from coming to anything.
pub(super) fn show_outcome(
    outcome: DeleteOutcome,
    named: Option<VersionName>,
    headers: &mut HeaderMap,
) -> Result<(), S3Fault> {
    if outcome == DeleteOutcome::Locked {
        return Err(S3Fault::locked());
    }
    let Some((version, is_marker)) = told(outcome, named) else { return Ok(()) };
    headers.insert(VERSION_ID, HeaderValue::from_str(&version).expect("hex digits are a header value"));
    if is_marker {
        headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    }
    Ok(())
}

/// One line of DeleteObjects' answer.
pub(super) fn deleted(key: &ObjectKey, named: Option<VersionName>, outcome: DeleteOutcome) -> DeletedObject {
    let marker = told(outcome, named).filter(|(_, is_marker)| *is_marker).map(|(version, _)| version);
    DeletedObject {
        key: Some(plain(key.as_bytes())),
        version_id: named.map(|named| named.to_string()),
        delete_marker: marker.is_some().then_some(true),
        delete_marker_version_id: marker,
    }
}
