//! Writes the seeds of every target into `corpus/`: cut from this project's own captures, or made by its own writers.
//! Run from the directory of this package (`./run seeds`).

use std::fs;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use livebucket::auth::rtmp_url::publish_query;
use livebucket::auth::{SignedRequest, oss_v1, oss_v4};
use livebucket::codec::flv::{FlvEvent, FlvReader, FlvTag, FlvTags, TagKind};
use livebucket::codec::m3u8::{Playlist, Segment};
use livebucket::codec::mpegts::mux::TsMuxer;
use livebucket::codec::rtmp::AmfValue;
use livebucket::codec::rtmp::handshake::ClientHandshake;
use livebucket::codec::rtmp::message::{command, data};
use livebucket::media::{CodecConfig, MediaTime, SourceTime, Track};

const GOLDEN: &str = "../golden";

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new(GOLDEN).join(name)).expect("run in the directory of this package")
}

fn write(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder).expect("writable");
    let bytes = bytes.as_ref();
    // What an input may be long; longer ones would be left out.
    fs::write(folder.join(name), &bytes[..bytes.len().min(4_096)]).expect("writable");
}

fn tags(name: &str) -> Vec<FlvTag> {
    FlvTags::new(Bytes::from(golden(name))).expect("an FLV file").map_while(Result::ok).collect()
}

fn text(words: &[&str]) -> Vec<u8> {
    words.iter().flat_map(|word| [&[word.len() as u8], word.as_bytes()].concat()).collect()
}

/// Writes them all.
pub fn write_all() {
    rtmp();
    media();
    transport_streams();
    texts();
    forms();
    requests();
}

fn rtmp() {
    for (name, digest) in [("digest", true), ("simple", false)] {
        let mut out = BytesMut::new();
        ClientHandshake::new([7; 1528], digest).start(&mut out);
        out.put_bytes(0, 1536);
        write("handshake", name, [&[1][..], &out].concat());
    }
    for capture in ["ffmpeg5_h264_aac.rtmp", "ffmpeg5_extended_timestamps.rtmp"] {
        let bytes = golden(capture);
        write("chunk_reader", capture, [&[2][..], &bytes[1 + 2 * 1536..]].concat());
        // Bytes of the socket behind the handshake, 250 at a time.
        let steps = bytes[1 + 2 * 1536..].chunks(250).take(14);
        let steps = steps.flat_map(|piece| [&[3, piece.len() as u8], piece, &[4, 2, 5]].concat());
        write("rtmp_connection", capture, [0].into_iter().chain(steps).collect::<Vec<_>>());
    }
    write("rtmp_connection", "commands", [&[0][..], &[2, 0, 2, 1, 2, 2, 2, 3, 2, 4, 4, 0, 5, 2, 8, 4, 1]].concat());
    let mut media = vec![0, 2, 0, 2, 3, 2, 4, 4, 0, 5];
    for (chunk_stream, kind, body) in [(8u8, 0u8, &[0xaf, 0, 0x12, 0x10][..]), (16, 0x10, &[0x17, 0, 0, 0, 0, 1, 0x42])]
    {
        media.extend([&[chunk_stream & !7, kind, 0, 0, 0, 9, 1, 0, body.len() as u8], body, &[1, 0, 4, 2]].concat());
    }
    write("rtmp_connection", "media", media);
    write("chunk_writer", "messages", [[5, 0, 1, 1, 0, 0, 0, 9, 1, 0], [6, 0, 2, 1, 1, 0, 0, 0, 0, 9]].concat());
    write("chunk_writer", "extended", [&[0, 0, 0, 16, 0][..], &[5, 0, 1, 1, 0xff, 0xff, 0xff, 0xfe, 3, 0]].concat());
    let members = |value| vec![("a".to_owned(), value), ("b".to_owned(), AmfValue::Null)];
    for (name, value) in [
        ("object", AmfValue::Object(members(AmfValue::Boolean(true)))),
        ("array", AmfValue::Array(vec![AmfValue::Date(7.0), AmfValue::Reference(1), AmfValue::Undefined])),
        ("typed", AmfValue::TypedObject { class: "c".into(), members: members(AmfValue::Xml("<x/>".into())) }),
        ("nested", AmfValue::EcmaArray(members(AmfValue::Object(members(AmfValue::from(7.5)))))),
    ] {
        write("amf", name, [&[18][..], &data(&[AmfValue::from("onMetaData"), value.clone()])].concat());
        write("amf", &format!("{name}_command"), [&[20][..], &command("connect", 1.0, &[value])].concat());
    }
    // AMF3 behind its marker: an array, an object with traits, a date, a byte array, a reference to a string.
    for (name, bytes) in [
        ("amf3_array", &[17, 17, 9, 5, 1, 4, 7, 6, 3, b'a'][..]),
        ("amf3_object", &[17, 17, 10, 0x13, 3, b'c', 3, b'm', 6, 0, 6, 2]),
        ("amf3_date", &[17, 17, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("amf3_bytes", &[17, 17, 12, 7, 1, 2, 3]),
        ("aggregate", &[22, 8, 0, 0, 2, 0, 0, 5, 0, 0, 0, 0, 0xaf, 1, 0, 0, 0, 13]),
    ] {
        write("amf", name, bytes);
    }
}

fn media() {
    for capture in ["ffmpeg_h264_bframes_aac.flv", "ffmpeg_aac_only.flv", "ffmpeg_h264_only.flv"] {
        write("flv", &format!("file_{capture}"), golden(capture));
        let bodies =
            tags(capture).into_iter().filter(|tag| tag.kind != TagKind::Script && tag.body.len() < 700).take(8);
        let steps = bodies.flat_map(|tag| {
            let kind = u8::from(tag.kind == TagKind::Audio);
            [&[kind][..], &(tag.body.len() as u16).to_be_bytes(), &tag.body].concat()
        });
        write("flv", capture, steps.collect::<Vec<_>>());
    }
    let enhanced = [&[0x91][..], b"avc1", &[0, 0, 0, 0, 0, 0, 5, 0x65, 1, 2, 3, 4]].concat();
    write("flv", "enhanced", [&[0, 0, enhanced.len() as u8][..], &enhanced].concat());
    write("flv", "annex_b", [&[0, 0, 15][..], &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65, 1, 0, 0, 1, 0x41]].concat());
    let video = tags("ffmpeg_h264_bframes_aac.flv").into_iter().filter(|tag| tag.kind == TagKind::Video);
    for (index, tag) in video.take(6).enumerate() {
        write("h264", &format!("capture_{index}"), &tag.body[5..]);
    }
    let mut reader = FlvReader::new();
    for tag in tags("ffmpeg_h264_only.flv").iter().filter(|tag| tag.kind == TagKind::Video).take(1) {
        if let Ok(FlvEvent::Config(CodecConfig::Avc(config))) = reader.video(0, &tag.body) {
            write("h264", "sps", &config.sps[0]);
            write("h264", "annex_b", [&[0, 0, 0, 1], &config.sps[0][..], &[0, 0, 1], &config.pps[0]].concat());
        }
    }
    // LC 44.1 kHz stereo, LC 48 kHz, HE with SBR, PS, escape of the frequency, 7.1, an ADTS frame.
    for (index, config) in [
        &[0x12, 0x10][..],
        &[0x11, 0x90],
        &[0x2b, 0x92, 0x08, 0],
        &[0xeb, 0x8a, 0x08, 0],
        &[0x17, 0x80, 0x56, 0x22, 0x10],
        &[0x12, 0x38],
        &[0xff, 0xf1, 0x50, 0x80, 1, 0x3f, 0xfc, 1, 2],
    ]
    .into_iter()
    .enumerate()
    {
        write("aac", &format!("config_{index}"), config);
    }
    publishes();
    live();
}

/// Steps of `crate::chunks::Script`, behind the byte that says how long fragments are: connect, createStream,
/// publish, then a capture's tags.
fn publishes() {
    for capture in ["ffmpeg_h264_bframes_aac.flv", "ffmpeg_aac_only.flv", "ffmpeg_h264_only.flv"] {
        write("rtmp_service", capture, publish(tags(capture).into_iter()));
    }
    // A key frame that its length field hides in every other picture.
    let hidden = tags("ffmpeg_h264_only.flv").into_iter().map(|mut tag| {
        let mut body = tag.body.to_vec();
        if body.len() > 40 && body.starts_with(&[0x27, 1]) {
            body[20..24].copy_from_slice(&[0, 0, 1, 0x65]);
        }
        tag.body = body.into();
        tag
    });
    write("rtmp_service", "start_codes_in_units", publish(hidden));
}

fn publish(tags: impl Iterator<Item = FlvTag>) -> Vec<u8> {
    let mut steps = vec![0, 0, 2, 0, 2, 3];
    // `publish` on message stream 1: the two high bits name the stream.
    let publish = (0x40..0x80).find(|choice| choice % 9 == 4).expect("one of nine");
    steps.extend([2, publish, 4, 0]);
    for tag in tags.filter(|tag| tag.kind != TagKind::Script && tag.body.len() < 2_000) {
        let kind = if tag.kind == TagKind::Audio { 0 } else { 0x10 };
        steps.extend([24, kind]);
        // Five times as fast, for a fragment or two within the length of an input.
        steps.extend((tag.timestamp * 5).to_be_bytes());
        steps.push(1);
        steps.extend((tag.body.len() as u16).to_be_bytes());
        steps.extend_from_slice(&tag.body);
        (0..tag.body.len() / 128).for_each(|_| steps.extend([1, 0]));
    }
    steps
}

/// Steps of `targets::live`.
fn live() {
    let picture = |key: bool, kind: u8, by: u8, shape: u8| {
        let what = 4 | if key { 8 } else { 0 };
        if kind >> 4 < 8 { vec![what, kind, 32, by, shape] } else { vec![what, kind, by, shape] }
    };
    let sound = |by: u8| vec![2, 0x90, 100, by];
    let both =
        |shape| (0..60u32).flat_map(move |n| [picture(n % 10 == 0, 0x90, 200, shape), sound(40), sound(100)].concat());
    let begin = |settings: u8| vec![settings, 0, 0, 1, 0];
    let with = |begin: Vec<u8>, steps: Vec<u8>| [begin, steps].concat();
    write("live", "both", with(begin(0x21), both(0x10).collect()));
    write("live", "parameter_sets_in_band", with(begin(0x21), both(0x1b).collect()));
    write(
        "live",
        "composition_offsets",
        with(begin(0), (0..80u32).flat_map(|n| picture(n % 9 == 0, 0x10, 120, 0)).collect()),
    );
    write("live", "audio_only", with(vec![0x11, 1, 0], (0..120).flat_map(|_| sound(250)).collect()));
    write(
        "live",
        "video_only",
        with(vec![0x10, 0, 2], (0..80u32).flat_map(|n| picture(n % 12 == 0, 0x90, 90, 0x20)).collect()),
    );
    let jumps = (0..60u32).flat_map(|n| match n % 10 {
        3 => vec![12, 0x97, n as u8, 3, 0, 0, 0],
        5 => vec![12, 0x94, 250, 0],
        8 => vec![12, 0x96, 0x40, n as u8, 0],
        _ => picture(n % 4 == 0, 0x90, 240, 0),
    });
    write("live", "jumps", with(begin(9), jumps.collect()));
    let changes = (0..40u32).flat_map(|n| [vec![0, (n as u8) << 6], picture(true, 0x90, 200, 0), sound(20)].concat());
    write("live", "config_changes", with(begin(0), changes.collect()));
    let late_video = (0..50)
        .flat_map(|_| sound(200))
        .chain((0..30).flat_map(|_| [picture(true, 0x90, 250, 0), sound(220)].concat()));
    write("live", "audio_first", with(vec![0, 1, 0, 0, 0], late_video.collect()));
    let forced =
        picture(true, 0x90, 0, 0).into_iter().chain((0..70).flat_map(|_| vec![4, 0x96, 4, 200, 0, 2, 0x96, 9, 4, 200]));
    write("live", "no_key_frame", with(begin(0), forced.collect()));
}

fn transport_streams() {
    for (name, capture) in
        [("both", "ffmpeg_h264_bframes_aac.flv"), ("audio", "ffmpeg_aac_only.flv"), ("video", "ffmpeg_h264_only.flv")]
    {
        let (mut reader, mut muxer, mut out) = (FlvReader::new(), TsMuxer::new(), BytesMut::new());
        let (mut avc, mut aac) = (None, None);
        muxer.begin_fragment(&mut out, name != "audio", name != "video");
        for tag in tags(capture).into_iter().filter(|tag| tag.kind != TagKind::Script) {
            let read = match tag.kind {
                TagKind::Audio => reader.audio(tag.timestamp, &tag.body),
                _ => reader.video(tag.timestamp, &tag.body),
            };
            match read.expect("our own capture") {
                FlvEvent::Config(CodecConfig::Avc(config)) => avc = Some(config),
                FlvEvent::Config(CodecConfig::Aac(config)) => aac = Some(config),
                FlvEvent::Unit(unit) => {
                    let SourceTime::Rtmp(millis) = unit.time else { continue };
                    let dts = MediaTime::from_millis(i64::from(millis));
                    match (unit.track, &avc, &aac) {
                        (Track::Video, Some(config), _) => muxer
                            .video(&mut out, dts, dts + unit.composition_offset, unit.keyframe, &unit.payload, config)
                            .expect("our own capture"),
                        (Track::Audio, _, Some(config)) => muxer.audio(&mut out, dts, &unit.payload, config),
                        _ => {}
                    }
                }
                // Our captures say their parameter sets in the sequence header alone.
                FlvEvent::Reconfigured(..) | FlvEvent::Nothing => {}
            }
        }
        // As one fragment, and as fragments of five packets.
        write("mpegts", &format!("{name}_whole"), [&[0xfc][..], &out].concat());
        write("mpegts", &format!("{name}_cut"), [&[0x11][..], &out[..out.len().min(188 * 20)]].concat());
    }
}

fn texts() {
    let segment = |uri: &str, millis, discontinuity| Segment {
        uri: uri.to_owned(),
        duration: MediaTime::from_millis(millis),
        discontinuity,
    };
    let playlist = Playlist {
        media_sequence: 7,
        discontinuity_sequence: 1,
        target_duration: 8,
        segments: vec![segment("1.ts", 7_120, false), segment("2.ts", 5_840, true)],
        ended: true,
    };
    write("m3u8", "own", playlist.render());
    write("m3u8", "crlf", playlist.render().replace('\n', "\r\n"));
    write(
        "m3u8",
        "foreign",
        "\u{feff}#EXTM3U\n#EXTINF:9.0090000001,a title\nhttp://h/a b.ts?x=1\n# comment\n#EXTINF:3,\nc.ts",
    );
    write("m3u8", "master", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n");
    for (name, document) in [
        (
            "channel",
            "<LiveChannelConfiguration><Description>d</Description><Status>enabled</Status><Target><Type>HLS</Type>\
             <FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName>p.m3u8</PlaylistName></Target><Snapshot>\
             <RoleName>r</RoleName><DestBucket>b</DestBucket><NotifyTopic>t</NotifyTopic><Interval>5</Interval></Snapshot>\
             </LiveChannelConfiguration>",
        ),
        ("flat", "<LiveChannelConfiguration><name>n</name><fragDuration>5</fragDuration></LiveChannelConfiguration>"),
        ("delete", "<Delete><Quiet>true</Quiet><Object><Key>a&amp;&#x41;<![CDATA[<]]></Key></Object></Delete>"),
        (
            "cors",
            "<?xml version=\"1.0\"?><CORSConfiguration xmlns=\"x\"><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>\
             GET</AllowedMethod><AllowedHeader>x*</AllowedHeader><ExposeHeader>e</ExposeHeader><MaxAgeSeconds>9\
             </MaxAgeSeconds></CORSRule><ResponseVary>false</ResponseVary></CORSConfiguration>",
        ),
        (
            "bucket",
            "<CreateBucketConfiguration><StorageClass>Standard</StorageClass><LocationConstraint>oss-cn</LocationConstraint>\
             </CreateBucketConfiguration>",
        ),
    ] {
        write("oss_xml", name, document);
    }
    let if_match = "\"abababababababababababababababab\"";
    for (index, header) in
        ["bytes=0-499", "bytes=-5", "bytes=7-", "bytes=0-1,3-4", "bytes=99999999999999999999-"].iter().enumerate()
    {
        let head = [&[1][..], &[0, 0, 4, 0], &text(&[header, if_match, "W/\"x\", *"]), &[0; 8]].concat();
        write("range_conditions", &format!("range_{index}"), head);
    }
}

fn forms() {
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = |parameters: &str, content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"{parameters}\r\nContent-Type: a/b\r\n\r\n{content}\r\n"
        )
    };
    let key = part("Key", "a/${filename}");
    for (name, form) in [
        (
            "browser",
            [key.clone(), file("; filename=\"C:\\x\\%22y.txt\"", "one\r\n--\r\n-b"), part("submit", "s")].concat(),
        ),
        ("extended", file("; filename*=utf-8''%E4%B8%AD", "")),
        ("two_files", file("", "1") + &file("", "2")),
        ("many", key.repeat(40)),
    ] {
        let head = [&[3][..], &text(&["multipart/form-data; boundary=b"]), &[0, 5, 0]].concat();
        write("form", name, [head, format!("{form}--b--\r\n").into_bytes()].concat());
    }
    let policy = "{\"expiration\":\"2023-11-14T22:13:20.000Z\",\"conditions\":[{\"bucket\":\"b\"},[\"eq\",\"$key\",\"k\"],\
                  [\"starts-with\",\"$x\",\"\"],[\"in\",\"$a\",[\"1\"]],[\"not-in\",\"$a\",[\"2\"]],[\"content-length-range\",1,2]]}";
    let head = [&[0][..], &1_700_000_000u32.to_be_bytes(), &[0, 9], &text(&["k"])].concat();
    write("form", "policy", [head, policy.as_bytes().to_vec()].concat());
}

fn requests() {
    let query =
        publish_query("id", "secret", "films", "ch", 1_700_003_600, &[("playlistName".into(), "p.m3u8".into())]);
    write("signatures", "publish", &query);
    write("signatures", "v1", "OSS testAccessKeyId:c2lnbmF0dXJl");
    write("signatures", "scope", "20231114/cn-hangzhou/oss/aliyun_v4_request");
    let v4 = "OSS4-HMAC-SHA256 Credential=id/20231114/cn-hangzhou/oss/aliyun_v4_request, AdditionalHeaders=host;range, \
              Signature=00";
    write("signatures", "v4", v4);
    write("signatures", "request", text(&["GET", "films", "a b", "param", "v=1&2"]));
    for (index, (method, words)) in [
        (0, ["b.oss.example.com", "films", "ch", "live&comp=stat"]),
        (1, ["cdn.example.org:80", "films", "ch", "live&status=enabled"]),
        (2, ["localhost", "films", "ch/p.m3u8", "vod&startTime=1&endTime=2"]),
        (0, ["127.0.0.1", "films", "", "list-type=2&max-keys=5&continuation-token=YQ&encoding-type=url"]),
        (2, ["oss-cn-hangzhou.aliyuncs.com", "films", "k", "append&position=7"]),
        (1, ["x", "films", "k", "source=%2Ffilms%2Fother"]),
        (0, ["films/live", "rtmp://films.localhost/live?a=1", "ch?OSSAccessKeyId=i", ""]),
    ]
    .iter()
    .enumerate()
    {
        write("routing", &format!("words_{index}"), [&[*method][..], &text(words)].concat());
    }
    heads();
}

/// Requests of `crate::http::request`: method, path, query, body, then signed with as many headers.
fn sequences() {
    let put = |path: u8, body: u8| vec![1, path, 0, body, 0];
    let steps = |steps: &[&[u8]]| steps.iter().flat_map(|step| [&[1], *step].concat()).collect::<Vec<_>>();
    write("http_service", "objects", steps(&[&put(0, 1), &[0, 0, 0, 0, 0x20, 0], &[0, 2, 0, 0, 0], &[3, 0, 0, 0, 0]]));
    write(
        "http_service",
        "copy",
        steps(&[&put(0, 8), &[1, 1, 0, 0, 0x20, 12], &[4, 1, 0, 0, 0], &[2, 2, 11, 4, 0x20, 20]]),
    );
    write(
        "http_service",
        "append",
        steps(&[&[2, 0, 9, 1, 0], &[2, 0, 10, 1, 0], &[2, 0, 25, 8, 0], &[0, 0, 17, 0, 0]]),
    );
    write("http_service", "channel", steps(&[&[1, 4, 3, 3, 0], &[0, 4, 3, 0, 0], &[0, 4, 4, 0, 0], &[3, 4, 3, 0, 0]]));
    write(
        "http_service",
        "buckets",
        steps(&[&[1, 7, 0, 6, 0], &put(8, 1), &[0, 9, 0, 0, 0], &[3, 7, 0, 0, 0], &[1, 7, 1, 0, 0x20, 8]]),
    );
    write(
        "http_service",
        "cors",
        steps(&[&[1, 2, 2, 5, 0], &[7, 0, 0, 0, 0x41, 16, 17], &[0, 0, 0, 0, 0x20, 16], &[0, 2, 2, 0, 0]]),
    );
    write("http_service", "playlist", steps(&[&put(5, 2), &[0, 5, 18, 0, 0], &[0, 3, 8, 0, 0], &[2, 5, 8, 0, 0]]));
    let raw = b"GET /films/k HTTP/1.1\r\nhost: x\r\n\r\nPUT /films/k HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    write("http_service", "raw", [&[0, raw.len() as u8][..], raw].concat());
}

fn heads() {
    sequences();
    let (id, secret) = crate::room::KEY;
    for (name, head) in [
        ("service", "GET /\nhost: oss.example.com"),
        ("channel", "PUT /films/ch?live\nhost: localhost:9000\ncontent-type: application/xml"),
        ("object", "GET /a%20b?response-content-type=text/plain\nhost: films.oss.example.com\nrange: bytes=0-1"),
        ("bound", "HEAD /k\nhost: cdn.example.org"),
        ("absolute", "DELETE http://films.oss.example.com/k?acl\nhost: other"),
        ("copy", "PUT /films/k\nhost: 127.0.0.1\nx-oss-copy-source: /films/other"),
    ] {
        write("http_head", name, [&[0], head.as_bytes()].concat());
        write("http_head", &format!("{name}_signed"), [&[1], head.as_bytes()].concat());
    }
    let request = SignedRequest { method: "GET", bucket: Some("films"), key: b"k", ..SignedRequest::default() };
    let v1 = oss_v1::sign_url_query(&request, id, secret, 1_700_003_600);
    write("http_head", "url_v1", format!("\0GET /films/k?{v1}\nhost: 127.0.0.1"));
    let scope = oss_v4::Scope { date: "20231114", region: "cn-hangzhou", product: "oss" };
    let v4 = oss_v4::sign_url_query(&request, id, secret, &scope, "20231114T221320Z", 600);
    write("http_head", "url_v4", format!("\0GET /films/k?{v4}\nhost: 127.0.0.1"));
}
