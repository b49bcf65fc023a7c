//! Networks as they are: what drips, stalls, breaks in the middle, comes back, races and says nothing.

use super::*;
use crate::codec::mpegts::check::{Fault, FaultKind};
use crate::media::Track;

/// Some seconds of sound and pictures, one message each, from `from` on: a key frame each second.
fn messages(from: u32, millis: u32) -> Vec<(MediaKind, u32, Vec<u8>)> {
    let avc = [&[0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0c, 0xff, 0xe1, 0, 9][..], SPS, &[1, 0, 4], PPS].concat();
    let mut all = vec![(MediaKind::Video, from, avc), (MediaKind::Audio, from, AAC_CONFIG.to_vec())];
    for at in (0..millis).step_by(100) {
        let key = at % 1_000 == 0;
        let nal = [&[0, 0, 0, 200, if key { 0x65 } else { 0x41 }][..], &[0x5a; 199]].concat();
        let picture = [&[if key { 0x17 } else { 0x27 }, 1, 0, 0, 0][..], &nal].concat();
        let sound = [&[0xaf, 1][..], &[0x21; 100]].concat();
        all.extend([(MediaKind::Video, from + at, picture), (MediaKind::Audio, from + at + 10, sound)]);
    }
    all
}

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x0a, 0x11, 0xf9, 0x50];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

async fn send<S: AsyncRead + AsyncWrite + Unpin>(encoder: &mut Encoder<S>, messages: &[(MediaKind, u32, Vec<u8>)]) {
    for (kind, timestamp, body) in messages {
        encoder.tag(*kind, *timestamp, body).await;
    }
    settle().await;
}

async fn unpublish<S: AsyncRead + AsyncWrite + Unpin>(mut encoder: Encoder<S>, tasks: &TaskSet) {
    encoder.peer.unpublish();
    encoder.flush().await;
    assert_eq!(encoder.event().await, Some(ClientEvent::Closed));
    drop(encoder);
    tasks.join().await;
}

/// Pictures and sounds in everything that is stored, which must be without a fault.
async fn stored(bed: &Bed) -> (u64, u64) {
    let report = bed.check_media().await;
    assert_eq!(report.faults, []);
    units(&report)
}

/// Pictures and sounds of a report.
fn units(report: &crate::codec::mpegts::check::Report) -> (u64, u64) {
    let units = |track| report.fragments.iter().filter_map(|f| Some(f.track(track)?.access_units)).sum::<u64>();
    (units(Track::Video), units(Track::Audio))
}

async fn causes(bed: &Bed) -> Vec<TerminationCause> {
    bed.history().await.iter().map(|connection| connection.cause.expect("ended")).collect()
}

fn discontinuities(fragments: &[crate::store::FragmentRecord]) -> Vec<bool> {
    fragments.iter().map(|fragment| fragment.discontinuity).collect()
}

/// The pump's end of a network.
struct Broken {
    inner: DuplexStream,
    /// Bytes that a read brings at most.
    at_once: usize,
    /// Its end is a reset.
    resets: bool,
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut part = buf.take(self.at_once);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buf.advance(length);
        let reset = length == 0 && self.resets;
        Poll::Ready(if reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) })
    }
}

impl AsyncWrite for Broken {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl MergedRead for Broken {
    fn set_low_water(&mut self, _bytes: usize) -> bool {
        false
    }

    fn read_arrived(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// An encoder at the other end of such a network.
fn broken(
    bed: &Bed,
    tasks: &TaskSet,
    stop: &Stop,
    network: impl FnOnce(DuplexStream) -> Broken,
) -> Encoder<DuplexStream> {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let (deps, stop, far) = (deps(bed, Arc::new(bed.clock.clone())), stop.clone(), network(far));
    let peer = "192.0.2.7:4711".parse().expect("an address");
    tasks.spawn("test-pump", async move { serve(&deps, far, peer, &stop).await });
    Encoder::on(near)
}

#[tokio::test]
async fn a_stream_that_comes_byte_by_byte_is_the_same_stream() {
    let mut whole = None;
    for at_once in [64 * 1024, 1] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = broken(&bed, &tasks, &stop, move |inner| Broken { inner, at_once, resets: false });
        encoder.publish_signed().await;
        send(&mut encoder, &messages(0, 3_000)).await;
        unpublish(encoder, &tasks).await;
        assert_eq!(stored(&bed).await, (30, 30));
        let mut bodies = Vec::new();
        for fragment in bed.fragments().await {
            bodies.push(bed.body(&format!("{}.ts", fragment.name_ms)).await);
        }
        assert_eq!(bodies.len(), 3);
        assert!(*whole.get_or_insert_with(|| bodies.clone()) == bodies, "other bytes");
    }
}

#[tokio::test]
async fn a_stall_of_a_second_or_ten_is_nothing_and_one_of_a_minute_ends_the_publish() {
    for (stall, goes_on) in [(1, true), (10, true), (60, false)] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        encoder.publish_signed().await;
        let all = messages(0, 4_000);
        // In the middle of a message.
        let (before, after) = all.split_at(all.len() / 2);
        send(&mut encoder, before).await;
        let (kind, timestamp, body) = &after[0];
        encoder.peer.media(*kind, *timestamp, body).expect("short");
        let Some(ClientOutput::Send(message)) = encoder.peer.next_output() else { panic!("bytes to send") };
        encoder.stream.write_all(&message[..message.len() / 2]).await.expect("the pump reads");
        for _ in 0..stall {
            bed.advance(Duration::from_secs(1)).await;
        }
        if goes_on {
            encoder.stream.write_all(&message[message.len() / 2..]).await.expect("the pump reads");
            send(&mut encoder, &after[1..]).await;
            unpublish(encoder, &tasks).await;
            assert_eq!((stored(&bed).await, causes(&bed).await), ((40, 40), vec![TerminationCause::Unpublished]));
            assert_eq!(discontinuities(&bed.fragments().await), [false; 4], "{stall} s");
            continue;
        }
        encoder.ended_with(FAILED, "RequestTimeout: Nothing was sent for too long.").await;
        drop(encoder);
        tasks.join().await;
        assert_eq!(causes(&bed).await, [TerminationCause::Timeout]);
        assert_eq!(stored(&bed).await, (20, 19), "what came before is kept");
        // It comes back with what it has buffered.
        let mut again = Encoder::dial(&bed, &tasks, &stop);
        again.publish_signed().await;
        send(&mut again, &messages(0, 2_000)).await;
        unpublish(again, &tasks).await;
        assert_eq!(discontinuities(&bed.fragments().await), [false, false, true, false]);
        assert_eq!(stored(&bed).await, (40, 39));
    }
}

/// A peer that is gone without a word is a silent one (`a_silent_publisher_is_noticed_within_thirty_seconds`); here are those of
/// whom one half is left.
#[tokio::test]
async fn half_open_peers_are_ended() {
    // It has said everything, and listens.
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    send(&mut encoder, &messages(0, 1_500)).await;
    encoder.stream.shutdown().await.expect("open");
    tasks.join().await;
    assert_eq!((causes(&bed).await, stored(&bed).await), (vec![TerminationCause::ConnectionLost], (15, 15)));
    // It talks, and does not listen: answers pile up until one does not fit, and that is waited for only so long.
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let deps = deps(&bed, Arc::new(bed.clock.clone()));
    let mut encoder = Encoder::dial_with(deps, "192.0.2.7:4711", 8 * 1024, &tasks, &stop);
    encoder.publish_signed().await;
    send(&mut encoder, &messages(0, 1_500)).await;
    // A ping request (user control 6) in a chunk of type 0 on the control stream.
    let ping = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1];
    let talking = async { while encoder.stream.write_all(&ping).await.is_ok() {} };
    let mut talking = pin!(talking);
    for _ in 0..20 {
        assert!(poll_immediate(&mut talking).await.is_none() || tasks.is_empty());
        settle().await;
    }
    bed.advance(limits::RTMP_WRITE_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(tasks.len(), 1, "its answers are waited for");
    bed.advance(Duration::from_secs(1)).await;
    tasks.join().await;
    assert_eq!((causes(&bed).await, stored(&bed).await), (vec![TerminationCause::ConnectionLost], (15, 15)));
}

/// Everything that an encoder sends in a whole publish, a piece for each message.
async fn pieces() -> Vec<Vec<u8>> {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    let mut pieces = Vec::new();
    let mut buffer = [0u8; 4096];
    encoder.peer.publish("live", TC_URL, &format!("ch?{}", signed(&[])));
    'open: loop {
        while let Some(output) = encoder.peer.next_output() {
            match output {
                ClientOutput::Send(bytes) => {
                    encoder.stream.write_all(&bytes).await.expect("the pump reads");
                    pieces.push(bytes.to_vec());
                }
                ClientOutput::Event(event) => {
                    assert!(matches!(event, ClientEvent::Published { .. }), "{event:?}");
                    break 'open;
                }
            }
        }
        let length = encoder.stream.read(&mut buffer).await.expect("answers");
        encoder.peer.feed(&buffer[..length]).expect("RTMP");
    }
    for (kind, timestamp, body) in messages(0, 1_500) {
        encoder.peer.media(kind, timestamp, &body).expect("short");
        while let Some(ClientOutput::Send(bytes)) = encoder.peer.next_output() {
            pieces.push(bytes.to_vec());
        }
    }
    drop(encoder);
    tasks.join().await;
    pieces
}

/// Wherever the network breaks, what was whole is stored and listed, and nothing else.
#[tokio::test]
async fn resets_at_every_message_boundary_and_inside_every_message() {
    let pieces = pieces().await;
    let commands = pieces.len() - messages(0, 1_500).len();
    for (cut, inside) in (0..=pieces.len()).flat_map(|cut| [(cut, false), (cut, true)]) {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let network = |inner| Broken { inner, at_once: usize::MAX, resets: true };
        let mut talking = broken(&bed, &tasks, &stop, network).stream;
        let mut wire = pieces[..cut].concat();
        if let Some(piece) = pieces.get(cut).filter(|_| inside) {
            wire.extend_from_slice(&piece[..piece.len() / 2]);
        }
        talking.write_all(&wire).await.expect("room for all of it");
        settle().await;
        drop(talking);
        tasks.join().await;

        let whole = messages(0, 1_500).len().min(cut.saturating_sub(commands));
        let (pictures, sounds) = (whole.saturating_sub(1) / 2, whole.saturating_sub(2) / 2);
        let place = format!("cut at {cut} of {}, inside: {inside}", pieces.len());
        let report = bed.check_media().await;
        assert_eq!(units(&report), (pictures as u64, sounds as u64), "{place}");
        // Both tracks were announced, and the first sound never came.
        let announced = matches!(&report.faults[..], [Fault { kind: FaultKind::Absent { .. }, .. }] if whole == 3);
        assert!(announced || report.faults.is_empty(), "{place}: {:?}", report.faults);
        let published = bed.history().await;
        assert!(
            published.iter().all(|connection| connection.cause == Some(TerminationCause::ConnectionLost)),
            "{place}"
        );
        assert_eq!(published.len(), usize::from(cut >= commands), "{place}");
        let listed = if whole > 2 { bed.playlist().await.segments.len() } else { 0 };
        assert_eq!(listed, bed.fragments().await.len(), "{place}");
    }
}

/// An encoder whose network changed comes back while its dead socket is still believed in: it is told so, tries again, and
/// goes on with the channel's sequence behind a discontinuity. One that ended in order comes back at once.
#[tokio::test]
async fn a_return_within_the_patience_for_the_dead_socket_is_refused_and_after_it_goes_on() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut lost = Encoder::dial(&bed, &tasks, &stop);
    lost.publish_signed().await;
    send(&mut lost, &messages(0, 2_000)).await;
    for _ in 0..limits::RTMP_READ_TIMEOUT.as_secs() {
        assert_eq!(told(&bed, &signed(&[])).await.1, "ChannelStillLive");
        bed.advance(Duration::from_secs(1)).await;
    }
    for pause in [Duration::ZERO, Duration::from_secs(3_600)] {
        bed.advance(pause).await;
        let tasks = TaskSet::new();
        let mut back = Encoder::dial(&bed, &tasks, &stop);
        let query = query("AK", "SK", "films", "ch", BEGIN / 1_000 + 7_200, &[]);
        let event = back.publish("live", TC_URL, &format!("ch?{query}")).await;
        assert!(matches!(event, Some(ClientEvent::Published { .. })), "{event:?}");
        send(&mut back, &messages(0, 2_000)).await;
        unpublish(back, &tasks).await;
    }
    drop(lost);
    tasks.join().await;
    assert_eq!(discontinuities(&bed.fragments().await), [false, false, true, false, true, false]);
    let playlist = bed.playlist().await;
    assert_eq!((playlist.media_sequence, playlist.discontinuity_sequence), (3, 1), "a window of three of six");
    assert_eq!(stored(&bed).await, (60, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_publishers_that_race_a_thousand_times_exactly_one_wins() {
    let bed = Bed::new().await;
    let name = format!("ch?{}", signed(&[]));
    for round in 0..1_000 {
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut one = Encoder::dial(&bed, &tasks, &stop);
        let mut two = Encoder::dial(&bed, &tasks, &stop);
        let answers = tokio::join!(one.publish("live", TC_URL, &name), two.publish("live", TC_URL, &name));
        let refused = |event: &Option<ClientEvent>| match event {
            Some(ClientEvent::Published { .. }) => false,
            Some(ClientEvent::Refused { code, description }) => {
                assert!(code == "NetStream.Publish.BadName" && description.starts_with("ChannelStillLive"), "{code}");
                true
            }
            other => panic!("{other:?}"),
        };
        assert!(refused(&answers.0) != refused(&answers.1), "round {round}: {answers:?}");
        drop((one, two));
        tasks.join().await;
    }
    assert!(causes(&bed).await.iter().all(|cause| *cause == TerminationCause::ConnectionLost));
}

/// A byte now and then does not buy more time.
#[tokio::test]
async fn a_handshake_that_drips_is_closed_in_its_time() {
    for begin in [0, 1, 1_000, 1_537, 3_000, 3_073] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        let mut wire = vec![3u8];
        wire.resize(1 + 2 * 1_536, 0);
        encoder.stream.write_all(&wire[..begin]).await.expect("room");
        for second in 1..=limits::RTMP_CONNECT_TIMEOUT.as_secs() {
            assert_eq!(tasks.len(), 1, "{begin} bytes, second {second}");
            // Behind the handshake, a chunk that never ends.
            let more = wire.get(begin + second as usize - 1).copied().unwrap_or(3);
            let _ = encoder.stream.write_all(&[more]).await;
            bed.advance(Duration::from_secs(1)).await;
        }
        assert!(tasks.is_empty(), "{begin} bytes");
    }
}
