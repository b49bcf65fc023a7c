//! An HTTP client that signs as OSS V1 does, written from the specification and not from the server's code.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use sha1::Sha1;

/// Signs with one key, path style.
#[derive(Clone)]
pub struct Client {
    addr: SocketAddr,
    key: Option<(String, String)>,
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// `HMAC-SHA1` in base64.
pub fn hmac_sha1(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The sub-resources that the tests use.
const SIGNED: &[&str] = &[
    "acl",
    "restore",
    "stat",
    "symlink",
    "append",
    "bucketInfo",
    "comp",
    "cors",
    "delete",
    "encryption",
    "endTime",
    "lifecycle",
    "live",
    "location",
    "logging",
    "objectMeta",
    "partNumber",
    "policy",
    "position",
    "publicAccessBlock",
    "referer",
    "requestPayment",
    "startTime",
    "status",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "vod",
    "website",
    "x-oss-process",
];

impl Client {
    pub fn new(addr: SocketAddr, key: (&str, &str)) -> Client {
        Client { addr, key: Some((key.0.into(), key.1.into())) }
    }

    pub fn anonymous(addr: SocketAddr) -> Client {
        Client { addr, key: None }
    }

    pub async fn get(&self, target: &str) -> Response {
        self.send("GET", target, &[], "").await
    }

    pub async fn head(&self, target: &str) -> Response {
        self.send("HEAD", target, &[], "").await
    }

    pub async fn delete(&self, target: &str) -> Response {
        self.send("DELETE", target, &[], "").await
    }

    pub async fn put(&self, target: &str, body: impl Into<Bytes>) -> Response {
        self.send("PUT", target, &[], body).await
    }

    /// `target` is path-style and unencoded: `/bucket/key?query`.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response {
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        let mut request = http::Request::builder().method(method).uri(target.replace(' ', "%20"));
        request = request.header("host", self.addr.to_string()).header("date", &date);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((id, secret)) = &self.key {
            let text = string_to_sign(method, target, headers, &date);
            request = request.header("authorization", format!("OSS {id}:{}", hmac_sha1(secret, &text)));
        }
        exchange(self.addr, request.body(Full::new(body.into())).expect("a request")).await
    }
}

/// One request on a socket of its own.
pub async fn exchange(addr: SocketAddr, request: http::Request<Full<Bytes>>) -> Response {
    let stream = connect(addr).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    let driver = async { drop(connection.await) };
    let exchange = async {
        let response = sender.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Response { status: head.status.as_u16(), headers: head.headers, body }
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        response = &mut exchange => response,
        () = driver => exchange.await,
    }
}

#[allow(clippy::disallowed_methods, reason = "the test is the far end")]
pub async fn connect(addr: SocketAddr) -> tokio::net::TcpStream {
    tokio::net::TcpStream::connect(addr).await.expect("listening")
}

/// The same from another address of loopback.
pub async fn connect_from(local: std::net::IpAddr, addr: SocketAddr) -> std::io::Result<tokio::net::TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(local, 0))?;
    socket.connect(addr).await
}

/// The value of a series at an admin listener; 0 when there is none yet.
pub async fn metric(admin: SocketAddr, series: &str) -> u64 {
    let text = Client::anonymous(admin).get("/metrics").await.expect(200).text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse::<f64>().ok());
    value.map_or(0, |value| value as u64)
}

fn string_to_sign(method: &str, target: &str, headers: &[(&str, &str)], date: &str) -> String {
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| *v);
    let mut oss: Vec<_> = headers.iter().filter(|(name, _)| name.starts_with("x-oss-")).collect();
    oss.sort();
    let oss: String = oss.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // A bucket without a key signs with the slash behind it.
    let path = if path.matches('/').count() == 1 && path != "/" { format!("{path}/") } else { path.to_owned() };
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|pair| SIGNED.contains(&pair.split('=').next().unwrap_or_default()))
        .map(|pair| pair.strip_suffix('=').unwrap_or(pair).to_owned())
        .collect();
    parts.sort();
    let resource = if parts.is_empty() { path } else { format!("{path}?{}", parts.join("&")) };
    format!("{method}\n{}\n{}\n{date}\n{oss}{resource}", header("content-md5"), header("content-type"))
}
