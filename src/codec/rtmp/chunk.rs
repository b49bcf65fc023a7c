//! Chunks (5.3): messages cut in pieces and mixed on one socket. A reader and a writer.
//!
//! The reader keeps header and payload of each chunk stream apart, so chunks of different messages may interleave
//! in any way. It obeys Set Chunk Size and Abort by itself, because both change how the very next byte is read.
//! A payload is copied once, from the caller's buffer into the message's own.
//!
//! Two things that the specification leaves open, or says and senders do not do, are decided here:
//! *which delta a type 3 chunk repeats after a type 0* (`REPEATED_TIMESTAMP_MAX`), and *whether a type 3 chunk
//! carries the extended timestamp* ([`ChunkReader`] compares, see `repeats_extended_timestamp`).

use bytes::{BufMut, Bytes, BytesMut};

use super::message::type_id;
use super::{Fault, RtmpError};
use crate::codec::cursor::Cursor;

/// Both directions begin with it (5.4.1).
pub const INITIAL_CHUNK_SIZE: u32 = 128;
/// In the 24-bit field: the value follows in 32 bits.
const EXTENDED: u32 = 0xFF_FFFF;
/// Basic header, message header and extended timestamp at their longest.
const HEADER_BYTES_MAX: usize = 3 + 11 + 4;
/// A message that opens with a type 3 chunk repeats the last delta; after a type 0 the specification (5.3.1.2.4)
/// takes that chunk's *timestamp* for the delta. ffmpeg's writer counts on it, and its reader, librtmp's and SRS's
/// agree. But nginx-rtmp and rml_rtmp write a type 3 there to say "the same time". Below this many milliseconds the
/// specification holds: it is a likely distance between two frames, and ffmpeg's streams begin near zero. Above, no
/// next frame is as far away as the socket is old, so the time does not move.
const REPEATED_TIMESTAMP_MAX: u32 = 10_000;

/// What one socket's chunks may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Length of one message.
    pub message_bytes_max: usize,
    /// Lengths of all messages that have begun and not ended.
    pub unfinished_bytes_max: usize,
    /// Chunk streams over the life of the socket.
    pub chunk_streams_max: usize,
}

/// A whole message as chunks carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// The chunk stream it came on.
    pub chunk_stream_id: u32,
    /// The message stream it belongs to; 0 is the NetConnection.
    pub stream_id: u32,
    /// See [`type_id`].
    pub type_id: u8,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The payload. Owns its memory alone, so keeping it keeps nothing else alive.
    pub payload: Bytes,
}

/// Header and unfinished payload of one chunk stream. It begins with a type 0 or 1, so length and type are known.
#[derive(Debug, Default)]
struct ChunkStream {
    id: u32,
    /// Of the message that began last.
    timestamp: u32,
    /// As the last type 0, 1 or 2 header stated it: a time or a delta, extended or not.
    time_field: u32,
    /// The last such header had its time field in 32 bits.
    extended: bool,
    /// What a type 3 chunk adds when it opens a message.
    repeated_delta: u32,
    length: usize,
    type_id: u8,
    stream_id: u32,
    /// A message has begun and not ended; `length` counts towards the unfinished bytes.
    unfinished: bool,
    payload: BytesMut,
}

impl ChunkStream {
    /// Whether a type 3 chunk whose basic header is followed by `bytes` repeats the extended timestamp. The
    /// specification wants it repeated; librtmp (and OBS until 2024) leaves it out. Nothing announces the habit, so the
    /// four bytes are compared with what would be repeated: the field as it was, or (some encoders) the time that it
    /// led to. A payload looks like that once in 2^31. `None`: so far it looks repeated, and bytes are missing.
    fn repeats_extended_timestamp(&self, bytes: &[u8]) -> Option<bool> {
        let time = if self.unfinished { self.timestamp } else { self.timestamp.wrapping_add(self.repeated_delta) };
        let seen = bytes.len().min(4);
        let alike = [self.time_field, time].iter().any(|value| value.to_be_bytes()[..seen] == bytes[..seen]);
        if alike && seen < 4 { None } else { Some(alike) }
    }
}

/// A chunk's header as it stands on the wire.
#[derive(Debug)]
struct Header {
    chunk_stream_id: u32,
    /// Types 0, 1 and 2: time or delta.
    time_field: u32,
    extended: bool,
    kind: HeaderKind,
}

#[derive(Debug)]
enum HeaderKind {
    Type0 { length: usize, type_id: u8, stream_id: u32 },
    Type1 { length: usize, type_id: u8 },
    Type2,
    Type3,
}

/// The chunk whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    stream: usize,
    left: usize,
}

/// Reads messages out of chunks, from any split of the bytes.
#[derive(Debug)]
pub struct ChunkReader {
    limits: ChunkLimits,
    chunk_size: usize,
    /// Offset on the socket of the next byte to be understood.
    position: u64,
    /// Bytes that were taken and not understood: a header that was cut by the end of the input.
    carry: [u8; HEADER_BYTES_MAX],
    carry_len: usize,
    /// Few (a sender uses three to six), so a search beats a map.
    streams: Vec<ChunkStream>,
    current: Option<Current>,
    unfinished_bytes: usize,
}

impl ChunkReader {
    /// At the beginning of a socket.
    pub fn new(limits: ChunkLimits) -> Self {
        ChunkReader {
            limits,
            chunk_size: INITIAL_CHUNK_SIZE as usize,
            position: 0,
            carry: [0; HEADER_BYTES_MAX],
            carry_len: 0,
            streams: Vec::new(),
            current: None,
            unfinished_bytes: 0,
        }
    }

    /// Bytes of the socket that were taken so far.
    pub fn position(&self) -> u64 {
        self.position + self.carry_len as u64
    }

    /// Offset on the socket of the first byte that is not understood yet: behind the message returned last.
    pub fn position_of_message(&self) -> u64 {
        self.position
    }

    /// Bytes that someone else took before the first chunk.
    pub fn skip(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }

    /// Other limits, for the messages that begin from now on.
    pub fn set_limits(&mut self, limits: ChunkLimits) {
        self.limits = limits;
    }

    /// The next whole message; `None` when all of `input` is taken. Set Chunk Size and Abort are obeyed, not returned.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<RawMessage>, RtmpError> {
        loop {
            if self.current.is_none() {
                self.current = self.read_header(input)?;
            }
            let Some(current) = self.current else { return Ok(None) };
            let message = if self.carry_len > 0 && current.left > 0 {
                let carry = self.carry;
                let taken = current.left.min(self.carry_len);
                self.drop_carry(taken);
                self.position += taken as u64;
                self.add_payload(current, &carry[..taken])
            } else {
                let taken = current.left.min(input.len());
                if taken == 0 && current.left > 0 {
                    return Ok(None);
                }
                let (payload, rest) = input.split_at(taken);
                *input = rest;
                self.position += taken as u64;
                self.add_payload(current, payload)
            };
            if let Some(message) = message
                && !self.obey(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// Takes one header and turns to its chunk; `None` when the header is not complete yet.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Current>, RtmpError> {
        let kept = self.carry_len;
        let parsed = if kept == 0 {
            self.parse_header(input)
        } else {
            let more = input.len().min(HEADER_BYTES_MAX - kept);
            self.carry[kept..kept + more].copy_from_slice(&input[..more]);
            self.parse_header(&self.carry[..kept + more])
        };
        let Some((header, header_bytes)) = parsed else {
            // Shorter than a header can be, so all of it fits behind what was kept.
            self.carry[kept..kept + input.len()].copy_from_slice(input);
            self.carry_len += input.len();
            *input = &[];
            return Ok(None);
        };
        let begin = self.position;
        self.position += header_bytes as u64;
        // What looked like an extended timestamp so far and is none stays behind as payload.
        self.drop_carry(header_bytes.min(kept));
        *input = &input[header_bytes.saturating_sub(kept)..];
        self.begin_chunk(header).map(Some).map_err(|fault| RtmpError { at: begin, fault })
    }

    fn drop_carry(&mut self, count: usize) {
        self.carry.copy_within(count..self.carry_len, 0);
        self.carry_len -= count;
    }

    /// A header at the front of `bytes` and how many bytes it has; `None`: it is cut.
    fn parse_header(&self, bytes: &[u8]) -> Option<(Header, usize)> {
        let mut cursor = Cursor::new(bytes);
        let basic = cursor.u8().ok()?;
        let chunk_stream_id = match basic & 0x3F {
            0 => 64 + u32::from(cursor.u8().ok()?),
            1 => {
                let [low, high] = cursor.array().ok()?;
                64 + u32::from(low) + 256 * u32::from(high)
            }
            id => u32::from(id),
        };
        if basic >> 6 == 3 {
            let kept = self.streams.iter().find(|stream| stream.id == chunk_stream_id && stream.extended);
            if let Some(stream) = kept
                && stream.repeats_extended_timestamp(cursor.rest())?
            {
                cursor.take(4).ok()?;
            }
            let header = Header { chunk_stream_id, time_field: 0, extended: false, kind: HeaderKind::Type3 };
            return Some((header, cursor.position()));
        }
        let mut time_field = cursor.u24().ok()?;
        let kind = match basic >> 6 {
            0 => HeaderKind::Type0 {
                length: cursor.u24().ok()? as usize,
                type_id: cursor.u8().ok()?,
                // The one little-endian number of the protocol.
                stream_id: u32::from_le_bytes(cursor.array().ok()?),
            },
            1 => HeaderKind::Type1 { length: cursor.u24().ok()? as usize, type_id: cursor.u8().ok()? },
            _ => HeaderKind::Type2,
        };
        let extended = time_field == EXTENDED;
        if extended {
            time_field = cursor.u32().ok()?;
        }
        Some((Header { chunk_stream_id, time_field, extended, kind }, cursor.position()))
    }

    /// Puts a header into effect on its chunk stream.
    fn begin_chunk(&mut self, header: Header) -> Result<Current, Fault> {
        let index = self.stream_index(&header)?;
        let stream = &mut self.streams[index];
        if !(stream.unfinished && matches!(header.kind, HeaderKind::Type3)) {
            if stream.unfinished {
                // A new header before the old message ended: the sender gave the old one up.
                abandon(stream, &mut self.unfinished_bytes);
            }
            begin_message(stream, &header);
            check_length(stream.length, self.unfinished_bytes, &self.limits)?;
            stream.unfinished = true;
            self.unfinished_bytes += stream.length;
        }
        Ok(Current { stream: index, left: self.chunk_size.min(stream.length - stream.payload.len()) })
    }

    fn stream_index(&mut self, header: &Header) -> Result<usize, Fault> {
        let id = header.chunk_stream_id;
        let opens = matches!(header.kind, HeaderKind::Type0 { .. } | HeaderKind::Type1 { .. });
        match self.streams.iter().position(|stream| stream.id == id) {
            Some(index) => Ok(index),
            // librtmp opens the control stream with a type 1: no message stream and time zero are meant.
            None if !opens => Err(Fault::NoHeader(id)),
            None if self.streams.len() >= self.limits.chunk_streams_max => {
                Err(Fault::ChunkStreams { max: self.limits.chunk_streams_max })
            }
            None => {
                self.streams.push(ChunkStream { id, ..ChunkStream::default() });
                Ok(self.streams.len() - 1)
            }
        }
    }

    /// Adds bytes of the current chunk to its message; the message when it is whole.
    fn add_payload(&mut self, current: Current, bytes: &[u8]) -> Option<RawMessage> {
        let left = current.left - bytes.len();
        self.current = (left > 0).then_some(Current { left, ..current });
        let stream = &mut self.streams[current.stream];
        let payload = if bytes.len() == stream.length {
            Bytes::copy_from_slice(bytes)
        } else {
            if stream.payload.capacity() == 0 {
                // At full length, which the limits have bounded: it never moves while it grows.
                stream.payload.reserve(stream.length);
            }
            stream.payload.extend_from_slice(bytes);
            if stream.payload.len() < stream.length {
                return None;
            }
            std::mem::take(&mut stream.payload).freeze()
        };
        stream.unfinished = false;
        self.unfinished_bytes -= stream.length;
        Some(RawMessage {
            chunk_stream_id: stream.id,
            stream_id: stream.stream_id,
            type_id: stream.type_id,
            timestamp: stream.timestamp,
            payload,
        })
    }

    /// Obeys Set Chunk Size and Abort; `false`: another message.
    fn obey(&mut self, message: &RawMessage) -> Result<bool, RtmpError> {
        if !matches!(message.type_id, type_id::SET_CHUNK_SIZE | type_id::ABORT) {
            return Ok(false);
        }
        let fail = |fault| RtmpError { at: self.position, fault };
        let length = message.payload.len();
        let value = Cursor::new(&message.payload)
            .u32()
            .map_err(|_| fail(Fault::ShortControl { type_id: message.type_id, length }))?;
        if message.type_id == type_id::SET_CHUNK_SIZE {
            // The top bit must be zero (5.4.1) and some encoders set it.
            match value & 0x7FFF_FFFF {
                0 => return Err(fail(Fault::ChunkSizeZero)),
                size => self.chunk_size = size as usize,
            }
        } else if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == value && stream.unfinished) {
            abandon(stream, &mut self.unfinished_bytes);
        }
        Ok(true)
    }
}

/// Drops the unfinished message of a chunk stream. Its header stays: later chunks refer to it.
fn abandon(stream: &mut ChunkStream, unfinished_bytes: &mut usize) {
    stream.payload = BytesMut::new();
    stream.unfinished = false;
    *unfinished_bytes -= stream.length;
}

fn begin_message(stream: &mut ChunkStream, header: &Header) {
    match header.kind {
        HeaderKind::Type0 { length, type_id, stream_id } => {
            (stream.length, stream.type_id, stream.stream_id) = (length, type_id, stream_id);
            stream.timestamp = header.time_field;
            stream.repeated_delta = if header.time_field < REPEATED_TIMESTAMP_MAX { header.time_field } else { 0 };
        }
        HeaderKind::Type1 { length, type_id } => {
            (stream.length, stream.type_id) = (length, type_id);
            stream.timestamp = stream.timestamp.wrapping_add(header.time_field);
            stream.repeated_delta = header.time_field;
        }
        HeaderKind::Type2 => {
            stream.timestamp = stream.timestamp.wrapping_add(header.time_field);
            stream.repeated_delta = header.time_field;
        }
        HeaderKind::Type3 => {
            stream.timestamp = stream.timestamp.wrapping_add(stream.repeated_delta);
            return;
        }
    }
    stream.time_field = header.time_field;
    stream.extended = header.extended;
}

/// Lengths as promised, not as received: what was allowed here is allocated at once.
fn check_length(length: usize, unfinished_bytes: usize, limits: &ChunkLimits) -> Result<(), Fault> {
    if length > limits.message_bytes_max {
        return Err(Fault::MessageBytes { length, max: limits.message_bytes_max });
    }
    let length = unfinished_bytes + length;
    if length > limits.unfinished_bytes_max {
        return Err(Fault::UnfinishedBytes { length, max: limits.unfinished_bytes_max });
    }
    Ok(())
}

/// A payload that no message header can announce (24 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes: 16777215 is the longest")]
pub struct MessageTooLong(pub usize);

/// What the last message on a chunk stream was, as the receiver remembers it.
#[derive(Debug)]
struct Written {
    chunk_stream_id: u32,
    stream_id: u32,
    type_id: u8,
    length: usize,
    timestamp: u32,
    /// `None` after a type 0.
    delta: Option<u32>,
}

/// Writes messages as chunks, one message after the other.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: usize,
    written: Vec<Written>,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        ChunkWriter { chunk_size: INITIAL_CHUNK_SIZE as usize, written: Vec::new() }
    }
}

impl ChunkWriter {
    /// Announces a chunk size (1..=2^31-1) and uses it from the next message on.
    pub fn set_chunk_size(&mut self, out: &mut BytesMut, chunk_size: u32) {
        let chunk_size = chunk_size.clamp(1, 0x7FFF_FFFF);
        self.write(out, 2, 0, type_id::SET_CHUNK_SIZE, 0, &chunk_size.to_be_bytes()).expect("four bytes are not long");
        self.chunk_size = chunk_size as usize;
    }

    /// Appends a message to `out`, under the shortest header that every reader understands alike.
    pub fn write(
        &mut self,
        out: &mut BytesMut,
        chunk_stream_id: u32,
        stream_id: u32,
        type_id: u8,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<(), MessageTooLong> {
        let length = payload.len();
        if length > 0xFF_FFFF {
            return Err(MessageTooLong(length));
        }
        let index = self.written.iter().position(|last| last.chunk_stream_id == chunk_stream_id);
        let (kind, delta) = chunk_type(index.map(|at| &self.written[at]), stream_id, type_id, timestamp, length);
        let last = Written { chunk_stream_id, stream_id, type_id, length, timestamp, delta };
        match index {
            Some(at) => self.written[at] = last,
            None => self.written.push(last),
        }

        let time_field = delta.unwrap_or(timestamp);
        let extended = time_field >= EXTENDED;
        out.reserve(length + (length / self.chunk_size + 1) * 7 + HEADER_BYTES_MAX);
        put_basic_header(out, kind, chunk_stream_id);
        if kind < 3 {
            out.put_uint(u64::from(time_field.min(EXTENDED)), 3);
        }
        if kind < 2 {
            out.put_uint(length as u64, 3);
            out.put_u8(type_id);
        }
        if kind == 0 {
            out.put_u32_le(stream_id);
        }
        if extended {
            out.put_u32(time_field);
        }
        for (index, piece) in payload.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                put_basic_header(out, 3, chunk_stream_id);
                if extended {
                    out.put_u32(time_field);
                }
            }
            out.put_slice(piece);
        }
        Ok(())
    }
}

/// The chunk type that opens a message, and its delta unless it is a type 0.
fn chunk_type(last: Option<&Written>, stream_id: u32, type_id: u8, timestamp: u32, length: usize) -> (u8, Option<u32>) {
    let Some(last) = last.filter(|last| last.stream_id == stream_id) else { return (0, None) };
    let delta = timestamp.wrapping_sub(last.timestamp);
    // A step back, or one that needs 32 bits: readers disagree about such deltas, never about a time.
    if delta >= EXTENDED {
        return (0, None);
    }
    if last.type_id != type_id || last.length != length {
        return (1, Some(delta));
    }
    // Never a type 3 right after a type 0: readers disagree about that, too (see REPEATED_TIMESTAMP_MAX).
    (if last.delta == Some(delta) { 3 } else { 2 }, Some(delta))
}

fn put_basic_header(out: &mut BytesMut, kind: u8, chunk_stream_id: u32) {
    let kind = kind << 6;
    match chunk_stream_id {
        id @ 2..64 => out.put_u8(kind | id as u8),
        id @ 64..320 => out.put_slice(&[kind, (id - 64) as u8]),
        id => {
            let id = (id.clamp(64, 65_599) - 64) as u16;
            out.put_u8(kind | 1);
            out.put_u16_le(id);
        }
    }
}

#[cfg(test)]
mod tests;
