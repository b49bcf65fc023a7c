//! MPEG-2 transport streams with one program of at most one H.264 and one AAC (ADTS) track.
//!
//! Never decides when a fragment begins and never touches time but to add a fixed delay and wrap it.
//! ISO/IEC 13818-1 sections 2.4.3 (packets, adaptation field, PES) and 2.4.4 (PSI); RFC 8216 section 3.2.

pub mod check;
pub mod demux;
pub mod mux;
pub mod packet;
pub mod pes;
pub mod psi;

use crate::media::Track;

/// Bytes of a transport packet.
pub const PACKET_BYTES: usize = 188;
/// Value range of PTS, DTS and PCR base: 33 bits.
pub const TIMESTAMP_MASK: u64 = (1 << 33) - 1;
/// Stream type of H.264 in a PMT.
pub const STREAM_TYPE_H264: u8 = 0x1b;
/// Stream type of AAC with ADTS in a PMT.
pub const STREAM_TYPE_ADTS: u8 = 0x0f;

/// PID of the PAT, fixed by the standard.
pub(crate) const PID_PAT: u16 = 0x0000;
/// PID of padding packets and "no PCR", fixed by the standard.
pub(crate) const PID_NULL: u16 = 0x1fff;
// Ours to choose; the values are the ones ffmpeg and most packagers use.
pub(crate) const PID_PMT: u16 = 0x1000;
pub(crate) const PID_VIDEO: u16 = 0x0100;
pub(crate) const PID_AUDIO: u16 = 0x0101;

/// Bytes that are no transport stream of the kind that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transport stream is malformed at byte {at}: {what}")]
pub struct TsError {
    /// Offset from the start of the fragment.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// The track of a stream type, if it is one of ours.
pub fn track_of(stream_type: u8) -> Option<Track> {
    match stream_type {
        STREAM_TYPE_H264 => Some(Track::Video),
        STREAM_TYPE_ADTS => Some(Track::Audio),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
