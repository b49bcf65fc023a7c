//! Readers and writers of foreign bytes: bytes in, values and replies out.
//!
//! Must never do I/O, read a clock, spawn or lock. Limits are arguments. No input may cause a panic or unbounded memory.

pub mod aac;
pub mod cursor;
pub mod flv;
pub mod h264;
pub mod m3u8;
pub mod mpegts;
pub mod playback;
pub mod rtmp;
