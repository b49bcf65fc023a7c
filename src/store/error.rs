//! What can go wrong in the store, as meanings. Causes are logged where they are known and do not cross the port.

/// The meaning of a failed store call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing there; says what was looked for.
    #[error("not found: {0}")]
    NotFound(What),
    /// Already there; says what.
    #[error("already exists: {0}")]
    AlreadyExists(What),
    /// The bucket still holds objects, versions, open uploads or live channels.
    #[error("bucket is not empty")]
    BucketNotEmpty,
    /// The channel has an open connection.
    #[error("channel is live")]
    ChannelLive,
    /// The channel's status is disabled.
    #[error("channel is disabled")]
    ChannelDisabled,
    /// A stated condition does not hold (forbidden overwrite, a conditional write).
    #[error("precondition failed")]
    PreconditionFailed,
    /// An append named a position that is not the object's length; carries the length.
    #[error("append position is not the object's length {0}")]
    PositionNotLength(u64),
    /// An append to an object that was not made by appending.
    #[error("object is not appendable")]
    NotAppendable,
    /// Retention or a legal hold keeps the version as it is.
    #[error("the version is locked")]
    Locked,
    /// The version that was named is a delete marker, which has nothing to read or to set.
    #[error("the version is a delete marker")]
    IsMarker,
    /// A part that shall be completed was not uploaded, or has another digest; carries its number.
    #[error("part {0} is not there or another")]
    InvalidPart(u32),
    /// The parts that shall be completed are not in ascending order.
    #[error("parts are not in ascending order")]
    InvalidPartOrder,
    /// A part that is not the last has fewer bytes than it must have.
    #[error("part {number} has only {size} bytes")]
    PartTooSmall {
        /// Which part.
        number: u32,
        /// Its bytes.
        size: u64,
        /// Its digest.
        md5: [u8; 16],
    },
    /// A restore of an object whose class needs none.
    #[error("object is not archived")]
    NotArchived,
    /// The bucket may not hold that much, or so many objects.
    #[error("the bucket's quota is exceeded")]
    OverQuota,
    /// The caller's epoch is not the newest: another owner has claimed the channel.
    #[error("stale epoch")]
    StaleEpoch,
    /// The object is not as long as its client states.
    #[error("the size is {actual}, not {stated}")]
    SizeMismatch {
        /// Bytes that the client states.
        stated: u64,
        /// Bytes that there are.
        actual: u64,
    },
    /// The body did not match the digest that was promised.
    #[error("digest mismatch")]
    DigestMismatch,
    /// The body is longer than the service takes.
    #[error("too large")]
    TooLarge,
    /// No space is left, or less than the operator wants to stay free. Nothing was written. Worth a retry once something was
    /// deleted.
    #[error("too little space is left")]
    Full,
    /// The store cannot serve now: queue full past the deadline, a lock held by another, I/O error. Worth a retry.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Stored state contradicts itself. Not worth a retry; an operator must look.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

/// The kind of thing a [`StoreError`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An access key.
    AccessKey,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
    /// A version of an object.
    Version,
    /// An open multipart upload.
    Upload,
    /// A blob: bytes that metadata may name.
    Blob,
    /// A live channel.
    Channel,
    /// A connection: one publisher's stay on a channel.
    Connection,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            What::AccessKey => "access key",
            What::Bucket => "bucket",
            What::Object => "object",
            What::Version => "version",
            What::Upload => "upload",
            What::Blob => "blob",
            What::Channel => "live channel",
            What::Connection => "connection",
        })
    }
}

/// What fails below the store, as `livebucket_store_faults_total` names it. `docs/faults.md` says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space is left: `ENOSPC`, `EDQUOT`, `SQLITE_FULL`.
    Full,
    /// The file system, or the file, cannot be written.
    ReadOnly,
    /// A read, a write or a sync failed: `EIO` and the like.
    Io,
    /// Another process holds the database.
    Busy,
    /// What is stored is not what was written.
    Corrupt,
    /// Anything else: no descriptors, no memory, no permission.
    Other,
}

impl Fault {
    /// The `cause` of the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Full => "full",
            Fault::ReadOnly => "read_only",
            Fault::Io => "io",
            Fault::Busy => "busy",
            Fault::Corrupt => "corrupt",
            Fault::Other => "other",
        }
    }

    /// Counts it where it is met first. `store` says of which store: `blobs` or `metadata`.
    pub fn count(self, store: &'static str) {
        metrics::counter!("livebucket_store_faults_total", "store" => store, "cause" => self.as_str()).increment(1);
    }
}

/// Shorthand of the store's rooms.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
