//! A client that signs as Amazon S3 clients do (V4: header, presigned, chunked; V2), written from the specification and
//! not from the server's code.

use std::net::SocketAddr;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use super::http::{Response, exchange, hmac_sha1};

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: AsciiSet = UNRESERVED.remove(b'/');

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Key, day and region of a V4 signature.
#[derive(Clone)]
pub struct Signer {
    pub access_key_id: String,
    pub secret: String,
    /// `YYYYMMDDTHHMMSSZ`.
    pub timestamp: String,
    pub region: String,
}

impl Signer {
    fn scope(&self) -> String {
        format!("{}/{}/s3/aws4_request", &self.timestamp[..8], self.region)
    }

    fn sign(&self, string: &str) -> String {
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [&self.timestamp[..8], &self.region, "s3", "aws4_request"] {
            key = hmac_sha256(&key, part);
        }
        hex::encode(hmac_sha256(&key, string))
    }

    /// Signature over a request. `query` is decoded; `headers` are the signed ones, names in lower case.
    pub fn signature(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        headers: &[(String, String)],
        payload: &str,
    ) -> String {
        let encode = |text: &str, set| percent_encode(text.as_bytes(), set).to_string();
        let mut pairs: Vec<String> =
            query.iter().map(|(n, v)| format!("{}={}", encode(n, &UNRESERVED), encode(v, &UNRESERVED))).collect();
        pairs.sort();
        let mut sorted = headers.to_vec();
        sorted.sort();
        let lines: String = sorted.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names: Vec<&str> = sorted.iter().map(|(name, _)| name.as_str()).collect();
        let (path, pairs, names) = (encode(path, &PATH), pairs.join("&"), names.join(";"));
        let canonical = format!("{method}\n{path}\n{pairs}\n{lines}\n{names}\n{payload}");
        let hash = sha256_hex(canonical.as_bytes());
        self.sign(&format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.timestamp, self.scope()))
    }

    /// Signature of a chunk that follows `previous`.
    pub fn chunk_signature(&self, previous: &str, chunk: &[u8]) -> String {
        let (empty, hash) = (sha256_hex(b""), sha256_hex(chunk));
        let (time, scope) = (&self.timestamp, self.scope());
        self.sign(&format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{previous}\n{empty}\n{hash}"))
    }

    /// Signature of trailers, each line ended, that follow the last chunk's.
    pub fn trailer_signature(&self, previous: &str, lines: &str) -> String {
        let (time, scope, hash) = (&self.timestamp, self.scope(), sha256_hex(lines.as_bytes()));
        self.sign(&format!("AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{previous}\n{hash}"))
    }

    /// The signed chunks of `body`, each of `size` bytes at most, after a seed signature.
    pub fn chunked(&self, seed: &str, body: &[u8], size: usize) -> Vec<u8> {
        let (mut out, mut previous) = (Vec::new(), seed.to_owned());
        for chunk in body.chunks(size).chain([&b""[..]]) {
            previous = self.chunk_signature(&previous, chunk);
            out.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// Signs with one key, path style unless a host says the bucket.
#[derive(Clone)]
pub struct Client {
    addr: SocketAddr,
    key: (String, String),
    /// What signatures name.
    pub region: String,
    /// `Host`, where it is not the address.
    pub host: Option<String>,
}

/// How a request's payload is signed.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// By its hash.
    Hashed,
    /// By this value of `x-amz-content-sha256`, whatever the body is.
    Stated(&'a str),
}

impl Client {
    pub fn new(addr: SocketAddr, key: (&str, &str)) -> Client {
        Client { addr, key: (key.0.into(), key.1.into()), region: "us-east-1".into(), host: None }
    }

    /// The same, reaching a bucket by a name below `localhost`, which is always a base domain.
    pub fn at_bucket(&self, bucket: &str) -> Client {
        Client { host: Some(format!("{bucket}.localhost:{}", self.addr.port())), ..self.clone() }
    }

    fn host(&self) -> String {
        self.host.clone().unwrap_or_else(|| self.addr.to_string())
    }

    pub fn signer(&self) -> Signer {
        let now = time::OffsetDateTime::from(std::time::SystemTime::now());
        let form = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        Signer {
            access_key_id: self.key.0.clone(),
            secret: self.key.1.clone(),
            timestamp: now.format(form).expect("formats"),
            region: self.region.clone(),
        }
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
        self.send_as(method, target, headers, Payload::Hashed, body).await
    }

    /// The same with the payload signed as said.
    pub async fn send_as(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        payload: Payload<'_>,
        body: impl Into<Bytes>,
    ) -> Response {
        let body = body.into();
        let hash = match payload {
            Payload::Hashed => sha256_hex(&body),
            Payload::Stated(stated) => stated.to_owned(),
        };
        let (request, _) = self.head_of(method, target, headers, &hash);
        let request = request.header("content-length", body.len());
        exchange(self.addr, request.body(Full::new(body)).expect("a request")).await
    }

    /// A PUT whose body goes in signed chunks.
    pub async fn put_chunked(&self, target: &str, headers: &[(&str, &str)], body: &[u8], size: usize) -> Response {
        let length = body.len().to_string();
        let more = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", length.as_str())];
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(more).collect();
        let (request, seed) = self.head_of("PUT", target, &headers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let body = self.signer().chunked(&seed, body, size);
        exchange(self.addr, request.body(Full::new(body.into())).expect("a request")).await
    }

    /// A PUT whose body is made of the seed signature.
    pub async fn put_framed(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        payload: &str,
        frame: impl FnOnce(&Signer, &str) -> Vec<u8>,
    ) -> Response {
        let (request, seed) = self.head_of("PUT", target, headers, payload);
        let body = frame(&self.signer(), &seed);
        exchange(self.addr, request.body(Full::new(body.into())).expect("a request")).await
    }

    fn head_of(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> (http::request::Builder, String) {
        let signer = self.signer();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut signed: Vec<(String, String)> = headers.iter().map(|(n, v)| (n.to_lowercase(), (*v).into())).collect();
        signed.push(("host".into(), self.host()));
        signed.push(("x-amz-date".into(), signer.timestamp.clone()));
        signed.push(("x-amz-content-sha256".into(), payload.into()));
        signed.sort();
        let signature = signer.signature(method, path, &pairs(query), &signed, payload);
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let (id, scope, names) = (&signer.access_key_id, signer.scope(), names.join(";"));
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        let mut request = http::Request::builder().method(method).uri(encoded(path, query));
        for (name, value) in &signed {
            request = request.header(name, value);
        }
        (request.header("authorization", authorization), signature)
    }

    /// A presigned path and query that is good for `expires` seconds. Only the host is signed.
    pub fn presign(&self, method: &str, target: &str, expires: u32) -> String {
        let signer = self.signer();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut all = pairs(query);
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", signer.access_key_id, signer.scope())),
            ("X-Amz-Date", signer.timestamp.clone()),
            ("X-Amz-Expires", expires.to_string()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
        ] {
            all.push((name.to_owned(), value));
        }
        let host = [("host".to_owned(), self.host())];
        let signature = signer.signature(method, path, &all, &host, "UNSIGNED-PAYLOAD");
        all.push(("X-Amz-Signature".to_owned(), signature));
        let encode = |text: &str| percent_encode(text.as_bytes(), &UNRESERVED).to_string();
        let query: Vec<String> = all.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        encoded(path, &query.join("&"))
    }

    /// Sends what is signed already, or not at all.
    pub async fn send_unsigned(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response {
        let mut request = http::Request::builder().method(method).uri(target).header("host", self.host());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        exchange(self.addr, request.body(Full::new(body.into())).expect("a request")).await
    }

    /// `Authorization` of V2 for a path-style target without sub-resources.
    pub fn authorization_v2(&self, method: &str, path: &str, date: &str) -> String {
        let string = format!("{method}\n\n\n{date}\n{path}");
        format!("AWS {}:{}", self.key.0, hmac_sha1(&self.key.1, &string))
    }

    /// A presigned path and query of V2.
    pub fn presign_v2(&self, method: &str, path: &str, expires: u64) -> String {
        let signature = hmac_sha1(&self.key.1, &format!("{method}\n\n\n{expires}\n{path}"));
        let signature = percent_encode(signature.as_bytes(), &UNRESERVED);
        format!("{path}?AWSAccessKeyId={}&Expires={expires}&Signature={signature}", self.key.0)
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(n, v)| (decode(n), decode(v))).collect()
}

fn encoded(path: &str, query: &str) -> String {
    let path = percent_encode(path.as_bytes(), &PATH);
    if query.is_empty() { path.to_string() } else { format!("{path}?{query}") }
}

/// The examples of the Amazon S3 API reference, so that the signer itself is right.
#[test]
fn the_published_examples_come_out() {
    let signer = Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        timestamp: "20130524T000000Z".into(),
        region: "us-east-1".into(),
    };
    let owned = |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Vec<_>>();
    let empty = sha256_hex(b"");
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let date = ("x-amz-date", "20130524T000000Z");
    let hash = ("x-amz-content-sha256", empty.as_str());

    let range = owned(&[host, ("range", "bytes=0-9"), hash, date]);
    assert_eq!(
        signer.signature("GET", "/test.txt", &[], &range, &empty),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    let list = owned(&[("max-keys", "2"), ("prefix", "J")]);
    assert_eq!(
        signer.signature("GET", "/", &list, &owned(&[host, hash, date]), &empty),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
    let presigned = owned(&[
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
    ]);
    assert_eq!(
        signer.signature("GET", "/test.txt", &presigned, &owned(&[host]), "UNSIGNED-PAYLOAD"),
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    // "Transferring Payload in Multiple Chunks": 66560 bytes in chunks of 64 KiB.
    let streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let seed = signer.signature(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &[],
        &owned(&[
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("host", "s3.amazonaws.com"),
            ("x-amz-content-sha256", streaming),
            date,
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ]),
        streaming,
    );
    assert_eq!(seed, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    let first = signer.chunk_signature(&seed, &[b'a'; 65_536]);
    assert_eq!(first, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    let second = signer.chunk_signature(&first, &[b'a'; 1_024]);
    assert_eq!(second, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
    assert_eq!(
        signer.chunk_signature(&second, b""),
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
    );
    // "Signature calculations for the Authorization header: including trailing headers", the last two signatures.
    let last = "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992";
    assert_eq!(
        signer.trailer_signature(last, "x-amz-checksum-crc32c:sOO8/Q==\n"),
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    );
}

/// Fails unless the document has this element with this text.
#[track_caller]
pub fn has(document: &str, name: &str, text: &str) {
    assert!(document.contains(&format!("<{name}>{text}</{name}>")), "{name} {text}: {document}");
}

/// The text of the first element of that name.
pub fn element(document: &str, name: &str) -> String {
    let (_, rest) = document.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {document}"));
    rest.split_once(&format!("</{name}>")).expect("closed").0.to_owned()
}
