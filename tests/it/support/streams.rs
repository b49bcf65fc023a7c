//! Streams as senders make them, the odd ones included: FLV tag bodies from nothing. What a picture holds cannot be decoded,
//! only cut and played with: parameter sets are real, slices have real headers and no data behind them.

use bytes::{BufMut, Bytes, BytesMut};
use livebucket::codec::rtmp::message::MediaKind;

use super::rtmp::Tag;

/// SPS of a picture of 640x480, baseline.
pub const SMALL: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x40];
/// SPS of a picture of 1280x720.
pub const WIDE: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8];
/// PPS of either.
pub const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
/// AudioSpecificConfig of AAC-LC, 44.1 kHz, stereo.
pub const LC: &[u8] = &[0x12, 0x10];

pub const SLICE: u8 = 0x41;
pub const IDR: u8 = 0x65;
pub const SEI: u8 = 0x06;
pub const DELIMITER: u8 = 0x09;
pub const FILLER: u8 = 0x0c;

// ---- video ---------------------------------------------------------------------------------------------------

/// An AVCDecoderConfigurationRecord in its tag.
pub fn video_header(timestamp: u32, sps: &[u8], nal_length_size: u8) -> Tag {
    let mut body = BytesMut::from(&[0x17, 0, 0, 0, 0, 1][..]);
    body.put_slice(&sps[1..4]);
    body.put_slice(&[0xfc | (nal_length_size - 1), 0xe1]);
    body.put_u16(sps.len() as u16);
    body.put_slice(sps);
    body.put_u8(1);
    body.put_u16(PPS.len() as u16);
    body.put_slice(PPS);
    Tag { kind: MediaKind::Video, timestamp, body: body.freeze() }
}

/// The header of the picture of 640x480 or, `wide`, of 1280x720, with NAL lengths of four bytes.
pub fn header(timestamp: u32, wide: bool) -> Tag {
    video_header(timestamp, if wide { WIDE } else { SMALL }, 4)
}

/// A NAL unit of `bytes` bytes. A slice says that it is the first of its picture.
pub fn nal(header: u8, bytes: usize) -> Vec<u8> {
    let mut nal = vec![0x5a; bytes.max(1)];
    nal[0] = header;
    if let Some(first) = nal.get_mut(1) {
        *first = match header {
            IDR => 0x88,
            SLICE => 0x9a,
            _ => *first,
        };
    }
    nal
}

/// A coded picture in its tag, with a composition offset in milliseconds and whatever stands for its NAL units.
pub fn coded(timestamp: u32, keyframe: bool, offset: i32, payload: &[u8]) -> Tag {
    let mut body = BytesMut::from(&[if keyframe { 0x17 } else { 0x27 }, 1][..]);
    body.put_slice(&offset.to_be_bytes()[1..]);
    body.put_slice(payload);
    Tag { kind: MediaKind::Video, timestamp, body: body.freeze() }
}

/// NAL units behind lengths of 1, 2 or 4 bytes.
pub fn avcc(nal_length_size: u8, nals: &[Vec<u8>]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for nal in nals {
        out.put_uint(nal.len() as u64, usize::from(nal_length_size));
        out.put_slice(nal);
    }
    out.to_vec()
}

/// NAL units behind start codes.
pub fn annex_b(nals: &[Vec<u8>]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1][..], nal].concat()).collect()
}

/// A picture of one slice of `bytes` bytes.
pub fn picture(timestamp: u32, keyframe: bool, offset: i32, bytes: u32) -> Tag {
    let slice = nal(if keyframe { IDR } else { SLICE }, bytes as usize);
    coded(timestamp, keyframe, offset, &avcc(4, &[slice]))
}

/// Pictures every 40 ms from `from` on, a key frame every `gop` milliseconds, each made of the slice that it is given.
pub fn pictures(from: u32, millis: u32, gop: u32, make: impl Fn(u32, bool, Vec<u8>) -> Tag) -> Vec<Tag> {
    let slice = |keyframe| nal(if keyframe { IDR } else { SLICE }, 400);
    let at = (0..millis).step_by(40).map(|at| (from.wrapping_add(at), at % gop == 0));
    at.map(|(timestamp, keyframe)| make(timestamp, keyframe, slice(keyframe))).collect()
}

// ---- audio ---------------------------------------------------------------------------------------------------

/// An AudioSpecificConfig in its tag.
pub fn audio_config(timestamp: u32, config: &[u8]) -> Tag {
    Tag { kind: MediaKind::Audio, timestamp, body: [&[0xaf, 0][..], config].concat().into() }
}

pub fn audio_header(timestamp: u32) -> Tag {
    audio_config(timestamp, LC)
}

/// An AAC frame in its tag.
pub fn frame(timestamp: u32, frame: &[u8]) -> Tag {
    Tag { kind: MediaKind::Audio, timestamp, body: [&[0xaf, 1][..], frame].concat().into() }
}

pub fn sound(timestamp: u32) -> Tag {
    frame(timestamp, &[0x21; 60])
}

/// Frames every 20 ms from `from` on.
pub fn sounds(from: u32, millis: u32) -> Vec<Tag> {
    (0..millis).step_by(20).map(|at| sound(from.wrapping_add(at))).collect()
}

// ---- both ----------------------------------------------------------------------------------------------------

/// Both sequence headers, then 25 pictures a second from `from` on, a key frame each second, and sound beside them.
pub fn stream(from: u32, millis: u32) -> Vec<Tag> {
    let mut tags = vec![header(from, false), audio_header(from)];
    tags.extend(media(from, millis));
    tags
}

/// The same without the headers.
pub fn media(from: u32, millis: u32) -> Vec<Tag> {
    let pictures = pictures(from, millis, 1_000, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(4, &[slice])));
    let sounds = sounds(from, millis);
    let pairs = sounds.chunks(2).map(<[Tag]>::to_vec);
    pictures.into_iter().zip(pairs).flat_map(|(picture, pair)| [vec![picture], pair].concat()).collect()
}

/// In order of their times, as a sender that interleaves well sends them; headers stay where they are, at the front of
/// their list.
pub fn interleaved(lists: impl IntoIterator<Item = Vec<Tag>>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = lists.into_iter().flatten().collect();
    tags.sort_by_key(|tag| (tag.body.get(1) != Some(&0), tag.timestamp));
    tags
}

/// Those of one kind.
pub fn only(kind: MediaKind, tags: Vec<Tag>) -> Vec<Tag> {
    tags.into_iter().filter(|tag| tag.kind == kind).collect()
}

/// With the times of one kind, or of both, changed.
pub fn retimed(mut tags: Vec<Tag>, kind: Option<MediaKind>, time: impl Fn(u32) -> u32) -> Vec<Tag> {
    let chosen = |tag: &&mut Tag| kind.is_none_or(|kind| tag.kind == kind);
    tags.iter_mut().filter(chosen).for_each(|tag| tag.timestamp = time(tag.timestamp));
    tags
}

/// With the body of every coded picture or frame of a kind changed, from its third byte (audio) or sixth (video) on.
pub fn rewritten(tags: Vec<Tag>, kind: MediaKind, payload: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Tag> {
    let head = if kind == MediaKind::Video { 5 } else { 2 };
    let change = |tag: Tag| {
        if tag.kind != kind || tag.body.get(1) != Some(&1) {
            return tag;
        }
        let body = Bytes::from([&tag.body[..head], &payload(&tag.body[head..])].concat());
        Tag { body, ..tag }
    };
    tags.into_iter().map(change).collect()
}
