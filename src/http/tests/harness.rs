//! A running service and a client that speaks raw HTTP, so that a test sees every byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::auth::policy::PolicyCache;
use crate::auth::signing_keys::SigningKeys;
use crate::auth::{SignedRequest, oss_v1};
use crate::clock::{Clock, ManualClock, Wall};
use crate::http::oss::operation::Query;
use crate::http::server::{HttpDeps, HttpService, http_date};
use crate::limits;
use crate::live::registry::{LiveDeps, Registry};
use crate::net::crowd::{Crowd, CrowdRules};
use crate::net::guard::Guard;
use crate::net::host::HostRules;
use crate::net::listen::DoorStream;
use crate::store::blob::memory::MemoryBlobStore;
use crate::store::blob::sealed::SealedBlobStore;
use crate::store::meta::faulty::FaultyMetaStore;
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::objects::ObjectService;
use crate::store::seal::MasterKeys;
use crate::store::{BlobStore, BucketName, BucketRecord, MetaStore};
use crate::task::{Stop, TaskSet};

/// 2023-11-14 22:13:20 UTC, the clock of the specification's vectors.
pub(super) const NOW: Wall = Wall(1_700_000_000_000);
pub(super) const NOW_TEXT: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
pub(super) const HOST: &str = "oss.example.com";

/// A key that may sign.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Anonymous,
    /// `owner`, who owns `examplebucket`.
    Owner,
    /// `other`, who owns nothing at first.
    Other,
}

/// A service on a port of loopback.
pub(super) struct Running {
    pub(super) service: Arc<HttpService>,
    pub(super) address: SocketAddr,
    pub(super) clock: ManualClock,
    pub(super) meta: Arc<dyn MetaStore>,
    pub(super) blobs: Arc<dyn BlobStore>,
    pub(super) registry: Arc<Registry>,
    pub(super) stop: Stop,
    pub(super) tasks: TaskSet,
}

impl Running {
    /// With `examplebucket`, private, of `owner`.
    pub(super) async fn start() -> Self {
        Self::start_sealed(MasterKeys::default()).await
    }

    /// The same with master keys.
    pub(super) async fn start_sealed(keys: MasterKeys) -> Self {
        Self::start_with(keys, CrowdRules::default()).await
    }

    /// The same, with bounds for each address.
    pub(super) async fn start_crowded(crowd: CrowdRules) -> Self {
        Self::start_with(MasterKeys::default(), crowd).await
    }

    /// The same over a metadata store that follows a script; `meta` is the one inside, which does not.
    pub(super) async fn start_scripted() -> (Self, Arc<FaultyMetaStore>) {
        let inside: Arc<dyn MetaStore> = Arc::new(MemoryMetaStore::new());
        let scripted = Arc::new(FaultyMetaStore::new(inside.clone()));
        let defaults = (MasterKeys::default(), CrowdRules::default());
        (Self::start_over(inside, scripted.clone(), defaults).await, scripted)
    }

    async fn start_with(keys: MasterKeys, crowd: CrowdRules) -> Self {
        let meta: Arc<dyn MetaStore> = Arc::new(MemoryMetaStore::new());
        Self::start_over(meta.clone(), meta, (keys, crowd)).await
    }

    /// The service has `served`, the test has `own`.
    async fn start_over(
        own: Arc<dyn MetaStore>,
        served: Arc<dyn MetaStore>,
        (keys, crowd): (MasterKeys, CrowdRules),
    ) -> Self {
        let clock = ManualClock::new(NOW);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let meta = served;
        let memory = Arc::new(MemoryBlobStore::new(shared.clone()));
        let blobs: Arc<dyn BlobStore> = Arc::new(SealedBlobStore::new(memory, keys));
        let objects = ObjectService::new(meta.clone(), blobs.clone(), shared.clone());
        let live = LiveDeps { meta: meta.clone(), objects: objects.clone(), clock: shared.clone() };
        let registry = Arc::new(Registry::new(live));
        let deps = HttpDeps {
            meta: meta.clone(),
            objects,
            registry: registry.clone(),
            clock: shared.clone(),
            guard: Guard::new(
                vec!["127.0.0.1".parse().expect("a rule")],
                rustls::RootCertStore::empty(),
                shared.clone(),
            ),
            hosts: HostRules { base_domains: vec![HOST.into()], cnames: BTreeMap::new() },
            public_endpoint: None,
            region: "cn-hangzhou".into(),
            policies: PolicyCache::new(limits::POLICIES_KEPT),
            crowd: Crowd::new(crowd, shared),
            signing_keys: SigningKeys::default(),
        };
        let service = HttpService::new(deps);
        let owner = meta.put_access_key("owner", "ownerKey", "ownerSecret", NOW).await.expect("a key");
        meta.put_access_key("other", "otherKey", "otherSecret", NOW).await.expect("a key");
        let name = BucketName::new("examplebucket").expect("valid");
        meta.create_bucket(&name, owner.account, crate::store::Acl::Private, NOW).await.expect("a bucket");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let (spawner, stopping, serving) = (tasks.clone(), stop.clone(), service.clone());
        tasks.spawn("test-listen", async move {
            loop {
                tokio::select! {
                    biased;
                    () = stopping.pulled() => break,
                    accepted = listener.accept() => {
                        let (stream, peer) = accepted.expect("accept");
                        let serve = serving.clone().serve(DoorStream::plain(stream, peer), stopping.clone());
                        spawner.spawn("test-socket", serve);
                    }
                }
            }
        });
        Running { service, address, clock, meta: own, blobs, registry, stop, tasks }
    }

    pub(super) async fn connect(&self) -> Socket {
        #[allow(clippy::disallowed_methods, reason = "a test is its own client")]
        let stream = TcpStream::connect(self.address).await.expect("connect");
        Socket { stream, buffer: Vec::new() }
    }

    /// One call on a socket of its own.
    pub(super) async fn call(&self, call: Call) -> Reply {
        let mut socket = self.connect().await;
        socket.call(call).await
    }

    pub(super) async fn bucket(&self, name: &str) -> BucketRecord {
        let name = BucketName::new(name).expect("valid");
        BucketRecord::clone(&*self.meta.bucket(&name).await.expect("readable").expect("there"))
    }

    /// Finished blobs.
    pub(super) async fn blob_count(&self) -> usize {
        self.blobs.list(None, 1_000).await.expect("a list").len()
    }
}

/// A request to be signed with V1 and sent.
#[derive(Clone)]
pub(super) struct Call {
    method: &'static str,
    target: String,
    host: String,
    bucket: Option<String>,
    who: Who,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Only the head is sent.
    pub(super) withhold_body: bool,
    no_length: bool,
    at: Wall,
}

impl Call {
    /// By the owner, to `examplebucket` as a virtual host. `target` is the raw path and query.
    pub(super) fn new(method: &'static str, target: &str) -> Self {
        Call {
            method,
            target: target.to_owned(),
            host: format!("examplebucket.{HOST}"),
            bucket: Some("examplebucket".to_owned()),
            who: Who::Owner,
            headers: Vec::new(),
            body: Vec::new(),
            withhold_body: false,
            no_length: false,
            at: NOW,
        }
    }

    pub(super) fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    pub(super) fn bucket(mut self, name: &str) -> Self {
        self.host = format!("{name}.{HOST}");
        self.bucket = Some(name.to_owned());
        self
    }

    pub(super) fn service(mut self) -> Self {
        self.host = HOST.to_owned();
        self.bucket = None;
        self
    }

    /// Another path and query.
    pub(super) fn target(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    /// Another `Host`, same bucket.
    pub(super) fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn md5(self) -> Self {
        let digest = BASE64.encode(Md5::digest(&self.body));
        self.header("Content-MD5", &digest)
    }

    /// Without `Content-Length`.
    pub(super) fn no_length(mut self) -> Self {
        self.no_length = true;
        self
    }

    /// Signed at another time than `NOW`.
    pub(super) fn at(mut self, at: Wall) -> Self {
        self.at = at;
        self
    }

    fn date(&self) -> String {
        http_date(self.at).to_str().expect("a date is ASCII").to_owned()
    }

    pub(super) fn withhold_body(mut self) -> Self {
        self.withhold_body = true;
        self
    }

    /// The head as it goes over the wire.
    pub(super) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        let mut headers = self.headers.clone();
        if !matches!(self.who, Who::Anonymous) {
            headers.push(("x-oss-date".into(), self.date()));
            headers.push(("Authorization".into(), self.authorization(&headers)));
        }
        let chunked = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        let stated = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !self.no_length && !chunked && !stated {
            headers.push(("Content-Length".into(), self.body.len().to_string()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }

    fn authorization(&self, headers: &[(String, String)]) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let key: Vec<u8> = percent_encoding::percent_decode_str(path.trim_start_matches('/')).collect();
        let query = Query::parse(query);
        let lower: Vec<(String, &[u8])> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes())).collect();
        let headers: Vec<(&str, &[u8])> = lower.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let request = SignedRequest {
            method: self.method,
            bucket: self.bucket.as_deref(),
            key: &key,
            headers: &headers,
            query: query.pairs(),
        };
        let (id, secret) = match self.who {
            Who::Other => ("otherKey", "otherSecret"),
            _ => ("ownerKey", "ownerSecret"),
        };
        let string = oss_v1::string_to_sign(&request, self.date().as_bytes(), oss_v1::SubResources::Wide);
        format!("OSS {id}:{}", oss_v1::signature(secret, &string))
    }
}

/// A client's socket.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("send");
    }

    pub(super) async fn call(&mut self, call: Call) -> Reply {
        self.send(call.head().as_bytes()).await;
        if !call.withhold_body {
            self.send(&call.body).await;
        }
        self.reply(call.method == "HEAD").await
    }

    /// Reads one response. Panics when the service closes before its end.
    pub(super) async fn reply(&mut self, to_head: bool) -> Reply {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert!(self.fill().await, "closed in a head: {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).expect("a head is text");
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let status: u16 = status.expect("a status line");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |text| text.parse().expect("a length"));
        let length = if to_head { 0 } else { length };
        while self.buffer.len() < length {
            assert!(self.fill().await, "closed in a body after {} of {length} bytes", self.buffer.len());
        }
        reply.body = self.buffer.drain(..length).collect();
        reply
    }

    /// Whether the service has closed, and sent nothing more before.
    pub(super) async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await
    }

    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.is_ok_and(|n| n > 0)
    }
}

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The text of the first `<name>`; panics when there is none.
    pub(super) fn element(&self, name: &str) -> String {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = text.find(&open).unwrap_or_else(|| panic!("no {open} in {text}")) + open.len();
        let to = text[from..].find(&close).unwrap_or_else(|| panic!("no {close} in {text}")) + from;
        text[from..to].to_owned()
    }

    /// Panics unless it is this error: status, `Code`, and `EC` in the document and in the header.
    #[track_caller]
    pub(super) fn assert_error(&self, status: u16, code: &str, ec: Option<&str>) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.element("Code"), code);
        assert_eq!(self.header("content-type"), Some("application/xml"));
        assert_eq!(self.header("x-oss-ec"), ec);
        if let Some(ec) = ec {
            assert_eq!(self.element("EC"), ec);
        }
        assert_eq!(Some(self.element("RequestId").as_str()), self.header("x-oss-request-id"));
    }

    /// Panics unless it has this status and no body.
    #[track_caller]
    pub(super) fn assert_empty(&self, status: u16) {
        assert_eq!((self.status, self.text().as_str()), (status, ""));
    }
}
