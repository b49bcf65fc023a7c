//! The HTTP service: one task per socket, every request under its bounds, every response with its common headers and
//! its line in the log.
//!
//! Knows no operation: the dialect answers, this file frames.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::is_unproven;
use super::body::{Content, RequestBody, ResponseBody, Witness};
use super::dialect::{Dialect, dialect_of};
use super::form;
use super::oss::service as oss;
use super::query::Query;
use super::s3::{self, S3Front};
use super::socket::{self, Answering, Busy, Phase};
use super::tally::Tally;
use crate::auth::policy::PolicyCache;
use crate::auth::signing_keys::SigningKeys;
use crate::clock::{Clock, Monotonic, Wall};
use crate::limits;
use crate::live::registry::Registry;
use crate::net::crowd::Crowd;
use crate::net::guard::Guard;
use crate::net::host::HostRules;
use crate::net::listen::DoorStream;
use crate::store::objects::ObjectService;
use crate::store::{MetaStore, StoreError};
use crate::task::Stop;

/// What the service is made of.
#[derive(Debug)]
pub struct HttpDeps {
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Objects and their bodies.
    pub objects: ObjectService,
    /// Live channels of this process.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The door outward, for callbacks.
    pub guard: Guard,
    /// The operator's host names.
    pub hosts: HostRules,
    /// Address that clients are told, `[scheme://]host[:port]`; without it they are told the one they used.
    pub public_endpoint: Option<String>,
    /// Region id without the `oss-` prefix.
    pub region: String,
    /// Bucket policies that were read already.
    pub policies: PolicyCache,
    /// How often each address may be refused.
    pub crowd: Arc<Crowd>,
    /// Keys that were derived for signatures of version 4 already.
    pub signing_keys: SigningKeys,
}

/// Serves HTTP/1.1 sockets.
#[derive(Debug)]
pub struct HttpService {
    deps: Arc<HttpDeps>,
    s3: S3Front,
    pub(super) permits: Arc<Semaphore>,
    ids: RequestIds,
    tally: Arc<Tally>,
    date: Mutex<(i64, HeaderValue)>,
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    /// The client.
    pub(crate) peer: SocketAddr,
    /// Our end, when the system knows it.
    pub(crate) local: Option<SocketAddr>,
    /// It is a TLS one.
    pub(crate) secure: bool,
}

/// What a dialect answers: everything but the common headers.
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: StatusCode,
    /// The operation's own headers.
    pub(crate) headers: HeaderMap,
    /// The body. Its length becomes `Content-Length` unless the headers have one.
    pub(crate) content: Content,
}

/// What the log says of a request; filled in as it becomes known.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// The operation's name.
    pub(crate) operation: Option<&'static str>,
    /// Bucket.
    pub(crate) bucket: Option<String>,
    /// Key or channel.
    pub(crate) key: Option<String>,
    /// Who proved to ask.
    pub(crate) access_key_id: Option<String>,
    /// The error code answered.
    pub(crate) code: Option<&'static str>,
}

impl HttpService {
    /// A service over `deps`.
    pub fn new(deps: HttpDeps) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(limits::HTTP_REQUESTS_MAX));
        let deps = Arc::new(deps);
        let date = Mutex::new((0, http_date(Wall(0))));
        let (s3, ids, tally) = (S3Front::new(deps.clone()), RequestIds::new(), Arc::default());
        Arc::new(HttpService { s3, deps, permits, ids, tally, date })
    }

    /// Serves one socket to its end. With `stop` pulled, the request in flight is finished and an idle socket closed.
    pub async fn serve(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        let door = Door { peer: stream.peer(), local: stream.local_addr(), secure: stream.is_tls() };
        self.serve_door(stream, door, stop).await;
    }

    /// The same for a stream of any kind between `peer` and our end `local`, as far as that is known.
    pub async fn serve_stream<T: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: T,
        peer: SocketAddr,
        local: Option<SocketAddr>,
        stop: Stop,
    ) {
        self.serve_door(stream, Door { peer, local, secure: false }, stop).await;
    }

    async fn serve_door<T: AsyncRead + AsyncWrite + Unpin>(self: Arc<Self>, stream: T, door: Door, stop: Stop) {
        let clock = Arc::clone(&self.deps.clock);
        let stopping = stop.clone();
        let refusing = Arc::clone(&self);
        let refusal: socket::Refusal = Box::new(move |status| refusing.refuse_head(status, door));
        // Made where it stays: as a part of another future it would be moved once more.
        let service = move |request: Request<Incoming>, phase: Phase| -> Answering {
            Box::pin(Arc::clone(&self).respond(request, phase, door, stopping.clone()))
        };
        if let Err(error) = socket::drive(stream, clock, stop, service, Some(refusal)).await {
            tracing::debug!(peer = %door.peer, %error, "http socket ended");
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        phase: Phase,
        door: Door,
        stop: Stop,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let started = self.deps.clock.monotonic();
        let request_id = self.ids.next(self.deps.clock.wall());
        let (mut head, incoming) = request.into_parts();
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let mut body = RequestBody::new(incoming, &head, Arc::clone(&self.deps.clock));
        let mut line = RequestLine::new(&self, &head, &request_id, door, started, phase.busy());
        line.permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        if line.permit.is_some() && form::is_form(&head, &query) {
            Box::pin(body.read_form(&head)).await;
        }
        let dialect = match body.form() {
            Some(Ok(form)) => form.dialect(&head, &query),
            _ => dialect_of(&head.headers, &query),
        };

        let trail = &mut line.trail;
        let (answer, body) = match (dialect, line.permit.is_some()) {
            (Dialect::Oss, true) => {
                let answer = oss::answer(&self.deps, &head, query, &mut body, door, &request_id, trail).await;
                (answer, Some(body))
            }
            // In a place of its own: the library's future is large, and would be moved with the other dialect's requests.
            (Dialect::S3, true) => Box::pin(self.s3.answer(&mut head, query, body, door, &request_id, trail)).await,
            (Dialect::Oss, false) => (oss::too_busy(&head, &request_id, trail), Some(body)),
            (Dialect::S3, false) => (s3::too_busy(&head, &request_id, trail), Some(body)),
        };
        if answer.status.is_client_error() && matches!(answer.content, Content::Empty | Content::Bytes(_)) {
            // What is left is to throw a body away and to send a short document: a flood of refused uploads that never
            // come takes nobody's place among the requests.
            line.permit = None;
        }
        let (drained, skips_continue) = match body {
            Some(mut body) => {
                let drained = body.is_at_end() || Box::pin(body.drain()).await;
                line.received = body.received();
                (drained, body.skips_continue())
            }
            None => (false, false),
        };
        if !drained {
            phase.leave_unread();
        }
        let answer = match self.at_its_pace(&head, dialect, door, &request_id, &mut line).await {
            Some(slow_down) => slow_down,
            None => answer,
        };
        // awscli (1.46) takes the status of an answer that came instead of `100 Continue` for that of the next request on
        // the socket, too, and then waits a minute for an answer that it has. Its uploads of empty files were such.
        let may_stay = !line.slowed && !phase.is_last();
        let keeps_alive = drained && !skips_continue && may_stay && !stop.is_pulled() && wants_keep_alive(&head);
        Ok(self.finish(answer, &head, dialect, &request_id, keeps_alive, line))
    }

    /// An address whose signatures fail too often waits for its answer, and is told nothing but that. The request has been
    /// judged, so what is signed rightly does not come here.
    async fn at_its_pace(
        &self,
        head: &Parts,
        dialect: Dialect,
        door: Door,
        request_id: &str,
        line: &mut RequestLine,
    ) -> Option<Answer> {
        if !line.trail.code.is_some_and(is_unproven) || self.deps.crowd.may_refuse(door.peer.ip()) {
            return None;
        }
        metrics::counter!("livebucket_refusals_limited_total", "door" => "http").increment(1);
        line.slowed = true;
        self.deps.clock.sleep(limits::REFUSAL_PAUSE).await;
        Some(match dialect {
            Dialect::Oss => oss::too_busy(head, request_id, &mut line.trail),
            Dialect::S3 => s3::too_busy(head, request_id, &mut line.trail),
        })
    }

    /// Adds what every response has, and the witness that logs the request when its body is gone.
    fn finish(
        &self,
        answer: Answer,
        head: &Parts,
        dialect: Dialect,
        request_id: &str,
        keeps_alive: bool,
        mut line: RequestLine,
    ) -> Response<ResponseBody> {
        let Answer { status, mut headers, content } = answer;
        self.add_common_headers(&mut headers, dialect, request_id, line.started, keeps_alive);
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if !bodiless && !headers.contains_key(header::CONTENT_LENGTH) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.length()));
        }
        let content = if bodiless || head.method == Method::HEAD { Content::Empty } else { content };
        line.status = Some(status);
        let mut response = Response::new(ResponseBody::new(content, Some(Box::new(line))));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn add_common_headers(
        &self,
        headers: &mut HeaderMap,
        dialect: Dialect,
        request_id: &str,
        started: Monotonic,
        keeps_alive: bool,
    ) {
        let id = HeaderValue::from_str(request_id).expect("hex digits are a header value");
        headers.reserve(COMMON_HEADERS);
        match dialect {
            Dialect::Oss => {
                headers.insert(&OSS_REQUEST_ID, id);
                let took = self.deps.clock.monotonic() - started;
                let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                headers.insert(&OSS_SERVER_TIME, HeaderValue::from(millis));
                headers.insert(header::SERVER, HeaderValue::from_static("AliyunOSS"));
            }
            Dialect::S3 => {
                headers.insert(&AMZ_REQUEST_ID, id);
                headers.insert(&AMZ_ID_2, s3::host_id_value(request_id));
                headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
            }
        }
        headers.insert(header::DATE, self.date());
        let connection = if keeps_alive { "keep-alive" } else { "close" };
        headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    }

    /// The present time as a header, which is written once a second.
    fn date(&self) -> HeaderValue {
        let now = self.deps.clock.wall();
        let mut date = self.date.lock().unwrap_or_else(PoisonError::into_inner);
        if date.0 != now.unix_seconds() {
            *date = (now.unix_seconds(), http_date(now));
        }
        date.1.clone()
    }

    /// The whole answer to a head that could not be read, status line to body; the socket ends behind it.
    fn refuse_head(&self, status: StatusCode, door: Door) -> Bytes {
        let request_id = self.ids.next(self.deps.clock.wall());
        let mut trail = Trail::default();
        let Answer { mut headers, content, .. } = oss::unreadable_head(status, &request_id, &mut trail);
        // What cannot be read has no dialect; OSS's document says at least what is wrong.
        self.add_common_headers(&mut headers, Dialect::Oss, &request_id, self.deps.clock.monotonic(), false);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.length()));
        let mut answer = BytesMut::from(format!("HTTP/1.1 {status}\r\n").as_bytes());
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                answer.extend_from_slice(part);
            }
        }
        answer.extend_from_slice(b"\r\n");
        if let Content::Bytes(document) = &content {
            answer.extend_from_slice(document);
        }
        metrics::counter!("livebucket_http_requests_total", "operation" => "unknown", "status" => status.as_str().to_owned())
            .increment(1);
        tracing::info!(request_id, peer = %door.peer, status = status.as_u16(), code = trail.code, "request head refused");
        answer.freeze()
    }
}

/// What is added to every answer, and a `Content-Length`.
const COMMON_HEADERS: usize = 6;

// Each answer has some of these; as texts they would be parsed and copied for it.
static OSS_REQUEST_ID: HeaderName = HeaderName::from_static("x-oss-request-id");
static OSS_SERVER_TIME: HeaderName = HeaderName::from_static("x-oss-server-time");
static AMZ_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
static AMZ_ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");

/// A wall time as IMF-fixdate (RFC 9110, 5.6.7).
pub(crate) fn http_date(at: Wall) -> HeaderValue {
    let seconds = u64::try_from(at.unix_seconds()).unwrap_or(0);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    HeaderValue::from_str(&httpdate::fmt_http_date(time)).expect("a date is a header value")
}

fn wants_keep_alive(head: &Parts) -> bool {
    let says = |word: &str| {
        let values = head.headers.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    match head.version {
        Version::HTTP_09 | Version::HTTP_10 => says("keep-alive"),
        _ => !says("close"),
    }
}

/// Request ids: 24 upper-case hex digits, four bytes of time as OSS has them, eight that no other request of this
/// process has and that nobody guesses from another process's.
#[derive(Debug)]
struct RequestIds {
    origin: u64,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // Without randomness ids are still unique in the process, which is what the log needs.
        RequestIds { origin: getrandom::u64().unwrap_or(0), count: AtomicU64::new(0) }
    }

    fn next(&self, now: Wall) -> String {
        // An odd factor visits every value once before it repeats.
        let count = self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let seconds = (now.unix_seconds() & 0xFFFF_FFFF) as u128;
        let id = seconds << 64 | u128::from(self.origin.wrapping_add(count));
        let digit = |at: u32| char::from(b"0123456789ABCDEF"[(id >> (4 * at) & 15) as usize]);
        (0..24).rev().map(digit).collect()
    }
}

/// One request's line in the log and its numbers, written when its response body is gone.
struct RequestLine {
    method: Method,
    path: String,
    request_id: String,
    peer: SocketAddr,
    trail: Trail,
    started: Monotonic,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    /// `None` while no response was made: the client went away before.
    status: Option<StatusCode>,
    received: u64,
    sent: u64,
    store_error: Option<String>,
    permit: Option<OwnedSemaphorePermit>,
    /// Refused too often: a flood is one line a period, in the crowd's report.
    slowed: bool,
    /// Keeps the socket's phase until the body is gone.
    _busy: Busy,
}

impl RequestLine {
    fn new(service: &HttpService, head: &Parts, request_id: &str, door: Door, started: Monotonic, busy: Busy) -> Self {
        RequestLine {
            method: head.method.clone(),
            // Without the query: it may hold a signature.
            path: head.uri.path().to_owned(),
            request_id: request_id.to_owned(),
            peer: door.peer,
            trail: Trail::default(),
            started,
            clock: Arc::clone(&service.deps.clock),
            tally: Arc::clone(&service.tally),
            status: None,
            received: 0,
            sent: 0,
            store_error: None,
            permit: None,
            slowed: false,
            _busy: busy,
        }
    }
}

impl Witness for RequestLine {
    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    fn failed(&mut self, error: &StoreError) {
        self.store_error = Some(error.to_string());
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let elapsed = self.clock.monotonic() - self.started;
        // 499 is what other servers log for a client that went away.
        let status = self.status.map_or(499, |s| s.as_u16());
        let operation = self.trail.operation.unwrap_or("unknown");
        self.tally.count(operation, status, elapsed, self.received, self.sent);
        if let Some(error) = &self.store_error {
            tracing::error!(request_id = self.request_id, error, "response body failed");
        }
        if self.slowed {
            tracing::debug!(request_id = self.request_id, peer = %self.peer, path = self.path, "request told to slow down");
            return;
        }
        tracing::info!(
            request_id = self.request_id,
            peer = %self.peer,
            method = %self.method,
            path = self.path,
            operation,
            bucket = self.trail.bucket,
            key = self.trail.key,
            access_key_id = self.trail.access_key_id,
            status,
            code = self.trail.code,
            received = self.received,
            sent = self.sent,
            ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

impl Answer {
    /// A status with nothing else.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Answer { status, headers: HeaderMap::new(), content: Content::Empty }
    }

    /// A 200 with an XML document.
    pub(crate) fn xml(document: impl Into<Bytes>) -> Self {
        let mut answer = Answer::empty(StatusCode::OK);
        answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        answer.content = Content::Bytes(document.into());
        answer
    }
}
