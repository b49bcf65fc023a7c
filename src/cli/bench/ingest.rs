//! `livebucket bench ingest`: publishers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::{Buf, Bytes};

use super::http::{BUFFER, Connection, HttpUrl, numbered};
use super::process::Usage;
use super::stream::{Loop, Tag};
use super::{Failure, ServerArgs, failed, micros, percentiles, round, wait_until};
use crate::clock::{Clock, Monotonic};
use crate::codec::rtmp::{ClientConfig, ClientEvent, ClientOutput, ClientPeer, MediaKind};

/// Arguments of `livebucket bench ingest`.
#[derive(Debug, clap::Args)]
pub struct IngestArgs {
    /// rtmp://HOST:PORT/APP/STREAM; `%n` in it becomes 1, 2, ... of the publisher
    #[arg(long)]
    url: String,
    /// Publishers at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    publishers: u32,
    /// Publishers besides them that were accepted and send nothing; a server may give one up after some seconds
    #[arg(long, default_value_t = 0)]
    idle: u32,
    /// Seconds that are measured; flat out: seconds of sending
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Seconds before them, in real time only
    #[arg(long, default_value_t = 8)]
    warmup: u32,
    /// Send as fast as the server takes it
    #[arg(long)]
    flat_out: bool,
    /// Flat out: end after so many MB of each publisher
    #[arg(long, value_name = "MB")]
    megabytes: Option<u64>,
    /// Bit rate of the made-up video; 128 kbit/s of audio go with it
    #[arg(long, default_value_t = 2_500)]
    kbit: u32,
    /// FLV file (H.264, AAC) that is sent in place of the made-up stream
    #[arg(long, value_name = "FILE")]
    flv: Option<PathBuf>,
    /// Chunk size of what is sent
    #[arg(long, default_value_t = 4_096)]
    chunk: u32,
    /// Threads that send
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// http:// URL of a publisher's playlist, `%n` as above: how long after a fragment's end is it listed
    #[arg(long, value_name = "URL")]
    playlist: Option<String>,
    /// Publishers whose playlists are watched
    #[arg(long, default_value_t = 8)]
    watch: u32,
    /// Seconds after which the server cuts: the watched key frames are the first of each such span
    #[arg(long, default_value_t = 5)]
    fragment: u32,
    #[command(flatten)]
    server: ServerArgs,
}

/// `rtmp://HOST:PORT/APP/STREAM`, where APP may hold slashes.
struct RtmpUrl {
    address: String,
    tc_url: String,
    app: String,
    name: String,
}

impl RtmpUrl {
    fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::usage(format!("`{url}` is not rtmp://HOST:PORT/APP/STREAM"));
        let rest = url.strip_prefix("rtmp://").ok_or_else(wrong)?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (host, path) = path.split_once('/').ok_or_else(wrong)?;
        let (app, name) = path.rsplit_once('/').ok_or_else(wrong)?;
        let name = query.map_or_else(|| name.to_owned(), |query| format!("{name}?{query}"));
        let address = if host.contains(':') { host.to_owned() } else { format!("{host}:1935") };
        Ok(RtmpUrl { address, tc_url: format!("rtmp://{host}/{app}"), app: app.to_owned(), name })
    }
}

/// One encoder.
struct Publisher {
    index: u32,
    stream: TcpStream,
    peer: ClientPeer,
    /// What the socket did not take at once, and when it was due.
    unsent: VecDeque<(Monotonic, Bytes)>,
    accepted_after: Duration,
    /// Media time of the loop's present round.
    round_ms: u32,
    next_tag: usize,
    sent_bytes: u64,
}

/// What came of the sending.
#[derive(Default)]
struct Sent {
    bytes: u64,
    lateness: Vec<u32>,
    /// Publishers whose end the server did not answer: it had not read all that was sent.
    unanswered: u32,
}

/// A watched key frame that was sent.
struct Cut {
    sent: Monotonic,
    /// Not in the warm-up.
    counts: bool,
}

/// A span of the clock.
#[derive(Clone, Copy)]
struct Span {
    begin: Monotonic,
    /// Before it, what happens is not counted.
    count_from: Monotonic,
    end: Monotonic,
}

/// Runs the command; the report.
pub(super) fn run(args: &IngestArgs, clock: &dyn Clock) -> Result<serde_json::Value, Failure> {
    let media = match &args.flv {
        Some(path) => Loop::of_file(path)?,
        None => Loop::synthetic(args.kbit),
    };
    let before = Usage::of(&args.server.pid)?;
    let mut publishers = Vec::new();
    for index in 1..=args.publishers {
        publishers.push(Publisher::connect(args, index, &media, clock)?);
    }
    let with_publishers = Usage::of(&args.server.pid)?;
    let mut idle = Vec::new();
    for index in args.publishers + 1..=args.publishers + args.idle {
        idle.push(Publisher::connect(args, index, &media, clock)?);
    }
    let with_idle = Usage::of(&args.server.pid)?;
    let accepted = publishers.iter().chain(&idle).map(|publisher| micros(publisher.accepted_after)).collect();
    let mut report = if args.flat_out {
        flat_out(args, publishers, &media, before, clock)?
    } else {
        real_time(args, publishers, &media, before, clock)?
    };
    report["publishers"] = args.publishers.into();
    if args.idle > 0 {
        let grown = with_idle.resident_bytes as f64 - with_publishers.resident_bytes as f64;
        report["idle"] = serde_json::json!({
            "publishers": args.idle,
            "lost": idle.iter_mut().map(Publisher::is_open).filter(|open| !open).count(),
            "resident_kb_each": round(grown / 1e3 / f64::from(args.idle)),
        });
    }
    report["accepted_ms"] = percentiles(accepted);
    Ok(report)
}

fn real_time(
    args: &IngestArgs,
    publishers: Vec<Publisher>,
    media: &Loop,
    before: Usage,
    clock: &dyn Clock,
) -> Result<serde_json::Value, Failure> {
    let begin = clock.monotonic() + Duration::from_millis(50);
    let count_from = begin + Duration::from_secs(args.warmup.into());
    let span = Span { begin, count_from, end: count_from + Duration::from_secs(args.seconds.into()) };
    let mut shares: Vec<Vec<Publisher>> = (0..args.threads).map(|_| Vec::new()).collect();
    for (n, publisher) in publishers.into_iter().enumerate() {
        shares[n % args.threads as usize].push(publisher);
    }
    let (watches, watchers) = watches(args)?;
    let delays = Mutex::new(Vec::new());
    let (sent, measured) = std::thread::scope(|scope| {
        for (url, cuts) in watchers {
            let delays = &delays;
            scope.spawn(move || watch(&url, cuts, clock, delays));
        }
        let senders: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let watches = watches.clone();
                scope.spawn(move || send_in_real_time(share, args, media, span, clock, &watches))
            })
            .collect();
        drop(watches);
        wait_until(clock, span.count_from);
        let from = Usage::of(&args.server.pid);
        wait_until(clock, span.end);
        let to = Usage::of(&args.server.pid);
        let sent: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("a sender panicked")).collect();
        (sent, from.and_then(|from| Ok((from, to?))))
    });
    let (from, to) = measured?;
    let mut total = Sent::default();
    for sent in sent {
        let sent = sent?;
        total.bytes += sent.bytes;
        total.lateness.extend(sent.lateness);
        total.unanswered += sent.unanswered;
    }
    let minutes = f64::from(args.publishers) * f64::from(args.seconds) / 60.0;
    let grown = to.resident_bytes as f64 - before.resident_bytes as f64;
    Ok(serde_json::json!({
        "bench": "ingest",
        "seconds": args.seconds,
        "mbit_per_second": round(total.bytes as f64 * 8e-6 / f64::from(args.seconds)),
        "server": to.report(&from, "cpu_seconds_per_stream_minute", minutes),
        "resident_mb_per_publisher": round(grown / 1e6 / f64::from(args.publishers)),
        "late_ms": percentiles(total.lateness),
        "unanswered": total.unanswered,
        "playlist_ms": percentiles(delays.into_inner().expect("no watcher panicked")),
    }))
}

fn flat_out(
    args: &IngestArgs,
    publishers: Vec<Publisher>,
    media: &Loop,
    before: Usage,
    clock: &dyn Clock,
) -> Result<serde_json::Value, Failure> {
    let from = clock.monotonic();
    let end = from + Duration::from_secs(args.seconds.into());
    let bytes_max = args.megabytes.map_or(u64::MAX, |megabytes| megabytes * 1_000_000);
    let ended: Vec<_> = std::thread::scope(|scope| {
        let senders: Vec<_> = publishers
            .into_iter()
            .map(|publisher| scope.spawn(move || publisher.send_flat_out(media, clock, end, bytes_max)))
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender panicked")).collect()
    });
    let seconds = (clock.monotonic() - from).as_secs_f64();
    let to = Usage::of(&args.server.pid)?;
    let bytes = ended.into_iter().sum::<Result<u64, Failure>>()? as f64;
    Ok(serde_json::json!({
        "bench": "ingest",
        "flat_out": true,
        "seconds": round(seconds),
        "gb": round(bytes / 1e9),
        "mb_per_second": round(bytes / 1e6 / seconds),
        "server": to.report(&before, "cpu_seconds_per_gb", bytes / 1e9),
    }))
}

/// Sends each tag when it is due, many publishers from one thread.
fn send_in_real_time(
    mut share: Vec<Publisher>,
    args: &IngestArgs,
    media: &Loop,
    span: Span,
    clock: &dyn Clock,
    watches: &[SyncSender<Cut>],
) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    // Spread over the loop, so that the key frames of all do not fall together.
    let offset = |publisher: &Publisher| {
        Duration::from_millis(
            u64::from(media.duration_ms) * u64::from(publisher.index - 1) / u64::from(args.publishers),
        )
    };
    let begins: Vec<_> = share.iter().map(|publisher| span.begin + offset(publisher)).collect();
    let mut due: BinaryHeap<_> = begins.iter().enumerate().map(|(n, begin)| Reverse((*begin, n))).collect();
    let mut next_cut = vec![args.fragment * 1_000; share.len()];
    while let Some(Reverse((at, n))) = due.pop() {
        if at >= span.end {
            break;
        }
        wait_until(clock, at);
        let publisher = &mut share[n];
        let (tag, timestamp) = publisher.next_tag(media);
        let cuts = tag.keyframe && timestamp >= next_cut[n];
        publisher.queue(tag.kind, timestamp, &tag.body)?;
        publisher.send_what_fits(at, |due| {
            if due >= span.count_from {
                sent.lateness.push(micros(clock.monotonic() - due));
            }
        })?;
        let now = clock.monotonic();
        if at >= span.count_from {
            sent.bytes += tag.body.len() as u64;
        }
        if cuts {
            next_cut[n] = timestamp + args.fragment * 1_000;
            if let Some(watch) = watches.get(publisher.index as usize - 1) {
                // A watcher that is still at the last fragment does without this one.
                let _ = watch.try_send(Cut { sent: now, counts: at >= span.count_from });
            }
        }
        due.push(Reverse((begins[n] + Duration::from_millis(publisher.peek_ms(media).into()), n)));
    }
    // What is still here has been late since it was due; what the kernel holds for a server that has stopped reading is
    // seen by the farewell.
    for publisher in &share {
        sent.lateness.extend(publisher.unsent.iter().map(|(due, _)| micros(clock.monotonic() - *due)));
    }
    let said: Vec<_> = share.iter_mut().map(|publisher| publisher.say_farewell().is_ok()).collect();
    for (mut publisher, said) in share.into_iter().zip(said) {
        // A close is an answer too: not every server confirms.
        sent.unanswered += u32::from(!(said && publisher.event().is_ok()));
    }
    Ok(sent)
}

impl Publisher {
    /// Connects and publishes; the time from the connect to the granted publish is kept.
    #[allow(clippy::disallowed_methods, reason = "a load generator connects to what its operator names")]
    fn connect(args: &IngestArgs, index: u32, media: &Loop, clock: &dyn Clock) -> Result<Self, Failure> {
        let url = RtmpUrl::parse(&numbered(&args.url, index))?;
        let from = clock.monotonic();
        let stream = TcpStream::connect(&url.address).map_err(|error| failed(&url.address, error))?;
        let explain = |error: io::Error| failed(&format!("publisher {index}"), error);
        stream.set_nodelay(true).map_err(explain)?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(explain)?;
        let config = ClientConfig { chunk_size: args.chunk, ..ClientConfig::default() };
        let peer = ClientPeer::new(config, [7; 1528]);
        let unsent = VecDeque::new();
        let accepted_after = Duration::ZERO;
        let mut publisher =
            Publisher { index, stream, peer, unsent, accepted_after, round_ms: 0, next_tag: 0, sent_bytes: 0 };
        publisher.peer.publish(&url.app, &url.tc_url, &url.name);
        match publisher.event().map_err(explain)? {
            Some(ClientEvent::Published { .. }) => {}
            Some(ClientEvent::Refused { code, description }) => {
                return Err(failed(&url.name, format!("refused: {code}: {description}")));
            }
            other => return Err(failed(&url.name, format!("no publish: {other:?}"))),
        }
        publisher.accepted_after = clock.monotonic() - from;
        for (kind, body) in &media.headers {
            publisher.queue(*kind, 0, body)?;
        }
        publisher.send_all().map_err(explain)?;
        publisher.stream.set_nonblocking(!args.flat_out).map_err(explain)?;
        Ok(publisher)
    }

    /// Sends what waits and reads until something happens; `None` when the server closed.
    fn event(&mut self) -> io::Result<Option<ClientEvent>> {
        let mut buffer = [0; 4_096];
        loop {
            while let Some(output) = self.peer.next_output() {
                match output {
                    ClientOutput::Send(bytes) => self.stream.write_all(&bytes)?,
                    ClientOutput::Event(event) => return Ok(Some(event)),
                }
            }
            match self.stream.read(&mut buffer)? {
                0 => return Ok(None),
                length => self.peer.feed(&buffer[..length]).map_err(io::Error::other)?,
            }
        }
    }

    /// Whether the server still holds the socket: it may have said something, but neither closed nor reset it.
    fn is_open(&mut self) -> bool {
        let mut buffer = [0; 4_096];
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// The next tag of the endless loop, and its timestamp on the wire.
    fn next_tag<'a>(&mut self, media: &'a Loop) -> (&'a Tag, u32) {
        let tag = &media.tags[self.next_tag];
        let timestamp = self.round_ms.wrapping_add(tag.at_ms);
        self.next_tag += 1;
        if self.next_tag == media.tags.len() {
            (self.next_tag, self.round_ms) = (0, self.round_ms.wrapping_add(media.duration_ms));
        }
        (tag, timestamp)
    }

    fn peek_ms(&self, media: &Loop) -> u32 {
        self.round_ms.wrapping_add(media.tags[self.next_tag].at_ms)
    }

    fn queue(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) -> Result<(), Failure> {
        self.peer.media(kind, timestamp, body).map_err(|error| failed("the stream", error))
    }

    fn send_all(&mut self) -> io::Result<()> {
        while let Some(output) = self.peer.next_output() {
            if let ClientOutput::Send(bytes) = output {
                self.stream.write_all(&bytes)?;
                self.sent_bytes += bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// Never waits: a server that lags is waited for by nobody but its publisher, whose next tag takes the rest along.
    /// `late` is told of each tag that is gone, with the time at which it was due.
    fn send_what_fits(&mut self, due: Monotonic, mut late: impl FnMut(Monotonic)) -> Result<(), Failure> {
        while let Some(output) = self.peer.next_output() {
            if let ClientOutput::Send(bytes) = output {
                self.unsent.push_back((due, bytes));
            }
        }
        while let Some((due, bytes)) = self.unsent.front_mut() {
            match self.stream.write(bytes) {
                Ok(length) => {
                    self.sent_bytes += length as u64;
                    bytes.advance(length);
                    if bytes.is_empty() {
                        late(*due);
                        self.unsent.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(failed(&format!("publisher {} was cut off", self.index), error)),
            }
        }
        Ok(())
    }

    /// Unpublishes; the answer comes once the server has read everything.
    fn say_farewell(&mut self) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        self.stream.set_write_timeout(Some(Duration::from_secs(3)))?;
        while let Some((_, bytes)) = self.unsent.pop_front() {
            self.stream.write_all(&bytes)?;
        }
        self.peer.unpublish();
        self.send_all()?;
        self.stream.shutdown(Shutdown::Write)
    }

    /// Sends to the end, unpublishes, waits until the server has closed or confirmed; the bytes that were sent.
    fn send_flat_out(
        mut self,
        media: &Loop,
        clock: &dyn Clock,
        end: Monotonic,
        bytes_max: u64,
    ) -> Result<u64, Failure> {
        let index = self.index;
        let explain = |error: io::Error| failed(&format!("publisher {index} was cut off"), error);
        while self.sent_bytes < bytes_max && clock.monotonic() < end {
            for _ in 0..16 {
                let (tag, timestamp) = self.next_tag(media);
                self.queue(tag.kind, timestamp, &tag.body)?;
            }
            self.send_all().map_err(explain)?;
        }
        self.peer.unpublish();
        self.send_all().map_err(explain)?;
        self.stream.shutdown(Shutdown::Write).map_err(explain)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(explain)?;
        // Everything is taken once the server has nothing more to say; how it closes says nothing.
        while let Ok(Some(_)) = self.event() {}
        Ok(self.sent_bytes)
    }
}

type Watches = (Vec<SyncSender<Cut>>, Vec<(HttpUrl, Receiver<Cut>)>);

fn watches(args: &IngestArgs) -> Result<Watches, Failure> {
    let Some(url) = &args.playlist else { return Ok((Vec::new(), Vec::new())) };
    let mut both = (Vec::new(), Vec::new());
    for index in 1..=args.watch.min(args.publishers) {
        let (send, receive) = sync_channel(1);
        both.0.push(send);
        both.1.push((HttpUrl::parse(&numbered(url, index))?, receive));
    }
    Ok(both)
}

/// From a cutting key frame that was sent to the first answer that differs: polled every other millisecond.
fn watch(url: &HttpUrl, cuts: Receiver<Cut>, clock: &dyn Clock, delays: &Mutex<Vec<u32>>) {
    let Ok(mut connection) = Connection::open(&url.address, BUFFER) else { return };
    // While there is no playlist yet, each refusal differs from the last: it says which request it was.
    let mut ask = || match connection.request("GET", url, &[], &[]) {
        Ok(answer) if answer.status == 200 => answer.body,
        _ => Vec::new(),
    };
    let mut before = ask();
    while let Ok(cut) = cuts.recv() {
        while clock.monotonic() < cut.sent + Duration::from_secs(2) {
            let now = ask();
            if now != before {
                if cut.counts {
                    delays.lock().expect("no watcher panics").push(micros(clock.monotonic() - cut.sent));
                }
                before = now;
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_as_encoders_split_it() {
        let url = RtmpUrl::parse("rtmp://127.0.0.1:9000/b/live/ch-7?Expires=1").expect("a URL");
        assert_eq!((url.address.as_str(), url.app.as_str()), ("127.0.0.1:9000", "b/live"));
        assert_eq!((url.tc_url.as_str(), url.name.as_str()), ("rtmp://127.0.0.1:9000/b/live", "ch-7?Expires=1"));
        assert_eq!(RtmpUrl::parse("rtmp://host/live/x").expect("a URL").address, "host:1935");
        assert!(RtmpUrl::parse("http://host/live/x").is_err() && RtmpUrl::parse("rtmp://host/x").is_err());
    }
}
