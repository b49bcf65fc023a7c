use proptest::prelude::*;

use super::*;

fn parse(bytes: &[u8]) -> Result<AacConfig, AacError> {
    parse_audio_specific_config(&Bytes::copy_from_slice(bytes))
}

/// Packs `(value, bits)` fields, most significant first, with zero bits up to the byte.
fn pack(fields: &[(u32, usize)]) -> Vec<u8> {
    let bits: Vec<u8> =
        fields.iter().flat_map(|&(value, count)| (0..count).rev().map(move |bit| (value >> bit & 1) as u8)).collect();
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |all, (index, bit)| all | bit << (7 - index))).collect()
}

#[test]
fn configurations_that_encoders_send() {
    let check = |bytes: &[u8], expected: (u8, u8, u32, u8)| {
        let config = parse(bytes).expect("legal");
        let found = (config.object_type, config.frequency_index, config.sample_rate, config.channel_configuration);
        assert_eq!(found, expected, "{bytes:02x?}");
        assert_eq!(config.raw, bytes);
    };
    check(&[0x12, 0x10], (2, 4, 44_100, 2)); // LC 44.1 kHz stereo
    check(&[0x12, 0x08, 0x56, 0xe5, 0x00], (2, 4, 44_100, 1)); // ffmpeg: LC mono with "no SBR" behind
    check(&[0x11, 0x90], (2, 3, 48_000, 2));
    check(&[0x2b, 0x92, 0x08, 0x00], (2, 7, 22_050, 2)); // explicit SBR: core 22.05 kHz under 44.1 kHz
    check(&[0xeb, 0x8a, 0x08, 0x00], (2, 7, 22_050, 1)); // explicit PS: mono core
    check(&pack(&[(1, 5), (11, 4), (6, 4), (0, 3)]), (1, 11, 8_000, 6)); // Main 5.1
    check(&pack(&[(4, 5), (0, 4), (7, 4), (0, 3)]), (4, 0, 96_000, 7)); // LTP 7.1
    check(&pack(&[(2, 5), (4, 4), (0, 4), (0, 3)]), (2, 4, 44_100, 0)); // channels in a program config element
    check(&pack(&[(2, 5), (15, 4), (48_000, 24), (2, 4), (0, 3)]), (2, 3, 48_000, 2)); // escaped, but in the table
}

#[test]
fn configurations_that_adts_cannot_say() {
    let unsupported = |fields: &[(u32, usize)], expected: &str| {
        assert_eq!(parse(&pack(fields)), Err(AacError::Unsupported(expected.to_owned())));
    };
    unsupported(&[(2, 5), (15, 4), (44_000, 24), (2, 4), (0, 3)], "AAC at 44000 Hz");
    unsupported(&[(2, 5), (4, 4), (12, 4), (0, 3)], "AAC with channel configuration 12");
    unsupported(&[(2, 5), (4, 4), (2, 4), (1, 1), (0, 2)], "AAC with 960-sample frames");
    unsupported(&[(31, 5), (7, 6), (4, 4), (2, 4), (0, 3)], "AAC ELD");
    unsupported(&[(31, 5), (10, 6), (4, 4), (2, 4), (0, 3)], "xHE-AAC");
    unsupported(&[(22, 5), (4, 4), (2, 4), (0, 3)], "ER BSAC");
    unsupported(&[(0, 5), (4, 4), (2, 4), (0, 3)], "MPEG-4 audio object type 0");
}

#[test]
fn broken_configurations_say_where() {
    let malformed = |at, what| Err(AacError::Malformed { at, what });
    assert_eq!(parse(&[]), malformed(0, "ends early"));
    assert_eq!(parse(&[0x12]), malformed(1, "ends early"));
    assert_eq!(parse(&pack(&[(2, 5), (13, 4), (2, 4), (0, 3)])), malformed(0, "reserved sampling frequency index"));
}

#[test]
fn adts_header_of_a_known_frame() {
    let config = parse(&[0x12, 0x10]).expect("legal");
    // As ffmpeg writes it for a frame of 371 bytes, but for its fullness, which is equal too.
    assert_eq!(adts_header(&config, 371), Some([0xff, 0xf1, 0x50, 0x80, 0x2f, 0x5f, 0xfc]));
    assert!(adts_header(&config, FRAME_BYTES_MAX).is_some());
    assert_eq!(adts_header(&config, FRAME_BYTES_MAX + 1), None);
}

#[test]
fn stray_header_is_found_only_when_its_length_agrees() {
    let config = parse(&[0x12, 0x10]).expect("legal");
    let mut frame = adts_header(&config, 3).expect("short").to_vec();
    frame.extend([1, 2, 3]);
    assert_eq!(stray_adts_header_bytes(&frame), 7);
    assert_eq!(stray_adts_header_bytes(&frame[..9]), 0);
    assert_eq!(stray_adts_header_bytes(&[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c]), 0);
    frame[1] = 0xf0; // with CRC: the header takes two of the bytes
    assert_eq!(stray_adts_header_bytes(&frame), 9);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse(&bytes);
        let _ = stray_adts_header_bytes(&bytes);
    }

    #[test]
    fn adts_header_reads_back(
        object_type in 1u8..=4, frequency_index in 0u8..13, channels in 0u8..8, length in 0usize..=FRAME_BYTES_MAX,
    ) {
        let config = AacConfig {
            object_type, frequency_index, channel_configuration: channels, sample_rate: 0, program_config: None,
            raw: Bytes::new(),
        };
        let mut frame = adts_header(&config, length).expect("fits").to_vec();
        frame.resize(length + ADTS_HEADER_BYTES, 0);
        let read = parse_adts_header(&frame).expect("reads back");
        prop_assert_eq!(read, AdtsHeader {
            header_bytes: 7, frame_bytes: frame.len(), object_type, frequency_index, channel_configuration: channels,
        });
    }
}

#[test]
fn channels_that_no_configuration_says_are_listed_before_each_frame() {
    // What ffmpeg sends for quad and for 5.1(side), and what it writes into ADTS of it, without its comment.
    for (config, element) in [
        ("118004c404002110044c61766356e500", "a0988080042200"),
        ("118004c844002000c4044c61766356e500", "a09908800400188000"),
        ("118004c848002000c640044c61766356e500", "a0990900040018c800"),
    ] {
        let config = parse(&hex::decode(config).expect("hex")).expect("legal");
        assert_eq!((config.channel_configuration, config.sample_rate), (0, 48_000));
        assert_eq!(hex::encode(leading_element(&config, &[0x21, 0x2a])), element);
        // A frame that begins with its own (id 5 in three bits) keeps that one.
        assert!(leading_element(&config, &[0xa0, 0x98]).is_empty());
    }
    let cut = parse(&[0x11, 0x80, 0x04]).expect("frames may list their channels themselves");
    assert_eq!(cut.program_config, None);
    assert!(leading_element(&parse(&[0x12, 0x10]).expect("stereo"), &[0x21]).is_empty());
}

#[test]
fn an_adts_header_is_a_configuration() {
    let config = parse(&[0x12, 0x10]).expect("LC 44.1 kHz stereo");
    let header = adts_header(&config, 100).expect("short");
    assert_eq!(config_from_adts(&header), Some(config));
    assert_eq!(config_from_adts(&header[..6]), None);
    assert_eq!(config_from_adts(&[0x12, 0x10, 0x56, 0xe5, 0x98, 0, 0]), None);
    assert_eq!(config_from_adts(&[0xff, 0xf1, 0x7c, 0x80, 0, 0, 0]), None, "a reserved frequency");
}

#[test]
fn frames_last_1024_samples() {
    let ticks = |config: &[u8]| frame_duration(&parse(config).expect("legal")).0;
    assert_eq!([ticks(&[0x12, 0x10]), ticks(&[0x11, 0x90]), ticks(&[0x10, 0x10])], [2_090, 1_920, 960]);
}

#[test]
fn silence_has_an_element_for_each_channel() {
    let silent = |config: &[u8]| silent_frame(&parse(config).expect("legal")).map(hex::encode);
    // Mono: id and tag, 22 bits, end. Stereo: id, tag, no common window, 44 bits, end.
    assert_eq!(silent(&[0x12, 0x08]).as_deref(), Some("00000007"));
    assert_eq!(silent(&[0x12, 0x10]).as_deref(), Some("2000000000000e"));
    let bits =
        |elements: usize, pairs: usize, channels: usize| (elements * 7 + pairs + channels * 22 + 3).div_ceil(8) * 2;
    assert_eq!(silent(&[0x11, 0xb0]).expect("5.1").len(), bits(4, 2, 6));
    assert_eq!(silent(&[0x11, 0xb8]).expect("7.1").len(), bits(5, 3, 8));
    assert_eq!(silent(&[0x0a, 0x10]), None, "Main");
    assert_eq!(silent(&[0x12, 0x00]), None, "channels of its own");
}
