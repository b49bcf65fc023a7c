//! Upload callbacks: once an object is stored, an application is told, and its answer becomes the uploader's.
//!
//! "Callback" of the OSS API reference. What the upload says of its callback is judged before a byte is taken; a callback
//! that fails afterwards answers 203, and the object stays. Requests go through [`crate::net::guard`]. They are not signed:
//! the public service's RSA signature is checked against a key that its own hosts serve.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::accept::Caller;
use super::error::OssError;
use super::operation::OssOperation;
use super::service::{Ask, host_of};
use super::urls::encode;
use super::xml;
use crate::http::body::Content;
use crate::http::server::Answer;
use crate::limits;
use crate::net::guard::{Destination, OutboundError, Post};
use crate::net::host::without_port;
use crate::store::{CompletedUpload, ETag, ObjectKey, ObjectRecord};

#[cfg(test)]
mod tests;

const HEADER: &str = "x-oss-callback";
const HEADER_VARIABLES: &str = "x-oss-callback-var";
const ARGUMENT: &str = "callback";
const ARGUMENT_VARIABLES: &str = "callback-var";

/// A callback that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callback {
    /// One to five, tried in order.
    destinations: Vec<Destination>,
    host: Option<String>,
    template: String,
    form: BodyForm,
    names_server: bool,
    /// `x:name` and value.
    variables: BTreeMap<String, String>,
}

/// What the body of a callback is, which says how values are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyForm {
    UrlEncoded,
    Json,
}

impl BodyForm {
    const fn content_type(self) -> &'static str {
        match self {
            BodyForm::UrlEncoded => "application/x-www-form-urlencoded",
            BodyForm::Json => "application/json",
        }
    }
}

/// What a callback tells of an object.
#[derive(Clone, Debug)]
pub(super) struct Uploaded {
    key: ObjectKey,
    size: u64,
    etag: ETag,
    crc64: u64,
    content_md5: Option<[u8; 16]>,
    content_type: String,
}

impl Uploaded {
    /// Of an object that was put whole.
    pub(super) fn of_object(object: &ObjectRecord) -> Self {
        Uploaded {
            key: object.key.clone(),
            size: object.size,
            etag: object.etag,
            crc64: object.crc64,
            content_md5: object.content_md5,
            content_type: content_type(object.headers.content_type.as_deref()),
        }
    }

    /// Of an object that was made of parts.
    pub(super) fn of_upload(done: &CompletedUpload, kind: Option<&[u8]>) -> Self {
        Uploaded {
            key: done.key.clone(),
            size: done.size,
            etag: done.etag,
            crc64: done.crc64,
            content_md5: None,
            content_type: content_type(kind),
        }
    }
}

fn content_type(said: Option<&[u8]>) -> String {
    String::from_utf8_lossy(said.unwrap_or(b"application/octet-stream")).into_owned()
}

/// Operations that make or change an object and know no callback: asking for one there would be lost in silence.
pub(super) fn refuse_elsewhere(ask: &Ask<'_>) -> Result<(), OssError> {
    use OssOperation as Op;
    let (of_header, of_query) = match ask.accepted.operation {
        Op::PutObject(_) | Op::PostObject | Op::CompleteMultipartUpload { .. } => return Ok(()),
        // Clients send the headers of the whole upload with each of its requests; it is completed with them.
        Op::InitiateMultipartUpload { .. } | Op::UploadPart { .. } => return Ok(()),
        Op::AppendObject { .. } | Op::CopyObject { .. } => (true, true),
        _ => (false, true),
    };
    if of_header && ask.head.headers.contains_key(HEADER) {
        return Err(OssError::not_implemented(HEADER));
    }
    if of_query && ask.accepted.query.has(ARGUMENT) {
        return Err(OssError::not_implemented(ARGUMENT));
    }
    Ok(())
}

impl Callback {
    /// What the upload says of its callback, in headers or in its query; `variables` are those of a form's fields.
    /// `None` when it wants none.
    pub(super) async fn read(ask: &Ask<'_>, variables: Vec<(String, String)>) -> Result<Option<Self>, OssError> {
        let said = |name: &str, argument: &str| {
            let header = ask.header(name).map(|text| text.trim().to_owned());
            let text = header.or_else(|| ask.accepted.query.text(argument).map(|text| text.into_owned()));
            text.filter(|text| !text.is_empty())
        };
        let Some(text) = said(HEADER, ARGUMENT) else { return Ok(None) };
        let Some(mut callback) = Self::parse(&text)? else { return Ok(None) };
        if let Some(text) = said(HEADER_VARIABLES, ARGUMENT_VARIABLES) {
            callback.variables = read_variables(&text)?;
        }
        callback.variables.extend(variables);
        for destination in &callback.destinations {
            // What cannot be known now shows itself when it is called.
            if ask.deps.guard.check(destination).await == Err(OutboundError::Forbidden) {
                return Err(OssError::private_callback_address(&destination.to_string()));
            }
        }
        Ok(Some(callback))
    }

    /// Reads the argument: a JSON document in base64. `None` when it names no URL.
    fn parse(text: &str) -> Result<Option<Self>, OssError> {
        let json = BASE64.decode(text).map_err(|_| OssError::callback_not_base64(ARGUMENT, text))?;
        let not_json = || OssError::callback_not_json(ARGUMENT, &String::from_utf8_lossy(&json));
        let document: Value = serde_json::from_slice(&json).map_err(|_| not_json())?;
        let document = document.as_object().ok_or_else(not_json)?;
        let word = |name: &'static str| match document.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(other) => Err(OssError::invalid_callback_field(name, &other.to_string())),
        };
        let Some(urls) = word("callbackUrl")? else { return Ok(None) };
        let template = word("callbackBody")?.ok_or_else(OssError::callback_body_missing)?;
        let kind = word("callbackBodyType")?.unwrap_or_default();
        let form = match kind.to_ascii_lowercase().as_str() {
            "" | "application/x-www-form-urlencoded" => BodyForm::UrlEncoded,
            "application/json" => BodyForm::Json,
            _ => return Err(OssError::invalid_callback_field("callbackBodyType", &kind)),
        };
        let names_server = match document.get("callbackSNI") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
            Some(other) => return Err(OssError::invalid_callback_field("callbackSNI", &other.to_string())),
        };
        let host = word("callbackHost")?;
        if let Some(host) = &host
            && HeaderValue::from_str(host).is_err()
        {
            return Err(OssError::invalid_callback_field("callbackHost", host));
        }
        let destinations = read_urls(&urls)?;
        // Whatever the values will be, the body is JSON if it is with these.
        let sample = fill(&template, form, |name| is_variable(name).then(|| Filled::Text(String::new())));
        let is_json = sample.is_some_and(|sample| serde_json::from_str::<Value>(&sample).is_ok());
        if form == BodyForm::Json && !is_json {
            return Err(not_json());
        }
        Ok(Some(Callback { destinations, host, template, form, names_server, variables: BTreeMap::new() }))
    }

    /// The body for an object; `None` when it would be too long.
    fn body(&self, ask: &Ask<'_>, uploaded: &Uploaded) -> Option<String> {
        let text = |text: &str| Filled::Text(text.to_owned());
        let value = |name: &str| match name {
            "bucket" => text(ask.accepted.bucket_name.as_deref().unwrap_or_default()),
            "object" => text(&String::from_utf8_lossy(uploaded.key.as_bytes())),
            "etag" => text(&uploaded.etag.to_upper_hex()),
            "size" => Filled::Number(uploaded.size),
            "mimeType" => text(&uploaded.content_type),
            "crc64" => text(&uploaded.crc64.to_string()),
            "contentMd5" => text(&uploaded.content_md5.map(|md5| BASE64.encode(md5)).unwrap_or_default()),
            "clientIp" => text(&ask.peer.ip().to_canonical().to_string()),
            "reqId" => text(ask.request_id),
            "operation" => text(match ask.accepted.operation {
                OssOperation::PostObject => "PostObject",
                OssOperation::CompleteMultipartUpload { .. } => "CompleteMultipartUpload",
                _ => "PutObject",
            }),
            own => text(self.variables.get(own).map_or("", String::as_str)),
        };
        fill(&self.template, self.form, |name| is_variable(name).then(|| value(name)))
    }

    /// Asks one destination after the other until one agrees.
    async fn call(&self, ask: &Ask<'_>, uploaded: &Uploaded) -> Result<bytes::Bytes, OssError> {
        let body = self.body(ask, uploaded).map(bytes::Bytes::from);
        let body = body.ok_or_else(|| OssError::callback_failed("The callback body is too long."))?;
        let mut failure = OssError::callback_failed("No callback was made.");
        for destination in &self.destinations {
            let post = Post {
                to: destination,
                host: self.host.as_deref(),
                headers: headers(ask, self.form),
                body: body.clone(),
                names_server: self.names_server,
                time_max: limits::CALLBACK_TIMEOUT,
                answer_bytes_max: limits::CALLBACK_ANSWER_BYTES_MAX,
            };
            let reply = ask.deps.guard.post(post).await;
            failure = match reply {
                Ok(reply) if reply.status != StatusCode::OK => {
                    OssError::callback_failed(&format!("Error status : {}.", reply.status.as_u16()))
                }
                Ok(reply) if serde_json::from_slice::<Value>(&reply.body).is_err() => {
                    OssError::callback_answer_not_json()
                }
                Ok(reply) => return Ok(reply.body),
                Err(error) => {
                    tracing::info!(request_id = ask.request_id, url = %destination, %error, "callback failed");
                    OssError::callback_failed(&match error {
                        OutboundError::Forbidden => "Private address is forbidden to callback.".to_owned(),
                        OutboundError::TimedOut => "Cost too long time.".to_owned(),
                        OutboundError::TooLarge => {
                            "Error Status : 400.User server return too long content-length value.".to_owned()
                        }
                        OutboundError::Busy => "Too many callback requests.".to_owned(),
                        OutboundError::Unresolved
                        | OutboundError::Unreachable(_)
                        | OutboundError::Tls(_)
                        | OutboundError::Protocol(_) => {
                            "Error status : 502.OSS can not connect to your callbackUrl, please check it.".to_owned()
                        }
                    })
                }
            };
        }
        Err(failure)
    }
}

/// Makes the callback, if one is wanted, of an object that has been stored; `answer` is what the upload answers without one.
pub(super) async fn announce(
    ask: &Ask<'_>,
    callback: Option<Callback>,
    uploaded: impl FnOnce() -> Uploaded,
    mut answer: Answer,
) -> Answer {
    let Some(callback) = callback else { return answer };
    // The upload's own headers stay: they describe an object that is there.
    answer.headers.remove(header::LOCATION);
    match callback.call(ask, &uploaded()).await {
        Ok(body) => {
            answer.status = StatusCode::OK;
            answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer.content = Content::Bytes(body);
        }
        Err(error) => {
            let host_id = host_of(ask.head).map(without_port).unwrap_or_default();
            answer.status = error.status;
            answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            if let Some(ec) = error.ec {
                answer.headers.insert("x-oss-ec", HeaderValue::from_static(ec));
            }
            answer.content = Content::Bytes(xml::error_document(&error, ask.request_id, &host_id));
        }
    }
    answer
}

/// The headers that the public service sends, but for its signature.
fn headers(ask: &Ask<'_>, form: BodyForm) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("aliyun-oss-callback"));
    headers.insert("x-oss-tag", HeaderValue::from_static("CALLBACK"));
    let mut put = |name: &'static str, text: &str| {
        // A name of a bucket and an id always can stand in a header.
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("x-oss-request-id", ask.request_id);
    put("x-oss-bucket", ask.accepted.bucket_name.as_deref().unwrap_or_default());
    if let Some(bucket) = &ask.accepted.bucket {
        put("x-oss-owner", &bucket.owner.0.to_string());
    }
    if let Caller::Key { account, .. } = &ask.accepted.caller {
        put("x-oss-requester", &account.0.to_string());
    }
    headers
}

fn read_urls(urls: &str) -> Result<Vec<Destination>, OssError> {
    let invalid = |url: &str| OssError::invalid_callback_url(url);
    let parsed = urls.split(';').map(str::trim).filter(|url| !url.is_empty());
    let destinations: Vec<Destination> =
        parsed.map(|url| url.parse().map_err(|()| invalid(url))).collect::<Result<_, _>>()?;
    match destinations.len() {
        1..=limits::CALLBACK_URLS_MAX => Ok(destinations),
        _ => Err(invalid(urls)),
    }
}

/// `{"x:name": "value"}` in base64.
fn read_variables(text: &str) -> Result<BTreeMap<String, String>, OssError> {
    let json = BASE64.decode(text).map_err(|_| OssError::callback_not_base64(ARGUMENT_VARIABLES, text))?;
    let not_json = || OssError::callback_not_json(ARGUMENT_VARIABLES, &String::from_utf8_lossy(&json));
    let document: Value = serde_json::from_slice(&json).map_err(|_| not_json())?;
    let document = document.as_object().ok_or_else(not_json)?;
    let pair = |(name, value): (&String, &Value)| {
        if !name.starts_with("x:") {
            return Err(OssError::invalid_callback_field(ARGUMENT_VARIABLES, name));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok((name.clone(), text))
    };
    document.iter().map(pair).collect()
}

/// What the public service knows of an upload. Nobody looks into images here, and there is no private network of clients:
/// those are empty.
const VARIABLES: [&str; 14] = [
    "bucket",
    "clientIp",
    "contentMd5",
    "crc64",
    "etag",
    "imageInfo.format",
    "imageInfo.height",
    "imageInfo.width",
    "mimeType",
    "object",
    "operation",
    "reqId",
    "size",
    "vpcId",
];

/// Whether a template's name is a variable: the service's, or the uploader's own.
fn is_variable(name: &str) -> bool {
    VARIABLES.contains(&name) || name.starts_with("x:")
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filled {
    Text(String),
    Number(u64),
}

/// Fills `${name}` into a template. URL-encoded bodies get encoded values. In JSON a variable that stands by itself becomes
/// a value with its quotes, one inside a string the text of it: both forms are about. What is no variable stays. `None` when
/// it comes to more than a callback's body may have: a short name may stand for a long value, and often.
fn fill(template: &str, form: BodyForm, value: impl Fn(&str) -> Option<Filled>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    let mut in_string = false;
    while let Some(at) = rest.find("${") {
        if filled.len() > limits::CALLBACK_BODY_BYTES_MAX {
            return None;
        }
        let (before, from) = rest.split_at(at);
        push_literal(&mut filled, before, &mut in_string);
        let variable = from[2..].split_once('}');
        let Some((value, after)) = variable.and_then(|(name, after)| Some((value(name)?, after))) else {
            filled.push_str("${");
            rest = &from[2..];
            continue;
        };
        match (form, value) {
            (BodyForm::UrlEncoded, Filled::Text(text)) => filled.push_str(&encode(&text)),
            (_, Filled::Number(number)) => filled.push_str(&number.to_string()),
            (BodyForm::Json, Filled::Text(text)) => {
                let quoted = Value::String(text).to_string();
                filled.push_str(if in_string { &quoted[1..quoted.len() - 1] } else { &quoted });
            }
        }
        rest = after;
    }
    push_literal(&mut filled, rest, &mut in_string);
    (filled.len() <= limits::CALLBACK_BODY_BYTES_MAX).then_some(filled)
}

/// Copies a piece of the template and follows whether it ends inside a JSON string.
fn push_literal(into: &mut String, text: &str, in_string: &mut bool) {
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '"' if !escaped => *in_string = !*in_string,
            _ => {}
        }
        escaped = c == '\\' && !escaped && *in_string;
    }
    into.push_str(text);
}
