use super::*;

mod random;

const LIMITS: ChunkLimits =
    ChunkLimits { message_bytes_max: 1 << 20, unfinished_bytes_max: 2 << 20, chunk_streams_max: 8 };

/// Type 0 header. `time` is the 24-bit field.
fn type0(id: u8, time: u32, length: usize, type_id: u8) -> Vec<u8> {
    let mut out = vec![id];
    out.put_uint(time.into(), 3);
    out.put_uint(length as u64, 3);
    out.extend_from_slice(&[type_id, 1, 0, 0, 0]);
    out
}

fn type1(id: u8, delta: u32, length: usize, type_id: u8) -> Vec<u8> {
    let mut out = vec![0x40 | id];
    out.put_uint(delta.into(), 3);
    out.put_uint(length as u64, 3);
    out.push(type_id);
    out
}

fn type2(id: u8, delta: u32) -> Vec<u8> {
    let mut out = vec![0x80 | id];
    out.put_uint(delta.into(), 3);
    out
}

fn type3(id: u8) -> Vec<u8> {
    vec![0xC0 | id]
}

fn control(kind: u8, value: u32) -> Vec<u8> {
    [vec![2, 0, 0, 0, 0, 0, 4, kind, 0, 0, 0, 0], value.to_be_bytes().to_vec()].concat()
}

fn body(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|index| (index as u8).wrapping_mul(7).wrapping_add(seed)).collect()
}

/// Chunk stream, message type, timestamp, payload.
type Short = (u32, u8, u32, Vec<u8>);

fn short(message: RawMessage) -> Short {
    (message.chunk_stream_id, message.type_id, message.timestamp, message.payload.to_vec())
}

fn read_split(pieces: &[&[u8]], limits: ChunkLimits) -> (Vec<Short>, Result<(), RtmpError>) {
    let (mut reader, mut messages) = (ChunkReader::new(limits), Vec::new());
    for piece in pieces {
        let mut input = *piece;
        loop {
            match reader.read(&mut input) {
                Ok(Some(message)) => messages.push(short(message)),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
        assert!(input.is_empty(), "all input is taken");
    }
    (messages, Ok(()))
}

/// Reads `wire` whole, cut at every offset, and byte by byte: always the same.
fn read_with(wire: &[u8], limits: ChunkLimits) -> (Vec<Short>, Result<(), RtmpError>) {
    let whole = read_split(&[wire], limits);
    for cut in 0..=wire.len() {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(read_split(&[head, tail], limits), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(read_split(&bytes, limits), whole, "byte by byte");
    whole
}

#[track_caller]
fn check(wire: &[Vec<u8>], expected: &[Short]) {
    let (messages, result) = read_with(&wire.concat(), LIMITS);
    assert_eq!(result, Ok(()));
    assert_eq!(messages, expected);
}

#[track_caller]
fn check_fault(wire: &[Vec<u8>], limits: ChunkLimits, at: u64, fault: Fault) {
    assert_eq!(read_with(&wire.concat(), limits).1, Err(RtmpError { at, fault }));
}

#[test]
fn all_four_types_and_their_times() {
    check(
        &[
            type0(4, 1000, 3, 8),
            body(3, 1),
            type1(4, 20, 2, 9),
            body(2, 2),
            type2(4, 30),
            body(2, 3),
            type3(4),
            body(2, 4),
            type3(4),
            body(2, 5),
            type0(4, 5, 1, 8),
            body(1, 6),
        ],
        &[
            (4, 8, 1000, body(3, 1)),
            (4, 9, 1020, body(2, 2)),
            (4, 9, 1050, body(2, 3)),
            (4, 9, 1080, body(2, 4)),
            (4, 9, 1110, body(2, 5)),
            (4, 8, 5, body(1, 6)),
        ],
    );
}

#[test]
fn type_3_after_type_0_repeats_a_small_time_and_keeps_a_large_one() {
    check(
        &[type0(4, 23, 1, 8), body(1, 1), type3(4), body(1, 2), type3(4), body(1, 3)],
        &[(4, 8, 23, body(1, 1)), (4, 8, 46, body(1, 2)), (4, 8, 69, body(1, 3))],
    );
    check(
        &[type0(4, 3_600_000, 1, 8), body(1, 1), type3(4), body(1, 2)],
        &[(4, 8, 3_600_000, body(1, 1)), (4, 8, 3_600_000, body(1, 2))],
    );
}

#[test]
fn chunk_stream_ids_of_one_two_and_three_bytes() {
    let head = |basic: &[u8]| [basic, &type0(0, 7, 1, 8)[1..]].concat();
    check(
        &[
            head(&[3]),
            body(1, 1),
            head(&[63]),
            body(1, 2),
            head(&[0, 0]),
            body(1, 3),
            head(&[0, 255]),
            body(1, 4),
            head(&[1, 0, 1]),
            body(1, 5),
            head(&[1, 255, 255]),
            body(1, 6),
            // 64 again, in three bytes: the same chunk stream.
            vec![0xC1, 0, 0],
            body(1, 7),
        ],
        &[
            (3, 8, 7, body(1, 1)),
            (63, 8, 7, body(1, 2)),
            (64, 8, 7, body(1, 3)),
            (319, 8, 7, body(1, 4)),
            (320, 8, 7, body(1, 5)),
            (65_599, 8, 7, body(1, 6)),
            (64, 8, 14, body(1, 7)),
        ],
    );
}

#[test]
fn audio_between_the_chunks_of_a_video_message() {
    let video = body(300, 1);
    check(
        &[
            type0(6, 40, 300, 9),
            video[..128].to_vec(),
            type0(4, 41, 130, 8),
            body(130, 2)[..128].to_vec(),
            type3(6),
            video[128..256].to_vec(),
            type3(4),
            body(130, 2)[128..].to_vec(),
            type2(4, 23),
            body(130, 3)[..128].to_vec(),
            type3(6),
            video[256..].to_vec(),
            type3(4),
            body(130, 3)[128..].to_vec(),
        ],
        &[(4, 8, 41, body(130, 2)), (6, 9, 40, video), (4, 8, 64, body(130, 3))],
    );
}

#[test]
fn chunk_size_changes_between_two_chunks_of_a_message() {
    let video = body(1000, 1);
    check(
        &[
            type0(6, 0, 1000, 9),
            video[..128].to_vec(),
            // The top bit is not part of the size.
            control(1, 0x8000_0000 | 700),
            type3(6),
            video[128..828].to_vec(),
            control(1, 4),
            type3(6),
            video[828..832].to_vec(),
            control(1, 0x7FFF_FFFF),
            type3(6),
            video[832..].to_vec(),
        ],
        &[(6, 9, 0, video)],
    );
}

#[test]
fn abort_drops_the_unfinished_message_and_keeps_the_header() {
    check(
        &[
            type0(6, 10, 200, 9),
            body(128, 1),
            control(2, 6),
            // Not begun, or unknown: nothing to drop.
            control(2, 6),
            control(2, 77),
            type2(6, 5),
            body(200, 2)[..128].to_vec(),
            type3(6),
            body(200, 2)[128..].to_vec(),
        ],
        &[(6, 9, 15, body(200, 2))],
    );
}

#[test]
fn a_new_header_before_the_end_of_a_message_starts_anew() {
    for header in [type0(6, 9, 2, 9), type1(6, 9, 2, 9)] {
        check(&[type0(6, 0, 300, 9), body(128, 1), header, body(2, 2)], &[(6, 9, 9, body(2, 2))]);
    }
    let fresh = body(300, 2);
    check(
        &[
            type0(6, 0, 300, 9),
            body(128, 1),
            type2(6, 9),
            fresh[..128].to_vec(),
            type3(6),
            fresh[128..256].to_vec(),
            type3(6),
            fresh[256..].to_vec(),
        ],
        &[(6, 9, 9, fresh)],
    );
}

#[test]
fn empty_messages_are_messages() {
    check(
        &[type0(4, 3, 0, 8), type3(4), type1(4, 1, 1, 8), body(1, 1)],
        &[(4, 8, 3, vec![]), (4, 8, 6, vec![]), (4, 8, 7, body(1, 1))],
    );
}

/// A message of 300 bytes in three chunks, with what `repeat` puts behind each type 3 header.
fn extended(header: Vec<u8>, time: u32, payload: &[u8], repeat: Option<u32>) -> Vec<u8> {
    let repeated = repeat.map(|time| time.to_be_bytes().to_vec()).unwrap_or_default();
    [
        header,
        time.to_be_bytes().to_vec(),
        payload[..128].to_vec(),
        type3(6),
        repeated.clone(),
        payload[128..256].to_vec(),
        type3(6),
        repeated,
        payload[256..].to_vec(),
    ]
    .concat()
}

#[test]
fn extended_timestamps_in_both_habits() {
    let payload = body(300, 1);
    for time in [0xFF_FFFF, 0x100_0000, 0xFFFF_FFFF] {
        for repeat in [Some(time), None] {
            let first = extended(type0(6, 0xFF_FFFF, 300, 9), time, &payload, repeat);
            let next = [type1(6, 40, 2, 9), body(2, 2)].concat();
            check(&[first, next], &[(6, 9, time, payload.clone()), (6, 9, time.wrapping_add(40), body(2, 2))]);
        }
    }
    // One below the edge is not extended.
    check(
        &[type0(6, 0xFF_FFFE, 129, 9), body(128, 1), type3(6), body(1, 2)],
        &[(6, 9, 0xFF_FFFE, [body(128, 1), body(1, 2)].concat())],
    );
}

#[test]
fn extended_deltas_in_all_habits() {
    let payload = body(300, 1);
    let begin = [type0(6, 1000, 1, 9), body(1, 9)].concat();
    // Repeated as the delta was, as the time that it led to, or not at all.
    for repeat in [Some(0x100_0000), Some(0x100_0000 + 1000), None] {
        for header in [type1(6, 0xFF_FFFF, 300, 9), type1(6, 0xFF_FFFF, 300, 8)] {
            let type_id = header[7];
            check(
                &[begin.clone(), extended(header, 0x100_0000, &payload, repeat)],
                &[(6, 9, 1000, body(1, 9)), (6, type_id, 0x100_0000 + 1000, payload.clone())],
            );
        }
    }
    let long = [
        type0(6, 1000, 300, 9),
        payload[..128].to_vec(),
        type3(6),
        payload[128..256].to_vec(),
        type3(6),
        payload[256..].to_vec(),
    ];
    check(
        &[long.concat(), extended(type2(6, 0xFF_FFFF), 0x100_0000, &payload, None)],
        &[(6, 9, 1000, payload.clone()), (6, 9, 0x100_0000 + 1000, payload.clone())],
    );
}

#[test]
fn a_message_opened_by_type_3_may_repeat_the_extended_delta() {
    for repeated in [vec![], 0x100_0000u32.to_be_bytes().to_vec(), 0x200_0000u32.to_be_bytes().to_vec()] {
        check(
            &[
                type0(6, 0, 5, 9),
                body(5, 1),
                type2(6, 0xFF_FFFF),
                0x100_0000u32.to_be_bytes().to_vec(),
                body(5, 2),
                type3(6),
                repeated,
                body(5, 3),
            ],
            &[(6, 9, 0, body(5, 1)), (6, 9, 0x100_0000, body(5, 2)), (6, 9, 0x200_0000, body(5, 3))],
        );
    }
}

/// The payload begins like the timestamp and then differs, at each of its four bytes; the message ends within them.
#[test]
fn a_payload_that_resembles_the_extended_timestamp() {
    let time: u32 = 0x0102_0305;
    for alike in 0..4 {
        for rest in 1..=5 {
            let mut tail = [time.to_be_bytes().to_vec(), vec![9]].concat();
            tail[alike] ^= 0x80;
            tail.truncate(rest);
            let payload = [body(128, 1), tail.clone()].concat();
            check(
                &[
                    type0(6, 0xFF_FFFF, payload.len(), 9),
                    time.to_be_bytes().to_vec(),
                    payload[..128].to_vec(),
                    type3(6),
                    tail,
                    type0(4, 1, 2, 8),
                    body(2, 3),
                    type1(4, 1, 2, 8),
                    body(2, 4),
                ],
                &[(6, 9, time, payload), (4, 8, 1, body(2, 3)), (4, 8, 2, body(2, 4))],
            );
        }
    }
}

#[test]
fn limits_say_where_and_what() {
    let limits = ChunkLimits { message_bytes_max: 200, unfinished_bytes_max: 300, chunk_streams_max: 2 };
    let first = || [type0(6, 0, 200, 9), body(128, 1)].concat();
    check_fault(&[type0(6, 0, 201, 9)], limits, 0, Fault::MessageBytes { length: 201, max: 200 });
    check_fault(
        &[first(), type0(4, 0, 101, 8), body(101, 1)],
        limits,
        140,
        Fault::UnfinishedBytes { length: 301, max: 300 },
    );
    check_fault(
        &[first(), type0(4, 0, 1, 8), body(1, 1), type0(5, 0, 1, 8)],
        limits,
        153,
        Fault::ChunkStreams { max: 2 },
    );
    let fits = [first(), type0(4, 0, 100, 8), body(100, 1), type3(6), body(72, 1)].concat();
    let (messages, result) = read_with(&fits, limits);
    assert_eq!((messages.len(), result), (2, Ok(())));
    // A dropped message no longer counts.
    let (messages, result) = read_with(&[first(), first(), first(), type3(6), body(72, 1)].concat(), limits);
    assert_eq!((messages.len(), result), (1, Ok(())));
}

#[test]
fn broken_rules_say_where_and_what() {
    check_fault(&[type3(6)], LIMITS, 0, Fault::NoHeader(6));
    check_fault(&[type0(4, 0, 1, 8), body(1, 1), type2(6, 0)], LIMITS, 13, Fault::NoHeader(6));
    check_fault(&[control(1, 0)], LIMITS, 16, Fault::ChunkSizeZero);
    check_fault(&[control(1, 0x8000_0000)], LIMITS, 16, Fault::ChunkSizeZero);
    let cut = [2, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 1];
    check_fault(&[cut.to_vec()], LIMITS, 15, Fault::ShortControl { type_id: 1, length: 3 });
}

/// librtmp opens the control stream with a type 1.
#[test]
fn a_chunk_stream_may_open_with_type_1() {
    check(&[type1(2, 0, 6, 4), body(6, 1)], &[(2, 4, 0, body(6, 1))]);
}

#[test]
fn a_message_within_one_piece_is_copied_once() {
    let wire = [control(1, 60_000), type0(6, 0, 50_000, 9), body(50_000, 1)].concat();
    let mut reader = ChunkReader::new(LIMITS);
    let message = reader.read(&mut &wire[..]).expect("legal").expect("whole");
    assert!(reader.streams.iter().all(|stream| stream.payload.capacity() == 0), "no buffer but the message's own");
    assert!(message.payload.is_unique());
    assert_eq!(message.payload, body(50_000, 1));
}

fn write(messages: &[(u32, u32, u8, u32, Vec<u8>)], chunk_size: u32) -> BytesMut {
    let (mut writer, mut out) = (ChunkWriter::default(), BytesMut::new());
    writer.set_chunk_size(&mut out, chunk_size);
    for (chunk_stream_id, stream_id, type_id, timestamp, payload) in messages {
        writer.write(&mut out, *chunk_stream_id, *stream_id, *type_id, *timestamp, payload).expect("short enough");
    }
    out
}

#[test]
fn the_writer_compresses_headers_without_ambiguity() {
    let message = |timestamp, length| (6, 1, 9, timestamp, body(length, 1));
    let out = write(&[message(20, 2), message(40, 2), message(60, 2), message(80, 3), message(10, 3)], 128);
    let kinds: Vec<u8> = [0, 14, 20, 23, 34].iter().map(|at| out[16 + at] >> 6).collect();
    assert_eq!(kinds, [0, 2, 3, 1, 0], "after the time went back it is stated whole");
}

#[test]
fn the_writer_refuses_what_no_header_can_announce() {
    let mut out = BytesMut::new();
    let refused = ChunkWriter::default().write(&mut out, 6, 1, 9, 0, &vec![0; 1 << 24]);
    assert_eq!((refused, out.len()), (Err(MessageTooLong(1 << 24)), 0));
}

/// A foreign reader understands the writer, extended timestamps among it.
#[test]
fn a_foreign_reader_understands_the_writer() {
    let messages: Vec<_> = [0u32, 20, 40, 60, 0xFF_FFFE, 0x100_0000, 0x100_0014, 0x100_0028, 5]
        .into_iter()
        .enumerate()
        .map(|(index, timestamp)| (6, 1, 9, timestamp, body(200 + index % 2, index as u8)))
        .collect();
    let mut foreign = rml_rtmp::chunk_io::ChunkDeserializer::new();
    let mut input = write(&messages, 150).to_vec();
    foreign.set_max_chunk_size(150).expect("legal");
    let mut seen = Vec::new();
    while let Some(message) = foreign.get_next_message(&input).expect("understood") {
        input.clear();
        seen.push((message.timestamp.value, message.data.to_vec()));
    }
    let sent: Vec<_> = messages.into_iter().map(|(_, _, _, timestamp, payload)| (timestamp, payload)).collect();
    assert_eq!(seen[1..], sent[..], "behind Set Chunk Size");
}
