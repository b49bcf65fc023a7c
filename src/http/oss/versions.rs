//! Versions of objects: whether a bucket keeps them, their listing, and what `versionId` means to every other operation.
//!
//! Which operations take a `versionId` the route decides; here it is already one.

use std::sync::Arc;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

use super::class;
use super::error::OssError;
use super::operation::ListVersionsQuery;
use super::service::Ask;
use super::xml;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::http::access::Wanted;
use crate::http::body::RequestBody;
use crate::http::server::Answer;
use crate::limits;
use crate::store::{
    BucketRecord, DeleteOutcome, ObjectKey, ObjectRecord, StoreError, VersionId, VersionName, Versioned, Versioning,
    VersionsQuery, What,
};

const VERSION_ID: &str = "x-oss-version-id";
const DELETE_MARKER: &str = "x-oss-delete-marker";
const SOURCE_VERSION_ID: &str = "x-oss-copy-source-version-id";

impl Ask<'_> {
    /// The version that the query names.
    pub(super) fn version(&self) -> Option<VersionName> {
        self.accepted.query.text("versionId").and_then(|text| VersionName::parse(&text))
    }
}

// ---- the bucket ----------------------------------------------------------------------------------------------

pub(super) fn versioning(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    Ok(Answer::xml(xml::versioning_configuration(bucket.versioning)))
}

pub(super) async fn put_versioning(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let versioning = xml::read_versioning_configuration(&document)?;
    let set = ask.deps.meta.set_bucket_versioning(bucket.id, versioning).await;
    set.map_err(|error| match error {
        StoreError::PreconditionFailed => OssError::versions_are_locked(),
        error => ask.store_error(error),
    })?;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) async fn list(ask: &Ask<'_>, query: &ListVersionsQuery) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ListBucket)?;
    let filled = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
    let listing = VersionsQuery {
        prefix: query.prefix.clone(),
        delimiter: filled(&query.delimiter),
        after: filled(&query.key_marker),
        after_version: query.version_id_marker,
        limit: query.max_keys,
    };
    let page = ask.deps.meta.list_versions(bucket.id, &listing).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::xml(xml::list_versions(bucket, query, &class::judged_versions(page, ask.now))))
}

// ---- one version ---------------------------------------------------------------------------------------------

/// The object of a version, of the newest when none is named, when the caller may read it. Whether it is there at all is
/// told only to one who may.
pub(super) async fn readable(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, OssError> {
    let found = find(ask, bucket, key, version).await?;
    let own_acl = found.as_ref().and_then(Versioned::own_acl);
    // A version takes the right to the object, too: what denies the one must not be evaded by naming the other.
    let beside = version.is_some().then_some(Permission::GetObjectVersion);
    for permission in [Permission::GetObject].into_iter().chain(beside) {
        ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: own_acl, permission })?;
    }
    object_of(found, key, version)
}

/// The same for one who may do anything.
pub(super) async fn existing(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, OssError> {
    object_of(find(ask, bucket, key, version).await?, key, version)
}

async fn find(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Option<Versioned>, OssError> {
    ask.deps.meta.object_version(bucket.id, key, version).await.map_err(|error| ask.key_error(error, key))
}

fn object_of(
    found: Option<Versioned>,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<Arc<ObjectRecord>, OssError> {
    match (found, version) {
        (Some(Versioned::Object(object)), _) => Ok(object),
        (Some(Versioned::Marker(marker)), Some(_)) => {
            Err(OssError::delete_marker_not_allowed().with_header(VERSION_ID, text(marker.version)))
        }
        (Some(Versioned::Marker(marker)), None) => Err(OssError::no_such_key(key.as_bytes())
            .with_header(DELETE_MARKER, "true")
            .with_header(VERSION_ID, text(marker.version))),
        (None, Some(version)) => Err(OssError::no_such_version(key.as_bytes(), &version.to_string())),
        (None, None) => Err(OssError::no_such_key(key.as_bytes())),
    }
}

/// A store error of a request that may name a version.
pub(super) fn error(ask: &Ask<'_>, error: StoreError, key: &ObjectKey, version: Option<VersionName>) -> OssError {
    match (error, version) {
        (StoreError::NotFound(What::Version), Some(version)) => {
            OssError::no_such_version(key.as_bytes(), &version.to_string())
        }
        (StoreError::IsMarker, Some(version)) => {
            OssError::delete_marker_not_allowed().with_header(VERSION_ID, version.to_string())
        }
        (error, _) => ask.key_error(error, key),
    }
}

/// Decides over deleting. To remove a version for good is the owner's alone: whoever else may write can only bury it under
/// a marker.
pub(super) async fn may_delete(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionName>,
) -> Result<(), OssError> {
    match version {
        Some(_) if bucket.versioning != Versioning::Never => {
            super::object::existing_for_write(ask, bucket, key).await?;
            let permission = Permission::DeleteObjectVersion;
            ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission })
        }
        _ => super::object::existing_for_write(ask, bucket, key).await,
    }
}

// ---- headers -------------------------------------------------------------------------------------------------

fn text(version: Option<VersionId>) -> String {
    VersionName::from(version).to_string()
}

fn value(version: Option<VersionId>) -> HeaderValue {
    HeaderValue::from_str(&text(version)).expect("hex digits are a header value")
}

/// Says which version was read, written or set, where the bucket keeps any.
pub(super) fn show(bucket: &BucketRecord, version: Option<VersionId>, headers: &mut HeaderMap) {
    if bucket.versioning != Versioning::Never {
        headers.insert(VERSION_ID, value(version));
    }
}

/// Says which version a copy was made from, where that has an identity.
pub(super) fn show_source(source: &ObjectRecord, headers: &mut HeaderMap) {
    if source.version.is_some() {
        headers.insert(SOURCE_VERSION_ID, value(source.version));
    }
}

/// Says what a delete came to, or that a lock kept it from coming to anything.
pub(super) fn show_outcome(
    outcome: DeleteOutcome,
    named: Option<VersionName>,
    headers: &mut HeaderMap,
) -> Result<(), OssError> {
    let (version, is_marker) = match outcome {
        DeleteOutcome::Deleted => return Ok(()),
        DeleteOutcome::Locked => return Err(OssError::file_immutable()),
        DeleteOutcome::MarkerMade(version) => (version, true),
        DeleteOutcome::VersionRemoved { was_marker } => (named.and_then(VersionName::id), was_marker),
    };
    headers.insert(VERSION_ID, value(version));
    if is_marker {
        headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    }
    Ok(())
}

/// Whether a write may be forbidden to overwrite: where versions are kept nothing is overwritten, and the header is void.
pub(super) fn may_forbid_overwrite(bucket: &BucketRecord) -> bool {
    bucket.versioning == Versioning::Never
}
