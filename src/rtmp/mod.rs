//! RTMP over a socket: the pump around `codec::rtmp`, what a publish URL means, and who may publish.

pub mod admit;
pub mod conn;
pub mod server;
pub mod target;
