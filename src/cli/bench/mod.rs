//! `livebucket bench`: loads a running server and says what it cost. Each command prints one JSON line.
//!
//! The load is made by this process; the server's figures are read from `/proc/PID` of the processes that are named with
//! `--pid`, so that the generator's cost never counts as the server's. Nothing here knows our own server: the publishers
//! speak plain RTMP and the clients plain HTTP, so that other servers are measured by the same commands.

use std::sync::Arc;

use clap::Subcommand;

use super::Failure;
use crate::clock::{Clock, SystemClock};
use crate::net::descriptors;

mod http;
mod ingest;
mod list;
mod play;
mod plot;
mod process;
mod sign;
mod stream;

/// Loads.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Make a public-read-write bucket with channels for the other commands
    Setup(http::SetupArgs),
    /// Publish over RTMP: in real time, or as fast as the server takes it
    Ingest(ingest::IngestArgs),
    /// GET a URL over kept-alive connections
    Get(http::GetArgs),
    /// Players that stay connected and poll the playlists of live channels
    Play(play::PlayArgs),
    /// PUT objects over kept-alive connections
    Put(http::PutArgs),
    /// List a bucket that `put` has filled with keys `%k`: pages from anywhere, prefixes, delimiters
    List(list::ListArgs),
    /// Draw figures, lines of `SERIES<tab>X<tab>Y` on standard input, as an SVG
    Plot(plot::PlotArgs),
}

/// Whose cost is measured.
#[derive(Clone, Debug, clap::Args)]
struct ServerArgs {
    /// Process of the server (repeatable: a server may be several)
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
}

/// Runs the command.
pub fn run(command: BenchCommand) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    descriptors::raise();
    let report = match command {
        BenchCommand::Setup(args) => return http::setup(&args, &*clock),
        BenchCommand::Plot(args) => return plot::run(&args),
        BenchCommand::Ingest(args) => ingest::run(&args, &*clock)?,
        BenchCommand::Get(args) => http::get(&args, &*clock)?,
        BenchCommand::Play(args) => play::run(&args, &*clock)?,
        BenchCommand::Put(args) => http::put(&args, &*clock)?,
        BenchCommand::List(args) => list::run(&args, &*clock)?,
    };
    println!("{report}");
    Ok(())
}

/// Percentiles of microseconds, as milliseconds; `null` without any sample.
fn percentiles(mut micros: Vec<u32>) -> serde_json::Value {
    if micros.is_empty() {
        return serde_json::Value::Null;
    }
    micros.sort_unstable();
    let at = |share: f64| f64::from(micros[((micros.len() - 1) as f64 * share).round() as usize]) / 1e3;
    serde_json::json!({ "n": micros.len(), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0) })
}

fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn wait_until(clock: &dyn Clock, at: crate::clock::Monotonic) {
    let wait = at - clock.monotonic();
    if wait > std::time::Duration::ZERO {
        std::thread::sleep(wait);
    }
}

/// A figure with as many digits as it is good for.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

fn failed(doing: &str, error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("{doing}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_samples() {
        assert_eq!(percentiles(Vec::new()), serde_json::Value::Null);
        let found = percentiles((1..=1_000).rev().map(|n| n * 1_000).collect());
        assert_eq!((found["p50"].as_f64(), found["p99"].as_f64()), (Some(501.0), Some(990.0)));
        assert_eq!((found["max"].as_f64(), found["n"].as_u64()), (Some(1_000.0), Some(1_000)));
    }

    #[test]
    fn figures_keep_four_digits() {
        assert_eq!(
            (round(0.0), round(0.012_345_6), round(1_234.56), round(98_765.0)),
            (0.0, 0.01235, 1_235.0, 98_770.0)
        );
    }
}
