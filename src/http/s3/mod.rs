//! The S3 dialect: the same buckets, objects and access rules as the OSS side, in Amazon's words.
//!
//! The `s3s` library reads and writes the wire and checks V4 signatures; what it leaves open is closed here. Before it:
//! the clock, the one signature a request may have, headers that were not signed, V2 signatures ([`claim`]). At its
//! hooks: hosts, keys, who asks, and sub-resources that it would take for a plain object operation ([`hooks`]). Behind
//! it: error documents with message, resource and ids ([`front`]). Plain reads need none of that and go past it ([`short`]).
//! The handlers stand in [`bucket`], [`object`] and
//! [`multipart`].
//!
//! Must never publish an object before its body's stream has ended cleanly: a payload hash that does not match shows
//! itself only there.

mod acl;
mod attributes;
mod bucket;
mod checksum;
mod claim;
mod class;
mod encryption;
mod error;
mod exchange;
mod form;
mod front;
mod hooks;
mod integrity;
mod lifecycle;
mod listing;
mod lock;
mod multipart;
mod object;
mod policy;
mod selection;
mod service;
mod settings;
mod short;
mod tagging;
mod versions;
mod website;

pub(crate) use front::{S3Front, host_id_value, too_busy};
#[cfg(test)]
pub(crate) use hooks::OPERATIONS;

/// Of every document but the error.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
