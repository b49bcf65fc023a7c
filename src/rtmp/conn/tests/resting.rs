//! Sockets that rest between two ticks, so that small reads are merged.

use super::*;

/// A pipe that reports nothing by itself once it was asked to keep silent about little, as a socket does.
struct Discreet {
    inner: DuplexStream,
    silent: bool,
}

impl AsyncRead for Discreet {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.silent { Poll::Pending } else { Pin::new(&mut self.inner).poll_read(cx, buf) }
    }
}

impl AsyncWrite for Discreet {
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

impl MergedRead for Discreet {
    fn set_low_water(&mut self, bytes: usize) -> bool {
        self.silent = bytes > 1;
        true
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut self.inner).poll_read(&mut cx, &mut read) {
            Poll::Ready(result) => result.map(|()| read.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// An encoder whose publish was accepted, on a stream that does not report little.
async fn resting(bed: &Bed, tasks: &TaskSet, stop: &Stop) -> Encoder<DuplexStream> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (deps, stop) = (deps(bed, Arc::new(bed.clock.clone())), stop.clone());
    let peer = "192.0.2.7:4711".parse().expect("an address");
    tasks.spawn("test-pump", async move {
        serve(&deps, Discreet { inner: far, silent: false }, peer, &stop).await;
    });
    let mut encoder = Encoder::on(near);
    // No time passes: before the publish is accepted nothing is merged.
    encoder.publish_signed().await;
    encoder
}

fn audio_is_known(bed: &Bed) -> bool {
    bed.registry.stat(bed.bucket.id, &channel()).expect("live").audio.is_some()
}

#[tokio::test]
async fn what_a_publisher_sends_is_taken_at_the_tick() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = resting(&bed, &tasks, &stop).await;
    for round in 0..3 {
        encoder.audio(round * 100, (round + 1) * 100).await;
        assert!(round > 0 || !audio_is_known(&bed), "nothing has said that there is something");
        bed.advance(limits::RTMP_READ_TICK).await;
        assert!(audio_is_known(&bed), "round {round}");
    }
    // An end of the publish is said by a message like any other; from then on every byte is reported again.
    encoder.peer.unpublish();
    encoder.flush().await;
    bed.advance(limits::RTMP_READ_TICK).await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished));
    assert_eq!(encoder.event().await, Some(ClientEvent::Closed));
    drop(encoder);
    tasks.join().await;
}

#[tokio::test]
async fn a_resting_socket_is_stopped_without_waiting_for_a_tick() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = resting(&bed, &tasks, &stop).await;
    bed.registry.disconnect(bed.bucket.id, &channel(), TerminationCause::Disabled);
    encoder.ended_with(DENIED, "LiveChannelDisabled").await;
    drop(encoder);
    tasks.join().await;

    let tasks = TaskSet::new();
    let mut encoder = resting(&bed, &tasks, &stop).await;
    stop.pull();
    while encoder.event().await.is_some() {}
    drop(encoder);
    tasks.join().await;
    let causes: Vec<_> = bed.history().await.iter().map(|connection| connection.cause).collect();
    assert_eq!(causes, [Some(TerminationCause::Disabled), Some(TerminationCause::ServiceShutdown)]);
}

#[tokio::test]
async fn a_silent_publisher_is_noticed_while_its_socket_rests() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = resting(&bed, &tasks, &stop).await;
    for _ in 0..limits::RTMP_READ_TIMEOUT.as_secs() + 1 {
        bed.advance(Duration::from_secs(1)).await;
    }
    encoder.ended_with(FAILED, "").await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Timeout));
    drop(encoder);
    tasks.join().await;
}

#[tokio::test]
async fn a_publisher_that_pauses_reports_itself_and_is_merged_again() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = resting(&bed, &tasks, &stop).await;
    for _ in 0..limits::RTMP_SILENT_TICKS {
        bed.advance(limits::RTMP_READ_TICK).await;
    }
    // Reported: no time passes.
    encoder.audio(0, 100).await;
    bed.advance(Duration::ZERO).await;
    assert!(audio_is_known(&bed));
    // From then on it rests as before.
    encoder.peer.unpublish();
    encoder.flush().await;
    bed.advance(Duration::ZERO).await;
    assert!(bed.history().await.iter().all(|connection| connection.cause.is_none()), "not yet read");
    bed.advance(limits::RTMP_READ_TICK).await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished));
    drop(encoder);
    tasks.join().await;
}

#[test]
fn ticks_fall_together() {
    let ms = |ms: u64| Monotonic(Duration::from_micros(ms * 1_000));
    for (now, next) in [(0, 100), (1, 100), (99, 100), (100, 200), (12_345, 12_400)] {
        assert_eq!(next_tick(ms(now)), ms(next));
    }
}
