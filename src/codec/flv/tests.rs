use proptest::prelude::*;

use super::*;

const CAPTURE: &[u8] = include_bytes!("../../../tests/golden/ffmpeg_h264_bframes_aac.flv");

fn capture_config() -> Bytes {
    let mut tags = FlvTags::new(Bytes::from_static(CAPTURE)).expect("FLV");
    let header = tags.find_map(|tag| tag.ok().filter(|tag| tag.kind == TagKind::Video)).expect("video");
    header.body.slice(5..)
}

fn join(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

/// A reader that has both sequence headers.
fn ready() -> FlvReader {
    let mut reader = FlvReader::new();
    let config = reader.video(0, &join(&[&[0x17, 0, 0, 0, 0], &capture_config()])).expect("sequence header");
    assert!(matches!(config, FlvEvent::Config(CodecConfig::Avc(_))));
    let config = reader.audio(0, &join(&[&[0xaf, 0, 0x12, 0x10]])).expect("sequence header");
    assert!(matches!(config, FlvEvent::Config(CodecConfig::Aac(_))));
    reader
}

fn unit(event: Result<FlvEvent, FlvError>) -> AccessUnit {
    match event {
        Ok(FlvEvent::Unit(unit)) => unit,
        other => panic!("an access unit, not {other:?}"),
    }
}

#[test]
fn legacy_picture() {
    let mut reader = ready();
    let body = join(&[&[0x27, 1, 0xff, 0xff, 0xfe], &[0, 0, 0, 2, 0x41, 9]]);
    let picture = unit(reader.video(0xffff_fff0, &body));
    assert_eq!(picture.track, Track::Video);
    assert_eq!(picture.time, SourceTime::Rtmp(0xffff_fff0));
    assert_eq!(picture.composition_offset, MediaTime::from_millis(-2));
    assert!(!picture.keyframe);
    assert_eq!(picture.payload, &[0, 0, 0, 2, 0x41, 9][..]);
    let key = unit(reader.video(1, &join(&[&[0x17, 1, 0, 0, 80], &[0, 0, 0, 2, 0x41, 9]])));
    assert!(key.keyframe, "the tag says so");
    assert_eq!(key.composition_offset, MediaTime::from_millis(80));
    let idr = unit(reader.video(1, &join(&[&[0x27, 1, 0, 0, 0], &[0, 0, 0, 2, 0x65, 9]])));
    assert!(idr.keyframe, "an IDR picture is a keyframe whatever the tag says");
}

#[test]
fn enhanced_picture() {
    let mut reader = FlvReader::new();
    let start = reader.video(0, &join(&[&[0x90], b"avc1", &capture_config()]));
    assert!(matches!(start, Ok(FlvEvent::Config(CodecConfig::Avc(_)))));
    let nal: &[u8] = &[0, 0, 0, 2, 0x41, 9];
    let coded = unit(reader.video(40, &join(&[&[0xa1], b"avc1", &[0, 0, 7], nal])));
    assert_eq!((coded.composition_offset, coded.keyframe), (MediaTime::from_millis(7), false));
    let without_offset = unit(reader.video(80, &join(&[&[0x93], b"avc1", nal])));
    assert_eq!((without_offset.composition_offset, without_offset.keyframe), (MediaTime::ZERO, true));
    // A nanosecond offset before it, then as the only track of a multitrack message.
    let modified = unit(reader.video(120, &join(&[&[0xa7, 2, 0, 1, 2, 0x03], b"avc1", nal])));
    assert_eq!(modified.payload, nal);
    let track_0 = unit(reader.video(160, &join(&[&[0xa6, 0x03], b"avc1", &[0], nal])));
    assert_eq!(track_0.payload, nal);
    for nothing in [
        join(&[&[0xa6, 0x03], b"hvc1", &[1], nal]), // track 1 is not ours, whatever it holds
        join(&[&[0x92], b"avc1"]),                  // end of sequence
        join(&[&[0x94], b"avc1", &[2, 0, 0]]),      // metadata
        join(&[&[0xd1, 0]]),                        // command
    ] {
        assert_eq!(reader.video(0, &nothing), Ok(FlvEvent::Nothing), "{nothing:?}");
    }
}

#[test]
fn enhanced_audio() {
    let mut reader = FlvReader::new();
    let start = reader.audio(0, &join(&[&[0x90], b"mp4a", &[0x12, 0x10]]));
    assert!(matches!(start, Ok(FlvEvent::Config(CodecConfig::Aac(_)))));
    assert_eq!(unit(reader.audio(23, &join(&[&[0x91], b"mp4a", &[0x21, 1]]))).payload, &[0x21, 1][..]);
    assert_eq!(reader.audio(0, &join(&[&[0x92], b"mp4a"])), Ok(FlvEvent::Nothing));
    assert_eq!(reader.audio(0, &join(&[&[0x94], b"mp4a", &[0, 2]])), Ok(FlvEvent::Nothing));
}

#[test]
fn bodies_that_say_nothing() {
    let mut reader = ready();
    for body in
        [&[][..], &[0x17], &[0x17, 2, 0, 0, 0], &[0x17, 2], &[0x57, 0], &[0x17, 1, 0, 0, 0], &[0x17, 0, 0, 0, 0]]
    {
        assert_eq!(reader.video(0, &Bytes::copy_from_slice(body)), Ok(FlvEvent::Nothing), "video {body:02x?}");
    }
    for body in [&[][..], &[0xaf], &[0xaf, 0], &[0xaf, 1]] {
        assert_eq!(reader.audio(0, &Bytes::copy_from_slice(body)), Ok(FlvEvent::Nothing), "audio {body:02x?}");
    }
}

#[test]
fn other_codecs_are_named() {
    let mut reader = ready();
    for (body, name) in [
        (&[0x12, 0][..], "Sorenson H.263"),
        (&[0x13, 0], "Screen video"),
        (&[0x14, 0], "On2 VP6"),
        (&[0x15, 0], "On2 VP6 with alpha"),
        (&[0x1c, 0], "HEVC (codec id 12)"),
        (&[0x1f, 0], "FLV codec id 15"),
        (b"\x90hvc1", "HEVC (hvc1)"),
        (b"\x91av01", "AV1 (av01)"),
        (b"\x91vp09", "VP9 (vp09)"),
        (b"\x91\x00\n\"~", "FourCC \\x00\\n\\\"~"),
    ] {
        let expected = Err(FlvError::UnsupportedVideo(name.to_owned()));
        assert_eq!(reader.video(0, &Bytes::copy_from_slice(body)), expected);
    }
    for (body, name) in [
        (&[0x02, 0][..], "PCM (platform endian)"),
        (&[0x12, 0], "ADPCM"),
        (&[0x22, 0], "MP3"),
        (&[0x32, 0], "PCM (little endian)"),
        (&[0x72, 0], "G.711 A-law"),
        (&[0x82, 0], "G.711 mu-law"),
        (&[0xb2, 0], "Speex"),
        (b"\x91Opus", "Opus (Opus)"),
        (b"\x91ac-3", "AC-3 (ac-3)"),
    ] {
        let expected = Err(FlvError::UnsupportedAudio(name.to_owned()));
        assert_eq!(reader.audio(0, &Bytes::copy_from_slice(body)), expected);
    }
}

#[test]
fn audio_that_adts_cannot_say_stays_unread() {
    let mut reader = ready();
    let eld = reader.audio(0, &Bytes::from_static(&[0xaf, 0, 0xf8, 0xe8, 0x50, 0x00]));
    assert_eq!(eld, Err(FlvError::UnsupportedAudio("AAC ELD".to_owned())));
    assert_eq!(reader.audio(0, &Bytes::from_static(&[0xaf, 1, 0x21])), Err(FlvError::NoConfig));
}

#[test]
fn media_before_its_header() {
    let mut reader = FlvReader::new();
    assert_eq!(reader.video(0, &Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65])), Err(FlvError::NoConfig));
    assert_eq!(reader.audio(0, &Bytes::from_static(&[0xaf, 1, 0x21])), Err(FlvError::NoConfig));
}

#[test]
fn malformed_bodies_say_where() {
    let mut reader = ready();
    let malformed = |at, what| Err(FlvError::Malformed { at, what });
    let mut video = |body: &[u8]| reader.video(0, &Bytes::copy_from_slice(body));
    assert_eq!(video(&[0x17, 1, 0]), malformed(2, "ends early"));
    assert_eq!(video(&[0x17, 9, 0, 0, 0, 1]), malformed(1, "unknown AVC packet type"));
    assert_eq!(video(&[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 5, 0, 0, 0, 9, 1]), malformed(11, "NAL unit"));
    assert_eq!(video(&[0x17, 0, 0, 0, 0, 2, 0, 0, 0, 0]), malformed(5, "configuration version is not 1"));
    assert_eq!(video(&[0x90, b'a', b'v']), malformed(1, "ends early"));
    let mut audio = |body: &[u8]| reader.audio(0, &Bytes::copy_from_slice(body));
    assert_eq!(audio(&[0xaf, 7, 0]), malformed(1, "unknown AAC packet type"));
    assert_eq!(audio(&[0xaf, 0, 0x12]), malformed(3, "ends early"));
    let long = [&[0xaf, 1][..], &[0; aac::FRAME_BYTES_MAX + 1]].concat();
    assert_eq!(audio(&long), malformed(2, "AAC frame longer than ADTS can say"));
}

#[test]
fn adts_header_before_a_frame_is_taken_off() {
    let mut reader = ready();
    let frame = unit(reader.audio(0, &join(&[&[0xaf, 1], &[0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc], &[0x21, 7]])));
    assert_eq!(frame.payload, &[0x21, 7][..]);
}

fn explained(event: Result<FlvEvent, FlvError>) -> (AacConfig, AccessUnit) {
    match event {
        Ok(FlvEvent::Reconfigured(CodecConfig::Aac(config), unit)) => (config, unit),
        other => panic!("a reconfiguring frame, not {other:?}"),
    }
}

/// A frame of two bytes behind an ADTS header of LC.
fn behind_adts(frequency_index: u8, channels: u8) -> Bytes {
    let head = [0xff, 0xf1, 0x40 | frequency_index << 2, channels << 6, 0x01, 0x3f, 0xfc];
    join(&[&[0xaf, 1], &head, &[0x21, 7]])
}

#[test]
fn adts_that_says_otherwise_than_before_reconfigures_once() {
    let mut reader = ready();
    // 48 kHz although the sequence header said 44.1: the first is only remembered, and what it is compared with is ADTS.
    for _ in 0..2 {
        assert_eq!(unit(reader.audio(0, &behind_adts(3, 2))).payload, &[0x21, 7][..]);
    }
    let (config, frame) = explained(reader.audio(23, &behind_adts(6, 2)));
    assert_eq!((config.sample_rate, config.channel_configuration, &frame.payload[..]), (24_000, 2, &[0x21, 7][..]));
    unit(reader.audio(46, &behind_adts(6, 2)));
    // A bare frame says nothing, nor does an empty one behind a header.
    unit(reader.audio(69, &join(&[&[0xaf, 1], &[0x21, 7]])));
    let empty = reader.audio(92, &join(&[&[0xaf, 1], &[0xff, 0xf1, 0x4c, 0x80, 0x00, 0xff, 0xfc]]));
    assert_eq!(empty, Ok(FlvEvent::Nothing));
    assert_eq!(explained(reader.audio(115, &behind_adts(6, 1))).0.channel_configuration, 1);
    // The old sequence header repeated is no way back; another one is, and what follows it is remembered anew.
    let header = |channels: u8| sequence_header(&[0x12, channels << 3]);
    let Ok(FlvEvent::Config(CodecConfig::Aac(repeated))) = reader.audio(138, &header(2)) else { panic!("a config") };
    assert_eq!((repeated.sample_rate, repeated.channel_configuration), (24_000, 1));
    let Ok(FlvEvent::Config(CodecConfig::Aac(other))) = reader.audio(138, &header(1)) else { panic!("a config") };
    assert_eq!((other.sample_rate, other.channel_configuration), (44_100, 1));
    unit(reader.audio(161, &behind_adts(6, 2)));
    assert_eq!(explained(reader.audio(184, &behind_adts(4, 2))).0.sample_rate, 44_100);
}

/// An AAC sequence header.
fn sequence_header(config: &[u8]) -> Bytes {
    join(&[&[0xaf, 0], config])
}

#[test]
fn adts_explains_itself_when_nothing_else_does() {
    let adts = [&[0xaf, 0x01, 0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc][..], &[0x21; 4]].concat();
    let adts = Bytes::from(adts);
    let mut reader = FlvReader::new();
    let expected = aac::parse_audio_specific_config(&Bytes::from_static(&[0x12, 0x10])).expect("stereo");
    let (config, frame) = explained(reader.audio(0, &adts));
    assert_eq!((config, &frame.payload[..]), (expected.clone(), &[0x21; 4][..]));
    assert_eq!(unit(reader.audio(23, &adts)).payload[..], [0x21; 4]);
    // As a sequence header, too.
    let mut reader = FlvReader::new();
    let header = join(&[&[0xaf, 0x00], &adts[2..9]]);
    assert_eq!(reader.audio(0, &header), Ok(FlvEvent::Config(CodecConfig::Aac(expected))));
    // But not behind a configuration that cannot be written.
    let mut reader = FlvReader::new();
    assert!(matches!(reader.audio(0, &join(&[&[0xaf, 0x00, 0xf9, 0x40, 0x00]])), Err(FlvError::UnsupportedAudio(_))));
    assert_eq!(reader.audio(0, &adts), Err(FlvError::NoConfig));
}

#[test]
fn byte_stream_in_place_of_avcc_is_reframed() {
    let mut reader = ready();
    let stream: &[u8] = &[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x65, 0x89];
    let picture = unit(reader.video(0, &join(&[&[0x27, 1, 0, 0, 0], stream])));
    assert_eq!(picture.payload, &[0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 2, 0x65, 0x88, 0, 0, 0, 2, 0x65, 0x89][..]);
    assert!(picture.keyframe);
}

#[test]
fn parameter_sets_in_a_body_of_their_own_go_with_the_next_picture() {
    let mut reader = ready();
    let sets: &[u8] = &[0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x68, 2];
    assert_eq!(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], sets])), Ok(FlvEvent::Nothing));
    let picture: &[u8] = &[0, 0, 0, 2, 0x65, 3];
    assert_eq!(unit(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], picture]))).payload, [sets, picture].concat());
    assert_eq!(unit(reader.video(0, &join(&[&[0x27, 1, 0, 0, 0], picture]))).payload, picture);
}

#[test]
fn units_without_a_picture_are_held_up_to_a_bound() {
    let mut reader = ready();
    let sei = join(&[&[0x27, 1, 0, 0, 0], &[0, 0, 0x80, 0, 6], &vec![1; 0x7fff]]);
    for _ in 0..100 {
        assert_eq!(reader.video(0, &sei), Ok(FlvEvent::Nothing));
    }
    assert!(reader.held.len() <= HELD_BYTES_MAX);
}

#[test]
fn capture_is_read_whole() {
    let mut reader = FlvReader::new();
    let (mut configs, mut pictures, mut keyframes, mut frames, mut reordered) = (Vec::new(), 0, 0, 0, 0);
    for tag in FlvTags::new(Bytes::from_static(CAPTURE)).expect("FLV") {
        let tag = tag.expect("whole tags");
        let event = match tag.kind {
            TagKind::Video => reader.video(tag.timestamp, &tag.body),
            TagKind::Audio => reader.audio(tag.timestamp, &tag.body),
            TagKind::Script => continue,
        };
        match event.expect("readable") {
            FlvEvent::Config(config) => configs.push(config),
            FlvEvent::Unit(unit) if unit.track == Track::Audio => frames += 1,
            FlvEvent::Unit(unit) => {
                pictures += 1;
                keyframes += i32::from(unit.keyframe);
                reordered += i32::from(unit.composition_offset > MediaTime::from_millis(67));
            }
            FlvEvent::Reconfigured(..) => panic!("the capture's parameter sets stay"),
            FlvEvent::Nothing => {}
        }
    }
    assert_eq!((pictures, keyframes, frames), (180, 6, 518));
    assert!(reordered > 0, "B-frames delay what they refer to");
    let [CodecConfig::Avc(avc), CodecConfig::Aac(aac)] = &configs[..] else { panic!("one header each: {configs:?}") };
    assert_eq!((avc.width, avc.height, avc.frame_rate_millihertz), (160, 120, Some(15_000)));
    assert_eq!((aac.object_type, aac.sample_rate, aac.channel_configuration), (2, 44_100, 1));
}

#[test]
fn file_cut_anywhere_is_an_error_or_an_end() {
    let file = Bytes::from_static(&CAPTURE[..2_000]);
    for end in 0..file.len() {
        let Ok(tags) = FlvTags::new(file.slice(..end)) else { continue };
        let errors = tags.filter(|tag| tag.is_err()).count();
        assert!(errors <= 1, "cut at {end}");
    }
    assert!(FlvTags::new(Bytes::from_static(b"FLV\x01\x05\xff\xff\xff\xff")).is_err());
}

proptest! {
    #[test]
    fn any_body_is_answered(bodies in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..8)) {
        let mut fresh = FlvReader::new();
        let mut ready = ready();
        for (is_video, body) in bodies {
            let body = Bytes::from(body);
            for reader in [&mut fresh, &mut ready] {
                let _ = if is_video { reader.video(0, &body) } else { reader.audio(0, &body) };
            }
        }
    }

    /// Random bytes behind a plausible head reach further.
    #[test]
    fn any_tail_is_answered(
        head in prop::sample::select(vec![
            &b"\x17\x00\0\0\0"[..], b"\x17\x01\0\0\0", b"\x90avc1", b"\x91avc1", b"\x96\x01avc1", b"\x97", b"\x17\x00\0\0\0\x01\x64\0\x1f\xff\xe1",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = ready().video(0, &join(&[head, &tail]));
    }

    #[test]
    fn any_file_is_answered(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let file = join(&[b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &tail]);
        prop_assert!(FlvTags::new(file).expect("header").count() <= 20);
    }
}

/// Parameter sets of 320 x 240 with the ids of the capture's, length-prefixed, and an IDR slice behind them.
fn larger_picture() -> Vec<u8> {
    let sps: &[u8] = &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x05, 0x07, 0xe4];
    let pps: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    let framed = |nal: &[u8]| [&(nal.len() as u32).to_be_bytes(), nal].concat();
    [framed(sps), framed(pps), framed(&[0x65, 9])].concat()
}

fn reconfigured(event: Result<FlvEvent, FlvError>) -> (AvcConfig, AccessUnit) {
    match event {
        Ok(FlvEvent::Reconfigured(CodecConfig::Avc(config), unit)) => (config, unit),
        other => panic!("a reconfiguring picture, not {other:?}"),
    }
}

#[test]
fn a_picture_that_brings_other_parameter_sets_reconfigures_once() {
    let mut reader = ready();
    let larger = join(&[&[0x17, 1, 0, 0, 0], &larger_picture()]);
    let (config, picture) = reconfigured(reader.video(0, &larger));
    assert_eq!((config.width, config.height), (320, 240));
    assert_eq!((picture.keyframe, &picture.payload[..]), (true, &larger_picture()[..]));
    assert!(!unit(reader.video(40, &larger)).payload.is_empty(), "the same sets again change nothing");
    // The old sequence header repeated is no way back; another one is.
    let header = join(&[&[0x17, 0, 0, 0, 0], &capture_config()]);
    let Ok(FlvEvent::Config(CodecConfig::Avc(repeated))) = reader.video(80, &header) else { panic!("a config") };
    assert_eq!(repeated, config);
    let mut other = header.to_vec();
    other.push(0);
    let Ok(FlvEvent::Config(CodecConfig::Avc(other))) = reader.video(80, &other.into()) else { panic!("a config") };
    assert_eq!(other.width, 160);
    assert_eq!(reconfigured(reader.video(120, &larger)).0, config);
}

#[test]
fn parameter_sets_ahead_of_their_picture_reconfigure_with_it() {
    let mut reader = ready();
    let whole = larger_picture();
    let (sets, slice) = whole.split_at(whole.len() - 6);
    assert_eq!(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], sets])), Ok(FlvEvent::Nothing));
    let (config, picture) = reconfigured(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], slice])));
    assert_eq!((config.width, &picture.payload[..]), (320, &whole[..]));
}

#[test]
fn a_picture_with_parameter_sets_needs_no_sequence_header() {
    let byte_stream = |avcc: &[u8]| {
        let nals = h264::nal_units(avcc, 4).map(|nal| [&[0, 0, 0, 1], nal.expect("legal")].concat());
        nals.collect::<Vec<_>>().concat()
    };
    for framed in [larger_picture(), byte_stream(&larger_picture())] {
        let mut reader = FlvReader::new();
        let without = join(&[&[0x17, 1, 0, 0, 0], &[0, 0, 0, 2, 0x65, 9]]);
        assert_eq!(reader.video(0, &without), Err(FlvError::NoConfig));
        let (config, picture) = reconfigured(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], &framed])));
        assert_eq!((config.width, &picture.payload[..]), (320, &larger_picture()[..]));
    }
}

#[test]
fn a_picture_whose_header_has_no_pps_waits_for_one() {
    let record = capture_config();
    let sps_bytes = usize::from(u16::from_be_bytes([record[6], record[7]]));
    let mut reader = FlvReader::new();
    let header = reader.video(0, &join(&[&[0x17, 0, 0, 0, 0], &record[..8 + sps_bytes], &[0]]));
    let Ok(FlvEvent::Config(CodecConfig::Avc(config))) = header else { panic!("a config, not {header:?}") };
    assert_eq!((config.sps.len(), config.pps.len()), (1, 0));
    let picture = [0, 0, 0, 2, 0x65, 9];
    assert_eq!(reader.video(0, &join(&[&[0x17, 1, 0, 0, 0], &picture])), Err(FlvError::NoConfig));
    let with_pps = join(&[&[0x17, 1, 0, 0, 0], &[0, 0, 0, 4, 0x68, 0xce, 0x3c, 0x80], &picture]);
    assert_eq!(reconfigured(reader.video(40, &with_pps)).0.pps.len(), 1);
    assert!(unit(reader.video(80, &join(&[&[0x17, 1, 0, 0, 0], &picture]))).keyframe);
}
