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
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::{Clock, timeout};
use crate::limits;
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
    /// One permit a socket, over all doors.
    pub permits: Arc<Semaphore>,
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
    /// Accepts on `listener` until accepting is stopped. With every permit taken, the next socket waits in the
    /// kernel's backlog, which is bounded too.
    pub async fn accept(self, listener: TcpListener, kind: DoorKind) {
        loop {
            let permit = tokio::select! {
                biased;
                () = self.stop_accepting.pulled() => return,
                permit = self.permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            };
            let accepted = tokio::select! {
                biased;
                () = self.stop_accepting.pulled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    metrics::counter!("livebucket_sockets_accepted_total", "door" => kind.as_str()).increment(1);
                    let door = self.clone();
                    self.tasks.spawn("socket", async move {
                        door.serve(stream, peer, kind).await;
                        drop(permit);
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
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use tokio::io::AsyncWriteExt;

    /// Answers with its name and the first byte that it reads.
    struct Named(&'static str);

    #[async_trait]
    impl Handler for Named {
        async fn handle(self: Arc<Self>, mut stream: DoorStream, _stop: Stop) {
            let first = stream.read_u8().await.expect("the test sends a byte");
            stream.write_all(format!("{} {first:#x}", self.0).as_bytes()).await.expect("the test reads");
        }
    }

    fn doors() -> Doors {
        Doors {
            http: Arc::new(Named("http")),
            rtmp: Arc::new(Named("rtmp")),
            admin: Arc::new(Named("admin")),
            tls: None,
            permits: Arc::new(Semaphore::new(2)),
            clock: Arc::new(SystemClock::new()),
            tasks: TaskSet::new(),
            stop_accepting: Stop::new(),
            stop_sockets: Stop::new(),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the test is the far end")]
    async fn ask(addr: SocketAddr, byte: u8) -> String {
        let mut stream = TcpStream::connect(addr).await.expect("listening");
        stream.write_all(&[byte]).await.expect("accepted");
        let mut answer = String::new();
        // A refused socket may end in a reset, because its byte was looked at and never taken.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[test]
    fn an_ipv4_peer_is_shown_as_one_on_every_listener() {
        for (seen, shown) in [
            ("[::ffff:192.0.2.7]:47745", "192.0.2.7:47745"),
            ("192.0.2.7:47745", "192.0.2.7:47745"),
            ("[2001:db8::7]:1", "[2001:db8::7]:1"),
        ] {
            assert_eq!(canonical(seen.parse().expect("an address")).to_string(), shown);
        }
    }

    #[tokio::test]
    async fn the_first_byte_chooses_the_handler_and_is_not_lost() {
        for (kind, byte, answer) in [
            (DoorKind::Any, b'G', "http 0x47"),
            (DoorKind::Any, 3, "rtmp 0x3"),
            (DoorKind::Any, 6, "rtmp 0x6"),
            (DoorKind::Any, 0x16, ""),
            (DoorKind::Rtmp, b'G', "rtmp 0x47"),
            (DoorKind::Admin, b'G', "admin 0x47"),
        ] {
            let doors = doors();
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let addr = listener.local_addr().expect("bound");
            let running = doors.clone();
            doors.tasks.spawn("test-door", async move { running.accept(listener, kind).await });
            assert_eq!(ask(addr, byte).await, answer, "{kind:?} {byte:#x}");
            doors.stop_accepting.pull();
            doors.tasks.join().await;
        }
    }

    #[tokio::test]
    async fn tls_is_sniffed_on_the_same_port_and_its_inner_protocol_too() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("key and certificate belong together");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let doors = Doors { tls: Some(Arc::new(server)), ..doors() };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let running = doors.clone();
        doors.tasks.spawn("test-door", async move { running.accept(listener, DoorKind::Any).await });

        assert_eq!(ask(addr, b'P').await, "http 0x50");
        for (byte, answer) in [(b'G', "http 0x47"), (3, "rtmp 0x3")] {
            #[allow(clippy::disallowed_methods, reason = "the test is the far end")]
            let plain = TcpStream::connect(addr).await.expect("listening");
            let name = "localhost".try_into().expect("a name");
            let connector = tokio_rustls::TlsConnector::from(Arc::new(client.clone()));
            let mut stream = connector.connect(name, plain).await.expect("a handshake");
            stream.write_all(&[byte]).await.expect("accepted");
            let mut got = Vec::new();
            // The handler closes without close_notify; what came before it counts.
            let _ = stream.read_to_end(&mut got).await;
            assert_eq!(String::from_utf8_lossy(&got), answer);
        }
        doors.stop_accepting.pull();
        doors.tasks.join().await;
    }
}
