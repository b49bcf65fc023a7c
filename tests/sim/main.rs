//! Whole lives of a service from a seed: publishers over RTMP, clients, jobs, crashes, on a disk that fails, under a clock
//! that moves when nothing else can. After every step the invariants of `ARCHITECTURE.md` hold.
//!
//! * `cargo test --test sim` runs a fixed number of seeds.
//! * `LIVEBUCKET_SIM_SEED=17 cargo test --test sim -- --nocapture replay` runs one and tells all that happens.
//! * `LIVEBUCKET_SIM_SEEDS=100000 LIVEBUCKET_SIM_FROM=5000 cargo test --release --test sim -- --nocapture range` runs many,
//!   on every core.

#[path = "../it/random/chance.rs"]
mod chance;
mod check;
mod client;
mod driver;
mod operators;
mod oracle;
mod publisher;
mod socket;
mod stores;
mod world;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::driver::{Outcome, run};
use crate::world::Tally;

/// Who owns everything.
const ACCOUNT: &str = "owner";
/// The account's key.
const KEY: (&str, &str) = ("simAccessKeyId", "simAccessKeySecret");
/// One bucket that never kept versions, and one that does and may lock them.
const BUCKETS: [&str; 2] = ["films", "vault"];

/// Seeds that every test run tries: some ten seconds of a processor.
const SEEDS: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[track_caller]
fn expect_sound(outcome: &Outcome) {
    if let Some(failure) = &outcome.failure {
        let Outcome { seed, trace, .. } = outcome;
        panic!(
            "{trace}\n\nseed {seed} fails: {failure}\n\
             replay: LIVEBUCKET_SIM_SEED={seed} cargo test --test sim -- --nocapture replay"
        );
    }
}

#[allow(clippy::disallowed_macros, reason = "whoever replays a seed wants to read it")]
fn show(text: &str) {
    println!("{text}");
}

fn add(sum: &mut Tally, tally: &Tally) {
    for (what, count) in tally {
        *sum.entry(what).or_default() += count;
    }
}

/// Runs seeds on so many threads; the first failure ends them. Returns what happened in all.
fn run_range(from: u64, seeds: u64, threads: usize) -> Tally {
    let (next, sum, failed) = (AtomicU64::new(from), Mutex::new(Tally::new()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || failed.lock().expect("short").is_some() {
                        return;
                    }
                    let outcome = run(seed, false);
                    if (seed + 1 - from).is_multiple_of(1_000) {
                        show(&format!("seed {seed} is done"));
                    }
                    add(&mut sum.lock().expect("short"), &outcome.tally);
                    if outcome.failure.is_some() {
                        failed.lock().expect("short").get_or_insert(outcome);
                    }
                }
            });
        }
    });
    if let Some(outcome) = failed.into_inner().expect("short") {
        expect_sound(&outcome);
    }
    sum.into_inner().expect("short")
}

fn table(tally: &Tally) -> String {
    tally.iter().fold(String::new(), |mut text, (what, count)| {
        writeln!(text, "{count:>12} {what}").expect("a String takes everything");
        text
    })
}

/// The budget of every test run, and that it was worth it: each kind of thing has happened.
#[test]
fn whatever_happens_the_invariants_hold() {
    let tally = run_range(0, SEEDS, 2);
    for what in [
        "lives",
        "kills",
        "crashes at a call",
        "stops",
        "fragments",
        "stale owners refused",
        "takeovers",
        "publishes",
        "publishes refused",
        "source jumps",
        "calls that failed",
        "acknowledgements lost",
        "torn appends",
        "calls given up and carried out",
        "channels managed",
        "recordings",
        "vandalism",
        "playlists viewed",
        "expiries",
        "operations done",
        "operations refused",
        "operations without an answer",
        "finely cut bodies",
        "clock steps",
        "UNPUBLISHED",
        "CONNECTION_LOST",
        "TIMEOUT",
        "DISABLED",
        "STORAGE_ERROR",
        "SERVICE_SHUTDOWN",
    ] {
        assert!(tally.contains_key(what), "no {what} in {SEEDS} seeds:\n{}", table(&tally));
    }
}

/// A seed is its run: the same lines in the same order, every time.
#[test]
fn a_seed_is_its_run() {
    for seed in [1, 2] {
        let (first, second) = (run(seed, true), run(seed, true));
        let differ = first.trace.lines().zip(second.trace.lines()).find(|(a, b)| a != b);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.tally, second.tally, "seed {seed}");
    }
}

/// One seed, in every detail. Does nothing unless it is asked for.
#[test]
fn replay() {
    if let Some(seed) = number("LIVEBUCKET_SIM_SEED") {
        let outcome = run(seed, true);
        show(&outcome.trace);
        show(&table(&outcome.tally));
        expect_sound(&Outcome { trace: String::new(), ..outcome });
    }
}

/// Many seeds. Does nothing unless it is asked for.
#[test]
fn range() {
    if let Some(seeds) = number("LIVEBUCKET_SIM_SEEDS") {
        let threads = number("LIVEBUCKET_SIM_THREADS").map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            |threads| usize::try_from(threads).expect("small"),
        );
        let from = number("LIVEBUCKET_SIM_FROM").unwrap_or(0);
        show(&table(&run_range(from, seeds, threads)));
        show(&format!("seeds {from} to {} are sound", from + seeds - 1));
    }
}
