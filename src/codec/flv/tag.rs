//! The headers of video and audio tag bodies: where the coded data begins and what it is.

use super::FlvError;
use crate::codec::cursor::Cursor;

/// A video tag body without its header.
pub(super) enum VideoBody {
    Nothing,
    /// An AVCDecoderConfigurationRecord from `at` to the end.
    Config {
        at: usize,
    },
    /// An access unit from `at` to the end.
    Coded {
        at: usize,
        keyframe: bool,
        composition_millis: i32,
    },
}

/// An audio tag body without its header.
pub(super) enum AudioBody {
    Nothing,
    /// An AudioSpecificConfig from `at` to the end.
    Config {
        at: usize,
    },
    /// A raw frame from `at` to the end.
    Coded {
        at: usize,
    },
}

const FRAME_KEY: u8 = 1;
const FRAME_GENERATED_KEY: u8 = 4;
const FRAME_COMMAND: u8 = 5;
const VIDEO_CODEC_AVC: u8 = 7;
const SOUND_AAC: u8 = 10;
/// In place of a sound format: an enhanced header follows.
const SOUND_EXTENDED: u8 = 9;

// Packet types of the enhanced headers; those of audio and video agree where both exist.
const PACKET_SEQUENCE_START: u8 = 0;
const PACKET_CODED_FRAMES: u8 = 1;
const PACKET_SEQUENCE_END: u8 = 2;
const PACKET_CODED_FRAMES_X: u8 = 3;
const PACKET_METADATA: u8 = 4;
const VIDEO_PACKET_MULTITRACK: u8 = 6;
const AUDIO_PACKET_MULTITRACK: u8 = 5;
const PACKET_MOD_EX: u8 = 7;

/// The header of a video tag body, legacy or enhanced.
pub(super) fn read_video_body(body: &[u8]) -> Result<VideoBody, FlvError> {
    let mut cursor = Cursor::new(body);
    let Ok(first) = cursor.u8() else {
        return Ok(VideoBody::Nothing);
    };
    let frame_type = first >> 4 & 0x07;
    if first & 0x80 != 0 {
        return read_enhanced_video(cursor, frame_type, first & 0x0f);
    }
    if frame_type == FRAME_COMMAND {
        return Ok(VideoBody::Nothing);
    }
    let codec = first & 0x0f;
    if codec != VIDEO_CODEC_AVC {
        return Err(FlvError::UnsupportedVideo(video_codec_name(codec)));
    }
    if cursor.is_empty() {
        return Ok(VideoBody::Nothing);
    }
    let packet_type = cursor.u8()?;
    let composition_millis = match packet_type {
        // Some encoders send the end of sequence without its three bytes.
        PACKET_SEQUENCE_END => return Ok(VideoBody::Nothing),
        _ => cursor.i24()?,
    };
    let keyframe = is_key(frame_type);
    let at = cursor.position();
    match packet_type {
        _ if cursor.is_empty() => Ok(VideoBody::Nothing),
        PACKET_SEQUENCE_START => Ok(VideoBody::Config { at }),
        PACKET_CODED_FRAMES => Ok(VideoBody::Coded { at, keyframe, composition_millis }),
        _ => Err(FlvError::Malformed { at: 1, what: "unknown AVC packet type" }),
    }
}

fn is_key(frame_type: u8) -> bool {
    matches!(frame_type, FRAME_KEY | FRAME_GENERATED_KEY)
}

fn read_enhanced_video(mut cursor: Cursor<'_>, frame_type: u8, packet_type: u8) -> Result<VideoBody, FlvError> {
    let packet_type = skip_modifiers(&mut cursor, packet_type)?;
    if frame_type == FRAME_COMMAND || packet_type == PACKET_METADATA {
        return Ok(VideoBody::Nothing);
    }
    let Some((packet_type, four_cc)) = read_track_head(&mut cursor, packet_type, VIDEO_PACKET_MULTITRACK)? else {
        return Ok(VideoBody::Nothing);
    };
    if &four_cc != b"avc1" {
        return Err(FlvError::UnsupportedVideo(video_four_cc_name(four_cc)));
    }
    let composition_millis = if packet_type == PACKET_CODED_FRAMES { cursor.i24()? } else { 0 };
    let keyframe = is_key(frame_type);
    let at = cursor.position();
    match packet_type {
        PACKET_SEQUENCE_END => Ok(VideoBody::Nothing),
        _ if cursor.is_empty() => Ok(VideoBody::Nothing),
        PACKET_SEQUENCE_START => Ok(VideoBody::Config { at }),
        PACKET_CODED_FRAMES | PACKET_CODED_FRAMES_X => Ok(VideoBody::Coded { at, keyframe, composition_millis }),
        _ => Err(FlvError::Malformed { at: 0, what: "unknown video packet type" }),
    }
}

/// The header of an audio tag body, legacy or enhanced.
pub(super) fn read_audio_body(body: &[u8]) -> Result<AudioBody, FlvError> {
    let mut cursor = Cursor::new(body);
    let Ok(first) = cursor.u8() else {
        return Ok(AudioBody::Nothing);
    };
    let sound_format = first >> 4;
    if sound_format == SOUND_EXTENDED {
        return read_enhanced_audio(cursor, first & 0x0f);
    }
    if sound_format != SOUND_AAC {
        return Err(FlvError::UnsupportedAudio(sound_format_name(sound_format)));
    }
    if cursor.is_empty() {
        return Ok(AudioBody::Nothing);
    }
    let packet_type = cursor.u8()?;
    let at = cursor.position();
    match packet_type {
        // Encoders whose own encoder is not ready yet send headers and frames without a byte of data.
        0 | 1 if cursor.is_empty() => Ok(AudioBody::Nothing),
        0 => Ok(AudioBody::Config { at }),
        1 => Ok(AudioBody::Coded { at }),
        _ => Err(FlvError::Malformed { at: 1, what: "unknown AAC packet type" }),
    }
}

fn read_enhanced_audio(mut cursor: Cursor<'_>, packet_type: u8) -> Result<AudioBody, FlvError> {
    let packet_type = skip_modifiers(&mut cursor, packet_type)?;
    let Some((packet_type, four_cc)) = read_track_head(&mut cursor, packet_type, AUDIO_PACKET_MULTITRACK)? else {
        return Ok(AudioBody::Nothing);
    };
    if &four_cc != b"mp4a" {
        return Err(FlvError::UnsupportedAudio(audio_four_cc_name(four_cc)));
    }
    let at = cursor.position();
    match packet_type {
        // For audio, type 4 says how channels are laid out, which the AudioSpecificConfig says already.
        PACKET_SEQUENCE_END | PACKET_METADATA => Ok(AudioBody::Nothing),
        _ if cursor.is_empty() => Ok(AudioBody::Nothing),
        PACKET_SEQUENCE_START => Ok(AudioBody::Config { at }),
        PACKET_CODED_FRAMES => Ok(AudioBody::Coded { at }),
        _ => Err(FlvError::Malformed { at: 0, what: "unknown audio packet type" }),
    }
}

/// ModEx prefixes (nanosecond offsets and whatever comes later): skipped, each names the packet type after it.
fn skip_modifiers(cursor: &mut Cursor<'_>, mut packet_type: u8) -> Result<u8, FlvError> {
    while packet_type == PACKET_MOD_EX {
        let mut size = usize::from(cursor.u8()?) + 1;
        if size == 256 {
            size = usize::from(cursor.u16()?) + 1;
        }
        cursor.take(size)?;
        packet_type = cursor.u8()? & 0x0f;
    }
    Ok(packet_type)
}

/// The FourCC, and for a multitrack message the packet type behind it; the cursor then stands at (and ends with) the
/// data of track 0. `None` when the message has no track 0.
fn read_track_head(
    cursor: &mut Cursor<'_>,
    packet_type: u8,
    multitrack: u8,
) -> Result<Option<(u8, [u8; 4])>, FlvError> {
    const ONE_TRACK: u8 = 0;
    const MANY_TRACKS: u8 = 1;
    const MANY_TRACKS_MANY_CODECS: u8 = 2;
    if packet_type != multitrack {
        return Ok(Some((packet_type, cursor.array()?)));
    }
    let kinds = cursor.u8()?;
    let (track_kind, packet_type) = (kinds >> 4, kinds & 0x0f);
    match track_kind {
        ONE_TRACK => {
            let four_cc = cursor.array()?;
            Ok((cursor.u8()? == 0).then_some((packet_type, four_cc)))
        }
        // Deliberate absence: bodies that hold several tracks. Encoders that have more than one track send the first
        // in messages of its own, so that servers that know nothing of tracks still understand it.
        MANY_TRACKS | MANY_TRACKS_MANY_CODECS => Ok(None),
        _ => Err(FlvError::Malformed { at: cursor.position() - 1, what: "unknown multitrack type" }),
    }
}

fn video_codec_name(codec: u8) -> String {
    match codec {
        1 => "JPEG".to_owned(),
        2 => "Sorenson H.263".to_owned(),
        3 => "Screen video".to_owned(),
        4 => "On2 VP6".to_owned(),
        5 => "On2 VP6 with alpha".to_owned(),
        6 => "Screen video 2".to_owned(),
        8 => "Real H.263".to_owned(),
        9 => "MPEG-4 Part 2".to_owned(),
        // Not in any standard; encoders for the Chinese CDNs send them.
        12 => "HEVC (codec id 12)".to_owned(),
        13 => "AV1 (codec id 13)".to_owned(),
        other => format!("FLV codec id {other}"),
    }
}

fn sound_format_name(sound_format: u8) -> String {
    match sound_format {
        0 => "PCM (platform endian)".to_owned(),
        1 => "ADPCM".to_owned(),
        2 => "MP3".to_owned(),
        3 => "PCM (little endian)".to_owned(),
        4 => "Nellymoser 16 kHz".to_owned(),
        5 => "Nellymoser 8 kHz".to_owned(),
        6 => "Nellymoser".to_owned(),
        7 => "G.711 A-law".to_owned(),
        8 => "G.711 mu-law".to_owned(),
        11 => "Speex".to_owned(),
        14 => "MP3 8 kHz".to_owned(),
        other => format!("FLV sound format {other}"),
    }
}

fn video_four_cc_name(four_cc: [u8; 4]) -> String {
    named_four_cc(
        four_cc,
        match &four_cc {
            b"hvc1" => Some("HEVC"),
            b"av01" => Some("AV1"),
            b"vp09" => Some("VP9"),
            b"vp08" => Some("VP8"),
            b"vvc1" => Some("VVC"),
            _ => None,
        },
    )
}

fn audio_four_cc_name(four_cc: [u8; 4]) -> String {
    named_four_cc(
        four_cc,
        match &four_cc {
            b"Opus" => Some("Opus"),
            b"ac-3" => Some("AC-3"),
            b"ec-3" => Some("E-AC-3"),
            b"fLaC" => Some("FLAC"),
            b".mp3" => Some("MP3"),
            _ => None,
        },
    )
}

/// `HEVC (hvc1)`; of an unknown code only its printable form, since the name reaches logs and answers.
fn named_four_cc(four_cc: [u8; 4], name: Option<&str>) -> String {
    let code = four_cc.escape_ascii();
    match name {
        Some(name) => format!("{name} ({code})"),
        None => format!("FourCC {code}"),
    }
}
