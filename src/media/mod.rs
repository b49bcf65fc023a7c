//! Media without a protocol or a container: time, tracks, codec configuration, access units.
//!
//! Must never know RTMP, FLV, MPEG-TS or HLS.

pub mod frame;
pub mod time;

pub use frame::{AacConfig, AccessUnit, AvcConfig, CodecConfig, Track};
pub use time::{MediaTime, SourceTime};
