//! Fixed work whose machine instructions are counted: `count NAME ROUNDS`. `benches/count.sh` runs it under callgrind.
//!
//! Instructions hardly depend on the machine's load, so a slow change shows on a busy machine too. What they do not show are
//! caches, system calls and wake-ups: for those there is `livebucket bench`.

#[path = "count/service.rs"]
mod service;

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use livebucket::codec::flv::{FlvEvent, FlvReader};
use livebucket::codec::mpegts::mux::TsMuxer;
use livebucket::codec::rtmp::chunk::{ChunkLimits, ChunkReader, ChunkWriter};
use livebucket::media::{AacConfig, AvcConfig, CodecConfig, MediaTime};

/// Seconds of media in a round: 30 pictures and 43 audio frames each, 2.5 Mbit/s and 128 kbit/s.
const SECONDS: u32 = 4;
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// A message of a publisher.
struct Tag {
    video: bool,
    at_ms: u32,
    body: Bytes,
}

fn headers() -> [Tag; 2] {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
    let head = [0x17, 0, 0, 0, 0, 1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1];
    let avc = [&head[..], &length(SPS), SPS, &[1], &length(PPS), PPS].concat();
    [
        Tag { video: true, at_ms: 0, body: avc.into() },
        Tag { video: false, at_ms: 0, body: Bytes::from_static(&[0xaf, 0, 0x12, 0x10]) },
    ]
}

fn media() -> Vec<Tag> {
    let picture = |n: u32| {
        let keyframe = n.is_multiple_of(60);
        let bytes = if keyframe { 57_000 } else { 9_600 };
        let (frame, nal) = if keyframe { (0x17, 0x65) } else { (0x27, 0x41) };
        let mut body = vec![frame, 1, 0, 0, 0];
        body.extend_from_slice(&u32::to_be_bytes(bytes));
        body.push(nal);
        body.extend((1..bytes).map(|n| (n as u8).wrapping_mul(37) | 0x11));
        Tag { video: true, at_ms: n * 1_000 / 30, body: body.into() }
    };
    let sound = |n: u32| {
        let body = [&[0xaf, 0x01][..], &[0x21; 371]].concat();
        Tag { video: false, at_ms: n * 1_000 / 43, body: body.into() }
    };
    let mut tags: Vec<_> = (0..30 * SECONDS).map(picture).chain((0..43 * SECONDS).map(sound)).collect();
    tags.sort_by_key(|tag| tag.at_ms);
    tags
}

/// The tags as a socket brings them.
fn chunked(tags: &[Tag], chunk_size: u32) -> Vec<u8> {
    let (mut writer, mut out) = (ChunkWriter::default(), BytesMut::new());
    writer.set_chunk_size(&mut out, chunk_size);
    for tag in tags {
        let (chunk_stream, kind) = if tag.video { (6, 9) } else { (4, 8) };
        writer.write(&mut out, chunk_stream, 1, kind, tag.at_ms, &tag.body).expect("not too long");
    }
    out.to_vec()
}

/// Reads of 32 KiB, as merged reads bring them.
fn chunk_reader(socket: &[u8], messages: usize, rounds: u32) {
    for _ in 0..rounds {
        let limits = ChunkLimits { message_bytes_max: 1 << 20, unfinished_bytes_max: 1 << 21, chunk_streams_max: 64 };
        let (mut reader, mut found) = (ChunkReader::new(limits), 0);
        for mut read in socket.chunks(32 * 1024) {
            while let Some(message) = reader.read(&mut read).expect("well-formed") {
                black_box(message);
                found += 1;
            }
        }
        assert_eq!(found, messages);
    }
}

fn flv(tags: &[Tag], rounds: u32) {
    for _ in 0..rounds {
        let mut reader = FlvReader::new();
        for tag in headers().iter().chain(tags) {
            black_box(read(&mut reader, tag));
        }
    }
}

fn read(reader: &mut FlvReader, tag: &Tag) -> FlvEvent {
    let event = if tag.video { reader.video(tag.at_ms, &tag.body) } else { reader.audio(tag.at_ms, &tag.body) };
    event.expect("well-formed")
}

fn ts_mux(tags: &[Tag], rounds: u32) {
    let mut reader = FlvReader::new();
    let mut configs = headers().into_iter().map(|tag| read(&mut reader, &tag));
    let avc: AvcConfig = match configs.next() {
        Some(FlvEvent::Config(CodecConfig::Avc(config))) => config,
        other => panic!("{other:?}"),
    };
    let aac: AacConfig = match configs.next() {
        Some(FlvEvent::Config(CodecConfig::Aac(config))) => config,
        other => panic!("{other:?}"),
    };
    drop(configs);
    let units: Vec<_> = tags
        .iter()
        .map(|tag| match read(&mut reader, tag) {
            FlvEvent::Unit(unit) => (tag.video, MediaTime::from_millis(i64::from(tag.at_ms)), unit),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut out = BytesMut::with_capacity(4 << 20);
    for _ in 0..rounds {
        let mut muxer = TsMuxer::new();
        out.clear();
        muxer.begin_fragment(&mut out, true, true);
        for (video, dts, unit) in &units {
            if *video {
                muxer.video(&mut out, *dts, *dts, unit.keyframe, &unit.payload, &avc).expect("well-formed");
            } else {
                muxer.audio(&mut out, *dts, &unit.payload, &aac);
            }
        }
        assert!(black_box(out.len()).is_multiple_of(188));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let name = arguments.next().unwrap_or_default();
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    let tags = media();
    match name.as_str() {
        "chunk_reader_4096" => chunk_reader(&chunked(&tags, 4_096), tags.len(), rounds),
        "chunk_reader_128" => chunk_reader(&chunked(&tags, 128), tags.len(), rounds),
        "flv" => flv(&tags, rounds),
        "ts_mux" => ts_mux(&tags, rounds),
        "digests_1m" => service::digests(rounds),
        name if service::run(name, rounds) => {}
        _ => {
            // All once, so that `cargo bench` proves that they still run.
            chunk_reader(&chunked(&tags, 4_096), tags.len(), 1);
            chunk_reader(&chunked(&tags, 128), tags.len(), 1);
            flv(&tags, 1);
            ts_mux(&tags, 1);
            service::digests(1);
            service::NAMES.iter().for_each(|name| assert!(service::run(name, 1)));
        }
    }
}
