//! Arbitrary access units through timeline, segmenter, muxer and window into stored fragments: a player of them meets
//! no fault of ours, and the continuity counters of one connection never break.

use crate::room::Room;
use crate::{Choices, block_on};
use bytes::{BufMut, Bytes, BytesMut};
use livebucket::codec::{aac, h264};
use livebucket::live::registry::{MediaInput, Publisher};
use livebucket::media::{AccessUnit, CodecConfig, MediaTime, SourceTime, Track};
use livebucket::store::TerminationCause;

/// 160 x 120, baseline, from this project's own captures.
const SPS: &[u8] =
    &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x0a, 0x3e, 0xc0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0x78, 0x3c, 0x48, 0x9a, 0x80];

fn avc(choice: u8) -> CodecConfig {
    let nal_length_size = [4, 4, 2, 1][usize::from(choice & 3)];
    let pps = vec![Bytes::copy_from_slice(&[0x68, 0xce, 0x0f, 0xc8 ^ (choice >> 6)])];
    let sps = vec![Bytes::from_static(SPS)];
    CodecConfig::Avc(h264::config_from_parameter_sets(nal_length_size, sps, pps).expect("a real SPS"))
}

fn aac(choice: u8) -> CodecConfig {
    const CONFIGS: [&[u8]; 4] = [&[0x12, 0x10], &[0x11, 0x90], &[0x2b, 0x92, 0x08, 0x00], &[0x12, 0x38]];
    let raw = Bytes::from_static(CONFIGS[usize::from(choice & 3)]);
    CodecConfig::Aac(aac::parse_audio_specific_config(&raw).expect("a real config"))
}

/// NAL units in the framing in force, as `codec::flv` hands them on: walkable, with a slice.
fn picture(shape: u8, keyframe: bool, nal_length_size: u8) -> Bytes {
    let mut payload = BytesMut::new();
    let slice = if keyframe { 0x65 } else { 0x41 };
    let lead: &[u8] = [&[][..], &[0x09], &[0x06], &[0x67, 0x68], &[0x06, 0x68], &[0x0c], &[0x67], &[0x09, 0x06]]
        [usize::from(shape & 7)];
    for &kind in lead.iter().chain([&slice]).chain((shape & 8 == 8).then_some(&slice)) {
        let length = 1 + u64::from(shape >> 4) * if kind == slice { 16 } else { 1 };
        payload.put_uint(length, usize::from(nal_length_size));
        payload.put_u8(kind);
        payload.put_bytes(0x5a, length as usize - 1);
    }
    payload.freeze()
}

/// What the source says of its time: small steps mostly, else any time.
fn step(choices: &mut Choices<'_>, kind: u8, time: &mut u32) -> SourceTime {
    *time = match kind & 7 {
        0..4 => time.wrapping_add(u32::from(choices.u8())),
        4 => time.wrapping_sub(u32::from(choices.u8())),
        5 => *time,
        6 => time.wrapping_add(u32::from(choices.u16())),
        _ => choices.u32(),
    };
    SourceTime::Rtmp(*time)
}

async fn play(publisher: &Publisher, mut choices: Choices<'_>) {
    let (mut time, mut nal_length_size) = ([0; 2], 4);
    while !choices.is_empty() {
        let (what, kind) = (choices.u8(), choices.u8());
        let input = match what & 7 {
            0 => {
                nal_length_size = [4, 4, 2, 1][usize::from(kind & 3)];
                MediaInput::Config(avc(kind))
            }
            1 => MediaInput::Config(aac(kind)),
            2 | 3 => {
                let length = 1 + usize::from(choices.u8()) * if kind & 0x80 == 0 { 1 } else { 64 };
                let payload = Bytes::from(vec![0x21; length.min(aac::FRAME_BYTES_MAX)]);
                let time = step(&mut choices, kind, &mut time[usize::from(what >> 7)]);
                let composition_offset = MediaTime::ZERO;
                MediaInput::Unit(AccessUnit { track: Track::Audio, time, composition_offset, keyframe: false, payload })
            }
            _ => {
                let keyframe = what & 8 == 8;
                let composition_offset = match kind >> 4 {
                    0..8 => MediaTime::from_millis(i64::from(choices.u8()) - 32),
                    8 => MediaTime::from_millis(i64::from(choices.u32() as i32 >> 8)),
                    _ => MediaTime::ZERO,
                };
                let time = step(&mut choices, kind, &mut time[0]);
                let shape = choices.u8();
                let payload = picture(shape, keyframe, nal_length_size);
                MediaInput::Unit(AccessUnit { track: Track::Video, time, composition_offset, keyframe, payload })
            }
        };
        publisher.send(input).await.expect("nothing ends this publish");
    }
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let settings = choices.u8();
    block_on(async {
        let room = Room::new(1 + u32::from(settings & 7), 1 + u32::from(settings >> 3 & 7)).await;
        let publisher = room.publish().await;
        play(&publisher, choices).await;
        let outcome = publisher.finish(TerminationCause::Unpublished).await;
        assert_eq!((outcome.fragments, outcome.fragments_lost), (room.check(|| false).await, 0));
    });
}
