//! Media that a publisher sends: 25 pictures and as many audio frames a second.

use bytes::{BufMut, Bytes, BytesMut};
use livebucket::live::registry::{MediaInput, Publisher};
use livebucket::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime, Track};

/// Sends a second of media that begins with a key frame.
pub async fn play(publisher: &Publisher, from_ms: u32, picture: usize) {
    for ms in (from_ms..from_ms + 1_000).step_by(40) {
        publisher.send(audio(ms)).await.expect("it lasts");
        publisher.send(video(ms, ms % 1_000 == 0, picture)).await.expect("it lasts");
    }
}

/// Both tracks' configurations.
pub fn configs() -> [MediaInput; 2] {
    let video = AvcConfig {
        nal_length_size: 4,
        sps: vec![Bytes::from_static(&[0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9])],
        pps: vec![Bytes::from_static(&[0x68, 0xeb, 0xe3, 0xcb])],
        width: 1280,
        height: 720,
        frame_rate_millihertz: None,
    };
    let audio = AacConfig {
        object_type: 2,
        frequency_index: 4,
        sample_rate: 44_100,
        channel_configuration: 2,
        program_config: None,
        raw: Bytes::from_static(&[0x12, 0x10]),
    };
    [MediaInput::Config(CodecConfig::Avc(video)), MediaInput::Config(CodecConfig::Aac(audio))]
}

fn unit(track: Track, ms: u32, keyframe: bool, payload: Bytes) -> MediaInput {
    let (time, composition_offset) = (SourceTime::Rtmp(ms), MediaTime::ZERO);
    MediaInput::Unit(AccessUnit { track, time, composition_offset, keyframe, payload })
}

/// A picture of `bytes` bytes that looks like H.264.
fn video(ms: u32, keyframe: bool, bytes: usize) -> MediaInput {
    let mut payload = BytesMut::new();
    payload.put_u32(u32::try_from(bytes).expect("small"));
    payload.put_u8(if keyframe { 0x65 } else { 0x41 });
    payload.put_bytes(0x5a, bytes - 1);
    unit(Track::Video, ms, keyframe, payload.freeze())
}

/// An audio frame.
fn audio(ms: u32) -> MediaInput {
    unit(Track::Audio, ms, false, Bytes::from_static(&[0x21; 100]))
}
