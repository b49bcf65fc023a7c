//! The Alibaba Cloud OSS dialect: routes, documents, errors and handlers.
//!
//! A request becomes one [`operation::OssOperation`] before anything acts on it. Handlers are flat: check access, call
//! the domain, render. No wire struct leaves this room.

pub mod accept;
mod bucket;
mod cors;
pub mod error;
mod hls_sign;
mod lifecycle;
mod live;
mod multipart;
mod object;
pub mod operation;
pub mod route;
pub(crate) mod service;
mod tagging;
mod urls;
mod versions;
pub mod xml;
