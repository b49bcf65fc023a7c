//! The object service: bodies become extents, extents become objects, in the order that keeps every promise.
//!
//! A write streams the body into a blob ([`BodyWriter`]), makes the blob durable, and only then commits the row that
//! names it (I1). An object is replaced by swapping its row, never by touching its bytes (I2); a copy names the same
//! blobs. A commit that was refused takes its blob away at once. A commit that ended without an answer may yet come
//! true, so its blob stays *in flight* until it is known (I5): see [`in_flight`].
//!
//! Range and conditional rules are here for all dialects; which rules, a dialect says.

mod append;
mod body;
mod conditions;
mod hashing;
pub mod in_flight;
mod quota;
mod range;
mod read;
#[cfg(test)]
pub(in crate::store) mod tests;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use body::{BodyWriter, Digests, StoredBody};
pub use conditions::{ConditionOutcome, Conditions, check_conditions};
pub use in_flight::InFlight;
pub(in crate::store) use quota::noted;
pub use quota::{Incoming, Quota};
pub use range::{RangeOutcome, RangeRules, resolve_range};
pub use read::ObjectBody;

use self::hashing::Hashers;
use self::quota::Room;
use crate::clock::{Clock, Wall};
use crate::limits;
use crate::store::{
    Acl, BlobStore, BucketId, ContentHeaders, DeleteCommit, DeleteOutcome, DeleteTarget, MetaStore, ObjectAttributes,
    ObjectCommit, ObjectKey, ObjectKind, ObjectRecord, Result, StorageClass, StoreError, Tag, VersionId, VersionName,
    What, WriteCondition,
};

/// Everything about a new object but its body.
#[derive(Clone, Debug)]
pub struct PutRequest {
    /// Bucket.
    pub bucket: BucketId,
    /// Key.
    pub key: ObjectKey,
    /// How it is made.
    pub kind: ObjectKind,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata: lower-case names without prefix.
    pub user_metadata: Vec<(String, Bytes)>,
    /// Tags, which the dialect has checked.
    pub tags: Vec<Tag>,
    /// Storage class.
    pub storage_class: StorageClass,
    /// What few objects have.
    pub attributes: ObjectAttributes,
    /// The object's own ACL; `None` follows the bucket.
    pub acl: Option<Acl>,
    /// What must hold of the object it replaces.
    pub condition: WriteCondition,
    /// The digest that the client promised (`Content-MD5`).
    pub expected_md5: Option<[u8; 16]>,
}

/// Writes and reads objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ObjectService {
    meta: Arc<dyn MetaStore>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    in_flight: InFlight,
    object_bytes_max: u64,
    room: Room,
    hashers: Hashers,
}

impl ObjectService {
    /// A service over these stores. One a process: it knows which blobs are in flight.
    pub fn new(meta: Arc<dyn MetaStore>, blobs: Arc<dyn BlobStore>, clock: Arc<dyn Clock>) -> Self {
        let in_flight = InFlight::new(clock.clone());
        let Quota { object_bytes_max, free_space_floor } = Quota::default();
        let room = Room::new(blobs.clone(), clock.clone(), free_space_floor);
        ObjectService { meta, blobs, clock, in_flight, object_bytes_max, room, hashers: Hashers::new() }
    }

    /// The same service within an operator's bounds.
    #[must_use]
    pub fn with_quota(self, quota: Quota) -> Self {
        let object_bytes_max = quota.object_bytes_max.min(limits::OBJECT_BYTES_MAX);
        let room = Room::new(self.blobs.clone(), self.clock.clone(), quota.free_space_floor);
        ObjectService { object_bytes_max, room, ..self }
    }

    /// Bytes of the largest object that is taken.
    pub fn object_bytes_max(&self) -> u64 {
        self.object_bytes_max
    }

    /// Whether a body of so many bytes would be taken now, so that a refusal need not cost its transfer. `TooLarge`, `Full`.
    pub async fn check_room(&self, bytes: u64) -> Result<()> {
        if bytes > self.object_bytes_max {
            return Err(StoreError::TooLarge);
        }
        self.room.check(bytes).await
    }

    /// Blobs that this process has created and not yet named or discarded; the collector spares them.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Whether new bodies are encrypted at rest.
    pub fn seals(&self) -> bool {
        self.blobs.seals()
    }

    pub(in crate::store) fn meta(&self) -> &dyn MetaStore {
        &*self.meta
    }

    pub(in crate::store) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Takes a body of any length.
    pub fn writer(&self, digests: Digests) -> BodyWriter {
        let (blobs, in_flight, room) = (self.blobs.clone(), self.in_flight.clone(), self.room.clone());
        BodyWriter::new(blobs, in_flight, self.object_bytes_max, room, self.hashers.clone(), digests)
    }

    /// Puts an object. `DigestMismatch`, `NotFound(Bucket)`, and the condition's errors; after these nothing of the body
    /// is left. After `Unavailable` the object is the old or the new one, whole.
    pub async fn put(&self, request: PutRequest, body: StoredBody) -> Result<ObjectRecord> {
        let (now, condition) = (self.clock.wall(), request.condition);
        let outcome = match verify(&request, &body).and_then(|()| fresh_version(now)) {
            Ok(version) => {
                let object = ObjectRecord { version: Some(version), ..record(request, &body) };
                self.meta.commit_object(ObjectCommit { object, condition }, now).await
            }
            Err(refused) => Err(refused),
        };
        self.conclude(outcome, body).await
    }

    /// Makes an object with the body of `source`; no byte is copied. `NotFound(Object)` when the source has been deleted
    /// since it was looked up and its bytes are being collected.
    pub async fn copy(&self, source: &ObjectRecord, request: PutRequest) -> Result<ObjectRecord> {
        self.room.check(0).await?;
        let (now, condition) = (self.clock.wall(), request.condition);
        let object = ObjectRecord {
            version: Some(fresh_version(now)?),
            size: source.size,
            etag: source.etag,
            crc64: source.crc64,
            content_md5: source.content_md5,
            extents: source.extents.clone(),
            ..blank(request)
        };
        let copied = self.meta.commit_object(ObjectCommit { object, condition }, now).await;
        noted(copied).map_err(|error| match error {
            StoreError::NotFound(What::Blob) => StoreError::NotFound(What::Object),
            other => other,
        })
    }

    /// The same of an object that was read as its key's current one. `None` when it was to be copied onto itself, whatever stands
    /// there, and is another by now: the copy would have undone that, and is to be begun anew.
    pub async fn copy_current(&self, source: &ObjectRecord, mut request: PutRequest) -> Result<Option<ObjectRecord>> {
        let onto_itself = source.bucket == request.bucket && source.key == request.key;
        let may_be_repeated = onto_itself && request.condition == WriteCondition::Always;
        if may_be_repeated {
            request.condition = WriteCondition::IfETag(source.etag);
        }
        match self.copy(source, request).await {
            Err(StoreError::PreconditionFailed) if may_be_repeated => Ok(None),
            copied => copied.map(Some),
        }
    }

    /// Reads `range` of an object's body; what lies past its end is left out.
    pub fn read(&self, object: &ObjectRecord, range: Range<u64>) -> ObjectBody {
        ObjectBody::new(self.blobs.clone(), self.clock.clone(), object, range)
    }

    /// Deletes objects as their bucket does it; keys that are not there are no error.
    pub async fn delete(&self, bucket: BucketId, keys: &[ObjectKey]) -> Result<Vec<DeleteOutcome>> {
        self.delete_versions(bucket, keys.iter().map(|key| (key.clone(), None)).collect(), false).await
    }

    /// Deletes objects, or where a version is named that version for good. Says what became of each, in their order.
    pub async fn delete_versions(
        &self,
        bucket: BucketId,
        targets: Vec<(ObjectKey, Option<VersionName>)>,
        bypass_governance: bool,
    ) -> Result<Vec<DeleteOutcome>> {
        let now = self.clock.wall();
        let target = |(key, version)| Ok(DeleteTarget { key, version, marker: fresh_version(now)? });
        let targets = targets.into_iter().map(target).collect::<Result<_>>()?;
        self.meta.delete_objects(DeleteCommit { bucket, targets, bypass_governance }, now).await
    }

    /// Takes a body away that no object will name. Failing is no harm: the collector comes back to it.
    pub async fn discard(&self, body: StoredBody) {
        if let Some(blob) = body.into_blob() {
            match self.blobs.delete(&[blob.id()]).await {
                Ok(()) => blob.resolve(),
                Err(error) => tracing::warn!(blob = %blob.id(), %error, "discarded blob stays for the collector"),
            }
        }
    }

    /// Settles what becomes of the body once its commit has answered.
    pub(in crate::store) async fn conclude<T>(&self, outcome: Result<T>, body: StoredBody) -> Result<T> {
        match &outcome {
            Ok(_) => body.committed(),
            Err(error) if is_refusal(error) => self.discard(body).await,
            // The commit may have happened: the collector asks the metadata once no command can be under way.
            Err(_) => drop(body),
        }
        noted(outcome)
    }
}

/// Whether this answer of a commit proves that nothing was committed.
fn is_refusal(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => false,
        StoreError::NotFound(_)
        | StoreError::AlreadyExists(_)
        | StoreError::BucketNotEmpty
        | StoreError::ChannelLive
        | StoreError::ChannelDisabled
        | StoreError::PreconditionFailed
        | StoreError::PositionNotLength(_)
        | StoreError::NotAppendable
        | StoreError::IsMarker
        | StoreError::Locked
        | StoreError::InvalidPart(_)
        | StoreError::InvalidPartOrder
        | StoreError::PartTooSmall { .. }
        | StoreError::StaleEpoch
        | StoreError::SizeMismatch { .. }
        | StoreError::NotArchived
        | StoreError::OverQuota
        | StoreError::DigestMismatch
        | StoreError::TooLarge
        | StoreError::Full => true,
    }
}

/// An identity for a version, in case one is made.
pub(in crate::store) fn fresh_version(now: Wall) -> Result<VersionId> {
    fresh_random().map(|random| VersionId::new(now, random))
}

/// What makes an identity impossible to guess.
pub(in crate::store) fn fresh_random() -> Result<[u8; 10]> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        StoreError::Unavailable("no random bytes".into())
    })?;
    Ok(random)
}

fn verify(request: &PutRequest, body: &StoredBody) -> Result<()> {
    match request.expected_md5 {
        Some(expected) if body.md5 != Some(expected) => Err(StoreError::DigestMismatch),
        _ => Ok(()),
    }
}

fn record(request: PutRequest, body: &StoredBody) -> ObjectRecord {
    ObjectRecord {
        size: body.size,
        etag: body.etag,
        crc64: body.crc64,
        content_md5: body.md5,
        extents: body.extents.clone(),
        ..blank(request)
    }
}

/// The request's part of a record; the body's part is still to be filled in.
fn blank(request: PutRequest) -> ObjectRecord {
    let mut user_metadata = request.user_metadata;
    user_metadata.sort();
    ObjectRecord {
        bucket: request.bucket,
        key: request.key,
        kind: request.kind,
        size: 0,
        etag: crate::store::ETag { digest: [0; 16], parts: None },
        crc64: 0,
        content_md5: None,
        last_modified: Wall(0),
        acl: request.acl,
        headers: request.headers,
        user_metadata,
        tags: request.tags,
        storage_class: request.storage_class,
        attributes: request.attributes,
        version: None,
        extents: Vec::new(),
    }
}
