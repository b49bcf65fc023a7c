//! libFuzzer's program: runs the target that the environment names. `FUZZ_TARGET=seeds` writes the seeds instead.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use livebucket_fuzz::seeds;
use livebucket_fuzz::targets::{ALL, Target};

static CHOSEN: OnceLock<Target> = OnceLock::new();

/// Ends the program where there is nothing to fuzz. The counters in the service need libFuzzer's own `main`, so whatever
/// else this program does, it does before the first input.
fn choose() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    if name == "seeds" {
        seeds::write_all();
        std::process::exit(0);
    }
    let Some((_, target)) = ALL.into_iter().find(|(known, _)| *known == name) else {
        eprintln!("FUZZ_TARGET names none of the targets: {name:?}");
        std::process::exit(2);
    };
    target
}

fuzz_target!(init: CHOSEN.get_or_init(choose), |data: &[u8]| CHOSEN.get_or_init(choose)(data));
