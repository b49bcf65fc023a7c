//! AAC: the AudioSpecificConfig and the ADTS header made from it.
//!
//! Never decodes audio. ISO/IEC 14496-3 sections 1.6.2.1 (AudioSpecificConfig), 4.4.1 (GASpecificConfig), 4.4.1.1
//! (program_config_element) and 1.A.3 (ADTS). ADTS has two bits for the object type, so that only Main, LC, SSR and LTP can be carried; HE-AAC is carried as
//! its LC core, in which decoders find the extension by themselves (implicit signalling).

use bytes::Bytes;

use crate::media::{AacConfig, MediaTime};

/// Bytes of the ADTS header that we write (no CRC).
pub const ADTS_HEADER_BYTES: usize = 7;
/// Largest raw frame that ADTS can express: 13 bits of length, header included.
pub const FRAME_BYTES_MAX: usize = 0x1fff - ADTS_HEADER_BYTES;

/// Sampling frequencies by index (table 1.18).
const FREQUENCIES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const FREQUENCY_ESCAPE: u32 = 15;
const OBJECT_TYPE_ESCAPE: u32 = 31;
const OBJECT_TYPE_SBR: u32 = 5;
const OBJECT_TYPE_PS: u32 = 29;
/// Id of a program_config_element in a raw data block.
const ID_PCE: u32 = 5;

/// Why an AudioSpecificConfig is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AacError {
    /// The bytes end early or hold a reserved value.
    #[error("AudioSpecificConfig is malformed at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A legal configuration that ADTS cannot express. Holds its name.
    #[error("{0} cannot be carried in ADTS")]
    Unsupported(String),
}

/// Reads an AudioSpecificConfig. With explicit signalling of SBR or PS the result describes the core codec.
pub fn parse_audio_specific_config(raw: &Bytes) -> Result<AacConfig, AacError> {
    let mut bits = Bits { bytes: raw, at: 0 };
    let mut object_type = bits.object_type()?;
    let (frequency_index, sample_rate) = bits.frequency()?;
    let channel_configuration = bits.u(4)?;
    if object_type == OBJECT_TYPE_SBR || object_type == OBJECT_TYPE_PS {
        bits.frequency_field()?; // of the extension; decoders find it in the frames
        object_type = bits.object_type()?;
    }
    if !(1..=4).contains(&object_type) {
        return Err(AacError::Unsupported(object_type_name(object_type)));
    }
    if channel_configuration > 7 {
        return Err(AacError::Unsupported(format!("AAC with channel configuration {channel_configuration}")));
    }
    if bits.u(1)? == 1 {
        return Err(AacError::Unsupported("AAC with 960-sample frames".to_owned()));
    }
    let program_config = if channel_configuration == 0 { program_config(&mut bits) } else { None };
    Ok(AacConfig {
        object_type: object_type as u8,
        frequency_index,
        sample_rate,
        channel_configuration: channel_configuration as u8,
        program_config,
        raw: raw.clone(),
    })
}

/// The configuration that an ADTS header states, from encoders that send nothing else. `None` when there is no header.
pub fn config_from_adts(bytes: &[u8]) -> Option<AacConfig> {
    let header: &[u8; ADTS_HEADER_BYTES] = bytes.first_chunk()?;
    let is_sync = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let (object_type, frequency_index) = ((header[2] >> 6) + 1, header[2] >> 2 & 0x0f);
    let channels = (header[2] & 0x01) << 2 | header[3] >> 6;
    let raw = [object_type << 3 | frequency_index >> 1, frequency_index << 7 | channels << 3];
    parse_audio_specific_config(&Bytes::copy_from_slice(&raw)).ok().filter(|_| is_sync)
}

/// How long a raw frame lasts, to the nearest tick.
pub fn frame_duration(config: &AacConfig) -> MediaTime {
    const FRAME_SAMPLES: i64 = 1_024;
    let rate = i64::from(config.sample_rate.max(1));
    MediaTime((FRAME_SAMPLES * MediaTime::HZ + rate / 2) / rate)
}

/// A frame of silence for this configuration. `None` where there is none to be had: object types other than LC, and channels
/// that no channel configuration says.
pub fn silent_frame(config: &AacConfig) -> Option<Vec<u8>> {
    const SINGLE: u32 = 0;
    const PAIR: u32 = 1;
    const LOW_FREQUENCY: u32 = 3;
    const END: u32 = 7;
    let elements: &[u32] = match config.channel_configuration {
        1 => &[SINGLE],
        2 => &[PAIR],
        3 => &[SINGLE, PAIR],
        4 => &[SINGLE, PAIR, SINGLE],
        5 => &[SINGLE, PAIR, PAIR],
        6 => &[SINGLE, PAIR, PAIR, LOW_FREQUENCY],
        7 => &[SINGLE, PAIR, PAIR, PAIR, LOW_FREQUENCY],
        _ => return None,
    };
    let mut out = BitWriter::default();
    for (index, &element) in elements.iter().enumerate() {
        let tag = elements[..index].iter().filter(|&&earlier| earlier == element).count();
        out.put(element, 3);
        out.put(tag as u32, 4);
        // No common window; then for each channel an individual_channel_stream of 22 bits whose max_sfb is 0: no spectrum.
        let channels = if element == PAIR { 2 } else { 1 };
        out.put(0, usize::from(element == PAIR));
        (0..channels).for_each(|_| out.put(0, 22));
    }
    out.put(END, 3);
    (config.object_type == 2).then_some(out.bytes)
}

/// The element that belongs before this frame: the configuration's, unless the frame brings one.
pub fn leading_element<'a>(config: &'a AacConfig, frame: &[u8]) -> &'a [u8] {
    let brings_one = frame.first().is_some_and(|first| first >> 5 == ID_PCE as u8);
    config.program_config.as_deref().filter(|_| !brings_one).unwrap_or_default()
}

/// The program_config_element that follows in a GASpecificConfig, as an element of a raw data block: with its id in front,
/// aligned there, without its comment. `None` when the bits end before it does; frames may bring their own.
fn program_config(bits: &mut Bits<'_>) -> Option<Bytes> {
    if bits.u(1).ok()? == 1 {
        bits.u(14).ok()?; // coreCoderDelay
    }
    bits.u(1).ok()?; // extensionFlag
    let mut out = BitWriter::default();
    out.put(ID_PCE, 3);
    let mut copy = |count| {
        let value = bits.u(count).ok()?;
        out.put(value, count);
        Some(value as usize)
    };
    copy(4 + 2 + 4)?; // instance tag, object type, sampling frequency index
    let channels = copy(4)? + copy(4)? + copy(4)?; // front, side, back: a flag and a tag each
    let low_frequency = copy(2)?;
    let data = copy(3)?;
    let coupling = copy(4)?;
    for mixdown_bits in [4, 4, 3] {
        if copy(1)? == 1 {
            copy(mixdown_bits)?;
        }
    }
    (0..channels).try_for_each(|_| copy(5).map(drop))?;
    (0..low_frequency + data).try_for_each(|_| copy(4).map(drop))?;
    (0..coupling).try_for_each(|_| copy(5).map(drop))?;
    out.align();
    out.put(0, 8); // no comment
    Some(out.bytes.into())
}

fn object_type_name(object_type: u32) -> String {
    match object_type {
        6 => "AAC Scalable".to_owned(),
        22 => "ER BSAC".to_owned(),
        17 | 19..=21 | 23..=27 => format!("Error-resilient AAC (object type {object_type})"),
        32..=34 => "MPEG-1/2 audio in MPEG-4".to_owned(),
        36 => "MPEG-4 ALS".to_owned(),
        39 => "AAC ELD".to_owned(),
        42 => "xHE-AAC".to_owned(),
        other => format!("MPEG-4 audio object type {other}"),
    }
}

/// The ADTS header before one raw frame. `None` when the frame is longer than [`FRAME_BYTES_MAX`].
pub fn adts_header(config: &AacConfig, frame_bytes: usize) -> Option<[u8; ADTS_HEADER_BYTES]> {
    if frame_bytes > FRAME_BYTES_MAX {
        return None;
    }
    let length = frame_bytes + ADTS_HEADER_BYTES;
    let profile = config.object_type.wrapping_sub(1) & 0x03;
    let channels = config.channel_configuration & 0x07;
    Some([
        0xff,
        0xf1, // MPEG-4, layer 0, no CRC
        profile << 6 | (config.frequency_index & 0x0f) << 2 | channels >> 2,
        (channels & 0x03) << 6 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length as u8 & 0x07) << 5 | 0x1f, // buffer fullness 0x7ff: variable rate
        0xfc,                              // one raw data block
    ])
}

/// A parsed ADTS header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsHeader {
    /// 7, or 9 with a CRC.
    pub header_bytes: usize,
    /// Header and data.
    pub frame_bytes: usize,
    /// Audio object type, 1..=4.
    pub object_type: u8,
    /// Sampling frequency index, 0..=12.
    pub frequency_index: u8,
    /// Channel configuration, 0..=7.
    pub channel_configuration: u8,
}

/// Reads the ADTS header at the front of `bytes`; `None` when there is none or the frame does not fit into `bytes`.
pub fn parse_adts_header(bytes: &[u8]) -> Option<AdtsHeader> {
    let header: &[u8; ADTS_HEADER_BYTES] = bytes.first_chunk()?;
    let is_sync = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let frequency_index = header[2] >> 2 & 0x0f;
    let header_bytes = if header[1] & 0x01 == 1 { 7 } else { 9 };
    let frame_bytes = usize::from(header[3] & 0x03) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    let fits = (header_bytes..=bytes.len()).contains(&frame_bytes);
    (is_sync && usize::from(frequency_index) < FREQUENCIES.len() && fits).then_some(AdtsHeader {
        header_bytes,
        frame_bytes,
        object_type: (header[2] >> 6) + 1,
        frequency_index,
        channel_configuration: (header[2] & 0x01) << 2 | header[3] >> 6,
    })
}

/// Bytes of the ADTS header that an encoder wrongly left before a raw frame, else 0.
///
/// A raw frame that begins with twelve one bits would begin with `ID_END`, which none does; and the length must agree.
pub fn stray_adts_header_bytes(frame: &[u8]) -> usize {
    parse_adts_header(frame).filter(|adts| adts.frame_bytes == frame.len()).map_or(0, |adts| adts.header_bytes)
}

/// Writes bits, most significant first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0 when there is no open byte.
    taken: usize,
}

impl BitWriter {
    fn put(&mut self, value: u32, count: usize) {
        for bit in (0..count).rev() {
            if self.taken == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("pushed when none is open");
            *last |= ((value >> bit & 1) as u8) << (7 - self.taken);
            self.taken = (self.taken + 1) % 8;
        }
    }

    fn align(&mut self) {
        self.taken = 0;
    }
}

/// Reads bits of an AudioSpecificConfig, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn u(&mut self, count: usize) -> Result<u32, AacError> {
        let mut value = 0;
        for _ in 0..count {
            let malformed = AacError::Malformed { at: self.at / 8, what: "ends early" };
            let byte = self.bytes.get(self.at / 8).ok_or(malformed)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn object_type(&mut self) -> Result<u32, AacError> {
        match self.u(5)? {
            OBJECT_TYPE_ESCAPE => Ok(32 + self.u(6)?),
            object_type => Ok(object_type),
        }
    }

    /// Index, and the frequency itself after the escape.
    fn frequency_field(&mut self) -> Result<(u32, Option<u32>), AacError> {
        match self.u(4)? {
            FREQUENCY_ESCAPE => Ok((FREQUENCY_ESCAPE, Some(self.u(24)?))),
            index => Ok((index, None)),
        }
    }

    /// A frequency that has an index: ADTS has no escape, but an explicit 44 100 is still 44 100.
    fn frequency(&mut self) -> Result<(u8, u32), AacError> {
        let at = self.at / 8;
        match self.frequency_field()? {
            (_, Some(explicit)) => match FREQUENCIES.iter().position(|&known| known == explicit) {
                Some(index) => Ok((index as u8, explicit)),
                None => Err(AacError::Unsupported(format!("AAC at {explicit} Hz"))),
            },
            (index, None) => match FREQUENCIES.get(index as usize) {
                Some(&known) => Ok((index as u8, known)),
                None => Err(AacError::Malformed { at, what: "reserved sampling frequency index" }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
