//! The store: what is kept, in which order it becomes durable, and the ports that backends implement.
//!
//! Ports speak intent: each method of [`MetaStore`] is one transaction, and returns only once its effect is durable.
//! No transaction object, no SQL and no row type crosses a port. Invariants I1 to I7 of `ARCHITECTURE.md` are kept here.
//!
//! Must never decide when to cut a fragment or know a dialect.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Wall;

pub mod blob;
pub mod checksum;
mod commits;
pub mod compaction;
#[cfg(test)]
pub mod conformance;
pub mod credentials;
pub mod data_dir;
pub mod digest;
pub mod error;
pub mod lifecycle;
mod listing;
pub mod lock;
pub mod meta;
pub mod objects;
pub mod records;
pub mod recovery;
mod restore;
pub mod seal;
pub mod settings;
mod shelf;
mod symlink;
pub mod tags;
pub mod upload;
pub mod versions;

pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumForm, ChecksumType, ObjectChecksum};
pub use commits::*;
pub use error::{Fault, Result, StoreError, What};
pub use lifecycle::{Expiry, Lifecycle, Seen, SeenAs};
pub use listing::*;
pub use lock::{DefaultRetention, LockChange, ObjectLock, Retention, RetentionMode, RetentionPeriod};
pub use records::*;
pub use restore::Restored;
pub use settings::{BucketQuota, BucketSetting, BucketSettings, Payer};
pub use versions::{
    DeleteCommit, DeleteMarker, DeleteOutcome, DeleteTarget, VersionEntry, VersionMark, VersionName, Versioned,
    VersionsQuery,
};

// ---- blobs ---------------------------------------------------------------------------------------------------

/// Immutable byte sequences under fresh ids.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync {
    /// Begins a blob under a fresh id. Nothing is readable before [`BlobWriter::finish`].
    async fn create(&self) -> Result<Box<dyn BlobWriter>>;

    /// The same under an id that [says](BlobId::is_sealed) that the bytes are sealed. For the store that seals them, which
    /// is around this one; [`create`](Self::create) never gives such an id.
    async fn create_marked(&self) -> Result<Box<dyn BlobWriter>>;

    /// Whether new blobs are encrypted at rest.
    fn seals(&self) -> bool {
        false
    }

    /// Bytes that are free where the blobs are; `None` where nobody can know.
    async fn available(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Bytes of a finished blob. `NotFound(Blob)`.
    async fn length(&self, id: BlobId) -> Result<u64>;

    /// Opens a range of a finished blob. `NotFound(Blob)` when it is gone, `Corrupt` when it is shorter than the range.
    async fn open(&self, id: BlobId, range: Range<u64>) -> Result<Box<dyn BlobReader>>;

    /// Removes blobs; ids that are not there are no error. Durable when it returns.
    async fn delete(&self, ids: &[BlobId]) -> Result<()>;

    /// Finished blobs with ids greater than `after`, in order of id, at most `limit`. What unfinished writers of an earlier
    /// process left may be among them, of any length: nobody names it.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobEntry>>;

    /// Removes what unfinished writers of an earlier process left, as far as it can be told from blobs; the rest is listed.
    /// Call only before any writer exists. Returns how many.
    async fn remove_temporaries(&self) -> Result<u64>;
}

/// One finished blob in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    /// Id.
    pub id: BlobId,
    /// Bytes.
    pub length: u64,
}

/// A blob being written. Dropping it unfinished leaves nothing behind.
#[async_trait]
pub trait BlobWriter: fmt::Debug + Send {
    /// The id the blob will have.
    fn id(&self) -> BlobId;
    /// Adds bytes at the end. They may still be on their way when this returns: that they could not be written is then said by
    /// a later call, at the latest by [`BlobWriter::finish`]. What is on its way is bounded; waits for it are back pressure.
    async fn append(&mut self, bytes: Bytes) -> Result<()>;
    /// Makes the blob complete, durable and readable, in that order (I1). Returns its length.
    async fn finish(self: Box<Self>) -> Result<u64>;
}

/// Reads a range of a blob in pieces.
#[async_trait]
pub trait BlobReader: fmt::Debug + Send {
    /// The next piece, never empty and at most `limits::READ_PIECE_BYTES`; `None` at the end of the range.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

// ---- metadata ------------------------------------------------------------------------------------------------

/// What metadata says of a blob id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// An extent of an object or of an upload's part names it; carries the end of the furthest range that is named.
    Named(u64),
    /// No longer named; waits for its grace to pass.
    Garbage,
    /// Metadata does not know it: in flight, or left by a crash.
    Unknown,
}

/// Metadata: everything but bytes. Each method is one transaction and durable when it returns.
#[async_trait]
pub trait MetaStore: fmt::Debug + Send + Sync {
    // -- accounts and keys
    /// Adds an access key; makes the account when there is none of that name. Another account's or another secret's key
    /// under the same id is `AlreadyExists(AccessKey)`; the same key again is no error and enables it.
    async fn put_access_key(&self, account_name: &str, id: &str, secret: &str, now: Wall) -> Result<AccessKeyRecord>;
    /// One key.
    async fn access_key(&self, id: &str) -> Result<Option<AccessKeyRecord>>;
    /// All keys in order of id.
    async fn list_access_keys(&self) -> Result<Vec<AccessKeyRecord>>;
    /// Disables a key, and ends the temporary credentials made of it. `NotFound(AccessKey)`.
    async fn disable_access_key(&self, id: &str) -> Result<()>;
    /// Adds a temporary credential for the enabled key `parent`. `NotFound(AccessKey)`, also when that is disabled;
    /// `AlreadyExists(AccessKey)` under a taken id.
    async fn put_session_key(&self, parent: &str, session: NewSessionKey, now: Wall) -> Result<SessionKeyRecord>;
    /// One temporary credential, also one that has expired.
    async fn session_key(&self, id: &str) -> Result<Option<SessionKeyRecord>>;
    /// Forgets temporary credentials that expired before `before`, at most `limit`. Returns how many.
    async fn forget_session_keys(&self, before: Wall, limit: usize) -> Result<u64>;

    // -- buckets
    /// Makes a bucket for which nothing else is set. `AlreadyExists(Bucket)` whoever owns it.
    async fn create_bucket(&self, name: &BucketName, owner: AccountId, acl: Acl, now: Wall) -> Result<BucketRecord> {
        self.create_bucket_with(name, owner, acl, BucketSettings::default(), now).await
    }
    /// Makes a bucket with settings; one with object lock keeps versions. `AlreadyExists(Bucket)` whoever owns it.
    async fn create_bucket_with(
        &self,
        name: &BucketName,
        owner: AccountId,
        acl: Acl,
        settings: BucketSettings,
        now: Wall,
    ) -> Result<BucketRecord>;
    /// One bucket by name.
    async fn bucket(&self, name: &BucketName) -> Result<Option<Arc<BucketRecord>>>;
    /// An account's buckets in order of name.
    async fn list_buckets(
        &self,
        owner: AccountId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<BucketRecord>>;
    /// `NotFound(Bucket)`.
    async fn set_bucket_acl(&self, bucket: BucketId, acl: Acl) -> Result<()>;
    /// `NotFound(Bucket)`. The default value removes the rules.
    async fn set_bucket_cors(&self, bucket: BucketId, cors: CorsConfig) -> Result<()>;
    /// `NotFound(Bucket)`. An empty set removes the tags.
    async fn set_bucket_tags(&self, bucket: BucketId, tags: Vec<Tag>) -> Result<()>;
    /// Sets whether versions are kept from now on; what is there stays as it is. A bucket that has kept versions is never again
    /// one that did not, and one that locks its objects keeps them: `PreconditionFailed`. `NotFound(Bucket)`.
    async fn set_bucket_versioning(&self, bucket: BucketId, versioning: Versioning) -> Result<()>;
    /// Puts one setting in place of the one before. `NotFound(Bucket)`; object lock only where each write makes a version, else
    /// `PreconditionFailed`.
    async fn set_bucket_setting(&self, bucket: BucketId, setting: BucketSetting) -> Result<()>;
    /// Puts lifecycle rules in place of those before. `NotFound(Bucket)`. The default removes them.
    async fn set_bucket_lifecycle(&self, bucket: BucketId, lifecycle: Lifecycle) -> Result<()>;
    /// A bucket's lifecycle rules; the default when it has none.
    async fn bucket_lifecycle(&self, bucket: BucketId) -> Result<Lifecycle>;
    /// The first bucket that has lifecycle rules and whose id is greater than `after`; with them, and whether it keeps
    /// versions.
    async fn next_lifecycle(&self, after: Option<BucketId>) -> Result<Option<(BucketId, Versioning, Lifecycle)>>;
    /// `BucketNotEmpty` while objects, versions, delete markers, open uploads or channels remain; `NotFound(Bucket)`.
    async fn delete_bucket(&self, bucket: BucketId) -> Result<()>;
    /// What the bucket holds. `NotFound(Bucket)`. Its cost does not follow the bucket's objects and uploads.
    async fn bucket_usage(&self, bucket: BucketId) -> Result<BucketUsage>;

    // -- objects
    /// Puts an object in place of the one under its key, or on top of it where the bucket keeps versions: the null version
    /// replaces the null version, wherever that stands, and nothing else does. Blobs that lose their last name become garbage
    /// (I2). Returns the object as committed, with the bucket's default retention where it brings none. `NotFound(Bucket)`,
    /// `Locked` when what it would replace is, and the condition's errors; a condition is judged by the current object. This
    /// and every other call that makes a bucket hold more is `OverQuota` when that is more than its quota.
    async fn commit_object(&self, commit: ObjectCommit, now: Wall) -> Result<ObjectRecord>;
    /// Appends to the current object, of whatever version. `PositionNotLength`, `NotAppendable`, `Locked`, `NotFound(Bucket)`.
    /// Returns the whole object.
    async fn commit_append(&self, commit: AppendCommit, now: Wall) -> Result<ObjectRecord>;
    /// The current object with its extents.
    async fn object(&self, bucket: BucketId, key: &ObjectKey) -> Result<Option<ObjectRecord>>;
    /// One version. Without a name the newest: the current object, or the marker that says that there is none.
    async fn object_version(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
    ) -> Result<Option<Versioned>>;
    /// The parts that this object was completed of, in order. `None` where that is not known: it was not uploaded in
    /// parts, or is a copy, or was completed before parts were remembered, or is not there any more as it was read.
    async fn object_parts(&self, object: &ObjectRecord) -> Result<Option<Vec<ObjectPart>>>;
    /// Deletes in one transaction; what is not there is no error. Says what became of each target, in their order.
    ///
    /// Without a version: where none are kept the object goes; where they are, a marker is made, and where they were, it takes
    /// the place of the null version. With one, that version goes for good, and the newest that remains is the current object
    /// again unless it is a marker. What a lock keeps stays, and its outcome says so; the others go all the same. A fragment's
    /// index row goes when its key has no current object any more.
    async fn delete_objects(&self, commit: DeleteCommit, now: Wall) -> Result<Vec<DeleteOutcome>>;
    /// Ends in one transaction what is still as it was seen, and leaves the rest: a current object as a delete without a
    /// version does, any other version for good. Returns how many it ended.
    async fn expire(&self, bucket: BucketId, expired: Vec<Expiry>, now: Wall) -> Result<u64>;
    /// Changes the class of objects that are still as they were seen; their bodies count as unchanged. Returns how many it
    /// changed.
    async fn change_class(&self, bucket: BucketId, seen: Vec<Seen>, class: StorageClass) -> Result<u64>;
    /// Puts the own ACL of a version, of the current object when none is named, and says which that was; `None` follows the
    /// bucket. `NotFound(Object)`, `NotFound(Version)`, `IsMarker`.
    async fn set_object_acl(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        acl: Option<Acl>,
    ) -> Result<Option<VersionId>>;
    /// Puts tags in place of those of a version, which stays as it is else; as `set_object_acl`.
    async fn set_object_tags(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        tags: Vec<Tag>,
    ) -> Result<Option<VersionId>>;
    /// Changes what locks a version, the current object when none is named, and says which that was. `Locked` when what locks
    /// it now may not be weakened; else as `set_object_acl`.
    async fn set_object_lock(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        change: LockChange,
        bypass_governance: bool,
        now: Wall,
    ) -> Result<Option<VersionId>>;
    /// Makes the bytes of an archived version readable until `until`, or for longer where they are so already. Its time and
    /// tag stay. `NotArchived`, and as `set_object_acl`.
    async fn restore_object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Option<VersionName>,
        until: Wall,
        now: Wall,
    ) -> Result<Restored>;
    /// Current objects whose bodies are so finely cut that they are worth writing anew, in order of (bucket, key), strictly after
    /// `after`. Its cost follows the page.
    async fn finely_cut(
        &self,
        after: Option<(BucketId, ObjectKey)>,
        limit: usize,
    ) -> Result<Vec<(BucketId, ObjectKey)>>;
    /// Names other extents for the same bytes, if the current object is there and its body still begins as it did; else nothing
    /// changes. Returns whether it did. The object stays as it is in everything else. Blobs that lose their last name become
    /// garbage.
    async fn swap_extents(&self, swap: ExtentSwap, now: Wall) -> Result<bool>;
    /// A page of a listing. Its cost follows the page, not the bucket: common prefixes are skipped over.
    async fn list_objects(&self, bucket: BucketId, query: &ListQuery) -> Result<Page<ListEntry>>;
    /// A page of every version and delete marker. Its cost follows the page, as that of `list_objects`.
    async fn list_versions(&self, bucket: BucketId, query: &VersionsQuery) -> Result<Page<VersionEntry>>;

    // -- multipart uploads
    /// Opens an upload under its fresh id; `initiated` becomes `now`. `NotFound(Bucket)`, `AlreadyExists(Upload)`.
    async fn begin_upload(&self, upload: UploadRecord, now: Wall) -> Result<UploadRecord>;
    /// Puts a part in place of the one of its number, whose blobs become garbage unless something else names them.
    /// `NotFound(Upload)`, also when the upload is of another key; `NotFound(Blob)` as for objects.
    async fn commit_part(&self, commit: PartCommit, now: Wall) -> Result<PartSummary>;
    /// Makes the object of the parts' extents, in order of number and without a copy, and ends the upload; parts that were
    /// not chosen go with it. The object replaces the one under its key as `commit_object` does.
    ///
    /// `NotFound(Upload)`, `InvalidPartOrder`, `InvalidPart`, `PartTooSmall`, `SizeMismatch` and `DigestMismatch` (the object
    /// is not the expected one), and the condition's errors; then nothing has
    /// changed and the upload is still open. An upload that was completed less than `limits::COMPLETED_UPLOAD_KEPT` ago
    /// answers the same parts (or `All`) with what it came to then, whatever became of the object since.
    async fn complete_upload(&self, commit: CompleteCommit, now: Wall) -> Result<CompletedUpload>;
    /// Ends an upload without an object; its parts' blobs become garbage. `NotFound(Upload)`.
    async fn abort_upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId, now: Wall) -> Result<()>;
    /// One open upload.
    async fn upload(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId) -> Result<Option<UploadRecord>>;
    /// Parts with numbers greater than `after`, in order of number. `NotFound(Upload)`.
    async fn list_parts(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
        after: u32,
        limit: usize,
    ) -> Result<Page<PartSummary>>;
    /// A page of a bucket's open uploads, in order of key and id. Its cost follows the page, as that of `list_objects`.
    async fn list_uploads(&self, bucket: BucketId, query: &UploadsQuery) -> Result<Page<UploadEntry>>;

    // -- channels
    /// Puts a channel's settings in place of the ones under its name. `ChannelLive` while a connection is open.
    /// With `only_if_absent` an existing one is `AlreadyExists(Channel)`. `NotFound(Bucket)`.
    async fn put_channel(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        config: ChannelConfig,
        only_if_absent: bool,
        now: Wall,
    ) -> Result<ChannelRecord>;
    /// Sets the status, also of a live channel. `NotFound(Channel)`. Setting the same again changes nothing.
    async fn set_channel_status(
        &self,
        bucket: BucketId,
        name: &ChannelName,
        status: ChannelStatus,
        now: Wall,
    ) -> Result<()>;
    /// One channel.
    async fn channel(&self, bucket: BucketId, name: &ChannelName) -> Result<Option<ChannelRecord>>;
    /// Channels in byte order of name.
    async fn list_channels(
        &self,
        bucket: BucketId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<ChannelRecord>>;
    /// Buckets that hold a channel of this name (for publish URLs without a bucket), at most `limit`.
    async fn buckets_with_channel(&self, name: &ChannelName, limit: usize) -> Result<Vec<BucketRecord>>;
    /// Removes a channel; its objects, last fragment name and windows stay. `ChannelLive`; a missing one is no error.
    async fn delete_channel(&self, bucket: BucketId, name: &ChannelName) -> Result<()>;
    /// Channels of a bucket.
    async fn count_channels(&self, bucket: BucketId) -> Result<u64>;

    // -- live
    /// Opens a connection. `NotFound(Channel)`, `ChannelDisabled`, `ChannelLive` while another connection is open.
    async fn claim(&self, request: ClaimRequest) -> Result<Claim>;
    /// Makes a fragment and its playlist visible in one step.
    async fn commit_fragment(&self, commit: FragmentCommit, now: Wall) -> Result<()>;
    /// Ends a connection in history. `StaleEpoch` when another has claimed the channel since.
    async fn end_connection(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        epoch: Epoch,
        ended: Wall,
        cause: TerminationCause,
    ) -> Result<()>;
    /// The open connection, if any.
    async fn open_connection(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<ConnectionRecord>>;
    /// The newest `limit` finished connections, oldest first. (History is kept for at least 100 of them.)
    async fn history(&self, bucket: BucketId, channel: &ChannelName, limit: usize) -> Result<Vec<ConnectionRecord>>;
    /// Fragments whose name lies in `from_ms..=to_ms` and whose object exists, in order.
    async fn fragments(
        &self,
        bucket: BucketId,
        channel: &ChannelName,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<FragmentRecord>>;
    /// Name and sequence number of the newest fragment that was ever committed, whatever became of its object since; `None`
    /// before the first. It tells an owner whether a commit without an answer has happened.
    async fn last_fragment(&self, bucket: BucketId, channel: &ChannelName) -> Result<Option<(i64, u64)>>;
    /// Ends every open connection at the end of its last stored fragment (or its start) as `ServiceLost`.
    /// Call before any claim. Returns how many.
    async fn end_lost_connections(&self) -> Result<u64>;

    // -- blobs
    /// Garbage since before `before`, oldest first.
    async fn garbage(&self, before: Wall, limit: usize) -> Result<Vec<BlobId>>;
    /// Forgets garbage whose blobs were deleted.
    async fn forget_garbage(&self, ids: &[BlobId]) -> Result<()>;
    /// What is known of each id, in the order asked.
    async fn blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>>;
    /// The same once every change that was asked for before this call has been made, or will not be made any more, not even by
    /// a crash: also those whose callers went away or were told `Unavailable`.
    async fn settled_blob_states(&self, ids: &[BlobId]) -> Result<Vec<BlobState>>;

    // -- the checker
    /// Current objects over all buckets in order of (bucket, key), strictly after `after`.
    async fn audit_objects(&self, after: Option<(BucketId, ObjectKey)>, limit: usize) -> Result<Vec<ObjectRecord>>;
    /// Objects that are not current over all buckets in order of (bucket, key, identity), strictly after `after`. Markers
    /// are left out.
    async fn audit_versions(&self, after: Option<VersionMark>, limit: usize) -> Result<Vec<ObjectRecord>>;
    /// Parts of open uploads in order of (upload, number), strictly after `after`.
    async fn audit_parts(&self, after: Option<(UploadId, u32)>, limit: usize) -> Result<Vec<PartAudit>>;
    /// Every live playlist window ever written, with what its entries and its playlist object come to.
    async fn audit_windows(&self) -> Result<Vec<WindowAudit>>;
    /// The backend's own integrity check; an empty list means sound.
    async fn audit_backend(&self) -> Result<Vec<String>>;

    /// Commits what waits and closes. Later calls fail with `Unavailable`.
    async fn close(&self) -> Result<()>;
}

/// One part of an open upload, for the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAudit {
    /// Bucket.
    pub bucket: BucketId,
    /// Key that the upload was begun for.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// The part.
    pub part: PartRecord,
}

/// One live window, for the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAudit {
    /// Bucket.
    pub bucket: BucketId,
    /// Channel.
    pub channel: ChannelName,
    /// Name of the playlist within the channel.
    pub playlist_name: String,
    /// The window.
    pub window: WindowRecord,
    /// Names of entries that have an index row but no object: a breach of I4. (A user's own DELETE removes both.)
    pub dangling: Vec<i64>,
}
