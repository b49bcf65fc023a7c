//! `livebucket bench play`: players that stay connected, poll their channel's playlist, and fetch what is new in it.
//!
//! A few threads share the players, so that ten thousand cost the generator little. A wait counts from the moment at which
//! the request was due, so what the generator itself is late by is in it: a bound from above.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::http::{Connection, HttpUrl, numbered};
use super::process::Usage;
use super::sign::SignArgs;
use super::{Failure, ServerArgs, failed, micros, percentiles, round, wait_until};
use crate::clock::{Clock, Monotonic};

/// Arguments of `livebucket bench play`.
#[derive(Debug, clap::Args)]
pub struct PlayArgs {
    /// http:// URL of a playlist; `%n` in it becomes 1, 2, ... of the channel
    #[arg(long)]
    url: String,
    /// Players, each with its connection
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Channels that they watch
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    channels: u32,
    /// Milliseconds between two polls of a player
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
    /// One player in so many also fetches each new fragment; 0: none does
    #[arg(long, default_value_t = 0)]
    fetching: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Threads that ask
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    server: ServerArgs,
}

struct Player {
    connection: Connection,
    playlist: HttpUrl,
    fetches: bool,
    /// The last fragment that it has seen named.
    newest: String,
}

/// What one thread saw.
#[derive(Default)]
struct Seen {
    playlists: Vec<u32>,
    fragments: Vec<u32>,
    bytes: usize,
}

/// Runs the command; the report.
pub(super) fn run(args: &PlayArgs, clock: &dyn Clock) -> Result<serde_json::Value, Failure> {
    let empty = Usage::of(&args.server.pid)?;
    let mut shares: Vec<Vec<(u32, Player)>> = (0..args.threads).map(|_| Vec::new()).collect();
    for n in 0..args.connections {
        let mut player = Player::connect(args, n, clock)?;
        player.poll(&mut Seen::default(), clock.monotonic(), clock)?;
        shares[(n % args.threads) as usize].push((n, player));
    }
    let before = Usage::of(&args.server.pid)?;
    let from = clock.monotonic();
    let seen: Vec<_> = std::thread::scope(|scope| {
        let asking = shares.into_iter().map(|share| scope.spawn(move || ask(share, args, from, clock)));
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    });
    let seconds = (clock.monotonic() - from).as_secs_f64();
    let after = Usage::of(&args.server.pid)?;
    let mut all = Seen::default();
    for seen in seen {
        let seen = seen?;
        all.playlists.extend(seen.playlists);
        all.fragments.extend(seen.fragments);
        all.bytes += seen.bytes;
    }
    let requests = (all.playlists.len() + all.fragments.len()) as f64;
    let grown = before.resident_bytes as f64 - empty.resident_bytes as f64;
    Ok(serde_json::json!({
        "bench": "play",
        "connections": args.connections,
        "requests_per_second": round(requests / seconds),
        "mb_per_second": round(all.bytes as f64 / 1e6 / seconds),
        "server": after.report(&before, "cpu_seconds_per_gb", all.bytes as f64 / 1e9),
        "cpu_micros_per_request": round((after.cpu_seconds() - before.cpu_seconds()) * 1e6 / requests),
        "resident_kb_per_connection": round(grown / 1e3 / f64::from(args.connections)),
        "playlist_ms": percentiles(all.playlists),
        "fragment_ms": percentiles(all.fragments),
    }))
}

/// Has each player poll when it is due, spread over the interval.
fn ask(mut share: Vec<(u32, Player)>, args: &PlayArgs, from: Monotonic, clock: &dyn Clock) -> Result<Seen, Failure> {
    let interval = Duration::from_millis(args.interval.into());
    let end = from + Duration::from_secs(args.seconds.into());
    let offset = |n: u32| interval.mul_f64(f64::from(n) / f64::from(args.connections));
    let mut due: BinaryHeap<_> =
        share.iter().enumerate().map(|(at, (n, _))| Reverse((from + offset(*n), at))).collect();
    let mut seen = Seen::default();
    while let Some(Reverse((at, player))) = due.pop().filter(|Reverse((at, _))| *at < end) {
        wait_until(clock, at);
        share[player].1.poll(&mut seen, at, clock)?;
        due.push(Reverse((at + interval, player)));
    }
    Ok(seen)
}

impl Player {
    fn connect(args: &PlayArgs, n: u32, clock: &dyn Clock) -> Result<Self, Failure> {
        let playlist = HttpUrl::parse(&numbered(&args.url, n % args.channels + 1))?;
        let fetches = args.fetching > 0 && n.is_multiple_of(args.fetching);
        let buffer = if fetches { 256 * 1024 } else { 8 * 1024 };
        let connection = Connection::open(&playlist.address, buffer);
        let connection = connection.map_err(|error| failed(&format!("player {n}"), error))?;
        Ok(Player { connection, playlist: args.sign.sign(playlist, clock), fetches, newest: String::new() })
    }

    /// Asks for the playlist, which was due at `due`, and for its newest fragment where that is new.
    fn poll(&mut self, seen: &mut Seen, due: Monotonic, clock: &dyn Clock) -> Result<(), Failure> {
        let explain = |error: std::io::Error| failed(&self.playlist.target, error);
        let answer = self.connection.request("GET", &self.playlist, &[], &[]).map_err(explain)?;
        seen.playlists.push(micros(clock.monotonic() - due));
        seen.bytes += answer.body.len();
        let text = String::from_utf8_lossy(&answer.body);
        let newest = text.lines().rfind(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
        if answer.status != 200 || newest.is_empty() {
            return Err(failed(&self.playlist.target, format!("{} and no playlist", answer.status)));
        }
        if !self.fetches || newest == self.newest {
            return Ok(());
        }
        let path = self.playlist.target.split('?').next().unwrap_or_default();
        let target = match newest.split_once("://") {
            Some((_, rest)) => rest[rest.find('/').unwrap_or(rest.len())..].to_owned(),
            None => format!("{}/{newest}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        let url = HttpUrl { target, ..self.playlist.clone() };
        let asked = clock.monotonic();
        let (status, length) =
            self.connection.exchange("GET", &url, &[], &[], |_| {}).map_err(|error| failed(&url.target, error))?;
        if status != 200 {
            return Err(failed(&url.target, status));
        }
        seen.fragments.push(micros(clock.monotonic() - asked));
        seen.bytes += length;
        self.newest = newest.to_owned();
        Ok(())
    }
}
