//! Runs that are the same every time: a target's corpus, then mutants of it that follow from their number alone.
//!
//! libFuzzer mutates what reached new code, and what that is depends on addresses and the seeds of hash maps: two runs with one
//! seed part ways. That is good at finding and no good at saying whether a commit is sound.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::targets::Target;

/// An input is no longer than this.
const BYTES_MAX: usize = 4096;
/// A longer run is a finding; of the wall, so it leaves room for a machine that does other things as well.
const SLOW: Duration = Duration::from_secs(120);
/// A process with more of memory is one.
const RESIDENT_MAX_KIB: u64 = 1024 * 1024;
/// Where codecs and parsers turn.
const BOUNDARIES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'%', b'/', b'\n', b' '];

/// The input that is running, and since when.
static RUNNING: Mutex<Option<(Vec<u8>, Instant)>> = Mutex::new(None);

/// Runs the inputs of `corpus` in the order of their names, then mutants of them up to `runs` in all, and ends the process: not
/// with 0 at a finding, whose input is left in `artifacts`.
#[allow(clippy::disallowed_macros, reason = "this is the program's answer")]
pub fn run(target: Target, corpus: &Path, runs: u64, artifacts: PathBuf) -> ! {
    let inputs = read(corpus);
    watch(artifacts);
    let mutants = (inputs.len() as u64..runs).map(|number| mutant(number, &inputs));
    let mut count = 0_u64;
    for input in inputs.iter().cloned().chain(mutants) {
        *running() = Some((input.clone(), Instant::now()));
        target(&input);
        count += 1;
    }
    println!("stat::number_of_executed_units: {count}");
    std::process::exit(0);
}

fn running() -> MutexGuard<'static, Option<(Vec<u8>, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(corpus: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory that can be read").path()).collect();
    paths.sort();
    let mut inputs: Vec<_> = paths.iter().map(|path| std::fs::read(path).expect("a corpus of files")).collect();
    if inputs.is_empty() {
        inputs.push(Vec::new());
    }
    inputs
}

/// A panic, a run that does not end and memory that grows all end the process with what they were found by.
fn watch(artifacts: PathBuf) {
    let told = artifacts.clone();
    // libFuzzer's, which aborts.
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        leave("panics", &told);
        say(panic);
    }));
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if running().as_ref().is_some_and(|(_, since)| since.elapsed() > SLOW) {
                leave("is slow", &artifacts);
                std::process::exit(1);
            }
            if resident_kib() > RESIDENT_MAX_KIB {
                leave("takes much memory", &artifacts);
                std::process::exit(1);
            }
        }
    });
}

/// Leaves the input that is running behind.
#[allow(clippy::disallowed_macros, reason = "this is the program's answer")]
fn leave(what: &str, artifacts: &Path) {
    let input = running().take().map(|(input, _)| input).unwrap_or_default();
    let file = artifacts.with_extension("input");
    match std::fs::write(&file, &input) {
        Ok(()) => eprintln!("{}: an input of {} bytes {what}", file.display(), input.len()),
        Err(error) => eprintln!("{}: {error}; the input {what}: {input:02x?}", file.display()),
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|text| text.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// Bits that follow from a number (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// An input changed in one to eight places.
fn mutant(number: u64, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut chance = Chance(number);
    let mut input = inputs[chance.below(inputs.len())].clone();
    for _ in 0..=chance.below(8) {
        change(&mut input, inputs, &mut chance);
    }
    input.truncate(BYTES_MAX);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let to = (at + chance.below(32)).min(input.len());
    match chance.below(9) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = chance.next() as u8,
        2 if at < input.len() => input[at] = BOUNDARIES[chance.below(BOUNDARIES.len())],
        3 => drop(input.drain(at..to)),
        // The same again, elsewhere.
        4 => {
            let (run, place) = (input[at..to].to_vec(), chance.below(input.len() + 1));
            input.splice(place..place, run);
        }
        // One byte over and over.
        5 => {
            let (byte, count) = (chance.next() as u8, chance.below(64));
            input.splice(at..at, std::iter::repeat_n(byte, count));
        }
        6 => input.truncate(at),
        // A part of another.
        7 => {
            let other = &inputs[chance.below(inputs.len())];
            let from = chance.below(other.len() + 1);
            let until = (from + chance.below(512)).min(other.len());
            input.splice(at..to, other[from..until].iter().copied());
        }
        // A number a little larger or smaller.
        _ if at < input.len() => input[at] = input[at].wrapping_add(chance.below(33) as u8).wrapping_sub(16),
        _ => input.push(chance.next() as u8),
    }
}
