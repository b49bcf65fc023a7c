//! Live channels: the rules over a channel, when to cut, what the playlist says, and the owner of one publish.
//!
//! Must never open a socket or know HTTP, XML or RTMP.

pub mod broadcast;
pub mod channel;
pub mod registry;
pub mod segmenter;
pub mod stat;
#[cfg(test)]
pub(crate) mod testbed;
pub mod timeline;
pub mod vod;
pub mod window;
