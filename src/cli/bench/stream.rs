//! What a publisher sends: tags of a capture, or of a made-up stream of a given bit rate, over and over.

use std::path::Path;

use bytes::Bytes;

use super::{Failure, failed};
use crate::codec::flv::{FlvTags, TagKind};
use crate::codec::rtmp::MediaKind;

/// One tag of the loop.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag {
    pub(super) kind: MediaKind,
    /// Milliseconds from the loop's beginning.
    pub(super) at_ms: u32,
    pub(super) keyframe: bool,
    pub(super) body: Bytes,
}

/// A stretch of media that is sent again and again, its timestamps growing.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    /// Sent once, at time zero.
    pub(super) headers: Vec<(MediaKind, Bytes)>,
    pub(super) tags: Vec<Tag>,
    pub(super) duration_ms: u32,
}

const VIDEO_FPS: u32 = 30;
const GOP_SECONDS: u32 = 2;
/// 44.1 kHz, 1024 samples a frame, 128 kbit/s.
const AUDIO_FRAME_BYTES: usize = 371;
/// 1280 x 720, High profile.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

impl Loop {
    /// 30 pictures and 43 audio frames a second, a key frame every two seconds, `video_kbit` of video.
    pub(super) fn synthetic(video_kbit: u32) -> Self {
        let gop_bytes = video_kbit as usize * 125 * GOP_SECONDS as usize;
        let pictures = VIDEO_FPS * GOP_SECONDS;
        // A key frame of six others' size.
        let picture = gop_bytes / (pictures as usize + 5);
        let video = (0..pictures).map(|n| Tag {
            kind: MediaKind::Video,
            at_ms: n * 1_000 / VIDEO_FPS,
            keyframe: n == 0,
            body: picture_body(n == 0, if n == 0 { picture * 6 } else { picture }),
        });
        let audio_frames = GOP_SECONDS * 44_100 / 1_024;
        let audio = (0..audio_frames).map(|n| Tag {
            kind: MediaKind::Audio,
            at_ms: n * 1_000 * GOP_SECONDS / audio_frames,
            keyframe: false,
            body: [&[0xaf, 0x01][..], &[0x21; AUDIO_FRAME_BYTES]].concat().into(),
        });
        let mut tags: Vec<Tag> = video.chain(audio).collect();
        tags.sort_by_key(|tag| tag.at_ms);
        Loop {
            headers: vec![
                (MediaKind::Video, decoder_config()),
                (MediaKind::Audio, Bytes::from_static(&[0xaf, 0x00, 0x12, 0x10])),
            ],
            tags,
            duration_ms: GOP_SECONDS * 1_000,
        }
    }

    /// The tags of an FLV file, which should begin with a key frame.
    pub(super) fn of_file(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::read(path).map_err(|error| failed(&path.display().to_string(), error))?;
        Loop::of_flv(file.into()).map_err(|error| failed(&path.display().to_string(), error))
    }

    fn of_flv(file: Bytes) -> Result<Self, String> {
        let mut headers = Vec::new();
        let mut tags: Vec<Tag> = Vec::new();
        for tag in FlvTags::new(file).map_err(|error| error.to_string())? {
            let tag = tag.map_err(|error| error.to_string())?;
            let (kind, header) = match tag.kind {
                TagKind::Video => (MediaKind::Video, tag.body.len() > 1 && tag.body[1] == 0),
                TagKind::Audio => (MediaKind::Audio, tag.body.len() > 1 && tag.body[1] == 0),
                TagKind::Script => continue,
            };
            if header {
                headers.push((kind, tag.body));
            } else {
                let keyframe = kind == MediaKind::Video && tag.body.first().is_some_and(|first| first >> 4 == 1);
                tags.push(Tag { kind, at_ms: tag.timestamp, keyframe, body: tag.body });
            }
        }
        let first = tags.iter().map(|tag| tag.at_ms).min().ok_or("no media")?;
        let last = tags.iter().map(|tag| tag.at_ms).max().ok_or("no media")?;
        tags.iter_mut().for_each(|tag| tag.at_ms -= first);
        let video = tags.iter().filter(|tag| tag.kind == MediaKind::Video).count() as u32;
        // One picture's time behind the last tag, so that the loop's seam is no jump.
        let duration_ms = (last - first) + (last - first) / video.max(2);
        Ok(Loop { headers, tags, duration_ms: duration_ms.max(1) })
    }
}

fn decoder_config() -> Bytes {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
    let head = [0x17, 0, 0, 0, 0, 1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1];
    [&head[..], &length(SPS), SPS, &[1], &length(PPS), PPS].concat().into()
}

/// One slice of `bytes` that no reader takes for anything but data.
fn picture_body(keyframe: bool, bytes: usize) -> Bytes {
    let (frame, nal) = if keyframe { (0x17, 0x65) } else { (0x27, 0x41) };
    let slice = bytes.max(16) - 9;
    let mut body = vec![frame, 1, 0, 0, 0];
    body.extend_from_slice(&u32::try_from(slice).expect("a picture").to_be_bytes());
    body.push(nal);
    // A step that is odd and not small: no zero runs, no start codes, not one value throughout.
    body.extend((1..slice).map(|n| (n as u8).wrapping_mul(37) | 0x11));
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::flv::{FlvEvent, FlvReader};
    use crate::media::CodecConfig;

    #[test]
    fn the_made_up_stream_is_what_our_reader_understands_and_of_the_asked_rate() {
        let made = Loop::synthetic(2_500);
        let mut reader = FlvReader::new();
        let configs = made.headers.iter().map(|(kind, body)| match kind {
            MediaKind::Video => reader.video(0, body),
            MediaKind::Audio => reader.audio(0, body),
        });
        let configs: Vec<_> = configs.map(|config| config.expect("a config")).collect();
        let FlvEvent::Config(CodecConfig::Avc(avc)) = &configs[0] else { panic!("{configs:?}") };
        assert_eq!((avc.width, avc.height), (1280, 720));
        let mut video_bytes = 0;
        for tag in &made.tags {
            let unit = match tag.kind {
                MediaKind::Video => reader.video(tag.at_ms, &tag.body),
                MediaKind::Audio => reader.audio(tag.at_ms, &tag.body),
            };
            let FlvEvent::Unit(unit) = unit.expect("a unit") else { panic!("no unit") };
            assert_eq!(unit.keyframe && tag.kind == MediaKind::Video, tag.keyframe);
            video_bytes += if tag.kind == MediaKind::Video { tag.body.len() } else { 0 };
        }
        let wanted = 2_500 * 125 * 2;
        assert!(video_bytes > wanted - wanted / 50 && video_bytes <= wanted, "{video_bytes} of {wanted}");
        assert_eq!(made.tags.len(), 60 + 86);
    }

    #[test]
    fn a_capture_begins_at_zero_and_its_seam_is_one_picture_long() {
        let tag = |kind: u8, ms: u32, body: &[u8]| {
            let length = (body.len() as u32).to_be_bytes();
            [&[kind], &length[1..], &ms.to_be_bytes()[1..], &[0, 0, 0, 0], body, &[0, 0, 0, 0]].concat()
        };
        let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        file.extend(tag(9, 0, &[0x17, 0, 0, 0, 0]));
        for n in 0..11 {
            file.extend(tag(9, 500 + n * 100, &[if n == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0]));
        }
        let read = Loop::of_flv(file.into()).expect("a capture");
        assert_eq!((read.headers.len(), read.tags.len()), (1, 11));
        assert_eq!((read.tags[0].at_ms, read.tags[0].keyframe, read.tags[10].at_ms), (0, true, 1_000));
        assert_eq!(read.duration_ms, 1_090);
        assert!(Loop::of_flv(Bytes::from_static(b"nothing")).is_err());
    }
}
