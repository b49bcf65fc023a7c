//! Exp-Golomb reading of parameter sets.

use super::H264Error;
use crate::media::time::rescale;

/// Longest prefix of a parameter set that is read. The fields up to the VUI's timing need about 1 KiB even with every
/// scaling list present.
const SPS_BYTES_READ_MAX: usize = 4096;
/// Prefix that holds a parameter set's own id.
const ID_BYTES_READ_MAX: usize = 16;
/// Larger than any level allows (level 6.2: 16 880 luma samples in a row).
const DIMENSION_MAX: u32 = 16_880;
/// A rate above this is a broken VUI, not a camera.
const FRAME_RATE_MILLIHERTZ_MAX: i64 = 1_000_000;
/// `profile_idc` values whose SPS carries chroma format, bit depths and scaling lists (7.3.2.1.1).
const PROFILES_WITH_CHROMA: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What an SPS says of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpsFacts {
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// Frames in 1000 seconds when the VUI carries timing.
    pub frame_rate_millihertz: Option<u32>,
}

/// Reads an SPS NAL unit (with its header byte).
pub fn sps_facts(nal: &[u8]) -> Result<SpsFacts, H264Error> {
    let mut buffer = [0; SPS_BYTES_READ_MAX];
    let mut bits = Bits::new(rbsp(nal, &mut buffer));
    let (width, height) = read_dimensions(&mut bits)?;
    // The picture size stands already; a VUI that ends early or says nonsense leaves the rate unknown.
    let frame_rate_millihertz = read_frame_rate(&mut bits).unwrap_or(None);
    Ok(SpsFacts { width, height, frame_rate_millihertz })
}

/// `seq_parameter_set_id` of an SPS NAL unit, 0..=31.
pub(crate) fn sps_id(nal: &[u8]) -> Option<u8> {
    let mut buffer = [0; ID_BYTES_READ_MAX];
    let mut bits = Bits::new(rbsp(nal, &mut buffer));
    bits.skip(24).ok()?;
    bits.ue_max(31, "seq_parameter_set_id").ok().and_then(|id| u8::try_from(id).ok())
}

/// `pic_parameter_set_id` of a PPS NAL unit.
pub(crate) fn pps_id(nal: &[u8]) -> Option<u8> {
    let mut buffer = [0; ID_BYTES_READ_MAX];
    Bits::new(rbsp(nal, &mut buffer)).ue_max(255, "pic_parameter_set_id").ok().and_then(|id| u8::try_from(id).ok())
}

/// As many bytes after the NAL header as fit into `buffer`, without emulation prevention bytes (7.3.1).
fn rbsp<'a>(nal: &[u8], buffer: &'a mut [u8]) -> &'a [u8] {
    let (mut zeros, mut length) = (0, 0);
    for &byte in nal.iter().skip(1).take(buffer.len()) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        buffer[length] = byte;
        length += 1;
    }
    &buffer[..length]
}

/// Everything from `profile_idc` to the cropping window.
fn read_dimensions(bits: &mut Bits<'_>) -> Result<(u32, u32), H264Error> {
    let profile_idc = bits.u(8)?;
    bits.skip(16)?; // constraint flags, level_idc
    bits.ue_max(31, "seq_parameter_set_id")?;
    let mut chroma_format_idc = 1;
    let mut separate_planes = false;
    if PROFILES_WITH_CHROMA.contains(&profile_idc) {
        chroma_format_idc = bits.ue_max(3, "chroma_format_idc")?;
        separate_planes = chroma_format_idc == 3 && bits.flag()?;
        bits.ue_max(6, "bit_depth_luma_minus8")?;
        bits.ue_max(6, "bit_depth_chroma_minus8")?;
        bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            skip_scaling_lists(bits, if chroma_format_idc == 3 { 12 } else { 8 })?;
        }
    }
    bits.ue_max(12, "log2_max_frame_num_minus4")?;
    skip_picture_order_count(bits)?;
    bits.ue_max(u32::MAX - 1, "max_num_ref_frames")?;
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    let width_in_mbs = bits.ue_max(DIMENSION_MAX / 16 - 1, "pic_width_in_mbs_minus1")? + 1;
    let height_in_map_units = bits.ue_max(DIMENSION_MAX / 16 - 1, "pic_height_in_map_units_minus1")? + 1;
    let frame_mbs_only = bits.flag()?;
    if !frame_mbs_only {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let field_factor = if frame_mbs_only { 1 } else { 2 };
    let (width, height) = (width_in_mbs * 16, height_in_map_units * 16 * field_factor);
    if !bits.flag()? {
        return Ok((width, height));
    }
    // Units of the cropping window (7-19 to 7-22): chroma samples, and field pairs for interlaced pictures.
    let chroma_format = if separate_planes { 0 } else { chroma_format_idc };
    let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma_format == 1 { 2 } else { 1 } * field_factor;
    let [left, right, top, bottom] = [
        bits.ue_max(DIMENSION_MAX, "cropping")?,
        bits.ue_max(DIMENSION_MAX, "cropping")?,
        bits.ue_max(DIMENSION_MAX, "cropping")?,
        bits.ue_max(DIMENSION_MAX, "cropping")?,
    ];
    let cropped = |size: u32, crop: u32| size.checked_sub(crop).filter(|&left| left > 0);
    match (cropped(width, (left + right) * unit_x), cropped(height, (top + bottom) * unit_y)) {
        (Some(width), Some(height)) => Ok((width, height)),
        _ => Err(bits.malformed("cropping leaves no picture")),
    }
}

/// 7.3.2.1.1.1, values not kept. At most 12 lists of at most 64 values.
fn skip_scaling_lists(bits: &mut Bits<'_>, lists: usize) -> Result<(), H264Error> {
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let size = if list < 6 { 16 } else { 64 };
        let (mut last_scale, mut next_scale) = (8i64, 8i64);
        for _ in 0..size {
            if next_scale != 0 {
                next_scale = (last_scale + bits.se()? + 256).rem_euclid(256);
            }
            last_scale = if next_scale == 0 { last_scale } else { next_scale };
        }
    }
    Ok(())
}

fn skip_picture_order_count(bits: &mut Bits<'_>) -> Result<(), H264Error> {
    match bits.ue_max(2, "pic_order_cnt_type")? {
        0 => {
            bits.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se()?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The VUI up to its timing (E.1.1). A frame is two ticks, whether it is coded as fields or not.
fn read_frame_rate(bits: &mut Bits<'_>) -> Result<Option<u32>, H264Error> {
    const EXTENDED_SAR: u32 = 255;
    if !bits.flag()? {
        return Ok(None); // vui_parameters_present_flag
    }
    if bits.flag()? && bits.u(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan
    }
    if bits.flag()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.flag()? {
            bits.skip(24)?; // colour description
        }
    }
    if bits.flag()? {
        bits.ue_max(5, "chroma_sample_loc_type_top_field")?;
        bits.ue_max(5, "chroma_sample_loc_type_bottom_field")?;
    }
    if !bits.flag()? {
        return Ok(None); // timing_info_present_flag
    }
    let (num_units_in_tick, time_scale) = (i64::from(bits.u(32)?), i64::from(bits.u(32)?));
    if num_units_in_tick == 0 {
        return Ok(None);
    }
    let rate = rescale(time_scale, 1_000, num_units_in_tick * 2);
    Ok((1..=FRAME_RATE_MILLIHERTZ_MAX).contains(&rate).then_some(rate).and_then(|rate| u32::try_from(rate).ok()))
}

/// Reads bits from the front of bytes, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0 }
    }

    /// Offset of the next bit's byte; the NAL header counts as byte 0.
    fn position(&self) -> usize {
        self.at / 8 + 1
    }

    fn malformed(&self, what: &'static str) -> H264Error {
        H264Error::Malformed { at: self.position(), what }
    }

    fn flag(&mut self) -> Result<bool, H264Error> {
        let byte = self.bytes.get(self.at / 8);
        let byte = *byte.ok_or(H264Error::Truncated { at: self.position(), what: "parameter set" })?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// `u(count)`, at most 32 bits.
    fn u(&mut self, count: u32) -> Result<u32, H264Error> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    fn skip(&mut self, count: usize) -> Result<(), H264Error> {
        if self.at + count > self.bytes.len() * 8 {
            return Err(H264Error::Truncated { at: self.position(), what: "parameter set" });
        }
        self.at += count;
        Ok(())
    }

    /// `ue(v)` (9.1). At most 32 leading zeros are looked at.
    fn ue(&mut self) -> Result<u32, H264Error> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(self.malformed("Exp-Golomb code too long"));
            }
        }
        // With 31 zeros the largest value is 2^32 - 2.
        Ok((1u32 << zeros) - 1 + self.u(zeros)?)
    }

    fn ue_max(&mut self, max: u32, what: &'static str) -> Result<u32, H264Error> {
        let value = self.ue()?;
        if value > max { Err(self.malformed(what)) } else { Ok(value) }
    }

    /// `se(v)` (9.1.1).
    fn se(&mut self) -> Result<i64, H264Error> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}
