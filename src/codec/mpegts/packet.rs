//! Transport packets and their adaptation field (2.4.3.2 to 2.4.3.5).

use bytes::{BufMut, BytesMut};

use super::{PACKET_BYTES, TIMESTAMP_MASK};

const SYNC_BYTE: u8 = 0x47;
const HEADER_BYTES: usize = 4;
/// Bytes after the packet header.
pub(super) const BODY_BYTES: usize = PACKET_BYTES - HEADER_BYTES;
const STUFFING: [u8; BODY_BYTES] = [0xff; BODY_BYTES];

const FLAG_DISCONTINUITY: u8 = 0x80;
const FLAG_RANDOM_ACCESS: u8 = 0x40;
const FLAG_PCR: u8 = 0x10;
const PCR_BYTES: usize = 6;

/// What an adaptation field says, as far as we write or read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// The time base or the continuity counter does not go on from the packet before.
    pub discontinuity: bool,
    /// Decoding can begin here.
    pub random_access: bool,
    /// Program clock reference in 27 MHz: base * 300 + extension.
    pub pcr: Option<u64>,
}

impl Adaptation {
    fn is_empty(&self) -> bool {
        *self == Adaptation::default()
    }

    /// Bytes it takes, its length byte included, before stuffing.
    fn bytes(&self) -> usize {
        match (self.is_empty(), self.pcr) {
            (true, _) => 0,
            (false, None) => 2,
            (false, Some(_)) => 2 + PCR_BYTES,
        }
    }
}

/// Bytes of payload that fit into one packet behind `adaptation`.
pub(super) fn payload_room(adaptation: &Adaptation) -> usize {
    BODY_BYTES - adaptation.bytes()
}

/// Writes the header and adaptation field of a packet that carries `payload_left` bytes or as many of them as fit, and
/// returns how many: exactly so many must be written next. Stuffing goes into the adaptation field.
pub(super) fn write_header(
    out: &mut BytesMut,
    pid: u16,
    unit_start: bool,
    counter: u8,
    adaptation: &Adaptation,
    payload_left: usize,
) -> usize {
    let payload = payload_left.min(payload_room(adaptation));
    let field = BODY_BYTES - payload;
    let control = if field == 0 {
        0x10
    } else if payload == 0 {
        0x20
    } else {
        0x30
    };
    let [pid_high, pid_low] = pid.to_be_bytes();
    out.put_slice(&[SYNC_BYTE, u8::from(unit_start) << 6 | pid_high, pid_low, control | counter & 0x0f]);
    if field > 0 {
        write_adaptation(out, adaptation, field);
    }
    payload
}

/// `field` bytes of adaptation field: at least what `adaptation` needs, at most the whole body.
fn write_adaptation(out: &mut BytesMut, adaptation: &Adaptation, field: usize) {
    out.put_u8((field - 1) as u8); // at most 183
    if field == 1 {
        return;
    }
    let flag = |set, bit| if set { bit } else { 0 };
    out.put_u8(
        flag(adaptation.discontinuity, FLAG_DISCONTINUITY)
            | flag(adaptation.random_access, FLAG_RANDOM_ACCESS)
            | flag(adaptation.pcr.is_some(), FLAG_PCR),
    );
    let mut stuffing = field - 2;
    if let Some(pcr) = adaptation.pcr {
        let (base, extension) = ((pcr / 300) & TIMESTAMP_MASK, pcr % 300);
        out.put_uint(base << 15 | 0x3f << 9 | extension, PCR_BYTES);
        stuffing -= PCR_BYTES;
    }
    out.put_slice(&STUFFING[..stuffing]);
}

/// One packet, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TsPacket<'a> {
    /// Packet identifier.
    pub pid: u16,
    /// A PES packet or section begins in the payload.
    pub unit_start: bool,
    /// Continuity counter.
    pub counter: u8,
    /// Adaptation field, when there is one with flags.
    pub adaptation: Adaptation,
    /// Payload; `None` when the packet has only an adaptation field.
    pub payload: Option<&'a [u8]>,
}

impl<'a> TsPacket<'a> {
    /// Reads one packet; the error says what is wrong.
    pub fn parse(bytes: &'a [u8; PACKET_BYTES]) -> Result<Self, &'static str> {
        let [sync, flags, pid_low, control, body @ ..] = bytes;
        if *sync != SYNC_BYTE {
            return Err("no sync byte");
        }
        if flags & 0x80 != 0 {
            return Err("transport error indicator");
        }
        if control & 0xc0 != 0 {
            return Err("scrambled");
        }
        let (adaptation, payload) = match control & 0x30 {
            0x10 => (Adaptation::default(), Some(&body[..])),
            0x20 => (read_adaptation(body)?.0, None),
            0x30 => {
                let (adaptation, payload) = read_adaptation(body)?;
                (adaptation, Some(payload))
            }
            _ => return Err("neither adaptation field nor payload"),
        };
        Ok(TsPacket {
            pid: u16::from_be_bytes([flags & 0x1f, *pid_low]),
            unit_start: flags & 0x40 != 0,
            counter: control & 0x0f,
            adaptation,
            payload,
        })
    }
}

fn read_adaptation(body: &[u8]) -> Result<(Adaptation, &[u8]), &'static str> {
    const TOO_LONG: &str = "adaptation field longer than the packet";
    let (&length, rest) = body.split_first().ok_or(TOO_LONG)?;
    let (field, payload) = rest.split_at_checked(usize::from(length)).ok_or(TOO_LONG)?;
    let Some((&flags, field)) = field.split_first() else {
        return Ok((Adaptation::default(), payload));
    };
    let pcr = if flags & FLAG_PCR == 0 {
        None
    } else {
        let raw: &[u8; PCR_BYTES] = field.first_chunk().ok_or("PCR does not fit")?;
        let raw = raw.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        Some((raw >> 15) * 300 + (raw & 0x1ff))
    };
    let adaptation = Adaptation {
        discontinuity: flags & FLAG_DISCONTINUITY != 0,
        random_access: flags & FLAG_RANDOM_ACCESS != 0,
        pcr,
    };
    Ok((adaptation, payload))
}
