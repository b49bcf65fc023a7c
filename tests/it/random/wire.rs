//! Requests of both dialects over one kept socket, and the moment when it is cut.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use livebucket::auth::{SignedRequest, oss_v4};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::io::AsyncWriteExt;

use crate::support::KEY;
use crate::support::http::Response;
use crate::support::s3;

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: AsciiSet = UNRESERVED.remove(b'/');

/// Who is asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Oss,
    S3,
}

impl Dialect {
    /// `x-oss-NAME` or `x-amz-NAME`.
    pub fn header(self, name: &str) -> String {
        format!("{}-{name}", if self == Dialect::Oss { "x-oss" } else { "x-amz" })
    }
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Call {
    pub dialect: Dialect,
    pub method: &'static str,
    pub bucket: String,
    /// Empty for the bucket itself.
    pub key: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Call {
    pub fn new(dialect: Dialect, method: &'static str, bucket: &str, key: &str) -> Call {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Call { dialect, method, bucket, key, query: Vec::new(), headers: Vec::new(), body: Bytes::new() }
    }

    pub fn query(mut self, name: &str, value: impl ToString) -> Call {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Call {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// A header that both dialects have under their own prefix.
    pub fn own(self, name: &str, value: impl ToString) -> Call {
        let name = self.dialect.header(name);
        self.header(&name, value)
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    fn sign(self, addr: SocketAddr) -> http::Request<Full<Bytes>> {
        let path = format!("/{}/{}", self.bucket, self.key);
        let path = if self.key.is_empty() { format!("/{}", self.bucket) } else { path };
        let target = percent_encode(path.as_bytes(), &PATH).to_string();
        let mut request = http::Request::builder().method(self.method);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request = request.header("host", addr.to_string()).header("content-length", self.body.len());
        let request = match self.dialect {
            Dialect::Oss => request.uri(format!("{target}?{}", self.oss_query())),
            Dialect::S3 => self.sign_s3(request, &path, &target, addr),
        };
        request.body(Full::new(self.body)).expect("a request")
    }

    /// V4 in the URL. Signing is not what this test is about, so the product's own function serves.
    fn oss_query(&self) -> String {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let query: Vec<_> = self.query.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone().into_bytes())).collect();
        let (bucket, key) = (Some(self.bucket.as_str()), self.key.as_bytes());
        let request = SignedRequest { method: self.method, bucket, key, headers: &headers, query: &query };
        let time = s3::Client::new(([127, 0, 0, 1], 1).into(), KEY).signer().timestamp;
        let scope = oss_v4::Scope { date: &time[..8], region: "local", product: "oss" };
        oss_v4::sign_url_query(&request, KEY.0, KEY.1, &scope, &time, 600)
    }

    fn sign_s3(
        &self,
        mut request: http::request::Builder,
        path: &str,
        target: &str,
        addr: SocketAddr,
    ) -> http::request::Builder {
        let signer = s3::Client::new(addr, KEY).signer();
        // The hash of a long body says nothing that its ETag does not.
        let hash = match self.body.len() {
            0..=1_000 => s3::sha256_hex(&self.body),
            _ => "UNSIGNED-PAYLOAD".to_owned(),
        };
        let mut signed = self.headers.clone();
        let own =
            [("host", addr.to_string()), ("x-amz-date", signer.timestamp.clone()), ("x-amz-content-sha256", hash)];
        signed.extend(own.map(|(name, value)| (name.to_owned(), value)));
        signed.sort();
        let signature = signer.signature(self.method, path, &self.query, &signed, &signed_value(&signed));
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let scope = format!("{}/{}/{}/s3/aws4_request", KEY.0, &signer.timestamp[..8], signer.region);
        let names = names.join(";");
        let text = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}");
        for name in ["x-amz-date", "x-amz-content-sha256"] {
            let value = signed.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
            request = request.header(name, value);
        }
        let encode = |text: &str| percent_encode(text.as_bytes(), &UNRESERVED).to_string();
        let query: Vec<String> = self.query.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        request.header("authorization", text).uri(format!("{target}{mark}{}", query.join("&")))
    }
}

fn signed_value(signed: &[(String, String)]) -> String {
    signed.iter().find(|(name, _)| name == "x-amz-content-sha256").map_or_else(String::new, |(_, hash)| hash.clone())
}

/// The server was gone before its answer was here: the request may have been carried out, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

/// A socket that is opened again as often as it is needed.
pub struct Wire {
    addr: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Wire {
    pub fn new(addr: SocketAddr) -> Wire {
        Wire { addr, sender: None }
    }

    pub async fn send(&mut self, call: Call) -> Result<Response, Cut> {
        let what = format!("{:?} {} /{}/{}", call.dialect, call.method, call.bucket, call.key);
        let answer = tokio::time::timeout(Duration::from_secs(60), self.exchange(call)).await;
        answer.unwrap_or_else(|_| panic!("no answer within a minute: {what}"))
    }

    async fn exchange(&mut self, call: Call) -> Result<Response, Cut> {
        let request = call.sign(self.addr);
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        if sender.ready().await.is_err() {
            sender = self.connect().await?;
        }
        let response = sender.send_request(request).await.map_err(|_| Cut)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        self.sender = Some(sender);
        Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends the head and half of the body, and goes away: what the server has of it must vanish.
    pub async fn abandon(&mut self, call: Call) -> Result<(), Cut> {
        let half = call.body.slice(..call.body.len() / 2);
        let request = call.sign(self.addr);
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
        for (name, value) in request.headers() {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        let mut stream = tokio::net::TcpStream::connect(self.addr).await.map_err(|_| Cut)?;
        stream.write_all(&head).await.map_err(|_| Cut)?;
        stream.write_all(&half).await.map_err(|_| Cut)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Cut> {
        let stream = tokio::net::TcpStream::connect(self.addr).await.map_err(|_| Cut)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Cut)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// The texts of every `<name>` of a document, in order; what is inside is text alone.
pub fn texts(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inside = document.split(&open).skip(1).filter_map(|rest| rest.split_once(&close));
    inside.map(|(text, _)| quick_xml::escape::unescape(text).expect("escaped").into_owned()).collect()
}

/// The first of them; fails when there is none.
#[track_caller]
pub fn text(document: &str, name: &str) -> String {
    texts(document, name).into_iter().next().unwrap_or_else(|| panic!("no {name} in {document}"))
}

pub fn url_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().expect("UTF-8").into_owned()
}
