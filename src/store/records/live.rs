//! Live channels, their connections, fragments and windows.

use std::fmt;

use super::BucketId;
use crate::clock::Wall;
use crate::media::MediaTime;

/// A valid live channel name: 1 to 63 bytes of UTF-8 without `/`, not starting with `\`. (OSS PutLiveChannel.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(String);

impl ChannelName {
    /// Longest name in bytes.
    pub const BYTES_MAX: usize = 63;

    /// `None` when the name breaks a rule; `live::channel` says which.
    pub fn new(name: &str) -> Option<Self> {
        let valid = !name.is_empty() && name.len() <= Self::BYTES_MAX && !name.contains('/') && !name.starts_with('\\');
        valid.then(|| ChannelName(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `enabled` or `disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStatus {
    /// Takes publishers.
    Enabled,
    /// Refuses publishers.
    Disabled,
}

/// Snapshot settings; kept as they were put. Taking snapshots needs a decoder, which this build does not have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SnapshotConfig {
    /// Role to assume.
    pub role_name: String,
    /// Bucket of the same owner that receives pictures.
    pub dest_bucket: String,
    /// Topic to notify.
    pub notify_topic: String,
    /// Seconds between pictures, 1..=100.
    pub interval: u32,
}

/// What PutLiveChannel sets; valid once it exists (`live::channel` makes it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// At most 128 bytes.
    pub description: String,
    /// A display name of the flat client form; no OSS document carries it.
    pub display_name: Option<String>,
    /// Status.
    pub status: ChannelStatus,
    /// Seconds a fragment should last at least, 1..=100.
    pub frag_duration: u32,
    /// Fragments in the live window, 1..=100.
    pub frag_count: u32,
    /// Ends in `.m3u8`, 6..=128 bytes, no `/`.
    pub playlist_name: String,
    /// Snapshot settings.
    pub snapshot: Option<SnapshotConfig>,
}

/// What a channel has whose document leaves everything out that may be (PutLiveChannel, `LiveChannelConfiguration`).
impl Default for ChannelConfig {
    fn default() -> Self {
        ChannelConfig {
            description: String::new(),
            display_name: None,
            status: ChannelStatus::Enabled,
            frag_duration: 5,
            frag_count: 3,
            playlist_name: "playlist.m3u8".into(),
            snapshot: None,
        }
    }
}

/// A live channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRecord {
    /// Bucket.
    pub bucket: BucketId,
    /// Name, unique in the bucket.
    pub name: ChannelName,
    /// Settings.
    pub config: ChannelConfig,
    /// When the name was first put (kept by later puts).
    pub created: Wall,
    /// Last change of the settings.
    pub last_modified: Wall,
}

/// One publisher's stay on a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u128);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// Grows with every claim of a channel; a commit with an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationCause {
    /// The publisher said so (`FCUnpublish`, `deleteStream`, `closeStream`).
    Unpublished,
    /// The socket closed or failed.
    ConnectionLost,
    /// No byte arrived for the idle limit.
    Timeout,
    /// The channel was disabled.
    Disabled,
    /// Its access key was disabled.
    KeyDisabled,
    /// The stream broke the protocol or a limit.
    ProtocolError,
    /// Fragments could not be stored.
    StorageError,
    /// The service stopped.
    ServiceShutdown,
    /// The service died; written by recovery.
    ServiceLost,
}

impl TerminationCause {
    /// Its stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            TerminationCause::Unpublished => "UNPUBLISHED",
            TerminationCause::ConnectionLost => "CONNECTION_LOST",
            TerminationCause::Timeout => "TIMEOUT",
            TerminationCause::Disabled => "DISABLED",
            TerminationCause::KeyDisabled => "KEY_DISABLED",
            TerminationCause::ProtocolError => "PROTOCOL_ERROR",
            TerminationCause::StorageError => "STORAGE_ERROR",
            TerminationCause::ServiceShutdown => "SERVICE_SHUTDOWN",
            TerminationCause::ServiceLost => "SERVICE_LOST",
        }
    }
}

/// A connection as history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Identity.
    pub id: ConnectionId,
    /// When publishing began.
    pub started: Wall,
    /// When it ended; `None` while it lasts.
    pub ended: Option<Wall>,
    /// `ip:port` of the publisher.
    pub remote_addr: String,
    /// Why it ended.
    pub cause: Option<TerminationCause>,
}

/// One stored fragment of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRecord {
    /// Milliseconds since the epoch; the object's key is `{channel}/{name_ms}.ts`. Strictly grows in a channel.
    pub name_ms: i64,
    /// Counts a channel's fragments from 0 over all connections; a gap means one is gone or was never stored.
    pub sequence: u64,
    /// Distance of decode times from this fragment's first access unit to the next fragment's.
    pub duration: MediaTime,
    /// Its timeline does not continue the fragment before it.
    pub discontinuity: bool,
}

/// The sliding window of one live playlist, enough to go on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowRecord {
    /// `EXT-X-MEDIA-SEQUENCE` of the first entry. Only grows.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE` of the first entry. Only grows.
    pub discontinuity_sequence: u64,
    /// `EXT-X-TARGETDURATION` in seconds; does not shrink during a connection.
    pub target_duration: u32,
    /// Fragments, oldest first.
    pub entries: Vec<WindowEntry>,
}

/// One line pair of a live playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// The fragment's name in milliseconds.
    pub name_ms: i64,
    /// Its duration.
    pub duration: MediaTime,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
}
