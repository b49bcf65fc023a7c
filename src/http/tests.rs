//! The whole HTTP service over sockets on loopback, with stores in memory and a clock that stands still.

mod authorisation;
mod bounds;
mod bucket;
mod callback;
mod channel;
mod clock;
mod crowd;
mod errors;
mod form;
mod harness;
mod kinds;
mod lifecycle;
mod multipart;
mod object;
mod pace;
mod policy;
mod referer;
mod replay;
mod settings;
mod short;
mod signed;
mod transport;
mod versions;
mod website;
