//! The whole HTTP service over sockets on loopback, with stores in memory and a clock that stands still.

mod bucket;
mod callback;
mod channel;
mod errors;
mod form;
mod harness;
mod kinds;
mod lifecycle;
mod multipart;
mod object;
mod pace;
mod referer;
mod settings;
mod transport;
mod versions;
mod website;
