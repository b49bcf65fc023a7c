//! The publishing client's end of a socket.
//!
//! Feed, then drain [`ClientPeer::next_output`] to `None`, then feed again. The commands and their order are those of
//! librtmp and ffmpeg, because servers are tested with them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::RtmpError;
use super::amf::{AmfLimits, AmfValue};
use super::chunk::{ChunkLimits, ChunkReader, ChunkWriter, MessageTooLong, RawMessage};
use super::handshake::{ClientHandshake, RANDOM_BYTES};
use super::message::{Command, MediaKind, Message, command, data, type_id, user_control, user_control_body};

const CONTROL_CHUNK_STREAM: u32 = 2;
const COMMAND_CHUNK_STREAM: u32 = 3;
const AUDIO_CHUNK_STREAM: u32 = 4;
const DATA_CHUNK_STREAM: u32 = 5;
const VIDEO_CHUNK_STREAM: u32 = 6;
const PUBLISH_CHUNK_STREAM: u32 = 8;

const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const FC_UNPUBLISH: f64 = 6.0;
const DELETE_STREAM: f64 = 7.0;

/// How a client publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Chunk size of what is sent.
    pub chunk_size: u32,
    /// The handshake with digests; without, the one of the specification.
    pub digest_handshake: bool,
    /// `flashVer`: the program's name for itself.
    pub flash_ver: String,
    /// What the server's messages may cost: its longest is the answer to `connect`.
    pub chunk: ChunkLimits,
    /// What the values of one of them may cost.
    pub amf: AmfLimits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            chunk_size: 60_000,
            digest_handshake: false,
            flash_ver: "FMLE/3.0 (compatible; livebucket)".to_owned(),
            chunk: ChunkLimits {
                message_bytes_max: 1024 * 1024,
                unfinished_bytes_max: 2 * 1024 * 1024,
                chunk_streams_max: 64,
            },
            amf: AmfLimits::default(),
        }
    }
}

/// What came of the bytes fed.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientOutput {
    /// To be sent.
    Send(Bytes),
    /// To be acted upon.
    Event(ClientEvent),
}

/// What the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// Media may be sent.
    Published {
        /// The message stream.
        stream_id: u32,
    },
    /// It said no; nothing more will come of this socket.
    Refused {
        /// For example `NetStream.Publish.BadName`.
        code: String,
        /// For people.
        description: String,
    },
    /// It ended the publish, or confirmed our end.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `publish` was not called, or the handshake is not over.
    Begin,
    Connecting,
    Creating,
    Requesting,
    Publishing,
    /// We ended it, and the server may confirm.
    Ending,
    Over,
}

#[derive(Debug, Default)]
struct Target {
    app: String,
    tc_url: String,
    stream_name: String,
}

/// The publishing end of one socket.
#[derive(Debug)]
pub struct ClientPeer {
    config: ClientConfig,
    handshake: Option<ClientHandshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    sending: BytesMut,
    events: VecDeque<ClientEvent>,
    target: Target,
    state: State,
    stream_id: u32,
    /// 0: the server asked for no acknowledgements.
    window: u32,
    acknowledged: u64,
    failed: Option<RtmpError>,
}

impl ClientPeer {
    /// Says nothing before [`ClientPeer::publish`]. `random` fills C1 and C2.
    pub fn new(config: ClientConfig, random: [u8; RANDOM_BYTES]) -> Self {
        ClientPeer {
            handshake: Some(ClientHandshake::new(random, config.digest_handshake)),
            reader: ChunkReader::new(config.chunk),
            config,
            writer: ChunkWriter::default(),
            sending: BytesMut::new(),
            events: VecDeque::new(),
            target: Target::default(),
            state: State::Begin,
            stream_id: 0,
            window: 0,
            acknowledged: 0,
            failed: None,
        }
    }

    /// Begins: handshake, connect, publish. To be called once.
    pub fn publish(&mut self, app: &str, tc_url: &str, stream_name: &str) {
        let (app, tc_url, stream_name) = (app.to_owned(), tc_url.to_owned(), stream_name.to_owned());
        self.target = Target { app, tc_url, stream_name };
        if let Some(handshake) = &self.handshake {
            handshake.start(&mut self.sending);
        }
    }

    /// Takes all of `input`. An error is final: it comes again on the next call.
    pub fn feed(&mut self, input: &[u8]) -> Result<(), RtmpError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.consume(input);
        self.failed = result.clone().err();
        result
    }

    /// What came of it: first all bytes to send, then the events, in order.
    pub fn next_output(&mut self) -> Option<ClientOutput> {
        if !self.sending.is_empty() {
            return Some(ClientOutput::Send(self.sending.split().freeze()));
        }
        self.events.pop_front().map(ClientOutput::Event)
    }

    /// The server has granted the publish.
    pub fn is_publishing(&self) -> bool {
        self.state == State::Publishing
    }

    /// Sends an FLV tag's body; dropped without a publish.
    pub fn media(&mut self, kind: MediaKind, timestamp: u32, payload: &[u8]) -> Result<(), MessageTooLong> {
        let chunk_stream_id = match kind {
            MediaKind::Audio => AUDIO_CHUNK_STREAM,
            MediaKind::Video => VIDEO_CHUNK_STREAM,
        };
        self.send_on_stream(chunk_stream_id, kind.type_id(), timestamp, payload)
    }

    /// Sends `onMetaData` for the server to keep; dropped without a publish.
    pub fn metadata(&mut self, values: AmfValue) -> Result<(), MessageTooLong> {
        let body = data(&["@setDataFrame".into(), "onMetaData".into(), values]);
        self.send_on_stream(DATA_CHUNK_STREAM, type_id::DATA_AMF0, 0, &body)
    }

    /// Ends the publish; the server's confirmation is [`ClientEvent::Closed`], but not every server confirms.
    pub fn unpublish(&mut self) {
        if self.state != State::Publishing {
            return;
        }
        let name = AmfValue::from(self.target.stream_name.as_str());
        self.call(COMMAND_CHUNK_STREAM, 0, "FCUnpublish", FC_UNPUBLISH, &[AmfValue::Null, name]);
        let id = AmfValue::Number(f64::from(self.stream_id));
        self.call(COMMAND_CHUNK_STREAM, 0, "deleteStream", DELETE_STREAM, &[AmfValue::Null, id]);
        self.state = State::Ending;
    }

    fn send_on_stream(
        &mut self,
        chunk_stream_id: u32,
        type_id: u8,
        timestamp: u32,
        body: &[u8],
    ) -> Result<(), MessageTooLong> {
        if self.state != State::Publishing {
            return Ok(());
        }
        self.writer.write(&mut self.sending, chunk_stream_id, self.stream_id, type_id, timestamp, body)
    }

    fn call(&mut self, chunk_stream_id: u32, stream_id: u32, name: &str, transaction_id: f64, values: &[AmfValue]) {
        let body = command(name, transaction_id, values);
        self.writer
            .write(&mut self.sending, chunk_stream_id, stream_id, type_id::COMMAND_AMF0, 0, &body)
            .expect("a command holds a URL, not 16 MiB");
    }

    fn consume(&mut self, mut input: &[u8]) -> Result<(), RtmpError> {
        if let Some(handshake) = &mut self.handshake {
            let before = input.len();
            let complete = handshake.read(&mut input, &mut self.sending)?;
            self.reader.skip(before - input.len());
            if !complete {
                return Ok(());
            }
            self.handshake = None;
            self.send_connect();
        }
        while let Some(message) = self.reader.read(&mut input)? {
            self.handle(message);
        }
        let total = self.reader.position();
        if self.window > 0 && total - self.acknowledged >= u64::from(self.window) {
            self.acknowledged = total;
            self.control(type_id::ACKNOWLEDGEMENT, &(total as u32).to_be_bytes());
        }
        Ok(())
    }

    fn control(&mut self, type_id: u8, body: &[u8]) {
        self.writer
            .write(&mut self.sending, CONTROL_CHUNK_STREAM, 0, type_id, 0, body)
            .expect("control messages are short");
    }

    fn send_connect(&mut self) {
        let object = AmfValue::object([
            ("app", self.target.app.as_str().into()),
            ("type", "nonprivate".into()),
            ("flashVer", self.config.flash_ver.as_str().into()),
            ("tcUrl", self.target.tc_url.as_str().into()),
        ]);
        self.writer.set_chunk_size(&mut self.sending, self.config.chunk_size);
        self.call(COMMAND_CHUNK_STREAM, 0, "connect", CONNECT, &[object]);
        self.state = State::Connecting;
    }

    fn handle(&mut self, raw: RawMessage) {
        match Message::read(&raw, self.config.amf) {
            Message::Command(command) => self.handle_command(&command),
            Message::WindowAcknowledgementSize(window) => self.window = window,
            Message::SetPeerBandwidth { window, .. } => {
                self.control(type_id::WINDOW_ACKNOWLEDGEMENT_SIZE, &window.to_be_bytes());
            }
            Message::UserControl { event: user_control::PING_REQUEST, data } if data.len() >= 4 => {
                let time = u32::from_be_bytes(data[..4].try_into().expect("four bytes"));
                self.control(type_id::USER_CONTROL, &user_control_body(user_control::PING_RESPONSE, time));
            }
            _ => {}
        }
    }

    fn handle_command(&mut self, command: &Command) {
        match (command.name.as_str(), self.state) {
            ("_result", State::Connecting) if command.transaction_id == CONNECT => self.send_create_stream(),
            ("_result", State::Creating) if command.transaction_id == CREATE_STREAM => {
                let id = command.values.get(1).and_then(AmfValue::as_f64).unwrap_or(1.0);
                self.send_publish(id as u32);
            }
            ("_error", State::Connecting) if command.transaction_id == CONNECT => self.refused(command),
            ("_error", State::Creating) if command.transaction_id == CREATE_STREAM => self.refused(command),
            ("onStatus", _) => self.handle_status(command),
            ("close", state) if state != State::Over => self.closed(),
            _ => {}
        }
    }

    fn send_create_stream(&mut self) {
        let name = AmfValue::from(self.target.stream_name.as_str());
        self.call(COMMAND_CHUNK_STREAM, 0, "releaseStream", RELEASE_STREAM, &[AmfValue::Null, name.clone()]);
        self.call(COMMAND_CHUNK_STREAM, 0, "FCPublish", FC_PUBLISH, &[AmfValue::Null, name]);
        self.call(COMMAND_CHUNK_STREAM, 0, "createStream", CREATE_STREAM, &[AmfValue::Null]);
        self.state = State::Creating;
    }

    fn send_publish(&mut self, stream_id: u32) {
        self.stream_id = stream_id;
        let name = AmfValue::from(self.target.stream_name.as_str());
        self.call(PUBLISH_CHUNK_STREAM, stream_id, "publish", PUBLISH, &[AmfValue::Null, name, "live".into()]);
        self.state = State::Requesting;
    }

    fn handle_status(&mut self, command: &Command) {
        let code = info_str(command, "code");
        let failed = info_str(command, "level") == "error";
        match self.state {
            State::Requesting if code == "NetStream.Publish.Start" => {
                self.state = State::Publishing;
                self.events.push_back(ClientEvent::Published { stream_id: self.stream_id });
            }
            State::Connecting | State::Creating | State::Requesting if failed => self.refused(command),
            State::Publishing | State::Ending
                if failed || matches!(code, "NetStream.Unpublish.Success" | "NetConnection.Connect.Closed") =>
            {
                self.closed();
            }
            _ => {}
        }
    }

    fn refused(&mut self, command: &Command) {
        let (code, description) = (info_str(command, "code").to_owned(), info_str(command, "description").to_owned());
        self.state = State::Over;
        self.events.push_back(ClientEvent::Refused { code, description });
    }

    fn closed(&mut self) {
        self.state = State::Over;
        self.events.push_back(ClientEvent::Closed);
    }
}

/// A text in the information object of an answer.
fn info_str<'a>(command: &'a Command, name: &str) -> &'a str {
    command.values.get(1).and_then(|info| info.get(name)).and_then(AmfValue::as_str).unwrap_or_default()
}
