//! Errors of live channels and of playlists that are signed.

use http::StatusCode;

use super::OssError;

impl OssError {
    /// 404: no channel of that name.
    pub fn no_such_live_channel(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchLiveChannel", "The specified live channel does not exist.")
            .with_ec("0026-00000021")
            .with_detail("LiveChannelName", name)
    }

    /// 409: settings of a channel that is live.
    pub fn channel_still_live() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ChannelStillLive",
            "Live channel couldn't be updated or deleted when channel is live.",
        )
        .with_ec("0044-00000201")
    }

    /// 409: the channel takes no publisher.
    pub fn live_channel_disabled() -> Self {
        Self::new(StatusCode::CONFLICT, "LiveChannelDisabled", "Live channel is disabled by owner.")
    }

    /// 409: `x-oss-forbid-overwrite: true` and the name is taken. No plain OSS operation answers so.
    pub fn channel_already_exists(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ChannelAlreadyExists",
            "The live channel you specified already exists and can not be overwritten.",
        )
        .with_detail("LiveChannelName", name)
    }

    /// 400: `status` is neither `enabled` nor `disabled`.
    pub fn invalid_channel_status(value: &str) -> Self {
        Self::invalid_argument("The status must be enabled or disabled.", "status", value).with_ec("0017-00000255")
    }

    /// 400: `comp` is neither `stat` nor `history`.
    pub fn invalid_comp(value: &str) -> Self {
        Self::invalid_argument("The comp must be stat or history.", "comp", value)
    }

    /// 400: `max-keys` of ListLiveChannel.
    pub fn invalid_channel_max_keys(value: &str) -> Self {
        Self::invalid_argument("The max-keys must be an integer from 1 to 1000.", "max-keys", value)
            .with_ec("0044-00000101")
    }

    /// 400: `prefix` of ListLiveChannel.
    pub fn invalid_channel_prefix(value: &str) -> Self {
        Self::invalid_argument("The prefix must be UTF-8 of at most 1024 bytes.", "prefix", value)
            .with_ec("0044-00000102")
    }

    /// 400: `marker` of ListLiveChannel.
    pub fn invalid_channel_marker(value: &str) -> Self {
        Self::invalid_argument("The marker must be UTF-8 of at most 1024 bytes.", "marker", value)
            .with_ec("0044-00000103")
    }

    /// 400: the channel's name in a VOD request.
    pub fn invalid_vod_channel(name: &[u8]) -> Self {
        Self::invalid_argument("The live channel name is invalid.", "ChannelName", &String::from_utf8_lossy(name))
            .with_ec("0044-00000302")
    }

    /// 400: `startTime` is missing or not a number.
    pub fn invalid_start_time(value: &str) -> Self {
        Self::invalid_argument("The startTime must be a Unix timestamp.", "startTime", value).with_ec("0044-00000304")
    }

    /// 400: `endTime` is missing or not a number.
    pub fn invalid_end_time(value: &str) -> Self {
        Self::invalid_argument("The endTime must be a Unix timestamp.", "endTime", value).with_ec("0044-00000305")
    }

    /// 400: `startTime` does not lie before `endTime`.
    pub fn start_not_before_end(start: i64) -> Self {
        Self::invalid_argument("The startTime must be before the endTime.", "startTime", &start.to_string())
            .with_ec("0044-00000306")
    }

    /// 400: more than a day.
    pub fn vod_span_too_long(span: i64) -> Self {
        Self::invalid_argument("The time span must not be longer than one day.", "endTime-startTime", &span.to_string())
            .with_ec("0044-00000307")
    }

    /// 400: no fragment in the range. Client tests compare the message.
    pub fn no_fragment_in_span() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", "No ts file found in specified time span.")
            .with_ec("0044-00000308")
    }

    /// 400: the playlist's object name does not end in `.m3u8`.
    pub fn invalid_vod_playlist_name(name: &str) -> Self {
        Self::invalid_argument("Playlist name must ends with \".m3u8\".", "PlaylistName", name).with_ec("0044-00000403")
    }

    /// 400: the playlist is longer than `hls/sign` takes.
    pub fn playlist_too_big() -> Self {
        Self::invalid_request("Size of playlist is too big.").with_ec("0044-00000404")
    }

    /// 400: the playlist names no fragment.
    pub fn playlist_without_fragment() -> Self {
        Self::invalid_request("No ts found in the playlist.")
    }

    /// 400: the object's name does not end in `.m3u8`.
    pub fn playlist_name_without_suffix() -> Self {
        Self::invalid_request("Playlist name must ends with \".m3u8\".").with_ec("0044-00000403")
    }

    /// 400: a playlist of playlists that also names fragments.
    pub fn master_playlist_has_fragment() -> Self {
        Self::invalid_request("Master playlist has ts file.")
    }

    /// 400: `hls/sign` renews a signature in the URL, and this request has none there.
    pub fn hls_sign_needs_url_signature() -> Self {
        Self::invalid_request("The hls/sign process needs a request that is signed in its URL.")
            .with_ec("0044-00000408")
    }

    /// 400: `x-oss-hls-sign-token` breaks its rule.
    pub fn invalid_hls_sign_token(value: &str) -> Self {
        Self::invalid_argument(
            "The x-oss-hls-sign-token must be at most 100 characters of [0-9A-Za-z_.-].",
            "x-oss-hls-sign-token",
            value,
        )
        .with_ec("0044-00000402")
    }
}
