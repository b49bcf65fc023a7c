//! What the disk may do to the service, and what it keeps of it.
//!
//! A binary of its own because it defines the C library's file calls itself ([`interpose`]): every write, sync, rename and
//! removal of the program, SQLite's among them, passes [`watch`], which can record it and can let it fail ([`fault`]). Calls
//! outside a watched directory pass untouched, so tests run side by side, each in a directory of its own.
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a test is the far end: it dials, waits and reads the clock itself")]

#[allow(dead_code, reason = "shared with another test binary, which uses all of it")]
#[path = "../it/random/chance.rs"]
mod chance;
mod fault;
mod faults;
#[allow(
    unsafe_code,
    reason = "symbols of the C library are defined, and its raw system calls made, in this room alone"
)]
mod interpose;
mod layer;
mod power;
mod start;
#[allow(dead_code, reason = "the other test program uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod tree;
mod watch;

/// A directory in memory, where there is one: syncs cost nothing there, and every read passes through the C library.
fn directory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory")
}
