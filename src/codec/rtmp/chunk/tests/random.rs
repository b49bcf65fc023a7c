//! Chunks by chance: a sender that obeys the rules in every order, bytes that obey none, and the writer read back.

use proptest::prelude::*;

use super::*;

/// One step of a sender that uses every freedom that chunks give.
#[derive(Clone, Debug)]
enum Step {
    /// Opens a message on a chunk stream with a header of this type, as far as the stream has one to refer to.
    Open { id: u8, kind: u8, time: u32, length: usize, type_id: u8 },
    /// The next chunk of the message that is open there.
    Go { id: u8 },
    /// Set Chunk Size, wherever it falls.
    ChunkSize(u32),
    /// Abort of what is open there.
    Abort { id: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 3u8..7;
    // Small times and deltas, and some around the edge of 24 bits and behind it.
    let time = prop_oneof![4 => 0u32..3_000, 1 => 0xFF_FFFDu32..0x100_0002, 1 => 0x8000_0000u32..0x8000_0100];
    prop_oneof![
        4 => (id(), 0u8..4, time, 0usize..400, 8u8..10)
            .prop_map(|(id, kind, time, length, type_id)| Step::Open { id, kind, time, length, type_id }),
        8 => id().prop_map(|id| Step::Go { id }),
        1 => prop_oneof![Just(1u32), Just(2), Just(128), Just(60_000), Just(16_777_215)].prop_map(Step::ChunkSize),
        1 => id().prop_map(|id| Step::Abort { id }),
    ]
}

/// What a sender remembers of a chunk stream, written from the specification (5.3.1.2) and not from the reader.
#[derive(Clone, Debug, Default)]
struct Sent {
    time: u32,
    /// The last field of types 0, 1 and 2.
    field: u32,
    /// What a type 3 adds.
    delta: u32,
    length: usize,
    type_id: u8,
    /// The rest of the open message, and all of it.
    open: Option<(Vec<u8>, Vec<u8>)>,
}

/// A sender in one of both habits: type 3 chunks repeat the extended timestamp, or they do not.
#[derive(Debug)]
struct Sender {
    repeats: bool,
    chunk_size: usize,
    streams: std::collections::BTreeMap<u8, Sent>,
    wire: Vec<u8>,
    whole: Vec<Short>,
    opened: u8,
}

impl Sender {
    fn new(repeats: bool) -> Self {
        let (chunk_size, opened) = (INITIAL_CHUNK_SIZE as usize, 0);
        Sender { repeats, chunk_size, streams: Default::default(), wire: Vec::new(), whole: Vec::new(), opened }
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Open { id, kind, time, length, type_id } => self.open(id, kind, time, length, type_id),
            Step::Go { id } => {
                if self.streams.get(&id).is_some_and(|sent| sent.open.is_some()) {
                    self.wire.push(0xC0 | id);
                    self.extended(id);
                    self.payload(id);
                }
            }
            Step::ChunkSize(size) => {
                self.control(1, size);
                self.chunk_size = size as usize;
            }
            Step::Abort { id } => {
                if self.streams.get_mut(&id).is_some_and(|sent| sent.open.take().is_some()) {
                    self.control(2, id.into());
                }
            }
        }
    }

    /// A control message of four bytes, itself cut by the chunk size.
    fn control(&mut self, type_id: u8, value: u32) {
        self.wire.extend([2, 0, 0, 0, 0, 0, 4, type_id, 0, 0, 0, 0]);
        for (n, piece) in value.to_be_bytes().chunks(self.chunk_size).enumerate() {
            self.wire.extend((n > 0).then_some(0xC2));
            self.wire.extend_from_slice(piece);
        }
    }

    fn open(&mut self, id: u8, kind: u8, time: u32, length: usize, type_id: u8) {
        let sent = self.streams.get(&id).cloned();
        if sent.as_ref().is_some_and(|sent| sent.open.is_some()) {
            return;
        }
        let kind = if sent.is_none() { 0 } else { kind };
        let mut sent = sent.unwrap_or_default();
        self.wire.push(kind << 6 | id);
        if kind < 3 {
            sent.field = time;
            self.wire.put_uint(time.min(EXTENDED).into(), 3);
        }
        if kind < 2 {
            (sent.length, sent.type_id) = (length, type_id);
            self.wire.put_uint(length as u64, 3);
            self.wire.push(type_id);
        }
        match kind {
            0 => {
                self.wire.extend([1, 0, 0, 0]);
                // 5.3.1.2.4: a type 3 behind it adds this time; where senders mean nothing by it, see REPEATED_TIMESTAMP_MAX.
                (sent.time, sent.delta) = (time, if time < REPEATED_TIMESTAMP_MAX { time } else { 0 });
            }
            3 => sent.time = sent.time.wrapping_add(sent.delta),
            _ => (sent.time, sent.delta) = (sent.time.wrapping_add(time), time),
        }
        self.opened = self.opened.wrapping_add(1);
        let payload = body(sent.length, self.opened);
        sent.open = Some((payload.clone(), payload));
        self.streams.insert(id, sent);
        if kind < 3 && time >= EXTENDED {
            self.wire.extend(time.to_be_bytes());
        } else if kind == 3 {
            self.extended(id);
        }
        self.payload(id);
    }

    /// The extended timestamp of a type 3 chunk.
    fn extended(&mut self, id: u8) {
        let field = self.streams[&id].field;
        if self.repeats && field >= EXTENDED {
            self.wire.extend(field.to_be_bytes());
        }
    }

    fn payload(&mut self, id: u8) {
        let sent = self.streams.get_mut(&id).expect("open");
        let (rest, all) = sent.open.take().expect("open");
        let (chunk, rest) = rest.split_at(rest.len().min(self.chunk_size));
        self.wire.extend_from_slice(chunk);
        if rest.is_empty() {
            self.whole.push((id.into(), sent.type_id, sent.time, all));
        } else {
            sent.open = Some((rest.to_vec(), all));
        }
    }
}

proptest! {
    /// Interleaved chunk streams, all four types in every order, chunk sizes that change in mid-message, Abort, and extended
    /// timestamps in both habits.
    #[test]
    fn all_four_types_in_every_order(
        steps in proptest::collection::vec(step(), 0..120),
        repeats in any::<bool>(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut sender = Sender::new(repeats);
        for step in steps {
            sender.act(step);
        }
        // An extended timestamp that was left out is known by what comes in its place.
        sender.act(Step::ChunkSize(128));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(sender.wire.len() + 1)).collect();
        cuts.extend([0, sender.wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &sender.wire[pair[0]..pair[1]]).collect();
        let (messages, result) = read_split(&pieces, LIMITS);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(messages, sender.whole);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(wire in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
        let cut = cut.min(wire.len());
        let limits = ChunkLimits { message_bytes_max: 400, unfinished_bytes_max: 500, chunk_streams_max: 4 };
        let whole = read_split(&[&wire], limits);
        prop_assert_eq!(read_split(&[&wire[..cut], &wire[cut..]], limits), whole);
    }

    /// Bytes that are chunk headers more often than chance would have it.
    #[test]
    fn random_chunks_never_panic(
        chunks in proptest::collection::vec((0u8..4, 2u8..6, prop_oneof![Just(0xFF_FFFFu32), 0u32..50], 0usize..300, 1u8..10, 0usize..140), 0..40),
        cuts in proptest::collection::vec(0usize..4000, 0..6),
    ) {
        let mut wire = Vec::new();
        for (kind, id, time, length, type_id, payload) in chunks {
            wire.extend(match kind {
                0 => type0(id, time, length, type_id),
                1 => type1(id, time, length, type_id),
                2 => type2(id, time),
                _ => type3(id),
            });
            if time == 0xFF_FFFF {
                wire.extend_from_slice(&[1, 0, 0, 0]);
            }
            wire.extend(body(payload, kind));
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read_split(&pieces, LIMITS), read_split(&[&wire], LIMITS));
    }

    #[test]
    fn what_was_written_is_read(
        messages in proptest::collection::vec(
            (prop_oneof![2u32..8, 60u32..70, 318u32..322, Just(65_599)], 0u32..3, 8u8..10, any::<u32>().prop_map(|time| if time % 2 == 0 { time } else { time % 200 }), 0usize..400),
            0..20,
        ),
        chunk_size in prop_oneof![Just(1u32), Just(128), Just(4096), Just(60_000), Just(16_777_215)],
        cut in 0usize..8000,
    ) {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(id, stream_id, type_id, timestamp, length)| (id, stream_id, type_id, timestamp, body(length, type_id)))
            .collect();
        let wire = write(&messages, chunk_size);
        let (head, tail) = wire.split_at(cut.min(wire.len()));
        let limits = ChunkLimits { chunk_streams_max: 100, ..LIMITS };
        let (seen, result) = read_split(&[head, tail], limits);
        prop_assert_eq!(result, Ok(()));
        let sent: Vec<Short> = messages.into_iter().map(|(id, _, type_id, time, payload)| (id, type_id, time, payload)).collect();
        prop_assert_eq!(seen, sent);
    }
}
