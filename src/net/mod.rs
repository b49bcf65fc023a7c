//! Sockets and host names. Knows no bucket rules, no dialect and no media.

pub mod guard;
pub mod host;
pub mod listen;
pub mod merge;
