//! What the rooms below report, in this dialect's words. No wildcard stands in these matches, so that a new variant does
//! not compile until it has its answer here.

use http::StatusCode;

use super::OssError;
use crate::live::channel::{ChannelNameError, ChannelRuleError};
use crate::store::{StoreError, What};

/// What a store error happened to, as far as the handler knows. Missing names leave their elements out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The bucket's name.
    pub bucket: Option<&'a str>,
    /// The object's key.
    pub key: Option<&'a [u8]>,
    /// The channel's name.
    pub channel: Option<&'a str>,
}

impl OssError {
    /// What the store reports, said of `subject`.
    pub fn from_store(error: StoreError, subject: Subject<'_>) -> Self {
        let bucket = subject.bucket.unwrap_or_default();
        let key = subject.key.unwrap_or_default();
        let channel = subject.channel.unwrap_or_default();
        match error {
            StoreError::NotFound(what) => match what {
                What::Bucket => Self::no_such_bucket(bucket),
                What::Object => Self::no_such_key(key),
                // Handlers that know the version say it: they answer this themselves.
                What::Version => Self::no_such_version(key, ""),
                What::Channel => Self::no_such_live_channel(channel),
                // Handlers that know the id say it: they answer this themselves.
                What::Upload => Self::no_such_upload(""),
                // No operation of this dialect asks for these by name: their absence is a bug or a lost blob.
                What::AccessKey | What::Blob | What::Connection => Self::internal(),
            },
            StoreError::AlreadyExists(what) => match what {
                What::Bucket => Self::bucket_already_exists(bucket),
                What::Object => Self::file_already_exists(key),
                What::Channel => Self::channel_already_exists(channel),
                What::Upload | What::Version | What::AccessKey | What::Blob | What::Connection => Self::internal(),
            },
            StoreError::BucketNotEmpty => Self::bucket_not_empty(bucket),
            StoreError::ChannelLive => Self::channel_still_live(),
            StoreError::ChannelDisabled => Self::live_channel_disabled(),
            StoreError::PreconditionFailed => Self::precondition_failed("If-Match"),
            StoreError::PositionNotLength(length) => Self::position_not_equal_to_length(length),
            StoreError::NotAppendable => Self::object_not_appendable(),
            StoreError::Locked => Self::file_immutable(),
            StoreError::IsMarker => Self::delete_marker_not_allowed(),
            StoreError::InvalidPart(number) => Self::invalid_part(number),
            StoreError::InvalidPartOrder => Self::invalid_part_order(),
            StoreError::PartTooSmall { number, size, md5 } => {
                Self::part_too_small(number, size, md5, crate::limits::OSS_PART_BYTES_MIN)
            }
            StoreError::NotArchived => Self::operation_not_supported(&String::from_utf8_lossy(key)),
            StoreError::OverQuota => Self::quota_exceeded(bucket),
            StoreError::DigestMismatch => Self::invalid_digest(""),
            StoreError::TooLarge => Self::entity_too_large(crate::limits::OSS_OBJECT_BYTES_MAX),
            StoreError::Full => Self::insufficient_storage(),
            StoreError::Unavailable(_) => Self::service_unavailable(),
            // No request of this dialect states a size, only a publisher's owner carries an epoch, and corruption is for the
            // operator.
            StoreError::SizeMismatch { .. } | StoreError::StaleEpoch | StoreError::Corrupt(_) => Self::internal(),
        }
    }

    /// A broken rule of PutLiveChannel's settings.
    pub fn from_channel_rule(error: ChannelRuleError) -> Self {
        let (name, ec) = match error {
            ChannelRuleError::DescriptionTooLong => ("Description", "0044-00000001"),
            ChannelRuleError::Status => ("Status", "0044-00000002"),
            ChannelRuleError::SnapshotRepeated => ("Snapshot", "0044-00000003"),
            ChannelRuleError::SnapshotInterval => ("Interval", "0044-00000005"),
            ChannelRuleError::SnapshotNotifyTopic => ("NotifyTopic", "0044-00000006"),
            ChannelRuleError::SnapshotRoleName => ("RoleName", "0044-00000007"),
            ChannelRuleError::SnapshotDestBucket => ("DestBucket", "0044-00000008"),
            ChannelRuleError::Type => ("Type", "0044-00000013"),
            ChannelRuleError::FragDuration => ("FragDuration", "0044-00000014"),
            ChannelRuleError::FragCount => ("FragCount", "0044-00000015"),
            ChannelRuleError::PlaylistNameSlash => ("PlaylistName", "0044-00000016"),
            ChannelRuleError::PlaylistNameTooLong => ("PlaylistName", "0044-00000017"),
            ChannelRuleError::PlaylistNameSuffix => ("PlaylistName", "0044-00000018"),
        };
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", error.to_string())
            .with_ec(ec)
            .with_detail("ArgumentName", name)
    }

    /// A broken rule of a channel's name.
    pub fn from_channel_name(error: ChannelNameError, name: &[u8]) -> Self {
        let ec = match error {
            ChannelNameError::Empty => Some("0017-00000257"),
            ChannelNameError::TooLong => Some("0017-00000258"),
            ChannelNameError::NotUtf8 => Some("0017-00000259"),
            ChannelNameError::Slash => Some("0017-00000260"),
            // A rule of object names, for which the channel pages have no EC.
            ChannelNameError::LeadingBackslash => None,
        };
        let mut error = Self::new(StatusCode::BAD_REQUEST, "InvalidChannelName", error.to_string());
        error.ec = ec;
        error.with_detail("LiveChannelName", String::from_utf8_lossy(name))
    }
}
impl From<StoreError> for OssError {
    /// For places that know no names; handlers that do call [`OssError::from_store`].
    fn from(error: StoreError) -> Self {
        Self::from_store(error, Subject::default())
    }
}

impl From<ChannelRuleError> for OssError {
    fn from(error: ChannelRuleError) -> Self {
        Self::from_channel_rule(error)
    }
}
