//! Access units to transport packets.
//!
//! Writes into the caller's buffer and allocates nothing of its own. One muxer lives as long as a connection: the
//! continuity counters of every PID, PAT and PMT included, go on over its fragments, so that the fragments laid end to
//! end are one correct transport stream.
//!
//! The PCR is a decode time, of the track that is behind when the two do not arrive side by side ([`LAG_MAX`]), and PTS and
//! DTS are [`DELAY`] ahead of it; a decoder has that long to receive what it must decode.

use bytes::{BufMut, BytesMut};

use super::packet::{self, Adaptation, BODY_BYTES};
use super::pes::{PesHeader, STREAM_ID_AUDIO, STREAM_ID_VIDEO};
use super::psi::{self, TrackSet};
use super::{PACKET_BYTES, PID_AUDIO, PID_VIDEO, TIMESTAMP_MASK};
use crate::codec::aac;
use crate::codec::h264::{self, H264Error, NAL_AUD, NAL_PPS, NAL_SPS};
use crate::media::{AacConfig, AvcConfig, MediaTime, Track};

/// Distance of PTS and DTS over PCR: 0.7 s, which is what decoders are used to.
pub const DELAY: MediaTime = MediaTime(63_000);
/// Longest distance between two PCRs (2.7.2).
pub const PCR_GAP_MAX: MediaTime = MediaTime::from_millis(100);
/// Distance of the PCRs that fill a longer gap between access units.
const PCR_FILL_STEP: MediaTime = MediaTime::from_millis(90);
/// A gap longer than this is not filled: a timeline jumps from 10 s on, and what a track may be behind comes on top.
pub const PCR_FILL_MAX: MediaTime = MediaTime::from_secs(12);
/// The clock waits this long for the track that is behind, and stays that much behind the other one while it is silent. So a
/// track may arrive [`DELAY`] and this much late.
pub const LAG_MAX: MediaTime = MediaTime::from_millis(1_500);
/// With audio only, every frame could carry a PCR; one in this distance is enough.
const AUDIO_PCR_STEP: MediaTime = MediaTime::from_millis(40);

const START_CODE: [u8; 3] = [0, 0, 1];
/// The first NAL unit of an access unit and parameter sets have a zero byte more (B.1.2).
const LONG_START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Access unit delimiter that allows any slice type.
const DELIMITER: [u8; 2] = [NAL_AUD, 0xf0];

/// Muxes the fragments of one connection.
#[derive(Debug, Default)]
pub struct TsMuxer {
    pat_counter: Counter,
    pmt_counter: Counter,
    video_counter: Counter,
    audio_counter: Counter,
    tracks: Option<TrackSet>,
    pmt_version: u8,
    video_pace: Pace,
    audio_pace: Pace,
    /// Last PCR of the connection.
    last_pcr: Option<MediaTime>,
    /// The fragment has no PCR yet, so that it could not be played alone.
    pcr_due: bool,
    /// The fragment has no access unit yet.
    fragment_is_empty: bool,
    /// The fragment has no picture yet.
    parameter_sets_due: bool,
    /// The next PCR carries the discontinuity indicator.
    discontinuity: bool,
}

/// How far a track has come.
#[derive(Debug, Default)]
struct Pace {
    last: Option<MediaTime>,
    /// The last distance of two units: the next one is not to be expected sooner.
    interval: MediaTime,
}

/// A continuity counter: four bits, counts packets with payload.
#[derive(Debug, Default)]
struct Counter(u8);

impl Counter {
    fn next(&mut self) -> u8 {
        let value = self.0;
        self.0 = (value + 1) & 0x0f;
        value
    }

    /// What a packet without payload repeats.
    fn last(&self) -> u8 {
        self.0.wrapping_sub(1) & 0x0f
    }
}

impl TsMuxer {
    /// At the start of a connection.
    pub fn new() -> Self {
        TsMuxer::default()
    }

    /// Begins a fragment: PAT, and a PMT with exactly the tracks that are said to occur. Its version number grows when
    /// they differ from those of the fragment before.
    pub fn begin_fragment(&mut self, out: &mut BytesMut, video: bool, audio: bool) {
        let tracks = TrackSet { video, audio };
        if self.tracks.is_some_and(|before| before != tracks) {
            self.pmt_version = (self.pmt_version + 1) & 0x1f;
        }
        self.tracks = Some(tracks);
        out.reserve(2 * PACKET_BYTES);
        psi::write_pat(out, self.pat_counter.next());
        psi::write_pmt(out, self.pmt_counter.next(), self.pmt_version, tracks);
        self.pcr_due = true;
        self.fragment_is_empty = true;
        self.parameter_sets_due = true;
    }

    /// Lists other tracks in the PMT of the open fragment, whose first bytes are `fragment`: none of them was handed on yet.
    /// Must not take a track from it that has occurred.
    pub fn relist(&mut self, fragment: &mut [u8], video: bool, audio: bool) {
        let tracks = TrackSet { video, audio };
        let mut packet = BytesMut::with_capacity(PACKET_BYTES);
        psi::write_pmt(&mut packet, self.pmt_counter.last(), self.pmt_version, tracks);
        if let Some(pmt) = fragment.get_mut(PACKET_BYTES..2 * PACKET_BYTES) {
            pmt.copy_from_slice(&packet);
            self.tracks = Some(tracks);
        }
    }

    /// The time base starts anew: the next PCR carries the discontinuity indicator, and the gap before it is not filled.
    pub fn mark_discontinuity(&mut self) {
        self.discontinuity = true;
        self.last_pcr = None;
        (self.video_pace, self.audio_pace) = (Pace::default(), Pace::default());
    }

    /// One picture. `avcc` is framed as `config` says; on error nothing has been written.
    ///
    /// Order: delimiter, SPS and PPS (those of the access unit itself; on keyframes and on a fragment's first picture,
    /// which after a forced cut is none, those of `config` that it does not replace come first), then everything else as
    /// it came. SPS and PPS stand before any SEI, because a buffering period SEI refers to them.
    pub fn video(
        &mut self,
        out: &mut BytesMut,
        dts: MediaTime,
        pts: MediaTime,
        keyframe: bool,
        avcc: &[u8],
        config: &AvcConfig,
    ) -> Result<(), H264Error> {
        debug_assert!(self.tracks.is_some_and(|tracks| tracks.video), "the PMT of this fragment lists no video");
        let with_sets = keyframe || self.parameter_sets_due;
        let unit = AnnexBUnit::scan(avcc, with_sets.then_some(config), config.nal_length_size)?;
        self.parameter_sets_due = false;
        let dts = dts.max(MediaTime::ZERO);
        let pts = pts.max(dts);
        let clock = self.clock(Track::Video, dts);
        self.fill_pcr(out, clock);
        let pcr = self.take_pcr(clock, MediaTime(1));
        let adaptation = self.adaptation(pcr, keyframe);
        let header = PesHeader::new(STREAM_ID_VIDEO, wire(pts + DELAY), wire(dts + DELAY), None);
        let total = header.as_bytes().len() + unit.bytes;
        let mut writer = PayloadWriter::new(out, PID_VIDEO, &mut self.video_counter, adaptation, total);
        writer.write(header.as_bytes());
        unit.emit(&mut |bytes| writer.write(bytes));
        self.fragment_is_empty = false;
        Ok(())
    }

    /// More slices of the last picture, which must have been the last of video that was written: some encoders send each in a
    /// tag of its own. On error nothing has been written.
    pub fn more_video(&mut self, out: &mut BytesMut, avcc: &[u8], config: &AvcConfig) -> Result<(), H264Error> {
        h264::unit_facts(avcc, config.nal_length_size)?;
        let slices = || h264::nal_units(avcc, config.nal_length_size).flatten().filter(|nal| h264::is_slice(nal));
        let total = slices().map(|nal| START_CODE.len() + nal.len()).sum();
        if total == 0 {
            return Ok(());
        }
        // The PES packet of a picture has no stated length: it goes on until the next one begins.
        let mut writer = PayloadWriter::more(out, PID_VIDEO, &mut self.video_counter, total);
        for nal in slices() {
            writer.write(&START_CODE);
            writer.write(nal);
        }
        Ok(())
    }

    /// One raw AAC frame. An empty frame and one that ADTS cannot express ([`aac::FRAME_BYTES_MAX`], which
    /// `codec::flv` enforces) are left out.
    pub fn audio(&mut self, out: &mut BytesMut, dts: MediaTime, frame: &[u8], config: &AacConfig) {
        debug_assert!(self.tracks.is_some_and(|tracks| tracks.audio), "the PMT of this fragment lists no audio");
        let lead = aac::leading_element(config, frame);
        let Some(adts) = aac::adts_header(config, lead.len() + frame.len()).filter(|_| !frame.is_empty()) else {
            return;
        };
        let dts = dts.max(MediaTime::ZERO);
        let audio_only = self.pcr_pid() == PID_AUDIO;
        let clock = self.clock(Track::Audio, dts);
        self.fill_pcr(out, clock);
        let adaptation = if audio_only {
            let pcr = self.take_pcr(clock, AUDIO_PCR_STEP);
            self.adaptation(pcr, self.fragment_is_empty)
        } else {
            // The fragment's first PCR does not wait for its first picture.
            if let Some(pcr) = self.pcr_due.then(|| self.take_pcr(clock, MediaTime(1))).flatten() {
                self.write_pcr_packet(out, pcr);
            }
            Adaptation::default()
        };
        let payload_bytes = adts.len() + lead.len() + frame.len();
        let stamp = wire(dts + DELAY);
        let header = PesHeader::new(STREAM_ID_AUDIO, stamp, stamp, Some(payload_bytes));
        let total = header.as_bytes().len() + payload_bytes;
        let mut writer = PayloadWriter::new(out, PID_AUDIO, &mut self.audio_counter, adaptation, total);
        writer.write(header.as_bytes());
        writer.write(&adts);
        writer.write(lead);
        writer.write(frame);
        self.fragment_is_empty = false;
    }

    fn pcr_pid(&self) -> u16 {
        self.tracks.unwrap_or_default().pcr_pid()
    }

    /// Where the clock may stand when this unit begins: no further than the unit itself, nor than the next one of the other
    /// track; but never further behind than [`LAG_MAX`].
    fn clock(&mut self, track: Track, dts: MediaTime) -> MediaTime {
        let tracks = self.tracks.unwrap_or_default();
        let (own, other, is_alone) = match track {
            Track::Video => (&mut self.video_pace, &mut self.audio_pace, !tracks.audio),
            Track::Audio => (&mut self.audio_pace, &mut self.video_pace, !tracks.video),
        };
        if let Some(last) = own.last.filter(|&last| last < dts) {
            own.interval = (dts - last).min(LAG_MAX);
        }
        own.last = Some(dts);
        if is_alone {
            return dts;
        }
        // A track of which nothing has come yet is taken to begin here.
        let others = *other.last.get_or_insert(dts);
        dts.min(others + other.interval).max(dts.max(others) - LAG_MAX)
    }

    /// Brings the PCR up to less than [`PCR_GAP_MAX`] before `time`, with packets that carry nothing else. Both tracks
    /// drive it, so that a track that falls silent stops no clock.
    fn fill_pcr(&mut self, out: &mut BytesMut, time: MediaTime) {
        let Some(mut last) = self.last_pcr else { return };
        if time - last > PCR_FILL_MAX {
            last = time - PCR_FILL_STEP;
            self.write_pcr_packet(out, last);
        }
        while time - last > PCR_GAP_MAX {
            last = last + PCR_FILL_STEP;
            self.write_pcr_packet(out, last);
        }
    }

    /// The PCR that goes with an access unit, if one should: `step` after the last or when the fragment has none. It
    /// never goes back, also when the other track has driven it past `time`.
    fn take_pcr(&mut self, time: MediaTime, step: MediaTime) -> Option<MediaTime> {
        let pcr = match self.last_pcr {
            None => time,
            Some(last) if time - last >= step => time,
            Some(last) if self.pcr_due => time.max(last + MediaTime(1)),
            Some(_) => return None,
        };
        self.last_pcr = Some(pcr);
        Some(pcr)
    }

    fn adaptation(&mut self, pcr: Option<MediaTime>, random_access: bool) -> Adaptation {
        let discontinuity = pcr.is_some() && std::mem::take(&mut self.discontinuity);
        self.pcr_due &= pcr.is_none();
        // Never negative: decode times are not, and the PCR is one of them or later.
        let pcr = pcr.map(|pcr| wire(pcr) * 300);
        Adaptation { discontinuity, random_access, pcr }
    }

    fn write_pcr_packet(&mut self, out: &mut BytesMut, pcr: MediaTime) {
        self.last_pcr = Some(pcr);
        let adaptation = self.adaptation(Some(pcr), false);
        let pid = self.pcr_pid();
        let counter = if pid == PID_AUDIO { self.audio_counter.last() } else { self.video_counter.last() };
        out.reserve(PACKET_BYTES);
        packet::write_header(out, pid, false, counter, &adaptation, 0);
    }
}

/// 33 bits of a time that is not negative.
fn wire(time: MediaTime) -> u64 {
    time.0 as u64 & TIMESTAMP_MASK
}

/// Spreads the pieces of one PES packet over transport packets.
struct PayloadWriter<'a> {
    out: &'a mut BytesMut,
    pid: u16,
    counter: &'a mut Counter,
    /// Payload bytes that are not yet written.
    left: usize,
    /// Payload bytes that still fit into the open packet.
    room: usize,
}

impl<'a> PayloadWriter<'a> {
    /// Opens the first packet. Exactly `total` bytes must be written.
    fn new(
        out: &'a mut BytesMut,
        pid: u16,
        counter: &'a mut Counter,
        adaptation: Adaptation,
        total: usize,
    ) -> PayloadWriter<'a> {
        let after_first = total.saturating_sub(packet::payload_room(&adaptation));
        out.reserve((1 + after_first.div_ceil(BODY_BYTES)) * PACKET_BYTES);
        let room = packet::write_header(out, pid, true, counter.next(), &adaptation, total);
        PayloadWriter { out, pid, counter, left: total, room }
    }

    /// Goes on with a PES packet whose last transport packet was full or stuffed.
    fn more(out: &'a mut BytesMut, pid: u16, counter: &'a mut Counter, total: usize) -> PayloadWriter<'a> {
        out.reserve(total.div_ceil(BODY_BYTES) * PACKET_BYTES);
        PayloadWriter { out, pid, counter, left: total, room: 0 }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.room == 0 {
                let none = Adaptation::default();
                self.room = packet::write_header(self.out, self.pid, false, self.counter.next(), &none, self.left);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            self.out.put_slice(now);
            self.room -= now.len();
            self.left -= now.len();
            bytes = later;
        }
    }
}

/// An access unit that has been read once, so that writing it cannot fail.
struct AnnexBUnit<'a> {
    nals: h264::NalUnits<'a>,
    /// Set where its parameter sets are written too.
    config: Option<&'a AvcConfig>,
    in_band: InBandSets,
    /// Bytes that [`AnnexBUnit::emit`] gives out.
    bytes: usize,
}

/// Which parameter sets the access unit brings itself, by id.
#[derive(Default)]
struct InBandSets {
    any: bool,
    sps: u32,
    pps: [u64; 4],
}

impl InBandSets {
    fn add(&mut self, nal: &[u8]) {
        match h264::nal_type(nal) {
            NAL_SPS => {
                self.any = true;
                self.sps |= h264::sps_id(nal).map_or(0, |id| 1 << id);
            }
            NAL_PPS => {
                self.any = true;
                if let Some(id) = h264::pps_id(nal) {
                    self.pps[usize::from(id / 64)] |= 1 << (id % 64);
                }
            }
            _ => {}
        }
    }

    fn has_sps(&self, nal: &[u8]) -> bool {
        self.any && h264::sps_id(nal).is_some_and(|id| self.sps >> id & 1 == 1)
    }

    fn has_pps(&self, nal: &[u8]) -> bool {
        self.any && h264::pps_id(nal).is_some_and(|id| self.pps[usize::from(id / 64)] >> (id % 64) & 1 == 1)
    }
}

impl<'a> AnnexBUnit<'a> {
    fn scan(avcc: &'a [u8], config: Option<&'a AvcConfig>, nal_length_size: u8) -> Result<Self, H264Error> {
        let facts = h264::unit_facts(avcc, nal_length_size)?;
        if facts.nal_units == 0 {
            return Err(H264Error::Malformed { at: 0, what: "no NAL unit" });
        }
        let nals = h264::nal_units(avcc, nal_length_size);
        let mut in_band = InBandSets::default();
        nals.clone().flatten().for_each(|nal| in_band.add(nal));
        let mut unit = AnnexBUnit { nals, config, in_band, bytes: 0 };
        let mut bytes = 0;
        unit.emit(&mut |piece| bytes += piece.len());
        unit.bytes = bytes;
        Ok(unit)
    }

    /// Gives out the access unit in Annex B framing, piece by piece.
    fn emit(&self, sink: &mut impl FnMut(&[u8])) {
        sink(&LONG_START_CODE);
        sink(&DELIMITER);
        let (sps, pps) = self.config.map_or((&[][..], &[][..]), |config| (&config.sps[..], &config.pps[..]));
        for set in sps.iter().filter(|set| !self.in_band.has_sps(set)) {
            sink(&LONG_START_CODE);
            sink(set);
        }
        self.emit_in_band(NAL_SPS, sink);
        for set in pps.iter().filter(|set| !self.in_band.has_pps(set)) {
            sink(&LONG_START_CODE);
            sink(set);
        }
        self.emit_in_band(NAL_PPS, sink);
        for nal in self.nals.clone().flatten() {
            if !matches!(h264::nal_type(nal), NAL_SPS | NAL_PPS | NAL_AUD) {
                sink(&START_CODE);
                sink(nal);
            }
        }
    }

    fn emit_in_band(&self, wanted: u8, sink: &mut impl FnMut(&[u8])) {
        if !self.in_band.any {
            return;
        }
        for nal in self.nals.clone().flatten().filter(|nal| h264::nal_type(nal) == wanted) {
            sink(&LONG_START_CODE);
            sink(nal);
        }
    }
}
