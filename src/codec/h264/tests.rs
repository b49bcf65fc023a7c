use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};
use proptest::prelude::*;

use super::*;

/// Writes Exp-Golomb fields into a NAL unit, with emulation prevention.
#[derive(Default)]
struct SpsWriter {
    bits: Vec<bool>,
}

impl SpsWriter {
    fn u(mut self, value: u64, count: usize) -> Self {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u64) -> Self {
        let code = value + 1;
        let length = (u64::BITS - code.leading_zeros()) as usize;
        self.u(code, 2 * length - 1)
    }

    fn nal(self, header: u8) -> Vec<u8> {
        let mut nal = vec![header];
        let bits = self.u(1, 1).bits;
        let mut zeros = 0;
        for byte in bits.chunks(8) {
            let byte = byte.iter().enumerate().fold(0u8, |all, (index, bit)| all | u8::from(*bit) << (7 - index));
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal
    }
}

/// Baseline SPS up to the frame_mbs_only flag, for pictures of `width` by `height` macroblocks.
fn baseline(width_in_mbs: u64, height_in_map_units: u64) -> SpsWriter {
    let head = SpsWriter::default().u(66, 8).u(0xc0, 8).u(51, 8);
    head.ue(0).ue(0).ue(2).ue(1).u(0, 1).ue(width_in_mbs - 1).ue(height_in_map_units - 1)
}

/// As the `h264-reader` crate understands it.
fn reference(nal: &[u8]) -> Option<SpsFacts> {
    let rbsp = decode_nal(nal).ok()?;
    let sps = SeqParameterSet::from_bits(BitReader::new(&*rbsp)).ok()?;
    let (width, height) = sps.pixel_dimensions().ok()?;
    let frame_rate_millihertz = sps.fps().map(|rate| (rate * 1_000.0).round() as u32);
    Some(SpsFacts { width, height, frame_rate_millihertz })
}

#[test]
fn picture_size_after_cropping_and_rate() {
    let check = |nal: &[u8], width, height, frame_rate_millihertz| {
        let expected = SpsFacts { width, height, frame_rate_millihertz };
        assert_eq!(sps_facts(nal), Ok(expected), "{nal:02x?}");
        assert_eq!(reference(nal), Some(expected), "{nal:02x?}");
    };
    // 640x480 progressive, no cropping, no VUI.
    check(&baseline(40, 30).u(0b1_1_0_0, 4).nal(0x67), 640, 480, None);
    // 1920x1080: 68 rows of macroblocks, 8 lines cropped.
    let cropped = |writer: SpsWriter| writer.u(0b1_1_1, 3).ue(0).ue(0).ue(0).ue(4);
    check(&cropped(baseline(120, 68)).u(0, 1).nal(0x67), 1920, 1080, None);
    // Interlaced 1920x1080: map units are field pairs, cropping counts double.
    let interlaced = baseline(120, 34).u(0b0_0_1_1, 4).ue(0).ue(0).ue(0).ue(2);
    check(&interlaced.u(0, 1).nal(0x67), 1920, 1080, None);
    // 29.97/s behind an extended sample aspect ratio, video signal type and chroma location.
    let vui = cropped(baseline(120, 68)).u(1, 1).u(1, 1).u(255, 8).u(1, 16).u(1, 16).u(0b1_1, 2);
    let vui = vui.u(1, 1).u(5, 3).u(0b0_1, 2).u(0x010101, 24).u(1, 1).ue(0).ue(0);
    let vui = vui.u(1, 1).u(1001, 32).u(60_000, 32).u(1, 1);
    check(&vui.u(0b0_0_0_0, 4).nal(0x67), 1920, 1080, Some(29_970));
}

#[test]
fn high_profile_with_scaling_lists_and_picture_order_type_1() {
    let head = SpsWriter::default().u(100, 8).u(0, 8).u(40, 8).ue(0).ue(1).ue(0).ue(0).u(0, 1).u(1, 1);
    // One 4x4 list that ends at once (delta -8), one 8x8 list of 64 zero deltas, the others absent.
    let lists = head.u(1, 1).ue(16).u(0, 5).u(1, 1);
    let lists = (0..64).fold(lists, |writer, _| writer.ue(0)).u(0, 1);
    let order = lists.ue(0).ue(1).u(1, 1).ue(3).ue(4).ue(2).ue(1).ue(2);
    let nal = order.ue(4).u(0, 1).ue(19).ue(14).u(0b1_1_0_0, 4).nal(0x67);
    let expected = SpsFacts { width: 320, height: 240, frame_rate_millihertz: None };
    assert_eq!(sps_facts(&nal), Ok(expected));
    assert_eq!(reference(&nal), Some(expected));
}

#[test]
fn a_broken_vui_costs_only_the_rate() {
    let nal = baseline(40, 30).u(0b1_1_0_1, 4).u(1, 1).nal(0x67); // aspect ratio announced, then the end
    assert_eq!(sps_facts(&nal), Ok(SpsFacts { width: 640, height: 480, frame_rate_millihertz: None }));
    let zero_tick = baseline(40, 30).u(0b1_1_0_1, 4).u(0b0_0_0_0_1, 5).u(0, 32).u(60_000, 32).u(0, 6).nal(0x67);
    assert_eq!(sps_facts(&zero_tick).expect("size stands").frame_rate_millihertz, None);
    let absurd = baseline(40, 30).u(0b1_1_0_1, 4).u(0b0_0_0_0_1, 5).u(1, 32).u(0xffff_ffff, 32).u(0, 6).nal(0x67);
    assert_eq!(sps_facts(&absurd).expect("size stands").frame_rate_millihertz, None);
}

#[test]
fn absurd_parameter_sets_are_refused() {
    let no_picture = baseline(1, 1).u(0b1_1_1, 3).ue(8).ue(0).ue(0).ue(0).u(0, 1).nal(0x67);
    assert_eq!(sps_facts(&no_picture).expect_err("nothing left").what(), "cropping leaves no picture");
    assert_eq!(
        sps_facts(&baseline(4_000, 1).u(0b1_1_0_0, 4).nal(0x67)).expect_err("wide").what(),
        "pic_width_in_mbs_minus1"
    );
    assert_eq!(sps_facts(&[0x67]), Err(H264Error::Truncated { at: 1, what: "parameter set" }));
    let zeros = [&[0x67, 66, 0, 30][..], &[0; 64]].concat();
    assert_eq!(sps_facts(&zeros).expect_err("endless code").what(), "Exp-Golomb code too long");
}

fn record(length_size: u8, sps: &[&[u8]], pps: &[&[u8]]) -> Bytes {
    let mut out = vec![1, 66, 0, 30, 0xfc | (length_size - 1), 0xe0 | sps.len() as u8];
    let sets = |sets: &[&[u8]], out: &mut Vec<u8>| {
        for set in sets {
            out.extend((set.len() as u16).to_be_bytes());
            out.extend_from_slice(set);
        }
    };
    sets(sps, &mut out);
    out.push(pps.len() as u8);
    sets(pps, &mut out);
    out.into()
}

fn sps() -> Vec<u8> {
    baseline(40, 30).u(0b1_1_0_0, 4).nal(0x67)
}

#[test]
fn configuration_record() {
    let (sps, pps) = (sps(), [0x68, 0xce, 0x3c, 0x80]);
    for length_size in [1, 2, 4] {
        let config = parse_decoder_config(&record(length_size, &[&sps, &sps], &[&pps])).expect("legal");
        assert_eq!((config.nal_length_size, config.width, config.height), (length_size, 640, 480));
        assert_eq!(config.sps, [Bytes::from(sps.clone()), Bytes::from(sps.clone())]);
        assert_eq!(config.pps, [Bytes::copy_from_slice(&pps)]);
    }
    let mut extended = record(4, &[&sps], &[&pps]).to_vec();
    extended.extend([0xfd, 0xf8, 0xf8, 0x00, 0xaa]);
    assert_eq!(parse_decoder_config(&extended.into()), parse_decoder_config(&record(4, &[&sps], &[&pps])));
    let without_pps = parse_decoder_config(&record(4, &[&sps, &[]], &[])).expect("PPS may come in band");
    assert_eq!((without_pps.sps.len(), without_pps.pps.len()), (1, 0));
}

#[test]
fn configuration_record_in_annex_b() {
    let (sps, pps) = (sps(), [0x68, 0xce, 0x3c, 0x80]);
    let record = [&[0, 0, 0, 1][..], &sps, &[0, 0, 1], &pps].concat();
    let config = parse_decoder_config(&record.into()).expect("parameter sets");
    assert_eq!((config.nal_length_size, config.sps.len(), config.pps.len()), (4, 1, 1));
}

#[test]
fn broken_configuration_records() {
    let sps = sps();
    let whole = record(4, &[&sps], &[&[0x68, 1]]);
    for end in 0..whole.len() {
        assert!(parse_decoder_config(&whole.slice(..end)).is_err(), "cut at {end}");
    }
    let changed = |at: usize, to: u8| {
        let mut bytes = whole.to_vec();
        bytes[at] = to;
        parse_decoder_config(&bytes.into()).expect_err("broken").what()
    };
    assert_eq!(changed(0, 0), "configuration version is not 1");
    assert_eq!(changed(4, 0xfe), "NAL length size 3");
    assert_eq!(changed(5, 0xe0), "no SPS");
    assert_eq!(changed(8, 0x68), "parameter set of the wrong NAL type");
}

#[test]
fn avcc_of_every_length_size() {
    for (avcc, size) in [
        (&[1, 9, 0, 2, 0x65, 7][..], 1),
        (&[0, 1, 9, 0, 0, 0, 2, 0x65, 7], 2),
        (&[0, 0, 0, 1, 9, 0, 0, 0, 2, 0x65, 7], 4),
    ] {
        let nals: Vec<_> = nal_units(avcc, size).map(|nal| nal.expect("legal")).collect();
        assert_eq!(nals, [&[9][..], &[0x65, 7]], "length size {size}");
        let facts = UnitFacts { nal_units: 2, has_slice: true, has_idr: true, has_parameter_sets: false };
        assert_eq!(unit_facts(avcc, size), Ok(facts));
    }
    assert_eq!(unit_facts(&[0, 0, 0, 0], 4), Ok(UnitFacts::default()));
}

#[test]
fn truncated_avcc_says_where() {
    let truncated = |at, what| Err(H264Error::Truncated { at, what });
    assert_eq!(unit_facts(&[0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 3, 0x65, 7], 4), truncated(6, "NAL unit"));
    assert_eq!(unit_facts(&[0, 0, 0, 2, 9, 0xf0, 0, 0], 4), truncated(6, "NAL length"));
    assert_eq!(unit_facts(&[0xff, 0xff, 0xff, 0xff], 4), truncated(0, "NAL unit"));
}

#[test]
fn annex_b_in_place_of_avcc() {
    let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65, 0x88, 0x80, 0, 0, 1, 0x65, 0x01, 0, 0];
    assert_eq!(unit_facts(&stream, 4), Err(H264Error::AnnexB));
    let avcc = annex_b_to_avcc(&stream, 4).expect("fits");
    let nals: Vec<_> = nal_units(&avcc, 4).map(|nal| nal.expect("legal")).collect();
    assert_eq!(nals, [&[9, 0xf0][..], &[0x65, 0x88, 0x80], &[0x65, 0x01]]);
    // A NAL unit of 256 to 511 bytes opens with 00 00 01 too; cut short, it is still no byte stream.
    let long = [&[0, 0, 1, 0][..], &[0x65; 256]].concat();
    assert!(unit_facts(&long, 4).is_ok());
    assert_eq!(unit_facts(&long[..100], 4), Err(H264Error::Truncated { at: 0, what: "NAL unit" }));
    // An end of sequence is a NAL unit of one byte.
    assert!(unit_facts(&[0, 0, 0, 1, 0x0a], 4).is_ok());
    assert!(annex_b_to_avcc(&[&[0, 0, 1][..], &[0x65; 256]].concat(), 1).is_err());
}

#[test]
fn a_slice_says_whether_it_begins_a_picture() {
    assert!(!continues_picture(&[0x65, 0x88]) && !continues_picture(&[0x41, 0x9a]));
    assert!(continues_picture(&[0x65, 0x45]) && continues_picture(&[0x41, 0x01]));
    assert!(!continues_picture(&[0x41]) && !continues_picture(&[0x06, 0x01]) && !continues_picture(&[]));
}

#[test]
fn parameter_set_ids() {
    let writer = || SpsWriter::default().u(66, 8).u(0, 8).u(30, 8);
    assert_eq!(sps_id(&writer().ue(31).nal(0x67)), Some(31));
    assert_eq!(sps_id(&writer().ue(32).nal(0x67)), None);
    assert_eq!(pps_id(&SpsWriter::default().ue(255).nal(0x68)), Some(255));
    assert_eq!(pps_id(&SpsWriter::default().ue(256).nal(0x68)), None);
    assert_eq!((sps_id(&[0x67]), pps_id(&[])), (None, None));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 0u8..6) {
        let bytes = Bytes::from(bytes);
        let _ = sps_facts(&bytes);
        let _ = parse_decoder_config(&bytes);
        let _ = unit_facts(&bytes, size);
        let _ = annex_b_to_avcc(&bytes, size);
        let _ = (sps_id(&bytes), pps_id(&bytes));
    }

    /// Bits behind a plausible beginning reach further than random bytes alone; where the reference reads the picture
    /// too, the two agree.
    #[test]
    fn agrees_with_the_reference_on_random_tails(
        profile in prop::sample::select(vec![66u8, 77, 100, 110, 122, 244]),
        tail in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let nal = [&[0x67, profile, 0, 30][..], &tail].concat();
        if let (Ok(ours), Some(theirs)) = (sps_facts(&nal), reference(&nal)) {
            prop_assert_eq!((ours.width, ours.height), (theirs.width, theirs.height));
        }
    }

    #[test]
    fn annex_b_and_avcc_hold_the_same(nals in prop::collection::vec(prop::collection::vec(1u8.., 1..50), 1..8)) {
        let stream: Vec<u8> = nals.iter().flat_map(|nal| [&[0, 0, 1][..], nal].concat()).collect();
        let avcc = annex_b_to_avcc(&stream, 2).expect("short");
        let back: Vec<_> = nal_units(&avcc, 2).map(|nal| nal.expect("own framing").to_vec()).collect();
        prop_assert_eq!(back, nals);
    }
}

fn avcc(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&(nal.len() as u32).to_be_bytes(), *nal].concat()).collect()
}

#[test]
fn parameter_sets_of_an_access_unit_replace_those_of_their_ids() {
    let sps = |width| baseline(width, 4).u(1, 1).u(1, 1).u(0, 2).nal(0x67);
    let (small, large) = (sps(5), sps(20));
    let (pps, second_pps) = (SpsWriter::default().ue(0).ue(0).nal(0x68), SpsWriter::default().ue(1).ue(0).nal(0x68));
    let bytes = |sets: &[&[u8]]| sets.iter().map(|set| Bytes::copy_from_slice(set)).collect::<Vec<_>>();
    let config = config_from_parameter_sets(4, bytes(&[&small]), bytes(&[&pps])).expect("legal");
    let adopt = |nals: &[&[u8]]| adopt_parameter_sets(Some(&config), &avcc(nals), 4);
    assert_eq!(adopt(&[&[0x65, 1]]), None);
    assert_eq!(adopt(&[&small, &pps, &[0x65, 1]]), None, "the same again");
    let larger = adopt(&[&large, &pps, &[0x65, 1]]).expect("another SPS");
    assert_eq!((larger.width, larger.height), (320, 64));
    assert_eq!((larger.sps, larger.pps), (bytes(&[&large]), bytes(&[&pps])));
    let added = adopt(&[&second_pps, &[0x65, 1]]).expect("one PPS more");
    assert_eq!((added.sps, added.pps), (bytes(&[&small]), bytes(&[&second_pps, &pps])));
    let alone = adopt_parameter_sets(None, &avcc(&[&large, &pps]), 4).expect("whole by itself");
    assert_eq!((alone.width, alone.nal_length_size), (320, 4));
    // What cannot be used changes nothing.
    assert_eq!(adopt(&[&[0x67, 0x42]]), None, "a cut SPS");
    assert_eq!(adopt_parameter_sets(None, &avcc(&[&pps]), 4), None);
    let long = [&large[..], &vec![0x55; ADOPTED_BYTES_MAX]].concat();
    assert_eq!(adopt(&[&long]), None);
}
