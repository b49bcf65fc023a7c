//! Messages (5.4, 6, 7): what a type number and a payload mean.
//!
//! Reading never fails on what a peer may ignore: a message that is not understood is [`Message::Unknown`]. A
//! command whose later values cannot be read keeps the earlier ones; whether that is enough is its handler's question.

use bytes::{BufMut, Bytes, BytesMut};

use super::amf::{AmfError, AmfLimits, AmfReader, AmfValue, write_value};
use super::chunk::RawMessage;
use crate::codec::cursor::{Cursor, OutOfBytes};

/// Message type numbers.
pub mod type_id {
    /// Set Chunk Size (5.4.1).
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message (5.4.2).
    pub const ABORT: u8 = 2;
    /// Acknowledgement (5.4.3).
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message (6.2).
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size (5.4.4).
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    /// Set Peer Bandwidth (5.4.5).
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio (7.1.4).
    pub const AUDIO: u8 = 8;
    /// Video (7.1.5).
    pub const VIDEO: u8 = 9;
    /// Data in AMF3 (7.1.2).
    pub const DATA_AMF3: u8 = 15;
    /// Command in AMF3 (7.1.1).
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0 (7.1.2).
    pub const DATA_AMF0: u8 = 18;
    /// Command in AMF0 (7.1.1).
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate (7.1.6).
    pub const AGGREGATE: u8 = 22;
}

/// Events of User Control messages (7.1.7) that a publish meets.
pub mod user_control {
    /// A stream is ready for use.
    pub const STREAM_BEGIN: u16 = 0;
    /// Asks for a [`PING_RESPONSE`] with the same time.
    pub const PING_REQUEST: u16 = 6;
    /// Answers a [`PING_REQUEST`].
    pub const PING_RESPONSE: u16 = 7;
}

/// Audio or video, as the message's type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// An FLV AUDIODATA body.
    Audio,
    /// An FLV VIDEODATA body.
    Video,
}

impl MediaKind {
    /// The message type that carries it.
    pub fn type_id(self) -> u8 {
        match self {
            MediaKind::Audio => type_id::AUDIO,
            MediaKind::Video => type_id::VIDEO,
        }
    }
}

/// A message's meaning. Set Chunk Size and Abort are not here: [`super::chunk::ChunkReader`] obeys them.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Bytes the other side has received, modulo 2^32.
    Acknowledgement(u32),
    /// Bytes after which the other side wants an acknowledgement.
    WindowAcknowledgementSize(u32),
    /// What the other side allows to be unacknowledged.
    SetPeerBandwidth {
        /// The window.
        window: u32,
        /// 0 hard, 1 soft, 2 dynamic.
        limit: u8,
    },
    /// An event and its data.
    UserControl {
        /// See [`user_control`].
        event: u16,
        /// Depends on the event.
        data: Bytes,
    },
    /// Audio or video.
    Media(MediaKind),
    /// The values of a data message; the first is its name.
    Data(Vec<AmfValue>),
    /// A command.
    Command(Command),
    /// Several messages in one: [`AggregateParts`] splits it.
    Aggregate,
    /// A type that a publish does not need, or a body that cannot be read.
    Unknown,
}

/// A command as it was sent (7.1.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The name.
    pub name: String,
    /// 0: no answer is expected.
    pub transaction_id: f64,
    /// The command object and what follows it, up to the first value that could not be read.
    pub values: Vec<AmfValue>,
    /// Why not all values could be read.
    pub broken: Option<AmfError>,
}

impl Command {
    /// A string among the values; 0 is the command object.
    pub fn str(&self, index: usize) -> Option<&str> {
        self.values.get(index)?.as_str()
    }
}

impl Message {
    /// Reads the body of `raw`; media and aggregates are left where they are.
    pub fn read(raw: &RawMessage, limits: AmfLimits) -> Message {
        let mut cursor = Cursor::new(&raw.payload);
        let read = match raw.type_id {
            type_id::AUDIO => Ok(Message::Media(MediaKind::Audio)),
            type_id::VIDEO => Ok(Message::Media(MediaKind::Video)),
            type_id::AGGREGATE => Ok(Message::Aggregate),
            type_id::DATA_AMF0 | type_id::DATA_AMF3 => return read_data(raw, limits),
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => return read_command(raw, limits),
            type_id::ACKNOWLEDGEMENT => cursor.u32().map(Message::Acknowledgement),
            type_id::WINDOW_ACKNOWLEDGEMENT_SIZE => cursor.u32().map(Message::WindowAcknowledgementSize),
            type_id::SET_PEER_BANDWIDTH => {
                cursor.u32().and_then(|window| Ok(Message::SetPeerBandwidth { window, limit: cursor.u8()? }))
            }
            type_id::USER_CONTROL => {
                cursor.u16().map(|event| Message::UserControl { event, data: raw.payload.slice(2..) })
            }
            _ => Ok(Message::Unknown),
        };
        read.unwrap_or(Message::Unknown)
    }
}

/// The AMF0 values of a message. Types 15 and 17 put one zero before them (format selector); some senders leave it
/// out, and no command or data message begins with a zero otherwise, because a zero marks a number.
fn values_of(raw: &RawMessage) -> &[u8] {
    let wrapped = matches!(raw.type_id, type_id::DATA_AMF3 | type_id::COMMAND_AMF3);
    match raw.payload.split_first() {
        Some((0, rest)) if wrapped => rest,
        _ => &raw.payload,
    }
}

fn read_data(raw: &RawMessage, limits: AmfLimits) -> Message {
    let Ok(mut reader) = AmfReader::new(values_of(raw), limits) else { return Message::Unknown };
    let mut values = Vec::new();
    while !reader.is_empty() {
        match reader.value() {
            Ok(value) => values.push(value),
            // Whole values before it stand: encoders append time codes in forms of their own behind onMetaData.
            Err(_) => break,
        }
    }
    Message::Data(values)
}

fn read_command(raw: &RawMessage, limits: AmfLimits) -> Message {
    let Ok(mut reader) = AmfReader::new(values_of(raw), limits) else { return Message::Unknown };
    let Ok(AmfValue::String(name)) = reader.value() else { return Message::Unknown };
    let mut command = Command { name, transaction_id: 0.0, values: Vec::new(), broken: None };
    let mut has_transaction_id = false;
    while !reader.is_empty() {
        match reader.value() {
            Ok(AmfValue::Number(number)) if !has_transaction_id => {
                command.transaction_id = number;
                has_transaction_id = true;
            }
            Ok(value) => {
                has_transaction_id = true;
                command.values.push(value);
            }
            Err(error) => {
                command.broken = Some(error);
                break;
            }
        }
    }
    Message::Command(command)
}

/// The body of an AMF0 command.
pub fn command(name: &str, transaction_id: f64, values: &[AmfValue]) -> BytesMut {
    let mut body = data(&[AmfValue::from(name), AmfValue::Number(transaction_id)]);
    values.iter().for_each(|value| write_value(&mut body, value));
    body
}

/// The body of an AMF0 data message.
pub fn data(values: &[AmfValue]) -> BytesMut {
    let mut body = BytesMut::new();
    values.iter().for_each(|value| write_value(&mut body, value));
    body
}

/// The body of a User Control message about one number: a stream or a time.
pub fn user_control_body(event: u16, value: u32) -> [u8; 6] {
    let mut body = [0; 6];
    (&mut body[..2]).put_u16(event);
    (&mut body[2..]).put_u32(value);
    body
}

/// The messages in an aggregate (7.1.6), without copying: FLV tags, each followed by its length.
///
/// The tags count time from an origin of their own; the first has the time of the aggregate. Their stream is the
/// aggregate's. A tag that is cut ends the iteration, and an aggregate within an aggregate is passed over.
#[derive(Debug)]
pub struct AggregateParts<'a> {
    aggregate: &'a RawMessage,
    at: usize,
    /// From the tags' time to the socket's.
    shift: Option<u32>,
}

impl<'a> AggregateParts<'a> {
    /// `aggregate` is of type 22.
    pub fn new(aggregate: &'a RawMessage) -> Self {
        AggregateParts { aggregate, at: 0, shift: None }
    }

    fn tag(&mut self) -> Result<RawMessage, OutOfBytes> {
        let mut cursor = Cursor::new(&self.aggregate.payload[self.at..]);
        let type_id = cursor.u8()?;
        let length = cursor.u24()? as usize;
        let low = cursor.u24()?;
        let timestamp = u32::from(cursor.u8()?) << 24 | low;
        cursor.take(3)?;
        let begin = self.at + cursor.position();
        cursor.take(length)?;
        // The length behind the last tag may be missing.
        self.at = begin + length + cursor.remaining().min(4);
        let shift = *self.shift.get_or_insert(self.aggregate.timestamp.wrapping_sub(timestamp));
        Ok(RawMessage {
            type_id,
            timestamp: timestamp.wrapping_add(shift),
            payload: self.aggregate.payload.slice(begin..begin + length),
            ..*self.aggregate
        })
    }
}

impl Iterator for AggregateParts<'_> {
    type Item = RawMessage;

    fn next(&mut self) -> Option<RawMessage> {
        loop {
            let part = self.tag().ok()?;
            if part.type_id != type_id::AGGREGATE {
                return Some(part);
            }
        }
    }
}
