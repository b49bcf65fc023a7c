//! Peers that are out of order, leave out, repeat, or say what nobody understands; and how much of it is held.

use super::*;

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
fn a_refusal_before_an_error_can_still_be_sent() {
    let mut peer = peer();
    let wire = Wire::new().publish();
    peer.feed(&wire.bytes).expect("legal");
    refuse(&mut peer, 1);
    let refused = peer.feed(&[0xFF]);
    assert_eq!(refused, Err(RtmpError { at: wire.bytes.len() as u64, fault: Fault::NoHeader(63) }));
    assert!(matches!(peer.next_output(), Some(Output::Send(_))));
}
