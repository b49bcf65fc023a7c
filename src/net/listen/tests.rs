use super::*;
use crate::clock::{ManualClock, SystemClock, Wall};
use crate::net::crowd::CrowdRules;
use tokio::io::AsyncWriteExt;

/// Answers with its name and the first byte that it reads.
struct Named(&'static str);

#[async_trait]
impl Handler for Named {
    async fn handle(self: Arc<Self>, mut stream: DoorStream, _stop: Stop) {
        let first = stream.read_u8().await.expect("the test sends a byte");
        stream.write_all(format!("{} {first:#x}", self.0).as_bytes()).await.expect("the test reads");
    }
}

fn doors() -> Doors {
    doors_of(CrowdRules::default(), 2, Arc::new(SystemClock::new()))
}

/// Doors with so many places, by this clock.
fn doors_of(rules: CrowdRules, places: usize, clock: Arc<dyn Clock>) -> Doors {
    Doors {
        http: Arc::new(Named("http")),
        rtmp: Arc::new(Named("rtmp")),
        admin: Arc::new(Named("admin")),
        tls: None,
        permits: Arc::new(Semaphore::new(places)),
        admin_permits: Arc::new(Semaphore::new(2)),
        crowd: Crowd::new(rules, clock.clone()),
        clock,
        tasks: TaskSet::new(),
        stop_accepting: Stop::new(),
        stop_sockets: Stop::new(),
    }
}

#[allow(clippy::disallowed_methods, reason = "the test is the far end")]
async fn ask(addr: SocketAddr, byte: u8) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("listening");
    stream.write_all(&[byte]).await.expect("accepted");
    let mut answer = String::new();
    // A refused socket may end in a reset, because its byte was looked at and never taken.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

/// A door of these doors, listening.
async fn open(doors: &Doors, kind: DoorKind) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let running = doors.clone();
    doors.tasks.spawn("test-door", async move { running.accept(listener, kind).await });
    addr
}

async fn close(doors: Doors) {
    doors.stop_accepting.pull();
    doors.stop_sockets.pull();
    doors.tasks.join().await;
}

/// A socket from an address of loopback.
async fn from(local: &str, addr: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(local.parse().expect("an address"), 0)).expect("loopback has it");
    socket.connect(addr).await.expect("listening")
}

/// What the door says to a byte; nothing when it closed.
async fn answer(stream: &mut TcpStream) -> String {
    // The door may have closed already.
    let _ = stream.write_all(b"G").await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_address_has_so_many_sockets_and_the_next_is_closed_before_a_byte_is_read() {
    let rules = CrowdRules { sockets_max: 2, ..CrowdRules::default() };
    let doors = doors_of(rules, 100, Arc::new(SystemClock::new()));
    let (any, rtmp, admin) =
        (open(&doors, DoorKind::Any).await, open(&doors, DoorKind::Rtmp).await, open(&doors, DoorKind::Admin).await);
    let (first, mut second) = (from("127.0.0.2", any).await, from("127.0.0.2", rtmp).await);
    until(|| doors.tasks.len() == 3 + 2).await;
    for addr in [any, rtmp] {
        assert_eq!(answer(&mut from("127.0.0.2", addr).await).await, "", "over all doors together");
    }
    assert_eq!(answer(&mut from("127.0.0.3", any).await).await, "http 0x47", "another address");
    assert_eq!(answer(&mut from("127.0.0.2", admin).await).await, "admin 0x47", "the admin's door counts nobody");
    drop(first);
    until(|| doors.tasks.len() == 3 + 1).await;
    assert_eq!(answer(&mut from("127.0.0.2", any).await).await, "http 0x47", "a place became free");
    assert_eq!(answer(&mut second).await, "rtmp 0x47", "those who are in are served");
    close(doors).await;
}

#[tokio::test]
async fn with_every_place_taken_the_next_waits_and_the_admin_is_served_all_the_same() {
    let doors = doors_of(CrowdRules::default(), 2, Arc::new(SystemClock::new()));
    let (any, admin) = (open(&doors, DoorKind::Any).await, open(&doors, DoorKind::Admin).await);
    let (first, mut second) = (from("127.0.0.2", any).await, from("127.0.0.3", any).await);
    until(|| doors.tasks.len() == 2 + 2).await;
    let mut third = from("127.0.0.4", any).await;
    {
        let mut waiting = std::pin::pin!(answer(&mut third));
        for _ in 0..100 {
            assert!(futures_util::poll!(&mut waiting).is_pending(), "served beside two others");
            tokio::task::yield_now().await;
        }
        assert_eq!(doors.permits.available_permits(), 0);
        assert_eq!(answer(&mut from("127.0.0.2", admin).await).await, "admin 0x47");
        drop(first);
        assert_eq!(waiting.await, "http 0x47");
    }
    assert_eq!(answer(&mut second).await, "http 0x47");
    close(doors).await;
}

/// Neither silence nor a drip before anything is known of a socket keeps it longer than its time.
#[tokio::test]
async fn a_socket_that_says_nothing_or_drips_its_tls_handshake_is_closed_in_its_time() {
    for (tls, patience) in [(false, limits::FIRST_BYTE_TIMEOUT), (true, limits::TLS_HANDSHAKE_TIMEOUT)] {
        let clock = ManualClock::new(Wall(0));
        let mut doors = doors_of(CrowdRules::default(), 2, Arc::new(clock.clone()));
        doors.tls = Some(certificate().0);
        let addr = open(&doors, DoorKind::Any).await;
        let mut socket = from("127.0.0.2", addr).await;
        // A handshake record of 512 bytes.
        let mut record = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 500]].concat().into_iter();
        until(|| clock.next_deadline().is_some()).await;
        let mut passed = std::time::Duration::ZERO;
        while doors.tasks.len() > 1 {
            if tls {
                // Whether it still listens is seen below.
                let _ = socket.write_all(&[record.next().expect("long enough")]).await;
            }
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            clock.advance(std::time::Duration::from_secs(1));
            passed += std::time::Duration::from_secs(1);
            tokio::task::yield_now().await;
        }
        // The time of a handshake begins with its first byte, which loopback may bring a little late.
        assert!(passed >= patience && passed <= 3 * patience, "{passed:?}");
        let mut rest = Vec::new();
        // Closed, or reset because of what was not read.
        let _ = socket.read_to_end(&mut rest).await;
        assert_eq!(rest, [0; 0]);
        close(doors).await;
    }
}

#[test]
fn an_ipv4_peer_is_shown_as_one_on_every_listener() {
    for (seen, shown) in [
        ("[::ffff:192.0.2.7]:47745", "192.0.2.7:47745"),
        ("192.0.2.7:47745", "192.0.2.7:47745"),
        ("[2001:db8::7]:1", "[2001:db8::7]:1"),
    ] {
        assert_eq!(canonical(seen.parse().expect("an address")).to_string(), shown);
    }
}

#[tokio::test]
async fn the_first_byte_chooses_the_handler_and_is_not_lost() {
    for (kind, byte, answer) in [
        (DoorKind::Any, b'G', "http 0x47"),
        (DoorKind::Any, 3, "rtmp 0x3"),
        (DoorKind::Any, 6, "rtmp 0x6"),
        (DoorKind::Any, 0x16, ""),
        (DoorKind::Rtmp, b'G', "rtmp 0x47"),
        (DoorKind::Admin, b'G', "admin 0x47"),
    ] {
        let doors = doors();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let running = doors.clone();
        doors.tasks.spawn("test-door", async move { running.accept(listener, kind).await });
        assert_eq!(ask(addr, byte).await, answer, "{kind:?} {byte:#x}");
        doors.stop_accepting.pull();
        doors.tasks.join().await;
    }
}

/// Both ends of TLS under a certificate of its own making.
fn certificate() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate belong together");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn tls_is_sniffed_on_the_same_port_and_its_inner_protocol_too() {
    let (server, client) = certificate();
    let doors = Doors { tls: Some(server), ..doors() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let running = doors.clone();
    doors.tasks.spawn("test-door", async move { running.accept(listener, DoorKind::Any).await });

    assert_eq!(ask(addr, b'P').await, "http 0x50");
    for (byte, answer) in [(b'G', "http 0x47"), (3, "rtmp 0x3")] {
        #[allow(clippy::disallowed_methods, reason = "the test is the far end")]
        let plain = TcpStream::connect(addr).await.expect("listening");
        let name = "localhost".try_into().expect("a name");
        let connector = tokio_rustls::TlsConnector::from(client.clone());
        let mut stream = connector.connect(name, plain).await.expect("a handshake");
        stream.write_all(&[byte]).await.expect("accepted");
        let mut got = Vec::new();
        // The handler closes without close_notify; what came before it counts.
        let _ = stream.read_to_end(&mut got).await;
        assert_eq!(String::from_utf8_lossy(&got), answer);
    }
    doors.stop_accepting.pull();
    doors.tasks.join().await;
}
