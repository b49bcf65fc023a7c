use super::*;
use crate::codec::rtmp::handshake::BLOCK_BYTES;
use crate::codec::rtmp::message::data;

mod encoders;
mod misuse;

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

fn times(events: &[PeerEvent], wanted: MediaKind) -> Vec<u32> {
    events
        .iter()
        .filter_map(|event| match event {
            PeerEvent::Media { kind, timestamp, .. } if *kind == wanted => Some(*timestamp),
            _ => None,
        })
        .collect()
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
