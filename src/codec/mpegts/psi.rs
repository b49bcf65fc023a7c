//! Program association and program map tables (2.4.4.3 and 2.4.4.8), each in one packet.

use bytes::{BufMut, BytesMut};

use super::packet::{self, Adaptation};
use super::{PID_AUDIO, PID_NULL, PID_PAT, PID_PMT, PID_VIDEO, STREAM_TYPE_ADTS, STREAM_TYPE_H264};

const TABLE_PAT: u8 = 0x00;
const TABLE_PMT: u8 = 0x02;
const PROGRAM_NUMBER: u16 = 1;
/// Longest section: ours of two tracks has 26 bytes.
const SECTION_BYTES_MAX: usize = 64;

/// Which tracks a PMT lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackSet {
    /// H.264.
    pub video: bool,
    /// AAC.
    pub audio: bool,
}

impl TrackSet {
    /// PID that carries the PCR: video's when there is video.
    pub(super) fn pcr_pid(self) -> u16 {
        match (self.video, self.audio) {
            (true, _) => PID_VIDEO,
            (false, true) => PID_AUDIO,
            (false, false) => PID_NULL,
        }
    }
}

/// Writes the PAT packet.
pub(super) fn write_pat(out: &mut BytesMut, counter: u8) {
    let mut section = Section::new(TABLE_PAT, 1, 0); // transport stream 1
    section.u16(PROGRAM_NUMBER);
    section.u16(0xe000 | PID_PMT);
    section.write(out, PID_PAT, counter);
}

/// Writes the PMT packet.
pub(super) fn write_pmt(out: &mut BytesMut, counter: u8, version: u8, tracks: TrackSet) {
    let mut section = Section::new(TABLE_PMT, PROGRAM_NUMBER, version);
    section.u16(0xe000 | tracks.pcr_pid());
    section.u16(0xf000); // no program descriptors
    let streams = [(tracks.video, STREAM_TYPE_H264, PID_VIDEO), (tracks.audio, STREAM_TYPE_ADTS, PID_AUDIO)];
    for (_, stream_type, pid) in streams.into_iter().filter(|(listed, ..)| *listed) {
        section.put(&[stream_type]);
        section.u16(0xe000 | pid);
        section.u16(0xf000); // no descriptors
    }
    section.write(out, PID_PMT, counter);
}

/// A section under construction, on the stack.
struct Section {
    bytes: [u8; SECTION_BYTES_MAX],
    length: usize,
}

impl Section {
    fn new(table: u8, id: u16, version: u8) -> Self {
        let mut section = Section { bytes: [0; SECTION_BYTES_MAX], length: 0 };
        section.put(&[table, 0, 0]); // length is set last
        section.u16(id);
        section.put(&[0xc1 | (version & 0x1f) << 1, 0, 0]); // current; section 0 of 0
        section
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn write(mut self, out: &mut BytesMut, pid: u16, counter: u8) {
        let length = (self.length - 3 + 4) as u16; // after the length field, CRC included
        self.bytes[1..3].copy_from_slice(&(0xb000 | length).to_be_bytes());
        let crc = crc32(&self.bytes[..self.length]);
        self.put(&crc.to_be_bytes());
        packet::write_header(out, pid, true, counter, &Adaptation::default(), packet::BODY_BYTES);
        out.put_u8(0); // pointer_field
        out.put_slice(&self.bytes[..self.length]);
        // Sections are followed by stuffing bytes, not by an adaptation field (2.4.4).
        out.put_bytes(0xff, packet::BODY_BYTES - 1 - self.length);
    }
}

/// CRC-32/MPEG-2 (annex A).
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000_0000 == 0 { shifted } else { shifted ^ 0x04c1_1db7 }
        })
    })
}

/// One elementary stream of a PMT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementaryStream {
    /// Its stream type.
    pub stream_type: u8,
    /// Its PID.
    pub pid: u16,
}

/// A PMT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Version number.
    pub version: u8,
    /// PID of the PCR; 0x1fff for none.
    pub pcr_pid: u16,
    /// Elementary streams in order.
    pub streams: Vec<ElementaryStream>,
}

/// PMT PIDs of a PAT payload. Deliberate absence: sections that go on in a second packet.
pub(super) fn parse_pat(payload: &[u8]) -> Result<Vec<u16>, &'static str> {
    let (_, body) = section(payload, TABLE_PAT)?;
    let programs = body.chunks_exact(4).map(|entry| (be16(&entry[..2]), be16(&entry[2..]) & 0x1fff));
    Ok(programs.filter(|(program, _)| *program != 0).map(|(_, pid)| pid).collect())
}

/// The PMT of a payload.
pub(super) fn parse_pmt(payload: &[u8]) -> Result<Program, &'static str> {
    const ENDS_EARLY: &str = "PMT ends early";
    let (version, body) = section(payload, TABLE_PMT)?;
    let (head, rest) = body.split_at_checked(4).ok_or(ENDS_EARLY)?;
    let pcr_pid = be16(&head[..2]) & 0x1fff;
    let descriptors = usize::from(be16(&head[2..]) & 0x0fff);
    let mut rest = rest.get(descriptors..).ok_or(ENDS_EARLY)?;
    let mut streams = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(5).ok_or(ENDS_EARLY)?;
        streams.push(ElementaryStream { stream_type: head[0], pid: be16(&head[1..3]) & 0x1fff });
        rest = after.get(usize::from(be16(&head[3..]) & 0x0fff)..).ok_or(ENDS_EARLY)?;
    }
    Ok(Program { version, pcr_pid, streams })
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// Version and body of the section that begins in `payload`, its CRC checked.
fn section(payload: &[u8], table: u8) -> Result<(u8, &[u8]), &'static str> {
    const ENDS_EARLY: &str = "section longer than its packet";
    let (&pointer, rest) = payload.split_first().ok_or(ENDS_EARLY)?;
    let section = rest.get(usize::from(pointer)..).ok_or(ENDS_EARLY)?;
    let head: &[u8; 3] = section.first_chunk().ok_or(ENDS_EARLY)?;
    if head[0] != table {
        return Err("section of another table");
    }
    let length = usize::from(be16(&head[1..]) & 0x0fff);
    let section = section.get(..3 + length).ok_or(ENDS_EARLY)?;
    if length < 5 + 4 {
        return Err("section too short");
    }
    // Over its own CRC the remainder is zero.
    if crc32(section) != 0 {
        return Err("section CRC");
    }
    Ok((section[5] >> 1 & 0x1f, &section[8..section.len() - 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_mpeg2s() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }
}
