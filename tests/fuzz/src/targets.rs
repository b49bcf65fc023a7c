//! The targets. All live in one program, so that the service is linked once; `FUZZ_TARGET` says which is meant.

mod aac;
mod amf;
mod chunk_reader;
mod chunk_writer;
mod flv;
mod form;
mod h264;
mod handshake;
mod http_head;
mod http_service;
mod live;
mod m3u8;
mod mpegts;
mod oss_xml;
mod range_conditions;
mod routing;
mod rtmp_connection;
mod rtmp_service;
mod signatures;

/// Takes one input; panics on a finding.
pub type Target = fn(&[u8]);

/// Each by its name.
pub const ALL: [(&str, Target); 19] = [
    ("aac", aac::run),
    ("amf", amf::run),
    ("chunk_reader", chunk_reader::run),
    ("chunk_writer", chunk_writer::run),
    ("flv", flv::run),
    ("form", form::run),
    ("h264", h264::run),
    ("handshake", handshake::run),
    ("http_head", http_head::run),
    ("http_service", http_service::run),
    ("live", live::run),
    ("m3u8", m3u8::run),
    ("mpegts", mpegts::run),
    ("oss_xml", oss_xml::run),
    ("range_conditions", range_conditions::run),
    ("routing", routing::run),
    ("rtmp_connection", rtmp_connection::run),
    ("rtmp_service", rtmp_service::run),
    ("signatures", signatures::run),
];
