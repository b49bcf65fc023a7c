//! livebucket: an object store and a live-video service at once.
//!
//! A bucket may hold *live channels*. A publisher pushes RTMP to a channel; the service cuts the stream into
//! MPEG-TS fragments, stores each as an ordinary object and keeps an HLS playlist object that names the latest
//! ones. Everything that a viewer needs is a GET.
//!
//! The rooms, from the bottom up (`ARCHITECTURE.md` is the map, `tests/it/layers.rs` keeps its walls):
//!
//! | room | what it is for |
//! |---|---|
//! | [`media`] | time and access units, without protocol or container |
//! | [`codec`] | pure readers and writers of foreign bytes: RTMP, FLV, H.264, AAC, MPEG-TS, playlists |
//! | [`auth`] | signatures and the access decision: pure functions |
//! | [`clock`], [`task`], [`limits`], [`net`] | the base: time, tasks, bounds, sockets |
//! | [`store`] | ports, records, the object service, recovery; backends below it |
//! | [`live`] | channels: when to cut, the window, the owner of one publish |
//! | [`http`], [`rtmp`] | transports |
//! | [`app`], [`config`], [`cli`] | wiring, configuration, the command line |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod http;
pub mod limits;
pub mod live;
pub mod media;
pub mod net;
pub mod rtmp;
pub mod store;
pub mod task;
