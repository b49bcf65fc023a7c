//! The server's end of a socket: it answers a publisher's commands and hands on media.
//!
//! Feed, then drain [`ServerPeer::next_output`] to `None`, then feed again. Bytes to send come before events, all of
//! one feed in one piece. After an error what was to be sent (a refusal, for example) can still be drained.
//!
//! One stream of a socket publishes at a time. From `publish` until the answer to it, everything of that stream is
//! held back, in order; acceptance lets it out, refusal drops it. Play is refused: viewers use HLS.
//!
//! Commands are taken in any order, repeated or left out, as far as a publish can be made of them: `releaseStream`,
//! `FCPublish` and even `createStream` are optional, and media on a stream that was never created belongs to the one
//! that publishes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::amf::{AmfLimits, AmfValue};
use super::chunk::{ChunkLimits, ChunkReader, ChunkWriter, RawMessage};
use super::handshake::{RANDOM_BYTES, ServerHandshake};
use super::message::{AggregateParts, Command, MediaKind, Message, command, type_id, user_control, user_control_body};
use super::{Fault, RtmpError};

/// Our window, and the one we acknowledge by until the client names its own: what FMS and its successors say.
const WINDOW_BYTES: u32 = 2_500_000;
/// Our chunk size. Replies are short; anything from a few hundred on sends each as one chunk.
const CHUNK_SIZE: u32 = 4096;
/// What a held event costs besides its payload, so that empty messages cannot queue without end.
const EVENT_BYTES: usize = 128;
/// Text in an information object.
const TEXT_BYTES_MAX: usize = 1024;

const CONTROL_CHUNK_STREAM: u32 = 2;
const COMMAND_CHUNK_STREAM: u32 = 3;
const STATUS_CHUNK_STREAM: u32 = 5;

/// What one peer may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerLimits {
    /// Length of one message.
    pub message_bytes_max: usize,
    /// Lengths of all messages that have begun and not ended.
    pub unfinished_bytes_max: usize,
    /// Takes the place of both while a publish waits for its answer, and bounds what is held back for it.
    pub unaccepted_bytes_max: usize,
    /// Takes the place of both until a publish is asked for: commands are short, and nobody has proved anything yet.
    pub command_bytes_max: usize,
    /// Chunk streams over the life of the socket.
    pub chunk_streams_max: usize,
    /// Values of one command or data message.
    pub amf: AmfLimits,
}

impl Default for PeerLimits {
    /// A keyframe of an 80 Mbit/s stream is about 4 MB. A `connect` with every property has a kilobyte, and a publish URL a
    /// few. Publishers use three to six chunk streams, and one per track and message stream at worst.
    fn default() -> Self {
        PeerLimits {
            message_bytes_max: 8 * 1024 * 1024,
            unfinished_bytes_max: 16 * 1024 * 1024,
            unaccepted_bytes_max: 4 * 1024 * 1024,
            command_bytes_max: 64 * 1024,
            chunk_streams_max: 64,
            amf: AmfLimits::default(),
        }
    }
}

/// What came of the bytes fed.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be sent.
    Send(Bytes),
    /// To be acted upon.
    Event(PeerEvent),
}

/// What the client said of itself in `connect` (7.2.1.1). Text is as it was sent, but for broken UTF-8; what was not
/// sent is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectInfo {
    /// Application: the path of the URL, or a part of it.
    pub app: String,
    /// The URL that was dialled; its host may name a bucket.
    pub tc_url: String,
    /// The client's program and version.
    pub flash_ver: String,
    /// `type`: "nonprivate" from most publishers.
    pub kind: String,
    /// URL of the player's file.
    pub swf_url: String,
    /// URL of the page around it.
    pub page_url: String,
    /// 0 AMF0, 3 AMF3.
    pub object_encoding: f64,
    /// Bit field without a published meaning.
    pub capabilities: f64,
    /// Bit field of audio codecs.
    pub audio_codecs: f64,
    /// Bit field of video codecs.
    pub video_codecs: f64,
    /// Codecs by FourCC, from a client that speaks Enhanced RTMP.
    pub four_cc_list: Vec<String>,
}

impl ConnectInfo {
    fn read(object: &AmfValue) -> Self {
        let text = |name| object.get(name).and_then(AmfValue::as_str).unwrap_or_default().to_owned();
        let number = |name| object.get(name).and_then(AmfValue::as_f64).unwrap_or_default();
        let four_ccs = object.get("fourCcList").and_then(AmfValue::items).unwrap_or_default();
        ConnectInfo {
            app: text("app"),
            tc_url: text("tcUrl"),
            flash_ver: text("flashVer"),
            kind: text("type"),
            swf_url: text("swfUrl"),
            page_url: text("pageUrl"),
            object_encoding: number("objectEncoding"),
            capabilities: number("capabilities"),
            audio_codecs: number("audioCodecs"),
            video_codecs: number("videoCodecs"),
            four_cc_list: four_ccs.iter().filter_map(AmfValue::as_str).map(str::to_owned).collect(),
        }
    }
}

/// What a publisher did.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// It introduced itself; already answered.
    Connected(ConnectInfo),
    /// It asks to publish, and waits for [`ServerPeer::accept_publish`] or [`ServerPeer::refuse_publish`].
    PublishRequested {
        /// The message stream.
        stream_id: u32,
        /// The stream's name as it was sent, with its query; may be empty.
        name: String,
        /// What it said in `connect`.
        connect: ConnectInfo,
    },
    /// Audio or video of an accepted publish.
    Media {
        /// The message stream of the publish.
        stream_id: u32,
        /// Audio or video.
        kind: MediaKind,
        /// Milliseconds, modulo 2^32.
        timestamp: u32,
        /// The body of an FLV tag.
        payload: Bytes,
    },
    /// `onMetaData`, with or without `@setDataFrame`.
    Metadata {
        /// The message stream of the publish.
        stream_id: u32,
        /// Named values.
        values: AmfValue,
    },
    /// The publish ended by `FCUnpublish`, `deleteStream` or `closeStream`; once for each accepted publish.
    Unpublished {
        /// The message stream of the publish.
        stream_id: u32,
    },
}

/// A publish from its request on.
#[derive(Debug)]
struct Publish {
    stream_id: u32,
    name: String,
    accepted: bool,
    /// It ended before it was answered; `Unpublished` is the last event held.
    ended: bool,
    held: Vec<PeerEvent>,
    held_bytes: usize,
}

/// Bytes to send and events, as they leave the peer.
#[derive(Debug, Default)]
struct Outbox {
    writer: ChunkWriter,
    bytes: BytesMut,
    events: VecDeque<PeerEvent>,
}

/// The server's end of one socket.
#[derive(Debug)]
pub struct ServerPeer {
    limits: PeerLimits,
    handshake: Option<ServerHandshake>,
    reader: ChunkReader,
    out: Outbox,
    connect: Option<ConnectInfo>,
    /// `FCPublish` was called, so `onFCPublish` is expected.
    fc_publish: bool,
    next_stream_id: u32,
    publish: Option<Publish>,
    /// The client's window.
    window: u32,
    acknowledged: u64,
    failed: Option<RtmpError>,
}

impl ServerPeer {
    /// Waits for the handshake. `random` fills S1 and S2.
    pub fn new(limits: PeerLimits, random: [u8; RANDOM_BYTES]) -> Self {
        ServerPeer {
            limits,
            handshake: Some(ServerHandshake::new(random)),
            reader: ChunkReader::new(capped(&limits, limits.command_bytes_max)),
            out: Outbox::default(),
            connect: None,
            fc_publish: false,
            next_stream_id: 1,
            publish: None,
            window: WINDOW_BYTES,
            acknowledged: 0,
            failed: None,
        }
    }

    /// Takes all of `input`. An error is final: it comes again on the next call.
    pub fn feed(&mut self, input: &[u8]) -> Result<(), RtmpError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.consume(input);
        match &result {
            Ok(()) => self.acknowledge(),
            Err(error) => self.failed = Some(error.clone()),
        }
        result
    }

    /// What came of it: first all bytes to send, then the events, in order.
    pub fn next_output(&mut self) -> Option<Output> {
        if !self.out.bytes.is_empty() {
            return Some(Output::Send(self.out.bytes.split().freeze()));
        }
        self.out.events.pop_front().map(Output::Event)
    }

    /// Answers [`PeerEvent::PublishRequested`] with yes and lets out what was held back. Without effect when no request
    /// of this stream waits.
    pub fn accept_publish(&mut self, stream_id: u32, description: &str) {
        let Some(publish) = self.publish.as_mut().filter(|publish| waits(publish, stream_id)) else { return };
        publish.accepted = true;
        self.out.events.extend(publish.held.drain(..));
        if publish.ended {
            self.publish = None;
        }
        self.reader.set_limits(accepted_limits(&self.limits));

        let begin = user_control_body(user_control::STREAM_BEGIN, stream_id);
        self.out.control(type_id::USER_CONTROL, &begin);
        if self.fc_publish {
            let info = status_object("status", "NetStream.Publish.Start", description);
            self.out.command(COMMAND_CHUNK_STREAM, 0, &command("onFCPublish", 0.0, &[AmfValue::Null, info]));
        }
        self.out.status(stream_id, "status", "NetStream.Publish.Start", description);
    }

    /// Answers [`PeerEvent::PublishRequested`] with no and drops what was held back. Without effect when no request of
    /// this stream waits.
    pub fn refuse_publish(&mut self, stream_id: u32, code: &str, description: &str) {
        if self.publish.as_ref().is_some_and(|publish| waits(publish, stream_id)) {
            self.publish = None;
            self.reader.set_limits(capped(&self.limits, self.limits.command_bytes_max));
            self.out.status(stream_id, "error", code, description);
        }
    }

    /// Takes an accepted publish back: a status of level `error`, and what its publisher still sends is dropped. Without
    /// effect when the stream does not publish.
    pub fn revoke_publish(&mut self, stream_id: u32, code: &str, description: &str) {
        if self.publish.as_ref().is_some_and(|publish| publish.accepted && publish.stream_id == stream_id) {
            self.publish = None;
            self.out.status(stream_id, "error", code, description);
        }
    }

    fn consume(&mut self, mut input: &[u8]) -> Result<(), RtmpError> {
        if let Some(handshake) = &mut self.handshake {
            let before = input.len();
            let complete = handshake.read(&mut input, &mut self.out.bytes)?;
            self.reader.skip(before - input.len());
            if !complete {
                return Ok(());
            }
            self.handshake = None;
        }
        while let Some(message) = self.reader.read(&mut input)? {
            self.handle(message).map_err(|fault| RtmpError { at: self.reader.position_of_message(), fault })?;
        }
        Ok(())
    }

    /// The total so far, once for each window (5.4.3).
    fn acknowledge(&mut self) {
        let total = self.reader.position();
        if total - self.acknowledged >= u64::from(self.window) {
            self.acknowledged = total;
            self.out.control(type_id::ACKNOWLEDGEMENT, &(total as u32).to_be_bytes());
        }
    }

    fn handle(&mut self, raw: RawMessage) -> Result<(), Fault> {
        match Message::read(&raw, self.limits.amf) {
            Message::Media(kind) => self.handle_media(kind, raw)?,
            Message::Aggregate => {
                for part in AggregateParts::new(&raw) {
                    // No command is ever aggregated, and none is obeyed in here.
                    match part.type_id {
                        type_id::AUDIO => self.handle_media(MediaKind::Audio, part)?,
                        type_id::VIDEO => self.handle_media(MediaKind::Video, part)?,
                        type_id::DATA_AMF0 | type_id::DATA_AMF3 => self.handle_data(&part)?,
                        _ => {}
                    }
                }
            }
            Message::Data(values) => self.handle_values(raw.stream_id, values, raw.payload.len())?,
            Message::Command(command) => self.handle_command(raw.stream_id, command)?,
            Message::WindowAcknowledgementSize(window) if window > 0 => self.window = window,
            Message::UserControl { event: user_control::PING_REQUEST, data } if data.len() >= 4 => {
                let time = u32::from_be_bytes(data[..4].try_into().expect("four bytes"));
                self.out.control(type_id::USER_CONTROL, &user_control_body(user_control::PING_RESPONSE, time));
            }
            _ => {}
        }
        Ok(())
    }

    /// The publish that a message of this stream belongs to. A stream that we never created has no owner, so it must
    /// be the publish: some encoders leave out `createStream`, or send media on stream 0.
    fn publish_of(&mut self, stream_id: u32) -> Option<&mut Publish> {
        let foreign = stream_id == 0 || stream_id >= self.next_stream_id;
        self.publish.as_mut().filter(|publish| !publish.ended && (foreign || publish.stream_id == stream_id))
    }

    fn handle_media(&mut self, kind: MediaKind, raw: RawMessage) -> Result<(), Fault> {
        let Some(publish) = self.publish_of(raw.stream_id) else { return Ok(()) };
        let (stream_id, bytes) = (publish.stream_id, raw.payload.len());
        self.deliver(PeerEvent::Media { stream_id, kind, timestamp: raw.timestamp, payload: raw.payload }, bytes)
    }

    fn handle_data(&mut self, raw: &RawMessage) -> Result<(), Fault> {
        match Message::read(raw, self.limits.amf) {
            Message::Data(values) => self.handle_values(raw.stream_id, values, raw.payload.len()),
            _ => Ok(()),
        }
    }

    /// A data message. All but metadata is passed over: cue points, time codes, captions in forms without number.
    fn handle_values(&mut self, stream_id: u32, values: Vec<AmfValue>, bytes: usize) -> Result<(), Fault> {
        let Some(publish) = self.publish_of(stream_id) else { return Ok(()) };
        let stream_id = publish.stream_id;
        let skip = usize::from(values.first().and_then(AmfValue::as_str) == Some("@setDataFrame"));
        let mut values = values.into_iter().skip(skip);
        if values.next().as_ref().and_then(AmfValue::as_str) != Some("onMetaData") {
            return Ok(());
        }
        match values.next() {
            Some(values) if values.members().is_some() => {
                self.deliver(PeerEvent::Metadata { stream_id, values }, bytes)
            }
            _ => Ok(()),
        }
    }

    /// Lets an event of the publish out, or holds it back while the request waits.
    fn deliver(&mut self, event: PeerEvent, bytes: usize) -> Result<(), Fault> {
        match &mut self.publish {
            Some(publish) if !publish.accepted => {
                publish.held_bytes += bytes + EVENT_BYTES;
                if publish.held_bytes > self.limits.unaccepted_bytes_max {
                    return Err(Fault::PendingBytes { max: self.limits.unaccepted_bytes_max });
                }
                publish.held.push(event);
            }
            _ => self.out.events.push_back(event),
        }
        Ok(())
    }

    fn handle_command(&mut self, stream_id: u32, command: Command) -> Result<(), Fault> {
        match command.name.as_str() {
            "connect" => self.connect(command)?,
            "createStream" => self.create_stream(&command),
            "publish" => self.request_publish(stream_id, command)?,
            "releaseStream" => self.out.result(&command, AmfValue::Undefined),
            "FCPublish" => {
                self.fc_publish = true;
                self.out.result(&command, AmfValue::Undefined);
            }
            "FCUnpublish" => {
                // A name that is not ours ends a publish that was refused.
                let named = command.str(1).filter(|name| !name.is_empty());
                let publish = self.publish.as_ref().filter(|publish| named.is_none_or(|name| name == publish.name));
                if let Some(stream_id) = publish.map(|publish| publish.stream_id) {
                    self.end_publish(stream_id, true)?;
                }
                self.out.result(&command, AmfValue::Undefined);
            }
            "closeStream" => self.end_publish(stream_id, true)?,
            "deleteStream" => {
                // No answer is expected (7.2.2.3).
                let deleted = command.values.get(1).and_then(AmfValue::as_f64);
                self.end_publish(deleted.map_or(stream_id, |id| id as u32), false)?;
            }
            "play" | "play2" => {
                self.out.status(stream_id, "error", "NetStream.Play.Failed", "publish only: play the HLS playlist");
            }
            // Answers to calls that we never make, and events that only servers send.
            "_result" | "_error" | "onStatus" | "onBWDone" => {}
            name => {
                let description = format!("no such method: {name}");
                self.out.error(&command, "NetConnection.Call.Failed", &description);
            }
        }
        Ok(())
    }

    fn connect(&mut self, command: Command) -> Result<(), Fault> {
        let Some(object) = command.values.first().filter(|value| value.members().is_some()) else {
            return Err(Fault::Command { command: "connect", reason: command.broken });
        };
        let info = ConnectInfo::read(object);
        self.out.control(type_id::WINDOW_ACKNOWLEDGEMENT_SIZE, &WINDOW_BYTES.to_be_bytes());
        let [a, b, c, d] = WINDOW_BYTES.to_be_bytes();
        const DYNAMIC: u8 = 2;
        self.out.control(type_id::SET_PEER_BANDWIDTH, &[a, b, c, d, DYNAMIC]);
        self.out.writer.set_chunk_size(&mut self.out.bytes, CHUNK_SIZE);
        self.out.connect_result(command.transaction_id, &info, object);
        // A second connect is a retry; in mid-publish it changes nothing.
        if self.publish.is_none() {
            self.connect = Some(info.clone());
            self.out.events.push_back(PeerEvent::Connected(info));
        }
        Ok(())
    }

    fn create_stream(&mut self, command: &Command) {
        // A publish without createStream may sit on the number that comes next.
        if self.publish.as_ref().is_some_and(|publish| publish.stream_id == self.next_stream_id) {
            self.next_stream_id = self.next_stream_id.wrapping_add(1);
        }
        let id = self.next_stream_id;
        self.next_stream_id = id.wrapping_add(1).max(1);
        self.out.answer("_result", command.transaction_id, AmfValue::Null, AmfValue::Number(f64::from(id)));
    }

    fn request_publish(&mut self, stream_id: u32, command: Command) -> Result<(), Fault> {
        let Some(name) = command.str(1) else {
            return Err(Fault::Command { command: "publish", reason: command.broken });
        };
        let name = name.to_owned();
        let Some(connect) = self.connect.clone() else {
            self.out.status(stream_id, "error", "NetStream.Publish.Failed", "publish without connect");
            return Ok(());
        };
        if let Some(publish) = &self.publish {
            if publish.stream_id != stream_id || publish.name != name || publish.ended {
                self.out.status(stream_id, "error", "NetStream.Publish.BadName", "this socket already publishes");
            } else if publish.accepted {
                // A retry of what was granted.
                self.out.status(stream_id, "status", "NetStream.Publish.Start", "publishing");
            }
            return Ok(());
        }
        let held = Vec::new();
        let publish = Publish { stream_id, name: name.clone(), accepted: false, ended: false, held, held_bytes: 0 };
        self.publish = Some(publish);
        self.reader.set_limits(capped(&self.limits, self.limits.unaccepted_bytes_max));
        self.out.events.push_back(PeerEvent::PublishRequested { stream_id, name, connect });
        Ok(())
    }

    /// Ends the publish on exactly this stream. Unlike media, an end that names another stream may well mean it.
    fn end_publish(&mut self, stream_id: u32, answered: bool) -> Result<(), Fault> {
        let own = |publish: &&mut Publish| publish.stream_id == stream_id && !publish.ended;
        let Some(publish) = self.publish.as_mut().filter(own) else { return Ok(()) };
        publish.ended = true;
        let accepted = publish.accepted;
        self.deliver(PeerEvent::Unpublished { stream_id }, 0)?;
        if accepted {
            self.publish = None;
            if answered {
                self.out.status(stream_id, "status", "NetStream.Unpublish.Success", "unpublished");
            }
        }
        Ok(())
    }
}

fn waits(publish: &Publish, stream_id: u32) -> bool {
    publish.stream_id == stream_id && !publish.accepted
}

/// What is allowed once a publish was accepted, and never more than so many bytes.
fn capped(limits: &PeerLimits, bytes_max: usize) -> ChunkLimits {
    let accepted = accepted_limits(limits);
    ChunkLimits {
        message_bytes_max: accepted.message_bytes_max.min(bytes_max),
        unfinished_bytes_max: accepted.unfinished_bytes_max.min(bytes_max),
        ..accepted
    }
}

fn accepted_limits(limits: &PeerLimits) -> ChunkLimits {
    ChunkLimits {
        message_bytes_max: limits.message_bytes_max,
        unfinished_bytes_max: limits.unfinished_bytes_max,
        chunk_streams_max: limits.chunk_streams_max,
    }
}

impl Outbox {
    fn control(&mut self, type_id: u8, body: &[u8]) {
        self.put(CONTROL_CHUNK_STREAM, 0, type_id, body);
    }

    fn command(&mut self, chunk_stream_id: u32, stream_id: u32, body: &[u8]) {
        self.put(chunk_stream_id, stream_id, type_id::COMMAND_AMF0, body);
    }

    fn put(&mut self, chunk_stream_id: u32, stream_id: u32, type_id: u8, body: &[u8]) {
        self.writer
            .write(&mut self.bytes, chunk_stream_id, stream_id, type_id, 0, body)
            .expect("a reply is short: status_object cuts its texts");
    }

    fn answer(&mut self, name: &str, transaction_id: f64, first: AmfValue, second: AmfValue) {
        self.command(COMMAND_CHUNK_STREAM, 0, &command(name, transaction_id, &[first, second]));
    }

    /// `_result` to a call that expects an answer.
    fn result(&mut self, call: &Command, value: AmfValue) {
        if call.transaction_id != 0.0 {
            self.answer("_result", call.transaction_id, AmfValue::Null, value);
        }
    }

    /// `_error` to a call that expects an answer.
    fn error(&mut self, call: &Command, code: &str, description: &str) {
        if call.transaction_id != 0.0 {
            self.answer("_error", call.transaction_id, AmfValue::Null, status_object("error", code, description));
        }
    }

    fn status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        let info = status_object(level, code, description);
        self.command(STATUS_CHUNK_STREAM, stream_id, &command("onStatus", 0.0, &[AmfValue::Null, info]));
    }

    fn connect_result(&mut self, transaction_id: f64, info: &ConnectInfo, object: &AmfValue) {
        let mut properties = vec![
            ("fmsVer".to_owned(), AmfValue::from("FMS/4,5,0,1")),
            ("capabilities".to_owned(), AmfValue::Number(31.0)),
            ("mode".to_owned(), AmfValue::Number(1.0)),
        ];
        if object.get("fourCcList").is_some() || object.get("videoFourCcInfoMap").is_some() {
            // Enhanced RTMP: which of its codecs we take. H.264 alone.
            properties.push(("fourCcList".to_owned(), AmfValue::Array(vec![AmfValue::from("avc1")])));
        }
        let status = AmfValue::object([
            ("level", AmfValue::from("status")),
            ("code", AmfValue::from("NetConnection.Connect.Success")),
            ("description", AmfValue::from("Connection succeeded.")),
            ("objectEncoding", AmfValue::Number(info.object_encoding)),
        ]);
        self.answer("_result", transaction_id, AmfValue::Object(properties), status);
    }
}

/// An information object (7.2.2). The text is cut: it may quote a foreign name, and a reply is short.
fn status_object(level: &str, code: &str, description: &str) -> AmfValue {
    let cut = |text: &str| AmfValue::from(&text[..text.floor_char_boundary(TEXT_BYTES_MAX)]);
    AmfValue::object([("level", level.into()), ("code", cut(code)), ("description", cut(description))])
}

#[cfg(test)]
mod tests;
