//! `livebucket bench setup`, `get` and `put`: a plain HTTP/1.1 client, one thread a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::process::Usage;
use super::sign::SignArgs;
use super::{Failure, ServerArgs, failed, micros, percentiles, round};
use crate::auth::{SignedRequest, oss_v1};
use crate::clock::Clock;

/// Arguments of `livebucket bench setup`.
#[derive(Debug, clap::Args)]
pub struct SetupArgs {
    /// http://HOST:PORT of the server
    #[arg(long)]
    endpoint: String,
    /// Access key
    #[arg(long, env = "LIVEBUCKET_ACCESS_KEY")]
    access_key: String,
    /// Its secret
    #[arg(long, env = "LIVEBUCKET_SECRET_KEY")]
    secret_key: String,
    /// Bucket to make
    #[arg(long, default_value = "bench")]
    bucket: String,
    /// Channels to make in it: `ch-1`, `ch-2`, ...
    #[arg(long, default_value_t = 0)]
    channels: u32,
}

/// Arguments of `livebucket bench get`.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    /// http:// URL; `%n` in it becomes 1, 2, ... of the connection
    #[arg(long)]
    url: String,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    load: LoadArgs,
}

/// Arguments of `livebucket bench put`.
#[derive(Debug, clap::Args)]
pub struct PutArgs {
    /// http:// URL; `%n` in it becomes 1, 2, ... of the request, `%k` the same number as a key three folders deep
    #[arg(long)]
    url: String,
    /// Bytes of an object
    #[arg(long, default_value_t = 16 * 1024)]
    bytes: usize,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Debug, clap::Args)]
struct LoadArgs {
    /// Connections at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Seconds
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// So many requests instead, however long they take
    #[arg(long, value_name = "N")]
    requests: Option<u32>,
    #[command(flatten)]
    server: ServerArgs,
}

/// `%n` and `%k` replaced.
pub(super) fn numbered(url: &str, n: u32) -> String {
    url.replace("%n", &n.to_string()).replace("%k", &key(n))
}

/// `000/001/002` is the 1002nd: folders of a thousand folders of a thousand objects.
pub(super) fn key(n: u32) -> String {
    format!("{:03}/{:03}/{:03}", n / 1_000_000, n / 1_000 % 1_000, n % 1_000)
}

/// `http://HOST:PORT/TARGET`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HttpUrl {
    pub(super) address: String,
    pub(super) target: String,
}

impl HttpUrl {
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let rest = url.strip_prefix("http://").filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| Failure::usage(format!("`{url}` is not http://HOST:PORT/...")))?;
        let (address, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:80") };
        Ok(HttpUrl { address, target: if target.is_empty() { "/".to_owned() } else { target.to_owned() } })
    }
}

/// What a connection reads at once at most.
pub(super) const BUFFER: usize = 256 * 1024;

/// A kept-alive connection; one that the server ends behind an answer is made anew.
pub(super) struct Connection {
    stream: TcpStream,
    /// The last answer said so.
    ended: bool,
    buffer: Vec<u8>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Connection {
    #[allow(clippy::disallowed_methods, reason = "a load generator connects to what its operator names")]
    pub(super) fn open(address: &str, buffer_bytes: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // Behind 16 GiB of other uploads an answer waits for the disk.
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        Ok(Connection { stream, ended: false, buffer: vec![0; buffer_bytes] })
    }

    pub(super) fn request(
        &mut self,
        method: &str,
        url: &HttpUrl,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut kept = Vec::new();
        let (status, _) = self.exchange(method, url, headers, body, |piece| kept.extend_from_slice(piece))?;
        Ok(Answer { status, body: kept })
    }

    /// Status and length of the answer; the body goes to `sink` in pieces.
    pub(super) fn exchange(
        &mut self,
        method: &str,
        url: &HttpUrl,
        headers: &[(&str, &str)],
        body: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<(u16, usize)> {
        if self.ended {
            *self = Connection::open(&url.address, self.buffer.len())?;
        }
        let mut request = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", url.target, url.address);
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        if method != "GET" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        if body.len() <= 64 * 1024 {
            request.extend_from_slice(body);
            self.stream.write_all(&request)?;
        } else {
            self.stream.write_all(&request)?;
            self.stream.write_all(body)?;
        }
        let (status, length, mut have, begin) = self.head()?;
        let mut left = length;
        let mut from = begin;
        loop {
            let piece = (have - from).min(left);
            sink(&self.buffer[from..from + piece]);
            left -= piece;
            if left == 0 {
                return Ok((status, length));
            }
            (have, from) = (self.fill(0)?, 0);
        }
    }

    /// Status, `Content-Length`, bytes in the buffer and where the body begins in it.
    fn head(&mut self) -> io::Result<(u16, usize, usize, usize)> {
        let strange = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP/1.1 answer with a Content-Length");
        let mut have = 0;
        loop {
            have += self.fill(have)?;
            let Some(end) = self.buffer[..have].windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end]).map_err(|_| strange())?;
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(strange)?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            self.ended = head.lines().any(|line| line.eq_ignore_ascii_case("connection: close"));
            return Ok((status, length.ok_or_else(strange)?, have, end + 4));
        }
    }

    fn fill(&mut self, at: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[at..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(length),
        }
    }
}

/// Makes the bucket and its channels.
pub(super) fn setup(args: &SetupArgs, clock: &dyn Clock) -> Result<(), Failure> {
    let base = HttpUrl::parse(&args.endpoint)?;
    let explain = |error: io::Error| failed(&args.endpoint, error);
    let mut connection = Connection::open(&base.address, BUFFER).map_err(explain)?;
    let expires = clock.wall().unix_seconds() + 600;
    let mut put = |key: &str, query: &[(Vec<u8>, Vec<u8>)], headers: &[(&str, &str)], body: &str| {
        let signed: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let bucket = Some(args.bucket.as_str());
        let request = SignedRequest { method: "PUT", bucket, key: key.as_bytes(), headers: &signed, query };
        let query = oss_v1::sign_url_query(&request, &args.access_key, &args.secret_key, expires);
        let target = format!("/{}/{key}?{query}", args.bucket);
        let url = HttpUrl { target, ..base.clone() };
        let answer = connection.request("PUT", &url, headers, body.as_bytes()).map_err(explain)?;
        match answer.status {
            200 => Ok(()),
            status => Err(failed(&format!("PUT {key} ({status})"), String::from_utf8_lossy(&answer.body))),
        }
    };
    put("", &[], &[("x-oss-acl", "public-read-write")], "")?;
    let live = [(b"live".to_vec(), Vec::new())];
    let config = "<LiveChannelConfiguration><Description></Description><Status>enabled</Status><Target><Type>HLS</Type>\
                  <FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName>playlist.m3u8</PlaylistName>\
                  </Target></LiveChannelConfiguration>";
    (1..=args.channels).try_for_each(|n| put(&format!("ch-{n}"), &live, &[], config))
}

/// Reads one URL again and again.
pub(super) fn get(args: &GetArgs, clock: &dyn Clock) -> Result<serde_json::Value, Failure> {
    let url = |client| Ok(args.sign.sign(HttpUrl::parse(&numbered(&args.url, client))?, clock));
    let urls: Vec<HttpUrl> = (1..=args.load.connections).map(url).collect::<Result<_, Failure>>()?;
    load("get", &args.url, &args.load, clock, |connection, client, _| {
        let url = &urls[client as usize - 1];
        connection.exchange("GET", url, &[], &[], |_| {}).map_err(|error| failed(&args.url, error))
    })
}

/// Writes a new object each time.
pub(super) fn put(args: &PutArgs, clock: &dyn Clock) -> Result<serde_json::Value, Failure> {
    let body: Vec<u8> = (0..args.bytes).map(|n| (n as u8).wrapping_mul(37)).collect();
    load("put", &args.url, &args.load, clock, |connection, _, request| {
        let url = HttpUrl::parse(&numbered(&args.url, request))?;
        let (status, _) =
            connection.exchange("PUT", &url, &[], &body, |_| {}).map_err(|error| failed(&args.url, error))?;
        Ok((status, body.len()))
    })
}

/// Each connection asks, waits and asks again; `once` is given the connection's number and the request's.
fn load(
    bench: &str,
    url: &str,
    args: &LoadArgs,
    clock: &dyn Clock,
    once: impl Fn(&mut Connection, u32, u32) -> Result<(u16, usize), Failure> + Sync,
) -> Result<serde_json::Value, Failure> {
    let address = HttpUrl::parse(url)?.address;
    let before = Usage::of(&args.server.pid)?;
    let from = clock.monotonic();
    let end = from + Duration::from_secs(args.seconds.into());
    let requests = AtomicU32::new(0);
    let client = |number: u32| -> Result<(Vec<u32>, usize), Failure> {
        let mut connection = Connection::open(&address, BUFFER).map_err(|error| failed(&address, error))?;
        let (mut waits, mut bytes) = (Vec::new(), 0);
        loop {
            let request = requests.fetch_add(1, Ordering::Relaxed) + 1;
            let asked = clock.monotonic();
            if args.requests.map_or(asked >= end, |most| request > most) {
                return Ok((waits, bytes));
            }
            let (status, length) = once(&mut connection, number, request)?;
            if status != 200 {
                return Err(Failure::failed(format!("the server answered {status}")));
            }
            waits.push(micros(clock.monotonic() - asked));
            bytes += length;
        }
    };
    let clients: Vec<_> = std::thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (1..=args.connections).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().map(|client| client.join().expect("a client panicked")).collect()
    });
    let seconds = (clock.monotonic() - from).as_secs_f64();
    let after = Usage::of(&args.server.pid)?;
    let (mut waits, mut bytes) = (Vec::new(), 0);
    for client in clients {
        let (more_waits, more_bytes) = client?;
        waits.extend(more_waits);
        bytes += more_bytes;
    }
    let count = waits.len() as f64;
    let cpu = after.cpu_seconds() - before.cpu_seconds();
    Ok(serde_json::json!({
        "bench": bench,
        "connections": args.connections,
        "requests_per_second": round(count / seconds),
        "mb_per_second": round(bytes as f64 / 1e6 / seconds),
        "server": after.report(&before, "cpu_seconds_per_gb", bytes as f64 / 1e9),
        "cpu_micros_per_request": round(cpu * 1e6 / count),
        "wait_ms": percentiles(waits),
    }))
}
