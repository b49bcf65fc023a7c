use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::task::TaskSet;

/// A server for one connection: gives back what it was sent.
struct Target {
    address: SocketAddr,
    tasks: TaskSet,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Target {
    /// Answers every request with these bytes and closes.
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (tasks, seen) = (TaskSet::new(), Arc::new(Mutex::new(Vec::new())));
        let (answer, heard) = (answer.into(), seen.clone());
        tasks.spawn("test-target", async move {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            while !is_whole(&heard.lock().expect("no panic")) {
                let mut bytes = [0u8; 4096];
                let n = stream.read(&mut bytes).await.expect("readable");
                if n == 0 {
                    return;
                }
                heard.lock().expect("no panic").extend_from_slice(&bytes[..n]);
            }
            // The client may have had enough before the end.
            let _ = stream.write_all(&answer).await;
        });
        Target { address, tasks, seen }
    }

    async fn seen(self) -> String {
        self.tasks.join().await;
        let seen = self.seen.lock().expect("no panic").clone();
        String::from_utf8(seen).expect("text")
    }
}

/// The tests send bodies that end in a full stop.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b".")
}

fn allowing(rules: &[&str]) -> Guard {
    let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    Guard::new(rules, RootCertStore::empty(), Arc::new(SystemClock::new()))
}

fn to(url: &str) -> Destination {
    url.parse().unwrap_or_else(|()| panic!("{url}"))
}

fn post(to: &Destination) -> Post<'_> {
    Post {
        to,
        host: None,
        headers: HeaderMap::new(),
        body: "a=b.".into(),
        names_server: true,
        time_max: Duration::from_secs(5),
        answer_bytes_max: 20,
    }
}

#[test]
fn urls_are_taken_apart() {
    let parts = |url: &str| {
        let to = to(url);
        (to.is_tls, to.host.clone(), to.port, to.path_and_query.clone())
    };
    for (url, tls, host, port, path) in [
        ("http://a.example/x?y=z#f", false, "a.example", 80, "/x?y=z"),
        ("HTTPS://A.example", true, "a.example", 443, "/"),
        ("a.example:8080/x", false, "a.example", 8080, "/x"),
        ("127.0.0.1:23450", false, "127.0.0.1", 23450, "/"),
        ("http://[::1]:80/", false, "::1", 80, "/"),
        ("http://[::1]", false, "::1", 80, "/"),
        ("http://a.example?x=1", false, "a.example", 80, "/?x=1"),
    ] {
        assert_eq!(parts(url), (tls, host.to_owned(), port, path.to_owned()), "{url}");
    }
    for url in [
        "",
        "http://",
        "ftp://a.example/",
        "http://user@a.example/",
        "http://a.example:x/",
        "http://a.example:/",
        "http://a.example:0/",
        "http://a.example:70000/",
        "http://a b/",
        "/only/a/path",
    ] {
        assert_eq!(url.parse::<Destination>(), Err(()), "{url}");
    }
    assert_eq!(to("http://a.example:81/x?secret=1").to_string(), "http://a.example:81/x");
}

#[tokio::test]
async fn what_is_not_allowed_is_not_connected_to() {
    let target = Target::answering("").await;
    let port = target.address.port();
    let other = if port == 1 { 2 } else { port - 1 };
    let rules = ["10.0.0.0/8".to_owned(), format!("127.0.0.1:{other}"), format!("app.internal:{port}")];
    let guard = allowing(&rules.iter().map(String::as_str).collect::<Vec<_>>());
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "[::]"]
    {
        let destination = to(&format!("http://{host}:{port}/"));
        // A resolver may not know the odd spellings at all.
        let outcome = guard.post(post(&destination)).await;
        assert!(matches!(outcome, Err(OutboundError::Forbidden | OutboundError::Unresolved)), "{host}: {outcome:?}");
        assert_eq!(guard.check(&destination).await, outcome.map(drop), "{host}");
    }
    assert_eq!(target.seen.lock().expect("no panic").len(), 0);
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_made_and_its_answer_comes_back() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n5\r\n:\"b\"}\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n{\"a\":\"b\"}",
    ] {
        let target = Target::answering(answer).await;
        let destination = to(&format!("http://127.0.0.1:{}/cb?x=1", target.address.port()));
        let mut headers = HeaderMap::new();
        headers.insert("x-test", HeaderValue::from_static("1"));
        let request = Post { host: Some("app.example"), headers, ..post(&destination) };
        let reply = allowing(&["127.0.0.0/8"]).post(request).await.expect("an answer");
        assert_eq!((reply.status, reply.body.as_ref()), (StatusCode::OK, &b"{\"a\":\"b\"}"[..]), "{answer}");
        let seen = target.seen().await;
        assert!(seen.starts_with("POST /cb?x=1 HTTP/1.1\r\n"), "{seen}");
        for line in ["x-test: 1\r\n", "host: app.example\r\n", "connection: close\r\n", "content-length: 4\r\n"] {
            assert!(seen.contains(line), "{seen}");
        }
        assert!(seen.ends_with("\r\n\r\na=b."), "{seen}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let elsewhere = Target::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let location = format!("http://127.0.0.1:{}/", elsewhere.address.port());
    let target =
        Target::answering(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
    let destination = to(&format!("http://127.0.0.1:{}", target.address.port()));
    let reply = allowing(&["127.0.0.1"]).post(post(&destination)).await.expect("an answer");
    assert_eq!((reply.status, reply.body.len()), (StatusCode::FOUND, 0));
    assert!(target.seen().await.contains(&format!("host: 127.0.0.1:{}\r\n", destination.port)));
    assert_eq!(elsewhere.seen.lock().expect("no panic").len(), 0);
}

#[tokio::test]
async fn an_answer_is_bounded_in_bytes_and_must_be_one() {
    let long = "x".repeat(21);
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "h".repeat(limits::OUTBOUND_READ_BUFFER_MAX));
    for (answer, expected) in [
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{long}"), "the answer is too long"),
        (format!("HTTP/1.0 200 OK\r\n\r\n{long}"), "the answer is too long"),
        (head, "the answer is not HTTP"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "the answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_owned(), "the answer is not HTTP"),
        (String::new(), "the answer is not HTTP"),
    ] {
        let target = Target::answering(answer.as_str()).await;
        let destination = to(&format!("http://127.0.0.1:{}", target.address.port()));
        let fault = allowing(&["127.0.0.1"]).post(post(&destination)).await.expect_err(&answer).to_string();
        assert!(fault.starts_with(expected), "{answer}: {fault}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let destination = to(&format!("http://{}", listener.local_addr().expect("bound")));
    let clock = ManualClock::default();
    let guard = Guard::new(vec!["127.0.0.1".parse().expect("a rule")], RootCertStore::empty(), Arc::new(clock.clone()));
    let silent = async {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let mut request = [0u8; 16];
        stream.read_exact(&mut request).await.expect("a request");
        clock.advance(Duration::from_secs(6));
        stream
    };
    let (outcome, _stream) = tokio::join!(guard.post(post(&destination)), silent);
    assert_eq!(outcome, Err(OutboundError::TimedOut));
}

#[tokio::test]
async fn where_nobody_listens_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let destination = to(&format!("http://{free}"));
    let outcome = allowing(&["127.0.0.1"]).post(post(&destination)).await;
    assert!(matches!(outcome, Err(OutboundError::Unreachable(_))), "{outcome:?}");
}

/// Says something else each time it is asked.
#[derive(Debug, Default)]
struct Fickle {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
}

#[async_trait]
impl Resolve for Fickle {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut answers = self.answers.lock().expect("no panic");
        if answers.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(answers.remove(0)) }
    }
}

fn fickle(rules: &[&str], answers: Vec<Vec<SocketAddr>>) -> Guard {
    let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    let resolver = Arc::new(Fickle { answers: Mutex::new(answers) });
    Guard::with_resolver(rules, RootCertStore::empty(), Arc::new(SystemClock::new()), resolver)
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let target = Target::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let inside = target.address;
    let public: SocketAddr = "93.184.216.34:80".parse().expect("an address");
    let url = format!("http://rebinding.example:{}/", inside.port());
    let destination = to(&url);

    // Public when it is looked at, inside when it is connected to: judged again, refused.
    let guard = fickle(&[], vec![vec![public], vec![inside]]);
    assert_eq!(guard.check(&destination).await, Ok(()));
    assert_eq!(guard.post(post(&destination)).await, Err(OutboundError::Forbidden));
    assert_eq!(guard.post(post(&destination)).await, Err(OutboundError::Unresolved));

    // Of several addresses only those that are allowed are tried; the name is asked once.
    let forbidden: SocketAddr = "10.0.0.1:80".parse().expect("an address");
    let guard = fickle(&["127.0.0.0/8"], vec![vec![forbidden, inside], vec![]]);
    assert_eq!(guard.post(post(&destination)).await.map(|reply| reply.status), Ok(StatusCode::OK));
    assert!(target.seen().await.starts_with("POST / "));
    assert_eq!(guard.check(&destination).await, Err(OutboundError::Unresolved));

    // A name that is allowed by name may lead anywhere.
    let target = Target::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let endpoint = format!("app.internal:{}", target.address.port());
    let guard = fickle(&[&endpoint], vec![vec![target.address]]);
    let destination = to(&format!("http://APP.internal:{}/", target.address.port()));
    assert!(guard.post(post(&destination)).await.is_ok());
}

/// A TLS server that answers one request; tells whether a server name came.
async fn tls_target(names: Vec<String>) -> (SocketAddr, RootCertStore, TaskSet, Arc<Mutex<Option<Option<String>>>>) {
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate belong together");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (tasks, named) = (TaskSet::new(), Arc::new(Mutex::new(None)));
    let told = named.clone();
    tasks.spawn("test-tls-target", async move {
        let (stream, _) = listener.accept().await.expect("accepted");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        *told.lock().expect("no panic") = Some(stream.get_ref().1.server_name().map(str::to_owned));
        let mut seen = Vec::new();
        while !is_whole(&seen) {
            stream.read_buf(&mut seen).await.expect("readable");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.expect("written");
        stream.shutdown().await.expect("closed");
    });
    (address, roots, tasks, named)
}

#[tokio::test]
async fn https_checks_the_certificate_and_names_the_server_only_when_asked_to() {
    for (certified, names_server, expected) in [
        ("localhost", true, Ok(Some("localhost".to_owned()))),
        ("localhost", false, Ok(None)),
        ("elsewhere.example", true, Err("no TLS with the host")),
    ] {
        let (address, roots, tasks, named) = tls_target(vec![certified.to_owned()]).await;
        let guard = Guard::with_resolver(
            vec!["127.0.0.0/8".parse().expect("a rule")],
            roots,
            Arc::new(SystemClock::new()),
            Arc::new(Fickle { answers: Mutex::new(vec![vec![address]]) }),
        );
        let destination = to(&format!("https://localhost:{}/cb", address.port()));
        let outcome = guard.post(Post { names_server, ..post(&destination) }).await;
        tasks.join().await;
        match expected {
            Ok(name) => {
                assert_eq!(outcome.map(|reply| reply.body), Ok("{}".into()), "{certified}");
                assert_eq!(named.lock().expect("no panic").clone(), Some(name));
            }
            Err(start) => assert!(outcome.expect_err(certified).to_string().starts_with(start)),
        }
    }
}
