//! Thousands of mixed operations over both dialects against a model, with `kill -9` between: afterwards model and server
//! agree and `livebucket check` is clean.
//!
//! Workers own keys that nobody else touches, so each knows what it must read. A request that a kill cut off may have been
//! carried out or not; the worker keeps both and looks after the restart which it was: wholly, or not at all.
//!
//! A failure prints its seed. The operations of a seed are always the same; where a kill falls between those of several
//! workers is not, so a replay may need a few runs:
//!
//! ```sh
//! LIVEBUCKET_RANDOM_SEED=7 LIVEBUCKET_RANDOM_SECONDS=0 cargo test --test it random
//! LIVEBUCKET_RANDOM_SEED=$RANDOM LIVEBUCKET_RANDOM_SECONDS=1800 cargo test --test it random      # half an hour of other seeds
//! ```

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use self::chance::Chance;
use self::wire::{Call, Dialect, Wire, text};
use self::worker::Worker;
use crate::support::program::{Program, data, run_ok};

mod chance;
mod look;
mod model;
mod wire;
mod worker;

const WORKERS: usize = 6;
/// Lives of a server in one round; each but the last ends with a kill.
const LIVES: usize = 6;
/// The first round's, unless the environment says otherwise.
const SEED: u64 = 1;
/// Rounds go on for so long unless the environment says otherwise.
const SECONDS: u64 = 20;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Says how to replay the round in which the test failed.
struct Seed(u64);

impl Drop for Seed {
    #[allow(clippy::disallowed_macros, reason = "a failed test speaks to people")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "replay: LIVEBUCKET_RANDOM_SEED={} LIVEBUCKET_RANDOM_SECONDS=0 cargo test --test it random",
                self.0
            );
        }
    }
}

#[tokio::test]
#[allow(clippy::disallowed_macros, reason = "what was covered is for people, behind --nocapture")]
async fn mixed_operations_with_kills_between_agree_with_a_model() {
    let first = setting("LIVEBUCKET_RANDOM_SEED").unwrap_or(SEED);
    let budget = Duration::from_secs(setting("LIVEBUCKET_RANDOM_SECONDS").unwrap_or(SECONDS));
    let (began, mut operations, mut cut) = (Instant::now(), 0, 0);
    for seed in first.. {
        let told = Seed(seed);
        let (more, more_cut) = round(seed).await;
        operations += more;
        cut += more_cut;
        drop(told);
        if began.elapsed() >= budget {
            let rounds = seed - first + 1;
            println!("{rounds} rounds from seed {first}: {operations} operations, {cut} of them cut by a kill");
            return;
        }
    }
}

/// One data directory through its lives; how many operations ran, and how many of them were cut.
async fn round(seed: u64) -> (usize, usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut chance = Chance::new(seed);
    // A third of the rounds are of servers that encrypt what they store.
    let key_file = dir.path().join("master.key");
    std::fs::write(&key_file, hex::encode(chance.bytes(32))).expect("written");
    let sealed = ["--master-key-file", key_file.to_str().expect("UTF-8")];
    let options = if chance.percent(33) { &sealed[..] } else { &[] };
    let mut program = Program::start(dir.path(), options);
    for bucket in ["left", "right"] {
        let made = Wire::new(program.addr).send(Call::new(Dialect::Oss, "PUT", bucket, "")).await.expect("it runs");
        made.expect(200);
    }
    let mut workers: Vec<Worker> =
        (0..WORKERS).map(|number| Worker::new(number, program.addr, chance.fork())).collect();
    let (mut operations, mut cut) = (0, 0);
    for _ in 1..LIVES {
        operations += live(program, &mut workers, 50 + chance.below(500)).await;
        cut += workers.iter().filter(|worker| worker.pending.is_some()).count();
        if chance.percent(30) {
            check(dir.path(), &[&["--recover"], options].concat());
        }
        program = Program::start(dir.path(), options);
        join_all(workers.iter_mut().map(|worker| async {
            worker.wire = Wire::new(program.addr);
            worker.resolve().await.expect("nobody kills it now");
            worker.verify_some(5).await.expect("nobody kills it now");
        }))
        .await;
    }
    join_all(workers.iter_mut().map(|worker| async { worker.verify_all().await.expect("nobody kills it now") })).await;
    counters_agree(&program, &workers).await;
    program.terminate();
    check(dir.path(), options);
    (operations, cut)
}

/// All workers at once until `count` operations have begun, then SIGKILL in the midst of them.
async fn live(program: Program, workers: &mut [Worker], count: usize) -> usize {
    let (begun, is_killed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let due = tokio::sync::Notify::new();
    let work = join_all(workers.iter_mut().map(|worker| async {
        loop {
            if begun.fetch_add(1, Ordering::Relaxed) == count {
                due.notify_one();
            }
            if worker.step().await.is_err() {
                assert!(is_killed.load(Ordering::Relaxed), "worker {}: the server went away by itself", worker.number);
                return;
            }
        }
    }));
    let kill = async {
        due.notified().await;
        is_killed.store(true, Ordering::Relaxed);
        program.kill();
    };
    tokio::join!(work, kill);
    begun.into_inner()
}

fn check(dir: &Path, options: &[&str]) {
    let data = data(dir);
    run_ok(&[&["check"], options, &["--data", data.to_str().expect("UTF-8")]].concat());
}

/// What GetBucketStat counts is what all models hold.
async fn counters_agree(program: &Program, workers: &[Worker]) {
    for bucket in ["left", "right"] {
        let call = Call::new(Dialect::Oss, "GET", bucket, "").query("stat", "");
        let stat = Wire::new(program.addr).send(call).await.expect("it runs").expect(200).text();
        let objects = || workers.iter().flat_map(|worker| &worker.model.objects).filter(|((at, _), _)| at == bucket);
        let bytes: usize = objects().map(|(_, object)| object.body.len()).sum();
        let uploads = || workers.iter().flat_map(|worker| worker.model.uploads.values()).filter(|u| u.bucket == bucket);
        for (name, count) in [
            ("ObjectCount", objects().count()),
            ("Storage", bytes),
            ("MultipartUploadCount", uploads().count()),
            ("MultipartPartCount", uploads().map(|upload| upload.parts.len()).sum()),
        ] {
            assert_eq!(text(&stat, name), count.to_string(), "{bucket} {name}: {stat}");
        }
    }
}
