//! The Alibaba Cloud OSS dialect: routes, documents, errors and handlers.
//!
//! A request becomes one [`operation::OssOperation`] before anything acts on it. Handlers are flat: check access, call
//! the domain, render. No wire struct leaves this room.

pub mod accept;
mod bucket;
mod callback;
mod class;
mod cors;
mod encryption;
pub mod error;
mod form;
mod hls_sign;
mod lifecycle;
mod live;
mod multipart;
mod object;
pub mod operation;
mod policy;
mod referer;
mod restore;
pub mod route;
pub(crate) mod service;
mod settings;
mod symlink;
mod tagging;
mod urls;
mod versions;
mod website;
pub mod xml;
