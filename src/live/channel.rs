//! The rules over a live channel's name and settings.
//!
//! Settings arrive as text, because a number that is not one is a broken rule and not a broken document. Pure; a dialect
//! turns each broken rule into its own code.

use crate::store::{ChannelConfig, ChannelName, ChannelStatus, SnapshotConfig};

/// Longest description in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 128;
/// Longest playlist name in bytes.
pub const PLAYLIST_NAME_BYTES_MAX: usize = 128;

const SUFFIX: &str = ".m3u8";

/// A rule of PutLiveChannel that the settings break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelRuleError {
    /// Too many bytes.
    #[error("The length of Description must be at most 128 bytes.")]
    DescriptionTooLong,
    /// Not `enabled` or `disabled`.
    #[error("Status must be enabled or disabled.")]
    Status,
    /// More than one snapshot block.
    #[error("There must be at most one Snapshot.")]
    SnapshotRepeated,
    /// Missing, or not 1 to 100.
    #[error("Interval of Snapshot must be an integer from 1 to 100.")]
    SnapshotInterval,
    /// Missing.
    #[error("NotifyTopic of Snapshot must not be empty.")]
    SnapshotNotifyTopic,
    /// Missing.
    #[error("RoleName of Snapshot must not be empty.")]
    SnapshotRoleName,
    /// Missing, not a bucket's name, or no bucket of the same owner.
    #[error("DestBucket of Snapshot must be a bucket of the same owner.")]
    SnapshotDestBucket,
    /// Missing, or not `HLS`.
    #[error("Type of Target must be HLS.")]
    Type,
    /// Not 1 to 100.
    #[error("FragDuration must be an integer from 1 to 100.")]
    FragDuration,
    /// Not 1 to 100.
    #[error("FragCount must be an integer from 1 to 100.")]
    FragCount,
    /// A slash in the playlist's name.
    #[error("PlaylistName must not contain a slash.")]
    PlaylistNameSlash,
    /// Too many bytes.
    #[error("The length of PlaylistName must be at most 128 bytes.")]
    PlaylistNameTooLong,
    /// Does not end in `.m3u8`, or is nothing else.
    #[error("PlaylistName must end with .m3u8.")]
    PlaylistNameSuffix,
}

/// A rule that a channel's name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// No byte.
    #[error("ChannelName must not be empty.")]
    Empty,
    /// 64 bytes or more.
    #[error("The Length of channel name must be less than 64.")]
    TooLong,
    /// Not UTF-8.
    #[error("The characters encoding must be utf-8.")]
    NotUtf8,
    /// A slash.
    #[error("ChannelName must not contain a slash.")]
    Slash,
    /// Begins with `\`, as no object's name may.
    #[error("ChannelName must not begin with a backslash.")]
    LeadingBackslash,
}

/// Settings as a client sent them. `None` means absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSettings {
    /// `Description`.
    pub description: Option<String>,
    /// The display name of the flat client form.
    pub display_name: Option<String>,
    /// `Status`.
    pub status: Option<String>,
    /// `Type`. It has no default here: the nested form requires it, the reader of the flat form fills it in.
    pub kind: Option<String>,
    /// `FragDuration`.
    pub frag_duration: Option<String>,
    /// `FragCount`.
    pub frag_count: Option<String>,
    /// `PlaylistName`; empty means absent, because oss2 sends `<PlaylistName/>` for "none".
    pub playlist_name: Option<String>,
    /// Every `Snapshot` block; more than one breaks a rule.
    pub snapshots: Vec<SnapshotSettings>,
}

/// One `Snapshot` block as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// `RoleName`.
    pub role_name: Option<String>,
    /// `DestBucket`.
    pub dest_bucket: Option<String>,
    /// `NotifyTopic`.
    pub notify_topic: Option<String>,
    /// `Interval`.
    pub interval: Option<String>,
}

impl ChannelSettings {
    /// Valid settings with every default filled in, or the first broken rule. That `DestBucket` exists and belongs to
    /// the same owner is for the caller to find out ([`ChannelRuleError::SnapshotDestBucket`]).
    pub fn validate(self) -> Result<ChannelConfig, ChannelRuleError> {
        let description = self.description.unwrap_or_default();
        if description.len() > DESCRIPTION_BYTES_MAX {
            return Err(ChannelRuleError::DescriptionTooLong);
        }
        let status = match self.status.as_deref().map(str::trim) {
            None => ChannelStatus::Enabled,
            Some(text) => status(text).ok_or(ChannelRuleError::Status)?,
        };
        let snapshot = single_snapshot(self.snapshots)?;
        if self.kind.as_deref().map(str::trim) != Some("HLS") {
            return Err(ChannelRuleError::Type);
        }
        let absent = ChannelConfig::default();
        let frag_duration = number(self.frag_duration.as_deref(), absent.frag_duration);
        let frag_duration = frag_duration.ok_or(ChannelRuleError::FragDuration)?;
        let frag_count = number(self.frag_count.as_deref(), absent.frag_count);
        let frag_count = frag_count.ok_or(ChannelRuleError::FragCount)?;
        let playlist_name = match self.playlist_name {
            Some(name) if !name.is_empty() => name,
            _ => absent.playlist_name,
        };
        check_playlist_name(&playlist_name)?;
        Ok(ChannelConfig {
            description,
            display_name: self.display_name,
            status,
            frag_duration,
            frag_count,
            playlist_name,
            snapshot,
        })
    }
}

/// `enabled` or `disabled`, in exactly that spelling.
pub fn status(text: &str) -> Option<ChannelStatus> {
    match text {
        "enabled" => Some(ChannelStatus::Enabled),
        "disabled" => Some(ChannelStatus::Disabled),
        _ => None,
    }
}

/// How a status is written.
pub const fn status_text(status: ChannelStatus) -> &'static str {
    match status {
        ChannelStatus::Enabled => "enabled",
        ChannelStatus::Disabled => "disabled",
    }
}

/// The rules of a playlist's name, for settings, for `playlistName` of a publish URL and for VOD playlists alike.
pub fn check_playlist_name(name: &str) -> Result<(), ChannelRuleError> {
    if name.contains('/') {
        return Err(ChannelRuleError::PlaylistNameSlash);
    }
    if name.len() > PLAYLIST_NAME_BYTES_MAX {
        return Err(ChannelRuleError::PlaylistNameTooLong);
    }
    if name.len() <= SUFFIX.len() || !name.ends_with(SUFFIX) {
        return Err(ChannelRuleError::PlaylistNameSuffix);
    }
    Ok(())
}

/// A channel's name, or the rule it breaks.
pub fn channel_name(bytes: &[u8]) -> Result<ChannelName, ChannelNameError> {
    if bytes.is_empty() {
        return Err(ChannelNameError::Empty);
    }
    if bytes.len() > ChannelName::BYTES_MAX {
        return Err(ChannelNameError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ChannelNameError::NotUtf8)?;
    if text.contains('/') {
        return Err(ChannelNameError::Slash);
    }
    // What is left of ChannelName's rules after the checks above.
    ChannelName::new(text).ok_or(ChannelNameError::LeadingBackslash)
}

/// 1 to 100 in digits only: `+5` and `5.0` are not numbers here. Absent or empty means the default.
fn number(text: Option<&str>, default: u32) -> Option<u32> {
    match text.map(str::trim) {
        None | Some("") => Some(default),
        Some(digits) => in_range(digits),
    }
}

fn in_range(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|n| (1..=100).contains(n))
}

fn single_snapshot(blocks: Vec<SnapshotSettings>) -> Result<Option<SnapshotConfig>, ChannelRuleError> {
    let mut blocks = blocks.into_iter();
    let Some(block) = blocks.next() else { return Ok(None) };
    if blocks.next().is_some() {
        return Err(ChannelRuleError::SnapshotRepeated);
    }
    let interval = block.interval.as_deref().map(str::trim).and_then(in_range);
    let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
    Ok(Some(SnapshotConfig {
        interval: interval.ok_or(ChannelRuleError::SnapshotInterval)?,
        notify_topic: filled(block.notify_topic).ok_or(ChannelRuleError::SnapshotNotifyTopic)?,
        role_name: filled(block.role_name).ok_or(ChannelRuleError::SnapshotRoleName)?,
        dest_bucket: filled(block.dest_bucket).ok_or(ChannelRuleError::SnapshotDestBucket)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ChannelSettings {
        ChannelSettings { kind: Some("HLS".into()), ..ChannelSettings::default() }
    }

    /// A change to valid settings that breaks a rule, and the rule.
    fn check(change: impl FnOnce(&mut ChannelSettings), expected: ChannelRuleError) {
        let mut settings = settings();
        change(&mut settings);
        assert_eq!(settings.validate(), Err(expected));
    }

    fn snapshot() -> SnapshotSettings {
        SnapshotSettings {
            role_name: Some("role".into()),
            dest_bucket: Some("pictures".into()),
            notify_topic: Some("topic".into()),
            interval: Some("10".into()),
        }
    }

    #[test]
    fn what_is_absent_gets_its_default() {
        let config = settings().validate().expect("valid");
        let expected = ChannelConfig {
            description: String::new(),
            display_name: None,
            status: ChannelStatus::Enabled,
            frag_duration: 5,
            frag_count: 3,
            playlist_name: "playlist.m3u8".into(),
            snapshot: None,
        };
        assert_eq!(config, expected);
        let empty = ChannelSettings {
            playlist_name: Some(String::new()),
            description: Some(String::new()),
            frag_count: Some(String::new()),
            ..settings()
        };
        assert_eq!(empty.validate(), Ok(expected));
    }

    #[test]
    fn limits_themselves_are_valid() {
        let config = ChannelSettings {
            description: Some("ä".repeat(64)),
            display_name: Some("My Live Stream".into()),
            status: Some("disabled".into()),
            frag_duration: Some("100".into()),
            frag_count: Some(" 1 ".into()),
            playlist_name: Some(format!("{}.m3u8", "p".repeat(123))),
            snapshots: vec![snapshot()],
            ..settings()
        };
        let config = config.validate().expect("valid");
        assert_eq!((config.frag_duration, config.frag_count, config.status), (100, 1, ChannelStatus::Disabled));
        assert_eq!(config.snapshot.map(|s| (s.interval, s.dest_bucket)), Some((10, "pictures".into())));
        assert!(ChannelSettings { playlist_name: Some("a.m3u8".into()), ..settings() }.validate().is_ok());
    }

    #[test]
    fn each_rule_is_told_apart() {
        use ChannelRuleError::*;
        check(|s| s.description = Some("d".repeat(129)), DescriptionTooLong);
        check(|s| s.status = Some("Enabled".into()), Status);
        check(|s| s.status = Some(String::new()), Status);
        check(|s| s.kind = None, Type);
        for kind in ["hls", "HLs", "RTMP", ""] {
            check(|s| s.kind = Some(kind.into()), Type);
        }
        for number in ["0", "101", "199", "-1", "+5", "5.0", "five", "99999999999999999999"] {
            check(|s| s.frag_duration = Some(number.into()), FragDuration);
            check(|s| s.frag_count = Some(number.into()), FragCount);
        }
        check(|s| s.playlist_name = Some("a/b.m3u8".into()), PlaylistNameSlash);
        check(|s| s.playlist_name = Some(format!("{}.m3u8", "p".repeat(124))), PlaylistNameTooLong);
        for name in ["playlist", "a.M3U8", ".m3u8", "a.m3u8x"] {
            check(|s| s.playlist_name = Some(name.into()), PlaylistNameSuffix);
        }
        check(|s| s.snapshots = vec![snapshot(), snapshot()], SnapshotRepeated);
        for interval in [None, Some("0"), Some("101"), Some("x")] {
            let interval = interval.map(str::to_owned);
            check(|s| s.snapshots = vec![SnapshotSettings { interval, ..snapshot() }], SnapshotInterval);
        }
        let empty = || Some(String::new());
        check(|s| s.snapshots = vec![SnapshotSettings { notify_topic: None, ..snapshot() }], SnapshotNotifyTopic);
        check(|s| s.snapshots = vec![SnapshotSettings { role_name: empty(), ..snapshot() }], SnapshotRoleName);
        check(|s| s.snapshots = vec![SnapshotSettings { dest_bucket: empty(), ..snapshot() }], SnapshotDestBucket);
    }

    #[test]
    fn names_are_judged_rule_by_rule() {
        use ChannelNameError::*;
        let broken = |name: &[u8]| channel_name(name).expect_err("broken");
        assert_eq!(broken(b""), Empty);
        assert_eq!(broken(&[b'a'; 64]), TooLong);
        assert_eq!(broken(b"\xff"), NotUtf8);
        assert_eq!(broken(b"a/b"), Slash);
        assert_eq!(broken(b"\\a"), LeadingBackslash);
        for name in ["live channel 2", "测试 ch", "..", "a\\b", &"a".repeat(63)] {
            assert_eq!(channel_name(name.as_bytes()).map(|n| n.as_str().to_owned()), Ok(name.to_owned()));
        }
    }
}
