//! The pump of one socket: reads, feeds the peer, writes its replies, hands media to the owner.
//!
//! The peer is pure ([`crate::codec::rtmp`]); this is the one file of the room that reads, writes and waits. While the
//! owner's queue is full the pump waits in [`Publisher::send`] and the socket is not read: that is the back pressure.
//! Every end that this side decides is said in an `onStatus` before the socket is closed, because a bare close tells
//! nothing to whoever looks into an encoder's log.
//!
//! While a publish runs, small reads are merged ([`crate::net::merge`]): the socket reports itself when much has arrived,
//! and what little there is otherwise is taken at a tick that all sockets share. Before a publish nothing waits.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::clock::{Monotonic, Sleep, timeout};
use crate::codec::flv::{FlvError, FlvEvent, FlvReader};
use crate::codec::rtmp::{AmfValue, ConnectInfo, MediaKind, Output, PeerEvent, PeerLimits, ServerPeer};
use crate::limits;
use crate::live::registry::{MediaInput, Publisher};
use crate::live::stat::StreamMetadata;
use crate::net::merge::MergedRead;
use crate::rtmp::admit::{self, Admitted, Asked, Origin, REJECTED, Refusal, admit};
use crate::rtmp::server::RtmpDeps;
use crate::store::TerminationCause;
use crate::task::Stop;

/// Serves one socket of any kind to its end. A pulled `stop` ends its publish as `ServiceShutdown`.
pub async fn serve<S>(deps: &RtmpDeps, stream: S, peer: SocketAddr, stop: &Stop)
where
    S: MergedRead,
{
    serve_from(deps, stream, Origin { peer, secure: false }, stop).await;
}

/// The same of a socket whose origin is known whole.
pub(super) async fn serve_from<S>(deps: &RtmpDeps, stream: S, origin: Origin, stop: &Stop)
where
    S: MergedRead,
{
    metrics::counter!("livebucket_rtmp_connections_total").increment(1);
    let gauge = metrics::gauge!("livebucket_rtmp_connections");
    gauge.increment(1.0);
    let mut connection = Connection::new(deps, stream, origin);
    let end = match connection.run(stop).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    connection.close(end).await;
    gauge.decrement(1.0);
}

/// Why a socket is given up.
#[derive(Debug)]
enum End {
    /// The other side closed it, or the network did.
    Lost(String),
    /// A deadline passed; says what was waited for.
    Late(&'static str),
    /// The bytes break the protocol.
    Protocol(String),
    /// This side says no; the publish that it ends, if there is one, ends with this cause.
    Refused(u32, Refusal, TerminationCause),
    /// The owner ended the publish.
    Ended(TerminationCause),
    /// The service stops.
    Stopped,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Lost(why) => write!(f, "lost: {why}"),
            End::Late(what) => write!(f, "waited too long for {what}"),
            End::Protocol(what) => write!(f, "protocol: {what}"),
            End::Refused(_, refusal, _) => write!(f, "refused: {}", refusal.code),
            End::Ended(cause) => write!(f, "ended: {}", cause.as_str()),
            End::Stopped => f.write_str("the service stops"),
        }
    }
}

impl End {
    fn cause(&self) -> TerminationCause {
        match self {
            End::Lost(_) => TerminationCause::ConnectionLost,
            End::Late(_) => TerminationCause::Timeout,
            End::Protocol(_) => TerminationCause::ProtocolError,
            End::Refused(_, _, cause) | End::Ended(cause) => *cause,
            End::Stopped => TerminationCause::ServiceShutdown,
        }
    }
}

struct Connection<'a, S> {
    deps: &'a RtmpDeps,
    stream: S,
    remote_addr: String,
    origin: Origin,
    peer: ServerPeer,
    publishing: Option<Publishing>,
    connected: bool,
    /// When the present wait began: for `connect`, for `publish`, or for the next byte of a publisher.
    waiting_since: Monotonic,
    received: u64,
    /// Ready when the owner of the publish wants it to end; never without a publish.
    owner_ends: Pin<Box<dyn Future<Output = TerminationCause> + Send>>,
    /// When to take what has arrived unreported; `None` while the stream reports every byte.
    tick: Option<Sleep>,
    /// Ticks in a row at which nothing had arrived.
    silent_ticks: u32,
}

/// An accepted publish.
struct Publishing {
    stream_id: u32,
    admitted: Admitted,
    flv: FlvReader,
    audio_refused: bool,
    malformed: u64,
    received_before: u64,
}

thread_local! {
    /// What is read is digested before anybody waits again, so sockets need no buffer of their own.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::RTMP_READ_BYTES]);
}

impl<'a, S: MergedRead> Connection<'a, S> {
    fn new(deps: &'a RtmpDeps, stream: S, origin: Origin) -> Self {
        let mut random = [0u8; 1528];
        if getrandom::fill(&mut random).is_err() {
            // The handshake's randomness protects nothing; peers only echo it.
            tracing::warn!("the system has no randomness");
        }
        Connection {
            deps,
            stream,
            remote_addr: origin.peer.to_string(),
            origin,
            peer: ServerPeer::new(PeerLimits::default(), random),
            publishing: None,
            connected: false,
            waiting_since: deps.clock.monotonic(),
            received: 0,
            owner_ends: Box::pin(std::future::pending()),
            tick: None,
            silent_ticks: 0,
        }
    }

    async fn run(&mut self, stop: &Stop) -> Result<std::convert::Infallible, End> {
        let clock = &self.deps.clock;
        // A token of its own: the one that all sockets share is locked with every look at it.
        let stop = stop.child();
        let mut stopped = pin!(stop.pulled());
        let (deadline, _) = self.deadline();
        let mut timer = clock.sleep_until(deadline);
        loop {
            let bytes_max =
                if self.publishing.is_some() { limits::RTMP_READ_BYTES } else { limits::RTMP_COMMAND_BYTES };
            let taken = tokio::select! {
                biased;
                cause = &mut self.owner_ends => return Err(End::Ended(cause)),
                () = &mut stopped => return Err(End::Stopped),
                () = &mut timer => {
                    // The deadline moves with every byte; the timer is set again only when it fires.
                    let (deadline, waiting_for) = self.deadline();
                    if clock.monotonic() >= deadline {
                        return Err(End::Late(waiting_for));
                    }
                    timer = clock.sleep_until(deadline);
                    continue;
                }
                () = ticks(&mut self.tick) => {
                    self.tick = Some(clock.sleep_until(next_tick(clock.monotonic())));
                    take_arrived(&mut self.stream, &mut self.peer, bytes_max)
                }
                taken = poll_fn(|cx| poll_take(&mut self.stream, &mut self.peer, bytes_max, cx)) => taken,
            };
            match taken {
                Ok(Some(bytes)) => self.received(bytes).await?,
                Ok(None) => self.nothing_arrived(),
                Err(end) => {
                    // What stood before a fault has come all the same, in the same read or not.
                    self.act().await?;
                    return Err(end);
                }
            }
        }
    }

    /// A publisher that has fallen silent is not asked ten times a second: it reports itself when it speaks again.
    fn nothing_arrived(&mut self) {
        self.silent_ticks += 1;
        if self.silent_ticks == limits::RTMP_SILENT_TICKS {
            self.merge_reads(false);
        }
    }

    fn deadline(&self) -> (Monotonic, &'static str) {
        let (patience, waiting_for) = match (self.connected, &self.publishing) {
            (_, Some(_)) => (limits::RTMP_READ_TIMEOUT, "media"),
            (true, None) => (limits::RTMP_PUBLISH_TIMEOUT, "publish"),
            (false, None) => (limits::RTMP_CONNECT_TIMEOUT, "connect"),
        };
        (self.waiting_since + patience, waiting_for)
    }

    /// Acts upon so many bytes that the peer was fed.
    async fn received(&mut self, bytes: usize) -> Result<(), End> {
        self.received += bytes as u64;
        if self.silent_ticks >= limits::RTMP_SILENT_TICKS && self.publishing.is_some() {
            self.merge_reads(true);
        }
        self.silent_ticks = 0;
        self.act().await?;
        if let Some(publishing) = &self.publishing {
            // A read that is full is followed by the next.
            if bytes < limits::RTMP_READ_BYTES {
                publishing.admitted.publisher.pause();
            }
            // Counted from here, not from the read: while the owner was full it was not the publisher that was silent.
            self.waiting_since = self.deps.clock.monotonic();
        }
        Ok(())
    }

    /// Answers and does what the peer has made of its input.
    async fn act(&mut self) -> Result<(), End> {
        while let Some(output) = self.peer.next_output() {
            match output {
                Output::Send(reply) => self.write(&reply).await?,
                Output::Event(event) => self.event(event).await?,
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<(), End> {
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(bytes).await?;
            // TLS keeps what it cannot send at once until it is flushed.
            stream.flush().await
        };
        match timeout(&*self.deps.clock, limits::RTMP_WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(error.to_string())),
            Err(_) => Err(End::Lost("replies are not read".into())),
        }
    }

    async fn event(&mut self, event: PeerEvent) -> Result<(), End> {
        match event {
            PeerEvent::Connected(_) => {
                self.connected = true;
                self.waiting_since = self.deps.clock.monotonic();
            }
            PeerEvent::PublishRequested { stream_id, name, connect } => {
                self.publish(stream_id, &name, &connect).await?;
            }
            PeerEvent::Media { stream_id, kind, timestamp, payload } => {
                self.media(stream_id, kind, timestamp, &payload).await?;
            }
            PeerEvent::Metadata { stream_id, values } => {
                if let Some(publishing) = self.publishing.as_ref().filter(|p| p.stream_id == stream_id) {
                    send(publishing, MediaInput::Metadata(metadata(&values))).await?;
                }
            }
            PeerEvent::Unpublished { stream_id } => {
                if let Some(publishing) = self.publishing.take_if(|p| p.stream_id == stream_id) {
                    self.owner_ends = Box::pin(std::future::pending());
                    self.merge_reads(false);
                    self.finish(publishing, TerminationCause::Unpublished).await;
                    self.waiting_since = self.deps.clock.monotonic();
                }
            }
        }
        Ok(())
    }

    async fn publish(&mut self, stream_id: u32, name: &str, connect: &ConnectInfo) -> Result<(), End> {
        let asked = Asked { app: &connect.app, tc_url: &connect.tc_url, name };
        if self.publishing.is_some() {
            let refusal = Refusal::new(admit::BAD_NAME, "InvalidArgument", "This socket publishes already.");
            return Err(End::Refused(stream_id, refusal, TerminationCause::ProtocolError));
        }
        let admitted = match admit(self.deps, asked, self.origin).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let refusal = at_its_pace(self.deps, refusal, self.origin).await;
                return Err(End::Refused(stream_id, refusal, TerminationCause::ProtocolError));
            }
        };
        tracing::info!(
            connection = %admitted.publisher.connection(),
            bucket = %admitted.bucket,
            channel = %admitted.channel,
            key = admitted.access_key_id.as_deref().unwrap_or("-"),
            peer = self.remote_addr,
            encoder = connect.flash_ver,
            "publish begins"
        );
        self.peer.accept_publish(stream_id, &format!("publish success: {}/{}", admitted.bucket, admitted.channel));
        self.owner_ends = Box::pin(admitted.publisher.ended());
        self.merge_reads(true);
        self.publishing = Some(Publishing {
            stream_id,
            admitted,
            flv: FlvReader::new(),
            audio_refused: false,
            malformed: 0,
            received_before: self.received,
        });
        Ok(())
    }

    /// Begins to merge reads, or ends it.
    fn merge_reads(&mut self, merge: bool) {
        let low_water = if merge { limits::RTMP_READ_LOW_WATER } else { 1 };
        let merges = self.stream.set_low_water(low_water) && merge;
        let clock = &self.deps.clock;
        self.tick = merges.then(|| clock.sleep_until(next_tick(clock.monotonic())));
    }

    async fn media(&mut self, stream_id: u32, kind: MediaKind, timestamp: u32, payload: &Bytes) -> Result<(), End> {
        let Some(publishing) = self.publishing.as_mut().filter(|p| p.stream_id == stream_id) else {
            return Ok(());
        };
        let read = match kind {
            MediaKind::Video => publishing.flv.video(timestamp, payload),
            MediaKind::Audio => publishing.flv.audio(timestamp, payload),
        };
        match read {
            Ok(FlvEvent::Config(config)) => send(publishing, MediaInput::Config(config)).await,
            Ok(FlvEvent::Unit(unit)) => send(publishing, MediaInput::Unit(unit)).await,
            Ok(FlvEvent::Reconfigured(config, unit)) => {
                send(publishing, MediaInput::Config(config)).await?;
                send(publishing, MediaInput::Unit(unit)).await
            }
            Ok(FlvEvent::Nothing) => Ok(()),
            Err(FlvError::UnsupportedVideo(codec)) => {
                let message = format!("Video codec {codec} is not supported: send H.264.");
                let refusal = Refusal::new(REJECTED, "InvalidArgument", message);
                Err(End::Refused(stream_id, refusal, TerminationCause::ProtocolError))
            }
            Err(error) => {
                publishing.drop_tag(&error);
                Ok(())
            }
        }
    }

    /// Ends a publish and waits until its last fragment is committed.
    async fn finish(&mut self, publishing: Publishing, cause: TerminationCause) {
        let Publishing { admitted, received_before, malformed, .. } = publishing;
        let Admitted { publisher, bucket, channel, .. } = admitted;
        let connection = publisher.connection();
        let outcome = publisher.finish(cause).await;
        tracing::info!(
            %connection,
            %bucket,
            %channel,
            peer = self.remote_addr,
            cause = outcome.cause.as_str(),
            bytes = self.received - received_before,
            fragments = outcome.fragments,
            fragments_lost = outcome.fragments_lost,
            units_dropped = outcome.units_dropped + malformed,
            "publish ends"
        );
    }

    /// Says why, ends the publish, closes.
    async fn close(mut self, end: End) {
        // What is thrown away below has to be reported first.
        self.merge_reads(false);
        let said = match &end {
            End::Refused(stream_id, refusal, _) => Some((*stream_id, refusal.clone())),
            _ => self.publishing.as_ref().and_then(|p| Some((p.stream_id, Refusal::of_end(end.cause())?))),
        };
        tracing::debug!(peer = self.remote_addr, bytes = self.received, %end, "socket ends");
        let mut linger = false;
        if let Some((stream_id, refusal)) = said {
            let description = refusal.description();
            if refusal.is_slow_down() {
                // A flood is one line a period, in the crowd's report.
                tracing::debug!(peer = self.remote_addr, "publisher told to slow down");
            } else {
                tracing::info!(peer = self.remote_addr, status = refusal.status, description, "publisher refused");
            }
            metrics::counter!("livebucket_publish_refusals_total", "code" => refusal.code).increment(1);
            match &self.publishing {
                Some(publishing) if publishing.stream_id == stream_id => {
                    self.peer.revoke_publish(stream_id, refusal.status, &description);
                }
                _ => self.peer.refuse_publish(stream_id, refusal.status, &description),
            }
            // Half-closed before the last fragment is waited for: a stalled store does not keep the answer back.
            linger = self.flush().await.is_ok() && self.half_close().await;
        }
        if let Some(publishing) = self.publishing.take() {
            self.finish(publishing, end.cause()).await;
        }
        if linger {
            self.linger().await;
        }
    }

    /// Writes what the peer still has to say; events behind it come too late.
    async fn flush(&mut self) -> Result<(), End> {
        while let Some(output) = self.peer.next_output() {
            if let Output::Send(reply) = output {
                self.write(&reply).await?;
            }
        }
        Ok(())
    }

    async fn half_close(&mut self) -> bool {
        let shutdown = timeout(&*self.deps.clock, limits::RTMP_WRITE_TIMEOUT, self.stream.shutdown()).await;
        matches!(shutdown, Ok(Ok(())))
    }

    /// After the half-close, reads and throws away for a moment: closing a socket with unread bytes in it resets it, and
    /// a reset destroys the answer that is still on its way.
    async fn linger(&mut self) {
        let stream = &mut self.stream;
        let drain = async {
            let mut discard = vec![0u8; 16 * 1024];
            while stream.read(&mut discard).await? > 0 {}
            std::io::Result::Ok(())
        };
        // Whether the other side closes, fails or stays: after this the socket goes.
        let _ = timeout(&*self.deps.clock, limits::RTMP_LINGER, drain).await;
    }
}

impl Publishing {
    fn drop_tag(&mut self, error: &FlvError) {
        let connection = self.admitted.publisher.connection();
        match error {
            FlvError::UnsupportedAudio(codec) => {
                metrics::counter!("livebucket_units_dropped_total", "reason" => "audio_codec").increment(1);
                if !std::mem::replace(&mut self.audio_refused, true) {
                    tracing::warn!(%connection, codec, "audio is dropped: only AAC is stored");
                }
            }
            error => {
                self.malformed += 1;
                metrics::counter!("livebucket_units_dropped_total", "reason" => "malformed").increment(1);
                if self.malformed == 1 {
                    tracing::warn!(%connection, %error, "tag dropped; further ones are only counted");
                }
            }
        }
    }
}

/// An address that is refused too often waits for the answer, and is told nothing but that.
async fn at_its_pace(deps: &RtmpDeps, refusal: Refusal, origin: Origin) -> Refusal {
    if deps.crowd.may_refuse(origin.peer.ip()) {
        return refusal;
    }
    metrics::counter!("livebucket_refusals_limited_total", "door" => "rtmp").increment(1);
    deps.clock.sleep(limits::REFUSAL_PAUSE).await;
    Refusal::slow_down()
}

/// Ready at the tick; never while there is none.
async fn ticks(tick: &mut Option<Sleep>) {
    match tick {
        Some(tick) => tick.await,
        None => std::future::pending().await,
    }
}

/// The next of the ticks that all sockets share.
fn next_tick(now: Monotonic) -> Monotonic {
    let tick = limits::RTMP_READ_TICK.as_nanos();
    let past = now.0.as_nanos() % tick;
    now + Duration::from_nanos((tick - past) as u64)
}

/// One reported read, fed to the peer; how many bytes it brought.
fn poll_take(
    stream: &mut impl MergedRead,
    peer: &mut ServerPeer,
    bytes_max: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<usize>, End>> {
    READ_BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(&mut buffer[..bytes_max]);
        let result = ready!(Pin::new(stream).poll_read(cx, &mut read));
        Poll::Ready(result.map_err(lost).and_then(|()| feed(peer, read.filled())))
    })
}

/// One read of what nobody has reported, fed to the peer; `None` when there is nothing.
fn take_arrived(stream: &mut impl MergedRead, peer: &mut ServerPeer, bytes_max: usize) -> Result<Option<usize>, End> {
    READ_BUFFER.with_borrow_mut(|buffer| match stream.read_arrived(&mut buffer[..bytes_max]) {
        Ok(length) => feed(peer, &buffer[..length]),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(lost(error)),
    })
}

fn feed(peer: &mut ServerPeer, bytes: &[u8]) -> Result<Option<usize>, End> {
    if bytes.is_empty() {
        return Err(End::Lost("closed by the other side".into()));
    }
    peer.feed(bytes).map_err(|error| End::Protocol(error.to_string()))?;
    Ok(Some(bytes.len()))
}

fn lost(error: io::Error) -> End {
    End::Lost(error.to_string())
}

async fn send(publishing: &Publishing, input: MediaInput) -> Result<(), End> {
    let publisher: &Publisher = &publishing.admitted.publisher;
    publisher.send(input).await.map_err(|ended| End::Ended(ended.0))
}

/// What `onMetaData` says of the picture; senders write all numbers as doubles.
fn metadata(values: &AmfValue) -> StreamMetadata {
    let number = |name: &str, factor: f64| {
        let value = values.get(name)?.as_f64()? * factor;
        // A float-to-integer cast saturates and makes zero of NaN.
        (1.0..=1e6).contains(&value).then_some(value.round() as u32)
    };
    StreamMetadata {
        width: number("width", 1.0),
        height: number("height", 1.0),
        frame_rate_millihertz: number("framerate", 1_000.0),
    }
}

#[cfg(test)]
mod tests;
