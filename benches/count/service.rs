//! Whole requests against the whole HTTP service, its metadata in SQLite and its blobs in memory: parsing, routing, signature,
//! access decision, digests, statements, answer. The clock stands still, so that each run signs and stores the same.

use std::hint::black_box;
use std::sync::Arc;

use livebucket::auth::{SignedRequest, oss_v1, oss_v4, sig_v4};
use livebucket::clock::{Clock, ManualClock, Wall};
use livebucket::http::server::{HttpDeps, HttpService};
use livebucket::live::registry::{LiveDeps, Registry};
use livebucket::net::guard::Guard;
use livebucket::net::host::HostRules;
use livebucket::store::blob::memory::MemoryBlobStore;
use livebucket::store::digest::{Crc64, Md5};
use livebucket::store::meta::sqlite::SqliteMetaStore;
use livebucket::store::objects::ObjectService;
use livebucket::store::{Acl, BucketName, MetaStore};
use livebucket::task::Stop;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// 2023-11-14 22:13:20 UTC.
const NOW: Wall = Wall(1_700_000_000_000);
const TIME: &str = "20231114T221320Z";
const SCOPE: &str = "20231114/cn-hangzhou/s3/aws4_request";
const OSS_SCOPE: oss_v4::Scope<'_> = oss_v4::Scope { date: "20231114", region: "cn-hangzhou", product: "oss" };
const ID: &str = "countAccessKeyId";
const SECRET: &str = "countAccessKeySecret";
const BUCKET: &str = "films";
const HOST: &str = "127.0.0.1";
/// Requests of a round.
const REQUESTS: usize = 20;
/// Of a signed chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// All that [`run`] knows.
pub const NAMES: &[&str] = &[
    "get_anonymous",
    "get_oss_v1",
    "get_oss_v4",
    "get_oss_v4_header",
    "get_s3_v4",
    "get_s3_v4_url",
    "list_1000",
    "put_16k",
    "put_chunked_1m",
];

/// So many rounds of the requests of that name; `false` when there is no such name.
pub fn run(name: &str, rounds: u32) -> bool {
    let before = if name == "list_1000" { 1_000 } else { 1 };
    let requests: Vec<Vec<u8>> = match name {
        "get_anonymous" => vec![get("key-0001", Sign::Nobody)],
        "get_oss_v1" => vec![get("key-0001", Sign::OssV1)],
        "get_oss_v4" => vec![get("key-0001", Sign::OssV4)],
        "get_oss_v4_header" => vec![get_oss_signed("key-0001")],
        "get_s3_v4" => vec![get_s3_signed("key-0001")],
        "get_s3_v4_url" => vec![get("key-0001", Sign::S3V4)],
        "list_1000" => vec![get("?list-type=2&max-keys=1000", Sign::OssV4)],
        "put_16k" => vec![put("new", Sign::OssV4, &body(16 * 1024))],
        "put_chunked_1m" => vec![put_chunked("new", &body(1 << 20))],
        _ => return false,
    };
    let repeated: Vec<&[u8]> = requests.iter().cycle().take(REQUESTS).map(Vec::as_slice).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(serve(before, &repeated, rounds));
    true
}

/// MD5 and CRC-64 of a MiB in pieces, as an upload has them computed.
pub fn digests(rounds: u32) {
    let bytes = body(1 << 20);
    for _ in 0..rounds {
        let (mut md5, mut crc64) = (Md5::new(), Crc64::new());
        for piece in bytes.chunks(128 * 1024) {
            md5.update(piece);
            crc64.update(piece);
        }
        black_box((md5.finish(), crc64.value()));
    }
}

fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n as u8).wrapping_mul(37)).collect()
}

#[derive(Clone, Copy)]
enum Sign {
    Nobody,
    OssV1,
    OssV4,
    S3V4,
}

/// The target of a request to the bucket, signed in its query.
fn target(method: &str, key: &str, sign: Sign) -> String {
    let (key, query) = key.split_once('?').unwrap_or((key, ""));
    let pair = |pair: &str| pair.split_once('=').map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()));
    let pairs: Vec<_> = query.split('&').filter_map(pair).collect();
    let request = SignedRequest { method, bucket: Some(BUCKET), key: key.as_bytes(), headers: &[], query: &pairs };
    let expires = NOW.0 / 1_000 + 600;
    let query = match sign {
        Sign::Nobody => query.to_owned(),
        Sign::OssV1 => oss_v1::sign_url_query(&request, ID, SECRET, expires),
        Sign::OssV4 => oss_v4::sign_url_query(&request, ID, SECRET, &OSS_SCOPE, TIME, 600),
        Sign::S3V4 => {
            let path = format!("/{BUCKET}/{key}");
            let request = sig_v4::Request {
                method,
                path: path.as_bytes(),
                query: &pairs,
                headers: &[("host", HOST.as_bytes())],
                signed_headers: &["host"],
                payload_hash: "UNSIGNED-PAYLOAD",
            };
            let (access_key_id, secret, scope, timestamp) = (ID, SECRET, SCOPE, TIME);
            let signer = sig_v4::Signer { access_key_id, secret, scope, timestamp, expires: 600 };
            sig_v4::sign_url_query(&request, &signer)
        }
    };
    match query.as_str() {
        "" => format!("/{BUCKET}/{key}"),
        query => format!("/{BUCKET}/{key}?{query}"),
    }
}

fn get(key: &str, sign: Sign) -> Vec<u8> {
    format!("GET {} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", target("GET", key, sign)).into_bytes()
}

fn put(key: &str, sign: Sign, body: &[u8]) -> Vec<u8> {
    let target = target("PUT", key, sign);
    let head = format!("PUT {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A GET as OSS's SDKs send it.
fn get_oss_signed(key: &str) -> Vec<u8> {
    let headers = [("x-oss-content-sha256", "UNSIGNED-PAYLOAD"), ("x-oss-date", TIME)];
    let signed = headers.map(|(name, value)| (name, value.as_bytes()));
    let bucket = Some(BUCKET);
    let request = SignedRequest { method: "GET", bucket, key: key.as_bytes(), headers: &signed, query: &[] };
    let string = oss_v4::string_to_sign(&oss_v4::canonical_request(&request, &[]), TIME, &OSS_SCOPE);
    let signature = oss_v4::signature(SECRET, &OSS_SCOPE, &string);
    let algorithm = oss_v4::ALGORITHM;
    let authorization = format!("{algorithm} Credential={ID}/{OSS_SCOPE},Signature={signature}");
    let mut head = format!("GET /{BUCKET}/{key} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {authorization}\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    [head.as_bytes(), b"\r\n"].concat()
}

/// A GET as S3's SDKs send it.
fn get_s3_signed(key: &str) -> Vec<u8> {
    let empty = hex::encode(Sha256::digest(b""));
    let headers =
        [("host", HOST), ("x-amz-checksum-mode", "ENABLED"), ("x-amz-content-sha256", &empty), ("x-amz-date", TIME)];
    let (_, authorization) = authorize("GET", key, &headers, &empty);
    let mut head = format!("GET /{BUCKET}/{key} HTTP/1.1\r\nAuthorization: {authorization}\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    [head.as_bytes(), b"\r\n"].concat()
}

/// S3's signature of version 4 over all these headers, and the header that it stands in.
fn authorize(method: &str, key: &str, headers: &[(&str, &str)], payload: &str) -> (String, String) {
    let signed: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let path = format!("/{BUCKET}/{key}");
    let canonical = sig_v4::canonical_request(&sig_v4::Request {
        method,
        path: path.as_bytes(),
        query: &[],
        headers: &signed,
        signed_headers: &names,
        payload_hash: payload,
    });
    let signature = sig_v4::signature(SECRET, SCOPE, &sig_v4::string_to_sign(&canonical, TIME, SCOPE));
    let (algorithm, names) = (sig_v4::ALGORITHM, names.join(";"));
    let header = format!("{algorithm} Credential={ID}/{SCOPE}, SignedHeaders={names}, Signature={signature}");
    (signature, header)
}

/// A body in chunks of which each is signed, as S3's SDKs send them.
fn put_chunked(key: &str, body: &[u8]) -> Vec<u8> {
    const PAYLOAD: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let length = body.len().to_string();
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("host", HOST),
        ("x-amz-content-sha256", PAYLOAD),
        ("x-amz-date", TIME),
        ("x-amz-decoded-content-length", &length),
    ];
    let path = format!("/{BUCKET}/{key}");
    let (mut signature, authorization) = authorize("PUT", key, &headers, PAYLOAD);
    let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let mut framed = Vec::new();
    for chunk in body.chunks(CHUNK_BYTES).chain([&[][..]]) {
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{TIME}\n{SCOPE}\n{signature}\n{}\n{}", hash(b""), hash(chunk));
        signature = sig_v4::signature(SECRET, SCOPE, &text);
        framed.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    let mut head =
        format!("PUT {path} HTTP/1.1\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\n", framed.len());
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    [head.as_bytes(), b"\r\n", &framed].concat()
}

/// A service that holds so many objects, and one socket that asks it.
async fn serve(objects: usize, requests: &[&[u8]], rounds: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let meta = SqliteMetaStore::open(&directory.path().join("meta.db"), clock.clone()).expect("fresh");
    let meta: Arc<dyn MetaStore> = Arc::new(meta);
    let key = meta.put_access_key("alice", ID, SECRET, NOW).await.expect("fresh");
    let bucket = BucketName::new(BUCKET).expect("valid");
    meta.create_bucket(&bucket, key.account, Acl::PublicRead, NOW).await.expect("fresh");
    let blobs = Arc::new(MemoryBlobStore::seeded(clock.clone(), 7));
    let objects_of = ObjectService::new(meta.clone(), blobs, clock.clone());
    let live = LiveDeps { meta: meta.clone(), objects: objects_of.clone(), clock: clock.clone() };
    let service = HttpService::new(HttpDeps {
        meta: meta.clone(),
        objects: objects_of,
        registry: Arc::new(Registry::new(live)),
        clock: clock.clone(),
        guard: Guard::closed(clock.clone()),
        hosts: HostRules::default(),
        public_endpoint: None,
        region: "cn-hangzhou".into(),
        policies: livebucket::auth::policy::PolicyCache::new(64),
        crowd: livebucket::net::crowd::Crowd::new(Default::default(), clock.clone()),
        signing_keys: Default::default(),
    });
    let (near, mut far) = tokio::io::duplex(256 * 1024);
    let served = service.serve_stream(near, "192.0.2.1:50000".parse().expect("an address"), None, Stop::new());
    let client = async move {
        for n in 1..=objects {
            ask(&mut far, &put(&format!("key-{n:04}"), Sign::OssV1, b"sixteen bytes...")).await;
        }
        for _ in 0..rounds {
            for request in requests {
                ask(&mut far, request).await;
            }
        }
    };
    tokio::join!(served, client);
    meta.close().await.expect("closed");
}

/// Sends a request and takes its answer.
async fn ask(socket: &mut DuplexStream, request: &[u8]) {
    socket.write_all(request).await.expect("it listens");
    let mut answer = Vec::new();
    loop {
        assert!(socket.read_buf(&mut answer).await.expect("it answers") > 0, "the service closed");
        let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end]).expect("text").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if answer.len() >= end + 4 + length.unwrap_or(0) {
            black_box(answer);
            return;
        }
    }
}
