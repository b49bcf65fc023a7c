//! The way of one S3 request: admitted, through the library unless it is a plain read, and its answer dressed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body::{Frame, SizeHint};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use super::claim::{self, Admitted, Claim};
use super::error::S3Fault;
use super::exchange::{Caller, Exchange, Notes};
use super::form;
use super::hooks::{Access, Hosts, Keys, Names, host_bucket};
use super::integrity::DocumentDigests;
use super::service::Operations;
use super::short;
use crate::http::body::{BodyError, BodySlot, Content, LentBody, RequestBody};
use crate::http::cors::{self, Refusal};
use crate::http::query::Query;
use crate::http::server::{Answer, Door, HttpDeps, Trail};
use crate::limits;
use crate::store::{BucketName, BucketRecord};

/// The S3 side of the HTTP service.
pub(crate) struct S3Front {
    deps: Arc<HttpDeps>,
    library: S3Service,
}

impl std::fmt::Debug for S3Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Front").finish_non_exhaustive()
    }
}

impl S3Front {
    /// Over the same stores as the other dialect.
    pub(crate) fn new(deps: Arc<HttpDeps>) -> Self {
        let mut builder = S3ServiceBuilder::new(Operations(deps.clone()));
        builder.set_host(Hosts(deps.clone()));
        builder.set_auth(Keys(deps.clone()));
        // Without both, the library asks nobody.
        builder.set_access(Access(deps.clone()));
        builder.set_validation(Names);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(library_config()))));
        S3Front { deps, library: builder.build() }
    }

    /// Answers one request. Never fails: an error is an answer. Gives the body back, to be drained.
    pub(crate) async fn answer(
        &self,
        head: &mut Parts,
        query: Query,
        body: RequestBody,
        door: Door,
        request_id: &str,
        trail: &mut Trail,
    ) -> (Answer, Option<RequestBody>) {
        if head.method == Method::OPTIONS {
            trail.operation = Some("Preflight");
            return (self.preflight(head, request_id, trail).await, Some(body));
        }
        let exchange = Exchange::new(request_id, head, query, door, self.deps.clock.wall(), body.promised());
        let (outcome, body) = match body.form() {
            Some(_) => Box::pin(self.take_form(head, body, &exchange)).await,
            None => self.settle(head, body, &exchange).await,
        };
        let notes = std::mem::take(&mut *exchange.notes());
        let bucket = match notes.bucket {
            None if head.headers.contains_key(header::ORIGIN) => self.bucket_of(head).await,
            known => known,
        };
        leave_trail(trail, notes.operation, notes.bucket_name, notes.key, notes.caller);
        let mut answer = outcome.unwrap_or_else(|fault| fault_answer(&fault, head, request_id, trail));
        if let Some(bucket) = bucket {
            cors::decorate(&bucket.cors, head, &mut answer.headers);
        }
        (answer, body)
    }

    /// The library would hold the whole file in memory, and judge the policy by the machine's clock.
    async fn take_form(
        &self,
        head: &Parts,
        mut body: RequestBody,
        exchange: &Arc<Exchange>,
    ) -> (Result<Answer, S3Fault>, Option<RequestBody>) {
        let outcome = form::post(&self.deps, exchange, head, &mut body).await;
        (outcome, Some(body))
    }

    async fn settle(
        &self,
        head: &mut Parts,
        body: RequestBody,
        exchange: &Arc<Exchange>,
    ) -> (Result<Answer, S3Fault>, Option<RequestBody>) {
        let claim = match read_claim(head, exchange) {
            Err(fault) => return (Err(fault), Some(body)),
            Ok(claim) => claim,
        };
        if let Some(read) = short::prove(&claim, head, body.promised(), exchange, &self.deps).await {
            return (short::answer(read, head, exchange, &self.deps).await, Some(body));
        }
        // In a place of its own: the short way would carry its future along.
        Box::pin(self.go_the_long_way(&claim, head, body, exchange)).await
    }

    /// Through the library.
    async fn go_the_long_way(
        &self,
        claim: &Claim<'_>,
        head: &Parts,
        body: RequestBody,
        exchange: &Arc<Exchange>,
    ) -> (Result<Answer, S3Fault>, Option<RequestBody>) {
        let admitted = match claim::admit(claim, head, exchange, &self.deps).await {
            Err(fault) => return (Err(fault), Some(body)),
            Ok(admitted) => admitted,
        };
        exchange.notes().caller = admitted.caller.clone();
        let (outcome, body) = self.ask_library(head, admitted, body, exchange).await;
        let outcome = outcome.map_err(|fault| claim::explain(fault, claim, head, &exchange.query));
        match (outcome, body) {
            (Err(fault), Some(body)) if is_unreadable_range(&fault, head) => {
                self.ask_without_range(head, body, exchange).await
            }
            settled => settled,
        }
    }

    async fn ask_library(
        &self,
        head: &Parts,
        admitted: Admitted,
        body: RequestBody,
        exchange: &Arc<Exchange>,
    ) -> (Result<Answer, S3Fault>, Option<RequestBody>) {
        let (lent, slot) = LentBody::new(body);
        let mut request = s3s::HttpRequest::new(lend(lent, head, exchange));
        *request.method_mut() = head.method.clone();
        *request.version_mut() = head.version;
        *request.uri_mut() = admitted.uri;
        *request.headers_mut() = admitted.headers;
        request.extensions_mut().insert(exchange.clone());
        let outcome = match self.library.call(request).await {
            Ok(response) => self.read_response(response, head, &slot, exchange),
            Err(error) => {
                let error: s3s::StdError = error.into();
                tracing::error!(request_id = exchange.request_id, %error, "the S3 library failed");
                Err(S3Fault::new("InternalError"))
            }
        };
        (outcome, slot.take())
    }

    /// A range that cannot be read is no range (RFC 9110, 14.2), but the library refuses it. It does so once the caller is
    /// proven, so the same request goes again without the range, and without the signature that covered it.
    async fn ask_without_range(
        &self,
        head: &Parts,
        body: RequestBody,
        exchange: &Arc<Exchange>,
    ) -> (Result<Answer, S3Fault>, Option<RequestBody>) {
        let caller = exchange.notes().caller.clone();
        match claim::proven(head, caller) {
            Ok(mut admitted) => {
                admitted.headers.remove(header::RANGE);
                self.ask_library(head, admitted, body, exchange).await
            }
            Err(fault) => (Err(fault), Some(body)),
        }
    }

    fn read_response(
        &self,
        response: s3s::HttpResponse,
        head: &Parts,
        slot: &BodySlot,
        exchange: &Exchange,
    ) -> Result<Answer, S3Fault> {
        let (answer, fault, handled) = {
            let Notes { answer, fault, handled, .. } = &mut *exchange.notes();
            (answer.take(), fault.take(), *handled)
        };
        let (parts, body) = response.into_parts();
        let document = body.bytes();
        match (fault, answer) {
            (Some(fault), _) => Err(fault),
            (None, Some(answer)) => Ok(answer),
            (None, None) if parts.status.is_success() => {
                let content = document.filter(|bytes| !bytes.is_empty()).map_or(Content::Empty, Content::Bytes);
                Ok(Answer { status: parts.status, headers: parts.headers, content })
            }
            (None, None) => Err(self.library_fault(parts.status, &document.unwrap_or_default(), handled, slot, head)),
        }
    }

    /// What the library refused by itself.
    fn library_fault(
        &self,
        status: StatusCode,
        document: &[u8],
        handled: bool,
        slot: &BodySlot,
        head: &Parts,
    ) -> S3Fault {
        if let Some(error) = slot.error() {
            return S3Fault::from_body(error);
        }
        let code = element(document, "Code").unwrap_or_default();
        if status.is_server_error() && !handled && code == "InternalError" {
            // Before a handler runs it fails in one way only: reading a document to its end, which was not as promised.
            let hashed = head.headers.contains_key("x-amz-content-sha256");
            return S3Fault::new(if hashed { "XAmzContentSHA256Mismatch" } else { "IncompleteBody" });
        }
        S3Fault::from_library(status, &code, element(document, "Message"))
    }

    /// The bucket that host and path name, for the CORS headers of an answer that no handler made.
    async fn bucket_of(&self, head: &Parts) -> Option<Arc<BucketRecord>> {
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host_bucket(&self.deps.hosts, host).or_else(|| {
            let first = head.uri.path().strip_prefix('/')?.split('/').next()?;
            Some(percent_encoding::percent_decode_str(first).decode_utf8_lossy().into_owned())
        })?;
        // An answer goes without these headers when the store cannot say what they are.
        self.deps.meta.bucket(&BucketName::new(&name)?).await.ok().flatten()
    }

    async fn preflight(&self, head: &Parts, request_id: &str, trail: &mut Trail) -> Answer {
        let bucket = self.bucket_of(head).await;
        trail.bucket = bucket.as_ref().map(|bucket| bucket.name.to_string());
        match cors::preflight(bucket.as_ref().map(|bucket| &bucket.cors), head) {
            Ok(headers) => Answer { headers, ..Answer::empty(StatusCode::OK) },
            Err(refusal) => {
                let fault = match refusal {
                    Refusal::Incomplete(header) => S3Fault::new("BadRequest")
                        .saying(format!("Insufficient information. {header} request header needed.")),
                    Refusal::Forbidden(method) => {
                        S3Fault::new("AccessForbidden").with("Method", method).with("ResourceType", "OBJECT")
                    }
                };
                fault_answer(&fault, head, request_id, trail)
            }
        }
    }
}

/// The claim of a request, judged as far as neither way judges it.
fn read_claim<'a>(head: &'a Parts, exchange: &'a Exchange) -> Result<Claim<'a>, S3Fault> {
    let is_form = || {
        let kind = head.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
        kind.is_some_and(|kind| kind.starts_with(b"multipart/form-data"))
    };
    if head.method == Method::POST && is_form() {
        // A form is taken by `take_form`. This one names a sub-resource, or has no boundary.
        return Err(S3Fault::new("MalformedPOSTRequest"));
    }
    let claim = claim::read(head, &exchange.query)?;
    claim::check_v4(&claim, head, exchange)?;
    Ok(claim)
}

fn is_unreadable_range(fault: &S3Fault, head: &Parts) -> bool {
    fault.code == "InvalidArgument"
        && fault.message.starts_with("invalid header: range")
        && head.headers.contains_key(header::RANGE)
        && matches!(head.method, Method::GET | Method::HEAD)
}

fn library_config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = limits::OSS_DELETE_XML_BYTES_MAX;
    // Forms do not come here; should one come through, nothing of it is kept.
    config.post_object_max_file_size = 0;
    config.form_max_field_size = 0;
    config.form_max_fields_size = 0;
    config.form_max_parts = 0;
    // The clock is judged by the service's own clock before the library sees the request.
    config.presigned_url_max_skew_time_secs = u32::MAX;
    config
}

/// The answer to one request too many.
pub(crate) fn too_busy(head: &Parts, request_id: &str, trail: &mut Trail) -> Answer {
    fault_answer(&S3Fault::slow_down(), head, request_id, trail)
}

/// `x-amz-id-2`: opaque, and the same in the header and in `HostId`.
fn host_id(request_id: &str) -> String {
    BASE64.encode(["livebucket/", request_id].concat())
}

/// [`host_id`] as a header.
pub(crate) fn host_id_value(request_id: &str) -> HeaderValue {
    HeaderValue::try_from(host_id(request_id)).expect("base64 is a header value")
}

fn fault_answer(fault: &S3Fault, head: &Parts, request_id: &str, trail: &mut Trail) -> Answer {
    trail.code = Some(fault.code);
    let mut answer = Answer::xml(Bytes::new());
    answer.status = fault.status;
    for (name, value) in &fault.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers.insert(*name, value);
        }
    }
    if head.method == Method::HEAD {
        // Nothing of the document comes over; a client sees the status alone.
        answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        return answer;
    }
    let path: Vec<u8> = percent_encoding::percent_decode_str(head.uri.path()).collect();
    let document = fault.document(&String::from_utf8_lossy(&path), request_id, &host_id(request_id));
    answer.content = Content::Bytes(document);
    answer
}

fn leave_trail(
    trail: &mut Trail,
    operation: Option<&'static str>,
    bucket: Option<String>,
    key: Option<String>,
    caller: Caller,
) {
    trail.operation = operation;
    trail.bucket = bucket;
    trail.key = key;
    if let Caller::Key { access_key_id, .. } = caller {
        trail.access_key_id = Some(access_key_id);
    }
}

/// The text of an element of the library's error document; its own rendering, two levels deep.
fn element(document: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(document).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    quick_xml::escape::unescape(inside).ok().map(|text| text.into_owned())
}

/// Documents that the library reads whole before a handler can look at their digests.
const DOCUMENTS: &[&str] = &[
    "accelerate",
    "acl",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "logging",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "requestPayment",
    "retention",
    "restore",
    "tagging",
    "uploadId",
    "versioning",
    "website",
];

fn lend(body: LentBody, head: &Parts, exchange: &Arc<Exchange>) -> s3s::Body {
    let query = &exchange.query;
    let is_part = head.method == Method::PUT && query.has("uploadId") && query.has("partNumber");
    if DOCUMENTS.iter().any(|name| query.has(name)) && !is_part {
        exchange.notes().document = Some(DocumentDigests::default());
    }
    s3s::Body::http_body_unsync(Watched { body, taken: 0, exchange: exchange.clone() })
}

/// A body on its way to the library: a document is digested as it goes by, and ends where it gets too long. What it may
/// have is known by the time that the first byte is asked for.
struct Watched {
    body: LentBody,
    taken: usize,
    exchange: Arc<Exchange>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(data)) = &frame
            && let Some(bytes) = data.data_ref()
        {
            self.taken = self.taken.saturating_add(bytes.len());
            let mut notes = self.exchange.notes();
            if notes.document_bytes_max.is_some_and(|most| self.taken > most) {
                notes.fault = Some(S3Fault::from_body(BodyError::TooLarge));
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
            if let Some(digests) = &mut notes.document {
                digests.update(bytes);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_of_the_librarys_document_are_read() {
        let document =
            b"<?xml version=\"1.0\"?><Error><Code>InvalidRequest</Code><Message>a &lt;b&gt;</Message></Error>";
        assert_eq!(element(document, "Code").as_deref(), Some("InvalidRequest"));
        assert_eq!(element(document, "Message").as_deref(), Some("a <b>"));
        assert_eq!(element(document, "RequestId"), None);
        assert_eq!(element(b"\xff", "Code"), None);
    }
}
