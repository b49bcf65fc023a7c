use bytes::Bytes;
use proptest::prelude::*;

use super::check::{Checker, Expectation, FaultKind};
use super::demux::{PesUnit, demux, packets};
use super::mux::DELAY;
use super::*;
use crate::codec::aac::ADTS_HEADER_BYTES;
use crate::codec::flv::{FlvEvent, FlvReader, FlvTags, TagKind};
use crate::codec::h264::{self, H264Error, NAL_AUD, NAL_PPS, NAL_SEI, NAL_SPS};
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime};

mod checker;
mod clock;
mod fixture;

use fixture::*;

#[test]
fn one_keyframe_byte_for_byte() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(MediaTime(0), MediaTime(6_000), true, &[IDR]);
    let out = fixture.end();
    assert_eq!(out.len(), 3 * PACKET_BYTES);
    let (pat, rest) = out.split_at(PACKET_BYTES);
    let (pmt, picture) = rest.split_at(PACKET_BYTES);
    let pat_head = hex::decode("474000100000b00d0001c100000001f0002ab104b2").expect("hex");
    assert_eq!(pat[..pat_head.len()], pat_head[..]);
    assert!(pat[pat_head.len()..].iter().all(|&byte| byte == 0xff));
    let pmt_head = hex::decode("475000100002b0120001c10000e100f0001be100f00015bd4d56").expect("hex");
    assert_eq!(pmt[..pmt_head.len()], pmt_head[..]);
    // Header, adaptation field of 0x83 bytes with random access and PCR 0, stuffing.
    let head = hex::decode("474100308350000000007e00").expect("hex");
    assert_eq!(picture[..head.len()], head[..]);
    let (stuffing, payload) = picture[head.len()..].split_at(0x83 - 7);
    assert!(stuffing.iter().all(|&byte| byte == 0xff));
    // PES header of open length with PTS 69 000 and DTS 63 000, then delimiter, SPS, PPS, slice.
    let pes = hex::decode("000001e0000084c00a3100051b11110003ec31").expect("hex");
    let unit = [&[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1][..], SPS, &[0, 0, 0, 1], PPS, &[0, 0, 1], IDR].concat();
    assert_eq!(payload, [pes, unit].concat());
}

#[test]
fn capture_survives_mux_and_demux() {
    for (capture, video, audio) in [
        (&include_bytes!("../../../tests/golden/ffmpeg_h264_bframes_aac.flv")[..], true, true),
        (include_bytes!("../../../tests/golden/ffmpeg_h264_only.flv"), true, false),
        (include_bytes!("../../../tests/golden/ffmpeg_aac_only.flv"), false, true),
    ] {
        let source = Source::read(capture);
        let fragments = source.fragments(video, audio);
        let slices: Vec<_> = fragments.iter().map(Vec::as_slice).collect();
        let report = check(&slices);
        assert_eq!(report.faults, []);
        for track in [Track::Video, Track::Audio] {
            let sent: Vec<_> = source.units.iter().filter(|unit| unit.track == track).collect();
            let got: Vec<_> = fragments.iter().flat_map(|fragment| units(fragment)).collect();
            let got: Vec<_> = got.iter().filter(|unit| unit.track == Some(track)).collect();
            assert_eq!(got.len(), sent.len());
            for (sent, got) in sent.iter().zip(got) {
                source.assert_same(sent, got);
            }
        }
        // What a playlist says of the fragments is what is in them.
        let starts: Vec<_> = report.fragments.iter().map(|fragment| fragment.start().expect("not empty")).collect();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == millis(2_000) || !video), "{starts:?}");
    }
}

/// What a capture holds, read by `codec::flv`.
struct Source {
    avc: AvcConfig,
    aac: AacConfig,
    units: Vec<AccessUnit>,
}

impl Source {
    fn read(capture: &'static [u8]) -> Self {
        let mut reader = FlvReader::new();
        let mut source = Source { avc: avc(), aac: aac(), units: Vec::new() };
        for tag in FlvTags::new(Bytes::from_static(capture)).expect("FLV") {
            let tag = tag.expect("whole");
            let event = match tag.kind {
                TagKind::Video => reader.video(tag.timestamp, &tag.body),
                TagKind::Audio => reader.audio(tag.timestamp, &tag.body),
                TagKind::Script => continue,
            };
            match event.expect("readable") {
                FlvEvent::Config(CodecConfig::Avc(config)) => source.avc = config,
                FlvEvent::Config(CodecConfig::Aac(config)) => source.aac = config,
                FlvEvent::Unit(unit) => source.units.push(unit),
                FlvEvent::Reconfigured(..) => panic!("the capture's parameter sets stay"),
                FlvEvent::Nothing => {}
            }
        }
        source
    }

    fn dts(unit: &AccessUnit) -> MediaTime {
        match unit.time {
            SourceTime::Rtmp(time) => millis(i64::from(time)),
            SourceTime::Ticks(time) => time,
        }
    }

    /// Muxed with a cut at every keyframe, or every two seconds of sound.
    fn fragments(&self, video: bool, audio: bool) -> Vec<Vec<u8>> {
        let mut fixture = Fixture::new(video, audio);
        let mut fragments = Vec::new();
        let mut began = MediaTime::ZERO;
        for unit in &self.units {
            let dts = Self::dts(unit);
            if unit.keyframe && dts > began || !video && dts - began >= millis(2_000) {
                fragments.push(fixture.cut(video, audio));
                began = dts;
            }
            let Fixture { muxer, out } = &mut fixture;
            match unit.track {
                Track::Video => {
                    let pts = dts + unit.composition_offset;
                    muxer.video(out, dts, pts, unit.keyframe, &unit.payload, &self.avc).expect("legal");
                }
                Track::Audio => muxer.audio(out, dts, &unit.payload, &self.aac),
            }
        }
        fragments.push(fixture.end());
        fragments
    }

    fn assert_same(&self, sent: &AccessUnit, got: &PesUnit) {
        let dts = Self::dts(sent) + DELAY;
        assert_eq!(got.dts, Some(dts.0 as u64));
        assert_eq!(got.pts, Some((dts + sent.composition_offset).0 as u64));
        match sent.track {
            Track::Audio => assert_eq!(got.data[ADTS_HEADER_BYTES..], sent.payload[..]),
            Track::Video => {
                let nals = h264::nal_units(&sent.payload, self.avc.nal_length_size).map(|nal| nal.expect("legal"));
                let parameters = [&self.avc.sps[0][..], &self.avc.pps[0]];
                let parameters = parameters.into_iter().filter(|_| sent.keyframe);
                let expected: Vec<_> = [&[NAL_AUD, 0xf0][..]].into_iter().chain(parameters).chain(nals).collect();
                assert_eq!(h264::annex_b_nal_units(&got.data).collect::<Vec<_>>(), expected);
                assert_eq!(got.random_access, sent.keyframe);
            }
        }
    }
}

#[test]
fn another_demuxer_agrees() {
    use mpeg2ts::pes::{PesPacketReader, ReadPesPacket};
    use mpeg2ts::ts::TsPacketReader;
    let source = Source::read(include_bytes!("../../../tests/golden/ffmpeg_h264_bframes_aac.flv"));
    let whole = source.fragments(true, true).concat();
    let mut reader = PesPacketReader::new(TsPacketReader::new(&whole[..]));
    let mut theirs = Vec::new();
    while let Some(packet) = reader.read_pes_packet().expect("readable") {
        let pts = packet.header.pts.expect("every PES has a PTS").as_u64();
        let dts = packet.header.dts.map_or(pts, |dts| dts.as_u64());
        theirs.push((packet.header.stream_id.as_u8(), pts, dts, packet.data));
    }
    let mut ours: Vec<_> = units(&whole)
        .into_iter()
        .map(|unit| (unit.stream_id, unit.pts.expect("PTS"), unit.dts.expect("DTS"), unit.data))
        .collect();
    ours.sort();
    theirs.sort();
    assert_eq!(ours.len(), 180 + 518);
    assert!(ours == theirs, "same PES packets");
}

#[test]
fn stuffing_is_right_at_every_payload_size() {
    for size in 1..=400usize {
        let frame: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let nal = [&[0x41][..], &vec![0x55; size]].concat();
        let mut fixture = Fixture::new(true, true);
        fixture.picture(MediaTime(0), MediaTime(0), true, &[IDR]);
        fixture.sound(MediaTime(0), &frame);
        fixture.picture(MediaTime(3_000), MediaTime(4_000), false, &[&nal]);
        let out = fixture.end();
        assert_eq!(out.len() % PACKET_BYTES, 0);
        let units = units(&out);
        assert_eq!(units[1].data[ADTS_HEADER_BYTES..], frame[..], "audio of {size} bytes");
        assert_eq!(units[2].data, [&[0, 0, 0, 1, 9, 0xf0, 0, 0, 1][..], &nal].concat(), "video of {size} bytes");
    }
    let mut fixture = Fixture::new(false, true);
    fixture.sound(MediaTime(0), &[]);
    assert_eq!(fixture.end().len(), 2 * PACKET_BYTES, "an empty frame is no access unit");
}

#[test]
fn audio_only_stuffing_with_a_pcr_in_the_packet() {
    for size in 1..=400usize {
        let mut fixture = Fixture::new(false, true);
        fixture.sound(MediaTime(0), &vec![0x21; size]);
        let out = fixture.end();
        assert_eq!(units(&out)[0].data.len(), size + ADTS_HEADER_BYTES);
        assert_eq!(faults(&check(&[&out])), [], "{size} bytes");
    }
}

#[test]
fn parameter_sets_stand_between_delimiter_and_sei() {
    let sei: &[u8] = &[NAL_SEI, 5, 1, 0xaa, 0x80];
    let mut fixture = Fixture::new(true, false);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[sei, IDR]);
    fixture.picture(MediaTime(3_000), MediaTime(3_000), false, &[sei, SLICE]);
    let out = fixture.end();
    let units = units(&out);
    assert_eq!(nal_types(&units[0]), [NAL_AUD, NAL_SPS, NAL_PPS, NAL_SEI, 5]);
    assert_eq!(nal_types(&units[1]), [NAL_AUD, NAL_SEI, 1]);
    assert_eq!(faults(&check(&[&out])), []);
}

#[test]
fn a_fragment_without_a_keyframe_has_parameter_sets_on_its_first_picture() {
    let mut fixture = Fixture::new(true, false);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[IDR]);
    fixture.cut(true, false);
    fixture.picture(MediaTime(3_000), MediaTime(3_000), false, &[SLICE]);
    fixture.picture(MediaTime(6_000), MediaTime(6_000), false, &[SLICE]);
    let units = units(&fixture.end());
    assert_eq!(nal_types(&units[0]), [NAL_AUD, NAL_SPS, NAL_PPS, 1]);
    assert_eq!(nal_types(&units[1]), [NAL_AUD, 1]);
}

#[test]
fn parameter_sets_in_band_win_and_are_written_once() {
    let sei: &[u8] = &[NAL_SEI, 5, 1, 0xaa, 0x80];
    let sps: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x02, 0x80, 0xf6, 0x40]; // id 0, another level
    let pps: &[u8] = &[0x68, 0xce, 0x3c, 0x81];
    let other_pps: &[u8] = &[0x68, 0x4e, 0x3c, 0x80]; // id 1
    let mut fixture = Fixture::new(true, false);
    fixture.picture(MediaTime(0), MediaTime(0), true, &[&[9, 0x10], sei, sps, pps, IDR]);
    fixture.picture(MediaTime(3_000), MediaTime(3_000), true, &[sps, IDR]);
    fixture.picture(MediaTime(6_000), MediaTime(6_000), true, &[other_pps, IDR]);
    fixture.picture(MediaTime(9_000), MediaTime(9_000), false, &[sei, pps, SLICE]);
    let out = fixture.end();
    let units = units(&out);
    let nals = |index: usize| h264::annex_b_nal_units(&units[index].data).skip(1).collect::<Vec<_>>();
    assert_eq!(nals(0), [sps, pps, sei, IDR], "those of the access unit replace ours; its own delimiter is dropped");
    assert_eq!(nals(1), [sps, PPS, IDR], "each kind by itself");
    assert_eq!(nals(2), [SPS, PPS, other_pps, IDR], "another id adds to ours");
    assert_eq!(nals(3), [pps, sei, SLICE], "nothing of ours without a keyframe");
    // Such changes are the caller's to cut at.
    assert_eq!(faults(&check(&[&out])), [FaultKind::ConfigChanged(Track::Video); 2]);
}

#[test]
fn more_slices_go_on_with_the_picture() {
    for bytes in [1, 100, 170, 184, 500] {
        let mut fixture = Fixture::new(true, true);
        fixture.picture(millis(0), millis(0), true, &[IDR]);
        fixture.sound(millis(0), &[0x21; 80]);
        let second = [&[0x65, 0x45][..], &vec![0x55; bytes]].concat();
        let Fixture { muxer, out } = &mut fixture;
        muxer.more_video(out, &avcc(&[&[NAL_AUD, 0xf0], SPS, &second]), &avc()).expect("legal");
        muxer.more_video(out, &avcc(&[&second, &second]), &avc()).expect("legal");
        let before = out.len();
        assert!(muxer.more_video(out, &[0, 0, 0, 9, 1], &avc()).is_err());
        muxer.more_video(out, &avcc(&[&[NAL_SEI, 1]]), &avc()).expect("nothing to write");
        assert_eq!(out.len(), before);
        fixture.picture(millis(40), millis(40), false, &[SLICE]);
        let out = fixture.end();
        assert_eq!(faults(&check(&[&out])), [], "{bytes} bytes");
        let units = units(&out);
        assert_eq!(nal_types(&units[0]), [9, 7, 8, 5, 5, 5, 5], "one access unit");
        let last = h264::annex_b_nal_units(&units[0].data).last().map(<[u8]>::to_vec);
        assert_eq!((last, units.len()), (Some(second), 3));
    }
}

#[test]
fn hostile_access_unit_writes_nothing() {
    let mut fixture = Fixture::new(true, false);
    let before = fixture.out.clone();
    let truncated = [&avcc(&[SPS, IDR])[..], &[0, 0, 9]].concat();
    for (bytes, expected) in [
        (&truncated[..], H264Error::Truncated { at: 20, what: "NAL length" }),
        (&[0, 0, 0, 0], H264Error::Malformed { at: 0, what: "no NAL unit" }),
        (&[], H264Error::Malformed { at: 0, what: "no NAL unit" }),
        (&[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65], H264Error::AnnexB),
    ] {
        let result = fixture.muxer.video(&mut fixture.out, MediaTime(0), MediaTime(0), true, bytes, &avc());
        assert_eq!(result, Err(expected));
        assert_eq!(fixture.out, before);
    }
}

#[test]
fn counters_go_on_over_fragments_on_every_pid() {
    let mut fixture = Fixture::new(true, true);
    let mut fragments = Vec::new();
    for number in 0..20 {
        fixture.picture(millis(number * 40), millis(number * 40), true, &[IDR]);
        fixture.sound(millis(number * 40 + 5), &[0x21; 300]);
        fragments.push(fixture.cut(true, true));
    }
    let slices: Vec<_> = fragments.iter().map(Vec::as_slice).collect();
    assert_eq!(faults(&check(&slices)), []);
    let (_, pat) = packets(&fragments[17]).next().expect("PAT");
    assert_eq!(pat.expect("readable").counter, 1, "17 fragments later, modulo 16");
    let dropped: Vec<_> = [0, 2].into_iter().map(|index| slices[index]).collect();
    let pids = [0, 0x1000, 0x100, 0x101];
    let found = faults(&check(&dropped));
    for pid in pids {
        assert!(
            found.iter().any(|fault| matches!(fault, FaultKind::Continuity { pid: at, .. } if *at == pid)),
            "PID {pid:#x} goes on"
        );
    }
}

/// Four fragments of 6 s: 2.5 Mbit/s of pictures, 25 a second, and 128 kbit/s of sound.
#[test]
fn packets_cost_less_than_seven_percent_of_the_media() {
    let mut fixture = Fixture::new(true, true);
    let (mut media, mut stored, mut tables) = (0, 0, 0);
    let (slice, frame) = ([&IDR[..2], &[0x5a; 12_498]].concat(), [0x21; 371]);
    let mut frames = 0;
    for picture in 0..600i64 {
        let at = millis(40 * picture);
        if picture > 0 && picture % 150 == 0 {
            stored += fixture.cut(true, true).len();
        }
        while MediaTime(frames * 1_024 * 90_000 / 44_100) < at {
            fixture.sound(MediaTime(frames * 1_024 * 90_000 / 44_100), &frame);
            (frames, media) = (frames + 1, media + frame.len());
        }
        fixture.picture(at, at, picture % 50 == 0, &[&slice]);
        media += slice.len();
        if picture % 150 == 149 {
            let ids = packets(&fixture.out).map(|(_, packet)| packet.expect("own").pid);
            tables += ids.filter(|&pid| pid != PID_VIDEO && pid != PID_AUDIO).count();
        }
    }
    stored += fixture.end().len();
    assert_eq!(tables, 4 * 2, "PAT and PMT once a fragment");
    let permille = (stored - media) * 1_000 / media;
    assert!((30..70).contains(&permille), "{permille} permille: {stored} bytes for {media}");
}

#[test]
fn pmt_lists_the_tracks_there_are_and_its_version_follows_them() {
    let mut fixture = Fixture::new(true, false);
    let mut programs = Vec::new();
    for (video, audio) in [(true, true), (true, true), (false, true), (true, false)] {
        programs.push(demux(&fixture.cut(video, audio), UNIT_BYTES_MAX).expect("tables").0.expect("PMT"));
    }
    let facts: Vec<_> = programs
        .iter()
        .map(|program| {
            let pids: Vec<_> = program.streams.iter().map(|stream| (stream.stream_type, stream.pid)).collect();
            (program.version, program.pcr_pid, pids)
        })
        .collect();
    let (video, audio) = ((0x1b, 0x100), (0x0f, 0x101));
    assert_eq!(
        facts,
        [
            (0, 0x100, vec![video]),
            (1, 0x100, vec![video, audio]),
            (1, 0x100, vec![video, audio]),
            (2, 0x101, vec![audio])
        ]
    );
}

#[test]
fn the_map_of_an_open_fragment_lists_what_has_come() {
    let mut fixture = Fixture::new(true, true);
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    fixture.muxer.relist(&mut fixture.out, true, false);
    let alone = fixture.cut(true, false);
    fixture.picture(millis(40), millis(40), true, &[IDR]);
    fixture.muxer.relist(&mut fixture.out, true, true);
    fixture.sound(millis(40), &[0x21; 80]);
    let both = fixture.end();
    // What a fragment lists without the track would be a fault, and so would a counter that does not go on.
    assert_eq!(faults(&check(&[&alone])), []);
    assert_eq!(faults(&check(&[&both])), []);
    let counters = |kind: &FaultKind| matches!(kind, FaultKind::Continuity { .. });
    assert!(!faults(&check(&[&alone, &both])).iter().any(counters));
}

#[test]
fn discontinuity_indicator_stands_only_where_it_was_asked_for() {
    let marked =
        |fragment: &[u8]| packets(fragment).filter(|(_, packet)| packet.expect("own").adaptation.discontinuity).count();
    let mut fixture = Fixture::new(true, true);
    fixture.picture(millis(5_000), millis(5_000), true, &[IDR]);
    let first = fixture.cut(true, true);
    fixture.muxer.mark_discontinuity();
    fixture.picture(millis(0), millis(0), true, &[IDR]);
    fixture.sound(millis(0), &[0x21; 80]);
    fixture.picture(millis(40), millis(40), false, &[SLICE]);
    let second = fixture.end();
    assert_eq!((marked(&first), marked(&second)), (0, 1));
    let mut checker = Checker::new();
    checker.fragment(&first, Expectation::default());
    checker.fragment(&second, Expectation { discontinuity: true, ..Expectation::default() });
    assert_eq!(faults(&checker.finish()), []);
    assert!(faults(&check(&[&first, &second])).contains(&FaultKind::Discontinuity));
}

/// One access unit of a random stream: track, step of time, composition offset, keyframe, payload.
type Step = (bool, i64, i64, bool, Vec<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payload = prop::collection::vec(1u8.., 1..900);
    prop::collection::vec((any::<bool>(), 1i64..60_000, 0i64..30_000, any::<bool>(), payload), 1..40)
}

proptest! {
    /// Whatever comes in comes out again, and the checker finds nothing to complain of but what the input itself does.
    #[test]
    fn mux_then_demux_is_the_same(steps in steps(), start in prop_oneof![Just(0i64), Just((1i64 << 33) - 200_000)]) {
        let mut fixture = Fixture::new(true, true);
        let (mut dts, mut sent) = (start, Vec::new());
        for (index, (is_audio, step, offset, keyframe, payload)) in steps.iter().enumerate() {
            dts += step;
            if *is_audio && index > 0 {
                fixture.sound(MediaTime(dts), payload);
                sent.push((Track::Audio, dts, dts, payload.clone()));
            } else {
                let nal = [&[0x41][..], payload].concat();
                fixture.picture(MediaTime(dts), MediaTime(dts + offset), *keyframe || index == 0, &[&nal]);
                sent.push((Track::Video, dts, dts + offset, nal));
            }
        }
        let out = fixture.end();
        let got = units(&out);
        prop_assert_eq!(got.len(), sent.len());
        for (got, (track, dts, pts, payload)) in got.iter().zip(&sent) {
            let wire = |time: &i64| Some((time + DELAY.0) as u64 & TIMESTAMP_MASK);
            prop_assert_eq!((got.track, got.dts, got.pts), (Some(*track), wire(dts), wire(pts)));
            let carried = match track {
                Track::Video => h264::annex_b_nal_units(&got.data).last().expect("a slice"),
                Track::Audio => &got.data[ADTS_HEADER_BYTES..],
            };
            prop_assert_eq!(carried, &payload[..]);
        }
        let has_audio = sent.iter().any(|(track, ..)| *track == Track::Audio);
        let report = check(&[&out]);
        let unexpected = report.faults.iter().filter(|fault| has_audio || fault.kind != FaultKind::Absent { pid: 0x101 });
        prop_assert_eq!(unexpected.count(), 0, "{:?}", report.faults);
    }

    #[test]
    fn hostile_access_units_write_whole_packets_or_nothing(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..8, any::<u8>()], 0..300),
        size in 0u8..6, keyframe in any::<bool>(),
    ) {
        let mut fixture = Fixture::new(true, false);
        let before = fixture.out.len();
        let config = AvcConfig { nal_length_size: size, ..avc() };
        let result = fixture.muxer.video(&mut fixture.out, MediaTime(0), MediaTime(0), keyframe, &bytes, &config);
        let written = fixture.out.len() - before;
        prop_assert_eq!(written % PACKET_BYTES, 0);
        prop_assert_eq!(result.is_ok(), written > 0);
    }

    #[test]
    fn any_fragment_is_answered(
        mut bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let _ = demux(&bytes, UNIT_BYTES_MAX);
        let _ = check(&[&bytes]);
        for at in (0..bytes.len()).step_by(PACKET_BYTES) {
            bytes[at] = 0x47;
        }
        let _ = demux(&bytes, UNIT_BYTES_MAX);
        let mut damaged = checker::clean();
        for (at, to) in changes {
            let at = at.index(damaged.len());
            damaged[at] = to;
        }
        let _ = demux(&damaged, UNIT_BYTES_MAX);
        let _ = check(&[&damaged, &bytes]);
    }
}
