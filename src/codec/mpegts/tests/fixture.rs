//! A muxer to feed and helpers to look at what it wrote.

use bytes::{Bytes, BytesMut};

use crate::codec::mpegts::check::{Checker, Expectation, FaultKind, Report};
use crate::codec::mpegts::demux::{PesUnit, demux, packets};
use crate::codec::mpegts::mux::TsMuxer;
use crate::codec::{aac, h264};
use crate::media::{AacConfig, AvcConfig, MediaTime};

pub(super) const UNIT_BYTES_MAX: usize = 1 << 20;
/// SPS and PPS with id 0.
pub(super) const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x40];
pub(super) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
pub(super) const IDR: &[u8] = &[0x65, 0x88, 0x84];
pub(super) const SLICE: &[u8] = &[0x41, 0x9a, 0x02];

pub(super) fn avc() -> AvcConfig {
    AvcConfig {
        nal_length_size: 4,
        sps: vec![Bytes::from_static(SPS)],
        pps: vec![Bytes::from_static(PPS)],
        width: 640,
        height: 480,
        frame_rate_millihertz: None,
    }
}

pub(super) fn aac() -> AacConfig {
    aac::parse_audio_specific_config(&Bytes::from_static(&[0x12, 0x10])).expect("LC 44.1 kHz stereo")
}

/// AVCC framing with 4-byte lengths.
pub(super) fn avcc(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat()).collect()
}

pub(super) fn millis(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// A muxer with the buffer that it writes into.
pub(super) struct Fixture {
    pub(super) muxer: TsMuxer,
    pub(super) out: BytesMut,
}

impl Fixture {
    pub(super) fn new(video: bool, audio: bool) -> Self {
        let mut fixture = Fixture { muxer: TsMuxer::new(), out: BytesMut::new() };
        fixture.muxer.begin_fragment(&mut fixture.out, video, audio);
        fixture
    }

    pub(super) fn picture(&mut self, dts: MediaTime, pts: MediaTime, keyframe: bool, nals: &[&[u8]]) {
        self.muxer.video(&mut self.out, dts, pts, keyframe, &avcc(nals), &avc()).expect("legal access unit");
    }

    pub(super) fn sound(&mut self, dts: MediaTime, frame: &[u8]) {
        self.muxer.audio(&mut self.out, dts, frame, &aac());
    }

    /// Ends the fragment and begins the next.
    pub(super) fn cut(&mut self, video: bool, audio: bool) -> Vec<u8> {
        let fragment = self.out.split().to_vec();
        self.muxer.begin_fragment(&mut self.out, video, audio);
        fragment
    }

    pub(super) fn end(self) -> Vec<u8> {
        self.out.to_vec()
    }
}

pub(super) fn units(fragment: &[u8]) -> Vec<PesUnit> {
    demux(fragment, UNIT_BYTES_MAX).expect("own output").1
}

pub(super) fn nal_types(unit: &PesUnit) -> Vec<u8> {
    h264::annex_b_nal_units(&unit.data).map(h264::nal_type).collect()
}

pub(super) fn check(fragments: &[&[u8]]) -> Report {
    let mut checker = Checker::new();
    fragments.iter().for_each(|fragment| checker.fragment(fragment, Expectation::default()));
    checker.finish()
}

pub(super) fn faults(report: &Report) -> Vec<FaultKind> {
    report.faults.iter().map(|fault| fault.kind).collect()
}

/// PCRs of a fragment in ticks of 90 kHz.
pub(super) fn pcrs(fragment: &[u8]) -> Vec<u64> {
    packets(fragment)
        .filter_map(|(_, packet)| packet.expect("own output").adaptation.pcr)
        .map(|pcr| pcr / 300)
        .collect()
}
