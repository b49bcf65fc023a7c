//! PES packet headers (2.4.3.6 and 2.4.3.7).

use super::TIMESTAMP_MASK;

/// Stream id of the first video stream.
pub const STREAM_ID_VIDEO: u8 = 0xe0;
/// Stream id of the first audio stream.
pub const STREAM_ID_AUDIO: u8 = 0xc0;

/// Header with both time stamps.
const HEADER_BYTES_MAX: usize = 19;
const FIXED_BYTES: usize = 9;
const TIMESTAMP_BYTES: usize = 5;

/// A PES header as bytes on the stack.
pub(super) struct PesHeader {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
}

impl PesHeader {
    /// Header before `payload_bytes`; `None` leaves the length open, which only video may. DTS is written only when it
    /// differs from PTS.
    pub(super) fn new(stream_id: u8, pts: u64, dts: u64, payload_bytes: Option<usize>) -> Self {
        let (pts, dts) = (pts & TIMESTAMP_MASK, dts & TIMESTAMP_MASK);
        let has_dts = pts != dts;
        let stamps = if has_dts { 2 * TIMESTAMP_BYTES } else { TIMESTAMP_BYTES };
        let after_length_field = payload_bytes.map(|bytes| FIXED_BYTES - 6 + stamps + bytes);
        let packet_length = after_length_field.and_then(|bytes| u16::try_from(bytes).ok()).unwrap_or(0);
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[..4].copy_from_slice(&[0, 0, 1, stream_id]);
        bytes[4..6].copy_from_slice(&packet_length.to_be_bytes());
        bytes[6] = 0x84; // MPEG-2; the access unit begins at the first byte of the payload
        bytes[7] = if has_dts { 0xc0 } else { 0x80 };
        bytes[8] = stamps as u8;
        bytes[9..14].copy_from_slice(&timestamp(if has_dts { 3 } else { 2 }, pts));
        if has_dts {
            bytes[14..19].copy_from_slice(&timestamp(1, dts));
        }
        PesHeader { bytes, length: FIXED_BYTES + stamps }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// 33 bits in five bytes with marker bits.
fn timestamp(prefix: u8, ticks: u64) -> [u8; TIMESTAMP_BYTES] {
    [
        prefix << 4 | ((ticks >> 30) as u8) << 1 | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ]
}

/// The parts of a PES header that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParsedPes {
    pub(super) stream_id: u8,
    pub(super) header_bytes: usize,
    /// Payload bytes, when the packet says.
    pub(super) payload_bytes: Option<usize>,
    pub(super) pts: Option<u64>,
    /// Equal to `pts` when the packet has no DTS of its own.
    pub(super) dts: Option<u64>,
}

/// Reads the header at the front of `bytes`, which must lie in one transport packet.
pub(super) fn parse(bytes: &[u8]) -> Result<ParsedPes, &'static str> {
    const ENDS_EARLY: &str = "PES header longer than its packet";
    let fixed: &[u8; FIXED_BYTES] = bytes.first_chunk().ok_or(ENDS_EARLY)?;
    if fixed[..3] != [0, 0, 1] {
        return Err("no PES start code");
    }
    if fixed[6] & 0xc0 != 0x80 {
        return Err("PES header is not MPEG-2's");
    }
    let header_bytes = FIXED_BYTES + usize::from(fixed[8]);
    let stamps = bytes.get(FIXED_BYTES..header_bytes).ok_or(ENDS_EARLY)?;
    let read = |from: usize| {
        let stamp: Option<&[u8; TIMESTAMP_BYTES]> = stamps.get(from..).and_then(<[u8]>::first_chunk);
        stamp.map(read_timestamp).ok_or("PES time stamp does not fit")
    };
    let (pts, dts) = match fixed[7] & 0xc0 {
        0x00 => (None, None),
        0x80 => (Some(read(0)?), Some(read(0)?)),
        0xc0 => (Some(read(0)?), Some(read(TIMESTAMP_BYTES)?)),
        _ => return Err("DTS without PTS"),
    };
    let packet_length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let payload_bytes = match packet_length {
        0 => None,
        length => Some((length + 6).checked_sub(header_bytes).ok_or("PES packet shorter than its header")?),
    };
    Ok(ParsedPes { stream_id: fixed[3], header_bytes, payload_bytes, pts, dts })
}

fn read_timestamp(bytes: &[u8; TIMESTAMP_BYTES]) -> u64 {
    let [a, b, c, d, e] = bytes.map(u64::from);
    (a >> 1 & 0x07) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
}
