//! Publishes as encoders make them: word for word, captured on the wire, and by our own client.

use proptest::prelude::*;

use super::*;
use crate::codec::rtmp::amf::write_value;
use crate::codec::rtmp::client::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};

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
