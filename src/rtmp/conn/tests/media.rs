//! What is published: codecs that are refused or dropped, pictures that change, and captures of ffmpeg to their end.

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::codec::flv::{FlvTags, TagKind};
use crate::net::listen::DoorStream;
use crate::rtmp::server::RtmpService;

/// Enhanced RTMP's sequence starts of every codec that is not taken, and some in the legacy form.
#[tokio::test]
async fn unsupported_video_is_rejected_by_its_name() {
    for (tag, name) in [
        (&b"\x90hvc1\x01\x01"[..], "HEVC"),
        (b"\x90hev1\x01", ""),
        (b"\x90av01\x81", "AV1"),
        (b"\x90vp09\x01", "VP9"),
        (b"\x90vp08\x01", "VP8"),
        (b"\x90vvc1\x01", "VVC"),
        (b"\x90\x00\xff\"<\x01", ""),
        (b"\x12\x00\x00", "Sorenson H.263"),
        (b"\x1c\x00\x00\x00\x00\x01", "HEVC"),
    ] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        encoder.publish_signed().await;
        encoder.tag(MediaKind::Video, 0, tag).await;
        encoder.ended_with("NetStream.Publish.Rejected", &format!("InvalidArgument: Video codec {name}")).await;
        drop(encoder);
        tasks.join().await;
        assert_eq!(bed.history().await[0].cause, Some(TerminationCause::ProtocolError));
        assert_eq!(bed.object("playlist.m3u8").await, None);
    }
}

#[tokio::test]
async fn unsupported_audio_is_dropped_and_the_publish_goes_on() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    for ms in 0..5 {
        encoder.tag(MediaKind::Audio, ms, b"\x2fmp3").await;
    }
    settle().await;
    let stat = bed.registry.stat(bed.bucket.id, &channel()).expect("live");
    assert_eq!((stat.video, stat.audio), (None, None));
    encoder.audio(0, 20).await;
    assert!(bed.registry.stat(bed.bucket.id, &channel()).is_some_and(|stat| stat.audio.is_some()));
    drop(encoder);
    tasks.join().await;
}

#[tokio::test]
async fn a_picture_that_brings_another_size_changes_the_stat_and_cuts_with_a_discontinuity() {
    let bed = Bed::with(1).await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    let small: &[u8] = &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x0a, 0x11, 0xf9, 0x50];
    let large: &[u8] = &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x05, 0x07, 0xe4];
    let pps: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    let framed = |nal: &[u8]| [&(nal.len() as u32).to_be_bytes(), nal].concat();
    let header = [&[0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0c, 0xff, 0xe1, 0, 9], small, &[1, 0, 4], pps].concat();
    encoder.tag(MediaKind::Video, 0, &header).await;
    for second in 0..4u32 {
        let sets = if second == 2 { [framed(large), framed(pps)].concat() } else { Vec::new() };
        let key = [&[0x17, 1, 0, 0, 0][..], &sets, &framed(&[0x65; 100])].concat();
        encoder.tag(MediaKind::Video, second * 1_000, &key).await;
        for ms in (40..1_000).step_by(40) {
            let picture = [&[0x27, 1, 0, 0, 0][..], &framed(&[0x41; 50])].concat();
            encoder.tag(MediaKind::Video, second * 1_000 + ms, &picture).await;
        }
        settle().await;
        let stat = bed.registry.stat(bed.bucket.id, &channel()).expect("live").video.expect("received");
        let expected = if second < 2 { (160, 120) } else { (320, 240) };
        assert_eq!((stat.width, stat.height), expected, "second {second}");
    }
    drop(encoder);
    tasks.join().await;
    let fragments = bed.fragments().await;
    assert_eq!(fragments.iter().map(|f| f.discontinuity).collect::<Vec<_>>(), [false, false, true, false]);
    assert_eq!(bed.check_media().await.faults, []);
    // The key frame that brings nothing is given what the last one brought, not what the sequence header said.
    let last = bed.body(&format!("{}.ts", fragments[3].name_ms)).await;
    let holds = |set: &[u8]| last.windows(set.len()).any(|window| window == set);
    assert!(holds(large) && !holds(small));
}

#[test]
fn metadata_takes_sane_numbers_only() {
    let values = AmfValue::object([("width", 1280.0.into()), ("height", f64::NAN.into()), ("framerate", 29.97.into())]);
    let expected = StreamMetadata { width: Some(1280), height: None, frame_rate_millihertz: Some(29_970) };
    assert_eq!(metadata(&values), expected);
    assert_eq!(metadata(&AmfValue::Null), StreamMetadata::default());
}

/// A file as ffmpeg pushes it, through the service over a real socket, into stored objects.
async fn push(file: &'static [u8], frag_duration: u32) -> Bed {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let bed = Bed::over(ManualClock::new(Wall(BEGIN)), clock.clone(), frag_duration).await;
    let service = RtmpService::new(deps(&bed, clock.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let serving = stop.clone();
    tasks.spawn("test-door", async move {
        let (stream, peer) = listener.accept().await.expect("a client");
        service.serve(DoorStream::plain(stream, peer), serving).await;
    });
    #[allow(clippy::disallowed_methods, reason = "the test is the client")]
    let mut encoder = Encoder::on(TcpStream::connect(address).await.expect("the listener"));
    let query = query("AK", "SK", "films", "ch", clock.wall().unix_seconds() + 60, &[]);
    let event = encoder.publish("films/live", &format!("rtmp://{address}/films/live"), &format!("ch?{query}")).await;
    assert!(matches!(event, Some(ClientEvent::Published { .. })), "{event:?}");
    for tag in FlvTags::new(bytes::Bytes::from_static(file)).expect("an FLV file") {
        let tag = tag.expect("a whole tag");
        match tag.kind {
            TagKind::Video => encoder.tag(MediaKind::Video, tag.timestamp, &tag.body).await,
            TagKind::Audio => encoder.tag(MediaKind::Audio, tag.timestamp, &tag.body).await,
            TagKind::Script => {}
        }
    }
    encoder.peer.unpublish();
    encoder.flush().await;
    encoder.stream.shutdown().await.expect("open");
    drop(encoder);
    tasks.join().await;
    bed
}

#[tokio::test]
async fn ffmpegs_h264_with_b_frames_and_aac_is_stored_without_a_fault_and_without_a_loss() {
    let file: &[u8] = include_bytes!("../../../../tests/golden/ffmpeg_h264_bframes_aac.flv");
    let bed = push(file, 1).await;
    let report = bed.check_media().await;
    assert_eq!(report.faults, []);
    assert!(report.fragments.len() > 1);
    let sent = |kind: TagKind| {
        let media = |tag: &crate::codec::flv::FlvTag| tag.kind == kind && tag.body.get(1) == Some(&1);
        FlvTags::new(bytes::Bytes::from_static(file)).expect("FLV").filter_map(Result::ok).filter(media).count() as u64
    };
    let units = |track| report.fragments.iter().filter_map(|f| Some(f.track(track)?.access_units)).sum::<u64>();
    assert_eq!(units(crate::media::Track::Video), sent(TagKind::Video));
    assert_eq!(units(crate::media::Track::Audio), sent(TagKind::Audio));
    // Durations are distances of decode times, so each tells where the next fragment starts.
    let fragments = bed.fragments().await;
    for (pair, fragment) in report.fragments.windows(2).zip(&fragments) {
        let start = |n: usize| pair[n].start().expect("media");
        assert_eq!(start(1) - start(0), fragment.duration);
    }
    assert_eq!(bed.playlist().await.segments.len(), fragments.len().min(3));
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished));
}

#[tokio::test]
async fn ffmpegs_single_tracks_are_stored_whole() {
    let h264: &[u8] = include_bytes!("../../../../tests/golden/ffmpeg_h264_only.flv");
    let report = push(h264, 1).await.check_media().await;
    assert_eq!(report.faults, []);
    assert!(report.fragments.iter().all(|f| f.video.is_some() && f.audio.is_none()));
    let aac: &[u8] = include_bytes!("../../../../tests/golden/ffmpeg_aac_only.flv");
    let report = push(aac, 1).await.check_media().await;
    assert_eq!(report.faults, []);
    assert!(report.fragments.iter().all(|f| f.video.is_none() && f.audio.is_some()));
}
