use proptest::prelude::*;

use super::*;
use crate::codec::rtmp::amf::write_value;
use crate::codec::rtmp::client::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};
use crate::codec::rtmp::handshake::BLOCK_BYTES;
use crate::codec::rtmp::message::data;

const NULL: AmfValue = AmfValue::Null;

/// Everything a peer put out: bytes joined, events in order.
#[derive(Debug, Default, PartialEq)]
struct Put {
    bytes: Vec<u8>,
    events: Vec<PeerEvent>,
}

/// How the test answers a publish.
type Answer = fn(&mut ServerPeer, u32);

fn accept(peer: &mut ServerPeer, stream_id: u32) {
    peer.accept_publish(stream_id, "publish success");
}

fn refuse(peer: &mut ServerPeer, stream_id: u32) {
    peer.refuse_publish(stream_id, "NetStream.Publish.Denied", "AccessDenied");
}

fn wait(_: &mut ServerPeer, _: u32) {}

fn drain(peer: &mut ServerPeer, answer: Answer, put: &mut Put) {
    while let Some(output) = peer.next_output() {
        match output {
            Output::Send(bytes) => put.bytes.extend_from_slice(&bytes),
            Output::Event(event) => {
                if let PeerEvent::PublishRequested { stream_id, .. } = event {
                    answer(peer, stream_id);
                }
                put.events.push(event);
            }
        }
    }
}

fn peer() -> ServerPeer {
    ServerPeer::new(PeerLimits::default(), [7; RANDOM_BYTES])
}

fn run(pieces: &[&[u8]], answer: Answer) -> (Put, Result<(), RtmpError>) {
    let (mut peer, mut put) = (peer(), Put::default());
    for piece in pieces {
        let result = peer.feed(piece);
        drain(&mut peer, answer, &mut put);
        if result.is_err() {
            return (put, result);
        }
    }
    (put, Ok(()))
}

/// What a client sends after its handshake.
struct Wire {
    writer: ChunkWriter,
    bytes: BytesMut,
}

impl Wire {
    fn new() -> Self {
        let mut bytes = BytesMut::from(&[3][..]);
        bytes.extend_from_slice(&[0; 2 * BLOCK_BYTES]);
        Wire { writer: ChunkWriter::default(), bytes }
    }

    fn raw(mut self, chunk_stream_id: u32, stream_id: u32, type_id: u8, timestamp: u32, body: &[u8]) -> Self {
        self.writer.write(&mut self.bytes, chunk_stream_id, stream_id, type_id, timestamp, body).expect("short");
        self
    }

    fn chunk_size(mut self, size: u32) -> Self {
        self.writer.set_chunk_size(&mut self.bytes, size);
        self
    }

    fn call(self, stream_id: u32, name: &str, transaction_id: f64, values: &[AmfValue]) -> Self {
        self.raw(3, stream_id, type_id::COMMAND_AMF0, 0, &command(name, transaction_id, values))
    }

    /// The same in AMF3's wrapper.
    fn call3(self, stream_id: u32, name: &str, transaction_id: f64, values: &[AmfValue]) -> Self {
        let body = [&[0][..], &command(name, transaction_id, values)].concat();
        self.raw(3, stream_id, type_id::COMMAND_AMF3, 0, &body)
    }

    fn data(self, stream_id: u32, values: &[AmfValue]) -> Self {
        self.raw(4, stream_id, type_id::DATA_AMF0, 0, &data(values))
    }

    fn video(self, stream_id: u32, timestamp: u32, body: &[u8]) -> Self {
        self.raw(6, stream_id, type_id::VIDEO, timestamp, body)
    }

    fn connect(self) -> Self {
        let object = AmfValue::object([
            ("app", "live".into()),
            ("tcUrl", "rtmp://bucket.example.com/live".into()),
            ("flashVer", "FMLE/3.0".into()),
            ("type", "nonprivate".into()),
        ]);
        self.call(0, "connect", 1.0, &[object])
    }

    /// Connect, createStream and publish on stream 1, without anything between.
    fn publish(self) -> Self {
        self.connect().call(0, "createStream", 2.0, &[NULL]).call(
            1,
            "publish",
            3.0,
            &[NULL, "ch".into(), "live".into()],
        )
    }

    fn run(&self, answer: Answer) -> Put {
        let (put, result) = run(&[&self.bytes], answer);
        assert_eq!(result, Ok(()));
        put
    }

    /// The same whole and cut at every offset behind the handshake.
    fn run_cut(&self, answer: Answer) -> Put {
        let begin = 1 + 2 * BLOCK_BYTES;
        let (whole, unanswered) = (self.run(answer), self.run(wait));
        for cut in begin..self.bytes.len() {
            let (head, tail) = self.bytes.split_at(cut);
            assert_eq!(run(&[head, tail], answer).0.events, whole.events, "cut at {cut}");
            // Replies depend on when the publish was answered, so they are compared without an answer.
            let (put, result) = run(&[head, tail], wait);
            assert_eq!((&put.bytes[begin..], result), (&unanswered.bytes[begin..], Ok(())), "cut at {cut}");
        }
        whole
    }
}

/// The messages that the peer sent after its handshake.
fn sent(put: &Put) -> Vec<(u32, Message)> {
    let limits = ChunkLimits { message_bytes_max: 1 << 20, unfinished_bytes_max: 1 << 20, chunk_streams_max: 8 };
    let (mut reader, mut messages) = (ChunkReader::new(limits), Vec::new());
    let mut input = put.bytes.get(1 + 2 * BLOCK_BYTES..).unwrap_or_default();
    while let Some(raw) = reader.read(&mut input).expect("legal chunks") {
        messages.push((raw.stream_id, Message::read(&raw, AmfLimits::default())));
    }
    messages
}

/// Commands sent, as "name transaction code-or-second-value @stream".
fn commands(put: &Put) -> Vec<String> {
    let line = |(stream_id, message)| match message {
        Message::Command(command) => {
            let second = match command.values.get(1) {
                Some(AmfValue::Number(number)) => number.to_string(),
                Some(info) => info.get("code").and_then(AmfValue::as_str).unwrap_or("-").to_owned(),
                None => "-".to_owned(),
            };
            Some(format!("{} {} {second} @{stream_id}", command.name, command.transaction_id))
        }
        _ => None,
    };
    sent(put).into_iter().filter_map(line).collect()
}

fn media(stream_id: u32, kind: MediaKind, timestamp: u32, payload: &[u8]) -> PeerEvent {
    PeerEvent::Media { stream_id, kind, timestamp, payload: Bytes::copy_from_slice(payload) }
}

fn names(events: &[PeerEvent]) -> Vec<&'static str> {
    events
        .iter()
        .map(|event| match event {
            PeerEvent::Connected(_) => "connected",
            PeerEvent::PublishRequested { .. } => "requested",
            PeerEvent::Media { kind: MediaKind::Audio, .. } => "audio",
            PeerEvent::Media { kind: MediaKind::Video, .. } => "video",
            PeerEvent::Metadata { .. } => "metadata",
            PeerEvent::Unpublished { .. } => "unpublished",
        })
        .collect()
}

const CONNECTED: &str = "_result 1 NetConnection.Connect.Success @0";

#[test]
fn connect_is_answered_in_one_piece() {
    let mut peer = peer();
    let wire = Wire::new().connect();
    let (handshake, chunks) = wire.bytes.split_at(1 + 2 * BLOCK_BYTES);
    peer.feed(handshake).expect("legal");
    let Some(Output::Send(answer)) = peer.next_output() else { panic!("S0, S1 and S2") };
    assert_eq!((answer.len(), peer.next_output()), (1 + 2 * BLOCK_BYTES, None));
    peer.feed(chunks).expect("legal");
    let Some(Output::Send(answer)) = peer.next_output() else { panic!("answers in one piece") };
    let info = ConnectInfo {
        app: "live".to_owned(),
        tc_url: "rtmp://bucket.example.com/live".to_owned(),
        flash_ver: "FMLE/3.0".to_owned(),
        kind: "nonprivate".to_owned(),
        ..ConnectInfo::default()
    };
    assert_eq!(peer.next_output(), Some(Output::Event(PeerEvent::Connected(info))));
    assert_eq!(peer.next_output(), None);

    let put = Put { bytes: [&[0; 1 + 2 * BLOCK_BYTES][..], &answer].concat(), events: vec![] };
    let sent = sent(&put);
    assert_eq!(sent[0].1, Message::WindowAcknowledgementSize(2_500_000));
    assert_eq!(sent[1].1, Message::SetPeerBandwidth { window: 2_500_000, limit: 2 });
    assert_eq!((sent.len(), commands(&put)), (3, vec![CONNECTED.to_owned()]));
}

#[test]
fn connect_echoes_the_encoding_and_offers_h264_alone() {
    let object = AmfValue::object([
        ("app", "live".into()),
        ("objectEncoding", 3.0.into()),
        ("fourCcList", AmfValue::Array(vec!["av01".into(), "hvc1".into()])),
    ]);
    let put = Wire::new().call(0, "connect", 1.0, &[object]).run(wait);
    let Some((_, Message::Command(result))) = sent(&put).pop() else { panic!("an answer") };
    assert_eq!(result.values[0].get("fourCcList"), Some(&AmfValue::Array(vec!["avc1".into()])));
    assert_eq!(result.values[1].get("objectEncoding"), Some(&3.0.into()));
    let PeerEvent::Connected(info) = &put.events[0] else { panic!("connected") };
    assert_eq!(info.four_cc_list, ["av01", "hvc1"]);
    // Not to a client that did not ask.
    let Some((_, Message::Command(result))) = sent(&Wire::new().connect().run(wait)).pop() else { panic!() };
    assert_eq!(result.values[0].get("fourCcList"), None);
}

/// The order of ffmpeg: releaseStream, FCPublish, createStream, publish, then `@setDataFrame`.
#[test]
fn ffmpeg_publishes() {
    let metadata = AmfValue::EcmaArray(vec![("width".to_owned(), 64.0.into())]);
    let put = Wire::new()
        .connect()
        .chunk_size(60_000)
        .call(0, "releaseStream", 2.0, &[NULL, "ch".into()])
        .call(0, "FCPublish", 3.0, &[NULL, "ch".into()])
        .call(0, "createStream", 4.0, &[NULL])
        .call(1, "publish", 5.0, &[NULL, "ch".into(), "live".into()])
        .data(1, &["@setDataFrame".into(), "onMetaData".into(), metadata.clone()])
        .video(1, 0, &[0x17, 0])
        .raw(4, 1, type_id::AUDIO, 23, &[0xAF, 1])
        .call(0, "FCUnpublish", 6.0, &[NULL, "ch".into()])
        .call(0, "deleteStream", 7.0, &[NULL, 1.0.into()])
        .run_cut(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "metadata", "video", "audio", "unpublished"]);
    assert_eq!(put.events[2], PeerEvent::Metadata { stream_id: 1, values: metadata });
    assert_eq!(
        put.events[3..5],
        [media(1, MediaKind::Video, 0, &[0x17, 0]), media(1, MediaKind::Audio, 23, &[0xAF, 1]),]
    );
}

#[test]
fn the_answers_to_a_whole_publish() {
    let wire = Wire::new()
        .connect()
        .call(0, "releaseStream", 2.0, &[NULL, "ch".into()])
        .call(0, "FCPublish", 3.0, &[NULL, "ch".into()])
        .call(0, "createStream", 4.0, &[NULL])
        .call(1, "publish", 5.0, &[NULL, "ch".into(), "live".into()]);
    let end = Wire { bytes: BytesMut::new(), ..wire }.call(0, "FCUnpublish", 6.0, &[NULL, "ch".into()]);
    let wire = Wire::new()
        .connect()
        .call(0, "releaseStream", 2.0, &[NULL, "ch".into()])
        .call(0, "FCPublish", 3.0, &[NULL, "ch".into()])
        .call(0, "createStream", 4.0, &[NULL])
        .call(1, "publish", 5.0, &[NULL, "ch".into(), "live".into()]);
    let (put, result) = run(&[&wire.bytes, &end.bytes], accept);
    assert_eq!(result, Ok(()));
    assert_eq!(
        commands(&put),
        [
            CONNECTED,
            "_result 2 - @0",
            "_result 3 - @0",
            "_result 4 1 @0",
            "onFCPublish 0 NetStream.Publish.Start @0",
            "onStatus 0 NetStream.Publish.Start @1",
            "onStatus 0 NetStream.Unpublish.Success @1",
            "_result 6 - @0",
        ]
    );
    let begin = Message::UserControl { event: user_control::STREAM_BEGIN, data: Bytes::from_static(&[0, 0, 0, 1]) };
    assert!(sent(&put).contains(&(0, begin)));
}

/// librtmp: type 0 headers for all commands, a publish on the stream, a ping of its own, a name without query.
#[test]
fn obs_publishes_with_an_empty_name() {
    let put = Wire::new()
        .chunk_size(4096)
        .connect()
        .call(0, "releaseStream", 2.0, &[NULL, "".into()])
        .call(0, "FCPublish", 3.0, &[NULL, "".into()])
        .call(0, "createStream", 4.0, &[NULL])
        .call(0, "_checkbw", 5.0, &[NULL])
        .call(1, "publish", 6.0, &[NULL, "".into(), "live".into()])
        .call(0, "FCUnpublish", 7.0, &[NULL, "".into()])
        .call(0, "deleteStream", 8.0, &[NULL, 1.0.into()])
        .run_cut(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "unpublished"]);
    let PeerEvent::PublishRequested { name, connect, .. } = &put.events[1] else { panic!("requested") };
    assert_eq!((name.as_str(), connect.app.as_str()), ("", "live"));
    assert!(commands(&put).contains(&"_error 5 NetConnection.Call.Failed @0".to_owned()));
}

/// nginx-rtmp push: no releaseStream, no FCPublish, a window of its own, `onMetaData` bare.
#[test]
fn nginx_rtmp_pushes() {
    let put = Wire::new()
        .raw(2, 0, type_id::WINDOW_ACKNOWLEDGEMENT_SIZE, 0, &5_000_000u32.to_be_bytes())
        .connect()
        .call(0, "createStream", 2.0, &[NULL])
        .call(1, "publish", 3.0, &[NULL, "ch?a=1".into(), "live".into()])
        .data(1, &["onMetaData".into(), AmfValue::object([("width", 64.0.into())])])
        .video(1, 5, &[0x27, 1])
        .run_cut(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "metadata", "video"]);
    assert!(!commands(&put).iter().any(|line| line.starts_with("onFCPublish")), "it never asked for that");
}

/// rtmp2sink: publishes like ffmpeg, but with media on chunk streams of its own and 3-byte ids; it ends with
/// deleteStream alone, and says `closeStream` first when stopped.
#[test]
fn gstreamer_publishes() {
    let put = Wire::new()
        .connect()
        .call(0, "releaseStream", 2.0, &[NULL, "ch".into()])
        .call(0, "FCPublish", 3.0, &[NULL, "ch".into()])
        .call(0, "createStream", 4.0, &[NULL])
        .call(1, "publish", 0.0, &[NULL, "ch".into(), "live".into()])
        .raw(400, 1, type_id::VIDEO, 7, &[0x17, 0])
        .call(1, "closeStream", 0.0, &[NULL])
        .call(0, "deleteStream", 0.0, &[NULL, 1.0.into()])
        .run_cut(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "video", "unpublished"], "unpublished once");
}

/// Flash Media Live Encoder and players with object encoding 3: commands of type 17, data of type 15, metadata behind
/// the switch marker.
#[test]
fn flash_publishes_in_amf3() {
    let object = AmfValue::object([("app", "live".into()), ("objectEncoding", 3.0.into())]);
    let mut metadata = BytesMut::from(&[0][..]);
    write_value(&mut metadata, &"@setDataFrame".into());
    write_value(&mut metadata, &"onMetaData".into());
    metadata.extend_from_slice(b"\x11\x0a\x0b\x01\x0bwidth\x04\x40\x01");
    let put = Wire::new()
        .call(0, "connect", 1.0, &[object])
        .call3(0, "createStream", 2.0, &[NULL])
        .call3(1, "publish", 3.0, &[NULL, "ch".into(), "live".into()])
        .raw(4, 1, type_id::DATA_AMF3, 0, &metadata)
        .raw(4, 1, type_id::DATA_AMF3, 0, &data(&["onMetaData".into(), AmfValue::object([("height", 8.0.into())])]))
        .call3(1, "closeStream", 0.0, &[NULL])
        .run_cut(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "metadata", "metadata", "unpublished"]);
    let widths: Vec<_> = put.events[2..4]
        .iter()
        .map(|event| match event {
            PeerEvent::Metadata { values, .. } => (values.get("width").cloned(), values.get("height").cloned()),
            _ => panic!("metadata"),
        })
        .collect();
    assert_eq!(widths, [(Some(64.0.into()), None), (None, Some(8.0.into()))]);
}

#[test]
fn media_behind_a_request_waits_for_the_answer() {
    let wire =
        Wire::new().publish().video(1, 1, &[1]).data(1, &["onMetaData".into(), AmfValue::object([])]).video(1, 2, &[2]);
    assert_eq!(names(&wire.run(wait).events), ["connected", "requested"]);
    assert_eq!(names(&wire.run(accept).events), ["connected", "requested", "video", "metadata", "video"]);
    assert_eq!(names(&wire.run(refuse).events), ["connected", "requested"]);
    // An answer that comes after other bytes keeps the order.
    let (mut peer, mut put) = (peer(), Put::default());
    peer.feed(&wire.bytes).expect("legal");
    drain(&mut peer, wait, &mut put);
    accept(&mut peer, 2);
    assert_eq!(peer.next_output(), None, "no request of that stream waits");
    accept(&mut peer, 1);
    accept(&mut peer, 1);
    let more = Wire { bytes: BytesMut::new(), ..wire }.video(1, 3, &[3]);
    peer.feed(&more.bytes).expect("legal");
    drain(&mut peer, wait, &mut put);
    let times: Vec<u32> = put
        .events
        .iter()
        .filter_map(|event| match event {
            PeerEvent::Media { timestamp, .. } => Some(*timestamp),
            _ => None,
        })
        .collect();
    assert_eq!(times, [1, 2, 3]);
    assert_eq!(commands(&put).iter().filter(|line| line.contains("Publish.Start")).count(), 1);
}

#[test]
fn a_publish_that_ended_before_its_answer() {
    let wire =
        Wire::new().publish().video(1, 1, &[1]).call(0, "deleteStream", 0.0, &[NULL, 1.0.into()]).video(1, 2, &[2]);
    assert_eq!(names(&wire.run(accept).events), ["connected", "requested", "video", "unpublished"]);
    assert_eq!(names(&wire.run(refuse).events), ["connected", "requested"]);
}

#[test]
fn media_without_a_publish_is_dropped() {
    let put = Wire::new().video(1, 1, &[1]).connect().video(1, 1, &[1]).run(accept);
    assert_eq!(names(&put.events), ["connected"]);
    let refused = Wire::new().publish().run(refuse);
    assert_eq!(commands(&refused).last().map(String::as_str), Some("onStatus 0 NetStream.Publish.Denied @1"));
}

#[test]
fn what_waits_is_bounded() {
    let limits = PeerLimits { unaccepted_bytes_max: 10_000, command_bytes_max: 10_000, ..PeerLimits::default() };
    let feed = |wire: &Wire| {
        let mut peer = ServerPeer::new(limits, [7; RANDOM_BYTES]);
        let first = peer.feed(&wire.bytes);
        assert_eq!(peer.feed(&[]), first, "an error is final");
        first.map_err(|error| error.fault)
    };
    let full = (0..9).fold(Wire::new().publish(), |wire, time| wire.video(1, time, &[0; 900]));
    assert_eq!(feed(&full), Ok(()));
    let over = full.video(1, 10, &[0; 900]);
    assert_eq!(feed(&over), Err(Fault::PendingBytes { max: 10_000 }));
    let empty = (0..100).fold(Wire::new().publish(), |wire, time| wire.video(1, time, &[]));
    assert_eq!(feed(&empty), Err(Fault::PendingBytes { max: 10_000 }));
    let long = Wire::new().connect().video(1, 0, &[0; 10_001]);
    assert_eq!(feed(&long), Err(Fault::MessageBytes { length: 10_001, max: 10_000 }));
    // Acceptance lifts the limit.
    let mut peer = ServerPeer::new(limits, [7; RANDOM_BYTES]);
    let wire = Wire::new().publish();
    peer.feed(&wire.bytes).expect("legal");
    accept(&mut peer, 1);
    let more = Wire { bytes: BytesMut::new(), ..wire }.video(1, 0, &[0; 10_001]);
    assert_eq!(peer.feed(&more.bytes), Ok(()));
}

/// What a peer may hold before it asks to publish: commands, and not the media of somebody who has proved nothing.
#[test]
fn before_a_publish_is_asked_for_a_message_has_so_many_bytes_and_no_more() {
    const MAX: usize = 64 * 1024;
    assert_eq!(PeerLimits::default().command_bytes_max, MAX);
    let result = |wire: &Wire| run(&[&wire.bytes], wait).1.map_err(|error| error.fault);
    let begun = |id: u8, length: usize| {
        let [_, a, b, c] = (length as u32).to_be_bytes();
        [&[id, 0, 0, 0, a, b, c, type_id::VIDEO, 1, 0, 0, 0][..], &[0; 128]].concat()
    };
    for connected in [false, true] {
        let wire = |more: &[u8]| {
            let mut wire = if connected { Wire::new().connect() } else { Wire::new() };
            wire.bytes.extend_from_slice(more);
            wire
        };
        assert_eq!(result(&wire(&begun(6, MAX))), Ok(()));
        let over = Err(Fault::MessageBytes { length: MAX + 1, max: MAX });
        assert_eq!(result(&wire(&begun(6, MAX + 1))), over);
        // All that have begun and not ended are counted together.
        let halves = [begun(6, MAX / 2), begun(7, MAX / 2)].concat();
        assert_eq!(result(&wire(&halves)), Ok(()));
        let over = Err(Fault::UnfinishedBytes { length: MAX + 129, max: MAX });
        assert_eq!(result(&wire(&[&halves[..], &begun(8, 129)].concat())), over);
        // So are chunk streams: each remembers a header.
        let streams =
            |count: u8| wire(&(0..count).flat_map(|n| [0, n, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0]).collect::<Vec<_>>());
        let all = if connected { 63 } else { 64 };
        assert_eq!(result(&streams(all)), Ok(()));
        assert_eq!(result(&streams(all + 1)), Err(Fault::ChunkStreams { max: 64 }));
    }
    // One who asks may send ahead of the answer, and one who was refused is back where he was.
    let asking = Wire::new().publish().video(1, 0, &vec![0; MAX + 1]);
    assert_eq!(result(&asking), Ok(()));
    let wire = Wire::new().publish();
    let first = wire.bytes.clone();
    let more = Wire { bytes: BytesMut::new(), ..wire }.video(1, 0, &vec![0; MAX + 1]);
    let over = Fault::MessageBytes { length: MAX + 1, max: MAX };
    assert_eq!(run(&[&first, &more.bytes], refuse).1.map_err(|error| error.fault), Err(over));
}

/// Our window is announced, and a client that never says how much it has received is served all the same.
#[test]
fn a_client_that_never_acknowledges_is_served_all_the_same() {
    let pictures = 2 * WINDOW_BYTES as usize / 50_000;
    let wire = Wire::new().publish().chunk_size(60_000);
    let wire = (0..pictures).fold(wire, |wire, n| wire.video(1, n as u32, &[0x17; 50_000]));
    let pieces: Vec<&[u8]> = wire.bytes.chunks(4096).collect();
    let (put, result) = run(&pieces, accept);
    assert_eq!((result, times(&put.events, MediaKind::Video).len()), (Ok(()), pictures));
}

/// A call with transaction id 0 expects no answer; of connect and createStream a client needs one whatever it says.
#[test]
fn transaction_id_0_is_answered_where_a_publish_needs_the_answer() {
    let object = AmfValue::object([("app", "live".into())]);
    let put = Wire::new()
        .call(0, "connect", 0.0, &[object])
        .call(0, "releaseStream", 0.0, &[NULL, "ch".into()])
        .call(0, "createStream", 0.0, &[NULL])
        .call(1, "publish", 0.0, &[NULL, "ch".into()])
        .video(1, 1, &[1])
        .run(accept);
    let commands = commands(&put);
    assert_eq!(
        (commands[0].as_str(), commands[1].as_str()),
        ("_result 0 NetConnection.Connect.Success @0", "_result 0 1 @0")
    );
    assert_eq!(commands[2], "onStatus 0 NetStream.Publish.Start @1");
    assert_eq!(names(&put.events), ["connected", "requested", "video"]);
}

#[test]
fn strings_that_are_not_utf8_are_read_with_what_is_broken_replaced() {
    let broken = |text: &[u8]| [&[2, 0, text.len() as u8], text].concat();
    let publish = [&broken(b"publish")[..], &[0; 9], &[5], &broken(b"c\xff\xc3h\xf0\x9f?a=\xe4")].concat();
    let put = Wire::new().connect().raw(3, 1, type_id::COMMAND_AMF0, 0, &publish).run(wait);
    let Some(PeerEvent::PublishRequested { name, .. }) = put.events.get(1) else { panic!("{:?}", put.events) };
    assert_eq!(name, "c\u{fffd}\u{fffd}h\u{fffd}?a=\u{fffd}");
    // A command of no name that anybody knows is answered as one.
    let unknown = [&broken(b"\xff\xfe")[..], &[0, 0x40, 0, 0, 0, 0, 0, 0, 0, 5]].concat();
    let put = Wire::new().connect().raw(3, 0, type_id::COMMAND_AMF0, 0, &unknown).run(wait);
    let last = commands(&put).pop().expect("an answer");
    assert!(last.starts_with("_error 2 NetConnection.Call.Failed"), "{last}");
}

#[test]
fn values_nest_so_deep_and_no_deeper() {
    let depth = AmfLimits::default().depth_max;
    let nested = |levels: usize| (1..levels).fold(AmfValue::object([]), |inner, _| AmfValue::object([("o", inner)]));
    let connect = |levels: usize| Wire::new().call(0, "connect", 1.0, &[nested(levels)]);
    assert_eq!(names(&connect(depth).run(wait).events), ["connected"]);
    let refused = run(&[&connect(depth + 1).bytes], wait).1.expect_err("too deep").to_string();
    assert!(refused.starts_with("malformed connect: ") && refused.contains("depth"), "{refused}");
    // Of a publisher who was let in already, metadata like that is passed over.
    let deep = Wire::new().publish().data(1, &["onMetaData".into(), nested(depth + 1)]).video(1, 1, &[1]).run(accept);
    assert_eq!(names(&deep.events), ["connected", "requested", "video"]);
}

#[test]
fn commands_left_out_repeated_or_out_of_order() {
    // No createStream: publish and media on stream 0, or on a number of the client's own.
    for stream_id in [0, 1, 5] {
        let put = Wire::new()
            .connect()
            .call(stream_id, "publish", 2.0, &[NULL, "ch".into()])
            .video(1, 1, &[1])
            .video(0, 1, &[1])
            .call(stream_id, "closeStream", 0.0, &[NULL])
            .run(accept);
        assert_eq!(names(&put.events), ["connected", "requested", "video", "video", "unpublished"]);
        assert_eq!(put.events[2], media(stream_id, MediaKind::Video, 1, &[1]));
    }
    // createStream behind such a publish does not hand out its number.
    let put = Wire::new()
        .connect()
        .call(1, "publish", 2.0, &[NULL, "ch".into()])
        .call(0, "createStream", 3.0, &[NULL])
        .run(accept);
    assert!(commands(&put).contains(&"_result 3 2 @0".to_owned()));
    // createStream before connect, connect twice, publish without connect.
    let put = Wire::new()
        .call(0, "createStream", 1.0, &[NULL])
        .call(1, "publish", 2.0, &[NULL, "early".into()])
        .connect()
        .connect()
        .call(1, "publish", 3.0, &[NULL, "ch".into()])
        .connect()
        .run(accept);
    assert_eq!(names(&put.events), ["connected", "connected", "requested"], "connect in mid-publish changes nothing");
    assert_eq!(commands(&put)[..2], ["_result 1 1 @0", "onStatus 0 NetStream.Publish.Failed @1"]);
}

#[test]
fn a_second_publish_is_refused_and_the_first_goes_on() {
    let put = Wire::new()
        .publish()
        .call(0, "createStream", 4.0, &[NULL])
        .call(2, "publish", 5.0, &[NULL, "other".into()])
        .video(1, 1, &[1])
        .video(2, 2, &[2])
        .call(0, "FCUnpublish", 6.0, &[NULL, "other".into()])
        .call(0, "deleteStream", 7.0, &[NULL, 2.0.into()])
        .video(1, 3, &[3])
        .run(accept);
    assert!(commands(&put).contains(&"onStatus 0 NetStream.Publish.BadName @2".to_owned()));
    assert_eq!(put.events[2..], [media(1, MediaKind::Video, 1, &[1]), media(1, MediaKind::Video, 3, &[3])]);
}

#[test]
fn publish_twice_on_one_stream() {
    let twice = |name: &str| Wire::new().publish().call(1, "publish", 4.0, &[NULL, name.into()]);
    let other = twice("other").run(accept);
    assert_eq!(names(&other.events), ["connected", "requested"]);
    assert!(commands(&other).contains(&"onStatus 0 NetStream.Publish.BadName @1".to_owned()));
    // The same name again is a retry: harmless while it waits, answered once it is granted.
    assert_eq!(names(&twice("ch").run(wait).events), ["connected", "requested"]);
    let wire = Wire::new().publish();
    let first = wire.bytes.clone();
    let again = Wire { bytes: BytesMut::new(), ..wire }.call(1, "publish", 4.0, &[NULL, "ch".into()]);
    let (put, _) = run(&[&first, &again.bytes], accept);
    assert_eq!(commands(&put).iter().filter(|line| line.contains("Publish.Start")).count(), 2);
    assert_eq!(names(&put.events), ["connected", "requested"]);
}

#[test]
fn a_socket_may_publish_again() {
    let put =
        Wire::new().publish().call(1, "closeStream", 0.0, &[NULL]).call(1, "closeStream", 0.0, &[NULL]).run(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "unpublished"]);
    let wire = Wire::new().publish();
    let first = wire.bytes.clone();
    let again = Wire { bytes: BytesMut::new(), ..wire }.call(1, "closeStream", 0.0, &[NULL]).call(
        1,
        "publish",
        4.0,
        &[NULL, "next".into()],
    );
    let (put, _) = run(&[&first, &again.bytes], accept);
    assert_eq!(names(&put.events), ["connected", "requested", "unpublished", "requested"]);
}

#[test]
fn calls_that_expect_no_answer_get_none() {
    let put = Wire::new()
        .connect()
        .call(0, "releaseStream", 0.0, &[NULL, "ch".into()])
        .call(0, "FCPublish", 0.0, &[NULL, "ch".into()])
        .call(0, "setPlaylist", 0.0, &[NULL])
        .call(0, "_result", 9.0, &[NULL])
        .call(0, "_error", 9.0, &[NULL])
        .call(0, "getStreamLength", 4.0, &[NULL, "ch".into()])
        .run(wait);
    assert_eq!(commands(&put), [CONNECTED, "_error 4 NetConnection.Call.Failed @0"]);
}

#[test]
fn play_is_refused() {
    let put = Wire::new()
        .connect()
        .call(0, "createStream", 2.0, &[NULL])
        .call(1, "play", 0.0, &[NULL, "ch".into()])
        .run(wait);
    assert_eq!(commands(&put).last().map(String::as_str), Some("onStatus 0 NetStream.Play.Failed @1"));
}

#[test]
fn malformed_commands() {
    let fault = |wire: Wire| run(&[&wire.bytes], accept).1.map_err(|error| error.fault);
    let none = |command| Err(Fault::Command { command, reason: None });
    assert_eq!(fault(Wire::new().call(0, "connect", 1.0, &[])), none("connect"));
    assert_eq!(fault(Wire::new().call(0, "connect", 1.0, &["live".into()])), none("connect"));
    assert_eq!(fault(Wire::new().connect().call(1, "publish", 1.0, &[NULL, NULL])), none("publish"));
    let cut = command("connect", 1.0, &[AmfValue::object([("app", "live".into())])]);
    let broken = fault(Wire::new().raw(3, 0, type_id::COMMAND_AMF0, 0, &cut[..cut.len() - 5]));
    assert!(matches!(broken, Err(Fault::Command { command: "connect", reason: Some(_) })), "{broken:?}");
    // Others are passed over, and what was readable of a publish is enough.
    let mut tail = command("publish", 3.0, &[NULL, "ch".into()]);
    tail.extend_from_slice(&[0xFF, 1, 2]);
    let put = Wire::new()
        .raw(3, 0, type_id::COMMAND_AMF0, 0, &[0xFF])
        .raw(3, 0, type_id::COMMAND_AMF0, 0, &[])
        .connect()
        .raw(3, 1, type_id::COMMAND_AMF0, 0, &tail)
        .run(accept);
    assert_eq!(names(&put.events), ["connected", "requested"]);
}

#[test]
fn data_that_cannot_be_read_is_passed_over() {
    let put = Wire::new()
        .publish()
        .raw(4, 1, type_id::DATA_AMF0, 0, &[0xFF, 0xFF])
        .raw(4, 1, type_id::DATA_AMF0, 0, &[])
        .raw(4, 1, type_id::DATA_AMF3, 0, &[])
        .raw(4, 1, type_id::DATA_AMF0, 0, &b"\x03\x00\x01a".repeat(5000))
        .data(1, &["@setDataFrame".into()])
        .data(1, &["onMetaData".into()])
        .data(1, &["onMetaData".into(), NULL])
        .data(1, &["onTextData".into(), AmfValue::object([])])
        .data(1, &["@clearDataFrame".into(), "onMetaData".into()])
        .raw(4, 1, 16, 0, &[1, 2, 3])
        .raw(4, 1, 99, 0, &[1, 2, 3])
        .raw(2, 0, type_id::USER_CONTROL, 0, &[0])
        .video(1, 1, &[1])
        .run(accept);
    assert_eq!(names(&put.events), ["connected", "requested", "video"]);
}

#[test]
fn aggregates_are_split_and_their_times_shifted() {
    let tag = |type_id: u8, timestamp: u32, body: &[u8]| {
        let [high, a, b, c] = timestamp.to_be_bytes();
        let length = body.len() as u8;
        [&[type_id, 0, 0, length, a, b, c, high, 0, 0, 0][..], body, &[0, 0, 0, length + 11]].concat()
    };
    let values = data(&["onMetaData".into(), AmfValue::object([])]);
    let mut body = [
        tag(type_id::VIDEO, 0x0100_0010, &[1, 2]),
        tag(type_id::AUDIO, 0x0100_0020, &[3]),
        tag(type_id::DATA_AMF0, 0x0100_0020, &values),
        tag(type_id::AGGREGATE, 0x0100_0020, &[0; 11]),
        tag(type_id::VIDEO, 0x0100_0000, &[4]),
    ]
    .concat();
    // The last length may be missing, and a cut tag ends it.
    body.truncate(body.len() - 4);
    let put = Wire::new().publish().raw(6, 1, type_id::AGGREGATE, 1000, &body).run(accept);
    assert_eq!(put.events[2], media(1, MediaKind::Video, 1000, &[1, 2]));
    assert_eq!(put.events[3], media(1, MediaKind::Audio, 1016, &[3]));
    assert_eq!(put.events[5], media(1, MediaKind::Video, 984, &[4]));
    assert_eq!(names(&put.events[2..]), ["video", "audio", "metadata", "video"]);
    for cut in 0..body.len() {
        let put = Wire::new().publish().raw(6, 1, type_id::AGGREGATE, 1000, &body[..cut]).run(accept);
        assert!(put.events.len() < 6, "cut at {cut}");
    }
}

#[test]
fn acknowledges_the_running_total_after_each_window() {
    let mut wire = Wire::new().raw(2, 0, type_id::WINDOW_ACKNOWLEDGEMENT_SIZE, 0, &10_000u32.to_be_bytes()).publish();
    for time in 0..30 {
        wire = wire.video(1, time, &[0; 1000]);
    }
    let (mut peer, mut put) = (peer(), Put::default());
    let mut totals = Vec::new();
    for (index, piece) in wire.bytes.chunks(1500).enumerate() {
        peer.feed(piece).expect("legal");
        drain(&mut peer, accept, &mut put);
        let acknowledged = sent(&Put { bytes: put.bytes.clone(), events: vec![] })
            .into_iter()
            .filter_map(|(_, message)| if let Message::Acknowledgement(total) = message { Some(total) } else { None })
            .collect::<Vec<_>>();
        if acknowledged.len() > totals.len() {
            assert_eq!(acknowledged.last().copied(), Some((index as u32 + 1) * 1500));
            totals = acknowledged;
        }
    }
    assert_eq!(totals, [10_500, 21_000, 31_500]);
}

#[test]
fn a_ping_is_answered_with_its_time() {
    let put = Wire::new().raw(2, 0, type_id::USER_CONTROL, 0, &[0, 6, 1, 2, 3, 4]).run(wait);
    let pong = Message::UserControl { event: user_control::PING_RESPONSE, data: Bytes::from_static(&[1, 2, 3, 4]) };
    assert_eq!(sent(&put), [(0, pong)]);
}

#[test]
fn a_refusal_before_an_error_can_still_be_sent() {
    let mut peer = peer();
    let wire = Wire::new().publish();
    peer.feed(&wire.bytes).expect("legal");
    refuse(&mut peer, 1);
    let refused = peer.feed(&[0xFF]);
    assert_eq!(refused, Err(RtmpError { at: wire.bytes.len() as u64, fault: Fault::NoHeader(63) }));
    assert!(matches!(peer.next_output(), Some(Output::Send(_))));
}

/// Runs both peers against each other until neither has more to say; `step` bytes go over at a time.
fn talk(
    client: &mut ClientPeer,
    server: &mut ServerPeer,
    answer: Answer,
    step: usize,
) -> (Vec<ClientEvent>, Vec<PeerEvent>) {
    let (mut heard, mut put) = (Vec::new(), Put::default());
    loop {
        let mut up = Vec::new();
        while let Some(output) = client.next_output() {
            match output {
                ClientOutput::Send(bytes) => up.extend_from_slice(&bytes),
                ClientOutput::Event(event) => heard.push(event),
            }
        }
        for piece in up.chunks(step) {
            server.feed(piece).expect("our client is legal");
            drain(server, answer, &mut put);
        }
        let down = std::mem::take(&mut put.bytes);
        if up.is_empty() && down.is_empty() {
            return (heard, put.events);
        }
        for piece in down.chunks(step) {
            client.feed(piece).expect("our server is legal");
        }
    }
}

#[test]
fn our_client_publishes_in_both_handshakes_and_all_chunk_sizes() {
    for (digest_handshake, chunk_size, step) in
        [(false, 1, 1), (true, 128, 7), (false, 4096, 1400), (true, 60_000, 65_536), (false, 16_777_215, 65_536)]
    {
        let config = ClientConfig { digest_handshake, chunk_size, ..ClientConfig::default() };
        let (mut client, mut server) = (ClientPeer::new(config, [9; RANDOM_BYTES]), peer());
        client.publish("live", "rtmp://bucket.example.com/live", "ch?Expires=1");
        let (heard, seen) = talk(&mut client, &mut server, accept, step);
        assert_eq!(heard, [ClientEvent::Published { stream_id: 1 }]);
        assert_eq!(names(&seen), ["connected", "requested"]);
        let PeerEvent::PublishRequested { name, connect, .. } = &seen[1] else { panic!("requested") };
        assert_eq!((name.as_str(), connect.tc_url.as_str()), ("ch?Expires=1", "rtmp://bucket.example.com/live"));

        let (small, large) = (vec![0xAF; 9], vec![0x17; 10_000]);
        client.metadata(AmfValue::object([("width", 64.0.into())])).expect("short");
        for time in [0, 23, 46, 0x100_0000, 0x100_0017] {
            client.media(MediaKind::Audio, time, &small).expect("short");
            client.media(MediaKind::Video, time, &large).expect("short");
        }
        client.unpublish();
        client.media(MediaKind::Audio, 99, &small).expect("dropped");
        let (heard, seen) = talk(&mut client, &mut server, accept, step);
        assert_eq!(heard, [ClientEvent::Closed]);
        assert_eq!(seen[0], PeerEvent::Metadata { stream_id: 1, values: AmfValue::object([("width", 64.0.into())]) });
        let mut expected = Vec::new();
        for time in [0, 23, 46, 0x100_0000, 0x100_0017] {
            expected.push(media(1, MediaKind::Audio, time, &small));
            expected.push(media(1, MediaKind::Video, time, &large));
        }
        assert_eq!(seen[1..11], expected);
        assert_eq!(seen[11..], [PeerEvent::Unpublished { stream_id: 1 }]);
    }
}

#[test]
fn our_client_hears_a_refusal() {
    let (mut client, mut server) = (ClientPeer::new(ClientConfig::default(), [9; RANDOM_BYTES]), peer());
    client.publish("live", "rtmp://bucket.example.com/live", "ch");
    let (heard, _) = talk(&mut client, &mut server, refuse, 100);
    let (code, description) = ("NetStream.Publish.Denied".to_owned(), "AccessDenied".to_owned());
    assert_eq!(heard, [ClientEvent::Refused { code, description }]);
    assert!(!client.is_publishing());
}

/// A publish as ffmpeg 5.1 made it over a real socket, its digest handshake included.
fn captured(file: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the capture is part of the repository")
}

fn times(events: &[PeerEvent], wanted: MediaKind) -> Vec<u32> {
    events
        .iter()
        .filter_map(|event| match event {
            PeerEvent::Media { kind, timestamp, .. } if *kind == wanted => Some(*timestamp),
            _ => None,
        })
        .collect()
}

#[test]
fn a_capture_of_ffmpeg() {
    let wire = captured("ffmpeg5_h264_aac.rtmp");
    let (whole, result) = run(&[&wire], accept);
    assert_eq!(result, Ok(()));
    let PeerEvent::PublishRequested { name, .. } = &whole.events[1] else { panic!("requested") };
    assert_eq!(name, "ch?OSSAccessKeyId=a&Expires=1&Signature=b%2Bc");
    let PeerEvent::Metadata { values, .. } = &whole.events[2] else { panic!("metadata") };
    assert_eq!(values.get("width").and_then(AmfValue::as_f64), Some(64.0));
    // Header, 20 pictures, end of sequence.
    let video = times(&whole.events, MediaKind::Video);
    assert_eq!((video.len(), video[1], video[20] - video[1]), (22, 46, 1900));
    let audio = times(&whole.events, MediaKind::Audio);
    assert!(audio.windows(2).all(|pair| pair[1] - pair[0] <= 47), "frames of 1024 samples at 22050 Hz: {audio:?}");
    assert_eq!(names(&whole.events).last(), Some(&"unpublished"));
    for cut in (0..wire.len()).step_by(97) {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(run(&[head, tail], accept).0.events, whole.events, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(run(&bytes, accept).0.events, whole.events);
}

/// The same with `-output_ts_offset 20000`: its first deltas need 32 bits.
#[test]
fn a_capture_of_ffmpeg_with_extended_timestamps() {
    let (put, result) = run(&[&captured("ffmpeg5_extended_timestamps.rtmp")], accept);
    assert_eq!(result, Ok(()));
    let video = times(&put.events, MediaKind::Video);
    assert_eq!(video[..3], [0, 20_000_000, 20_000_100]);
    assert_eq!(times(&put.events, MediaKind::Audio)[..3], [0, 19_999_954, 20_000_000]);
    assert_eq!(names(&put.events).last(), Some(&"unpublished"));
}

#[test]
fn what_is_cut_is_only_less() {
    let wire = captured("ffmpeg5_h264_aac.rtmp");
    let whole = run(&[&wire], accept).0.events;
    for cut in (0..wire.len()).step_by(61) {
        let (put, result) = run(&[&wire[..cut]], accept);
        assert_eq!(result, Ok(()), "cut at {cut}");
        assert_eq!(put.events[..], whole[..put.events.len()], "cut at {cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same(mut cuts in proptest::collection::vec(0usize..19_865, 0..30)) {
        let wire = captured("ffmpeg5_h264_aac.rtmp");
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0].min(wire.len())..pair[1].min(wire.len())]).collect();
        prop_assert_eq!(run(&pieces, accept).0.events, run(&[&wire], accept).0.events);
        prop_assert!(run(&pieces, wait) == run(&[&wire], wait), "other replies");
    }

    #[test]
    fn random_bytes_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = run(&[&tail], accept);
        let wire = Wire::new().publish();
        let _ = run(&[&wire.bytes, &tail], accept);
    }

    /// Flipped bytes in a real publish.
    #[test]
    fn damaged_captures_never_panic(damage in proptest::collection::vec((3073usize..19_865, any::<u8>()), 1..20)) {
        let mut wire = captured("ffmpeg5_h264_aac.rtmp");
        for (at, byte) in damage {
            wire[at] = byte;
        }
        // The publish is accepted between the first two pieces: longer messages are taken from then on.
        let (head, tail) = wire.split_at(9000);
        let (middle, end) = tail.split_at(5000);
        prop_assert_eq!(run(&[head, middle, end], accept).0.events, run(&[head, tail], accept).0.events);
    }
}
