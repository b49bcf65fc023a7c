//! RTMP 1.0 and the habits of the programs that speak it: two pure peers, bytes in, events and replies out.
//!
//! One contract for both peers: *feed, then drain `next_output` to `None`, then feed again*. `feed` takes any split
//! of the bytes; partial input is state, not an error. An error is final and says where on the socket and what.
//!
//! Must never do I/O or read a clock: randomness, limits and timestamps are arguments. Written from Adobe's "Real
//! Time Messaging Protocol (RTMP) specification" 1.0 (2012), "AMF 0" and "AMF 3"; comments name the sections as "5.x".
//!
//! | level | file |
//! |---|---|
//! | handshake | [`handshake`] |
//! | chunk streams and their chunks | [`chunk`] |
//! | messages | [`message`], with their values in [`amf`] |
//! | peers | [`server`] receives a publish, [`client`] sends one |

pub mod amf;
pub mod chunk;
pub mod client;
pub mod handshake;
pub mod message;
pub mod server;

pub use amf::{AmfLimits, AmfValue};
pub use client::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};
pub use message::MediaKind;
pub use server::{ConnectInfo, Output, PeerEvent, PeerLimits, ServerPeer};

use amf::AmfError;

/// Why a peer gave up on its socket. Final: nothing after it can be understood.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{fault}, at byte {at} of the socket")]
pub struct RtmpError {
    /// Offset from the first byte that was received on the socket: of the chunk that broke a rule of chunks, of the
    /// first byte behind a message that broke a rule of messages.
    pub at: u64,
    /// What was wrong.
    pub fault: Fault,
}

/// What was wrong with a socket's bytes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The first byte is no version of RTMP.
    #[error("version {0} is not RTMP (3)")]
    Version(u8),
    /// The first byte asks for RTMPE.
    #[error("version {0} is RTMPE, which is not supported: use rtmp or rtmps")]
    Encrypted(u8),
    /// A chunk refers to a header of its chunk stream, and there was none.
    #[error("chunk stream {0} begins without a message header")]
    NoHeader(u32),
    /// More chunk streams than allowed.
    #[error("more than {max} chunk streams")]
    ChunkStreams {
        /// The limit.
        max: usize,
    },
    /// A message's length is over the limit.
    #[error("a message of {length} bytes, {max} are allowed")]
    MessageBytes {
        /// The stated length.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// The unfinished messages of all chunk streams together are over the limit.
    #[error("unfinished messages of {length} bytes, {max} are allowed")]
    UnfinishedBytes {
        /// The sum of the stated lengths.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A chunk size of zero: no payload could ever be sent.
    #[error("chunk size 0")]
    ChunkSizeZero,
    /// A protocol control message that is too short for its value.
    #[error("protocol control message {type_id} of {length} bytes")]
    ShortControl {
        /// Message type.
        type_id: u8,
        /// Its length.
        length: usize,
    },
    /// `connect` without a command object that can be read, or `publish` without a name.
    #[error("malformed {command}: {}", reason.as_ref().map_or_else(|| "a value is missing".to_owned(), ToString::to_string))]
    Command {
        /// The command.
        command: &'static str,
        /// Where its values could not be read; `None`: they could, but are the wrong ones.
        reason: Option<AmfError>,
    },
    /// More media was sent than may wait for the answer to `publish`.
    #[error("more than {max} bytes sent before publish was accepted")]
    PendingBytes {
        /// The limit.
        max: usize,
    },
}
