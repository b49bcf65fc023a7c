//! Sockets and host names. Knows no bucket rules, no dialect and no media.

pub mod crowd;
pub mod descriptors;
pub mod guard;
pub mod host;
pub mod listen;
pub mod merge;
pub mod network;
