//! Requests of either dialect, signed by anybody in the header or in the URL, as bytes on the wire.
//!
//! Signed with the service's own functions, whose own tests hold them to the published examples.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::harness::{HOST, NOW, NOW_TEXT, Reply, Socket};
use crate::auth::{SignedRequest, oss_v1, sig_v2};
use crate::http::query::Query;

const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-');

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Oss,
    S3,
}

/// What somebody signs with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl Key {
    pub(super) fn new(id: &str, secret: &str) -> Self {
        Key { id: id.into(), secret: secret.into(), token: None }
    }

    pub(super) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }
}

/// Where the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Url,
}

/// A request before it is signed; path style.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) dialect: Dialect,
    pub(super) method: &'static str,
    /// Empty is the service.
    pub(super) bucket: String,
    /// Empty is the bucket.
    pub(super) key: String,
    /// Raw.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Plain {
    pub(super) fn new(dialect: Dialect, method: &'static str, bucket: &str, key: &str, query: &str) -> Self {
        let (bucket, key, query) = (bucket.to_owned(), key.to_owned(), query.to_owned());
        Plain { dialect, method, bucket, key, query, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    /// With the body's digest.
    pub(super) fn md5(self) -> Self {
        let digest = BASE64.encode(Md5::digest(&self.body));
        self.header("content-md5", &digest)
    }

    fn path(&self) -> String {
        let key = percent_encode(self.key.as_bytes(), &PATH);
        match self.bucket.as_str() {
            "" => "/".to_owned(),
            bucket => format!("/{bucket}/{key}"),
        }
    }

    /// The request's bytes, signed by `key` if there is one.
    pub(super) fn signed(&self, key: Option<&Key>, place: Place) -> Wire {
        let (mut headers, mut query) = (self.headers.clone(), self.query.clone());
        match (self.dialect, key, place) {
            (Dialect::Oss, None, _) => {}
            // By nothing else is an anonymous request this dialect's.
            (Dialect::S3, None, _) => headers.push(("x-amz-user-agent".into(), "test".into())),
            (Dialect::Oss, Some(key), Place::Header) => self.sign_oss_header(key, &mut headers),
            (Dialect::Oss, Some(key), Place::Url) => self.sign_oss_url(key, &mut query, &headers),
            (Dialect::S3, Some(key), Place::Header) => self.sign_s3_header(key, &mut headers),
            (Dialect::S3, Some(key), Place::Url) => self.sign_s3_url(key, &mut query, &headers),
        }
        let body = self.body.clone();
        Wire { method: self.method.into(), path: self.path(), query, headers, body }
    }

    fn sign_oss_header(&self, key: &Key, headers: &mut Vec<(String, String)>) {
        headers.push(("x-oss-date".into(), NOW_TEXT.into()));
        if let Some(token) = &key.token {
            headers.push(("x-oss-security-token".into(), token.clone()));
        }
        let query = Query::parse(&self.query);
        let string = self.oss_request(&borrowed(headers), &query, |request| {
            oss_v1::string_to_sign(request, NOW_TEXT.as_bytes(), oss_v1::SubResources::Wide)
        });
        headers.push(("authorization".into(), format!("OSS {}:{}", key.id, oss_v1::signature(&key.secret, &string))));
    }

    fn sign_oss_url(&self, key: &Key, query: &mut String, headers: &[(String, String)]) {
        if let Some(token) = &key.token {
            query.push_str(&format!("&security-token={token}"));
        }
        let parsed = Query::parse(query);
        let expires = NOW.unix_seconds() + 60;
        *query = self.oss_request(&borrowed(headers), &parsed, |request| {
            oss_v1::sign_url_query(request, &key.id, &key.secret, expires)
        });
    }

    fn oss_request<T>(&self, headers: &[(&str, &[u8])], query: &Query, then: impl Fn(&SignedRequest<'_>) -> T) -> T {
        then(&SignedRequest {
            method: self.method,
            bucket: (!self.bucket.is_empty()).then_some(&self.bucket),
            key: self.key.as_bytes(),
            headers,
            query: query.pairs(),
        })
    }

    fn sign_s3_header(&self, key: &Key, headers: &mut Vec<(String, String)>) {
        headers.push(("date".into(), NOW_TEXT.into()));
        if let Some(token) = &key.token {
            headers.push(("x-amz-security-token".into(), token.clone()));
        }
        let query = Query::parse(&self.query);
        let signature = self.s3_signature(key, &query, headers, None);
        headers.push(("authorization".into(), format!("AWS {}:{signature}", key.id)));
    }

    fn sign_s3_url(&self, key: &Key, query: &mut String, headers: &[(String, String)]) {
        let mut headers = headers.to_vec();
        let parsed = Query::parse(query);
        if let Some(token) = &key.token {
            headers.push(("x-amz-security-token".into(), token.clone()));
            query.push_str(&format!("&x-amz-security-token={token}"));
        }
        let expires = (NOW.unix_seconds() + 60).to_string();
        let signature = self.s3_signature(key, &parsed, &headers, Some(&expires));
        let signature = percent_encode(signature.as_bytes(), NON_ALPHANUMERIC);
        query.push_str(&format!("&AWSAccessKeyId={}&Expires={expires}&Signature={signature}", key.id));
    }

    fn s3_signature(&self, key: &Key, query: &Query, headers: &[(String, String)], expires: Option<&str>) -> String {
        let path = self.path();
        let headers = borrowed(headers);
        let string = sig_v2::string_to_sign(&sig_v2::Request {
            method: self.method,
            host_bucket: None,
            raw_path: &path,
            query: query.pairs(),
            headers: &headers,
            expires,
        });
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key.secret.as_bytes()).expect("any length");
        mac.update(&string);
        BASE64.encode(mac.finalize().into_bytes())
    }
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// A request as it is sent; tests change what was signed.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn target(&self) -> String {
        match self.query.trim_start_matches('&') {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    pub(super) async fn send(&self, socket: &mut Socket) -> Reply {
        let head = self.head(&format!("Content-Length: {}", self.body.len()));
        // In one piece: a second small one would wait for the first's acknowledgement.
        socket.send(&[head.as_bytes(), &self.body].concat()).await;
        socket.reply(self.method == "HEAD").await
    }

    /// The head alone, though it promises the body.
    pub(super) async fn send_head(&self, socket: &mut Socket) -> Reply {
        socket.send(self.head(&format!("Content-Length: {}", self.body.len())).as_bytes()).await;
        socket.reply(self.method == "HEAD").await
    }

    /// The same without a promise of how long the body will be; in one chunk.
    pub(super) async fn send_chunked(&self, socket: &mut Socket) -> Reply {
        let head = self.head("Transfer-Encoding: chunked");
        let size = format!("{:x}\r\n", self.body.len());
        socket.send(&[head.as_bytes(), size.as_bytes(), &self.body, b"\r\n0\r\n\r\n"].concat()).await;
        socket.reply(self.method == "HEAD").await
    }

    fn head(&self, framing: &str) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {HOST}\r\n", self.method, self.target());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + framing + "\r\n\r\n"
    }
}
