//! libFuzzer's program: runs the target that the environment names. `FUZZ_TARGET=seeds` writes the seeds instead; with
//! `FUZZ_REPEAT=N` the target's corpus and mutants run, N inputs in all and always the same, and libFuzzer does not.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use livebucket_fuzz::targets::{ALL, Target};
use livebucket_fuzz::{repeat, seeds};

static CHOSEN: OnceLock<Target> = OnceLock::new();

/// Ends the program where there is nothing to fuzz. The counters in the service need libFuzzer's own `main`, so whatever
/// else this program does, it does before the first input.
fn choose() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    if name == "seeds" {
        seeds::write_all();
        std::process::exit(0);
    }
    let Some((known, target)) = ALL.into_iter().find(|(known, _)| *known == name) else {
        eprintln!("FUZZ_TARGET names none of the targets: {name:?}");
        std::process::exit(2);
    };
    if let Ok(runs) = std::env::var("FUZZ_REPEAT") {
        let runs = runs.parse().expect("FUZZ_REPEAT is a number");
        let artifacts = std::env::var("FUZZ_ARTIFACTS").expect("FUZZ_ARTIFACTS is where a finding's input goes");
        repeat::run(target, &Path::new("corpus").join(known), runs, Path::new(&artifacts).join(known));
    }
    target
}

fuzz_target!(init: CHOSEN.get_or_init(choose), |data: &[u8]| CHOSEN.get_or_init(choose)(data));
