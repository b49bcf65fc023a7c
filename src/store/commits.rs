//! What callers of the metadata port ask to be written in one transaction, and what they get for it: plain values.

use std::fmt;

use super::{
    BucketId, ChannelName, ChannelRecord, Checksum, ConnectionId, Epoch, Extent, FragmentRecord, ObjectKey,
    ObjectRecord, PartRecord, UploadId, VersionId, WindowRecord, WriteCondition,
};
use crate::clock::Wall;

/// A temporary credential to add.
#[derive(Clone)]
pub struct NewSessionKey {
    /// Fresh id.
    pub id: String,
    /// Fresh secret.
    pub secret: String,
    /// SHA-256 of the fresh token.
    pub token_sha256: [u8; 32],
    /// From then on it signs nothing.
    pub expires: Wall,
    /// The policy that narrows it.
    pub policy: Option<String>,
}

impl fmt::Debug for NewSessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSessionKey").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// An object to commit; the store fills in `last_modified` from `now` and judges `condition` in the same transaction.
#[derive(Clone, Debug)]
pub struct ObjectCommit {
    /// The object. Its blobs are finished. Its `version` is a fresh identity for a bucket that makes a version of each write;
    /// any other bucket drops it. `None` asks for the null version, whatever the bucket does.
    pub object: ObjectRecord,
    /// What must hold of the object it replaces.
    pub condition: WriteCondition,
}

/// Bytes appended to an `Appendable` object (or its first bytes).
#[derive(Clone, Debug)]
pub struct AppendCommit {
    /// The object as it is when this append creates it (`size`, `crc64`, `etag`, `extents` describe the new bytes alone).
    /// Its `version` is as in [`ObjectCommit`]; an append to an object that is there makes no version.
    pub first: ObjectRecord,
    /// Must equal the present size (0 when there is no object).
    pub position: u64,
}

/// A body's extents to name in place of others with the same bytes.
#[derive(Clone, Debug)]
pub struct ExtentSwap {
    /// Bucket.
    pub bucket: BucketId,
    /// Key.
    pub key: ObjectKey,
    /// What the body must begin with, as it was read.
    pub before: Vec<Extent>,
    /// The same bytes; its blobs are finished.
    pub after: Vec<Extent>,
}

/// One part to commit to an open upload.
#[derive(Clone, Debug)]
pub struct PartCommit {
    /// Bucket.
    pub bucket: BucketId,
    /// Key that the upload was begun for.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// The part; the store fills in `last_modified`. Its blobs are finished.
    pub part: PartRecord,
}

/// Which parts make the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartChoice {
    /// Every part that was uploaded.
    All,
    /// These, in ascending order of number.
    Listed(Vec<ListedPart>),
}

/// A part as the client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// Number.
    pub number: u32,
    /// The digest that the part must have; `None` when what the client sent is no digest, so that no part has it.
    pub md5: Option<[u8; 16]>,
    /// The checksum that the part must have, where the client says one.
    pub checksum: Option<Checksum>,
}

/// The end of an upload: its parts become an object.
#[derive(Clone, Debug)]
pub struct CompleteCommit {
    /// Bucket.
    pub bucket: BucketId,
    /// Key that the upload was begun for.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// Which parts.
    pub parts: PartChoice,
    /// Bytes that every part but the last must have: the dialect's rule.
    pub part_bytes_min: u64,
    /// What must hold of the object it replaces.
    pub condition: WriteCondition,
    /// A fresh identity for the object, as in [`ObjectCommit`].
    pub version: Option<VersionId>,
    /// What the client knows of the object to be.
    pub expected: ExpectedObject,
}

/// What a client states of the object that its parts come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedObject {
    /// Bytes.
    pub size: Option<u64>,
    /// The checksum's value; the upload's form, or else the full object's.
    pub checksum: Option<Checksum>,
}

/// A claim on a channel: the beginning of a connection.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Bucket.
    pub bucket: BucketId,
    /// Channel.
    pub channel: ChannelName,
    /// Fresh connection id.
    pub connection: ConnectionId,
    /// `ip:port` of the publisher.
    pub remote_addr: String,
    /// When publishing began.
    pub started: Wall,
    /// Playlist to write, when the publisher overrides the configured one.
    pub playlist_name: Option<String>,
}

/// What an owner needs to go on where the channel stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Goes into every commit of this connection.
    pub epoch: Epoch,
    /// The channel as it is configured now.
    pub channel: ChannelRecord,
    /// The newest fragment name ever given in this channel, over deletions of the channel too (I7).
    pub last_name_ms: Option<i64>,
    /// The sequence number of the next fragment.
    pub next_sequence: u64,
    /// The window of the playlist this connection writes; default when it was never written.
    pub window: WindowRecord,
}

/// A fragment and the playlist that names it: visible together or not at all (I4).
#[derive(Clone, Debug)]
pub struct FragmentCommit {
    /// Bucket.
    pub bucket: BucketId,
    /// Channel.
    pub channel: ChannelName,
    /// From the claim; an older one gets `StaleEpoch` (I6).
    pub epoch: Epoch,
    /// The connection that made it.
    pub connection: ConnectionId,
    /// The index row.
    pub fragment: FragmentRecord,
    /// The fragment's object. A taken key gets `AlreadyExists(Object)`: nothing is overwritten (I7).
    pub object: ObjectRecord,
    /// The playlist's object, which replaces the one before.
    pub playlist: ObjectRecord,
    /// Name of the playlist within the channel.
    pub playlist_name: String,
    /// The window that the playlist shows.
    pub window: WindowRecord,
    /// Wall time of the fragment's end; where history ends this connection if the service dies now.
    pub ended: Wall,
}
