//! The `livebucket` program: arguments, logging, exit code.

use std::process::ExitCode;

/// Read buffers of 128 KiB and more cost about a third less than with the system's allocator. It asks for no huge pages
/// (`no_thp`): they made an idle service hold 12 MB that it never touched, and a publisher a third more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_freed_memory();
    livebucket::cli::run()
}

/// Bytes that an arena of the C library's allocator keeps when they are freed: a statement's copies of its values, and
/// those of the largest batch of them.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 8 * 1024 * 1024;

/// SQLite takes its memory from the C library, which gives all above 128 KiB back to the kernel at once: while objects were
/// put, each met thirty fresh pages, a third of the whole CPU. Another allocator for all of C would do, too, with 8 MB more
/// of idle memory.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "no safe wrapper knows this call")]
fn keep_freed_memory() {
    // SAFETY: takes numbers only, and no other thread runs yet. A refusal costs time, nothing else.
    unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES) };
}

#[cfg(not(target_env = "gnu"))]
fn keep_freed_memory() {}
