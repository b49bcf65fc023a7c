//! Documents of live channels.

use bytes::Bytes;

use super::read::{Element, document};
use super::time_text;
use crate::http::oss::error::OssError;
use crate::http::oss::operation::ListLiveChannelQuery;
use crate::http::xml::Writer;
use crate::limits::OSS_XML_BYTES_MAX;
use crate::live::channel::{ChannelSettings, SnapshotSettings, status_text};
use crate::live::stat::LiveStat;
use crate::store::{ChannelConfig, ChannelRecord, ChannelStatus, ConnectionRecord, Page};

/// What GetLiveChannelStat reports.
#[derive(Clone, Copy, Debug)]
pub enum ChannelState<'a> {
    /// Configured as disabled, nobody connected.
    Disabled,
    /// Enabled, nobody connected.
    Idle,
    /// A publisher is connected.
    Live(&'a LiveStat),
}

impl<'a> ChannelState<'a> {
    /// A connected publisher outranks the configured status, as it may still be there for seconds after "disabled".
    pub fn of(status: ChannelStatus, stat: Option<&'a LiveStat>) -> Self {
        match (stat, status) {
            (Some(stat), _) => ChannelState::Live(stat),
            (None, ChannelStatus::Disabled) => ChannelState::Disabled,
            (None, ChannelStatus::Enabled) => ChannelState::Idle,
        }
    }
}

/// `CreateLiveChannelResult`.
pub fn create_live_channel_result(publish_url: &str, play_url: &str) -> Bytes {
    Writer::document("CreateLiveChannelResult", |w| write_urls(w, publish_url, play_url))
}

fn write_urls(w: &mut Writer, publish_url: &str, play_url: &str) {
    w.element("PublishUrls", |w| w.text("Url", publish_url));
    w.element("PlayUrls", |w| w.text("Url", play_url));
}

/// `LiveChannelConfiguration`: exactly the elements that `ali-oss`'s tests compare, so no snapshot and no display name.
pub fn live_channel_configuration(config: &ChannelConfig) -> Bytes {
    Writer::document("LiveChannelConfiguration", |w| {
        w.text("Description", &config.description);
        w.text("Status", status_text(config.status));
        w.element("Target", |w| {
            w.text("Type", "HLS");
            w.text("FragDuration", config.frag_duration);
            w.text("FragCount", config.frag_count);
            w.text("PlaylistName", &config.playlist_name);
        });
    })
}

/// `LiveChannelStat`.
pub fn live_channel_stat(state: ChannelState<'_>) -> Bytes {
    Writer::document("LiveChannelStat", |w| match state {
        ChannelState::Disabled => w.text("Status", "Disabled"),
        ChannelState::Idle => w.text("Status", "Idle"),
        ChannelState::Live(stat) => write_live_stat(w, stat),
    })
}

fn write_live_stat(w: &mut Writer, stat: &LiveStat) {
    w.text("Status", "Live");
    w.text("ConnectedTime", time_text(stat.connected));
    w.text("RemoteAddr", &stat.remote_addr);
    if let Some(video) = &stat.video {
        w.element("Video", |w| {
            w.text("Width", video.width);
            w.text("Height", video.height);
            w.text("FrameRate", video.frame_rate);
            w.text("Bandwidth", video.bandwidth);
            w.text("Codec", "H264");
        });
    }
    if let Some(audio) = &stat.audio {
        w.element("Audio", |w| {
            w.text("Bandwidth", audio.bandwidth);
            w.text("SampleRate", audio.sample_rate);
            w.text("Codec", "AAC");
        });
    }
}

/// `LiveChannelHistory`. Connections without an end are left out: every reader needs both times.
pub fn live_channel_history(connections: &[ConnectionRecord]) -> Bytes {
    Writer::document("LiveChannelHistory", |w| {
        for connection in connections {
            if let Some(ended) = connection.ended {
                w.element("LiveRecord", |w| {
                    w.text("StartTime", time_text(connection.started));
                    w.text("EndTime", time_text(ended));
                    w.text("RemoteAddr", &connection.remote_addr);
                });
            }
        }
    })
}

/// `ListLiveChannelResult`. `urls` gives a channel's publish and play URL.
pub fn list_live_channels(
    query: &ListLiveChannelQuery,
    page: &Page<ChannelRecord>,
    urls: impl Fn(&ChannelRecord) -> (String, String),
) -> Bytes {
    Writer::document("ListLiveChannelResult", |w| {
        w.text("Prefix", &query.prefix);
        w.text("Marker", &query.marker);
        w.text("MaxKeys", query.max_keys);
        w.text("IsTruncated", page.truncated);
        let last = page.entries.last().filter(|_| page.truncated);
        w.text("NextMarker", last.map_or("", |channel| channel.name.as_str()));
        for channel in &page.entries {
            let (publish_url, play_url) = urls(channel);
            w.element("LiveChannel", |w| {
                w.text("Name", &channel.name);
                w.text("Description", &channel.config.description);
                w.text("Status", status_text(channel.config.status));
                w.text("LastModified", time_text(channel.last_modified));
                write_urls(w, &publish_url, &play_url);
            });
        }
    })
}

/// `LiveChannelConfiguration`, nested or flat. What is not known is ignored, `PlayListName` among it: one SDK sends that
/// and its tests assert that it has no effect.
pub fn read_live_channel_configuration(body: &[u8]) -> Result<ChannelSettings, OssError> {
    let root = document(body, "LiveChannelConfiguration", OSS_XML_BYTES_MAX)?;
    // PascalCase wins where both spellings are there.
    let either = |parent: &Element, name: &str, flat: &str| parent.text_of(name).or_else(|| parent.text_of(flat));
    let mut settings = ChannelSettings {
        description: either(&root, "Description", "description"),
        status: either(&root, "Status", "status"),
        display_name: root.text_of("name"),
        snapshots: root.all("Snapshot").map(read_snapshot).collect(),
        ..ChannelSettings::default()
    };
    let mut targets = root.all("Target");
    let (target, kind_default) = match (targets.next(), targets.next()) {
        (Some(target), None) => (target, None),
        (Some(_), Some(_)) => return Err(OssError::malformed_xml()),
        // The flat form's keys stand in the root. Only one of them makes a document flat, so that a nested document
        // whose target was forgotten is still refused.
        (None, _) if FLAT_KEYS.iter().any(|key| root.child(key).is_some()) => (&root, Some("HLS".to_owned())),
        (None, _) => return Ok(settings),
    };
    settings.kind = either(target, "Type", "type").or(kind_default);
    settings.frag_duration = either(target, "FragDuration", "fragDuration");
    settings.frag_count = either(target, "FragCount", "fragCount");
    settings.playlist_name = either(target, "PlaylistName", "playlistName");
    Ok(settings)
}

const FLAT_KEYS: [&str; 7] = ["name", "description", "status", "type", "fragDuration", "fragCount", "playlistName"];

fn read_snapshot(block: &Element) -> SnapshotSettings {
    SnapshotSettings {
        role_name: block.text_of("RoleName"),
        dest_bucket: block.text_of("DestBucket"),
        notify_topic: block.text_of("NotifyTopic"),
        interval: block.text_of("Interval"),
    }
}

#[cfg(test)]
mod tests;
