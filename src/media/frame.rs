//! Tracks, codec configuration and access units.

use bytes::Bytes;

use super::time::{MediaTime, SourceTime};

/// A kind of media within one stream. A stream has at most one track of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// H.264.
    Video,
    /// AAC.
    Audio,
}

/// What a decoder needs before the first access unit, wherever it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecConfig {
    /// H.264 parameter sets.
    Avc(AvcConfig),
    /// AAC's AudioSpecificConfig.
    Aac(AacConfig),
}

/// H.264 configuration (ISO/IEC 14496-15, AVCDecoderConfigurationRecord).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// Bytes of the length before each NAL unit in access units: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Sequence parameter sets, NAL units without start code. Never empty.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, NAL units without start code.
    pub pps: Vec<Bytes>,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// Frames in 1000 seconds when the SPS carries timing (29.97 is 29970).
    pub frame_rate_millihertz: Option<u32>,
}

/// AAC configuration (ISO/IEC 14496-3, AudioSpecificConfig), as far as ADTS can express it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// Audio object type of the core codec: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub object_type: u8,
    /// Sampling frequency index of the core codec, 0..=12.
    pub frequency_index: u8,
    /// Sampling frequency of the core codec in Hz.
    pub sample_rate: u32,
    /// Channel configuration, 0..=7 (7 means 7.1).
    pub channel_configuration: u8,
    /// Channels that no channel configuration (0) says: the element that lists them, to stand before a raw frame, whole bytes.
    pub program_config: Option<Bytes>,
    /// The AudioSpecificConfig as it was sent; equality of configurations is equality of these bytes.
    pub raw: Bytes,
}

/// All coded data of one picture or one audio frame, with one decode time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// Which track it belongs to.
    pub track: Track,
    /// Decode time (DTS) as the source states it.
    pub time: SourceTime,
    /// PTS - DTS. Zero for audio. May be negative from a broken sender; `live::timeline` repairs it.
    pub composition_offset: MediaTime,
    /// The picture is a random-access point. Always false for audio.
    pub keyframe: bool,
    /// Video: NAL units in AVCC framing (length size in [`AvcConfig`]). Audio: one raw AAC frame without ADTS.
    pub payload: Bytes,
}
