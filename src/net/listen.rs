//! The doors inward: accept with permits, tell TLS (0x16), RTMP (0x03, 0x06) and HTTP by the first byte, hand the stream
//! to a handler that `app` introduced.
//!
//! One port serves all, because OSS client libraries build publish URLs from their HTTP endpoint, port included.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::{Clock, timeout};
use crate::limits;
use crate::net::crowd::{Crowd, Place};
use crate::net::merge::{self, MergedRead};
use crate::task::{Stop, TaskSet};

/// An accepted stream whose protocol is known; no byte of it has been taken.
#[derive(Debug)]
pub struct DoorStream {
    inner: Inner,
    /// A byte that had to be read to see the protocol inside TLS.
    first: Option<u8>,
    peer: SocketAddr,
}

#[derive(Debug)]
enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl DoorStream {
    /// A plain stream as it was accepted.
    pub fn plain(stream: TcpStream, peer: SocketAddr) -> Self {
        DoorStream { inner: Inner::Plain(stream), first: None, peer }
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        canonical(self.peer)
    }

    /// Our end, as the client reached it; `None` when the system no longer knows.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let local = match &self.inner {
            Inner::Plain(stream) => stream.local_addr().ok(),
            Inner::Tls(stream) => stream.get_ref().0.local_addr().ok(),
        };
        local.map(canonical)
    }

    /// Whether TLS protects it.
    pub fn is_tls(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }
}

/// On a listener for both families an IPv4 client appears as `::ffff:a.b.c.d`; clients and operators are shown the
/// address that was dialled.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsyncRead for DoorStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for DoorStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Inner::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(stream) => stream.is_write_vectored(),
            Inner::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl MergedRead for DoorStream {
    fn set_low_water(&mut self, bytes: usize) -> bool {
        match &self.inner {
            Inner::Plain(stream) => merge::set_low_water(stream, bytes),
            // What TLS has read of the socket and not yet given out, the socket knows nothing of.
            Inner::Tls(_) => false,
        }
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.inner {
            Inner::Plain(stream) => merge::read_arrived(stream, buffer),
            Inner::Tls(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// What a door lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorKind {
    /// HTTP and RTMP, told apart by the first byte.
    Any,
    /// RTMP alone; whatever comes is handed to the RTMP handler.
    Rtmp,
    /// HTTP alone, never TLS: the admin listener.
    Admin,
}

impl DoorKind {
    const fn as_str(self) -> &'static str {
        match self {
            DoorKind::Any => "any",
            DoorKind::Rtmp => "rtmp",
            DoorKind::Admin => "admin",
        }
    }
}

/// An open socket in the metrics.
struct Counted(metrics::Gauge);

impl Counted {
    fn new(kind: DoorKind) -> Self {
        let gauge = metrics::gauge!("livebucket_sockets", "door" => kind.as_str());
        gauge.increment(1.0);
        Counted(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Serves one accepted stream to its end.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Returns once the stream is done; ends soon after `stop` is pulled.
    async fn handle(self: Arc<Self>, stream: DoorStream, stop: Stop);
}

/// What the doors of one service share.
#[derive(Clone)]
pub struct Doors {
    /// Handles HTTP.
    pub http: Arc<dyn Handler>,
    /// Handles RTMP.
    pub rtmp: Arc<dyn Handler>,
    /// Handles the admin listener.
    pub admin: Arc<dyn Handler>,
    /// Certificate and key, when TLS is configured.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// One permit a socket, over all doors but the admin's.
    pub permits: Arc<Semaphore>,
    /// The same for the admin listener: a flood of the other doors does not close it.
    pub admin_permits: Arc<Semaphore>,
    /// Who has how many of the sockets.
    pub crowd: Arc<Crowd>,
    /// Deadlines before a handler takes over.
    pub clock: Arc<dyn Clock>,
    /// Every socket's task.
    pub tasks: TaskSet,
    /// Ends the accept loops.
    pub stop_accepting: Stop,
    /// Ends the sockets.
    pub stop_sockets: Stop,
}

impl Doors {
    /// Accepts on `listener` until accepting is stopped. One more than its address may have is closed at once. With every
    /// permit taken, the next socket waits here and those behind it in the kernel's backlog, which is bounded too.
    pub async fn accept(self, listener: TcpListener, kind: DoorKind) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop_accepting.pulled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = self.place(peer, kind) else { continue };
                    let permit = tokio::select! {
                        biased;
                        () = self.stop_accepting.pulled() => return,
                        permit = self.permit(kind) => permit,
                    };
                    metrics::counter!("livebucket_sockets_accepted_total", "door" => kind.as_str()).increment(1);
                    let (door, counted) = (self.clone(), Counted::new(kind));
                    self.tasks.spawn("socket", async move {
                        door.serve(stream, peer, kind).await;
                        drop((place, permit, counted));
                    });
                }
                // Out of descriptors, or a peer that left before it was taken: neither ends the door.
                Err(error) => {
                    metrics::counter!("livebucket_accept_errors_total", "door" => kind.as_str()).increment(1);
                    tracing::warn!(%error, door = kind.as_str(), "accept failed");
                    self.clock.sleep(limits::ACCEPT_RETRY).await;
                }
            }
        }
    }

    /// Waits for a socket to become free.
    async fn permit(&self, kind: DoorKind) -> OwnedSemaphorePermit {
        let permits = if kind == DoorKind::Admin { &self.admin_permits } else { &self.permits };
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return permit;
        }
        metrics::counter!("livebucket_sockets_exhausted_total", "door" => kind.as_str()).increment(1);
        self.crowd.found_full();
        permits.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// The socket's place among those of its address, which the admin listener does not count; `None` when it has none.
    fn place(&self, peer: SocketAddr, kind: DoorKind) -> Option<Option<Place>> {
        if kind == DoorKind::Admin {
            return Some(None);
        }
        let place = self.crowd.enter(peer.ip());
        if place.is_none() {
            metrics::counter!("livebucket_sockets_over_address_limit_total", "door" => kind.as_str()).increment(1);
        }
        place.map(Some)
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, kind: DoorKind) {
        // Replies are small and final: Nagle against delayed acknowledgements would cost 40 ms each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "TCP_NODELAY refused");
        }
        let opened = tokio::select! {
            biased;
            () = self.stop_sockets.pulled() => return,
            opened = self.open(stream, peer, kind) => opened,
        };
        match opened {
            Ok((handler, stream)) => handler.handle(stream, self.stop_sockets.clone()).await,
            Err(reason) => {
                metrics::counter!("livebucket_sockets_refused_total", "door" => kind.as_str()).increment(1);
                tracing::debug!(%peer, door = kind.as_str(), reason, "socket closed before its protocol was known");
            }
        }
    }

    /// Finds out the protocol, through TLS where there is any.
    async fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        kind: DoorKind,
    ) -> Result<(Arc<dyn Handler>, DoorStream), &'static str> {
        if kind == DoorKind::Admin {
            return Ok((self.admin.clone(), DoorStream::plain(stream, peer)));
        }
        let mut first = [0u8; 1];
        let peeked = timeout(&*self.clock, limits::FIRST_BYTE_TIMEOUT, stream.peek(&mut first)).await;
        match peeked {
            Err(_) => return Err("no byte arrived in time"),
            Ok(Err(_)) => return Err("socket failed"),
            Ok(Ok(0)) => return Err("closed without a byte"),
            Ok(Ok(_)) => {}
        }
        match (&self.tls, first[0]) {
            (Some(config), TLS_HANDSHAKE) => self.open_tls(config.clone(), stream, peer, kind).await,
            (None, TLS_HANDSHAKE) => Err("TLS arrived but no certificate is configured"),
            (_, byte) => Ok((self.handler(kind, byte), DoorStream::plain(stream, peer))),
        }
    }

    async fn open_tls(
        &self,
        config: Arc<rustls::ServerConfig>,
        stream: TcpStream,
        peer: SocketAddr,
        kind: DoorKind,
    ) -> Result<(Arc<dyn Handler>, DoorStream), &'static str> {
        let work = async {
            let mut tls = TlsAcceptor::from(config).accept(stream).await.map_err(|_| "TLS handshake failed")?;
            let first = tls.read_u8().await.map_err(|_| "closed without a byte inside TLS")?;
            Ok((tls, first))
        };
        match timeout(&*self.clock, limits::TLS_HANDSHAKE_TIMEOUT, work).await {
            Err(_) => Err("TLS handshake took too long"),
            Ok(Err(reason)) => Err(reason),
            Ok(Ok((tls, first))) => {
                let stream = DoorStream { inner: Inner::Tls(Box::new(tls)), first: Some(first), peer };
                Ok((self.handler(kind, first), stream))
            }
        }
    }

    fn handler(&self, kind: DoorKind, first: u8) -> Arc<dyn Handler> {
        // C0 of RTMP is 3, of the encrypted variants 6 (refused there in RTMP's own words); a method's first letter is not.
        if kind == DoorKind::Rtmp || matches!(first, 0x03 | 0x06) { self.rtmp.clone() } else { self.http.clone() }
    }
}

/// The record type of a TLS handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

#[cfg(test)]
mod tests;
