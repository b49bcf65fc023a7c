//! H.264: the decoder configuration record, NAL units in AVCC and Annex B framing, what an SPS says of the picture.
//!
//! Never decodes a slice. ISO/IEC 14496-15 section 5.3.3.1 (AVCDecoderConfigurationRecord) and 5.3.4.2 (samples),
//! ITU-T H.264 section 7.3.2.1.1 (SPS), E.1.1 (VUI) and Annex B (byte stream).
//!
//! The SPS reader is ours: it reads a bounded prefix, every loop in it has a constant bound, and a broken VUI costs the
//! frame rate only, not the picture size.

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::{Cursor, OutOfBytes};
use crate::media::AvcConfig;

mod sps;

pub use sps::{SpsFacts, sps_facts};

/// A slice of an IDR picture.
pub const NAL_IDR: u8 = 5;
/// Supplemental enhancement information.
pub const NAL_SEI: u8 = 6;
/// Sequence parameter set.
pub const NAL_SPS: u8 = 7;
/// Picture parameter set.
pub const NAL_PPS: u8 = 8;
/// Access unit delimiter.
pub const NAL_AUD: u8 = 9;

/// Parameter sets of one kind that an access unit may bring; real ones have a few dozen bytes each.
const ADOPTED_BYTES_MAX: usize = 64 * 1024;

/// Why bytes are not what they should be. Offsets count from the start of the record or access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum H264Error {
    /// The bytes end inside a field or NAL unit.
    #[error("H.264 data ends early at byte {at}: {what}")]
    Truncated {
        /// Where the field begins.
        at: usize,
        /// Which field.
        what: &'static str,
    },
    /// A value that the standard forbids.
    #[error("H.264 data is malformed at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The access unit has start codes where lengths should be.
    #[error("H.264 access unit is in Annex B framing, not AVCC")]
    AnnexB,
}

impl H264Error {
    /// Offset of the fault.
    pub fn at(&self) -> usize {
        match self {
            H264Error::Truncated { at, .. } | H264Error::Malformed { at, .. } => *at,
            H264Error::AnnexB => 0,
        }
    }

    /// What is wrong, in words.
    pub fn what(&self) -> &'static str {
        match self {
            H264Error::Truncated { what, .. } | H264Error::Malformed { what, .. } => what,
            H264Error::AnnexB => "Annex B framing instead of AVCC",
        }
    }
}

/// Type of a NAL unit (`nal_unit_type`); 0, which the standard leaves unspecified, for an empty one.
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 0x1f)
}

/// The NAL unit is a slice: it carries coded picture data.
pub fn is_slice(nal: &[u8]) -> bool {
    (1..=NAL_IDR).contains(&nal_type(nal))
}

/// The slice goes on with a picture that another one has begun: its first macroblock is not the picture's first
/// (`first_mb_in_slice`, an Exp-Golomb code of which one set bit means 0).
pub fn continues_picture(slice: &[u8]) -> bool {
    is_slice(slice) && slice.get(1).is_some_and(|first| first & 0x80 == 0)
}

/// Reads an AVCDecoderConfigurationRecord, or, from senders that put one there, parameter sets in Annex B framing.
///
/// Bytes after the picture parameter sets (the extension of the high profiles, or junk) are not read.
pub fn parse_decoder_config(record: &Bytes) -> Result<AvcConfig, H264Error> {
    if record.starts_with(&[0, 0, 1]) || record.starts_with(&[0, 0, 0, 1]) {
        return parse_annex_b_config(record);
    }
    let mut cursor = Cursor::new(record);
    let ends_early = |what| move |error: OutOfBytes| H264Error::Truncated { at: error.at, what };
    let [version, _profile, _compatibility, _level, length_size] =
        cursor.array().map_err(ends_early("configuration record"))?;
    if version != 1 {
        return Err(H264Error::Malformed { at: 0, what: "configuration version is not 1" });
    }
    let nal_length_size = (length_size & 0x03) + 1;
    if nal_length_size == 3 {
        return Err(H264Error::Malformed { at: 4, what: "NAL length size 3" });
    }
    let sps_count = cursor.u8().map_err(ends_early("number of SPS"))? & 0x1f;
    let sps = parameter_sets(record, &mut cursor, sps_count, NAL_SPS)?;
    let pps_count = cursor.u8().map_err(ends_early("number of PPS"))?;
    let pps = parameter_sets(record, &mut cursor, pps_count, NAL_PPS)?;
    config_from_parameter_sets(nal_length_size, sps, pps)
}

/// A configuration from parameter sets, wherever they came from.
pub fn config_from_parameter_sets(
    nal_length_size: u8,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
) -> Result<AvcConfig, H264Error> {
    let Some(first) = sps.first() else {
        return Err(H264Error::Malformed { at: 0, what: "no SPS" });
    };
    let facts = sps_facts(first)?;
    let SpsFacts { width, height, frame_rate_millihertz } = facts;
    Ok(AvcConfig { nal_length_size, sps, pps, width, height, frame_rate_millihertz })
}

/// The configuration from an access unit on that brings parameter sets of its own: each takes the place of the one with
/// its id, and picture size and rate are those of the first SPS brought. `None` when they change nothing, cannot be read,
/// or would make the whole longer than real ones ever are.
pub fn adopt_parameter_sets(config: Option<&AvcConfig>, avcc: &[u8], nal_length_size: u8) -> Option<AvcConfig> {
    let own = |wanted| nal_units(avcc, nal_length_size).flatten().filter(move |nal| nal_type(nal) == wanted);
    let (old_sps, old_pps) = config.map_or((&[][..], &[][..]), |config| (&config.sps[..], &config.pps[..]));
    let is_new = |set: &[u8], old: &[Bytes]| !old.iter().any(|known| known == set);
    if !own(NAL_SPS).any(|set| is_new(set, old_sps)) && !own(NAL_PPS).any(|set| is_new(set, old_pps)) {
        return None;
    }
    let sps = replace_sets(own(NAL_SPS), old_sps, sps_id)?;
    let pps = replace_sets(own(NAL_PPS), old_pps, pps_id)?;
    config_from_parameter_sets(nal_length_size, sps, pps).ok()
}

/// The sets of an access unit, then those of `old` whose id is none of theirs. Copies: a slice would keep a picture alive.
fn replace_sets<'a>(
    own: impl Iterator<Item = &'a [u8]>,
    old: &[Bytes],
    id: fn(&[u8]) -> Option<u8>,
) -> Option<Vec<Bytes>> {
    let mut sets: Vec<Bytes> = Vec::new();
    let mut bytes = 0;
    for set in own {
        bytes += set.len();
        if bytes > ADOPTED_BYTES_MAX {
            return None;
        }
        let own_id = Some(id(set)?);
        sets.retain(|earlier| id(earlier) != own_id);
        sets.push(Bytes::copy_from_slice(set));
    }
    let kept = old.iter().filter(|set| !sets.iter().any(|own| id(own) == id(set))).cloned().collect::<Vec<_>>();
    sets.extend(kept);
    Some(sets)
}

fn parameter_sets(
    record: &Bytes,
    cursor: &mut Cursor<'_>,
    count: u8,
    expected_type: u8,
) -> Result<Vec<Bytes>, H264Error> {
    let mut sets = Vec::new();
    for _ in 0..count {
        let at = cursor.position();
        let truncated = |_| H264Error::Truncated { at, what: "parameter set" };
        let length = cursor.u16().map_err(truncated)?;
        let set = cursor.take(usize::from(length)).map_err(truncated)?;
        if set.is_empty() {
            continue;
        }
        if nal_type(set) != expected_type {
            return Err(H264Error::Malformed { at, what: "parameter set of the wrong NAL type" });
        }
        sets.push(record.slice_ref(set));
    }
    Ok(sets)
}

fn parse_annex_b_config(record: &Bytes) -> Result<AvcConfig, H264Error> {
    let of_type = |wanted| {
        let nals = annex_b_nal_units(record).filter(move |nal| nal_type(nal) == wanted);
        // The same bound that the record's own counts have.
        nals.take(255).map(|nal| record.slice_ref(nal)).collect::<Vec<_>>()
    };
    config_from_parameter_sets(4, of_type(NAL_SPS), of_type(NAL_PPS))
}

/// NAL units of an access unit in AVCC framing. Zero-length ones are skipped. Ends after the first error.
pub fn nal_units(avcc: &[u8], nal_length_size: u8) -> NalUnits<'_> {
    NalUnits { cursor: Cursor::new(avcc), nal_length_size, failed: false }
}

/// Iterator of [`nal_units`].
#[derive(Clone, Debug)]
pub struct NalUnits<'a> {
    cursor: Cursor<'a>,
    nal_length_size: u8,
    failed: bool,
}

impl<'a> NalUnits<'a> {
    fn read(&mut self) -> Result<&'a [u8], H264Error> {
        let at = self.cursor.position();
        let length = match self.nal_length_size {
            1 => self.cursor.u8().map(usize::from),
            2 => self.cursor.u16().map(usize::from),
            4 => self.cursor.u32().map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
            _ => return Err(H264Error::Malformed { at, what: "NAL length size is not 1, 2 or 4" }),
        };
        let length = length.map_err(|_| H264Error::Truncated { at, what: "NAL length" })?;
        self.cursor.take(length).map_err(|_| H264Error::Truncated { at, what: "NAL unit" })
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = Result<&'a [u8], H264Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed && !self.cursor.is_empty() {
            match self.read() {
                Ok([]) => {}
                Ok(nal) => return Some(Ok(nal)),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What an access unit holds, from one walk over its NAL headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitFacts {
    /// NAL units that are not empty.
    pub nal_units: usize,
    /// It has a slice, so it is a picture and not only parameter sets or SEI.
    pub has_slice: bool,
    /// It has a slice of an IDR picture.
    pub has_idr: bool,
    /// It brings an SPS or a PPS.
    pub has_parameter_sets: bool,
}

/// Walks an access unit in AVCC framing to its end. An access unit that cannot be read as AVCC but opens with the long
/// start code, as a byte stream must at the start of an access unit, is told apart as [`H264Error::AnnexB`]. The order
/// matters: `00 00 00 01` is also the length of an end of sequence. The short start code is no sign of anything, because
/// every NAL unit of 256 to 511 bytes opens with it.
pub fn unit_facts(avcc: &[u8], nal_length_size: u8) -> Result<UnitFacts, H264Error> {
    let mut facts = UnitFacts::default();
    for nal in nal_units(avcc, nal_length_size) {
        let nal = nal.map_err(|error| if avcc.starts_with(&[0, 0, 0, 1]) { H264Error::AnnexB } else { error })?;
        facts.nal_units += 1;
        facts.has_slice |= is_slice(nal);
        facts.has_idr |= nal_type(nal) == NAL_IDR;
        facts.has_parameter_sets |= matches!(nal_type(nal), NAL_SPS | NAL_PPS);
    }
    Ok(facts)
}

/// NAL units of a byte stream (Annex B), without start codes and without the zero bytes that may follow a unit.
pub fn annex_b_nal_units(bytes: &[u8]) -> AnnexBNalUnits<'_> {
    let first = find_start_code(bytes).map_or(&[][..], |at| &bytes[at + 3..]);
    AnnexBNalUnits { rest: first }
}

/// Iterator of [`annex_b_nal_units`].
#[derive(Clone, Debug)]
pub struct AnnexBNalUnits<'a> {
    /// From after a start code on.
    rest: &'a [u8],
}

impl<'a> Iterator for AnnexBNalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let (unit, rest) = match find_start_code(self.rest) {
                Some(at) => (&self.rest[..at], &self.rest[at + 3..]),
                None => (self.rest, &[][..]),
            };
            self.rest = rest;
            let end = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if end > 0 {
                return Some(&unit[..end]);
            }
        }
        None
    }
}

/// Offset of the next `00 00 01`.
fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// Annex B to AVCC framing, for the encoders that put a byte stream into FLV.
pub fn annex_b_to_avcc(bytes: &[u8], nal_length_size: u8) -> Result<Bytes, H264Error> {
    // A start code is three bytes or more: one more byte for each of the fewest bytes that a unit can have.
    let mut out = BytesMut::with_capacity(bytes.len() + bytes.len() / 4);
    for nal in annex_b_nal_units(bytes) {
        let too_long = H264Error::Malformed { at: 0, what: "NAL unit longer than its length field can say" };
        match nal_length_size {
            1 => out.put_u8(u8::try_from(nal.len()).map_err(|_| too_long)?),
            2 => out.put_u16(u16::try_from(nal.len()).map_err(|_| too_long)?),
            4 => out.put_u32(u32::try_from(nal.len()).map_err(|_| too_long)?),
            _ => return Err(H264Error::Malformed { at: 0, what: "NAL length size is not 1, 2 or 4" }),
        }
        out.put_slice(nal);
    }
    Ok(out.freeze())
}

pub(crate) use sps::{pps_id, sps_id};

#[cfg(test)]
mod tests;
