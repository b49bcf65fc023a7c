//! The pump of one socket: reads, feeds the peer, writes its replies, hands media to the owner.
//!
//! The peer is pure ([`crate::codec::rtmp`]); this is the one file of the room that reads, writes and waits. While the
//! owner's queue is full the pump waits in [`Publisher::send`] and the socket is not read: that is the back pressure.
//! Every end that this side decides is said in an `onStatus` before the socket is closed, because a bare close tells
//! nothing to whoever looks into an encoder's log.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::clock::{Monotonic, timeout};
use crate::codec::flv::{FlvError, FlvEvent, FlvReader};
use crate::codec::rtmp::{AmfValue, ConnectInfo, MediaKind, Output, PeerEvent, PeerLimits, ServerPeer};
use crate::limits;
use crate::live::registry::{MediaInput, Publisher};
use crate::live::stat::StreamMetadata;
use crate::media::CodecConfig;
use crate::rtmp::admit::{self, Admitted, Asked, REJECTED, Refusal, admit};
use crate::rtmp::server::RtmpDeps;
use crate::store::TerminationCause;
use crate::task::Stop;

/// Serves one socket of any kind to its end. A pulled `stop` ends its publish as `ServiceShutdown`.
pub async fn serve<S>(deps: &RtmpDeps, stream: S, peer: SocketAddr, stop: &Stop)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    metrics::counter!("livebucket_rtmp_connections_total").increment(1);
    let gauge = metrics::gauge!("livebucket_rtmp_connections");
    gauge.increment(1.0);
    let mut connection = Connection::new(deps, stream, peer);
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
    peer: ServerPeer,
    publishing: Option<Publishing>,
    connected: bool,
    /// When the present wait began: for `connect`, for `publish`, or for the next byte of a publisher.
    waiting_since: Monotonic,
    received: u64,
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

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    fn new(deps: &'a RtmpDeps, stream: S, peer: SocketAddr) -> Self {
        let mut random = [0u8; 1528];
        if getrandom::fill(&mut random).is_err() {
            // The handshake's randomness protects nothing; peers only echo it.
            tracing::warn!("the system has no randomness");
        }
        Connection {
            deps,
            stream,
            remote_addr: peer.to_string(),
            peer: ServerPeer::new(PeerLimits::default(), random),
            publishing: None,
            connected: false,
            waiting_since: deps.clock.monotonic(),
            received: 0,
        }
    }

    async fn run(&mut self, stop: &Stop) -> Result<std::convert::Infallible, End> {
        let clock = &self.deps.clock;
        let mut buffer = vec![0u8; limits::RTMP_COMMAND_BYTES];
        let (deadline, _) = self.deadline();
        let mut timer = clock.sleep_until(deadline);
        loop {
            let read = tokio::select! {
                biased;
                cause = owner_ends(self.publishing.as_ref()) => return Err(End::Ended(cause)),
                () = stop.pulled() => return Err(End::Stopped),
                () = &mut timer => {
                    // The deadline moves with every byte; the timer is set again only when it fires.
                    let (deadline, waiting_for) = self.deadline();
                    if clock.monotonic() >= deadline {
                        return Err(End::Late(waiting_for));
                    }
                    timer = clock.sleep_until(deadline);
                    continue;
                }
                read = self.stream.read(&mut buffer) => read,
            };
            match read {
                Ok(0) => return Err(End::Lost("closed by the other side".into())),
                Ok(length) => self.received(&buffer[..length]).await?,
                Err(error) => return Err(End::Lost(error.to_string())),
            }
            if self.publishing.is_some() && buffer.len() < limits::RTMP_READ_BYTES {
                buffer = vec![0u8; limits::RTMP_READ_BYTES];
            }
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

    async fn received(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.received += bytes.len() as u64;
        self.peer.feed(bytes).map_err(|error| End::Protocol(error.to_string()))?;
        while let Some(output) = self.peer.next_output() {
            match output {
                Output::Send(reply) => self.write(&reply).await?,
                Output::Event(event) => self.event(event).await?,
            }
        }
        if self.publishing.is_some() {
            // Counted from here, not from the read: while the owner was full it was not the publisher that was silent.
            self.waiting_since = self.deps.clock.monotonic();
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
        let admitted = match admit(self.deps, asked, &self.remote_addr).await {
            Ok(admitted) => admitted,
            Err(refusal) => return Err(End::Refused(stream_id, refusal, TerminationCause::ProtocolError)),
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
                send(publishing, MediaInput::Config(CodecConfig::Avc(config))).await?;
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
    async fn finish(&self, publishing: Publishing, cause: TerminationCause) {
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
        let said = match &end {
            End::Refused(stream_id, refusal, _) => Some((*stream_id, refusal.clone())),
            _ => self.publishing.as_ref().and_then(|p| Some((p.stream_id, Refusal::of_end(end.cause())?))),
        };
        tracing::debug!(peer = self.remote_addr, bytes = self.received, %end, "socket ends");
        let mut linger = false;
        if let Some((stream_id, refusal)) = said {
            let description = refusal.description();
            tracing::info!(peer = self.remote_addr, status = refusal.status, description, "publisher refused");
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

/// Ready when the owner of the publish wants it to end; never without a publish.
async fn owner_ends(publishing: Option<&Publishing>) -> TerminationCause {
    match publishing {
        Some(publishing) => publishing.admitted.publisher.ended().await,
        None => std::future::pending().await,
    }
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
