//! The doors under load: a flood of refused publishes and bad signatures beside legitimate publishers, and ten thousand
//! sockets that do nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use livebucket::codec::m3u8::Playlist;
use livebucket::codec::playback::{ForcedCuts, PlaybackChecker, PlaybackReport};
use livebucket::codec::rtmp::message::MediaKind;
use livebucket::limits;
use livebucket::media::MediaTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::http::{Client, connect_from, hmac_sha1, metric};
use crate::support::program::Program;
use crate::support::rtmp::{Answer, Publisher, Tag, capture, signed_query, signed_query_until};
use crate::support::viewer::idle;
use crate::support::{KEY, eventually};

const HOME: &str = "127.0.0.1";
/// Where the flood comes from, and one legitimate publisher and reader behind the same address.
const FLOOD: &str = "127.0.0.2";
/// Who only opens sockets.
const IDLER: &str = "127.0.0.3";
const SOCKETS_PER_ADDRESS: usize = 64;
/// How late a fragment may begin beside the flood, over four times what is usual on this machine today.
const LATE_MS_MAX: u64 = 1_500;

async fn from(local: &str, addr: SocketAddr) -> TcpStream {
    connect_from(local.parse().expect("an address"), addr).await.expect("listening")
}

// ---- the legitimate ------------------------------------------------------------------------------------------

/// A capture of pictures with B-frames and sound, six times over.
fn film() -> Vec<Tag> {
    let once = capture("ffmpeg_h264_bframes_aac.flv");
    let length = once.iter().map(|tag| tag.timestamp).max().expect("tags") + 40;
    let again =
        |round: u32| once.iter().map(move |tag| Tag { timestamp: tag.timestamp + round * length, ..tag.clone() });
    (0..6).flat_map(again).collect()
}

/// Pictures and sounds without headers and ends of sequence.
fn sent(tags: &[Tag], kind: MediaKind) -> u64 {
    tags.iter().filter(|tag| tag.kind == kind && tag.body.get(1) == Some(&1)).count() as u64
}

/// Publishes the film in slices; before each, `breath` is awaited.
async fn publish(program: &Program, local: &str, channel: &str, film: &[Tag], mut breath: impl AsyncFnMut()) {
    let stream = format!("{channel}?{}", signed_query("films", channel));
    let socket = from(local, program.addr).await;
    let (mut publisher, answer) = Publisher::open_on(socket, program.addr, "films/live", &stream).await;
    assert_eq!(answer, Answer::Published, "{local}");
    for slice in film.chunks(film.len().div_ceil(12)) {
        breath().await;
        publisher.send(slice).await;
    }
    publisher.finish().await;
    idle(&program.client(), channel).await;
}

fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("not so far off")
}

/// Publishes the film at the pace of its timestamps, as an encoder does. Of each key picture its timestamp, and when it was
/// sent by the clock that fragments are named by.
#[allow(clippy::disallowed_methods, reason = "an encoder sends in real time")]
async fn publish_paced(program: &Program, local: &str, channel: &str, film: &[Tag]) -> Vec<(u32, u64)> {
    let stream = format!("{channel}?{}", signed_query("films", channel));
    let socket = from(local, program.addr).await;
    let (mut publisher, answer) = Publisher::open_on(socket, program.addr, "films/live", &stream).await;
    assert_eq!(answer, Answer::Published, "{local}");
    let (began, mut sent) = (Instant::now(), Vec::new());
    for tag in film {
        let due = began + Duration::from_millis(u64::from(tag.timestamp));
        tokio::time::sleep_until(due.into()).await;
        if tag.kind == MediaKind::Video && tag.body[0] >> 4 == 1 && tag.body.get(1) == Some(&1) {
            sent.push((tag.timestamp, wall_ms()));
        }
        publisher.send(std::slice::from_ref(tag)).await;
    }
    publisher.finish().await;
    idle(&program.client(), channel).await;
    sent
}

/// How long after its key picture was sent each fragment began, in milliseconds. A fragment's name is the moment at which it
/// began, so the steps of the names are the EXTINFs but for what these differ.
fn delays(playlist: &Playlist, sent: &[(u32, u64)]) -> Vec<u64> {
    let mut at = MediaTime::ZERO;
    let mut delays = Vec::new();
    for segment in &playlist.segments {
        let name = segment.uri.split('.').next().and_then(|name| name.parse::<u64>().ok()).expect("milliseconds");
        let is_its = |(timestamp, _): &&(u32, u64)| {
            (MediaTime::from_millis(i64::from(*timestamp - sent[0].0)) - at).to_millis().abs() <= 5
        };
        let (_, sent) = sent.iter().find(is_its).unwrap_or_else(|| panic!("no key picture at {at:?}: {sent:?}"));
        // Names have whole milliseconds; the clock may be set by a little.
        assert!(name + 50 >= *sent, "named {name} before its key picture was sent at {sent}");
        delays.push(name.saturating_sub(*sent));
        at = at + segment.duration;
    }
    delays
}

/// The playlist of a channel, and what a player of it meets.
async fn play(client: &Client, channel: &str) -> (Playlist, PlaybackReport) {
    let text = client.get(&format!("/films/{channel}/playlist.m3u8")).await.expect(200).text();
    let playlist = Playlist::parse(&text).expect("a playlist");
    let forced = ForcedCuts { after: MediaTime::from_secs(60), bytes: u64::MAX };
    // Each channel is published to once.
    let mut checker = PlaybackChecker::new(&playlist, forced).of_one_connection(|_| true);
    for segment in &playlist.segments {
        let got = client.get(&format!("/films/{channel}/{}", segment.uri)).await.expect(200);
        checker.fragment(Ok(&got.body));
    }
    (playlist, checker.finish())
}

/// What a player must see whatever went on beside the publish: every fragment's duration and discontinuity, every unit.
fn shown(seen: &(Playlist, PlaybackReport)) -> (Vec<(MediaTime, bool)>, u64, u64) {
    let (playlist, report) = seen;
    assert!(report.is_clean(), "{report}\n{}", playlist.render());
    let units = |track: fn(&livebucket::codec::mpegts::check::FragmentReport) -> u64| {
        report.fragments.iter().flatten().map(track).sum::<u64>()
    };
    (
        playlist.segments.iter().map(|segment| (segment.duration, segment.discontinuity)).collect(),
        units(|fragment| fragment.video.map_or(0, |track| track.access_units)),
        units(|fragment| fragment.audio.map_or(0, |track| track.access_units)),
    )
}

// ---- the flood -----------------------------------------------------------------------------------------------

/// How often each answer was given.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Tally {
    fn count(&self, door: &'static str, answer: String) {
        *self.0.lock().expect("no panic holds it").entry((door, answer)).or_default() += 1;
    }

    fn total(&self) -> u64 {
        self.0.lock().expect("no panic holds it").values().sum()
    }

    fn of(&self, door: &str, answers: &[&str]) -> u64 {
        let counts = self.0.lock().expect("no panic holds it");
        counts.iter().filter(|((d, a), _)| *d == door && answers.contains(&a.as_str())).map(|(_, count)| count).sum()
    }
}

async fn refused_publish(addr: SocketAddr, stream: &str) -> String {
    let (_publisher, answer) = Publisher::open_on(from(FLOOD, addr).await, addr, "films/live", stream).await;
    match answer {
        Answer::Refused(_, description) => description.split(':').next().unwrap_or_default().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Status and code of one request on a socket of its own.
async fn request(local: &str, addr: SocketAddr, target: &str) -> (u16, String) {
    let mut socket = from(local, addr).await;
    let head = format!("GET {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("open");
    let mut text = String::new();
    socket.read_to_string(&mut text).await.expect("a whole answer");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    (status, code.to_owned())
}

async fn flood(addr: SocketAddr, worker: usize, over: &AtomicBool, tally: &Tally) {
    let wrong = signed_query_until("films", "cam1", 4_000_000_000, (KEY.0, "not the secret"));
    let nowhere = signed_query("films", "none");
    while !over.load(Ordering::Relaxed) {
        match worker % 4 {
            0 => tally.count("rtmp", refused_publish(addr, &format!("cam1?{wrong}")).await),
            1 => tally.count("rtmp", refused_publish(addr, &format!("none?{nowhere}")).await),
            2 => {
                let target = format!("/films/a?OSSAccessKeyId={}&Expires=4000000000&Signature=bm8%3D", KEY.0);
                tally.count("http", request(FLOOD, addr, &target).await.1);
            }
            _ => {
                let target = format!("/films/a?AWSAccessKeyId=guess{worker}&Expires=4000000000&Signature=bm8%3D");
                tally.count("http", request(FLOOD, addr, &target).await.1);
            }
        }
    }
}

/// Opens sockets and keeps them until the door has closed some; how many it closed.
async fn crowd(addr: SocketAddr) -> u64 {
    let mut open = Vec::new();
    let mut closed = 0;
    while closed < 16 {
        let mut socket = from(IDLER, addr).await;
        // Who is let in is asked for a version and told one (S0); who is not meets the end, or a reset.
        let mut said = [0];
        let answered = match socket.write_all(&[[3].as_slice(), &[0; 1536]].concat()).await {
            Ok(()) => socket.read(&mut said).await.unwrap_or(0),
            Err(_) => 0,
        };
        match answered {
            0 => closed += 1,
            _ => open.push(socket),
        }
    }
    assert!(open.len() >= SOCKETS_PER_ADDRESS, "{}", open.len());
    closed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refused_publishes_and_bad_signatures_leaves_publishers_unharmed() {
    let dir = tempfile::tempdir().expect("a directory");
    let per_address = SOCKETS_PER_ADDRESS.to_string();
    let limits = ["--trusted-addresses", "none", "--max-refusals-per-second", "1"];
    let program = Program::start(dir.path(), &[&limits[..], &["--max-connections-per-address", &per_address]].concat());
    let (client, addr) = (program.client(), program.addr);
    client.put("/films", "").await.expect(200);
    client.put("/films/a", "text").await.expect(200);
    const CHANNELS: [(&str, &str); 4] = [("alone", HOME), ("cam1", HOME), ("cam2", HOME), ("cam3", FLOOD)];
    const PACED: [&str; 3] = ["paced-alone", "paced", "paced-behind"];
    for channel in CHANNELS.iter().map(|(channel, _)| *channel).chain(PACED) {
        let body = "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>1</FragDuration>\
                    <FragCount>100</FragCount></Target></LiveChannelConfiguration>";
        client.put(&format!("/films/{channel}?live"), body).await.expect(200);
    }
    let film = film();
    publish(&program, HOME, "alone", &film, async || {}).await;
    let encoded: Vec<Tag> = film.iter().filter(|tag| tag.timestamp < 6_000).cloned().collect();
    let sent_alone = publish_paced(&program, HOME, PACED[0], &encoded).await;

    let (over, tally, began) = (AtomicBool::new(false), Tally::default(), Instant::now());
    let workers = futures_util::future::join_all((0..24).map(|worker| flood(addr, worker, &over, &tally)));
    let legitimate = async {
        let publishes = CHANNELS[1..].iter().map(|(channel, local)| {
            let mut seen = 0;
            let (film, tally, program) = (&film, &tally, &program);
            publish(program, local, channel, film, async move || {
                // Each slice goes out only after so much more of the flood was answered.
                seen += 8;
                eventually("the flood goes on", || async { (tally.total() >= seen).then_some(()) }).await;
                if *local == FLOOD {
                    let signature =
                        hmac_sha1(KEY.1, "GET\n\n\n4000000000\n/films/a").replace('+', "%2B").replace('/', "%2F");
                    let target = format!("/films/a?OSSAccessKeyId={}&Expires=4000000000&Signature={signature}", KEY.0);
                    assert_eq!(request(FLOOD, program.addr, &target).await.0, 200, "a good signature behind the flood");
                }
            })
        });
        let paced = futures_util::future::join(
            publish_paced(&program, HOME, PACED[1], &encoded),
            publish_paced(&program, FLOOD, PACED[2], &encoded),
        );
        let (_, (beside, behind)) = futures_util::future::join(futures_util::future::join_all(publishes), paced).await;
        over.store(true, Ordering::Relaxed);
        [sent_alone, beside, behind]
    };
    let (_, paced, closed) = tokio::join!(workers, legitimate, crowd(addr));
    let seconds = began.elapsed().as_secs();

    let alone = shown(&play(&client, "alone").await);
    assert!(alone.0.len() > 6 && alone.0.iter().all(|(_, discontinuity)| !discontinuity), "{alone:?}");
    assert_eq!((alone.1, alone.2), (sent(&film, MediaKind::Video), sent(&film, MediaKind::Audio)));
    for (channel, _) in &CHANNELS[1..] {
        assert_eq!(shown(&play(&client, channel).await), alone, "{channel}");
    }
    // Those that are sent in real time begin their fragments when their key pictures come, and not seconds later.
    let mut unhurried = 0;
    for (channel, sent_at) in PACED.iter().zip(&paced) {
        let seen = play(&client, channel).await;
        let (steps, video, audio) = shown(&seen);
        assert!(steps.len() >= 3 && steps.iter().all(|(_, discontinuity)| !discontinuity), "{channel}: {steps:?}");
        assert_eq!((video, audio), (sent(&encoded, MediaKind::Video), sent(&encoded, MediaKind::Audio)), "{channel}");
        let worst = delays(&seen.0, sent_at).into_iter().max().expect("fragments");
        match *channel {
            "paced-alone" => unhurried = worst,
            _ => assert!(worst <= 4 * unhurried + LATE_MS_MAX, "{channel}: {worst} ms, {unhurried} ms alone"),
        }
    }
    // What was answered with its reason: a burst, and one a second. Everything else was slowed, and counted.
    let precise = tally.of("rtmp", &["SignatureDoesNotMatch", "NoSuchLiveChannel"])
        + tally.of("http", &["SignatureDoesNotMatch", "InvalidAccessKeyId"]);
    let burst = u64::from(limits::REFUSAL_BURST_SECONDS);
    assert!((burst..=burst + seconds + 1).contains(&precise), "{precise} in {seconds} s");
    let slowed = (tally.of("rtmp", &["SlowDown"]), tally.of("http", &["SlowDown", "ServiceUnavailable"]));
    assert_eq!(precise + slowed.0 + slowed.1, tally.total(), "{:?}", tally.0);
    assert!(slowed.0 > 0 && slowed.1 > 0, "{:?}", tally.0);
    let counted = async |door: &str| {
        metric(program.admin, &format!("livebucket_refusals_limited_total{{door=\"{door}\"}}")).await
    };
    assert_eq!((counted("rtmp").await, counted("http").await), slowed);
    assert_eq!(metric(program.admin, "livebucket_sockets_over_address_limit_total{door=\"any\"}").await, closed);

    let (_, log) = program.terminate();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).count() as u64;
    assert_eq!(lines("SlowDown") + lines("ServiceUnavailable"), 0, "a line for each of them");
    let reports = lines("turned away");
    assert!((1..=seconds / limits::CROWD_REPORT_INTERVAL.as_secs() + 2).contains(&reports), "{reports} in {seconds} s");
}

// ---- the idle ------------------------------------------------------------------------------------------------

/// What one idle socket may cost, kernel aside: the buffers of a request that was answered, or of a handshake, and a task.
const IDLE_BYTES_MAX: u64 = 64 * 1024;

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a Linux status");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// How far an idle socket has come.
#[derive(Clone, Copy, Debug)]
enum Idle {
    /// Served once over HTTP, and kept.
    Kept,
    /// In the middle of RTMP's handshake.
    HalfShaken,
    /// `connect` was answered; it does not publish.
    Connected,
}

impl Idle {
    /// Nine of ten are kept-alive HTTP, which has the longest patience; of the others half have connected.
    fn of(n: usize, count: usize) -> Idle {
        match n {
            n if n < count / 20 => Idle::HalfShaken,
            n if n < count / 10 => Idle::Connected,
            _ => Idle::Kept,
        }
    }

    async fn open(self, addr: SocketAddr, local: IpAddr) -> TcpStream {
        let mut socket = connect_from(local, addr).await.expect("listening");
        let (hello, answer) = match self {
            Idle::Kept => (format!("HEAD /films/a HTTP/1.1\r\nHost: {addr}\r\n\r\n").into_bytes(), &b"\r\n\r\n"[..]),
            Idle::HalfShaken => ([&[3][..], &[0; 1536]].concat(), &[3][..]),
            // A server's answer may be waited for, and need not be.
            Idle::Connected => ([&[3][..], &[0; 2 * 1536], &connect_command()].concat(), &b"_result"[..]),
        };
        socket.write_all(&hello).await.expect("open");
        let mut said = Vec::new();
        while !said.windows(answer.len()).any(|window| window == answer) {
            assert_ne!(socket.read_buf(&mut said).await.expect("an answer"), 0, "{self:?}: {}", said.len());
        }
        socket
    }
}

/// `connect` to `films/live` in one chunk: Adobe's RTMP specification, 5.3.1 and 7.2.1.1.
fn connect_command() -> Vec<u8> {
    let text = |text: &str| [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat();
    let property = |name: &str, value: &str| [text(name), vec![2], text(value)].concat();
    let one = [&[0][..], &1f64.to_be_bytes()].concat();
    let object =
        [vec![3], property("app", "films/live"), property("tcUrl", "rtmp://a/films/live"), vec![0, 0, 9]].concat();
    let command = [vec![2], text("connect"), one, object].concat();
    let length = u8::try_from(command.len()).expect("short");
    assert!(length <= 128, "one chunk");
    [&[3, 0, 0, 0, 0, 0, length, 20, 0, 0, 0, 0], command.as_slice()].concat()
}

fn is_open(socket: &TcpStream) -> bool {
    match socket.try_read(&mut [0; 512]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// How many sockets the test opens: fewer than ten thousand only where the environment says so.
fn idle_sockets() -> usize {
    const WANTED: usize = 10_000;
    let name = "LIVEBUCKET_TEST_IDLE_SOCKETS";
    let count = match std::env::var(name) {
        Ok(count) => count.parse().unwrap_or_else(|_| panic!("{name} is no number: {count}")),
        Err(_) => WANTED,
    };
    // The program beside it takes as many, and leaves some to its files.
    let open_files = livebucket::net::descriptors::raise().unwrap_or(u64::MAX);
    let needed = count as u64 + limits::FILE_DESCRIPTORS_KEPT;
    assert!(
        open_files >= needed,
        "{count} sockets need {needed} files, and this process may open {open_files}: raise `ulimit -Hn`, or set {name}"
    );
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_macros, reason = "whoever runs the test should see what a socket costs")]
async fn ten_thousand_idle_sockets_cost_little_and_nobody_else() {
    let count = idle_sockets();
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    client
        .put(
            "/films/cam1?live",
            "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>",
        )
        .await
        .expect(200);
    for n in 0..200 {
        client.get(&format!("/films/{n}")).await.expect(404);
    }
    let before = resident(program.pid());
    let mut sockets: Vec<Option<TcpStream>> = (0..count).map(|_| None).collect();
    let mut open = 0;
    // Sockets that do nothing are given up in time. On a slow machine the first are before the last is there, and opened
    // again, those of the least patience last.
    for _ in 0..20 {
        for batch in (0..count).rev().collect::<Vec<_>>().chunks(100) {
            let opened =
                batch.iter().copied().filter(|n| !sockets[*n].as_ref().is_some_and(is_open)).map(|n| async move {
                    // Several addresses, because one has 28 000 ports.
                    (n, Idle::of(n, count).open(program.addr, IpAddr::from([127, 0, 1, 1 + (n % 100) as u8])).await)
                });
            for (n, socket) in futures_util::future::join_all(opened).await {
                sockets[n] = Some(socket);
            }
        }
        open = metric(program.admin, "livebucket_sockets{door=\"any\"}").await;
        if open >= count as u64 {
            break;
        }
    }
    assert!(open >= count as u64, "{open} of {count} sockets at once");
    let cost = resident(program.pid()).saturating_sub(before) / open;
    assert!(cost <= IDLE_BYTES_MAX, "{cost} bytes for each of {open} sockets");
    eprintln!("{cost} bytes for each of {open} idle sockets");

    // Beside them a publisher, a reader and the operator are served.
    let tags = capture("ffmpeg_h264_only.flv");
    let mut publisher = Publisher::publish(program.addr, "films", "cam1").await;
    publisher.send(&tags).await;
    publisher.finish().await;
    eventually("the playlist", || async {
        let got = client.get("/films/cam1/playlist.m3u8").await;
        (got.status == 200).then_some(())
    })
    .await;
    drop(sockets);
    eventually("they are gone", || async {
        (metric(program.admin, "livebucket_sockets{door=\"any\"}").await < 10).then_some(())
    })
    .await;
    program.terminate();
}
