//! The only door outward: HTTP to places that configuration allows (I11).
//!
//! By default these are public addresses alone. Whoever may upload may name a URL to call back, so a URL is foreign input:
//! it must not reach the machine itself, its network or a cloud's metadata service. The address that was judged is the one
//! that is connected to, so a name that changes its mind between the two gains nothing. No redirect is followed, no proxy
//! is looked for, and every answer is bounded in time and bytes.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::clock::{Clock, timeout};
use crate::limits;

pub use rules::AllowRule;

mod rules;
#[cfg(test)]
mod tests;

/// Why a request did not get its answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// No address of the host may be connected to.
    #[error("the address is not allowed")]
    Forbidden,
    /// The name has no address.
    #[error("the host is unknown")]
    Unresolved,
    /// No address took the connection.
    #[error("the host does not take the connection: {0}")]
    Unreachable(String),
    /// The TLS handshake failed; the certificate may not be trusted.
    #[error("no TLS with the host: {0}")]
    Tls(String),
    /// What came back is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
    /// The answer did not come in time.
    #[error("the answer took too long")]
    TimedOut,
    /// The answer has more bytes than were asked for.
    #[error("the answer is too long")]
    TooLarge,
    /// Too many requests are under way.
    #[error("too many outbound requests")]
    Busy,
}

impl OutboundError {
    /// For the metric.
    const fn outcome(&self) -> &'static str {
        match self {
            OutboundError::Forbidden => "forbidden",
            OutboundError::Unresolved => "unresolved",
            OutboundError::Unreachable(_) => "unreachable",
            OutboundError::Tls(_) => "tls",
            OutboundError::Protocol(_) => "protocol",
            OutboundError::TimedOut => "timeout",
            OutboundError::TooLarge => "too_large",
            OutboundError::Busy => "busy",
        }
    }
}

/// Where a request goes: an `http` or `https` URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    is_tls: bool,
    /// Lower case, without brackets.
    host: String,
    port: u16,
    /// `host[:port]` as the URL has it.
    authority: String,
    /// Begins with a slash.
    path_and_query: String,
}

impl FromStr for Destination {
    type Err = ();

    /// A URL without a scheme is `http`. User names and other schemes are refused.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = url.parse().map_err(|_| ())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(())?;
        // A port that is there must be one: `http` takes an empty one for none.
        let named = authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let port = match (named, authority.port_u16()) {
            (None, None) => [80, 443][usize::from(is_tls)],
            (_, Some(port @ 1..)) => port,
            _ => return Err(()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(());
        }
        Ok(Destination {
            is_tls,
            host,
            port,
            authority: authority.to_string(),
            path_and_query: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for Destination {
    /// Without its query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        write!(f, "{}://{}{path}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

/// One POST.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Where to.
    pub to: &'a Destination,
    /// `Host`, when it is not the URL's own.
    pub host: Option<&'a str>,
    /// Headers; `Host`, `Content-Length` and `Connection` are added.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Whether a TLS handshake names the host (RFC 6066, section 3). The certificate is checked against it either way.
    pub names_server: bool,
    /// From the look-up to the last byte of the answer.
    pub time_max: Duration,
    /// Bytes of the answer's body.
    pub answer_bytes_max: usize,
}

/// What came back, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Body, whole.
    pub body: Bytes,
}

/// Turns names into addresses.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a host.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The machine's resolver.
#[derive(Debug)]
pub struct SystemResolver {
    permits: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        SystemResolver { permits: Arc::new(Semaphore::new(limits::OUTBOUND_LOOKUPS_MAX)) }
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let host = host.to_owned();
        // A look-up that nobody waits for any more still holds its thread, and with it the permit.
        let lookup = tokio::task::spawn_blocking(move || {
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(permit);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }
}

#[derive(Debug)]
struct KnowsNobody;

#[async_trait]
impl Resolve for KnowsNobody {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Makes outbound requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    allow: Vec<AllowRule>,
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolve>,
    naming: Arc<ClientConfig>,
    nameless: Arc<ClientConfig>,
    permits: Semaphore,
}

/// The certificates that this machine trusts. Reads files: call it at start.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(ignored, errors = ?found.errors, "this machine trusts no certificate: no https callback will do");
    }
    roots
}

impl Guard {
    /// Allows public addresses and what the rules name; trusts what `roots` vouch for.
    pub fn new(allow: Vec<AllowRule>, roots: RootCertStore, clock: Arc<dyn Clock>) -> Self {
        Self::with_resolver(allow, roots, clock, Arc::new(SystemResolver::default()))
    }

    /// The same with another resolver.
    pub fn with_resolver(
        allow: Vec<AllowRule>,
        roots: RootCertStore,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolve>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let naming = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the versions of TLS that this build knows")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut nameless = naming.clone();
        nameless.enable_sni = false;
        Guard(Arc::new(Inner {
            allow,
            clock,
            resolver,
            naming: Arc::new(naming),
            nameless: Arc::new(nameless),
            permits: Semaphore::new(limits::OUTBOUND_REQUESTS_MAX),
        }))
    }

    /// One that lets nothing out and asks nobody: for fuzzers.
    pub fn closed(clock: Arc<dyn Clock>) -> Self {
        let guard = Self::with_resolver(Vec::new(), RootCertStore::empty(), clock, Arc::new(KnowsNobody));
        guard.0.permits.close();
        guard
    }

    /// Whether a request there would be let through now: `Forbidden`, or that it cannot be known.
    pub async fn check(&self, to: &Destination) -> Result<(), OutboundError> {
        let judged = timeout(&*self.0.clock, limits::OUTBOUND_LOOKUP_TIMEOUT, self.judged(to)).await;
        judged.map_err(|_| OutboundError::Unresolved)?.map(drop)
    }

    /// Sends one POST and reads the answer whole. Counted by outcome.
    pub async fn post(&self, post: Post<'_>) -> Result<Reply, OutboundError> {
        let outcome = match self.0.permits.try_acquire() {
            Err(_) => Err(OutboundError::Busy),
            Ok(_permit) => {
                let time_max = post.time_max;
                let answered = timeout(&*self.0.clock, time_max, self.exchange(post)).await;
                answered.unwrap_or(Err(OutboundError::TimedOut))
            }
        };
        let label = outcome.as_ref().map_or_else(OutboundError::outcome, |_| "answered");
        metrics::counter!("livebucket_outbound_requests_total", "outcome" => label).increment(1);
        outcome
    }

    /// The addresses that may be connected to.
    async fn judged(&self, to: &Destination) -> Result<Vec<SocketAddr>, OutboundError> {
        let found = match to.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, to.port)],
            Err(_) => {
                let found = self.0.resolver.resolve(&to.host, to.port).await;
                found.map_err(|_| OutboundError::Unresolved)?
            }
        };
        if found.is_empty() {
            return Err(OutboundError::Unresolved);
        }
        let may = |address: &SocketAddr| {
            rules::is_public(address.ip())
                || self.0.allow.iter().any(|rule| rule.allows(&to.host, to.port, address.ip()))
        };
        let allowed: Vec<SocketAddr> = found.into_iter().filter(may).collect();
        if allowed.is_empty() { Err(OutboundError::Forbidden) } else { Ok(allowed) }
    }

    async fn exchange(&self, post: Post<'_>) -> Result<Reply, OutboundError> {
        let stream = self.connect(post.to).await?;
        if !post.to.is_tls {
            return talk(stream, post).await;
        }
        let fault = |error: &dyn fmt::Display| OutboundError::Tls(error.to_string());
        let config = if post.names_server { &self.0.naming } else { &self.0.nameless };
        let name = ServerName::try_from(post.to.host.clone()).map_err(|error| fault(&error))?;
        let stream = TlsConnector::from(config.clone()).connect(name, stream).await.map_err(|error| fault(&error))?;
        talk(stream, post).await
    }

    async fn connect(&self, to: &Destination) -> Result<TcpStream, OutboundError> {
        let mut why = String::new();
        for address in self.judged(to).await?.into_iter().take(limits::OUTBOUND_ADDRESSES_TRIED_MAX) {
            #[allow(clippy::disallowed_methods, reason = "this is the only door outward")]
            let connecting = TcpStream::connect(address);
            match timeout(&*self.0.clock, limits::OUTBOUND_CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = "no answer".to_owned(),
            }
        }
        Err(OutboundError::Unreachable(why))
    }
}

/// HTTP/1.1 over a stream of its own, which ends with the answer.
async fn talk<T: AsyncRead + AsyncWrite + Send + Unpin>(stream: T, post: Post<'_>) -> Result<Reply, OutboundError> {
    let fault = |error: hyper::Error| OutboundError::Protocol(error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(limits::OUTBOUND_READ_BUFFER_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(fault)?;
    let request = request(&post).ok_or_else(|| OutboundError::Protocol("a header cannot be written".to_owned()))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(fault)?;
        let (head, mut body) = response.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(fault)?.into_data() else { continue };
            if whole.len() + data.len() > post.answer_bytes_max {
                return Err(OutboundError::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(Reply { status: head.status, body: whole.freeze() })
    };
    until_answered(answer, connection).await
}

/// Drives the connection until there is an answer. When the connection ends first, what it brought is still to be read.
async fn until_answered<A: Future, C: Future>(answer: A, connection: C) -> A::Output {
    match select(pin!(answer), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    }
}

fn request(post: &Post<'_>) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::post(&post.to.path_and_query).body(Full::new(post.body.clone())).ok()?;
    *request.headers_mut() = post.headers.clone();
    let host = HeaderValue::from_str(post.host.unwrap_or(&post.to.authority)).ok()?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(request)
}
