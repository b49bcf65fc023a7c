//! Messages as interleaved chunks. `ChunkWriter` of the service writes one message after the other, under headers that
//! nobody misreads; a fuzzer wants what other encoders send.

use bytes::{BufMut, BytesMut};
use livebucket::codec::rtmp::AmfValue;
use livebucket::codec::rtmp::message::{command, data};

use crate::Choices;

/// Turns choices into the bytes of a socket behind the handshake.
#[derive(Debug, Default)]
pub struct Encoder {
    /// What each chunk stream still has to send.
    unfinished: Vec<(u8, Vec<u8>)>,
}

/// Chunk size until another is announced (5.4.1).
const CHUNK_SIZE: usize = 128;

impl Encoder {
    /// Begins a message on a chunk stream (3 to 63); what was unfinished there is cut short by it.
    pub fn begin(&mut self, out: &mut BytesMut, chunk_stream: u8, head: Head, payload: &[u8]) {
        let chunk_stream = 3 + chunk_stream % 61;
        self.unfinished.retain(|(other, _)| *other != chunk_stream);
        out.put_u8(head.chunk_type << 6 | chunk_stream);
        let time = head.timestamp;
        if head.chunk_type < 3 {
            out.put_uint(u64::from(time.min(0xff_ffff)), 3);
        }
        if head.chunk_type < 2 {
            out.put_uint(payload.len() as u64, 3);
            out.put_u8(head.type_id);
        }
        if head.chunk_type == 0 {
            out.put_u32_le(head.stream_id);
        }
        if head.chunk_type < 3 && time >= 0xff_ffff {
            out.put_u32(time);
        }
        self.unfinished.push((chunk_stream, payload.to_vec()));
        let last = self.unfinished.len() - 1;
        self.piece(out, last);
    }

    /// The next chunk of one of the unfinished messages.
    pub fn go_on(&mut self, out: &mut BytesMut, choice: u8) {
        if !self.unfinished.is_empty() {
            let index = usize::from(choice) % self.unfinished.len();
            out.put_u8(3 << 6 | self.unfinished[index].0);
            self.piece(out, index);
        }
    }

    /// Sends all that is unfinished.
    pub fn finish(&mut self, out: &mut BytesMut) {
        while !self.unfinished.is_empty() {
            self.go_on(out, 0);
        }
    }

    fn piece(&mut self, out: &mut BytesMut, index: usize) {
        let payload = &mut self.unfinished[index].1;
        let rest = payload.split_off(payload.len().min(CHUNK_SIZE));
        out.put_slice(payload);
        *payload = rest;
        if payload.is_empty() {
            self.unfinished.remove(index);
        }
    }
}

/// A message header.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// 0 to 3.
    pub chunk_type: u8,
    /// Time or delta.
    pub timestamp: u32,
    /// Message type.
    pub type_id: u8,
    /// Message stream.
    pub stream_id: u32,
}

impl Head {
    /// From six bytes: most chunks are of type 0, most types and streams such as occur.
    pub fn choose(choices: &mut Choices<'_>) -> Head {
        const TYPES: [u8; 16] = [8, 9, 8, 9, 20, 18, 17, 15, 22, 1, 2, 3, 4, 5, 6, 0];
        let kind = choices.u8();
        let timestamp = choices.u32();
        let other = choices.u8();
        let type_id = if other & 0x80 == 0 { TYPES[usize::from(kind >> 4)] } else { other };
        Head {
            chunk_type: [0, 0, 1, 2, 3, 0, 1, 0][usize::from(kind & 7)],
            timestamp,
            type_id,
            stream_id: u32::from(other & 3),
        }
    }
}

/// What a publisher does next.
pub enum Act {
    /// It sends this, cut as [`crate::pieces`] does with the seed.
    Send {
        /// How it is cut.
        seed: u8,
        /// Bytes of the socket.
        bytes: BytesMut,
    },
    /// It waits for the other side to decide something.
    Answer(u8),
}

/// A publisher that follows an input: messages on interleaved chunk streams, whole commands, bare bytes.
pub struct Script<'a> {
    encoder: Encoder,
    wire: BytesMut,
    /// The name it publishes.
    stream: &'a str,
}

impl<'a> Script<'a> {
    /// Begins with a handshake, usually.
    pub fn new(choices: &mut Choices<'_>, stream: &'a str) -> Self {
        let mut wire = BytesMut::new();
        if choices.u8() != 0xff {
            wire.extend_from_slice(&[3]);
            wire.extend_from_slice(&[0; 2 * 1536]);
        }
        Script { encoder: Encoder::default(), wire, stream }
    }

    /// What it does next; `None` at the end of the input.
    pub fn next(&mut self, choices: &mut Choices<'_>) -> Option<Act> {
        while !choices.is_empty() {
            let step = choices.u8();
            match step % 6 {
                0 => {
                    let head = Head::choose(choices);
                    let length = usize::from(choices.u16()) % 2_048;
                    self.encoder.begin(&mut self.wire, step >> 3, head, choices.take(length));
                }
                1 => self.encoder.go_on(&mut self.wire, choices.u8()),
                2 => {
                    let choice = choices.u8();
                    let type_id = if choice % 9 == 8 { 18 } else { 20 };
                    let head = Head { chunk_type: 0, timestamp: 0, type_id, stream_id: u32::from(choice >> 6) };
                    self.encoder.begin(&mut self.wire, 0, head, &commands(choice, self.stream));
                    self.encoder.finish(&mut self.wire);
                }
                3 => {
                    let length = usize::from(choices.u8());
                    self.wire.extend_from_slice(choices.take(length));
                }
                4 => return Some(Act::Send { seed: choices.u8(), bytes: self.wire.split() }),
                _ => return Some(Act::Answer(step >> 3)),
            }
        }
        (!self.wire.is_empty()).then(|| Act::Send { seed: 0, bytes: self.wire.split() })
    }
}

/// Commands as encoders send them, in any order.
fn commands(choice: u8, stream: &str) -> BytesMut {
    let null = AmfValue::Null;
    let text = AmfValue::from(stream);
    match choice % 9 {
        0 => {
            let url = AmfValue::from("rtmp://films.localhost/live");
            command("connect", 1.0, &[AmfValue::object([("app", AmfValue::from("live")), ("tcUrl", url)])])
        }
        1 => command("releaseStream", 2.0, &[null, text]),
        2 => command("FCPublish", 3.0, &[null, text]),
        3 => command("createStream", 4.0, &[null]),
        4 => command("publish", 5.0, &[null, text, AmfValue::from("live")]),
        5 => command("FCUnpublish", 6.0, &[null, text]),
        6 => command("deleteStream", 7.0, &[null, AmfValue::Number(f64::from(choice >> 6))]),
        7 => command("closeStream", 0.0, &[null]),
        _ => data(&[
            AmfValue::from("@setDataFrame"),
            AmfValue::from("onMetaData"),
            AmfValue::EcmaArray(vec![("width".to_owned(), AmfValue::Number(320.0))]),
        ]),
    }
}
